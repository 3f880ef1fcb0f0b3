"""How long the rest of the loop takes, from what its finished steps took."""

import json
from collections.abc import Iterator

from benchmarks.loop.steps import Loop, marker_of, steps_of

TRAINED_PER_S, WRITTEN_PER_S = 90.0, 60.0
"""Tokens a second before any step has been timed: SmolLM2-135M in float32 on two cores without half precision."""
ANSWER_TOKENS = 70
SERVER_S = 60.0
"""Until a server answers."""


def projected(loop: Loop) -> Iterator[str]:
    """Yield a line for each step that is to be done, with its hours, and one for all."""
    trained, written = _rates(loop)
    total = 0.0
    for step in steps_of(loop):
        if marker_of(loop, step).exists():
            continue
        tokens, answers = _work_of(loop, step.name)
        hours = (tokens / trained + answers * ANSWER_TOKENS / written + (SERVER_S if answers else 5)) / 3600
        total += hours
        yield f"{step.name:24} {hours:6.2f} h"
    yield f"{'to be done':24} {total:6.2f} h, at {trained:.0f} trained and {written:.0f} written tokens a second"


def _rates(loop: Loop) -> tuple[float, float]:
    """Return tokens trained and written a second, over all finished steps."""
    tokens = seconds = written = waited = 0.0
    for step in steps_of(loop):
        if not (marker := marker_of(loop, step)).exists():
            continue
        facts = json.loads(marker.read_text("utf-8"))
        if "losses" in facts:
            tokens, seconds = tokens + facts["tokens"], seconds + facts["seconds"]
        for use in facts.get("models", []) if isinstance(facts.get("models"), list) else []:
            written, waited = written + use["completion_tokens"], waited + facts["seconds"]
    return tokens / seconds if seconds else TRAINED_PER_S, written / waited if waited else WRITTEN_PER_S


def _work_of(loop: Loop, step: str) -> tuple[int, int]:
    """Return the tokens that a step trains, and the answers that it has written."""
    plan, sizes = loop.plan, loop.plan.sizes
    if step == "warm":
        return plan.warm_tokens, 0
    if step == "gold" or step.startswith("train-"):
        return plan.arm_tokens, 0
    if step.startswith("validate-"):
        return 0, 3 * sizes["validation"]
    if step == "sample":
        return 0, round(plan.n_rft * sizes["train"] * 1.5)  # hinted samples of what was never right
    if step == "on-policy":
        return 0, round(plan.n_rft * sizes["meta"] * 1.5)
    if step.startswith("elsewhere-"):
        return 0, 548 * (plan.k_arms + 1)
    if step.startswith("evaluate-") and step not in ("evaluate-pairs", "evaluate-meta-rm"):
        k = plan.k_max if step in ("evaluate-warm", "evaluate-rft") else plan.k_arms
        return 0, (k + 1) * sizes["test"]
    return 0, 0
