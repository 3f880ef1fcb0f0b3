"""HelpSteer2: 10,681 pairs of responses, each rated by people (arXiv 2406.08673).

    {"prompt": "c#", "response": "C# is a high-level, object-oriented language ..",
     "helpfulness": 3, "correctness": 3, "coherence": 4, "complexity": 2, "verbosity": 2}

`train.jsonl.gz` has 20,324 rows, `validation.jsonl.gz` 1,038. Two consecutive rows with one prompt are one set; the
reward is `helpfulness`, 0 to 4 (`no_rating` otherwise). The traps:

* a row whose neighbour has another prompt is no set (`unpaired`), and counts as a row of its own;
* a third of the pairs has two equal ratings (`tie`);
* a conversation is one string, its later turns after `<extra_id_1>Assistant` or `<extra_id_1>User`: it is split. Turns
  that do not alternate up to one of the user are unreadable (`bad_turns`);
* the same pairs stand in HelpSteer2-Preference, sometimes the other way round: read both, and curation finds the
  `duplicate` and the `label_conflict`, since a set's id knows neither order nor reward;
* the rows of the official validation file stay validation.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import rows_of
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, number, shown, text_of
from schemas.preference import LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.query import Message, Messages
from schemas.recipe import SourceSection
from schemas.record import is_blank

_LOWEST, _HIGHEST = 0, 4
_SYSTEM = re.compile(r"\s*<extra_id_0>System\n(.*?)(?=\n?<extra_id_1>|\Z)", re.DOTALL)
_TURN = re.compile(r"<extra_id_1>(User|Assistant)(?:\n|\Z)")


class _Rated(NamedTuple):
    location: str
    split: Split | None
    prompt: str
    response: Response


def _pairs(section: SourceSection, files: SourceFiles) -> Iterator[tuple[str, tuple[_Rated, _Rated] | UnreadableRow]]:
    """Return each two consecutive rows with one prompt, and an unreadable row for each that has no pair."""
    for path in files.paths:
        split = Split.VALIDATION if path.name.startswith("validation") else None
        waiting: _Rated | None = None
        for location, row in rows_of(path, files.name(path)):
            rated = row if isinstance(row, UnreadableRow) else _rated(location, split, row)
            if isinstance(rated, UnreadableRow):
                yield location, rated
            elif waiting is not None and waiting.prompt == rated.prompt:
                yield waiting.location, (waiting, rated)
                waiting = None
            else:
                yield from _unpaired(waiting)
                waiting = rated
        yield from _unpaired(waiting)


def _unpaired(row: _Rated | None) -> Iterator[tuple[str, UnreadableRow]]:
    if row is not None:
        yield row.location, UnreadableRow(row.location, "unpaired", "no row next to it has the same prompt")


def _rated(location: str, split: Split | None, row: Row) -> _Rated | UnreadableRow:
    try:
        helpfulness = number(row.get("helpfulness"))
        if helpfulness is None or not _LOWEST <= helpfulness <= _HIGHEST:
            raise RowError("no_rating", f"helpfulness is {shown(row.get('helpfulness'))}, not {_LOWEST} to {_HIGHEST}")
        prompt = filled_text(row.get("prompt"), "prompt")
        return _Rated(location, split, prompt, Response(text_of(row.get("response"), "response"), helpfulness))
    except RowError as error:
        return error.row(location)


def _set_of(section: SourceSection, pair: tuple[_Rated, _Rated], origin: Origin) -> PreferenceSet:
    return preference_set(
        query=turns_of(pair[0].prompt),
        responses=[rated.response for rated in pair],
        label_source=LabelSource.HUMAN,
        split=pair[0].split,
        **origin,
    )


def turns_of(prompt: str) -> Messages:
    """Return the conversation that a prompt holds as one string.

    After the first, each turn begins with `<extra_id_1>User` or `<extra_id_1>Assistant` on a line of its own, as in
    NeMo-Aligner's SteerLM template: "c#\\n\\n<extra_id_1>Assistant\\nC# is ..\\n\\n<extra_id_1>User\\nShow me".
    Raises RowError bad_turns unless the turns alternate and the user's is the last.
    """
    system = _SYSTEM.match(prompt)
    first, *pieces = _TURN.split(prompt[system.end() :] if system else prompt)
    turns = [Message("user", first.strip("\n"))] if first.strip() else []
    turns += [Message(role.lower(), text.strip("\n")) for role, text in zip(pieces[::2], pieces[1::2], strict=True)]
    expected = ["user" if index % 2 == 0 else "assistant" for index in range(len(turns))]
    if [turn.role for turn in turns] != expected or len(turns) % 2 == 0 or is_blank(turns[-1].content):
        raise RowError("bad_turns", f"the prompt's {len(turns)} turns do not alternate up to one of the user")
    instructions = system[1].strip() if system else ""
    return (*([Message("system", instructions)] if instructions else []), *turns)


SOURCE = Source(
    kind="helpsteer2",
    hub="nvidia/HelpSteer2",
    patterns=("train.jsonl", "train.jsonl.gz", "validation.jsonl", "validation.jsonl.gz"),
    license="CC-BY-4.0",
    unit="pair",
    rows=10_681,
    items=_pairs,
    make=_set_of,
)
