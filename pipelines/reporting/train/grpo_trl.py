"""Train a judge further by reinforcement on this snapshot's `rl` rows, with TRL's GRPO and the rule of `rewards.py`.

    pip install trl
    python train/grpo_trl.py --model judge --out judge-rl

Each question is answered --samples times. An answer earns +1 if it finds the best response, -1 if it does not or cannot
be read. Nothing is cut: a prompt longer than the model can read, with its answer, ends the run. Run the same command
again after a stop: it goes on from its last checkpoint. `training.json` beside the weights has the mean reward of each
step.
"""

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

SNAPSHOT = Path(__file__).resolve().parent.parent


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", required=True, help="a directory, or a hub id: the judge after SFT")
    add("--out", required=True, type=Path, help="directory of the trained model")
    add("--data", nargs="+", type=Path, help="Parquet files of rl rows; this snapshot's unless given")
    add("--steps", type=int, help="stop after so many steps [one pass over the rows]")
    add("--samples", type=int, default=8, help="answers to each question [8]")
    add("--questions", type=int, default=4, help="questions a step [4]")
    add("--answer-tokens", type=int, default=2048, help="the longest answer [2048]")
    add("--temperature", type=float, default=1.0, help="of sampling [1]")
    add("--beta", type=float, default=0.0, help="weight of the KL term; 0 keeps no reference model [0]")
    add("--lr", type=float, default=1e-6, help="learning rate [1e-6]")
    add("--save-every", type=int, default=50, help="steps between two checkpoints [50]")
    add("--seed", type=int, default=0, help="of the order of the rows, and of sampling [0]")
    return parser.parse_args()


def rewards_of(snapshot: Path) -> ModuleType:
    """Return the snapshot's own rewards.py."""
    spec = importlib.util.spec_from_file_location("rewards", snapshot / "rewards.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{snapshot}/rewards.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    chosen = options()
    report = chosen.out / "training.json"
    if report.exists():
        print(f"{chosen.out} is trained already; remove it to train anew")
        return
    files = sorted(chosen.data or SNAPSHOT.glob("rl/train*.parquet"))
    if not files:
        sys.exit(f"{SNAPSHOT} has no rl/train-*.parquet; name files with --data")
    import transformers
    from datasets import load_dataset

    rows = load_dataset("parquet", data_files=[str(file) for file in files], split="train")
    try:
        config = transformers.AutoConfig.from_pretrained(chosen.model)
        tokenizer = transformers.AutoTokenizer.from_pretrained(chosen.model)
    except (OSError, ValueError) as error:
        sys.exit(f"{chosen.model} cannot be loaded: {' '.join(str(error).split())[:300]}")
    if not tokenizer.chat_template:
        sys.exit(f"{chosen.model} has no chat template, by which messages become a text; take an instruct model")
    texts = [
        tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in rows["prompt"]
    ]
    lengths = [len(tokens) for tokens in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    limit = config.max_position_embeddings - chosen.answer_tokens
    if too_long := [row for row, length in enumerate(lengths) if length > limit]:
        sys.exit(
            f"row {too_long[0]} has a prompt of {lengths[too_long[0]]} tokens, and {len(too_long)} rows more than "
            f"{limit}: the model reads {config.max_position_embeddings}, the answer included"
        )
    import torch  # late, since it and TRL take seconds: what cannot be done is said before
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    has_gpu = torch.cuda.is_available()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        chosen.model, dtype=torch.bfloat16 if has_gpu else torch.float32
    )
    settings = GRPOConfig(
        output_dir=str(chosen.out / "checkpoints"),
        num_train_epochs=1,
        max_steps=chosen.steps or -1,
        per_device_train_batch_size=chosen.samples,
        gradient_accumulation_steps=chosen.questions,
        num_generations=chosen.samples,
        max_completion_length=chosen.answer_tokens,
        temperature=chosen.temperature,
        beta=chosen.beta,
        learning_rate=chosen.lr,
        logging_steps=1,
        save_steps=chosen.save_every,
        save_total_limit=1,
        seed=chosen.seed,
        report_to=[],
        use_cpu=not has_gpu,
        bf16=has_gpu,
        activation_checkpointing=has_gpu,
        dataloader_pin_memory=has_gpu,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=rewards_of(SNAPSHOT).grm_reward,
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=any((chosen.out / "checkpoints").glob("checkpoint-*")))
    trainer.save_model(str(chosen.out))
    tokenizer.save_pretrained(chosen.out)
    facts = {
        "model": chosen.model,
        "rows": len(rows),
        "steps": trainer.state.global_step,
        "samples": chosen.samples,
        "learning_rate": chosen.lr,
        "seed": chosen.seed,
        "seconds": round(time.monotonic() - began, 1),
        "rewards": [entry["reward"] for entry in trainer.state.log_history if "reward" in entry],
    }
    report.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
