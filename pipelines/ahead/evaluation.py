"""The plan of an evaluation: what each benchmark would ask, by protocol, and the smallest difference it can show."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.ahead.requests import SAMPLED_PROMPTS, Wanted
from pipelines.ahead.roles import AskedRole, RolePlan, plan_role
from pipelines.engines.answering import Run
from pipelines.evaluation.asking import missing_samples
from pipelines.evaluation.claims import smallest_difference
from pipelines.evaluation.curves import SELECTORS
from pipelines.evaluation.evaluate import Asked, asked_of
from schemas.query import user
from schemas.recipe import Recipe
from storage.root import Root


@dataclass(frozen=True)
class BenchmarkPlan:
    """What the judge would be asked about one benchmark."""

    name: str
    protocol: str
    items: int
    clusters: int
    by_protocol: dict[str, int]
    """Samples that each of the benchmark's protocols would take."""
    smallest_difference: float
    """Between a selector and voting, where one item in ten changes: found with 80 % power among all comparisons."""
    judge: RolePlan

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        protocols = ", ".join(f"{name} {requests:,}" for name, requests in self.by_protocol.items())
        return [
            f"  {self.name}: {self.items:,} items, {self.protocol}",
            f"    by protocol                      {protocols}",
            f"    smallest difference {self.smallest_difference:>10.1%}   between a selector and voting, over "
            f"{self.clusters:,} clusters, where an item in ten changes",
            *self.judge.lines()[1:],
        ]


def plan_evaluation(recipe: Recipe, root: Root, run: Run) -> tuple[BenchmarkPlan, ...]:
    """Return what evaluating the recipe's judge would ask; nothing where it names no benchmark. Calls no model."""
    if not recipe.evaluate.benchmarks:
        return ()
    asked = asked_of(recipe, root)
    comparisons = len(asked) * len(recipe.evaluate.compare or SELECTORS)
    return tuple(_plan(recipe, root, run, one, comparisons) for one in asked)


def _plan(recipe: Recipe, root: Root, run: Run, asked: Asked, comparisons: int) -> BenchmarkPlan:
    read, k = asked.read, asked.judge.n
    by_protocol = {
        protocol.value: k * sum(len(row.prompts(protocol)) for row in read.rows)
        for protocol in read.benchmark.protocols
    }
    role = AskedRole(
        read.title,
        asked.judge.role,
        asked.judge.model,
        asked.judge.settings.max_tokens,
        (f"evaluating {read.title} with {asked.judge.model.name}",),
    )
    clusters = len(set(read.clusters))
    planned = plan_role(root, role, _wanted(root, run, asked), Path(recipe.directory), None)
    smallest = smallest_difference(clusters, comparisons=comparisons)
    return BenchmarkPlan(read.title, read.protocol.value, len(read.rows), clusters, by_protocol, smallest, planned)


def _wanted(root: Root, run: Run, asked: Asked) -> Wanted:
    """Return the samples and the greedy answers that are wanted, and which of them are missing."""
    wanted = Wanted()
    for judge, prompts in asked.orders:
        wanted.requests += len(prompts) * judge.n
        missing = missing_samples(root, prompts, judge, run.retry_failed)
        wanted.cached += len(prompts) * judge.n - sum(map(len, missing.values()))
        stride = max(1, len(prompts) * judge.n // SAMPLED_PROMPTS)
        for place, indices in missing.items():
            draw = prompts[place].draws(judge).draw(indices[0])
            wanted.see(user(draw.prompt), stride=stride, times=len(indices))
    wanted.most = wanted.requests
    return wanted
