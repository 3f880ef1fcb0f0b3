"""Train a scorer on this snapshot: a Meta RM on its `meta_rm` rows, or a reward model on its `pairs`.

    pip install torch transformers pyarrow
    python train/meta_rm.py --model judge --out meta-rm
    python train/meta_rm.py --table pairs --model Qwen/Qwen3-0.6B --out reward-model

A scorer is a sequence classifier of one class, trained by binary cross-entropy: a right text is 1, a wrong one 0. Rows
of one set stand in one batch, so that it learns to tell them apart, and not the sets. `training.json` beside the
weights has the AUC within the sets of the validation rows. Run the same command again after a stop: it goes on from its
last checkpoint. vLLM serves what is written with `--runner pooling`.
"""

import argparse
import json
import math
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

SNAPSHOT = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """A text as messages, whether it is right, and the set that it belongs to."""

    messages: list[dict[str, str]]
    label: bool
    set_id: str


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", required=True, help="a directory, or a hub id: the trained judge, or what it came from")
    add("--out", required=True, type=Path, help="directory of the trained scorer")
    add("--table", choices=("meta_rm", "pairs"), default="meta_rm", help="which rows of the snapshot [meta_rm]")
    add("--snapshot", type=Path, default=SNAPSHOT, help="another snapshot's directory")
    add("--epochs", type=float, default=1.0, help="passes over the rows [1]")
    add("--tokens", type=int, help="stop after so many tokens, in place of --epochs")
    add("--lr", type=float, default=1e-5, help="highest learning rate; warmed up, then falling to 0 [1e-5]")
    add("--batch", type=int, default=16, help="rows a step, at least; a set is never divided [16]")
    add("--rows-at-once", type=int, default=4, help="rows that memory holds at once [4]")
    add("--save-every", type=int, default=100, help="steps between two checkpoints [100]")
    add("--seed", type=int, default=0, help="of the order of the sets [0]")
    return parser.parse_args()


def rows_of(snapshot: Path, table: str, split: str) -> list[Row]:
    """Return the rows of a split; a pair is two."""
    import pyarrow.parquet as pq

    rows = [
        row for file in sorted(snapshot.glob(f"{table}/{split}*.parquet")) for row in pq.read_table(file).to_pylist()
    ]
    if table == "meta_rm":
        return [Row(row["prompt"] + row["completion"], row["label"], row["set_id"]) for row in rows]
    return [
        Row(row["prompt"] + row[side], side == "chosen", row["set_id"])
        for row in rows
        for side in ("chosen", "rejected")
    ]


def batches(rows: list[Row], size: int, draw: random.Random) -> Iterator[list[int]]:
    """Yield rows by number: whole sets, in a drawn order, at least `size` rows each, without end."""
    sets: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        sets[row.set_id].append(number)
    batch: list[int] = []
    while True:
        for name in draw.sample(sorted(sets), len(sets)):
            batch += sets[name]
            if len(batch) >= size:
                yield batch
                batch = []


def scores(model: Any, texts: list[list[int]]) -> Any:
    """Return the score of each text, from the state of its last token."""
    import torch

    width, device = max(map(len, texts)), model.device
    tokens = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts], device=device)
    seen = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts], device=device)
    states = model.base_model(input_ids=tokens, attention_mask=seen).last_hidden_state
    last = states[torch.arange(len(texts)), [len(text) - 1 for text in texts]]
    return model.score(last)[:, 0].float()


def auc_within_sets(values: Iterable[float], rows: list[Row]) -> tuple[float | None, int]:
    """Return how often a right text scores above a wrong one of its set, ties half, and the sets that have both."""
    sets: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for value, row in zip(values, rows, strict=True):
        sets[row.set_id][row.label].append(value)
    aucs = [
        sum((right > wrong) + (right == wrong) / 2 for right in rights for wrong in wrongs)
        / (len(rights) * len(wrongs))
        for wrongs, rights in sets.values()
        if rights and wrongs
    ]
    return (sum(aucs) / len(aucs) if aucs else None), len(aucs)


def main() -> None:
    chosen = options()
    report, checkpoint = chosen.out / "training.json", chosen.out / "checkpoint.pt"
    if report.exists():
        print(f"{chosen.out} is trained already; remove it to train anew")
        return
    import torch
    import transformers

    rows = rows_of(chosen.snapshot, chosen.table, "train")
    if not rows:
        sys.exit(f"{chosen.snapshot} has no {chosen.table}/train-*.parquet")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(chosen.model)
    except (OSError, ValueError) as error:
        sys.exit(f"{chosen.model} cannot be loaded: {' '.join(str(error).split())[:300]}")
    if not tokenizer.chat_template:
        sys.exit(f"{chosen.model} has no chat template, by which messages become a text; take an instruct model")

    def tokens_of(row: Row) -> list[int]:
        text = tokenizer.apply_chat_template(row.messages, tokenize=False)
        tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    texts = [tokens_of(row) for row in rows]
    torch.manual_seed(chosen.seed)
    has_gpu = torch.cuda.is_available()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        chosen.model, num_labels=1, problem_type="multi_label_classification", dtype=torch.float32
    ).to("cuda" if has_gpu else "cpu")
    limit = model.config.max_position_embeddings
    if too_long := [row for row, text in enumerate(texts) if len(text) > limit]:
        sys.exit(f"row {too_long[0]} has {len(texts[too_long[0]])} tokens, and the model reads {limit}")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=chosen.lr, weight_decay=0.01)
    wanted = chosen.tokens if chosen.tokens is not None else round(chosen.epochs * sum(map(len, texts)))
    steps: list[list[int]] = []
    for batch in batches(rows, chosen.batch, random.Random(chosen.seed)):
        if wanted <= 0:
            break
        steps.append(batch)
        wanted -= sum(len(texts[row]) for row in batch)
    losses: list[float] = []
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        losses = saved["losses"]
        print(f"going on after step {len(losses)} of {len(steps)}")
    began, warm = time.monotonic(), max(1, len(steps) // 20)
    chosen.out.mkdir(parents=True, exist_ok=True)
    model.train()
    for step, batch in enumerate(steps[len(losses) :], len(losses)):
        optimizer.param_groups[0]["lr"] = chosen.lr * min((step + 1) / warm, (len(steps) - step) / len(steps))
        total = 0.0
        for start in range(0, len(batch), chosen.rows_at_once):
            part = batch[start : start + chosen.rows_at_once]
            labels = torch.tensor([float(rows[row].label) for row in part], device=model.device)
            found = scores(model, [texts[row] for row in part])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(found, labels, reduction="sum") / len(batch)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
        if not math.isfinite(total):
            sys.exit(f"step {step}: the loss is {total}; a lower --lr may help")
        if step % 10 == 0:
            print(f"step {step + 1} of {len(steps)}: loss {total:.3f}", flush=True)
        if (step + 1) % chosen.save_every == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "losses": losses}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)
    model.eval()
    held_out = rows_of(chosen.snapshot, chosen.table, "validation")
    with torch.inference_mode():
        values = [scores(model, [tokens_of(row)]).item() for row in held_out]
    auc, sets = auc_within_sets(values, held_out)
    model.save_pretrained(chosen.out)
    tokenizer.save_pretrained(chosen.out)
    facts = {
        "model": chosen.model,
        "table": chosen.table,
        "rows": sum(map(len, steps)),
        "tokens": sum(len(texts[row]) for batch in steps for row in batch),
        "steps": len(steps),
        "learning_rate": chosen.lr,
        "seed": chosen.seed,
        "seconds": round(time.monotonic() - began, 1),
        "validation_auc_within_sets": auc,
        "validation_sets": sets,
        "losses": [round(loss, 4) for loss in losses],
    }
    report.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    checkpoint.unlink(missing_ok=True)
    print(json.dumps({name: value for name, value in facts.items() if name != "losses"}))


if __name__ == "__main__":
    main()
