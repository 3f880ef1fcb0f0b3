"""Requests that an endpoint refuses: which of them are their row's fault, and when all of them are nobody's.

A refusal without a code that says why is doubtful: an account without credit, a model that has gone and a wrong setting
of the recipe are told in the same 400 as a prompt that is too long. It is final once a request that was sent later is
answered. Until then it is held, and a run that is refused throughout ends with nothing of it stored.
"""

from dataclasses import dataclass, field

from schemas.generation import Completion, FaultKind, Request
from schemas.recipe.tree import FORM_KEYS

REFUSALS = 64
"""So many requests refused before any answer at all, or one after the other without a code that says why: it is the
recipe that is wrong, or the endpoint, not the rows."""


@dataclass(slots=True)
class Refusals:
    """What was refused in one dispatch."""

    held: list[tuple[int, Request, Completion]] = field(default_factory=list)
    """Doubtful ones, by the number of their try, which no later request's answer has confirmed."""
    _answered: bool = False
    _stored: int = 0
    """Refused for the fault of their rows, before the first answer."""
    _last: str | None = None
    _has_form: bool = False
    """Whether a request that is held asks for a form of its answer."""

    def hold(self, number: int, request: Request, completion: Completion) -> None:
        self.held.append((number, request, completion))
        self._last = completion.error
        self._has_form = self._has_form or not FORM_KEYS.isdisjoint(request.body)

    def count(self, completion: Completion) -> None:
        """Count a completion that is final."""
        if completion.fault is None:
            self._answered = True
        elif completion.fault is FaultKind.REQUEST and not self._answered:
            self._stored += 1
            self._last = completion.error

    def release(self, number: int | None = None) -> list[tuple[Request, Completion]]:
        """Return those held that are final now that this try was answered; all of them unless one is given."""
        released = [(request, completion) for sent, request, completion in self.held if number is None or sent < number]
        self.held = [refusal for refusal in self.held if number is not None and refusal[0] >= number]
        return released

    @property
    def is_all(self) -> bool:
        """Whether nothing but refusals comes back."""
        return len(self.held) + (0 if self._answered else self._stored) >= REFUSALS

    def words(self) -> str:
        """Return what to say of it, and how to go on."""
        stored = 0 if self._answered else self._stored
        settings = "the account, extra_body, max_tokens and temperature"
        if "context" in (self._last or ""):
            settings = "max_tokens, and the length of the prompts ([grm] max_prompt_tokens)"
        elif self._has_form:
            settings = f"whether it takes the form of its answers ([grm] structured_output), {settings}"
        again = "run again with --retry-failed" if stored else "run again: none of them is kept as refused"
        return (
            f"the {'last' if self._answered else 'first'} {stored + len(self.held)} requests were all refused: "
            f"{self._last}; check {settings}, then {again}"
        )
