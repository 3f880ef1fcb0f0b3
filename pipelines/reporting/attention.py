"""What someone should look at before training on a snapshot: sentences for the report and for a build's last lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.reporting.checks import leak_sentences, principles_warning, trace_sentences
from pipelines.reporting.contamination import contamination_warnings
from pipelines.reporting.meanings import synthesis_warnings
from pipelines.reporting.reviews import review_effect
from pipelines.reporting.source_funnels import LOW_SHARE, SourceFunnel
from pipelines.reporting.visible import one_line
from schemas.manifest import Input, Manifest
from schemas.preference import FORGOTTEN

_EVEN = 0.01
"""Positions are uneven where p is below this."""
_LEAKING_AUC = 0.7
"""The recipe allows a fifth of the rows from sets of one label, and these alone make .68."""
_LONGER_THAN_CHANCE = 0.15
_MANY_UNREADABLE = 0.05
_DETAIL = 120


def attention(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> list[str]:
    """Return what someone should look at before training on the snapshot, a sentence each, the worst first."""
    return [
        *simulated_models(manifest),
        *unreadable_sources(manifest),
        *incomplete_sets(manifest),
        *_low_sources(funnels),
        *warnings(manifest, funnels),
    ]


def simulated_models(manifest: Manifest) -> list[str]:
    """Return a sentence where any model was a simulated one: nothing of what it wrote is worth learning."""
    roles = ", ".join(dict.fromkeys(use.role for use in manifest.models if use.engine == "simulated"))
    return [f"simulated: {roles}; these rows are for trying things out, never for training"] if roles else []


def unreadable_sources(manifest: Manifest) -> list[str]:
    """Return a sentence for every source of which more than a few rows could not be read."""
    return [_unreadable_rows(source) for source in manifest.inputs if _has_many_unreadable(source)]


def warnings(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Iterator[str]:
    """Yield a sentence for all that a funnel does not show: single bad rows, sets made of questions, splits, requests,
    checks, licences."""
    few_unreadable = (source for source in manifest.inputs if _unread(source) and not _has_many_unreadable(source))
    yield from map(_unreadable_rows, few_unreadable)
    for funnel in funnels:
        yield from synthesis_warnings(funnel, manifest.recipe)
    made = [name for name in wanted_sets(manifest) if f"{name}/train" in manifest.tables]
    without = [name for name in made if f"{name}/validation" not in manifest.tables]
    if without and manifest.recipe.get("splits", {}).get("validation") != 0:
        where = "" if without == made else f" in {', '.join(without)}"
        yield f"no validation rows{where}: raise [splits] validation"
    yield from (
        f"{use.role}: {use.failed:,} of {use.requests:,} requests failed for good; build --retry-failed asks again."
        for use in manifest.models
        if use.failed
    )
    yield from contamination_warnings(manifest.checks)
    yield from review_effect(manifest.checks)
    limit = (manifest.recipe.get("rejection") or {}).get("max_label_suspicion")
    if limit is not None and "label_suspicion" not in manifest.checks:
        yield "max_label_suspicion: no judge's answers say which labels are suspect; add rft or rl to [build] sets"
    yield from _failed_checks(manifest.checks)
    yield from principles_warning(manifest.checks, manifest.recipe)
    restricted = ", ".join(source.source for source in manifest.inputs if source.redistribution == "restricted")
    if restricted:
        yield f"Redistribution restricted: the authors of {restricted} ask that their rows are not republished."


def _has_many_unreadable(source: Input) -> bool:
    return _unread(source) > _MANY_UNREADABLE * source.rows


def _unread(source: Input) -> int:
    """Return how many rows could not be read; those that were forgotten could."""
    return source.unreadable - sum(reason.rows for reason in source.unreadable_reasons if reason.reason == FORGOTTEN)


def _unreadable_rows(source: Input) -> str:
    """Return how many rows could not be read, and one of them."""
    words = f"{source.source}: {_unread(source):,} of {source.rows:,} rows could not be read"
    examples = [
        reason.examples[0]
        for reason in sorted(source.unreadable_reasons, key=lambda reason: -reason.rows)
        if reason.examples and reason.reason != FORGOTTEN
    ]
    if not examples:
        return f"{words}."
    place, detail = (one_line(examples[0].get(name, ""), _DETAIL) for name in ("source_id", "detail"))
    return f"{words}, for example {place}: {detail}"


def incomplete_sets(manifest: Manifest) -> Iterator[str]:
    """Yield a sentence for every set of the recipe that has no rows, and for a meta_rm without the GRM's own samples
    (METHOD section 5).

    These are what is missing in a snapshot, where all other sentences are about what it holds.
    """
    for name in missing_sets(manifest):
        why = _why_missing(manifest.checks, name)
        yield f"{name} has no training rows{f': {why}' if why else ''}; LATEST was not moved"
    if "meta_rm/train" in manifest.tables and (manifest.checks.get("meta_rm") or {}).get("on_policy") == 0:
        why = (
            "[models.policy] gave no answer that could be read and balanced"
            if any(use.role == "policy" for use in manifest.models)
            else "the recipe has no [models.policy]"
        )
        yield (
            f"meta_rm WITHOUT ON-POLICY SAMPLES: {why}, so a Meta RM learns from judgements of other models than the "
            "one that it is to score. Train the GRM on rft, name it as [models.policy], and build again: what is "
            "stored is not asked again"
        )


def missing_sets(manifest: Manifest) -> list[str]:
    """Return the sets of the recipe that have no training row."""
    return [name for name in wanted_sets(manifest) if f"{name}/train" not in manifest.tables]


def no_row_for(missing: Sequence[str], checks: Mapping[str, Any]) -> str:
    """Return which sets have no row, and why where that is known, as every command and flow says it."""
    names = [f"{name} ({why})" if (why := _why_missing(checks, name)) else name for name in missing]
    return f"no row for {', '.join(names)}"


def _why_missing(checks: Mapping[str, Any], name: str) -> str | None:
    """Return why a set could not be made; None where it was made, and came out empty."""
    check = checks.get(name)
    return check.get("missing") if isinstance(check, Mapping) else None


def _low_sources(funnels: Sequence[SourceFunnel]) -> Iterator[str]:
    for funnel in funnels:
        if (share := funnel.accepted_share) is not None and share < LOW_SHARE:
            commonest = next(iter(funnel.rejected), "unknown")
            yield f"{funnel.source}: {share:.0%} of the answers were accepted; {commonest} takes most."
        elif not any(funnel.published.values()):
            yield f"{funnel.source} gives no row to any training table."


def _failed_checks(checks: Mapping[str, Any]) -> Iterator[str]:
    yield from leak_sentences(checks)
    if (checks.get("hint_traces") or {}).get("found"):
        yield trace_sentences(checks)[0]
    for group, counts in sorted((checks.get("positions") or {}).items()):
        if (p := counts["p_after"]) < _EVEN:
            source, _, n_responses = group.rpartition("/")
            yield f"{source}, {n_responses} responses: the best stands unevenly even after balancing (p = {p:.2g})."
    if (auc := (checks.get("meta_rm") or {}).get("set_alone_auc")) is not None and auc > _LEAKING_AUC:
        yield f"meta_rm: the set alone tells right from wrong at AUC {auc:.2f}; more samples a set help."
    for source, shares in sorted((checks.get("lengths") or {}).items()):
        if shares["best_is_longest"] - shares["chance"] > _LONGER_THAN_CHANCE:
            words = f"in {shares['best_is_longest']:.0%} of the sets, by chance in {shares['chance']:.0%}"
            yield f"{source}: the best response is the longest {words}; a judge may learn to prefer length."


def wanted_sets(manifest: Manifest) -> Sequence[str]:
    """Return the sets that the recipe asks for."""
    wanted: Sequence[str] = manifest.recipe.get("build", {}).get("sets", [])
    return wanted
