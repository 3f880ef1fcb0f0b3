"""A source's way through a build, from rows read to rows published, as the manifest and the tables tell it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from pipelines.synthesis.synthesis import QUESTIONS
from schemas.candidate import Origin
from schemas.manifest import Input, Manifest
from schemas.preference import Split
from schemas.trajectory import Mode, Outcome
from storage.tables import open_parquet

SETS = ("rft", "rl", "meta_rm", "pairs")
TRACES = "traces"
ACCEPTED = "accepted"
LOW_SHARE = 0.2
"""A lower accepted share wants an explanation."""

TableFiles = Callable[[str], Sequence[Path]]
"""The files of a table by its published path: `Stage.paths` or `Snapshot.files`."""


@dataclass(frozen=True, slots=True)
class SourceFunnel:
    """What became of one source. Counts by reason are sorted, the commonest first."""

    source: str
    read: int
    made: int
    """Sets, dropped ones included; of questions, what synthesis made of them."""
    questions: int | None
    """Rows that are questions, of which sets were made; None for sources of sets."""
    graded: Mapping[str, Mapping[str, int]]
    """Answers to the questions, by who gave them (origin), by verdict, the commonest first."""
    composition: Mapping[str, int]
    """How the sets are made up that were made of questions; empty for sources of sets."""
    passed_over: Mapping[str, int]
    """Rows that were read and are not among `read`, by the reason."""
    unreadable: Mapping[str, int]
    """Rows by reason."""
    dropped: Mapping[str, int]
    """Sets by drop_reason."""
    splits: Mapping[str, int]
    """Kept sets by split."""
    answers: Mapping[str, Mapping[str, int]]
    """RFT's answers, by mode, by "accepted" or reject_reason; empty where none were judged."""
    rl: Mapping[str, int]
    """Sets by "kept" or reject_reason; empty where no rl set was made."""
    mixed_in: Mapping[str, int]
    """General rows by "accepted" or "surplus"; empty for sources of sets."""
    published: Mapping[str, int]
    """Rows of each training table, train and validation together; tables that the recipe does not want are absent, and
    `traces` where no source has questions."""

    @property
    def kept(self) -> int:
        return sum(self.splits.values())

    def share_of_answers(self, *verdicts: str) -> float:
        """Return the share of the responder's and the given answers that got one of these verdicts."""
        counts = together(self.graded.get(origin, {}) for origin in (Origin.RESPONDER, Origin.GIVEN))
        return sum(counts.get(verdict, 0) for verdict in verdicts) / (sum(counts.values()) or 1)

    @property
    def held_out(self) -> int:
        """Test sets: kept, never sampled."""
        return self.splits.get(Split.TEST, 0)

    @property
    def judged(self) -> int:
        return sum(sum(counts.values()) for counts in self.answers.values())

    @property
    def accepted(self) -> int:
        return sum(counts.get(ACCEPTED, 0) for counts in self.answers.values())

    @property
    def accepted_share(self) -> float | None:
        """Accepted per judged answer; None where none was judged."""
        return self.accepted / self.judged if self.judged else None

    @property
    def is_low(self) -> bool:
        """Whether few answers were accepted, or no row of the source is published."""
        share = self.accepted_share
        return (share is not None and share < LOW_SHARE) or not (any(self.published.values()) or self.mixed_in)

    @property
    def lost(self) -> dict[str, int]:
        """Rows and sets that never came to be sampled, by reason."""
        return {**{f"unreadable: {reason}": rows for reason, rows in self.unreadable.items()}, **self.dropped}

    @property
    def rejected(self) -> dict[str, int]:
        """Answers by reject_reason, over both modes, the commonest first."""
        return without(together(self.answers.values()), ACCEPTED)


def source_funnels(manifest: Manifest, files: TableFiles) -> list[SourceFunnel]:
    """Return the funnel of every source, in the recipe's order. Reads one small column of each training table."""
    wanted = [name for name in SETS if name in manifest.recipe.get("build", {}).get("sets", SETS)]
    wanted += [TRACES] if any(table.startswith(f"{TRACES}/") for table in manifest.tables) else []
    published = {name: rows_by_source(name, files) for name in wanted}
    return [
        _funnel_of(manifest, source, {name: rows.get(source.source, 0) for name, rows in published.items()})
        for source in manifest.inputs
    ]


def _funnel_of(manifest: Manifest, source: Input, published: Mapping[str, int]) -> SourceFunnel:
    stages: dict[str, dict[str, int]] = {}
    for row in manifest.funnel:
        if row.source == source.source:
            stages.setdefault(row.stage, {})[row.outcome] = row.rows
    synthesis = stages.get("synthesis", {})
    answers = {mode.value: stages[f"rft {mode}"] for mode in Mode if f"rft {mode}" in stages}
    return SourceFunnel(
        source=source.source,
        read=stages.get("read", {}).get("rows", source.rows) if synthesis else source.rows,
        made=source.rows - source.unreadable,
        questions=synthesis.get(QUESTIONS),
        graded=_graded(synthesis),
        composition=(manifest.checks.get("composition") or {}).get(source.source, {}),
        passed_over=source.passed_over,
        unreadable=commonest_first({reason.reason: reason.rows for reason in source.unreadable_reasons}),
        dropped=commonest_first(stages.get("dropped", {})),
        splits=stages.get("kept", {}),
        answers={mode: commonest_first(counts) for mode, counts in answers.items()},
        rl=commonest_first(stages.get("rl", {})),
        mixed_in=stages.get("rft general", {}),
        published=published,
    )


def _graded(synthesis: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the verdicts by origin, of outcomes such as "responder: right"."""
    graded: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for outcome, rows in synthesis.items():
        if ": " in outcome:
            origin, verdict = outcome.split(": ", 1)
            graded[origin][verdict] = rows
    return {origin: commonest_first(counts) for origin, counts in graded.items()}


def rows_by_source(table: str, files: TableFiles) -> dict[str, int]:
    """Return how many rows of a training table, both splits together, come from each source."""
    if not (paths := [path for split in (Split.TRAIN, Split.VALIDATION) for path in files(f"{table}/{split}")]):
        return {}
    counts: Counter[str] = Counter()
    for path in paths:
        file = open_parquet(path)
        for group in range(file.num_row_groups):
            # verl's columns name the source only within extra_info
            column = file.read_row_group(group, ["extra_info.source" if table == "rl" else "source"]).column(0)
            sources = pc.struct_field(column, "source") if table == "rl" else column
            counts.update({one["values"]: one["counts"] for one in pc.value_counts(sources).to_pylist()})
    return dict(sorted(counts.items()))


def commonest_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def together(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of several counts, the commonest first."""
    sums: Counter[str] = Counter()
    for part in counts:
        sums.update(part)
    return commonest_first(sums)


def without(counts: Mapping[str, int], outcome: str) -> dict[str, int]:
    """Return the counts of all other outcomes."""
    return {name: rows for name, rows in counts.items() if name != outcome}


def judged_outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """Return one mode's answers by what they amount to: accepted, left out (correct, but rejected), incorrect, tied,
    unreadable."""
    grouped = dict.fromkeys(("accepted", "left out", "incorrect", "tied", "unreadable"), 0)
    for reason, rows in counts.items():
        grouped[reason if reason in grouped else "unreadable" if reason in set(Outcome) else "left out"] += rows
    return grouped
