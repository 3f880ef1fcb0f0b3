"""The trainers themselves take the sets: a model of two layers, a step or two on the CPU.

torch and TRL are imported where they are used: at the top, every worker of a test run would wait for them.
"""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import datasets
import pytest
from tokenizers import ByteLevelBPETokenizer

from pipelines.steps import build
from storage.root import Root
from storage.snapshots import Snapshot
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


@pytest.fixture(scope="module")
def tokenizer() -> "PreTrainedTokenizerFast":
    """Return a byte-level BPE tokenizer of 512 tokens with a ChatML template."""
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        ["Specific Criteria: Analysis: Scores: \\boxed{7, 3}", "[The Begin of Response 1]"],
        vocab_size=512,
        special_tokens=SPECIAL,
    )
    fast_tokenizer: Any = PreTrainedTokenizerFast  # its constructor has no types
    made: PreTrainedTokenizerFast = fast_tokenizer(
        tokenizer_object=bpe._tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=8192
    )
    made.chat_template = CHATML
    return made


@pytest.fixture
def model(tokenizer: "PreTrainedTokenizerFast") -> "Qwen3ForCausalLM":
    """Return a model of two layers with random weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=512,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


@pytest.fixture
def load(demo: Snapshot, tmp_path: Path) -> Callable[[str], Any]:
    """Return a function that loads the training split of a config."""
    return lambda config: datasets.load_dataset(
        str(demo.path), config, split="train", cache_dir=str(tmp_path / "cache")
    )


@pytest.fixture(scope="module")
def rewards(demo: Snapshot) -> ModuleType:
    """Return the snapshot's own rewards.py."""
    return module_at(demo.path / "rewards.py")


def module_at(path: Path) -> ModuleType:
    """Return a module loaded by its path, as verl does it."""
    spec = importlib.util.spec_from_file_location("custom_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_model(model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", tmp_path: Path) -> Path:
    """Return the directory of a model of two layers with its tokenizer."""
    model.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    return tmp_path / "small"


def trained(script: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a script of a snapshot to its end."""
    return subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
def test_the_snapshots_sft_script_trains_goes_on_and_stops_at_its_tokens(
    demo: Snapshot, small_model: Path, tmp_path: Path
) -> None:
    script, out = demo.path / "train/sft_trl.py", tmp_path / "judge"
    arguments = ("--model", small_model, "--out", out, "--batch", "2", "--rows-at-once", "2", "--save-every", "2")
    done = trained(script, *arguments, "--tokens", "12000")
    assert done.returncode == 0, done.stderr
    facts = json.loads((out / "training.json").read_text())
    assert 9_000 < facts["tokens"] < 15_000 and facts["steps"] == -(-facts["rows"] // 2)
    assert (out / "model.safetensors").exists() and (out / "tokenizer_config.json").exists()
    weights = (out / "model.safetensors").read_bytes()

    # As after a kill: the last checkpoint is there, the result is not.
    (out / "training.json").unlink()
    (out / "model.safetensors").unlink()
    again = trained(script, *arguments, "--tokens", "12000")
    assert again.returncode == 0, again.stderr
    assert (out / "model.safetensors").read_bytes() == weights
    assert "trained already" in trained(script, *arguments).stdout

    too_long = trained(script, "--model", small_model, "--out", tmp_path / "none", "--max-length", "50")
    assert too_long.returncode == 1 and "rows more than 50" in too_long.stderr
    nowhere = trained(script, "--model", tmp_path / "no-model", "--out", tmp_path / "none")
    assert nowhere.returncode == 1 and "no-model cannot be loaded" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr


@pytest.mark.slow
def test_the_snapshots_grpo_script_trains_by_the_snapshots_own_rule(
    demo: Snapshot, small_model: Path, tmp_path: Path
) -> None:
    script, out = demo.path / "train/grpo_trl.py", tmp_path / "rl"
    arguments = ("--model", small_model, "--out", out, "--samples", "2", "--questions", "1", "--answer-tokens", "8")
    done = trained(script, *arguments, "--steps", "2")
    assert done.returncode == 0, done.stderr
    facts = json.loads((out / "training.json").read_text())
    assert facts["steps"] == 2 and facts["rewards"] == [-1.0, -1.0], "random weights write noise, and noise is wrong"
    assert (out / "model.safetensors").exists()

    too_long = trained(script, "--model", small_model, "--out", tmp_path / "none", "--answer-tokens", "32700")
    assert too_long.returncode == 1 and "the answer included" in too_long.stderr


@pytest.mark.slow
@pytest.mark.parametrize("table", ["meta_rm", "pairs"])
def test_the_snapshots_scorer_script_trains_a_classifier(
    demo: Snapshot, small_model: Path, tmp_path: Path, table: str
) -> None:
    script, out = demo.path / "train/meta_rm.py", tmp_path / "scorer"
    arguments = ("--table", table, "--model", small_model, "--out", out, "--batch", "4", "--save-every", "1")
    if is_killed := table == "meta_rm":
        with subprocess.Popen([sys.executable, script, *map(str, arguments)], stdout=subprocess.DEVNULL) as process:
            until = time.monotonic() + 120
            while not (out / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            process.kill()
    done = trained(script, *arguments, *([] if is_killed else ["--tokens", "60000"]))
    assert done.returncode == 0, done.stderr
    assert ("going on after step" in done.stdout) == is_killed
    facts = json.loads((out / "training.json").read_text())
    assert facts["table"] == table and facts["steps"] == len(facts["losses"]) > 1
    assert 0 <= facts["validation_auc_within_sets"] <= 1
    assert json.loads((out / "config.json").read_text())["architectures"] == ["Qwen3ForSequenceClassification"]
    assert "trained already" in trained(script, *arguments).stdout


@pytest.mark.slow
def test_sft_takes_rft(
    load: Callable[[str], Any], model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", tmp_path: Path
) -> None:
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=2,
            max_length=8192,
            report_to=[],
            use_cpu=True,
            activation_checkpointing=False,
            bf16=False,
            dataloader_pin_memory=False,
        ),
        train_dataset=load("rft").select(range(8)),
        processing_class=tokenizer,
    )
    result = trainer.train()
    assert result.global_step == 2
    assert result.training_loss > 0


# TRL 1.16 still asks transformers 5.23 by the old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_grpo_takes_rl_and_the_snapshots_reward(
    load: Callable[[str], Any],
    rewards: ModuleType,
    model: "Qwen3ForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    tmp_path: Path,
) -> None:
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    given: list[float | None] = []

    def grm_reward(completions: list[Any], **columns: Any) -> list[float | None]:
        """Hand everything to the snapshot's function, and remember what it said."""
        scored: list[float | None] = rewards.grm_reward(completions, **columns)
        given.extend(scored)
        return scored

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=grm_reward,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=8,
            report_to=[],
            use_cpu=True,
            activation_checkpointing=False,
            bf16=False,
            dataloader_pin_memory=False,
        ),
        train_dataset=load("rl").select(range(2)),
        processing_class=tokenizer,
    )
    assert trainer.train().global_step == 1
    assert given == [-1.0] * 4, "random weights write noise, and noise is wrong"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_grpo_takes_selection_rows_among_the_others(
    model: "Qwen3ForCausalLM", tokenizer: "PreTrainedTokenizerFast", tmp_path: Path
) -> None:
    """Both kinds in one data set and one reward; the answers are ours, since random weights never pick."""
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    snapshot = snapshot_with_selection(tmp_path)
    rewards = module_at(snapshot.path / "rewards.py")
    rows = datasets.load_dataset(str(snapshot.path), "rl", split="train", cache_dir=str(tmp_path / "cache"))
    one = next(row for row in rows if row["data_source"].endswith("/selection"))
    rows = rows.filter(lambda row: row["extra_info"]["set_id"] == one["extra_info"]["set_id"])
    assert sorted(row["data_source"].rpartition("/")[2] for row in rows) == ["own", "selection"]
    given: dict[str, list[float]] = {}

    def judged(completions: list[Any], reward_model: Any, data_source: list[str], **columns: Any) -> list[float]:
        """Put answers of every worth in the place of noise, hand them to the snapshot's function, and remember."""
        texts = [
            answer_worth(json.loads(row["ground_truth"]), named=number % 4 - 1)
            for number, row in enumerate(reward_model)
        ]
        scored: list[float] = rewards.grm_reward(texts, reward_model=reward_model, data_source=data_source, **columns)
        for source, reward in zip(data_source, scored, strict=True):
            given.setdefault(source.rpartition("/")[2], []).append(reward)
        return scored

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=judged,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=8,
            report_to=[],
            use_cpu=True,
            activation_checkpointing=False,
            bf16=False,
            dataloader_pin_memory=False,
        ),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    assert trainer.train().global_step == 2
    assert given == {"selection": [-1.0, 1.0, 1.1, 1.2], "own": [-1.0, 1.0, 1.0, 1.0]}


def snapshot_with_selection(path: Path) -> Snapshot:
    """Return a snapshot whose rl set has selection rows: sets of three answers, with a reference."""
    rows = jsonl_rows(40)
    write_rows(path / "own.jsonl", [row | {"reference": row["responses"][row["best"]]} for row in rows])
    recipe = a_recipe(
        path,
        rl={"selection": True},
        build={"name": "small", "seed": 7, "sets": ["rl"]},
        models={"grm": simulated(), "difficulty": simulated(model="weak", accuracy=0.5, seed=1)},
    )
    return build(recipe, Root(path), a_run(recipe)[0]).snapshot


def answer_worth(truth: dict[str, Any], named: int) -> str:
    """Return an answer with this many errors named beside the right pick; -1 for a wrong one."""
    n, best = truth["n"], truth["best"]
    chosen = best if named >= 0 else (best + 1) % n
    if "answers" not in truth:
        return f"Scores: \\boxed{{{', '.join('9' if place == chosen else '2' for place in range(n))}}}"
    wrong = [place for place in range(n) if place != best][: max(named, 0)]
    errors = [
        f'Response {place + 1}: "{truth["answers"][place]}" is wrong, "{truth["answers"][best]}" is right: see {place}.'
        for place in wrong
    ]
    return "\n".join(["Errors:", *errors, "", f"Best: \\boxed{{{chosen + 1}}}"])


def test_the_rows_of_rl_are_scored_in_both_signatures(load: Callable[[str], Any], rewards: ModuleType) -> None:
    rows = list(load("rl"))
    assert {json.loads(row["reward_model"]["ground_truth"])["n"] for row in rows} >= {1, 2, 4}
    for row in rows:
        truth = json.loads(row["reward_model"]["ground_truth"])
        assert row["reward_model"]["style"] == "rule"
        n, best, label = truth["n"], truth.get("best"), truth.get("label")
        right = [label] if n == 1 else [9 if position == best else 2 for position in range(n)]
        wrong = [1 - label] if n == 1 else [9] * n
        for scores, expected in ((right, 1.0), (wrong, -1.0)):
            text = f"Analysis: ..\n\nScores: \\boxed{{{', '.join(map(str, scores))}}}"
            verl = rewards.compute_score(
                data_source=row["data_source"],
                solution_str=text,
                ground_truth=row["reward_model"]["ground_truth"],
                extra_info=row["extra_info"],
            )
            trl = rewards.grm_reward(
                prompts=[row["prompt"]],
                completions=[[{"role": "assistant", "content": text}]],
                **{column: [value] for column, value in row.items() if column != "prompt"},
            )
            assert verl == expected
            assert trl == [expected]
