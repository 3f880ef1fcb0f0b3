"""What is known of the labels, for the report and the card: how suspect they are, and how many of them may be wrong."""

from collections.abc import Mapping
from typing import Any

SUSPICION, NOISE = "label_suspicion", "label_noise"
LABEL_HEAD = ("source", "judged sets", "above .1", "above .5", "wrong labels")
JUDGE_HEAD = ("judge", "source", "responses", "sets", "accuracy", "correlation")
_ALL = "all sources"

Row = Mapping[str, Any]


def label_rows(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row of LABEL_HEAD for each source, and one for all where people reviewed labels."""
    suspects = {row["source"]: row for row in (checks.get(SUSPICION) or {}).get("sources") or ()}
    noise = checks.get(NOISE) or {}
    wrong = {row["source"]: row for row in noise.get("sources") or ()}
    rows = [
        [source, *_counts(suspects.get(source)), _wrong(wrong.get(source))]
        for source in sorted(suspects.keys() | wrong.keys())
    ]
    return [*rows, [_ALL, "", "", "", _wrong(noise["all"])]] if noise.get("all") else rows


def judge_rows(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row of JUDGE_HEAD for each judge, source and number of responses."""
    return [
        [
            row["judge"], row["source"], f"{row['n_responses']}", f"{row['sets']:,}", f"{row['accuracy']:.2f}",
            f"{row['correlation']:.2f}",
        ]
        for row in (checks.get(SUSPICION) or {}).get("judges") or ()
    ]  # fmt: skip


def label_sentences(checks: Mapping[str, Any]) -> list[str]:
    """Return what the figures mean, a sentence each; nothing where nothing was judged or reviewed."""
    if not label_rows(checks):
        return []
    sentences = []
    if prior := (checks.get(SUSPICION) or {}).get("prior_noise"):
        sentences.append(
            f"A set's label_suspicion says how likely its label is wrong, by all judgements, if {prior:.0%} of labels "
            "are. It is a ranking for people to look at, not a verdict."
        )
    noise = checks.get(NOISE) or {}
    if any("reviewed" in row for row in noise.get("sources") or ()):
        sentences.append(
            "Shares of wrong labels are from reviewed sets on which most people agree, weighted back to the source, "
            "with a 95 % interval."
        )
    if any(row.get("at_most") is not None and "reviewed" not in row for row in noise.get("sources") or ()):
        assumed = "; ".join(noise.get("assumes") or ())
        sentences.append(f"Where nobody reviewed labels, a judge bounds the share (95 %), if: {assumed}.")
    return sentences


def _counts(row: Row | None) -> list[str]:
    return [f"{row[name]:,}" for name in ("sets", "above_0.1", "above_0.5")] if row else [""] * 3


def _wrong(row: Row | None) -> str:
    """Return what is known of a source's wrong labels."""
    if row is None:
        return "not known"
    if row.get("reviewed"):
        sets = "1 set" if row["reviewed"] == 1 else f"{row['reviewed']:,} sets"
        return f"{row['noise']:.1%} ({row['low']:.1%} to {row['high']:.1%}; {sets} reviewed)"
    return "no bound" if row.get("at_most") is None else f"at most {row['at_most']:.1%}, by {row['judge']}"
