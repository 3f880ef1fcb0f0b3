"""Which requests a build would make of each model: counted where the rows are here, bounded where they are not."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from pipelines.ahead.inputs import Inputs, kept_questions
from pipelines.engines.answering import Stored
from pipelines.engines.jobs import Job
from pipelines.judging.judging import find_judged
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets, stored_samples, wanted_answers
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.answers import answer_prompt, answer_request, comparison_prompt, rewrite_prompt
from pipelines.synthesis.questions import questions_to_ask
from schemas.query import Messages, user
from schemas.question import AnswerForm
from schemas.recipe import SynthesisSection
from schemas.trajectory import Mode
from storage.root import Root
from storage.stages import Stage

SAMPLED_PROMPTS = 256
COMPARED = frozenset({"teleqna_short"})
"""Kinds whose questions have short answers, as far as that can be known before they are read."""


@dataclass(slots=True)
class Wanted:
    """Requests that one role is or may be asked, and the bytes of those that are missing."""

    requests: int = 0
    requests_are: str = "exact"
    """`exact`, `at most`, or `unknown` where not even a bound is known."""
    most: int = 0
    """With every unreadable sample drawn again; `requests` where all is answered and read."""
    cached: int = 0
    """Of the requests, answered already."""
    again: int = 0
    """Of the missing requests, those that replace a stored answer that cannot be read."""
    made_up_of: str = ""
    """Of how many samples of how many sets, in words."""
    seen: int = 0
    """Missing requests whose prompts are known; those of the others are guessed from them."""
    missing_bytes: int = 0
    """Of the prompts seen."""
    begun_alike: int = 0
    """Of the missing bytes, those that an earlier one of the prompts begins with as well."""
    beginnings: int = 0
    """How many prompts begin like an earlier one."""
    answers_held: int = 0
    """Answers that stand in the prompts seen, which nobody has read yet."""
    prompts: list[str] = field(default_factory=list)
    """Some of the prompts seen, spread over all of them."""

    @property
    def missing(self) -> int:
        return self.requests - self.cached

    def see(
        self,
        messages: Messages,
        *,
        stride: int = 1,
        times: int = 1,
        holds_answer: bool = False,
        earlier: Iterable[str] = (),
    ) -> None:
        """Count a missing request's prompt, `times` over. `earlier` are prompts that may begin like it."""
        text = "\n".join(message.content for message in messages)
        size = len(text.encode("utf-8", "replace"))
        alike = max((_begun_alike(text, one) for one in earlier), default=0)
        self.missing_bytes += times * size
        self.begun_alike += len(text[:alike].encode("utf-8", "replace")) + max(times - 1, 0) * size
        self.beginnings += bool(alike) + max(times - 1, 0)
        if self.seen % stride < times and len(self.prompts) < SAMPLED_PROMPTS:
            self.prompts.append(text)
        self.seen += times
        self.answers_held += times * holds_answer


def wanted_samples(root: Root, job: SamplingJob, inputs: Inputs) -> Wanted:
    """Return the samples of all sets: those that are here one by one, of the others as many as they can be."""
    wanted = _samples_here(root, job, inputs.curated) if inputs.curated else Wanted()
    known = [source for source in inputs.open if source.most_sets is not None]
    bound = sum((source.most_sets or 0) * (job.n + (source.section.source in job.hinted_sources)) for source in known)
    wanted.requests += bound
    wanted.most += bound * (1 + job.settings.resample_unreadable)
    if not inputs.is_exact:
        wanted.requests_are = "at most" if len(known) == len(inputs.open) else "unknown"
    return wanted


def wanted_votes(root: Root, job: SamplingJob, source: str, inputs: Inputs) -> Wanted:
    """Return the votes on the sets of one source that are to be judged again."""
    if source in [stage.facts["source"] for stage in inputs.synthesized]:
        return _asked_before(job.role, inputs, source)
    (unmade,) = (opened for opened in inputs.open if opened.section.source == source)
    if unmade.rows is not None:
        return _samples_here(root, job, unmade.rows)
    rows = unmade.plan.rows
    requests = (rows or 0) * job.n
    return Wanted(requests, "unknown" if rows is None else "at most", requests * (1 + job.settings.resample_unreadable))


def _samples_here(root: Root, job: SamplingJob, curated: Stage) -> Wanted:
    wanted = Wanted()
    if found := find_judged(root, job, curated):
        requests = found.facts["requests"]
        return Wanted(requests, most=requests, cached=requests)
    stored = Stored(root)
    stride = max(1, wanted_answers(job, curated) // SAMPLED_PROMPTS)
    counts: Counter[Mode] = Counter()
    sampled = 0
    before: list[str] = []  # prompts of this set, and one of the set before
    for preference in chain.from_iterable(sets for _, sets in sampled_sets(curated)):
        first, before = 0, before[-1:]
        for sample in stored_samples(job, preference, stored.answer_to):
            wanted.requests += 1
            first += not sample.is_again
            counts[sample.draws.mode] += not sample.is_again
            if sample.completion is not None:
                wanted.cached += 1
            else:
                wanted.again += sample.is_again
                wanted.see(user(sample.draw.prompt), stride=stride, earlier=before)
                before.append(sample.draw.prompt)
        sampled += bool(first)
    wanted.most = counts.total() * (1 + job.settings.resample_unreadable)
    hinted = f", and a hinted one for {counts[Mode.HINTED]:,} of them" if counts[Mode.HINTED] else ""
    wanted.made_up_of = f"{job.n} for each of {sampled:,} train and validation sets{hinted}"
    return wanted


def wanted_of_responder(root: Root, job: Job, settings: SynthesisSection, inputs: Inputs) -> Wanted:
    """Return the requests for answers to all questions that come without answers."""
    wanted, stored, samples = _asked_before(job.role, inputs), Stored(root), settings.samples
    stride = max(1, samples * sum(source.plan.questions or 0 for source in inputs.open) // SAMPLED_PROMPTS)
    for checked in _checked(inputs, wanted, lambda _: samples):
        for question in chain.from_iterable(questions for _, questions in questions_to_ask(checked)):
            there = sum(stored.has(answer_request(job, question, index)) for index in range(samples))
            wanted.requests += samples
            wanted.cached += there
            wanted.see(answer_prompt(question), stride=stride, times=samples - there)
    wanted.most = wanted.requests
    return wanted


def wanted_of_teacher(root: Root, job: Job, settings: SynthesisSection, inputs: Inputs) -> Wanted:
    """Return the most that a teacher can be asked: everything that it does for a question, for every question."""
    wanted, stored, samples = _asked_before(job.role, inputs), Stored(root), settings.teacher_samples
    rewrites = settings.rewrites * (settings.n_responses - 1)

    def most_of(kind: str) -> int:
        return samples + rewrites + (settings.samples + samples if kind in COMPARED else 0)

    for checked in _checked(inputs, wanted, most_of):
        wanted.requests_are = "at most"
        for question in kept_questions(checked):
            there = sum(stored.has(answer_request(job, question, index)) for index in range(samples))
            is_compared = question.gold.form is AnswerForm.TEXT
            comparisons = (len(question.given) or settings.samples) + samples if is_compared else 0
            wanted.requests += samples + rewrites + comparisons
            wanted.cached += there
            wanted.see(answer_prompt(question), times=samples - there)
            wanted.see(rewrite_prompt(question, ""), times=rewrites, holds_answer=True)
            wanted.see(comparison_prompt(question, ""), times=comparisons, holds_answer=True)
    wanted.most = wanted.requests
    return wanted


def _begun_alike(one: str, other: str) -> int:
    """Return how many characters at the beginning of two texts are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _asked_before(role: str, inputs: Inputs, source: str | None = None) -> Wanted:
    """Return what a role was asked for sets that are made already: those of questions, or of one source."""
    made = [stage.facts for stage in inputs.synthesized]
    chosen = [facts for facts in made if (facts["source"] == source if source else "composition" in facts["synthesis"])]
    requests = sum(use["requests"] for facts in chosen for use in facts["synthesis"]["uses"] if use["role"] == role)
    return Wanted(requests, most=requests, cached=requests)


def _checked(inputs: Inputs, wanted: Wanted, most_of: Callable[[str], int]) -> Iterator[Stage]:
    """Yield the questions of each source that is still to be answered.

    Of a source that is not here the bound is counted: `most_of` says how many requests a question of its kind takes.
    """
    for source in (opened for opened in inputs.open if SOURCES[opened.section.kind].gives == "questions"):
        if source.rows is not None:
            yield source.rows
        elif source.plan.rows is None:
            wanted.requests_are = "unknown"
        else:
            wanted.requests += source.plan.rows * most_of(source.section.kind)
            wanted.requests_are = "unknown" if wanted.requests_are == "unknown" else "at most"
