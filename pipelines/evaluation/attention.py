"""What someone should know before believing the figures of an evaluation: a sentence each."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from pipelines.evaluation.accuracy import GREEDY
from pipelines.evaluation.answer_facts import AnswerFacts
from pipelines.evaluation.attacks import FLIPPED
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.figures import Figures, Value, interval_of, percent
from pipelines.evaluation.wording import counted, without_verdict
from pipelines.reporting.visible import one_line
from schemas.evaluation import READABLE
from schemas.evaluation_manifest import BenchmarkEntry, EvaluationManifest

_MANY = 0.05
"""The share of unreadable answers, or of ties, that a person should look at."""
_DETAIL = 120
_PLACES = "right response shown"
_LONGEST = "longest response"


def attention(
    manifest: EvaluationManifest, figures: Figures, facts: Mapping[str, AnswerFacts], figures_are: str = "below"
) -> list[str]:
    """Return what wants attention, a sentence each, what spoils every figure first.

    `figures_are` says where the figures by group are, seen from these sentences.
    """
    sentences = [*_of_the_judge(manifest)]
    for entry in manifest.benchmarks:
        name = one_line(entry.name, _DETAIL)
        of_one = (
            *_overlap(entry, figures_are),
            *_answers(entry, facts.get(entry.name, AnswerFacts())),
            *_part(manifest, entry),
            *_effects(figures, entry.name, manifest.k_max),
            *_attacks(figures, entry.name),
            *_rows(entry),
        )
        sentences += [f"{name}: {words}" for words in of_one]
    return sentences


def _of_the_judge(manifest: EvaluationManifest) -> Iterator[str]:
    judge = manifest.judge
    if judge is None:
        return
    if judge.engine == "simulated":
        yield "The judge is simulated: these figures try out grmforge, and say nothing about a model."
    elif manifest.meta_rm is not None and manifest.meta_rm.engine == "simulated":
        yield "The Meta RM is simulated: what it chooses says nothing about a model."
    if manifest.meta_rm is not None and manifest.meta_rm.failed:
        failed, of_all = manifest.meta_rm.failed, counted(manifest.meta_rm.requests, "judgement")
        yield (
            f"{failed:,} of {of_all} got no score of the Meta RM, and {'is' if failed == 1 else 'are'} chosen last; "
            "evaluate --retry-failed asks again."
        )
    if judge.failed:
        verb = "counts" if judge.failed == 1 else "count"
        counts = f"{judge.failed:,} of {counted(judge.requests, 'request')} failed for good, and {verb} as unreadable"
        yield f"{counts}; evaluate --retry-failed asks again."


def _overlap(entry: BenchmarkEntry, figures_are: str) -> Iterator[str]:
    if entry.in_training:
        verb = "stands" if entry.in_training == 1 else "stand"
        counts = f"{entry.in_training:,} of {counted(entry.items, 'question')} {verb} in the judge's training snapshot"
        yield f"{counts}. Read its accuracy without them, {figures_are}."


def _answers(entry: BenchmarkEntry, facts: AnswerFacts) -> Iterator[str]:
    paid = sum(entry.outcomes.values())
    unreadable = {name: count for name, count in entry.outcomes.items() if name != READABLE and count}
    lost = sum(unreadable.values())
    if lost > _MANY * paid:
        most = max(unreadable, key=lambda name: unreadable[name])
        counts = f"{percent(lost / paid)} of {counted(paid, 'judgement')} cannot be read, most of them {most}"
        yield f"{counts}. They count as paid, and cost accuracy at few samples."
    if entry.never_readable:
        verbs = ("has", "counts") if entry.never_readable == 1 else ("have", "count")
        items = counted(entry.never_readable, "item")
        yield f"{items} {verbs[0]} no readable judgement at all, and {verbs[1]} as wrong."
    if facts.tied_share is not None and facts.tied_share > _MANY:
        yield f"{percent(facts.tied_share)} of the readable judgements put several responses on top; ties count 1/m."


def _part(manifest: EvaluationManifest, entry: BenchmarkEntry) -> Iterator[str]:
    is_of_verdicts = manifest.judge is None
    if is_of_verdicts and entry.left_out:
        yield f"{without_verdict(manifest, entry)}."
    if not entry.is_whole:
        is_limited = entry.left_out and not is_of_verdicts
        left = f", {counted(entry.left_out, 'row')} beyond the limit" if is_limited else ""
        yield f"a part of the benchmark{left}: it has no total, and is not to be compared with published figures."


def _effects(figures: Figures, benchmark: str, k_max: int) -> Iterator[str]:
    """Yield what moves the judge that should not, where intervals lie apart."""
    groups = figures.groups(benchmark)
    of_size: dict[str, list[tuple[str, Value | None]]] = {}
    for name in groups.get(_PLACES, ()):
        of_size.setdefault(name.rpartition(" of ")[2], []).append((name, figures.value(benchmark, name, VOTING, 1)))
    for places in of_size.values():
        if (apart := _furthest_apart(places)) is not None:
            (best, high), (worst, low) = apart
            shown = [name.rpartition(": ")[2] for name in (best, worst)]
            yield (
                f"the judge prefers a position: a single sample is right in {_words(high)} where the right response is "
                f"shown as {shown[0]}, in {_words(low)} as {shown[1]}."
            )
    lengths = {
        name.rpartition(": ")[2]: figures.value(benchmark, name, VOTING, k_max) for name in groups.get(_LONGEST, ())
    }
    longest, shorter = lengths.get("right"), lengths.get("wrong")
    if longest is not None and shorter is not None and _are_apart(longest, shorter):
        likes = "longer" if longest.value > shorter.value else "shorter"
        yield (
            f"the judge may prefer {likes} responses: it is right in {_words(longest)} where the longest response is "
            f"right, in {_words(shorter)} where it is wrong. Items of the two kinds may also differ in difficulty."
        )


def _attacks(figures: Figures, benchmark: str) -> Iterator[str]:
    for attack in figures.attacks(benchmark):
        flipped = figures.value(benchmark, f"{FLIPPED}: {attack}", GREEDY, 1)
        if flipped is not None and (flipped.low or 0.0) > _MANY:
            yield f"the judge can be fooled: the attack {attack!r} flips {_words(flipped)} of its right verdicts."


def _rows(entry: BenchmarkEntry) -> Iterator[str]:
    if not entry.unreadable:
        return
    words = f"no item could be made of {entry.unreadable:,} of {counted(entry.rows, 'row')}"
    examples = [reason.examples[0] for reason in entry.unreadable_reasons if reason.examples]
    if examples:
        place, detail = (one_line(str(examples[0].get(key, "")), _DETAIL) for key in ("source_id", "detail"))
        words += f", for example {place}: {detail}"
    yield words


def _furthest_apart(
    values: list[tuple[str, Value | None]],
) -> tuple[tuple[str, Value], tuple[str, Value]] | None:
    """Return the two figures whose intervals lie furthest apart, the higher one first; None where all overlap."""
    known = [(name, value) for name, value in values if value is not None]
    pairs = [
        sorted(pair, key=lambda one: -one[1].value)
        for pair in combinations(known, 2)
        if _are_apart(pair[0][1], pair[1][1])
    ]
    if not pairs:
        return None
    high, low = max(pairs, key=lambda pair: pair[0][1].value - pair[1][1].value)
    return high, low


def _are_apart(one: Value, other: Value) -> bool:
    if None in (one.low, one.high, other.low, other.high):
        return False
    return bool((one.low or 0.0) > (other.high or 0.0) or (other.low or 0.0) > (one.high or 0.0))


def _words(value: Value) -> str:
    return f"{percent(value.value)} ({interval_of(value)})"
