"""The leak probe's findings in words: which feature gives it away, and what downsampling could not mend."""

from pathlib import Path
from typing import Any

from pipelines.reporting.checks import leak_rows, leak_sentences, trace_sentences
from pipelines.reporting.report import report_of
from tests.pipelines.reporting.small_snapshot import small


def finding(**given: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "source": "own", "task": "best", "rows": 300, "sets": 100, "auc": 0.7, "se": 0.02, "leaky": True,
        "auc_by_feature": {"length": 0.66, "author": 0.69, "turns": 0.5}, "threshold": 0.6,
    }  # fmt: skip
    return usual | given


def test_the_worst_leak_comes_first_with_the_features_that_give_it_away() -> None:
    check = {"sources": [finding(), finding(source="worse", auc=0.9)], "meta_rm": finding(leaky=False)}
    worse, own = leak_sentences({"leak_probe": check})
    assert worse.startswith("worse: leaky.")
    assert own.endswith("at AUC 0.70 ± 0.04 (chance 0.5, limit 0.6), by who wrote it (0.69), its length (0.66).")


def test_a_leak_of_many_features_names_the_two_that_find_most() -> None:
    (said,) = leak_sentences({"leak_probe": {"hinted": finding(auc_by_feature={"length": 0.55, "ngrams": 0.56})}})
    assert said.startswith("rft: leaky.") and "hinted answers" in said
    assert said.endswith("by its style, letter by letter (0.56), its length (0.55).")


def test_downsampling_is_said_where_it_helped_and_where_it_did_not() -> None:
    mended = finding(leaky=False, auc=0.59, downsampled={"before": 0.7, "after": 0.59, "of": 100, "left_out": 20})
    given_up = finding(downsampled={"before": 0.7, "after": 0.7, "of": 100, "left_out": 0, "gave_up": True})
    checks = {"leak_probe": {"sources": [mended, given_up]}}
    (said,) = leak_sentences(checks)
    assert said.endswith("Downsampling would have taken half of its sets, so it took none.")
    assert leak_rows(checks)[0][4] == "fine; 20 of 100 sets left out, AUC 0.7 before"


def test_nothing_is_said_of_what_was_not_probed() -> None:
    assert leak_sentences({}) == leak_rows({}) == []


def traces(**given: Any) -> dict[str, Any]:
    ngram = {"ngram": "<script>alert(1)</script>\u202e", "hinted": 0.3, "non_hinted": 0.0, "weight": 1.5}
    null = {"sets": 90, "splits": 5, "auc": 0.51, "scatter": 0.03, "interval": [0.45, 0.57]}
    usual: dict[str, Any] = {
        "sets": 120, "auc": 0.66, "se": 0.03, "interval": [0.6, 0.72], "found": True, "ngrams": [ngram], "null": null,
        "false_alarms": {"critiques": 300, "phrases": 1, "verdict_first": 2},
    }  # fmt: skip
    return {"hint_traces": usual | given}


def test_hint_traces_stand_beside_chance_and_the_words_of_models_are_escaped(tmp_path: Path) -> None:
    found, alarms = trace_sentences(traces())
    assert "still give themselves away" in found and "AUC 0.66 in 0.60..0.72" in found and "0.51 in 0.45..0.57" in found
    assert alarms.startswith("Of 300 accepted critiques that were never hinted") and "1 for speaking" in alarms
    made = small()
    made.checks |= traces()
    snapshot, stage = made.published(tmp_path)
    report = report_of(snapshot.manifest, stage)
    assert "&lt;script&gt;" in report and "<script" not in report and "\u202e" not in report


def test_hint_traces_that_were_not_measured_say_why() -> None:
    (said,) = trace_sentences(traces(auc=None, reason="3 sets: fewer than 40 say nothing"))
    assert said.endswith("was not measured: 3 sets: fewer than 40 say nothing.")
    assert trace_sentences({}) == []
