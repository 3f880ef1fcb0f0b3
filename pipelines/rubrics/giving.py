"""Giving: each set gets the criteria that a judge is to begin from, those of other questions' rubrics.

The pools are searched as they stand when a build begins, and what a question was given is stored: the next night
gives it the same, whatever the pools hold by then, until the settings change. Never does a set get what was made from
its own cluster, but as `own_rubric`, which only hinted prompts show.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run
from pipelines.rubrics.cases import own_queries, question_text
from pipelines.rubrics.library import Library
from pipelines.rubrics.opening import open_retriever
from pipelines.rubrics.retrieval import FoundCriterion, Question
from schemas.licenses import license_key
from schemas.preference import SETS, Split, sets_of
from schemas.recipe import Recipe
from schemas.record import content_id
from schemas.rubric import RUBRICS, Criterion, Origin, Rubric, rubrics_table
from schemas.training import GENERAL
from storage.root import Root
from storage.rubric_tables import Given, add_given, read_given, read_rubrics
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableFile, TableWriter
from storage.tables import read_batches, read_table

STAGE_VERSION = 1
_SEARCH_SETTINGS = ("given", "k", "candidates", "lexical_weight", "reranker", "embedding", "revision", "seeds")


def shows_criteria(recipe: Recipe) -> bool:
    """Say whether any judge of a build is to see criteria, given ones or those of a hint."""
    return gives_criteria(recipe) or recipe.grm.rubric_hint


def gives_criteria(recipe: Recipe) -> bool:
    """Say whether any judge of a build is to begin from given criteria."""
    return recipe.grm.principles == "rubric" or recipe.grm.compare_principles


def with_criteria(recipe: Recipe, root: Root, run: Run, curated: Stage, *, search: bool = True) -> Stage:
    """Return the curated stage, its sets with the criteria that the recipe's judges are to see.

    The stage itself where they see none. No model but the embedding one is called, and that for new questions only;
    without `search`, as a plan wants it, not even that: a line of the usual length stands in for their criteria.
    """
    if not shows_criteria(recipe):
        return curated
    run.watcher.stage("looking up criteria", None)
    queries = _queries(curated)
    given = _given(recipe, root, run, curated, queries, search) if gives_criteria(recipe) else {}
    made = _made_of(root, set(queries["query_id"]), recipe.build.license_keys)
    own = {one.query_id: criteria_text(one.kept) for one in made if one.kept} if recipe.grm.rubric_hint else {}
    # Not by `made`: what the snapshot tells of rubrics stands as it stood when these criteria were first given.
    inputs = [curated.content, content_id("criteria", sorted(given.items()), sorted(own.items()))]
    key = stage_key("curated-with-criteria", STAGE_VERSION, [], inputs)
    if found := find_stage(root, key):
        return found
    with TableWriter(root, key, "sets", SETS) as writer:
        for batch in read_batches(curated.paths("sets"), SETS):
            writer.write(_with_columns(batch, given, own))
    with TableWriter(root, key, "rubrics", RUBRICS) as rubric_writer:
        rubric_writer.write(rubrics_table(made))
    files = {"sets": writer.files, "rubrics": rubric_writer.files, "general": _general(root, key, curated)}
    return finish_stage(root, key, files, curated.facts, [curated])


def _queries(curated: Stage) -> pl.DataFrame:
    """Return query_id and domain of every question that is sampled with several responses, once each."""
    columns = ["query_id", "domain", "split", "n_responses", "drop_reason"]
    frame = pl.from_arrow(read_table(curated.paths("sets"), SETS, columns))
    assert isinstance(frame, pl.DataFrame)
    sampled = pl.col("drop_reason").is_null() & (pl.col("split") != Split.TEST.value) & (pl.col("n_responses") > 1)
    return frame.filter(sampled).unique("query_id", keep="first", maintain_order=True).select("query_id", "domain")


def _given(
    recipe: Recipe, root: Root, run: Run, curated: Stage, queries: pl.DataFrame, search: bool
) -> dict[str, Given]:
    """Return what each question is given: what it was given before, or what the pools hold for it now."""
    settings = recipe.rubrics
    settings_id = content_id("given", settings.model_dump(include=set(_SEARCH_SETTINGS)), *licensed(recipe))
    own = own_queries(curated)
    given = read_given(root, settings_id, {query_id: own[query_id] for query_id in queries["query_id"]})
    missing = queries.filter(~pl.col("query_id").is_in(list(given)))
    if not search:
        return given | dict.fromkeys(missing["query_id"], _stand_in(settings.given))
    if not missing.height:
        return given
    run.watcher.stage(f"searching criteria for {missing.height:,} questions", None)
    texts = _texts(curated, missing["query_id"])
    questions = [Question(texts[query_id], domain, own[query_id]) for query_id, domain in missing.iter_rows()]
    licenses = recipe.build.licenses
    with open_retriever(root, settings, run.keys, Path(recipe.directory), licenses) as retriever:
        found = retriever.search(questions, max(settings.k, settings.given))
        new = {
            query_id: _as_given(one.criteria[: settings.given], retriever.library)
            for query_id, one in zip(missing["query_id"], found, strict=True)
        }
    add_given(root, settings_id, new)
    return given | new


def _texts(curated: Stage, wanted: pl.Series) -> dict[str, str]:
    """Return what is searched for each question: the text of the first set that asks it."""
    texts: dict[str, str] = {}
    ids = wanted.to_arrow()
    for batch in read_batches(curated.paths("sets"), SETS):
        is_sampled = pc.and_(pc.is_null(batch.column("drop_reason")), pc.greater(batch.column("n_responses"), 1))
        rows = batch.filter(pc.and_(is_sampled, pc.is_in(batch.column("query_id"), ids)))
        for one in sets_of(rows):
            texts.setdefault(one.query_id, question_text(one))
    return texts


def _stand_in(count: int) -> Given:
    """Return about so much text as so many criteria have; those that ship have 75 to 110 characters as a rule."""
    return Given(
        (),
        "\n".join(["- (15%) A criterion of a similar question; the build looks it up when it begins. .."] * count),
        (),
    )


def _as_given(found: Sequence[FoundCriterion], library: Library) -> Given:
    criteria = [one.criterion for one in found]
    origins: set[str] = set().union(*(library.origins(one.criterion, one.rubric.domain) for one in found))
    return Given(tuple(one.criterion_id for one in criteria), criteria_text(criteria), tuple(sorted(origins)))


def criteria_text(criteria: Sequence[Criterion]) -> str:
    """Return criteria as a judge reads them, those of most weight first, pitfalls last."""
    merits = [one for one in criteria if one.points > 0]
    total = sum(one.points for one in merits)
    ordered = sorted(merits, key=lambda one: -one.points)
    lines = [f"- ({one.points / total:.0%}) {one.text}" for one in ordered]
    return "\n".join([*lines, *(f"- (pitfall) {one.text}" for one in criteria if one.points < 0)])


def licensed(recipe: Recipe) -> list[list[str]]:
    """Return what looked-up criteria depend on of the allowed licences: nothing where all are."""
    return [] if recipe.build.license_keys is None else [recipe.build.license_keys]


def _made_of(root: Root, wanted: AbstractSet[str], allowed: Sequence[str] | None) -> list[Rubric]:
    """Return the rubrics that were made of these questions, as they stand: what was dropped is among them."""
    made = [one for one in read_rubrics(root) if one.origin == Origin.GENERATED and one.query_id in wanted]
    made = [one for one in made if allowed is None or license_key(one.license) in allowed]
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
        "given_principles": [one.text or None if one else None for one in found],
        "given_ids": [one.criterion_ids if one else None for one in found],
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
