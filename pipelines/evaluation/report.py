"""The page of an evaluation."""

from schemas.evaluation_manifest import EvaluationManifest
from storage.stages import Stage


def report_of(manifest: EvaluationManifest, stage: Stage) -> str:
    """Return report.html."""
    return f"<!doctype html><title>{manifest.name}</title>"
