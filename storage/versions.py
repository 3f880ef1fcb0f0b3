"""A published version of either kind, as a user names it: a snapshot or an evaluation."""

from pathlib import Path

import orjson

from schemas.errors import StorageError
from storage import evaluations, snapshots
from storage.evaluations import Evaluation, find_evaluation
from storage.root import Root
from storage.snapshots import Snapshot, find_snapshot

_OF_EVALUATION = "judge_name"
"""A key that every manifest of an evaluation has, and no manifest of a snapshot."""


def find_version(root: Root | None, given: str) -> Snapshot | Evaluation:
    """Return the version that a user means: a directory, a name, or name@version.

    Raises StorageError that lists what there is, and for a name that is both.
    """
    directory = Path(given)
    if (directory / "manifest.json").is_file():
        return find_evaluation(root, given) if _is_evaluation(directory) else find_snapshot(root, given)
    if root is None or "/" in given:
        return find_snapshot(root, given)
    name, _, version = given.partition("@")
    of_name = [snapshots.versions(root, name), evaluations.versions(root, name)] if name else [[], []]
    in_snapshots, in_evaluations = (
        [one for one in known if one.startswith(version) or one.endswith(version)] for known in of_name
    )
    if in_snapshots and in_evaluations:
        raise StorageError(
            f"{given!r} is both a snapshot and an evaluation; give a version: {name}@{in_snapshots[-1]} is a snapshot, "
            f"{name}@{in_evaluations[-1]} an evaluation"
        )
    if in_evaluations or (of_name[1] and not of_name[0]):
        return find_evaluation(root, given)
    try:
        return find_snapshot(root, given)
    except StorageError as error:
        names = root.folders(evaluations.FOLDER)
        raise StorageError(f"{error}; evaluations: {', '.join(names)}" if names else str(error)) from None


def _is_evaluation(directory: Path) -> bool:
    try:
        tree = orjson.loads((directory / "manifest.json").read_bytes())
    except orjson.JSONDecodeError:
        return False  # whichever it was: reading it says what is wrong
    return isinstance(tree, dict) and _OF_EVALUATION in tree
