"""The service as trainers meet it: a process, HTTP, an endpoint that may misbehave."""

import http.client
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import grmforge, paid
from tests.examples import write_rows
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat, hang, refused_400, server_error
from tests.pipelines.serving.service import Serving, by_worth, recipe_for, serving


def is_left_alone(service: Serving) -> bool:
    """Call a service that is about to go; say whether the call got no reply."""
    try:
        service.judge(FOUR)
    except (OSError, http.client.HTTPException):
        return True
    return False


FOUR = ["worth 3, a", "worth 9, b", "worth 5, c", "worth 1, d"]


def test_a_group_is_judged_jointly_and_its_answers_are_bought_once(tmp_path: Path) -> None:
    with StandIn(then=by_worth) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 3})
        with serving(recipe, tmp_path / "data") as service:
            reply = service.judge(FOUR)
            assert reply["rewards"] == [3.0, 9.0, 5.0, 1.0] and reply["failures"] == [None] * 4
            assert (reply["samples"], reply["readable_samples"], reply["parts"]) == (3, 3, 1)
            assert reply["failed_share"] == 0 and reply["comparable"] == "within this group only"
            prompts = [request.body["messages"][-1]["content"] for request in judge.requests]
            assert len(prompts) == 3 and all(all(text in prompt for text in FOUR) for prompt in prompts)
            assert service.judge(FOUR[::-1])["rewards"] == [1.0, 5.0, 9.0, 3.0], "the same set in another order"
            assert len(judge.requests) == 3
            assert service.judge([*FOUR, FOUR[1]])["rewards"][1] == 9.0, "equal responses share a reward"
            assert len(judge.requests) == 3
            assert service.end()[0] == 0
        with serving(recipe, tmp_path / "data") as service:
            assert service.judge(FOUR)["rewards"] == [3.0, 9.0, 5.0, 1.0]
        assert len(judge.requests) == 3, "a service that starts again asks nothing twice"


def test_what_a_build_has_stored_is_not_bought_again_and_the_other_way_round(tmp_path: Path) -> None:
    rows = [
        {"query": f"Question {n}?", "responses": [f"worth {n}, x", f"worth {n + 2}, y"], "best": 1} for n in (1, 4, 6)
    ]
    write_rows(tmp_path / "own.jsonl", rows)
    grm = {"n_rft": 3, "resample_unreadable": 0}
    splits = {"validation": 0.0, "test": 0.0}
    with StandIn(then=by_worth) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 3}, grm=grm, splits=splits)
        assert grmforge("build", recipe, "--root", tmp_path / "built").code in (0, 1)
        asked = len(judge.requests)
        assert asked == 9
        with serving(recipe, tmp_path / "built") as service:
            reply = service.judge(rows[0]["responses"], "Question 1?")
            assert reply["rewards"] == [1.0, 3.0] and reply["samples"] == 3
            assert len(judge.requests) == asked, "the service buys nothing that the build has"

        with serving(recipe, tmp_path / "served") as service:
            for row in rows:
                service.judge(row["responses"], row["query"])
            assert service.end()[0] == 0
        assert len(judge.requests) == 2 * asked
        assert grmforge("build", recipe, "--root", tmp_path / "served").code in (0, 1)
        assert len(judge.requests) == 2 * asked, "the build buys nothing that the service has"


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (chat("I like them all."), "unreadable"),
        (chat("Scores: \\boxed{7, 3}"), "unreadable"),
        (chat("Scores: \\boxed{7, 3, 11, 2}"), "unreadable"),
        (chat("Scores: \\boxed{7, NaN, 1, 2}"), "unreadable"),
        (chat("Scores: \\boxed{7, 3, 5, 2}", finish_reason="length"), "cut_off"),
        (chat("I'm sorry, I cannot judge this."), "refused"),
        (server_error(500), "unreachable"),
        (Reply(ends="reset"), "unreachable"),
    ],
)
def test_a_judge_that_fails_gives_a_name_and_never_a_number(tmp_path: Path, reply: Reply, name: str) -> None:
    with StandIn(then=reply) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2}, grm={"resample_unreadable": 0})
        with serving(recipe, tmp_path / "data") as service:
            told = service.judge(FOUR)
            assert told["rewards"] == [None] * 4 and told["group_mean"] is None
            assert {failure["name"] for failure in told["failures"]} == {name}
            assert told["failed_share"] == 1.0 and service.metric(f'failures_total{{cause="{name}"}}') == 4
            judge.then = by_worth
            told = service.judge([*FOUR, "worth 2, e"])
            assert None not in told["rewards"], "the service goes on once the endpoint does"


def test_an_endpoint_that_refuses_one_request_for_good_says_rejected(tmp_path: Path) -> None:
    def picky(body: dict[str, Any]) -> Reply:
        return refused_400("flagged") if "worth 4, bad" in str(body) else by_worth(body)

    with StandIn(then=picky) as judge, serving(recipe_for(tmp_path, judge.url, {"k": 1}), tmp_path / "data") as service:
        told = service.judge(["worth 4, bad", "worth 2"])
        assert {failure["name"] for failure in told["failures"]} == {"rejected"}
        assert service.judge(FOUR)["failures"] == [None] * 4


def test_a_sample_that_cannot_be_read_is_drawn_again_and_one_that_can_decides(tmp_path: Path) -> None:
    with StandIn(chat("no verdict"), then=by_worth) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2}, grm={"resample_unreadable": 1})
        with serving(recipe, tmp_path / "data") as service:
            told = service.judge(FOUR)
    assert told["rewards"] == [3.0, 9.0, 5.0, 1.0]
    assert (told["samples"], told["readable_samples"]) == (3, 2)


def test_the_budget_is_hard_and_what_is_stored_still_answers(tmp_path: Path) -> None:
    with StandIn(then=by_worth) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2}, budget={"max_requests": 2})
        with serving(recipe, tmp_path / "data") as service:
            assert service.judge(FOUR)["failures"] == [None] * 4
            told = service.judge(["worth 1", "worth 2"])
            assert told["rewards"] == [None, None]
            assert {failure["name"] for failure in told["failures"]} == {"over_budget"}
            assert service.judge(FOUR)["rewards"] == [3.0, 9.0, 5.0, 1.0]
    assert len(judge.requests) == 2


def test_a_large_group_is_judged_in_parts_on_one_scale(tmp_path: Path) -> None:
    draws: Counter[str] = Counter()

    def moody(body: dict[str, Any]) -> Reply:  # as strict as the first response shown has digits of its own
        draws["asked"] += 1
        return by_worth(body, stricter_by=len(body["messages"][-1]["content"]) % 2)

    texts = [f"worth {3 + index % 8}, response {index} {'x' * (index % 3)}" for index in range(24)]
    with StandIn(then=moody) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2, "most_shown": 6, "shuffles": 2})
        with serving(recipe, tmp_path / "data") as service:
            told = service.judge(texts)
    assert told["parts"] > 8 and draws["asked"] == 2 * told["parts"]
    for one, text in zip(told["rewards"], texts, strict=True):
        for other, its_text in zip(told["rewards"], texts, strict=True):
            if int(text.split()[1].rstrip(",")) > int(its_text.split()[1].rstrip(",")):
                assert one > other, (text, its_text)


def test_what_does_not_fit_or_holds_nothing_has_a_failure_of_its_own(tmp_path: Path) -> None:
    with StandIn(then=by_worth) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 1}, grm={"max_prompt_tokens": 1_200})
        with serving(recipe, tmp_path / "data") as service:
            told = service.judge(["worth 3", "worth 8", "worth 9 " + "long " * 2_000, " \u200b\n", "worth 8"])
            assert told["rewards"] == [3.0, 8.0, None, None, 8.0]
            assert [failure and failure["name"] for failure in told["failures"]] == [
                None,
                None,
                "too_long",
                "empty",
                None,
            ]
            two_long = ["worth 9 " + "long " * 300, "worth 7 " + "big " * 350, "worth 2"]
            told = service.judge(two_long, "Which two fit?")
            assert None not in told["rewards"] and told["rewards"][0] > told["rewards"][1] > told["rewards"][2]
            alone = service.judge(["worth 3", "worth 3"])
            assert [failure["name"] for failure in alone["failures"]] == ["alone", "alone"]
    shown = [request.body["messages"][-1]["content"] for request in judge.requests]
    assert len(shown) == 3 and not any("long long" in prompt and "big big" in prompt for prompt in shown)


def test_bad_calls_are_told_what_is_wrong(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, "", {"k": 1, "token_env": "SERVE_TOKEN", "most_body_mb": 1})
    with serving(recipe, tmp_path / "data", {"SERVE_TOKEN": "secret"}) as service:
        key = {"Authorization": "Bearer secret"}

        def told(body: Any, path: str = "/v1/judge", **headers: str) -> tuple[int, str]:
            status, reply = service.call(path, body, **(headers or key))
            assert set(reply) == {"error"} and reply["error"]["why"], reply
            return status, reply["error"]["name"]

        pair = {"prompt": "Q?", "responses": ["a", "b"]}
        assert told(pair, Authorization="Bearer wrong") == (401, "token")
        assert told(pair, **{"X-None": "1"}) == (401, "token")
        assert told(pair, Authorization="Bearer \xff") == (401, "token")
        assert told(pair, Authorization="Bearer secret", Origin="http://elsewhere.example") == (403, "origin")
        assert service.call("/v1/judge?token=secret", pair)[0] == 200
        assert service.call("/metrics")[0] == 401 and service.call("/healthz") == (200, "ok\n")
        assert told({"responses": ["a", "b"]}) == (400, "bad_request")
        assert told({"prompt": "  ", "responses": ["a", "b"]}) == (400, "bad_request")
        assert told({"prompt": 7, "responses": ["a", "b"]}) == (400, "bad_request")
        assert told({"prompt": "Q?"}) == (400, "bad_request")
        assert told({"prompt": "Q?", "responses": []}) == (400, "bad_request")
        assert told({"prompt": "Q?", "responses": ["a", 7]}) == (400, "bad_request")
        assert told({"prompt": "Q?", "responses": [str(n) for n in range(200)]}) == (400, "bad_request")
        assert told(pair | {"criteria": "Be short."}) == (400, "bad_request")
        assert told(pair | {"step": -1}) == (400, "bad_request")
        assert told(pair | {"step": 10**17}) == told(pair | {"step": "9" * 30}) == (400, "bad_request")
        assert told(b"no json") == (400, "not_json") and told(b"[1]") == (400, "not_json")
        assert told(b"[" * 100_000) == (400, "not_json")
        assert told(pair | {"referense": "7"}) == (400, "bad_request")
        assert told(pair, "/nowhere") == (404, "no_door") and service.call("/v1/judge", **key)[0] == 405
        assert told(b" " * 2_000_000) == (413, "too_large")
        status, reply = service.call("/v1/judge", pair | {"responses": ["a"]}, **key)
        assert (status, reply["failures"][0]["name"]) == (200, "alone")
        status, reply = service.call("/v1/judge", pair | {"responses": ["a \ud800", "b"]}, **key)
        assert status == 200 and reply["failures"] == [None, None]
        assert service.call("/openapi.json", **key)[1]["paths"]["/v1/judge"]


def test_fifty_megabytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with serving(recipe_for(tmp_path, "", {"k": 1}), tmp_path / "data") as service:
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /v1/judge HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /v1/judge HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            with_chunks = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
            try:
                for _ in range(50):
                    connection.sendall(with_chunks)
            except OSError:
                pass
            assert service.judge(["a", "b"])["failures"] == [None, None]


def test_a_client_that_goes_away_leaves_its_answers_behind(tmp_path: Path) -> None:
    with StandIn(then=lambda body: replace(by_worth(body), latency_s=0.5)) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2})
        with serving(recipe, tmp_path / "data") as service:
            with pytest.raises(TimeoutError):
                service.call("/v1/judge", {"prompt": "Which is best?", "responses": FOUR}, timeout=0.2)
            until = time.monotonic() + 20
            while service.metric("gone_clients_total") < 1:
                assert time.monotonic() < until, "nobody saw the client go"
                time.sleep(0.05)
            assert service.judge(FOUR)["rewards"] == [3.0, 9.0, 5.0, 1.0]
    assert len(judge.requests) == 2


def test_calls_beyond_the_limit_are_told_to_come_again(tmp_path: Path) -> None:
    serve = {"k": 1, "most_calls": 3, "group_size": 2, "group_wait_s": 2.0}
    with serving(recipe_for(tmp_path, "", serve), tmp_path / "data") as service, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(service.judge, ["a"], f"Q{n}") for n in range(3)]
        until = time.monotonic() + 10
        while service.metric("open_groups") < 3 and time.monotonic() < until:
            time.sleep(0.02)
        status, reply = service.call("/v1/judge", {"prompt": "Q", "responses": ["a", "b"]})
        assert (status, reply["error"]["name"]) == (503, "busy")
        assert {one.result()["failures"][0]["name"] for one in waiting} == {"alone"}


def test_a_late_response_is_counted_by_its_failure(tmp_path: Path) -> None:
    with serving(recipe_for(tmp_path, "", {"k": 1, "group_wait_s": 0.1}), tmp_path / "data") as service:
        assert service.judge(["a", "b"], step=1, size=3)["partial"]
        assert service.judge(["c"], step=1, size=3)["failures"][0]["name"] == "late"
        assert service.metric('failures_total{cause="late"}') == 1


def test_a_call_that_takes_too_long_is_told_so_and_its_judgement_is_kept(tmp_path: Path) -> None:
    serve = {"k": 1, "group_wait_s": 0.1, "timeout_s": 0.4}
    with StandIn(then=lambda body: replace(by_worth(body), latency_s=1.0)) as judge:
        recipe = recipe_for(tmp_path, judge.url, serve)
        with serving(recipe, tmp_path / "data") as service:
            told = service.judge(FOUR)
            assert {failure["name"] for failure in told["failures"]} == {"timed_out"}
            time.sleep(1.0)
            assert service.judge(FOUR)["rewards"] == [3.0, 9.0, 5.0, 1.0]
    assert len(judge.requests) == 1


def test_strangers_need_a_token_and_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, "", {"k": 1})
    done = grmforge("serve", recipe, "--root", tmp_path / "data", "--host", "0.0.0.0")
    assert done.code == 2 and "token_env" in done.err
    with serving(recipe, tmp_path / "data") as service:
        done = grmforge("serve", recipe, "--root", tmp_path / "other", "--port", service.url.rpartition(":")[2])
        assert done.code == 1 and "nobody can listen there" in done.err


def test_sigterm_waits_for_what_is_in_flight_and_ends_well(tmp_path: Path) -> None:
    with StandIn(then=lambda body: replace(by_worth(body), latency_s=1.0)) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2, "group_size": 2, "group_wait_s": 60})
        with serving(recipe, tmp_path / "data") as service, ThreadPoolExecutor(2) as pool:
            out, waiting = pool.submit(service.judge, FOUR), pool.submit(service.judge, ["worth 1"], "Another?")
            judge.wait_for(2)
            until = time.monotonic() + 10
            while service.metric("open_groups") < 1 and time.monotonic() < until:
                time.sleep(0.02)
            began = time.monotonic()
            code, err = service.end()
            assert code == 0 and "asked 2 requests" in err and time.monotonic() - began < 8
            assert out.result()["rewards"] == [3.0, 9.0, 5.0, 1.0]
            assert waiting.result()["failures"][0]["name"] == "stopping"
    assert sum(paid(tmp_path / "data").values()) == 2


def test_sigterm_ends_within_its_bound_though_the_endpoint_hangs(tmp_path: Path) -> None:
    with StandIn(by_worth, then=hang()) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 2})
        with serving(recipe, tmp_path / "data", {"GRMFORGE_STOP_WAIT_S": "1"}) as service:
            threading.Thread(target=is_left_alone, args=(service,), daemon=True).start()
            judge.wait_for(2)
            time.sleep(0.3)
            began = time.monotonic()
            assert service.end()[0] == 0
            assert time.monotonic() - began < 6
    assert sum(paid(tmp_path / "data").values()) == 1, "the answer that came is kept"


def test_a_kill_in_the_middle_of_a_group_loses_nothing_that_was_paid(tmp_path: Path) -> None:
    with StandIn(by_worth, by_worth, by_worth, then=hang()) as judge:
        recipe = recipe_for(tmp_path, judge.url, {"k": 4})
        with serving(recipe, tmp_path / "data") as service, ThreadPoolExecutor(1) as pool:
            out = pool.submit(is_left_alone, service)
            judge.wait_for(4)
            assert judge.hung.wait(10)
            until = time.monotonic() + 10  # three answers have come, the fourth never does
            while len(paid(tmp_path / "data")) < 3 and time.monotonic() < until:
                time.sleep(0.01)
            service.process.send_signal(signal.SIGKILL)
            assert out.result()
        judge.then = by_worth
        with serving(recipe, tmp_path / "data") as service:
            assert service.judge(FOUR)["rewards"] == [3.0, 9.0, 5.0, 1.0]
        assert len(judge.requests) == 5, "only the answer that never came was asked for again"


def test_the_meta_rm_chooses_which_judgements_vote(tmp_path: Path) -> None:
    models = {
        "grm": {"engine": "simulated", "simulated": {"accuracy": 0.7, **dict.fromkeys(("unparsed", "failed"), 0.0)}},
        "meta_rm": {"engine": "simulated", "simulated": {"failed": 0.0}},
    }
    serve = {"k": 8, "select": "meta_rm"}
    with serving(recipe_for(tmp_path, "", serve, models=models), tmp_path / "data") as service:
        told = service.judge(["one", "two", "three"])
        assert None not in told["rewards"] and told["readable_samples"] >= 8
        chosen = told["rewards"]
        assert service.metric("bought_answers") >= 16
    with serving(recipe_for(tmp_path, "", serve | {"select": "voting"}, models=models), tmp_path / "data") as service:
        assert service.judge(["one", "two", "three"])["rewards"] != chosen
    models["meta_rm"]["simulated"] = {"failed": 1.0}
    with serving(recipe_for(tmp_path, "", serve, models=models), tmp_path / "data") as service:
        told = service.judge(["one", "two", "three"])
        assert told["rewards"] == [None] * 3, "where nothing was chosen by the Meta RM, nothing votes"
        assert {failure["name"] for failure in told["failures"]} == {"rejected"}


@pytest.mark.parametrize(
    ("serve", "sections", "words"),
    [
        ({"select": "meta_rm"}, {}, "models.meta_rm"),
        ({"canary": 0.5}, {}, "not built yet"),
        ({"canary": "none.jsonl"}, {}, "none.jsonl"),
        ({"token_env": "SERVE_TOKEN"}, {}, "export SERVE_TOKEN"),
        ({"group_wait_s": 200.0}, {}, "group_wait_s"),
        ({"on_failure": "zero"}, {}, "on_failure"),
        ({"judge": "policy"}, {}, "models.policy"),
    ],
)
def test_a_recipe_that_cannot_be_served_says_why(
    tmp_path: Path, serve: dict[str, Any], sections: dict[str, Any], words: str
) -> None:
    done = grmforge("serve", recipe_for(tmp_path, "", serve, **sections), "--root", tmp_path / "data", "--port", "0")
    assert done.code == 2 and words in done.err, done.err


def test_the_canary_is_judged_anew_every_so_many_steps(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "canary.jsonl", [{"query": "Q?", "responses": ["worth 2", "worth 9 long", "worth 10 longer"]}]
    )
    strictness = Counter[str]()

    def drifting(body: dict[str, Any]) -> Reply:
        return by_worth(body, stricter_by=strictness["by"])

    with StandIn(then=drifting) as judge:
        serve = {"k": 2, "canary": "canary.jsonl", "canary_every_steps": 10}
        with serving(recipe_for(tmp_path, judge.url, serve), tmp_path / "data") as service:

            def round_at(step: int) -> int:
                service.judge([f"worth 1 {step}", "worth 2"], step=step)
                until = time.monotonic() + 10
                while time.monotonic() < until:
                    _, text = service.call("/metrics")
                    if f"\ngrmforge_canary_round {step // 10}\n" in text:
                        break
                    time.sleep(0.02)
                return len(judge.requests)

            assert round_at(0) == 4 and round_at(9) == 6, "the canary is asked once in ten steps"
            assert service.metric("canary_mean_shift") == 0 and service.metric("canary_mean_reward") == 7
            assert service.metric("canary_top_share") == pytest.approx(1 / 3)
            assert service.metric("canary_length_correlation") > 0.9
            strictness["by"] = 1
            assert round_at(10) == 10, "and anew: its stored answers would never drift"
            assert service.metric("canary_mean_shift") == -1 and service.metric("canary_unreadable_share") == 0
            assert round_at(990) == 14, "another run is far ahead"
            judge.then = chat("no verdict")
            service.call("/v1/judge", {"prompt": "P", "responses": ["a", "b"], "step": 25})
            until = time.monotonic() + 10
            while service.metric("canary_round") != 2 and time.monotonic() < until:
                time.sleep(0.02)
            assert service.metric("canary_round") == 2, "and stops no other's rounds"
            assert service.metric("canary_unreadable_share") == 1


def test_a_canary_whose_first_round_met_a_dead_endpoint_measures_drift_later(tmp_path: Path) -> None:
    write_rows(tmp_path / "canary.jsonl", [{"query": "Q?", "responses": ["worth 2", "worth 9"]}])
    with StandIn(then=server_error()) as judge:
        serve = {"k": 1, "canary": "canary.jsonl", "canary_every_steps": 10}
        with serving(recipe_for(tmp_path, judge.url, serve), tmp_path / "data") as service:
            for step in (0, 10):
                service.judge(["a worth 1", "b worth 2"], step=step)
                until = time.monotonic() + 10
                while f"\ngrmforge_canary_round {step // 10}\n" not in service.call("/metrics")[1]:
                    assert time.monotonic() < until
                    time.sleep(0.02)
                judge.then = by_worth
            assert service.metric("canary_mean_shift") == 0
