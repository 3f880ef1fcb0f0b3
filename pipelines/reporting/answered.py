"""Questions and the sets made of them: in a line for a terminal, as warnings, and as a part of the report's funnel."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.reporting.figures import legend, stacked_bar
from pipelines.reporting.markup import Html, element, joined
from pipelines.reporting.meanings import ORIGINS, meaning, verdict_meaning
from pipelines.reporting.source_funnels import SourceFunnel
from schemas.candidate import Origin
from schemas.question import Verdict

_ONE_MODEL = 0.5
"""Of the sets, so many at least should have right and wrong responses of one model (METHOD section 8)."""
_FEW_SETS = 0.5
_MANY_UNGRADED = 1 / 3
_SHOWN_VERDICTS = 3
UNGRADED = tuple(verdict for verdict in Verdict if verdict not in (Verdict.RIGHT, Verdict.WRONG))


def answers_in_words(funnel: SourceFunnel) -> str | None:
    """Return how many questions there were, how their answers fell, and which sets came of them; None without any."""
    if funnel.questions is None:
        return None
    said = [f"{funnel.source}: {funnel.questions:,} questions"]
    said += [
        f"{sum(counts.values()):,} {ORIGINS[origin].answers} ({_shares(counts)})" for origin, counts in _ordered(funnel)
    ]
    return "; ".join([*said, f"{', '.join(_sets(funnel))}"])


def synthesis_warnings(funnel: SourceFunnel) -> Iterator[str]:
    """Yield what someone should look at before training on sets that were made of this source's questions."""
    sets = funnel.composition.get("sets", 0)
    if sets and (share := funnel.composition["of_one_model"] / sets) < _ONE_MODEL:
        yield (
            f"{funnel.source}: only {share:.0%} of the sets have right and wrong responses of one model, so the author "
            "may give the right one away; raise [synthesis] samples, or add a [models.teacher]."
        )
    if funnel.questions and sets < _FEW_SETS * funnel.questions and funnel.dropped:
        reason = next(iter(funnel.dropped))
        words, way_out = meaning(reason)
        yield (
            f"{funnel.source}: {sets:,} of {funnel.questions:,} questions gave a set to compare; most others are "
            f"{reason}: {words}{f'; {way_out}' if way_out else ''}."
        )
    if (share := funnel.share_of_answers(*UNGRADED)) > _MANY_UNGRADED:
        verdict = max(UNGRADED, key=lambda one: funnel.share_of_answers(one))
        words, way_out = verdict_meaning(verdict)
        yield (
            f"{funnel.source}: {share:.0%} of the answers are neither right nor wrong, most of them {verdict}: "
            f"{words}; {way_out}."
        )


def answer_steps(funnel: SourceFunnel) -> list[Html]:
    """Return the steps of the report's funnel between the rows read and the sets kept."""
    if funnel.questions is None:
        return []
    steps = []
    for origin, counts in _ordered(funnel):
        total = sum(counts.values())
        groups = {"right": counts.get(Verdict.RIGHT, 0), "wrong": counts.get(Verdict.WRONG, 0)}
        groups["ungraded"] = total - sum(groups.values())
        label = f"{total:,} {ORIGINS[origin].answers}: {_shares(counts, len(counts))}"
        items = (
            element(
                "li", element("b", f"{rows:,}"), f" {verdict.replace('_', ' ')}", title=verdict_meaning(verdict).words
            )
            for verdict, rows in counts.items()
        )
        number = element("span", f"{total:,} answers", class_="number")
        bar = stacked_bar(groups.items(), total, label)
        steps.append(element("div", element("span", ORIGINS[origin].step), bar, number, class_="step"))
        steps.append(element("ul", *items, class_="losses"))
    composed = element("ul", *(element("li", part) for part in _sets(funnel)))
    steps.append(element("div", element("span", "sets made of them"), composed, class_="step published"))
    return steps


def answer_legend(funnels: Sequence[SourceFunnel]) -> Html:
    """Return what the colours of answers mean; nothing where no source has questions."""
    if all(funnel.questions is None for funnel in funnels):
        return Html("")
    kinds = [("right", "right"), ("wrong", "wrong"), ("ungraded", "neither: no set holds these")]
    note = (
        "Questions were answered, each answer was graded against the known one, and sets were made of one right and "
        "several wrong answers. docs/synthesis.md explains how."
    )
    return joined([element("p", note, class_="note"), legend(kinds)])


def _ordered(funnel: SourceFunnel) -> list[tuple[str, Mapping[str, int]]]:
    return [(origin.value, funnel.graded[origin]) for origin in Origin if origin in funnel.graded]


def _shares(counts: Mapping[str, int], most: int = _SHOWN_VERDICTS) -> str:
    """Return right, wrong and the commonest others in per cent."""
    total = sum(counts.values())
    first = [verdict for verdict in (Verdict.RIGHT, Verdict.WRONG) if verdict in counts]
    others = [verdict for verdict in counts if verdict not in first]
    shown = [*first, *others[:most]]
    return ", ".join(f"{counts[verdict] / total:.0%} {verdict.replace('_', ' ')}" for verdict in shown)


def _sets(funnel: SourceFunnel) -> list[str]:
    """Return how the sets are made up, a phrase each."""
    found = funnel.composition
    if not found.get("sets"):
        said = ["no set to compare"]
    else:
        sets = found["sets"]
        said = [f"{sets:,} sets to compare", f"{found['of_one_model'] / sets:.0%} of them of one model"]
        said += [f"{found['taught'] / sets:.0%} taught"] if found["taught"] else []
    singles = found.get("single_right", 0) + found.get("single_wrong", 0)
    return [*said, f"{singles:,} single responses, {found.get('single_right', 0):,} right"] if singles else said
