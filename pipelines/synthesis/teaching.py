"""Teaching: what a teacher adds where responders and rules come to no set.

It compares short answers with the reference where no rule can; it answers the questions that the responder never gets
right; and, since its own answer would then be told by its author, it puts the wrong ones into its own words as well,
their final answers unchanged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pipelines.engines.asking import Asker
from pipelines.grading.options import picks
from pipelines.synthesis.answers import (
    answer_request,
    candidate_of,
    comparison_request,
    holds_answer,
    read_comparison,
    rewrite_request,
    whole_text,
)
from pipelines.synthesis.grading import graded, with_label
from schemas.candidate import Candidate, Origin
from schemas.question import AnswerForm, Question, Verdict
from schemas.recipe import SynthesisSection

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
        places = self._places(Verdict.UNDECIDED)
        return [place for place in places if (self.candidates[place].origin is Origin.TEACHER) == taught]

    @property
    def is_all_wrong(self) -> bool:
        return bool(self._places(Verdict.WRONG)) and not self.is_answered

    @property
    def is_answered(self) -> bool:
        """Whether a right answer is there."""
        return bool(self._places(Verdict.RIGHT))

    def rewritable(self, count: int) -> list[int]:
        """Indices of at most `count` wrong responses to rewrite: of each final answer one, then further ones."""
        of_answer: dict[str, list[int]] = {}
        for place in self._places(Verdict.WRONG):
            wrong = self.candidates[place]
            if wrong.answer and wrong.origin is not Origin.TEACHER:
                of_answer.setdefault(wrong.answer, []).append(place)
        further = sorted(place for places in of_answer.values() for place in places[1:])
        return [*(places[0] for places in of_answer.values()), *further][:count]

    def _places(self, verdict: Verdict) -> list[int]:
        return [place for place, candidate in enumerate(self.candidates) if candidate.verdict is verdict]


def needs_teacher(question: Question, candidates: Sequence[Candidate]) -> bool:
    """Say whether a teacher can help this question to a set."""
    pupil = Pupil(question, list(candidates))
    return not question.drop_reason and (pupil.is_all_wrong or bool(pupil.undecided()))


def teach(teacher: Asker, settings: SynthesisSection, pupils: Sequence[Pupil]) -> None:
    """Let the teacher do what the pupils need, all of them a step at a time.

    Afterwards their candidates hold the teacher's answers and rewritten wrong responses, graded.
    """
    _compare(teacher, pupils, taught=False)
    at_a_loss = [pupil for pupil in pupils if pupil.is_all_wrong]
    _answer(teacher, settings.teacher_samples, at_a_loss)
    taught = [pupil for pupil in at_a_loss if pupil.is_answered]
    for attempt in range(settings.rewrites):
        _rewrite(teacher, settings.n_responses - 1, attempt, taught)
    for pupil in taught:
        pupil.candidates += [*pupil.rewritten.values(), *pupil.strayed]


def _compare(teacher: Asker, pupils: Iterable[Pupil], *, taught: bool) -> None:
    """Have the short answers compared that no rule could, each of them once: the teacher's own, or all others."""
    wanted = [
        (pupil, place, comparison_request(teacher.job, pupil.question, pupil.candidates[place]))
        for pupil in pupils
        for place in pupil.undecided(taught=taught)
    ]
    answers = teacher.fetch(
        COMPARING,
        (request for _, _, request in wanted),
        lambda _, text: read_comparison(text) is not Verdict.UNDECIDED,
    )
    for pupil, place, request in wanted:
        verdict = read_comparison(whole_text(answers.get(request.request_id)) or "")
        candidate = pupil.candidates[place]
        pupil.candidates[place] = replace(candidate, verdict=with_label(pupil.question, candidate, verdict))


def _answer(teacher: Asker, samples: int, pupils: Sequence[Pupil]) -> None:
    """Have the teacher answer, and its answers graded."""
    wanted = [[answer_request(teacher.job, pupil.question, index) for index in range(samples)] for pupil in pupils]
    answers = teacher.fetch(ANSWERING, (request for requests in wanted for request in requests), holds_answer)
    name = teacher.job.model.name
    answered = [
        (pupil.question, [candidate_of(request, Origin.TEACHER, name, answers) for request in requests])
        for pupil, requests in zip(pupils, wanted, strict=True)
    ]
    for pupil, (_, candidates) in zip(pupils, graded(answered), strict=True):
        pupil.candidates += candidates
    _compare(teacher, pupils, taught=True)


def _rewrite(teacher: Asker, count: int, attempt: int, pupils: Sequence[Pupil]) -> None:
    """Have the wrong responses rewritten that are not yet; a text whose final answer changed is not kept."""
    wanted = [
        (pupil, place, rewrite_request(teacher.job, pupil.question, pupil.candidates[place], attempt))
        for pupil in pupils
        for place in pupil.rewritable(count)
        if place not in pupil.rewritten
    ]
    answers = teacher.fetch(REWRITING, (request for _, _, request in wanted), holds_answer)
    rewritten = [candidate_of(request, Origin.REWRITE, teacher.job.model.name, answers) for _, _, request in wanted]
    expecting = (_expecting(pupil.question, pupil.candidates[place].answer or "") for pupil, place, _ in wanted)
    as_wrong = graded((question, [text]) for question, text in zip(expecting, rewritten, strict=True))
    as_right = graded((pupil.question, [text]) for (pupil, _, _), text in zip(wanted, rewritten, strict=True))
    for (pupil, place, _), (_, [kept]), (_, [mended]) in zip(wanted, as_wrong, as_right, strict=True):
        # It still ends in the wrong answer that it had, and not in one that may pass for both, as 25 % does for 25.
        if kept.verdict is Verdict.RIGHT and mended.verdict is not Verdict.RIGHT:
            pupil.rewritten[place] = replace(kept, verdict=Verdict.WRONG)
        else:
            changed = kept.verdict in (Verdict.RIGHT, Verdict.WRONG)
            pupil.strayed.append(replace(kept, verdict=Verdict.DISPUTED) if changed else kept)


def _expecting(question: Question, wrong_answer: str) -> Question:
    """Return the question as one whose gold answer is a wrong response's; options go by their number."""
    if question.gold.form is AnswerForm.OPTION and len(picked := picks(question.gold.options, wrong_answer)) == 1:
        wrong_answer = str(*picked)
    return replace(question, gold=replace(question.gold, answer=wrong_answer))
