"""The publication stage: assembled tables become an immutable version with its manifest, card, report and reward."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata, resources
from typing import Any

from pipelines.engines.asking import Product
from pipelines.judging.judging import Judged
from pipelines.judging.rewards_file import rewards_source
from pipelines.judging.verdicts import READER_VERSION
from pipelines.reporting.accounts import composition_of, contamination_of, funnel_of, inputs_of, uses_of
from pipelines.reporting.attention import no_row_for
from pipelines.reporting.report import card_of, report_of
from schemas.errors import DamagedError
from schemas.manifest import Manifest, TableEntry
from schemas.recipe import Recipe
from schemas.trajectory import Purpose
from storage.files import sha256_of
from storage.published import new_version
from storage.root import Root
from storage.snapshot_upkeep import heal
from storage.snapshots import FOLDER, Snapshot, latest, publish, set_latest, with_content
from storage.stages import Stage, lineage

_LATER_CHECKS = ("reviews",)
"""Checks that come after the tables: what people found when they looked at them."""


@dataclass(frozen=True)
class Published:
    """The result of a build."""

    snapshot: Snapshot
    new: bool
    """False where a version with the same content stood there already."""
    missing: tuple[str, ...]
    """Sets of the recipe that got no row; LATEST is not moved to such a version."""
    no_row: str
    """The missing sets in words, with the reason where it is known; empty where none is missing."""
    healed: tuple[str, ...] = ()
    """Files of a version with the same content that were gone or damaged, and were put back."""


def publish_snapshot(
    recipe: Recipe,
    root: Root,
    sources: Sequence[Product],
    curated: Stage,
    judged: Mapping[Purpose, Judged],
    assembled: Stage,
    checks: Mapping[str, Any],
    run_id: str,
) -> Published:
    """Publish the assembled tables, unless a version of the name holds the same content, which is healed where it
    lost any of it. LATEST stays where it is.

    `checks` are those of what may change while the tables stay the same, such as reviews: a version with other ones is
    not the same. Raises DamagedError where a file is not what assembly wrote.
    """
    tables = {
        name: TableEntry(rows=assembled.rows(name), files=list(files)) for name, files in assembled.tables.items()
    }
    missing = tuple(name for name in recipe.build.sets if f"{name}/train" not in tables)
    name = recipe.build.name
    snapshot = _same_version(root, name, assembled.content, checks)
    new = snapshot is None
    healed = [] if snapshot is None else _heal(snapshot, assembled)
    if snapshot is None:
        _check_files(assembled)
        stages = [source.stage for source in sources]
        inputs = inputs_of(stages, curated)
        version, created_at = _free_version(root, name, assembled.content)
        manifest = Manifest(
            name=name,
            version=version,
            content_hash=assembled.content,
            created_at=created_at,
            package_version=metadata.version("grmforge"),
            reader_version=READER_VERSION,
            seed=recipe.build.seed,
            recipe=recipe.resolved(),
            inputs=inputs,
            models=uses_of(recipe, root, sources, curated, list(judged.values()), run_id),
            funnel=funnel_of(inputs, stages, curated, assembled.facts["funnel"]),
            checks={
                **assembled.facts["checks"],
                **composition_of(stages),
                **contamination_of(recipe, root, curated),
                **checks,
            },
            stages=lineage([assembled, curated, *stages, *(samples.stage for samples in judged.values())]),
            tables=tables,
        )
        pages = {path: page(manifest, assembled) for path, page in _PAGES.items()}
        data = {file.path: f"{assembled.key}/{file.path}" for table in tables.values() for file in table.files}
        snapshot = publish(root, manifest, data, pages)
    no_row = no_row_for(missing, assembled.facts["checks"]) if missing else ""
    return Published(snapshot, new, missing, no_row, tuple(healed))


def _script(name: str, manifest: Manifest, assembled: Stage) -> str:
    """Return a script that trains on the snapshot that it lies in. It is the same in every snapshot."""
    return resources.files("pipelines.reporting.train").joinpath(name).read_text("utf-8")


_PAGES: Mapping[str, Callable[[Manifest, Stage], str]] = {
    "README.md": lambda manifest, _: card_of(manifest),
    "report.html": report_of,
    "rewards.py": lambda _, __: rewards_source(),
    **{
        f"train/{name}": partial(_script, name)
        for name in ("sft_trl.py", "grpo_trl.py", "grpo_verl.sh", "meta_rm.py", "reward_clients.py")
    },
}


def _same_version(root: Root, name: str, content: str, checks: Mapping[str, Any]) -> Snapshot | None:
    """Return the version of a name that holds this content and says the same of it; None where there is none."""
    snapshot = with_content(root, name, content)
    said = snapshot.manifest.checks if snapshot else {}
    return snapshot if all(said.get(check) == checks.get(check) for check in {*checks, *_LATER_CHECKS}) else None


def _free_version(root: Root, name: str, content: str) -> tuple[str, str]:
    """Return the name of a version published now, and when. One of the same content may be of this very second."""
    version, created_at = new_version(content)
    while root.exists(f"{FOLDER}/{name}/{version}/manifest.json"):
        time.sleep(0.1)
        version, created_at = new_version(content)
    return version, created_at


def _heal(snapshot: Snapshot, assembled: Stage) -> list[str]:
    """Put back what a version with this content lost, and return the paths. Raises DamagedError."""
    root = snapshot.root
    healed, lost = heal(snapshot, [assembled.key])
    if lost:
        raise DamagedError(f"{snapshot.location}/{lost[0]}: gone or damaged, and so is its stage; run again")
    for path in (path for path in _PAGES if not root.size(f"{snapshot.key}/{path}")):
        root.write(f"{snapshot.key}/{path}", _PAGES[path](snapshot.manifest, assembled).encode())
        healed.append(path)
    return healed


def make_latest(root: Root, published: Published) -> None:
    """Let LATEST name the published version, unless a set of the recipe is missing in it."""
    manifest = published.snapshot.manifest
    if not published.missing and latest(root, manifest.name) != manifest.version:
        set_latest(root, manifest.name, manifest.version)


def _check_files(assembled: Stage) -> None:
    """Raise DamagedError where a file has other bytes than its stage's manifest says."""
    for file in assembled.files():
        path = assembled.root.at(f"{assembled.key}/{file.path}")
        if sha256_of(path) != file.sha256:
            raise DamagedError(f"{path}: damaged, its hash is not what was written; remove it, and build again")
