"""How many rubrics and criteria there are, and why others are not used."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schemas.rubric import Rubric


@dataclass(frozen=True)
class DomainCounts:
    """What is in use of one domain."""

    domain: str
    rubrics: int
    seeds: int
    """How many of the rubrics are seeds."""
    criteria: int
    """Unique criteria, by their text."""


@dataclass(frozen=True)
class RubricCounts:
    """Counts of a root's rubrics."""

    domains: tuple[DomainCounts, ...]
    dropped_rubrics: Mapping[str, int]
    """By drop_reason; a rubric without one whose criteria are all dropped counts as `no_criteria`."""
    dropped_criteria: Mapping[str, int]
    """By drop_reason, in rubrics that are in use or not."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        lines = [f"{'domain':24} {'rubrics':>9} {'seeds':>7} {'criteria':>9}"]
        lines += [f"{one.domain:24} {one.rubrics:>9,} {one.seeds:>7,} {one.criteria:>9,}" for one in self.domains]
        for what, reasons in (("rubrics", self.dropped_rubrics), ("criteria", self.dropped_criteria)):
            lines += [f"{count:,} {what} dropped: {reason}" for reason, count in sorted(reasons.items())]
        return "\n".join(lines)


def counts_of(rubrics: Iterable[Rubric]) -> RubricCounts:
    """Return the counts of these rubrics."""
    in_use: defaultdict[str, list[Rubric]] = defaultdict(list)
    dropped, dropped_criteria = Counter[str](), Counter[str]()
    for rubric in rubrics:
        dropped_criteria.update(str(one.drop_reason) for one in rubric.criteria if one.drop_reason)
        if rubric.kept:
            in_use[rubric.domain].append(rubric)
        else:
            dropped[str(rubric.drop_reason or "no_criteria")] += 1
    domains = [
        DomainCounts(
            domain,
            len(of_domain),
            sum(rubric.origin == "seed" for rubric in of_domain),
            len({one.criterion_id for rubric in of_domain for one in rubric.kept}),
        )
        for domain, of_domain in sorted(in_use.items())
    ]
    return RubricCounts(tuple(domains), dict(dropped), dict(dropped_criteria))
