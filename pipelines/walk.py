"""How a build is walked: a step is a record, and one loop makes each step's stage once all that it needs is there.

The command walks the steps in its own process, a flow in a task each. Neither knows what a step does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from pipelines.engines.answering import Run, wait_for_batches
from pipelines.engines.asking import Answers, Product
from pipelines.judging.samples import SamplingJob
from schemas.errors import Waiting
from schemas.recipe import ModelSection, SourceSection
from storage.root import Root
from storage.stages import Stage

_T = TypeVar("_T")


@dataclass(frozen=True)
class Asking:
    """How a step asks a model about the one stage that it needs. Several processes may each ask for some buckets."""

    subject: str
    """What is asked about, as tasks and logs name it: "source 0", "rft"."""
    find: Callable[[Root, Stage, bool], Stage | None]
    """Returns the finished stage, if it is there. True: not one with failed requests, which are to be asked again."""
    ask: Callable[[Root, Run, Stage, Collection[int]], Answers]
    """Asks about some buckets; returns what was bought, and what was given up for now."""
    finish: Callable[[Root, Run, Stage, Answers], Product]
    """Makes the product of the stage that the step needs, once all was asked and this came of it."""
    prepare: Callable[[Root, Run, Stage], Product] | None = None
    """Makes the stage to ask about, where that is not the one that the step needs."""


@dataclass(frozen=True)
class Step:
    """One stage of a build."""

    name: str
    needs: tuple[str, ...]
    """The steps whose stages it reads, in order."""
    make: Callable[[Root, Run, Sequence[Stage]], Product]
    """Makes the product of these stages, or finds it."""
    role: str | None = None
    """The role that is asked most; None where no model is asked."""
    models: Mapping[str, ModelSection] = field(default_factory=dict)
    """All models that may be asked, by role."""
    asking: Asking | None = None
    """None where nothing can be asked in shares."""
    section: SourceSection | None = None
    """The source that is read, or whose sets are made."""
    job: SamplingJob | None = None
    """What is sampled and judged."""

    @property
    def model(self) -> ModelSection | None:
        """The model that is asked most; None where the recipe names none."""
        return self.models.get(self.role or "")


def walk(
    steps: Sequence[Step],
    make: Callable[[Step, list[_T]], _T],
    wait: Callable[[list[ModelSection]], None] | None = None,
) -> dict[str, _T]:
    """Make each step of what it needs; return what was made, by the step's name.

    A step whose answers lie in batches does not hold up the others: all of them submit their own first. Then `wait`
    returns when a batch of one of these models has ended, and the walk goes on. Without `wait`, Waiting is raised.
    """
    made: dict[str, _T] = {}
    while True:
        waiting: list[tuple[Step, Waiting]] = []
        for step in steps:
            if step.name in made or not made.keys() >= set(step.needs):
                continue
            try:
                made[step.name] = make(step, [made[name] for name in step.needs])
            except Waiting as error:
                waiting.append((step, error))
        if not waiting:
            return made
        if wait is None:
            raise Waiting("; ".join(str(error) for _, error in waiting))
        wait([model for step, _ in waiting for model in step.models.values() if model.batch])


def walked(steps: Sequence[Step], root: Root, run: Run) -> dict[str, Product]:
    """Walk the steps in this process; with `run.wait`, stay until every batch has ended.

    Raises ForgeError; what was bought by then is kept.
    """
    wait = partial(wait_for_batches, root, run) if run.wait else None
    return walk(steps, lambda step, needed: step.make(root, run, [product.stage for product in needed]), wait)
