"""What is advised where a role's answers are of no use: the next thing to try, never what the recipe has."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.advice import Seen, advice, context_of
from pipelines.engines.jobs import Job
from pipelines.judging.samples import sampling_job
from schemas.generation import Completion
from schemas.recipe import ModelSection
from schemas.trajectory import Purpose
from tests.examples import a_recipe

SERVER = {"engine": "openai", "model": "m", "base_url": "http://e/v1"}


def job(grm: dict[str, Any], model: dict[str, Any] | None = None, directory: Path = Path()) -> Job:
    """Return a judge of such a recipe."""
    recipe = a_recipe(directory, grm=grm, models={"grm": model or SERVER, "difficulty": {"same_as_grm": True}})
    made = sampling_job(recipe, Purpose.RFT)
    assert made is not None
    return made


def cut(prompt_tokens: int, answer_tokens: int) -> Seen:
    """Return answers that were cut off, all of this length."""
    seen = Seen()
    for number in range(10):
        answer = Completion(str(number), "..", prompt_tokens=prompt_tokens, completion_tokens=answer_tokens)
        seen.see("truncated", answer)
    return seen


def words(grm: dict[str, Any], seen: Seen, context: int | None = None, **model: Any) -> str:
    return "; ".join(advice(job(grm, SERVER | model), seen, context))


@pytest.mark.parametrize("form", ["regex", "grammar", "json_schema"])
def test_a_form_that_is_set_is_not_advised_but_the_other_one(form: str) -> None:
    seen = Seen(Counter(unparsed=8, correct=2))
    assert '[grm] structured_output = "regex" (vLLM), "grammar" (llama.cpp) or "json_schema"' in words({}, seen)
    other = '"regex" (or "grammar" for llama.cpp)' if form == "json_schema" else '"json_schema"'
    advised = words({"structured_output": form}, seen)
    assert f'[grm] structured_output = {other}, since the server does not keep its answers to "{form}"' in advised
    cut_alone = words({"structured_output": form}, cut(300, 4096))
    assert "structured_output =" not in cut_alone, "it keeps to the form, and is cut off"


def test_a_shorter_text_is_advised_once() -> None:
    bare = {"structured_output": "regex", "max_tokens": 80}
    assert "[grm] structured_text, a shorter form" in words(bare, cut(300, 80))
    assert "a shorter [grm] structured_text" in words(bare | {"structured_text": "[a-z]{1,90}"}, cut(300, 80))


def test_a_longer_answer_is_advised_while_there_is_room() -> None:
    assert words({"max_tokens": 80}, cut(300, 80), 2048).startswith("a higher [grm] max_tokens than 80; ")
    for seen, context, named in (
        (cut(1500, 512), 2048, " of 2,048 tokens"),  # max_tokens fills what the prompts leave
        (cut(1500, 300), None, ""),  # the answers end before max_tokens do: it is the context that ends them
    ):
        advised = words({"max_tokens": 512}, seen, context)
        assert advised.startswith("a longer context of the server, or a lower [grm] max_prompt_tokens: ")
        assert f"fill the context{named}, so a higher [grm] max_tokens gives no more room" in advised
    advised = words({"max_tokens": 512, "max_prompt_tokens": 1500}, cut(1500, 512), 2048)
    assert "a lower [grm] max_prompt_tokens than 1500" in advised


def test_when_all_is_set_another_model_is_left(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("{{context}}\n{{responses}}\n{{hint}}\nEnd in your scores.", "utf-8")
    judge = job({"structured_output": "json_schema", "temperature": 0.2, "template": "own.txt"}, directory=tmp_path)
    assert list(advice(judge, Seen(Counter(no_critique=9, correct=1)))) == ["another model"]
    assert list(advice(judge, Seen(Counter(refused=9)))) == ["a model that answers this material"]


def test_no_form_is_advised_where_most_answers_are_refusals() -> None:
    assert words({}, Seen(Counter(refused=6, unparsed=4))) == "a model that answers this material"
    assert "structured_output" in words({}, Seen(Counter(refused=4, unparsed=6)))


@pytest.mark.parametrize(
    ("vllm", "context"),
    [
        ({"args": ["--max-model-len", "2048"]}, 2048),
        ({"args": "--max-model-len=4096 --seed 1"}, 4096),
        ({"args": ["--max-model-len", "auto"]}, None),
        ({}, None),
    ],
)
def test_the_context_of_a_server_of_our_own_is_in_its_flags(vllm: dict[str, Any], context: int | None) -> None:
    model = ModelSection.model_validate({"engine": "vllm", "model": "m", "vllm": vllm})
    assert context_of(model) == context
    assert context_of(ModelSection.model_validate(SERVER)) is None
