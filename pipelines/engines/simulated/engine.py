"""The simulated engine: a noisy judge and answerer, offline. The same request and seed always get the same answer.

How it judges. The response at position p has a latent quality

    u_p = (p is best) * (d + s) + (p == 0) * position_bias + e_p        e_p ~ N(0, 1), s ~ N(0, difficulty_spread)

where s belongs to the set, so that its samples go right or wrong together, and d is solved for, so that the best
response scores highest in `accuracy` of the readable answers (deliberate ties included) when there is no bias. Scores
are integers 1 to 10 in that order, without accidental ties. One response alone is scored 0 or 1, and right in
`accuracy` of the cases; so is an answer to a question, in whatever form. With `chance` every score is
independent and uniform over 1 to 10, ties as they fall; METHOD section 2 has its rates. Faults keep their shares there
too: the rates hold among the readable answers. Where a request says in which form its answer is to be, it is: scores
too many, out of range or without a box do not happen then. A scorer's scores are normal, and those of right texts
shifted until `scorer_auc` holds.
"""

import asyncio
import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from statistics import NormalDist
from struct import Struct

from pipelines.engines.budget import BYTES_PER_TOKEN, cost_usd
from pipelines.engines.jobs import prompt_bytes
from pipelines.engines.protocol import Attempt
from pipelines.engines.scorer.replies import scored
from pipelines.engines.simulated import texts
from schemas.generation import (
    AnswerTruth,
    Completion,
    FaultKind,
    RephrasingTruth,
    Request,
    RubricTruth,
    ScoreTruth,
    Truth,
)
from schemas.recipe import ModelSection
from schemas.thoughts import split_thoughts

FAULTS = ("failed", "refused", "truncated", "wrong_count", "out_of_range", "unparsed")
"""An answer has one of them at most."""
HINTED_ACCURACY = 0.97
KEPT_ACCURACY = 0.95
"""Share of rewritten texts that keep their answer, and of questions in other words that do not give it away."""
BEST_SCORE, WORST_SCORE = 10, 1

_WORDS = Struct("<16I")
_UNIT = 2.0**-32
_inverse_normal = NormalDist().inv_cdf


class SimulatedEngine:
    """Answers like a judge of a set accuracy with the faults of a real one. Only it may look at `Request.truth`."""

    def __init__(self, model: ModelSection) -> None:
        self._model = model
        self._settings = settings = model.simulated
        self._seeded = blake2b(b"grmforge simulated %d" % settings.seed, digest_size=64)
        self._faults = list(zip(accumulate(getattr(settings, name) for name in FAULTS), FAULTS, strict=True))

    async def complete(self, request: Request) -> Attempt:
        """Answer at once, or after `latency_s`."""
        if self._settings.latency_s:
            await asyncio.sleep(self._settings.latency_s)
        return Attempt(self.answer(request))

    async def close(self) -> None:
        """Nothing is open."""

    def answer(self, request: Request) -> Completion:
        """Return the one answer that this engine has for a request."""
        draws = self._draws("r", request.request_id)
        truth = request.truth
        fault = next((name for reach, name in self._faults if draws[0] < reach), None)
        if fault == "failed":
            error = "simulated: HTTP 400: the request was refused (simulated fault)"
            return Completion(request.request_id, error=error, fault=FaultKind.REQUEST)
        if isinstance(truth, ScoreTruth):
            return self._scored(request, truth, draws)
        finish_reason = "stop"
        if fault == "refused":
            content, finish_reason = texts.refusal(draws), "refusal"
        elif truth is None:
            content = texts.short_answer(request.body["messages"], draws)
        elif isinstance(truth, AnswerTruth):
            content = texts.solution(self._answer(truth, draws), truth.gold.form, draws)
        elif isinstance(truth, RephrasingTruth):
            content = texts.rephrased(truth.question, truth.answer if draws[5] >= KEPT_ACCURACY else None, draws)
        elif isinstance(truth, RubricTruth):
            content = self._by_rubric(request, truth, fault, draws)
        else:
            content = self._judgement(request, truth, fault, draws)
        if isinstance(truth, Truth) and draws[1] < self._settings.thinks_aloud:
            content = texts.thoughts(draws) + content
        if fault == "truncated":
            # Anywhere from the first words to just before the verdict, which comes last.
            content, finish_reason = content[: int(len(content) * (0.05 + 0.8 * draws[2]))], "length"
        text, reasoning = split_thoughts(content)
        prompt_tokens = prompt_bytes(request.body) // BYTES_PER_TOKEN + 1
        completion_tokens = len(content) // BYTES_PER_TOKEN + 1
        return Completion(
            request_id=request.request_id,
            text=text,
            reasoning=reasoning,
            finish_reason=finish_reason,
            served_model=self._model.name,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            reasoning_tokens=len(reasoning) // BYTES_PER_TOKEN if reasoning else None,
            cost_usd=cost_usd(self._model, prompt_tokens, completion_tokens),
            logprob=-0.05 - draws[8] if request.body.get("logprobs") else None,
        )

    def _scored(self, request: Request, truth: ScoreTruth, draws: Sequence[float]) -> Completion:
        """Return a score: standard normal, and for a right text higher by as much as makes the AUC."""
        shift = math.sqrt(2) * _inverse_normal(self._settings.scorer_auc) if truth.is_right else 0.0
        prompt_tokens = prompt_bytes(request.body) // BYTES_PER_TOKEN + 1
        score = round(_normal(draws[3]) + shift, 6)
        return scored(request.request_id, score, self._model, self._model.name, prompt_tokens)

    def _answer(self, truth: AnswerTruth, draws: Sequence[float]) -> str:
        """Return the final answer of a solution: right in `accuracy` of the cases, those of one question together."""
        settings = self._settings
        if truth.kept is not None and draws[5] < KEPT_ACCURACY:
            return truth.kept
        shift = settings.difficulty_spread * _normal(self._draws("q", truth.question_id)[0])
        advantage = _advantage(1, settings.difficulty_spread, settings.accuracy)
        return texts.final_answer(truth.gold, truth.kept is None and advantage + shift + _normal(draws[3]) > 0, draws)

    def _by_rubric(self, request: Request, truth: RubricTruth, fault: str | None, draws: Sequence[float]) -> str:
        """Return a rubric, or a judgement by one; with the fault `unparsed`, cut in half."""
        if truth.is_best is None:
            content = texts.rubric(request.body["messages"], draws)
        else:
            noise = self._noise(request.request_id, len(truth.criteria))
            content = texts.judgement_by_rubric(truth.criteria, truth.is_best, noise)
        return content[: len(content) // 2] if fault == "unparsed" else content

    def _judgement(self, request: Request, truth: Truth, fault: str | None, draws: Sequence[float]) -> str:
        scores = self._scores(request.request_id, truth, draws)
        reasons = texts.reasons(
            scores,
            draws,
            request.body["messages"],
            leaks_hint=truth.hinted and draws[4] < self._settings.hint_leak,
            may_quote=not truth.hinted,  # a quotation of the hint would be one more leak
        )
        if (in_form := texts.judgement_in_form(request.body, reasons, scores)) is not None:
            return in_form
        shown = [str(score) for score in scores]
        if fault == "wrong_count":
            shown = [*shown, str(WORST_SCORE)] if len(shown) < 2 or draws[3] < 0.5 else shown[:-1]
        elif fault == "out_of_range":
            shown[int(draws[3] * len(shown))] = ("11", "-1", "7.5", "100")[int(draws[2] * 4)]
        return texts.judgement(reasons, shown, draws, boxed=fault != "unparsed")

    def _scores(self, request_id: str, truth: Truth, draws: Sequence[float]) -> list[int]:
        settings, n = self._settings, truth.n_responses
        noise = self._noise(request_id, n)
        if settings.chance:
            is_single = n == 1 and not truth.is_graded
            return [int(2 * noise[0])] if is_single else [WORST_SCORE + int(BEST_SCORE * draw) for draw in noise]
        hinted_right = draws[5] < HINTED_ACCURACY if truth.hinted else None
        shift = settings.difficulty_spread * _normal(self._draws("s", truth.set_id)[0])
        if n == 1:
            advantage = _advantage(1, settings.difficulty_spread, settings.accuracy)
            quality = advantage + shift + _normal(noise[0])
            if truth.is_graded:
                grade = round(5.5 + 1.8 * (quality if truth.label else -quality))
                return [min(BEST_SCORE, max(WORST_SCORE, grade))]
            right = hinted_right if hinted_right is not None else quality > 0
            return [truth.label or 0] if right else [1 - (truth.label or 0)]
        best = truth.best_position or 0
        untied = min(settings.accuracy / max(1 - settings.tied, 1e-9), 0.9999)
        qualities = [_normal(draw) for draw in noise]
        qualities[best] += _advantage(n, settings.difficulty_spread, untied) + shift
        qualities[0] += settings.position_bias
        ranking = sorted(range(n), key=qualities.__getitem__, reverse=True)
        if hinted_right is not None and (ranking[0] == best) != hinted_right:
            other = ranking.index(best) if hinted_right else 1
            ranking[0], ranking[other] = ranking[other], ranking[0]
        scores = _scores_of(ranking, sorted(qualities, reverse=True))
        if hinted_right is None and draws[6] < settings.tied:
            rival = ranking[1] if ranking[0] == best else ranking[0]
            scores[best] = scores[rival] = max(scores)
        return scores

    def _noise(self, request_id: str, n: int) -> list[float]:
        """Return n numbers in [0, 1) of this request."""
        noise = list(self._draws("n", request_id))
        while len(noise) < n:
            noise += self._draws(f"n{len(noise)}", request_id)
        return noise[:n]

    def _draws(self, purpose: str, key: str) -> list[float]:
        """Return 16 numbers in [0, 1): one hash of seed, purpose and key, a fifth of what a `random.Random` costs."""
        seeded = self._seeded.copy()
        seeded.update(f":{purpose}:{key}".encode("utf-8", "replace"))
        return [word * _UNIT for word in _WORDS.unpack(seeded.digest())]


def _normal(draw: float) -> float:
    """Map a number in [0, 1) to a standard normal one."""
    return _inverse_normal(draw + _UNIT / 2)


def _scores_of(ranking: Sequence[int], qualities: Sequence[float]) -> list[int]:
    """Return integer scores by position for a ranking (best first) with its qualities, falling.

    They fall strictly, as far as ten scores go round; the highest is always alone.
    """
    n = len(ranking)
    scores = [WORST_SCORE] * n
    ceiling = BEST_SCORE
    middle = sum(qualities) / n
    for rank, (position, quality) in enumerate(zip(ranking, qualities, strict=True)):
        floor = min(WORST_SCORE + n - 1 - rank, ceiling)  # leaves a score for each one that follows
        score = min(ceiling, max(floor, round(5.5 + 1.8 * (quality - middle))))
        scores[position] = score
        ceiling = max(WORST_SCORE, score - 1)
    return scores


@lru_cache(maxsize=1024)
def _advantage(n: int, spread: float, accuracy: float) -> float:
    """Return d: how much better the best response must be on average to come out first in `accuracy` of the samples.

    P(d) = integral of phi(z) * Phi(d + sqrt(1 + spread^2) * z)^(n - 1) dz, by bisection; for n = 1, Phi(d / sqrt(1 +
    spread^2)).
    """
    sigma = math.sqrt(1 + spread * spread)
    if n == 1:
        return sigma * _inverse_normal(accuracy)
    step = 0.02
    grid = [(z * step, step * math.exp(-((z * step) ** 2) / 2) / math.sqrt(2 * math.pi)) for z in range(-300, 301)]

    def first(d: float) -> float:
        return sum(weight * (0.5 * math.erfc(-(d + sigma * z) / math.sqrt(2))) ** (n - 1) for z, weight in grid)

    low, high = -10.0 * sigma - 10, 10.0 * sigma + 10
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if first(middle) < accuracy else (low, middle)
    return (low + high) / 2
