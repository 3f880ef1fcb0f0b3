r"""Does a judgement hold a critique: a sentence, outside headings and verdict, that speaks of a response?

A sentence speaks of a response where it names one ("Response 1", "the latter", "both", 回答2, Antwort 2), or stands
under the name of one, and something is left of it once all is taken away that scores and announcements are made of:
"Here are my scores", "Response 1: 7/10" and "I compared both with care" say nothing. What a list of criteria asks of
any response is no critique, and neither is what is said of the question alone. Where no analysis was asked for, any
sentence that says something will do.

This file is published within `rewards.py`: it needs nothing but Python. Every step takes time in proportion to the
text.
"""

import re

from pipelines.judging.critique_words import DOING, EMPTY, EMPTY_EASTERN, LETTER, NAMED, NOUNS, SCALE, SPOKEN_OF
from pipelines.judging.part_headings import PART_HEADING, first_parts

_OPENS_WITH_ONE = re.compile(
    rf"[\W_]*(?:{NAMED.pattern}|(?:(?:the|each|every|this|all|both) ){{0,2}}(?:{NOUNS})) (?!and |, )", re.IGNORECASE
)
_NORM = re.compile(
    r"(?<!\w)(?:(?:should|must)(?! have| not have|n['’]t have)|ought to|needs? to|has to|have to|shall|whether|muss"
    r"|müssen"
    r"|sollte|doit|devrait|debe|debería|deve|dovrebbe|должен|должна)(?!\w)|应当|应该|應該|必须|必須|是否|べき|かどうか|해야",
    re.IGNORECASE,
)
_OF_THE_QUESTION = re.compile(
    r"[\W_]*(?:the|this|a) (?:question|query|user|prompt|task|conversation|problem|instruction)s?(?!['’]s|\w)"
    r"|[\W_]*(?:这个|該|该|本)?(?:问题|問題|题目|題目|用户|用戶)",
    re.IGNORECASE,
)
_SPOKEN_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_EASTERN_LETTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_SENTENCE = re.compile(r"(?<=[.!?])[\s\"'”’*_)]+|[。！？；]")
_LINE_MARKS = re.compile(r"^[\s>#*_\-•+|=~`【\[]*(?:\(?\d{1,2}[.)、．](?!\d))?[\s*_`|\[]*")
_EMPHASIS = re.compile(r"[*_`|]+|\\[a-zA-Z]+")
_TITLE = re.compile(r"[ \t]*#|[ \t]*(?:\*\*|__)(?:(?!\*\*|__)[^.!?。！？])*(?:\*\*|__)[ \t]*$|[ \t]*【[^】]*】[ \t]*$")
_PUNCTUATED = re.compile(r"[.!?。！？]")
_VALUE = re.compile(
    r"(?:(?<=^)|(?<=[,;(|]))\s*(?:[^\W\d_][\w'-]*[ \t]*){1,3}[:：=]\s?\(?\d+(?:\.\d+)?(?=\s*(?:[,;|)/]|$))|[^\W\d_]+ "
    r"\d+ ?/ ?\d+",
    re.MULTILINE,
)
"""A name with its number, as in "Depth: 7", which is a score."""
_NAMED_VALUE = re.compile(r"[^\n:：]{0,60}[:：=–—-]")
_DIGIT = re.compile(r"\d")


def has_critique(text: str, n_responses: int, analysis_wanted: bool = True) -> bool:
    """Return whether a judgement, its thoughts and its verdict already taken out, holds a critique.

    `analysis_wanted` says that the prompt asked for an analysis; where it did not, any sentence that says something is
    the critique. A single response is what an analysis speaks of, whether it names it or not. Never raises.
    """
    text = "\n" + text
    if not analysis_wanted:
        return any(says_something(line) for line in _without_headings(text))
    before, listed, after = sections(text)
    alone = n_responses == 1
    return _speaks(after, alone) or _speaks(before, alone) or any(_speaks_in_list(line) for line in listed.split("\n"))


def sections(text: str) -> tuple[str, str, str]:
    """Return what stands before the list of criteria, the list, and the rest, headings aside.

    `text` begins with a line break. Where nothing is headed as the analysis, the list ends with its last item.
    """
    criteria, analysis = first_parts(text)
    rest = text[analysis.end() :] if analysis else ""
    end = analysis.start() if analysis else len(text)
    if criteria is None:
        return text[:end], "", rest
    listed = text[criteria.end() : end]
    if analysis is None:
        cut = end_of_list(listed)
        listed, rest = listed[:cut], listed[cut:]
    return text[: criteria.start()], listed, rest


_LISTED = re.compile(r"[ \t]*(?:[*_]{0,2}\(?\d{1,2}[.)、．]|[-*•+][ \t])[ \t]*[*_]{0,2}")


def end_of_list(listed: str) -> int:
    """Return where a list of criteria ends that nothing but prose follows: at a line that opens with a response, or at
    a paragraph behind its items."""
    lines = listed.split("\n")
    items = [_LISTED.match(line) for line in lines]
    last = max((number for number, item in enumerate(items) if item), default=0)
    place = 0
    for number, line in enumerate(lines):
        if number and line.strip():
            item = items[number]
            opening = line[item.end() if item else 0 :].lstrip(" \t#*_>")
            is_paragraph = not item and not line[0].isspace() and not lines[number - 1].strip()
            if _names_first(opening) or (is_paragraph and (0 < last < number or NAMED.search(line))):
                return place
        place += len(line) + 1
    return len(listed)


def _names_first(line: str) -> bool:
    return len(line) > 2 and (NAMED.match(line) is not None or LETTER.match(line) is not None)


def _speaks(section: str, about: bool) -> bool:
    """Say whether a line speaks of a response: it names one, or stands under a line that only names one (`about`)."""
    was_label = False
    for line in _without_headings(section):
        bare = _LINE_MARKS.sub("", line)
        if not bare:
            continue
        said, announced = _cut_announcement(line, bare)
        named = NAMED.search(bare) or LETTER.search(bare)
        if said and _says_of_a_response(said, about):
            return True
        if named and not was_label:
            about = about or bool(announced) or not says_something(said)
        was_label = bool(named)
    return False


def _cut_announcement(line: str, bare: str) -> tuple[str, str]:
    """Return what a line says, and what it only announces: a title, or what comes before a colon at its end."""
    if _TITLE.match(line):
        return "", bare
    if bare.rstrip("*_ \t").endswith((":", "：")):
        sentences = _SENTENCE.split(bare)
        return bare[: len(bare) - len(sentences[-1])], sentences[-1]
    return bare, ""


def _says_of_a_response(said: str, about: bool) -> bool:
    """Say whether something is said once a response is named, or at all where one was before."""
    for sentence in _SENTENCE.split(said):
        if _OF_THE_QUESTION.match(sentence):
            continue
        named = NAMED.search(sentence) or LETTER.search(sentence)
        if (not named or named[0].casefold().startswith(("both", "all", "each"))) and _NORM.search(sentence):
            continue
        about = about or bool(named) or SPOKEN_OF.search(sentence) is not None
        if about and says_something(sentence):
            return True
    return False


def _speaks_in_list(line: str) -> bool:
    """Say whether a criterion is applied right where it is named: to a response that is there."""
    return any(
        (NAMED.search(sentence) or LETTER.search(sentence)) and not _NORM.search(sentence) and says_something(sentence)
        for sentence in _SENTENCE.split(_LINE_MARKS.sub("", line))
    )


def _without_headings(text: str) -> list[str]:
    """Return the lines, what stands behind a heading of a part on its line among them."""
    return PART_HEADING.sub("\n", text).split("\n")


def says_something(sentence: str) -> bool:
    """Say whether a word is left that neither a score nor an announcement is made of."""
    plain = _VALUE.sub(" ", _EMPHASIS.sub(" ", sentence))
    empty = EMPTY if _OPENS_WITH_ONE.match(sentence) else EMPTY | DOING
    words = [word for word in _SPOKEN_WORD.findall(plain.casefold().replace("’", "'")) if word not in empty]
    left = [word for word in words if len(word) > 1 and not _EASTERN_LETTER.search(word)]
    if left and _NAMED_VALUE.match(sentence) and _DIGIT.search(sentence):
        left = [word for word in left if word not in SCALE]
    return bool(left) or len(_EASTERN_LETTER.findall(EMPTY_EASTERN.sub("", plain))) > 1
