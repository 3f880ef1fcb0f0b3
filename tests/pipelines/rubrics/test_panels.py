"""Panels: answers that the generator did not see, whole sets, of other clusters; runs of agents beside each other."""

from dataclasses import replace

import numpy as np

from pipelines.rubrics.cases import Case, Labelled, chosen_cases
from pipelines.rubrics.embedding import Embedder
from pipelines.rubrics.panels import nearest, panel_of, panel_of_runs, panels_of
from schemas.preference import PreferenceSet, Response
from schemas.query import Message
from tests.examples import a_set


def labelled(sets: list[PreferenceSet]) -> Labelled:
    found = Labelled()
    for one in sets:
        found.ranked.setdefault(one.query_id, []).append(one)
    return found


def case_of(preference: PreferenceSet) -> Case:
    return chosen_cases(labelled([preference]), 1)[0]


def a_run(number: int, label: int, policy: str = "Be kind.") -> PreferenceSet:
    query = (Message("system", policy), Message("user", f"My {number} phones are broken."))
    one = a_set(number, 1, query=query, label=label, responses=[Response(f"run {number} says", None)])
    return replace(one, cluster=f"task {number}")


def test_a_case_shows_the_best_answer_and_another_one() -> None:
    for number in range(30):
        case = case_of(a_set(number, 4, best=number % 4))
        assert case.better == case.preference.responses[case.preference.best or 0]
        assert case.worse != case.better
        assert case.worse in case.preference.responses
        assert case.other is None


def test_more_cases_hold_those_of_fewer() -> None:
    sets = labelled([a_set(number) for number in range(20)])
    few, many = chosen_cases(sets, 5), chosen_cases(sets, 12)
    assert {case.query_id for case in few} < {case.query_id for case in many}
    assert len(chosen_cases(sets, 50)) == 20


def test_a_panel_holds_what_was_not_seen_then_whole_sets() -> None:
    case, near = case_of(a_set(0, 4)), [a_set(number) for number in range(1, 9)]
    panel = panel_of(case, [case.preference], near, 8)
    assert len(panel) == 2 + 3 + 3
    own = [one for one in panel if one.query_id == case.query_id]
    assert {one.answer for one in own} & {case.better.text, case.worse.text} == set()
    assert {one.ranking for one in own} == {None}, "the best one was seen, so that nothing ranks the others"
    for preference in near[:2]:
        of_set = [one for one in panel if one.query_id == preference.query_id]
        assert sum(one.is_best for one in of_set) == 1
        assert {one.ranking for one in of_set} == {preference.set_id}
    assert len(panel_of(case, [case.preference], near[:1], 8)) == 5, "there are no more"


def test_a_word_that_was_seen_may_answer_another_question() -> None:
    case = case_of(a_set(0, 2, responses=[Response("Yes", 1.0), Response("No", 0.0)]))
    near = a_set(1, 2, responses=[Response("No", 1.0), Response("Yes", 0.0)])
    panel = panel_of(case, [case.preference], [near], 8)
    assert {(one.query_id, one.answer, one.is_best) for one in panel} == {
        (near.query_id, "No", True),
        (near.query_id, "Yes", False),
    }


def test_a_further_set_of_the_question_gives_its_further_answers_once() -> None:
    first = a_set(0, 3)
    again = replace(a_set(0, 3), set_id="another", responses=(*first.responses, Response("new", -1.0)))
    panel = panel_of(case_of(first), [first, again], [], 8)
    assert len([one.answer for one in panel]) == len({one.answer for one in panel}) == 2


def test_the_nearest_are_of_the_group_and_of_other_clusters() -> None:
    angles = np.array([0.0, 0.1, 0.2, 0.3, 0.05, 0.15])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    clusters, groups = ["a", "b", "a", "c", "d", "b"], ["x", "x", "x", "x", "y", "x"]
    assert nearest([0], vectors, clusters, groups, 9) == [[1, 5, 3]]
    assert nearest([3, 4, 0], vectors, clusters, groups, 1) == [[2], [], [1]]
    assert nearest([], vectors, clusters, groups, 3) == []


def test_runs_meet_runs_under_the_same_instructions_alone(minilm: Embedder) -> None:
    kind = [a_run(number, int(number % 3 > 0)) for number in range(15)]
    curt = [a_run(100 + number, number % 2, "Be curt.") for number in range(4)]
    sets = Labelled(runs={one.query[:1]: runs for runs in (kind, curt) for one in runs[:1]})
    cases = chosen_cases(sets, 100)
    assert len(cases) == 19
    for case, panel in zip(cases, panels_of(cases, sets, minilm, 12), strict=True):
        group = kind if case.preference in kind else curt
        assert case.other in group
        assert {case.preference.label, case.other.label} == {0, 1}
        seen = {case.preference.query_id, case.other.query_id}
        assert {one.query_id for one in panel} <= {one.query_id for one in group} - seen
        assert case.text_of(case.preference.responses[0]) == case.preference.responses[0].text
        assert case.text_of(case.other.responses[0]).startswith("(This one answers another request under the same")
        if group is kind:
            assert len(panel) == 12
            assert sum(one.is_best for one in panel) in (8, 9), "right ones fill the places that wrong ones leave"
            assert len({one.ranking for one in panel}) in (3, 4)


def test_runs_of_one_label_alone_are_ranked_by_nothing() -> None:
    runs = [a_run(number, 1) for number in range(5)]
    assert chosen_cases(Labelled(runs={runs[0].query[:1]: runs}), 9) == []
    case = Case(runs[0], runs[0].responses[0], runs[1].responses[0], runs[1])
    assert {one.ranking for one in panel_of_runs(case, runs[2:], 12)} == {None}
    assert len(panel_of_runs(case, [*runs[2:], a_run(9, 0)], 2)) == 2
