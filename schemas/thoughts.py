"""Thoughts: what a model writes before its answer, told apart from the answer.

Models, servers and chat templates mark thoughts in many ways, and this is the one place that knows them:

    <think>..</think>   <thinking>   <seed:think>   <reasoning>   <reflection>   <scratchpad>   [THINK]..[/THINK]
    ◁think▷..◁/think▷   <|begin_of_thought|>..<|end_of_thought|>   <|START_THINKING|>..<|END_THINKING|>
    <|channel|>analysis<|message|>..<|end|><|start|>assistant<|channel|>final<|message|>..   analysis..assistantfinal..
    <unused94>thought..<unused95>   <|channel>thought..<channel|>   ..</think>, where the template wrote the first tag

Thoughts stand at the beginning. A tag that an answer merely speaks of, in a sentence, in quotation marks, between
backticks or in a fence, is part of the answer. Needs nothing but Python 3.10.
"""

import re

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
_WORD = "(?:thinking_process|thinking|think|thoughts?|reasoning|reason)"
_FORMS = {  # what opens and what closes the other forms, in small letters and without their first character
    "bracket": (rf"(?:{_WORD}|思考(?:过程)?)[\]】]", rf"/(?:{_WORD}|思考(?:过程)?)[\]】]"),
    "kimi": (r"think(?:ing)?▷", r"/think(?:ing)?▷"),
    "token": (
        rf"[|｜](?:(?:begin|start)(?:[_▁]of)?[_▁])?{_WORD}(?:[_▁](?:start|begin))?[|｜]>",
        rf"[|｜](?:(?:end(?:[_▁]of)?[_▁]|/){_WORD}|{_WORD}[_▁]end)[|｜]>",
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
_CLOSED_FORMS = [  # forms that open ordinary answers too: they hold thoughts only where they end
    (re.compile(r"<details\s[^<>\n]{0,80}type=\"reasoning\"[^<>\n]{0,200}>"), re.compile(r"</details>")),
    (re.compile(r"here(?:'s|’s| is) my thought process:"), re.compile(r"here(?:'s|’s| is) my response:")),
    (re.compile(r"thinking(?:\.\.\.|…)[ \t]*\n"), re.compile(r"(?:\.\.\.|…)\s?done thinking\.?")),
    (re.compile(r"here are my reasoning steps:"), re.compile(r"\[begin final response\]")),
    (re.compile(r"```(?:thinking|think|thoughts?|reasoning)[ \t]*\n"), re.compile(r"(?<=\n)```[ \t]*(?![^\n])")),
]
_CHANNEL = re.compile(
    r"(?:<\|start\|>\s?assistant[^<>\n]{0,80})?<\|channel\|>\s?(analysis|commentary|final)[^<>\n]{0,80}"
    r"(?:<\|constrain\|>[^<>\n]{0,40})?<\|message\|>"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>|(?=<\|start\|>\s?assistant|<\|channel\|>)")
_BARE_START = re.compile(r"(?:analysis|commentary)(?=[A-Z\"'(\d\s])")
_LATER_CHANNEL = re.compile(r"<\|start\|>|<\|channel\|>|assistantfinal(?![a-z_\"'`”’])")
_BARE_CHANNEL = re.compile(r"assistant(final|analysis|commentary)(?![a-z_\"'`”’])")

_SPACE = r"[\s\ufeff\u200b-\u200d\u2060]*"
_HEADER = re.compile(  # what a chat template may leave in front of an answer
    rf"(?:{_SPACE}(?:<\|(?:im_start|start|role)\|>(?:assistant|model)|<\|im_assistant\|>(?:assistant)?|<\|(?:im_middle|begin_of_text)\|>"
    r"|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model|<\|turn>model|<s>|<bos>"
    r"|<seed:bos>(?:assistant)?|<[|｜](?:assistant|begin▁of▁sentence)[|｜]>|\[\|assistant\|\]"
    rf"|<\|start_of_turn_token\|>|<\|chatbot_token\|>|<\|?(?:pad|unk)\|?>))*{_SPACE}(?:\\(?=[<\[]))?"
)
_LABEL = re.compile(r"(?:#{1,4} )?(?:assistant|response|answer):?\s{0,4}(?=[<＜\[【◁])")
_TAGS_OF_ANSWERS = r"(?:final[_-]?)?(?:answer|output|response|solution)"
_WRAPPER = re.compile(
    rf"(?:<{_TAGS_OF_ANSWERS}>|<\|begin_of_solution\|>|<\|start_response\|>|<\|open\|>response<\|sep\|>)\s*"
)
_WRAPPER_END = re.compile(
    rf"</{_TAGS_OF_ANSWERS}>|<\|end_of_solution\|>|<\|end_response\|>|<\|close\|>response<\|sep\|>"
)
_END_TOKEN = (
    r"<\|(?:im_end|return|end|eot_id|endoftext|end_of_msg|end_of_turn_token)\|>|</s>|<eos>|<end_of_turn>|<turn\|>"
    r"|<seed:eos>|<｜end▁of▁sentence｜>|\[end final response\]"
)
_LAST_TOKEN = re.compile(rf"(?:{_END_TOKEN})\Z")
_LAST_OF_WRAPPED = re.compile(rf"(?:{_END_TOKEN}|{_WRAPPER_END.pattern})\Z")
_LONGEST_TOKEN = 40

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
_VERDICT = re.compile(r"\\boxed|scores?\b|ratings?\b|评分|得分|分数")
_NOUN = r"[ \t]?(?:tags?|blocks?|tokens?|markers?|elements?|sections?|delimiters?|标签|标记)(?![a-z])"
_SPOKEN_OF_AT_HEAD = re.compile(
    rf"{_NOUN}|-[a-z]|[ \t](?:is|was|are|were) (?:never|not|missing|left|opened|closed|used)\b"
    rf"|[ \t](?:is|was|are|were) (?:\S+ ){{0,3}}(?:tags?|tokens?|markers?|delimiters?)\b"
    rf"|[ .…]{{0,6}}(?:(?:and|or|,|to)[ \t])?</?{_WORD}>(?:{_NOUN}|[ \t](?:is|are|was|were)\b)"
)
_BRACKETED_ANSWER = re.compile(  # the heading that follows thoughts under a heading in brackets
    r"(?<=\n)[\[【](?:(?:final )?(?:answer|response)|(?:最终)?(?:回答|答案)|思考(?:过程)?结束"
    r"|end(?: of)? think(?:ing)?)[\]】]"
)
_BRACKETED_LINE = re.compile(r"\n[\[【][^\n\[\]【】]{1,40}[\]】][ \t]*\n")
_OF_A_PART = (
    r"(?:criteria|principles?|standards?|rubrics?|questions?|query|prompt|instructions?|responses?|answers?|context"
    r"|task|input|ol|ul|li|p|div|br)"
)
_ANY_TAG = re.compile(rf"<(?!{_OF_A_PART}\b)([^\W\d_][\w-]{{1,30}})>")
_ANY_END = re.compile(r"(?<=\n)</([^\W\d_][\w-]{1,30})>")
_END_OF_TURN = re.compile(r"<\|end\|>\s{0,4}(?:<\|(?:begin|start)\|>assistant<\|(?:content|message)\|>)?")
_SPOKEN_OF = re.compile(
    rf"{_NOUN}|[ \t](?:parts?|is|are|was|were|has|have|must|should|never|appears?|in|and|or|at|does|did)\b"
)
_QUOTED = re.compile(r"(?:writes?|wrote|says?|said|ends?|ended|contains?|outputs?|prints?|example|tag)\b")
_BOLD_BEGINS = re.compile(r"(?:\A|[\s(（,，:：])[*_]{1,3}\Z")
_OPENING_QUOTES = "`\"'“‘「『«(（"
_CLOSING_QUOTES = "`\"'”’」』»)）"
_PUNCTUATION = ",;:.?!，。；：？！、"
_TERMINAL = ".!?。！？…"
_PREAMBLE = re.compile(r"[^\n\"`“”{}<>\[\]#*◁]{1,200}(?<![:：])\n\s*")
_OF_A_JUDGEMENT = re.compile(r"(?:responses?|answers?|回答) ?\d|scores?\b|criteria|boxed")
_JSON = re.compile(r"(?:```(?:json)?\s{0,4})?[{\[]\s{0,40}[\"{\[]")
MARKS = ("<", "＜", "&lt;", "◁", "[", "【", "```", "assistant", "analysis", "commentary", "my thought process:", "done")
"""A text with none of these holds no thoughts."""
MAY_HOLD_THOUGHTS = (
    r"(?i)(?:[<＜&](?:lt;)? ?/? ?(?:[a-z]\w{0,11}[:_-]){0,2}|[◁\[【|｜]/?|(?:begin|start|end)(?:[_▁]of)?[_▁])"
    r"(?:think|thought|antthink|reason|refle|self.?refle|scratch|cot|chain.of|inner|internal|hidden|monolog|contempl"
    r"|deliber|brainstorm|analy|plan|draft|rational|思|推理|分析)|unused9[45]>|unused1[67]\]|channel\|?>|\|inner_[ps]"
    r"|\|sep\||\|im_start\||assistant(?:final|analysis|commentary)|my thought process:|begin final response"
    r"|done thinking|```(?:think|thought|reason)|ruminat|musing|ponder|private|ctrl9[45]>"
    r"|</[^<>\s/]"
    r"|<details|\A[^a-z]{0,200}[<\[|>a-z_]{0,200}(?:analysis|commentary)"
)
"""What a text with thoughts holds, too: narrower, and slower to look for."""
_MOST_RESCANS = 2
_LINE = 200
"""Characters of a line that are looked at, so that long lines cost no more than short ones."""


def split_thoughts(text: str) -> tuple[str, str | None]:
    """Return (answer, thoughts): the text without the thoughts at its beginning, and those; None where it has none.

    Thoughts that never end leave no answer: "". What wraps the answer that follows thoughts (`<answer>`, tokens that
    end a turn) goes with them. A text without thoughts stays as it is. Never raises; takes time in proportion to the
    text.
    """
    return _Splitting(text).result() if any(mark in text for mark in MARKS) else (text, None)


def with_thoughts(reasoning: str | None, thoughts: str | None) -> str | None:
    """Return what an endpoint gave as reasoning, followed by the thoughts in its text, unless they are the same."""
    given, found = (reasoning or "").strip(), (thoughts or "").strip()
    if found in given or given in found:
        return (thoughts if len(found) > len(given) else reasoning) or None
    return f"{reasoning}\n{thoughts}"


class _Splitting:
    """A text on its way to being split: everything before `begin` is thoughts, or what marks them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = _folded(text)
        self.begin = 0
        self.thoughts: list[str] = []
        self.is_split = self.is_wrapped = False
        self.rescans = _MOST_RESCANS
        self.closed_forms = _CLOSED_FORMS
        self.next_channel = -1
        ends = [end for end in _ANY_END.finditer(self.folded) if _CRITERIA.match(self.folded, end.end())]
        self.lone_end = ends[-1] if ends else None

    def result(self) -> tuple[str, str | None]:
        while self.begin < len(self.text) and self._step():
            self.is_split = True
        if not self.is_split:
            return self.text, None
        return self._answer(), "\n".join(part for part in self.thoughts if part) or None

    def _step(self) -> bool:
        """Take what stands at `begin` for thoughts, or for what wraps the answer; say whether there is any."""
        header = _HEADER.match(self.folded, self.begin)
        place = header.end() if header else self.begin
        label = _LABEL.match(self.folded, place)
        wrapper = _WRAPPER.match(self.folded, place) if self.is_split else None
        if wrapper:
            self.begin, self.is_wrapped = wrapper.end(), True
            return True
        return (
            self._channel(place)
            or self._bare_channel(place)
            or self._block(place)
            or (label is not None and self._block(label.end()))
            or self._closed_form(place)
            or self._preamble(place)
            or self._unopened(place)
            or self._unknown_form(place)
        )

    def _take(self, start: int, end: int, after: int) -> bool:
        self.thoughts.append(self.text[start:end].strip())
        self.begin = after
        return True

    def _channel(self, place: int) -> bool:
        """A channel of the harmony format: the final one is the answer, the others are thoughts."""
        channel = _CHANNEL.match(self.text, self.begin) or _CHANNEL.match(self.text, place)
        if channel is None:
            return False
        if channel[1] == "final":
            self.begin = channel.end()
            return True
        end = _CHANNEL_END.search(self.text, channel.end())
        size = len(self.text)
        return self._take(channel.end(), end.start() if end else size, end.end() if end else size)

    def _bare_channel(self, place: int) -> bool:
        """The same where a decoder left the special tokens out: `analysis..assistantfinal..`."""
        final = _BARE_CHANNEL.match(self.text, place)
        if final and final[1] == "final" and self.text[final.end() : final.end() + 1].strip(_PUNCTUATION + " \t\n"):
            self.begin = final.end()
            return True
        start = _BARE_START.match(self.text, place)
        if start is None:
            return False
        for channel in _BARE_CHANNEL.finditer(self.text, start.end()):
            if self.text[channel.start() - 1] not in " \t" + _OPENING_QUOTES:
                is_final = channel[1] == "final"
                after = channel.end() if is_final else channel.start() + len("assistant")
                return self._take(start.end(), channel.start(), after)
        if self.text[start.end() : start.end() + 1].isspace():
            return False
        return self._take(start.end(), len(self.text), len(self.text))

    def _block(self, place: int) -> bool:
        """Thoughts between two tags. A beginning without an end takes the rest."""
        block = self._block_at(place)
        return block is not None and self._take(*block)

    def _block_at(self, place: int) -> tuple[int, int, int] | None:
        opening = _TAG.match(self.folded, place)
        form, is_end = _form(opening) if opening else ("", True)
        if opening is None or is_end:
            return None
        end = self._end_of(form, opening.end())
        if end is None:
            if _SPOKEN_OF_AT_HEAD.match(self.folded, opening.end()):
                return None
            if form == "bracket":
                return self._bracketed(place, opening.end())
            turn = _END_OF_TURN.search(self.folded, opening.end()) if form == "token" else None
            if turn:
                return opening.end(), turn.start(), turn.end()
            return opening.end(), len(self.text), len(self.text)
        inside = self.folded[opening.end() : end.start()] if end.start() - opening.end() < _LINE else ""
        if not inside.strip(" .…") and _SPOKEN_OF.match(self.folded, end.end()):
            return None  # "<think>...</think> tags are .."
        if (
            form == "weak"
            and len(self.text) - end.end() < _LINE
            and not _VERDICT.search(self.folded, opening.end(), end.start())
        ):
            return None  # an analysis with nothing but a verdict behind it
        return opening.end(), end.start(), end.end()

    def _bracketed(self, place: int, start: int) -> tuple[int, int, int] | None:
        """Thoughts under a heading in brackets, up to the answer's: `[Thinking]..[Answer]..`."""
        answer = _BRACKETED_ANSWER.search(self.folded, start)
        if answer:
            return start, answer.start(), answer.end()
        is_token = self.text[place:start] == "[THINK]"
        is_heading = "reason" not in self.folded[place:start] and self.text[start : start + 1] in ("\n", "")
        if is_token or (is_heading and not _BRACKETED_LINE.search(self.folded, start)):
            return start, len(self.text), len(self.text)
        return None

    def _end_of(self, form: str, start: int) -> re.Match[str] | None:
        """Return the tag that ends thoughts, which may hold others of its form."""
        if form in _NAMES and self.folded.find("/", start) < 0:
            return None
        first, depth = None, 1
        for tag in _TAG.finditer(self.folded, start):
            other, is_end = _form(tag)
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

    def _closed_form(self, place: int) -> bool:
        for form in self.closed_forms:
            opening = form[0].match(self.folded, place)
            if opening is None:
                continue
            end = form[1].search(self.folded, opening.end())
            if end:
                return self._take(opening.end(), end.start(), end.end())
            self.closed_forms = [other for other in self.closed_forms if other is not form]
        return False

    def _unknown_form(self, place: int) -> bool:
        """Any other tag, where the answer plainly begins behind its end."""
        opening = _ANY_TAG.match(self.folded, place)
        if opening:
            end = self.folded.find(f"</{opening[1]}>", opening.end())
            after = end + len(f"</{opening[1]}>")
            if end >= 0 and _CRITERIA.match(self.folded, after):
                return self._take(opening.end(), end, after)
        lone = self.lone_end
        if lone is None or lone.start() < place or f"<{lone[1]}" in self.folded[place : lone.start()]:
            return False
        return self._take(place, lone.start(), lone.end())

    def _preamble(self, place: int) -> bool:
        """A line of its own before the thoughts, such as "Let me think."."""
        line = _PREAMBLE.match(self.folded, place)
        if line is None or _OF_A_JUDGEMENT.search(line[0]) or self._block_at(line.end()) is None:
            return False
        return self._take(line.start(), line.end(), line.end())

    def _unopened(self, place: int) -> bool:
        """Thoughts of which only the end stands there, since the prompt began them."""
        channel = self._later_channel()
        is_json = _JSON.match(self.folded, place) is not None
        is_answering = _CRITERIA.match(self.folded, place) is not None
        depths: dict[str, int] = {}
        fences, counted = 0, self.begin
        for tag in _TAG.finditer(self.folded, self.begin, channel):
            fences += self.folded.count("```", counted, tag.start())
            is_answering = is_answering and not _VERDICT.search(self.folded, counted, tag.start())
            counted = tag.start()
            form, is_end = _form(tag)
            if not is_end:
                depths[form] = depths.get(form, 0) + self._nests(tag)
            elif depths.get(form):
                depths[form] -= not self._is_spoken_of(tag)
            elif (is_json and self._lead(tag) is None) or (
                is_answering and not _CRITERIA.match(self.folded, tag.end())
            ):
                continue  # within a string of JSON, or in the midst of an answer
            elif form != "weak" and fences % 2 == 0 and self._ends_unopened(tag):
                return self._take(min(place, tag.start()), tag.start(), tag.end())
        if channel == len(self.text) or is_json:
            return False
        self._take(min(place, channel), channel, channel)
        bare = _BARE_CHANNEL.match(self.text, channel)
        if bare:
            self.begin = bare.end() if bare[1] == "final" else channel + len("assistant")
        return True

    def _later_channel(self) -> int:
        """Return where the next channel begins that was not the first thing in the text; its end without one."""
        if self.next_channel < self.begin:
            found = (match.start() for match in _LATER_CHANNEL.finditer(self.text, self.begin))
            self.next_channel = next((start for start in found if self._is_channel(start)), len(self.text))
        return self.next_channel

    def _is_channel(self, start: int) -> bool:
        """Say whether a channel begins here that the prompt's own thoughts end with, and is not spoken of."""
        is_bare = self.text.startswith("assistant", start)
        channel = (_BARE_CHANNEL if is_bare else _CHANNEL).match(self.text, start)
        before = self.text[max(self.begin, start - _LINE) : start]
        if channel is None or before[-1:] in tuple(_OPENING_QUOTES):
            return False
        if _CRITERIA.match(self.folded, channel.end()):
            return True
        if is_bare:
            return (
                before[-1:] in tuple(_TERMINAL + "}*)]")
                and not _BOLD_BEGINS.search(before[-4:])
                and not self.text[channel.end() : channel.end() + 1].isspace()
            )
        if channel[0].startswith("<|channel|>"):
            return before.endswith("|>")
        return before[-1:] not in (" ", "\t") and not before.rstrip().endswith((":", "："))

    def _ends_unopened(self, tag: re.Match[str]) -> bool:
        """Say whether a lone closing tag ends thoughts, and is not spoken of."""
        before, lead = self._before(tag), self._lead(tag)
        after = self.folded[tag.end() : tag.end() + 1]
        if self._is_quoted(tag):
            return False
        if _CRITERIA.match(self.folded, tag.end()):
            return True
        if self._is_spoken_of(tag) or (after and after in _PUNCTUATION):
            return False
        if lead is None:
            if before.isspace():
                return bool(_PART.match(self.folded, tag.end()))
            return before < "\u2e80" or not after >= "\u2e80" or bool(_PART.match(self.folded, tag.end()))
        line = lead.rstrip()[-_LINE:].rpartition("\n")[2]
        if line.endswith((":", "：")) and (_OF_A_JUDGEMENT.search(line) or _QUOTED.search(line)):
            return False
        follows = self.text[tag.end() : tag.end() + 2]
        goes_on = follows[:1] == "\n" and follows[1:].islower() and lead.rstrip(" \t")[-2:-1].isalnum()
        return not goes_on

    def _is_spoken_of(self, tag: re.Match[str]) -> bool:
        """Say whether a sentence speaks of a tag."""
        before, after = self._before(tag), self.text[tag.end() : tag.end() + 2]
        if self._is_quoted(tag):
            return True
        if _SPOKEN_OF.match(self.folded, tag.end()):
            return True
        if self._lead(tag) is not None:
            return False
        if after and after[0] in _PUNCTUATION and (before.isspace() or before >= "\u2e80"):
            return True
        return before in " \t" and after[:1] in (" ", "\t") and after[1:].islower()

    def _is_quoted(self, tag: re.Match[str]) -> bool:
        before, after = self.text[max(self.begin, tag.start() - 4) : tag.start()], self.text[tag.end() : tag.end() + 1]
        if not before or not after:
            return False
        return (before[-1] in _OPENING_QUOTES and after in _CLOSING_QUOTES) or (
            after in "*_" and _BOLD_BEGINS.search(before) is not None
        )

    def _nests(self, tag: re.Match[str]) -> bool:
        """Say whether an opening tag opens thoughts within thoughts, or within an answer."""
        after = self.folded[tag.end() : tag.end() + 1]
        return not self._is_spoken_of(tag) and after not in ("", " ", "\t") and after not in _PUNCTUATION

    def _before(self, tag: re.Match[str]) -> str:
        return self.text[tag.start() - 1] if tag.start() > self.begin else "\n"

    def _lead(self, tag: re.Match[str]) -> str | None:
        """Return the end of the lines before a tag that begins its line; None for one in the middle of a line."""
        lead = self.folded[max(self.begin, tag.start() - 2 * _LINE) : tag.start()]
        bare = lead.rstrip(" \t")
        return lead if not bare or bare.endswith("\n") else None

    def _answer(self) -> str:
        """Return the rest without what wraps it."""
        header = _HEADER.match(self.folded, self.begin)
        begin, end = header.end() if header else self.begin, len(self.text)
        last = _LAST_OF_WRAPPED if self.is_wrapped else _LAST_TOKEN
        while True:
            bare = _rstripped(self.text, begin, end)
            token = last.search(self.folded, max(begin, bare - _LONGEST_TOKEN), bare)
            if token is None:
                break
            end = _rstripped(self.text, begin, token.start())
        inner = _WRAPPER_END.search(self.folded, begin, end) if self.is_wrapped else None
        if inner:
            return f"{self.text[begin : inner.start()].rstrip()}\n\n{self.text[inner.end() : end].lstrip()}"
        return self.text[begin:end]


def _form(tag: re.Match[str]) -> tuple[str, bool]:
    """Return the form of thoughts that a tag belongs to, and whether it ends them."""
    kind, _, form = (tag.lastgroup or "").partition("_")
    return form, kind == "close" or (kind == "tag" and tag["slash"] is not None)


def _folded(text: str) -> str:
    """Return a text in small letters, each character in its old place."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _rstripped(text: str, begin: int, end: int) -> int:
    while end > begin and text[end - 1].isspace():
        end -= 1
    return end
