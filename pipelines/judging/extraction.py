"""What one answer of a judge says: its outcome and scores, the principles it wrote for itself, and its critique.

Only the verdict decides an outcome; principles and critique are read where they are there, also from answers that
break off. Every step takes time in proportion to the text, whatever a model may write.
"""

import re

from pipelines.judging import verdicts
from pipelines.judging.critiques import end_of_list, says_something
from pipelines.judging.part_headings import first_parts
from pipelines.judging.rewards import outcome_of
from schemas.trajectory import Outcome, Principle, Reading

TRUNCATED_BY = frozenset({"length", "max_tokens", "model_length"})
REFUSED_BY = frozenset({"content_filter", "refusal"})

_REFUSAL = re.compile(
    r"[\W_]{0,20}(?:(?:i.m|i am) (?:very |really |so |truly )?sorry|sorry,? (?:but )?(?:i\b|this)|i apologi[sz]e"
    r"|(?:unfortunately,? |sorry,? )?i (?:can.?t|can ?not|won.t|will not|must decline|(?:a|.)m (?:unable|not able))"
    r"|i.m (?:unable|not able|not comfortable)|i (?:decline|refuse) to|as an ai\b"
    r"|(?:很|非常)?抱歉|对不起|我(?:无法|不能))",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\n[ \t]*[*_]{0,2}\d{1,2}[.)、．][ \t]*(?=\S)")
_BULLETED = re.compile(r"\n[ \t]*[-*•+](?:[ \t]+)(?=\S)")
_BOLD = re.compile(r"\n(?=[ \t]*(?:\*\*|__)\S)")
_PLAIN = re.compile(r"\n(?=[ \t]*[^\W\d_])")
_NAME = re.compile(r"[\s*_`]*([^\n:：(（\[【—–]*)")
_NAME_ENDS = re.compile(r" - |,?[\s*_]{0,4}(?:\bweight|\d{1,3} ?[%％])", re.IGNORECASE)
_WEIGHT = re.compile(
    r"[\s*_`,]{0,6}[(（\[【—–-]?[\s*_]{0,4}"
    r"(?:weight(?:age|ing)?|权重|權重|重み|가중치|gewicht(?:ung)?|poids|peso|вес)?[\s*_]{0,4}[:：=]?[\s*_]{0,4}"
    r"(\d{1,3}(?:\.\d{1,4})?) ?(\\?[%％])?[\s*_]{0,4}[)）\]】]?(?=[\s*_`]{0,6}(?:[:：—–\-,;.)\n]|\Z))",
    re.IGNORECASE,
)
_LATER_WEIGHT = re.compile(
    r"\bweight(?:age|ing)?[\s*_]{0,4}[:=]?[\s*_]{0,4}(\d{1,3}(?:\.\d{1,4})?) ?(\\?%)?[*_]{0,3}[)\]]?", re.IGNORECASE
)
# The layout that the prompt asks for, an item a line; what differs from it takes the long way, to the same result.
_PLAIN_ITEM = re.compile(
    r"\n\d{1,2}[.)] ((?!\s|[^\n(]*[Ee]ight)[^\n:：(（\[【—–*_`%％-]*[^\s:：(（\[【—–*_`%％-])"
    r" \([Ww]eight: (\d{1,2})%\): ([^\s*_:：—–-][^\n]*)"
)
_HEAD_LENGTH = 200  # a criterion's name and weight stand in its first characters, or nowhere


def read_answer(
    text: str,
    finish_reason: str | None,
    n_responses: int,
    best_position: int | None,
    label: int | None,
    low: int,
    high: int,
) -> Reading:
    """Return what an answer amounts to; `best_position` is 0-based, as shown, and None for a single response.

    An answer that the endpoint cut off is truncated, whatever stands in it. Never raises on any text.
    """
    answer = verdicts.answer_of(text)
    verdict = verdicts.read_verdict(answer, n_responses, low, high)
    principles, critique = _parts(answer, verdict.start)
    outcome, scores = _outcome(answer, verdict, finish_reason, best_position, label)
    if scores is None:
        return Reading(outcome, principles=principles, critique=critique)
    margin = _margin(scores, best_position)
    return Reading(outcome, scores, margin, principles, critique, verdict.form, verdict.is_draft_before)


def read_outcome(
    text: str,
    finish_reason: str | None,
    n_responses: int,
    best_position: int | None,
    label: int | None,
    low: int,
    high: int,
) -> Outcome:
    """Return the outcome alone, as `read_answer` has it."""
    answer = verdicts.answer_of(text)
    verdict = verdicts.read_verdict(answer, n_responses, low, high)
    return _outcome(answer, verdict, finish_reason, best_position, label)[0]


def _outcome(
    answer: str,
    verdict: verdicts.Verdict,
    finish_reason: str | None,
    best_position: int | None,
    label: int | None,
) -> tuple[Outcome, tuple[int, ...] | None]:
    """Return the outcome, with the scores where they are readable."""
    if finish_reason in TRUNCATED_BY:
        return Outcome.TRUNCATED, None
    if finish_reason in REFUSED_BY:
        return Outcome.REFUSED, None
    if verdict.scores is not None:
        return Outcome(outcome_of(verdict.scores, best_position, label)), verdict.scores
    if verdict.failure == verdicts.UNPARSED and _REFUSAL.match(answer):
        return Outcome.REFUSED, None
    return Outcome(verdict.failure or verdicts.UNPARSED), None


def _margin(scores: tuple[int, ...], best_position: int | None) -> float | None:
    """Return the best response's score less the highest other one."""
    if best_position is None or len(scores) < 2:
        return None
    return float(scores[best_position] - max(scores[:best_position] + scores[best_position + 1 :]))


def read_parts(answer: str) -> tuple[tuple[Principle, ...], str | None]:
    """Return the principles and the critique of an answer, thinking already removed: () and None where absent."""
    return _parts(answer, verdicts.verdict_span(answer)[0])


def _parts(answer: str, verdict_start: int) -> tuple[tuple[Principle, ...], str | None]:
    """Return principles and critique; the verdict's line begins at `verdict_start`."""
    text = "\n" + answer
    criteria, analysis = first_parts(text)
    end = verdict_start + 1
    if analysis and analysis.start() < end <= analysis.end():  # the heading of the verdict itself
        analysis = None
    listed = _section(text, criteria.end(), analysis.start() if analysis else end) if criteria else ""
    if analysis:
        critique = _section(text, analysis.end(), end)
    else:
        before = text[: criteria.start() if criteria else end]
        listed, critique = _unheaded(before, listed, verdict=verdict_start < len(answer))
    return _principles("\n" + listed) if criteria else (), critique.strip() or None


def _unheaded(before: str, listed: str, *, verdict: bool) -> tuple[str, str]:
    """Return a list of criteria without the prose behind it, and as the critique that prose, or else what came before.

    Nothing is headed as the analysis here, and without a verdict nothing says where a critique ends.
    """
    cut = end_of_list(listed)
    prose = listed[cut:].strip() or before
    return listed[:cut], prose if verdict and any(map(says_something, prose.split("\n"))) else ""


def without_verdict(text: str) -> str:
    """Return an answer without its thoughts and its verdict: what stands before it and behind it."""
    answer = verdicts.answer_of(text)
    start, end = verdicts.verdict_span(answer)
    return f"{answer[:start]}\n{answer[end:]}"


def _section(text: str, begin: int, end: int) -> str:
    """Return the text between two places; to its end where the second comes first."""
    return text[begin : end if end >= begin else None]


def _principles(section: str) -> tuple[Principle, ...]:
    """Return the criteria of the section."""
    plain = _PLAIN_ITEM.findall(section)
    if plain and len(plain) == section.strip().count("\n") + 1:
        return tuple(Principle(name, rest.rstrip(), int(weight) / 100) for name, weight, rest in plain)
    return _listed_principles(section)


def _listed_principles(section: str) -> tuple[Principle, ...]:
    """Return the criteria of a section in any layout: its items are those of the first kind of list that it holds."""
    for kind in (_NUMBERED, _BULLETED, _BOLD, _PLAIN):
        starts = list(kind.finditer(section))
        if starts:
            break
    else:
        return ()
    indent = _indent(section, starts[0])
    items = [start for start in starts if _indent(section, start) <= indent]
    ends = [item.start() for item in items[1:]] + [len(section)]
    found = (_principle(section[item.end() : end]) for item, end in zip(items, ends, strict=True))
    return tuple(principle for principle in found if principle)


def _indent(section: str, start: re.Match[str]) -> int:
    """Return the width of the blanks that a list item opens with."""
    line = start.group()
    return len(line) - len(line.lstrip(" \t\n"))


def _principle(item: str) -> Principle | None:
    """Return the criterion of one list item: "Accuracy (weight: 40%): what it asks for"."""
    head = item[:_HEAD_LENGTH]
    opening = _NAME.match(head)
    if opening is None:
        return None
    name, end = opening[1], opening.end()
    if (" - " in name or "%" in name or "％" in name or "eight" in name) and (stop := _NAME_ENDS.search(name)):
        end += stop.start() - len(name)
        name = name[: stop.start()]
    name = name.strip(" \t\r*_`")
    if not name:
        return None
    weight = _WEIGHT.match(head, end)
    rest = item[weight.end() if weight else end :]
    if weight is None and "eight" in rest and (weight := _LATER_WEIGHT.search(rest)):
        rest = rest[: weight.start()].rstrip(" \t([*_") + rest[weight.end() :]
    return Principle(name, rest.lstrip(" \t\r\n*_:：—–-").rstrip(), _share(weight) if weight else None)


def _share(weight: re.Match[str]) -> float | None:
    """Return a weight as a share of 1; None where it is neither a percentage nor a share."""
    share = float(weight[1]) / 100 if weight[2] else float(weight[1])
    return round(share, 6) if share <= 1 else None
