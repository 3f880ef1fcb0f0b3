"""Your own preference data, as JSONL, gzipped JSONL, JSON or Parquet in a plain schema.

    {"query": "What does TDD stand for?", "responses": ["Time division duplex.", "Total data download."], "best": 0}
    {"query": [{"role": "user", "content": "2 + 2?"}], "responses": [{"text": "4", "model": "a"}, {"text": "5"}],
     "rewards": [1, 0], "id": "sum-1", "reference": "4", "license": "MIT", "domain": "math", "split": "train"}
    {"query": "Name a prime.", "responses": ["9"], "label": 0}
    {"prompt": "What is NR?", "chosen": "New Radio.", "rejected": "No Radio."}

`query` is a text or a conversation that ends with the user's turn. Exactly one of `rewards` (a number for each
response), `best` (index of the best response, from 0) and `label` (0 or 1, for a single response) says what is known.
The last layout is chosen_rejected's. The rest is optional; null counts as missing. Further keys are nobody's business
here and ignored, unless one looks like a key of the schema that the row lacks: `licence` or `reference_answer` silently
ignored would be data lost.
Docs: docs/sources.md.
"""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from pipelines.sources.answer_turns import begins_with, is_whole, messages_in, response_values, turns_or_none, unpacked
from pipelines.sources.chosen_rejected import is_pair, pair_of
from pipelines.sources.content_parts import joined_text, refuse_media
from pipelines.sources.conversations import turns_in
from pipelines.sources.files import SourceFiles
from pipelines.sources.questions_asked import asked_in
from pipelines.sources.rows import Row, records_of
from pipelines.sources.text import (
    RowError,
    cleaned_json,
    list_of,
    number,
    optional_text,
    short_text,
    shown,
    text_of,
)
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, Split, UnreadableRow, preference_set
from schemas.query import Messages
from schemas.recipe import PreferenceSets

HUB = ""
PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.parquet")

LABELS = ("rewards", "best", "label")
KEYS = ("query", "responses", *LABELS, "id", "reference", "license", "domain", "split", "label_source")
RESPONSE_KEYS = ("text", "reasoning", "turns", "model", "origin")

_KEYS_OF_PAIRS = tuple(key for key in KEYS if key not in ("query", "responses", *LABELS))
_ANSWER_NAMES = ("completion", "response", "output", "answer")
"""What other data sets call a single answer."""

MAX_RESPONSES = 1000

_SPLITS = tuple(split.value for split in Split)
_LABEL_SOURCES = tuple(source.value for source in LabelSource)


def read(section: PreferenceSets, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set or an unreadable row for each row."""
    return records_of(files, partial(_set_of, section, files))


def _set_of(section: PreferenceSets, files: SourceFiles, location: str, row: Row) -> PreferenceSet:
    row = {key: value for key, value in row.items() if value is not None}
    refuse_media(row)
    pair = pair_of(row) if is_pair(row) else None
    if pair is None:
        row = _with_responses(row)
    _refuse_misspelt(row, KEYS if pair is None else _KEYS_OF_PAIRS, "the row")
    if pair is not None:
        query, values, label = pair.query, pair.responses, None
        rewards: list[float | None] = list(pair.rewards)
    else:
        query, values = _asked_and_answered(row)
        rewards, label = _truth(row, len(values))
    split = _one_of(row.get("split"), "split", _SPLITS)
    label_source = _one_of(row.get("label_source"), "label_source", _LABEL_SOURCES)
    made = preference_set(
        query=query,
        responses=[
            _response(value, f"responses[{index}]", reward)
            for index, (value, reward) in enumerate(zip(values, rewards, strict=True))
        ],
        source=section.name,
        source_id=_identifier(row.get("id"), location),
        source_revision=files.revision,
        license=short_text(row.get("license"), "license") or section.license,
        domain=short_text(row.get("domain"), "domain") or section.domain,
        label_source=LabelSource(label_source) if label_source else LabelSource.HUMAN,
        label=label,
        min_margin=section.min_margin,
        reference=optional_text(row.get("reference"), "reference"),
        split=Split(split) if split else None,
        drop_reason=DropReason.SCORES_CONTRADICT if pair is not None and pair.is_contradicted else None,
    )
    return replace(made, best=None) if pair is not None and pair.is_contradicted else made


def _with_responses(row: Row) -> Row:
    """Return a row of one labelled answer (TRL's `completion`) with it as its responses."""
    other = next((key for key in _ANSWER_NAMES if key in row), None)
    if other is None or "responses" in row:
        return row
    if "label" not in row:
        raise RowError("missing_field", f"the row has no field 'responses' but {other!r}; rename it")
    return {**row, "responses": [row[other]]}


def _asked_and_answered(row: Row) -> tuple[Messages, list[Any]]:
    """Return (query, responses) of a row with `responses`; whole conversations lose what they repeat of the query."""
    asked = asked_in(row)
    if asked is None:
        raise RowError("missing_field", "no query: the row has no key that asks something")
    values = list_of(row.get("responses"), "responses")
    if len(values) > MAX_RESPONSES:
        raise RowError("too_many_responses", f"{len(values):,} responses, more than {MAX_RESPONSES:,}")
    names = [f"responses[{index}]" for index in range(len(values))]
    values = unpacked(values, names, asked.query)
    turns = [turns_or_none(value, name) for value, name in zip(values, names, strict=True)]
    for read, name in zip(turns, names, strict=True):
        if read is not None and is_whole(read) and not begins_with(messages_in(read), asked.query):
            raise RowError("bad_response", f"{name} is a whole conversation that does not begin with {asked.name}")
    return asked.query, response_values(values, turns, len(asked.query))


def _truth(row: Row, n_responses: int) -> tuple[list[float | None], int | None]:
    """Return (a reward for each response, label), from the one of `rewards`, `best` and `label` that the row has."""
    given = [key for key in LABELS if key in row]
    if len(given) != 1:
        raise RowError(
            "no_truth" if not given else "several_truths",
            f"exactly one of {', '.join(LABELS)} says what is known; the row has {' and '.join(given) or 'none'}",
        )
    match given[0]:
        case "rewards":
            return _rewards(row["rewards"], n_responses), None
        case "best":
            best = _index(row["best"])
            if best is None or not 0 <= best < n_responses:
                raise RowError("bad_best", f"best is {shown(row['best'])}; an index from 0 to {n_responses - 1} is due")
            return [float(index == best) for index in range(n_responses)], None
        case _:
            label = row["label"] if isinstance(row["label"], bool) else _index(row["label"])
            if label not in (0, 1):
                raise RowError("bad_label", f"label is {shown(row['label'])}, not 0 or 1")
            if n_responses != 1:
                raise RowError("bad_label", f"label is for a single response; the row has {n_responses}")
            return [None], int(label)


def _rewards(value: Any, n_responses: int) -> list[float | None]:
    rewards = list_of(value, "rewards")
    if len(rewards) != n_responses:
        raise RowError("lengths_differ", f"{len(rewards)} rewards for {n_responses} responses")
    numbers = [number(reward) for reward in rewards]
    if None in numbers:
        index = numbers.index(None)
        raise RowError("bad_reward", f"rewards[{index}] is {shown(rewards[index])}, not a number")
    return numbers


def _response(value: Any, name: str, reward: float | None) -> Response:
    """Return a response given as a text or as an object; one of turns alone shows its last answer as text."""
    if isinstance(value, str):
        return Response(text_of(value, name), reward=reward)
    if not isinstance(value, dict):
        raise RowError("bad_response", f"{name} is {shown(value)}, neither text nor an object")
    fields = {key: item for key, item in value.items() if item is not None}
    _refuse_misspelt(fields, RESPONSE_KEYS, name)
    turns = fields.get("turns")
    text = fields.get("text")
    if text is None and turns is not None:
        read = turns_in(turns, f"{name}.turns")
        # A conversation whose last words say nothing of its calls is shown whole.
        text = (
            "" if any(turn.role == "tool" or (turn.calls and not turn.content) for turn in read) else read[-1].content
        )
    if text is None:
        text = fields.get("content")
    return Response(
        text=joined_text(text, f"{name}.text"),
        reward=reward,
        reasoning=optional_text(fields.get("reasoning"), f"{name}.reasoning"),
        turns=None if turns is None else cleaned_json(list_of(turns, f"{name}.turns"), f"{name}.turns"),
        model=short_text(fields.get("model"), f"{name}.model"),
        origin=short_text(fields.get("origin"), f"{name}.origin"),
    )


def _index(value: Any) -> int | None:
    """Return a whole number written as one; 1.0 is one too, since Parquet writers turn integers into floats."""
    read = None if isinstance(value, str) else number(value)
    return int(read) if read is not None and read.is_integer() else None


def _identifier(value: Any, location: str) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # pandas makes floats of integers where a row lacks one
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return short_text(value, "id") or location


def _one_of(value: Any, name: str, known: tuple[str, ...]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in known:
        raise RowError(f"bad_{name}", f"{name} is {shown(value)}, not one of {', '.join(known)}")
    return value


def _refuse_misspelt(row: Row, known: tuple[str, ...], name: str) -> None:
    for key in row:
        meant = _meant(key, known)
        if meant is not None and meant not in row:
            raise RowError("misspelt_key", f"{name} has no {meant!r} but {shown(key)}; rename one or the other")


@lru_cache(maxsize=1024)
def _meant(key: str, known: tuple[str, ...]) -> str | None:
    """Return the key of the schema that an unknown one looks like."""
    if key in known or len(key) > 40:
        return None
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.8)
    return near[0] if near else None
