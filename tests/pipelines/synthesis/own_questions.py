"""Questions written by hand, their stage, and what synthesis makes of them: for the tests of this folder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker, Product
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.synthesis import synthesis_job, synthesize
from schemas.preference import Response
from schemas.query import user
from schemas.question import QUESTIONS, AnswerForm, Gold, Question, questions_table
from schemas.question import question as gold_question
from schemas.recipe import Recipe, recipe_of
from schemas.record import content_id
from storage.root import Root
from storage.stages import Stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from tests.examples import a_run, question, simulated

WORDS = ("an attach request", "a paging message", "a handover command", "a detach accept")


def asked(text: str, gold: Gold, source_id: str = "1", **given: Any) -> Question:
    """Return a question of the source "own"."""
    return gold_question(
        query=user(text),
        gold=gold,
        source="own",
        source_id=source_id,
        source_revision="r1",
        license="MIT",
        domain="telecom",
        reference=gold.answer,
        **given,
    )


def a_question(number: int, form: AnswerForm = AnswerForm.MATH, **given: Any) -> Question:
    """Return the number-th question of a form; no two are alike."""
    gold = {
        AnswerForm.MATH: Gold(AnswerForm.MATH, str(100 + number)),
        AnswerForm.NUMBER: Gold(AnswerForm.NUMBER, f"{100 + number} dB"),
        AnswerForm.OPTION: Gold(AnswerForm.OPTION, str(number % 4 + 1), WORDS),
        AnswerForm.TEXT: Gold(AnswerForm.TEXT, WORDS[number % 4], WORDS),
    }[form]
    return asked(question(number), gold, f"row {number:04}", **given)


def given(*answers: tuple[str, float | None], model: str = "m") -> tuple[Response, ...]:
    """Return answers that come with a question, as (text, label)."""
    return tuple(Response(text, reward, model=model, origin="given") for text, reward in answers)


def questions_stage(root: Root, questions: Iterable[Question], unreadable: int = 0) -> Stage:
    """Return a finished stage of these questions, as ingestion leaves one."""
    rows = sorted(questions, key=lambda one: (one.query_id, one.source_id))
    table = questions_table(rows)
    key = stage_key("source-own", 1, unreadable, [content_id("rows", str(table.to_pylist()))])
    with TableWriter(root, key, "questions", QUESTIONS) as writer:
        writer.write(table)
    facts = {"source": "own", "rows": len(rows) + unreadable, "unreadable": unreadable, "unit": "question"}
    return finish_stage(root, key, {"questions": writer.files}, facts)


def recipe(responder: Any = None, teacher: Any = None, **synthesis: Any) -> Recipe:
    """Return a recipe with these models; none of a role where it is None."""
    models = {"grm": simulated(), "responder": responder, "teacher": teacher}
    tree = {
        "build": {"name": "small", "seed": 7, "sets": ["rft"]},
        "sources": [{"kind": "preference_sets", "path": "own.jsonl"}],
        "models": {role: model for role, model in models.items() if model is not None},
        "synthesis": {"samples": 4, "single_share": 0.3} | synthesis,
    }
    return recipe_of(tree, Path())


def openai(url: str, **settings: Any) -> dict[str, Any]:
    """Return the section of a model behind an address."""
    return {"engine": "openai", "model": "stand-in", "base_url": url, "timeout_s": 10, "max_retries": 1} | settings


def asker(root: Root, recipe: Recipe, name: str) -> Asker:
    """Return one role as a run of its own asks it."""
    job = answer_job(recipe, name)
    assert job is not None
    return Asker(root, a_run(recipe)[0], job)


@dataclass(frozen=True)
class Made:
    """What synthesis made."""

    source: Product
    run: Run

    @property
    def sets(self) -> pl.DataFrame:
        return self.frame("sets")

    @property
    def kept(self) -> pl.DataFrame:
        return self.sets.filter(pl.col("drop_reason").is_null())

    @property
    def responses(self) -> pl.DataFrame:
        """Every response of every set, with the set's query_id, set_id, label and drop_reason."""
        columns = ["query_id", "set_id", "n_responses", "drop_reason", "responses"]
        rows = self.sets.select(columns).explode("responses", empty_as_null=False, keep_nulls=False)
        return rows.unnest("responses")

    @property
    def traces(self) -> pl.DataFrame:
        return self.frame("traces")

    @property
    def funnel(self) -> dict[str, int]:
        return {row["outcome"]: row["rows"] for row in self.source.stage.facts["synthesis"]["funnel"]}

    @property
    def uses(self) -> dict[str, dict[str, Any]]:
        return {use["role"]: use for use in self.source.stage.facts["synthesis"]["uses"]}

    def frame(self, table: str) -> pl.DataFrame:
        paths = self.source.stage.paths(table)
        return pl.read_parquet(paths) if paths else pl.DataFrame()

    def bytes_of(self, table: str) -> list[bytes]:
        return [path.read_bytes() for path in self.source.stage.paths(table)]


def made(root: Root, recipe: Recipe, questions: Sequence[Question], unreadable: int = 0) -> Made:
    """Return what synthesis makes of these questions."""
    run, _ = a_run(recipe)
    return Made(synthesize(synthesis_job(recipe), root, run, questions_stage(root, questions, unreadable)), run)
