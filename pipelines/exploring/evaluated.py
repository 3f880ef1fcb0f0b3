"""An evaluation as data: what its page says, and every figure with its interval."""

import threading
from collections.abc import Mapping
from typing import Any

import polars as pl

from pipelines.evaluation.answer_facts import answer_facts
from pipelines.evaluation.attention import attention
from pipelines.evaluation.figures import Figures
from pipelines.evaluation.report import numbers
from pipelines.evaluation.wording import claim_sentence, claims_verdict, extent_words, protocol_words
from pipelines.exploring.opening import Opened
from schemas.errors import RecipeError
from schemas.evaluation import FIGURES
from storage.evaluations import Evaluation
from storage.tables import read_frame

_MOST = 20_000
"""Figures; of more, those of subsets and groups are left out."""


def evaluation_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return what an evaluation found. Raises RecipeError for a snapshot."""
    if not isinstance(evaluation := opened.version, Evaluation):
        raise RecipeError(f"{opened.name} is a snapshot; an evaluation has figures")
    return opened.once("evaluation", lambda: _evaluated(opened.name, evaluation))


def _evaluated(name: str, evaluation: Evaluation) -> dict[str, Any]:
    manifest = evaluation.manifest
    figures = Figures(evaluation.files("figures"))
    rows = read_frame(evaluation.files("figures"), FIGURES, FIGURES.names)
    if rows.height > _MOST:
        rows = rows.filter(~pl.col("figure").str.contains(": "))
    verdict = [claims_verdict(manifest.claims)] if manifest.claims else []
    return {
        "title": name,
        "created_at": manifest.created_at,
        "facts": [
            f"judge {manifest.judge_name}",
            f"up to {manifest.k_max} samples of a prompt",
            f"grmforge {manifest.package_version}",
        ],
        "tiles": list(numbers(manifest)),
        "attention": attention(manifest, figures, answer_facts(evaluation.files("judgements"))),
        "claims": [*verdict, *map(claim_sentence, manifest.claims)],
        "benchmarks": [
            {
                "name": entry.name,
                "protocol": protocol_words(entry),
                "extent": extent_words(entry),
                "items": entry.items,
                "outcomes": entry.outcomes,
                "headline": figures.headline(entry.name),
            }
            for entry in manifest.benchmarks
        ],
        "figures": rows.to_dicts(),
    }
