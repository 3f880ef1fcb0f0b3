"""What an answer must hold follows from what was asked for; what it lacks is found by column as one by one."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.judging.critiques import has_critique
from pipelines.judging.extraction import without_verdict
from pipelines.judging.parts_wanted import PartsWanted, lacking, parts_wanted
from pipelines.judging.prompts import load_template, template_of
from pipelines.judging.readings import begin_reading, readings_of
from pipelines.judging.samples import sampling_job
from schemas.trajectory import Purpose
from tests.examples import a_recipe

BOTH = PartsWanted(criteria=True, analysis=True)
NEITHER = PartsWanted(criteria=False, analysis=False)
LISTED = "Specific Criteria:\n1. Accuracy (weight: 60%): right\n2. Depth (weight: 40%): enough\n\n"
SCORES = "Scores: \\boxed{7, 3}"


def own(ending: str) -> Any:
    return template_of("own", f"Criteria:\nAccuracy.\n\n{{{{context}}}}\n{{{{responses}}}}\n{ending}", where="own.txt")


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (load_template("grm"), BOTH),
        (load_template("grm_rubric"), BOTH),
        (load_template("grm_single"), BOTH),
        (load_template("grm_no_principles"), PartsWanted(criteria=False, analysis=True)),
        (own("Scores: \\boxed{x, x}"), NEITHER),
        (own("Principles:\n..\n\nCritique:\n..\n\nScores: \\boxed{x, x}"), BOTH),
        (own("评判标准：\n..\n\n分析：\n..\n\n评分：\\boxed{x, x}"), BOTH),
        (own("Weigh them.\n\nAnalysis:\n..\n\nScores: \\boxed{x}"), PartsWanted(criteria=False, analysis=True)),
    ],
    ids=lambda value: getattr(value, "identity", ""),
)
def test_a_template_wants_the_parts_that_it_names(template: Any, wanted: PartsWanted) -> None:
    assert parts_wanted(template, "none", None) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"[^\n]{1,200}\n", NEITHER),
        (r"Analysis:\n([^\n]+\n){1,9}", PartsWanted(criteria=False, analysis=True)),
        (r"(Specific Criteria:\n([1-9]\. [^\n]+\n){1,5}\n)?Analysis: [^\n]+\n\n", BOTH),
        (r"分析：[^\n]+\n", PartsWanted(criteria=False, analysis=True)),
    ],
)
def test_a_regex_in_its_place_wants_those_that_it_names(text: str, wanted: PartsWanted) -> None:
    assert parts_wanted(load_template("grm"), "regex", text) == wanted


def test_what_a_server_keeps_to_a_form_wants_what_the_form_has() -> None:
    chinese = own("评判标准：\n..\n\n分析：\n..\n\n评分：\\boxed{x, x}")
    assert parts_wanted(chinese, "json_schema", None) == NEITHER
    assert parts_wanted(load_template("grm"), "json_schema", None) == BOTH


@pytest.mark.parametrize("principles", ["self", "rubric", "none"])
def test_no_criteria_are_missed_where_the_recipe_gives_or_forbids_them(principles: str) -> None:
    job = sampling_job(a_recipe(grm={"principles": principles}), Purpose.RFT)
    assert job is not None
    assert [job.parts_wanted(n).criteria for n in (1, 2)] == [principles == "self"] * 2
    assert all(job.parts_wanted(n).analysis for n in (1, 2))


ANSWERS = [
    f"{LISTED}Analysis:\nResponse 1 names the timer; Response 2 does not.\n\n{SCORES}",
    f"{LISTED}Analysis:\nThe first is right, the second is wrong.\n\n{SCORES}",
    f"{LISTED}Analysis:\nN/A\n\n{SCORES}",
    f"{LISTED}Analysis:\n\n{SCORES}",
    f"{LISTED}{SCORES}",
    SCORES,
    f"Here are my scores.\n{SCORES}",
    f"Response 1 is right, since it cites the clause.\n{SCORES}",
    f"Analysis:\nThe spacing is fixed in LTE.\n{SCORES}",
    f"{SCORES}\n\nResponse 1 is right.",
    f"{LISTED}Analysis:\nResponse 1 is correct.\n\nScores: 7",
    f"具体标准：\n1. 准确性（60%）：结论正确\n\n分析：\n回答1正确，回答2错误。\n\n{SCORES}",
]
NO_CRITIQUE = [False, False, True, True, True, True, True, False, True, False, False, False]
NO_PRINCIPLES = [False, False, False, False, False, True, True, True, True, True, False, False]


def lacks(wanted: PartsWanted) -> dict[str, list[bool]]:
    rows = [(text, "stop", 2, 0, None) for text in ANSWERS]
    names = ["text", "finish_reason", "n_responses", "best_position", "label"]
    frame = pl.DataFrame(rows, names, orient="row", schema_overrides={"n_responses": pl.Int32, "label": pl.Int32})
    found = lacking(frame["text"], frame["n_responses"], readings_of(*begin_reading(frame)), lambda n: wanted)
    return {name: column.to_pylist() for name, column in found.items()}


def test_a_readable_answer_lacks_what_was_asked_for_and_is_not_there() -> None:
    assert lacks(BOTH) == {"no_critique": NO_CRITIQUE, "no_principles": NO_PRINCIPLES}
    assert lacks(PartsWanted(criteria=False, analysis=True))["no_principles"] == [False] * len(ANSWERS)


def test_a_column_says_what_is_said_of_each() -> None:
    for wanted in (BOTH, NEITHER):
        one_by_one = [not has_critique(without_verdict(text), 2, wanted.analysis) for text in ANSWERS]
        one_by_one[10] = False  # it cannot be read
        assert lacks(wanted)["no_critique"] == one_by_one


def test_an_own_template_is_looked_at_as_the_recipe_names_it(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("{{context}}\n{{responses}}\n{{hint}}\nScores: \\boxed{x, x}", "utf-8")
    job = sampling_job(a_recipe(tmp_path, grm={"template": "own.txt"}), Purpose.RFT)
    assert job is not None
    assert (job.parts_wanted(2), job.parts_wanted(1)) == (NEITHER, BOTH)
