"""Trials that lack an answer for a passing reason: nothing is final until it is there."""

from pathlib import Path

import pytest

from storage.root import Root
from tests.pipelines.engines.stand_in_server import Reply, StandIn, server_error
from tests.pipelines.rubrics.rubric_models import (
    by_these_criteria,
    generated,
    is_judgement,
    made,
    served,
    the_recipe,
    write_questions,
)


@pytest.mark.slow
def test_the_next_run_asks_for_what_is_missing_and_nothing_else(tmp_path: Path, rubric_root: Root) -> None:
    write_questions(tmp_path / "own.jsonl", 10)
    troubled: list[str] = []

    def replied(body: dict[str, object]) -> Reply:
        if is_judgement(body) and (not troubled or str(body) in troubled):
            troubled.append(str(body))
            return server_error()
        return by_these_criteria(body)

    with StandIn(then=replied) as server:
        recipe = the_recipe(tmp_path, served(server, max_retries=0), rubrics={"queries": 1, "panel": 9})
        first = made(recipe, rubric_root)
    assert first.malformed == {"judging criteria: failed": 1}
    (early,) = generated(rubric_root)
    assert (early.trial, early.panel) == (None, 9)
    with StandIn(then=by_these_criteria) as server:
        recipe = the_recipe(tmp_path, served(server), rubrics={"queries": 1, "panel": 9})
        second = made(recipe, rubric_root)
        assert len(server.requests) == second.answers.bought == 1
        assert made(recipe, rubric_root).kept_before == 1
    (late,) = generated(rubric_root)
    assert (late.rubric_id, late.panel) == (early.rubric_id, 10)
    assert late.trial is not None
