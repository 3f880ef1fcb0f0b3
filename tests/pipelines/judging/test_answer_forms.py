"""The forms that a server keeps a judge to: what they let through, what never, and where they stand in a request."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.answer_forms import ANALYSIS, CRITERIA, form_in_body, headings_of
from pipelines.judging.draws import Draws
from pipelines.judging.extraction import read_answer
from pipelines.judging.prompts import BUILT_IN, load_template, score_range, template_of
from pipelines.judging.samples import SamplingJob, sampling_job
from schemas.preference import PreferenceSet
from schemas.recipe.stages import fault_of_regex
from schemas.record import content_id
from schemas.trajectory import Mode, Purpose
from tests.examples import a_recipe, a_set
from tests.pipelines.strict_schemas import check_strict

HEAD = "Specific Criteria:\n1. Accuracy (weight: 60%): the right option\n2. Clarity (weight: 40%): easy (to) follow\n\n"
ANALYSED = "Analysis:\nResponse 1 is right: it has the box \\boxed{3}.\n\n- Response 2 is not.\n\n"
OWN = "{{context}}\n{{responses}}\nDenke nach. Am Ende steht `Scores: \\boxed{x, x}`."
SHOWN = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(*score_range(n)), min_size=n, max_size=n))
)


def regex(n: int, template: str = "grm", text: str | None = None) -> str:
    pattern = form_in_body("regex", text, load_template(template), n)["structured_outputs"]["regex"]
    assert isinstance(pattern, str)
    return pattern


def fits(answer: str, n: int, template: str = "grm", text: str | None = None) -> bool:
    return re.fullmatch(regex(n, template, text), answer) is not None


def schema(n: int, template: str = "grm") -> dict[str, Any]:
    form: dict[str, Any] = form_in_body("json_schema", None, load_template(template), n)["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    found: dict[str, Any] = form["json_schema"]["schema"]
    return found


def the_job(purpose: Purpose = Purpose.RFT, **grm: Any) -> SamplingJob:
    job = sampling_job(a_recipe(grm=grm), purpose)
    assert job is not None
    return job


def request_id(job: SamplingJob, preference: PreferenceSet) -> str:
    draws = Draws(job, job.shown_set(preference), Mode.NON_HINTED)
    return draws.request(draws.draw(0)).request_id


def test_the_regex_takes_what_the_template_asks_for() -> None:
    assert fits(HEAD + ANALYSED + "Scores: \\boxed{7, 3}", 2)
    assert fits(HEAD + ANALYSED + "Scores: \\boxed{10, 1, 9, 10}", 4)
    assert fits(HEAD + ANALYSED + "Scores: \\boxed{1}", 1, "grm_single")
    assert fits(ANALYSED + "Scores: \\boxed{7, 3}", 2, "grm_no_principles")
    assert fits(HEAD + "Analysis:\n一句话。\nScores: \\boxed{7, 3}", 2)


@pytest.mark.parametrize(
    ("verdict", "n"),
    [("\\boxed{7}", 2), ("\\boxed{7, 3, 1}", 2), ("\\boxed{0, 3}", 2), ("\\boxed{11, 3}", 2), ("\\boxed{07, 3}", 2),
     ("\\boxed{7.5, 3}", 2), ("\\boxed{7,3}", 2), ("\\boxed{7, 3}.", 2), ("\\boxed{7, 3}\n", 2), ("{7, 3}", 2),
     ("\\boxed{2}", 1), ("\\boxed{10}", 1)],
)  # fmt: skip
def test_the_regex_takes_no_other_verdict(verdict: str, n: int) -> None:
    assert not fits(f"{HEAD}{ANALYSED}Scores: {verdict}", n, "grm_single" if n == 1 else "grm")


def test_the_regex_takes_no_answer_without_its_parts() -> None:
    assert not fits(ANALYSED + "Scores: \\boxed{7, 3}", 2)
    assert not fits(HEAD + "Scores: \\boxed{7, 3}", 2)
    assert not fits(HEAD + "Analysis:\nScores: \\boxed{7, 3}", 2)
    assert not fits(HEAD.replace(" (weight: 60%)", "") + ANALYSED + "Scores: \\boxed{7, 3}", 2)
    assert not fits(HEAD + ANALYSED, 2)


@pytest.mark.parametrize("line", ["Scores: \\boxed{7, 3, 1}", "Scores: \\boxed{7, 33}", "Score: 7", "Scores: 7 and 3"])
def test_no_line_of_an_analysis_passes_for_the_verdict(line: str) -> None:
    """A judge that counts wrongly would have to write on after it."""
    assert not fits(f"{HEAD}{ANALYSED}{line}\nScores: \\boxed{{7, 3}}", 2)
    for harmless in ("So it is.", "Scope: none.", "Scott says 3.", f"It says: {line}"):
        assert fits(f"{HEAD}{ANALYSED}{harmless}\nScores: \\boxed{{7, 3}}", 2)


def test_an_analysis_ends_at_last() -> None:
    line = "Response 1 is right.\n"
    assert fits(f"{HEAD}Analysis:\n{line * 47}{line}\nScores: \\boxed{{7, 3}}", 2)
    assert not fits(f"{HEAD}Analysis:\n{line * 49}Scores: \\boxed{{7, 3}}", 2)
    assert fits(f"{HEAD}Analysis:\n{line * 49}Scores: \\boxed{{{', '.join('7' * 12)}}}", 12), (
        "more responses, more lines"
    )


@given(SHOWN, st.text(st.characters(exclude_categories=["Cs"])))
def test_what_fits_the_regex_is_read_as_its_scores(shown: tuple[int, list[int]], analysis: str) -> None:
    n, scores = shown
    if "<think>" in analysis or "</think>" in analysis:
        return
    if analysis.rstrip(" \t\r\n*_`").endswith((":", "\uff1a")):
        return  # what a colon introduces is someone else's words
    template = "grm_single" if n == 1 else "grm"
    paragraphs = "\n".join(f"- {line}" for line in analysis.split("\n")[:40])
    answer = f"{HEAD}Analysis:\n{paragraphs}\nScores: \\boxed{{{', '.join(map(str, scores))}}}"
    assert fits(answer, n, template)
    found = read_answer(answer, "stop", n, None if n == 1 else 0, 0 if n == 1 else None, *score_range(n))
    assert found.scores == tuple(scores)
    assert [(one.name, one.weight) for one in found.principles] == [("Accuracy", 0.6), ("Clarity", 0.4)]


@pytest.mark.parametrize("name", BUILT_IN[:4])
def test_no_regex_needs_more_than_a_state(name: str) -> None:
    """No look-around, anchor, back reference or lazy repetition; a repetition has 100 states at most."""
    pattern = regex(2, name)
    assert fault_of_regex(pattern) is None
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern)
    assert not re.search(r"\(\?|[\^$]|[*+}?]\?", bare)
    assert max((int(most) for most in re.findall(r"\{\d+,(\d+)\}", bare)), default=0) <= 100


def test_a_template_that_names_no_heading_gets_lines_of_any_text() -> None:
    own = template_of("own", OWN, "own.txt")
    assert not headings_of(own)
    pattern = form_in_body("regex", None, own, 2)["structured_outputs"]["regex"]
    assert re.fullmatch(pattern, "Zuerst dies.\nDann das.\nScores: \\boxed{7, 3}")
    form = form_in_body("json_schema", None, own, 2)["response_format"]
    assert list(form["json_schema"]["schema"]["properties"]) == ["critique", "scores"]


def test_headings_are_those_of_the_template() -> None:
    for name in ("grm", "grm_rubric", "grm_single"):
        assert headings_of(load_template(name)) == {CRITERIA, ANALYSIS}
    assert headings_of(load_template("grm_no_principles")) == {ANALYSIS}


def test_a_text_of_ones_own_stands_before_the_verdict() -> None:
    text = "yes\n|no, [a-z]{1,9}\n"
    assert fits("yes\nScores: \\boxed{7, 3}", 2, text=text)
    assert fits("no, never\nScores: \\boxed{7, 3}", 2, text=text)
    assert fits("yes\nScores: \\boxed{0}", 1, "grm_single", text=text)
    assert not fits("maybe\nScores: \\boxed{7, 3}", 2, text=text)


def test_the_schema_says_all_by_what_every_strict_mode_takes() -> None:
    for n, name in ((1, "grm_single"), (2, "grm"), (5, "grm_no_principles")):
        found = schema(n, name)
        check_strict(found)
        scores = found["properties"]["scores"]["properties"]
        assert list(scores) == [f"response_{number}" for number in range(1, n + 1)]
        low, high = score_range(n)
        assert all(score["enum"] == list(range(low, high + 1)) for score in scores.values())
        assert ("principles" in found["properties"]) is (name != "grm_no_principles")


def test_without_a_form_no_request_and_no_stage_is_another() -> None:
    """These ids are those of the version before there were forms: answers bought by it are found by this one."""
    job = the_job()
    assert content_id("s", job.key_settings()) == "d7cf260b0803efce9525f2124b300229"
    assert [request_id(job, a_set(1, n=n)) for n in (1, 3)] == [
        "18b174c5f18612a10cb4cb114b673c71",
        "7435f638d863dfa4df32ba85645589ef",
    ]


def test_another_form_is_another_request_and_another_stage() -> None:
    given: list[dict[str, Any]] = [
        {},
        {"structured_output": "regex"},
        {"structured_output": "regex", "structured_text": "[a-z]{1,9}\n"},
        {"structured_output": "json_schema"},
    ]
    for n in (1, 2, 3):
        assert len({request_id(the_job(**grm), a_set(1, n=n)) for grm in given}) == 4
    assert len({content_id("s", the_job(**grm).key_settings()) for grm in given}) == 4


@pytest.mark.parametrize("purpose", [Purpose.RFT, Purpose.DIFFICULTY, Purpose.PAIRED])
def test_every_judge_is_kept_to_the_form(purpose: Purpose) -> None:
    assert "response_format" in the_job(purpose, structured_output="json_schema").body_of((), 2)
    assert "structured_outputs" in the_job(purpose, structured_output="regex").body_of((), 2)


def test_the_prompt_says_nothing_of_the_form() -> None:
    preference = a_set(1)
    prompts = set()
    for kind in ("none", "regex", "json_schema"):
        job = the_job(structured_output=kind)
        prompts.add(Draws(job, job.shown_set(preference), Mode.NON_HINTED).draw(0).prompt)
    assert len(prompts) == 1
