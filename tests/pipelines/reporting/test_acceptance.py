"""The closing lines: the funnel, and an explanation where little is left."""

from pathlib import Path

import pytest

from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.attention import attention
from pipelines.reporting.report import card_of, report_of
from pipelines.reporting.source_funnels import source_funnels
from pipelines.reporting.visible import columns
from tests.pipelines.reporting.small_snapshot import HOSTILE, Small, a_set, an_input, small, trajectory


def lines_of(made: Small, path: Path) -> list[str]:
    snapshot, _ = made.published(path)
    return closing_lines(snapshot.manifest, snapshot)


def good() -> Small:
    """Return a build with nothing to say of."""
    made = small()
    made.inputs = [
        an_input("telecom", rows=3, kept=2, dropped=1, unreadable=0).model_copy(update={"redistribution": "open"})
    ]
    made.checks = {}
    made.recipe = {"build": {"sets": ["rft", "rl", "meta_rm", "pairs"]}, "splits": {"validation": 0}}
    made.models = []
    return made


def test_a_good_build_ends_with_its_funnel_alone(tmp_path: Path) -> None:
    assert lines_of(good(), tmp_path) == [
        "source   read  kept  judged  accepted         rft  rl  meta_rm  pairs",
        "telecom     3     2       8         2  25.0%    2   2        2      2",
    ]


def test_what_wants_attention_is_said(tmp_path: Path) -> None:
    assert lines_of(small(), tmp_path)[2:] == [
        "",
        "telecom: 1 of 4 rows could not be read, for example sets.jsonl:7: no JSON",
        "",
        "look at this before training:",
        "- no validation rows: raise [splits] validation",
        "- grm: 1 of 8 requests failed for good; build --retry-failed asks again.",
        "- difficulty: 1 of 8 requests failed for good; build --retry-failed asks again.",
        "- telecom: leaky. A probe that reads nothing tells the best response at AUC 0.71 ± 0.10 (chance 0.5, limit "
        "0.6), by",
        "  its length (0.70).",
        "- telecom: the best response is the longest in 90% of the sets, by chance in 50%; a judge may learn to prefer "
        "length.",
        "- Redistribution restricted: the authors of telecom ask that their rows are not republished.",
    ]


def test_simulated_models_are_said_first_wherever_something_is_said(tmp_path: Path) -> None:
    made = small()
    made.models = [
        use.model_copy(update={"engine": "simulated", "role": role})
        for role in ("grm", "grm", "difficulty")
        for use in made.models[:1]
    ]
    snapshot, stage = made.published(tmp_path)
    said = "simulated: grm, difficulty; these rows are for trying things out, never for training"
    lines = closing_lines(snapshot.manifest, snapshot)
    assert lines[lines.index("look at this before training:") + 1] == f"- {said}"
    assert attention(snapshot.manifest, source_funnels(snapshot.manifest, snapshot.files))[0] == said
    assert f"**{said}.**" in card_of(snapshot.manifest)
    assert said in report_of(snapshot.manifest, stage)


def test_models_that_are_none_are_not_called_simulated(tmp_path: Path) -> None:
    snapshot, _ = small().published(tmp_path)
    assert "simulated" not in "\n".join(closing_lines(snapshot.manifest, snapshot)) + card_of(snapshot.manifest)


def test_single_unreadable_rows_come_after_what_is_worse(tmp_path: Path) -> None:
    made = good()
    made.inputs = [an_input("telecom", rows=400, kept=2, dropped=397, unreadable=1)]
    said = lines_of(made, tmp_path)
    assert said[2:5] == [
        "",
        "look at this before training:",
        "- telecom: 1 of 400 rows could not be read, for example sets.jsonl:7: no JSON",
    ]


def test_validation_rows_that_only_some_sets_lack_are_named(tmp_path: Path) -> None:
    made = good()
    made.recipe["splits"] = {"validation": 0.02}
    made.tables["rft/validation"] = made.tables["rft/train"]
    assert lines_of(made, tmp_path)[-1] == "- no validation rows in rl, meta_rm, pairs: raise [splits] validation"


@pytest.mark.parametrize("width", [40, 60, 80, 118])
def test_every_line_fits_the_terminal(width: int, tmp_path: Path) -> None:
    made = small("什么承载语音?" * 9)
    made.funnel = [(one, two, three, rows * 1_000_000) for one, two, three, rows in made.funnel]
    made.funnel.append(("telecom", "rft hinted", "truncated", 30_000_000))
    made.inputs.append(an_input("来源" * 12, rows=3, kept=0, dropped=0, unreadable=3, detail="x" * 500))
    snapshot, _ = made.published(tmp_path)
    said = closing_lines(snapshot.manifest, snapshot, root_flag=" --root slow", width=width)
    assert [line for line in said if columns(line) > width] == []
    assert ("kept" in said[0].split()) == (width > 80)
    assert said[0].startswith("source ") and "rft" in said[0].split()


def test_printed_commands_name_the_root_and_can_be_pasted(tmp_path: Path) -> None:
    made = small()
    made.funnel.append(("telecom", "rft hinted", "truncated", 30))
    snapshot, _ = made.published(tmp_path)
    command = "grmforge inspect small --status rejected --reason truncated --source telecom --root slow"
    for width in (40, 118):
        said = "\n".join(closing_lines(snapshot.manifest, snapshot, root_flag=" --root slow", width=width))
        assert command in " ".join(said.replace("\\\n", " ").split())


def test_a_low_acceptance_is_explained(tmp_path: Path) -> None:
    made = good()
    made.funnel = [row for row in made.funnel if row[2] != "truncated"] + [("telecom", "rft hinted", "truncated", 30)]
    said = lines_of(made, tmp_path)[2:]
    assert said[1:] == [
        "telecom: 5.6% of 36 answers were accepted.",
        "  88% of what is lost is truncated: the answer ended at the token limit, before its verdict",
        "  what helps:  raise [grm] max_tokens: judges that reason aloud need 8,000 and more; "
        "one that never comes to an end",
        "               can be kept to a shorter form: [grm] structured_output, with structured_text",
        said[5],
        "  see more:    grmforge inspect small --status rejected --reason truncated --source telecom",
    ]
    assert said[5].startswith('  for example: "What carries voice?') and said[5].endswith("the whole answer")


def test_nothing_kept_is_explained_by_what_was_dropped(tmp_path: Path) -> None:
    made = small()
    made.inputs.append(an_input("empty", rows=3, kept=0, dropped=3, unreadable=0))
    made.funnel.append(("empty", "dropped", "no_question", 3))
    said = "\n".join(lines_of(made, tmp_path))
    assert "empty: no set of 3 rows was kept." in said
    assert "100% of what is lost is no_question: the question asks nothing" in said
    assert "\nall " in said


def test_only_unreadable_rows_and_only_test_sets(tmp_path: Path) -> None:
    made = small()
    made.inputs.append(an_input("broken", rows=3, kept=0, dropped=0, unreadable=3))
    made.inputs.append(an_input("held", rows=2, kept=2, dropped=0, unreadable=0))
    made.funnel.append(("held", "kept", "test", 2))
    said = "\n".join(lines_of(made, tmp_path))
    assert said.index("\nbroken: 3 of 3 rows could not be read, for example sets.jsonl:7") < said.index("held: its")
    assert "held: its 2 kept sets are all test sets" in said


def test_all_too_easy_for_rl(tmp_path: Path) -> None:
    made = Small(sets=[a_set("q")], inputs=[an_input("telecom", rows=1, kept=1, dropped=0, unreadable=0)])
    made.funnel = [("telecom", "kept", "train", 1), ("telecom", "rl", "too_easy", 1)]
    made.recipe = {"build": {"sets": ["rl"]}}
    said = "\n".join(lines_of(made, tmp_path))
    assert "telecom: none of its 1 kept sets gave a row." in said and "too_easy" in said


def test_hostile_data_stays_on_its_line(tmp_path: Path) -> None:
    one = a_set(HOSTILE + "\nnext", HOSTILE, source=HOSTILE)
    made = Small(sets=[one], inputs=[an_input(HOSTILE, rows=1, kept=1, dropped=0, unreadable=0)], name=HOSTILE)
    made.name = "small"
    made.tables = {"trajectories/rejected": [trajectory(one, 0, "unparsed", "unparsed", scores=None, text=HOSTILE)]}
    made.funnel = [(HOSTILE, "kept", "train", 1), (HOSTILE, "rft hinted", "unparsed", 9)]
    said = lines_of(made, tmp_path)
    assert [line for line in said if not line.isprintable()] == []
    assert any("\\x1b" in line for line in said)
