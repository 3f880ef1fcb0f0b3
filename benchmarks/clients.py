"""The clients that `benchmarks.dispatch` compares, each in a process of its own.

    python -m benchmarks.clients NAME URL PROMPTS IN_FLIGHT

`grmforge` looks every request up, sends it, and has its answer on disk; the others send, parse and forget, save for the
peers that keep a data set. Peers are measured where they are installed. The last line of the output is how many of the
prompts have an answer in the end.
"""

import asyncio
import importlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from schemas.generation import Completion, Request, request
from schemas.query import user
from schemas.record import content_id

if TYPE_CHECKING:
    import openai

PROMPT_CHARACTERS = 1_000
MAX_TOKENS = 512
WORDS = ["channel", "frame", "carrier", "symbol", "uplink", "handover", "paging", "bearer", "cell", "beam", "slot"]


def prompts(count: int) -> list[str]:
    """Return prompts of a thousand characters, no two of them alike."""
    draw = random.Random(3)
    pages = [" ".join(draw.choices(WORDS, k=400)) for _ in range(64)]
    return [f"row {number}: {pages[number % 64]}"[:PROMPT_CHARACTERS] for number in range(count)]


def with_grmforge(url: str, count: int, in_flight: int) -> int:
    """The real thing: `answer`, as every stage calls it."""
    from pipelines.engines.answering import Run, answer
    from pipelines.engines.budget import Budget
    from pipelines.engines.jobs import request_body
    from schemas.recipe import ModelSection
    from storage.generations import Generations
    from storage.journal import new_run_id
    from storage.root import Root

    model = ModelSection(engine="openai", model="stand-in", base_url=(url,), max_concurrency=in_flight)
    asked = sorted((content_id("query", text), text) for text in prompts(count))

    def requests() -> Iterator[Request]:
        for query_id, text in asked:
            body = request_body(model, user(text), temperature=0.5, max_tokens=MAX_TOKENS)
            yield request(role="grm", identity={"model": model.model}, query_id=query_id, body=body, sample_index=0)

    with tempfile.TemporaryDirectory() as folder:
        root = Root.open(folder)
        run = Run(new_run_id(), Budget(), {}, Silent())
        answer(root, run, model, requests(), lambda request, completion: ())
        stored = Generations(root)
        return sum(one.text is not None for bucket in range(256) for one in stored.lookup(bucket).values())


class Silent:
    """A watcher that says nothing."""

    def stage(self, name: str, total: int | None) -> None: ...
    def found(self, completion: Completion) -> None: ...
    def judged(self, outcome: str, is_kept: bool = False) -> None: ...
    def answered(self, completion: Completion) -> None: ...
    def retried(self, reason: str) -> None: ...
    def in_flight(self, requests: int, room: int) -> None: ...
    def warn(self, text: str) -> None: ...
    def said(self, text: str) -> None: ...


def with_aiohttp(url: str, count: int, in_flight: int) -> int:
    """aiohttp as its documentation has it, on uvloop: the ceiling here. Nothing is kept."""
    import aiohttp
    import uvloop

    async def ask_all() -> int:
        texts, answered = iter(prompts(count)), 0
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

            async def work() -> None:
                nonlocal answered
                for text in texts:
                    async with session.post(f"{url}/chat/completions", json=_body(text)) as response:
                        answered += bool(json.loads(await response.read())["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(in_flight)))
        return answered

    return uvloop.run(ask_all())


def with_openai(url: str, count: int, in_flight: int) -> int:
    """The `openai` package as it comes. Nothing is kept."""
    import openai

    return asyncio.run(_ask_openai(openai.AsyncOpenAI(base_url=url, api_key="none"), count, in_flight))


def with_openai_aiohttp(url: str, count: int, in_flight: int) -> int:
    """The `openai` package on its aiohttp transport, on uvloop. Nothing is kept."""
    import openai
    import uvloop

    async def ask_all() -> int:
        client = openai.AsyncOpenAI(base_url=url, api_key="none", http_client=openai.DefaultAioHttpClient())
        return await _ask_openai(client, count, in_flight)

    return uvloop.run(ask_all())


async def _ask_openai(client: "openai.AsyncOpenAI", count: int, in_flight: int) -> int:
    texts, answered = iter(prompts(count)), 0

    async def work() -> None:
        nonlocal answered
        for text in texts:
            answer = await client.chat.completions.create(**_body(text))
            answered += bool(answer.choices[0].message.content)

    async with client:
        await asyncio.gather(*(work() for _ in range(in_flight)))
    return answered


def with_litellm(url: str, count: int, in_flight: int) -> int:
    """litellm's own coroutine, as many at once as may be in flight. Nothing is kept."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    litellm = importlib.import_module("litellm")
    litellm.suppress_debug_info, litellm.telemetry = True, False

    async def ask_all() -> int:
        texts, answered = iter(prompts(count)), 0

        async def work() -> None:
            nonlocal answered
            for text in texts:
                body = _body(text) | {"model": "openai/stand-in"}
                answer = await litellm.acompletion(**body, api_base=url, api_key="none", num_retries=2)
                answered += bool(answer.choices[0].message.content)

        await asyncio.gather(*(work() for _ in range(in_flight)))
        return answered

    return asyncio.run(ask_all())


def with_curator(url: str, count: int, in_flight: int) -> int:
    """curator with its limits out of the way; it keeps a data set."""
    os.environ |= {"TELEMETRY_ENABLED": "false", "CURATOR_DISABLE_RICH_DISPLAY": "1", "HF_HUB_OFFLINE": "1"}
    curator = importlib.import_module("bespokelabs.curator")
    datasets = importlib.import_module("datasets")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CURATOR_CACHE_DIR"] = folder
        asked = type(
            "Asked",
            (curator.LLM,),
            {
                "prompt": lambda self, row: row["text"],
                "parse": lambda self, row, response: [{"answer": response}],
            },
        )(
            model_name="stand-in",
            backend="openai",
            backend_params={
                "base_url": url,
                "api_key": "none",
                "max_requests_per_minute": 10_000_000,
                "max_tokens_per_minute": 10_000_000_000,
                "max_concurrent_requests": in_flight,
            },
            generation_params={"max_tokens": MAX_TOKENS, "temperature": 0.5},
        )
        found = asked(datasets.Dataset.from_list([{"text": text} for text in prompts(count)]), working_dir=folder)
        return len(getattr(found, "dataset", found))


def with_distilabel(url: str, count: int, in_flight: int) -> int:
    """distilabel's text generation, a batch as large as may be in flight; it keeps a data set."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    models, pipeline, steps, tasks = (
        importlib.import_module(f"distilabel.{name}") for name in ("models", "pipeline", "steps", "steps.tasks")
    )
    with tempfile.TemporaryDirectory() as folder:
        with pipeline.Pipeline(name="peer", cache_dir=folder) as pipe:
            rows = steps.LoadDataFromDicts(
                data=[{"instruction": text} for text in prompts(count)], batch_size=in_flight
            )
            settings = {"max_new_tokens": MAX_TOKENS, "temperature": 0.5}
            llm = models.OpenAILLM(model="stand-in", base_url=url, api_key="none", generation_kwargs=settings)
            rows >> tasks.TextGeneration(llm=llm, input_batch_size=in_flight, add_raw_output=False, add_raw_input=False)
        made = pipe.run(use_cache=False)["default"]["train"]
        return sum(bool(text) for text in made["generation"])


def with_data_designer(url: str, count: int, in_flight: int) -> int:
    """NeMo DataDesigner with one column of text; it keeps a data set."""
    os.environ |= {"NEMO_TELEMETRY_ENABLED": "false", "HF_HUB_OFFLINE": "1"}
    config, interface = (importlib.import_module(f"data_designer.{name}") for name in ("config", "interface"))
    pandas = importlib.import_module("pandas")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATA_DESIGNER_HOME", f"{folder}/home")
        pandas.DataFrame({"text": prompts(count)}).to_parquet(f"{folder}/seed.parquet")
        provider = config.ModelProvider(name="stand-in", endpoint=url, provider_type="openai", api_key="none")
        settings = {"max_parallel_requests": in_flight, "max_tokens": MAX_TOKENS, "temperature": 0.5}
        model = config.ModelConfig(
            alias="stand-in",
            model="stand-in",
            provider="stand-in",
            skip_health_check=True,
            inference_parameters=config.ChatCompletionInferenceParams(**settings),
        )
        builder = config.DataDesignerConfigBuilder(model_configs=[model])
        builder.with_seed_dataset(config.LocalFileSeedSource(path=f"{folder}/seed.parquet"))
        builder.add_column(config.LLMTextColumnConfig(name="answer", prompt="{{ text }}", model_alias="stand-in"))
        designer = interface.DataDesigner(artifact_path=f"{folder}/made", model_providers=[provider])
        made = designer.create(builder, num_records=count, dataset_name="peer").load_dataset()
        return len(made)


def _body(text: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "stand-in", "messages": messages, "temperature": 0.5, "max_tokens": MAX_TOKENS}


CLIENTS: dict[str, Callable[[str, int, int], int]] = {
    "grmforge": with_grmforge,
    "aiohttp": with_aiohttp,
    "openai": with_openai,
    "openai-aiohttp": with_openai_aiohttp,
    "litellm": with_litellm,
    "curator": with_curator,
    "distilabel": with_distilabel,
    "data-designer": with_data_designer,
}
PEERS = {"litellm": "litellm", "curator": "bespokelabs", "distilabel": "distilabel", "data-designer": "data_designer"}
"""The module by which each of them shows that it is installed."""


def installed_peers() -> list[str]:
    """Return the peers that can be measured here."""
    return [name for name, module in PEERS.items() if find_spec(module)]


if __name__ == "__main__":
    _, name, url, count, in_flight = sys.argv
    print(CLIENTS[name](url, int(count), int(in_flight)))
