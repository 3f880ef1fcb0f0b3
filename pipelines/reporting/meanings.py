"""What outcomes, reasons, verdicts and origins mean, in words for someone who meets them first.

Questions and the sets made of them are here too: in a line for a terminal, as warnings, and as a part of the report.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.reporting.source_funnels import SourceFunnel
from schemas.candidate import Origin
from schemas.explained import Meaning
from schemas.preference import DropReason
from schemas.question import Verdict
from schemas.trajectory import Outcome, RejectReason

_ONE_MODEL = 0.5
"""At least this share of the sets should have right and wrong responses of one model (METHOD section 8)."""
_FEW_SETS = 0.5
_MANY_UNGRADED = 1 / 3
_SHOWN_VERDICTS = 3
UNGRADED = tuple(verdict for verdict in Verdict if verdict not in (Verdict.RIGHT, Verdict.WRONG))
SURPLUS = "surplus"
"""General rows that were not mixed in."""

MEANINGS: Mapping[str, Meaning] = {
    **{value: value.meaning for kind in (Outcome, RejectReason, DropReason) for value in kind},
    SURPLUS: Meaning(
        "a general row beyond the recipe's ratio to judged ones",
        "raise [general] ratio, or the number of judged rows",
    ),
}
"""By the value of Outcome, RejectReason or DropReason, or SURPLUS; each value stands for one thing only."""


class OriginWords(NamedTuple):
    """Who gave an answer, in words."""

    step: str
    """As a step of the report's funnel."""
    answers: str
    """As answers that are counted in a sentence."""
    author: str
    """As a fact of one answer."""


ORIGINS: Mapping[str, OriginWords] = {
    Origin.GIVEN: OriginWords("answers given", "answers that came with the source", "came with the source"),
    Origin.RESPONDER: OriginWords("responder's answers", "answers of the responder", "the responder's"),
    Origin.TEACHER: OriginWords("teacher's answers", "of the teacher", "the teacher's own"),
    Origin.REWRITE: OriginWords(
        "wrong, reworded", "wrong ones reworded by the teacher", "a wrong response in the teacher's words"
    ),
}


def meaning(value: str, n_responses: int | None = None) -> Meaning:
    """Return what an outcome or reason means; one that a newer grmforge wrote stands for itself.

    `n_responses`, where it is known, makes the words those of one response or of several.
    """
    known = MEANINGS.get(value, Meaning(value.replace("_", " ")))
    if n_responses and value in (Outcome.CORRECT, Outcome.INCORRECT):  # their words hold both cases
        of_several, of_one = known.words.split(", or a single response ")
        known = known._replace(words=f"the judge gave the response {of_one}" if n_responses == 1 else of_several)
    return known


def verdict_meaning(verdict: str) -> Meaning:
    """Return what a verdict means; one that a newer grmforge wrote stands for itself."""
    return Verdict(verdict).meaning if verdict in set(Verdict) else Meaning(verdict.replace("_", " "))


class AnswerGroup(NamedTuple):
    """The answers of one origin to a source's questions."""

    words: OriginWords
    counts: Mapping[str, int]
    """By verdict, the commonest first."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def shares(self) -> list[tuple[str, int]]:
        """Right, wrong and ungraded answers, for a bar."""
        right, wrong = self.counts.get(Verdict.RIGHT, 0), self.counts.get(Verdict.WRONG, 0)
        return [("right", right), ("wrong", wrong), ("ungraded", self.total - right - wrong)]

    @property
    def label(self) -> str:
        """All of it in a line."""
        return f"{self.total:,} {self.words.answers}: {self.in_percent(len(self.counts))}"

    def in_percent(self, most: int = _SHOWN_VERDICTS) -> str:
        """Return right, wrong and the commonest others in per cent."""
        graded = (Verdict.RIGHT, Verdict.WRONG)
        others = [verdict for verdict in self.counts if verdict not in graded]
        shown = [*(verdict for verdict in graded if verdict in self.counts), *others[:most]]
        return ", ".join(f"{self.counts[verdict] / self.total:.0%} {verdict.replace('_', ' ')}" for verdict in shown)


def answer_groups(funnel: SourceFunnel) -> list[AnswerGroup]:
    """Return the answers to a source's questions, by who gave them."""
    return [AnswerGroup(words, funnel.graded[origin]) for origin, words in ORIGINS.items() if origin in funnel.graded]


def answers_in_words(funnel: SourceFunnel) -> str | None:
    """Return how many questions there were, how their answers fell, and which sets came of them; None without any."""
    if funnel.questions is None:
        return None
    groups = [f"{group.total:,} {group.words.answers} ({group.in_percent()})" for group in answer_groups(funnel)]
    return "; ".join([f"{funnel.source}: {funnel.questions:,} questions", *groups, ", ".join(sets_made(funnel))])


def sets_made(funnel: SourceFunnel) -> list[str]:
    """Return how the sets are made up, a phrase each."""
    counts = funnel.composition
    phrases = ["no set to compare"]
    if sets := counts.get("sets"):
        phrases = [f"{sets:,} sets to compare", f"{counts['of_one_model'] / sets:.0%} of them of one model"]
        phrases += [f"{counts['taught'] / sets:.0%} taught"] if counts["taught"] else []
    right = counts.get("single_right", 0)
    singles = right + counts.get("single_wrong", 0)
    return [*phrases, f"{singles:,} single responses, {right:,} right"] if singles else phrases


UNTAUGHT = "add a [models.teacher], or raise [synthesis] samples"
TAUGHT = "raise [synthesis] samples and teacher_samples, or take a stronger teacher"
"""The way out of no_right_response where there is a teacher already, in place of the usual one."""


def synthesis_warnings(funnel: SourceFunnel, recipe: Mapping[str, Any]) -> Iterator[str]:
    """Yield what someone should look at before training on sets that were made of this source's questions."""
    sets = funnel.composition.get("sets", 0)
    teacher = "" if "teacher" in (recipe.get("models") or {}) else ", or add a [models.teacher]"
    if sets and (share := funnel.composition["of_one_model"] / sets) < _ONE_MODEL:
        yield (
            f"{funnel.source}: only {share:.0%} of the sets have right and wrong responses of one model, so the author "
            f"may give the right one away; raise [synthesis] samples{teacher}."
        )
    if funnel.questions and sets < _FEW_SETS * funnel.questions and funnel.dropped:
        reason = next(iter(funnel.dropped))
        words, way_out = meaning(reason)
        if not teacher:
            way_out = way_out.replace(UNTAUGHT, TAUGHT)
        yield (
            f"{funnel.source}: {sets:,} of {funnel.questions:,} questions gave a set to compare; most others are "
            f"{reason}: {words}{f'; {way_out}' if way_out else ''}."
        )
    if (share := funnel.share_of_answers(*UNGRADED)) > _MANY_UNGRADED:
        verdict = max(UNGRADED, key=funnel.share_of_answers)
        words, way_out = verdict_meaning(verdict)
        yield (
            f"{funnel.source}: {share:.0%} of the answers are neither right nor wrong, most of them {verdict}: "
            f"{words}; {way_out}."
        )
