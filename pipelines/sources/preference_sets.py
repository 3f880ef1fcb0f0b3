"""Your own preference data, as JSONL, JSON, CSV, Parquet or Arrow in a plain schema.

    {"query": "What does TDD stand for?", "responses": ["Time division duplex.", "Total data download."], "best": 0}
    {"query": [{"role": "user", "content": "2 + 2?"}], "responses": [{"text": "4", "model": "a"}, {"text": "5"}],
     "rewards": [1, 0], "id": "sum-1", "reference": "4", "license": "MIT", "domain": "math", "split": "train"}
    {"query": "Name a prime.", "responses": ["9"], "label": 0}
    {"prompt": "What is NR?", "chosen": "New Radio.", "rejected": "No Radio."}

`query` is a text or a conversation that ends with the user's turn. Exactly one of `rewards` (a number for each
response), `best` (index of the best response, from 0) and `label` (0 or 1, for a single response) says what is known.
The rest is optional; null counts as missing. [preference_sets.md](preference_sets.md) has every key, the other shapes
that are read, and the reasons why a row is unreadable.

    [[sources]]
    kind = "preference_sets"
    path = "mine.jsonl"          # or hub = "you/your-set"
    name = "mine"                # what tables and reports call it
    license = "CC-BY-4.0"        # of rows that name none; so is domain = ".."
"""

import difflib
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, field_validator

from pipelines.sources.answers import begins_with, is_whole, messages_in, response_values, turns_or_none, unpacked
from pipelines.sources.content import joined_text, refuse_media
from pipelines.sources.conversations import turns_in
from pipelines.sources.files import ROWS_OF_ANY
from pipelines.sources.pairs import PAIR, is_pair, pair_of
from pipelines.sources.questions import question_in
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import (
    Row,
    RowError,
    cleaned_json,
    list_of,
    number,
    optional_text,
    short_text,
    shown,
    text_of,
)
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, Split, preference_set
from schemas.query import Messages
from schemas.recipe import Flag, Label, Name, Number, SourceSection
from schemas.recipe.sources import ColumnPath, known_columns

LABELS = ("rewards", "best", "label")
_SPLITS, _LABEL_SOURCES = [split.value for split in Split], [source.value for source in LabelSource]
OTHER_KEYS = ("id", "reference", "license", "domain", "split", "label_source")
_QUESTION = ("query", "prompt", "system", "history")
COLUMNS = (
    *_QUESTION,
    "responses",
    *LABELS,
    "chosen",
    "rejected",
    "score_chosen",
    "score_rejected",
    "margin",
    *OTHER_KEYS,
)
"""What a column can be taken for."""
RESPONSE_KEYS = ("text", "reasoning", "turns", "model", "origin")

_ANSWER_NAMES = ("completion", "response", "output", "answer")  # what other data sets call a single answer

MAX_RESPONSES = 1000


class PreferenceSets(SourceSection):
    """Keys of a `preference_sets` section."""

    name: Name = "preference_sets"
    """What the source is called in tables and reports."""
    license: Label = "unknown"
    """Licence of rows that name none."""
    domain: Label = "general"
    """Domain of rows that name none."""
    min_margin: Annotated[Number, Field(ge=0)] = 0.0
    """Sets whose two highest rewards are nearer than this are uncertain, and dropped."""
    columns: dict[Label, ColumnPath] | None = None
    """Which column is taken for which key of a row, such as `{ query = "question", chosen = "better" }`; a path goes
    into structs and lists (`answers.0.text`), a list makes one (`responses = ["a", "b"]`). Nothing else is read then.
    """
    annotators: Flag = False
    """Whether rows with the same responses are rankings of several annotators: they become one set, whose rewards are
    the shares of them that find a response best."""

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, Any] | None) -> dict[str, Any] | None:
        return known_columns(columns, COLUMNS)


def _set_of(section: PreferenceSets, row: Row, origin: Origin) -> PreferenceSet:
    return set_and_responses(section, row, origin)[0]


def set_and_responses(section: PreferenceSets, row: Row, origin: Origin) -> tuple[PreferenceSet, list[Response]]:
    """Return the set of a row, and its responses in the row's own order. Raises RowError."""
    row = {key: value for key, value in row.items() if value is not None}
    refuse_media(row)
    rewards: list[float | None]
    if is_pair(row):
        pair = pair_of(row)
        _refuse_misspelt(row, OTHER_KEYS, "the row")
        query, values, rewards, label = pair.query, pair.responses, list(pair.rewards), None
        contradicted = pair.is_contradicted
    else:
        row = _with_responses(row)
        others = () if "responses" in row else ("prompt", *PAIR)
        _refuse_misspelt(row, (*others, "query", "responses", *LABELS, *OTHER_KEYS), "the row")
        query, values = _query_and_responses(row)
        rewards, label = _truth(row, len(values))
        contradicted = False
    split = _one_of(row.get("split"), "split", _SPLITS)
    label_source = _one_of(row.get("label_source"), "label_source", _LABEL_SOURCES)
    responses = [
        response_of(value, f"responses[{index}]", reward)
        for index, (value, reward) in enumerate(zip(values, rewards, strict=True))
    ]
    origin["source_id"] = identifier(row.get("id"), origin["source_id"])
    origin["license"] = short_text(row.get("license"), "license") or section.license
    origin["domain"] = short_text(row.get("domain"), "domain") or section.domain
    made = preference_set(
        query=query,
        responses=responses,
        label_source=LabelSource(label_source or LabelSource.HUMAN),
        label=label,
        min_margin=section.min_margin,
        reference=optional_text(row.get("reference"), "reference"),
        split=Split(split) if split else None,
        drop_reason=DropReason.SCORES_CONTRADICT if contradicted else None,
        **origin,
    )
    return replace(made, best=None) if contradicted else made, responses


def unlabelled(row: Row) -> tuple[Messages, list[Response]]:
    """Return (query, responses) of a row whatever is known of them. Raises RowError."""
    row = {key: value for key, value in row.items() if value is not None}
    refuse_media(row)
    if is_pair(row):
        pair = pair_of(row)
        query, values = pair.query, pair.responses
    else:
        if "responses" not in row or question_in(row) is None:
            _refuse_misspelt(row, ("query", "prompt", "responses"), "the row")
        query, values = _query_and_responses(row)
    return query, [response_of(value, f"responses[{index}]", None) for index, value in enumerate(values)]


def _with_responses(row: Row) -> Row:
    """Return a row of one labelled answer (TRL's `completion`) with it as its responses."""
    other = None if "responses" in row else next((key for key in _ANSWER_NAMES if key in row), None)
    if other is None:
        return row
    if "label" not in row:
        raise RowError("missing_field", f"the row has no field 'responses' but {other!r}; rename it")
    return {**row, "responses": [row[other]]}


def _query_and_responses(row: Row) -> tuple[Messages, list[Any]]:
    """Return (query, responses) of a row with `responses`; whole conversations lose what they repeat of the query."""
    question = question_in(row)
    if question is None:
        raise RowError("missing_field", "no query: the row has no key that asks something")
    values = list_of(row.get("responses"), "responses")
    if len(values) > MAX_RESPONSES:
        raise RowError("too_many_responses", f"{len(values):,} responses, more than {MAX_RESPONSES:,}")
    names = [f"responses[{index}]" for index in range(len(values))]
    values = unpacked(values, names, question.query)
    if all(type(value) is str for value in values):  # in most rows
        return question.query, values
    turns = [turns_or_none(value, name) for value, name in zip(values, names, strict=True)]
    for read, name in zip(turns, names, strict=True):
        if read is not None and is_whole(read) and not begins_with(messages_in(read), question.query):
            raise RowError("bad_response", f"{name} is a whole conversation that does not begin with {question.name}")
    return question.query, response_values(values, turns, len(question.query))


def _truth(row: Row, n_responses: int) -> tuple[list[float | None], int | None]:
    """Return (a reward for each response, label), from the one of `rewards`, `best` and `label` that the row has."""
    given = [key for key in LABELS if key in row]
    if len(given) != 1:
        raise RowError(
            "no_truth" if not given else "several_truths",
            f"exactly one of {', '.join(LABELS)} says what is known; the row has {' and '.join(given) or 'none'}",
        )
    value = row[given[0]]
    if given == ["rewards"]:
        rewards = list_of(value, "rewards")
        if len(rewards) != n_responses:
            raise RowError("lengths_differ", f"{len(rewards)} rewards for {n_responses} responses")
        numbers = [number(reward) for reward in rewards]
        if None in numbers:
            index = numbers.index(None)
            raise RowError("bad_reward", f"rewards[{index}] is {shown(rewards[index])}, not a number")
        return numbers, None
    if given == ["best"]:
        best = _whole_number(value)
        if best is None or not 0 <= best < n_responses:
            raise RowError("bad_best", f"best is {shown(value)}; an index from 0 to {n_responses - 1} is due")
        return [float(index == best) for index in range(n_responses)], None
    label = value if isinstance(value, bool) else _whole_number(value)
    if label not in (0, 1):
        raise RowError("bad_label", f"label is {shown(value)}, not 0 or 1")
    if n_responses != 1:
        raise RowError("bad_label", f"label is for a single response; the row has {n_responses}")
    return [None], int(label)


def response_of(value: Any, name: str, reward: float | None) -> Response:
    """Return a response given as a text or as an object; one of turns alone shows its last answer as text.

    Raises RowError.
    """
    if isinstance(value, str):
        return Response(text_of(value, name), reward=reward)
    if not isinstance(value, dict):
        raise RowError("bad_response", f"{name} is {shown(value)}, neither text nor an object")
    fields = {key: item for key, item in value.items() if item is not None}
    _refuse_misspelt(fields, RESPONSE_KEYS, name)
    turns, text = fields.get("turns"), fields.get("text")
    if text is None and turns is not None:
        read = turns_in(turns, f"{name}.turns")
        # A conversation whose last words say nothing of its calls is shown whole.
        shown_whole = any(turn.role == "tool" or (turn.calls and not turn.content) for turn in read)
        text = "" if shown_whole else read[-1].content
    return Response(
        text=joined_text(fields.get("content") if text is None else text, f"{name}.text"),
        reward=reward,
        reasoning=optional_text(fields.get("reasoning"), f"{name}.reasoning"),
        turns=None if turns is None else cleaned_json(list_of(turns, f"{name}.turns"), f"{name}.turns"),
        model=short_text(fields.get("model"), f"{name}.model"),
        origin=short_text(fields.get("origin"), f"{name}.origin"),
    )


def _whole_number(value: Any) -> int | None:
    """Return a whole number written as one; 1.0 is one too, since Parquet writers turn integers into floats."""
    read = None if isinstance(value, str) else number(value)
    return int(read) if read is not None and read.is_integer() else None


def identifier(value: Any, location: str) -> str:
    """Return the id of a row, or where it stands if it has none. Raises RowError."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # pandas makes floats of integers where a row lacks one
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return short_text(value, "id") or location


def _one_of(value: Any, name: str, known: list[str]) -> str | None:
    if value is None or (isinstance(value, str) and value in known):
        return value
    raise RowError(f"bad_{name}", f"{name} is {shown(value)}, not one of {', '.join(known)}")


def _refuse_misspelt(row: Row, known: tuple[str, ...], name: str) -> None:
    """Raise RowError for a key that looks like a missing known one. To ignore it would lose data in silence."""
    if misspelt := _misspelt(tuple(row), known):
        key, meant = misspelt
        raise RowError("misspelt_key", f"{name} has no {meant!r} but {shown(key)}; rename one or the other")


@lru_cache(maxsize=1024)
def _misspelt(keys: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the first of these keys that looks like a missing known one, and that one. Rows share few sets of keys."""
    meant = ((key, _meant(key, known)) for key in keys)
    return next(((key, other) for key, other in meant if other is not None and other not in keys), None)


@lru_cache(maxsize=1024)
def _meant(key: str, known: tuple[str, ...]) -> str | None:
    """Return the key of the schema that an unknown one looks like."""
    if key in known or len(key) > 40:
        return None
    return next(iter(difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.8)), None)


SOURCE = Source(
    kind="preference_sets",
    section=PreferenceSets,
    place_needed="a preference_sets source needs a path or a hub id",
    patterns=ROWS_OF_ANY,
    unit="set",
    make=_set_of,
)
