"""Sources of questions in the closing lines and the report: what was asked, how it was answered, what to mend."""

from pathlib import Path

from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.meanings import ORIGINS, verdict_meaning
from pipelines.reporting.report import report_of
from schemas.candidate import Origin
from schemas.question import Verdict
from tests.pipelines.reporting.small_snapshot import Small, synthesized
from tests.pipelines.reporting.test_report import Page


def said(made: Small, path: Path) -> str:
    snapshot, _ = made.published(path)
    return " ".join(" ".join(closing_lines(snapshot.manifest, snapshot)).split())


def test_the_closing_lines_go_from_questions_to_sets(tmp_path: Path) -> None:
    snapshot, _ = synthesized().published(tmp_path)
    head, row, _, *lines = closing_lines(snapshot.manifest, snapshot)
    assert head.split() == ["source", "read", "kept", "judged", "accepted", "rft", "rl", "meta_rm", "pairs", "traces"]
    assert row.split()[:3] == ["telecom", "5", "2"], "rows are questions, as they were read"
    assert row.split()[-1] == "2"
    assert " ".join(" ".join(lines[:3]).split()).startswith(
        "telecom: 4 questions; 32 answers of the responder (25% right, 44% wrong, 28% truncated, 3% no answer); "
        "2 of the teacher (100% right); 3 sets to compare, 100% of them of one model, 33% taught"
    )


def test_sets_by_several_authors_are_warned_of(tmp_path: Path) -> None:
    words = "right and wrong responses of one model"
    assert words not in said(synthesized(of_one_model=2), tmp_path / "most")
    warned = said(synthesized(of_one_model=1), tmp_path / "few")
    assert f"- telecom: only 33% of the sets have {words}" in warned
    assert "add a [models.teacher]" in warned


def test_many_answers_that_nobody_can_grade_are_warned_of_with_the_way_out(tmp_path: Path) -> None:
    made = synthesized()
    assert "neither right nor wrong" not in said(made, tmp_path / "few")
    made.funnel = [(a, b, c, 40 if c == "responder: truncated" else rows) for a, b, c, rows in made.funnel]
    warned = said(made, tmp_path / "many")
    assert "- telecom: 65% of the answers are neither right nor wrong, most of them truncated: " in warned
    assert "raise [synthesis] max_tokens" in warned


def test_few_sets_of_many_questions_are_warned_of_with_the_commonest_reason(tmp_path: Path) -> None:
    assert "gave a set to compare" not in said(synthesized(), tmp_path / "most")
    made = synthesized(sets=1, of_one_model=1)
    made.funnel.append(("telecom", "dropped", "no_right_response", 2))
    warned = said(made, tmp_path / "few")
    assert "- telecom: 1 of 4 questions gave a set to compare; most others are no_right_response: " in warned
    assert "add a [models.teacher]" in warned
    made.recipe = {"models": {"teacher": {}}}
    warned = said(made, tmp_path / "taught")
    assert "raise [synthesis] samples and teacher_samples" in warned and "add a" not in warned


def test_without_questions_nothing_is_said_of_them(tmp_path: Path) -> None:
    made = synthesized()
    made.funnel = [row for row in made.funnel if row[1] != "synthesis"]
    made.checks = {}
    assert "questions;" not in said(made, tmp_path)


def test_the_report_shows_the_answers_and_the_sets_made_of_them(tmp_path: Path) -> None:
    snapshot, stage = synthesized(single_right=2, single_wrong=1, of_one_model=1).published(tmp_path)
    page = Page(report_of(snapshot.manifest, stage))
    assert page.open == []
    for words in (
        "a row is one question",
        "responder's answers",
        "32 answers",
        "9 truncated",
        "teacher's answers",
        "sets made of them",
        "3 sets to compare",
        "33% taught",
        "3 single responses, 2 right",
        "docs/synthesis.md",
        "traces rows",
        "only 33% of the sets have right and wrong responses of one model",
    ):
        assert words in page.text, words


def test_every_verdict_and_every_origin_has_its_words() -> None:
    assert set(ORIGINS) == {origin.value for origin in Origin}
    assert all(verdict.meaning.words for verdict in Verdict)
    assert all(verdict.meaning.way_out for verdict in Verdict if verdict not in ("right", "wrong"))
    assert verdict_meaning("from_the_future").words == "from the future"
