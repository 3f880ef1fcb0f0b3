"""The progress of a stage as a Prefect artifact: what the server's pages show while a flow runs."""

import re
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows.watching.progress import Display
from flows.watching.tally import StageTally


class ProgressArtifact(Display):
    """A display that keeps one artifact for each stage that asks for answers; the log has the rest.

    It lives inside a Prefect task.
    """

    every_s = 5.0

    def __init__(self, name: str) -> None:
        self._name = name
        self._artifact: UUID | None = None
        self._logger = get_run_logger()

    def began(self, stage: StageTally) -> None:
        self._artifact = None
        if stage.total:
            key = re.sub("[^a-z0-9]+", "-", f"{self._name}-{stage.name}".lower()).strip("-")
            try:
                made = create_progress_artifact(0.0, key=key, description=stage.line())
            except Exception as error:  # noqa: BLE001 - a server that is away must not end what answers are paid for
                self._logger.warning("no progress artifact: %s", error)
            else:
                self._artifact = made if isinstance(made, UUID) else None

    def show(self, stage: StageTally) -> None:
        self._update(stage, stage.line())

    def ended(self, stage: StageTally) -> None:
        self._update(stage, stage.line(over=True))

    def _update(self, stage: StageTally, description: str) -> None:
        if self._artifact is None or not stage.total:
            return
        try:
            update_progress_artifact(self._artifact, 100 * stage.settled / stage.total, description)
        except Exception as error:  # noqa: BLE001 - as above; the next look tries again
            self._logger.warning("the progress artifact was not updated: %s", error)
