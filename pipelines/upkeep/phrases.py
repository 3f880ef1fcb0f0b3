"""Phrases: the words by which rows are found that hold something of what is forgotten, though no id says so.

Two things travel under other ids: criteria of a rubric, into the prompts of other questions; and the lone run of an
agent, into the prompt that writes a rubric for another task. A phrase is the longest piece of such a text that JSON
writes as it is, and that nothing else here says.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.upkeep.concerned import Concerned, texts_of
from schemas.errors import StorageError
from schemas.preference import SETS, PreferenceSet, sets_of
from schemas.rubric import Rubric
from storage.root import Root
from storage.stages import every_stage
from storage.tables import read_batches

SHORTEST = 16
"""Characters that a phrase must have: fewer occur by chance. Shorter texts are found by ids alone."""
LONGEST = 200
_BREAK = re.compile(r'[\x00-\x1f"\\\[(]+')
"""What JSON writes otherwise, and what the markers of prompts begin with."""


def phrases_of_rubrics(gone: Sequence[Rubric], drafts: Iterable[str], left: Sequence[Rubric]) -> list[str]:
    """Return the phrases of criteria that only these rubrics have; `drafts` are answers that rubrics were read from."""
    others = {criterion.text for rubric in left for criterion in rubric.criteria}
    said_elsewhere = "\n".join(others)
    drafted = {text for draft in drafts for text in _criteria_in(draft)}
    texts = ({criterion.text for rubric in gone for criterion in rubric.criteria} | drafted) - others
    return sorted(words for text in texts if (words := phrase(text)) and words not in said_elsewhere)


def _criteria_in(draft: str) -> Iterator[str]:
    """Yield what a draft's criteria say, read as leniently as can be: a run that was killed may have tried them."""
    try:
        listed = json.loads(draft[draft.find("{") : draft.rfind("}") + 1])["criteria"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for criterion in listed if isinstance(listed, list) else ():
        if isinstance(criterion, dict) and isinstance(criterion.get("text"), str):
            yield " ".join(criterion["text"].split())


def phrases_of_runs(root: Root, concerned: Concerned) -> list[str]:
    """Return the phrases of lone responses under instructions, which prompts for other tasks' rubrics may show."""
    texts: set[str] = set()
    for table in _tables_of_sets(root):
        for lone in sets_of(table.filter(pc.equal(table.column("n_responses"), 1))):
            is_run = any(message.role == "system" for message in lone.query)
            if is_run and lone.set_id in concerned.sets:
                texts.update(_texts_of_run(lone))
    phrases = {words for text in texts if (words := phrase(text))}
    for table in _tables_of_sets(root) if phrases else ():
        phrases -= _said_in(table.filter(pc.invert(concerned.rows(table))), phrases)
    return sorted(phrases)


def phrase(text: str) -> str | None:
    """Return the piece of a text that it is found by; None where no piece is long enough."""
    longest = max(_BREAK.split(text), key=len).strip()[:LONGEST].strip()
    return longest if len(longest) >= SHORTEST else None


def _texts_of_run(run: PreferenceSet) -> Iterator[str]:
    """Yield what a run says, turn by turn, and what its user asked."""
    yield from (message.content for message in run.query if message.role != "system")
    for response in run.responses:
        yield response.text
        with contextlib.suppress(ValueError):
            turns = [turn for turn in json.loads(response.turns or "[]") if isinstance(turn, dict)]
            yield from (turn["content"] for turn in turns if isinstance(turn.get("content"), str))


def _said_in(rows: pa.Table, phrases: set[str]) -> set[str]:
    """Return those of the phrases that a text of these rows holds."""
    said: set[str] = set()
    for column in texts_of(rows):
        if left := sorted(phrases - said):  # polars refuses to look for nothing
            texts = pl.Series(column.to_pylist(), dtype=pl.String)
            said.update(texts.str.extract_many(left, overlapping=True).explode().drop_nulls().unique())
    return said


def _tables_of_sets(root: Root) -> Iterator[pa.Table]:
    """Yield the tables of sets of every source's stages, some thousands of rows at a time."""
    for _, stage in every_stage(root, ("source-", "synthesized-")):
        with contextlib.suppress(StorageError):  # a damaged stage goes as a whole
            if stage is not None:
                yield from read_batches(stage.paths("sets"), SETS)
