"""A regex written as llama.cpp's server takes it: a grammar in GBNF of one rule."""

import re
from functools import cache

_TOKEN = re.compile(
    r"\\(?P<escaped>.)"
    r"|\[(?P<class>\^?(?:\\.|[^\\\]])+)\]"
    r"|(?P<structure>\(\?:|[()|])"
    r"|(?P<times>[*+?]|\{[0-9]+(?:,[0-9]*)?\})"
    r"|(?P<letter>[^\[\\])",
    re.DOTALL,
)
_KINDS = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\r\n"}


@cache
def gbnf_of(pattern: str) -> str:
    """Return the grammar of a regex. Raises ValueError, which names what no grammar has."""
    parts: list[str] = []
    text = ""
    place = 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            raise ValueError(f"holds {pattern[place : place + 10]!r}, which cannot be written as a grammar")
        place = token.end()
        letter = _letter_of(token)
        is_repeated = place < len(pattern) and pattern[place] in "*+?{"
        if letter is not None and not is_repeated:  # letters side by side are one text, which would be repeated whole
            text += letter
            continue
        parts += [f'"{text}"', _part(token) if letter is None else f'"{letter}"']
        text = ""
    return " ".join(["root ::=", *(part for part in [*parts, f'"{text}"'] if part != '""')])


def _letter_of(token: re.Match[str]) -> str | None:
    """Return the letter that a token is, as a text of GBNF has it; None where it is another thing."""
    if (escaped := token["escaped"]) is not None:
        return None if escaped in _KINDS else _escaped(escaped)
    return None if token["letter"] in (None, ".") else _written(token["letter"])


def _part(token: re.Match[str]) -> str:
    if token["escaped"]:
        return f"[{_KINDS[token['escaped']]}]"
    if inside := token["class"]:
        letters = re.sub(r"\\(.)", lambda one: _KINDS.get(one[1]) or _escaped(one[1]), inside, flags=re.DOTALL)
        return f"[{letters}]"
    if token["letter"]:
        return r"[^\n]"  # the dot
    return token["times"] or token["structure"].removesuffix("?:")


def _escaped(letter: str) -> str:
    r"""Return what a backslash before this letter means. Raises ValueError for what is no letter, such as \b."""
    if letter in "ntr":
        return f"\\{letter}"
    if letter.isalnum():
        raise ValueError(f"holds \\{letter}, which cannot be written as a grammar")
    return {"-": r"\x2D", "^": r"\x5E", "]": r"\]", "[": r"\["}.get(letter, _written(letter))


def _written(letter: str) -> str:
    return {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\", '"': r"\""}.get(letter, letter)
