"""Outcomes and reasons that say what they mean, in words for someone who meets them first, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple, Self


class Meaning(NamedTuple):
    """An outcome or a reason in words."""

    words: str
    """Why, in half a sentence."""
    way_out: str = ""
    """What to do where it takes too many; empty where there is nothing to mend."""


class Explained(StrEnum):
    """An enum whose members are written as value, words and way out."""

    _value_: str
    meaning: Meaning

    def __new__(cls, value: str, words: str = "", way_out: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = Meaning(words, way_out)
        return member
