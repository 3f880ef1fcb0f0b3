"""The page of a trial: its cases, grouped by what they showed, and whether the reward conforms."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipelines.conforming.findings import Finding, Tried
from pipelines.conforming.trial import Trial
from pipelines.reporting.visible import aligned, one_line, visible

_CAME = 40


def conforms(found: Sequence[Tried]) -> bool:
    """Return whether every case passed."""
    return all(one.finding is Finding.PASSED for one in found)


def lines_of(trial: Trial, found: Sequence[Tried]) -> list[str]:
    """Return the page as lines: a group for each finding, a line for each case, and the sum at the end."""
    lines = []
    for finding in Finding:
        if group := [one for one in found if one.finding is finding]:
            rows = [[f"  {one.case.name}", one_line(one.came, _CAME), f"{one.seconds:.1f} s"] for one in group]
            table = aligned(rows, names=2)
            lines += [f"{finding.value}: {len(group)}"]
            lines += [*(f"{line}  {one.case.must}" for line, one in zip(table, group, strict=True)), ""]
    counts = Counter(one.finding for one in found)
    became = Counter(f"{number:g}" for one in found if one.finding is Finding.NUMBER for number in set(one.numbers))
    longest = max(found, key=lambda one: one.seconds)
    verb = "conforms" if conforms(found) else "does not conform"
    sums = ", ".join(f"{finding.value}: {counts[finding]}" for finding in Finding if counts[finding])
    lines += [f"{trial.target} {verb} as a {trial.kind} ({trial.door}); {sums}"]
    if became:
        lines += [
            f"failures became {', '.join(f'{number} ({times} times)' for number, times in became.most_common(8))}"
        ]
    return [*lines, f"the longest case took {longest.seconds:.1f} s: {longest.case.name}"]


def json_of(trial: Trial, found: Sequence[Tried]) -> dict[str, Any]:
    """Return the page for scripts."""
    cases = [
        {
            **{"name": one.case.name, "must": one.case.must, "finding": one.finding, "came": visible(one.came)},
            **{
                "rewards": [given.number for given in one.given],
                "seconds": round(one.seconds, 3),
                "asked": one.requests,
            },
        }
        for one in found
    ]
    counts = {finding.value: sum(one.finding is finding for one in found) for finding in Finding}
    named = {"target": trial.target, "kind": trial.kind, "door": trial.door}
    return {**named, "conforms": conforms(found), "counts": counts, "cases": cases}
