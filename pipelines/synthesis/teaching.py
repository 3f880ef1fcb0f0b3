"""Teaching: what a teacher adds where responders and rules come to no set.

It compares short answers with the reference where no rule can; it answers the questions that the responder never gets
right; and, since its own answer would then be told by its author, it puts the wrong ones into its own words as well,
their final answers unchanged.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from pipelines.engines.asking import Asker, Fetched
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
from pipelines.synthesis.grading import Answered, graded, with_label
from schemas.candidate import Candidate, Origin
from schemas.generation import Completion, Request
from schemas.question import AnswerForm, Question, Verdict
from schemas.recipe import SynthesisSection
from storage.spill import Records, stepped

COMPARING, ANSWERING, REWRITING = "comparing short answers", "teaching", "rewriting wrong responses"
_PUPILS_AT_ONCE = 512
TEACHER_STAGES = (COMPARING, ANSWERING, REWRITING)
"""What the teacher does, as watchers, event logs and plans name it."""


@dataclass(frozen=True, slots=True)
class Pupil:
    """A question that needs the teacher, with its candidates so far."""

    question: Question
    candidates: tuple[Candidate, ...]
    rewritten: tuple[Candidate, ...] = ()
    places: tuple[int, ...] = ()
    """The index, in `candidates`, of the wrong response that stands behind each rewritten one."""
    strayed: tuple[Candidate, ...] = ()
    """Rewritten texts that do not end in the answer that they should; they are counted, and in no set."""

    def undecided(self, *, taught: bool = False) -> list[int]:
        """Indices of the short answers that no rule could compare: those of the teacher, or those of all others."""
        if self.question.gold.form is not AnswerForm.TEXT:
            return []
        places = self._places(Verdict.UNDECIDED)
        return [place for place in places if (self.candidates[place].origin is Origin.TEACHER) == taught]

    @property
    def is_all_wrong(self) -> bool:
        return bool(self._places(Verdict.WRONG)) and not self._places(Verdict.RIGHT)

    def rewritable(self, count: int) -> list[int]:
        """Indices of at most `count` wrong responses to rewrite: of each final answer one, then further ones."""
        of_answer: dict[str, list[int]] = {}
        for place in self._places(Verdict.WRONG):
            wrong = self.candidates[place]
            if wrong.answer and wrong.origin is not Origin.TEACHER:
                of_answer.setdefault(wrong.answer, []).append(place)
        further = sorted(place for places in of_answer.values() for place in places[1:])
        return [*(places[0] for places in of_answer.values()), *further][:count]

    def unwritten(self, count: int) -> list[int]:
        """Those of these that are still to be rewritten: none unless a teacher's answer is the right one."""
        if not any(self.candidates[place].origin is Origin.TEACHER for place in self._places(Verdict.RIGHT)):
            return []
        return [place for place in self.rewritable(count) if place not in self.places]

    def _places(self, verdict: Verdict) -> list[int]:
        return [place for place, candidate in enumerate(self.candidates) if candidate.verdict is verdict]


def needs_teacher(question: Question, candidates: Sequence[Candidate]) -> bool:
    """Say whether a teacher can help this question to a set."""
    pupil = Pupil(question, tuple(candidates))
    return not question.drop_reason and (pupil.is_all_wrong or bool(pupil.undecided()))


@contextmanager
def taught(teacher: Asker, settings: SynthesisSection, pupils: Iterable[Pupil]) -> Iterator[Iterator[Answered]]:
    """Give the questions of pupils, in order, with their candidates and the teacher's, graded.

    Pupils come by query_id. The teacher does what they need a step at a time, each for all of them, before the block.
    """
    count = settings.n_responses - 1
    steps = (
        partial(_compared, teacher, taught=False),
        partial(_answered, teacher, settings.teacher_samples),
        partial(_compared, teacher, taught=True),
        *(partial(_rewritten, teacher, count, attempt) for attempt in range(settings.rewrites)),
    )
    with stepped(teacher.root, Pupil, pupils, steps) as done:
        yield ((one.question, [*one.candidates, *one.rewritten, *one.strayed]) for one in done())


def _compared(teacher: Asker, pupils: Records[Pupil], *, taught: bool) -> Iterator[Pupil]:
    """Have the short answers compared that no rule could, each of them once: the teacher's own, or all others."""

    def wanted() -> Iterator[tuple[Pupil, list[Request]]]:
        for pupil in pupils():
            undecided = [pupil.candidates[place] for place in pupil.undecided(taught=taught)]
            yield pupil, [comparison_request(teacher.job, pupil.question, one) for one in undecided]

    for pupil, answers in teacher.fetch_each(
        COMPARING, wanted, lambda _, text: read_comparison(text) is not Verdict.UNDECIDED
    ):
        candidates = list(pupil.candidates)
        for place, (_, completion) in zip(pupil.undecided(taught=taught), answers, strict=True):
            verdict = read_comparison(whole_text(completion) or "")
            verdict = with_label(pupil.question, candidates[place], verdict)
            candidates[place] = replace(candidates[place], verdict=verdict)
        yield replace(pupil, candidates=tuple(candidates))


def _answered(teacher: Asker, samples: int, pupils: Records[Pupil]) -> Iterator[Pupil]:
    """Have the teacher answer what is always wrong, and its answers graded."""

    def wanted() -> Iterator[tuple[Pupil, list[Request]]]:
        for pupil in pupils():
            indices = range(samples if pupil.is_all_wrong else 0)
            yield pupil, [answer_request(teacher.job, pupil.question, index) for index in indices]

    for few in _parts(teacher.fetch_each(ANSWERING, wanted, holds_answer)):
        answered = [(pupil.question, _candidates(teacher, Origin.TEACHER, answers)) for pupil, answers in few]
        for (pupil, _), (_, candidates) in zip(few, graded(answered), strict=True):
            yield replace(pupil, candidates=(*pupil.candidates, *candidates))


def _rewritten(teacher: Asker, count: int, attempt: int, pupils: Records[Pupil]) -> Iterator[Pupil]:
    """Have the wrong responses rewritten that are not yet; a text whose final answer changed is not kept."""

    def wanted() -> Iterator[tuple[Pupil, list[Request]]]:
        for pupil in pupils():
            wrong = [pupil.candidates[place] for place in pupil.unwritten(count)]
            yield pupil, [rewrite_request(teacher.job, pupil.question, one, attempt) for one in wrong]

    for few in _parts(teacher.fetch_each(REWRITING, wanted, holds_answer)):
        texts = [
            (pupil, place, text)
            for pupil, answers in few
            for place, text in zip(pupil.unwritten(count), _candidates(teacher, Origin.REWRITE, answers), strict=True)
        ]
        expecting = (_expecting(pupil.question, pupil.candidates[place].answer or "") for pupil, place, _ in texts)
        as_wrong = graded((question, [text]) for question, (_, _, text) in zip(expecting, texts, strict=True))
        as_right = graded((pupil.question, [text]) for pupil, _, text in texts)
        pairs = ((kept, mended) for (_, [kept]), (_, [mended]) in zip(as_wrong, as_right, strict=True))
        for pupil, answers in few:
            yield _with_rewritten(pupil, zip(pupil.unwritten(count), islice(pairs, len(answers)), strict=True))


def _with_rewritten(pupil: Pupil, texts: Iterable[tuple[int, tuple[Candidate, Candidate]]]) -> Pupil:
    """Return the pupil with rewritten texts, by place: each as graded by the wrong answer, and by the right one."""
    places, rewritten, strayed = list(pupil.places), list(pupil.rewritten), list(pupil.strayed)
    for place, (kept, mended) in texts:
        # It still ends in the wrong answer that it had, and not in one that may pass for both, as 25 % does for 25.
        if kept.verdict is Verdict.RIGHT and mended.verdict is not Verdict.RIGHT:
            places.append(place)
            rewritten.append(replace(kept, verdict=Verdict.WRONG))
        else:
            changed = kept.verdict in (Verdict.RIGHT, Verdict.WRONG)
            strayed.append(replace(kept, verdict=Verdict.DISPUTED) if changed else kept)
    return replace(pupil, places=tuple(places), rewritten=tuple(rewritten), strayed=tuple(strayed))


def _parts(fetched: Iterator[Fetched[Pupil]]) -> Iterator[list[Fetched[Pupil]]]:
    """Yield a few pupils at a time: graders read ahead, past any number of pupils with nothing to grade."""
    while few := list(islice(fetched, _PUPILS_AT_ONCE)):
        yield few


def _candidates(
    teacher: Asker, origin: Origin, answers: Iterable[tuple[Request, Completion | None]]
) -> list[Candidate]:
    return [candidate_of(request, origin, teacher.job.model.name, completion) for request, completion in answers]


def _expecting(question: Question, wrong_answer: str) -> Question:
    """Return the question as one whose gold answer is a wrong response's; options go by their number."""
    if question.gold.form is AnswerForm.OPTION and len(picked := picks(question.gold.options, wrong_answer)) == 1:
        wrong_answer = str(*picked)
    return replace(question, gold=replace(question.gold, answer=wrong_answer))
