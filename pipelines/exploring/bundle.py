"""A copy of a part of a version that needs no server: one page with a seeded sample of its rows in it.

The sample is made of whole sets with all their samples, or of whole items of an evaluation. The copy says that it is
one. Beside the page, ids.json names every set, query and trajectory in it: what is forgotten under the root later must
be looked for there, and the copy be removed or made anew.
"""

import base64
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipelines.exploring.changes import changes_answer, versions_answer
from pipelines.exploring.columns import Codes, Columns, Ids, Numbers
from pipelines.exploring.evaluated import evaluation_answer
from pipelines.exploring.expressions import column_of, holds_words
from pipelines.exploring.failures import failures_among
from pipelines.exploring.opening import Explorer, Opened, opened_answer
from pipelines.exploring.overview import overview_answer
from pipelines.exploring.page_files import INDEX, joined
from pipelines.exploring.rows import MOST_ROWS
from pipelines.exploring.sets import set_parts, trajectory_parts
from schemas.errors import RecipeError
from schemas.record import FORMAT
from storage.files import becoming, storage_errors

IDS = "ids.json"
KIND = "grmforge look bundle"
_DROPPED = 200
"""Sets that were dropped, at most: nobody judged them, so no drawn sample holds one."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A bundle on disk."""

    page: Path
    ids: Path
    trajectories: int
    of: int
    rows: str
    """What they are called."""


def write_bundle(explorer: Explorer, folder: Path, n: int, seed: int) -> Written:
    """Write the page and ids.json into a folder; about `n` trajectories, or judgements of an evaluation.

    Raises RecipeError for a folder that holds anything but an older bundle.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / IDS).is_file():
        raise RecipeError(f"{folder} holds other files; choose another --bundle")
    opened = explorer.version(None)
    judged = next((name for name in ("trajectories", "judgements", "items") if name in opened.views), "sets")
    rows = dict(_drawn(opened, n, seed))
    tables = {name: _rows(opened, name, numbers) for name, numbers in rows.items()}
    copy: Row = {
        "name": opened.version.manifest.name,
        "version": opened.version.manifest.version,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": judged,
        "place": f"data/{opened.version.key}",
        "trajectories": len(tables.get(judged, ())),
        "of": opened.views[judged].rows if judged in opened.views else 0,
        "sets": len(tables.get("sets", ())),
        "seed": seed,
    }
    data = {"copy": copy, **_answers(explorer, opened, rows, tables), "tables": tables}
    packed = base64.b64encode(gzip.compress(orjson.dumps(data), mtime=0)).decode()
    ids = {
        "format": FORMAT,
        "kind": KIND,
        "snapshot": opened.name,
        "made_at": copy["made_at"],
        **{f"{name}s": _ids_in(tables, name) for name in ("query_id", "set_id", "trajectory_id")},
    }
    files = {INDEX: joined(packed, "gzip").encode(), IDS: orjson.dumps(ids, option=orjson.OPT_INDENT_2)}
    for name, content in files.items():
        with storage_errors(str(folder / name)), becoming(folder / name) as temporary:
            temporary.write_bytes(content)
    return Written(folder / INDEX, folder / IDS, copy["trajectories"], copy["of"], judged)


def _answers(explorer: Explorer, opened: Opened, rows: dict[str, np.ndarray], tables: dict[str, list[Row]]) -> Row:
    """Return the answers of the server that the page needs beside the rows, each about no row but these."""
    stop = threading.Event()
    described = opened_answer(explorer, opened.name) | {"root": None, "location": None}
    described["snapshots"] = described["evaluations"] = []
    for name, table in described["tables"].items():
        view = opened.views[name]
        table |= {"rows": len(tables[name]), "any_text": view.any_text}
        for column in table["columns"]:  # of which the page makes the polars expression of a choice
            column |= {"polars": column_of(opened.columns(name), column["name"])}
            column |= {"holds": holds_words(view.by_name[column["name"]].type, column["polars"], "WORD")}
    judged = rows.get("judgements" if opened.is_evaluation else "trajectories")
    found: Row = {
        "opened": described,
        "overview": None if opened.is_evaluation else overview_answer(opened, {}, stop),
        "evaluation": evaluation_answer(opened, {}, stop) if opened.is_evaluation else None,
        "failures": failures_among(opened, judged),
        "versions": versions_answer(opened, {}, stop),
        "changes": {},
    }
    known = [f"{one['name']}@{one['version']}" for one in found["versions"]["versions"] if "fault" not in one]
    place = known.index(opened.name) + 1 if opened.name in known else len(known)
    if place < len(known):
        changed = changes_answer(opened, {"old": known[place], "new": opened.name, "limit": str(MOST_ROWS)}, stop)
        here = {row[name] for of_table in tables.values() for row in of_table for name in row if name.endswith("_id")}
        changed["rows"] = [row for row in changed["rows"] if row["id"] in here]
        found["changes"][f"{known[place]}..{opened.name}"] = changed | {"total": len(changed["rows"])}
    return found | _of_sets(opened, tables)


def _of_sets(opened: Opened, tables: dict[str, list[Row]]) -> Row:
    """Return what is made of each set and each trajectory."""
    sets: dict[str, Row] = {}
    for row in tables.get("sets", ()):
        sets.setdefault(row["set_id"], row)
    samples: dict[str, list[Row]] = {}
    for row in tables.get("trajectories", ()):
        samples.setdefault(row["set_id"], []).append(row)
    recipe = opened.version.manifest.recipe
    return {
        "sets": {set_id: set_parts(row, samples.get(set_id, [])) for set_id, row in sets.items()},
        "trajectories": {
            row["trajectory_id"]: trajectory_parts(row, sets.get(set_id), of_set, recipe)
            for set_id, of_set in samples.items()
            for row in of_set
        },
    }


def _drawn(opened: Opened, n: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the numbers of the rows of each table that the copy holds."""
    drawn = np.random.default_rng(seed)
    if opened.is_evaluation:
        held = [name for name in ("judgements", "items") if name in opened.views]  # finished verdicts have no rows
        items = {name: _keys(opened.columns(name), ("benchmark", "item_id")) for name in held}
        chosen = _first_of(items[held[0]], n, drawn)
        yield from ((name, np.flatnonzero(np.isin(items[name], chosen))) for name in held)
        return
    sets = of_judged = np.zeros(0, object)
    if "trajectories" in opened.views:
        of_judged = _keys(opened.columns("trajectories"), ("set_id",))
        sets = _first_of(of_judged, n, drawn)
        yield "trajectories", np.flatnonzero(np.isin(of_judged, sets))
    if "sets" in opened.views:
        columns = opened.columns("sets")
        statuses, of_sets = columns.held("status"), _keys(columns, ("set_id",))
        assert isinstance(statuses, Codes)
        dropped = of_sets[statuses.codes == statuses.code("dropped")]
        few = drawn.permutation(np.setdiff1d(dropped, of_judged))[:_DROPPED]  # a duplicate has the id of a judged set
        sets = np.unique(np.concatenate([sets, few])) if len(few) else sets
        if not len(sets):
            sets = drawn.permutation(np.unique(of_sets))[:n]
        yield "sets", np.flatnonzero(np.isin(of_sets, sets))
    queries = _keys(opened.columns("sets"), ("query_id",))[np.isin(of_sets, sets)] if "sets" in opened.views else sets
    for name in opened.views.keys() - {"trajectories", "sets"}:
        columns = opened.columns(name)
        by = next(one for one in ("set_id", "extra_info.set_id", "query_id") if one in columns.view.by_name)
        wanted = queries if by == "query_id" else sets
        yield name, np.flatnonzero(np.isin(_keys(columns, (by,)), wanted))


def _first_of(keys: np.ndarray, n: int, drawn: np.random.Generator) -> np.ndarray:
    """Return so many different keys, in a drawn order, that about `n` rows have one of them."""
    different, counts = np.unique(keys, return_counts=True)
    order = drawn.permutation(len(different))
    enough = int(np.searchsorted(np.cumsum(counts[order]), n)) + 1
    return different[order[:enough]]


def _keys(columns: Columns, names: tuple[str, ...]) -> np.ndarray:
    """Return a text for each row, the same for rows with the same values of these columns."""
    parts = []
    for name in names:
        held = columns.held(name)
        if isinstance(held, Ids):
            parts.append(np.ascontiguousarray(held.halves).view("S16").ravel())
        else:
            assert isinstance(held, Codes | Numbers)
            parts.append(np.array([str(value).encode() for value in held.at(np.arange(columns.view.rows))]))
    if len(parts) == 1:
        return parts[0]
    return np.array([b"\0".join(part) for part in zip(*parts, strict=True)])


def _rows(opened: Opened, name: str, numbers: np.ndarray) -> list[Row]:
    columns = opened.columns(name)
    return columns.rows(numbers, list(columns.view.by_name))


def _ids_in(tables: dict[str, list[Row]], name: str) -> list[str]:
    found = {row.get(one) for rows in tables.values() for row in rows for one in (name, f"extra_info.{name}")}
    return sorted(filter(None, found))
