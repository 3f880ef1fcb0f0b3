"""A real sequence classifier with random weights, loaded and asked in this process."""

import asyncio
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.scorer.checks import local_scorer_in_words
from pipelines.engines.scorer.engine import Scorers
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import Watcher
from tests.pipelines.engines.scorers import score
from tests.vllm import tiny_model

pytestmark = pytest.mark.slow  # importing torch and transformers alone takes that long


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe's directory with a classifier of one class in `one/` and one of two classes in `two/`."""
    directory = tmp_path_factory.mktemp("scorers")
    for name, classes in (("one", 1), ("two", 2)):
        tiny_model.main(directory / name, classes)
    return directory


def section(model: str = "one", **settings: Any) -> ModelSection:
    return ModelSection(engine="score", model=model, **settings)


def scores(home: Path, model: ModelSection, requests: Iterable[Request], in_flight: int = 64) -> dict[str, Completion]:
    """Return what comes of each request, by its id."""
    kept: dict[str, Completion] = {}

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        kept[request.request_id] = completion
        return ()

    section = model.model_copy(update={"max_concurrency": in_flight})
    dispatch(iter(list(requests)), Scorers(home).engine(model), section, Budget(), keep, Watcher())
    return kept


def by_hand(home: Path, model: str, request: Request) -> float:
    """Return the score of one text alone, by the packages themselves."""
    import torch
    from transformers import AutoTokenizer, Qwen3ForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(home / model)
    loaded = Qwen3ForSequenceClassification.from_pretrained(home / model, dtype=torch.float32)
    text = tokenizer.apply_chat_template(request.body["messages"], tokenize=False)
    with torch.inference_mode():
        values = loaded(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits[0].tolist()
    return float(values[0] if len(values) == 1 else values[1] - values[0])


def test_a_text_has_the_same_score_in_whatever_batch(home: Path) -> None:
    model = section()
    requests = [score(number, model, answer="Scores " * (1 + 37 * number % 90)) for number in range(70)]
    together, alone = scores(home, model, requests), scores(home, model, requests, in_flight=1)
    assert set(together) == set(alone) == {request.request_id for request in requests}
    for request in requests:
        one, other = together[request.request_id], alone[request.request_id]
        assert float(one.text or "") == pytest.approx(float(other.text or ""), abs=1e-4)
        assert one.prompt_tokens == other.prompt_tokens and one.completion_tokens == 0
    assert len({one.text for one in together.values()}) > 60
    assert float(together[requests[5].request_id].text or "") == pytest.approx(
        by_hand(home, "one", requests[5]), abs=1e-4
    )


def test_two_classes_give_one_score(home: Path) -> None:
    model = section("two")
    request = score(1, model)
    (found,) = scores(home, model, [request]).values()
    assert float(found.text or "") == pytest.approx(by_hand(home, "two", request), abs=1e-4)


def test_a_text_that_is_too_long_is_refused_and_never_cut(home: Path) -> None:
    model = section()
    requests = [score(0, model, answer="x7 " * 20_000), score(1, model)]
    long, short = (scores(home, model, requests)[request.request_id] for request in requests)
    assert long.text is None and long.fault is FaultKind.REQUEST
    assert "tokens, and the model reads 8,192" in (long.error or "")
    assert short.text is not None


def test_the_keys_of_the_template_count(home: Path) -> None:
    template = "{{ messages[-1]['content'] }}"
    plain, own = section(), section(extra_body={"chat_template": template})
    first, second = (next(iter(scores(home, model, [score(1, model)]).values())) for model in (plain, own))
    assert first.text != second.text and (second.prompt_tokens or 0) < (first.prompt_tokens or 0)
    refusing = section(extra_body={"chat_template": "{{ raise_exception('roles must alternate') }}"})
    (refused,) = scores(home, refusing, [score(1, refusing)]).values()
    assert refused.fault is FaultKind.REQUEST and "roles must alternate" in (refused.error or "")


def changed(home: Path, tmp_path: Path, **config: Any) -> None:
    """Copy the classifier to `copy/` with a changed configuration."""
    shutil.copytree(home / "one", tmp_path / "copy")
    place = tmp_path / "copy" / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | config))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["Qwen3ForCausalLM"]}, "a head of random numbers"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "tells 3 classes apart"),
    ],
)
def test_a_model_that_is_no_scorer_is_refused_before_it_is_loaded(
    home: Path, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    changed(home, tmp_path, **config)
    model = section("copy")
    with pytest.raises(EngineError, match=said):
        scores(tmp_path, model, [score(1, model)])
    with pytest.raises(EngineError, match=said):
        local_scorer_in_words(model, tmp_path)


def test_a_model_that_is_not_there_or_has_no_template_says_so(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    model = section("empty")
    with pytest.raises(EngineError, match="cannot be loaded"):
        scores(tmp_path, model, [score(1, model)])
    shutil.copytree(home / "one", tmp_path / "bare")
    (tmp_path / "bare" / "chat_template.jinja").unlink()
    model = section("bare")
    with pytest.raises(EngineError, match="has no chat template"):
        scores(tmp_path, model, [score(1, model)])


def test_closing_while_a_batch_is_computed_leaves_nobody_waiting(home: Path) -> None:
    model = section()

    async def closed() -> int:
        engine = Scorers(home).engine(model)
        tries = [asyncio.create_task(engine.complete(score(number, model))) for number in range(20)]
        await asyncio.sleep(0.05)
        await engine.close()
        done = await asyncio.gather(*tries, return_exceptions=True)
        return len(done)

    assert asyncio.run(asyncio.wait_for(closed(), 60)) == 20


def test_what_a_directory_holds_is_said_without_loading_it(home: Path) -> None:
    assert local_scorer_in_words(section(), home) == f"one is a classifier in {home / 'one'}"
