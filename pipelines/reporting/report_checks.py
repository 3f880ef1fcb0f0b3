"""The report's checks: whether position, length or the set alone gives a label away."""

import json
from collections.abc import Mapping
from typing import Any

from pipelines.reporting.figures import legend, position_columns, stacked_bar
from pipelines.reporting.markup import Html, element, joined, short

_SHOWN = frozenset({"positions", "lengths", "meta_rm", "leak_probe", "hint_traces", "composition", "principles"})


def position_section(checks: Mapping[str, Any]) -> Html:
    """Return small multiples: where the best response stands, before and after balancing."""
    positions: Mapping[str, Any] = checks.get("positions") or {}
    if not positions:
        return element("p", "No positions to check: nothing was accepted for RFT.", class_="note")
    cards = [
        element(
            "div",
            element("h3", *_group_title(group)),
            position_columns(
                found["before"], found["after"], f"{group}: {found['before']} before, {found['after']} after"
            ),
            _p_value("before", sum(found["before"]), found["p_before"]),
            _p_value("after", sum(found["after"]), found["p_after"]),
            class_="card",
        )
        for group, found in sorted(positions.items())
    ]
    note = (
        "Share of accepted answers by the position of the best response; the dashed line is an even share. p is from a "
        "chi-square test of evenness: tiny before means that the judge prefers a position, large after that balancing "
        "removed it."
    )
    kinds = [("before", "before balancing"), ("after", "after balancing")]
    return joined([element("p", note, class_="note"), legend(kinds), element("div", *cards, class_="cards multiples")])


def meta_rm_section(checks: Mapping[str, Any]) -> Html:
    """Return the Meta RM check; nothing where no such set was made."""
    found: Mapping[str, Any] = checks.get("meta_rm") or {}
    if not found:
        return element("p", "No Meta RM set in this build.", class_="note")
    before, after, negatives = found.get("set_alone_auc_before"), found.get("set_alone_auc"), found.get("negatives")
    tiles = [
        _tile(f"{found.get('rows', 0):,}", f"rows, of {found.get('candidates', 0):,} candidates"),
        _tile(_percent(negatives), "negatives"),
        _tile(
            f"{_number(before)} → {_number(after)}", "AUC of the set alone, before and after balancing; 0.5 is the aim"
        ),
    ]
    return element("ul", *tiles, class_="tiles")


def length_section(checks: Mapping[str, Any]) -> Html:
    """Return, per source, how often the best response is the longest, beside chance."""
    lengths: Mapping[str, Any] = checks.get("lengths") or {}
    rows: list[Html] = []
    for source, found in sorted(lengths.items()):
        longest, chance = found["best_is_longest"], found["chance"]
        bar = stacked_bar(
            [("kept", round(longest * 10_000))], 10_000, f"{source}: {longest:.1%}, chance {chance:.1%}", [chance]
        )
        numbers = element(
            "span", f"{longest:.1%}", element("span", f" vs {chance:.1%}", class_="soft"), class_="number"
        )
        rows.append(element("div", element("span", short(source, 60)), bar, numbers, class_="step"))
    if not rows:
        return element("p", "No sets of several responses to check.", class_="note")
    note = "How often the best response of a kept set is also the longest; the tick is the rate of chance."
    return joined([element("p", note, class_="note"), element("div", *rows, class_="card")])


def other_checks(checks: Mapping[str, Any]) -> Html:
    """Return every check that has no picture of its own, as it stands in the manifest."""
    others = {name: value for name, value in checks.items() if name not in _SHOWN}
    if not others:
        return Html("")
    return element(
        "details", element("summary", "Further checks"), element("pre", short(json.dumps(others, indent=1), 20_000))
    )


def _group_title(group: str) -> list[str]:
    source, _, n_responses = group.rpartition("/")
    return [short(source, 60), " ", element("span", f"{n_responses} responses", class_="soft")]


def _p_value(when: str, answers: int, p: float) -> Html:
    return element("p", element("b", f"p = {_number(p)}"), f" {when} (of {answers:,})", class_="soft")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _tile(number: str, words: str) -> Html:
    return element("li", element("b", number), element("span", words))
