"""Benchmarks that `grmforge signatures add` knows by name: where their rows are, and which field asks.

Hub ids, file names and licences were read on the hub's own pages. What could not be confirmed there has no hub id, and
its message says what to give instead.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from pipelines.sources import teleqna
from pipelines.sources.files import SourceFiles
from pipelines.sources.registry import SOURCES
from pipelines.sources.text import Row
from schemas.preference import DropReason, UnreadableRow

Located = tuple[str, Row | UnreadableRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBenchmark:
    """What is known of a benchmark before its files are read."""

    name: str
    title: str
    """As its authors write it."""
    hubs: tuple[str, ...] = ()
    """All of them are read. Empty where a file or a folder must be given."""
    place_needed: str = ""
    """Where the rows are, if they are on no hub."""
    revision: str | None = None
    """Branch of the hub that has the rows, where it is not the usual one."""
    patterns: tuple[str, ...]
    """Which files of the hub's layout hold test questions; those of a local copy may lie in other folders."""
    fields: tuple[str, ...]
    """The field of a row that asks."""
    license: str
    rows: Callable[[SourceFiles], Iterator[Located]] | None = None
    """How its files are read, where they are no plain rows."""


def _evaluated(kind: str, title: str, field: str, **others: Any) -> KnownBenchmark:
    """Return a benchmark that `grmforge evaluate` reads, too."""
    facts = BENCHMARKS[kind]
    what: dict[str, Any] = {"hubs": facts.hubs, "license": facts.license or "unknown", "patterns": facts.patterns}
    return KnownBenchmark(name=kind, title=title, fields=(field,), **what | others)


def _asked_of_teleqna(files: SourceFiles) -> Iterator[Located]:
    """Return TeleQnA's questions without their options; rows that ask only "Research Papers" are left out."""
    section = teleqna.SOURCE.section(kind="teleqna", path=str(files.root))
    for location, row in teleqna.published_rows(section, files):
        if isinstance(row, UnreadableRow):
            yield location, row
        elif row.drop_reason is not DropReason.NO_QUESTION:
            yield location, {"question": row.question}


# `data_analysis` is its authors' name for that part; of the six it is the one whose page on the hub was not seen.
_LIVEBENCH = ("reasoning", "math", "coding", "language", "data_analysis", "instruction_following")

_BENCHMARKS = (
    _evaluated("rewardbench", "RewardBench", "prompt"),
    _evaluated("rewardbench2", "RewardBench 2", "prompt"),
    _evaluated("rm_bench", "RM-Bench", "prompt"),
    _evaluated("judgebench", "JudgeBench", "question"),
    _evaluated("ppe", "PPE", "prompt"),
    _evaluated(
        "rmb",
        "RMB",
        "conversation_input",
        place_needed="RMB is on no hub: give RMB_dataset of a clone of github.com/Zhou-Zoey/RMB-Reward-Model-Benchmark",
    ),
    _evaluated(
        "llmbar",
        "LLMBar",
        "input",
        place_needed="LLMBar is on no hub: give Dataset/LLMBar of a clone of github.com/princeton-nlp/LLMBar",
    ),
    _evaluated(
        "realmistake",
        "ReaLMistake",
        "input",
        hubs=("ryokamoi/realmistake",),  # gated; the files of its main branch are an encrypted archive
        revision="refs/convert/parquet",
    ),
    KnownBenchmark(
        name="rubricbench",
        title="RubricBench",
        # Its paper (arXiv 2603.01562) was found, and no hub id or repository that could be confirmed.
        place_needed="no hub id of RubricBench is known here: give its file, or its hub id as owner/name",
        patterns=("*.jsonl", "*.json", "*.parquet"),
        fields=("instruction", "prompt", "question"),
        license="unknown",
    ),
    KnownBenchmark(
        name="if_rewardbench",
        title="IF-RewardBench",
        # Its README names the field and the folder data/; a copy on the hub could not be confirmed.
        place_needed="IF-RewardBench is on no hub that is known here: give data/ of a clone of "
        "github.com/thu-coai/IF-RewardBench",
        patterns=("*.jsonl", "*.json"),
        fields=("messages",),
        license="unknown",
    ),
    KnownBenchmark(
        name="math_500",
        title="MATH-500",
        hubs=("HuggingFaceH4/MATH-500",),
        patterns=("*test*.jsonl",),
        fields=("problem",),
        license="MIT",  # that of MATH: its card names none
    ),
    KnownBenchmark(
        name="healthbench",
        title="HealthBench",
        hubs=("openai/healthbench",),
        patterns=("*_oss_eval.jsonl",),  # the other files repeat its prompts
        fields=("prompt",),
        license="MIT",
    ),
    KnownBenchmark(
        name="mmlu_pro",
        title="MMLU-Pro",
        hubs=("TIGER-Lab/MMLU-Pro",),
        patterns=("*test-*.parquet",),
        fields=("question",),
        license="MIT",
    ),
    KnownBenchmark(
        name="gpqa",
        title="GPQA",
        hubs=("Idavidrein/gpqa",),  # gated
        patterns=("*gpqa_main.csv", "*gpqa_extended.csv", "*gpqa_diamond.csv"),  # the file of experts has no questions
        fields=("Question",),
        license="CC-BY-4.0",
    ),
    KnownBenchmark(
        name="livebench",
        title="LiveBench",
        hubs=tuple(f"livebench/{part}" for part in _LIVEBENCH),
        patterns=("*test-*.parquet",),
        fields=("turns",),
        license="unknown",  # its cards name none
    ),
    KnownBenchmark(
        name="livecodebench",
        title="LiveCodeBench",
        hubs=("livecodebench/code_generation_lite",),
        patterns=("*test*.jsonl",),
        fields=("question_content",),
        license="CC",  # its card says no more
    ),
    KnownBenchmark(
        name="mbpp_plus",
        title="MBPP+",
        hubs=("evalplus/mbppplus",),
        patterns=("*test-*.parquet",),
        fields=("prompt",),
        license="Apache-2.0",
    ),
    KnownBenchmark(
        name="ifeval",
        title="IFEval",
        hubs=("google/IFEval",),
        patterns=("*input_data.jsonl",),
        fields=("prompt",),
        license="Apache-2.0",
    ),
    KnownBenchmark(
        name="math",
        title="MATH",
        hubs=(SOURCES["math"].hub,),
        patterns=("*test*.parquet", "*test*.jsonl"),
        fields=("problem",),
        license="MIT",
    ),
    KnownBenchmark(
        name="gsm8k",
        title="GSM8K",
        hubs=("openai/gsm8k",),
        patterns=("*main/test-*.parquet", "*test.jsonl", "example_model_solutions.jsonl"),
        fields=("question",),
        license="MIT",
    ),
    KnownBenchmark(
        name="mt_bench",
        title="MT-Bench",
        hubs=("HuggingFaceH4/mt_bench_prompts",),
        patterns=("*train-*.parquet", "*question.jsonl"),
        fields=("prompt", "turns"),
        license="Apache-2.0",
    ),
    KnownBenchmark(
        name="alpaca_eval",
        title="AlpacaEval",
        hubs=("tatsu-lab/alpaca_eval",),
        patterns=("*alpaca_eval.json", "*model_outputs.json"),
        fields=("instruction",),
        license="CC-BY-NC-4.0",
    ),
    KnownBenchmark(
        name="evalbiasbench",
        title="EvalBiasBench",
        place_needed="EvalBiasBench is on no hub that is known here: give data/evalbiasbench/biasbench.json of a clone "
        "of github.com/ncsoft/offsetbias",
        patterns=("*biasbench.json",),
        fields=("instruction",),
        license="BSD-3-Clause",
    ),
    KnownBenchmark(
        name="teleqna",
        title="TeleQnA",
        hubs=(teleqna.SOURCE.hub,),
        patterns=teleqna.SOURCE.patterns,
        fields=("question",),
        license="MIT",
        rows=_asked_of_teleqna,
    ),
    KnownBenchmark(
        name="telemath",
        title="TeleMath",
        hubs=(SOURCES["telemath"].hub,),  # gated
        patterns=SOURCES["telemath"].patterns,
        fields=("question",),
        license=SOURCES["telemath"].license or "unknown",
    ),
)

KNOWN = {benchmark.name: benchmark for benchmark in _BENCHMARKS}
"""The known benchmarks by name, in the order in which messages and docs list them."""


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold().replace("+", "plus") if letter.isalnum())


_BY_LETTERS = {
    _letters(key): known
    for known in _BENCHMARKS
    for key in (known.name, known.title, *(known.hubs if len(known.hubs) == 1 else ()))  # one of several is a part
}


def known_benchmark(name: str) -> KnownBenchmark | None:
    """Return the benchmark of a name or a hub id, however it is written: `RM-Bench`, `rm_bench`, `THU-KEG/RM-Bench`."""
    return _BY_LETTERS.get(_letters(name))
