"""Which requests a build would make of each model: counted where the rows are here, bounded where they are not."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from pipelines.ahead.inputs import Inputs, OpenSource
from pipelines.engines.stored import Stored
from pipelines.judging.judging import find_judged
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import looked_up, sampled_sets, wanted_answers
from pipelines.synthesis.answers import AnswerJob, answer_request
from pipelines.synthesis.prompts import answer_prompt, comparison_prompt, rewrite_prompt
from pipelines.synthesis.responding import question_buckets, questions_to_ask
from schemas.query import Messages
from schemas.question import AnswerForm, Question
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
    """Of the requests that are missing, those in the place of a stored answer that cannot be read."""
    made_up_of: str = ""
    """Of how many samples of how many sets, in words."""
    seen: int = 0
    """Missing requests whose prompts are known; those of the others are guessed from them."""
    missing_bytes: int = 0
    """Of the prompts seen."""
    answers_held: int = 0
    """Answers that stand in the prompts seen, which nobody has read yet."""
    prompts: list[str] = field(default_factory=list)
    """Some of the prompts seen, spread over all of them."""

    @property
    def missing(self) -> int:
        return self.requests - self.cached

    def see(self, messages: Messages, *, stride: int = 1, times: int = 1, holds_answer: bool = False) -> None:
        """Count a missing request's prompt, `times` over."""
        text = "\n".join(message.content for message in messages)
        self.missing_bytes += times * len(text.encode("utf-8", "replace"))
        if self.seen % stride < times and len(self.prompts) < SAMPLED_PROMPTS:
            self.prompts.append(text)
        self.seen += times
        self.answers_held += times * holds_answer


def wanted_samples(root: Root, job: SamplingJob, inputs: Inputs) -> Wanted:
    """Return the samples of all sets: those that are here one by one, of the others as many as they can be."""
    wanted = _samples_here(root, job, inputs.curated) if inputs.curated else Wanted()
    known = [one for one in inputs.open if one.most_sets is not None]
    bound = sum((one.most_sets or 0) * (job.n + (one.section.source in job.hinted_sources)) for one in known)
    wanted.requests += bound
    wanted.most += bound * (1 + job.resample)
    if not inputs.is_exact:
        wanted.requests_are = "at most" if len(known) == len(inputs.open) else "unknown"
    return wanted


def wanted_votes(root: Root, job: SamplingJob, source: str, inputs: Inputs) -> Wanted:
    """Return the votes on the sets of one source that are to be judged again."""
    if made := [stage for stage in inputs.synthesized if stage.facts["source"] == source]:
        return _asked_before(job.role, made)
    (unmade,) = (one for one in inputs.open if one.section.source == source)
    if unmade.uncertain is not None:
        return _samples_here(root, job, unmade.uncertain)
    rows = unmade.plan.rows
    requests = (rows or 0) * job.n
    return Wanted(requests, "unknown" if rows is None else "at most", requests * (1 + job.resample))


def _samples_here(root: Root, job: SamplingJob, curated: Stage) -> Wanted:
    wanted = Wanted()
    if found := find_judged(root, job, curated):
        requests = found.facts["requests"]
        return Wanted(requests, most=requests, cached=requests)
    stored = Stored(root)
    stride = max(1, wanted_answers(job, curated) // SAMPLED_PROMPTS)
    counts: Counter[Mode] = Counter()
    sampled = 0
    for preference in chain.from_iterable(sets for _, sets in sampled_sets(curated)):
        first = 0
        for sample in looked_up(job, preference, stored.answer_to):
            wanted.requests += 1
            first += not sample.is_again
            counts[sample.drawn.mode] += not sample.is_again
            if sample.completion is not None:
                wanted.cached += 1
            else:
                wanted.again += sample.is_again
                wanted.see(sample.drawn.messages, stride=stride)
        sampled += bool(first)
    wanted.most = counts.total() * (1 + job.resample)
    hinted = f", and a hinted one for {counts[Mode.HINTED]:,} of them" if counts[Mode.HINTED] else ""
    wanted.made_up_of = f"{job.n} for each of {sampled:,} train and validation sets{hinted}"
    return wanted


def wanted_of_responder(root: Root, job: AnswerJob, settings: SynthesisSection, inputs: Inputs) -> Wanted:
    """Return the answers to all questions that come without some."""
    wanted = _asked_before(job.role, _made_of_questions(inputs))
    stored, asking = Stored(root), [one for one in inputs.open if one.asks]
    stride = max(1, settings.samples * sum(one.plan.questions or 0 for one in asking) // SAMPLED_PROMPTS)
    for one in asking:
        if one.checked is None:
            _add_bound(wanted, one, settings.samples)
            continue
        for question in chain.from_iterable(questions for _, questions in questions_to_ask(one.checked)):
            there = sum(stored.has(answer_request(job, question, index)) for index in range(settings.samples))
            wanted.requests += settings.samples
            wanted.cached += there
            wanted.see(answer_prompt(question), stride=stride, times=settings.samples - there)
    wanted.most = wanted.requests
    return wanted


def wanted_of_teacher(root: Root, job: AnswerJob, settings: SynthesisSection, inputs: Inputs) -> Wanted:
    """Return the most that a teacher can be asked: all it does for a question, for each of them."""
    wanted = _asked_before(job.role, _made_of_questions(inputs))
    stored, samples = Stored(root), settings.teacher_samples
    rewrites = settings.rewrites * (settings.n_responses - 1)
    for one in (one for one in inputs.open if one.asks):
        if one.checked is None:
            comparisons = settings.samples + samples if one.section.kind in COMPARED else 0
            _add_bound(wanted, one, samples + rewrites + comparisons)
            continue
        wanted.requests_are = "at most"
        for question in chain.from_iterable(questions for _, questions in question_buckets(one.checked)):
            if question.drop_reason is not None:
                continue
            there = sum(stored.has(answer_request(job, question, index)) for index in range(samples))
            comparisons = _comparisons(question, settings)
            wanted.requests += samples + rewrites + comparisons
            wanted.cached += there
            wanted.see(answer_prompt(question), times=samples - there)
            wanted.see(rewrite_prompt(question, ""), times=rewrites, holds_answer=True)
            wanted.see(comparison_prompt(question, ""), times=comparisons, holds_answer=True)
    wanted.most = wanted.requests
    return wanted


def _comparisons(question: Question, settings: SynthesisSection) -> int:
    """Return how many short answers to a question a teacher can have to compare."""
    if question.gold.form is not AnswerForm.TEXT:
        return 0
    return (len(question.given) or settings.samples) + settings.teacher_samples


def _asked_before(role: str, made: Iterable[Stage]) -> Wanted:
    """Return what a role was asked for sets that are made already."""
    uses = chain.from_iterable(stage.facts["synthesis"]["uses"] for stage in made)
    requests = sum(use["requests"] for use in uses if use["role"] == role)
    return Wanted(requests, most=requests, cached=requests)


def _made_of_questions(inputs: Inputs) -> Iterator[Stage]:
    return (stage for stage in inputs.synthesized if "composition" in stage.facts["synthesis"])


def _add_bound(wanted: Wanted, absent: OpenSource, a_question: int) -> None:
    """Count the requests of a source that is not here."""
    if absent.plan.rows is None:
        wanted.requests_are = "unknown"
        return
    wanted.requests += absent.plan.rows * a_question
    if wanted.requests_are == "exact":
        wanted.requests_are = "at most"
