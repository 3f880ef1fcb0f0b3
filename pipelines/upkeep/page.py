"""What came of a refresh as a page: what the command prints, for those who read it on the Prefect server."""

from collections.abc import Iterable

from pipelines.reporting.acceptance import BEFORE_TRAINING, attention_sentences
from pipelines.reporting.comparison import markdown_of
from pipelines.reporting.visible import markdown_line
from pipelines.upkeep.refresh import Refreshed


def page_of(done: Refreshed) -> str:
    """Return what became of LATEST, what to look at before training, and the comparison, as Markdown."""
    snapshot = done.published.snapshot
    parts = [markdown_line(done.verdict())]
    if done.tripped:
        parts += ["LATEST is held back:", _listed(done.tripped)]
    if found := attention_sentences(snapshot.manifest, snapshot):
        parts += [BEFORE_TRAINING, _listed(found)]
    if done.comparison is not None:
        parts.append(markdown_of(done.comparison))
    return "\n\n".join(parts)


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_line(one)}" for one in sentences)
