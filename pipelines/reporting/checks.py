"""What the checks of a build found, in words and as tables, for the report, the card and a build's last lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.reporting.visible import cut

_FEATURE_WORDS = {
    "position": "where it stands",
    "length": "its length",
    "markers": "special tokens and set phrases",
    "layout": "lists, headings and other layout",
    "turns": "the number of its turns",
    "language": "its language or script",
    "wording": "figures, punctuation and hedging words",
    "overlap": "the words it shares with the query and the others",
    "author": "who wrote it",
    "ngrams": "its style, letter by letter",
}
_FEATURES_NAMED = 3
_HALF_WIDTH = 1.96
"""Standard errors of half a 95 % interval."""
_CLEAR = 2.0
"""Standard errors beyond which a difference is more than chance, as a rule."""

_GAVE_UP = " Downsampling would have taken half of its sets, so it took none."

Findings = Mapping[str, Any]


def leak_findings(checks: Mapping[str, Any]) -> Iterator[tuple[str, str, Findings]]:
    """Yield (where, what the probe finds, finding) of all that was probed."""
    probed = checks.get("leak_probe") or {}
    tasks = {"best": "the best response", "label": "the label of single responses"}
    yield from ((finding["source"], tasks[finding["task"]], finding) for finding in probed.get("sources") or ())
    yield from (("rft, as shown", tasks[task], finding) for task, finding in sorted((probed.get("rft") or {}).items()))
    if probed.get("meta_rm"):
        yield "meta_rm", "right trajectories", probed["meta_rm"]
    if probed.get("hinted"):
        yield "rft", "hinted answers", probed["hinted"]


def leak_sentences(checks: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each leak, the worst first, with the features that give it away."""
    leaks = [(where, what, finding) for where, what, finding in leak_findings(checks) if finding["leaky"]]
    return [
        f"{where}: leaky. A probe that reads nothing tells {what} at AUC {auc_words(finding)} (chance 0.5, limit "
        f"{finding['threshold']:g}), by {by_words(finding)}."
        + (_GAVE_UP if (finding.get("downsampled") or {}).get("gave_up") else "")
        for where, what, finding in sorted(leaks, key=lambda leak: -leak[2]["auc"])
    ]


def trace_sentences(checks: Mapping[str, Any]) -> list[str]:
    """Return what the check `hint_traces` found, a sentence each; nothing where it was not run."""
    if not (traces := checks.get("hint_traces")):
        return []
    if traces["auc"] is None:
        return [f"Whether hinted critiques still give themselves away was not measured: {traces['reason']}."]
    verdict = "hinted critiques still give themselves away" if traces["found"] else "no trace of the hint was found"
    null, alarms = traces["null"], traces["false_alarms"]
    chance = f"{null['auc']:.2f} in {interval_words(null)}" if null["auc"] is not None else f"none: {null['reason']}"
    sentences = [
        f"Hint traces: {verdict}. A bag of words tells accepted hinted critiques from others of the "
        f"same {traces['sets']:,} sets at AUC {traces['auc']:.2f} in {interval_words(traces)} "
        f"(random split of the others: {chance})."
    ]
    if alarms["critiques"]:
        sentences.append(
            f"Of {alarms['critiques']:,} accepted critiques that were never hinted, the rules of hint_leak would take "
            f"{alarms['phrases']:,} for speaking of a hint and {alarms['verdict_first']:,} for a verdict before a "
            "criterion."
        )
    return sentences


def interval_words(finding: Findings) -> str:
    low, high = finding["interval"]
    return f"{low:.2f}..{high:.2f}"


def trace_ngrams(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each of the n-grams that speak most for a hint, for the report."""
    return [
        [cut(row["ngram"], 60), f"{row['hinted']:.1%}", f"{row['non_hinted']:.1%}", f"{row['weight']:.2f}"]
        for row in (checks.get("hint_traces") or {}).get("ngrams") or ()
    ]


def auc_words(finding: Findings) -> str:
    """Return an AUC with half of its 95 % interval, or why there is none."""
    if finding["auc"] is None:
        return str(finding["reason"])
    return f"{finding['auc']:.2f} ± {_HALF_WIDTH * finding['se']:.2f}"


def by_words(finding: Findings) -> str:
    """Return the features above the threshold, three at most, or else the two highest, in words with their AUC."""
    ranked = sorted((finding.get("auc_by_feature") or {}).items(), key=lambda feature: (-feature[1], feature[0]))
    named = [feature for feature in ranked if feature[1] > finding["threshold"]][:_FEATURES_NAMED] or ranked[:2]
    return ", ".join(f"{_FEATURE_WORDS.get(name, name)} ({auc:.2f})" for name, auc in named)


def leak_rows(checks: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each finding: where, what, sets, AUC, verdict and features, for the card and the report."""
    rows = []
    for where, what, finding in leak_findings(checks):
        verdict = "leaky" if finding["leaky"] else "not measured" if finding["auc"] is None else "fine"
        if changed := finding.get("downsampled"):
            verdict += f"; {changed['left_out']:,} of {changed['of']:,} sets left out, AUC {changed['before']} before"
        rows.append([where, what, f"{finding['sets']:,}", auc_words(finding), verdict, by_words(finding)])
    return rows


def principles_sentence(checks: Mapping[str, Any]) -> str | None:
    """Return what the comparison found; None where nothing was compared."""
    if not (compared := checks.get("principles")):
        return None
    if not compared["sets"]:
        return "Given criteria: no set has readable samples both with them and without, so nothing can be said."
    accuracies = (
        f"Given criteria: {compared['rubric']:.1%} right, its own: {compared['self']:.1%}, over "
        f"{compared['sets']:,} sets, each sampled both ways"
    )
    difference, error = compared["difference"], compared["standard_error"]
    if error is None:
        return f"{accuracies}: too few to tell."
    verdict = "worth it here" if difference > 0 else "not worth it here"
    if abs(difference) <= _CLEAR * error:
        verdict = "no clear difference, so not worth it here"
    return f"{accuracies}; difference {100 * difference:+.1f} ± {100 * error:.1f} points: {verdict}."


def principles_warning(checks: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    """Return that the training rows were sampled with given criteria although these lower the judge's accuracy."""
    compared = checks.get("principles") or {}
    difference, error = compared.get("difference"), compared.get("standard_error")
    is_given = (recipe.get("grm") or {}).get("principles") == "rubric"
    if not is_given or difference is None or error is None or difference >= -_CLEAR * error:
        return []
    loss = f"{-100 * difference:.1f} ± {100 * error:.1f} points"
    return [f'[grm] principles = "rubric" lowers the judge\'s accuracy by {loss}: take "self".']
