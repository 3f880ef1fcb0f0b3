"""`grmforge inspect RECIPE --stored`: answers are looked at before any snapshot exists, and no model is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import grmforge, paid
from tests.end_to_end.test_early_stop import CHAT, write
from tests.flows.command.small_recipes import write_small
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged


def half_readable(body: dict[str, Any]) -> Reply:
    return judged(body) if body["seed"] % 2 else stand_in.chat(CHAT, body=body)


@pytest.fixture
def probed(tmp_path: Path) -> Path:
    """A recipe of which a probe has stored some answers, under `data`."""
    with StandIn(then=half_readable) as server:
        recipe = write(tmp_path, server.url)
        done = grmforge("probe", recipe, "-n", "8", "--root", tmp_path / "data")
    assert done.code == 0, done.err
    return recipe


def test_counts_come_first_then_whole_answers(probed: Path) -> None:
    root = probed.parent / "data"
    before = paid(root)
    done = grmforge("inspect", probed, "--stored", "--root", root, "-n", "2")
    assert done.code == 0, done.err
    first, *counts = done.out.split("\n\n")[0].split("\n")
    found = json.loads(grmforge("inspect", probed, "--stored", "--root", root, "-n", "2", "--json").out)
    (stored,) = found
    assert stored["answers"] == len(before) == sum(stored["outcomes"].values())
    readable = stored["answers"] - stored["outcomes"]["unparsed"]
    assert first == f"rft with stand-in: {readable} of {len(before)} readable; 360 answers are wanted"
    assert len(counts) == len(stored["outcomes"]) and "unparsed" in counts[-1] and "no line" in counts[-1]
    assert len(stored["examples"]) == 2
    for part in ("QUESTION", "What is ", "RESPONSES, AS SHOWN", "OUTCOME", "== stored answer: "):
        assert part in done.out
    assert f"2 of {len(before)}; -n shows more" in done.out
    assert paid(root) == before, "nothing is asked"


def test_one_outcome_is_chosen_and_its_text_is_escaped(probed: Path) -> None:
    done = grmforge("inspect", probed, "--stored", "--outcome", "unparsed", "--root", probed.parent / "data", "-n", "1")
    assert "I like the first one \\x1b[31mbest\\x07" in done.out and "\x1b" not in done.out
    assert "the answer has no line" in done.out and "stored answer: unparsed" in done.out
    assert done.out.count("== stored answer") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--outcome", "wrong_count"), "no stored answer is wrong_count; there are: "),
        (("--outcome", "bad"), "no outcome 'bad'; there are: correct, incorrect, tied"),
        (("--source", "other"), "the recipe has no source 'other'; it has: preference_sets"),
        (("--status", "rejected"), "--status is for rows of a snapshot; with --stored, --outcome chooses"),
    ],
)
def test_what_is_not_there_is_said(probed: Path, options: tuple[str, ...], said: str) -> None:
    done = grmforge("inspect", probed, "--stored", *options, "--root", probed.parent / "data")
    assert done.code == 2 and said in done.err


def test_before_any_answer_a_probe_is_named(tmp_path: Path) -> None:
    recipe = write_small(tmp_path, 10)
    done = grmforge("inspect", recipe, "--stored", "--root", tmp_path / "data")
    assert done.code == 2 and "grmforge probe RECIPE -n 20 asks for some" in done.err
    done = grmforge("inspect", "small", "--outcome", "correct", "--root", tmp_path / "data")
    assert done.code == 2 and "--outcome is for stored answers; add --stored" in done.err


def test_a_refused_request_shows_what_the_endpoint_said(tmp_path: Path) -> None:
    def refuse_some(body: dict[str, Any]) -> Reply:
        return judged(body) if body["seed"] % 3 else stand_in.refused_400("the prompt is too long for me")

    with StandIn(then=refuse_some) as server:
        recipe = write(tmp_path, server.url)
        assert grmforge("probe", recipe, "-n", "8", "--root", tmp_path / "data").code == 0
    done = grmforge("inspect", recipe, "--stored", "--outcome", "failed", "--root", tmp_path / "data", "-n", "1")
    assert done.code == 0, done.err
    assert "the prompt is too long for me" in done.out


def test_every_role_that_judges_is_counted(tmp_path: Path) -> None:
    recipe = write_small(tmp_path, 12)
    assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
    found = json.loads(grmforge("inspect", recipe, "--stored", "--root", tmp_path / "data", "-n", "4", "--json").out)
    assert [stored["purpose"] for stored in found] == ["rft", "difficulty"]
    assert sum(stored["answers"] for stored in found) == len(paid(tmp_path / "data"))
    assert [len(stored["examples"]) for stored in found] == [2, 2]
