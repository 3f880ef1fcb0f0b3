"""Samples: which ones a set gets, and what stands in each request."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.draws import Draws, next_samples
from pipelines.judging.prompts import hint_text
from pipelines.judging.samples import SamplingJob, sampling_job
from schemas.preference import PreferenceSet
from schemas.recipe import Recipe
from schemas.trajectory import Mode, Outcome, Purpose
from tests.examples import a_recipe, a_set, simulated

OUTCOMES = st.sampled_from(list(Outcome))
PLAIN = Mode.NON_HINTED


def the_job(recipe: Recipe | None = None, purpose: Purpose = Purpose.RFT) -> SamplingJob:
    job = sampling_job(recipe or a_recipe(), purpose)
    assert job is not None
    return job


def draws_of(job: SamplingJob, preference: PreferenceSet, mode: Mode = PLAIN) -> Draws:
    return Draws(job, job.shown_set(preference), mode)


@given(st.integers(1, 6), st.integers(0, 4), st.lists(OUTCOMES, min_size=40, max_size=40))
def test_samples_are_asked_until_n_are_readable_and_no_oftener_than_the_recipe_says(
    n: int, resample: int, fate: list[Outcome]
) -> None:
    outcomes: list[Outcome] = []
    rounds = 0
    while wanted := next_samples(outcomes, n, resample):
        assert wanted.start == len(outcomes)  # the next indices, none twice and none left out
        rounds += 1
        outcomes += [fate[index] for index in wanted]
    assert rounds <= resample + 1
    assert n <= len(outcomes) <= n * (resample + 1)
    settled = sum(outcome.readable or outcome is Outcome.FAILED for outcome in outcomes)
    assert settled <= n
    assert settled == n or rounds == resample + 1


def test_one_unreadable_sample_is_replaced_and_a_failed_one_is_not() -> None:
    right, torn, failed = Outcome.CORRECT, Outcome.TRUNCATED, Outcome.FAILED
    assert next_samples([], 3, 2) == range(3)
    assert next_samples([right], 3, 2) == range(1, 3)  # the rest of the first round
    assert next_samples([right, torn, right], 3, 2) == range(3, 4)
    assert next_samples([right, torn, right, torn], 3, 2) == range(4, 5)
    assert not next_samples([right, torn, right, torn, torn], 3, 2)
    assert not next_samples([right, failed, right], 3, 2)
    assert not next_samples([right, torn, right], 3, 0)


def test_a_hinted_prompt_is_the_training_prompt_with_a_hint_inside() -> None:
    job = the_job()
    for preference in (a_set(1), a_set(2, n=1), a_set(3, n=6, best=4)):
        hinted, plain = draws_of(job, preference, Mode.HINTED), draws_of(job, preference)
        for index in range(4):
            draw = hinted.draw(index)
            hint = hint_text(hinted.shown, draw.order)
            before, _, after = draw.prompt.partition(hint)
            assert hint in draw.prompt
            assert "Hint" not in plain.draw(index).prompt
            assert before + after.removeprefix("\n\n") != draw.prompt
            assert len(before + after) <= len(draw.prompt) - len(hint)


def test_the_hint_names_the_best_response_as_it_is_shown() -> None:
    job, preference = the_job(), a_set(1, n=4, best=2)
    for index in range(8):
        drawn = draws_of(job, preference, Mode.HINTED).draw(index)
        assert drawn.best_position is not None
        assert drawn.order[drawn.best_position] == preference.best
        assert f"Response {drawn.best_position + 1} is the best one." in drawn.prompt


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(0, 5), st.sampled_from(list(Mode)))
def test_an_order_maps_back_to_the_set(number: int, n: int, index: int, mode: Mode) -> None:
    job, preference = the_job(), a_set(number, n=n, best=number % n)
    drawn = draws_of(job, preference, mode).draw(index)
    assert sorted(drawn.order) == list(range(n))
    assert drawn.best_position is not None
    assert drawn.order[drawn.best_position] == preference.best
    blocks = drawn.prompt.split("[The Begin of Response ")[-n:]
    for position, block in enumerate(blocks):
        assert preference.responses[drawn.order[position]].text in block


def test_requests_tell_the_model_nothing_of_the_truth_and_the_truth_changes_no_id() -> None:
    job = the_job()
    one, other = a_set(1, best=0), a_set(1, best=1)
    assert one.set_id == other.set_id
    for mode, same in ((Mode.NON_HINTED, True), (Mode.HINTED, False)):
        both = [draws_of(job, each, mode) for each in (one, other)]
        requests = [draws.request(draws.draw(0)) for draws in both]
        assert (requests[0].request_id == requests[1].request_id) is same
        assert (requests[0].body == requests[1].body) is same


def test_sample_index_mode_model_and_settings_make_other_requests() -> None:
    preference = a_set(1)

    def request_id(job: SamplingJob, mode: Mode = Mode.NON_HINTED, index: int = 0) -> str:
        draws = draws_of(job, preference, mode)
        return draws.request(draws.draw(index)).request_id

    job = the_job()
    ids = [request_id(job), request_id(job, index=1), request_id(job, Mode.HINTED)]
    for changes in ({"temperature": 0.6}, {"max_tokens": 100}, {"principles": "none"}):
        ids.append(request_id(the_job(a_recipe(grm=changes))))
    ids.append(request_id(the_job(a_recipe(models={"grm": simulated(seed=5), "difficulty": simulated()}))))
    ids.append(request_id(the_job(purpose=Purpose.DIFFICULTY)))
    assert len(set(ids)) == len(ids)
    assert request_id(the_job(a_recipe(grm={"n_rft": 5, "resample_unreadable": 0}))) == ids[0]


def test_hinted_samples_are_for_rft_alone_and_where_the_source_wants_them() -> None:
    source = {"kind": "preference_sets", "name": "own", "path": "x"}
    preference: PreferenceSet = a_set(1)
    assert the_job().modes_of(preference) == (Mode.NON_HINTED, Mode.HINTED)
    assert the_job(a_recipe(sources=[source | {"hinted": False}])).modes_of(preference) == (Mode.NON_HINTED,)
    assert the_job(purpose=Purpose.DIFFICULTY).modes_of(preference) == (Mode.NON_HINTED,)
    assert the_job().samples_wanted(Mode.HINTED) == 1
    assert the_job().samples_wanted(PLAIN) == 3


def test_a_reference_goes_where_the_recipe_wants_it() -> None:
    preference = a_set(1, reference="forty-two hertz")
    for where, in_plain, in_hinted in (("none", False, False), ("prompt", True, True), ("hint", False, True)):
        job = the_job(a_recipe(grm={"reference": where}))
        for mode, there in ((Mode.NON_HINTED, in_plain), (Mode.HINTED, in_hinted)):
            draws = draws_of(job, preference, mode)
            assert ("forty-two hertz" in draws.draw(0).prompt) is there
            assert draws.has_reference is there


def test_there_is_no_job_without_a_model_of_its_own() -> None:
    same = a_recipe(models={"grm": simulated(), "difficulty": {"same_as_grm": True}})
    assert sampling_job(same, Purpose.DIFFICULTY) is None
    assert sampling_job(same, Purpose.ON_POLICY) is None
    policy = a_recipe(
        models={"grm": simulated(), "difficulty": simulated(), "policy": simulated(model="p")}, meta_rm={"n": 5}
    )
    assert the_job(policy, Purpose.ON_POLICY).n == 5


@pytest.mark.parametrize("name", ["seed", "splits"])
def test_the_order_depends_on_the_seed_and_on_nothing_else_of_the_build(name: str) -> None:
    changed = a_recipe(Path(), **{"seed": {"build": {"name": "x", "seed": 8}}, "splits": {"splits": {}}}[name])
    preference = a_set(1, n=9)
    orders = [draws_of(job, preference).draw(0).order for job in (the_job(), the_job(changed))]
    assert (orders[0] == orders[1]) is (name == "splits")


def test_nothing_follows_while_an_answer_is_out_and_then_what_takes_the_place_of_the_unreadable() -> None:
    draws = draws_of(the_job(), a_set(1, n=2))
    first = list(draws.following())
    assert [draw.sample_index for draw in first] == [0, 1, 2]
    repeats = sorted(draws.request(draw).repeat for draw in first)
    assert repeats in ([0, 0, 1], [0, 1, 2]), "two responses have two orders"
    draws.outcomes[1:] = [Outcome.TRUNCATED, Outcome.CORRECT]
    assert not list(draws.following())
    draws.outcomes[0] = Outcome.FAILED
    assert [draw.sample_index for draw in draws.following()] == [3]


def test_a_request_counts_the_earlier_samples_of_its_prompt_whatever_was_asked_for_before() -> None:
    draws = draws_of(the_job(), a_set(1, n=2))
    drawn = [draws.draw(index) for index in range(12)]
    repeats = [sum(earlier.order == draw.order for earlier in drawn[: draw.sample_index]) for draw in drawn]
    assert draws.request(drawn[11]).repeat == repeats[11]
    assert [draws.request(draw).repeat for draw in drawn] == repeats
