"""What is to be signed: a benchmark by name, a file, a folder or a hub data set, as the command names it."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.upkeep.signing.asking import Fields
from pipelines.upkeep.signing.known import KNOWN, KnownBenchmark, known_benchmark
from pipelines.upkeep.signing.rows import ENDINGS
from schemas.errors import RecipeError
from schemas.recipe import SourceSection

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Wanted(BaseModel):
    """What a signature is made of. The signature keeps it, so that it can be made anew."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    kind: str | None = None
    """The known benchmark that says how its files are read."""
    path: str | None = None
    """A file or folder of this machine; None for hub data sets."""
    hubs: tuple[str, ...] = ()
    fields: Fields = ()
    """The fields that ask, as the user named them; empty where known names are looked for."""
    revision: str | None = None
    """Commit, tag or branch, as the user named it."""
    embeddings: bool = False
    sha256: str = ""
    """Hash of the files that were signed; empty before."""

    @property
    def known(self) -> KnownBenchmark | None:
        return KNOWN.get(self.kind or "")

    @property
    def sections(self) -> list[SourceSection]:
        """Where its rows are, as a source says it: one section a data set."""
        if self.path is not None:
            return [SourceSection(kind=self.name, path=self.path, revision=self.revision)]
        revision = self.revision or (self.known.revision if self.known else None)
        return [SourceSection(kind=self.name, hub=hub, revision=revision) for hub in self.hubs]


def wanted_of(
    given: str,
    *,
    name: str | None = None,
    fields: Sequence[str] = (),
    revision: str | None = None,
    embeddings: bool = False,
) -> Wanted:
    """Return what a benchmark's name, a file, a folder or a hub id stands for. Raises RecipeError with the way out."""
    known, path, hubs = known_benchmark(given), None, tuple[str, ...]()
    is_here = Path(given).exists()
    is_path = is_here and ("/" in given or "." in given)  # a plain name is that of a benchmark, whatever lies here
    if known is not None and known.hubs and not is_path:
        hubs = known.hubs
    elif is_here:
        path = str(Path(given).absolute())
        known = known_benchmark(name or "") or known_benchmark(_slug(given))
    elif known is not None:
        raise RecipeError(f"{known.place_needed}; and say --name {known.name}")
    elif _HUB_ID.fullmatch(given) and not given.lower().endswith(ENDINGS):
        known, hubs = known_benchmark(name or ""), (given,)
    else:
        near = difflib.get_close_matches(given.casefold(), KNOWN, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known by name are {', '.join(KNOWN)}"
        raise RecipeError(f"{given!r} is no file or folder here, no hub id (owner/name) and no known benchmark; {hint}")
    called = known.name if known and known_benchmark(name or known.name) is known else name or _slug(given)
    if not name and known is None and called in KNOWN:  # another data set of the same last name
        called = _slug(given.replace("/", "_"))
    if not _NAME.fullmatch(called):
        raise RecipeError(
            f"{called!r} cannot name a benchmark: give --name of small letters, digits, - and _, at most 64 of them"
        )
    wanted = Wanted(
        name=called,
        kind=known.name if known else None,
        path=path,
        hubs=hubs,
        fields=tuple(fields),
        revision=revision,
        embeddings=embeddings,
    )
    try:
        _ = wanted.sections
    except ValidationError as error:
        raise RecipeError(f"{given!r}: {error.errors()[0]['msg']}") from None
    return wanted


def _slug(given: str) -> str:
    """Return a name made of the last part of a path or a hub id."""
    last = Path(given).name.casefold()
    ending = next((ending for ending in ENDINGS if last.endswith(ending)), "")
    return re.sub(r"[^a-z0-9_-]+", "_", last.removesuffix(ending)).strip("_-")
