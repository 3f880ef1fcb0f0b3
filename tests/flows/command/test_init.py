"""`grmforge init`: a recipe that runs as it is, from data and an endpoint; and every way in which that cannot be."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.recipe import Recipe, read_recipe
from tests.end_to_end.commands import Done, grmforge
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Received, Reply, StandIn
from tests.pipelines.sources.hub_repositories import REPOSITORIES
from tests.pipelines.sources.stand_in_hub import StandInHub

ROWS = [
    {"query": f"Name item {number}.", "responses": [f"Item {number}.", "No item."], "best": 0} for number in range(30)
]
ANALYSIS = "Response 1 names the item clearly.\nResponse 2 is wrong and names nothing.\n"


class Endpoint(StandIn):
    """An endpoint that takes what it is said to take, and judges freely as it is said to."""

    def __init__(
        self, *takes: str, models: tuple[str, ...] = ("stand-in",), context: int | None = 8_192, **settings: Any
    ) -> None:
        self.free = settings.pop("free", stand_in.judged)
        super().__init__(then=self.answer, **settings)
        self.takes, self.models, self.context = takes, models, context

    def reply(self, received: Received) -> Reply:
        if received.method != "GET":
            return super().reply(received)
        entries = [{"id": name, "object": "model", "max_model_len": self.context} for name in self.models]
        return Reply(body=json.dumps({"object": "list", "data": entries}).encode())

    def answer(self, body: dict[str, Any]) -> Reply:
        is_tiny = "any town" in str(body["messages"])
        for kind, form in (
            ("regex", body.get("structured_outputs", {}).get("regex")),
            ("grammar", body.get("grammar")),
        ):
            if form and kind in self.takes and is_tiny:
                return stand_in.chat("blue 123 green", body=body)
            if form and kind in self.takes:
                parts = f"Specific Criteria:\n1. Accuracy (weight: 100%): the item is right\n\nAnalysis:\n{ANALYSIS}"
                assert "boxed" in form
                return stand_in.chat(f"{parts}Scores: \\boxed{{7, 3}}", body=body)
            if form and "refuses" in self.takes:
                return stand_in.refused_400("structured_outputs is not supported")
        if "response_format" in body and "json_schema" in self.takes:
            text = {"principles": [{"name": "Accuracy", "description": "it is right", "weight": 100}]}
            text |= {"critique": ANALYSIS, "scores": {"response_1": 7, "response_2": 3}}
            if is_tiny and "spaces" in self.takes:
                return stand_in.chat('{ "col' + " " * 40, finish_reason="length", body=body)
            return stand_in.chat(json.dumps({"colour": "blue"} if is_tiny else text), body=body)
        if is_tiny:
            return stand_in.chat(f"Oslo {body['seed']}", body=body)
        return self.free(body)


def rambling(body: dict[str, Any]) -> Reply:
    return stand_in.chat("It goes on and on " * 20, finish_reason="length", body=body)


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def init(directory: Path, url: str, *words: str | Path, rows: list[Any] | None = None, **settings: Any) -> Done:
    """Run init on these rows, in this directory."""
    if rows is not None or not (directory / "rows.jsonl").exists():
        write(directory / "rows.jsonl", ROWS if rows is None else rows)
    return grmforge("init", "rows.jsonl", "--judge", url, *words, cwd=directory, **settings)


def written(directory: Path) -> Recipe:
    """Return the recipe by the reader of every command."""
    return read_recipe(directory / "recipe.toml")


def refused(done: Done, code: int, *says: str) -> None:
    assert done.code == code, done.err
    (line,) = done.errors
    assert line.isprintable() and "SECRET" not in done.err + done.out
    for words in says:
        assert words in line, line


def test_a_recipe_that_probes_as_it_is_and_pays_for_no_answer_twice(tmp_path: Path) -> None:
    with Endpoint("regex", "json_schema") as server:
        done = init(tmp_path, server.url)
        assert done.code == 0, done.err
        recipe = written(tmp_path)
        assert (recipe.sources[0].kind, recipe.sources[0].path) == ("preference_sets", "rows.jsonl")
        assert (recipe.models.grm.model, recipe.models.grm.base_url) == ("stand-in", (server.url,))
        assert recipe.grm.structured_output == "none", "of forms that read alike the freest is taken"
        assert "7 of 7" in done.out and "8,192 tokens (max_model_len)" in done.out
        asked = {
            (received.body["seed"], received.body["messages"][0]["content"])
            for received in server.requests
            if not {"structured_outputs", "response_format"} & received.body.keys()
        }
        before = len(server.requests)
        probed = grmforge("probe", "recipe.toml", "-n", "7", cwd=tmp_path)
        assert probed.code == 0, probed.err
        again = {
            (received.body["seed"], received.body["messages"][0]["content"]) for received in server.requests[before:]
        }
    assert again and not again & asked


def test_a_judge_that_never_ends_is_kept_to_a_short_form(tmp_path: Path) -> None:
    with Endpoint("regex", context=2_048, free=rambling) as server:
        done = init(tmp_path, server.url)
        assert done.code == 0, done.err
        recipe = written(tmp_path)
        assert (recipe.grm.structured_output, recipe.grm.template) == ("regex", "recipe_prompt.txt")
        assert recipe.grm.structured_text and recipe.grm.max_tokens <= 512
        assert recipe.grm.max_prompt_tokens and recipe.grm.max_prompt_tokens < 2_048
        assert "7 of 7" in done.out and "7 truncated" in done.out
        probed = grmforge("probe", "recipe.toml", "-n", "4", "--json", cwd=tmp_path)
        assert probed.code == 0, probed.err


@pytest.mark.parametrize("takes", ["ignores", "refuses"])
def test_a_form_that_is_not_taken_is_not_chosen(tmp_path: Path, takes: str) -> None:
    with Endpoint(takes, free=rambling) as server:
        done = init(tmp_path, server.url, "--json")
        assert done.code == 0, done.err
    found = json.loads(done.out)
    assert not found["judge"]["regex"]["taken"] and found["judge"]["seed"]["taken"]
    assert ("refused" if takes == "refuses" else "ignored") in found["judge"]["regex"]["says"]
    assert written(tmp_path).grm.structured_output == "none"
    assert any("answers are of use" in words for words in found["warnings"])
    assert "WARNING: only 0 of 7" in (tmp_path / "recipe.toml").read_text()


def test_a_grammar_stands_in_for_a_regex_as_with_llama_cpp(tmp_path: Path) -> None:
    with Endpoint("grammar", context=2_048, free=rambling) as server:
        done = init(tmp_path, server.url)
        assert done.code == 0, done.err
        assert written(tmp_path).grm.structured_output == "grammar" and written(tmp_path).grm.structured_text
        assert grmforge("doctor", "recipe.toml", cwd=tmp_path).out.count("kept to a grammar") == 1


def test_json_is_taken_where_it_reads_best(tmp_path: Path) -> None:
    with Endpoint("json_schema", "spaces", free=rambling) as server:
        assert init(tmp_path, server.url).code == 0
    assert written(tmp_path).grm.structured_output == "json_schema"


def test_a_recipe_is_not_written_over_and_a_key_is_written_nowhere(tmp_path: Path) -> None:
    with Endpoint() as server:
        words = ("--api-key-env", "MY_KEY")
        refused(init(tmp_path, server.url, *words), 1, "export MY_KEY")
        done = init(tmp_path, server.url, *words, env={"MY_KEY": "SECRETsecret0123456789"})
        assert done.code == 0 and "SECRET" not in done.out + done.err
        assert written(tmp_path).models.grm.api_key_env == "MY_KEY"
        assert server.requests[0].headers["authorization"] == "Bearer SECRETsecret0123456789"
        refused(init(tmp_path, server.url), 2, "recipe.toml is there already", "--force")
        assert init(tmp_path, server.url, "--force").code == 0
    held = [path for path in tmp_path.rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()]
    assert held == []
    refused(init(tmp_path, "http://h/v1?api_key=SECRET0123456789abcd", "--force"), 2, "holds a key")


def test_endpoints_that_are_none_say_what_to_do(tmp_path: Path) -> None:
    refused(init(tmp_path, "localhost:1/v1"), 2, "must begin with http://")
    refused(init(tmp_path, "http://127.0.0.1:9/v1"), 1, "cannot be reached", "start the server")
    with StandIn(then=stand_in.html_page(404)) as server:
        server.always("GET /models", stand_in.html_page(404), done=False)
        refused(init(tmp_path, server.url), 1, "usually ends in /v1", "--model NAME")
        refused(init(tmp_path, server.url, "--model", "any"), 1, "HTTP 404")
    with StandIn() as server:
        server.always("GET /models", stand_in.wrong_key(), done=False)
        refused(init(tmp_path, server.url), 1, "refuses the key", "--api-key-env NAME")
    with StandIn() as server:
        server.always("GET /models", stand_in.html_page(), done=False)
        refused(init(tmp_path, server.url), 1, "does not answer like an OpenAI-compatible server")
    with StandIn() as server:
        server.always("GET /models", stand_in.server_error(503), done=False)
        refused(init(tmp_path, server.url), 1, "is not ready (HTTP 503); wait until it is")
    with Endpoint(models=()) as server:
        refused(init(tmp_path, server.url), 1, "serves no model", "--model NAME")
    with Endpoint(models=("one", "two")) as server:
        refused(init(tmp_path, server.url), 2, "serves 2 models: one, two", "--model NAME")
        refused(init(tmp_path, server.url, "--model", "onee"), 2, "did you mean 'one'?")
    with Endpoint(free=stand_in.judged, context=256) as server:
        refused(
            init(tmp_path, server.url), 1, "its context of 256 tokens is shorter than the prompts", "--max-model-len"
        )
    assert not (tmp_path / "recipe.toml").exists()


def test_an_address_without_v1_is_completed(tmp_path: Path) -> None:
    with Endpoint() as server:
        assert init(tmp_path, server.url.removesuffix("/v1")).code == 0
        assert written(tmp_path).models.grm.base_url == (server.url,)


def test_answers_under_another_name_are_a_warning(tmp_path: Path) -> None:
    with Endpoint(models=("mine",)) as server:
        done = init(tmp_path, server.url)
    assert done.code == 0, done.err
    assert "answers as 'stand-in', and was asked for 'mine'" in done.out and "mend --judge or --model" in done.out


def test_an_endpoint_that_takes_a_minute_for_an_answer_is_not_waited_for(tmp_path: Path) -> None:
    with Endpoint(free=stand_in.judged, latency_s=0.0) as server:
        server.always("POST /chat/completions", stand_in.hang(), done=False)
        began = time.monotonic()
        done = init(tmp_path, server.url, "--minutes", "0.1")
    assert done.code == 0 and time.monotonic() - began < 30, done.err
    assert "got no answer within" in done.out and "unknown: no answer in time" in done.out
    text = (tmp_path / "recipe.toml").read_text()
    assert "WARNING" in text and "A guess: no answer in this form was timed" in text
    assert "next      run init again when the server is free, or with --minutes 15" in done.out
    assert "grmforge probe" not in done.out + text
    assert written(tmp_path).models.grm.max_concurrency == 16


def test_data_that_cannot_be_judged_says_what_is_needed(tmp_path: Path) -> None:
    def said(name: str, content: bytes | str, code: int, *says: str) -> None:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        refused(grmforge("init", name, "--judge", "http://127.0.0.1:9/v1", cwd=tmp_path), code, *says)

    said("empty.jsonl", "", 2, "holds no rows", '"best": 0')
    said("binary.jsonl", bytes(range(256)) * 20, 2, "no row is an object of JSON", '"best": 0')
    said("pairs.csv", "a,b\n1,2\n", 2, "columns: a, b", "columns = { query = .., chosen = .., rejected = .. }")
    said("pairs.feather", b"\x00\x01", 2, "not a .jsonl", "polars.read_ipc", 'write_ndjson("pairs.jsonl")')
    said("model.bin", b"\x00\x01", 2, "not a .jsonl")
    said("odd.jsonl", '{"colour": "red", "size": 3}\n', 2, "columns: colour, size", "needed is one object a line")
    mmlu = {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}
    said("mmlu.jsonl", json.dumps(mmlu), 2, 'The first row would be {"query": "2 + 2?", "responses": ["3", "4"]')
    chat = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    said("chat.jsonl", json.dumps(chat), 2, "nothing to compare", "[general]")
    ties = [{"query": f"q {number}", "responses": ["a", "b"], "rewards": [1, 1]} for number in range(5)]
    said("ties.jsonl", "\n".join(map(json.dumps, ties)), 2, "none of 5 rows can be judged (5 tie)", "exactly one best")
    for key, says in (
        ("--where=siz > 1", "which no row has; its columns: colour, size"),
        ("--columns=a=b", "columns: 'a' is"),
    ):
        done = grmforge("init", "odd.jsonl", "--judge", "http://h/v1", key, cwd=tmp_path)
        refused(done, 2, says)
        assert "needed is" not in done.err and "Value error" not in done.err
    refused(grmforge("init", "gone.jsonl", "--judge", "http://h/v1", cwd=tmp_path), 2, "no such file or directory")


def test_one_row_and_huge_responses_are_warned_of(tmp_path: Path) -> None:
    with Endpoint() as server:
        done = init(tmp_path, server.url, rows=ROWS[:1])
        assert done.code == 0 and "only 1 row(s) can be judged" in done.out, done.err
        huge = [{"query": f"q {number}", "responses": ["x " * 50_000, "b"], "best": 1} for number in range(3)]
        done = init(tmp_path, server.url, "--force", rows=[*ROWS, *huge])
        assert done.code == 0, done.err
        assert "3 of 33 sets are longer than the context allows" in done.out
        (tmp_path / "recipe.toml").unlink()
        refused(init(tmp_path, server.url, rows=huge), 1, "shorter than the prompts", "shorter responses")
    assert not (tmp_path / "recipe.toml").exists()


def test_questions_with_a_known_answer_get_a_responder(tmp_path: Path) -> None:
    rows = [{"problem": f"What is {number} + 1?", "answer": str(number + 1)} for number in range(12)]
    with Endpoint("regex") as server:
        done = init(tmp_path, server.url, rows=rows)
    assert done.code == 0, done.err
    recipe = written(tmp_path)
    assert recipe.sources[0].kind == "math" and recipe.models.responder is not None
    assert "questions with a known answer" in done.out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_data_of_the_hub_is_looked_at_by_what_that_takes(tmp_path: Path) -> None:
    pairs = [{"prompt": f"Name item {n}.", "chosen": f"Item {n}.", "rejected": "None."} for n in range(9)]
    lines = "".join(json.dumps(row) + "\n" for row in pairs).encode()
    sets = {
        "maker/pairs": {"data/a [1].jsonl": lines, "data/b.jsonl": b"\n" * (65 << 20), "card.md": b"#"},
        "maker/odd": {"data/a.jsonl": b'{"colour": "red", "size": 3}\n'},
        "maker/tables": {"data/a.csv": b"a,b\n1,2\n"},
        "openbmb/UltraFeedback": REPOSITORIES["openbmb/UltraFeedback"],
    }
    with Endpoint() as server, StandInHub(sets) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}

        def begun(hub_id: str, *words: str) -> Done:
            return grmforge("init", hub_id, "--judge", server.url, "-n", "2", *words, cwd=tmp_path, env=env)

        done = begun("maker/pairs")
        assert done.code == 0, done.err
        assert "maker/pairs: 9 rows, the first of more, read as preference_sets" in done.out
        assert not any("b.jsonl" in path or "card.md" in path for path in hub.paths if "/resolve/" in path)
        source = written(tmp_path).sources[0]
        assert (source.kind, source.hub, source.path, source.name) == ("preference_sets", "maker/pairs", None, "pairs")

        done = begun("openbmb/ultrafeedback", "--force")
        assert done.code == 0, done.err
        source = written(tmp_path).sources[0]
        assert (source.kind, source.hub) == ("ultrafeedback", None), "its usual hub id need not be said"
        assert grmforge("probe", "recipe.toml", "-n", "1", cwd=tmp_path, env=env).code == 0

        asked = len(server.requests)
        refused(begun("maker/odd", "--force"), 2, "maker/odd: no kind of source", "colour, size", "one object a line")
        refused(begun("maker/tables", "--force"), 2, "maker/tables: no kind of source reads its rows (columns: a, b)")
        refused(begun("maker/gone", "--force"), 2, "maker/gone: no such data set on the hub")
        refused(begun("someone/RM-Bench", "--force"), 2, "is rm_bench, a benchmark for reward models")
        assert len(server.requests) == asked, "no model is asked about data that cannot be judged"

        # What was downloaded to look at it is not taken for the whole.
        assert begun("maker/pairs", "--force").code == 0
        hub.failing = ["maker/pairs"]
        refused(grmforge("build", "recipe.toml", cwd=tmp_path, env=env), 2, "maker/pairs", "give a local copy as path")
