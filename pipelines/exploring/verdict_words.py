"""Why a trajectory was accepted or rejected, in a sentence, and what else would have had to hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.judging.critiques import has_critique
from pipelines.judging.extraction import read_answer, without_verdict
from pipelines.judging.hint_leaks import gives_verdict_first, hint_sentences
from pipelines.judging.verdicts import answer_of
from pipelines.reporting.comparing import rules_of
from pipelines.reporting.meanings import meaning
from pipelines.training_sets.rejection import pass_counts, rejections
from schemas.trajectory import REJECT_PRECEDENCE, Mode, Outcome, Principle, Purpose, RejectReason

Row = Mapping[str, Any]

_CAPS = (
    RejectReason.MAX_ACCEPTED,
    RejectReason.LABEL_BALANCE,
    RejectReason.POSITION_BALANCE,
    RejectReason.HINTED_SHARE,
)
"""In the order in which they are applied."""
_OTHER_PURPOSES = {
    Purpose.DIFFICULTY: "it counts for how hard its set is",
    Purpose.ON_POLICY: "it may stand in meta_rm",
    Purpose.PAIRED: "it counts for whether given criteria help",
}


def why(row: Row, of_set: Row | None, samples: Sequence[Row], recipe: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return why a trajectory is what it is, and for a rejected one what else would have had to hold.

    `samples` are all trajectories of its set, with purpose, mode and outcome; `recipe` is that of the manifest.
    """
    if row["purpose"] != Purpose.RFT:
        counts = _OTHER_PURPOSES.get(row["purpose"], "it is in no training set")
        said = f"Not judged for RFT: a sample of the purpose {row['purpose']}; {counts}. {_what_it_found(row, of_set)}"
        reason = row["reject_reason"]
        return said + (f" Its set is not in rl: {meaning(reason).words}." if reason else ""), []
    facts = _facts(row, of_set, samples, reference_is_shown(row, recipe))
    rules, n_rft = rules_of(recipe), (recipe.get("grm") or {}).get("n_rft", 3)
    checks = pl.DataFrame([facts]).select(
        condition.fill_null(False).alias(name.value) for name, condition in rejections(rules, n_rft)
    )
    words = _musts(facts, n_rft, rules.max_label_suspicion, rules.min_pass_for_hinted)
    if not rules.drop_too_easy:
        del words[RejectReason.TOO_EASY.value]
    if row["accepted"]:
        held = [words[name] for name in checks.columns if name in words]
        return f"Accepted: {_what_it_found(row, of_set)} It passed every rule: {'; '.join(held)}.", []
    reason = row["reject_reason"] or row["outcome"]
    said = f"Rejected, {reason}: {meaning(reason, facts['n_responses']).words}. {_what_it_found(row, of_set)}"
    fails = checks.row(0, named=True)
    return said, list(_else(reason, fails, words))


def reference_is_shown(row: Row, recipe: Mapping[str, Any]) -> bool:
    """Say whether the training prompt of a trajectory holds the reference answer, so that it may be spoken of."""
    return bool(row.get("has_reference")) and (recipe.get("grm") or {}).get("reference") == "prompt"


def _facts(row: Row, of_set: Row | None, samples: Sequence[Row], reference_shown: bool) -> dict[str, Any]:
    """Return what the rules rest on. What the tables do not hold of a trajectory is read from its text again."""
    n_responses = len(row["order"])
    text = row["text"] or ""
    read = read_answer(row["text"], row["finish_reason"], n_responses, None if n_responses == 1 else 0, 0)
    principles = [Principle(**one) for one in row["principles"] or ()]
    leaks = False
    if row["mode"] == Mode.HINTED:
        answer = answer_of(text)
        is_spoken_of = bool(hint_sentences(answer, reference_shown))
        leaks = is_spoken_of or gives_verdict_first(answer, principles, row["critique"])
    rft = [{"set_id": row["set_id"], **one} for one in samples if one["purpose"] == Purpose.RFT]
    counts = pass_counts(pl.DataFrame(rft, schema={"set_id": pl.String, "mode": pl.String, "outcome": pl.String}))
    _, passed, counted = counts.row(0) if counts.height else (None, 0, 0)
    return {
        "mode": row["mode"],
        "n_responses": n_responses,
        "draft_verdict": read.draft_verdict,
        "no_critique": _may_lack_critique(row) and not has_critique(without_verdict(text), n_responses),
        "no_principles": not principles and row["reject_reason"] == RejectReason.NO_PRINCIPLES,
        "hint_leak": leaks,
        "pass_count": passed,
        "pass_samples": counted,
        "label_suspicion": of_set["label_suspicion"] if of_set else None,
    }


def _may_lack_critique(row: Row) -> bool:
    """Say whether no earlier decision says already that there is a critique: to look for one takes a while."""
    before = REJECT_PRECEDENCE[: REJECT_PRECEDENCE.index(RejectReason.NO_CRITIQUE) + 1]
    return row["reject_reason"] in before


def _what_it_found(row: Row, of_set: Row | None) -> str:
    """Return how the answer scored the best response, in a sentence."""
    scores, order = row["scores"], row["order"]
    if not scores or None in scores:
        return f"No score could be read of it ({row['outcome']})."
    best = order.index(of_set["best"]) if of_set and of_set["best"] in order else None
    if best is None:
        label = "" if of_set is None or of_set["label"] is None else f", and the right label is {of_set['label']}"
        return f"It says {', '.join(f'{score:g}' for score in scores)}{label}."
    others = [score for place, score in enumerate(scores) if place != best]
    return f"It gives response {best + 1} as shown, the best, {scores[best]:g}, and the highest other {max(others):g}."


def _musts(facts: Row, n_rft: int, suspicion: float | None, confirmed: int | None) -> dict[str, str]:
    """Return what each rule asks for, with what is the case."""
    passed, counted = facts["pass_count"], facts["pass_samples"]
    known = facts["label_suspicion"]
    words = {
        RejectReason.DRAFT_VERDICT: "no earlier verdict that differs",
        RejectReason.NO_CRITIQUE: "a critique that says something of a response",
        RejectReason.NO_PRINCIPLES: "criteria, where the prompt asks for them",
        RejectReason.TOO_EASY: f"a set that is not too easy ({passed} of its {counted} readable samples without a hint "
        "are correct)",
        RejectReason.UNDECIDED: f"{n_rft} readable samples of the set without a hint (there are {counted})",
        RejectReason.LABEL_SUSPECT: f"a label_suspicion of at most {suspicion} (it is {known})",
        RejectReason.HINT_UNCONFIRMED: f"{confirmed} correct samples without a hint (there are {passed})",
    }
    if facts["mode"] == Mode.HINTED:
        words[RejectReason.HINT_LEAK] = "no word of the hint that it was given"
    else:
        del words[RejectReason.HINT_UNCONFIRMED]
    return {name.value: said for name, said in words.items()}


def _else(reason: str, fails: Mapping[str, bool], words: Mapping[str, str]) -> Iterator[str]:
    """Yield what comes after a reason in the order of the rules, each with whether it would have held."""
    if reason in set(Outcome):
        yield "correct: the best response strictly the highest, or a single response with the right label"
    names = list(fails)
    for name in names[names.index(reason) + 1 :] if reason in names else names if reason in set(Outcome) else ():
        if name in words:
            yield f"{words[name]}: {'this would not have held either' if fails[name] else 'this holds'}"
    caps = list(_CAPS[_CAPS.index(RejectReason(reason)) + 1 :] if reason in _CAPS else _CAPS)
    if caps:
        yield f"a place among the rows that the caps keep ({', '.join(caps)}), which depends on all rows together"
