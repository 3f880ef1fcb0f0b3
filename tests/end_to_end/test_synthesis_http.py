"""Questions answered by a real server over HTTP, at once and by batch: what it breaks, refuses and thinks."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas.question import Verdict
from tests.end_to_end.commands import data_files, frame, grmforge, latest, paid
from tests.end_to_end.problems import ANSWERS, PROBLEMS
from tests.end_to_end.solving import (
    FEW,
    FEW_SAMPLES,
    built,
    problem_of,
    simulated,
    traces,
    verdict_on,
    verdicts,
    write_few,
)
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def solved(body: dict[str, Any], thoughts: str = "think", **settings: Any) -> Reply:
    """Answer as a server that knows the problems: a judgement, or a solution that is right every other time.

    `thoughts` says where its reasoning stands: in `<think>`, or in a field of the message.
    """
    prompt = prompt_of(body)
    if "[The Begin of Response" in prompt:
        return judged(body, **settings)
    problem = problem_of(prompt)
    seed = int(body["seed"])
    right = (seed + len(problem)) % 2 == 0
    words = " ".join(["Step by step"] * (1 + seed % 5))
    text = f"{words}, it is \\boxed{{{ANSWERS[problem] if right else 1000 + seed % 7}}}."
    reasoning = f"What is asked? {words}."
    if thoughts == "think":
        return stand_in.chat(f"<think>\n{reasoning}\n</think>\n\n{text}", body=body, **settings)
    return stand_in.chat(text, body=body, **{thoughts: reasoning}, **settings)


def write_http(directory: Path, url: str, **sections: Any) -> Path:
    model = {"engine": "openai", "model": "stand-in", "base_url": url, "timeout_s": 10}
    return write_few(directory, models={"responder": model, "grm": model}, **sections)


@pytest.mark.slow
def test_a_real_server_answers_and_its_reasoning_is_in_the_traces_wherever_it_stood(tmp_path: Path) -> None:
    def answered(body: dict[str, Any]) -> Reply:
        return solved(body, thoughts=("think", "reasoning", "reasoning_content")[body["seed"] % 3])

    with StandIn(then=answered) as server:
        recipe = write_http(tmp_path, server.url)
        snapshot = built(recipe, tmp_path / "data")
        asked = [one.raw for one in server.requests]
        assert len(set(asked)) == len(asked) == len(paid(tmp_path / "data"))
        seeds = [one.body["seed"] for one in server.requests if "[The Begin of Response" not in prompt_of(one.body)]
        assert len(seeds) == FEW_SAMPLES * FEW and {seed % 3 for seed in seeds} == {0, 1, 2}
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        assert len(server.requests) == len(asked)
    found = traces(snapshot)
    assert found
    for row in found:
        completion = row["completion"][0]["content"]
        assert completion.startswith("<think>\nWhat is asked? Step by step")
        assert completion.count("<think>") == completion.count("</think>") == 1
        assert verdict_on(problem_of(row["prompt"][0]["content"]), completion) is Verdict.RIGHT
    for row in frame(snapshot, "sets/kept").to_dicts():
        assert all("<think>" not in one["text"] and one["reasoning"] for one in row["responses"])


@pytest.mark.slow
def test_a_server_that_breaks_off_refuses_and_says_nothing_is_counted_as_such(tmp_path: Path) -> None:
    script = [
        partial(solved, finish_reason="length"),
        partial(solved, finish_reason="content_filter"),
        stand_in.chat(""),
        stand_in.chat("<think>\nI think and think"),
        stand_in.chat("I would rather not say."),
        stand_in.refused_400(),
        stand_in.rate_limited("0.1"),
        stand_in.reset(),
    ]
    with StandIn(*script, then=solved) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
    found = verdicts(snapshot)
    assert sum(rows for name, rows in found.items() if name.startswith("responder")) == FEW_SAMPLES * FEW
    assert found["responder: truncated"] >= 1
    assert (found["responder: refused"], found["responder: failed"]) == (1, 1)
    assert found["responder: no_answer"] >= 1 and found["responder: empty"] >= 1


@pytest.mark.slow
def test_an_outage_of_the_responder_publishes_nothing_and_goes_on_later(tmp_path: Path) -> None:
    calls = iter(range(10_000))

    def dying(body: dict[str, Any]) -> Reply:
        return solved(body) if next(calls) < 20 else stand_in.server_error()

    with StandIn(then=dying) as server:
        recipe = write_http(tmp_path, server.url)
        text = recipe.read_text("utf-8").replace("timeout_s = 10", "timeout_s = 10\nmax_retries = 0")
        recipe.write_text(text, "utf-8")
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 1 and len(done.errors) == 1, done.err
        assert not (tmp_path / "data/snapshots").exists()
    with StandIn(then=solved) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
        assert len(server.requests) < len(paid(tmp_path / "data"))
    with StandIn(then=solved) as server:
        other = tmp_path / "other"
        other.mkdir()
        assert data_files(built(write_http(other, server.url), other / "data")) == data_files(snapshot)


@pytest.mark.slow
def test_a_responder_by_batch_is_waited_for_with_exit_code_4(tmp_path: Path) -> None:
    with BatchStandIn(solved, holds=True) as server:
        model = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        models = {"responder": model | {"batch": True}, "grm": simulated("judge")}
        recipe = write_few(tmp_path, models=models)
        done = grmforge("build", recipe, "--keep-going", "--root", tmp_path / "data")  # without a pilot
        assert done.code == 4, done.err
        (line,) = done.errors
        assert line.startswith(f"stopped: waiting for stand-in: batch_0: 0 of {FEW_SAMPLES * FEW} done")
        assert not (tmp_path / "data/snapshots").exists()
        server.finish()
        snapshot = built(recipe, tmp_path / "data")
        assert set(server.paid.values()) == {1} and len(server.paid) == FEW_SAMPLES * FEW
    with StandIn(then=solved) as at_once:
        other = tmp_path / "other"
        other.mkdir()
        now = write_few(other, models=models | {"responder": model | {"base_url": at_once.url}})
        assert data_files(built(now, other / "data")) == data_files(snapshot)


@pytest.mark.slow
def test_failed_answers_are_asked_again_when_that_is_wanted(tmp_path: Path) -> None:
    def answered(body: dict[str, Any], *, refuses: bool) -> Reply:
        is_bad = refuses and problem_of(prompt_of(body)) == PROBLEMS[0][1]
        return stand_in.refused_400() if is_bad else solved(body)

    with StandIn(then=partial(answered, refuses=True)) as server:
        snapshot = built(write_http(tmp_path, server.url), tmp_path / "data")
        assert snapshot.manifest.models[0].failed == verdicts(snapshot)["responder: failed"] == FEW_SAMPLES
    with StandIn(then=partial(answered, refuses=False)) as server:
        recipe = write_http(tmp_path, server.url)
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        assert server.requests == []
        done = grmforge("build", recipe, "--root", tmp_path / "data", "--retry-failed")
        assert done.code == 0, done.err
        assert sum("Evaluation" not in prompt_of(one.body) for one in server.requests) >= FEW_SAMPLES
        found = verdicts(latest(tmp_path / "data", "math"))
        assert "responder: failed" not in found


def test_a_missing_key_of_the_judge_stops_the_build_before_the_responder_is_paid(tmp_path: Path) -> None:
    with StandIn(then=solved) as server:
        model = {"engine": "openai", "model": "stand-in", "base_url": server.url}
        recipe = write_few(tmp_path, models={"responder": model, "grm": model | {"api_key_env": "NO_SUCH_KEY"}})
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert done.code == 1 and "NO_SUCH_KEY" in done.errors[0]
        assert server.requests == []
