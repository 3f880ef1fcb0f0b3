"""Seed rubrics: what is known of good answers before any query was seen, so that the first search finds something.

One TOML file a rubric. The ones that ship stand in seeds/; a recipe may name a directory of its own. A file:

    case = "A question about mobile networks, .."      what the queries are like: it is what a search meets
    domain = "telecom"
    source = "grmforge"                                whose words or ideas they are
    license = "Apache-2.0"

    [[criteria]]
    text = "Names the entity or layer that ..."
    points = 8                                         -10..10, below 0 for a pitfall
    kind = "rule"                                      rule, principle or pitfall
    tags = ["accuracy"]
"""

import tomllib
from pathlib import Path
from typing import Any

from schemas.errors import RecipeError
from schemas.query import query_id, user
from schemas.rubric import InvalidRubric, Origin, Rubric, criterion, rubric

SHIPPED = Path(__file__).parent / "seeds"

_KEYS = {"case", "domain", "source", "license", "criteria"}
_CRITERION_KEYS = {"text", "points", "kind", "tags"}


def seed_rubrics(directory: Path = SHIPPED) -> list[Rubric]:
    """Return the rubrics of a directory of TOML files, by name. Raises RecipeError, which names the file."""
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise RecipeError(f"rubrics.seeds {directory}: holds no .toml file")
    return [_seed(path) for path in paths]


def _seed(path: Path) -> Rubric:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
        _check_keys(tree, _KEYS)
        criteria = tree.get("criteria", [])
        for given in criteria:
            _check_keys(given, _CRITERION_KEYS)
        return rubric(
            query_id=query_id(user(tree["case"])),
            case=tree["case"],
            domain=tree["domain"],
            source=tree["source"],
            license=tree["license"],
            origin=Origin.SEED,
            criteria=[criterion(**given, origin=tree["source"]) for given in criteria],
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:  # InvalidRubric and TOMLDecodeError are values
        raise RecipeError(f"{path}: {error}") from None
    except KeyError as error:
        raise RecipeError(f"{path}: lacks the key {error}") from None


def _check_keys(tree: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(tree.keys() - known):
        raise InvalidRubric("unknown_key", f"{unknown[0]!r} is none of {', '.join(sorted(known))}")
