"""The plan of an evaluation: what each benchmark would ask, by protocol, and the smallest difference it can show."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.ahead.estimates import BYTES_A_TOKEN, tokens_an_answer, usage_of
from pipelines.ahead.requests import SAMPLED_PROMPTS, Wanted
from pipelines.ahead.roles import AskedRole, RolePlan, plan_role
from pipelines.engines.answering import Run
from pipelines.evaluation.asking import missing_samples
from pipelines.evaluation.claims import smallest_difference
from pipelines.evaluation.curves import SELECTORS
from pipelines.evaluation.evaluate import Asked, asked_of
from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.reading import benchmark_of, is_downloaded, is_to_be_built
from pipelines.evaluation.reward_model import RewardModel
from pipelines.evaluation.samples import Judge
from pipelines.evaluation.scoring import wanted_scores
from pipelines.evaluation.wording import counted
from schemas.query import Messages, messages_of, user
from schemas.recipe import Recipe
from schemas.recipe.evaluate import BenchmarkSection
from storage.generations import Generations
from storage.root import Root

MOST_ROWS = 2**31 - 1
_MEASURED_BY = "grmforge evaluate --limit 20"


@dataclass(frozen=True)
class BenchmarkPlan:
    """What the judge would be asked about one benchmark."""

    name: str
    protocol: str
    not_here: str = ""
    """Why its rows cannot be counted yet; then all that follows is None."""
    items: int | None = None
    clusters: int | None = None
    by_protocol: dict[str, int] | None = None
    """Samples that each of the benchmark's protocols would take."""
    smallest_difference: float | None = None
    """Between a selector and voting, where one item in ten changes: found with 80 % power among all comparisons.

    None of one sample, of which there is nothing to choose."""
    judge: RolePlan | None = None
    meta_rm: RolePlan | None = None
    """The scores of the judge's answers; None without a Meta RM."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def _smallest(self) -> list[str]:
        if self.smallest_difference is None:
            return []
        smallest = "none shows" if self.smallest_difference >= 1 else f"{self.smallest_difference:.1%}"
        over = f"over {counted(self.clusters or 0, 'cluster')}, where an item in ten changes"
        return [f"    smallest difference {smallest:>10}   between a selector and voting, {over}"]

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        if self.by_protocol is None or self.judge is None:
            return [f"  {self.name}: {self.not_here}, {self.protocol}"]
        protocols = ", ".join(f"{name} {requests:,}" for name, requests in self.by_protocol.items())
        return [
            f"  {self.name}: {counted(self.items or 0, 'item')}, {self.protocol}",
            f"    by protocol                      {protocols}",
            *self._smallest(),
            *self.judge.lines()[1:],
            *([] if self.meta_rm is None else ["    scores of these judgements:", *self.meta_rm.lines()[1:]]),
        ]


def plan_evaluation(recipe: Recipe, root: Root, run: Run, *, download: bool = False) -> tuple[BenchmarkPlan, ...]:
    """Return what evaluating the recipe's judge would ask; nothing where it names no benchmark. Calls no model.

    A benchmark that is not on this machine is not read, unless a download is wanted.
    """
    sections = recipe.evaluate.benchmarks
    absent = {section.title: why for section in sections if (why := _absence(recipe, root, section, download))}
    here = tuple(section for section in sections if section.title not in absent)
    settings = recipe.evaluate.model_copy(update={"benchmarks": here})
    asked = asked_of(recipe.model_copy(update={"evaluate": settings}), root) if here else []
    comparisons = len(sections) * len(recipe.evaluate.compare or SELECTORS)
    planned = {one.read.title: _plan(recipe, root, run, one, comparisons) for one in asked}
    planned |= {
        section.title: BenchmarkPlan(section.title, _protocol(section), absent[section.title])
        for section in sections
        if section.title in absent
    }
    return tuple(planned[section.title] for section in sections)


def _absence(recipe: Recipe, root: Root, section: BenchmarkSection, download: bool) -> str:
    """Say why a benchmark cannot be read yet; nothing where it can be."""
    if is_to_be_built(recipe, root, section):
        return f"not there before {recipe.build.name} is built"
    if download or is_downloaded(section):
        return ""
    published = list(benchmark_of(section).whole.values())
    if section.hub or not published or None in published:
        rows = "rows unknown"
    else:
        rows = f"at most {min(sum(filter(None, published)), section.limit or MOST_ROWS):,} rows"
    return f"not downloaded (plan --download fetches it): {rows}"


def _protocol(section: BenchmarkSection) -> str:
    return (section.protocol or benchmark_of(section).protocols[0]).value


def _plan(recipe: Recipe, root: Root, run: Run, asked: Asked, comparisons: int) -> BenchmarkPlan:
    read, k = asked.read, asked.judge.n
    known = [read.protocol] if isinstance(asked.judge, RewardModel) else read.benchmark.protocols
    by_protocol = {protocol.value: k * sum(len(row.prompts(protocol)) for row in read.rows) for protocol in known}
    role = AskedRole(
        read.title,
        asked.judge.role,
        asked.judge.model,
        asked.judge.settings.max_tokens,
        (f"evaluating {read.title} with {asked.judge.model.name}",),
        _MEASURED_BY,
    )
    clusters = len(set(read.clusters))
    planned = plan_role(root, role, _wanted(root, run, asked), Path(recipe.directory), None)
    smallest = smallest_difference(clusters, comparisons=comparisons) if k > 1 else None
    counts = "", len(read.rows), clusters, by_protocol, smallest
    return BenchmarkPlan(read.title, read.protocol.value, *counts, planned, _plan_of_scores(recipe, root, run, asked))


def _plan_of_scores(recipe: Recipe, root: Root, run: Run, asked: Asked) -> RolePlan | None:
    """Return what the Meta RM would be asked: a score of each judgement, as far as they can be read."""
    meta_rm, judge, read = asked.meta_rm, asked.judge, asked.read
    if meta_rm is None or isinstance(judge, RewardModel):
        return None
    wanted = Wanted(requests_are="at most")
    for request, is_stored in wanted_scores(root, meta_rm, judge, read.rows, asked.prompts, run.retry_failed):
        wanted.requests += 1
        wanted.cached += is_stored
        if not is_stored:
            wanted.see(messages_of(request.body["messages"]))
    usage = usage_of(Generations(root), judge.role, judge.model.model)
    answer = round(tokens_an_answer(usage, judge.settings.max_tokens).value * BYTES_A_TOKEN)
    for place, indices in missing_samples(root, asked.prompts, judge, run.retry_failed).items():
        draw = asked.prompts[place].draws(judge).draw(indices[0])
        wanted.requests += len(indices)
        wanted.see(user(draw.prompt), times=len(indices))
        wanted.missing_bytes += answer * len(indices)
    wanted.most = wanted.requests
    stage = f"scoring judgements of {read.title} with {meta_rm.job.model.name}"
    role = AskedRole(read.title, meta_rm.job.role, meta_rm.job.model, 0, (stage,), _MEASURED_BY)
    return plan_role(root, role, wanted, Path(recipe.directory), None)


def _wanted(root: Root, run: Run, asked: Asked) -> Wanted:
    """Return the samples and the greedy answers that are wanted, and which of them are missing."""
    wanted = Wanted()
    for judge, prompts in asked.orders:
        wanted.requests += len(prompts) * judge.n
        missing = missing_samples(root, prompts, judge, run.retry_failed)
        wanted.cached += len(prompts) * judge.n - sum(map(len, missing.values()))
        stride = max(1, len(prompts) * judge.n // SAMPLED_PROMPTS)
        for place, indices in missing.items():
            wanted.see(_turns(judge, prompts[place], indices[0]), stride=stride, times=len(indices))
    wanted.most = wanted.requests
    return wanted


def _turns(judge: Judge, prompt: Prompt, index: int) -> Messages:
    """Return what a judge is shown in a sample."""
    if isinstance(judge, RewardModel):
        return judge.turns_of(prompt)
    return user(prompt.draws(judge).draw(index).prompt)
