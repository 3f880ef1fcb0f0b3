"""A source's files: a local path, or a data set of the Hugging Face hub at one commit."""

import contextlib
import glob
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipelines.sources.configs import CARDS, files_below, named_files
from schemas.errors import SourceError
from schemas.recipe import GeneralSection, SourceSection
from schemas.record import clean_text

_COMMIT = re.compile("[0-9a-f]{40}")

ANY_TABLE = "*.jsonl"
"""The pattern of kinds that read the rows of any table."""

ROWS_OF_ANY = (ANY_TABLE, *(f"*.jsonl.{packed}" for packed in ("gz", "bz2", "xz", "zst")), "*.ndjson", "*.parquet")
"""The files of a directory that such kinds read; other tables only where there is none of these."""

ROW_FILE = re.compile(r"\.(?:(?:jsonl|ndjson|json|csv|tsv)(?:\.(?:gz|bz2|xz|zst))?|parquet|arrow)$")
"""Endings of files that `rows` reads, in small letters."""

Place = SourceSection | GeneralSection
"""A section of the recipe that says where its rows are."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of one source, on local disk."""

    root: Path
    """Directory that their names start at."""
    paths: tuple[Path, ...]
    """The files, sorted by name."""
    revision: str
    """The hub's commit; for a local path the recipe's revision, else `sha256:` and 12 digits."""
    sha256: str
    """Hash of the files' names and contents."""
    origin: str
    """The hub id, or the local path's last part: never an absolute path."""

    def name(self, path: Path) -> str:
        """Return a file's name as locations and errors show it."""
        return clean_text(path.relative_to(self.root).as_posix())


def open_files(
    place: Place,
    default_hub: str,
    patterns: tuple[str, ...],
    directory: Path,
    *,
    endpoint: str | None = None,
    cache: Path | None = None,
) -> SourceFiles:
    """Return the local files of a source, downloaded from the hub unless the recipe names a path.

    `patterns` choose among the files of a directory or a hub data set; a path to a file is taken as it is. Where the
    section names a configuration or a split, or any table is read and none has the usual ending, `datasets` chooses.
    Relative paths start at `directory`, where the recipe stands. `endpoint` and `cache` are huggingface_hub's own
    unless given (HF_ENDPOINT, HF_HOME). Raises SourceError, one line, with the way out.
    """
    kind, hub = place.kind, place.hub or default_hub
    if place.path is not None:
        return _local_files(place, place.path, patterns, directory)
    if not hub:
        raise SourceError(f"{kind}: neither a path nor a hub id; give path = '..' or hub = '..' in the recipe")
    named = _named(place)
    with _hub_errors(place, hub):
        root = _snapshot(place, hub, CARDS if named else patterns, endpoint=endpoint, cache_dir=cache)
        is_there = _COMMIT.fullmatch(root.name) is not None  # the directory is named after the commit
        paths = () if named or not is_there or not root.is_dir() else _matching(kind, root, patterns)
        if named or (is_there and not paths and ANY_TABLE in patterns):
            names = _chosen(place, _at(place, hub), hub, _listed(hub, root, endpoint), root)
            wanted = (*CARDS, *map(glob.escape, names))
            _snapshot(place, hub, wanted, root.name, endpoint=endpoint, cache_dir=cache)
            paths = tuple(root / name for name in names)
    if not paths:
        raise SourceError(f"{_at(place, hub)} on the hub has no file that matches {', '.join(patterns)}")
    return SourceFiles(root, paths, root.name, _sha256(kind, root, paths), hub)


def first_files(
    place: Place, default_hub: str, patterns: tuple[str, ...], directory: Path, most: int
) -> tuple[SourceFiles, bool]:
    """Return as many of a source's files as are needed to look at it, and whether these are all.

    Of a hub data set those are downloaded that have up to `most` bytes together, in the order of their names; the
    smallest one where each has more. Raises SourceError, as `open_files` does.
    """
    hub = place.hub or default_hub
    if place.path is not None or not hub:
        return open_files(place, default_hub, patterns, directory), True
    names = names_on_the_hub(place, default_hub)
    sizes = _sizes_on_hub(place, hub, tuple(map(glob.escape, names)) or patterns)
    if not sizes:
        return open_files(place, default_hub, patterns, directory), True
    chosen: list[str] = []
    for name in sorted(sizes):
        if sum(map(sizes.__getitem__, chosen)) + sizes[name] <= most:
            chosen.append(name)
    chosen = chosen or [min(sizes, key=lambda name: (sizes[name], name))]
    with _hub_errors(place, hub):
        # Brackets in a name would stand for something else in a pattern.
        root = _snapshot(place, hub, tuple(map(glob.escape, chosen)))
    paths = tuple(root / name for name in chosen)
    return SourceFiles(root, paths, root.name, "", hub), len(chosen) == len(sizes)


def _sizes_on_hub(place: Place, hub: str, patterns: tuple[str, ...]) -> dict[str, int]:
    """Return the bytes of the hub's files that these patterns choose, by name. Nothing is downloaded."""
    with _hub_errors(place, hub):
        from huggingface_hub import HfApi

        tree = list(HfApi().list_repo_tree(hub, repo_type="dataset", revision=place.revision, recursive=True))
    return {
        entry.path: entry.size
        for entry in tree
        if hasattr(entry, "size")  # a folder has none
        and not any(part.startswith(".") for part in entry.path.split("/"))
        and any(fnmatchcase(entry.path, pattern) for pattern in patterns)
    }


def names_on_the_hub(place: Place, default_hub: str) -> tuple[str, ...]:
    """Return the names of the files of a section's configuration and split; none where it names neither.

    Only the card is downloaded. Raises SourceError, as `open_files` does.
    """
    hub = place.hub or default_hub
    if _named(place) is None:
        return ()
    with _hub_errors(place, hub):
        card = _snapshot(place, hub, CARDS)
        return _chosen(place, _at(place, hub), hub, _listed(hub, card, None), card)


def is_here(place: Place, default_hub: str, patterns: tuple[str, ...], *, cache: Path | None = None) -> bool:
    """Say whether a source can be read without a download. A wrong place counts as here: reading it tells why."""
    hub = place.hub or default_hub
    if place.path is not None or not hub:
        return True
    from huggingface_hub.errors import HFValidationError, IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        if _named(place) is None:
            root = _snapshot(place, hub, patterns, cache_dir=cache, local_files_only=True)
            return bool(_matching(hub, root, patterns))
        root = _snapshot(place, hub, CARDS, cache_dir=cache, local_files_only=True)
        return all((root / name).is_file() for name in _chosen(place, hub, hub, _listed(hub, root, None), root))
    except (HFValidationError, SourceError):
        return True
    except (IncompleteSnapshotError, LocalEntryNotFoundError):
        return False


def _named(place: Place) -> tuple[str | None, str | None] | None:
    """Return the configuration and the split that a section names; None where it names neither."""
    named = getattr(place, "config", None), getattr(place, "split", None)  # a benchmark's section has no such keys
    return None if named == (None, None) else named


def _chosen(place: Place, what: str, name: str, files: list[str], card: Path) -> tuple[str, ...]:
    """Return the files that `datasets` chooses; where a section names nothing, those with rows and no others."""
    named = _named(place)
    if named is None:
        files = [file for file in files if ROW_FILE.search(file.lower())]
        return named_files(what, name, files, card, None, None) if files else ()
    return named_files(what, name, files, card, *named)


def _snapshot(place: Place, hub: str, patterns: tuple[str, ...], commit: str | None = None, **options: Any) -> Path:
    """Return the directory of the data set's files at one commit, downloaded where they are not in the cache."""
    from huggingface_hub import snapshot_download

    revision, allowed = commit or place.revision, list(patterns)
    return Path(snapshot_download(hub, repo_type="dataset", revision=revision, allow_patterns=allowed, **options))


def _listed(hub: str, root: Path, endpoint: str | None) -> list[str]:
    """Return the names of a data set's files at a commit; where the hub cannot be reached, as the cache has them."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:  # what `snapshot_download` has just noted of the commit
        return list(json.loads((root.parents[1] / "trees" / f"{root.name}.json").read_bytes())["files"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    try:
        return HfApi(endpoint=endpoint).list_repo_files(hub, revision=root.name, repo_type="dataset")
    except (OfflineModeIsEnabled, httpx2.TransportError):
        return files_below(root)


def _local_files(place: Place, given: str, patterns: tuple[str, ...], directory: Path) -> SourceFiles:
    kind, revision, named = place.kind, place.revision, _named(place)
    path = Path(directory, given)
    try:
        if path.is_dir():
            root, paths = path, () if named else _matching(kind, path, patterns)
            if named or (not paths and ANY_TABLE in patterns):
                names = _chosen(place, f"{kind}: {given}", path.resolve().name, files_below(path), path)
                paths = tuple(root / name for name in names)
            if not paths:
                raise SourceError(f"{kind}: {given} has no file that matches {', '.join(patterns)}")
        elif path.is_file():
            if named:
                raise SourceError(f"{kind}: {given} is a file; config and split choose among files: leave them out")
            root, paths = path.parent, (path,)
        elif path.exists():  # a pipe or a device: reading it may never end
            raise SourceError(f"{kind}: {given}: not a regular file; write its rows to one")
        else:
            raise SourceError(f"{kind}: {given}: no such file or directory (paths start where the recipe stands)")
    except OSError as error:
        raise SourceError(f"{kind}: {given} cannot be read: {error.strerror}") from None
    digest = _sha256(kind, root, paths)
    return SourceFiles(root, paths, revision or f"sha256:{digest[:12]}", digest, clean_text(path.resolve().name))


def _matching(kind: str, root: Path, patterns: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files under `root` whose name, from there, matches a pattern (`*` also matches `/`).

    Hidden files are left out. Raises SourceError for what has such a name and holds no rows that can be read: a link
    to nothing, a pipe, a device, a directory without such files. A link to a directory is not followed: it may lead
    back.
    """
    names: dict[str, Path] = {}
    folders: list[str] = []
    doubtful: list[str] = []
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        name = relative.as_posix()
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_dir() and path.is_symlink():
            doubtful.append(f"{name} is a link to a directory")
        elif any(fnmatchcase(name, pattern) for pattern in patterns):
            if path.is_file():
                names[name] = path
            elif path.is_dir():
                folders.append(name)
            else:
                doubtful.append(f"{name} is {'a link to nothing' if path.is_symlink() else 'no regular file'}")
    empty = (folder for folder in folders if not any(name.startswith(f"{folder}/") for name in names))
    doubtful += [f"{folder} is a directory without such files" for folder in empty]
    if doubtful:
        others = f" (and {len(doubtful) - 1} more such)" if len(doubtful) > 1 else ""
        raise SourceError(f"{kind}: {clean_text(min(doubtful))}{others}; put a file in its place, or remove it")
    return tuple(names[name] for name in sorted(names))


def _sha256(kind: str, root: Path, paths: tuple[Path, ...]) -> str:
    """Return the hash of the files' names, sizes and contents, read in blocks."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            digest.update(f"{name}\0{path.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        except OSError as error:
            raise SourceError(f"{kind}: {name} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def newest_commit(place: Place, default_hub: str) -> str | None:
    """Return the newest commit of a source, from the hub itself and not the cache; None for a local path.

    A revision that is a commit stays what it is. Raises SourceError, as `open_files` does.
    """
    hub, revision = place.hub or default_hub, place.revision
    if place.path is not None or not hub:
        return None
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    with _hub_errors(place, hub):
        from huggingface_hub import HfApi

        commit = HfApi().dataset_info(hub, revision=revision or "main").sha
    return str(commit) if commit else None


def _at(place: Place, hub: str) -> str:
    return f"{place.kind}: {hub}" + (f"@{place.revision}" if place.revision else "")


@contextlib.contextmanager
def _hub_errors(place: Place, hub: str) -> Iterator[None]:
    """Turn the hub's errors into a SourceError that names the data set and the way out."""
    # Here and not above: it takes half a second, and a build of local files never needs it.
    import httpx2
    from huggingface_hub import errors

    local = "or give a local copy as path = '..'"
    try:
        yield
    except errors.GatedRepoError:
        words = f" is gated: accept its terms on the hub and set HF_TOKEN, {local}"
    except errors.RepositoryNotFoundError:
        words = f": no such data set on the hub, or a private one: mend its id, set HF_TOKEN, {local}"
    except errors.RevisionNotFoundError:
        words = f": no such revision; give a commit, tag or branch of {hub}"
    except errors.HFValidationError:
        words = f": not a hub id; write it as 'owner/name', {local}"
    except (
        errors.IncompleteSnapshotError,
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        httpx2.TransportError,
    ):
        words = (
            ": the hub cannot be reached, or broke off, and the cache does not hold it: check the network, HF_ENDPOINT "
            f"and HF_HUB_OFFLINE, {local}"
        )
    except errors.HfHubHTTPError as error:
        words = f": the hub answered {error.response.status_code}: check HF_TOKEN or try again later, {local}"
    except OSError as error:
        words = f": cannot be stored in the hub's cache: {error.strerror or error}; see HF_HOME"
    else:
        return
    raise SourceError(_at(place, hub) + words) from None
