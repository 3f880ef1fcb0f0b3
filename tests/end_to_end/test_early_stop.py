"""A model whose first answers are of no use ends the command before more is paid for, over real HTTP."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import grmforge, latest, write_recipe
from tests.end_to_end.problems import write_math
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

SETS = 120
IN_FLIGHT = 8
CHAT = "I like the first one \x1b[31mbest\x07, all things considered.\nThere is no verdict here."


def write(directory: Path, url: str, *, grm: dict[str, Any] | None = None, count: int = SETS, **model: Any) -> Path:
    """Write a recipe of sets and one judge, and return its path."""
    rows = [
        {
            "query": f"What is {number * 7919} taken modulo {number + 2}?",
            "responses": [f"{word}, since {number} counts {number * 31 + shift}" for shift, word in enumerate("ab")],
            "best": number % 2,
        }
        for number in range(count)
    ]
    (directory / "sets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    section = {"engine": "openai", "model": "stand-in", "base_url": url, "max_concurrency": IN_FLIGHT, "timeout_s": 10}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "early", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": "sets.jsonl", "hinted": False}],
        models={"grm": section | model},
        rejection={"balance_positions": False},
        splits={"validation": 0.0},
        **({"grm": grm} if grm else {}),
    )


def chatting(body: dict[str, Any]) -> Reply:
    return stand_in.chat(CHAT, body=body)


def one_in(many: int) -> Callable[[dict[str, Any]], Reply]:
    """Return a judge of whose answers about one in `many` can be read."""
    return lambda body: judged(body) if body["seed"] % many == 0 else chatting(body)


def test_a_judge_that_nobody_can_read_stops_the_build_and_a_rerun_pays_nothing(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn(then=chatting) as server:
        recipe = write(tmp_path, server.url)
        first = grmforge("build", recipe, "--root", root)
        paid = len(server.requests)
        assert 200 <= paid <= 200 + IN_FLIGHT, "what was in flight comes in, and nothing more is sent"
        again = grmforge("build", recipe, "--root", root)
        assert len(server.requests) == paid, "stored answers count"
        onward = grmforge("build", recipe, "--root", root, "--keep-going")
        assert len(server.requests) == len({one.raw for one in server.requests}) > paid
    for done in (first, again):
        assert done.code == 1
        (line,) = done.errors
        assert "[" not in line.split("What may help")[0] and "0 of the first 200 answers can be read" in line
        assert "200 unparsed" in line and "--keep-going" in line and "every answer is kept" in line
        assert 'structured_output = "regex"' in line and "[grm] template" in line and "max_tokens" not in line
        assert "\nI like the first one \\x1b[31mbest\\x07, all things considered.\nThere is no verdict" in done.err
        assert "\x1b[31m" not in done.err
    assert onward.code == 1 and "no row for rft" in onward.err
    for log in (root / "runs").glob("*.jsonl"):
        assert "I like the first one" not in log.read_text(), "an event log holds no answer"


def test_what_the_recipe_has_is_not_advised(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("{{context}}\n{{responses}}\n{{hint}}\nEnd in your scores.", "utf-8")
    extra = {"response_format": {"type": "text"}, "chat_template_kwargs": {"enable_thinking": True}}
    grm = {"template": "own.txt", "max_tokens": 300, "temperature": 1.0}
    usage = {"prompt_tokens": 200, "completion_tokens": 300, "total_tokens": 500}
    with StandIn(then=lambda body: stand_in.chat(CHAT, finish_reason="length", body=body, usage=usage)) as server:
        done = grmforge("build", write(tmp_path, server.url, grm=grm, extra_body=extra), "--root", tmp_path / "data")
    (line,) = done.errors
    advised = line.split("What may help: ")[1]
    assert "200 truncated" in line and "a higher [grm] max_tokens than 300" in advised
    for setting in ("structured", "template", "temperature", "extra_body", "system_role", "chat_template"):
        assert setting not in advised, advised


def test_a_judge_that_thinks_in_place_of_judging_is_told_to_stop_thinking(tmp_path: Path) -> None:
    with StandIn(
        then=lambda body: stand_in.chat("", reasoning_content="hm " * 9, finish_reason="length", body=body)
    ) as server:
        done = grmforge("build", write(tmp_path, server.url), "--root", tmp_path / "data")
    (line,) = done.errors
    assert "enable_thinking = false" in line and "a higher [grm] max_tokens than 4096" in line
    assert "<think>\nhm hm" in done.err


def test_verdicts_without_a_critique_are_of_no_use_where_they_are_to_be_trained_on(tmp_path: Path) -> None:
    with StandIn(then=lambda body: stand_in.chat("Scores: \\boxed{7, 3}", body=body)) as server:
        done = grmforge("build", write(tmp_path, server.url), "--root", tmp_path / "data")
    (line,) = done.errors
    assert done.code == 1 and "200 no_critique" in line


@pytest.mark.parametrize(("many", "code"), [(8, 1), (3, 0)])
def test_a_fifth_is_the_least(tmp_path: Path, many: int, code: int) -> None:
    with StandIn(then=one_in(many)) as server:
        assert grmforge("build", write(tmp_path, server.url), "--root", tmp_path / "data").code == code


def test_a_small_build_is_never_stopped(tmp_path: Path) -> None:
    with StandIn(then=one_in(8)) as server:
        done = grmforge("build", write(tmp_path, server.url, count=12), "--root", tmp_path / "data")
    assert "of the first" not in done.err


@pytest.mark.parametrize(
    ("judge", "asked", "code"),
    [(chatting, 10, 1), (one_in(12), 20, 1), (one_in(3), 60, 0)],
    ids=["ten", "twenty", "well"],
)
def test_a_probe_stops_sooner(tmp_path: Path, judge: Callable[[dict[str, Any]], Reply], asked: int, code: int) -> None:
    with StandIn(then=judge) as server:
        recipe = write(tmp_path, server.url, max_concurrency=1)
        done = grmforge("probe", recipe, "-n", "20", "--root", tmp_path / "data")
        assert (done.code, len(server.requests) <= asked or not code) == (code, True), done.err
        if code:
            paid = len(server.requests)
            assert grmforge("probe", recipe, "-n", "20", "--root", tmp_path / "data").code == 1
            assert len(server.requests) == paid
            kept_on = grmforge("probe", recipe, "-n", "20", "--root", tmp_path / "data", "--keep-going")
            assert kept_on.code == 0 and "readable" in kept_on.out and len(server.requests) > paid


@pytest.mark.slow
def test_a_batch_role_sends_a_pilot_first(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with BatchStandIn(chatting) as server:
        recipe = write(tmp_path, server.url, batch=True)
        waiting = grmforge("build", recipe, "--root", root)
        assert waiting.code in (1, 4), waiting.err
        done = waiting if waiting.code == 1 else grmforge("build", recipe, "--root", root)
        assert sum(server.paid.values()) == 200
        assert "0 of the first 200 answers" in done.err and done.code == 1
        assert grmforge("build", recipe, "--root", root).code == 1
        assert sum(server.paid.values()) == 200
    with BatchStandIn(judged) as server:
        recipe = write(tmp_path, server.url, batch=True)
        first = grmforge("build", recipe, "--root", tmp_path / "well")
        assert first.code == 4 and "first answers" in first.err
        assert sum(server.paid.values()) == 200
        for _ in range(5):
            done = grmforge("build", recipe, "--root", tmp_path / "well")
            if done.code != 4:
                break
        assert done.code == 0, done.err
        assert set(server.paid.values()) == {1} and sum(server.paid.values()) == 3 * SETS
        assert latest(tmp_path / "well", "early").rows("rft/train")


def write_questions(directory: Path, url: str, **roles: dict[str, Any]) -> Path:
    """Write a recipe of questions that a responder answers, many times each."""
    write_math(directory / "math.jsonl", 6)
    section = {"engine": "openai", "base_url": url, "max_concurrency": IN_FLIGHT}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "early", "sets": ["rft"]},
        sources=[{"kind": "math", "path": "math.jsonl"}],
        models={"grm": section | {"model": "judge"}, "responder": section | {"model": "pupil"}} | roles,
        synthesis={"samples": 64},
    )


def test_a_responder_that_gives_no_answer_stops_the_build(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn(then=lambda body: stand_in.chat("Who could say?", body=body)) as server:
        recipe = write_questions(tmp_path, server.url)
        done = grmforge("build", recipe, "--root", root)
        paid = len(server.requests)
        assert done.code == 1 and 200 <= paid <= 200 + IN_FLIGHT
        (line,) = done.errors
        assert "responder (pupil), answering questions: 0 of the first 200 answers" in line and "200 unreadable" in line
        assert "[synthesis] temperature" in line and "structured_output" not in line
        assert grmforge("build", recipe, "--root", root).code == 1 and len(server.requests) == paid


def test_wrong_answers_are_answers(tmp_path: Path) -> None:
    with StandIn(then=lambda body: stand_in.chat("It is \\boxed{123456789}.", body=body)) as server:
        done = grmforge("build", write_questions(tmp_path, server.url), "--root", tmp_path / "data")
        assert len(server.requests) == 6 * 64, done.err
    assert "of the first" not in done.err


def test_a_teacher_whose_texts_give_no_answer_stops_the_build(tmp_path: Path) -> None:
    def answers(body: dict[str, Any]) -> Reply:
        text = "It is \\boxed{123456789}." if body["model"] == "pupil" else "Who could say?"
        return stand_in.chat(text, body=body)

    with StandIn(then=answers) as server:
        teacher = {"engine": "openai", "model": "teacher", "base_url": server.url}
        recipe = write_questions(tmp_path, server.url, teacher=teacher)
        done = grmforge("probe", recipe, "-n", "6", "--root", tmp_path / "data")
    assert done.code == 1
    assert "teacher (teacher), teaching: 0 of the first 1" in done.err
