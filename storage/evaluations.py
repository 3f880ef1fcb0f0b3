"""Published evaluations: immutable versions under a name, as snapshots are.

evaluations/<name>/<version>/     manifest.json, report.html, and the tables items, judgements, figures, credits
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from schemas.errors import StorageError
from schemas.evaluation_manifest import EvaluationManifest
from storage.published import Published, manifest_at, publish_files, version_with_content, whole_versions
from storage.root import Root
from storage.stages import damaged_files

FOLDER = "evaluations"
_LISTED = 10
"""Versions that an error lists, the newest ones."""


class Evaluation(Published[EvaluationManifest]):
    """One published version; its key is `evaluations/<name>/<version>`."""


def versions(root: Root, name: str) -> list[str]:
    """Return the whole versions of a name, oldest first; those of one second by what their manifests say."""
    return whole_versions(root, f"{FOLDER}/{name}", evaluation_at)


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
    return version_with_content(root, f"{FOLDER}/{name}", content_hash, evaluation_at)


def publish_evaluation(
    root: Root, manifest: EvaluationManifest, data: Mapping[str, str], pages: Mapping[str, str]
) -> Evaluation:
    """Publish a version, as `publish_files` says. Raises StorageError where a file is gone by then."""
    folder = f"{FOLDER}/{manifest.name}/{manifest.version}"
    publish_files(root, folder, manifest, data, pages)
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
    return Evaluation(root, key, manifest_at(root, key, EvaluationManifest, "an evaluation"))


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
    if version and len(matching) > 1:
        listed = ", ".join(matching[-_LISTED:])
        raise StorageError(f"{version!r} fits {len(matching)} versions of {name}; give more of one: {listed}")
    if not matching:
        names = ", ".join(root.folders(FOLDER)) or "none yet"
        there = f"{name} has: {', '.join(known[-_LISTED:])}" if known else f"there are: {names}"
        raise StorageError(f"no evaluation {given!r} under {root.where()}; {there}")
    return evaluation_at(root, f"{FOLDER}/{name}/{matching[-1]}")
