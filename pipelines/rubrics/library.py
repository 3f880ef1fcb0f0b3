"""The rubrics in use, seeds and generated ones, as what is searched: cases, and every unique criterion.

Seed rubrics are what is known of good answers before any query was seen, so that the first search finds something. They
are TOML files, one a rubric. The ones that ship stand in seeds/; a recipe may name a directory of its own. A file:

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
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import RecipeError
from schemas.licenses import license_key
from schemas.query import query_id, user
from schemas.recipe import RubricsSection
from schemas.record import content_id
from schemas.rubric import Criterion, InvalidRubric, Origin, Rubric
from schemas.rubric import criterion as new_criterion
from schemas.rubric import rubric as new_rubric
from storage.root import Root
from storage.rubric_pools import Pool
from storage.rubric_tables import read_rubrics

SHIPPED_SEEDS = Path(__file__).parent / "seeds"

_KEYS = {"case", "domain", "source", "license", "criteria"}
_CRITERION_KEYS = {"text", "points", "kind", "tags"}


def seed_rubrics(directory: Path = SHIPPED_SEEDS) -> list[Rubric]:
    """Return the rubrics of a directory of TOML files, by name. Raises RecipeError, which names the file."""
    if not (paths := sorted(directory.glob("*.toml"))):
        raise RecipeError(f"rubrics.seeds {directory}: holds no .toml file")
    return [_seed(path) for path in paths]


def seeds_of(settings: RubricsSection, directory: Path) -> list[Rubric]:
    """Return the seed library of a recipe, whose relative paths start at `directory`."""
    return seed_rubrics(directory / settings.seeds if settings.seeds else SHIPPED_SEEDS)


def rubrics_in_use(root: Root, settings: RubricsSection, directory: Path = Path()) -> list[Rubric]:
    """Return the seed library and the generated rubrics of a root; its seeds of an older library are left out."""
    return [*seeds_of(settings, directory), *(rubric for rubric in read_rubrics(root) if rubric.origin != Origin.SEED)]


def _seed(path: Path) -> Rubric:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
        _check_keys(tree, _KEYS)
        criteria = tree.get("criteria", [])
        for given in criteria:
            _check_keys(given, _CRITERION_KEYS)
        return new_rubric(
            query_id=query_id(user(tree["case"])),
            case=tree["case"],
            domain=tree["domain"],
            source=tree["source"],
            license=tree["license"],
            origin=Origin.SEED,
            criteria=[new_criterion(**given, origin=tree["source"]) for given in criteria],
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:  # InvalidRubric and TOMLDecodeError are values
        raise RecipeError(f"{path}: {error}") from None
    except KeyError as error:
        raise RecipeError(f"{path}: lacks the key {error}") from None


def _check_keys(tree: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(tree.keys() - known):
        raise InvalidRubric("unknown_key", f"{unknown[0]!r} is none of {', '.join(sorted(known))}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a pool: a case with its rubric, or a criterion within a domain."""

    entry_id: str
    text: str
    """What is embedded and searched."""
    domain: str
    key: str
    """Entries of one key are one and the same to a reader: the query_id of a case, the criterion_id of a criterion."""
    origins: AbstractSet[str]
    """The queries and clusters whose labelled answers had a part in any rubric that it stands in. None for what a seed
    says too: that was known before any answer was seen."""
    licenses: AbstractSet[str]
    """The licences of the rows behind it; none for what a seed says too."""
    rubric: Rubric
    """The rubric itself; of a criterion, the first that has it."""
    criterion: Criterion | None = None


class Library:
    """Every rubric in use, by the ids under which the pools hold it."""

    def __init__(self, rubrics: Iterable[Rubric]) -> None:
        used = sorted((rubric for rubric in rubrics if rubric.kept), key=lambda rubric: rubric.rubric_id)
        self.entries: Mapping[Pool, Mapping[str, Entry]] = {
            Pool.CASES: {
                one.rubric_id: Entry(one.rubric_id, one.case, one.domain, one.query_id, *_behind([one]), one)
                for one in used
            },
            Pool.CRITERIA: {entry.entry_id: entry for entry in _criteria(used)},
        }
        self._made_from: defaultdict[tuple[Pool, str], set[str]] = defaultdict(set)
        for pool, entries in self.entries.items():
            for entry in entries.values():
                for query in entry.origins:
                    self._made_from[pool, query].add(entry.entry_id)

    @property
    def content(self) -> str:
        """A hash of all that can be found: the pools as they stand."""
        return content_id("library", [sorted(entries) for entries in self.entries.values()])

    def made_from(self, pool: Pool, queries: AbstractSet[str]) -> set[str]:
        """Return the ids of the entries of a pool in which the answers to these queries had a part.

        One rubric is enough: a criterion that stands in two may have come to the second from the first, which was
        retrieved when the second was written.
        """
        return set().union(*(self._made_from.get((pool, query), ()) for query in queries))

    def refused(self, pool: Pool, allowed: Sequence[str] | None) -> set[str]:
        """Return the ids of the entries of a pool that rows of another licence than the allowed ones had a part in."""
        if allowed is None:
            return set()
        keys = {license_key(name) for name in allowed}
        entries = self.entries[pool].values()
        return {one.entry_id for one in entries if not keys.issuperset(map(license_key, one.licenses))}

    def origins(self, criterion: Criterion, domain: str) -> AbstractSet[str]:
        """Return the origins of a criterion of a domain."""
        return self.entries[Pool.CRITERIA][_criterion_entry(criterion, domain)].origins


def _criteria(rubrics: Iterable[Rubric]) -> Iterable[Entry]:
    found: dict[str, tuple[Criterion, list[Rubric]]] = {}
    for rubric in rubrics:
        for criterion in rubric.kept:
            found.setdefault(_criterion_entry(criterion, rubric.domain), (criterion, []))[1].append(rubric)
    for entry_id, (criterion, having) in found.items():
        first = having[0]
        yield Entry(entry_id, criterion.text, first.domain, criterion.criterion_id, *_behind(having), first, criterion)


def _criterion_entry(criterion: Criterion, domain: str) -> str:
    return content_id("pool criterion", criterion.criterion_id, domain)


def _behind(rubrics: Sequence[Rubric]) -> tuple[AbstractSet[str], AbstractSet[str]]:
    """Return the origins and the licences of what these rubrics say."""
    if any(rubric.origin == Origin.SEED for rubric in rubrics):
        return frozenset(), frozenset()
    origins = frozenset[str]().union(*((rubric.query_id, rubric.cluster, *rubric.rests_on) for rubric in rubrics))
    return origins, frozenset(rubric.license for rubric in rubrics)
