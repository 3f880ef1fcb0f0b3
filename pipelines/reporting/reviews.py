"""What people found when they looked at a snapshot's labels, in words and as a table, for the report and the card."""

from collections.abc import Mapping
from typing import Any

from pipelines.reporting.pages import figure, percent
from pipelines.reporting.visible import cut

REVIEW_HEAD = ["source", "sets", "reviews", "the label's", "another", "tie", "cannot tell", "agree", "weighted"]


def review_sentences(checks: Mapping[str, Any]) -> list[str]:
    """Return what the check `reviews` says, a sentence each; nothing where nobody reviewed a set."""
    if not (check := checks.get("reviews")):
        return []
    sentences = [
        f"{_counted(check['reviewers'], 'person')} reviewed {_counted(check['sets'], 'set')}, each without its label "
        f"in sight. Of {_counted(check['reviews'], 'review')}, {check['same']:,} found the response of the label best, "
        f"{check['other']:,} another one, {check['tie']:,} none, and {check['cannot_tell']:,} could not tell."
    ]
    if (labels := check["labels"])["sets"]:
        raw, weighted = labels["raw"], labels["weighted"]
        sentences.append(
            f"People agree with the labels in {_share(raw)} of the sets (Cohen's kappa {figure(raw['kappa'])}); "
            f"weighted back to all sets of the sources, in {_share(weighted)}."
        )
    if alpha := check["people"]["alpha"]:
        sentences.append(
            f"They agree with each other in {_share(alpha['raw'])} of the {_counted(alpha['sets'], 'set')} that "
            f"several reviewed (Krippendorff's alpha {figure(alpha['raw']['alpha'])})."
        )
    if changed := check["after_label"]:
        sentences.append(f"{_counted(changed, 'choice')} changed after the label was shown.")
    return [*sentences, *review_effect(checks)]


def review_effect(checks: Mapping[str, Any]) -> list[str]:
    """Return what `[reviews] use` changed, in a sentence; nothing where the recipe does not use reviews."""
    check = checks.get("reviews") or {}
    if check.get("use") == "labels":
        return [f"{_counted(check['replaced'], 'label')} of the sources gave way to what people found ([reviews] use)."]
    if check.get("use") == "drop_disagreement":
        return [f"{_counted(check['dropped'], 'set')} left out, since people refuse the label ([reviews] use)."]
    return []


def review_rows(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row of REVIEW_HEAD for each source that was reviewed."""
    found = (checks.get("reviews") or {}).get("by_source") or {}
    return [
        [cut(source, 60), *(f"{part[name]:,}" for name in _COUNTS), *(_agreed(part["labels"], name) for name in _KINDS)]
        for source, part in sorted(found.items())
    ]


_COUNTS = ("sets", "reviews", "same", "other", "tie", "cannot_tell")
_KINDS = ("raw", "weighted")


def _agreed(labels: Mapping[str, Any], name: str) -> str:
    return _share(labels[name]) if labels["sets"] else "–"


def _share(found: Mapping[str, Any]) -> str:
    """Return a share with its 95 % interval."""
    low, high = (percent(end) for end in found["same_interval"])
    return f"{percent(found['same'])} ({low} to {high})"


def _counted(count: int, noun: str) -> str:
    many = {"person": "people"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else many}"
