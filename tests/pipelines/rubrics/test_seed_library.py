"""Seeds: the library that ships is in order, and a wrong file is named."""

from pathlib import Path

import pytest

from pipelines.rubrics.library import seed_rubrics
from schemas.errors import RecipeError
from schemas.rubric import CriterionKind, Origin

SEED = """
case = "A question of ours."
domain = "ours"
source = "us"
license = "MIT"

[[criteria]]
text = "Is true."
points = 5
kind = "rule"
tags = ["truth"]
"""


def test_the_library_that_ships() -> None:
    seeds = seed_rubrics()
    assert {seed.domain for seed in seeds} == {"general", "math", "safety", "telecom", "telecom tool use"}
    assert {seed.source for seed in seeds} == {"grmforge", "helpsteer2", "tau2", "ultrafeedback"}
    for seed in seeds:
        assert seed.origin is Origin.SEED
        assert 10 <= len(seed.criteria) <= 20
        assert CriterionKind.PITFALL in {criterion.kind for criterion in seed.criteria}
        assert all(criterion.tags and criterion.origin == seed.source for criterion in seed.criteria)
    texts = [criterion.text for seed in seeds for criterion in seed.criteria]
    assert len(set(texts)) == len(texts)


def test_a_directory_of_your_own(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(SEED)
    (seed,) = seed_rubrics(tmp_path)
    assert (seed.case, seed.domain, seed.criteria[0].points) == ("A question of ours.", "ours", 5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("points = 5", "points = 50", "points_out_of_range"),
        ("points = 5", "weight = 5", "'weight' is none of kind, points, tags, text"),
        ("points = 5\n", "", "points"),
        ('domain = "ours"', "domain = ", "Invalid value"),
        ('domain = "ours"\n', "", "lacks the key 'domain'"),
        ("[[criteria]]", "[criteria]", "ours.toml"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "ours.toml").write_text(SEED.replace(old, new))
    with pytest.raises(RecipeError, match=r"ours\.toml: ") as caught:
        seed_rubrics(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_without_seeds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"holds no \.toml file"):
        seed_rubrics(tmp_path)
