"""What the exports know of a trainer, and of the rows that they write for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

TrainOn = Literal["answer", "thoughts_and_answer"]
Counted = Literal["tokenizer", "endpoint", "estimate"]

ROOM: Mapping[Counted, float] = {"tokenizer": 1.0, "endpoint": 1.25, "estimate": 2.0}
"""Another tokenizer counts otherwise than the endpoint's, and a token for every four bytes is a rough count."""
_STEP = 64


@dataclass(frozen=True)
class Layout:
    """How a trainer reads one training set."""

    shape: Callable[[pa.Table], pa.Table]
    """Rows of the set, as `reading` yields them, in the trainer's columns."""
    form: Literal["jsonl", "parquet"] = "jsonl"
    usual: int | None = None
    """Tokens that the trainer allows unless it is told otherwise, of the prompt in `rl`, else of the whole row; None
    where it sets no limit of its own."""


@dataclass(frozen=True)
class Trainer:
    """A trainer, and the sets that it reads. Its scripts and configs are in `files`, as `<name>.<set>.<file>`."""

    name: str
    package: str
    """What Python imports."""
    release: str
    """The release or commit whose loader was read."""
    layouts: Mapping[str, Layout]
    """By training set; a set that is not here is named in `without`."""
    without: Mapping[str, str]
    """Why the others are left out, by training set."""
    media_tags: tuple[str, ...] = ()
    """Words that its loader takes for a picture or a sound wherever they stand in a text."""
    alternates: bool = False
    """Whether it drops conversations whose user and assistant do not take turns, a system message first."""
    trains_on_every_turn: bool = False
    """Whether an earlier answer in the prompt would be trained on, too, and no setting prevents it."""


def limit_above(tokens: int) -> int:
    """Return a limit above this many tokens, and not equal: some loaders cut a row that is as long as their limit."""
    return (tokens // _STEP + 1) * _STEP


@dataclass
class Part:
    """What was written of one training set, over all of its splits."""

    files: dict[str, str] = field(default_factory=dict)
    """By split: the file's name in the export."""
    rows: dict[str, int] = field(default_factory=dict)
    """By split."""
    prompt_limit: int = 0
    """Tokens above the longest prompt, with ROOM for what its count may have missed."""
    whole_limit: int = 0
    """The same of prompt and answer."""
    counted: dict[Counted, int] = field(default_factory=dict)
    """Rows by the way in which their tokens were counted."""
    over_usual: int = 0
    """Rows that are longer than the trainer's usual limit."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows by the reason why they are left out."""
    without_thoughts: int = 0
    """Rows that are written without thoughts, since they have none, where thoughts are trained on."""
