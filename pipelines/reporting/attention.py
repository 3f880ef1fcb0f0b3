"""What someone should look at before training on a snapshot: sentences for the report and for a build's last lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.reporting.answered import synthesis_warnings
from pipelines.reporting.leaks import leak_sentences, trace_sentences
from pipelines.reporting.principles import principles_warning
from pipelines.reporting.source_funnels import LOW_SHARE, SourceFunnel
from pipelines.reporting.visible import one_line
from schemas.manifest import Input, Manifest
from schemas.preference import FORGOTTEN

_EVEN = 0.01
"""p under which positions are uneven."""
_LEAKING_AUC = 0.7
"""A fifth of the rows from sets of one label, as the recipe allows, makes .68 of itself."""
_LONGER_THAN_CHANCE = 0.15
_MANY_UNREADABLE = 0.05
_DETAIL = 120


def attention(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> list[str]:
    """Return what someone should look at before training on the snapshot, a sentence each, the worst first."""
    low = _low_sources(funnels)
    return [
        *simulated_models(manifest),
        *unreadable_sources(manifest),
        *incomplete_sets(manifest),
        *low,
        *warnings(manifest, funnels),
    ]


def simulated_models(manifest: Manifest) -> list[str]:
    """Return a sentence where any model was a simulated one: nothing of what it wrote is worth learning."""
    roles = dict.fromkeys(use.role for use in manifest.models if use.engine == "simulated")
    if not roles:
        return []
    return [f"simulated: {', '.join(roles)}; these rows are for trying things out, never for training"]


def unreadable_sources(manifest: Manifest) -> list[str]:
    """Return a sentence for every source of which more than a few rows could not be read."""
    return [_unreadable_rows(one) for one in manifest.inputs if _has_many_unreadable(one)]


def warnings(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> list[str]:
    """Return a sentence for all that a funnel does not show: single bad rows, sets made of questions, splits, requests,
    checks, licences."""
    few = [_unreadable_rows(one) for one in manifest.inputs if _unread(one) and not _has_many_unreadable(one)]
    checks = [*_failed_checks(manifest.checks), *principles_warning(manifest.checks, manifest.recipe)]
    made = [said for funnel in funnels for said in synthesis_warnings(funnel)]
    return [*few, *made, *_no_validation(manifest), *_failed_requests(manifest), *checks, *_restrictions(manifest)]


def _has_many_unreadable(one: Input) -> bool:
    return _unread(one) > _MANY_UNREADABLE * one.rows


def _unread(one: Input) -> int:
    """Return how many rows could not be read; those that were forgotten could."""
    return one.unreadable - sum(reason.rows for reason in one.unreadable_reasons if reason.reason == FORGOTTEN)


def _unreadable_rows(one: Input) -> str:
    """Return how many rows could not be read, and one of them."""
    said = f"{one.source}: {_unread(one):,} of {one.rows:,} rows could not be read"
    examples = [
        reason.examples[0]
        for reason in sorted(one.unreadable_reasons, key=lambda reason: -reason.rows)
        if reason.examples and reason.reason != FORGOTTEN
    ]
    if not examples:
        return f"{said}."
    place, detail = (one_line(examples[0].get(name, ""), _DETAIL) for name in ("source_id", "detail"))
    return f"{said}, for example {place}: {detail}"


def incomplete_sets(manifest: Manifest) -> list[str]:
    """Return a sentence for every set of the recipe that has no rows, and for a meta_rm without the GRM's own samples.

    These are what is missing in a snapshot, where all else that is said is about what it holds.
    """
    found = []
    for name in missing_sets(manifest):
        why = _why_missing(manifest.checks, name)
        found.append(f"{name} has no training rows{f': {why}' if why else ''}; LATEST was not moved")
    return found + _without_on_policy(manifest)


def missing_sets(manifest: Manifest) -> list[str]:
    """Return the sets of the recipe that have no training row."""
    return [name for name in _wanted_sets(manifest) if f"{name}/train" not in manifest.tables]


def no_row_for(missing: Sequence[str], checks: Mapping[str, Any]) -> str:
    """Return which sets have no row, and why where that is known, as every command and flow says it."""
    said = [f"{name} ({why})" if (why := _why_missing(checks, name)) else name for name in missing]
    return f"no row for {', '.join(said)}"


def _why_missing(checks: Mapping[str, Any], name: str) -> str | None:
    """Return why a set could not be made; None where it was made, and came out empty."""
    check = checks.get(name)
    return check.get("missing") if isinstance(check, Mapping) else None


def _without_on_policy(manifest: Manifest) -> list[str]:
    """Return that meta_rm holds no sample of the trained GRM (METHOD section 5); nothing where it does."""
    if "meta_rm/train" not in manifest.tables or (manifest.checks.get("meta_rm") or {}).get("on_policy") != 0:
        return []
    if any(use.role == "policy" for use in manifest.models):
        why = "[models.policy] gave no answer that could be read and balanced"
    else:
        why = "the recipe has no [models.policy]"
    return [
        f"meta_rm WITHOUT ON-POLICY SAMPLES: {why}, so a Meta RM learns from judgements of other models than the one "
        f"that "
        "it is to score. Train the GRM on rft, name it as [models.policy], and build again: what is stored is not "
        "asked "
        "again"
    ]


def _low_sources(funnels: Sequence[SourceFunnel]) -> list[str]:
    found = []
    for funnel in funnels:
        share = funnel.accepted_share
        if share is not None and share < LOW_SHARE:
            commonest = next(iter(funnel.rejected), "unknown")
            found.append(f"{funnel.source}: {share:.0%} of the answers were accepted; {commonest} takes most.")
        elif not any(funnel.published.values()):
            found.append(f"{funnel.source} gives no row to any training table.")
    return found


def _no_validation(manifest: Manifest) -> list[str]:
    """Return that sets have no validation rows; nothing where the recipe wants none."""
    made = [name for name in _wanted_sets(manifest) if f"{name}/train" in manifest.tables]
    without = [name for name in made if f"{name}/validation" not in manifest.tables]
    if not without or manifest.recipe.get("splits", {}).get("validation") == 0:
        return []
    where = "" if without == made else f" in {', '.join(without)}"
    return [f"no validation rows{where}: raise [splits] validation"]


def _failed_requests(manifest: Manifest) -> list[str]:
    return [
        f"{use.role}: {use.failed:,} of {use.requests:,} requests failed for good; build --retry-failed asks again."
        for use in manifest.models
        if use.failed
    ]


def _failed_checks(checks: Mapping[str, Any]) -> list[str]:
    traces = trace_sentences(checks)[:1] if (checks.get("hint_traces") or {}).get("found") else []
    found = [*leak_sentences(checks), *traces] + [
        f"{_group_words(group)}: the best stands unevenly even after balancing (p = {one['p_after']:.2g})."
        for group, one in sorted((checks.get("positions") or {}).items())
        if one["p_after"] < _EVEN
    ]
    auc = (checks.get("meta_rm") or {}).get("set_alone_auc")
    if auc is not None and auc > _LEAKING_AUC:
        found.append(f"meta_rm: the set alone tells right from wrong at AUC {auc:.2f}; more samples a set help.")
    for source, one in sorted((checks.get("lengths") or {}).items()):
        if one["best_is_longest"] - one["chance"] > _LONGER_THAN_CHANCE:
            found.append(
                f"{source}: the best response is the longest in {one['best_is_longest']:.0%} of the sets, by chance in "
                f"{one['chance']:.0%}; a judge may learn to prefer length."
            )
    return found


def _restrictions(manifest: Manifest) -> list[str]:
    restricted = [one.source for one in manifest.inputs if one.redistribution == "restricted"]
    if not restricted:
        return []
    return [
        f"Redistribution restricted: the authors of {', '.join(restricted)} ask that their rows are not republished."
    ]


def _wanted_sets(manifest: Manifest) -> Sequence[str]:
    wanted: Sequence[str] = manifest.recipe.get("build", {}).get("sets", [])
    return wanted


def _group_words(group: str) -> str:
    """Return `source/n` in words."""
    source, _, n_responses = group.rpartition("/")
    return f"{source}, {n_responses} responses"
