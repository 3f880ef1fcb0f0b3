"""What a build would read: exact where the rows are here, at most as many as were published where they are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.build import prepare
from pipelines.engines.answering import Run
from pipelines.reporting.funnel import inputs_of
from pipelines.sources import general
from pipelines.sources.files import is_here
from pipelines.sources.registry import SOURCES
from schemas.recipe import Recipe, SourceSection
from storage.root import Root
from storage.stages import Stage


@dataclass(frozen=True)
class InputPlan:
    """What one source would give."""

    source: str
    rows: int | None
    """Exact where the source is here, else the published number; None where nobody knows."""
    kept: int | None = None
    dropped: int | None = None
    unreadable: int | None = None
    """None where the rows are not here."""

    @property
    def is_exact(self) -> bool:
        return self.kept is not None

    def line(self) -> str:
        """Return it as a row of the plan's table."""
        if not self.is_exact:
            at_most = (
                "rows unknown" if self.rows is None else f"at most {self.rows:,} rows, by published size and limit"
            )
            return f"  {self.source:<24} not downloaded: {at_most}"
        return (
            f"  {self.source:<24} {self.rows:>9,} rows   {self.kept:>9,} kept   {self.dropped:>7,} dropped   "
            f"{self.unreadable:>5,} unreadable"
        )


@dataclass(frozen=True)
class Inputs:
    """All that a build would read, as far as it is here."""

    plans: tuple[InputPlan, ...]
    curated: Stage | None
    """The curated sets of the sources that are here; None where none is."""
    absent: tuple[SourceSection, ...]
    """Sources that would have to be downloaded first."""
    is_exact: bool
    """Whether everything is here, general rows included: they, too, decide what is a duplicate and in which split."""


def plan_inputs(recipe: Recipe, root: Root, run: Run, *, download: bool) -> Inputs:
    """Read and curate the sources that are here, or all of them where a download is wanted; no model is called."""
    absent = () if download else tuple(section for section in recipe.sources if not _is_here(section))
    has_general = recipe.general is None or download
    if recipe.general is not None and not has_general:
        has_general = is_here(recipe.general, general.HUB, general.PATTERNS)
    plans = {section.source: InputPlan(section.source, published_rows(section)) for section in absent}
    curated = None
    present = tuple(section for section in recipe.sources if section not in absent)
    if present:
        readable = {"sources": present} | ({} if has_general else {"general": None})
        sources, curated = prepare(recipe.model_copy(update=readable), root, run)
        for one in inputs_of([source.stage for source in sources], curated):
            plans[one.source] = InputPlan(one.source, one.rows, one.kept, one.dropped, one.unreadable)
    in_order = [plans[section.source] for section in recipe.sources]
    if not has_general:
        in_order.append(InputPlan("general", None))
    return Inputs(tuple(in_order), curated, absent, has_general and not absent)


def published_rows(section: SourceSection) -> int | None:
    """Return how many rows a source has at most, without reading it."""
    rows = None if section.hub else SOURCES[section.kind].rows
    bounds = [bound for bound in (rows, section.limit) if bound is not None]
    return min(bounds) if bounds else None


def absent_rows(sections: Sequence[SourceSection]) -> list[tuple[SourceSection, int]]:
    """Return the sources whose size is known, with it."""
    known = [(section, published_rows(section)) for section in sections]
    return [(section, rows) for section, rows in known if rows is not None]


def _is_here(section: SourceSection) -> bool:
    facts = SOURCES[section.kind]
    return is_here(section, facts.hub, facts.patterns)
