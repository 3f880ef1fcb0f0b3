"""The reward of the selection variant: what it pays for, and every way to be paid for nothing."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.prompts import load_template
from pipelines.judging.rewards import compute_score, grm_reward
from pipelines.judging.rule import named_errors, read_pick, reward
from tests.timing import least_seconds

ANSWERS = ["24 kHz", "15 kHz", "30 kHz", "7.5 kHz", "60 kHz"]
TRUTH = json.dumps({"n": 5, "best": 1, "answers": ANSWERS})
RIGHT = "15 kHz"


def error(number: int, quoted: str, right: str = RIGHT, reason: str = ": LTE fixes the spacing.") -> str:
    return f'Response {number}: "{quoted}" is wrong, "{right}" is right{reason}'


def answer(*paragraphs: str, pick: str = "2", end: str = "") -> str:
    errors = "\n\n".join(paragraphs)
    return f"Analysis:\nLTE has one spacing.\n\nErrors:\n{errors}\n\nBest: \\boxed{{{pick}}}{end}"


HONEST = [error(number, ANSWERS[number - 1], reason=f": as in case {number}.") for number in (1, 3, 4, 5)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (answer(*HONEST[:1]), 1.1),
        (answer(*HONEST[:2]), 1.2),
        (answer(*HONEST[:3]), 1.3),
        (answer(*HONEST), 1.3),  # four errors pay as three
        (answer(), 1.0),
        ("Best: \\boxed{2}", 1.0),
        (answer(*HONEST[:2], error(5, "no idea")), 1.2),  # an error that cannot be verified is worth nothing
        (answer(*HONEST[:1], pick="1"), -1.0),
        (answer(*HONEST[:1], end="<|im_end|>\n"), 1.1),
        ("<think>Best: \\boxed{3}</think>" + answer(*HONEST[:1]), 1.1),
        (answer(*HONEST[:1]).replace("Errors:", "**Errors:**").replace("Best:", "**Best:**"), 1.1),
        (answer(error(1, "24  kHz.", "$15 kHz$")), 1.1),
        (answer(error(1, "24 kHz").replace('"24 kHz"', "“24 kHz”")), 1.1),
        (answer(error(1, "24 kHz", reason=" because LTE\nfixes it.")), 1.1),
        (answer(error(1, "24 kHz", reason="")), 1.1),
        (answer("**Response 1:** " + error(1, "24 kHz").split(": ", 1)[1]), 1.1),
        (answer(*HONEST[:1]).replace("LTE has one", "Response 3 is second best: it has one"), 1.1),
    ],
)
def test_the_right_pick_pays_one_and_each_error_named_a_tenth(text: str, expected: float) -> None:
    assert reward(text, TRUTH) == expected


EVERY = " ".join(f'"{one}"' for one in ANSWERS)
SAME = error(1, "24 kHz").split(": ", 1)[1]
PROMPT = "".join(part.before for part in load_template("selection").parts) + load_template("selection").ending

GAMES = {
    "quotes everything": answer(*(f"Response {n}: {EVERY} is wrong, {EVERY} is right: so." for n in (1, 3))),
    "quotes the right response": answer(*(error(n, RIGHT) for n in (1, 3, 4))),
    "quotes the right response as wrong, and a wrong one as right": answer(error(1, RIGHT, "24 kHz")),
    "names an error of its own pick": answer(*HONEST[:2], error(2, RIGHT, "24 kHz")),
    "one paragraph for each response": answer(*(f"Response {n}: {SAME}" for n in (1, 3, 4, 5))),
    "empty quotes": answer(error(1, ""), error(3, " "), error(4, "", "")),
    "one-word quotes that all responses have": answer(error(1, "kHz", "kHz"), error(3, "kHz")),
    "part of an answer": answer(error(1, "24"), error(3, "30", "15")),
    "lists all answers": answer(error(1, ", ".join(ANSWERS)), error(3, "30 kHz", " or ".join(ANSWERS))),
    "all answers after the claim": answer(error(1, "24 kHz", reason=f": or {EVERY}.")),
    "another response's answer": answer(error(1, "30 kHz"), error(3, "24 kHz")),
    "contradicts the reference": answer(error(1, "24 kHz", "30 kHz"), error(3, "30 kHz", "14 kHz")),
    "says no error": answer(*(f'Response {n}: no error in "{ANSWERS[n - 1]}".' for n in (1, 3))),
    "says no error after the claim": answer(error(1, "24 kHz", reason=": there is no error here.")),
    "hedges in a second claim": answer(error(1, "24 kHz", reason=': or "24 kHz" is right, "15 kHz" is wrong.')),
    "hedges without quotes": answer(error(1, "24 kHz", reason=": but it is also right in its way.")),
    "hedges with a doubt": answer(error(1, "24 kHz", reason=", or perhaps the other way round.")),
    "claims both ways": answer(error(1, "24 kHz"), error(1, RIGHT, "24 kHz")),
    "the same response twice": answer(error(1, "24 kHz"), error(1, "24 kHz", reason=": again, in other words.")),
    "cyrillic in the quotation": answer(error(1, "24 \u043aHz"), error(3, "30 \u039aHz")),
    "full-width digits": answer(error(1, "\uff12\uff14 kHz"), error(3, "30 kHz", "\uff11\uff15 kHz")),
    "kelvin sign": answer(error(1, "24 \u212aHz")),
    "invisible characters": answer(error(1, "24\u200b kHz"), error(3, "30 kHz", reason=": n\u200bo error.")),
    "hedges in disguise": answer(error(1, "24 kHz", reason=": or p\u0435rhaps not.")),
    "look-alike quotation marks": answer(error(1, "24 kHz").replace('"', "\u02ba")),
    "numbers with look-alike digits": answer(error(1, "24 kHz").replace("Response 1", "Response \uff11")),
    "negative and huge numbers": answer(
        *(error(1, "24 kHz").replace("Response 1", f"Response {n}") for n in ("-1", "0", "99", "9" * 5000))
    ),
    "an honest error beside one of a response that is not there": answer(*HONEST[:1], error(9, "24 kHz")),
    "100 kB of a paragraph": answer(error(1, "24 kHz", reason=": " + "so " * 33_000)),
    "100 kB of an answer": "so " * 33_000 + answer(*HONEST),
    "100 kB of paragraphs": answer(*(error(1 + n % 5, ANSWERS[n % 5]) for n in range(1500))),
    "no heading": "\n".join(HONEST) + "\n\nBest: \\boxed{2}",
    "other text in the part": answer("All of them are wrong.", *HONEST),
    "errors after the pick": "Best: \\boxed{2}\n\nErrors:\n" + "\n".join(HONEST),
    "two picks": answer(*HONEST, pick="1") + "\n\nBest: \\boxed{2}",
    "a pick in words after the format": answer(*HONEST, end="\n\nOr else Response 3."),
    "in its thoughts": f"<think>{answer(*HONEST)}</think>Best: \\boxed{{2}}",
}  # fmt: skip


@pytest.mark.parametrize("text", GAMES.values(), ids=GAMES.keys())
def test_no_game_gets_a_bonus(text: str) -> None:
    assert reward(text, TRUTH) == 1.0


NO_PICKS = {
    "errors without a pick": answer(*HONEST).partition("Best:")[0],
    "a pick in words": answer(*HONEST).replace("Best: \\boxed{2}", "The best is Response 2."),
    "two in one box": answer(*HONEST, pick="2, 3"),
    "two boxes": answer(*HONEST, end=" \\boxed{3}"),
    "all of them": answer(*HONEST, pick="1, 2, 3, 4, 5"),
    "another pick after the format": answer(*HONEST) + "\n\nBest: \\boxed{3}",
    "a pick without a box after the format": answer(*HONEST) + "\n\nBest: 2",
    "scores in its place": answer(*HONEST).replace("Best: \\boxed{2}", "Scores: \\boxed{1, 9, 1, 1, 1}"),
    "negative": answer(*HONEST, pick="-2"),
    "zero": answer(*HONEST, pick="0"),
    "huge": answer(*HONEST, pick="9" * 100_000),
    "a number with a fraction": answer(*HONEST, pick="2.0"),
    "full-width": answer(*HONEST, pick="\uff12"),
    "cyrillic marker": answer(*HONEST).replace("Best", "B\u0435st"),
    "broken off": answer(*HONEST)[:-1],
    "unclosed thoughts": "<think>" + answer(*HONEST),
    "the prompt": PROMPT,
    "the prompt's format filled in": PROMPT.replace("Response i", "Response 1"),
    "nothing": "",
}  # fmt: skip


@pytest.mark.parametrize("text", NO_PICKS.values(), ids=NO_PICKS.keys())
def test_what_picks_no_response_or_several_is_wrong(text: str) -> None:
    assert reward(text, TRUTH) == -1.0


@pytest.mark.parametrize("text", GAMES.values(), ids=GAMES.keys())
@pytest.mark.parametrize("best", [0, 2, 3, 4])
def test_no_game_makes_up_for_a_wrong_pick(text: str, best: int) -> None:
    assert reward(text, json.dumps({"n": 5, "best": best, "answers": ANSWERS})) in (-1.0, 1.0)
    assert reward(answer(*HONEST), json.dumps({"n": 5, "best": best, "answers": ANSWERS})) == -1.0


def test_an_answer_that_no_quotation_can_tell_from_others_is_worth_nothing() -> None:
    truth = json.dumps({"n": 5, "best": 1, "answers": [None, "15 kHz", "30 kHz", None, None]})
    assert reward(answer(*HONEST), truth) == 1.1


def test_in_a_group_no_bonus_outweighs_a_right_pick() -> None:
    """GRPO's advantage is (reward - mean) / deviation in a group of four: a right pick's is above any wrong one's."""
    right = [reward(answer(*HONEST[:named]), TRUTH) for named in range(5)]
    wrong = [reward(answer(*HONEST[:named], pick="3"), TRUTH) for named in range(5)]
    for group in product({*right, *wrong}, repeat=4):
        mean = sum(group) / 4
        if any(one > 0 for one in group) and any(one < 0 for one in group):
            assert all((one > mean) == (one > 0) for one in group), "a right pick always gains, a wrong one loses"
    assert max(right) - min(right) < (min(right) - max(wrong)) / 2


def test_verl_and_trl_call_it_as_they_call_the_other() -> None:
    row = {"style": "rule", "ground_truth": TRUTH}
    text = answer(*HONEST[:2])
    assert compute_score("grmforge/teleqna/selection", text, TRUTH, extra_info={"index": 3}) == 1.2
    plain = {"style": "rule", "ground_truth": '{"n": 2, "best": 0}'}
    completions: list[Any] = [[{"role": "assistant", "content": text}], text, "Scores: \\boxed{7, 3}", text]
    assert grm_reward(completions, [row, row, plain, plain], data_source=["x"] * 4) == [1.2, 1.2, 1.0, -1.0]


@pytest.mark.parametrize(
    "answers",
    [[], ["a"], ["a", 3], ["a", ""], "ab", {"0": "a"}, 3, ["a", "b", "c"]],
)
def test_a_wrong_list_of_answers_is_an_error_of_the_data(answers: Any) -> None:
    with pytest.raises(ValueError, match=r"ground truth .* is neither"):
        reward("Best: \\boxed{1}", json.dumps({"n": 2, "best": 0, "answers": answers}))


PIECES = st.sampled_from(
    ["Errors:\n", "Response 1:", "Response 3:", '"24 kHz"', '"15 kHz"', " is wrong, ", " is right", ": so", "\n",
     "Best: ", "\\boxed{2}", "\\boxed{", "}", "2", "<think>", "</think>", "no error", "“", "”"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_any_text_has_a_reward_of_the_five(text: str) -> None:
    assert reward(text, TRUTH) in {-1.0, 1.0, 1.1, 1.2, 1.3}
    assert 0 <= named_errors(text, list(ANSWERS), 1) <= 4
    pick = read_pick(text, 5)
    assert pick is None or 0 <= pick[0] < 5


@pytest.mark.parametrize(
    "text",
    [
        "Best:" * 200_000,
        "best" + " " * 1_000_000,
        "Best: \\boxed{2}" * 70_000,
        "Errors:\n" * 120_000 + "Best: \\boxed{2}",
        "Errors:\n" + "Response 1: " * 80_000 + "\nBest: \\boxed{2}",
        "Errors:\n" + "Response 1:\n" * 1_500 + "\nBest: \\boxed{2}",
        answer("Response 1: " + '"' * 19_000),
        answer("Response 1: " + '"a" is wrong, ' * 1_300),
        answer(*(f"Response 1: x{n}" for n in range(1_200))),
        answer("Response 1: " + "is a b " * 2_700),
    ],
    ids=lambda text: text[:20],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    assert reward(text, TRUTH) in (-1.0, 1.0)
    assert least_seconds(lambda: reward(text, TRUTH), 1) < 1
