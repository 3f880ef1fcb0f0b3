"""Fine-tune a judge on this snapshot's `rft` rows, with TRL.

    pip install trl
    python train/sft_trl.py --model Qwen/Qwen3-0.6B --out judge

The loss is on the answers alone. No row is cut: one that is longer than --max-length ends the run. Run the same command
again after a stop: it goes on from its last checkpoint. `training.json` beside the weights says what was trained on.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).resolve().parent.parent


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", required=True, help="a directory, or a hub id")
    add("--out", required=True, type=Path, help="directory of the trained model")
    add(
        "--data",
        nargs="+",
        type=Path,
        help="Parquet files with prompt and completion; this snapshot's rft unless given",
    )
    add("--epochs", type=float, default=1.0, help="passes over the rows, such as 0.5 or 3 [1]")
    add("--tokens", type=int, help="stop after so many tokens of prompts and answers, in place of --epochs")
    add("--max-length", type=int, help="the longest row that is allowed, in tokens [what the model can read]")
    add("--lr", type=float, default=1e-5, help="highest learning rate; warmed up, then a cosine [1e-5]")
    add("--batch", type=int, default=16, help="rows a step [16]")
    add("--rows-at-once", type=int, default=4, help="rows that memory holds at once [4]")
    add("--save-every", type=int, default=100, help="steps between two checkpoints [100]")
    add("--seed", type=int, default=0, help="of the order of the rows [0]")
    return parser.parse_args()


def rows_of(files: list[Path]) -> list[dict[str, Any]]:
    """Return prompt and completion of every row, in the order of the files."""
    import pyarrow.parquet as pq

    return [row for file in sorted(files) for row in pq.read_table(file, columns=["prompt", "completion"]).to_pylist()]


def drawn(lengths: list[int], epochs: float, tokens: int | None, seed: int) -> list[int]:
    """Return the rows to train on, by number: pass after pass, each shuffled, up to the asked number of tokens."""
    shuffle, wanted = random.Random(seed), tokens if tokens is not None else round(epochs * sum(lengths))
    chosen: list[int] = []
    while wanted > 0:
        order = list(range(len(lengths)))
        shuffle.shuffle(order)
        for row in order:
            if wanted < lengths[row] / 2:  # nearer to what was asked without this row
                return chosen
            chosen.append(row)
            wanted -= lengths[row]
    return chosen


def main() -> None:
    chosen = options()
    report = chosen.out / "training.json"
    if report.exists():
        print(f"{chosen.out} is trained already; remove it to train anew")
        return
    files = chosen.data or list(SNAPSHOT.glob("rft/train*.parquet"))
    if not files:
        sys.exit(f"{SNAPSHOT} has no rft/train-*.parquet; name files with --data")
    rows = rows_of(files)
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(chosen.model)
        tokenizer = transformers.AutoTokenizer.from_pretrained(chosen.model)
    except (OSError, ValueError) as error:
        sys.exit(f"{chosen.model} cannot be loaded: {' '.join(str(error).split())[:300]}")
    if not tokenizer.chat_template:
        sys.exit(f"{chosen.model} has no chat template, by which messages become a text; take an instruct model")
    texts = [tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False) for row in rows]
    lengths = [len(tokens) for tokens in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    limit = chosen.max_length or config.max_position_embeddings
    if too_long := [row for row, length in enumerate(lengths) if length > limit]:
        sys.exit(f"row {too_long[0]} has {lengths[too_long[0]]} tokens, and {len(too_long)} rows more than {limit}")
    order = drawn(lengths, chosen.epochs, chosen.tokens, chosen.seed)
    if not order:
        sys.exit(f"{len(rows)} rows and this --epochs or --tokens leave nothing to train on")
    import torch  # late, since it and TRL take seconds: what cannot be done is said before
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    has_gpu, can = torch.cuda.is_available(), torch.cpu.get_capabilities()
    # Most processors are slow at halves; on those that are not, training takes a third of the time.
    halves = has_gpu or can.get("amx_bf16", False) or can.get("avx512_bf16", False)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        chosen.model, dtype=torch.bfloat16 if has_gpu else torch.float32
    )
    at_once = min(chosen.rows_at_once, chosen.batch)
    settings = SFTConfig(
        output_dir=str(chosen.out / "checkpoints"),
        num_train_epochs=1,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=max(1, chosen.batch // at_once),
        learning_rate=chosen.lr,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, len(order) // chosen.batch // 20),
        max_length=None,
        completion_only_loss=True,
        logging_first_step=True,
        logging_steps=10,
        save_steps=chosen.save_every,
        save_total_limit=1,
        seed=chosen.seed,
        report_to=[],
        use_cpu=not has_gpu,
        bf16=halves,
        activation_checkpointing=has_gpu,
        dataloader_pin_memory=has_gpu,
    )

    class OnProcessor(SFTTrainer):
        """TRL's own loss applies the head to every token where there is no GPU: twice the time of a step."""

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            labels = inputs.pop("labels")
            first = int((labels != -100).any(0).nonzero()[0])
            kept = labels.shape[1] - first + 1  # the token before an answer foretells its first
            logits = model(**inputs, use_cache=False, logits_to_keep=kept).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels[:, first:].flatten())
            if num_items_in_batch is not None:
                loss = loss * (labels != -100).sum() / num_items_in_batch
            return (loss, None) if return_outputs else loss

    trainer = (SFTTrainer if has_gpu else OnProcessor)(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list([rows[row] for row in order]),
        processing_class=tokenizer,
    )
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=any((chosen.out / "checkpoints").glob("checkpoint-*")))
    trainer.save_model(str(chosen.out))
    tokenizer.save_pretrained(chosen.out)
    facts = {
        "model": chosen.model,
        "rows": len(order),
        "different_rows": len(set(order)),
        "tokens": sum(lengths[row] for row in order),
        "steps": trainer.state.global_step,
        "learning_rate": chosen.lr,
        "seed": chosen.seed,
        "seconds": round(time.monotonic() - began, 1),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }
    report.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
