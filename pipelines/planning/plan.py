"""The plan: rows, requests, tokens, hours and cost of a build before anything is spent.

No model is called and nothing large is downloaded unless the caller asks for it: a probe, a download.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.build import check_keys, purposes_of
from pipelines.engines.answering import Run
from pipelines.grm.samples import sampling_job
from pipelines.planning.inputs import InputPlan, Inputs, plan_inputs
from pipelines.planning.rates import AnswerRate, probed_rate
from pipelines.planning.roles import RolePlan, plan_role
from pipelines.probe import sample_some
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from schemas.trajectory import Purpose
from storage.root import Root


@dataclass(frozen=True)
class Plan:
    """What a build would read and ask."""

    name: str
    is_exact: bool
    """Whether every source is here, so that rows and requests are counted, not bounded."""
    inputs: tuple[InputPlan, ...]
    roles: tuple[RolePlan, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """Return the plan as a table for a terminal."""
        rows = "rows and requests are exact" if self.is_exact else "not all rows are here: requests are upper bounds"
        lines = [f"plan of {self.name}; {rows}", "", *(one.line() for one in self.inputs)]
        if not self.is_exact:
            lines += ["", "  grmforge plan --download fetches what is not here, and counts it"]
        for role in self.roles:
            lines += ["", *role.lines()]
        return "\n".join(lines)


def plan_of(recipe: Recipe, root: Root, run: Run, *, probe: int | None = None, download: bool = False) -> Plan:
    """Return the plan of a build.

    `probe` asks each model for the samples of so many sets, to measure its rate and its tokens; the build uses these
    answers. `download` fetches sources that are not on this machine yet.
    """
    inputs = plan_inputs(recipe, root, run, download=download)
    rates = _probed(recipe, root, run, inputs, probe) if probe else {}
    roles = []
    for purpose in purposes_of(recipe):
        job = sampling_job(recipe, purpose)
        if job is not None:
            roles.append(plan_role(root, job, inputs, Path(recipe.directory), rates.get(purpose)))
    return Plan(recipe.build.name, inputs.is_exact, inputs.plans, tuple(roles))


def _probed(recipe: Recipe, root: Root, run: Run, inputs: Inputs, n: int) -> Mapping[Purpose, AnswerRate]:
    if inputs.curated is None:
        raise RecipeError("--probe: no source is here to sample from; add --download")
    check_keys(recipe, root, run, inputs.curated)
    rates = {}
    for purpose in purposes_of(recipe):
        job = sampling_job(recipe, purpose)
        if job is not None and (rate := probed_rate(sample_some(root, run, job, inputs.curated, n).timing)):
            rates[purpose] = rate
    return rates
