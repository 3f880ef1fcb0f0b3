"""The judge's prompt: a template's text around a set's own, in the order shown.

    role, criteria and scale | context | reference? | given criteria? | responses | hint? | output format

The hint stands between what comes before it and the output format, and an absent slot leaves nothing behind: a
hinted prompt is prefix + hint + suffix, and the training prompt prefix + suffix, byte for byte. Slots are filled in
one pass, so that "{{hint}}" in a data set stays what it is.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from pipelines.judging.shown_text import ShownSet
from schemas.errors import RecipeError
from schemas.query import Messages, user
from schemas.record import content_id
from storage.files import read_regular

BUILT_IN = ("grm", "grm_rubric", "grm_single", "grm_no_principles", "meta_rm", "selection")
SLOTS = ("context", "reference", "principles", "responses", "hint")
OPTIONAL_SLOTS = ("reference", "principles", "hint")

_SLOT = re.compile(r"\{\{([^{}\n]{0,40})\}\}")
_MAX_TEMPLATE = 1 << 20
_MOST_TABLED = 6
"""Up to so many responses, every order is kept: drawing one is half the work."""
_STRENGTHS = ((3.0, "much better than"), (2.0, "better than"), (0.0, "slightly better than"))


class TemplatePart(NamedTuple):
    """A slot, and what stands before it."""

    before: str
    slot: str
    opening: str
    """Line breaks around the slot that go with it when it is empty."""
    closing: str


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template, cut at its slots."""

    name: str
    identity: str
    """"grm@<12 hex digits of the text's hash>", as trajectories name it."""
    parts: tuple["TemplatePart", ...]
    ending: str
    """What follows the last slot."""

    @property
    def slots(self) -> frozenset[str]:
        return frozenset(part.slot for part in self.parts)


def load_template(name_or_path: str | Path) -> Template:
    """Return a built-in template by its name, or one of the user's own by its path.

    Raises RecipeError, naming the file and the slot, where it cannot be used.
    """
    if isinstance(name_or_path, str) and name_or_path in BUILT_IN:
        text = (resources.files("pipelines.judging.templates") / f"{name_or_path}.txt").read_text("utf-8")
        return template_of(name_or_path, text, where=f"{name_or_path}.txt")
    path = Path(name_or_path)
    try:
        text = read_regular(path, _MAX_TEMPLATE).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such template; built-in ones are {', '.join(BUILT_IN)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path}: the template cannot be read: {error.strerror if isinstance(error, OSError) else error}"
        ) from None
    return template_of(path.stem, text, where=str(path))


def template_of(name: str, text: str, where: str) -> Template:
    """Return the template of a text; `where` names it in errors."""
    text = text.replace("\r\n", "\n").strip()
    parts: list[TemplatePart] = []
    begin = 0
    for match in _SLOT.finditer(text):
        slot = match[1].strip()
        if slot not in SLOTS:
            raise RecipeError(f"{where}: unknown slot {match[0]}; slots are {', '.join(SLOTS)}")
        if any(slot == part.slot for part in parts):
            raise RecipeError(f"{where}: slot {match[0]} stands there twice")
        part, begin = _part(text, begin, match.start(), match.end(), slot)
        parts.append(part)
    for slot in ("context", "responses"):
        if all(slot != part.slot for part in parts):
            raise RecipeError(f"{where}: slot {{{{{slot}}}}} is missing")
    return Template(name, f"{name}@{content_id('template', text)[:12]}", tuple(parts), text[begin:])


def _part(text: str, begin: int, start: int, end: int, slot: str) -> tuple[TemplatePart, int]:
    """Return the part from `begin` that ends in the slot at start..end, and where the next one begins."""
    before, opening, closing = text[begin:start], "", ""
    if slot in OPTIONAL_SLOTS and end < len(text):
        closing = text[end : len(text) - len(text[end:].lstrip("\n"))]
    elif slot in OPTIONAL_SLOTS:  # the last thing in the template: what separates it stands before it
        opening = before[len(before.rstrip("\n")) :]
        before = before.rstrip("\n")
    return TemplatePart(before, slot, opening, closing), end + len(closing)


def score_range(n_responses: int) -> tuple[int, int]:
    """Return the lowest and the highest score of a training item: 0 and 1 for a single response."""
    return (0, 1) if n_responses == 1 else (1, 10)


def shown_order(
    build_seed: int, set_id: str, purpose: str, mode: str, sample_index: int, n_responses: int
) -> tuple[int, ...]:
    """Return the indexes of a set's responses in the order shown: order[position] = index.

    A uniform shuffle that follows from these arguments alone, whatever else is sampled, and wherever.
    """
    key = f"order|{build_seed}|{set_id}|{purpose}|{mode}|{sample_index}|{n_responses}".encode()
    # Eight bytes more than n! can need: the remainders are uniform to within 2**-64.
    number = int.from_bytes(hashlib.shake_128(key).digest(8 + 2 * n_responses), "little")
    if n_responses > _MOST_TABLED:
        return _shuffled(number, n_responses)
    orders = _orders(n_responses)
    return orders[number % len(orders)]


@lru_cache
def _orders(n_responses: int) -> tuple[tuple[int, ...], ...]:
    """Return the shuffles of all remainders: a number and its remainder after n! give the same."""
    return tuple(_shuffled(number, n_responses) for number in range(math.factorial(n_responses)))


def _shuffled(number: int, n_responses: int) -> tuple[int, ...]:
    """Return the shuffle that a number stands for."""
    order = list(range(n_responses))
    for last in range(n_responses - 1, 0, -1):
        number, other = divmod(number, last + 1)
        order[last], order[other] = order[other], order[last]
    return tuple(order)


def render(
    template: Template, shown: ShownSet, order: Sequence[int], *, hint: str | None = None, reference: bool = False
) -> Messages:
    """Return the prompt, one user message, with the responses of `order` from position 1 on.

    Raises RecipeError where there is a hint or a reference and the template has no slot for it.
    """
    before, after = around_responses(template, shown, hint=hint, reference=reference)
    return user(f"{before}{responses_text(shown, order)}{after}")


def responses_text(shown: ShownSet, order: Sequence[int]) -> str:
    """Return what fills the responses slot."""
    pieces = [""] * (2 * len(order) + 1)
    pieces[::2] = _frame(len(order))
    pieces[1::2] = [shown.responses[index] for index in order]
    return "".join(pieces)


@lru_cache
def _frame(n_responses: int) -> tuple[str, ...]:
    """Return what stands before, between and behind so many responses."""
    numbers = range(1, n_responses + 1)
    blocks = [f"[The Begin of Response {number}]\n\0\n[The End of Response {number}]" for number in numbers]
    return tuple("\n\n".join(blocks).split("\0"))


def around_responses(
    template: Template, shown: ShownSet, *, hint: str | None = None, reference: bool = False
) -> tuple[str, str]:
    """Return what stands before the responses and behind them: without a hint, the same for every order."""
    values = {
        "context": shown.context,
        "hint": hint,
        "reference": reference_text(shown.reference) if reference and shown.reference else None,
        "principles": principles_text(shown),
    }
    before: list[str] = []
    pieces: list[str] = []
    for text, slot, opening, closing in template.parts:
        pieces.append(text)
        if slot == "responses":
            before, pieces = pieces, []
        elif value := values.pop(slot):
            pieces += (opening, value, closing)
    for slot, value in values.items():
        if value and slot != "principles":  # a template may leave given criteria out
            raise RecipeError(f"template {template.identity}: slot {{{{{slot}}}}} is missing, and the recipe needs it")
    pieces.append(template.ending)
    return "".join(before), "".join(pieces)


def reference_text(reference: str) -> str:
    """Return what fills the reference slot."""
    return f"#### Reference Answer ####\n{reference}"


def principles_text(shown: ShownSet) -> str | None:
    """Return what fills the principles slot; nothing where the set is given no criteria."""
    return f"#### Given Criteria ####\n{shown.principles}" if shown.principles else None


def hint_text(shown: ShownSet, order: Sequence[int], *, with_reference: bool = False, with_rubric: bool = False) -> str:
    """Return what fills the hint slot: which response is best, counted from 1 as shown, or a single one's score.

    HelpSteer2's preference strength goes in too, as in the paper.
    """
    if len(order) == 1:
        verdict = f"The right score for this response is {shown.preference.label}."
    elif shown.preference.best is None:
        raise ValueError(f"set {shown.preference.set_id} has no best response to hint at")
    else:
        number = list(order).index(shown.preference.best) + 1
        verdict = f"Response {number} is {_strength(shown)}."
    lines = [
        "#### Hint ####",
        verdict,
        "Use this to check your own judgement, and write as one who was not told: derive the scores from the criteria, "
        "and mention neither this hint nor that the result is known.",
    ]
    if with_rubric and shown.own_rubric:
        lines.insert(2, f"Criteria that tell the responses apart, not to be mentioned either:\n{shown.own_rubric}")
    if with_reference and shown.reference:
        lines.insert(2, f"The reference answer, not to be mentioned either:\n{shown.reference}")
    return "\n".join(lines)


def _strength(shown: ShownSet) -> str:
    """Return how the best response stands to the others."""
    margin = shown.preference.margin
    if margin is None or len(shown.responses) != 2 or not shown.preference.source.startswith("helpsteer2"):
        return "the best one"
    return next(words for least, words in _STRENGTHS if margin >= least) + " the other one"


@lru_cache(maxsize=32)
def prompt_text(package: str, name: str) -> str:
    """Return the text of `<name>.txt` in a package of templates."""
    return (resources.files(package) / f"{name}.txt").read_text("utf-8").strip()


def filled(package: str, name: str, **values: str) -> str:
    """Return such a text with its slots filled in one pass: what stands in a value is never a slot."""
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: values[slot[1]], prompt_text(package, name))
