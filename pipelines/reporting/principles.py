"""Whether given criteria helped, in words: `checks.principles` for the report, the card and what wants attention."""

from collections.abc import Mapping
from typing import Any

_CLEAR = 2.0
"""Standard errors beyond which a difference is more than chance, as a rule."""


def principles_sentence(checks: Mapping[str, Any]) -> str | None:
    """Return what the comparison found; None where nothing was compared."""
    found: Mapping[str, Any] = checks.get("principles") or {}
    if not found:
        return None
    if not found["sets"]:
        return "Given criteria: no set has readable samples both with them and without, so nothing can be said."
    accuracies = (
        f"Given criteria: {found['rubric']:.1%} right, its own: {found['self']:.1%}, over {found['sets']:,} sets, each "
        "sampled both ways"
    )
    difference, error = found["difference"], found["standard_error"]
    if error is None:
        return f"{accuracies}: too few to tell."
    return (
        f"{accuracies}; difference {100 * difference:+.1f} ± {100 * error:.1f} points: {_verdict(difference, error)}."
    )


def principles_warning(checks: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    """Return that the training rows were sampled with given criteria although these lower the judge's accuracy."""
    found: Mapping[str, Any] = checks.get("principles") or {}
    difference, error = found.get("difference"), found.get("standard_error")
    if (recipe.get("grm") or {}).get("principles") != "rubric" or difference is None or error is None:
        return []
    if difference >= -_CLEAR * error:
        return []
    loss = f"{-100 * difference:.1f} ± {100 * error:.1f} points"
    return [f'[grm] principles = "rubric" lowers the judge\'s accuracy by {loss}: take "self".']


def _verdict(difference: float, error: float) -> str:
    if abs(difference) <= _CLEAR * error:
        return "no clear difference, so not worth it here"
    return "worth it here" if difference > 0 else "not worth it here"
