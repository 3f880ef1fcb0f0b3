"""HelpSteer2: 10,681 pairs of responses, each rated by people (arXiv 2406.08673).

    {"prompt": "c#", "response": "C# is a high-level, object-oriented language ..",
     "helpfulness": 3, "correctness": 3, "coherence": 4, "complexity": 2, "verbosity": 2}

Hub id `nvidia/HelpSteer2`, licence CC-BY-4.0, files `train.jsonl.gz` (20,324 rows) and `validation.jsonl.gz` (1,038).
Two consecutive rows with one prompt are one set; the reward is `helpfulness`, 0 to 4. The traps:

* a row whose neighbour has another prompt is no set (`unpaired`);
* a third of the pairs has two equal ratings (`tie`);
* a conversation is one string: see `turns_of`;
* the same pairs stand in HelpSteer2-Preference, sometimes the other way round: read both, and curation finds the
  `label_conflict`, since a set's id knows neither order nor reward;
* the rows of the official validation file stay validation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, rows_of
from pipelines.sources.text import RowError, filled_text, number, shown, text_of
from schemas.preference import LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.query import Message, Messages
from schemas.recipe import HelpSteer2
from schemas.record import is_blank

HUB = "nvidia/HelpSteer2"
PATTERNS = ("train.jsonl", "train.jsonl.gz", "validation.jsonl", "validation.jsonl.gz")
LICENSE = "CC-BY-4.0"
DOMAIN = "general"

_LOWEST, _HIGHEST = 0, 4
_SYSTEM = re.compile(r"\s*<extra_id_0>System\n(.*?)(?=\n?<extra_id_1>|\Z)", re.DOTALL)
_TURN = re.compile(r"<extra_id_1>(User|Assistant)(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Rated:
    location: str
    prompt: str
    response: str
    helpfulness: float


def read(section: HelpSteer2, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set for each two consecutive rows with one prompt, and an unreadable row for each that has no pair."""
    for path in files.paths:
        name = files.name(path)
        split = Split.VALIDATION if path.name.startswith("validation") else None
        waiting: _Rated | None = None
        for location, row in rows_of(path, name):
            rated = row if isinstance(row, UnreadableRow) else _rated(location, row)
            if isinstance(rated, UnreadableRow):
                yield rated
            elif waiting is not None and waiting.prompt == rated.prompt:
                yield _set_of(section, files, split, waiting, rated)
                waiting = None
            else:
                if waiting is not None:
                    yield _unpaired(waiting)
                waiting = rated
        if waiting is not None:
            yield _unpaired(waiting)


def turns_of(prompt: str) -> Messages:
    """Return the conversation that a prompt holds as one string.

    After the first, each turn begins with `<extra_id_1>User` or `<extra_id_1>Assistant` on a line of its own, as in
    NeMo-Aligner's SteerLM template: "c#\\n\\n<extra_id_1>Assistant\\nC# is ..\\n\\n<extra_id_1>User\\nShow me".
    Raises RowError bad_turns unless the turns alternate and the user's is the last.
    """
    system = _SYSTEM.match(prompt)
    pieces = _TURN.split(prompt[system.end() :] if system else prompt)
    turns = [] if not pieces[0].strip() else [Message("user", pieces[0].strip("\n"))]
    turns += [
        Message(role.lower(), content.strip("\n")) for role, content in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
    expected = ["user" if index % 2 == 0 else "assistant" for index in range(len(turns))]
    if [turn.role for turn in turns] != expected or len(turns) % 2 == 0 or is_blank(turns[-1].content):
        raise RowError("bad_turns", f"the prompt's {len(turns)} turns do not alternate up to one of the user")
    return (*((Message("system", system[1].strip()),) if system and system[1].strip() else ()), *turns)


def _rated(location: str, row: Row) -> _Rated | UnreadableRow:
    try:
        helpfulness = number(row.get("helpfulness"))
        if helpfulness is None or not _LOWEST <= helpfulness <= _HIGHEST:
            raise RowError("no_rating", f"helpfulness is {shown(row.get('helpfulness'))}, not {_LOWEST} to {_HIGHEST}")
        prompt = filled_text(row.get("prompt"), "prompt")
        return _Rated(location, prompt, text_of(row.get("response"), "response"), helpfulness)
    except RowError as error:
        return UnreadableRow(location, error.reason, error.detail)


def _unpaired(row: _Rated) -> UnreadableRow:
    return UnreadableRow(row.location, "unpaired", "no row next to it has the same prompt")


def _set_of(
    section: HelpSteer2, files: SourceFiles, split: Split | None, first: _Rated, second: _Rated
) -> PreferenceSet | UnreadableRow:
    try:
        query = turns_of(first.prompt)
    except RowError as error:
        return UnreadableRow(first.location, error.reason, error.detail)
    return preference_set(
        query=query,
        responses=[Response(row.response, reward=row.helpfulness) for row in (first, second)],
        source=section.kind,
        source_id=first.location,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.HUMAN,
        split=split,
    )
