"""Fixture repositories of every source on the hub: the real ids, file names and formats, rows written by hand."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyzipper

from tests.pipelines.sources import (
    test_arena,
    test_helpsteer3,
    test_hendrycks_math,
    test_hh_rlhf,
    test_messages_pairs,
    test_nectar,
    test_offsetbias,
    test_pku_saferlhf,
    test_skywork,
    test_telemath,
    test_ultrafeedback,
)
from tests.pipelines.sources.readings import json_lines
from tests.pipelines.sources.test_teleqna import DUPLEX, PASSWORD, question

CARD = b"---\nlicense: mit\n---\n# A card\n"
SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def aes_zip(name: str, content: bytes) -> bytes:
    sink = io.BytesIO()
    with pyzipper.AESZipFile(sink, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(PASSWORD.encode())
        archive.writestr(name, content)
    return sink.getvalue()


def _rated(prompt: str, response: str, helpfulness: int) -> dict[str, Any]:
    others = dict.fromkeys(("correctness", "coherence", "complexity", "verbosity"), 2)
    return {"prompt": prompt, "response": response, "helpfulness": helpfulness, **others}


def _preferred(split: str, strength: int) -> dict[str, Any]:
    return {
        "split": split,
        "prompt": f"Say hello to the {split} split.",
        "response_1": "Hello.",
        "response_2": "No.",
        "preference_strength": strength,
        "preference_statement": "@Response 1 is better.",
        "preference_elaboration": "It greets.",
        "three_most_similar_preferences": [],
        "all_preferences_unprocessed": [],
    }


def _mathematics() -> dict[str, bytes]:
    return {
        f"{subject}/{split}-00000-of-00001.parquet": parquet(
            [test_hendrycks_math.problem(problem=f"What is half of $4$ in {subject}, {split}?")]
        )
        for subject in SUBJECTS
        for split in ("train", "test")
    }


TELEQNA = {"question 0": DUPLEX, "question 1": question("What does NR stand for?", "New Radio", "No Radio")}

REPOSITORIES: dict[str, dict[str, bytes]] = {
    "openbmb/UltraFeedback": {
        "README.md": CARD,
        "evol_instruct.jsonl": json_lines(
            [
                test_ultrafeedback.row(
                    test_ultrafeedback.completion("hello", "5"), test_ultrafeedback.completion("no", "1")
                )
            ]
        ),
        "truthful_qa.jsonl": json_lines(
            [
                test_ultrafeedback.row(
                    test_ultrafeedback.completion("true", "5"),
                    test_ultrafeedback.completion("false", "1"),
                    source="truthful_qa",
                )
            ]
        ),
    },
    "nvidia/HelpSteer2": {
        "README.md": CARD,
        "train.jsonl.gz": gzip.compress(json_lines([_rated("c#", "A language.", 4), _rated("c#", "A note.", 1)])),
        "validation.jsonl.gz": gzip.compress(json_lines([_rated("c", "A letter.", 0), _rated("c", "C is ..", 3)])),
        "preference/preference.jsonl.gz": gzip.compress(json_lines([_preferred("train", -2), _preferred("val", 1)])),
        "disagreements/disagreements.jsonl.gz": gzip.compress(json_lines([{"prompt": "c#", "helpfulness": [1, 2]}])),
    },
    "EleutherAI/hendrycks_math": {"README.md": CARD, **_mathematics()},
    "netop/TeleQnA": {
        "README.md": CARD,
        "LICENSE.txt": b"MIT",
        "TeleQnA.zip": aes_zip("TeleQnA.txt", json.dumps(TELEQNA, indent="\t").encode()),
        "evaluation_tools.py": b"import openai",
        "requirements.txt": b"openai",
        "run.py": b"import json",
    },
    "netop/TeleMath": {
        "README.md": CARD,
        "data/test-00000-of-00001.parquet": parquet([test_telemath.problem(), test_telemath.problem(2.0)]),
    },
    "NCSOFT/offsetbias": {"README.md": CARD, "train.jsonl": json_lines([test_offsetbias.pair(2)])},
    "Skywork/Skywork-Reward-Preference-80K-v0.2": {
        "README.md": CARD,
        "data/train-00000-of-00001.parquet": parquet(
            [test_skywork.pair(), test_skywork.pair(source="offsetbias"), test_skywork.pair(source="helpsteer2")]
        ),
    },
    "nvidia/HelpSteer3": {
        "README.md": CARD,
        "preference/train.jsonl.gz": gzip.compress(json_lines([test_helpsteer3.pair(-2, -2), test_helpsteer3.pair(0)])),
        "preference/validation.jsonl.gz": gzip.compress(json_lines([test_helpsteer3.pair(1)])),
        "feedback/train.jsonl.gz": gzip.compress(json_lines([{"context": []}])),
    },
    "berkeley-nest/Nectar": {
        "README.md": CARD,
        "data/rlaif.parquet": parquet([test_nectar.ranked(*test_nectar.SEVEN), test_nectar.ranked(1.0, 1.0)]),
    },
    "lmarena-ai/arena-human-preference-140k": {
        "README.md": CARD,
        "data/train-00000-of-00001.parquet": parquet([test_arena.vote(), test_arena.vote("both_bad")]),
    },
    "Anthropic/hh-rlhf": {
        "README.md": CARD,
        "harmless-base/train.jsonl.gz": gzip.compress(json_lines([test_hh_rlhf.pair()])),
        "helpful-base/test.jsonl.gz": gzip.compress(json_lines([test_hh_rlhf.pair("")])),
        "red-team-attempts/red_team_attempts.jsonl.gz": gzip.compress(json_lines([{"transcript": "x"}])),
    },
    "HuggingFaceH4/ultrafeedback_binarized": {
        "README.md": CARD,
        "data/train_prefs-00000-of-00001.parquet": parquet(
            [test_messages_pairs.scored(), test_messages_pairs.scored(5)]
        ),
        "data/train_sft-00000-of-00001.parquet": parquet([test_messages_pairs.scored()]),
    },
    "allenai/llama-3.1-tulu-3-8b-preference-mixture": {
        "README.md": CARD,
        "data/train-00000-of-00001.parquet": parquet([test_messages_pairs.mixed()]),
    },
    "PKU-Alignment/PKU-SafeRLHF": {
        "README.md": CARD,
        "data/Alpaca-7B/test.jsonl": json_lines([test_pku_saferlhf.pair()]),
        "data/Alpaca-7B/train.jsonl": json_lines([test_pku_saferlhf.pair(0, 1)]),
    },
    "maker/chat": {
        "README.md": CARD,
        "data/train-00000-of-00001.parquet": parquet(
            [{"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi."}]}]
        ),
    },
}
"""TeleMath is gated: its listing could not be seen, and its layout here is the usual one of a test split."""
