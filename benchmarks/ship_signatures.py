"""Make the signatures that ship, of files as their authors publish them.

`python -m benchmarks.ship_signatures DATA`, where DATA is a folder with the files below, writes them into the package.
Equal files give equal bytes. Only hashes are written.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipelines.curation.contamination.signatures import SHIPPED, write_signature
from pipelines.upkeep.signing.asked import asked_by
from pipelines.upkeep.signing.signing import signature_of
from pipelines.upkeep.signing.wanted import wanted_of

MOST_BYTES = 8 << 20


class Published(NamedTuple):
    """A benchmark's files, and the repository and commit that they were taken from."""

    name: str
    path: str
    source: str
    revision: str


PUBLISHED = (
    Published("llmbar", "llmbar", "princeton-nlp/LLMBar", "900616b"),
    Published("rm_bench", "rm_bench", "RM-R1-UIUC/RM-R1 (chat and code)", "d4c2542"),
    Published("math", "math/hendrycks_math_test.jsonl", "dipperwang5/assignment5-alignment", "7e73b30"),
    Published("gsm8k", "gsm8k/example_model_solutions.jsonl", "openai/grade-school-math", "3101c7d"),
    Published("mt_bench", "prometheus_eval/mt_bench_eval.json", "prometheus-eval/prometheus-eval", "dcfb442"),
    Published("alpaca_eval", "alpaca_eval/gpt4/model_outputs.json", "tatsu-lab/alpaca_eval", "cd543a1"),
    Published("evalbiasbench", "evalbiasbench/biasbench.json", "ncsoft/offsetbias", "0bd16e4"),
    Published("teleqna", "teleqna/TeleQnA.zip", "netop-team/TeleQnA", "d7ee5e3"),
)
_ASKED = re.compile(r"###The instruction to evaluate:\n(.*?)\n*###Response to evaluate:", re.DOTALL)
_TURN = re.compile(r"^(User|Assistant):\s*", re.MULTILINE)


def mt_bench_turns(file: Path) -> Iterator[str]:
    """Yield MT-Bench's turns as JSON lines, out of the prompts that ask a judge about answers to them."""
    for item in json.loads(file.read_bytes()):
        asked = _ASKED.search(item["instruction"])
        if asked is None:
            raise SystemExit(f"{file}: an item without the instruction that it is about")
        _, *parts = _TURN.split(asked[1]) if _TURN.search(asked[1]) else ("", "User", asked[1])
        turns = [text.strip() for speaker, text in zip(parts[::2], parts[1::2], strict=True) if speaker == "User"]
        yield json.dumps({"turns": turns})


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    data, total = Path(sys.argv[1]), 0
    for name, path, source, revision in PUBLISHED:
        with tempfile.TemporaryDirectory() as folder:
            file = data / path
            if name == "mt_bench":
                file = Path(folder, "question.jsonl")
                file.write_text("\n".join(mt_bench_turns(data / path)) + "\n", "utf-8")
            wanted = wanted_of(str(file), name=name, revision=revision)
            asked = asked_by(wanted)
        # What ships names the repository, and no path of the machine that it was made on.
        signature = replace(signature_of(wanted, asked), source=source, made_from="")
        path_to = SHIPPED / f"{name}.parquet"
        write_signature(signature, path_to)
        total += path_to.stat().st_size
        print(f"{name:14} {asked.rows:>6,} rows {signature.rows:>6,} queries {path_to.stat().st_size:>9,} bytes")
    print(f"{total:,} bytes in all")
    if total > MOST_BYTES:
        raise SystemExit(f"more than {MOST_BYTES:,} bytes ship")


if __name__ == "__main__":
    main()
