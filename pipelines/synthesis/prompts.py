"""What responders and teachers are asked: pure functions of a question and an answer."""

import re

from pipelines.judging.prompt_texts import filled, prompt_text
from pipelines.judging.shown_text import conversation_text, shown_text
from schemas.query import Message, Messages, user
from schemas.question import Question, Verdict

_TEXTS = "pipelines.synthesis.templates"
_QUESTION = re.compile(r"[\s*_#]*Question:[\s*_]*(?P<asked>[^\s*_].*?)[\s*_]*", re.I)
_VERDICT = re.compile(r"Verdict:[\s*_$]*\\boxed\{\s*(right|wrong)\s*\}", re.I)
TEMPLATES = ("answer_math", "answer_number", "answer_option", "answer_text", "comparison", "rephrase", "rewrite")


def template(name: str) -> str:
    """Return the text of a template of this stage."""
    return prompt_text(_TEXTS, name)


def answer_prompt(question: Question) -> Messages:
    """Return the question as a responder is asked it: its last turn says in which form the answer must end."""
    *earlier, last = question.query
    return (*earlier, Message(last.role, _filled(f"answer_{question.gold.form}", question=shown_text(last.content))))


def rewrite_prompt(question: Question, text: str) -> Messages:
    """Return the request to put an answer into other words, its final answer unchanged."""
    return user(_filled("rewrite", question=_plain(question), answer=shown_text(text)))


def comparison_prompt(question: Question, text: str) -> Messages:
    """Return the request to compare a short answer with the reference."""
    reference = question.reference or question.gold.answer
    return user(
        _filled("comparison", question=_plain(question), reference=shown_text(reference), answer=shown_text(text))
    )


def rephrase_prompt(question: Question) -> Messages:
    """Return the request to ask for the right option in words that need no options."""
    others = [f"- {shown_text(text)}" for text in question.gold.options if text != question.gold.answer]
    answer = shown_text(question.gold.answer)
    return user(_filled("rephrase", question=_plain(question), answer=answer, others="\n".join(others) or "(none)"))


def read_rephrased(text: str) -> str | None:
    """Return the question that a text's last line holds; None where that is another line."""
    lines = text.rstrip().splitlines()
    found = _QUESTION.fullmatch(lines[-1]) if lines else None
    return found["asked"] if found else None


def verdict_text(verdict: Verdict) -> str:
    """Return the line that a comparison ends in."""
    return f"Verdict: \\boxed{{{verdict}}}"


def read_comparison(text: str) -> Verdict:
    """Return what a comparison came to, by its last line; `undecided` where that gives no one verdict."""
    lines = text.rstrip().splitlines()
    found = _VERDICT.findall(lines[-1]) if lines else []
    return Verdict(found[0].lower()) if len(found) == 1 else Verdict.UNDECIDED


def _plain(question: Question) -> str:
    """Return the conversation as one text."""
    return shown_text(question.query[0].content if len(question.query) == 1 else conversation_text(question.query))


def _filled(name: str, **values: str) -> str:
    return filled(_TEXTS, name, **values)
