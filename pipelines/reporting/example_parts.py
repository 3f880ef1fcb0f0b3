"""One example: a row of a snapshot in headed parts, as a terminal and a page show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
_NOUNS = {"trajectories": "trajectory", "sets": "set", "traces": "trace", "answers": "answer"}
STORED = "trajectories/stored"
"""The path of answers that no version has yet; it stands nowhere."""
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
    """The set that a trajectory judges; None in other tables, whose rows hold everything."""

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
    if example.table == STORED:
        return f"stored answer: {example.row['outcome']}"
    noun = _NOUNS.get(table, f"{table} row")
    return f"{status} {noun}" + (f": {visible(example.reason)}" if example.reason else "")


def facts(example: Example) -> list[str]:
    """Return the small facts of an example, each a short visible text."""
    row = example.row
    extra = row.get("extra_info") or {}
    n_responses = row.get("n_responses") or extra.get("n_responses") or len(row.get("order") or ())
    mode = str(row.get("mode") or "").replace("_", "-")
    if mode == Mode.HINTED and "order" in row:
        mode = "hinted: the prompt said which response is best"
    author, verifier, tokens = row.get("model") or row.get("policy"), row.get("verifier"), row.get("completion_tokens")
    known = [
        row.get("source") or extra.get("source") or row.get("data_source"),
        *(row.get(name) for name in ("domain", "split", "license")),
        f"{n_responses} response{'s' if n_responses > 1 else ''}" if n_responses else None,
        mode,
        f"by {author}" if author else None,
        f"found right by {_VERIFIERS.get(verifier, verifier)}" if verifier else None,
        _author(row.get("origin")),
        _contamination(row),
        None if tokens is None else f"{tokens:,} answer tokens",
    ]
    return [one_line(str(fact), 200) for fact in known if fact]


def _contamination(row: Mapping[str, Any]) -> str | None:
    if not row.get("contaminated_by"):
        return None
    return f"holds {row['overlap']:.0%} of a query of {row['contaminated_by']} (row {row['contaminated_row']})"


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
    kinds = {"trajectories": _trajectory_parts, "sets": _set_parts, "answers": _answer_parts}
    parts = kinds.get(example.table.split("/")[0], _training_parts)(example)
    if most is None:
        return parts
    return [Part(part.title, tuple(replace(item, text=cut(item.text, most)) for item in part.items)) for part in parts]


def _items(*texts: tuple[str, str | None]) -> tuple[Item, ...]:
    """Return those of the (label, text) that have a text."""
    return tuple(Item(text, label) for label, text in texts if text is not None)


def _thoughts(row: Mapping[str, Any]) -> str | None:
    return f"{len(row['reasoning']):,} characters, not shown here; --json has them" if row["reasoning"] else None


def _trajectory_parts(example: Example) -> list[Part]:
    row, best = example.row, example.best_position
    responses, question = list[str](), Part("prompt", _message_items(row["prompt"]))
    if judged := example.preference:
        responses = [said_by(judged.responses[index]) for index in row["order"]]
        question = Part("question", (Item(conversation_text(judged.query)),))
    parts = [question]
    if responses:
        items = (
            Item(text, f"response {position + 1}{', the best' if position == best else ''}", position == best)
            for position, text in enumerate(responses)
        )
        parts.append(Part("responses, as shown", tuple(items)))
    if not row["scores"] or not row["critique"]:
        parts.append(Part("the whole answer", (Item(row["text"] or row.get("error") or "(no text)"),)))
    else:
        if row["principles"]:
            parts.append(Part("the judge's principles", tuple(map(_principle, row["principles"]))))
        parts.append(Part("critique", (Item(row["critique"]),)))
    if row["scores"]:
        beginnings = {position: f"  {one_line(text, _FIRST_WORDS)}" for position, text in enumerate(responses)}
        items = (
            Item(f"{score:4g}{beginnings.get(position, '')}", f"response {position + 1}", position == best)
            for position, score in enumerate(row["scores"])
        )
        parts.append(Part("scores", tuple(items)))
    return [*parts, _verdict_part(example)]


def _principle(principle: Mapping[str, Any]) -> Item:
    weight = "" if principle["weight"] is None else f" (weight {principle['weight']:.0%})"
    return Item(principle["description"] or "", f"{principle['name'] or 'unnamed'}{weight}")


def _verdict_part(example: Example) -> Part:
    row, label = example.row, example.preference.label if example.preference else None
    items = _items((row["outcome"], meaning(row["outcome"], len(row["order"])).words))
    if row.get("accepted"):
        items += _items(("accepted", "it is in the RFT set"))
    elif example.reason and example.reason != row["outcome"]:
        items += _items((f"rejected, {example.reason}", meaning(example.reason).words))
    elif example.reason:
        items += _items(("rejected", "only correct answers are accepted"))
    items += _items(("the right label", None if label is None else str(label)), ("reasoning", _thoughts(row)))
    return Part("outcome", items)


def _set_parts(example: Example) -> list[Part]:
    row = example.row
    parts = [
        Part("question", (Item(conversation_text(messages_of(row["query"]))),)),
        Part("reference", _items(("", row["reference"] or None))),
        Part("responses", tuple(_known_response(row, index) for index in range(len(row["responses"])))),
        Part("label", _items(("", None if row["label"] is None else str(row["label"])))),
        Part("how suspect the label is", _suspicion(row)),
    ]
    if example.reason:
        parts.append(Part("why it was dropped", (Item(meaning(example.reason).words, example.reason),)))
    return [part for part in parts if part.items]


def _suspicion(row: Mapping[str, Any]) -> tuple[Item, ...]:
    """Return what speaks against a label; nothing for a set that nobody judged, and of versions of before."""
    suspicion = row.get("label_suspicion")
    reasons = ", ".join(row.get("suspicion_reasons") or ())
    return _items((reasons, None if suspicion is None else f"{suspicion:.3f} of 1"))


def _known_response(row: Mapping[str, Any], index: int) -> Item:
    """Return a response of a set, labelled with what is known of it."""
    response, best = row["responses"][index], index == row["best"]
    known = [f"response {index + 1}", "the best" if best else "", response["model"], _author(response.get("origin"))]
    known.append("" if response["reward"] is None else f"reward {response['reward']:g}")
    text = said_by(Response(response["text"] or "", turns=response["turns"]))
    return Item(text, one_line(", ".join(filter(None, known)), 200), best)


def _answer_parts(example: Example) -> list[Part]:
    row = example.row
    grade = _items(
        ("verdict", row["verdict"]),
        ("the final answer, as read", row["answer"] or "(none)"),
        ("the known answer", row["gold"]),
        ("reference", row["reference"] or None if row["form"] == AnswerForm.OPTION else None),
        ("reasoning", _thoughts(row)),
    )
    answer = Part("the answer", (Item(row["text"] or "(no text)"),))
    return [Part("prompt", _message_items(row["prompt"])), answer, Part("its grade", grade)]


def _training_parts(example: Example) -> list[Part]:
    row = example.row
    texts = ("prompt", "completion", "chosen", "rejected")
    best = row.get("best_position", (row.get("extra_info") or {}).get("best_position"))
    label, outcome, margin = row.get("label"), row.get("outcome"), row.get("margin")
    known = _items(
        ("ground truth, positions from 0", (row.get("reward_model") or {}).get("ground_truth")),
        ("the best", None if best is None else f"response {best + 1}, as shown"),
        ("scores", ", ".join(f"{score:g}" for score in row.get("scores") or ()) or None),
        ("label", None if label is None else str(label)),
        (outcome or "", meaning(outcome, row.get("n_responses")).words if outcome else None),
        ("margin", None if margin is None else f"{margin:g}"),
    )
    parts = [Part(name, _message_items(row[name])) for name in texts if name == "prompt" or row.get(name)]
    return [*parts, Part("what is known of it", known)] if known else parts


def _message_items(messages: Iterable[Mapping[str, str]]) -> tuple[Item, ...]:
    return tuple(Item(message["content"], message["role"]) for message in messages)
