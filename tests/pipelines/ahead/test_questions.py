"""Plans and probes where questions are not answered yet: nothing is spent by the one, little by the other."""

import json
from pathlib import Path
from typing import Any

import pytest

from storage.root import Root
from storage.run_events import run_ids
from tests.end_to_end.commands import Done, grmforge, latest, paid, write_recipe
from tests.end_to_end.problems import PROBLEMS, write_math
from tests.end_to_end.questions import write_teleqna
from tests.examples import NO_FAULTS
from tests.pipelines.engines.stand_in_server import StandIn

COUNT = len(PROBLEMS)
FAULTLESS = {"engine": "simulated", "simulated": NO_FAULTS}
PRICED = {"price_per_mtok": {"input": 1.0, "output": 2.0}}


def write(directory: Path, **changes: Any) -> Path:
    write_math(directory / "math.jsonl")
    usual: dict[str, Any] = {
        "build": {"name": "small", "sets": ["rft"]},
        "sources": [{"kind": "math", "path": "math.jsonl"}],
        "models": {
            "responder": FAULTLESS | PRICED | {"model": "small"},
            "teacher": FAULTLESS | PRICED | {"model": "large"},
            "grm": FAULTLESS,
        },
        "synthesis": {"samples": 4, "n_responses": 3, "teacher_samples": 2, "rewrites": 2},
    }
    return write_recipe(directory / "recipe.toml", **(usual | changes))


def command(name: str, recipe: Path, root: Path, *options: str) -> Any:
    done: Done = grmforge(name, recipe, "--root", root, "--json", *options)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_plan_calls_no_model_and_counts_what_the_responder_is_then_asked(tmp_path: Path) -> None:
    with StandIn() as server:
        asked: dict[str, Any] = {"engine": "openai", "model": "m", "base_url": server.url}
        recipe = write(tmp_path, models={"responder": asked, "teacher": asked, "grm": asked})
        planned = command("plan", recipe, tmp_path / "data")
        assert server.requests == []
    assert not paid(tmp_path / "data")
    assert not (tmp_path / "data/runs").exists()
    assert not planned["is_exact"] and planned["is_here"]
    (source,) = planned["inputs"]
    assert (source["rows"], source["questions"], source["kept"]) == (COUNT, COUNT, None)
    assert COUNT < source["most_sets"] < 1.5 * COUNT
    responder, teacher, rft = planned["roles"]
    assert [role["purpose"] for role in planned["roles"]] == ["responder", "teacher", "rft"]
    assert (responder["requests_are"], responder["requests"]) == ("exact", 4 * COUNT) == ("exact", 160)
    assert responder["most_requests"] == responder["requests"]
    assert (teacher["requests_are"], teacher["requests"]) == ("at most", (2 + 2 * 2) * COUNT)
    assert (rft["requests_are"], rft["requests"]) == ("at most", 4 * source["most_sets"])


@pytest.mark.slow
def test_a_plan_says_where_all_of_a_source_is_test(tmp_path: Path) -> None:
    recipe, root = write(tmp_path, sources=[{"kind": "math", "path": "test.jsonl"}]), tmp_path / "data"
    write_math(tmp_path / "test.jsonl", 6)
    words = "all of it test: published in sets, never sampled"
    assert words in grmforge("plan", recipe, "--root", root).out
    grmforge("build", recipe, "--root", root)  # nothing can be sampled: it fails, and its sets are known now
    after = command("plan", recipe, root)
    assert after["is_exact"] and after["inputs"][0]["all_test"]
    assert words not in grmforge("plan", write(tmp_path), "--root", root).out


@pytest.mark.slow
def test_bounds_hold_and_the_plan_after_the_build_is_exact(tmp_path: Path) -> None:
    recipe, root = write(tmp_path), tmp_path / "data"
    before = {role["purpose"]: role for role in command("plan", recipe, root)["roles"]}
    assert grmforge("build", recipe, "--root", root).code == 0
    after = command("plan", recipe, root)
    assert after["is_exact"]
    roles = {role["purpose"]: role for role in after["roles"]}
    assert roles["responder"]["requests"] == before["responder"]["requests"]
    assert before["responder"]["prompt_tokens"] > 0 < before["responder"]["cost_usd"]
    for purpose in ("teacher", "rft"):
        assert 0 < roles[purpose]["requests"] <= before[purpose]["requests"]
    for role in roles.values():
        assert (role["requests_are"], role["cached"]) == ("exact", role["requests"])
        assert (role["prompt_tokens"], role["most_answer_tokens"], role["hours"]) == (0, 0, 0.0)
    assert len(paid(root)) == sum(role["requests"] for role in roles.values())
    uses = {use.role: use for use in latest(root, "small").manifest.models}
    assert uses["teacher"].requests == roles["teacher"]["requests"]
    assert uses["responder"].prompt_tokens == pytest.approx(before["responder"]["prompt_tokens"], rel=0.05)


@pytest.mark.slow
def test_answers_of_an_earlier_stop_count_as_cached(tmp_path: Path) -> None:
    root = tmp_path / "data"
    stopped = grmforge("build", write(tmp_path, budget={"max_requests": 50}), "--root", root)
    assert stopped.code == 3
    responder = command("plan", write(tmp_path), root)["roles"][0]
    assert (responder["requests"], responder["cached"]) == (4 * COUNT, 50)
    text = grmforge("plan", write(tmp_path), "--root", root).out
    assert "not all sets are made yet: what judges will be asked is an upper bound" in text
    assert f"{COUNT} questions to answer, for at most" in text
    assert "an upper bound\n" in text
    assert "--download" not in text


def test_questions_on_the_hub_are_bounded_by_what_was_published(tmp_path: Path) -> None:
    recipe = write(tmp_path, sources=[{"kind": "math"}])
    env = {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = grmforge("plan", recipe, "--root", tmp_path / "data", "--json", env=env)
    assert done.code == 0, done.err
    planned = json.loads(done.out)
    assert not planned["is_here"]
    responder, teacher, rft = planned["roles"]
    assert {role["requests_are"] for role in planned["roles"]} == {"at most"}
    assert responder["requests"] == 4 * 12_500
    assert teacher["requests"] == 6 * 12_500
    assert rft["requests"] == 4 * 15_000


@pytest.mark.slow
def test_a_probe_answers_few_questions_and_the_build_uses_them(tmp_path: Path) -> None:
    recipe, root = write(tmp_path), tmp_path / "data"
    probed = command("probe", recipe, root, "-n", "6")
    (answering,) = probed["answering"]
    assert (answering["questions"], answering["build_questions"]) == (6, COUNT)
    assert sum(rows for name, rows in answering["verdicts"].items() if name.startswith("responder")) == 24
    responder = answering["uses"][0]
    assert (responder["requests"], responder["build_requests"]) == (24, 4 * COUNT)
    assert responder["build_cost_usd"] > 0 < responder["build_hours"]
    assert answering["prompt"].startswith(tuple(problem for _, problem, _ in PROBLEMS))
    assert "\\boxed{" in answering["answer"] and "<think>" in answering["answer"]
    assert answering["verdict"] in ("right", "wrong", "undecided")
    assert 0 < probed["sets"] <= answering["sets"] + answering["singles"]
    assert probed["build_requests"] > probed["answers"]
    bought = paid(root)
    assert sum(bought.values()) == 24 + probed["answers"] + sum(use["requests"] for use in answering["uses"][1:])

    assert grmforge("build", recipe, "--root", root).code == 0
    other = tmp_path / "other"
    assert grmforge("build", recipe, "--root", other).code == 0
    answers = {one for one in bought if one in paid(other)}
    assert answers == set(bought), "the build asks for all that a probe asked for"
    assert set(paid(root).values()) == {1}


def test_a_probe_in_words_says_what_the_answers_looked_like(tmp_path: Path) -> None:
    truncated = {"engine": "simulated", "simulated": NO_FAULTS | {"truncated": 0.25, "accuracy": 0.6}}
    recipe = write(tmp_path, models={"responder": truncated, "grm": FAULTLESS})
    done = grmforge("probe", recipe, "--root", tmp_path / "data", "-n", "10")
    assert done.code == 0, done.err
    assert "one question of math as it is asked:" in done.out
    assert "math: 10 questions gave " in done.out
    assert "40 answers: " in done.out and "% truncated" in done.out and "% right" in done.out
    assert f"all {COUNT} questions: 160 requests to simulated" in done.out


@pytest.mark.slow
def test_a_probe_of_a_responder_that_gives_no_set_says_why(tmp_path: Path) -> None:
    silent = {"engine": "simulated", "simulated": NO_FAULTS | {"truncated": 1.0}}
    recipe = write(tmp_path, models={"responder": silent, "grm": FAULTLESS})
    stopped = grmforge("probe", recipe, "--root", tmp_path / "data", "-n", "5")
    assert stopped.code == 1 and "0 of the first 10 answers" in stopped.err and "[synthesis] max_tokens" in stopped.err
    done = grmforge("probe", recipe, "--root", tmp_path / "data", "-n", "5", "--keep-going")
    assert done.code == 1
    (line,) = done.errors
    assert line.startswith("error: probe: no train or validation set came of the answers.")
    assert "20 answers: 100% truncated" in line


def test_a_probe_of_several_sources_shares_its_sets_among_them(tmp_path: Path) -> None:
    write_teleqna(tmp_path / "teleqna.txt", 30)
    own = {"kind": "teleqna", "path": "teleqna.txt"}
    recipe, root = write(tmp_path, sources=[own, {"kind": "math", "path": "math.jsonl"}]), tmp_path / "data"
    probed = command("probe", recipe, root, "-n", "10")
    (answering,) = probed["answering"]
    assert (answering["source"], answering["questions"]) == ("math", 5)
    assert probed["build_requests"] > 30


def test_a_plan_with_a_probe_measures_the_rate_of_every_role(tmp_path: Path) -> None:
    slow = {"engine": "simulated", "simulated": NO_FAULTS | {"latency_s": 0.02, "accuracy": 0.5}, "max_concurrency": 4}
    recipe = write(tmp_path, models={"responder": slow, "teacher": slow | {"model": "large"}, "grm": slow})
    root = tmp_path / "data"
    roles = command("plan", recipe, root, "--probe", "8")["roles"]
    assert [role["hours_are"][:22] for role in roles if role["purpose"] != "teacher"] == ["at the rate of a probe"] * 2
    assert all(role["hours"] > 0 for role in roles if role["purpose"] != "teacher")
    assert roles[0]["cached"] == 8 * 4
    assert len(run_ids(Root(root))) == 1
