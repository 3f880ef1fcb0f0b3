"""What to do with data that no kind of source reads: what is there, what is needed, and a row as it would be read."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.ahead.beginning.columns import columns_needed
from pipelines.sources.text import shown

NEEDED = (
    'one object a line, such as {"query": "..", "responses": ["..", ".."], "best": 0}, the same with "rewards": '
    '[0.9, 0.2], {"prompt": "..", "chosen": "..", "rejected": ".."}, or {"problem": "..", "answer": ".."} for '
    "mathematics whose answer is known; docs/preference_sets.md has every shape"
)
_QUESTIONS = ("question", "query", "prompt", "instruction", "problem", "input")
_OPTIONS = ("options", "choices", "answers", "endings", "candidates")
_RIGHT = ("answer", "label", "correct", "gold", "target", "answer_index", "answer_idx", "best", "answerKey", "gt")
_SIDES = (
    ("response_a", "response_b"),
    ("answer_a", "answer_b"),
    ("response_1", "response_2"),
    ("response1", "response2"),
    ("output_1", "output_2"),
    ("completion_a", "completion_b"),
)
_READ = {
    ".feather": "read_ipc({0})",
    ".xlsx": "read_excel({0})",
}
_LONGEST = 400


def unread(
    place: str,
    reasons: Counter[str] | None = None,
    example: str = "",
    row: Mapping[str, Any] | None = None,
    path: Path | None = None,
) -> str:
    """Return the message: what was found, what is needed, and, where it can be guessed, the first row in that form."""
    if path is not None:
        return _other_file(place, path)
    if row is None:
        why = f"no row is an object of JSON; the first: {example}" if example else "holds no rows"
        return f"{place}: {why}; needed is {NEEDED}"
    columns = ", ".join(shown(name).strip("'") for name in list(row)[:16])
    if isinstance(row.get("messages", row.get("conversations")), list):
        return (
            f"{place}: the rows are conversations with one answer (columns: {columns}), and nothing to compare: they "
            f"can be [general] path = .. of a recipe; what is judged needs {NEEDED}"
        )
    reason = next(iter(dict((reasons or Counter()).most_common(1))), "")
    words = f"{place}: no kind of source reads its rows (columns: {columns}); {reason}: {example}; needed is {NEEDED}"
    words += f", {columns_needed()}"
    if guess := as_read(row):
        words += f". The first row would be {_short(guess)}"
    return words


def as_read(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a row in a form that is read, where its columns leave little doubt; None where they do."""
    asked = next((row[key] for key in _QUESTIONS if isinstance(row.get(key), str)), None)
    if asked is None:
        return None
    right = next((row[key] for key in _RIGHT if key in row and row[key] is not None), None)
    options = next((row[key] for key in _OPTIONS if isinstance(row.get(key), list | dict)), None)
    if options is not None:
        texts, names = _options(options)
        place = _place(right, texts, names)
        return None if place is None or len(texts) < 2 else {"query": asked, "responses": texts, "best": place}
    for first, second in _SIDES:
        if isinstance(row.get(first), str) and isinstance(row.get(second), str):
            winner = next((row[key] for key in ("winner", "preference", "preferred", *_RIGHT) if key in row), None)
            best = _place(winner, [row[first], row[second]], [first[-1], second[-1]])
            return {"query": asked, "responses": [row[first], row[second]], "best": 0 if best is None else best}
    if isinstance(right, str) and "####" in right:
        return {"problem": asked, "answer": right.rpartition("####")[2].strip()}
    return {"problem": asked, "answer": str(right)} if isinstance(right, str | int | float) else None


def _options(options: Any) -> tuple[list[str], list[str]]:
    """Return the texts of options and their names, as lists of them are written."""
    if isinstance(options, dict) and isinstance(options.get("text"), list):  # ARC's {"text": [..], "label": [..]}
        return [str(text) for text in options["text"]], [str(name) for name in options.get("label") or ()]
    if isinstance(options, dict):
        return [str(text) for text in options.values()], [str(name) for name in options]
    return [str(text) for text in options], []


def _place(right: Any, texts: list[str], names: list[str]) -> int | None:
    """Return which option is the right one: by its index, its letter, its name or its text."""
    if isinstance(right, int) and not isinstance(right, bool):
        return right if 0 <= right < len(texts) else None
    if not isinstance(right, str):
        return None
    if right in texts:
        return texts.index(right)
    lowered = [name.casefold() for name in names]
    for written in (right.casefold(), right.casefold()[-1:]):
        if written in lowered:
            return lowered.index(written)
    place = ord(right.strip().upper()) - ord("A") if len(right.strip()) == 1 else -1
    return place if 0 <= place < len(texts) else None


def _other_file(place: str, path: Path) -> str:
    """Return what to do with a file of another format."""
    reader = _READ.get(path.suffix.lower())
    known = "a .jsonl, .jsonl.gz, .json, .parquet, .csv or .arrow file"
    if reader is None:
        return f"{place}: is not {known}; needed is {NEEDED}"
    code = (
        f"import polars; polars.{reader.format(json.dumps(path.name))}.write_ndjson({json.dumps(path.stem + '.jsonl')})"
    )
    return (
        f"{place}: is not {known}; python -c {shlex.quote(code)} makes one of it, and grmforge init then says whether "
        "its columns are read"
    )


def _short(row: Mapping[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}.."
