"""Rejection: one reason a trajectory, by METHOD section 3 and the precedence of DESIGN."""

import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.judging.judging import judge
from pipelines.judging.samples import sampling_job
from pipelines.judging.sampling import sample_sets
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide, pass_counts
from schemas.recipe import RejectionSection
from schemas.trajectory import JUDGED, REJECT_PRECEDENCE, Outcome, Purpose
from storage.root import Root
from storage.tables import read_frame
from tests.examples import a_recipe, a_run, a_set, curate, simulated, source_stage
from tests.pipelines.judging.decisions import a_sample, frame, samples

FREE = {"balance_positions": False, "max_hinted_share": 1.0}
"""Rules without caps: what is left is about the trajectory itself."""

BAD = [outcome.value for outcome in Outcome if outcome is not Outcome.CORRECT]


def reasons(rows: list[dict[str, Any]], n_rft: int = 3, **rules: Any) -> list[str | None]:
    decided = decide(frame(rows), RejectionSection(**FREE | rules), n_rft)
    assert decided["trajectory_id"].to_list() == [row["trajectory_id"] for row in rows]
    assert decided["accepted"].to_list() == [reason is None for reason in decided["reject_reason"]]
    return decided["reject_reason"].to_list()


@pytest.mark.parametrize("outcome", BAD)
def test_an_outcome_comes_before_every_other_reason(outcome: str) -> None:
    # Hinted, leaking, of a set that is too easy, or undecided: the outcome is what is said.
    for others in (["correct"] * 3, ["correct", "truncated", "truncated"]):
        rows = [*samples("s", others), a_sample("s", 0, outcome, "hinted", hint_leak=True)]
        assert reasons(rows)[-1] == outcome


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_precedence_over_all_combinations(drop: bool, keep: bool) -> None:
    """Compare with the rules said once more in plain Python."""
    every = itertools.product(["correct", "incorrect", "tied", "truncated"], repeat=3)
    rows: list[dict[str, Any]] = []
    expected: list[str | None] = []
    for others, hinted, leak in itertools.product(every, ["correct", "incorrect", "refused"], [True, False]):
        of_set = samples(f"set {len(rows)}", others, hinted)
        of_set[-1]["hint_leak"] = leak
        rows += of_set
        for row in of_set:
            is_hinted = row["mode"] == "hinted"
            found = {
                row["outcome"]: row["outcome"] != "correct",
                "hint_leak": is_hinted and leak,
                "too_easy": drop and others == ("correct",) * 3 and not (is_hinted and keep),
                "undecided": sum(Outcome(outcome).readable for outcome in others) < 3,
            }
            expected.append(next((name for name in REJECT_PRECEDENCE if found.get(name)), None))
    assert reasons(rows, drop_too_easy=drop, keep_hinted_when_too_easy=keep) == expected


def test_every_reason_is_in_the_precedence_and_caps_come_last() -> None:
    assert REJECT_PRECEDENCE[: len(BAD)] == tuple(BAD)
    assert REJECT_PRECEDENCE[len(BAD) :] == (
        "draft_verdict", "no_critique", "no_principles", "hint_leak", "too_easy", "undecided",
        "label_suspect", "hint_unconfirmed", "row_too_long",
        "label_balance", "position_balance", "hinted_share", "max_accepted",
    )  # fmt: skip


FLAGS = ["draft_verdict", "no_critique", "no_principles"]


def test_what_a_correct_answer_lacks_comes_behind_its_outcome_and_before_all_else() -> None:
    for flags in (FLAGS, FLAGS[1:], FLAGS[2:]):
        lacking = dict.fromkeys(flags, True)
        rows = samples("s", ["correct"] * 3, "correct", hint_leak=True, **lacking)
        assert reasons(rows) == [flags[0]] * 4
        rows = samples("s", ["incorrect", "tied", "truncated"], "refused", **lacking)
        assert reasons(rows) == ["incorrect", "tied", "truncated", "refused"]


def test_an_answer_without_a_critique_is_a_readable_sample_all_the_same() -> None:
    bare = a_sample("s", 0, "correct", no_critique=True)
    rows = [bare, *samples("s", ["correct", "correct", "correct"])[1:]]
    assert reasons(rows) == ["no_critique", "too_easy", "too_easy"]
    rows = [bare, *samples("s", ["correct", "correct", "incorrect"])[1:]]
    assert reasons(rows) == ["no_critique", None, "incorrect"]


def test_a_set_that_is_too_easy_goes_whole_unless_its_hinted_sample_may_stay() -> None:
    rows = samples("s", ["correct"] * 3, "correct")
    assert reasons(rows) == ["too_easy"] * 4
    assert reasons(rows, keep_hinted_when_too_easy=True) == ["too_easy"] * 3 + [None]
    assert reasons(rows, drop_too_easy=False) == [None] * 4


def test_an_unreadable_sample_says_nothing_about_difficulty() -> None:
    """Counted as wrong, it would let exactly the long prompts pass as hard."""
    rows = samples("s", ["correct", "truncated", "correct", "correct"], "correct")
    assert reasons(rows) == ["too_easy", "truncated", "too_easy", "too_easy", "too_easy"]
    short = samples("s", ["correct", "truncated", "correct", "truncated", "truncated"], "correct")
    assert reasons(short) == ["undecided", "truncated", "undecided", "truncated", "truncated", "undecided"]
    failed = samples("s", ["correct", "failed", "incorrect"], "correct")
    assert reasons(failed) == ["undecided", "failed", "incorrect", "undecided"]


def test_a_hinted_sample_says_nothing_about_difficulty_either() -> None:
    counts = pass_counts(frame(samples("s", ["correct", "tied", "truncated"], "correct")))
    assert counts.to_dicts() == [{"set_id": "s", "pass_count": 1, "pass_samples": 2}]


def test_a_leak_matters_in_hinted_samples_alone() -> None:
    rows = samples("s", ["correct", "incorrect", "correct"], "correct")
    for row in rows:
        row["hint_leak"] = True
    assert reasons(rows) == [None, "incorrect", None, "hint_leak"]


def test_a_set_gives_no_more_than_the_recipe_allows_and_hinted_ones_go_first() -> None:
    rows = samples("s", ["correct", "incorrect", "correct"], "correct") + samples("r", ["correct", "tied", "tied"])
    assert reasons(rows, max_accepted_per_set=1) == [
        None, "incorrect", "max_accepted", "max_accepted", None, "tied", "tied",
    ]  # fmt: skip
    assert reasons(rows, max_accepted_per_set=2)[3] == "max_accepted"
    assert reasons(rows, max_accepted_per_set=3)[:4] == [None, "incorrect", None, None]


def suspect_reasons(rows: list[dict[str, Any]], suspicion: float | None, **rules: Any) -> list[str | None]:
    suspected = frame(rows).with_columns(label_suspicion=pl.lit(suspicion, pl.Float64))
    return decide(suspected, RejectionSection(**FREE | rules), 3)["reject_reason"].to_list()


def test_a_suspect_label_rejects_what_is_correct_by_it_and_only_where_it_is_asked_for() -> None:
    rows = samples("s", ["correct", "incorrect", "incorrect"], "correct")
    assert suspect_reasons(rows, 0.4) == [None, "incorrect", "incorrect", None]
    rejected = suspect_reasons(rows, 0.4, max_label_suspicion=0.3, min_pass_for_hinted=2)
    assert rejected == ["label_suspect", "incorrect", "incorrect", "label_suspect"]
    assert suspect_reasons(rows, 0.4, max_label_suspicion=0.4) == [None, "incorrect", "incorrect", None]
    assert suspect_reasons(rows, None, max_label_suspicion=0.0) == [None, "incorrect", "incorrect", None]


def test_a_hint_is_confirmed_by_what_was_right_without_it() -> None:
    none_right = samples("r", ["incorrect"] * 3, "correct")
    one_right = samples("s", ["correct", "incorrect", "incorrect"], "correct")
    assert reasons(none_right, min_pass_for_hinted=1)[-1] == "hint_unconfirmed"
    assert reasons(one_right, min_pass_for_hinted=1)[-1] is None
    assert reasons(one_right, min_pass_for_hinted=2) == [None, "incorrect", "incorrect", "hint_unconfirmed"]


def test_too_easy_and_undecided_come_before_a_suspect_label_and_caps_behind_it() -> None:
    easy = samples("s", ["correct"] * 3, "correct")
    assert suspect_reasons(easy, 0.9, max_label_suspicion=0.1) == ["too_easy"] * 4
    short = samples("s", ["correct", "truncated", "incorrect"], "correct")
    asked = {"max_label_suspicion": 0.1, "min_pass_for_hinted": 3}
    assert suspect_reasons(short, 0.9, **asked) == ["undecided", "truncated", "incorrect", "undecided"]
    two = samples("s", ["correct", "correct", "incorrect"], "correct")
    capped = suspect_reasons(two, 0.9, max_label_suspicion=0.1, max_accepted_per_set=1)
    assert capped == ["label_suspect", "label_suspect", "incorrect", "label_suspect"]


def test_nothing_is_decided_over_nothing() -> None:
    assert reasons([]) == []


def judged(root: Root, n: int, count: int, **settings: Any) -> pl.DataFrame:
    recipe = a_recipe(
        models={"grm": simulated(**settings), "difficulty": simulated()},
        sources=[{"kind": "preference_sets", "name": "own", "path": "x", "hinted": False}],
    )
    curated = curate(recipe, root, [source_stage(root, [a_set(number, n=n) for number in range(count)])], None)
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    run, _ = a_run(recipe)
    stage = judge(root, job, curated, sample_sets(root, run, job, curated))
    return read_frame(stage.paths("judged"), JUDGED, DECISION_COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rate"), [(2, 0.45), (4, 0.2025), (5, 0.1533)])
def test_a_judge_that_guesses_is_right_by_chance_and_too_easy_by_its_cube(tmp_path: Path, n: int, rate: float) -> None:
    """METHOD section 2, within 3 standard errors: any leak of the truth into prompt, order or reading would show."""
    count = 1_500
    decided = decide(judged(Root(tmp_path), n, count, chance=True), RejectionSection(**FREE), 3)
    right = decided.filter(outcome="correct").height
    assert abs(right / (3 * count) - rate) < 3 * math.sqrt(rate * (1 - rate) / (3 * count))
    easy = decided.filter(reject_reason="too_easy").height / 3
    cube = rate**3
    assert abs(easy / count - cube) < 3 * math.sqrt(cube * (1 - cube) / count)


@pytest.mark.slow
def test_a_biased_judge_goes_in_and_balanced_positions_come_out(tmp_path: Path) -> None:
    frame = judged(Root(tmp_path), 2, 1_500, position_bias=1.0, accuracy=0.7)
    accepted = decide(frame, RejectionSection(balance_positions=False), 3).filter("accepted")
    first = Counter(accepted["best_position"])[0] / accepted.height
    assert first > 0.58
    accepted = decide(frame, RejectionSection(), 3).filter("accepted")
    counts = Counter(accepted["best_position"])
    assert max(counts.values()) <= 1.1 * min(counts.values()) + 2
