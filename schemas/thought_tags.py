"""The tags that models and servers put around thoughts, and what surrounds a tag: is it meant, or only spoken of?

Needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

import re
from typing import NamedTuple

_NAMES = {
    "think": r"(?:[a-z]\w{0,11}[_-])?(?:think(?:s|ing|er)?|thoughts?)(?:[_ -]?(?:process|steps?|mode|fast|slow))?"
    "|antthinking|思考(?:过程)?|思维链?",
    "reason": "reason(?:ing|s)?(?:[_-]?(?:content|process|steps?|trace))?|推理(?:过程)?",
    "reflect": "(?:self[_-]?)?refle(?:ct|ction|xion)s?",
    "scratch": "scratch[_-]?pad",
    "cot": "cot|chain[_-]of[_-]thoughts?",
    "inner": "(?:inner|internal|hidden|private)(?:[_-]?(?:monologue|thoughts?|thinking|reasoning|notes))?|monologue"
    "|contemplat(?:or|ion)|deliberation|brainstorm(?:ing)?|ruminat(?:ion|ing|e)s?|musings?|ponder(?:ing)?",
    "weak": "analysis|analy[sz]e|plan(?:ning)?|draft|rationale|分析",
}
_THINK_WORD = "(?:thinking_process|thinking|think|thoughts?|reasoning|reason)"
_FORMS = {  # what opens and what closes the other forms, in small letters and without their first character
    "bracket": (rf"(?:{_THINK_WORD}|思考(?:过程)?)[\]】]", rf"/(?:{_THINK_WORD}|思考(?:过程)?)[\]】]"),
    "kimi": (r"think(?:ing)?▷", r"/think(?:ing)?▷"),
    "token": (
        rf"[|｜](?:(?:begin|start)(?:[_▁]of)?[_▁])?{_THINK_WORD}(?:[_▁](?:start|begin))?[|｜]>",
        rf"[|｜](?:(?:end(?:[_▁]of)?[_▁]|/){_THINK_WORD}|{_THINK_WORD}[_▁]end)[|｜]>",
    ),
    "unused": (r"(?:unused|ctrl)94>(?:thoughts?\b)?", r"(?:unused|ctrl)95>"),
    "pangu": (r"unused16\]", r"unused17\]"),
    "gemma": (r"\|channel>(?:thoughts?\b)?", r"channel\|>"),
    "apertus": (r"\|inner_prefix\|>", r"\|inner_suffix\|>"),
    "turn": (
        r"\|im_start\|>(?:think|thinking|thought|reasoning)\b",
        r"(?:\|im_end\|>\s{0,4}<)?\|im_start\|>(?:answer|assistant|final)\b",
    ),
    "xtml": (r"\|open\|>think<\|sep\|>", r"\|close\|>think<\|sep\|>"),
}
# Begins with sets of characters, so that the scan for it is quick. The empty group that matches last names the form.
_TAG = re.compile(
    r"[<＜\[【◁&](?=[a-z/ |｜思推分])(?:(?:lt;)? ?(?P<slash>/)? ?(?:[a-z]\w{0,11}:)?(?:"
    + "|".join(f"(?:{names})(?P<tag_{form}>)" for form, names in _NAMES.items())
    + r")(?:\s[^<>\n]{0,200}(?<!/))?\\?(?:>|＞|&gt;)|"
    + "|".join(f"{opens}(?P<open_{form}>)|{closes}(?P<close_{form}>)" for form, (opens, closes) in _FORMS.items())
    + ")"
)
_MARKUP = r"[\s#>*_]{0,12}(?:[-•] ?|\d{1,2}[.)] ?)?[*_]{0,3}"
_CRITERIA = re.compile(  # where an answer plainly begins: its criteria, or JSON
    rf"{_MARKUP}(?:specific |evaluation |judging )?(?:criteria|principles|standards|rubric)[*_ ]{{0,4}}(?:[:：]|\n)"
    rf"|{_MARKUP}(?:具体|评估|评价|评判){{0,2}}(?:标准|准则|原则)[*_ ]{{0,4}}(?:[:：]|\n)"
    r"|\s{0,12}(?:```json)?\s{0,4}\{\s{0,12}\""
)
_PART = re.compile(
    rf"{_MARKUP}(?:final |overall |my )?(?:scores?|ratings?|verdict|best|errors|analysis|critique|answer|judge?ment)\b"
    rf"[^:：\n]{{0,40}}(?:[:：]|\n)|{_MARKUP}(?:最终|总体|综合)?(?:评分|得分|分数|打分|分析|答案|最佳)[^:：\n]{{0,20}}[:：]"
    r"|\s{0,12}(?:<answer>|\\boxed)"
)
_SCORE_WORD = re.compile(r"\\boxed|scores?\b|ratings?\b|评分|得分|分数")
_TAG_NOUN = r"[ \t]?(?:tags?|blocks?|tokens?|markers?|elements?|sections?|delimiters?|标签|标记)(?![a-z])"
_SPOKEN_OF = re.compile(
    rf"{_TAG_NOUN}|[ \t](?:parts?|is|are|was|were|has|have|must|should|never|appears?|in|and|or|at|does|did)\b"
)
_SPOKEN_OF_AT_HEAD = re.compile(
    rf"{_TAG_NOUN}|-[a-z]|[ \t](?:is|was|are|were) (?:never|not|missing|left|opened|closed|used)\b"
    rf"|[ \t](?:is|was|are|were) (?:\S+ ){{0,3}}(?:tags?|tokens?|markers?|delimiters?)\b"
    rf"|[ .…]{{0,6}}(?:(?:and|or|,|to)[ \t])?</?{_THINK_WORD}>(?:{_TAG_NOUN}|[ \t](?:is|are|was|were)\b)"
)
_BRACKETED_ANSWER = re.compile(  # the heading that follows thoughts under a heading in brackets
    r"(?<=\n)[\[【](?:(?:final )?(?:answer|response)|(?:最终)?(?:回答|答案)|思考(?:过程)?结束"
    r"|end(?: of)? think(?:ing)?)[\]】]"
)
_BRACKETED_LINE = re.compile(r"\n[\[【][^\n\[\]【】]{1,40}[\]】][ \t]*\n")
_END_OF_TURN = re.compile(r"<\|end\|>\s{0,4}(?:<\|(?:begin|start)\|>assistant<\|(?:content|message)\|>)?")
_JSON = re.compile(r"(?:```(?:json)?\s{0,4})?[{\[]\s{0,40}[\"{\[]")
_QUOTED = re.compile(r"(?:writes?|wrote|says?|said|ends?|ended|contains?|outputs?|prints?|example|tag)\b")
BOLD_BEGINS = re.compile(r"(?:\A|[\s(（,，:：])[*_]{1,3}\Z")
OPENING_QUOTES = "`\"'“‘「『«(（"
_CLOSING_QUOTES = "`\"'”’」』»)）"
PUNCTUATION = ",;:.?!，。；：？！、"
OF_A_JUDGEMENT = re.compile(r"(?:responses?|answers?|回答) ?\d|scores?\b|criteria|boxed")
_MOST_RESCANS = 2
LINE = 200
"""Characters of a line that are looked at, so that long lines cost no more than short ones."""


class Span(NamedTuple):
    """Where thoughts stand in a text."""

    start: int
    end: int
    after: int
    """Where the text goes on behind what marks their end."""


_BLANK_LEAD = " \t\ufeff\u200b\u200c\u200d\u2060"
"""What may stand before a tag on its line, seen or not."""


class TaggedText:
    """A text and its tags. What stands before `begin` is known to be thoughts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = _folded(text)
        self.begin = 0
        self.rescans = _MOST_RESCANS

    def begins_answer(self, place: int) -> bool:
        """Say whether an answer plainly begins at a place: with its criteria, or with JSON."""
        return _CRITERIA.match(self.folded, place) is not None

    def begins_json(self, place: int) -> bool:
        return _JSON.match(self.folded, place) is not None

    def block(self, place: int) -> Span | None:
        """Return the thoughts between two tags. Where only the first one is there, they take the rest of the text."""
        opening = _TAG.match(self.folded, place)
        form, is_end = _form_of(opening) if opening else ("", True)
        if opening is None or is_end:
            return None
        start = opening.end()
        end = self._end_of(form, start)
        if end is None:
            return self._unclosed(form, place, start)
        inside = self.folded[start : end.start()] if end.start() - start < LINE else ""
        if not inside.strip(" .…") and _SPOKEN_OF.match(self.folded, end.end()):
            return None  # "<think>...</think> tags are .."
        is_verdict_left = form == "weak" and len(self.text) - end.end() < LINE
        if is_verdict_left and not _SCORE_WORD.search(self.folded, start, end.start()):
            return None  # an analysis with nothing but a verdict behind it
        return Span(start, end.start(), end.end())

    def lone_end(self, place: int, until: int) -> re.Match[str] | None:
        """Return the first tag that ends thoughts which no tag began, since the prompt did; None up to `until`."""
        is_json, is_answering = self.begins_json(place), self.begins_answer(place)
        depths: dict[str, int] = {}
        fences, counted = 0, self.begin
        for tag in _TAG.finditer(self.folded, self.begin, until):
            fences += self.folded.count("```", counted, tag.start())
            is_answering = is_answering and not _SCORE_WORD.search(self.folded, counted, tag.start())
            counted = tag.start()
            form, is_end = _form_of(tag)
            if not is_end:
                depths[form] = depths.get(form, 0) + self._nests(tag)
            elif depths.get(form):
                depths[form] -= not self._is_spoken_of(tag)
            elif (is_json and self._lead(tag) is None) or (is_answering and not self.begins_answer(tag.end())):
                continue  # within a string of JSON, or in the midst of an answer
            elif form != "weak" and fences % 2 == 0 and self._ends_unopened(tag):
                return tag
        return None

    def _unclosed(self, form: str, place: int, start: int) -> Span | None:
        """Return the thoughts behind a tag that nothing closes."""
        if _SPOKEN_OF_AT_HEAD.match(self.folded, start):
            return None
        if form == "bracket":  # a heading: [Thinking]..[Answer]..
            if answer := _BRACKETED_ANSWER.search(self.folded, start):
                return Span(start, answer.start(), answer.end())
            is_heading = "reason" not in self.folded[place:start] and self.text[start : start + 1] in ("\n", "")
            is_last = is_heading and not _BRACKETED_LINE.search(self.folded, start)
            if not is_last and self.text[place:start] != "[THINK]":
                return None
        elif form == "token" and (turn := _END_OF_TURN.search(self.folded, start)):
            return Span(start, turn.start(), turn.end())
        return Span(start, len(self.text), len(self.text))

    def _end_of(self, form: str, start: int) -> re.Match[str] | None:
        """Return the tag that ends thoughts, which may hold others of their form."""
        if form in _NAMES and self.folded.find("/", start) < 0:
            return None
        first, depth = None, 1
        for tag in _TAG.finditer(self.folded, start):
            other, is_end = _form_of(tag)
            if other != form:
                continue
            if not is_end:
                depth += self._nests(tag)
            elif not self._is_spoken_of(tag):
                first, depth = first or tag, depth - 1
                if not depth or not self.rescans:
                    return tag
        self.rescans -= first is not None
        return first

    def _ends_unopened(self, tag: re.Match[str]) -> bool:
        """Say whether a lone closing tag ends thoughts, and is not spoken of."""
        if self._is_quoted(tag):
            return False
        if self.begins_answer(tag.end()):
            return True
        before, after = self._before(tag), self.folded[tag.end() : tag.end() + 1]
        if self._is_spoken_of(tag) or (after and after in PUNCTUATION):
            return False
        lead = self._lead(tag)
        if lead is None:
            is_glued = not before.isspace() and (before < "\u2e80" or not after >= "\u2e80")
            return is_glued or _PART.match(self.folded, tag.end()) is not None
        line = lead.rstrip()[-LINE:].rpartition("\n")[2]
        if line.endswith((":", "：")) and (OF_A_JUDGEMENT.search(line) or _QUOTED.search(line)):
            return False
        follows = self.text[tag.end() : tag.end() + 2]
        goes_on = follows[:1] == "\n" and follows[1:].islower() and lead.rstrip(" \t")[-2:-1].isalnum()
        return not goes_on

    def _is_spoken_of(self, tag: re.Match[str]) -> bool:
        """Say whether a sentence speaks of a tag."""
        if self._is_quoted(tag) or _SPOKEN_OF.match(self.folded, tag.end()):
            return True
        if self._lead(tag) is not None:
            return False
        before, after = self._before(tag), self.text[tag.end() : tag.end() + 2]
        if after and after[0] in PUNCTUATION and (before.isspace() or before >= "\u2e80"):
            return True
        return before in " \t" and after[:1] in (" ", "\t") and after[1:].islower()

    def _nests(self, tag: re.Match[str]) -> bool:
        """Say whether an opening tag opens thoughts within thoughts, or within an answer."""
        after = self.folded[tag.end() : tag.end() + 1]
        return not self._is_spoken_of(tag) and after not in ("", " ", "\t") and after not in PUNCTUATION

    def _lead(self, tag: re.Match[str]) -> str | None:
        """Return the end of the lines before a tag that begins its line; None for one in the middle of a line."""
        lead = self.folded[max(self.begin, tag.start() - 2 * LINE) : tag.start()]
        bare = lead.rstrip(_BLANK_LEAD)
        return lead if not bare or bare.endswith("\n") else None

    def _before(self, tag: re.Match[str]) -> str:
        return self.text[tag.start() - 1] if tag.start() > self.begin else "\n"

    def _is_quoted(self, tag: re.Match[str]) -> bool:
        before, after = self.text[max(self.begin, tag.start() - 4) : tag.start()], self.text[tag.end() : tag.end() + 1]
        if not before or not after:
            return False
        return (before[-1] in OPENING_QUOTES and after in _CLOSING_QUOTES) or (
            after in "*_" and BOLD_BEGINS.search(before) is not None
        )


def _form_of(tag: re.Match[str]) -> tuple[str, bool]:
    """Return the form of thoughts that a tag belongs to, and whether it ends them."""
    kind, _, form = (tag.lastgroup or "").partition("_")
    return form, kind == "close" or (kind == "tag" and tag["slash"] is not None)


def _folded(text: str) -> str:
    """Return a text in small letters, each character in its old place."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
