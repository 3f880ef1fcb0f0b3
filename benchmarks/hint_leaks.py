"""How often hint leaks are found in sentences that were not learned from, and how often honest ones are taken for one.

`python -m benchmarks.hint_leaks [--write]` learns from `leaks.txt` and `honest.txt`, which stand in
tests/pipelines/judging/hint_leaks, and tries `unseen_leaks.txt` and `unseen_honest.txt` beside them: another hand wrote
those, and nothing was learned from them. `--write` writes what was learned to pipelines/judging/hint_weights.json.

The learner is a logistic regression over phrases, each weighted by how unevenly it stands in leaks and honest
sentences (Wang and Manning 2012, "Baselines and bigrams").
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from pipelines.judging.hint_words import LONGEST, OTHER, THRESHOLD, WEIGHTS, model_of, stem, weights_of, words_of

HERE = Path(__file__).parents[1]
CORPUS = HERE / "tests/pipelines/judging/hint_leaks"
LEAST_SENTENCES = 2
"""A phrase that stands in fewer sentences is not learned."""
MOST_TIMES = 1.1
"""A phrase that stands more often than so in a sentence that has it, such as "the", is not learned."""
PENALTY = 2.0
LEAST_WEIGHT = 0.05
"""Smaller weights are left out of the file."""


def sentences(name: str) -> list[str]:
    return (CORPUS / f"{name}.txt").read_text("utf-8").splitlines()


def phrases_of(texts: Sequence[str]) -> list[Counter[str]]:
    """Return how often each phrase stands in each text."""
    found = []
    for words in words_of(pl.Series(texts).str.to_lowercase()):
        stems = [stem(word) for word in words]
        starts = range(len(stems))
        found.append(
            Counter(" ".join(stems[at : at + n]) for n in range(1, LONGEST + 1) for at in starts[: len(stems) - n + 1])
        )
    return found


def learned(leaks: Sequence[str], honest: Sequence[str]) -> dict[str, float]:
    """Return the weight of each phrase, and under the empty one what every sentence starts from."""
    vectors = DictVectorizer(dtype=np.float64)
    labels = np.array([1] * len(leaks) + [0] * len(honest))
    times = vectors.fit_transform(phrases_of([*leaks, *honest])).tocsr()
    stands = (times > 0).astype(np.float64)
    sentences_with = np.asarray(stands.sum(axis=0)).ravel()
    names = vectors.get_feature_names_out()
    is_learned = (
        (sentences_with >= LEAST_SENTENCES)
        & (np.asarray(times.sum(axis=0)).ravel() <= MOST_TIMES * sentences_with)
        & np.array([re.fullmatch(OTHER, name) is None for name in names])  # single characters say too little
    )
    stands, names = stands[:, is_learned], names[is_learned]
    in_leaks, in_honest = (1 + np.asarray(stands[labels == label].sum(axis=0)).ravel() for label in (1, 0))
    uneven = np.sqrt(np.abs(np.log(in_leaks / in_leaks.sum()) - np.log(in_honest / in_honest.sum())))
    model = LogisticRegression(max_iter=3000, C=1 / PENALTY).fit(stands.multiply(uneven).tocsr(), labels)
    weights = zip(names, np.round(model.coef_[0] * uneven, 2).tolist(), strict=True)
    kept = {name: weight for name, weight in sorted(weights) if abs(weight) >= LEAST_WEIGHT}
    return {"": round(float(model.intercept_[0]), 2)} | kept


def main() -> None:
    weights = learned(sentences("leaks"), sentences("honest"))
    figures: dict[str, float] = {"phrases": len(weights) - 1}
    for kind, what in (("leaks", "found"), ("honest", "false")):
        tried = pl.Series(sentences(f"unseen_{kind}")).str.to_lowercase()
        weighed, is_chinese = weights_of(tried, model_of(weights)), tried.str.contains(OTHER).to_numpy()
        figures[f"english_{what}"] = round(float((weighed[~is_chinese] > THRESHOLD).mean()), 4)
        figures[f"chinese_{what}"] = round(float((weighed[is_chinese] > THRESHOLD).mean()), 4)
    print(json.dumps(figures))
    if "--write" in sys.argv[1:]:
        text = json.dumps(weights, ensure_ascii=False, indent=0, separators=(",", ":"))
        (HERE / "pipelines/judging" / WEIGHTS).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
