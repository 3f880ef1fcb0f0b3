"""Trials: every criterion of a rubric is judged on every answer of its panel, one call an answer."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipelines.engines.answering import Run
from pipelines.rubrics.filtering import Judged, filtered
from pipelines.rubrics.json_answers import MalformedAnswer
from pipelines.rubrics.panels import Panelist
from pipelines.rubrics.prompts import read_judgement
from pipelines.rubrics.requests import judgement_request
from pipelines.synthesis.asking import Asked, answers_of
from schemas.generation import Completion, Request
from schemas.recipe import RubricsSection
from schemas.rubric import InvalidRubric, Rubric
from storage.root import Root

ATTEMPTS = 2
"""What is malformed is asked for once more, and then counted."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Desk:
    """Where rubrics are asked for, and what could not be read is counted."""

    root: Root
    run: Run
    asked: Asked
    malformed: Counter[str] = field(default_factory=Counter)
    """Answers by what was wanted and what was wrong, first attempts among them."""

    def read(
        self, what: str, requests: Sequence[Callable[[int], Request]], read: Callable[[int, str], _T]
    ) -> list[_T | None]:
        """Ask for everything, and once more for what cannot be read; None where that cannot be read either.

        `requests[i]` makes the i-th request of an attempt, `read(i, text)` reads its answer. A request that failed is
        not asked for again: its next attempt would fail likewise, and the next run asks for it anyway.
        """
        found: list[_T | None] = [None] * len(requests)
        wanted = list(range(len(requests)))
        for attempt in range(ATTEMPTS):
            asked = {at: requests[at](attempt) for at in wanted}
            places = {request.request_id: at for at, request in asked.items()}

            def readable(request: Request, text: str, places: Mapping[str, int] = places) -> bool:
                try:
                    read(places[request.request_id], text)
                except (MalformedAnswer, InvalidRubric):
                    return False
                return True

            answers = answers_of(self.root, self.run, self.asked, what, asked.values(), readable)
            wanted = []
            for at, request in asked.items():
                text = _text_of(answers, request)
                if text is None:
                    self.malformed[f"{what}: failed"] += 1
                    continue
                try:
                    found[at] = read(at, text)
                except (MalformedAnswer, InvalidRubric) as fault:
                    self.malformed[f"{what}: {fault.reason}"] += 1
                    wanted.append(at)
        return found


def _text_of(answers: Mapping[str, Completion], request: Request) -> str | None:
    completion = answers.get(request.request_id)
    return None if completion is None else completion.text


def tried(
    desk: Desk, rubrics: Sequence[Rubric], panels: Sequence[Sequence[Panelist]], settings: RubricsSection
) -> list[Rubric]:
    """Return the rubrics with what their panels found, in order; answers without a readable judgement do not count."""
    places = [(at, panelist) for at, panel in enumerate(panels) for panelist in panel]
    job = desk.asked.job

    def request(rubric: Rubric, panelist: Panelist) -> Callable[[int], Request]:
        return lambda attempt: judgement_request(job, rubric, panelist, attempt)

    judgements = desk.read(
        "judging criteria",
        [request(rubrics[at], panelist) for at, panelist in places],
        lambda place, text: read_judgement(text, len(rubrics[places[place][0]].criteria)),
    )
    judged: list[list[Judged]] = [[] for _ in rubrics]
    for (at, panelist), met in zip(places, judgements, strict=True):
        if met is not None:
            judged[at].append(Judged(panelist.ranking, panelist.is_best, met))
    return [filtered(rubric, panel, settings) for rubric, panel in zip(rubrics, judged, strict=True)]
