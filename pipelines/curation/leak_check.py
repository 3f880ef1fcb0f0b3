"""The manifest's check `leak_probe`: how well the probe does on every source and on what the training sets teach."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.leak_candidates import MOST_SETS, Sample, responses_as_shown, responses_of, trajectories_of
from pipelines.curation.leak_encoding import encoded
from pipelines.curation.leak_features import FEATURE_NAMES
from pipelines.curation.leak_probe import MIN_SETS, lacking, measured
from pipelines.judging.shown_text import Shown
from schemas.preference import SETS, PreferenceSet, Split, sets_of
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Mode, Purpose
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.tables import read_batches, read_table

STAGE_VERSION = 1
BEST, LABEL = "best", "label"
"""What the probe looks for: the best response of a set, or the label of a single one."""
_FROM_CHANCE = 3
"""Standard errors above chance that a leak has to be: in sources of 40 to 100 sets without one, AUCs scatter a third
more than their standard errors say."""
_FROM_THRESHOLD = 2
"""Standard errors that one feature out of ten has to be above the threshold."""
_CHANCE = 0.5

Finding = dict[str, Any]


def finding_of(candidates: pl.DataFrame, ranked: bool, least: int = MIN_SETS) -> Finding:
    """Return what the probe finds: its AUC by all features and by each alone, or the reason why it was not run.

    Under `least` sets it is not run; a smaller number of them than usual is for a look, not for a verdict.
    """
    counts = {"rows": candidates.height, "sets": candidates["group"].n_unique()}
    if reason := lacking(candidates, ranked, least):
        return counts | {"auc": None, "reason": reason}
    _, panel = encoded(candidates, ranked)
    every = measured(panel)
    by_feature = {name: measured(panel, (name,)) for name in FEATURE_NAMES}
    return counts | {
        "auc": round(every.auc, 4),
        "se": round(every.se, 4),
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
    recipe: Recipe, curated: Stage, judged: Mapping[Purpose, Stage], decided: Mapping[Purpose, pl.DataFrame]
) -> dict[str, Any]:
    """Return the check `leak_probe`. `decided` has the rows of the judged tables, in their order."""
    shown, threshold = recipe.grm.shown, recipe.leaks.threshold
    downsampled = {(one["source"], one["task"]): one for one in curated.facts.get("leaks", ())}
    check: dict[str, Any] = {"sources": []}
    for one in source_findings(curated, shown):
        changed = downsampled.get((one["source"], one["task"]))
        check["sources"].append(marked(one, threshold) | ({"downsampled": changed} if changed else {}))
    clusters = _frame(read_table(curated.paths("sets"), SETS, ["set_id", "cluster"])).unique("set_id")
    rft = decided.get(Purpose.RFT)
    if rft is not None and "accepted" in rft.columns:
        check["rft"] = {
            task: marked(found, threshold) for task, found in _as_shown(curated, judged[Purpose.RFT], rft, shown)
        }
        hinted = {Purpose.RFT: rft.with_columns(wanted="accepted", right=pl.col("mode") == Mode.HINTED.value)}
        if hinted[Purpose.RFT].filter("wanted")["right"].any():
            check["hinted"] = marked(_trajectories(hinted, judged, clusters, ["set_id"]), threshold)
    meta_rm = {
        purpose: one.rename({"in_meta_rm": "wanted"}) for purpose, one in decided.items() if "in_meta_rm" in one.columns
    }
    if meta_rm:
        check["meta_rm"] = marked(_trajectories(meta_rm, judged, clusters, ["set_id", "model"]), threshold)
    return check


def source_findings(curated: Stage, shown: Shown) -> list[Finding]:
    """Return a finding for every source, and for its sets of one response, by name; kept, as they cost seconds."""
    key = stage_key("leaks", STAGE_VERSION, shown, [curated.content])
    found = find_stage(curated.root, key)
    if found is None:
        findings = [
            {"source": source, "task": task} | finding_of(sample.frame(), sample.ranked)
            for (source, task), sample in sorted(_samples(curated, shown).items())
        ]
        found = finish_stage(curated.root, key, {}, {"sources": findings}, [curated])
    findings = list(found.facts["sources"])
    return findings


def _samples(curated: Stage, shown: Shown) -> dict[tuple[str, str], Sample]:
    """Return a sample of each source's sets, in one pass over the table."""
    kinds = _frame(read_table(curated.paths("sets"), SETS, ["source", "best", "label", "split", "drop_reason"]))
    kinds = kinds.filter(pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value))
    task = pl.when(pl.col("best").is_null()).then(pl.lit(LABEL)).otherwise(pl.lit(BEST))
    wanted = kinds.group_by("source", task=task).len().select("source", "task").rows()
    samples = {(source, task): Sample(task == BEST) for source, task in wanted}
    for preference in _trained_on(curated):
        sample = samples[preference.source, task_of(preference)]
        if not sample.full:
            sample.add(responses_of(preference, shown))
        elif all(one.full for one in samples.values()):
            break
    return samples


def task_of(preference: PreferenceSet) -> str:
    return LABEL if preference.best is None else BEST


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
        accepted = rft.filter(pl.col("accepted") & of_task).head(MOST_SETS).select("trajectory_id", "set_id")
        if accepted.is_empty():
            continue
        orders = _frame(read_table(judged.paths("judged"), JUDGED, ["trajectory_id", "order"]))
        shown_in: dict[str, list[tuple[str, list[int]]]] = {}
        for row in accepted.join(orders, on="trajectory_id", maintain_order="left").iter_rows():
            shown_in.setdefault(row[1], []).append((row[0], row[2]))
        sample = Sample(task == BEST)
        for preference in _trained_on(curated, list(shown_in)):
            for trajectory_id, order in shown_in[preference.set_id]:
                sample.add(responses_as_shown(preference, shown, trajectory_id, order))
        yield task, finding_of(sample.frame(), sample.ranked)


def _trajectories(
    decided: Mapping[Purpose, pl.DataFrame], judged: Mapping[Purpose, Stage], clusters: pl.DataFrame, group: list[str]
) -> Finding:
    """Return what the surface of wanted trajectories says of `right`, among those of one group that differ in it."""
    frames = []
    for purpose, one in decided.items():
        differ = (pl.col("right").n_unique().over(group, "wanted") > 1) & pl.col("wanted")
        named = one.join(clusters, on="set_id", how="left", maintain_order="left").with_columns(
            group=pl.when(differ).then(pl.concat_str(group, separator=" "))
        )
        most = named["group"].drop_nulls().unique(maintain_order=True).head(MOST_SETS)
        named = named.with_columns(group=pl.when(pl.col("group").is_in(most.implode())).then("group"))
        frames.append(trajectories_of(judged[purpose], named.select("group", "cluster", "right")))
    return finding_of(pl.concat(frames), ranked=True)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
