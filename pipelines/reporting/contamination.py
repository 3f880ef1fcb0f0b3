"""What a build says of benchmarks in its rows: the check `contamination`, in words and as a table."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.curation.contamination.comparing import Tier
from pipelines.reporting.visible import cut, visible

_TIERS = {Tier.DROP: "left out", Tier.MARK: "marked"}


def contamination_rows(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each source, benchmark and tier: these three, and how many rows."""
    return [
        [cut(hit["source"], 100), cut(hit["benchmark"], 100), _TIERS[Tier(hit["tier"])], f"{hit['rows']:,}"]
        for hit in (checks.get("contamination") or {}).get("hits", ())
    ]


def contamination_sentences(checks: Mapping[str, Any]) -> list[str]:
    """Return what was compared with what, a sentence each; nothing for a snapshot of before."""
    if not (check := checks.get("contamination")):
        return []
    compared = [f"{visible(one['benchmark'])} ({one['rows']:,})" for one in check["benchmarks"]]
    sentences = [
        f"Every query and response was compared with the queries of {', '.join(compared)}."
        if compared
        else "No row was compared with a benchmark: [decontaminate] names none."
    ]
    return [*sentences, *announced(check), *_nearest(check)]


def contamination_warnings(checks: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each source that holds queries of benchmarks."""
    check = checks.get("contamination") or {}
    found: dict[str, dict[Tier, Counter[str]]] = {}
    for hit in check.get("hits", ()):
        tiers = found.setdefault(visible(hit["source"]), {tier: Counter() for tier in Tier})
        tiers[Tier(hit["tier"])][visible(hit["benchmark"])] += hit["rows"]
    for source, tiers in found.items():
        parts = [f"{rows.total():,} {_TIERS[tier]} ({_by_benchmark(rows)})" for tier, rows in tiers.items() if rows]
        yield f"{source} holds queries of benchmarks: {' and '.join(parts)}; the column contaminated_by names each."


def _by_benchmark(rows: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(rows.items(), key=lambda item: (-item[1], item[0])))


def announced(check: Mapping[str, Any]) -> Iterator[str]:
    """Yield which sources are benchmarks themselves."""
    for own in check.get("own", ()):
        yield (
            f"{visible(own['source'])} is a benchmark: never compared with itself ({visible(own['benchmark'])}), and a "
            "part of it is kept out as test."
        )


def _nearest(check: Mapping[str, Any]) -> Iterator[str]:
    """Yield how near rows are to benchmarks by embedding, where that was asked for."""
    for near in check.get("nearest", ()):
        yield (
            f"By embedding, {near['rows']:,} rows of {visible(near['source'])} are nearer than "
            f"{near['similarity']:g} to a query of {visible(near['benchmark'])}; none was left out for it."
        )
