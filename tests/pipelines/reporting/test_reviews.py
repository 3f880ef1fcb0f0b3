"""What people found, as card and report say it: in words, by source, and never as markup."""

from pathlib import Path
from typing import Any

from pipelines.reporting.attention import attention
from pipelines.reporting.report import card_of, report_of
from pipelines.reporting.reviews import review_rows, review_sentences
from tests.pipelines.reporting.small_snapshot import HOSTILE, small


def agreed(same: float) -> dict[str, Any]:
    found = {"same": same, "same_interval": [same - 0.1, same + 0.1], "kappa": 0.5, "kappa_interval": [0.3, 0.7]}
    return {"sets": 40, "raw": found, "weighted": found}


def a_check(source: str = "telecom", **changes: Any) -> dict[str, Any]:
    counts = {"same": 50, "other": 8, "tie": 3, "cannot_tell": 2}
    alpha = {"same": 0.8, "same_interval": [0.7, 0.9], "alpha": 0.61, "alpha_interval": [0.4, 0.8]}
    check = {
        "sets": 40, "reviews": 63, "reviewers": 2, "after_label": 1, **counts, "labels": agreed(0.85),
        "people": {"reviewers": 2, "pairs": [], "alpha": {"sets": 23, "raw": alpha, "weighted": alpha}},
        "by_source": {source: {"sets": 40, "reviews": 63, **counts, "labels": agreed(0.85)}},
    }  # fmt: skip
    return {"reviews": check | changes}


def test_sentences_say_all_that_was_found() -> None:
    said = " ".join(review_sentences(a_check(use="labels", replaced=7, dropped=0)))
    for part in (
        "2 people reviewed 40 sets", "Of 63 reviews, 50 found the response of the label best, 8 another one, 3 none",
        "2 could not tell", "85.0% (75.0% to 95.0%) of the sets (Cohen's kappa 0.500)",
        "80.0% (70.0% to 90.0%) of the 23 sets", "alpha 0.610", "1 choice changed after", "7 labels of the sources",
    ):  # fmt: skip
        assert part in said, part
    assert "4 sets left out" in " ".join(review_sentences(a_check(use="drop_disagreement", replaced=0, dropped=4)))
    assert review_rows(a_check())[0][:6] == ["telecom", "40", "63", "50", "8", "3"]
    assert review_sentences({}) == [] and review_rows({}) == []


def test_where_nobody_could_tell_no_share_is_made_up() -> None:
    nothing = {"sets": 0, "raw": None, "weighted": None}
    check = a_check(labels=nothing, people={"reviewers": 1, "pairs": [], "alpha": None})
    check["reviews"]["by_source"]["telecom"]["labels"] = nothing
    assert len(review_sentences(check)) == 2
    assert review_rows(check)[0][-2:] == ["–", "–"]


def test_a_build_says_in_its_last_lines_what_reviews_changed(tmp_path: Path) -> None:
    made = small()
    made.checks = a_check(use="labels", replaced=7, dropped=0)
    snapshot, _ = made.published(tmp_path)
    said = "7 labels of the sources gave way to what people found ([reviews] use)."
    assert said in attention(snapshot.manifest, [])


def test_card_and_report_show_it_and_data_stays_data(tmp_path: Path) -> None:
    made = small()
    made.checks = a_check(HOSTILE)
    snapshot, stage = made.published(tmp_path)
    for text in (card_of(snapshot.manifest), report_of(snapshot.manifest, stage)):
        assert "What people found" in text and "85.0% (75.0% to 95.0%)" in text
        assert "<script>" not in text and "\x1b" not in text
    made = small()
    snapshot, stage = made.published(tmp_path / "without")
    assert "[reviews] use" not in " ".join(attention(snapshot.manifest, []))
    assert "What people found" not in card_of(snapshot.manifest) + report_of(snapshot.manifest, stage)
