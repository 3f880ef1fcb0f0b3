"""A group of responses to one prompt is judged: in parts that prompts show, k samples each, a vote, one scale."""

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from pipelines.engines.scorer.replies import stored_score
from pipelines.engines.standing import Standing
from pipelines.evaluation.meta_rm import MetaRm
from pipelines.evaluation.prompts import set_of
from pipelines.evaluation.selectors import Keep
from pipelines.judging.draws import Draw, Draws
from pipelines.judging.prompt_length import MARKER_TOKENS, TEMPLATE_TOKENS, estimated_tokens
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import FORGIVEN
from pipelines.serving.parts import Judged, divided, on_one_scale
from pipelines.serving.verdicts import Cause, Failure, Reward, Verdict, failed
from schemas.errors import BudgetReached, ForgeError, StorageError
from schemas.evaluation import Row
from schemas.generation import Completion, FaultKind, Request
from schemas.preference import Response
from schemas.query import Messages
from schemas.recipe import GrmSection, ServeSection
from schemas.record import content_id, is_blank
from schemas.trajectory import Mode, Outcome

SOURCE = "served"
"""What the sets of a service call where they come from."""
LONG_ANSWER = 50_000
"""Characters from which on an answer is read beside the loop."""
T = TypeVar("T")
_CAUSES = {Outcome.TRUNCATED: Cause.CUT_OFF, Outcome.REFUSED: Cause.REFUSED}


@dataclass(frozen=True, slots=True)
class Question:
    """What the responses of a group answer."""

    prompt: Messages
    reference: str | None = None
    """Shown where [grm] reference says so."""
    criteria: str | None = None
    """Criteria that the judge is given."""


@dataclass(frozen=True)
class Judges:
    """Who judges, and how."""

    job: SamplingJob
    section: ServeSection
    judge: Standing
    meta_rm: MetaRm | None = None
    scorer: Standing | None = None
    """The Meta RM, where judgements are chosen by it."""


class _Sample(NamedTuple):
    """One readable sample."""

    draws: Draws
    draw: Draw
    text: str
    scores: tuple[float, ...]
    """By index in the set."""
    is_forgiven: bool


async def judged(judges: Judges, question: Question, texts: Sequence[str], first_sample: int = 0) -> Verdict:
    """Return the verdict on these responses to one prompt. Never raises for what a model or an endpoint does.

    Equal texts are judged once, and share their reward. `first_sample` is the number of the first sample: another one
    asks anew.
    """
    room = _room(judges.job.settings, question)
    known: dict[str, Reward] = _unfit(set(texts), room)
    open_texts = sorted(set(texts) - known.keys())  # what is asked follows from the texts, not from who came first
    if len(open_texts) < 2:
        known |= {text: Failure(Cause.ALONE) for text in open_texts}
        return replace(failed(len(texts), Cause.ALONE), rewards=tuple(known[text] for text in texts))
    most = _most_shown(judges.section.most_shown, open_texts, room)
    parts = divided([content_id("response", text) for text in open_texts], most, judges.section.shuffles)
    heard = await all_of(
        [_part(judges, question, [open_texts[index] for index in part], room, first_sample) for part in parts]
    )
    readable = [
        Judged(part, one.scores, one.readable) for part, one in zip(parts, heard, strict=True) if one.scores is not None
    ]
    worth = on_one_scale(len(open_texts), readable)
    for index, text in enumerate(open_texts):
        number = worth[index]
        known[text] = _why_not(index, parts, heard) if number is None else number
    return Verdict(
        tuple(known[text] for text in texts),
        readable=sum(one.readable for one in heard),
        samples=sum(one.samples for one in heard),
        parts=len(parts),
        size=len(texts),
    )


async def all_of(waits: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what each of these returns. A single one is awaited here: a task costs further turns of the loop."""
    return [await waits[0]] if len(waits) == 1 else await asyncio.gather(*waits)


def _unfit(texts: Collection[str], room: int | None) -> dict[str, Reward]:
    """Return those texts that cannot be judged: empty ones, and those that fit no prompt even with the shortest."""
    unfit: dict[str, Reward] = {text: Failure(Cause.EMPTY) for text in texts if is_blank(text)}
    by_size = sorted((text for text in texts if text not in unfit), key=_size)
    for place, text in enumerate(by_size):
        others = by_size[1:] if place == 0 else by_size
        if room is not None and _size(text) + (_size(others[0]) if others else 0) > room:
            unfit[text] = Failure(Cause.TOO_LONG)
    return unfit


def _size(text: str) -> int:
    """Return the estimated tokens of a response as a prompt shows it."""
    return MARKER_TOKENS + estimated_tokens(text)


def _room(grm: GrmSection, question: Question) -> int | None:
    """Return how many tokens a prompt leaves to the responses; None where the recipe sets no limit."""
    if grm.max_prompt_tokens is None:
        return None
    beside = [turn.content for turn in question.prompt]
    if grm.reference != "none" and question.reference:
        beside.append(question.reference)
    return grm.max_prompt_tokens - TEMPLATE_TOKENS - sum(map(estimated_tokens, beside))


def _most_shown(most: int, texts: Sequence[str], room: int | None) -> int:
    """Return how many of these responses any prompt may show: as many as fit where they are the longest."""
    most, sizes = min(most, len(texts)), sorted(map(_size, texts), reverse=True)
    while room is not None and most > 2 and sum(sizes[:most]) > room:
        most -= 1
    return most


class _Heard(NamedTuple):
    """What a judge said of one part."""

    scores: tuple[float, ...] | None
    readable: int
    samples: int
    failure: Failure | None = None


async def _part(
    judges: Judges, question: Question, texts: Sequence[str], room: int | None, first_sample: int
) -> _Heard:
    """Return what the samples of one part say together; its texts are sorted and differ."""
    if room is not None and sum(map(_size, texts)) > room:  # two that fit shorter ones only
        return _Heard(None, 0, 0, Failure(Cause.TOO_LONG))
    responses = tuple(Response(text) for text in texts)
    row = Row(
        SOURCE, "", question.prompt, responses, tuple(map(str, range(len(texts)))), right=(),
        reference=question.reference, given_principles=question.criteria,
    )  # fmt: skip
    preference = set_of(row, range(len(texts)), SOURCE)
    draws = Draws(judges.job, judges.job.shown_set(preference), Mode.NON_HINTED)
    samples: list[_Sample] = []
    causes: Counter[Failure] = Counter()
    while following := [draw.sample_index for draw in draws.following()]:
        drawn = list(draws.drawn(index + first_sample for index in following))
        answers = await _answers(judges.judge, [draws.request(draw) for draw in drawn])
        for index, draw, answer in zip(following, drawn, answers, strict=True):
            read = answer if isinstance(answer, Failure) else await _read(draws, draw, answer)
            is_readable = isinstance(read, _Sample)
            draws.outcomes[index] = Outcome.TIED if is_readable else Outcome.FAILED
            if isinstance(read, _Sample):
                samples.append(read)
            else:
                causes[read] += 1
                if read.cause in (Cause.UNREADABLE, Cause.CUT_OFF, Cause.REFUSED):
                    draws.outcomes[index] = Outcome.UNPARSED  # it is sampled again, as a build does
    asked = len(samples) + causes.total()
    if not samples:
        return _Heard(None, 0, asked, causes.most_common(1)[0][0])
    chosen = await _chosen(judges, samples)
    if isinstance(chosen, Failure):
        return _Heard(None, len(samples), asked, chosen)
    means = tuple(sum(scores) / len(chosen) for scores in zip(*(sample.scores for sample in chosen), strict=True))
    return _Heard(means, len(samples), asked)


async def _answers(standing: Standing, requests: Sequence[Request]) -> list[Completion | Failure]:
    """Return the answer to each request, or why there is none."""
    return [_answer(heard) for heard in await standing.answers(requests)]


def _answer(heard: Completion | ForgeError) -> Completion | Failure:
    match heard:
        case BudgetReached():
            return Failure(Cause.OVER_BUDGET)
        case StorageError():
            return Failure(Cause.NOT_STORED)
        case ForgeError():  # its words may quote an address: the log has them
            return Failure(Cause.UNREACHABLE)
        case Completion(fault=None):
            return heard
    return Failure(Cause.REJECTED if heard.fault is FaultKind.REQUEST else Cause.UNREACHABLE)


async def _read(draws: Draws, draw: Draw, completion: Completion) -> _Sample | Failure:
    """Return the sample of an answer, its scores in the order of the set, or why it cannot be read."""
    if len(completion.text or "") > LONG_ANSWER:  # a megabyte takes seconds, and everyone else would wait
        reading = await asyncio.to_thread(draws.reading_of, draw, completion)
    else:
        reading = draws.reading_of(draw, completion)
    if not reading.outcome.readable or reading.scores is None:
        return Failure(_CAUSES.get(reading.outcome, Cause.UNREADABLE))
    scores = [0.0] * len(draw.order)
    for index, score in zip(draw.order, reading.scores, strict=True):
        scores[index] = float(score)
    text = draws.job.text_of(completion.text or "", len(scores))
    return _Sample(draws, draw, text, tuple(scores), reading.verdict_form == FORGIVEN)


async def _chosen(judges: Judges, samples: Sequence[_Sample]) -> Sequence[_Sample] | Failure:
    """Return the samples that vote: all of them, or the half that the Meta RM scores highest.

    A judgement whose score failed comes last. Where every score failed, nothing was chosen, and that is the failure.
    """
    if judges.meta_rm is None or judges.scorer is None:
        return samples
    requests = [
        judges.meta_rm.request_of(
            one.draws.shown, one.draw.order, one.text, judges.job.scale(len(one.scores)), True,
            is_forgiven=one.is_forgiven,
        )
        for one in samples
    ]  # fmt: skip
    answers = await _answers(judges.scorer, requests)
    marks = [None if isinstance(answer, Failure) else stored_score(answer.text) for answer in answers]
    if all(mark is None for mark in marks):
        return next((answer for answer in answers if isinstance(answer, Failure)), Failure(Cause.UNSCORED))
    ranked = sorted(range(len(samples)), key=lambda place: (marks[place] is None, -(marks[place] or 0.0), place))
    return [samples[place] for place in ranked[: Keep.HALF.of(len(samples))]]


def _why_not(index: int, parts: Sequence[Sequence[int]], heard: Sequence[_Heard]) -> Failure:
    """Return why a response has no worth: what most of its parts failed for, or that it is not linked."""
    own = [one for part, one in zip(parts, heard, strict=True) if index in part]
    if any(one.scores is not None for one in own):
        return Failure(Cause.NOT_LINKED)
    return Counter(one.failure for one in own if one.failure is not None).most_common(1)[0][0]
