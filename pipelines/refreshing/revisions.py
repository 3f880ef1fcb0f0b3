"""The newest revisions of a recipe's sources: looked up anew, and named in the recipe for the whole of a refresh.

A build whose hub cannot be reached takes what its cache has; a refresh must not take yesterday's rows for today's.
"""

from pipelines.sources import general
from pipelines.sources.files import newest_commit
from pipelines.sources.registry import SOURCES
from schemas.recipe import Recipe

GENERAL = "general"


def newest_revisions(recipe: Recipe) -> dict[str, str]:
    """Return the commit of every source that the hub has, by the source's name; paths are read, and have none.

    Raises SourceError where the hub cannot be asked, or has no such data set or revision.
    """
    places = [(section.source, section, SOURCES[section.kind].hub) for section in recipe.sources]
    found = {source: newest_commit(place, hub) for source, place, hub in places}
    if recipe.general is not None:
        found[GENERAL] = newest_commit(recipe.general, general.HUB)
    return {source: commit for source, commit in found.items() if commit is not None}


def at_revisions(recipe: Recipe, revisions: dict[str, str]) -> Recipe:
    """Return the recipe with these commits in its sections, so that all of a refresh reads the same."""
    sources = tuple(
        section.model_copy(update={"revision": revisions[section.source]}) if section.source in revisions else section
        for section in recipe.sources
    )
    chat = recipe.general
    if chat is not None and GENERAL in revisions:
        chat = chat.model_copy(update={"revision": revisions[GENERAL]})
    return recipe.model_copy(update={"sources": sources, "general": chat})
