"""A refresh: what a nightly run does, as plain functions. The command and the flow both walk it.

    newest revisions, those of signed benchmarks too -> rubrics -> build -> publish -> evaluate the judge, if wanted
    -> compare with LATEST -> guards -> LATEST moves -> retention

Whoever refreshes holds the lease of the name, and shows it before publishing and before moving LATEST. Builds need no
lease: versions are immutable, and if a build moves LATEST meanwhile, the refresh compares anew before it moves it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.engines.answering import Run
from pipelines.reporting.acceptance import BEFORE_TRAINING, attention_sentences
from pipelines.reporting.attention import missing_sets, no_row_for
from pipelines.reporting.comparing import compare
from pipelines.reporting.comparison import markdown_of
from pipelines.reporting.publication import Published
from pipelines.reporting.visible import markdown_line
from pipelines.sources import general
from pipelines.sources.files import newest_commit
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from pipelines.steps import build_rubrics, publish, steps_of
from pipelines.upkeep.guards import tripped
from pipelines.upkeep.judge_guard import judge_reasons
from pipelines.upkeep.signing.signing import renew_signatures
from pipelines.walk import walked
from schemas.comparison import Comparison
from schemas.errors import ForgeError, RecipeError, SourceError, StorageError
from schemas.recipe import GeneralSection, Recipe, SourceSection
from schemas.record import canonical_json
from storage.leases import Holder, Lease, key_of, take
from storage.root import Root
from storage.snapshot_upkeep import heal, retain, write_comparison
from storage.snapshots import FOLDER, Snapshot, find_snapshot, latest, move_latest, set_latest


@dataclass(frozen=True)
class Refreshed:
    """The result of a refresh."""

    published: Published
    before: str | None
    """The version that LATEST named; None on the first night."""
    comparison: Comparison | None
    """None where there was nothing to compare with, or LATEST already has this content."""
    tripped: tuple[str, ...]
    """Why guards hold LATEST back, a sentence each."""
    removed: tuple[str, ...]
    """Versions that retention removed."""
    root_flag: str = ""
    """What printed commands end with where the root is not the usual one, such as " --root slow"."""

    @property
    def version(self) -> str:
        return self.published.snapshot.manifest.version

    @property
    def name(self) -> str:
        return self.published.snapshot.manifest.name

    def verdict(self) -> str:
        """Return in a line what became of LATEST."""
        what = "published" if self.published.new else "nothing new to publish: the content is that of"
        outcome = f"{what} {self.name}@{self.version}"
        if self.before == self.version:
            return f"{outcome}, which LATEST names already"
        if self.tripped or self.published.missing:
            stays = f"stays at {self.before}" if self.before else "names no version yet"
            return f"{outcome}; LATEST {stays}"
        compared = f"was {self.before}" if self.before else "there was none before, and nothing to compare with"
        return f"{outcome}; LATEST names it now ({compared})"

    def page(self) -> str:
        """Return, as Markdown, what became of LATEST, what to look at before training, and the comparison."""
        snapshot = self.published.snapshot
        parts = [markdown_line(self.verdict())]
        if self.tripped:
            parts += ["LATEST is held back:", _listed(self.tripped)]
        if sentences := attention_sentences(snapshot.manifest, snapshot):
            parts += [BEFORE_TRAINING, _listed(sentences)]
        if self.comparison is not None:
            parts.append(markdown_of(self.comparison))
        return "\n\n".join(parts)

    def check(self) -> None:
        """Raise ForgeError where LATEST was held back, with the reasons and the way out."""
        if self.published.missing:
            raise ForgeError(f"{self.published.no_row}: LATEST was not moved to {self.name}@{self.version}")
        if self.tripped:
            raise ForgeError(
                f"LATEST is held back at {self.before}: {'; '.join(self.tripped)}. {self.name}@{self.version} is "
                f"published: look at it (grmforge compare {self.name}@{self.before} {self.name}@{self.version}"
                f"{self.root_flag}), and accept it with grmforge promote {self.name}@{self.version}{self.root_flag}"
            )

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "new": self.published.new,
            "before": self.before,
            "latest": self.before if self.tripped or self.published.missing else self.version,
            "missing": self.published.missing,
            "tripped": self.tripped,
            "removed": self.removed,
            "comparison": self.comparison.as_json() if self.comparison else None,
        }


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_line(sentence)}" for sentence in sentences)


def take_lease(recipe: Recipe, root: Root, run_id: str, say: Callable[[str], None]) -> Lease | Holder:
    """Return the lease of the recipe's name, or who refreshes it now. Raises StorageError."""
    name = recipe.build.name

    def watching(seconds: float, holder: Holder | None) -> None:
        if holder is None:
            say(f"{root.where(key_of(name))}: a damaged lease: watching it for {seconds:.0f} s, then it is taken over")
        else:
            say(f"an earlier refresh of {name} seems to have died: watching its lease for {seconds:.0f} s")

    return take(root, name, run_id, recipe.refresh.lease_s, watching=watching)


def skipped(recipe: Recipe, holder: Holder) -> str:
    """Return in a line why a refresh ends before it has begun."""
    return (
        f"another refresh of {recipe.build.name} runs: {holder.in_words()}; this one ends. If that one was killed, its "
        f"lease runs out at {holder.expires_at}"
    )


def refresh(recipe: Recipe, root: Root, run: Run, lease: Lease) -> Refreshed:
    """Refresh the sets of a recipe. Raises ForgeError; what was bought by then is kept, and LATEST stays."""
    lease.on_lost = run.budget.stop
    run.watcher.stage("looking for new revisions", None)
    read_newest(recipe, root, run.watcher.said)
    if recipe.models.rubric is not None:
        build_rubrics(recipe, root, run)
    published = publish(recipe, root, run, walked(steps_of(recipe), root, run), lease.check)
    of_judge = judge_reasons(recipe, root, run, published)
    return settle(recipe, root, published, lease.check, of_judge)


def read_newest(recipe: Recipe, root: Root, say: Callable[[str], None]) -> dict[str, str]:
    """Read every source as it is now, and return the revisions, by source. A build that follows finds them read.

    Benchmarks that the root holds signatures of are signed anew where they changed, and `say` tells which.

    A build whose hub cannot be reached takes what its cache has; a refresh must not take yesterday's rows for today's.
    Raises SourceError where a file is not there, or where the hub cannot be asked or has no such data set or revision.
    """
    renew_signatures(root, say)
    sections: list[SourceSection | GeneralSection] = [*recipe.sources, *([recipe.general] if recipe.general else [])]
    facts = SOURCES | {general.SOURCE.kind: general.SOURCE}
    # All commits are asked for before anything is downloaded. A local path has none.
    newest = {section.source: newest_commit(section, facts[section.kind].hub) for section in sections}
    read = {section.source: str(ingest(recipe, root, section).facts["revision"]) for section in sections}
    for source, revision in read.items():
        if newest[source] not in (None, revision):
            raise SourceError(
                f"{source}: the hub has {newest[source]}, and {revision} was read: it changed meanwhile, or was away "
                "for a moment; run the same command again"
            )
    return read


def settle(
    recipe: Recipe, root: Root, published: Published, check: Callable[[], None], of_judge: Sequence[str] = ()
) -> Refreshed:
    """Compare what was published with LATEST, move LATEST where no guard trips, and remove old versions.

    `check` raises where the lease was lost; then LATEST stays. `of_judge` is what the guard of the judge says.
    """
    manifest = published.snapshot.manifest
    while True:
        before = latest(root, manifest.name)
        comparison, reasons = None, tuple[str, ...]()
        if before is not None and before != manifest.version:
            comparison = _compared(root, published.snapshot, before, recipe.build.root_flag)
            reasons = (*tripped(comparison, recipe.refresh, recipe.leaks), *of_judge)
            data = canonical_json(comparison.as_json() | {"tripped": reasons})
            write_comparison(root, manifest.name, before, manifest.version, data)
        check()
        held_back = bool(published.missing or reasons)
        if held_back or before == manifest.version or move_latest(root, manifest.name, before, manifest.version):
            break  # else a build moved LATEST meanwhile
    # Kept besides is what LATEST named, for a way back until the next night.
    removed = retain(root, manifest.name, recipe.refresh.keep, {manifest.version, *filter(None, (before,))})
    return Refreshed(published, before, comparison, reasons, tuple(removed), recipe.build.root_flag)


def _compared(root: Root, new: Snapshot, before: str, root_flag: str) -> Comparison:
    """Compare a version with the one that LATEST names, healed. Raises StorageError where that cannot be read."""
    manifest = new.manifest
    try:
        old = find_snapshot(root, f"{manifest.name}@{before}")
        heal(old)
        return compare(old, new)
    except StorageError as error:
        raise StorageError(
            f"LATEST of {manifest.name} cannot be compared with ({error}); accept the new version with "
            f"grmforge promote {manifest.name}@{manifest.version}{root_flag}"
        ) from None


def promote(root: Root, given: str) -> tuple[Snapshot, str | None]:
    """Move LATEST to a version, name@version, and return it and what LATEST named.

    Raises StorageError where there is no such version, and RecipeError where a set of its recipe has no row in it.
    """
    snapshot = named_version(root, given)
    if lost := heal(snapshot)[1]:
        raise StorageError(
            f"{snapshot.location}/{lost[0]}: gone or damaged; build its recipe again, which puts it back, restore the "
            "file, or remove the version's folder"
        )
    manifest = snapshot.manifest
    if missing := missing_sets(manifest):
        raise RecipeError(
            f"{given} has {no_row_for(missing, manifest.checks)}: LATEST names only versions with every set"
        )
    before = latest(root, manifest.name)
    set_latest(root, manifest.name, manifest.version)
    return snapshot, before


def named_version(root: Root, given: str) -> Snapshot:
    """Return a version of this root by name@version. Raises RecipeError where no version is named, and StorageError."""
    name, _, version = given.partition("@")
    if not name or not version:
        raise RecipeError(f"{given!r} names no version: write it as name@version; {FOLDER}/<name>/ has them")
    return find_snapshot(root, given)
