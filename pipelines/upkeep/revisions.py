"""The newest revisions of a recipe's sources, looked up anew and read.

A build whose hub cannot be reached takes what its cache has; a refresh must not take yesterday's rows for today's.
"""

from collections.abc import Iterator

from pipelines.sources import general
from pipelines.sources.files import newest_commit
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from schemas.errors import SourceError
from schemas.recipe import Recipe
from storage.root import Root


def read_newest(recipe: Recipe, root: Root) -> dict[str, str]:
    """Read every source as it is now, and return the revisions, by source. A build that follows finds them read.

    Raises SourceError where a file is not there, or where the hub cannot be asked or has no such data set or revision.
    """
    newest = dict(_commits(recipe))  # all are asked for before any is downloaded
    read = {section.source: ingest(recipe, root, section).facts for section in recipe.sources}
    if recipe.general is not None:
        read["general"] = ingest(recipe, root, recipe.general).facts
    for source, facts in read.items():
        if newest[source] not in (None, facts["revision"]):
            raise SourceError(
                f"{source}: the hub has {newest[source]}, and {facts['revision']} was read: it changed meanwhile, or "
                "was away for a moment; run the same command again"
            )
    return {source: str(facts["revision"]) for source, facts in read.items()}


def _commits(recipe: Recipe) -> Iterator[tuple[str, str | None]]:
    """Yield each source and the hub's commit for it now; None for a local path."""
    for section in recipe.sources:
        yield section.source, newest_commit(section, SOURCES[section.kind].hub)
    if recipe.general is not None:
        yield "general", newest_commit(recipe.general, general.SOURCE.hub)
