"""What one answer of a judge says: its outcome and scores, the principles it wrote for itself, and its critique.

Only the verdict decides an outcome; principles and critique are read where they are there, also from answers that
break off. Every step takes time in proportion to the text, whatever a model may write.
"""

import re

from pipelines.judging.critiques import end_of_list, says_something
from pipelines.judging.part_headings import first_parts
from pipelines.judging.prompts import score_range
from pipelines.judging.rule import outcome_of
from pipelines.judging.verdicts import UNPARSED, answer_of, read_verdict, verdict_span
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
_KINDS_OF_LIST = (
    re.compile(r"\n[ \t]*[*_]{0,2}\d{1,2}[.)、．][ \t]*(?=\S)"),  # numbered
    re.compile(r"\n[ \t]*[-*•+](?:[ \t]+)(?=\S)"),
    re.compile(r"\n(?=[ \t]*(?:\*\*|__)\S)"),  # in bold
    re.compile(r"\n(?=[ \t]*[^\W\d_])"),  # a line each
)
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
# The layout that the prompt asks for, an item a line: it is most of what is read, and takes a quarter of the time.
_PLAIN_ITEM = re.compile(
    r"\n\d{1,2}[.)] ((?!\s|[^\n(]*[Ee]ight)[^\n:：(（\[【—–*_`%％-]*[^\s:：(（\[【—–*_`%％-])"
    r" \([Ww]eight: (\d{1,2})%\): ([^\s*_:：—–-][^\n]*)"
)
_HEAD_LENGTH = 200  # a criterion's name and weight stand in its first characters, or nowhere


def read_answer(
    text: str | None,
    finish_reason: str | None,
    n_responses: int,
    best_position: int | None,
    label: int | None,
    low: int | None = None,
    high: int | None = None,
    *,
    with_parts: bool = True,
) -> Reading:
    """Return what an answer amounts to; FAILED without a text. Never raises on any text.

    `best_position` is 0-based, as shown, and None for a single response. The range is that of `score_range` unless it
    is given. An answer that the endpoint cut off is truncated, whatever stands in it. `with_parts=False` leaves
    principles and critique out.
    """
    if text is None:
        return Reading(Outcome.FAILED)
    lowest, highest = score_range(n_responses)
    answer = answer_of(text)
    verdict = read_verdict(answer, n_responses, lowest if low is None else low, highest if high is None else high)
    principles, critique = _parts(answer, verdict.start) if with_parts else ((), None)
    scores = verdict.scores
    if finish_reason in TRUNCATED_BY:
        outcome = Outcome.TRUNCATED
    elif finish_reason in REFUSED_BY or (verdict.failure == UNPARSED and _REFUSAL.match(answer)):
        outcome = Outcome.REFUSED
    elif scores is None:
        outcome = Outcome(verdict.failure or UNPARSED)
    else:
        outcome = Outcome(outcome_of(scores, best_position, label))
        margin = _margin(scores, best_position)
        return Reading(outcome, scores, margin, principles, critique, verdict.form, verdict.is_draft_before)
    return Reading(outcome, principles=principles, critique=critique)


def _margin(scores: tuple[int, ...], best_position: int | None) -> float | None:
    """Return the best response's score less the highest other one."""
    if best_position is None or len(scores) < 2:
        return None
    return float(scores[best_position] - max(scores[:best_position] + scores[best_position + 1 :]))


def read_parts(answer: str) -> tuple[tuple[Principle, ...], str | None]:
    """Return the principles and the critique of an answer, thinking already removed: () and None where absent."""
    return _parts(answer, verdict_span(answer)[0])


def _parts(answer: str, verdict_start: int) -> tuple[tuple[Principle, ...], str | None]:
    """Return principles and critique; the verdict's line begins at `verdict_start`."""
    text, end = "\n" + answer, verdict_start + 1
    criteria, analysis = first_parts(text)
    if analysis and analysis.start() < end <= analysis.end():  # the heading of the verdict itself
        analysis = None
    listed = _section(text, criteria.end(), analysis.start() if analysis else end) if criteria else ""
    if analysis:
        critique = _section(text, analysis.end(), end)
    else:
        cut = end_of_list(listed)
        critique = listed[cut:].strip() or text[: criteria.start() if criteria else end]
        listed = listed[:cut]
        # Without a verdict nothing says where a critique ends that has no heading.
        if end > len(answer) or not any(map(says_something, critique.split("\n"))):
            critique = ""
    return _principles("\n" + listed) if criteria else (), critique.strip() or None


def without_verdict(text: str) -> str:
    """Return an answer without its thoughts and its verdict: what stands before it and behind it."""
    answer = answer_of(text)
    start, end = verdict_span(answer)
    return f"{answer[:start]}\n{answer[end:]}"


def _section(text: str, begin: int, end: int) -> str:
    """Return the text between two places; to its end where the second comes first."""
    return text[begin : end if end >= begin else None]


def _principles(section: str) -> tuple[Principle, ...]:
    plain = _PLAIN_ITEM.findall(section)
    if plain and len(plain) == section.strip().count("\n") + 1:
        return tuple(Principle(name, rest.rstrip(), int(weight) / 100) for name, weight, rest in plain)
    return _listed_principles(section)


def _listed_principles(section: str) -> tuple[Principle, ...]:
    """Return the criteria of a section in any layout: its items are those of the first kind of list that it holds."""
    starts = next((starts for kind in _KINDS_OF_LIST if (starts := list(kind.finditer(section)))), [])
    items = [start for start in starts if _indent(start) <= _indent(starts[0])]
    ends = [*(item.start() for item in items[1:]), len(section)]
    principles = (_principle(section[item.end() : end]) for item, end in zip(items, ends, strict=False))
    return tuple(filter(None, principles))


def _indent(start: re.Match[str]) -> int:
    """Return the width of the blanks that a list item opens with."""
    return len(start[0]) - len(start[0].lstrip(" \t\n"))


def _principle(item: str) -> Principle | None:
    """Return the criterion of one list item: "Accuracy (weight: 40%): what it asks for"."""
    head = item[:_HEAD_LENGTH]
    if (opening := _NAME.match(head)) is None:
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
