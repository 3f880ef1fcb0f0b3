"""Compare what a trainer's own loader makes of this export with the rows of its files, one by one.

    python check/check.py --tokenizer MODEL

runs in the trainer's environment, and needs a tokenizer with a chat template. Each row must come back in its place: all
of its prompt, its answer and nothing else under the loss, its label. One line of JSON a file says what was found. The
exit code is 0 if all is the same, 1 if not, 3 where the trainer is not installed: then nothing was loaded.
"""

import argparse
import importlib.util
import json
import sys
from importlib import metadata
from itertools import zip_longest
from pathlib import Path

EXPORT = Path(__file__).resolve().parent.parent
SHOWN = 3
"""Differences that are shown of a file."""


def rows_of(path):
    """Return the rows of a file, read without the trainer."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def expected(row, name):
    """Return the texts of a row's prompt, and its answers or its label."""
    texts = [
        message["content"] for message in row.get("messages") or row.get("conversations") or row.get("prompt") or []
    ]
    if name == "rl":
        truth = row.get("reward_model") or row.get("reward_spec") or {}
        return texts, [row.get("label") or row.get("solution") or row.get("ground_truth") or truth["ground_truth"]]
    if name == "meta_rm":
        return texts, [row["completion"][0]["content"], str(row["label"])]
    if "completions" in row:
        ranked = sorted(row["completions"], key=lambda one: one["rank"])
        return [message["content"] for message in row["context"]], [one["completion"][0]["content"] for one in ranked]
    if "rejected_response" in row:
        return texts[:-1], [texts[-1], row["rejected_response"]]
    if "chosen" in row:
        sides = [row[side] if isinstance(row[side], dict) else row[side][0] for side in ("chosen", "rejected")]
        return texts, [side["content"] for side in sides]
    return (texts, [row["completion"][0]["content"]]) if "completion" in row else (texts[:-1], texts[-1:])


def differences(path, name, found, tokenizer):
    """Yield, of each row that is not as it stands in the file, its id and what differs."""

    def plain(text):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokenizer.decode(ids, skip_special_tokens=True).strip()

    for number, (row, got) in enumerate(zip_longest(rows_of(path), found)):
        if row is None or got is None:
            yield f"row {number}", "is not in the file" if row is None else "was not loaded"
            continue
        (prompt, answers), (whole, got_answers) = expected(row, name), got
        shown = plain(whole)
        if cut := [text for text in prompt if plain(text) not in shown]:
            yield row.get("id", f"row {number}"), f"prompt lacks {cut[0][:80]!r}"
        if [plain(text) for text in answers] != [plain(text) for text in got_answers]:
            yield row.get("id", f"row {number}"), f"has {str(list(got_answers))[:200]} for {str(answers)[:200]}"


def run(package, readers):
    """Compare every file of the export; `readers` has a function for `sft`, `rl`, `pairs`, `meta_rm`, as they apply.

    A reader is given the path of a file, the tokenizer, and the facts of the set in export.json. It yields, for each
    row, the text of the prompt and the texts under the loss, or the label. `sft` stands for rft and traces.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True, help="a directory or hub id with a chat template")
    tokenizer_path = parser.parse_args().tokenizer
    if importlib.util.find_spec(package) is None:
        print(json.dumps({"trainer": package, "result": "not run", "why": "not installed here"}))
        sys.exit(3)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
    facts = json.loads((EXPORT / "export.json").read_text("utf-8"))
    any_differs = False
    for name, part in facts["sets"].items():
        reader = readers.get(name) or readers["sft"]
        for split, file in part["files"].items():
            found = list(reader(EXPORT / file, tokenizer, part))
            differ = list(differences(EXPORT / file, name, found, tokenizer))
            any_differs |= bool(differ) or len(found) != part["rows"][split]
            line = {"file": file, "rows": part["rows"][split], "loaded": len(found), "differ": len(differ)}
            print(
                json.dumps(
                    {"trainer": facts["trainer"], "version": version_of(package), **line, "first": differ[:SHOWN]}
                )
            )
    sys.exit(any_differs)


def version_of(package):
    """Return the installed version of a package; None where it runs from its source."""
    names = metadata.packages_distributions().get(package, [package])
    try:
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        return None


def split_by_mask(tokenizer, ids, mask):
    """Return the texts of the tokens before the first that is trained on, and of those that are."""
    ids, mask = list(ids), list(mask)
    first = next((place for place, trained in enumerate(mask) if trained), len(mask))
    trained = [token for token, is_trained in zip(ids, mask, strict=True) if is_trained]
    return tokenizer.decode(ids[:first]), [tokenizer.decode(trained, skip_special_tokens=True)]
