"""What a build says of benchmarks in its rows: the check `contamination`, in words and as a table."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.curation.contamination.comparing import Tier
from pipelines.reporting.visible import cut, one_line

_TIERS = {Tier.DROP: "left out", Tier.MARK: "marked"}
_NAME = 100


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
    compared = [f"{one_line(one['benchmark'], _NAME)} ({one['rows']:,})" for one in check["benchmarks"]]
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
        tiers = found.setdefault(one_line(hit["source"], _NAME), {tier: Counter() for tier in Tier})
        tiers[Tier(hit["tier"])][one_line(hit["benchmark"], _NAME)] += hit["rows"]
    for source, tiers in found.items():
        parts = [f"{rows.total():,} {_TIERS[tier]} ({_by_benchmark(rows)})" for tier, rows in tiers.items() if rows]
        yield f"{source} holds queries of benchmarks: {' and '.join(parts)}; the column contaminated_by names each."


def _by_benchmark(rows: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(rows.items(), key=lambda item: (-item[1], item[0])))


def announced(check: Mapping[str, Any]) -> Iterator[str]:
    """Yield which sources are benchmarks themselves."""
    for own in check.get("own", ()):
        source, benchmark = (one_line(own[key], _NAME) for key in ("source", "benchmark"))
        yield f"{source} is a benchmark: never compared with itself ({benchmark}), and part of it is kept out as test."


def _nearest(check: Mapping[str, Any]) -> Iterator[str]:
    """Yield how near rows are to benchmarks by embedding, where that was asked for."""
    for near in check.get("nearest", ()):
        first = near["nearest"][0]
        yield (
            f"By embedding, {near['rows']:,} sets of {one_line(near['source'], _NAME)} are nearer than "
            f"{near['similarity']:g} to a benchmark's query, the nearest {first['similarity']:.2f} to one of "
            f"{one_line(first['benchmark'], _NAME)}. None was left out for it; manifest.json names the nearest."
        )
