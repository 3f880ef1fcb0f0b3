"""The doors: how each trainer calls, and what it is told. Pure: JSON in, JSON out.

Releases whose code was read: OpenRLHF 0.11.0 (3c3be62), slime 624b824, NeMo-Gym 07d6b0d. A door whose trainer knows
numbers only works by [serve] on_failure: `group_mean` tells a failed response the mean of its group, and whatever else
there is to tell fails the call, by a status that the trainer takes for what it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipelines.judging.rewards import without_end_tokens
from pipelines.serving.groups import Joined
from pipelines.serving.judging import Question
from pipelines.serving.verdicts import Failure
from pipelines.sources.text import cleaned
from schemas.query import Message, Messages, user
from schemas.recipe import ServeSection
from schemas.record import is_blank

COMPARABLE = "within this group only"
FAILED_CALL = 502
JUDGE_KEYS = ("prompt", "responses", "reference", "criteria", "run", "step", "group", "size", "call")
"""What `/v1/judge` takes."""
MOST_DIGITS = 12
"""Of a number in a call: a sample's number follows from its step, and must fit 64 bits."""


class CallError(Exception):
    """A call that cannot be understood, or that the recipe does not allow: its status, a name, and a line."""

    def __init__(self, why: str, name: str = "bad_request", status: int = 400) -> None:
        super().__init__(why)
        self.why, self.name, self.status = why, name, status


@dataclass(frozen=True, slots=True)
class Member:
    """Responses to one question, and the group that they are of."""

    question: Question
    texts: tuple[str, ...]
    size: int | None
    """How many responses the group has; None where these are all."""
    run: str = ""
    step: int | None = None
    group: str = ""
    call: str = ""
    """A name under which a client sends the very same call again."""


class Reply(NamedTuple):
    """What a call is told."""

    status: int
    body: Any


@dataclass(frozen=True)
class Door:
    """One way to call."""

    read: Callable[[Mapping[str, Any], Mapping[str, str], ServeSection], list[Member]]
    """From the body and the address' parameters to the responses. Raises CallError."""
    tell: Callable[[Sequence[Joined], ServeSection], Reply]
    """From what became of each member, in order, to the reply."""


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise CallError(f"{name}: a text is needed, not {type(value).__name__}")
    return cleaned(value)


def _prompt(value: Any, name: str) -> Messages:
    """Return a prompt: a text, or turns with role and content."""
    if value is None:
        raise CallError(f"{name}: missing; give a text, or a list of messages with role and content")
    if isinstance(value, str):
        prompt = user(cleaned(value))
    elif isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        turns = enumerate(value)
        prompt = tuple(
            Message(_text(turn.get("role"), f"{name}[{i}].role"), _text(turn.get("content"), f"{name}[{i}].content"))
            for i, turn in turns
        )
    else:
        raise CallError(f"{name}: give a text, or a list of messages with role and content")
    if all(is_blank(turn.content) for turn in prompt):
        raise CallError(f"{name}: is empty; give what the responses answer")
    return prompt


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if not isinstance(value, list) or not value:
        raise CallError(f"{name}: give a list with at least one entry")
    return value


def _optional(value: Any, name: str) -> str | None:
    """Return a text that may be missing; a label that is no text, as JSON would write a number."""
    if value is None or value == "":
        return None
    return _text(str(value) if isinstance(value, int | float) else value, name)


def _whole(value: Any, name: str, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 10**MOST_DIGITS:
        raise CallError(f"{name}: give a whole number of at least {least}, in at most {MOST_DIGITS} digits")
    return value


def _place(values: Mapping[str, Any], section: ServeSection) -> dict[str, Any]:
    """Return run, step, group and size, from a body or from the parameters of an address."""
    size = _whole(values.get("size"), "size", 1) or section.group_size
    if size is not None and size > section.most_responses:
        raise CallError(f"size: {size} is more than [serve] most_responses = {section.most_responses}")
    return {
        "run": _optional(values.get("run"), "run") or "",
        "step": _whole(values.get("step"), "step", 0),
        "group": _optional(values.get("group"), "group") or "",
        "size": size,
    }


def _read_judge(body: Mapping[str, Any], address: Mapping[str, str], section: ServeSection) -> list[Member]:
    if unknown := sorted(body.keys() - set(JUDGE_KEYS)):  # a trainer's door takes what else its trainer sends
        raise CallError(f"{cleaned(unknown[0])[:40]}: no such key; there are {', '.join(JUDGE_KEYS)}")
    texts = tuple(_text(value, f"responses[{index}]") for index, value in enumerate(_list(body, "responses")))
    if len(texts) > section.most_responses:
        raise CallError(f"responses: {len(texts)} are more than [serve] most_responses = {section.most_responses}")
    reference = _optional(body.get("reference"), "reference")
    question = Question(_prompt(body.get("prompt"), "prompt"), reference, _optional(body.get("criteria"), "criteria"))
    place = _place({**address, **body}, section)
    if place["size"] is not None and place["size"] <= len(texts):
        place["size"] = None
    return [Member(question, texts, **place, call=_optional(body.get("call"), "call") or "")]


def as_judged(joined: Joined, section: ServeSection) -> dict[str, Any]:
    """Return what `/v1/judge` tells of some responses of one group."""
    verdict = joined.verdict
    return {
        "rewards": [None if isinstance(reward, Failure) else reward for reward in joined.rewards],
        "failures": [reward.as_json() if isinstance(reward, Failure) else None for reward in joined.rewards],
        "failed_share": verdict.failed_share,
        "group_mean": verdict.mean,
        "size": verdict.size,
        "present": len(verdict.rewards),
        "partial": verdict.is_partial,
        "samples": verdict.samples,
        "readable_samples": verdict.readable,
        "parts": verdict.parts,
        "on_failure": section.on_failure,
        "comparable": COMPARABLE,
    }


def _tell_judge(joined: Sequence[Joined], section: ServeSection) -> Reply:
    return Reply(200, as_judged(joined[0], section))


def _check_choice(section: ServeSection) -> None:
    """Raise CallError where the recipe does not say what a trainer is told that can neither read null nor skip."""
    if section.on_failure not in ("group_mean", "raise"):
        choice = '[serve] on_failure = "group_mean" or "raise"'
        raise CallError(f"this trainer takes a number for every response: choose {choice}", "on_failure", 409)


def _one_by_one(address: Mapping[str, str], section: ServeSection) -> dict[str, Any]:
    """Return the place of a single response, whose trainer takes numbers only. Raises CallError where it has none."""
    _check_choice(section)
    place = _place(address, section)
    if place["size"] is None:
        raise CallError("the size of a group is unknown: say [serve] group_size, or ?size= in the address", "size", 409)
    return place


def _numbers(joined: Sequence[Joined], section: ServeSection) -> list[float] | Reply:
    """Return a number for every response, as on_failure has it, or the reply that fails the call."""
    numbers: list[float] = []
    for one in joined:
        for reward in one.rewards:
            if not isinstance(reward, Failure):
                numbers.append(reward)
            elif section.on_failure == "group_mean" and one.verdict.mean is not None:
                numbers.append(one.verdict.mean)
            else:
                return Reply(FAILED_CALL, {"error": reward.as_json(), "failed_share": one.verdict.failed_share})
    return numbers


def _read_openrlhf(body: Mapping[str, Any], address: Mapping[str, str], section: ServeSection) -> list[Member]:
    place = _one_by_one(address, section)
    queries, prompts = _list(body, "query"), _list(body, "prompts")
    labels = body.get("labels") or [None] * len(queries)
    if not isinstance(labels, list) or not len(queries) == len(prompts) == len(labels):
        raise CallError("query, prompts and labels: give lists of one length")
    members = []
    for index, (query, prompt, label) in enumerate(zip(queries, prompts, labels, strict=True)):
        whole, asked = _text(query, f"query[{index}]"), _text(prompt, f"prompts[{index}]")
        _, found, response = whole.partition(asked)
        if not found or not asked:
            raise CallError(f"query[{index}]: does not hold prompts[{index}], so that nobody knows the response")
        question = Question(_prompt(asked, f"prompts[{index}]"), _optional(label, f"labels[{index}]"))
        members.append(Member(question, (without_end_tokens(response),), **place))
    return members


def _tell_openrlhf(joined: Sequence[Joined], section: ServeSection) -> Reply:
    numbers = _numbers(joined, section)
    if isinstance(numbers, Reply):
        return numbers
    return Reply(
        200,
        {
            "rewards": numbers,
            "scores": [min(1.0, max(0.0, (number - 1) / 9)) for number in numbers],
            "extra_logs": {
                "judge_failed": [float(isinstance(one.rewards[0], Failure)) for one in joined],
                "judge_failed_share": [one.verdict.failed_share for one in joined],
                "judge_partial": [float(one.verdict.is_partial) for one in joined],
            },
            "comparable": COMPARABLE,
        },
    )


def _read_slime(body: Mapping[str, Any], address: Mapping[str, str], section: ServeSection) -> list[Member]:
    place = _one_by_one(address, section)
    question = Question(_prompt(body.get("prompt"), "prompt"), _optional(body.get("label"), "label"))
    return [Member(question, (without_end_tokens(_text(body.get("response"), "response")),), **place)]


def _tell_slime(joined: Sequence[Joined], section: ServeSection) -> Reply:
    numbers = _numbers(joined, section)
    if isinstance(numbers, Reply):
        return numbers
    verdict = joined[0].verdict
    told = {"failed": isinstance(joined[0].rewards[0], Failure), "failed_share": verdict.failed_share}
    return Reply(200, {"reward": numbers[0], **told, "partial": verdict.is_partial, "comparable": COMPARABLE})


def _read_compare(body: Mapping[str, Any], address: Mapping[str, str], section: ServeSection) -> list[Member]:
    _check_choice(section)
    texts = tuple(_output_text(value, index) for index, value in enumerate(_list(body, "response_objs")))
    if len(texts) > section.most_responses:
        raise CallError(f"response_objs: {len(texts)} are more than most_responses = {section.most_responses}")
    prompt = _prompt(body.get("conversation_history"), "conversation_history")
    return [Member(Question(prompt, criteria=_optional(body.get("principle"), "principle")), texts, None)]


def _output_text(value: Any, index: int) -> str:
    """Return the final answer of a Response API object, without its reasoning."""
    output = value.get("output") if isinstance(value, dict) else None
    if not isinstance(output, list):
        raise CallError(f"response_objs[{index}]: has no list `output`; give Response API objects")
    parts = [
        part
        for item in output
        if isinstance(item, dict) and item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
    ]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "output_text"]
    return "".join(_text(text, f"response_objs[{index}]") for text in texts)


def _tell_compare(joined: Sequence[Joined], section: ServeSection) -> Reply:
    numbers = _numbers(joined, section)
    if isinstance(numbers, Reply):
        return numbers
    verdict = joined[0].verdict
    facts = {"failed_share": verdict.failed_share, "readable_samples": float(verdict.readable)}
    return Reply(200, {"rewards": numbers, "comparison_results": None, "metrics": facts, "comparable": COMPARABLE})


DOORS = {
    "/v1/judge": Door(_read_judge, _tell_judge),
    "/get_reward": Door(_read_openrlhf, _tell_openrlhf),
    "/openrlhf": Door(_read_openrlhf, _tell_openrlhf),
    "/slime": Door(_read_slime, _tell_slime),
    "/compare": Door(_read_compare, _tell_compare),
}
"""By path. All are POST."""
