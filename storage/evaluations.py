"""Published evaluations: immutable versions under a name, as snapshots are.

evaluations/<name>/<version>/     manifest.json, report.html, and the tables items, judgements, figures, credits
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from schemas.errors import StorageError
from schemas.evaluation_manifest import EvaluationManifest
from storage.files import check_version
from storage.root import Root
from storage.stages import damaged_files

FOLDER = "evaluations"


@dataclass(frozen=True)
class Evaluation:
    """One published version."""

    root: Root
    key: str
    """`evaluations/<name>/<version>`"""
    manifest: EvaluationManifest

    @property
    def location(self) -> str:
        """Where it is, as people find it: a path or an address."""
        return self.root.where(self.key)

    def files(self, table: str) -> list[Path]:
        """Return the files of a table; none where it has no rows."""
        entry = self.manifest.tables.get(table)
        return [self.root.at(f"{self.key}/{file.path}") for file in entry.files] if entry else []


def versions(root: Root, name: str) -> list[str]:
    """Return the whole versions of a name, oldest first."""
    folder = f"{FOLDER}/{name}"
    return sorted(version for version in root.folders(folder) if root.exists(f"{folder}/{version}/manifest.json"))


def unfinished(root: Root, name: str) -> list[str]:
    """Return the versions of a name that have no manifest, so that they are none."""
    folder = f"{FOLDER}/{name}"
    return [version for version in root.folders(folder) if not root.exists(f"{folder}/{version}/manifest.json")]


def remove_evaluation(root: Root, name: str, version: str) -> None:
    """Remove a version: its manifest first, so that half a removal leaves no version."""
    root.remove(f"{FOLDER}/{name}/{version}/manifest.json")
    root.remove_folder(f"{FOLDER}/{name}/{version}")


def retain_evaluations(root: Root, name: str, keep: int, in_use: Collection[str]) -> None:
    """Remove all but the newest `keep` versions of a name, and those in use."""
    there = versions(root, name)
    for version in there[: max(0, len(there) - keep)]:
        if version not in in_use:
            remove_evaluation(root, name, version)


def every_evaluation(root: Root) -> Iterator[Evaluation]:
    """Yield every whole version of every name. Raises StorageError for one that cannot be read."""
    for name in root.folders(FOLDER):
        yield from (evaluation_at(root, f"{FOLDER}/{name}/{version}") for version in versions(root, name))


def with_content(root: Root, name: str, content_hash: str) -> Evaluation | None:
    """Return the version of a name that holds just this content, if one does."""
    for version in reversed(versions(root, name)):
        if version.endswith(f"-{content_hash[:8]}"):
            found = evaluation_at(root, f"{FOLDER}/{name}/{version}")
            if found.manifest.content_hash == content_hash:
                return found
    return None


def publish_evaluation(
    root: Root, manifest: EvaluationManifest, data: Mapping[str, str], pages: Mapping[str, str]
) -> Evaluation:
    """Publish a version: data files by the keys they have now, then pages, the manifest last."""
    folder = f"{FOLDER}/{manifest.name}/{manifest.version}"
    for path, key in data.items():
        root.link(key, f"{folder}/{path}")
    for path, text in pages.items():
        root.write(f"{folder}/{path}", text.encode())
    root.write(f"{folder}/manifest.json", (manifest.model_dump_json(indent=1) + "\n").encode())
    return Evaluation(root, folder, manifest)


def heal_evaluation(evaluation: Evaluation, stage: str, pages: Mapping[str, Callable[[], str]]) -> list[str]:
    """Put back what of a version is gone or damaged, from the stage with its content; return what was put back."""
    root = evaluation.root
    healed = damaged_files(root, evaluation.key, evaluation.manifest.files())
    for path in healed:
        root.link(f"{stage}/{path}", f"{evaluation.key}/{path}")
    for path, page in pages.items():
        if not root.size(f"{evaluation.key}/{path}"):
            root.write(f"{evaluation.key}/{path}", page().encode())
            healed.append(path)
    return healed


def evaluation_at(root: Root, key: str) -> Evaluation:
    """Return the version at a key. Raises StorageError where there is none that can be read."""
    file = root.where(f"{key}/manifest.json")
    if not root.exists(f"{key}/manifest.json"):
        raise StorageError(f"{root.where(key)}: not an evaluation, it has no manifest.json")
    try:
        tree = orjson.loads(root.read(f"{key}/manifest.json"))
        if isinstance(tree, dict) and isinstance(tree.get("format"), int):
            check_version(tree["format"], file)
        return Evaluation(root, key, EvaluationManifest.model_validate(tree))
    except orjson.JSONDecodeError as error:
        raise StorageError(f"{file}: not a manifest: {error}; evaluate again, at no cost") from None
    except ValidationError as error:
        raise StorageError(f"{file}: no manifest of an evaluation: {error.errors()[0]['msg']}") from None


def find_evaluation(root: Root | None, given: str) -> Evaluation:
    """Return the evaluation that a user means: a directory, a name, or name@version.

    Raises StorageError that lists what there is.
    """
    directory = Path(given).absolute()
    if (directory / "manifest.json").is_file():
        return evaluation_at(Root(directory.parent), directory.name)
    if root is None or "/" in given:
        raise StorageError(f"{given}: no directory of an evaluation")
    name, _, version = given.partition("@")
    known = versions(root, name) if name else []
    matching = [one for one in known if one.startswith(version) or one.endswith(version)]
    if not matching or (version and len(matching) > 1):
        names = ", ".join(root.folders(FOLDER)) or "none yet"
        there = f"{name} has: {', '.join(known[-10:])}" if known else f"there are: {names}"
        raise StorageError(f"no evaluation {given!r} under {root.where()}; {there}")
    return evaluation_at(root, f"{FOLDER}/{name}/{matching[-1]}")
