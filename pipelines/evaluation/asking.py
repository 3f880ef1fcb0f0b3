"""Asking a judge about a benchmark: what is not stored yet is sent, in one stream over all prompts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.early_stop import Use
from pipelines.engines.scorer.replies import stored_score
from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.reward_model import RewardModel
from pipelines.evaluation.samples import Judge, groups_of, samples_of
from schemas.evaluation import READABLE
from schemas.generation import Completion, Request
from schemas.trajectory import Outcome
from storage.generations import Generations
from storage.root import Root

OutcomeOf = Callable[[Completion], Outcome]


def missing_samples(root: Root, prompts: Sequence[Prompt], judge: Judge, retry_failed: bool) -> dict[int, list[int]]:
    """Return the samples without a stored answer, by the place of their prompt in `prompts`.

    With `retry_failed`, requests that were refused for good count as missing. Imported answers count as stored when
    they are sent for.
    """
    generations, missing = Generations(root), dict[int, list[int]]()
    place = 0
    for buckets, group in groups_of(prompts, judge):
        answers = pl.DataFrame(generations.answers(buckets, ["error"]))
        if retry_failed:
            answers = answers.filter(pl.col("error").is_null())
        stored = set(answers["request_id"])
        for prompt in group:
            absent = [one.draw.sample_index for one in samples_of([prompt], judge) if one.request_id not in stored]
            if absent:
                missing[place] = absent
            place += 1
    return missing


def ask(root: Root, run: Run, judge: Judge, prompts: Sequence[Prompt], title: str) -> Answers:
    """See that every sample of every prompt has its answer in the generations. Raises ForgeError.

    A failed request is given up for now, or stored as refused; its sample counts as one that cannot be read.
    """
    missing = missing_samples(root, prompts, judge, run.retry_failed)
    out: dict[tuple[str, str], OutcomeOf] = {}
    sent: set[tuple[str, str]] = set()

    def requests() -> Iterator[Request]:
        for place, indices in missing.items():
            for request, outcome_of in _requests(prompts[place], judge, indices):
                key = request.request_id, request.query_id
                if key not in sent:  # two rows may want the very same request
                    sent.add(key)
                    out[key] = outcome_of
                    yield request

    def use_of(request: Request, completion: Completion) -> Use:
        outcome = out[request.request_id, request.query_id](completion)
        return Use(READABLE if outcome.readable else outcome.value, outcome.readable)

    def follow_up(request: Request, completion: Completion) -> Iterable[Request]:
        outcome = out.pop((request.request_id, request.query_id))(completion)
        run.watcher.judged(READABLE if outcome.readable else outcome, is_kept=True)
        return ()

    asker = Asker(root, run, judge)
    asker.send(f"evaluating {title}", sum(map(len, missing.values())), requests(), use_of, follow_up=follow_up)
    return asker.answers


def _requests(prompt: Prompt, judge: Judge, indices: Iterable[int]) -> Iterator[tuple[Request, OutcomeOf]]:
    """Yield the requests of some samples of a prompt, each with what says how its answer is read."""
    if isinstance(judge, RewardModel):
        yield judge.request_of(prompt), _outcome_of_score
        return
    draws = prompt.draws(judge)
    for draw in draws.drawn(indices):
        yield draws.request(draw), partial(draws.outcome_of, draw)


def _outcome_of_score(completion: Completion) -> Outcome:
    """Return the outcome of a score, of which nobody asks whether it is right: it can be read, or it failed."""
    if completion.text is None:
        return Outcome.FAILED
    return Outcome.UNPARSED if stored_score(completion.text) is None else Outcome.CORRECT
