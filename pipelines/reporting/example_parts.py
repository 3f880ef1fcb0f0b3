"""One example: a row of a snapshot in headed parts, as a terminal and a page show it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.judging.shown_text import conversation_text
from pipelines.judging.transcripts import said_by
from pipelines.reporting.meanings import ORIGINS, meaning
from pipelines.reporting.visible import cut, one_line, visible
from schemas.preference import PreferenceSet, Response
from schemas.query import messages_of
from schemas.question import AnswerForm
from schemas.trajectory import Mode

_FIRST_WORDS = 48
_VERIFIERS: dict[str, str] = {
    AnswerForm.MATH: "mathematical equivalence",
    AnswerForm.OPTION: "its option",
    AnswerForm.NUMBER: "its number and unit",
    AnswerForm.TEXT: "its words",
    "teacher": "the teacher",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A row of a snapshot."""

    table: str
    """Published path, such as "trajectories/rejected"."""
    row: Mapping[str, Any]
    preference: PreferenceSet | None = None
    """The set that a trajectory judges; None in other tables, whose rows say all themselves."""

    @property
    def reason(self) -> str | None:
        """Why the row was rejected or dropped, if it was."""
        return self.row.get("reject_reason") or self.row.get("drop_reason")

    @property
    def best_position(self) -> int | None:
        """Where the best response stood in a trajectory's prompt, from 0."""
        order, best = self.row.get("order"), self.preference.best if self.preference else None
        return order.index(best) if order and best is not None and best in order else None


@dataclass(frozen=True, slots=True)
class Item:
    """A text of an example under its label; a marked one is the best response."""

    text: str
    label: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A headed part of an example."""

    title: str
    items: tuple[Item, ...]


def headline(example: Example) -> str:
    """Return what the example is, in a line."""
    table, status = example.table.split("/")
    noun = {"trajectories": "trajectory", "sets": "set", "traces": "trace", "answers": "answer"}.get(
        table, f"{table} row"
    )
    return f"{status} {noun}" + (f": {visible(example.reason)}" if example.reason else "")


def facts(example: Example) -> list[str]:
    """Return the small facts of an example, each a short visible text."""
    row = example.row
    extra = row.get("extra_info") or {}
    found: list[str] = [str(row.get("source") or extra.get("source") or row.get("data_source") or "")]
    found += [str(row[name]) for name in ("domain", "split", "license") if row.get(name)]
    n_responses = row.get("n_responses") or extra.get("n_responses") or len(row.get("order") or ())
    found += [f"{n_responses} response{'s' if n_responses > 1 else ''}"] if n_responses else []
    if row.get("mode"):
        hinted = row["mode"] == Mode.HINTED and "order" in row
        found.append("hinted: the prompt said which response is best" if hinted else str(row["mode"]).replace("_", "-"))
    if row.get("model") or row.get("policy"):
        found.append(f"by {row.get('model') or row.get('policy')}")
    if row.get("verifier"):
        found.append(f"found right by {_VERIFIERS.get(row['verifier'], row['verifier'])}")
    if row.get("origin"):
        found.append(_author(row["origin"]))
    if row.get("completion_tokens") is not None:
        found.append(f"{row['completion_tokens']:,} answer tokens")
    return [one_line(fact, 200) for fact in found if fact]


def _author(origin: str | None) -> str:
    return ORIGINS[origin].author if origin and origin in ORIGINS else origin or ""


def ids(example: Example) -> list[str]:
    """Return the ids of an example, each after its name."""
    row = {**(example.row.get("extra_info") or {}), **example.row}
    return [
        one_line(f"{name} {row[name]}", 80)
        for name in ("trajectory_id", "set_id", "trace_id", "answer_id", "source_id")
        if row.get(name)
    ]


def parts_of(example: Example, most: int | None = None) -> list[Part]:
    """Return an example's headed parts; with `most`, longer texts are cut there and say how long they are."""
    if example.table.startswith("trajectories/"):
        parts = _trajectory_parts(example)
    elif example.table.startswith("sets/"):
        parts = _set_parts(example)
    elif example.table.startswith("answers/"):
        parts = _answer_parts(example)
    else:
        parts = _training_parts(example)
    if most is None:
        return parts
    return [
        Part(part.title, tuple(Item(cut(item.text, most), item.label, item.marked) for item in part.items))
        for part in parts
    ]


def _trajectory_parts(example: Example) -> list[Part]:
    row, best = example.row, example.best_position
    parts = [_question_part(example)]
    responses = [said_by(example.preference.responses[index]) for index in row["order"]] if example.preference else []
    if responses:
        parts.append(Part("responses, as shown", tuple(_response_items(responses, best))))
    principles = [
        Item(principle["description"] or "", _principle_label(principle["name"], principle["weight"]))
        for principle in row["principles"] or ()
    ]
    if not row["scores"] or not row["critique"]:
        parts.append(Part("the whole answer", (Item(row["text"] or "(no text)"),)))
    else:
        parts += [Part("the judge's principles", tuple(principles))] if principles else []
        parts.append(Part("critique", (Item(row["critique"]),)))
    if row["scores"]:
        parts.append(Part("scores", tuple(_score_items(row["scores"], responses, best))))
    return [*parts, _verdict_part(example)]


def _question_part(example: Example) -> Part:
    if example.preference is None:
        return Part("prompt", tuple(_message_items(example.row["prompt"])))
    return Part("question", (Item(conversation_text(example.preference.query)),))


def _response_items(texts: Sequence[str], best: int | None) -> Iterable[Item]:
    for position, text in enumerate(texts):
        label = f"response {position + 1}" + (", the best" if position == best else "")
        yield Item(text, label, position == best)


def _principle_label(name: str | None, weight: float | None) -> str:
    return (name or "unnamed") + ("" if weight is None else f" (weight {weight:.0%})")


def _score_items(scores: Sequence[float], responses: Sequence[str], best: int | None) -> Iterable[Item]:
    for position, score in enumerate(scores):
        words = f"  {one_line(responses[position], _FIRST_WORDS)}" if position < len(responses) else ""
        yield Item(f"{score:4g}{words}", f"response {position + 1}", position == best)


def _verdict_part(example: Example) -> Part:
    row = example.row
    items = [Item(meaning(row["outcome"], len(row["order"])).words, row["outcome"])]
    if row.get("accepted"):
        items.append(Item("it is in the RFT set", "accepted"))
    elif example.reason and example.reason != row["outcome"]:
        items.append(Item(meaning(example.reason).words, f"rejected, {example.reason}"))
    elif example.reason:
        items.append(Item("only correct answers are accepted", "rejected"))
    if example.preference is not None and example.preference.label is not None:
        items.append(Item(str(example.preference.label), "the right label"))
    if row["reasoning"]:
        items.append(Item(f"{len(row['reasoning']):,} characters, not shown here; --json has them", "reasoning"))
    return Part("outcome", tuple(items))


def _set_parts(example: Example) -> list[Part]:
    row = example.row
    parts = [Part("question", (Item(conversation_text(messages_of(row["query"]))),))]
    if row["reference"]:
        parts.append(Part("reference", (Item(row["reference"]),)))
    items = []
    for index, response in enumerate(row["responses"]):
        best = index == row["best"]
        known = [f"response {index + 1}", "the best" if best else "", str(response["model"] or "")]
        known.append(_author(response.get("origin")))
        known.append("" if response["reward"] is None else f"reward {response['reward']:g}")
        text = said_by(Response(response["text"] or "", turns=response["turns"]))
        items.append(Item(text, one_line(", ".join(filter(None, known)), 200), best))
    parts.append(Part("responses", tuple(items)))
    if row["label"] is not None:
        parts.append(Part("label", (Item(str(row["label"])),)))
    if example.reason:
        parts.append(Part("why it was dropped", (Item(meaning(example.reason).words, example.reason),)))
    return parts


def _answer_parts(example: Example) -> list[Part]:
    row = example.row
    known = [Item(row["verdict"], "verdict"), Item(row["answer"] or "(none)", "the final answer, as read")]
    known.append(Item(row["gold"], "the known answer"))
    if row["form"] == AnswerForm.OPTION and row["reference"]:
        known.append(Item(row["reference"], "reference"))
    if row["reasoning"]:
        known.append(Item(f"{len(row['reasoning']):,} characters, not shown here; --json has them", "reasoning"))
    prompt = Part("prompt", tuple(_message_items(row["prompt"])))
    return [prompt, Part("the answer", (Item(row["text"] or "(no text)"),)), Part("its grade", tuple(known))]


def _training_parts(example: Example) -> list[Part]:
    row = example.row
    parts = [Part("prompt", tuple(_message_items(row["prompt"])))]
    for name in ("completion", "chosen", "rejected"):
        if row.get(name):
            parts.append(Part(name, tuple(_message_items(row[name]))))
    known = []
    if row.get("reward_model"):
        known.append(Item(row["reward_model"]["ground_truth"], "ground truth, positions from 0"))
    best = row.get("best_position", (row.get("extra_info") or {}).get("best_position"))
    if best is not None:
        known.append(Item(f"response {best + 1}, as shown", "the best"))
    if row.get("scores"):
        known.append(Item(", ".join(f"{score:g}" for score in row["scores"]), "scores"))
    if row.get("label") is not None:
        known.append(Item(str(row["label"]), "label"))
    if row.get("outcome"):
        known.append(Item(meaning(row["outcome"], row.get("n_responses")).words, row["outcome"]))
    if row.get("margin") is not None:
        known.append(Item(f"{row['margin']:g}", "margin"))
    return [*parts, Part("what is known of it", tuple(known))] if known else parts


def _message_items(messages: Iterable[Mapping[str, str]]) -> Iterable[Item]:
    for message in messages:
        yield Item(message["content"], message["role"])
