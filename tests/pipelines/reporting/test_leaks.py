"""The leak probe's findings in words: which feature gives it away, and what downsampling could not mend."""

from typing import Any

from pipelines.reporting.leaks import leak_rows, leak_sentences


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
