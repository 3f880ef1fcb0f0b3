"""How often hint leaks are found that were not learned from, and how often honest sentences are taken for one.

`python -m benchmarks.hint_leaks [--write]` splits the corpus of tests/pipelines/grm/hint_leaks into ten parts by the
hash of each sentence, learns from nine, and tries the tenth. The rules of `pipelines.grm.hint_leaks` have no part in
it: they were written with the corpus in view. `--write` learns from all of it, and writes
pipelines/grm/hint_weights.json.
"""

import json
import re
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from pipelines.grm.hint_words import THRESHOLD, WEIGHTS, phrases

HERE = Path(__file__).parents[1]
CORPUS = HERE / "tests/pipelines/grm/hint_leaks"
PARTS = 10
LEAST = 0.02
"""Smaller weights are left out."""


def sentences(kind: str) -> list[str]:
    lines = [line for path in sorted(CORPUS.glob(f"{kind}*.txt")) for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def learned(texts: Sequence[str], labels: Sequence[int]) -> dict[str, float]:
    """Return the weight of each phrase that stands in two sentences at least."""
    vectors = DictVectorizer()
    counts = vectors.fit_transform([dict.fromkeys(phrases(text.lower()), 1) for text in texts])
    often = np.asarray(counts.sum(axis=0)).ravel() >= 2
    model = LogisticRegression(max_iter=2000).fit(counts[:, often], labels)
    names = vectors.get_feature_names_out()[often]
    weights = {name: round(float(weight), 3) for name, weight in zip(names, model.coef_[0], strict=True)}
    kept = {name: weight for name, weight in sorted(weights.items()) if abs(weight) >= LEAST}
    return {"": round(float(model.intercept_[0]), 3)} | kept


def part_of(text: str) -> int:
    return blake2b(text.encode(), digest_size=1).digest()[0] % PARTS


def main() -> None:
    rows = [(text, 1) for text in sentences("leaks")] + [(text, 0) for text in sentences("honest")]
    rows = list(dict.fromkeys(rows))
    texts, labels = [text for text, _ in rows], np.array([label for _, label in rows])
    parts = np.array([part_of(text) for text in texts])
    scores = np.zeros(len(texts))
    for part in range(PARTS):
        inside = [number for number in range(len(texts)) if parts[number] != part]
        weights = learned([texts[number] for number in inside], labels[inside])
        for number in np.flatnonzero(parts == part):
            scores[number] = weights[""] + sum(weights.get(one, 0.0) for one in phrases(texts[number].lower()))
    found = scores > THRESHOLD
    is_chinese = np.array([bool(re.search("[\u4e00-\u9fff]", text)) for text in texts])
    figures = {"sentences": len(texts), "leaks": int(labels.sum())}
    for name, language in (("english", ~is_chinese), ("chinese", is_chinese)):
        figures[f"{name}_found_unlearned"] = round(float(found[language & (labels == 1)].mean()), 3)
        figures[f"{name}_false_unlearned"] = round(float(found[language & (labels == 0)].mean()), 4)
    print(json.dumps(figures))
    if "--write" in sys.argv[1:]:
        text = json.dumps(learned(texts, labels), ensure_ascii=False, indent=0, separators=(",", ":"))
        (HERE / "pipelines/grm" / WEIGHTS).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
