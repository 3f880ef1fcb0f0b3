"""Answers that are there already, looked up in front of asking: what plans count, and what keys are wanted for."""

from schemas.generation import Completion, Request
from schemas.record import bucket_of
from storage.generations import Generations
from storage.imports import ImportedAnswers
from storage.root import Root


class Stored:
    """What is answered already, looked up a bucket at a time."""

    def __init__(self, root: Root) -> None:
        self._generations, self._imported = Generations(root), ImportedAnswers(root)
        self._bucket = -1

    def answer_to(self, request: Request) -> Completion | None:
        if bucket_of(request.query_id) != self._bucket:
            self._bucket = bucket_of(request.query_id)
            self._answers = self._generations.lookup(self._bucket)
        return self._answers.get(request.request_id) or self._imported.answer_to(request)

    def has(self, request: Request) -> bool:
        return self.answer_to(request) is not None
