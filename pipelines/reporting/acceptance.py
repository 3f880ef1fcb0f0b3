"""The last lines of a build: what came out. Where little came out, they say why, and what to do about it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from pipelines.reporting.attention import incomplete_sets, simulated_models, unreadable_sources, warnings
from pipelines.reporting.example_parts import Example
from pipelines.reporting.examples import find_examples
from pipelines.reporting.meanings import answers_in_words, meaning
from pipelines.reporting.source_funnels import SourceFunnel, source_funnels, without
from pipelines.reporting.visible import GAP, aligned, columns, one_line, visible, wrapped
from pipelines.reporting.ways_out import way_out
from schemas.errors import RecipeError
from schemas.manifest import Manifest
from schemas.query import wire
from storage.snapshots import Snapshot

BEFORE_TRAINING = "look at this before training:"
_LINE = 118
_NARROWEST = 40
_NAME = 24
_SHORTEST_NAME = 10
_FIRST_TO_GO = ("kept", "judged", "read", "accepted")
"""Columns that a narrow table does without, in this order; the shares and the training tables stay longer."""


def closing_lines(manifest: Manifest, snapshot: Snapshot, *, root_flag: str = "", width: int = _LINE) -> list[str]:
    """Return the funnel as a table, why little is left where that is so, and what to look at before training.

    No line has more than `width` columns, 40 at least; `root_flag`, such as " --root slow", ends printed commands.
    """
    width = max(_NARROWEST, width)
    funnels = source_funnels(manifest, snapshot.files)
    lines = _table(funnels, width)
    for sentence in (*filter(None, map(answers_in_words, funnels)), *unreadable_sources(manifest)):
        lines += ["", *_hanging("", sentence, width)]
    for funnel in funnels:
        if funnel.is_low and (explained := list(_explanation(funnel, snapshot, root_flag, width))):
            lines += ["", *explained]
    return [*lines, *attention_lines(manifest, snapshot, width=width, funnels=funnels)]


def attention_lines(
    manifest: Manifest, snapshot: Snapshot, *, width: int = _LINE, funnels: Sequence[SourceFunnel] | None = None
) -> list[str]:
    """Return what to look at before training, after an empty line; nothing where there is nothing."""
    sentences = attention_sentences(manifest, snapshot, funnels)
    lines = [line for sentence in sentences for line in _hanging("- ", sentence, max(_NARROWEST, width))]
    return ["", BEFORE_TRAINING, *lines] if lines else []


def attention_sentences(
    manifest: Manifest, snapshot: Snapshot, funnels: Sequence[SourceFunnel] | None = None
) -> list[str]:
    """Return the same, a sentence each, for what is no terminal; `funnels` are the snapshot's, where they are known."""
    funnels = source_funnels(manifest, snapshot.files) if funnels is None else funnels
    return [*simulated_models(manifest), *incomplete_sets(manifest), *warnings(manifest, funnels)]


def _table(funnels: Sequence[SourceFunnel], width: int) -> list[str]:
    """Return a line a source, aligned, and one for all where there are several, in as many columns as fit."""
    rows = [[one_line(funnel.source, _NAME), *_cells(_counts(funnel))] for funnel in funnels]
    if len(funnels) > 1:
        rows.append(["all", *_cells([sum(column) for column in zip(*map(_counts, funnels), strict=True)])])
    tables = list(funnels[0].published) if funnels else []
    return aligned(_narrowed([["source", "read", "kept", "judged", "accepted", "", *tables], *rows], width))


def _counts(funnel: SourceFunnel) -> list[int]:
    return [funnel.read, funnel.kept, funnel.judged, funnel.accepted, *funnel.published.values()]


def _cells(counts: Sequence[int]) -> list[str]:
    """Return counts as cells, the accepted share after what was judged and accepted."""
    _, _, judged, accepted, *_ = counts
    cells = [f"{count:,}" for count in counts]
    return [*cells[:4], _share(accepted / judged if judged else None), *cells[4:]]


def _narrowed(rows: list[list[str]], width: int) -> list[list[str]]:
    """Return the table with shorter names and, where that is not enough, without its least telling columns."""
    dispensable = [*_FIRST_TO_GO, *reversed(rows[0][6:]), ""]
    while True:
        numbers = sum(max(columns(row[column]) for row in rows) + len(GAP) for column in range(1, len(rows[0])))
        names = max(columns(row[0]) for row in rows)
        if numbers + min(names, _SHORTEST_NAME) <= width or not dispensable:
            return [[one_line(row[0], max(_SHORTEST_NAME, width - numbers)), *row[1:]] for row in rows]
        place = rows[0].index(dispensable.pop(0))
        rows = [row[:place] + row[place + 1 :] for row in rows]


def _explanation(funnel: SourceFunnel, snapshot: Snapshot, root_flag: str, width: int) -> Iterator[str]:
    """Yield why little is left of a source, the way out, and one example; nothing where no row could be read."""
    if funnel.unreadable and not funnel.kept and not funnel.dropped:
        return  # the lines above report it
    sentence, reasons, table, status = _loss(funnel)
    yield from _hanging("", f"{one_line(funnel.source, _NAME)}: {sentence}", width)
    if not reasons:
        return
    reason, rows = next(iter(reasons.items()))
    words, helps = meaning(reason).words, way_out(reason, snapshot.manifest.recipe)
    share = f"{rows / sum(reasons.values()):.0%}"
    yield from _hanging("  ", f"{share} of what is lost is {one_line(reason, _NAME)}: {words}", width)
    if helps:
        yield from _hanging("  what helps:  ", helps, width)
    if example := _example(snapshot, table, status, reason, funnel.source):
        yield from _hanging("  for example: ", _gist(example), width)
    options = {"--status": status, "--reason": reason, "--source": funnel.source}
    parts = [f"{option} {shlex.quote(one_line(value, width - 30))}" for option, value in options.items()]
    command = [f"grmforge inspect {shlex.quote(snapshot.manifest.name)}", *parts, root_flag.strip()]
    yield from _command("  see more:    ", [part for part in command if part], width)


def _loss(funnel: SourceFunnel) -> tuple[str, Mapping[str, int], str, str]:
    """Return why little is left of a source, the counts by reason, and the table and status of these rows."""
    if not funnel.kept and not funnel.dropped:
        return "it has no row", {}, "", ""
    if not funnel.kept:
        return f"no set of {funnel.read:,} rows was kept.", funnel.dropped, "sets", "dropped"
    if funnel.judged:
        sentence = f"{_share(funnel.accepted_share)} of {funnel.judged:,} answers were accepted."
        return sentence, funnel.rejected, "trajectories", "rejected"
    if funnel.kept == funnel.held_out:
        held_out = f"its {funnel.kept:,} kept sets are all test sets, which are never sampled"
        return f"{held_out}; it needs more rows", {}, "", ""
    sentence = f"none of its {funnel.kept:,} kept sets gave a row."
    return sentence, without(funnel.rl, "kept"), "trajectories", "difficulty"


def _hanging(lead: str, text: str, width: int) -> list[str]:
    """Return a text of data as visible lines, the first after `lead`, the others indented as far."""
    indent = " " * (len(lead) or 2)
    lines = wrapped(" ".join(visible(text).split()), width, indent).split("\n")
    return [lead + lines[0][len(indent) :], *lines[1:]]


def _command(lead: str, parts: Sequence[str], width: int) -> list[str]:
    """Return a command that can be pasted: where it is too long, its lines end in backslashes."""
    lines = [lead + parts[0]]
    for part in parts[1:]:
        if columns(lines[-1]) + columns(part) + 3 <= width:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(" " * len(lead) + part)
    return lines


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
    question = f'"{one_line(query[-1]["content"], 60) if query else ""}"'
    if row.get("scores"):
        known = f" with response {best + 1} the best" if best is not None else ""
        return f"{question} scored {', '.join(f'{score:g}' for score in row['scores'])}{known}"
    return f"{question} answered, at its end: {one_line(row['text'][-60:], 60)}" if row.get("text") else question


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
