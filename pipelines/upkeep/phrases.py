"""Phrases: the words by which rows are found that hold something of what is forgotten, though no id says so.

Two things travel under other ids: criteria of a rubric, into the prompts of other questions; and the lone run of an
agent, into the prompt that writes a rubric for another task. A phrase is the longest piece of such a text that JSON
writes as it is, and that nothing else here says.
"""

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
from storage.stages import read_stage
from storage.tables import read_batches

SHORTEST = 16
"""Characters that a phrase must have: fewer occur by chance. Shorter texts are found by ids alone."""
LONGEST = 200
_BREAK = re.compile(r'[\x00-\x1f"\\\[(]+')
"""What JSON writes otherwise, and what the markers of prompts begin with."""


def phrases_of_rubrics(gone: Sequence[Rubric], drafts: Iterable[str], left: Sequence[Rubric]) -> list[str]:
    """Return the phrases of criteria that only these rubrics have; `drafts` are answers that rubrics were read from."""
    others = {one.text for rubric in left for one in rubric.criteria}
    said = "\n".join(others)
    drafted = {text for draft in drafts for text in _criteria_in(draft)}
    texts = ({one.text for rubric in gone for one in rubric.criteria} | drafted) - others
    return sorted(found for text in texts if (found := phrase(text)) and found not in said)


def _criteria_in(draft: str) -> Iterator[str]:
    """Yield what a draft's criteria say, read as leniently as can be: a run that was killed may have tried them."""
    try:
        tree = json.loads(draft[draft.find("{") : draft.rfind("}") + 1])
        listed = tree["criteria"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(one.get("text"), str):
            yield " ".join(one["text"].split())


def phrases_of_runs(root: Root, concerned: Concerned) -> list[str]:
    """Return the phrases of lone responses under instructions, which prompts for other tasks' rubrics may show."""
    texts: set[str] = set()
    for one in _sets(root):
        is_run = one.n_responses == 1 and any(message.role == "system" for message in one.query)
        if is_run and (one.set_id in concerned.sets):
            texts.update(_said_in(one))
    found = {said for text in texts if (said := phrase(text))}
    return sorted(found - _said_elsewhere(root, concerned, found)) if found else []


def phrase(text: str) -> str | None:
    """Return the piece of a text that it is found by; None where no piece is long enough."""
    longest = max(_BREAK.split(text), key=len).strip()[:LONGEST].strip()
    return longest if len(longest) >= SHORTEST else None


def _said_in(run: PreferenceSet) -> Iterator[str]:
    """Yield what a run says, turn by turn, and what its user asked."""
    yield from (message.content for message in run.query if message.role != "system")
    for response in run.responses:
        yield response.text
        try:
            turns = json.loads(response.turns or "[]")
        except ValueError:
            continue
        yield from (
            turn["content"] for turn in turns if isinstance(turn, dict) and isinstance(turn.get("content"), str)
        )


def _sets(root: Root) -> Iterator[PreferenceSet]:
    """Yield the sets of every source's stage."""
    for table in _tables(root):
        yield from sets_of(table.filter(pc.equal(table.column("n_responses"), 1)))


def _said_elsewhere(root: Root, concerned: Concerned, phrases: Iterable[str]) -> set[str]:
    """Return those of the phrases that sets say which stay."""
    found: set[str] = set()
    for table in _tables(root):
        stays = table.filter(pc.invert(concerned.rows(table)))
        for column in texts_of(stays):
            texts = pl.Series(column.to_pylist(), dtype=pl.String).drop_nulls()
            left = sorted(set(phrases) - found)
            hits = texts.filter(texts.str.contains_any(left)) if left else texts.clear()
            found.update(one for one in left if any(one in text for text in hits))
    return found


def _tables(root: Root) -> Iterator[pa.Table]:
    """Yield the tables of sets of every source's stages, some thousands of rows at a time."""
    for name in root.folders("stages"):
        if name.startswith(("source-", "synthesized-")):
            for fingerprint in root.folders(f"stages/{name}"):
                try:
                    stage = read_stage(root, f"stages/{name}/{fingerprint}")
                    if stage is not None:
                        yield from read_batches(stage.paths("sets"), SETS)
                except StorageError:
                    continue  # it goes as a whole
