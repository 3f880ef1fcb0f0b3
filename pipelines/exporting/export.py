"""An export: a snapshot's training sets in a folder that one trainer reads as it is."""

import difflib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from pipelines.exporting.leaving_out import REASONS, reasons_of
from pipelines.exporting.lengths import RowLengths, Tokenizer, lengths_of
from pipelines.exporting.reading import SCHEMAS, SPLITS, batches
from pipelines.exporting.trainer import Part, Trainer, TrainOn, limit_above
from pipelines.exporting.writing import data_file
from pipelines.reporting.pages import page
from schemas.errors import RecipeError, StorageError
from storage.snapshots import Snapshot

_FILES = "pipelines.exporting.files"
_TRL_SCRIPTS = {"rft": "sft_trl.py", "traces": "sft_trl.py", "rl": "grpo_trl.py", "meta_rm": "meta_rm.py"}
_WAYS = {
    "tokenizer": "counted by the given tokenizer with its chat template",
    "endpoint": "as the judge's endpoint counted them, and a quarter more for another tokenizer",
    "estimate": "an estimate, a token for every four bytes of text, and as much again for what it may miss; "
    "--tokenizer counts exactly",
}


@dataclass(frozen=True)
class Export:
    """What was written for a trainer, and what was not."""

    trainer: Trainer
    out: Path
    parts: Mapping[str, Part]
    """By training set."""
    without: Mapping[str, str]
    """Sets of the snapshot that the trainer has no use for, and why."""

    def as_json(self) -> dict[str, Any]:
        sets = {name: asdict(part) for name, part in self.parts.items()}
        return {"trainer": self.trainer.name, "release": self.trainer.release, "sets": sets, "without": self.without}


def export(
    snapshot: Snapshot,
    trainer: Trainer,
    out: Path,
    *,
    sets: Sequence[str] | None = None,
    train_on: TrainOn = "answer",
    max_tokens: int | None = None,
    tokenizer: Tokenizer | None = None,
) -> Export:
    """Write a snapshot's training sets for a trainer into a folder, which appears when it is whole.

    Raises RecipeError for a set that the snapshot or the trainer lacks, and for a folder that holds anything.
    """
    names, without = chosen_sets(snapshot, trainer, sets)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RecipeError(f"--out {out}: is not empty; name another folder, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise StorageError(f"--out {out}: cannot be made ({error.strerror})") from None
    try:
        parts = {name: _written(snapshot, trainer, name, place, train_on, max_tokens, tokenizer) for name in names}
        done = Export(trainer, out, parts, without)
        _write_files(done, snapshot, place, {"train_on": train_on, "max_tokens": max_tokens})
        place.chmod(0o755)
        place.replace(out)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return done


def chosen_sets(snapshot: Snapshot, trainer: Trainer, sets: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """Return the sets to export, and those of the snapshot that the trainer does not read, with the reason.

    Raises RecipeError where one is asked for that cannot be had, or where nothing is left.
    """
    there = [name for name in SCHEMAS if any(f"{name}/{split}" in snapshot.manifest.tables for split in SPLITS)]
    of = f"{snapshot.manifest.name}@{snapshot.manifest.version}"
    for name in sets or ():
        if name not in SCHEMAS:
            near = difflib.get_close_matches(name, SCHEMAS, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]}? " if near else ""
            raise RecipeError(f"--sets {name}: no such set; {meant}there are {', '.join(SCHEMAS)}")
        if name not in there:
            raise RecipeError(f"--sets {name}: {of} has no rows of it; it has: {', '.join(there) or 'none'}")
        if name not in trainer.layouts:
            raise RecipeError(f"--sets {name}: {trainer.name} does not read it: {trainer.without[name]}")
    names = [name for name in SCHEMAS if name in (sets or there) and name in trainer.layouts]
    if not names:
        raise RecipeError(f"{of} has no set that {trainer.name} reads; it has: {', '.join(there) or 'none'}")
    return names, {name: trainer.without[name] for name in there if name not in trainer.layouts}


def _written(
    snapshot: Snapshot,
    trainer: Trainer,
    name: str,
    place: Path,
    train_on: TrainOn,
    max_tokens: int | None,
    tokenizer: Tokenizer | None,
) -> Part:
    """Write the files of one set, and return what there is to say of them."""
    layout, part = trainer.layouts[name], Part()
    left_out: Counter[str] = Counter()
    counted: Counter[Any] = Counter()
    for split in SPLITS:
        path = f"{name}/{split}.{layout.form}"
        with data_file(place / path) as file:
            for rows in batches(snapshot, name, split, train_on):
                lengths = lengths_of(name, rows, tokenizer)
                reasons = reasons_of(trainer, name, rows, lengths, max_tokens)
                left_out.update(reasons.drop_null().to_pylist())
                stays = pc.is_null(reasons)
                kept, rows = (
                    RowLengths(*(values[stays.to_numpy(zero_copy_only=False)] for values in lengths)),
                    rows.filter(stays),
                )
                if rows.num_rows:
                    _note_lengths(part, kept, layout.usual)
                    counted.update(kept.counted.tolist())
                    part.without_thoughts += _without_thoughts(rows)
                    file.write(layout.shape(rows))
        if file.rows:
            part.files[split], part.rows[split] = path, file.rows
    part.prompt_limit, part.whole_limit = limit_above(part.prompt_limit), limit_above(part.whole_limit)
    part.left_out, part.counted = (
        {word: left_out[word] for word in REASONS if left_out[word]},
        dict(sorted(counted.items())),
    )
    if "train" not in part.files:
        why = ", ".join(REASONS[word] for word in part.left_out)
        way_out = "name other --sets, or allow what was left out"
        raise RecipeError(f"{name}: no row is left to train on, of {left_out.total():,}: {why}; {way_out}")
    return part


def _note_lengths(part: Part, lengths: RowLengths, usual: int | None) -> None:
    """Take the lengths of some rows into account. In rl the answer is not there yet: the whole row is its prompt."""
    part.prompt_limit = max(part.prompt_limit, int(lengths.with_room(lengths.prompt).max()))
    part.whole_limit = max(part.whole_limit, int(lengths.with_room(lengths.whole).max()))
    if usual is not None:
        part.over_usual += int(np.count_nonzero(lengths.whole > usual))


def _without_thoughts(rows: pa.Table) -> int:
    return int(pc.sum(pc.invert(rows["has_thoughts"])).as_py()) if "has_thoughts" in rows.column_names else 0


def _write_files(done: Export, snapshot: Snapshot, place: Path, options: dict[str, Any]) -> None:
    """Write what stands beside the data: scripts and configs, the reward, the check, the README."""
    manifest = snapshot.manifest
    facts = {"snapshot": f"{manifest.name}@{manifest.version}", "content_hash": manifest.content_hash}
    (place / "export.json").write_bytes(
        orjson.dumps(facts | options | done.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    values = {
        **_values(done.parts),
        "name": Markup(manifest.name),
        "answer_tokens": manifest.recipe["grm"]["max_tokens"],
    }
    for name, text in _texts(done, values):
        _put(place / name, text)
    if "rl" in done.parts:
        _put(place / "rewards.py", snapshot.root.read(f"{snapshot.key}/rewards.py").decode())
    shown = {
        "done": done,
        "manifest": manifest,
        "reasons": REASONS,
        "ways": _WAYS,
        "train_on": Markup(options["train_on"]),
    }
    _put(place / "README.md", page("README.md", shown, _FILES))


def _texts(done: Export, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each script, config and check. One that is blank is for sets that are not here."""
    folder = resources.files(_FILES)
    for file in sorted(one.name for one in folder.iterdir()):
        trainer, _, rest = file.partition(".")
        part, _, name = rest.partition(".")
        if trainer != done.trainer.name or part not in ("all", *done.parts):
            continue
        if name.endswith(".py"):
            yield ("check/check.py" if name == "check.py" else name), (folder / file).read_text("utf-8")
        elif text := page(file, values, _FILES).strip():
            yield name, f"{text}\n"
    yield "check/comparing.py", (folder / "all.comparing.py").read_text("utf-8")
    if done.trainer.name == "trl":  # its scripts are those of the snapshot
        for script in {_TRL_SCRIPTS[name] for name in done.parts if name in _TRL_SCRIPTS}:
            yield f"train/{script}", resources.files("pipelines.reporting.train").joinpath(script).read_text("utf-8")


def _values(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return what templates are given: a Part or None by set, and both sets of SFT together as `sft`."""
    both = {name: parts[name] for name in ("rft", "traces") if name in parts}
    files = {split: [part.files[split] for part in both.values() if split in part.files] for split in SPLITS}
    sft: dict[str, Any] = {split: Markup(" ".join(paths)) for split, paths in files.items()}
    sft |= {f"{split}_list": Markup(",".join(paths)) for split, paths in files.items()}
    sft |= {f"{split}_names": Markup(",".join(map(_entry_name, paths))) for split, paths in files.items()}
    sft |= {"rows": sum(part.rows.get("train", 0) for part in both.values())}
    sft |= {"limit": max((part.whole_limit for part in both.values()), default=0)}
    sft |= {"folders": Markup(",".join(both)), "splits": Markup(",".join("train" for _ in both))}
    entries = [
        {"name": Markup(_entry_name(file)), "file": Markup(file), "is_pairs": name == "pairs"}
        for name, part in parts.items()
        for file in part.files.values()
    ]
    given = {name: parts.get(name) for name in SCHEMAS}
    return given | {"sft": sft if both else None, "entries": entries}


def _entry_name(file: str) -> str:
    return file.rpartition(".")[0].replace("/", "_")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    if path.suffix == ".sh":
        path.chmod(0o755)
