"""What `init` sees in data, which limits fit a context, and the recipe's text as TOML reads it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipelines.ahead.beginning.data import look_at
from pipelines.ahead.beginning.limits import PromptTokens, limits_of, prompt_tokens, set_tokens
from pipelines.ahead.beginning.recipe_text import Choice, text_of, tree_of
from pipelines.ahead.beginning.trials import SHORT_TEXT
from pipelines.ahead.beginning.unread import as_read
from pipelines.judging.prompts import load_template
from schemas.errors import EngineError
from schemas.preference import LabelSource, PreferenceSet, Response, preference_set
from schemas.query import user
from schemas.recipe.stages import fault_of_regex

TURNS = [{"role": "user", "content": "2 + 3?"}]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"query": "q", "responses": ["a", "b"], "rewards": [1, 0.5]}, "preference_sets"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "preference_sets"),
        (
            {
                "chosen": [*TURNS, {"role": "assistant", "content": "5"}],
                "rejected": [*TURNS, {"role": "assistant", "content": "6"}],
            },
            "preference_sets",
        ),
        ({"problem": "What is 1 + 1?", "solution": "It is $\\boxed{2}$."}, "math"),
        ({"question": "How many dBm?", "answer": -61.5, "category": "c"}, "telemath"),
        ({"question": "1 + 1?", "gt": "2", "code": ["$\\boxed{2}$"], "score": [True]}, "gsm8k_solutions"),
    ],
)
def test_the_kind_of_source_follows_from_the_rows(tmp_path: Path, row: dict[str, Any], kind: str) -> None:
    data = look_at(str(write(tmp_path / "My rows.jsonl", [row] * 3)))
    assert (data.source.kind, data.rows, data.is_whole) == (kind, 3, True)
    assert set(data.columns) == set(row) and data.name == "my-rows"


def test_what_is_seen_of_data_stands_in_a_few_lines(tmp_path: Path) -> None:
    rows = [
        {"query": "Name a prime.", "responses": ["7", "9"], "best": 0},
        {"query": "Name a prime.", "responses": ["7", "9"], "best": 0},
        {"query": "Назови простое число.", "responses": ["7", "9", "8"], "rewards": [1, 1, 0]},
        {"query": "Name a city.", "responses": ["Oslo"]},
    ]
    data = look_at(str(write(tmp_path / "rows.jsonl", rows)))
    lines = "\n".join(data.lines())
    for words in ("4 rows", "2 of 2, 1 of 3", "67% latin, 33% cyrillic", "1 duplicate", "1 tie", "1 no_truth"):
        assert words in lines, lines


@pytest.mark.parametrize(
    ("row", "best"),
    [
        ({"question": "q", "options": ["a", "b"], "answer": "b"}, 1),
        ({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}, 1),
        ({"question": "q", "options": {"A": "x", "B": "y"}, "answer": "B"}, 1),
        ({"question": "q", "choices": ["a", "b"], "answer": "A"}, 0),
        ({"prompt": "q", "response_a": "x", "response_b": "y", "winner": "b"}, 1),
    ],
)
def test_a_row_of_another_layout_is_shown_as_it_would_be_read(row: dict[str, Any], best: int) -> None:
    guess = as_read(row)
    assert guess is not None and guess["best"] == best and len(guess["responses"]) == 2


def test_what_leaves_a_doubt_is_not_guessed() -> None:
    assert as_read({"question": "q", "options": ["a", "b"], "answer": "c, mostly"}) is None
    assert as_read({"colour": "red"}) is None


def a_set(letters: int) -> PreferenceSet:
    return preference_set(
        query=user("Which?"),
        responses=[Response("x" * letters, 1.0), Response("y", 0.0)],
        label_source=LabelSource.HUMAN,
        source="s",
        source_id="1",
        source_revision="r",
        license="MIT",
        domain="general",
    )


def test_limits_fit_the_context_as_the_endpoint_counts() -> None:
    sets = [a_set(letters) for letters in (40, 400, 4_000)]
    pairs = [(set_tokens(one), 700 + 2 * set_tokens(one)) for one in sets[::2]]
    tokens = prompt_tokens(load_template("grm"), pairs)
    assert round(tokens.by_estimate, 2) == 2.0 and tokens.fixed >= 700
    limits = limits_of(2_048, tokens, sets, "m")
    assert limits.max_tokens <= 512 and limits.kept == 2
    assert (
        limits.max_prompt_tokens is not None and tokens.of(limits.max_prompt_tokens - 640) + limits.max_tokens <= 2_048
    )
    assert limits_of(None, tokens, sets, "m").max_prompt_tokens is None
    wide = limits_of(32_768, tokens, sets, "m")
    assert (wide.max_tokens, wide.kept) == (1_024, 3)
    with pytest.raises(EngineError, match=r"m: its context of 512 tokens is shorter than the prompts"):
        limits_of(512, PromptTokens(700, 2.0), sets, "m")


def test_the_text_of_a_recipe_holds_the_very_values() -> None:
    values = ["plain", 'a "quote"', "line\nbreak", "back\\slash", "it's \\both", SHORT_TEXT, "\x7f", "語"]
    choices = [Choice("build", f"key{number}", value, "why\nso") for number, value in enumerate(values)]
    choices += [
        Choice("build", "list", ["a", "b"], ""),
        Choice("build", "flag", True, ""),
        Choice("sources", "kind", "math", "a"),
        Choice("models.grm", "max", 3, "b"),
    ]
    assert tomllib.loads(text_of(choices, ["head"])) == tree_of(choices)


def test_the_short_form_is_one_that_back_ends_take() -> None:
    assert fault_of_regex(SHORT_TEXT) is None
