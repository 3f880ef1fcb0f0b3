"""Trials: the same few sets judged in each form that may work, by the requests and the reader of a build.

The answers stay in the root, and a build that asks for the same finds them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any

import polars as pl

from pipelines.ahead.beginning.abilities import is_late
from pipelines.ahead.few import few_of
from pipelines.curation.curation import curate, rules_of
from pipelines.engines.answering import Run
from pipelines.judging.draws import draws_of
from pipelines.judging.judging import judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets
from pipelines.reporting.meanings import meaning
from schemas.errors import EngineError
from schemas.preference import SETS, PreferenceSet, sets_table
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, READABLE, Outcome, Purpose
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_frame

STAGE_VERSION = 1
SHORT_TEXT = (
    r"Specific Criteria:\n([1-3]\. [A-Z][^\n(:]{2,30} \(weight: (100|[1-9][0-9])%\): [^\n]{5,100}\n){1,3}\n"
    r"Analysis:\n(Response [1-9] (is|has|gives|names|says|does|lacks|answers) [a-z][^\n]{8,140}\.\n){1,4}\n"
)
"""Regex of three criteria at most, and a sentence on each response: judges that never end a line come to their verdict.

The verb is given, or small models write numbers in place of a sentence."""
_COLUMNS = ["outcome", "text", "reasoning", "prompt_tokens", "completion_tokens", "no_critique", "no_principles"]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to ask for a judgement."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of [grm], besides the template."""
    is_short: bool = False
    """Whether the short prompt stands in place of the built-in one."""


FREE = Form("none")
REGEX = Form("regex", {"structured_output": "regex"})
JSON_SCHEMA = Form("json_schema", {"structured_output": "json_schema"})
SHORT_REGEX = Form("regex, short", {"structured_output": "regex", "structured_text": SHORT_TEXT}, is_short=True)
GRAMMAR = Form("grammar", {"structured_output": "grammar"})
SHORT_GRAMMAR = Form("grammar, short", {"structured_output": "grammar", "structured_text": SHORT_TEXT}, is_short=True)
SHORT_JSON = Form("json_schema, short", {"structured_output": "json_schema"}, is_short=True)
SHORT_FREE = Form("none, short", {}, is_short=True)


@dataclass(frozen=True)
class Trial:
    """What came of the sets in one form."""

    form: Form
    asked: int
    outcomes: Counter[str]
    max_tokens: int
    usable: int = 0
    """Readable, with the criteria and the critique that RFT needs."""
    thinks: int = 0
    """Answers with thoughts apart."""
    prompt_tokens: float | None = None
    answer_tokens: float | None = None
    longest: int | None = None
    """Tokens of the longest answer."""
    seconds: float = 0.0
    bought: int = 0
    error: str | None = None
    """One of the failures."""
    example: str | None = None
    """One answer, an unreadable one where there is one."""

    @property
    def answered(self) -> int:
        return self.outcomes.total() - self.outcomes[Outcome.FAILED]

    @property
    def readable(self) -> int:
        return sum(self.outcomes[outcome] for outcome in READABLE)

    @property
    def cut_off(self) -> int:
        return self.outcomes[Outcome.TRUNCATED]

    @property
    def rate(self) -> float | None:
        """Answers a second, with all of them asked at once; None where none was bought."""
        return self.answered / self.seconds if self.answered and self.bought and self.seconds else None

    def fault(self) -> str:
        """Return what was wrong with most of the answers that are of no use; empty where none is."""
        wrong = Counter({name: rows for name, rows in self.outcomes.items() if Outcome(name) not in READABLE})
        if not wrong:
            return "" if self.usable == self.asked else "lacks criteria or a critique"
        name, rows = wrong.most_common(1)[0]
        words = self.error if name == Outcome.FAILED and self.error else meaning(name).words
        if is_late(words):
            words = f"no answer within {self.seconds:,.0f} s"
        return f"{rows} {name}: {words}"


def trial_sets(recipe: Recipe, root: Root, run: Run, sets: Sequence[PreferenceSet], n: int) -> Stage:
    """Return the stage of the `n` sets that are tried: of the sets that were read, those with which a probe begins."""
    ordered = sorted(sets, key=lambda one: (one.query_id, one.set_id, one.source_id))
    key = stage_key("begun", STAGE_VERSION, [], [f"{one.set_id} {one.best} {one.drop_reason}" for one in ordered])
    if (stage := find_stage(root, key)) is None:
        with TableWriter(root, key, "sets", SETS) as writer:
            writer.write(sets_table(ordered))
        stage = finish_stage(root, key, {"sets": writer.files}, {}, [])
    return few_of(recipe, root, run, curate(rules_of(recipe), root, [stage], None), n)


def first_prompt(recipe: Recipe, preference: PreferenceSet) -> str:
    """Return the prompt of a set's first sample."""
    return draws_of(_job(recipe, 1.0), preference)[0].draw(0).prompt


def tried(recipe: Recipe, root: Root, run: Run, form: Form, stage: Stage, seconds: float) -> Trial:
    """Have each set judged once, and read; `recipe` has the form. No request takes longer than so many seconds."""
    job, asked = _job(recipe, seconds), stage.rows("sets")
    try:
        answers = sample_sets(root, run, job, stage)
    except EngineError as error:  # nothing is answered any more, for whatever reason: another form may be taken
        failed = Counter({Outcome.FAILED.value: asked})
        return Trial(form, asked, failed, recipe.grm.max_tokens, error=str(error))
    judged = judge(root, job, stage, answers)
    frame = read_frame(judged.paths("judged"), JUDGED, _COLUMNS)
    answered = frame.filter(pl.col("text").is_not_null())
    is_readable = pl.col("outcome").is_in([outcome.value for outcome in READABLE])
    usable = frame.filter(is_readable & ~pl.col("no_critique") & ~pl.col("no_principles"))
    unreadable = answered.filter(~is_readable)
    tokens = answered["completion_tokens"].drop_nulls().to_list()
    prompts = answered["prompt_tokens"].drop_nulls().to_list()
    return Trial(
        form,
        asked,
        Counter(frame["outcome"].to_list()),
        recipe.grm.max_tokens,
        usable=usable.height,
        thinks=answered.filter(pl.col("reasoning").fill_null("") != "").height,
        prompt_tokens=mean(prompts) if prompts else None,
        answer_tokens=mean(tokens) if tokens else None,
        longest=max(tokens, default=None),
        seconds=answers.seconds,
        bought=answers.bought,
        error=next(iter(answers.given_up.values()), judged.facts.get("error")),
        example=next(iter([*unreadable["text"], *answered["text"]]), None),
    )


def _job(recipe: Recipe, seconds: float) -> SamplingJob:
    """Return the job of RFT's first samples, a single one of each set and without a hint."""
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    model = job.model.model_copy(update={"timeout_s": max(1.0, seconds), "max_retries": 0, "max_concurrency": 64})
    settings = job.settings.model_copy(update={"resample_unreadable": 0})
    return replace(job, model=model, settings=settings, n=1, hinted_sources=frozenset())
