"""The manifest's check `leak_probe`: how well the probe does on every source and on what the training sets teach.

The probe chooses among responses of sets, responses as they were shown, and trajectories. Samples are the first rows in
the order of the tables, which is that of hashes: it has nothing to do with what the rows say, and a larger source keeps
the sample of a smaller one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.leak_features import CANDIDATES, FEATURE_NAMES
from pipelines.curation.leak_probe import encoded, lacking, measured
from pipelines.judging.shown_text import Shown, response_text
from schemas.preference import SETS, PreferenceSet, Split, sets_of
from schemas.trajectory import JUDGED, Mode, Purpose
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_parts import read_places
from storage.tables import read_batches

STAGE_VERSION = 1
BEST, LABEL = "best", "label"
"""What the probe looks for: the best response of a set, or the label of a single one."""
TASK = pl.when(pl.col("best").is_null()).then(pl.lit(LABEL)).otherwise(pl.lit(BEST))
TRAINED_ON = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value)
MOST_SETS = 2_000
MOST_CHARACTERS = 32_000_000  # of a sample: a character takes some 50 ns
_FROM_CHANCE = 3
"""Standard errors above chance that a leak has to be: in sources of 40 to 100 sets without one, AUCs scatter a third
more than their standard errors say."""
_FROM_THRESHOLD = 2  # standard errors that one feature out of ten has to be above the threshold
_CHANCE = 0.5
_VERDICT = r"(?is)\A(.*)\bscores?[\s*_]*:.*\z"
"""The last scores and all that follows: how sure a verdict is of itself is no surface, but judgement."""

Finding = dict[str, Any]


class Sample:
    """Candidates of one kind, up to a bound of sets and characters."""

    def __init__(self) -> None:
        self._sets = 0
        self._characters = 0
        self._rows: list[tuple[object, ...]] = []

    @property
    def full(self) -> bool:
        return self._sets >= MOST_SETS or self._characters >= MOST_CHARACTERS

    def add(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Add a set's candidates, each in the order of CANDIDATES, unless the sample is full."""
        if not self.full:
            self._sets += 1
            for row in rows:
                self._rows.append(row)
                self._characters += len(str(row[3]))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self._rows, CANDIDATES, orient="row")


def responses_of(
    preference: PreferenceSet, shown: Shown, group: str | None = None, order: Sequence[int] | None = None
) -> Iterator[tuple[object, ...]]:
    """Yield a set's responses as a judge is shown them, each with its position in the order, or its index in the set.

    `group` is what they are told apart in: the set, unless given.
    """
    query = "\n".join(message.content for message in preference.query)
    for position, index in enumerate(range(preference.n_responses) if order is None else order):
        response = preference.responses[index]
        right = preference.label == 1 if preference.best is None else index == preference.best
        text = response_text(response, shown)
        of_set = group or preference.set_id, preference.cluster
        yield *of_set, right, text, query, response.model, position, preference.n_responses


def finding_of(candidates: pl.DataFrame) -> Finding:
    """Return what the probe finds: its AUC by all features and by each alone, or the reason why it was not run."""
    counts = {"rows": candidates.height, "sets": candidates["group"].n_unique()}
    if reason := lacking(candidates):
        return counts | {"auc": None, "reason": reason}
    _, panel = encoded(candidates)
    by_all = measured(panel)
    by_feature = {name: measured(panel, (name,)) for name in FEATURE_NAMES}
    return counts | {
        "auc": round(by_all.auc, 4),
        "se": round(by_all.se, 4),
        "auc_by_feature": {name: round(one.auc, 4) for name, one in by_feature.items()},
        "se_by_feature": {name: round(one.se, 4) for name, one in by_feature.items()},
    }


def marked(finding: Finding, threshold: float) -> Finding:
    """Return a finding with its verdict.

    A source leaks where the probe exceeds the threshold and, as it does by luck in small ones, is clearly better than
    chance; or where one feature alone is clearly above the threshold, which the noise of the others may hide.
    """
    leaky = finding["auc"] is not None and (
        (finding["auc"] > threshold and finding["auc"] - _FROM_CHANCE * finding["se"] > _CHANCE)
        or any(
            auc - _FROM_THRESHOLD * finding["se_by_feature"][name] > threshold
            for name, auc in finding["auc_by_feature"].items()
        )
    )
    return finding | {"leaky": leaky, "threshold": threshold}


def leak_probe(
    shown: Shown,
    threshold: float,
    curated: Stage,
    judged: Mapping[Purpose, Stage],
    decided: Mapping[Purpose, pl.DataFrame],
) -> dict[str, Any]:
    """Return the check `leak_probe`. `decided` has the rows of the judged tables, in their order."""
    downsampled = {(leak["source"], leak["task"]): leak for leak in curated.facts.get("leaks", ())}
    check: dict[str, Any] = {"sources": []}
    for finding in source_findings(curated, shown):
        leak = downsampled.get((finding["source"], finding["task"]))
        check["sources"].append(marked(finding, threshold) | ({"downsampled": leak} if leak else {}))
    rft = decided.get(Purpose.RFT)
    if rft is not None and "accepted" in rft.columns:
        check["rft"] = {
            task: marked(finding, threshold) for task, finding in _as_shown(curated, judged[Purpose.RFT], rft, shown)
        }
        hinted = rft.select("set_id", chosen="accepted", right=pl.col("mode") == Mode.HINTED.value)
        if hinted.select((pl.col("chosen") & pl.col("right")).any()).item():
            check["hinted"] = marked(_of_trajectories({Purpose.RFT: hinted}, judged, curated, ["set_id"]), threshold)
    meta_rm = {
        purpose: rows.rename({"in_meta_rm": "chosen"})
        for purpose, rows in decided.items()
        if "in_meta_rm" in rows.columns
    }
    if meta_rm:
        check["meta_rm"] = marked(_of_trajectories(meta_rm, judged, curated, ["set_id", "model"]), threshold)
    return check


def source_findings(curated: Stage, shown: Shown) -> list[Finding]:
    """Return a finding for every source, and for its sets of one response, by name; kept, as they cost seconds."""
    key = stage_key("leaks", STAGE_VERSION, shown, [curated.content])
    if (stage := find_stage(curated.root, key)) is None:
        findings = [
            {"source": source, "task": task} | finding_of(sample.frame())
            for (source, task), sample in sorted(_samples(curated, shown).items())
        ]
        stage = finish_stage(curated.root, key, {}, {"sources": findings}, [curated])
    return list(stage.facts["sources"])


def _samples(curated: Stage, shown: Shown) -> dict[tuple[str, str], Sample]:
    """Return a sample of each source's sets, in one pass over the table."""
    samples: dict[tuple[str, str], Sample] = {}
    for batch in read_batches(curated.paths("sets"), SETS, ["source", "best", "split", "drop_reason"]):
        kinds = pl.DataFrame(batch).filter(TRAINED_ON).select("source", TASK).unique()
        samples |= {kind: Sample() for kind in kinds.iter_rows() if kind not in samples}
    for preference in _trained_on(curated):
        sample = samples[preference.source, LABEL if preference.best is None else BEST]
        if not sample.full:
            sample.add(responses_of(preference, shown))
        elif all(one.full for one in samples.values()):
            break
    return samples


def _trained_on(curated: Stage, set_ids: Sequence[str] | None = None) -> Iterator[PreferenceSet]:
    """Yield the kept sets that are not for tests, some of them or all, in the table's order."""
    for batch in read_batches(curated.paths("sets"), SETS):
        kept = pc.and_(pc.is_null(batch.column("drop_reason")), pc.not_equal(batch.column("split"), Split.TEST.value))
        if set_ids is not None:
            kept = pc.and_(kept, pc.is_in(batch.column("set_id"), pa.array(set_ids, pa.string())))
        yield from sets_of(batch.filter(kept))


def _as_shown(curated: Stage, judged: Stage, rft: pl.DataFrame, shown: Shown) -> Iterator[tuple[str, Finding]]:
    """Yield what position, length and all else say of the best response and of the label in accepted rows."""
    for task, of_task in ((BEST, pl.col("best_position").is_not_null()), (LABEL, pl.col("label").is_not_null())):
        is_accepted = rft.select((pl.col("accepted") & of_task).fill_null(False)).to_series()
        places = is_accepted.arg_true().head(MOST_SETS).to_numpy()
        if not len(places):
            continue
        shown_in: dict[str, list[tuple[str, list[int]]]] = {}
        for rows in read_places(judged.paths("judged"), JUDGED, places, ["trajectory_id", "set_id", "order"]):
            for row in rows.to_pylist():
                shown_in.setdefault(row["set_id"], []).append((row["trajectory_id"], row["order"]))
        sample = Sample()
        for preference in _trained_on(curated, list(shown_in)):
            for trajectory_id, order in shown_in[preference.set_id]:
                sample.add(responses_of(preference, shown, trajectory_id, order))
        yield task, finding_of(sample.frame())


def _of_trajectories(
    decided: Mapping[Purpose, pl.DataFrame], judged: Mapping[Purpose, Stage], curated: Stage, group: list[str]
) -> Finding:
    """Return what the surface of chosen trajectories says of `right`, among those of one group that differ in it.

    A trajectory counts up to its verdict, with the position that it scores highest. `decided` has chosen, right, and
    the columns of the group.
    """
    candidates = [pl.DataFrame(schema=CANDIDATES)]
    columns = ["set_id", "text", "model", "scores", "n_responses"]
    for purpose, rows in decided.items():
        marks = _first_groups(rows, group)
        places, rights = marks["place"].to_numpy(), marks["right"]
        for batch in read_places(judged[purpose].paths("judged"), JUDGED, places, columns):
            trajectories = pl.DataFrame(batch).select(
                group=pl.concat_str(group, separator=" "),
                cluster="set_id",
                right=rights.head(batch.num_rows),
                text=pl.col("text").str.replace(_VERDICT, "$1"),
                query=pl.lit(None),
                author="model",
                position=pl.col("scores").list.arg_max(),
                places="n_responses",
            )
            rights = rights.slice(batch.num_rows)
            candidates.append(trajectories.cast(CANDIDATES))
    found = pl.concat(candidates)
    return finding_of(found.with_columns(pl.col("cluster").replace_strict(_clusters(curated, found["cluster"]))))


def _first_groups(rows: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Return place and right of the chosen rows of the first MOST_SETS groups whose rows differ in `right`."""
    chosen = rows.lazy().with_row_index("place").filter("chosen").select("place", "right", *group)
    differ = chosen.group_by(group, maintain_order=True).agg(pl.col("right").n_unique()).filter(pl.col("right") > 1)
    first = differ.select(group).head(MOST_SETS)
    return chosen.join(first, on=group, how="semi").sort("place").select("place", "right").collect()


def _clusters(curated: Stage, set_ids: pl.Series) -> dict[str, str | None]:
    """Return the cluster of each of these sets."""
    wanted = pa.array(set_ids.unique().to_list(), pa.string())
    clusters: dict[str, str | None] = {}
    for batch in read_batches(curated.paths("sets"), SETS, ["set_id", "cluster"]):
        rows = batch.filter(pc.is_in(batch.column("set_id"), wanted))
        clusters |= zip(*(column.to_pylist() for column in rows.columns), strict=True)
    return clusters
