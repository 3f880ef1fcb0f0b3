"""Shares: together they ask for what one stream would, and for nothing twice."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.shares import WHOLE, can_be_shared, cut, rest_of, share_count
from pipelines.judging.judging import judge
from pipelines.judging.samples import sampling_job
from pipelines.judging.sampling import sample_sets, wanted_answers
from schemas.recipe import BudgetSection, ModelSection
from schemas.record import BUCKETS
from schemas.trajectory import Purpose
from storage.generations import Generations
from storage.root import Root
from tests.examples import a_recipe, a_run, a_set, curate, simulated, source_stage

SPENT = (100, 5_000, 1.5)


@given(st.integers(1, BUCKETS))
def test_every_bucket_is_in_one_share(count: int) -> None:
    shares = cut(count)
    assert [bucket for share in shares for bucket in share.buckets] == list(range(BUCKETS))
    assert len({len(share.buckets) for share in shares}) <= 2


@given(st.integers(1, BUCKETS), st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10**9))
def test_the_limits_of_all_shares_are_those_of_the_recipe(wanted: int, flying: int, rpm: int, tokens: int) -> None:
    models = {"grm": simulated() | {"max_concurrency": flying, "rpm": rpm}, "difficulty": simulated()}
    recipe = a_recipe(models=models)
    budget = BudgetSection(max_requests=400, max_tokens=5_000 + tokens, max_cost_usd=4.5)
    recipe = recipe.model_copy(update={"budget": budget})
    count = share_count(recipe.models.grm, budget, SPENT, wanted)
    shares = [share.recipe(recipe, SPENT) for share in cut(count)]
    assert sum(one.models.grm.max_concurrency for one in shares) == flying
    assert sum(one.models.grm.rpm or 0 for one in shares) == rpm
    assert sum((one.budget.max_requests or 0) - SPENT[0] for one in shares) == 300
    assert sum((one.budget.max_tokens or 0) - SPENT[1] for one in shares) == tokens
    assert sum((one.budget.max_cost_usd or 0) - SPENT[2] for one in shares) == pytest.approx(3.0)
    assert min(one.models.grm.max_concurrency for one in shares) >= 1
    assert WHOLE.recipe(recipe, SPENT) == recipe


@pytest.mark.parametrize(
    ("model", "left", "count"),
    [
        ({}, None, 16),
        ({"max_concurrency": 3}, None, 3),
        ({"rpm": 2}, None, 2),
        ({"tpm": 1}, None, 1),
        ({}, 5, 5),
        ({}, 0, 1),
    ],
)
def test_there_are_no_more_shares_than_can_have_a_part(model: dict[str, object], left: int | None, count: int) -> None:
    section = ModelSection.model_validate({"engine": "simulated"} | model)
    budget = BudgetSection(max_requests=None if left is None else SPENT[0] + left)
    assert share_count(section, budget, SPENT, 16) == count


def test_what_belongs_to_one_process_is_not_shared() -> None:
    endpoint = {"engine": "openai", "model": "m"}
    assert can_be_shared(ModelSection.model_validate(endpoint))
    assert not can_be_shared(ModelSection.model_validate(endpoint | {"batch": True}))
    assert not can_be_shared(ModelSection.model_validate({"engine": "vllm", "model": "m"}))


def test_what_was_not_asked_within_its_part_is_asked_in_one_stream() -> None:
    shares = cut(4)
    rest = rest_of([shares[1], shares[3]])
    assert list(rest.buckets) == [*range(64, 128), *range(192, 256)]
    assert (rest.number, rest.of) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, BUCKETS])
def test_judgements_are_the_same_whatever_the_number_of_shares(tmp_path: Path, count: int) -> None:
    recipe = a_recipe(models={"grm": simulated(unparsed=0.2), "difficulty": simulated()})
    judged = []
    for place, shares in ((tmp_path / "one", [WHOLE]), (tmp_path / "shares", cut(count))):
        root = Root(place)
        curated = curate(recipe, root, [source_stage(root, [a_set(number) for number in range(40)])], None)
        wanted = 0
        for share in reversed(shares):
            own = share.recipe(recipe, (0, 0, 0.0))
            job = sampling_job(own, Purpose.RFT)
            assert job is not None
            run, watcher = a_run(own)
            sample_sets(root, run, job, curated, share.buckets)
            assert watcher.stored == 0, "no other share has asked for it"
            wanted += wanted_answers(job, curated, share.buckets)
        whole = sampling_job(recipe, Purpose.RFT)
        assert whole is not None
        assert wanted == wanted_answers(whole, curated) == 40 * 4
        judged.append(judge(root, whole, curated))
    assert judged[0].content == judged[1].content


def test_what_a_run_bought_is_known_by_its_id(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    curated = curate(recipe, root, [source_stage(root, [a_set(number) for number in range(20)])], None)
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    first, second = cut(2)
    for share in (first, second):
        run, _ = a_run(recipe)
        run = replace(run, run_id=f"run-{share.number}")
        sample_sets(root, run, job, curated, share.buckets)
        requests, tokens, cost_usd = Generations(root).bought_by(run.run_id, share.buckets)
        assert (requests, tokens) == run.budget.spent[:2]
        assert cost_usd == pytest.approx(run.budget.spent[2])
    assert Generations(root).bought_by("run-0", second.buckets) == (0, 0, 0.0)
