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

from schemas.thought_tags import BOLD_BEGINS, LINE, OF_A_JUDGEMENT, OPENING_QUOTES, PUNCTUATION, Span, TaggedText

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
LAST_TOKEN = re.compile(rf"(?:{_END_TOKEN})\Z")
"""A special token that ends a text."""
_LAST_OF_WRAPPED = re.compile(rf"(?:{_END_TOKEN}|{_WRAPPER_END.pattern})\Z")
_LONGEST_TOKEN = 40

_OF_A_PART = (
    r"(?:criteria|principles?|standards?|rubrics?|questions?|query|prompt|instructions?|responses?|answers?|context"
    r"|task|input|ol|ul|li|p|div|br)"
)
_ANY_TAG = re.compile(rf"<(?!{_OF_A_PART}\b)([^\W\d_][\w-]{{1,30}})>")
_ANY_END = re.compile(r"(?<=\n)</([^\W\d_][\w-]{1,30})>")
_TERMINAL = ".!?。！？…"
_PREAMBLE = re.compile(r"[^\n\"`“”{}<>\[\]#*◁]{1,200}(?<![:：])\n\s*")
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


def split_thoughts(text: str) -> tuple[str, str | None]:
    """Return (answer, thoughts): the text without the thoughts at its beginning, and those; None where it has none.

    Thoughts that never end leave no answer: "". What wraps the answer that follows thoughts (`<answer>`, tokens that
    end a turn) goes with them. A text without thoughts stays as it is. Never raises; takes time in proportion to the
    text.
    """
    return _Splitting(text).result() if any(mark in text for mark in MARKS) else (text, None)


def with_thoughts(reasoning: str | None, thoughts: str | None) -> str | None:
    """Return what an endpoint gave as reasoning, followed by the thoughts in its text, unless they are the same."""
    given, in_text = (reasoning or "").strip(), (thoughts or "").strip()
    if in_text in given or given in in_text:
        return (thoughts if len(in_text) > len(given) else reasoning) or None
    return f"{reasoning}\n{thoughts}"


class _Splitting(TaggedText):
    """A text on its way to being split."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.thoughts: list[str] = []
        self.is_wrapped = False
        self.closed_forms = _CLOSED_FORMS
        self.next_channel = -1
        ends = [end for end in _ANY_END.finditer(self.folded) if self.begins_answer(end.end())]
        self.last_end = ends[-1] if ends else None

    def result(self) -> tuple[str, str | None]:
        while self.begin < len(self.text) and (span := self._next()):
            self.thoughts.append(self.text[span.start : span.end].strip())
            self.begin = span.after
        if not self.thoughts:
            return self.text, None
        return self._answer(), "\n".join(filter(None, self.thoughts)) or None

    def _next(self) -> Span | None:
        """Return the thoughts that stand at `begin`, or what wraps the answer, as a span without thoughts."""
        header = _HEADER.match(self.folded, self.begin)
        place = header.end() if header else self.begin
        if self.thoughts and (wrapper := _WRAPPER.match(self.folded, place)):
            self.is_wrapped = True
            return Span(place, place, wrapper.end())
        label = _LABEL.match(self.folded, place)
        return (
            self._channel(place)
            or self._bare_channel(place)
            or self.block(place)
            or (self.block(label.end()) if label else None)
            or self._closed_form(place)
            or self._preamble(place)
            or self._unopened(place)
            or self._unknown_form(place)
        )

    def _channel(self, place: int) -> Span | None:
        """A channel of the harmony format: the final one is the answer, the others are thoughts."""
        channel = _CHANNEL.match(self.text, self.begin) or _CHANNEL.match(self.text, place)
        if channel is None:
            return None
        start = channel.end()
        if channel[1] == "final":
            return Span(start, start, start)
        end = _CHANNEL_END.search(self.text, start)
        return Span(start, end.start(), end.end()) if end else Span(start, len(self.text), len(self.text))

    def _bare_channel(self, place: int) -> Span | None:
        """The same where a decoder left the special tokens out: `analysis..assistantfinal..`."""
        final = _BARE_CHANNEL.match(self.text, place)
        if final and final[1] == "final" and self.text[final.end() : final.end() + 1].strip(PUNCTUATION + " \t\n"):
            return Span(final.end(), final.end(), final.end())
        opening = _BARE_START.match(self.text, place)
        if opening is None:
            return None
        start = opening.end()
        for channel in _BARE_CHANNEL.finditer(self.text, start):
            if self.text[channel.start() - 1] not in " \t" + OPENING_QUOTES:
                return Span(start, channel.start(), _behind(channel))
        return None if self.text[start : start + 1].isspace() else Span(start, len(self.text), len(self.text))

    def _closed_form(self, place: int) -> Span | None:
        for form in self.closed_forms:
            opening = form[0].match(self.folded, place)
            if opening is None:
                continue
            if end := form[1].search(self.folded, opening.end()):
                return Span(opening.end(), end.start(), end.end())
            self.closed_forms = [other for other in self.closed_forms if other is not form]
        return None

    def _unknown_form(self, place: int) -> Span | None:
        """Any other tag, where the answer plainly begins behind its end."""
        if opening := _ANY_TAG.match(self.folded, place):
            closing = f"</{opening[1]}>"
            end = self.folded.find(closing, opening.end())
            if end >= 0 and self.begins_answer(end + len(closing)):
                return Span(opening.end(), end, end + len(closing))
        last = self.last_end
        if last is None or last.start() < place or f"<{last[1]}" in self.folded[place : last.start()]:
            return None
        return Span(place, last.start(), last.end())

    def _preamble(self, place: int) -> Span | None:
        """A line of its own before the thoughts, such as "Let me think."."""
        line = _PREAMBLE.match(self.folded, place)
        if line is None or OF_A_JUDGEMENT.search(line[0]) or self.block(line.end()) is None:
            return None
        return Span(line.start(), line.end(), line.end())

    def _unopened(self, place: int) -> Span | None:
        """Thoughts of which only the end stands there, since the prompt began them."""
        channel = self._later_channel()
        if tag := self.lone_end(place, channel):
            return Span(min(place, tag.start()), tag.start(), tag.end())
        if channel == len(self.text) or self.begins_json(place):
            return None
        bare = _BARE_CHANNEL.match(self.text, channel)
        return Span(min(place, channel), channel, _behind(bare) if bare else channel)

    def _later_channel(self) -> int:
        """Return where the next channel begins that was not the first thing in the text; its end without one."""
        if self.next_channel < self.begin:
            starts = (match.start() for match in _LATER_CHANNEL.finditer(self.text, self.begin))
            self.next_channel = next((start for start in starts if self._is_channel(start)), len(self.text))
        return self.next_channel

    def _is_channel(self, start: int) -> bool:
        """Say whether a channel begins here that the prompt's own thoughts end with, and is not spoken of."""
        is_bare = self.text.startswith("assistant", start)
        channel = (_BARE_CHANNEL if is_bare else _CHANNEL).match(self.text, start)
        before = self.text[max(self.begin, start - LINE) : start]
        if channel is None or before[-1:] in tuple(OPENING_QUOTES):
            return False
        if self.begins_answer(channel.end()):
            return True
        if is_bare:
            return (
                before[-1:] in tuple(_TERMINAL + "}*)]")
                and not BOLD_BEGINS.search(before[-4:])
                and not self.text[channel.end() : channel.end() + 1].isspace()
            )
        if channel[0].startswith("<|channel|>"):
            return before.endswith("|>")
        return before[-1:] not in (" ", "\t") and not before.rstrip().endswith((":", "："))

    def _answer(self) -> str:
        """Return the rest without what wraps it."""
        header = _HEADER.match(self.folded, self.begin)
        begin, end = header.end() if header else self.begin, len(self.text)
        last = _LAST_OF_WRAPPED if self.is_wrapped else LAST_TOKEN
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


def _behind(channel: re.Match[str]) -> int:
    """Return where the text goes on behind a bare channel: the name of one that holds further thoughts opens them."""
    return channel.end() if channel[1] == "final" else channel.start() + len("assistant")


def _rstripped(text: str, begin: int, end: int) -> int:
    while end > begin and text[end - 1].isspace():
        end -= 1
    return end
