"""What the doctor says of one answer of each role: asked as a build asks, read as it reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.ahead.doctor import examine
from pipelines.ahead.soundness import Finding
from schemas.recipe import recipe_of
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.scorers import classified
from tests.pipelines.engines.stand_in_server import Reply, StandIn

SETS = [{"query": "Name a prime.", "responses": ["9", "7"], "best": 1}]
CUT_OFF = stand_in.chat("On and on", finish_reason="length", usage={"prompt_tokens": 600, "completion_tokens": 4096})


def found(tmp_path: Path, url: str, *, asks: bool = True, said: list[str] | None = None, **sections: Any) -> Any:
    """Return what the doctor finds of answers, by what was asked."""
    (tmp_path / "sets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SETS))
    model = {"engine": "openai", "model": "stand-in", "base_url": url}
    models = dict.fromkeys(sections.pop("roles", ["grm"]), model)
    tree = {
        "build": {"name": "small", "root": str(tmp_path / "data"), "sets": ["rft"]},
        "sources": [{"kind": "preference_sets", "path": "sets.jsonl"}],
        "models": models | sections.pop("models", {}),
        **sections,
    }
    say = (said if said is not None else []).append
    findings = examine(recipe_of(tree, tmp_path), {}, asks=asks, say=say)
    answers: dict[str, Finding] = {
        finding.what.removeprefix("answer of "): finding
        for finding in findings
        if finding.what.startswith("answer of ")
    }
    return answers


def test_each_role_is_sent_one_request_and_the_cost_is_said_first(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        prompt = str(body["messages"])
        if "response_format" in body:
            name = body["response_format"]["json_schema"]["name"]
            criterion = {"text": "names a prime", "points": 3, "kind": "rule", "tags": []}
            tree = {"criteria": [criterion]} if name == "rubric" else {"met": {"1": True, "2": False}}
            return stand_in.chat(json.dumps(tree), body=body)
        return stand_in.judged(body) if "Responses to be Scored" in prompt else stand_in.chat("So it is $\\boxed{56}$.")

    said: list[str] = []
    roles = ["grm", "difficulty", "policy", "responder", "teacher", "rubric"]
    with StandIn(then=answer) as server:
        scorer = {"engine": "score", "model": "stand-in", "base_url": server.url}
        answers = found(tmp_path, server.url, roles=roles, said=said, models={"meta_rm": scorer})
        assert len(server.requests) == len(roles) + 2, (
            "models.rubric writes and judges, and a scorer is asked as before"
        )
    assert list(answers) == [
        "grm",
        "difficulty",
        "policy",
        "responder",
        "teacher",
        "rubric, writer",
        "rubric, criteria judge",
    ]
    assert all(finding.ok and not finding.is_doubtful for finding in answers.values()), answers
    assert "1 answer, readable (" in answers["grm"].says and "in no form that the server keeps" in answers["grm"].says
    assert "kept to a JSON schema" in answers["rubric, writer"].says
    assert said[0].startswith("sending 7 requests: grm (stand-in)") and "--no-requests" in said[0]


def test_the_form_of_the_build_is_sent_and_the_set_is_the_recipes_own(tmp_path: Path) -> None:
    with StandIn() as server:
        answers = found(tmp_path, server.url, grm={"structured_output": "regex"})
        (received,) = server.requests
    assert "Name a prime." in str(received.body["messages"]) and "regex" in received.body["structured_outputs"]
    assert not answers["grm"].is_doubtful and "kept to a regex" in answers["grm"].says


@pytest.mark.parametrize(
    ("grm", "reply", "outcome", "tries", "never"),
    [
        ({}, stand_in.chat("Both are fine."), "unparsed", "[grm] structured_output", "structured_text"),
        ({}, CUT_OFF, "truncated", "a higher [grm] max_tokens than 4096", "[grm] template"),
        ({"structured_output": "regex"}, stand_in.chat("?"), "unparsed", 'output = "json_schema"', "structured_text"),
        ({}, stand_in.chat("Scores: \\boxed{7, 3}"), "no_critique", "structured_output", "max_tokens"),
        ({}, stand_in.chat(None, refusal="No."), "refused", "a model that answers", "structured_output"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why_and_what_to_try(
    tmp_path: Path, grm: dict[str, Any], reply: Reply, outcome: str, tries: str, never: str
) -> None:
    with StandIn(then=reply) as server:
        (finding,) = found(tmp_path, server.url, grm=grm).values()
    assert finding.ok and finding.is_doubtful and f"1 answer, {outcome}" in finding.says, finding
    _, _, advice = finding.says.partition(". Try ")
    assert tries in advice and never not in advice, finding


def test_a_judge_of_questions_is_asked_about_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "math.jsonl").write_text(json.dumps({"problem": "What is 1 + 1?", "answer": "2"}) + "\n")
    with StandIn() as server:
        sources = [{"kind": "math", "path": "math.jsonl"}]
        found(tmp_path, server.url, roles=["grm", "responder"], sources=sources)
        to_judge, to_responder = (str(received.body["messages"]) for received in server.requests)
    assert "What is 1 + 1?" in to_judge and "What is 1 + 1?" in to_responder
    assert "The answer is 2." in to_judge, "beside a wrong one, since nobody has answered it yet"


def test_a_form_that_the_server_refuses_is_told_apart_from_a_server_that_is_gone(tmp_path: Path) -> None:
    with StandIn(then=stand_in.refused_400("no such parameter: structured_outputs")) as server:
        (finding,) = found(tmp_path, server.url, grm={"structured_output": "regex"}).values()
    assert (
        not finding.ok
        and "no such parameter" in finding.says
        and "try [grm] structured_output json_schema" in finding.says
    )
    with StandIn(then=stand_in.server_error()) as server:
        (finding,) = found(tmp_path, server.url).values()
    assert not finding.ok and "HTTP 500" in finding.says


def test_nothing_is_sent_where_nothing_may_be_or_the_endpoint_is_wrong(tmp_path: Path) -> None:
    with StandIn(then=classified([0.5])) as server:
        scorer = {"engine": "score", "model": "stand-in", "base_url": server.url}
        assert found(tmp_path, server.url, asks=False, models={"meta_rm": scorer}) == {}
        other = {"engine": "openai", "model": "another", "base_url": server.url}
        assert found(tmp_path, server.url, models={"grm": other}) == {}
        assert server.requests == []
