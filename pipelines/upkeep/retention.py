"""Retention: which versions of a name are removed after a refresh. Answers, stages and rubrics are never touched."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

from storage.root import Root
from storage.snapshot_upkeep import pins, remove_comparisons, remove_version, sweep
from storage.snapshots import latest, versions

LEFT_AFTER = timedelta(days=1)
"""A version without a manifest that is older than this is nobody's work any more."""


def retain(root: Root, name: str, keep: int, in_use: AbstractSet[str] = frozenset()) -> list[str]:
    """Remove what need not be kept of a name, and return the versions that were removed, oldest first.

    Kept are the newest `keep`, the pinned ones, LATEST, and those in use. What a killed publication or removal left
    behind is swept a day later. Raises StorageError; the next call goes on from there.
    """
    there = versions(root, name)
    kept = {*there[-keep:], *pins(root, name), latest(root, name), *in_use}
    removed = [version for version in there if version not in kept and remove_version(root, name, version)]
    remove_comparisons(root, name, removed)
    sweep(root, name, datetime.now(UTC) - LEFT_AFTER)
    return removed
