"""An evaluation in words: protocols, claims, and what a benchmark's entry amounts to."""

from collections.abc import Sequence

from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from pipelines.evaluation.claims import LEVEL
from pipelines.evaluation.figures import difference_interval, points, selector_named
from schemas.evaluation import Protocol
from schemas.evaluation_manifest import BenchmarkEntry, Claim, EvaluationManifest

_SHOWN = {
    Protocol.JOINT: "all responses in one prompt, in a new order for each sample",
    Protocol.BOTH_ORDERS: "each pair in both orders",
    Protocol.PAIRS: "each right response against each wrong one",
    Protocol.SINGLE: "one response a prompt",
}

_KINDS = {
    "right response shown": "where the right response is shown",
    "longest response": "whether the longest response is right",
    "responses": "number of responses",
    "script": "script of the question",
    "overlap": "items whose question is in the training snapshot",
}


def half_of(manifest: EvaluationManifest) -> int:
    """Return the number of samples that claims are made at: half of all, the largest that has many subsets."""
    return max(1, manifest.k_max // 2)


def protocol_words(entry: BenchmarkEntry) -> str:
    """Say how the items were shown, and whether that is how their authors do it."""
    known = {protocol.value: words for protocol, words in _SHOWN.items()}
    words = known.get(entry.protocol, entry.protocol)
    benchmark = BENCHMARKS.get(entry.kind)
    if benchmark is None or not benchmark.whole:  # sets of one's own have no published protocol
        return words
    if entry.is_published_protocol:
        return f"{words}: the published protocol"
    return f"{words}: our protocol, the published one shows {known[benchmark.published.value]}"


def extent_words(entry: BenchmarkEntry) -> str:
    """Say how much of the benchmark was evaluated."""
    benchmark = BENCHMARKS.get(entry.kind)
    if benchmark is None or not benchmark.whole:
        return "all rows" if entry.is_whole and not entry.left_out else "a part"
    return "whole" if entry.is_whole else "a part: no total"


def holds(claim: Claim) -> bool:
    """Return whether a comparison shows a difference after the correction."""
    return claim.p_holm <= LEVEL


def claim_sentence(claim: Claim) -> str:
    """Say in words whether a claim holds."""
    name, against = selector_named(claim.selector), selector_named(claim.against)
    words = f"{claim.benchmark}, {claim.k} samples: "
    found = f"{points(claim.difference)} points ({difference_interval(claim.low, claim.high)})"
    if holds(claim):
        return f"{words}{name} is {'better' if claim.difference > 0 else 'worse'} than {against}: {found}"
    alone = " It would hold as the only comparison, not as one of several." if claim.p <= LEVEL else ""
    could = power_words(claim.smallest)
    return f"{words}no difference between {name} and {against} is shown: {found}.{alone}{f' {could}.' if could else ''}"


def power_words(smallest: float) -> str:
    """Say which difference the items could have shown; nothing of an older evaluation that did not know."""
    if smallest <= 0:
        return ""
    if smallest >= 1:
        return "So few questions can show no difference at all"
    return f"These items could show {100 * smallest:.2f} points"


def claims_verdict(claims: Sequence[Claim]) -> str:
    """Say in one sentence how many of the claims hold."""
    number = sum(map(holds, claims))
    if not claims:
        return ""
    if len(claims) == 1:
        return "The one comparison holds." if number else "The one comparison shows no difference."
    many = f"{number:,}" if number else "None"
    return f"{many} of {len(claims):,} comparisons {'holds' if number < 2 else 'hold'}."


def kind_words(kind: str) -> str:
    """Return what a group of figures divides the items by."""
    return _KINDS.get(kind, kind)


def holding(claims: Sequence[Claim]) -> list[str]:
    """Return a sentence for each claim that holds."""
    return [claim_sentence(claim) for claim in claims if holds(claim)]


def counted(count: int, noun: str) -> str:
    """Return a count with what it counts: "1 item", "2 items"."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def without_verdict(manifest: EvaluationManifest, entry: BenchmarkEntry) -> str:
    """Say how many rows a file of verdicts leaves out."""
    benchmarks = manifest.recipe.get("evaluate", {}).get("benchmarks", ())
    verbs = ("has", "is") if entry.left_out == 1 else ("have", "are")
    limited = " or lie beyond the recipe's limit" if any(one.get("limit") for one in benchmarks) else ""
    return f"{counted(entry.left_out, 'item')} {verbs[0]} no verdict in the file{limited}, and {verbs[1]} left out"


def p_words(p: float) -> str:
    """Return a p value in a few digits."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.4f}"
