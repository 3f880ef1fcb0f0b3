"""The rubrics in use as what is searched: cases, and every unique criterion."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from schemas.record import content_id
from schemas.rubric import Criterion, Rubric
from storage.rubric_pools import Pool


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a pool: a case with its rubric, or a criterion within a domain."""

    entry_id: str
    text: str
    """What is embedded and searched."""
    domain: str
    key: str
    """Entries of one key are one and the same to a reader: the query_id of a case, the criterion_id of a criterion."""
    origins: tuple[AbstractSet[str], ...]
    """For each rubric that it stands in, the query_id and the cluster."""
    rubric: Rubric
    """The rubric itself; of a criterion, the first that has it."""
    criterion: Criterion | None = None

    def is_made_from(self, queries: AbstractSet[str]) -> bool:
        """Tell whether nothing but these queries, or their clusters, brought it into the pool."""
        return all(not origin.isdisjoint(queries) for origin in self.origins)


class Library:
    """Every rubric in use, by the ids under which the pools hold it."""

    def __init__(self, rubrics: Iterable[Rubric]) -> None:
        used = sorted((rubric for rubric in rubrics if rubric.kept), key=lambda rubric: rubric.rubric_id)
        self.entries: Mapping[Pool, Mapping[str, Entry]] = {
            Pool.CASES: {entry.entry_id: entry for entry in map(_case, used)},
            Pool.CRITERIA: {entry.entry_id: entry for entry in _criteria(used)},
        }
        self._made_from: dict[Pool, defaultdict[str, list[Entry]]] = {}
        for pool, entries in self.entries.items():
            made_from = self._made_from[pool] = defaultdict(list)
            for entry in entries.values():
                for query in frozenset().union(*entry.origins):
                    made_from[query].append(entry)

    @property
    def content(self) -> str:
        """A hash of all that can be found: the pools as they stand."""
        return content_id("library", [sorted(entries) for entries in self.entries.values()])

    def domains(self, pool: Pool) -> dict[str, str]:
        """Return the domain of each entry."""
        return {entry_id: entry.domain for entry_id, entry in self.entries[pool].items()}

    def made_from(self, pool: Pool, queries: AbstractSet[str]) -> set[str]:
        """Return the ids of the entries that nothing but these queries brought into a pool."""
        near = (entry for query in queries for entry in self._made_from[pool].get(query, ()))
        return {entry.entry_id for entry in near if entry.is_made_from(queries)}


def _case(rubric: Rubric) -> Entry:
    origins = (frozenset({rubric.query_id, rubric.cluster}),)
    return Entry(rubric.rubric_id, rubric.case, rubric.domain, rubric.query_id, origins, rubric)


def _criteria(rubrics: Iterable[Rubric]) -> Iterable[Entry]:
    found: dict[str, tuple[Criterion, list[Rubric]]] = {}
    for rubric in rubrics:
        for criterion in rubric.kept:
            entry_id = content_id("pool criterion", criterion.criterion_id, rubric.domain)
            found.setdefault(entry_id, (criterion, []))[1].append(rubric)
    for entry_id, (criterion, having) in found.items():
        origins = tuple({frozenset({rubric.query_id, rubric.cluster}) for rubric in having})
        first = having[0]
        yield Entry(entry_id, criterion.text, first.domain, criterion.criterion_id, origins, first, criterion)
