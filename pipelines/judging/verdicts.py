r"""The verdict of a judge's answer: its last line of scores, forgiving of form and strict of meaning.

The contract is `Scores: \boxed{7, 3}` as the last line, an integer for each response in the order shown. Judges write
many other things that a careful person reads as the same. The rule:

1. What opens it (`score_headings`): the last heading of its kind (score, ratings, 评分, ..) that begins a line and that
   a list, or the beginning of one, follows. A heading does not count where prose follows, or where it stands within
   someone else's words: in quotation marks, a block quote, a fence or tags, or below a line that ends in a colon.
2. What a list is (`score_lists`, `score_items`): one integer a response, in any notation. The wrong number of
   them, a value outside the range, or a list that breaks off is no score, and never gives way to an earlier list. The
   rest of its line may say whose scores they are, and on which scale.
3. What leaves a doubt: a full list behind the verdict that differs, in a box, in brackets, under a heading, behind a
   word such as "correction", or with a label at each score. Such an answer is contradictory.
4. What takes a verdict back: words between it and a later one that differs. Then the later one is read, and the earlier
   one is a draft. Without such words the answer is contradictory.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from itertools import islice
from typing import NamedTuple

from pipelines.judging.score_headings import Heading, headings_at, is_quoted, lines_to_read
from pipelines.judging.score_items import Note, ScoreItem
from pipelines.judging.score_lists import ScoreList, read_list, with_rest_of_line
from schemas.thoughts import split_thoughts

READER_VERSION = 4
"""Rises with every change of what is read from an answer: what is judged says by which it was."""

UNPARSED = "unparsed"
WRONG_COUNT = "wrong_count"
OUT_OF_RANGE = "out_of_range"
CONTRADICTORY = "contradictory"

CANONICAL = "canonical"
FORGIVEN = "forgiven"

MOST_LISTS = 200
"""An answer with more lists than this behind its verdict cannot be read."""
_MAX_DIGITS = 9  # Python refuses to read very long numbers; no score is that long

# Characters that say the same as one of ASCII. Each stands for one character, so that places in the text stay.
_PLAIN = str.maketrans(
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u3000\u00a0\u2009\u202f：，；（）［］【】｛｝／．＝％＼＃＊｜－—–‐‑−、،"
    "０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९",
    " " * 10 + ":,;()[][]{}/.=%\\#*|------,," + "0123456789" * 4,
)

CANONICAL_SCORES = r"Scores: \\boxed\{((?:0|[1-9][0-9]?)(?:, (?:0|[1-9][0-9]?))*)\}"
_CANONICAL_LINE = re.compile(rf"{CANONICAL_SCORES}\Z")

_BOXED = re.compile(r"boxed\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\[[^\[\]\n]{1,400}\]", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|actually|correction|correct(?:ed|ing)|mistaken?(?:ly)?|mixed|mix-up|swapp?(?:ed)?|revers(?:ed|ing)|oops|sorry"
    r"|reflection|second\s+thoughts?|re-?(?:consider|evaluat|assess|visit|check|think|view|calculat|do)\w*|revis\w+"
    r"|updat\w+|adjust\w+|or\s+rather|(?:instead|rather|no)(?=[,:.])|first\s+pass|finally"
    r"|wrong\s+way|other\s+way\s+(?:a?round)|should\s+(?:be|have|read)|i\s+meant|scratch\s+that|ignore|disregard"
    r"|korrektur|moment|falsch|espera|correcci[oó]n|attendez|correção)\b"
    r"|等等|更正|修正|纠正|重新|不对|搞错|弄错|写错|应为|应该是|抱歉|修改|调整|訂正|やはり|잠깐|정정|подожди|исправ",
    re.IGNORECASE,
)
# Words behind a verdict that take it back, and put no other one in its place.
_WITHDRAWN = re.compile(
    r"\b(?:disregard|ignore|discard|retract|withdraw|scrap)\s+(?:that|this|the|those|these|my|all|above)\b[^.\n]{0,30}"
    r"\b(?:line|lines|scores?|verdict|above|ratings?|answer|judge?ment)\b"
    r"|(?:\A|[\n.!?])\s*(?:wait|no|hold on|oops|hmm|actually)\b[\s,.!:-]{1,5}(?:that|this|these|those|they|the scores?)"
    r"(?:\s+scores?)?(?:\s+(?:is|are|was|were)|['’]s)\s+(?:all\s+)?"
    r"(?:wrong|incorrect|not\s+right|backwards?|a mistake)\b"
    r"|(?:请忽略|作废|以上评分有误|上面的评分有误)",
    re.IGNORECASE,
)
_NEAR = 500
_BOX_OF_ONE = re.compile(r"boxed\s*\{\s*([0-9.]+)", re.IGNORECASE)
_BROKEN_BOX = re.compile(r"\\boxed\s*\{[^{}\n]*\Z")
_LINE_START = re.compile(
    r"^[ \t*_#>-]*(?P<corrects>(?:correction|corrected|revised|revision|updated?|actually|wait|sorry|更正|修正)\b"
    r"[^\n0-9\\\[({]*)?",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTATION_ENDS = re.compile(r"[.*_`]*[\"”’»」』]")
_NO_WORDS = re.compile(r"<\|\w{1,30}\|>|</?\w{1,20}>|^[\W_]{0,40}\n|```\w*")
_WORD_OR_SIGN = re.compile(r"[^\W\d_]{2,}|[\u3040-\u9fff]")
_FIRST_WORD = re.compile(r"\b(?:draft|preliminary|initial|tentative|first)|初步|暂定|草", re.IGNORECASE)


class Verdict(NamedTuple):
    """What was read of an answer's scores."""

    scores: tuple[int, ...] | None
    """In the order shown; None where they cannot be read."""
    failure: str | None
    """The outcome that stands in the place of scores."""
    start: int
    """Where the verdict begins in the answer, or the heading that was taken for one; its length where there is none."""
    end: int
    """Where it ends."""
    form: str | None = None
    """CANONICAL or FORGIVEN; None without scores."""
    is_draft_before: bool = False
    """Whether an earlier verdict that differs was read over."""


class _Scale(NamedTuple):
    """Which scores are wanted: an integer from `low` to `high` for each response."""

    n_responses: int
    low: int
    high: int

    def read(self, listed: ScoreList, note: Note) -> tuple[int, ...] | str:
        """Return the scores of a list in the order shown, or what is wrong with them."""
        if not listed.items:
            return UNPARSED
        items = self._in_order(listed, note)
        if items is None:
            return WRONG_COUNT
        if note.top is not None and note.top != self.high:
            return OUT_OF_RANGE
        scores = [
            score for item in items if (score := self._score(item)) is not None and self.low <= score <= self.high
        ]
        return tuple(scores) if len(scores) == len(items) else OUT_OF_RANGE

    def differs(self, listed: ScoreList, note: Note, scores: tuple[int, ...]) -> bool:
        """Return whether a list can be read, to other scores than these."""
        other = self.read(listed, note)
        return other != scores and not isinstance(other, str)

    def _in_order(self, listed: ScoreList, note: Note) -> list[ScoreItem] | None:
        """Return one item a response, in the order shown; None unless the labels, if there are any, name each once."""
        numbers = list(range(1, self.n_responses + 1))
        own = [item.label for item in listed.items if item.label is not None]
        named = own or list(note.labels) or numbers
        notes_differ = own and note.labels and own != list(note.labels)
        if len(listed.items) != self.n_responses or sorted(named) != numbers or notes_differ:
            return None
        by_label = dict(zip(named, listed.items, strict=True))
        return [by_label[number] for number in numbers]

    def _score(self, item: ScoreItem) -> int | None:
        """Return the value of an item; None unless it is an integer of sane length over the top of the range."""
        whole, _, fraction = item.number.lstrip("+").partition(".")
        digits = whole.lstrip("-0") or "0"
        is_whole = len(digits) <= _MAX_DIGITS and digits.isdigit() and not fraction.strip("0")
        if not is_whole or (item.top is not None and item.top.lstrip("0").removesuffix(".0") != str(self.high)):
            return None
        return -int(digits) if whole.startswith("-") else int(digits)


def read_scores(text: str, n_responses: int, low: int = 1, high: int = 10) -> tuple[int, ...] | str:
    """Return the scores of an answer in the order shown, or the name of the outcome that stands in their place.

    "unparsed": no verdict, or one that breaks off or holds something else. "wrong_count": not exactly one for each
    of `n_responses`. "out_of_range": a number outside `low`..`high`, or none of its integers. "contradictory": two
    lists that differ. Never raises; takes time in proportion to the text.
    """
    verdict = read_verdict(answer_of(text), n_responses, low, high)
    return verdict.failure or UNPARSED if verdict.scores is None else verdict.scores


def answer_of(text: str) -> str:
    """Return the answer of a text: without its thoughts, and without the fence or tag that holds all of it."""
    answer, _ = split_thoughts(text)
    body = answer.strip()
    if body[:8].lower() == "<answer>":
        answer = body[8:]
        end = answer.lower().rfind("</answer>")
        answer = answer if end < 0 or answer[end + 9 :].strip() else answer[:end]
        body = answer.strip()
    if body[:3] in ("```", "~~~"):
        lines = body.split("\n")
        fences = [line for line in lines if line.lstrip()[:3] == body[:3]]
        if len(fences) == 2 and lines[-1].strip() == fences[0][: len(fences[0]) - len(fences[0].lstrip("`~"))]:
            return "\n".join(lines[1:-1])
    return answer


def read_verdict(answer: str, n_responses: int, low: int, high: int) -> Verdict:
    """Return what an answer without its thoughts says of its scores."""
    text = answer if answer.isascii() else answer.translate(_PLAIN)
    lines = lines_to_read(text)
    if len(lines) == 1 and (line := _CANONICAL_LINE.match(answer, lines[0])) and not is_quoted(text, lines[0]):
        plain = tuple(map(int, line[1].split(", ")))
        if len(plain) == n_responses and all(low <= score <= high for score in plain):
            return Verdict(plain, None, lines[0], len(answer), CANONICAL)
    headings = headings_at(text, lines)
    later: list[Heading] = []
    while headings:
        heading = headings.pop()
        listed = _list_of(text, heading)
        # Beside a note that nobody understands only labels say whose the scores are.
        if listed and (heading.note.is_understood or (listed.is_labelled and not heading.note.labels)):
            break
        later.append(heading)
    else:
        return Verdict(None, UNPARSED, len(answer), len(answer))
    scale = _Scale(n_responses, low, high)
    scores = scale.read(listed, heading.note)
    if isinstance(scores, str):
        return Verdict(None, scores, heading.start, listed.end)
    draft = _draft(text, headings, scores, scale)
    if _is_contradicted(text, listed.end, later, scores, scale) or (
        draft is not None and not _is_taken_back(text, *draft, heading)
    ):
        return Verdict(None, CONTRADICTORY, heading.start, listed.end)
    form = CANONICAL if _CANONICAL_LINE.match(answer, heading.start) else FORGIVEN
    return Verdict(scores, None, heading.start, listed.end, form, draft is not None)


def verdict_span(answer: str) -> tuple[int, int]:
    """Return where the verdict of an answer begins and ends, readable or not; its length twice where it has none."""
    verdict = read_verdict(answer, 0, 0, 0)  # where it stands does not depend on how many scores it should hold
    return verdict.start, verdict.end


def canonical_text(answer: str, verdict: Verdict) -> str:
    r"""Return an answer that ends in its verdict, `Scores: \boxed{7, 3}`; words behind the verdict move before it.

    What cannot stand there without changing what is read, such as a second verdict, is left out.
    """
    if verdict.scores is None or verdict.form == CANONICAL:
        return answer
    before = answer[: verdict.start].rstrip()
    behind = _NO_WORDS.sub("", answer[verdict.end :]).lstrip(" \t\r\n.*_$`)]}").rstrip()
    line = f"Scores: \\boxed{{{', '.join(map(str, verdict.scores))}}}"
    has_words = len(_WORD_OR_SIGN.findall(behind)) > 2
    for parts in ([before, behind if has_words else "", line], [before, line]):
        text = "\n\n".join(part for part in parts if part)
        again = read_verdict(text, len(verdict.scores), min(verdict.scores), max(verdict.scores))
        if (again.scores, again.is_draft_before) == (verdict.scores, verdict.is_draft_before):
            return text
    return answer


def _list_of(text: str, heading: Heading) -> ScoreList | None:
    """Return the list below a heading; None where prose follows, or what nobody can take for a list of scores."""
    listed = None if heading.is_quoted else read_list(text, heading.end)
    if listed is None:
        return None
    if len(listed.items) == 1 and len(set(_BOX_OF_ONE.findall(text, heading.end, listed.end))) > 1:
        return listed._replace(items=())  # one score or another one
    is_clear = listed.is_marked or (len(listed.items) > 1 and all(item.top is not None for item in listed.items))
    if not heading.is_strong and not (listed.items and is_clear):
        return None
    if not listed.items or heading.is_json:
        return listed
    if _QUOTATION_ENDS.match(text, listed.end, listed.end + 8):
        return None
    rest = text[listed.end : listed.end + 200].partition("\n")[0]
    return with_rest_of_line(listed, rest) if listed.is_marked and rest.strip() else listed


def _is_contradicted(text: str, end: int, later: list[Heading], scores: tuple[int, ...], scale: _Scale) -> bool:
    """Return whether a full list that differs follows the verdict, or words that take it back and leave none."""
    if _BROKEN_BOX.search(text, end) or _WITHDRAWN.search(text, end, end + _NEAR):
        return True
    under = [(read_list(text, heading.end), heading.note) for heading in later if heading.start >= end]
    lines = [(line, read_list(text, line.end())) for line in islice(_LINE_START.finditer(text, end), MOST_LISTS)]
    under += [(listed, Note()) for line, listed in lines if listed and (line["corrects"] or listed.is_labelled)]
    if any(listed and scale.differs(listed, note, scores) for listed, note in under):
        return True
    for number, box in enumerate(_BOXED.finditer(text, end)):
        if number == MOST_LISTS:
            return True
        is_box = box[0][0] != "["
        listed = read_list(text, box.start()) if is_box or scale.n_responses > 1 else None  # [1] is a footnote
        if listed is not None and len(listed.items) == scale.n_responses:
            other = scale.read(listed, Note())
            if other != scores and (is_box or not isinstance(other, str)):
                return True
    return False


def _draft(text: str, earlier: list[Heading], scores: tuple[int, ...], scale: _Scale) -> tuple[Heading, int] | None:
    """Return the last earlier verdict that differs, its heading and the end of its list; None without one."""
    for heading in reversed(earlier):
        listed = _list_of(text, heading) if heading.note.is_understood else None
        if listed and scale.differs(listed, heading.note, scores):
            return heading, listed.end
    return None


def _is_taken_back(text: str, draft: Heading, end: int, heading: Heading) -> bool:
    """Return whether words take an earlier verdict back: those between, or those of the two headings."""
    drafted, last = text[draft.start : draft.end], text[heading.start : heading.end]
    return any(map(_TAKEN_BACK.search, (text[end : heading.start], last))) or bool(_FIRST_WORD.search(drafted))
