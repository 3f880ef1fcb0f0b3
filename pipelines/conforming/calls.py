"""One call of a reward: what it is given, what it gave, and the doors by which trainers come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from schemas.errors import RecipeError


class Kind(StrEnum):
    """What is tried."""

    RULE = "rule"  # over the policy's own text: 1 for the right answer, -1 for any other, the unreadable included
    JUDGE = "judge"  # used as a reward: a failed judgement is null, left out or raised, never a number


class Door(StrEnum):
    """How a reward is called: as a trainer does it, or plainly. docs/conformance.md has their words."""

    JUDGE = "judge"
    COMPARE = "compare"
    OPENRLHF = "openrlhf"
    SLIME = "slime"
    VERL = "verl"
    TRL = "trl"


ALL_AT_ONCE = frozenset({Door.JUDGE, Door.COMPARE, Door.TRL})
"""Through these, all responses to a prompt come in one call."""
_PATHS = {"compare": Door.COMPARE, "openrlhf": Door.OPENRLHF, "get_reward": Door.OPENRLHF, "slime": Door.SLIME}


def is_address(target: str) -> bool:
    """Return whether a reward is a service, not a file."""
    return target.startswith(("http://", "https://"))


def door_of(target: str, kind: Kind, door: Door | None) -> Door:
    """Return the door that the user names, or the usual one. Raises RecipeError where there is none such."""
    if is_address(target) and door in (Door.VERL, Door.TRL):
        raise RecipeError(f"{door} calls a function, not an address: give the file that holds it")
    if not is_address(target):
        if door is Door.COMPARE:
            raise RecipeError("compare is a door of services: give an address, or --door judge for a function")
        return door or (Door.VERL if kind is Kind.RULE else Door.JUDGE)
    return door or _PATHS.get(urlsplit(target).path.rstrip("/").rpartition("/")[2], Door.JUDGE)


@dataclass(frozen=True, slots=True)
class Call:
    """A prompt with the responses to it, all of which are scored."""

    prompt: str
    responses: list[str]
    truth: str
    """The ground truth: of a rule that of an rl row, else the reference answer."""
    router: str = ""
    """Host and port of the judge, for functions that ask for verl's `reward_router_address`."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one response was given: a number, or nothing, and why."""

    number: float | None = None
    failure: str = ""
    """What was raised, or the status of the reply; empty for a plain null."""


def given_by(replies: Sequence[Any], n: int) -> list[Given]:
    """Return what n responses were given by one reply for all of them, or by one for each."""
    return _each(replies[0], n) if len(replies) < n else [_each(reply, 1)[0] for reply in replies]


def _each(reply: Any, n: int) -> list[Given]:
    if isinstance(reply, dict):
        if "raised" in reply:
            return [Given(failure=str(reply["raised"]))] * n
        reply = next((reply[key] for key in ("rewards", "reward", "score", "scores") if key in reply), None)
    found = reply if isinstance(reply, list) else [reply] * n if reply is None or n == 1 else []
    if len(found) != n:
        return [Given(failure=f"{len(found)} rewards for {n} responses")] * n
    return [_given(one) for one in found]


def _given(found: Any) -> Given:
    if found is None or isinstance(found, int | float):
        return Given(None if found is None else float(found))
    return Given(failure=f"{str(found)[:80]!r}, which is no number")
