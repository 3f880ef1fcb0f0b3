"""What a probe found, and how a terminal shows it: how much can be read comes first."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.ahead.estimates import time_words
from pipelines.ahead.few import AnsweredSource
from pipelines.evaluation.wording import counted
from pipelines.reporting.meanings import meaning
from pipelines.reporting.visible import visible
from pipelines.training_sets.rejection import READABLE_OUTCOMES

LONGEST_PROMPT = 20_000
LONGEST_ANSWER = 4_000
"""Characters of an example that are shown: its beginning, and its end, where a verdict stands."""
_END = 0.25
_LINE = 52


@dataclass(frozen=True)
class OutcomeExample:
    """One whole answer of an outcome."""

    outcome: str
    answers: int
    """With this outcome."""
    text: str
    """With its thoughts, if it has some; of a failed request, the endpoint's error."""
    finish_reason: str | None

    def lines(self) -> Iterator[str]:
        finish = f", finish_reason {self.finish_reason}" if self.finish_reason else ""
        title = f"one of {self.answers:,}" if self.answers > 1 else "the one"
        yield f"{'-' * 20} {title} {self.outcome}{finish} {'-' * 20}"
        yield from (meaning(self.outcome).words, "", shortened(visible(self.text), LONGEST_ANSWER), "")


@dataclass(frozen=True)
class Probe:
    """What a probe found, and what a whole build would take at that rate."""

    sets: int
    wanted: int
    """Answers that these sets need, when every one is readable."""
    answers: int
    bought: int
    seconds: float
    readable: int
    readable_share: float
    accepted: int
    accepted_share: float
    """Of all trajectories, before the caps that balance a whole set."""
    outcomes: dict[str, int]
    rejected: dict[str, int]
    """By reason, as the build would reject them."""
    prompt_tokens: float | None
    """A request, on average; None where the endpoint gives no usage."""
    answer_tokens: float | None
    tokens_a_second: float | None
    """Answer tokens bought a second; None where nothing was bought, or the endpoint gives no usage."""
    what_helps: tuple[str, ...]
    """What to try next where most answers are of no use."""
    prompt: str
    answer: str
    """The answer to this prompt."""
    examples: tuple[OutcomeExample, ...]
    """One answer of each outcome."""
    answering: tuple[AnsweredSource, ...] = ()
    """Sources of questions, with how the few were answered that the probe asked."""
    build_requests: int | None = None
    """Of a whole build; this and what follows is None where the probe was stopped."""
    build_again: int | None = None
    """Of these, for answers that could not be read, at the probe's share."""
    build_prompt_tokens: int | None = None
    build_answer_tokens: int | None = None
    build_cost_usd: float | None = None
    build_hours: float | None = None
    """None too where nothing is known of the rate."""
    build_hours_are: str = ""
    """What the hours assume."""
    stopped: str | None = None
    """Why the probe ended before all answers were in."""

    def as_text(self) -> str:
        """Return the probe for a terminal: what can be read, the examples, the figures."""
        lines = [
            *(self._readable_line(), ""),
            *(line for source in self.answering[:1] for line in [*source.example_lines(), ""]),
            *("one whole prompt:", "", shortened(visible(self.prompt), LONGEST_PROMPT), ""),
            *(line for example in self.examples for line in example.lines()),
            "-" * _LINE,
            *(line for source in self.answering for line in source.lines()),
            *([""] if self.answering else []),
            *self._figures(),
            "",
            *(self._whole_build() if self.stopped is None else self._end()),
        ]
        return "\n".join(lines)

    def _readable_line(self) -> str:
        return f"{self.readable:,} of {sum(self.outcomes.values()):,} readable   ({_counted(self.outcomes)})"

    def _figures(self) -> Iterator[str]:
        answers = sum(self.outcomes.values())
        speed = f", {rate_words(self.tokens_a_second)} answer tokens a second" if self.tokens_a_second else ""
        yield f"{counted(self.sets, 'set')}, {counted(self.answers, 'answer')}, {self.bought} bought" + (
            f" in {self.seconds:.1f} s{speed}" if self.bought else ""
        )
        yield f"readable  {self.readable:,} of {answers:,}, {self.readable_share:.0%}   ({_counted(self.outcomes)})"
        if self.readable:
            rejected = f"   (rejected: {_counted(self.rejected)})" if self.rejected else ""
            yield f"accepted  {self.accepted:,} of {answers:,}, {self.accepted_share:.0%}{rejected}"
            if self.accepted:
                yield "          a build may accept fewer: its caps, over all of its sets, come behind these reasons"
        else:
            yield "accepted  none: whether it judges well shows once its answers can be read"
        for reason in self.rejected:
            if reason not in self.outcomes:
                yield f"          {reason}: {meaning(reason).words}"
        if self.what_helps:
            if fault := next((outcome for outcome in self.outcomes if outcome not in READABLE_OUTCOMES), None):
                yield f"{fault:<9} {meaning(fault).words}"
            yield f"try next  {self.what_helps[0]}"
            yield from (f"          or {way}" for way in self.what_helps[1:])
        yield f"tokens    {_count(self.prompt_tokens)} a prompt, {_count(self.answer_tokens)} an answer"

    def _end(self) -> Iterator[str]:
        yield (
            f"stopped with {self.answers:,} answers, {self.readable:,} readable, of {self.wanted:,} wanted: they stay "
            "stored, the same command goes on from there, and a build pays for none of them again; grmforge inspect "
            "RECIPE --stored shows them"
        )

    def _whole_build(self) -> Iterator[str]:
        cost = "unknown without price_per_mtok" if self.build_cost_usd is None else f"${self.build_cost_usd:,.2f}"
        time = "unknown" if self.build_hours is None else time_words(self.build_hours)
        yield "a whole build's RFT samples, if they go as these did:"
        yield f"requests  {self.build_requests:,}, {self.build_again:,} of them where an answer cannot be read"
        prompts, answers = _count(self.build_prompt_tokens), _count(self.build_answer_tokens)
        yield f"tokens    {prompts} in prompts, {answers} in answers"
        yield f"cost      {cost}"
        yield f"time      {time}, {self.build_hours_are}"


def in_order(outcomes: Counter[str]) -> list[str]:
    """Return outcomes as they are shown: readable ones first, then the commonest."""
    readable = [outcome for outcome in READABLE_OUTCOMES if outcomes[outcome]]
    return [*readable, *(outcome for outcome, _ in outcomes.most_common() if outcome not in readable)]


def shortened(text: str, most: int) -> str:
    """Return a text, or its beginning and its end where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    end = round(most * _END)
    return f"{text[: most - end]}\n[.. cut here: {len(text):,} characters in all ..]\n{text[-end:]}"


def rate_words(rate: float) -> str:
    """Return a rate with one decimal where it is small."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{rows} {name}" for name, rows in counts.items())


def _count(tokens: float | None) -> str:
    return "an unknown number of" if tokens is None else f"{tokens:,.0f}"
