"""Stored answers of a recipe before any version is published: what was asked, what came back, how it was read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from pipelines.ahead.inputs import plan_inputs
from pipelines.ahead.probed import in_order
from pipelines.engines.answering import Run
from pipelines.judging.judging import stored_trajectories
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import wanted_answers
from pipelines.reporting.example_parts import STORED, Example
from pipelines.reporting.examples import as_json
from pipelines.reporting.meanings import meaning
from pipelines.rubrics.giving import rubric_settings, with_criteria
from pipelines.steps import purposes_of
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from schemas.trajectory import Outcome, Purpose
from storage.root import Root
from storage.stages import Stage


@dataclass(frozen=True)
class StoredAnswers:
    """The stored answers of one model for one purpose."""

    purpose: str
    model: str
    outcomes: dict[str, int]
    wanted: int
    """Answers that the recipe needs, when every one is readable."""
    examples: list[Example] = field(repr=False)
    """Of the outcome and the source that are asked for; different outcomes in turn, then different sets."""

    @property
    def answers(self) -> int:
        return sum(self.outcomes.values())

    def as_json(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("purpose", "model", "answers", "outcomes", "wanted")}
        return counts | {"examples": [as_json(example) for example in self.examples]}

    def lines(self) -> Iterator[str]:
        """Yield the counts by outcome, readable ones first, with what each means."""
        outcomes = Counter(self.outcomes)
        readable = sum(rows for outcome, rows in outcomes.items() if Outcome(outcome).readable)
        yield (
            f"{self.purpose} with {self.model}: {readable:,} of {self.answers:,} readable; {self.wanted:,} answers are "
            "wanted"
        )
        for outcome in in_order(outcomes):
            yield f"  {outcomes[outcome]:>7,} {outcome:<13} {meaning(outcome).words}"


def stored_answers(
    recipe: Recipe, root: Root, run: Run, *, outcome: str | None, source: str | None, n: int
) -> list[StoredAnswers]:
    """Return what is stored of every model that judges, with up to `n` examples in all. No model is asked.

    Raises RecipeError where nothing is stored that the recipe would use, or nothing of this outcome or source.
    """
    if outcome is not None and outcome not in set(Outcome):
        raise RecipeError(f"no outcome {outcome!r}; there are: {', '.join(Outcome)}")
    if source is not None and source not in (names := [section.source for section in recipe.sources]):
        raise RecipeError(f"the recipe has no source {source!r}; it has: {', '.join(names)}")
    curated = plan_inputs(recipe, root, run, download=False).curated if recipe.sources else None
    if curated is None:
        raise RecipeError(
            "no set of the recipe is here yet to look at answers about; grmforge plan says what is missing"
        )
    curated = with_criteria(rubric_settings(recipe), root, run, curated, search=False)
    purposes = dict.fromkeys([Purpose.RFT, *purposes_of(recipe)])  # a probe asks for RFT's samples in any case
    jobs = [job for purpose in purposes if (job := sampling_job(recipe, purpose)) is not None]
    found = [_of_job(root, job, curated, outcome, source, n) for job in jobs]
    found = [stored for stored in found if stored.answers]
    if not found:
        raise RecipeError(
            f"no stored answer under {root.where()} is one that {recipe.build.name} would use, and those to other "
            "prompts, models or settings are not; grmforge probe RECIPE -n 20 asks for some"
        )
    if not any(stored.examples for stored in found):
        there = Counter[str]()
        for stored in found:
            there.update(stored.outcomes)
        listed = ", ".join(f"{name} ({rows:,})" for name, rows in there.most_common())
        of_source = f" of source {source!r}" if source else ""
        raise RecipeError(f"no stored answer{of_source} is {outcome or 'there'}; there are: {listed}")
    return list(_shared(found, n))


def _of_job(
    root: Root, job: SamplingJob, curated: Stage, outcome: str | None, source: str | None, n: int
) -> StoredAnswers:
    outcomes = Counter[str]()
    kept: dict[str, list[Example]] = {}
    for sets, table in stored_trajectories(root, job, curated):
        by_id = {preference.set_id: preference for preference in sets}
        columns = (table.column(name).to_pylist() for name in ("outcome", "source", "set_id"))
        for place, (read_as, of_source, set_id) in enumerate(zip(*columns, strict=True)):
            if source is not None and of_source != source:
                continue
            outcomes[read_as] += 1
            examples = kept.setdefault(read_as, [])
            is_new = not examples or examples[-1].row["set_id"] != set_id  # of one set, the first sample
            if outcome in (None, read_as) and len(examples) < n and is_new:
                (row,) = table.slice(place, 1).to_pylist()
                examples.append(Example(STORED, row, by_id[set_id]))
    examples = _in_turn([kept[name] for name in in_order(outcomes)])[:n]
    return StoredAnswers(
        job.purpose.value, job.model.name, dict(outcomes.most_common()), wanted_answers(job, curated), examples
    )


def _shared(found: Sequence[StoredAnswers], n: int) -> Iterator[StoredAnswers]:
    """Yield the same with `n` examples in all, taken in turn from each model."""
    chosen = {id(example) for example in _in_turn([stored.examples for stored in found])[:n]}
    for stored in found:
        examples = [example for example in stored.examples if id(example) in chosen]
        yield StoredAnswers(stored.purpose, stored.model, stored.outcomes, stored.wanted, examples)


def _in_turn(lists: Sequence[Sequence[Example]]) -> list[Example]:
    return [example for example in chain.from_iterable(zip_longest(*lists)) if example is not None]
