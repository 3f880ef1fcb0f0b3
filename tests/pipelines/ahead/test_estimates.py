"""What a plan takes as known: tokens by the tokenizer, earlier answers or rule of thumb; rates by probe or log."""

import json
from pathlib import Path

import pytest

from pipelines.ahead.estimates import (
    Usage,
    earlier_rate,
    rate_of_probe,
    time_words,
    tokenizer_of,
    tokens_a_byte,
    tokens_a_prompt,
    tokens_an_answer,
    usage_of,
)
from schemas.generation import Completion, request
from schemas.recipe import ModelSection
from storage.generations import Generations
from storage.journal import JournalWriter
from storage.root import Root
from storage.run_events import RunEvents

NOTHING = Usage(0, 0, 0, 0, 0)
WORDS = {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"}
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": WORDS,
}


def model_at(directory: Path, tokenizer: str | None) -> ModelSection:
    (directory / "model").mkdir()
    if tokenizer is not None:
        (directory / "model/tokenizer.json").write_text(tokenizer)
    return ModelSection(engine="openai", model="model", base_url=("http://e/v1",))


def test_the_models_own_tokenizer_counts(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    model = model_at(tmp_path, json.dumps(TOKENIZER))
    rate = tokens_a_byte(model, tmp_path, ["a b c d", "a b c d"], Usage(1, 1, 1, 1, 1))
    assert rate.value == (4 + 8) / 7  # four words in seven bytes, and eight tokens of the chat template
    assert rate.basis == "by the model's tokenizer, over 2 prompts"


@pytest.mark.parametrize("tokenizer", [None, "{", '{"model": 1}'])
def test_without_a_tokenizer_that_can_be_read_there_is_an_estimate(tmp_path: Path, tokenizer: str | None) -> None:
    model = model_at(tmp_path, tokenizer)
    assert tokenizer_of(model, tmp_path) is None
    rate = tokens_a_byte(model, tmp_path, ["text"], NOTHING)
    assert (rate.value, rate.basis) == (0.25, "estimated at 4 bytes a token")


@pytest.mark.parametrize("name", ["gpt-9", "no/such-model", "a//b", "../x/y", "-/-"])
def test_a_model_that_is_not_on_this_machine_has_no_tokenizer(tmp_path: Path, name: str) -> None:
    assert tokenizer_of(ModelSection(engine="openai", model=name), tmp_path) is None


def test_earlier_answers_of_the_same_model_and_role_are_the_measure(tmp_path: Path) -> None:
    root = Root(tmp_path)
    answers: list[tuple[str, str, tuple[int | None, int | None]]] = [
        ("grm", "m", (50, 200)),
        ("grm", "m", (70, 400)),
        ("grm", "m", (None, None)),
        ("grm", "other", (9, 9)),
        ("difficulty", "m", (9, 9)),
    ]
    with JournalWriter(root, "run") as journal:
        for number, (role, model, tokens) in enumerate(answers):
            body = {"model": model, "messages": [{"role": "user", "content": "x" * 100}]}
            asked = request(
                role=role, identity={"model": model}, query_id=f"{number:032x}", body=body, sample_index=number
            )
            journal.append(
                asked, Completion(asked.request_id, "text", prompt_tokens=tokens[0], completion_tokens=tokens[1])
            )
    usage = usage_of(Generations(root), "grm", "m")
    assert usage == Usage(prompts=2, prompt_bytes=200, prompt_tokens=120, answers=2, answer_tokens=600)
    a_byte = tokens_a_byte(ModelSection(engine="openai", model="m"), tmp_path, ["x"], usage)
    assert (a_byte.value, a_byte.basis) == (0.6, "as 2 earlier prompts of this model")
    an_answer = tokens_an_answer(usage, 4096)
    assert (an_answer.value, an_answer.basis) == (300, "as 2 earlier answers of this model, 300 each")
    a_prompt = tokens_a_prompt(usage)
    assert (a_prompt.value, a_prompt.basis) == (60, "as 2 earlier prompts of this model, 60 each")


def test_no_answer_is_estimated_longer_than_it_can_be() -> None:
    typical, stored = tokens_an_answer(NOTHING, 80), tokens_an_answer(Usage(1, 1, 1, 4, 800), 80)
    assert (typical.value, typical.basis) == (80, "estimated at 300 an answer, but here 80 at most")
    assert (stored.value, stored.basis) == (80, "as 4 earlier answers of this model, 200 each, but here 80 at most")


def test_without_earlier_answers_an_answer_is_estimated() -> None:
    assert tokens_an_answer(NOTHING, 4096).basis == "estimated at 300 an answer"


STAGE = "sampling rft with judge"


def write_run(
    root: Root, run_id: str, *, bought: int, rate: float, stage: str = STAGE, event: str = "progress"
) -> None:
    events = RunEvents(root, run_id)
    events.write("run_started")
    events.write(event, stage=stage, bought=bought, rate=rate)
    events.close()


def test_the_latest_run_that_asked_for_enough_knows(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert earlier_rate(root, [STAGE]) is None
    write_run(root, "20260101", bought=5_000, rate=40.0, event="stage_ended")
    write_run(root, "20260102", bought=500, rate=50.0)  # killed before its stage ended
    write_run(root, "20260103", bought=20, rate=900.0)  # too few
    write_run(root, "20260104", bought=5_000, rate=900.0, stage="sampling difficulty with judge")
    found = earlier_rate(root, [STAGE])
    assert found is not None
    assert (found.value, found.basis) == (50.0, "at the rate of run 20260102")


def test_a_probe_that_bought_nothing_knows_nothing() -> None:
    assert rate_of_probe(bought=0, seconds=0.1) is None
    rate = rate_of_probe(bought=60, seconds=3.0)
    assert rate is not None
    assert rate.value == pytest.approx(20)
    assert "60 requests" in rate.basis


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (123.456, "123.5 hours"),
        (1.0, "1.0 hours"),
        (0.5, "30.0 minutes"),
        (0.01, "36.0 seconds"),
        (1e-5, "under a second"),
    ],
)
def test_a_time_is_said_in_a_unit_that_fits(hours: float, said: str) -> None:
    assert time_words(hours) == said
