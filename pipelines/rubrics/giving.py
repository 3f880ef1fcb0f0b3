"""Giving: each set gets the criteria that a judge is to begin from, those of other questions' rubrics.

The pools are searched as they stand when a build begins, and what a question was given is stored: the next night
gives it the same, whatever the pools hold by then, until the settings change. Never does a set get what was made from
its own cluster, but as `own_rubric`, which only hinted prompts show.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipelines.engines.answering import Run
from pipelines.rubrics.opening import open_retriever
from pipelines.rubrics.retrieval import FoundCriterion, Question
from schemas.preference import SETS, PreferenceSet, Split
from schemas.recipe import Recipe
from schemas.record import content_id
from schemas.rubric import Criterion, Origin, Rubric, case_text
from schemas.rubric_table import RUBRICS, rubrics_table
from schemas.set_table import sets_of
from schemas.training import GENERAL
from storage.given_criteria import Given, add_given, read_given
from storage.root import Root
from storage.rubric_tables import read_rubrics
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.tables import TableFile, TableWriter, read_batches, read_table

STAGE_VERSION = 1
_SEARCH_SETTINGS = ("given", "k", "candidates", "lexical_weight", "reranker", "embedding", "revision", "seeds")


def with_criteria(recipe: Recipe, root: Root, run: Run, curated: Stage) -> Stage:
    """Return the curated stage, its sets with the criteria that the recipe's judges are to see.

    The stage itself where they see none. No model but the embedding one is called, and that for new questions only.
    """
    gives = recipe.grm.principles == "rubric" or recipe.grm.compare_principles
    if not gives and not recipe.grm.rubric_hint:
        return curated
    run.watcher.stage("looking up criteria", None)
    queries = _queries(curated)
    given = _given(recipe, root, run, curated, queries) if gives else {}
    made = _made_of(root, queries)
    own = {one.query_id: criteria_text(one.kept) for one in made if one.kept} if recipe.grm.rubric_hint else {}
    inputs = [
        curated.content,
        content_id("criteria", sorted(given.items()), sorted(own.items())),
        content_id("made", [[one.rubric_id, one.trial] for one in made]),
    ]
    key = stage_key("curated-with-criteria", STAGE_VERSION, [], inputs)
    if found := find_stage(root, key):
        return found
    with TableWriter(root, key, "sets", SETS) as writer:
        for batch in read_batches(curated.paths("sets"), SETS):
            writer.write(_with_columns(batch, given, own))
    with TableWriter(root, key, "rubrics", RUBRICS) as rubric_writer:
        rubric_writer.write(rubrics_table(made))
    files = {"sets": writer.files, "rubrics": rubric_writer.files, "general": _general(root, key, curated)}
    return finish_stage(root, key, files, curated.facts)


def _queries(curated: Stage) -> pl.DataFrame:
    """Return query_id, cluster and domain of every question that is sampled with several responses, once each."""
    columns = ["query_id", "cluster", "domain", "split", "n_responses", "drop_reason"]
    frame = pl.from_arrow(read_table(curated.paths("sets"), SETS, columns))
    assert isinstance(frame, pl.DataFrame)
    sampled = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1)
    return frame.filter(sampled).unique("query_id", keep="first", maintain_order=True).select(columns[:3])


def _given(recipe: Recipe, root: Root, run: Run, curated: Stage, queries: pl.DataFrame) -> dict[str, Given]:
    """Return what each question is given: what it was given before, or what the pools hold for it now."""
    settings = recipe.rubrics
    settings_id = content_id("given", settings.model_dump(include=set(_SEARCH_SETTINGS)))
    wanted = set(queries["query_id"])
    given = {query_id: one for query_id, one in read_given(root, settings_id).items() if query_id in wanted}
    missing = queries.filter(~pl.col("query_id").is_in(list(given)))
    if not missing.height:
        return given
    run.watcher.stage(f"searching criteria for {missing.height:,} questions", None)
    members = _members(queries)
    texts = _case_texts(curated, set(missing["query_id"]))
    questions = [
        Question(texts[query_id], domain, members[cluster]) for query_id, cluster, domain in missing.iter_rows()
    ]
    with open_retriever(root, settings, run.keys, Path(recipe.directory)) as retriever:
        found = retriever.search(questions, max(settings.k, settings.given))
    new = {
        query_id: _as_given(one.criteria[: settings.given])
        for query_id, one in zip(missing["query_id"], found, strict=True)
    }
    add_given(root, settings_id, new)
    return given | new


def _members(queries: pl.DataFrame) -> dict[str | None, frozenset[str]]:
    """Return the questions of each cluster."""
    members: defaultdict[str | None, set[str]] = defaultdict(set)
    for query_id, cluster, _ in queries.iter_rows():
        members[cluster].add(query_id)
    return {cluster: frozenset(queries) for cluster, queries in members.items()}


def _case_texts(curated: Stage, wanted: set[str]) -> dict[str, str]:
    """Return what is searched for each question: the text of the first set that asks it."""
    texts: dict[str, str] = {}
    for batch in read_batches(curated.paths("sets"), SETS):
        rows = [row for row, query_id in enumerate(batch.column("query_id").to_pylist()) if query_id in wanted]
        for one in sets_of(batch.take(rows)):
            if one.drop_reason is None and one.n_responses > 1:
                texts.setdefault(one.query_id, _case_text(one))
    return texts


def _case_text(preference: PreferenceSet) -> str:
    return case_text(preference.query, [response.text for response in preference.responses])


def _as_given(found: Sequence[FoundCriterion]) -> Given:
    criteria = [one.criterion for one in found]
    return tuple(one.criterion_id for one in criteria), criteria_text(criteria)


def criteria_text(criteria: Sequence[Criterion]) -> str:
    """Return criteria as a judge reads them, those of most weight first, pitfalls last."""
    merits = [one for one in criteria if one.points > 0]
    total = sum(one.points for one in merits)
    ordered = sorted(merits, key=lambda one: -one.points)
    lines = [f"- ({one.points / total:.0%}) {one.text}" for one in ordered]
    return "\n".join([*lines, *(f"- (pitfall) {one.text}" for one in criteria if one.points < 0)])


def _made_of(root: Root, queries: pl.DataFrame) -> list[Rubric]:
    """Return the rubrics that were made of these questions, as they stand: what was dropped is among them."""
    wanted = set(queries["query_id"])
    made = [one for one in read_rubrics(root) if one.origin == Origin.GENERATED and one.query_id in wanted]
    return sorted(made, key=lambda one: (one.query_id, one.rubric_id))


def _with_columns(batch: pa.Table, given: Mapping[str, Given], own: Mapping[str, str]) -> pa.Table:
    """Return the sets with their criteria; test sets and dropped ones have none."""
    open_ones = [
        query_id if reason is None and split != Split.TEST and n > 1 else None
        for query_id, reason, split, n in zip(
            *(batch.column(name).to_pylist() for name in ("query_id", "drop_reason", "split", "n_responses")),
            strict=True,
        )
    ]
    found = [given.get(query_id) if query_id else None for query_id in open_ones]
    columns = {
        "given_principles": [one[1] or None if one else None for one in found],
        "given_ids": [one[0] if one else None for one in found],
        "own_rubric": [own.get(query_id) if query_id else None for query_id in open_ones],
    }
    for name, values in columns.items():
        at = SETS.get_field_index(name)
        batch = batch.set_column(at, SETS.field(at), pa.array(values, SETS.field(at).type))
    return batch


def _general(root: Root, key: str, curated: Stage) -> list[TableFile]:
    """Write the general rows' table again under this stage."""
    with TableWriter(root, key, "general", GENERAL) as writer:
        for batch in read_batches(curated.paths("general"), GENERAL):
            writer.write(batch)
    return writer.files
