"""Stopping early: a role whose first answers are of no use is sent nothing further. Stored answers count, too."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.engines.jobs import Job
from schemas.errors import StoppedEarly
from schemas.generation import Completion, Request
from schemas.recipe import GrmSection
from schemas.recipe.tree import FORM_KEYS

LONGEST_EXAMPLE = 20_000
"""Characters of an answer that are shown; few have more, and nobody reads them in a terminal."""
_OFTEN = 0.2
"""Share of the answers from which on a fault is worth a word."""
_THINKING_KEYS = frozenset({"chat_template_kwargs", "enable_thinking", "thinking", "reasoning", "reasoning_effort"})
_LENGTH_KEYS = ("max_tokens", "max_completion_tokens")


class Use(NamedTuple):
    """What an answer is good for."""

    outcome: str
    """As it is counted in words, such as `unparsed`."""
    is_usable: bool
    """Whether it is readable, and may be published."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a role's answers are looked at, and the least share of them that must be of use."""

    after: int
    least: float


BUILD = (Look(200, 0.2),)
PROBE = (Look(10, 1e-9), Look(20, 0.2))
"""After ten of which none is of use, or twenty of which too few are."""


@dataclass(frozen=True)
class Purpose:
    """What a role is asked for, with which settings, and how its answers are read."""

    what: str
    """Answers to the same `what` count together, such as those of all sources."""
    job: Job
    use_of: Callable[[Request, Completion], Use]


@dataclass(slots=True)
class Pilot:
    """The first answers of a role in one run, until it is clear whether they are of use."""

    looks: list[Look]
    """Those still to be taken; none once it is clear."""
    seen: set[str] = field(default_factory=set)
    """Requests that came to their end, failed ones among them: builds walk over the same ones again."""
    outcomes: Counter[str] = field(default_factory=Counter)
    usable: int = 0
    reasoning: int = 0
    """Answers with thoughts of their own."""
    examples: dict[str, Completion] = field(default_factory=dict)
    """The first answer of each outcome that is of no use."""
    has_system_turn: bool = False
    stop: StoppedEarly | None = None

    @property
    def room(self) -> int | None:
        """How many requests a batch may hold before the first answers are read; None for any number."""
        left = self.looks[-1].after - len(self.seen) if self.looks else 0
        return left if left > 0 else None

    def see(self, purpose: Purpose, request: Request, completion: Completion) -> None:
        """Count an answer, and set `stop` where it is the one that shows the role to be of no use."""
        if not self.looks or request.request_id in self.seen:
            return
        self.seen.add(request.request_id)
        if completion.text is None:
            return
        use = purpose.use_of(request, completion)
        self.outcomes[use.outcome] += 1
        self.usable += use.is_usable
        self.reasoning += bool(completion.reasoning)
        self.has_system_turn |= any(turn.get("role") == "system" for turn in request.body.get("messages", ()))
        if not use.is_usable:
            self.examples.setdefault(use.outcome, completion)
        if self.outcomes.total() >= self.looks[0].after:
            look = self.looks.pop(0)
            if self.usable < look.least * self.outcomes.total():
                self.looks.clear()
                self.stop = StoppedEarly(self._message(purpose), self._example())

    def _message(self, purpose: Purpose) -> str:
        counts = ", ".join(f"{rows} {outcome}" for outcome, rows in self.outcomes.most_common())
        return (
            f"{purpose.job.role} ({purpose.job.model.name}), {purpose.what}: {self.usable} of the first "
            f"{self.outcomes.total()} answers can be read and published ({counts}): nothing further is asked, and "
            f"every answer is kept. What may help: {'; '.join(self._advice(purpose.job))}. "
            "--keep-going (in a flow, keep_going) goes on all the same"
        )

    def _example(self) -> str:
        outcome = next(outcome for outcome, _ in self.outcomes.most_common() if outcome in self.examples)
        completion = self.examples[outcome]
        thoughts = f"<think>\n{completion.reasoning}\n</think>\n\n" if completion.reasoning else ""
        text = f"{thoughts}{completion.text}"
        if len(text) > LONGEST_EXAMPLE:
            text = f"{text[:LONGEST_EXAMPLE]}\n[cut here: {len(text):,} characters in all]"
        finish = f", finish_reason {completion.finish_reason}" if completion.finish_reason else ""
        return f"one whole answer ({outcome}{finish}):\n\n{text}\n\n{'-' * 52}"

    def _advice(self, job: Job) -> Iterator[str]:
        """Yield what may help, the likeliest first, another model last: only settings that the recipe lacks."""
        often, extra = _OFTEN * self.outcomes.total(), job.model.extra_body
        settings, given = job.settings, job.settings.model_fields_set
        form = settings.structured_output if isinstance(settings, GrmSection) else None
        is_cut, thinks = self.outcomes["truncated"] >= often, self.reasoning >= often
        model = f"[models.{job.role}]"
        if is_cut:
            key = next((key for key in _LENGTH_KEYS if key in extra), None)
            where = f"extra_body.{key} in {model}" if key else f"[{job.section}] max_tokens"
            yield f"a higher {where} than {extra[key] if key else settings.max_tokens}"
        if (is_cut or thinks) and not _THINKING_KEYS & extra.keys() and job.model.engine != "simulated":
            yield (
                f"in {model} extra_body = {{ chat_template_kwargs = {{ enable_thinking = false }} }}, where the chat "
                "template has such a switch"
            )
        if form == "none" and not FORM_KEYS & extra.keys():
            at_openai = job.model.engine == "openai" and not job.model.base_url
            forms = '"json_schema"' if at_openai else '"regex" (vLLM) or "json_schema"'
            yield f"[grm] structured_output = {forms}, which has the server keep to the form: docs/structured_output.md"
        elif form == "regex" and is_cut and "structured_text" not in given:
            yield "[grm] structured_text, a shorter form: docs/structured_output.md"
        if job.section == "grm" and not {"template", "compare_principles"} & given:
            yield "[grm] template, a prompt of your own"
        if self.has_system_turn and "system_role" not in job.model.model_fields_set:
            yield f"system_role = false in {model}, where the model does not know that role"
        if "temperature" not in given and settings.temperature > 0 and "temperature" not in extra:
            yield f"a lower [{job.section}] temperature than {settings.temperature:g}"
        yield "a model that answers this material" if self.outcomes["refused"] >= often else "another model"


def looking_ahead(missing: Iterator[Request], pilot: Pilot, most: int = 512) -> Iterator[Request]:
    """Yield the missing requests, but first go on until it is clear whether the stored answers between them are of use.

    So a run after one that was stopped sends nothing. Where few answers are stored, `most` are held back at first.
    """
    held: list[Request] = []
    while pilot.looks and len(held) < most and (request := next(missing, None)) is not None:
        held.append(request)
    yield from held
    yield from missing
