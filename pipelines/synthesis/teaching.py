"""Teaching: what a teacher adds where responders and rules come to no set.

It compares short answers with the reference where no rule can; it answers the questions that the responder never gets
right; and, since its own answer would then be told by its author, it puts the wrong ones into its own words as well,
their final answers unchanged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pipelines.engines.answering import Run
from pipelines.grading.options import picks
from pipelines.synthesis.answers import answer_request, candidate_of, comparison_request, is_answer, rewrite_request
from pipelines.synthesis.asking import Asked, answers_of
from pipelines.synthesis.grading import graded, with_label
from pipelines.synthesis.prompts import read_comparison
from schemas.candidate import Candidate, Origin
from schemas.generation import Request
from schemas.question import AnswerForm, Question, Verdict
from schemas.recipe import SynthesisSection
from storage.root import Root

COMPARING, ANSWERING, REWRITING = "comparing short answers", "teaching", "rewriting wrong responses"
TEACHER_STAGES = (COMPARING, ANSWERING, REWRITING)
"""What the teacher does, as watchers, event logs and plans name it."""


@dataclass(slots=True)
class Pupil:
    """A question that needs the teacher, with its candidates so far."""

    question: Question
    candidates: list[Candidate]
    rewritten: dict[int, Candidate] = field(default_factory=dict)
    """By the index, in `candidates`, of the wrong response that stands behind it."""
    strayed: list[Candidate] = field(default_factory=list)
    """Rewritten texts that do not end in the answer that they should; they are counted, and in no set."""

    def undecided(self, *, taught: bool = False) -> list[int]:
        """Indices of the short answers that no rule could compare: those of the teacher, or those of all others."""
        if self.question.gold.form is not AnswerForm.TEXT:
            return []
        return [
            index
            for index, one in enumerate(self.candidates)
            if one.verdict is Verdict.UNDECIDED and (one.origin is Origin.TEACHER) == taught
        ]

    @property
    def is_all_wrong(self) -> bool:
        verdicts = {one.verdict for one in self.candidates}
        return Verdict.WRONG in verdicts and Verdict.RIGHT not in verdicts

    @property
    def right(self) -> list[Candidate]:
        return [one for one in self.candidates if one.verdict is Verdict.RIGHT]

    def rewritable(self, count: int) -> list[int]:
        """Indices of at most `count` wrong responses to rewrite: of each final answer one, then further ones."""
        wrong = [
            index
            for index, one in enumerate(self.candidates)
            if one.verdict is Verdict.WRONG and one.answer and one.origin is not Origin.TEACHER
        ]
        first: dict[str, int] = {}
        for index in wrong:
            first.setdefault(self.candidates[index].answer or "", index)
        return [*first.values(), *(index for index in wrong if index not in first.values())][:count]


def needs_teacher(question: Question, candidates: Sequence[Candidate]) -> bool:
    """Say whether a teacher can help this question to a set."""
    if question.drop_reason:
        return False
    pupil = Pupil(question, list(candidates))
    return pupil.is_all_wrong or bool(pupil.undecided())


def teach(root: Root, run: Run, asked: Asked, settings: SynthesisSection, pupils: Sequence[Pupil]) -> None:
    """Let the teacher do what the pupils need, all of them a step at a time.

    Afterwards their candidates hold the teacher's answers and rewritten wrong responses, graded.
    """
    _compare(root, run, asked, pupils, taught=False)
    at_a_loss = [pupil for pupil in pupils if pupil.is_all_wrong]
    _answer(root, run, asked, settings.teacher_samples, at_a_loss)
    taught = [pupil for pupil in at_a_loss if pupil.right]
    for attempt in range(settings.rewrites):
        _rewrite(root, run, asked, settings.n_responses - 1, attempt, taught)
    for pupil in taught:
        pupil.candidates += [*pupil.rewritten.values(), *pupil.strayed]


def _compare(root: Root, run: Run, asked: Asked, pupils: Iterable[Pupil], *, taught: bool) -> None:
    """Have the short answers compared that no rule could, each of them once: the teacher's own, or all others."""
    wanted = [
        (pupil, index, comparison_request(asked.job, pupil.question, pupil.candidates[index]))
        for pupil in pupils
        for index in pupil.undecided(taught=taught)
    ]

    def readable(_: Request, text: str) -> bool:
        return read_comparison(text) is not Verdict.UNDECIDED

    answers = answers_of(root, run, asked, COMPARING, (one for _, _, one in wanted), readable)
    for pupil, index, one in wanted:
        completion = answers.get(one.request_id)
        is_whole = completion is not None and is_answer(completion)
        verdict = read_comparison(completion.text or "") if completion and is_whole else Verdict.UNDECIDED
        candidate = pupil.candidates[index]
        pupil.candidates[index] = replace(candidate, verdict=with_label(pupil.question, candidate, verdict))


def _answer(root: Root, run: Run, asked: Asked, samples: int, pupils: Sequence[Pupil]) -> None:
    """Have the teacher answer, and its answers graded."""
    wanted = [[answer_request(asked.job, pupil.question, index) for index in range(samples)] for pupil in pupils]
    answers = answers_of(root, run, asked, ANSWERING, (one for requests in wanted for one in requests))
    answered = [
        (pupil.question, [candidate_of(one, Origin.TEACHER, asked.job.model.name, answers) for one in requests])
        for pupil, requests in zip(pupils, wanted, strict=True)
    ]
    for pupil, (_, candidates) in zip(pupils, graded(answered), strict=True):
        pupil.candidates += candidates
    _compare(root, run, asked, pupils, taught=True)


def _rewrite(root: Root, run: Run, asked: Asked, count: int, attempt: int, pupils: Sequence[Pupil]) -> None:
    """Have the wrong responses rewritten that are not yet; a text whose final answer changed is not kept."""
    wanted = [
        (pupil, index, rewrite_request(asked.job, pupil.question, pupil.candidates[index], attempt))
        for pupil in pupils
        for index in pupil.rewritable(count)
        if index not in pupil.rewritten
    ]
    answers = answers_of(root, run, asked, REWRITING, (one for _, _, one in wanted))
    rewritten = [candidate_of(one, Origin.REWRITE, asked.job.model.name, answers) for _, _, one in wanted]
    expecting = (_expecting(pupil.question, pupil.candidates[index].answer or "") for pupil, index, _ in wanted)
    as_wrong = graded((question, [one]) for question, one in zip(expecting, rewritten, strict=True))
    as_right = graded((pupil.question, [one]) for (pupil, _, _), one in zip(wanted, rewritten, strict=True))
    for (pupil, index, _), (_, [kept]), (_, [mended]) in zip(wanted, as_wrong, as_right, strict=True):
        # It still ends in the wrong answer that it had, and not in one that may pass for both, as 25 % does for 25.
        if kept.verdict is Verdict.RIGHT and mended.verdict is not Verdict.RIGHT:
            pupil.rewritten[index] = replace(kept, verdict=Verdict.WRONG)
        else:
            changed = kept.verdict in (Verdict.RIGHT, Verdict.WRONG)
            pupil.strayed.append(replace(kept, verdict=Verdict.DISPUTED) if changed else kept)


def _expecting(question: Question, wrong_answer: str) -> Question:
    """Return the question as one whose gold answer is a wrong response's; options go by their number."""
    if question.gold.form is AnswerForm.OPTION and len(picked := picks(question.gold.options, wrong_answer)) == 1:
        wrong_answer = str(*picked)
    return replace(question, gold=replace(question.gold, answer=wrong_answer))
