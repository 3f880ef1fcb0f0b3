"""Labels in report and card: what is bounded, what people found, and names that are hostile."""

from pathlib import Path
from typing import Any

from pipelines.reporting.label_checks import judge_rows, label_rows, label_sentences
from pipelines.reporting.report import card_of, report_of
from tests.pipelines.reporting.small_snapshot import small

JUDGE = "<script>alert(1)</script>|judge"


def checks(**noise: Any) -> dict[str, Any]:
    judge = {"judge": JUDGE, "source": "own", "n_responses": 2, "sets": 1200, "accuracy": 0.8, "correlation": 0.512}
    counts = {"source": "own", "sets": 1200, "above_0.1": 80, "above_0.5": 12, "above_0.9": 3}
    bound = {"source": "own", "judge": JUDGE, "sets": 1200, "disagrees": 0.2, "at_most": 0.223}
    return {
        "label_suspicion": {"prior_noise": 0.05, "judges": [judge], "sources": [counts]},
        "label_noise": {"assumes": ["one thing", "another"], "sources": [bound | noise]},
    }


def test_without_reviews_there_is_a_bound_and_what_it_assumes() -> None:
    [row] = label_rows(checks())
    assert row == ["own", "1,200", "80", "12", f"at most 22.3%, by {JUDGE}"]
    suspicion, bound = label_sentences(checks())
    assert "if 5% of labels are" in suspicion and "not a verdict" in suspicion
    assert bound.endswith("if: one thing; another.")
    assert label_rows(checks(at_most=None))[0][-1] == "no bound"


def test_with_reviews_there_is_a_share_with_its_interval() -> None:
    reviewed = {"reviewed": 400, "wrong": 31, "noise": 0.051, "low": 0.034, "high": 0.075, "open_share": 0.0}
    found = checks(**reviewed)
    found["label_noise"]["all"] = reviewed
    assert [row[-1] for row in label_rows(found)] == ["5.1% (3.4% to 7.5%; 400 sets reviewed)"] * 2
    found["label_noise"]["all"] |= {"reviewed": 1}
    assert label_rows(found)[1][-1].endswith("; 1 set reviewed)")
    assert "weighted back to the source" in label_sentences(found)[1]


def test_a_judge_is_shown_as_its_votes_show_it() -> None:
    assert judge_rows(checks()) == [[JUDGE, "own", "2", "1,200", "0.80", "0.51"]]


def test_nothing_is_said_of_an_old_snapshot() -> None:
    assert label_rows({}) == judge_rows({}) == label_sentences({}) == []


def test_report_and_card_show_it_and_escape_names(tmp_path: Path) -> None:
    made = small()
    made.checks |= checks()
    snapshot, stage = made.published(tmp_path)
    card = card_of(snapshot.manifest)
    assert "## Labels" in card and "at most 22.3%" in card and "<script>" not in card
    assert "| source | judged sets |" in card and r"\|judge" in card
    report = report_of(snapshot.manifest, stage)
    assert "How far the labels can be trusted" in report and "at most 22.3%" in report
    assert "&lt;script&gt;" in report and "<script" not in report
