"""What helps, by the recipe that a snapshot was built with."""

from typing import Any

import pytest

from pipelines.reporting.meanings import MEANINGS, meaning
from pipelines.reporting.ways_out import way_out

FORM = {"structured_output": "regex", "max_tokens": 80}


def test_an_unknown_recipe_changes_nothing() -> None:
    for value in MEANINGS:
        if value != "incorrect":
            assert way_out(value, {}) == meaning(value).way_out


@pytest.mark.parametrize(
    ("value", "recipe", "named", "left_out"),
    [
        ("unparsed", {"grm": FORM}, 'does not keep it to structured_output = "regex"', "[grm] structured_output"),
        ("unparsed", {"grm": FORM}, 'take "json_schema"', "structured_text"),
        ("wrong_count", {"grm": {"structured_output": "json_schema"}}, "choose another model", '"regex"'),
        ("no_critique", {"grm": FORM | {"structured_text": "x"}}, "mend [grm] structured_text", "extra_body"),
        ("truncated", {"grm": {"max_tokens": 4096}}, "raise [grm] max_tokens above 4,096:", "as far as"),
        ("truncated", {"grm": FORM}, "raise [grm] max_tokens above 80, as far as", "structured_output"),
        ("truncated", {"grm": FORM | {"structured_text": "x"}}, "let [grm] structured_text ask for less", "form:"),
        ("incorrect", {"grm": {"reference": "prompt"}, "sources": [{"hinted": True}]}, "stronger model", " or "),
        ("incorrect", {"grm": {"reference": "none"}, "sources": [{"hinted": True}]}, "reference answer", "hinted"),
        ("failed", {"grm": {"max_prompt_tokens": 900}}, "even at [grm] max_prompt_tokens = 900", "()"),
        ("too_easy", {"grm": {"n_rft": 32}}, "drop_too_easy", "n_rft"),
        ("undecided", {"grm": {"resample_unreadable": 10}}, "mend that first", "resample"),
        ("hinted_share", {"rejection": {"max_hinted_share": 1.0}}, "more without hints", "raise"),
    ],
)
def test_what_the_recipe_has_is_not_advised(value: str, recipe: dict[str, Any], named: str, left_out: str) -> None:
    helps = way_out(value, recipe)
    assert named in helps and left_out not in helps, helps
