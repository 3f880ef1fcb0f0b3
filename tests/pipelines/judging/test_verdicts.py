"""The verdict grammar and the reward, also as the stand-alone file that a snapshot publishes."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging import rewards, verdicts
from pipelines.judging.rewards import compute_score, grm_reward
from pipelines.judging.rewards_file import rewards_source
from pipelines.judging.rule import outcome_of, reward
from pipelines.judging.verdicts import CANONICAL, answer_of, canonical_text, read_scores, read_verdict
from schemas.trajectory import Outcome
from tests.pipelines.judging.verdict_forms import CRITERIA, judgement
from tests.timing import least_seconds

ANSWER = (
    "Specific Criteria:\n1. Accuracy (weight: 100%): right\n\nAnalysis:\nThe first is right.\n\nScores: \\boxed{7, 3}"
)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Scores: \\boxed{7, 3}", (7, 3)),
        ("Score: \\boxed{7,3}", (7, 3)),
        ("scores:\\boxed{ 7 , 3 }", (7, 3)),
        ("SCORES:\n\n\\boxed{7, 3}", (7, 3)),
        ("**Scores:** \\boxed{7, 3}", (7, 3)),
        ("**Scores**: \\boxed{7, 3}", (7, 3)),
        ("__Final Scores__ : **\\boxed{7, 3}**", (7, 3)),
        ("Scores: $\\boxed{7, 3}$", (7, 3)),
        ("Scores: $$\n\\boxed{7, 3}\n$$", (7, 3)),
        ("Scores: \\[ \\boxed{7, 3} \\]", (7, 3)),
        ("Scores: \\(\\boxed{7, 3}\\)", (7, 3)),
        ("Scores: \\boxed{[7, 3]}", (7, 3)),
        ("Scores: [\\boxed{7, 3}]", (7, 3)),
        ("Scores: \\boxed{7.0, 3.00}", (7, 3)),
        ("Scores: \\boxed{10, 1}", (10, 1)),
        ("Scores: \\boxed{7, 3}<|im_end|>", (7, 3)),
        ("Score: \\boxed{9, 9}\nOn reflection:\nScores: \\boxed{7, 3}\nThat is all.", (7, 3)),
        ("<think>Scores: \\boxed{1, 9}</think>Scores: \\boxed{7, 3}", (7, 3)),
        ("Scores: \\boxed{1, 9}</think>\n\nScores: \\boxed{7, 3}", (7, 3)),
        ("得分 Scores: \\boxed{7, 3}", (7, 3)),
        ("İ is two characters in lower case.\nScores: \\boxed{7, 3}", (7, 3)),
        ("Subscores: 3 and 4.\nScores: \\boxed{7, 3}, from these subscores: 3 and 4", (7, 3)),
    ],
)
def test_reads_the_verdicts_that_models_write(text: str, scores: tuple[int, ...]) -> None:
    assert read_scores(text, 2) == scores


def test_reads_what_a_published_27b_model_ends_with() -> None:
    text = "Specific standards:\n1. Correctness (60%)\n\nAnalysis:\n...\n\nScore: \\boxed{2, 9, 7, 4}"
    assert read_scores(text, 4) == (2, 9, 7, 4)


def test_two_scores_for_one_response_are_no_score() -> None:
    assert read_scores("Score: \\boxed{9, 9}", 1) == "wrong_count"


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "unparsed"),
        ("\\boxed{7, 3}", "unparsed"),
        ("Scores: \\boxed{}", "unparsed"),
        ("Scores: \\boxed{[]}", "unparsed"),
        ("Scores: \\boxed{7, }", "unparsed"),
        ("Scores: \\boxed{7, 3", "unparsed"),
        ("Scores: \\boxed{[7, 3}", "unparsed"),
        ("Scores: \\boxed{x, y}", "unparsed"),
        ("Scores: \\boxed{1e1, 3}", "unparsed"),
        ("Scores: \\boxed{nan, inf}", "unparsed"),
        ("Scores: the box says \\boxed{7, 3}", "unparsed"),
        ("Scores: \\boxed{9, 1}\n\nScores: \\boxed{7", "unparsed"),
        ("<think>Scores: \\boxed{7, 3}", "unparsed"),
        ("Scores: \\boxed{7}", "wrong_count"),
        ("Scores: \\boxed{7, 3, 5}", "wrong_count"),
        ("Scores: \\boxed{11, 3, 5}", "wrong_count"),
        ("Scores: \\boxed{7.5, 3}", "out_of_range"),
        ("Scores: \\boxed{11, 3}", "out_of_range"),
        ("Scores: \\boxed{0, 3}", "out_of_range"),
        ("Scores: \\boxed{-7, 3}", "out_of_range"),
        (f"Scores: \\boxed{{{'9' * 1_000}, 3}}", "out_of_range"),
        ("Scores: \\boxed{9, 1}\n\nScores: seven and three", "contradictory"),
    ],
)
def test_names_what_it_cannot_read(text: str, failure: str) -> None:
    assert read_scores(text, 2) == failure


@pytest.mark.parametrize("n_responses", [0, -1])
def test_no_responses_have_no_scores(n_responses: int) -> None:
    assert read_scores("Scores: \\boxed{7}", n_responses) == "wrong_count"


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_a_broken_off_answer_never_falls_back_to_an_earlier_list(end: int) -> None:
    earlier = "Scores: \\boxed{1, 2}\n"
    assert read_scores(ANSWER[:end], 2) == "unparsed"
    if end >= ANSWER.index("Scores:") + len("Scores:"):
        assert read_scores(earlier + ANSWER[:end], 2) == "unparsed"


@given(
    st.text(st.sampled_from("Scores:*_$ \\boxed{}[](),.0179\n") | st.characters(), max_size=200),
    st.integers(-1, 6),
    st.sampled_from([(1, 10), (0, 1)]),
)
def test_any_text_gives_the_right_count_or_a_named_failure(text: str, n: int, span: tuple[int, int]) -> None:
    for answer in (text, "Scores: \\boxed{" + text, text + "\nScores: \\boxed{1, 1}"):
        scores = read_scores(answer, n, *span)
        if isinstance(scores, str):
            assert scores in {"unparsed", "wrong_count", "out_of_range"}
        else:
            assert len(scores) == n
            assert all(type(score) is int and span[0] <= score <= span[1] for score in scores)


@given(st.text(), st.lists(st.integers(1, 10), min_size=1, max_size=8))
def test_a_whole_verdict_is_read_after_any_text(text: str, scores: list[int]) -> None:
    words = "".join(character for character in text if character.isalnum() or character in " .,\n")
    verdict = f"Scores: \\boxed{{{', '.join(map(str, scores))}}}"
    assert read_scores(f"x {words} x\n{verdict}", len(scores)) == tuple(scores)


@pytest.mark.parametrize(
    "text",
    [
        "Scores:" * 150_000,
        "Scores: " + " " * 1_000_000,
        "Scores" + " " * 1_000_000,
        "score" * 200_000,
        "Scores: \\boxed{" + "7" * 1_000_000 + "}",
        "Scores: \\boxed{" + "7," * 500_000 + "}",
        "Scores: " + "\\[" * 500_000,
        "Scores: " + "[" * 1_000_000,
        "\\boxed{" * 150_000,
        "<think>" * 150_000,
        "Score *" * 150_000 + ":",
    ],
    ids=lambda text: text[:16],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    assert isinstance(read_scores(text, 2), str)
    assert least_seconds(lambda: read_scores(text, 2), 3) < 3


@pytest.mark.parametrize(
    ("scores", "best", "label", "outcome"),
    [
        ((7, 3, 5), 0, None, "correct"),
        ((7, 3, 5), 2, None, "incorrect"),
        ((7, 3, 7), 2, None, "tied"),
        ((7, 7, 3), 2, None, "incorrect"),
        ((1,), None, 1, "correct"),
        ((0,), None, 0, "correct"),
        ((1,), None, 0, "incorrect"),
    ],
)
def test_the_best_response_must_win_alone(
    scores: tuple[int, ...], best: int | None, label: int | None, outcome: str
) -> None:
    assert outcome_of(scores, best, label) == outcome


def test_outcomes_are_those_of_the_tables() -> None:
    names = {verdicts.UNPARSED, verdicts.WRONG_COUNT, verdicts.OUT_OF_RANGE, "correct", "incorrect", "tied"}
    assert names <= {outcome.value for outcome in Outcome}


def test_an_outcome_needs_its_best_position() -> None:
    with pytest.raises(ValueError, match="best position None"):
        outcome_of((7, 3), None, None)


def test_reward_is_one_or_minus_one() -> None:
    assert reward(ANSWER, '{"n": 2, "best": 0}') == 1.0
    assert reward(ANSWER, '{"n": 2, "best": 1}') == -1.0
    assert reward(ANSWER, '{"n": 3, "best": 0}') == -1.0
    assert reward("Scores: \\boxed{0}", '{"n": 1, "label": 0}') == 1.0
    assert reward("Scores: \\boxed{7}", '{"n": 1, "label": 1}') == -1.0


@pytest.mark.parametrize(
    "truth",
    ["", "2", "null", "[]", "{}", "{", "[" * 100_000, '{"n": 2}', '{"n": 2, "best": 2}', '{"n": 1, "best": 0}',
     '{"n": 0, "best": 0}', '{"n": 1, "label": 2}', '{"n": 2, "best": true}', '{"n": "2", "best": 0}'],
)  # fmt: skip
def test_a_wrong_ground_truth_is_an_error_of_the_data(truth: str) -> None:
    with pytest.raises(ValueError, match=r"ground truth .* is neither"):
        reward(ANSWER, truth)


def test_verl_calls_by_name_and_hands_over_more() -> None:
    given = {"data_source": "teleqna", "solution_str": ANSWER, "ground_truth": '{"n": 2, "best": 0}'}
    assert compute_score(**given, extra_info={"index": 3}) == 1.0
    assert compute_score(**given, reward_router_address=None, reward_model_tokenizer=None) == 1.0
    assert compute_score("teleqna", ANSWER, '{"n": 2, "best": 1}') == -1.0


def test_trl_hands_over_every_column() -> None:
    rows = [{"style": "rule", "ground_truth": '{"n": 2, "best": 0}'}] * 5
    completions = [
        ANSWER,
        [{"role": "assistant", "content": ANSWER}],
        [{"role": "assistant", "content": [{"type": "text", "text": ANSWER}]}],
        [{"role": "assistant", "content": None}],
        [],
    ]
    columns: dict[str, Any] = {
        "prompts": [[]] * 5,
        "completion_ids": [[]] * 5,
        "trainer_state": None,
        "log_extra": print,
    }
    assert grm_reward(completions=completions, reward_model=rows, **columns) == [1.0, 1.0, 1.0, -1.0, -1.0]


def test_trl_without_the_column_is_told_so() -> None:
    with pytest.raises(ValueError, match="no reward_model column"):
        grm_reward(completions=[ANSWER], prompts=[""])
    with pytest.raises(ValueError, match="1 completions came with 2"):
        grm_reward(completions=[ANSWER], reward_model=[{}, {}])


def test_the_file_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "rewards.py").write_text(rewards_source(), "utf-8")
    program = (
        "import json, importlib.util as u\n"
        "spec = u.spec_from_file_location('custom_module', 'rewards.py')\n"
        "rewards = u.module_from_spec(spec); spec.loader.exec_module(rewards)\n"
        "rows = [{'ground_truth': json.dumps({'n': 2, 'best': 0})}]\n"
        f"print(json.dumps(rewards.grm_reward(completions=[{ANSWER!r}], reward_model=rows, prompts=[])))"
    )
    run = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert run.stderr == ""
    assert json.loads(run.stdout) == [1.0]


def test_the_file_is_made_of_modules_that_share_no_name_and_need_nothing() -> None:
    tree = ast.parse(rewards_source())
    names = [name for node in tree.body for name in _names_of(node)]
    assert len(names) == len(set(names))
    imported = {one.name for node in tree.body if isinstance(node, ast.Import) for one in node.names}
    imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


CASES = [json.loads(line) for line in (Path(__file__).parent / "verdicts.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["tail"])
def test_reads_what_a_careful_person_reads(case: dict[str, Any]) -> None:
    text = f"{CRITERIA}\n\nAnalysis:\nResponse 1 is right; Response 2 errs.\n\n{case['tail']}"
    found = read_scores(text, case.get("n", 2), case.get("low", 1), case.get("high", 10))
    assert (list(found) if isinstance(found, tuple) else None) == case["scores"], found


SECOND_HAND = [
    json.loads(line)
    for path in ("tests/pipelines/judging/verdicts_second_hand.jsonl", "tests/schemas/thinking_second_hand.jsonl")
    for line in (Path(__file__).parents[3] / path).read_text("utf-8").splitlines()
]
"""Written by somebody who had seen the rule and none of the code."""


def test_what_another_hand_wrote_is_never_misread_and_nearly_always_read() -> None:
    missed = []
    for case in SECOND_HAND:
        found = read_scores(case["text"], case["n"], case.get("low", 1), case.get("high", 10))
        scores = list(found) if isinstance(found, tuple) else None
        if scores != case["scores"]:
            assert scores is None, case["name"]
            missed += [] if case.get("or_none") else [case["name"]]
    assert missed == []


@pytest.mark.slow
def test_of_ten_thousand_judgements_with_a_known_truth_none_is_misread() -> None:
    missed, readable = [], 0
    for seed in range(10_000):
        one = judgement(seed)
        verdict = read_verdict(answer_of(one.text), one.n_responses, one.low, one.high)
        readable += one.scores is not None
        if verdict.scores is None:
            missed += [seed] if one.scores is not None else []
            continue
        assert (verdict.scores, verdict.is_draft_before) == (one.scores, one.is_draft_before), (seed, one.text)
        rewritten = canonical_text(answer_of(one.text), verdict)
        if not one.is_draft_before:
            again = read_verdict(rewritten, one.n_responses, one.low, one.high)
            assert (again.scores, again.form) == (one.scores, CANONICAL), (seed, one.text)
            assert canonical_text(rewritten, again) == rewritten
    assert len(missed) <= 0.02 * readable, missed


def test_an_earlier_verdict_is_read_over_only_where_words_take_it_back() -> None:
    drafted = "Scores: \\boxed{3, 7}\n\n{}\n\nScores: \\boxed{7, 3}"
    for words in ("Wait, I mixed them up.", "On reflection, the second is worse.", "更正：写反了。", "Correction"):
        verdict = read_verdict(drafted.replace("{}", words), 2, 1, 10)
        assert (verdict.scores, verdict.is_draft_before) == ((7, 3), True)
    for words in ("", "That is all.", "Response 1 is better."):
        assert read_verdict(drafted.replace("{}", words), 2, 1, 10).failure == "contradictory"
    assert read_verdict("Scores: \\boxed{3, 7}\n\nFinal scores: \\boxed{7, 3}", 2, 1, 10).failure == "contradictory"
    assert read_verdict("Draft scores: \\boxed{3, 7}\n\nScores: \\boxed{7, 3}", 2, 1, 10).is_draft_before
    assert not read_verdict("Scores: \\boxed{7, 3}\n\nFinal scores: \\boxed{7, 3}", 2, 1, 10).is_draft_before


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (ANSWER, "canonical"),
        (ANSWER.replace(", 3", ",3"), "forgiven"),
        (ANSWER + "\n", "forgiven"),
        (ANSWER + ".", "forgiven"),
        (ANSWER.replace("Scores", "Score"), "forgiven"),
        (ANSWER.replace("7, 3", "07, 3"), "forgiven"),
        (ANSWER.replace("\\boxed{7, 3}", "[7, 3]"), "forgiven"),
    ],
)
def test_one_form_is_canonical(text: str, form: str) -> None:
    verdict = read_verdict(text, 2, 1, 10)
    assert (verdict.scores, verdict.form) == ((7, 3), form)
    assert canonical_text(text, verdict) == ANSWER


def test_form_and_critique_stand_beside_the_reward() -> None:
    truth = '{"n": 2, "best": 0}'
    found = rewards.compute_score_and_form("x", ANSWER, truth)
    assert found == {"score": 1.0, "canonical": True, "has_critique": True}
    assert rewards.compute_score_and_form("x", "评分：[7, 3]", truth) == {
        "score": 1.0,
        "canonical": False,
        "has_critique": False,
    }
