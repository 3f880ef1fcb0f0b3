"""Options of multiple-choice questions that speak of other options, and text that can stand in their place.

As published, `option 3: Both option 1 and option 2` means something. Shuffled, or shown to a judge as one of several
responses, it points nowhere, so each such option is put into words that stand by themselves, or its question is set
aside. Where it cannot be told whether an option refers ("Both 1 and 2" where the question is about layers 1 and 2, or
where options read "1" and "2"), the text is left as it is: it then stands by itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.preference import DropReason

_NOUN = r"(?:options?|answers?|choices?|statements?)"
_TRUE = r"(?:,?\s+(?:is|are|hold|apply)\b(?:\s+(?:both|all|equally))?(?:\s+(?:correct|true|right|valid|applicable))?)?"
_END = r"\W*$"

# "All of the above", "None of the above techniques", "Any of these", "All answers are correct": the quantifier, and
# what it is about.
_ALL_OF = re.compile(
    r"^\W*(?P<quantity>all|any|none|every\s?one|everything|each|neither)"
    r"(?:\s+(?:of|in|from))?(?P<what>"
    r"(?:\s+(?:the|these|those))?(?:\s+(?:two|three|four|five|\d))?"
    rf"\s+(?:above|aforementioned|preceding|previous|other\s+{_NOUN})\b(?!\s*\d)(?:[-\s]+mentioned)?(?:\s+{_NOUN})?"
    rf"|\s+(?:the\s+)?(?:listed|mentioned|given)(?:\s+{_NOUN})?(?={_TRUE}{_END})"
    rf"|\s+(?:(?:these|those|the|them)\s*)?(?:{_NOUN}|others?)(?={_TRUE}{_END})"
    rf"|\s+(?:these|those|them)(?={_TRUE}{_END}))",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"^\W*(?P<quantity>both|neither|either)(?:\s+of)?(?:\s+(?:the|these|those|them))?(?:\s+(?:two|2))?"
    rf"(?:\s+(?:above|preceding|previous))?(?:\s+(?:two|2))?(?:\s+{_NOUN})?{_TRUE}{_END}",
    re.IGNORECASE,
)
_ITEM = r"\(?(?:\d|[A-E])\)?"
_JOINT = r"(?:\s?,\s?(?:(?:and|or|nor)\s)?|\s(?:and/or|and|or|nor|&)\s)"
_NAMED = re.compile(
    rf"^\W*(?P<quantity>both|either|neither|all of|any of|only)?\s?(?P<noun>{_NOUN}\s?)?"
    rf"(?P<items>{_ITEM}(?:{_JOINT}(?:{_NOUN}\s?)?{_ITEM}){{0,8}})(?:\s+only)?{_TRUE}{_END}",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(\d|[A-Ea-e])(?![A-Za-z0-9])")
_LEADING = re.compile(rf"^\W*{_NOUN}\s*\(?(\d)\)?(?=,?\s+(?:and|but|or|plus|with|without)\b)", re.IGNORECASE)
_ELSEWHERE = re.compile(rf"\b{_NOUN}\s*\(?(\d)\)?(?![\w.])", re.IGNORECASE)
_REST_OF_ABOVE = re.compile(r"\b(?:of|and|from)\s+the\s+above\W*$", re.IGNORECASE)

# How a quantity heads two texts, and more of them; every other is "both" or "all". A list of texts as published is
# always grammatical, which "both X and Y" is not: options are phrases here and sentences there.
_PAIRS = {"either": "Either of these", "any of": "Either of these", "neither": "Neither of these", "only": "Only these"}
_LISTS = {"either": "Any of these", "any of": "Any of these", "neither": "None of these", "only": "Only these"}

# Characters of the longest option that is looked at. TeleQnA's longest reference has 113.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class StandingOptions:
    """A question's options in words that stand by themselves, or the reason why they cannot."""

    texts: Mapping[int, str]
    """By the number that the source gives them; as published where a reason stands."""
    drop_reason: DropReason | None = None


def refers(text: str) -> bool:
    """Whether an option speaks of other options, as far as its own words tell."""
    text = _readable(text)
    named = _NAMED.match(text)
    return bool(
        _ALL_OF.match(text)
        or _PAIR.match(text)
        or (named and (named["quantity"] or len(_TOKEN.findall(named["items"])) > 1))
        or _LEADING.match(text)
        or _REST_OF_ABOVE.search(text)
    )


def _readable(text: str) -> str:
    """Return what the patterns look at: no runs of spaces, and nothing as long as no reference is.

    Both bound what a hostile option can cost: the patterns backtrack.
    """
    return " ".join(text.split()) if len(text) <= _LONGEST else ""


def standing_options(question: str, options: Mapping[int, str], keep_all_of: bool) -> StandingOptions:
    """Return the options with every reference to others replaced by what it refers to.

    "All of the above" and its like give the question up (`ALL_OF_OPTIONS`), or with `keep_all_of` become "All of the
    other answers"; what no text can stand in for is an `UNRESOLVED_REFERENCE`.
    """
    all_of = all_of_options(options)
    if all_of and not keep_all_of:
        return StandingOptions(options, DropReason.ALL_OF_OPTIONS)
    texts: dict[int, str] = {}
    for number in options:
        standing = _reworded(number, options, all_of) if number in all_of else _resolved(question, number, options)
        if standing is None:
            return StandingOptions(options, DropReason.UNRESOLVED_REFERENCE)
        texts[number] = standing
    return StandingOptions(texts)


def all_of_options(options: Mapping[int, str]) -> set[int]:
    """Return the numbers of the options that are "all of the above", "none of these" or the like."""
    matches = {number: _ALL_OF.match(_readable(text)) for number, text in options.items()}
    return {
        number
        for number, match in matches.items()
        if match and (match["quantity"].lower() != "neither" or len(_above(number, options)) > 2)
    }


def _above(number: int, options: Mapping[int, str]) -> list[int]:
    return [other for other in sorted(options) if other < number]


def _reworded(number: int, options: Mapping[int, str], all_of: set[int]) -> str | None:
    """Return "All of the other answers", unless an option below it is not meant by "the above"."""
    if any(other > number and other not in all_of for other in options):
        return None
    text = _readable(options[number])
    match = _ALL_OF.match(text)
    assert match is not None
    rest = text[match.end() :].strip()
    rest = rest if rest.strip(" .!") else ""
    # "All of the above techniques" keeps its noun, "All of the above are modes of diversity" its verb.
    has_noun = bool(rest) and re.match(r"\W*(?:is|are|was|were|can|could|may|must|hold|apply)\b", rest) is None
    return f"{match['quantity'].capitalize()} of the other {rest if has_noun else f'answers {rest}'}".rstrip()


def _resolved(question: str, number: int, options: Mapping[int, str]) -> str | None:
    """Return an option's text with what it refers to written out; None where that cannot be done."""
    text = _readable(options[number])
    if not text:
        return options[number]
    if pair := _PAIR.match(text):
        above = _above(number, options)
        return _joined(pair["quantity"].lower(), above, options) if len(above) == 2 else None
    if named := _NAMED.match(text):
        return _named(question, number, options, named)
    if not _ELSEWHERE.search(_readable(question)):  # a question that speaks of options means others
        leading = _LEADING.match(text)
        if leading and int(leading[1]) in options:
            part = _part(int(leading[1]), number, options)
            return None if part is None else part.rstrip(" .") + text[leading.end() :]
        if any(int(digit) in options for digit in _ELSEWHERE.findall(text)):
            names = sum(_ELSEWHERE.match(_readable(option)) is not None for option in options.values())
            if names < 2:  # two options that are called "option 1" and the like are names
                return None
    return None if _REST_OF_ABOVE.search(text) else options[number]


def _named(question: str, number: int, options: Mapping[int, str], named: re.Match[str]) -> str | None:
    """Return what "Both option 1 and option 2", "Both A and B", "1 and 3" or "Only option 2" stands for."""
    text = options[number]
    tokens = _TOKEN.findall(named["items"])
    quantity = (named["quantity"] or "").lower()
    published = {other.strip(" .").casefold() for key, other in options.items() if key != number}
    is_name = len(tokens) == 1 and not (quantity and named["noun"])  # "Option 3" or "Only 3" is a name or a number
    if is_name or (
        not named["noun"]
        and (
            # "a and b" are the question's own, the options are those numbers or letters, or the question speaks of them
            any(token.isalpha() and not (quantity and token.isupper()) for token in tokens)
            or all(token.casefold() in published for token in tokens)
            or all(re.search(rf"(?<!\w){token}(?!\w)", question) for token in tokens)
        )
    ):
        return text
    referred = [int(token) if token.isdigit() else ord(token.upper()) - ord("A") + 1 for token in tokens]
    alternatives = re.search(r"\bor\b", named["items"], re.IGNORECASE) is not None
    if not quantity and not named["noun"]:
        sources = [options.get(other, "") for other in referred]
        worded = all(re.search("[A-Za-z]{2}", source) and not refers(source) for source in sources)
        if alternatives or number in referred or not worded:
            return text  # a bare "1 and 3" among numbers, or a bare "1 or 2", is a value
    quantity = quantity or ("either" if alternatives else "both")
    return _joined(quantity, referred, options, number)


def _joined(quantity: str, referred: list[int], options: Mapping[int, str], number: int = 0) -> str | None:
    """Return "Both of these: X; Y" of the options referred to; None where one is missing or itself refers."""
    parts = [_part(other, number, options) for other in dict.fromkeys(referred)]
    texts = [part.strip().rstrip(".") for part in parts if part is not None]
    if len(texts) < len(parts) or not texts:
        return None
    if len(texts) == 1:
        return f"Only {texts[0]}" if quantity == "only" else None
    head = _PAIRS.get(quantity, "Both of these") if len(texts) == 2 else _LISTS.get(quantity, "All of these")
    return f"{head}: {'; '.join(texts)}"


def _part(referred: int, number: int, options: Mapping[int, str]) -> str | None:
    """Return the text of an option that is referred to; None where it does not exist or refers itself."""
    text = options.get(referred)
    return None if text is None or referred == number or refers(text) else text
