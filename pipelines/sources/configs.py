"""Which files of a data set hold the rows of a configuration and a split, as `datasets` reads its card and its names.

`datasets` is shown the names of the files and the card, and reads no row: rows are read by `rows`, from the same files
and with the same ids, whether a configuration was named or not.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.sources.text import first_line
from schemas.errors import SourceError
from schemas.record import clean_text

CARDS = ("README.md", ".huggingface.yaml")
"""The files in which a data set says what its configurations are."""
_SHOWN = 24


def named_files(
    what: str, name: str, files: Iterable[str], card: Path, config: str | None, split: str | None
) -> tuple[str, ...]:
    """Return the names, sorted, of those `files` that hold a configuration's split, or all of its splits.

    `what` is the source as errors name it, `name` the last part of its id, `card` the directory of its card. Raises
    SourceError, with the names that there are: no such configuration or split, a script, no files of rows.
    """
    with tempfile.TemporaryDirectory() as place:
        # The names alone, as empty files: so the hub is asked once, and what is in the cache needs no hub.
        directory = Path(place, "files", clean_text(PurePosixPath(name).name) or "data").resolve()
        directory.mkdir(parents=True)
        for file in files:
            parts = PurePosixPath(file).parts
            if parts and parts[0] != "/" and ".." not in parts:
                path = directory.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        for one in CARDS:
            if (card / one).is_file():
                (directory / one).write_bytes((card / one).read_bytes())
        splits = _splits(what, directory, Path(place, "cache"), config)
        wanted = [part.strip() for part in split.split("+")] if split is not None else list(splits)
        for part in wanted:
            if part not in splits:
                slices = "; a part of one is taken by limit" if "[" in part else ""
                raise SourceError(f"{what}: no split {part!r}; there {_are(splits)}{slices}")
        found = {Path(path).resolve().relative_to(directory).as_posix() for part in wanted for path in splits[part]}
    return tuple(sorted(found))


def _splits(what: str, directory: Path, cache: Path, config: str | None) -> dict[str, list[str]]:
    """Return the paths of each split of a configuration; without one, of the data set's only or default one."""
    # Here and not above: it takes seconds, and most sources name no configuration.
    import datasets

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # its log holds paths of this machine
    choice: dict[str, Any] = {"name": config}
    try:
        names = datasets.get_dataset_config_names(str(directory))
        if config is not None and config not in names:
            if config in (".", "..") or not (directory / config).is_dir():
                folders = [path.name for path in directory.iterdir() if path.is_dir()] if names == ["default"] else []
                raise SourceError(f"{what}: no config {config!r}; there {_are([*names, *folders])}")
            choice = {"data_dir": config}  # a folder, where the card names none
        builder = datasets.load_dataset_builder(str(directory), cache_dir=str(cache), **choice)
    except RuntimeError:
        words = f"{what}: its rows are made by a script, which is not run; give files as path = '..'"
        raise SourceError(words) from None
    except FileNotFoundError:  # every error about missing files is one
        raise SourceError(f"{what}: no file of rows that `datasets` knows") from None
    except SourceError:
        raise
    except ValueError as error:
        if config is None and "Config name is missing" in str(error):
            raise SourceError(f"{what}: give config = '..'; there {_are(names)}") from None
        raise SourceError(f"{what}: `datasets` cannot read its card: {first_line(error)}") from None
    return {str(split): list(paths) for split, paths in (builder.config.data_files or {}).items()}


def _are(names: Iterable[str]) -> str:
    listed = sorted(names)
    words = ", ".join(clean_text(repr(name)) for name in listed[:_SHOWN])
    return f"{'is' if len(listed) == 1 else 'are'} {words or 'none'}{' and others' if len(listed) > _SHOWN else ''}"


def files_below(root: Path) -> list[str]:
    """Return the names, from `root`, of the files in it; hidden ones are left out, and links to directories too."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name).relative_to(root).as_posix() for name in names if not name.startswith(".")]
    return found
