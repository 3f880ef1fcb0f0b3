"""Each criterion is dropped for its own reason, and a rubric is kept only where it ranks the best answers first."""

from pipelines.rubrics.panels import Panelist
from pipelines.rubrics.trials import filtered
from schemas.recipe import RubricsSection
from schemas.rubric import CriterionDrop, Origin, Rubric, RubricDrop, criterion, rubric

SETTINGS = RubricsSection()
NAMES = ("tells", "met by all", "met by none", "prefers the worse", "a pitfall")


def drafted(*texts: str) -> Rubric:
    points = {"a pitfall": -5}
    return rubric(
        query_id="q" * 32,
        case="Which one?",
        domain="telecom",
        source="teleqna",
        license="MIT",
        origin=Origin.GENERATED,
        criteria=[criterion(text, points.get(text, 5), "pitfall" if text in points else "principle") for text in texts],
    )


def judged(ranking: str | None, is_best: bool, met: tuple[bool, ...]) -> Panelist:
    return Panelist("q", (), "", ranking, is_best, met)


def panel(*sets: tuple[str, list[tuple[bool, str]]]) -> list[Panelist]:
    """Return answers from (ranking, [(is_best, met as 'x' and '.')])."""
    return [
        judged(ranking, is_best, tuple(mark == "x" for mark in met))
        for ranking, answers in sets
        for is_best, met in answers
    ]


def reasons(rubric: Rubric) -> dict[str, CriterionDrop | None]:
    return {one.text: one.drop_reason for one in rubric.criteria}


EVERY_KIND = panel(
    ("a", [(True, "xx..."), (False, ".x.xx"), (False, ".x.xx")]),
    ("b", [(True, "xx..."), (False, ".x.xx"), (False, ".x..x")]),
    ("c", [(True, "xx..."), (False, "xx.xx"), (False, ".x.x.")]),
)


def test_every_criterion_is_dropped_for_its_own_reason() -> None:
    found = filtered(drafted(*NAMES), EVERY_KIND, SETTINGS)
    assert reasons(found) == {
        "tells": None,
        "met by all": CriterionDrop.MET_BY_ALL,
        "met by none": CriterionDrop.MET_BY_NONE,
        "prefers the worse": CriterionDrop.PREFERS_WORSE,
        "a pitfall": None,
    }
    assert [round(one.hit_rate or 0, 3) for one in found.criteria] == [0.444, 1.0, 0.0, 0.556, 0.556]
    assert found.drop_reason is None and found.panel == 9
    assert found.label_consistency == 1.0
    assert [one.text for one in found.kept] == ["tells", "a pitfall"]


def test_a_reason_from_before_the_trial_stays() -> None:
    draft = drafted("tells", "tells too")
    marked = drafted("tells", "tells too")
    marked = type(marked)(
        **{
            **{name: getattr(draft, name) for name in draft.__slots__},
            "criteria": (
                draft.criteria[0],
                criterion("tells too", 5, "principle", drop_reason=CriterionDrop.NEAR_DUPLICATE),
            ),
        }
    )
    found = filtered(marked, [judged(one.ranking, one.is_best, one.met[:1] * 2) for one in EVERY_KIND], SETTINGS)
    assert reasons(found) == {"tells": None, "tells too": CriterionDrop.NEAR_DUPLICATE}


def test_a_panel_under_eight_says_nothing() -> None:
    found = filtered(
        drafted("tells"), [judged(one.ranking, one.is_best, one.met[:1]) for one in EVERY_KIND[:7]], SETTINGS
    )
    assert found.drop_reason is RubricDrop.PANEL_TOO_SMALL
    assert reasons(found) == {"tells": CriterionDrop.PANEL_TOO_SMALL}
    assert found.kept == ()


def test_answers_without_a_ranking_count_towards_hit_rates_alone() -> None:
    unranked = [judged(None, False, (True,)) for _ in range(9)]
    found = filtered(drafted("tells"), unranked, SETTINGS)
    assert found.drop_reason is RubricDrop.PANEL_TOO_SMALL
    assert found.criteria[0].hit_rate == 1.0 and found.criteria[0].label_consistency is None


def test_a_rubric_that_ranks_the_best_answers_last_is_inconsistent() -> None:
    """Each criterion alone is better than chance, but the weights put the wrong answer first in two of three sets."""
    answers = panel(
        ("a", [(True, "x."), (False, ".x"), (False, "..")]),
        ("b", [(True, ".x"), (False, "xx"), (False, "..")]),
        ("c", [(True, "xx"), (False, ".."), (False, "..")]),
    )
    settings = RubricsSection(min_consistency=1.0)
    found = filtered(drafted("tells", "too"), answers, settings)
    assert found.drop_reason is RubricDrop.INCONSISTENT
    assert found.label_consistency is not None and round(found.label_consistency, 3) == 0.333
    assert found.kept == ()


def test_a_tie_at_the_top_is_not_first() -> None:
    answers = panel(*((name, [(True, "x"), (False, "x"), (False, ".")]) for name in "abc"))
    assert filtered(drafted("tells"), answers, SETTINGS).label_consistency == 0.0


def test_a_rubric_that_keeps_no_criterion_is_dropped() -> None:
    answers = [judged(one.ranking, one.is_best, (True,)) for one in EVERY_KIND]
    assert filtered(drafted("met by all"), answers, SETTINGS).drop_reason is RubricDrop.NO_CRITERIA


def test_thresholds_are_the_recipes() -> None:
    settings = RubricsSection(max_hit_rate=1.0, min_hit_rate=0.0)
    assert reasons(filtered(drafted(*NAMES), EVERY_KIND, settings)) == {
        "tells": None,
        "met by all": None,
        "met by none": None,
        "prefers the worse": CriterionDrop.PREFERS_WORSE,
        "a pitfall": None,
    }
