"""`grmforge build` against a real HTTP server on loopback that fails in the ways servers do."""

import hashlib
import json
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storage.root import Root
from storage.snapshots import find_snapshot
from tests.end_to_end.commands import data_files, frame, grmforge, latest, paid, toml, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Answer, Reply, StandIn, judged

KEY = "sk-a-key-for-tests-0123456789"
SETS = 12


def write_sets(path: Path, best: Callable[[int], int] = lambda number: number % 3) -> Path:
    """Write sets of three responses, and return the path. Their prompts come from a conversation with a system turn."""
    rows = [
        {
            "query": [
                {"role": "system", "content": "You are a patient teacher."},
                {"role": "user", "content": f"What is {number * 7919} taken modulo {number + 2}?"},
            ],
            "responses": [f"{word}, since {number} counts {number * 31 + shift}" for shift, word in enumerate("abc")],
            "best": best(number),
        }
        for number in range(SETS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_http_recipe(
    directory: Path, url: str, *, hinted: bool = True, budget: dict[str, Any] | None = None, **model: Any
) -> Path:
    """Write a recipe of one GRM behind a URL, and return its path."""
    if not (directory / "sets.jsonl").exists():
        write_sets(directory / "sets.jsonl")
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "http", "sets": ["rft", "meta_rm"]},
        sources=[{"kind": "preference_sets", "path": "sets.jsonl", "hinted": hinted}],
        models={"grm": {"engine": "openai", "model": "stand-in", "base_url": url, "timeout_s": 10} | model},
        rejection={"balance_positions": False},
        splits={"validation": 0.0},
        **({"budget": budget} if budget else {}),
    )


def text_of(received: stand_in.Received) -> str:
    return str(received.body["messages"][-1]["content"])


def bare(body: dict[str, Any]) -> Reply:
    """Answer as a judge that thinks elsewhere: its reasoning in a field of its own, and a line of scores."""
    whole = json.loads(judged(body).body)["choices"][0]["message"]["content"]
    reasoning, _, scores = whole.partition("Scores:")
    return stand_in.chat(f"Scores:{scores}", reasoning_content=reasoning, body=body)


def test_a_bare_line_of_scores_is_no_example_of_judging_yet_one_of_right_or_wrong(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn(then=bare) as server:
        done = grmforge("build", write_http_recipe(tmp_path, server.url, hinted=False), "--root", root)
        asked = len(server.requests)
    assert (done.code, asked) == (1, 3 * SETS), done.err
    assert "no row for rft: LATEST was not moved" in done.errors[0]
    (version,) = (root / "snapshots" / "http").iterdir()
    snapshot = find_snapshot(Root(root), f"http@{version.name}")
    rejected, meta_rm = frame(snapshot, "trajectories/rejected"), frame(snapshot, "meta_rm/train")
    assert "rft/train" not in snapshot.manifest.tables
    assert set(rejected["reject_reason"]) == {"no_critique", "incorrect"}
    assert set(rejected.filter(pl.col("outcome") == "correct")["reject_reason"]) == {"no_critique"}
    assert rejected["reasoning"].null_count() == 0
    assert meta_rm.height >= 2
    labels = rejected.select("trajectory_id", right=pl.col("outcome") == "correct")
    assert meta_rm.join(labels, on="trajectory_id")["right"].to_list() == meta_rm["label"].to_list()


def unread(body: dict[str, Any]) -> Reply:
    return judged(body) if body["model"] == "stand-in" else stand_in.chat("I cannot say.", body=body)


def test_a_difficulty_model_that_holds_no_format_costs_rl_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn(then=unread) as server:
        recipe = write_http_recipe(tmp_path, server.url, hinted=False)
        weak = {"engine": "openai", "model": "weak", "base_url": server.url}
        text = recipe.read_text("utf-8").replace('"rft", "meta_rm"', '"rft", "rl", "meta_rm"')
        recipe.write_text(f"{text}\n{toml({'models': {'difficulty': weak}})}", "utf-8")
        done = grmforge("build", recipe, "--root", root)
        again = grmforge("build", recipe, "--root", root, "--json")
    assert (done.code, again.code) == (1, 1), done.err
    (line,) = done.errors
    assert "no row for rl (only 0% of the difficulty model's answers could be read" in line
    assert "LATEST was not moved" in line
    assert "--status difficulty" in line
    assert "rl has no training rows: only 0% of the difficulty model's answers" in " ".join(done.out.split())
    shown = json.loads(again.out)
    assert (shown["missing"], shown["new"]) == (["rl"], False)
    assert {"rft/train", "meta_rm/train"} <= set(shown["tables"])
    assert not (root / "snapshots" / "http" / "LATEST").exists()


def test_faults_are_outlived_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    script: list[Answer] = [
        stand_in.rate_limited("0.1"),
        stand_in.server_error(),
        judged,
        stand_in.reset(),
        stand_in.half_json(),
        stand_in.content_filtered(),
        partial(judged, usage=None),
        stand_in.cut_off(),
        stand_in.server_error(503),
        stand_in.empty_choices(),
        partial(judged, thinks=True),
    ]
    root = tmp_path / "data"
    with StandIn(*script) as server:
        recipe = write_http_recipe(tmp_path, server.url, api_key_env="TEST_KEY", max_concurrency=4)
        done = grmforge("build", recipe, "--root", root, env={"TEST_KEY": KEY})
        assert (done.code, done.errors) == (0, []), done.err
        first = [received.raw for received in server.requests]
        assert {received.headers["authorization"] for received in server.requests} == {f"Bearer {KEY}"}

        again = grmforge("build", recipe, "--root", root, env={"TEST_KEY": KEY})
        assert again.code == 0
        assert "nothing new" in again.out
        assert len(server.requests) == len(first), "a second build asked something"
    snapshot = latest(root, "http")
    (source,) = snapshot.manifest.inputs
    assert source.rows == SETS == source.kept + source.dropped + source.unreadable
    assert len(set(first)) == len(paid(root)) == 4 * SETS
    judgements = pl.concat([frame(snapshot, f"trajectories/{status}") for status in ("accepted", "rejected")])
    assert judgements.height == 4 * SETS
    assert judgements["request_id"].n_unique() == 4 * SETS
    failed = judgements.filter(pl.col("outcome") == "failed")
    assert failed["reject_reason"].to_list() == ["failed"]
    assert snapshot.manifest.models[0].failed == 1
    assert judgements["completion_tokens"].null_count() == 2, "the one without usage, and the one that failed"
    for path in (path for path in root.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path


def test_what_is_asked_is_what_the_recipe_says(tmp_path: Path) -> None:
    extra = {"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}}
    with StandIn() as server:
        recipe = write_http_recipe(tmp_path, server.url, system_role=False, extra_body=extra, top_p=0.9)
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        bodies = [received.body for received in server.requests]
    fixed = {"model": "stand-in", "temperature": 0.5, "max_tokens": 4096, "top_p": 0.9, **extra}
    for body in bodies:
        assert {key: value for key, value in body.items() if key not in ("messages", "seed")} == fixed
        assert [message["role"] for message in body["messages"]] == ["user"]
        assert set(body["messages"][0]) == {"role", "content"}
        assert "You are a patient teacher." in body["messages"][0]["content"]
    assert len({body["seed"] for body in bodies}) == len(bodies)


def test_the_hint_stays_out_of_the_training_prompts(tmp_path: Path) -> None:
    with StandIn() as server:
        recipe = write_http_recipe(tmp_path, server.url)
        assert grmforge("build", recipe, "--root", tmp_path / "data").code == 0
        hinted = [received for received in server.requests if "#### Hint ####" in text_of(received)]
    assert len(hinted) == SETS
    snapshot = latest(tmp_path / "data", "http")
    rows = frame(snapshot, "rft/train")
    assert "hinted" in set(rows["mode"])
    for row in rows.iter_rows(named=True):
        assert "Hint" not in str(row["prompt"]), row["example_id"]
    for row in frame(snapshot, "meta_rm/train").iter_rows(named=True):
        assert "Hint" not in str(row["prompt"])


def test_the_truth_never_goes_over_the_wire(tmp_path: Path) -> None:
    """Sets with another best response are asked about in the very same bytes."""
    asked = []
    for turn in (0, 1):
        place = tmp_path / str(turn)
        place.mkdir()
        write_sets(place / "sets.jsonl", best=lambda number, turn=turn: (number + turn) % 3)  # type: ignore[misc]
        with StandIn() as server:
            recipe = write_http_recipe(place, server.url, hinted=False)
            assert grmforge("build", recipe, "--root", place / "data").code in (0, 1)
            asked.append(sorted(received.raw for received in server.requests))
    assert len(asked[0]) == 3 * SETS
    assert asked[0] == asked[1]


def closed_port() -> str:
    """Return the URL of a port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_an_endpoint_that_is_down_is_one_line(tmp_path: Path) -> None:
    url = closed_port()
    done = grmforge("build", write_http_recipe(tmp_path, url), "--root", tmp_path / "data")
    assert done.code == 1
    (line,) = done.errors
    assert url in line
    assert "is the server up" in line
    assert done.err.splitlines()[-1] == line


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (stand_in.html_page(), "base_url"),
        (stand_in.other_protocol(), "port in base_url"),
        (stand_in.wrong_key(f"Incorrect API key provided: {KEY}"), "TEST_KEY|api_key_env"),
        (stand_in.no_such_model(), "does not exist"),
        (stand_in.no_credit(), "credit"),
    ],
    ids=["html", "other_protocol", "wrong_key", "no_such_model", "no_credit"],
)
def test_an_endpoint_that_is_of_no_use_is_one_line(tmp_path: Path, reply: Reply, said: str) -> None:
    with StandIn(then=reply) as server:
        recipe = write_http_recipe(tmp_path, server.url, api_key_env="TEST_KEY")
        done = grmforge("build", recipe, "--root", tmp_path / "data", env={"TEST_KEY": KEY})
        assert server.url in done.err
    assert done.code == 1
    (line,) = done.errors
    assert any(word in line for word in said.split("|")), line
    assert KEY not in done.err
    assert not (tmp_path / "data" / "snapshots").exists()


def test_what_was_paid_before_the_end_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with StandIn(*[judged] * 20, then=stand_in.wrong_key()) as server:
        recipe = write_http_recipe(tmp_path, server.url, max_concurrency=2)
        assert grmforge("build", recipe, "--root", root).code == 1
        answered = [received.raw for received in server.requests[:20]]
    assert len(paid(root)) == 20
    with StandIn() as server:
        recipe = write_http_recipe(tmp_path, server.url, max_concurrency=2)
        assert grmforge("build", recipe, "--root", root).code == 0
        rest = [received.raw for received in server.requests]
    assert len(rest) == 4 * SETS - 20
    assert not set(rest) & set(answered)


@pytest.mark.parametrize("role", ["grm", "difficulty"])
def test_a_key_that_is_not_set_is_named_before_anything_is_spent(tmp_path: Path, role: str) -> None:
    with StandIn() as server:
        models = {name: {"engine": "openai", "model": "m", "base_url": server.url} for name in ("grm", "difficulty")}
        models[role]["api_key_env"] = "KEY_THAT_NOBODY_SETS"
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "http", "sets": ["rft", "rl"]},
            sources=[{"kind": "preference_sets", "path": str(write_sets(tmp_path / "sets.jsonl"))}],
            models=models,
        )
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert server.requests == []
    assert done.code == 1
    (line,) = done.errors
    assert "KEY_THAT_NOBODY_SETS" in line


@pytest.mark.slow
def test_a_budget_stops_cleanly_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    write_teleqna(tmp_path / "teleqna.txt", 40)

    def built(root: str, budget: int | None) -> tuple[int, str, list[bytes]]:
        with StandIn() as server:
            recipe = write_recipe(
                tmp_path / "recipe.toml",
                build={"name": "bought", "sets": ["rft"]},
                sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
                models={"grm": {"engine": "openai", "model": "stand-in", "base_url": server.url}},
                **({"budget": {"max_requests": budget}} if budget else {}),
            )
            done = grmforge("build", recipe, "--root", tmp_path / root)
            return done.code, done.err, [received.raw for received in server.requests]

    code, said, first = built("data", 50)
    assert code == 3
    assert said.splitlines()[-1].startswith("stopped: budget: 50 requests of max_requests = 50 spent")
    assert len(set(first)) == len(first) == 50 == len(paid(tmp_path / "data"))
    assert not (tmp_path / "data" / "snapshots").exists()

    code, _, rest = built("data", 1000)
    assert code == 0
    assert not set(first) & set(rest)
    code, _, whole = built("other", None)
    assert sorted(first + rest) == sorted(whole)
    assert data_files(latest(tmp_path / "data", "bought")) == data_files(latest(tmp_path / "other", "bought"))


DRAFT = "A DRAFT of mine.\n\nSpecific Criteria:\n1. Draft (weight: 100%): d.\n\nScores: \\boxed{10, 10, 1}"
FINAL = "<|start|>assistant<|channel|>final<|message|>"
FORMS = [
    ("<think>", "</think>\n\n"),
    ("<thinking>\n", "\n</thinking>\n\n"),
    ("<seed:think>", "</seed:think>"),
    ('<reasoning effort="high">', "</reasoning>\n"),
    ("<scratchpad>", "</scratchpad>\n"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>\n", "\n<|end_of_thought|>\n\n"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", f"<|end|>{FINAL}"),
    ("analysis", "assistantfinal"),
    ("<unused94>thought\n", "<unused95>"),
    ("", "\n</think>\n\n"),
    ("<think>", "</think>\n<answer>"),
]
"""How a judge may mark its thoughts in what it answers."""


def thinking(body: dict[str, Any], *, mention: str = "") -> Reply:
    """Return a judgement behind thoughts with a verdict of their own; three in ten have no other verdict."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    begin, end = FORMS[digest[0] % len(FORMS)]
    (choice,) = json.loads(judged(body).body)["choices"]
    answer = str(choice["message"]["content"]).replace("criterion.", f"criterion. {mention}")
    text = begin + DRAFT + end + ("I give no verdict." if digest[1] % 10 < 3 else answer)
    return stand_in.chat(text, body=body, reasoning_content="GIVEN apart." if digest[2] % 2 else None)


def test_a_draft_in_thoughts_is_never_accepted_and_never_trained_on(tmp_path: Path) -> None:
    mention = "Neither closes its <think> with </think>."
    with StandIn(then=partial(thinking, mention=mention)) as server:
        recipe = write_http_recipe(tmp_path, server.url)
        done = grmforge("build", recipe, "--root", tmp_path / "data")
        assert (done.code, done.errors) == (0, []), done.err
        sent = len(server.requests)
        assert sent > len(FORMS)
    snapshot = latest(tmp_path / "data", "http")
    judgements = pl.concat([frame(snapshot, f"trajectories/{status}") for status in ("accepted", "rejected")])
    verdict = pl.col("text").str.contains("Analysis:")
    assert judgements.filter(verdict)["outcome"].is_in(["correct", "incorrect"]).all()
    assert set(judgements.filter(~verdict)["outcome"]) == {"unparsed"}
    assert judgements.filter(~verdict)["text"].unique().str.strip_chars().to_list() == ["I give no verdict."]
    assert not judgements["text"].str.contains("DRAFT|GIVEN|answer>|channel").any()
    assert judgements["reasoning"].str.contains(DRAFT, literal=True).all()
    assert judgements["reasoning"].str.starts_with("GIVEN apart.\n").sum() in range(1, sent)
    assert judgements.filter(verdict)["critique"].str.contains(mention, literal=True).all(), "what it speaks of stays"
    for table in ("rft/train", "meta_rm/train"):
        completions = frame(snapshot, table)["completion"].list.get(0).struct.field("content")
        assert completions.len() > 0
        assert completions.str.contains("Scores: ").any()
        assert not completions.str.contains("DRAFT|10, 10, 1|GIVEN").any()
