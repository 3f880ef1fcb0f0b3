r"""The verdict of a judge's answer: its last line of scores, forgiving of form and strict of meaning.

The contract is `Scores: \boxed{7, 3}` as the last line, an integer for each response in the order shown. Judges write
many other things that a careful person reads as the same. The rule:

1. The verdict is the last heading of its kind (score, ratings, 评分, ..) that opens a line and that a list, or the
   beginning of one, follows. A heading followed by prose is none, and neither is one within someone else's words: in
   quotation marks, in a block quote or a fence, or below a line that ends in a colon.
2. The list holds one integer a response, in any reasonable notation (`score_lists`). The wrong number of them, a value
   outside the range, or a list that breaks off is no score, and never gives way to an earlier list.
3. After the verdict, a full list in a box, in brackets or under a heading that differs makes the answer unreadable. So
   does an earlier verdict that differs, unless the words between take it back: then the answer is read as a `draft`.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from typing import NamedTuple

from pipelines.grm.score_lists import LABEL, RESPONSE_WORDS, ScoreItem, ScoreList, read_list
from schemas.thoughts import split_thoughts

READER_VERSION = 2
"""Rises with every change of what is read from an answer: what is judged says by which it was."""

UNPARSED = "unparsed"
WRONG_COUNT = "wrong_count"
OUT_OF_RANGE = "out_of_range"
CONTRADICTORY = "contradictory"

CANONICAL = "canonical"
FORGIVEN = "forgiven"

MOST_DRAFTS = 40
"""So many headings of an answer are looked at, the last ones."""
MOST_LISTS = 200
"""An answer with more lists than this behind its verdict cannot be read."""
_MAX_DIGITS = 9  # Python refuses to read very long numbers; no score is that long

# Characters that say the same as one of ASCII. Each stands for one character, so that places in the text stay.
_PLAIN = str.maketrans(
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u3000\u00a0\u2009\u202f：，；（）［］【】｛｝／．＝％＼＃＊｜－—–‐‑−、،"
    "０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९",
    " " * 10 + ":,;()[][]{}/.=%\\#*|------,," + "0123456789" * 4,
)

SCORE_WORDS = (
    r"scores?|scorings?|ratings?|grades?|marks"
    r"|bewertung(?:en)?|punktzahl(?:en)?|punktwerte?|wertung(?:en)?|noten|puntuaci[oó]n(?:es)?|puntajes?"
    r"|calificaci[oó]n(?:es)?|pontua(?:ç(?:ão|ões)|cao|coes)|punteggi[o]?|voti|beoordeling(?:en)?|cijfers"
    r"|оценк[аи]|баллы|оцінк[аи]|oceny|punktacja|puan(?:lar)?|điểm(?:\s{1,4}số)?|skor"
    r"|评分|得分|打分|分数|评级|总分|評分|分數|總分|スコア|得点|採点|点数|評価|점수|평점|평가|채점"
)
_WEAK_WORDS = (
    r"overall|verdict|final\s{1,4}verdict|notes?\s{1,4}finales?|notes?|judge?ment"  # a boxed list must follow these
)
SCORE_MARKS = sorted(
    {"score", "scoring", "rating", "grade", "marks", "overall", "verdict", "judg", "note"}
    | {"bewertung", "punkt", "wertung", "noten", "puntua", "puntaje", "calificaci", "pontua", "punteggi", "voti"}
    | {"beoordeling", "cijfers", "оцен", "Оцен", "балл", "Балл", "оцінк", "Оцінк", "oceny", "punktacja", "puan", "điểm"}
    | {
        "Điểm",
        "skor",
        "评分",
        "得分",
        "打分",
        "分数",
        "评级",
        "總分",
        "总分",
        "評分",
        "分數",
        "スコア",
        "得点",
        "採点",
        "点数",
    }
    | {"評価", "점수", "평점", "평가", "채점"}
)
"""Every heading of scores holds one of these, in whatever case of ASCII letters."""
_QUALIFIER = (
    r"(?:my|the|our|final|overall|total|aggregated?|combined|weighted|numerical|numeric|assigned|resulting|summary"
    r"|individual|corrected|revised|updated|adjusted|response|responses|output|draft|preliminary|initial|tentative"
    r"|die|endgültige|abschließende|finale|endergebnis|las?|los|les|scores?|puntuaciones|finales|finais|as|gesamt"
    r"|итоговые|итоговая|финальные|최종|最终|最終|总体|综合|整体|各个?|每个|我的|给出的|回答|回复|响应|的|最後|最后)"
)
_SUFFIX = r"(?:\s{0,4}(?:list|line|结果|如下|列表|为|是|are|is|as\s{1,4}follows|finales|finais|finali|итог))*"
_DECORATION = r"(?:[^\w\n\"'“”‘’«»「」『』>\\({]|_){0,40}"
_HEADING = re.compile(
    rf"^(?P<prefix>{_DECORATION}(?:\(?[0-9ivIV]{{1,3}}[.):]\)?[ \t]{{0,4}}{_DECORATION})?"
    rf"(?:\\[a-z]{{2,15}}\*?\{{{_DECORATION}|(?P<json>\{{[ \t]*\"))?)"
    rf"(?P<name>(?:{_QUALIFIER}[ \t]{{0,4}}){{0,4}}(?:(?P<strong>{SCORE_WORDS})|(?P<weak>{_WEAK_WORDS}))(?![a-z])"
    rf"(?:[ \t]{{0,4}}[(/]?[ \t]{{0,4}}(?:{SCORE_WORDS})\)?(?![a-z]))?{_SUFFIX})"
    r"(?P<after>[ \t*_`\]}>\"]{0,40})"
    r"(?:(?P<note>[(\[](?=[^()\[\]\n]*[^\W\d_])[^()\[\]\n]{0,200}[)\]]"
    r"|\([ \t]*(?:[0-9]{1,3}[ \t]*[-~]|/)[ \t]*[0-9]{1,4}[ \t]*\)"
    r"|(?:,|for\b|of\b|in\b|out\b|on\b|from\b)[^:\n\\\[{]{0,160}(?=:))[ \t*_`]{0,40})?"
    r"(?P<mark>[:=][ \t]*[}*_]*|-{1,2}(?=[\s*_`$\\\[(])|(?=\n)|(?<=>)|(?=[*_`$ ]*(?:\\+|\[|boxed))|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_NOTE_WORDS = re.compile(
    rf"(?:\s|[-,;:&|/#.()\[\]*_`]|\b(?:for|of|the|each|both|all|every|in|order|as|shown|presented|given|listed|respectively"
    r"|out|on|a|scale|from|to|and|is|are|range|integers?|only|top|max(?:imum)?|between|points?|per|same|above|this"
    rf"|final|overall|scores?|ratings?|von|bis|für|pour|para|per|de|le|la|1\s*(?:-|to|~)\s*10|{RESPONSE_WORDS})\b"
    r"|满分|分|个|各|和|与|按|顺序|对|至|到)*",
    re.IGNORECASE,
)
_NOTE_LABEL = re.compile(LABEL.format("n") + r"(?:\s*(?:-|to|~|\.\.|至|到)\s*(?P<last>[0-9]{1,3}))?", re.IGNORECASE)
_NOTE_MORE = re.compile(r"\s*(?:,|&|and|和|与|\|)\s*(?:and\s*)?(?P<more>[0-9]{1,3})(?![0-9])", re.IGNORECASE)
_NOTE_SCALE = re.compile(
    r"(?:out\s+of|/|满分|max(?:imum)?|von|top)\s*(?P<top>[0-9]{1,4})"
    r"|(?P<low>[0-9]{1,3})\s*(?:-|to|~|\.\.|bis|至|到)\s*(?P<high>[0-9]{1,4})",
    re.IGNORECASE,
)
_UNDERLINE = re.compile(r"\n[ \t]*[=-]{3,}[ \t]*(?=\n|\Z)")
_ASCII_MARKS = [mark for mark in SCORE_MARKS if mark.isascii()]
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
CANONICAL_SCORES = r"Scores: \\boxed\{((?:0|[1-9][0-9]?)(?:, (?:0|[1-9][0-9]?))*)\}"
_CANONICAL_LINE = re.compile(rf"{CANONICAL_SCORES}\Z")

_FENCE = re.compile(r"^[ \t]{0,3}(?P<ticks>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)
_BOXED = re.compile(r"boxed\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\[[^\[\]\n]{1,400}\]", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|actually|correction|correct(?:ed|ing)|mistaken?(?:ly)?|mixed|mix-up|swapp?(?:ed)?|revers(?:ed|ing)|oops|sorry"
    r"|reflection|second\s+thoughts?|re-?(?:consider|evaluat|assess|visit|check|think|view|calculat|do)\w*|revis\w+"
    r"|updat\w+|adjust\w+|instead|rather|no[,.]|hmm+|first\s+pass|finally"
    r"|wrong\s+way|other\s+way\s+(?:a?round)|should\s+(?:be|have|read)|i\s+meant|scratch\s+that|ignore|disregard"
    r"|korrektur|moment|falsch|espera|correcci[oó]n|attendez|correção)\b"
    r"|等等|更正|修正|纠正|重新|不对|搞错|弄错|写错|应为|应该是|抱歉|修改|调整|訂正|やはり|잠깐|정정|подожди|исправ",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"\b(?:final|overall|total|endgültig|finale)|最终|最後|最后|总|最終|최종|итог", re.IGNORECASE)
_FIRST_WORD = re.compile(r"\b(?:draft|preliminary|initial|tentative|first)|初步|暂定|草", re.IGNORECASE)
_ANNOUNCEMENT = re.compile(
    r"(?:[\s\W\d]*\b(?:here|are|is|my|the|our|final|overall|total|scores?|ratings?|grades?|verdicts?|conclusions?|judge?ments?"
    r"|evaluations?|assessments?|analysis|critique|summary|results?|scoring|decision|output|outcome|each|response|responses"
    r"|answers|both|all|based|on|this|these|above|i|would|will|now|assign|give|score|rate|them|following|as|follows|therefore"
    r"|thus|so|hence|accordingly|in|to|sum|up|and|criteria|considering|taking|everything|into|account|numbers|finally|step"
    r"|part|specific|evaluation|corrected|correction|revised|revision|reflection|second|thoughts?|wait|actually|no|sorry"
    r"|verification|of|for|with|given|after|weighing|reasons?|reasoning|explanation|comparison|it|down|section|put"
    r"|together|zusammenfassung|bewertung|fazit|ergebnis|analyse|conclusión|conclusion|análisis)\b)+[\s\W\d]*"
    r"|(?:[\s\W\d]|综上所述|综上|因此|所以|最终|最后|综合|以上|分析|我|的|评分|得分|打分|分数|如下|为|给出|结论|总结|判断|评价|各个?|回答"
    r"|回复|两个|基于|根据|修正|更正|重新|考虑|后|对|评估|理由|比较|結論|総合|評価|最終|スコア|결론|최종|점수|평가)+",
    re.IGNORECASE,
)
_OF_ONE = re.compile(rf"\b(?:{RESPONSE_WORDS})\s{{0,4}}#?\s{{0,4}}[0-9]|(?<!each )\bresponse\b", re.IGNORECASE)
_ATTRIBUTION = re.compile(
    rf"{_OF_ONE.pattern}|\b(?:says?|said|writes?|wrote|written|ends?|ended|claims?|claimed|reads?|quot\w+|states?|stated"
    r"|contain\w*|includ\w+|adds?|added|append\w*|insert\w*|inject\w*|example|e\.g|format\w*|template|instruct\w*"
    r"|such as|like|instead|would|prompt|user|text|line|string|copied|cites?|prints?|outputs?|closes?|begins?|opens?)\b"
    r"|写道|说|格式|例如|示例|结尾|包含|如同|引用|声称|用户|提示",
    re.IGNORECASE,
)


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


class _Heading(NamedTuple):
    start: int
    end: int
    """Where its list begins."""
    labels: tuple[int, ...]
    top: int | None
    is_strong: bool
    is_json: bool
    is_quoted: bool
    is_understood: bool
    """Whether its note says nothing but which responses and which range."""


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
    lines = _lines_to_read(text)
    if len(lines) == 1 and (line := _CANONICAL_LINE.match(answer, lines[0])) and not _is_quoted(text, lines[0]):
        plain = tuple(map(int, line[1].split(", ")))
        if len(plain) == n_responses and all(low <= score <= high for score in plain):
            return Verdict(plain, None, lines[0], len(answer), CANONICAL)
    headings = _headings(text, lines)
    chosen = _last_verdict(text, headings)
    if chosen is None:
        return Verdict(None, UNPARSED, len(answer), len(answer))
    place, heading, found = chosen
    scores = _scores(found, heading, n_responses, low, high)
    if isinstance(scores, str):
        return Verdict(None, scores, heading.start, found.end)
    if _differs_after(text, found.end, headings[place + 1 :], scores, n_responses, low, high):
        return Verdict(None, CONTRADICTORY, heading.start, found.end)
    draft = _draft(text, headings[:place], scores, n_responses, low, high)
    if draft is not None and not _is_taken_back(text, *draft, heading):
        return Verdict(None, CONTRADICTORY, heading.start, found.end)
    form = CANONICAL if _CANONICAL_LINE.match(answer, heading.start) else FORGIVEN
    return Verdict(scores, None, heading.start, found.end, form, draft is not None)


def verdict_span(answer: str) -> tuple[int, int]:
    """Return where the verdict of an answer begins and ends, readable or not; its length twice where it has none."""
    text = answer if answer.isascii() else answer.translate(_PLAIN)
    chosen = _last_verdict(text, _headings(text, _lines_to_read(text)))
    return (len(answer), len(answer)) if chosen is None else (chosen[1].start, chosen[2].end)


def canonical_text(answer: str, verdict: Verdict) -> str:
    r"""Return an answer that ends in its verdict, `Scores: \boxed{7, 3}`; what is said behind it stands before it then.

    What cannot stand there without changing what is read, such as a second verdict, is left out.
    """
    if verdict.scores is None or verdict.form == CANONICAL:
        return answer
    n_responses, low, high = len(verdict.scores), min(verdict.scores), max(verdict.scores)
    before, behind = answer[: verdict.start].rstrip(), _said(answer[verdict.end :])
    line = f"Scores: \\boxed{{{_joined(verdict.scores)}}}"
    for parts in ([before, behind, line], [before, line]):
        text = "\n\n".join(part for part in parts if part)
        again = read_verdict(text, n_responses, low, high)
        if (again.scores, again.is_draft_before) == (verdict.scores, verdict.is_draft_before):
            return text
    return answer


def _said(behind: str) -> str:
    """Return what is said behind a verdict; nothing where fewer than three words are."""
    text = re.sub(r"<\|\w{1,30}\|>|</?\w{1,20}>|^[\W_]{0,40}\n|```\w*", "", behind).strip(" \t\r\n.*_$`)]}")
    return text if len(re.findall(r"[^\W\d_]{2,}|[\u3040-\u9fff]", text)) > 2 else ""


def _joined(scores: tuple[int, ...]) -> str:
    return ", ".join(map(str, scores))


def _headings(text: str, lines: list[int]) -> list[_Heading]:
    """Return the headings of scores that open one of these lines, in order."""
    found = [heading for line in lines if (heading := _HEADING.match(text, line)) is not None]
    return [_heading(text, heading) for heading in found[-MOST_DRAFTS:]]


def _lines_to_read(text: str) -> list[int]:
    """Return where the lines begin that hold a word for scores."""
    folded = text.lower()
    if len(folded) != len(text):  # some letters are two in lower case
        folded = text.translate(_LOWER)
    starts: set[int] = set()
    for mark in _ASCII_MARKS if text.isascii() else SCORE_MARKS:
        place = folded.find(mark)
        while place >= 0:
            starts.add(folded.rfind("\n", 0, place) + 1)
            end = folded.find("\n", place)
            place = -1 if end < 0 else folded.find(mark, end)
    return sorted(starts)


def _heading(text: str, match: re.Match[str]) -> _Heading:
    labels, top, is_understood = _note(match["note"] or "")
    end = match.end()
    if underline := _UNDERLINE.match(text, end):
        end = underline.end()
    is_plain_sentence = match["mark"] == "" and match["note"] and match["note"][0] not in "(["
    return _Heading(
        match.start(),
        end,
        labels,
        top,
        match["strong"] is not None,
        match["json"] is not None,
        _is_quoted(text, match.start()),
        is_understood and not is_plain_sentence,
    )


def _note(note: str) -> tuple[tuple[int, ...], int | None, bool]:
    """Return which responses a heading names, in order, the top of the range, and whether it says nothing else."""
    labels: list[int] = []
    rest, place = [], 0
    while label := _NOTE_LABEL.search(note, place):
        rest.append(note[place : label.start()])
        place = label.end()
        number = label["na"] or label["nd"] or ""
        first = int(number) if number.isdigit() else -1
        labels += range(first, min(int(label["last"]), first + 100) + 1) if label["last"] else [first]
        while more := _NOTE_MORE.match(note, place):
            labels.append(int(more["more"]))
            place = more.end()
    rest.append(note[place:])
    others = " ".join(rest)
    scale = _NOTE_SCALE.search(others)
    if scale is not None:
        others = others[: scale.start()] + others[scale.end() :]
    top = None if scale is None else int(scale["top"] or scale["high"])
    return tuple(labels), top, _NOTE_WORDS.fullmatch(others) is not None


def _is_fenced(text: str, start: int) -> bool:
    """Return whether a place is within a fence; one that is never closed goes to the end of the text."""
    if text.find("```", 0, start) < 0 and text.find("~~~", 0, start) < 0:
        return False
    opened: str | None = None
    for fence in _FENCE.finditer(text, 0, start):
        if opened is None:
            opened = fence["ticks"]
        elif fence["ticks"].startswith(opened) and not fence["info"].strip():
            opened = None
    return opened is not None


def _is_quoted(text: str, start: int) -> bool:
    """Return whether a heading stands in someone else's words: fenced, shown as a response, or below a colon."""
    if _is_fenced(text, start):
        return True
    before = text[max(0, start - 2_000) : start]
    line = before.rstrip(" \t\r\n*_`")
    if line.endswith(":"):
        line = line[line.rfind("\n") + 1 :][-200:]
        is_next = before[len(before.rstrip()) :].count("\n") == 1
        if (is_next or _ATTRIBUTION.search(line)) and (not _ANNOUNCEMENT.fullmatch(line) or _OF_ONE.search(line)):
            return True
    window = max(0, start - 20_000)
    return text.rfind("\n[The Begin of Response", window, start) > text.rfind("[The End of Response", window, start)


def _last_verdict(text: str, headings: list[_Heading]) -> tuple[int, _Heading, ScoreList] | None:
    """Return the last heading that a list, or the beginning of one, follows, with its place among them."""
    for place in reversed(range(len(headings))):
        heading = headings[place]
        if heading.is_quoted or not heading.is_understood:
            continue
        found = _list_of(text, heading)
        if found is not None:
            return place, heading, found
    return None


def _list_of(text: str, heading: _Heading) -> ScoreList | None:
    """Return the list below a heading; None where prose follows, or what nobody can take for a list of scores."""
    found = read_list(text, heading.end)
    if found is None:
        return None
    if not heading.is_strong and not (found.is_whole and found.is_marked and found.items):
        return None
    if found.is_whole and re.match(r"[.*_`]*[\"”’»」』]", text[found.end : found.end + 8]) and not heading.is_json:
        return None  # the end of a quotation
    return found


def _scores(found: ScoreList, heading: _Heading, n_responses: int, low: int, high: int) -> tuple[int, ...] | str:
    """Return the scores of a list in the order shown, or what is wrong with them."""
    if not found.is_whole:
        return UNPARSED
    items = _in_order(found.items, heading.labels, n_responses)
    if items is None:
        return WRONG_COUNT
    if heading.top is not None and heading.top != high:
        return OUT_OF_RANGE
    scores = [_score(item, high) for item in items]
    if any(score is None or not low <= score <= high for score in scores):
        return OUT_OF_RANGE
    return tuple(score for score in scores if score is not None)


def _in_order(items: tuple[ScoreItem, ...], labels: tuple[int, ...], n_responses: int) -> list[ScoreItem] | None:
    """Return one item a response, in the order shown; None unless the labels, if there are any, name each once."""
    if len(items) != n_responses:
        return None
    own = [item.label for item in items if item.label is not None]
    named = own or list(labels)
    if not named:
        return list(items)
    if sorted(named) != list(range(1, n_responses + 1)) or (own and labels and own != list(labels)):
        return None
    by_label = dict(zip(named, items, strict=True))
    return [by_label[number] for number in range(1, n_responses + 1)]


def _score(item: ScoreItem, high: int) -> int | None:
    """Return the value of an item; None unless it is an integer of sane length over the top of the range."""
    whole, _, fraction = item.number.lstrip("+").partition(".")
    digits = whole.lstrip("-0") or "0"
    if len(digits) > _MAX_DIGITS or not digits.isdigit() or fraction.strip("0"):
        return None
    if item.top is not None and item.top.lstrip("0").removesuffix(".0") != str(high):
        return None
    return -int(digits) if whole.startswith("-") else int(digits)


def _differs_after(
    text: str, end: int, later: list[_Heading], scores: tuple[int, ...], n_responses: int, low: int, high: int
) -> bool:
    """Return whether a full list that differs follows the verdict: boxed, in brackets, or under a heading."""
    for heading in later:
        found = read_list(text, heading.end)
        if found is not None and found.is_whole and heading.start >= end:
            other = _scores(found, heading, n_responses, low, high)
            if other != scores and not isinstance(other, str):
                return True
    for number, match in enumerate(_BOXED.finditer(text, end)):
        if number == MOST_LISTS:
            return True
        is_box = match.group()[0] not in "["
        if not is_box and n_responses == 1:
            continue  # a footnote
        found = read_list(text, match.start())
        if found is None or not found.is_whole or len(found.items) != n_responses:
            continue
        other = _scores(found, _BARE, n_responses, low, high)
        if other != scores and (is_box or not isinstance(other, str)):
            return True
    return False


_BARE = _Heading(0, 0, (), None, True, False, False, True)
"""What a list without a heading has."""


def _draft(
    text: str, earlier: list[_Heading], scores: tuple[int, ...], n_responses: int, low: int, high: int
) -> tuple[_Heading, int] | None:
    """Return the last earlier verdict that differs, its heading and the end of its list; None without one."""
    for heading in reversed(earlier):
        if heading.is_quoted or not heading.is_understood:
            continue
        found = _list_of(text, heading)
        if found is None or not found.is_whole:
            continue
        other = _scores(found, heading, n_responses, low, high)
        if other != scores and not isinstance(other, str):
            return heading, found.end
    return None


def _is_taken_back(text: str, draft: _Heading, end: int, heading: _Heading) -> bool:
    """Return whether words take an earlier verdict back: those between, or those of the two headings."""
    drafted, last = text[draft.start : draft.end], text[heading.start : heading.end]
    is_last = _LAST_WORD.search(last) is not None and _LAST_WORD.search(drafted) is None
    return (
        is_last or any(map(_TAKEN_BACK.search, (text[end : heading.start], last))) or bool(_FIRST_WORD.search(drafted))
    )
