"""The lines that a build ends with: what came out, and where little did, why and what to do about it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from pipelines.reporting.example_parts import Example
from pipelines.reporting.examples import find_examples
from pipelines.reporting.meanings import meaning
from pipelines.reporting.source_funnels import SourceFunnel, source_funnels
from pipelines.reporting.visible import columns, one_line, padded, wrapped
from schemas.errors import RecipeError
from schemas.manifest import Manifest
from schemas.query import wire
from storage.snapshots import Snapshot

_LINE = 118
_NAME = 24


def closing_lines(manifest: Manifest, snapshot: Snapshot) -> list[str]:
    """Return the funnel as a table, then an explanation for every source of which little or nothing is left."""
    funnels = source_funnels(manifest, snapshot.files)
    lines = _table(funnels)
    for funnel in funnels:
        if funnel.is_low:
            lines += ["", *_explanation(funnel, snapshot)]
    return lines


def _table(funnels: Sequence[SourceFunnel]) -> list[str]:
    """Return a line a source, aligned, and one for all where there are several."""
    tables = list(funnels[0].published) if funnels else []
    rows = [["source", "read", "kept", "judged", "accepted", "", *tables]]
    for funnel in funnels:
        counts = [funnel.read, funnel.kept, funnel.judged, funnel.accepted]
        name = one_line(funnel.source, _NAME)
        rows.append(
            [name, *map(_count, counts), _share(funnel.accepted_share), *map(_count, funnel.published.values())]
        )
    if len(funnels) > 1:
        judged, accepted = sum(funnel.judged for funnel in funnels), sum(funnel.accepted for funnel in funnels)
        sums = [sum(funnel.read for funnel in funnels), sum(funnel.kept for funnel in funnels), judged, accepted]
        published = [sum(funnel.published[name] for funnel in funnels) for name in tables]
        share = _share(accepted / judged if judged else None)
        rows.append(["all", *map(_count, sums), share, *map(_count, published)])
    widths = [max(columns(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield padded(cell, width) if column == 0 else cell.rjust(width)


def _explanation(funnel: SourceFunnel, snapshot: Snapshot) -> list[str]:
    """Return why little is left of a source, the way out, and one example."""
    source = one_line(funnel.source, _NAME)
    if not funnel.kept and not funnel.dropped:
        return [f"{source}: none of its {funnel.read:,} rows could be read; report.html shows some of them"]
    if not funnel.kept:
        said = f"{source}: no set of {funnel.read:,} rows was kept."
        return [said, *_commonest(funnel.dropped, funnel.source, snapshot, "sets", "dropped")]
    if funnel.judged:
        said = f"{source}: {_share(funnel.accepted_share)} of {funnel.judged:,} answers were accepted."
        return [said, *_commonest(funnel.rejected, funnel.source, snapshot, "trajectories", "rejected")]
    if funnel.kept == funnel.held_out:
        return [
            f"{source}: its {funnel.kept:,} kept sets are all test sets, which are never sampled; it needs more rows"
        ]
    said = f"{source}: none of its {funnel.kept:,} kept sets gave a row."
    lost = {reason: rows for reason, rows in funnel.rl.items() if reason != "kept"}
    return [said, *_commonest(lost, funnel.source, snapshot, "trajectories", "difficulty")]


def _commonest(reasons: Mapping[str, int], source: str, snapshot: Snapshot, table: str, status: str) -> Iterator[str]:
    """Yield what takes most, what to do about it, one example, and where to see more."""
    if not reasons:
        return
    reason, rows = next(iter(reasons.items()))
    words, way_out = meaning(reason)
    yield f"  {rows / sum(reasons.values()):.0%} of what is lost is {one_line(reason, _NAME)}: {words}"
    if way_out:
        yield from f"  what helps:  {wrapped(way_out, _LINE, ' ' * 15).lstrip()}".split("\n")
    if example := _example(snapshot, table, status, reason, source):
        yield f"  for example: {one_line(_gist(example), _LINE)}"
    more = [snapshot.manifest.name, "--status", status, "--reason", reason, "--source", source]
    yield f"  see more:    grmforge inspect {shlex.join(one_line(word, _LINE) for word in more)}"


def _example(snapshot: Snapshot, table: str, status: str, reason: str, source: str) -> Example | None:
    """Return one row that was lost for this reason; None where the snapshot has none."""
    try:
        return find_examples(snapshot, table=table, status=status, reason=reason, source=source, n=1)[0]
    except RecipeError:
        return None


def _gist(example: Example) -> str:
    """Return an example in a phrase: what was asked and how it was scored, or how an unreadable answer ends."""
    row, best = example.row, example.best_position
    query = row["query"] if "query" in row else wire(example.preference.query) if example.preference else []
    question = one_line(query[-1]["content"], 60) if query else ""
    if row.get("scores"):
        scores = ", ".join(f"{score:g}" for score in row["scores"])
        known = f" with response {best + 1} the best" if best is not None else ""
        return f'"{question}" scored {scores}{known}'
    if row.get("text"):
        return f'"{question}" answered, at its end: {one_line(row["text"][-60:], 60)}'
    return f'"{question}"'


def _count(rows: int) -> str:
    return f"{rows:,}"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
