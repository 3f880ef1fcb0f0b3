"""The report's way from rows read to rows published: what was lost at each step, and why."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.reporting.answered import answer_legend, answer_steps
from pipelines.reporting.figures import legend, stacked_bar, swatch
from pipelines.reporting.markup import Html, element, joined, short, table
from pipelines.reporting.meanings import MEANINGS, meaning
from pipelines.reporting.source_funnels import ACCEPTED, SourceFunnel, commonest_first, judged_outcomes
from schemas.manifest import Manifest

_GROUP_WORDS = {
    "accepted": "accepted",
    "left out": "correct, but left out (too easy, balance, caps, hint leaks)",
    "incorrect": "incorrect",
    "tied": "tied",
    "unreadable": "unreadable",
}


def funnel_section(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Html:
    """Return a card a source: its rows from first to last."""
    units = {one.source: one.unit for one in manifest.inputs}
    cards = [_funnel_card(funnel, units[funnel.source]) for funnel in funnels]
    note = (
        "Bars of rows and sets are drawn against the rows read, or the sets made of questions; bars of answers against "
        "the answers judged. Test sets "
        "are kept and never sampled. What the reasons mean is written out at the end of this section."
    )
    return joined(
        [
            element("p", note, class_="note"),
            answer_legend(funnels),
            element("div", *cards, class_="cards"),
            _glossary(funnels),
        ]
    )


def outcome_section(funnels: Sequence[SourceFunnel]) -> Html:
    """Return a stacked bar for every source and mode: what its answers amount to."""
    rows: list[Html] = []
    for funnel in funnels:
        for mode, counts in funnel.answers.items():
            groups = judged_outcomes(counts)
            total = sum(groups.values())
            label = f"{funnel.source}, {mode}: " + ", ".join(f"{rows:,} {name}" for name, rows in groups.items())
            name = element(
                "span", short(funnel.source, 60), " ", element("span", mode.replace("_", "-"), class_="soft")
            )
            rows.append(_step(name, stacked_bar(groups.items(), total, label), f"{total:,}"))
            rows.append(_shares(groups, total))
    if not rows:
        return element("p", "No answers were judged for RFT in this build.", class_="note")
    return joined([legend(_GROUP_WORDS.items()), element("div", *rows, class_="card"), _reason_table(funnels)])


def _funnel_card(funnel: SourceFunnel, unit: str) -> Html:
    read, noun = funnel.read, "rows" if funnel.mixed_in else "sets"
    scale = read if funnel.questions is None else max(funnel.made, 1)
    lost_sets = {**_named(funnel.unreadable, "unreadable: "), **funnel.dropped}
    steps = [
        _step("read", stacked_bar([("kept", read)], read, f"{read:,} read"), f"{read:,} rows"),
        *answer_steps(funnel),
        _step("kept", stacked_bar([("kept", funnel.kept)], scale, f"{funnel.kept:,} kept"), f"{funnel.kept:,} {noun}"),
        _losses(lost_sets),
    ]
    if funnel.held_out:
        sampled = funnel.kept - funnel.held_out
        steps.append(_step("to sample", stacked_bar([("kept", sampled)], scale, f"{sampled:,}"), f"{sampled:,} sets"))
        steps.append(_losses({"held out as test": funnel.held_out}))
    if funnel.mixed_in:
        mixed = funnel.mixed_in.get(ACCEPTED, 0)
        steps.append(_step("mixed into rft", stacked_bar([("kept", mixed)], read, f"{mixed:,}"), f"{mixed:,} rows"))
        steps.append(_losses(_without(funnel.mixed_in, ACCEPTED)))
    if judged := funnel.judged:
        steps.append(_step("judged", stacked_bar([("kept", judged)], judged, f"{judged:,}"), f"{judged:,} answers"))
        share = funnel.accepted / judged
        bar = stacked_bar([("accepted", funnel.accepted)], judged, f"{funnel.accepted:,} accepted")
        steps.append(_step("accepted", bar, f"{funnel.accepted:,} ({share:.0%})"))
        steps.append(_losses(funnel.rejected))
    if funnel.rl:
        total, kept = sum(funnel.rl.values()), funnel.rl.get("kept", 0)
        steps.append(_step("chosen for rl", stacked_bar([("kept", kept)], total, f"{kept:,}"), f"{kept:,} sets"))
        steps.append(_losses(_without(funnel.rl, "kept")))
    published = (element("li", element("b", f"{rows:,}"), f" {name}") for name, rows in funnel.published.items())
    last = element("div", element("span", "rows published"), element("ul", *published), class_="step published")
    row = unit if funnel.questions is None else "question"
    title = element("h3", short(funnel.source, 100), " ", element("span", f"a row is one {row}", class_="soft"))
    return element("section", title, *steps, last, class_="card")


def _step(name: str, bar: Html, number: str) -> Html:
    return element("div", element("span", name), bar, element("span", number, class_="number"), class_="step")


def _losses(counts: Mapping[str, int]) -> Html:
    if not counts:
        return Html("")
    items = (
        element("li", element("b", f"−{rows:,}"), " ", short(reason, 80), title=meaning(reason).words)
        for reason, rows in counts.items()
    )
    return element("ul", *items, class_="losses")


def _shares(groups: Mapping[str, int], total: int) -> Html:
    items = (
        element("li", swatch(name), element("b", f"{rows / total:.1%}"), f" {name} ({rows:,})")
        for name, rows in groups.items()
        if rows
    )
    return element("ul", *items, class_="losses")


def _reason_table(funnels: Sequence[SourceFunnel]) -> Html:
    """Return every reject_reason's count by source, folded away."""
    reasons = _together(funnel.rejected for funnel in funnels)
    if not reasons:
        return Html("")
    head = ["reason", *(funnel.source for funnel in funnels), "all"]
    rows = [
        [reason, *(f"{funnel.rejected.get(reason, 0):,}" for funnel in funnels), f"{total:,}"]
        for reason, total in reasons.items()
    ]
    numbers = frozenset(range(1, len(head)))
    return element("details", element("summary", "Every reason by source"), table(head, rows, numbers))


def _glossary(funnels: Sequence[SourceFunnel]) -> Html:
    """Return the words for every reason that occurs, folded away."""
    dropped = _together(funnel.dropped for funnel in funnels)
    rejected = _together(
        [*(funnel.rejected for funnel in funnels), *(_without(funnel.rl, "kept") for funnel in funnels)]
    )
    items: list[Html] = []
    for reason in [*dropped, *(reason for reason in rejected if reason not in dropped)]:
        if reason in MEANINGS:
            words, way_out = meaning(reason)
            items += [element("dt", reason), element("dd", f"{words}. {_sentence(way_out)}".strip())]
    if not items:
        return Html("")
    return element("details", element("summary", "What the reasons mean"), element("dl", *items))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _named(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {f"{prefix}{name}": rows for name, rows in counts.items()}


def _without(counts: Mapping[str, int], outcome: str) -> dict[str, int]:
    return {name: rows for name, rows in counts.items() if name != outcome}


def _together(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums, the largest first."""
    sums: dict[str, int] = {}
    for one in counts:
        for reason, rows in one.items():
            sums[reason] = sums.get(reason, 0) + rows
    return commonest_first(sums)
