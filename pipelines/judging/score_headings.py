r"""Where an answer may give its scores: headings of their kind that open a line, and who speaks there.

A heading is a word for scores in one of many languages, dressed in any way, with a note beside it at most: which
responses, in which order, on which scale. A heading is someone else's in a fence, in tags that quote, within a response
that is said again, or below a line that ends in a colon, unless that line only announces what follows.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from typing import NamedTuple

from pipelines.judging.score_items import RESPONSE_WORDS, Note, read_note

MOST_HEADINGS = 40
"""So many headings of an answer are looked at, the last ones."""
SCORE_WORDS = (
    r"scores?|scorings?|ratings?|grades?|marks"
    r"|bewertung(?:en)?|beurteilung(?:en)?|punkte|punktzahl(?:en)?|punktwerte?|wertung(?:en)?|noten|évaluations?"
    r"|puntuaci[oó]n(?:es)?|puntajes?|evaluaci[oó]n(?:es)?|avalia(?:ç(?:ão|ões)|cao|coes)|valutazion[ei]"
    r"|calificaci[oó]n(?:es)?|pontua(?:ç(?:ão|ões)|cao|coes)|punteggi[o]?|voti|beoordeling(?:en)?|cijfers"
    r"|оценк[аи]|баллы|оцінк[аи]|ocen[ay]|punktacja|puan(?:lar)?|điểm(?:\s{1,4}số)?|skor"
    r"|评分|得分|打分|分数|评级|总分|評分|分數|總分|スコア|得点|採点|点数|評価|점수|평점|평가|채점"
    r"|الدرجات|الدرجة|النتيجة|النقاط|अंक|स्कोर"
)
# A boxed list, or several scores over their top, must follow these.
_WEAK_WORDS = r"overall|verdict|final\s{1,4}verdict|notes?\s{1,4}finales?|notes?|judge?ment"
HEADING_WORD = rf"(?:{SCORE_WORDS}|{_WEAK_WORDS})"
"""The word that every heading of scores holds; no Latin letter follows it. In whatever case."""
SCORE_MARKS = sorted(
    {"score", "scoring", "rating", "grade", "marks", "overall", "verdict", "judg", "note", "wertung", "punkt", "puntua"}
    | {"puntaje", "calificaci", "pontua", "punteggi", "voti", "beoordeling", "cijfers", "ocen", "puan", "skor", "оцен"}
    | {"beurteilung", "évaluation", "Évaluation", "evaluaci", "avalia", "valutazion"}
    | {"Оцен", "балл", "Балл", "оцінк", "Оцінк", "điểm", "Điểm", "评分", "得分", "打分", "分数", "评级", "總分", "总分"}
    | {"الدرج", "النتيج", "النقاط", "अंक", "स्कोर"}
    | {"評分", "分數", "スコア", "得点", "採点", "点数", "評価", "점수", "평점", "평가", "채점"}
)
"""Every such word holds one of these, in whatever case of ASCII letters."""
_QUALIFIER = (
    r"(?:my|the|our|final|overall|total|aggregated?|combined|weighted|numerical|numeric|assigned|resulting|summary"
    r"|individual|corrected|revised|updated|adjusted|response|responses|output|draft|preliminary|initial|tentative"
    r"|die|endgültige|abschließende|finale|endergebnis|las?|los|les|scores?|puntuaciones|finales|finais|as|gesamt"
    r"|итоговые|итоговая|финальные|최종|最终|最終|总体|综合|整体|各个?|每个|我的|给出的|回答|回复|响应|的|最後|最后)"
)
_SUFFIX = r"(?:\s{0,4}(?:list|line|结果|如下|列表|为|是|are|is|as\s{1,4}follows|finales|finais|finali|итог))*"
_LEAD_IN = (
    r"(?:(?:so|thus|therefore|hence|finally|accordingly|overall|in\s(?:sum|short|summary|conclusion)|to\s(?:sum\sup|conclude)"
    r"|综上所述|综上|因此|所以)\s{0,2}[,:]\s{0,4})?"
)
_DECORATION = r"(?:[^\w\n\"'“”‘’„‚‹›«»「」『』>\\({]|_){0,40}"
_TAGS = r"(?:<(?:b|strong|em|i|u|p|h[1-6]|center|div|span|li|answer)>[ \t]{0,4}){0,3}"
_HEADING = re.compile(
    rf"^(?P<prefix>{_DECORATION}{_TAGS}(?:\(?[0-9ivIV]{{1,3}}[.):]\)?[ \t]{{0,4}}{_DECORATION})?{_LEAD_IN}"
    rf"(?:\\[a-z]{{2,15}}\*?\{{{_DECORATION}|(?P<json>\{{[ \t]*\"))?)"
    rf"(?P<name>(?:{_QUALIFIER}[ \t]{{0,4}}){{0,4}}(?:(?P<strong>{SCORE_WORDS})|(?P<weak>{_WEAK_WORDS}))(?![a-z])"
    rf"(?:[ \t]{{0,4}}[(/]?[ \t]{{0,4}}(?:{SCORE_WORDS})\)?(?![a-z]))?{_SUFFIX})"
    r"(?P<after>(?:</[a-z]\w{0,9}>|[ \t*_`\]}>\"]){0,40})"
    r"(?:(?P<note>[(\[](?=[^()\[\]\n]*[^\W\d_])[^()\[\]\n]{0,200}[)\]]"
    r"|\([ \t]*(?:[0-9]{1,3}[ \t]*(?:[-~/]|or\b)|/)[ \t]*[0-9]{1,4}[ \t]*\)|\[[0-9]{1,2}\](?=[ \t*_]*[:=])"
    r"|(?:,|for\b|of\b|in\b|out\b|on\b|from\b)[^:\n\\\[{]{0,160}(?=:))[ \t*_`]{0,40})?"
    r"(?P<mark>={2,}[ \t]*(?=\n)|[-=]>|[→⇒]|[:=][ \t]*[}*_]*|-{1,2}(?=[\s*_`$\\\[(])"
    r"|(?=\n)|(?<=>)|(?=[*_`$ ]*(?:\\+|\[|boxed))|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_UNDERLINE = re.compile(r"\n[ \t]*[=-]{3,}[ \t]*(?=\n|\Z)")
_ASCII_MARKS = [mark for mark in SCORE_MARKS if mark.isascii()]
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_FENCE = re.compile(r"^[ \t]{0,3}(?P<ticks>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)
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


# A judge may wrap what it says in <answer>; <answer_2> is another's.
_QUOTING_TAG = re.compile(
    r"<(/?)(quote|blockquote|example|(?:response|answer|reply|candidate)[_ -]?\d+)>", re.IGNORECASE
)
_EXAMPLE = re.compile(
    r"\b(?:would (?:be|read)|(?:example|sample) (?:output|answer|response|line)|says|said|reads|wrote|writes)\Z",
    re.IGNORECASE,
)


class Heading(NamedTuple):
    """A heading of scores."""

    start: int
    end: int
    """Where its list begins."""
    note: Note = Note()
    is_strong: bool = True
    """Whether its word stands for scores and nothing else."""
    is_json: bool = False
    is_quoted: bool = False


def headings_at(text: str, lines: list[int]) -> list[Heading]:
    """Return the headings of scores that open one of these lines, in order."""
    matches = [heading for line in lines if (heading := _HEADING.match(text, line)) is not None]
    return [_heading(text, heading) for heading in matches[-MOST_HEADINGS:]]


def lines_to_read(text: str) -> list[int]:
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


def _heading(text: str, match: re.Match[str]) -> Heading:
    words = match["note"] or ""
    note = read_note(words)
    if match["mark"] == "" and words and words[0] not in "([":  # a plain sentence
        note = note._replace(is_understood=False)
    underline = _UNDERLINE.match(text, match.end())
    end = underline.end() if underline else match.end()
    is_strong, is_json = match["strong"] is not None, match["json"] is not None
    return Heading(match.start(), end, note, is_strong, is_json, is_quoted(text, match.start()))


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


def _is_in_tags(before: str) -> bool:
    """Return whether a comment, a quotation in tags or in triple quotation marks is open at the end of a text."""
    triples = (mark for mark in ('"""', "'''") if mark in before)
    if before.rfind("<!--") > before.rfind("-->") or any(
        len(re.findall(rf"(?m)^[ \t]*{mark}", before)) % 2 for mark in triples
    ):
        return True
    opened = [tag for tag in _QUOTING_TAG.finditer(before) if not tag[1]] if "<" in before else []
    return bool(opened) and f"</{opened[-1][2].lower()}" not in before[opened[-1].end() :].lower()


def _is_given_as_example(before: str) -> bool:
    """Return whether the line before, which ends in no punctuation, says that somebody's words follow."""
    line = before.rstrip()[-200:].rpartition("\n")[2].strip(" \t*_`#")
    return bool(_EXAMPLE.search(line)) and not _ANNOUNCEMENT.fullmatch(line)


_CLOSES_QUOTATION = re.compile('["”」』»›“]')
_OPENS_QUOTATION = re.compile(r"[“「『«‹„]\Z|(?:\A|[\s(:])\"\Z")


def is_quoted(text: str, start: int) -> bool:
    """Return whether a heading stands in someone else's words: fenced, shown as a response, or below a colon."""
    if _is_fenced(text, start) or text.startswith("~~", start):
        return True
    before = text[max(0, start - 2_000) : start]
    if _is_in_tags(before) or _is_given_as_example(before):
        return True
    line = before.rstrip(" \t\r\n*_`")
    if _OPENS_QUOTATION.search(line[-3:]) and _CLOSES_QUOTATION.search(text, start, start + 400):
        return True
    if line.endswith(":"):
        line = line[line.rfind("\n") + 1 :][-200:]
        is_next = before[len(before.rstrip()) :].count("\n") == 1
        if (is_next or _ATTRIBUTION.search(line)) and (not _ANNOUNCEMENT.fullmatch(line) or _OF_ONE.search(line)):
            return True
    window = max(0, start - 20_000)
    return text.rfind("\n[The Begin of Response", window, start) > text.rfind("[The End of Response", window, start)
