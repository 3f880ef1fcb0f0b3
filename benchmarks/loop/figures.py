"""What the loop found, every figure from the stored evaluations and by `grmforge compare`."""

import json
import subprocess
from typing import Any

import polars as pl

from benchmarks.loop.plan import ALPHA
from benchmarks.loop.steps import GRMFORGE, Loop

Figures = dict[str, Any]
SELECTORS = r"^(voting|greedy|meta_rm|agreement|margin)"


def figures_of(loop: Loop) -> Figures:
    """Return accuracy with intervals of every judge that was evaluated, the comparisons, and what each step took."""
    folder = loop.root / "evaluations"
    names = sorted(place.name for place in folder.glob("*")) if folder.is_dir() else []
    steps = {
        marker.stem: json.loads(marker.read_text("utf-8")) for marker in sorted((loop.work / "steps").glob("*.json"))
    }
    comparisons = [
        comparison
        for old, new in (
            ("no_rejection", "rft"),
            ("no_rejection-seed2", "rft-seed2"),
            ("warm", "rft"),
            ("verdict_only", "rft"),
            ("no_rejection", "shuffled"),
        )
        if old in names and new in names
        for comparison in _compared(loop, old, new)
    ]
    return {
        "judges": {name: _judge(loop, name) for name in names},
        "comparisons": comparisons,
        "claim_holds": _claim(comparisons),
        "training": {
            name: {key: facts[key] for key in ("rows", "different_rows", "tokens", "seconds") if key in facts}
            for name, facts in steps.items()
            if "losses" in facts
        },
        "hours": round(sum(facts["seconds"] for facts in steps.values()) / 3600, 2),
    }


def _judge(loop: Loop, name: str) -> Figures:
    version = sorted((loop.root / "evaluations" / name).glob("*/manifest.json"))[-1].parent
    figures = pl.read_parquet(version / "figures-*.parquet")
    judgements = pl.read_parquet(version / "judgements-*.parquet", columns=["outcome"])
    totals = figures.filter(pl.col("figure") == "total")
    if totals.is_empty():
        totals = figures.filter(pl.col("figure") == "accuracy")
    rows = totals.filter(pl.col("selector").str.contains(SELECTORS))
    readable = judgements["outcome"].is_in(["readable", "correct", "incorrect", "tied"]).mean()
    return {
        "readable": None if readable is None else round(float(str(readable)), 4),
        "figures": rows.select("benchmark", "selector", "curve", "k", "value", "low", "high").to_dicts(),
    }


def _compared(loop: Loop, old: str, new: str) -> list[Figures]:
    words = [GRMFORGE, "compare", old, new, "--root", str(loop.root), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [
        {"old": old, "new": new, "benchmark": benchmark["benchmark"], "clusters": benchmark["clusters"], **difference}
        for benchmark in json.loads(done.stdout)["benchmarks"]
        for difference in benchmark["differences"]
    ]


def _claim(comparisons: list[Figures]) -> bool | None:
    """Say whether rft beats no_rejection in both seeds; None while a seed is missing."""
    found = {
        row["new"]: row["p"] < ALPHA and row["difference"] > 0
        for row in comparisons
        if row["old"].startswith("no_rejection")
        and row["new"].startswith("rft")
        and (row["selector"], row["k"]) == ("voting", 1)
    }
    return all(found.values()) if len(found) == 2 else None


def table_of(figures: Figures) -> str:
    """Return the figures as lines for people."""
    lines = []
    for name, judge in figures["judges"].items():
        readable = "" if judge["readable"] is None else f"   readable {judge['readable']:.1%}"
        lines.append(f"{name}{readable}")
        lines += [
            f"    {row['benchmark']:12} {row['selector']:18} {row['curve'] or '':9} k {row['k']:<3} {row['value']:.3f}"
            f" ({row['low']:.3f} to {row['high']:.3f})"
            for row in judge["figures"]
            if row["curve"] in (None, "all") and row["value"] is not None
        ]
    lines += [
        f"{row['new']} less {row['old']}, {row['selector']} {row['k']}: {row['difference']:+.3f}"
        f" ({row['low']:+.3f} to {row['high']:+.3f}), p {row['p']:.4f}"
        for row in figures["comparisons"]
    ]
    return "\n".join(lines)
