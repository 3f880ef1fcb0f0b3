"""One tau2-bench simulation: a conversation of agent, user and tools, and the reward that its task's checks gave it.

tau2 multiplies the checks that the task's `reward_basis` names; whatever else was checked is only noted. A run whose
database ended up otherwise than expected has passed where the basis is ENV_ASSERTION alone.

A run ends when the user simulator says so: ###STOP### when its scenario is satisfied, ###TRANSFER### when it was handed
to a person. On the 25 real telecom runs the token alone tells pass from fail in 24, and so do the transfer call, its
announcement, and the user's thanks. So every conversation, right or wrong, ends with the last thing that its agent did
for the user. What the agent did and what came of it, while it was still at work, stays: that is the evidence.
docs/tau2.md has the figures.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.sources.tau2_files import Run
from pipelines.sources.text import (
    RowError,
    cleaned_json,
    filled_text,
    list_of,
    mapping_of,
    number,
    optional_text,
    shown,
    text_of,
)

DOMAINS = ("telecom", "telecom-workflow")
"""The domain's two names: its technical support manual is written as prose, or as a workflow."""

TELECOM_TOOLS = Path(__file__).with_name("tau2_tools.txt").read_text("utf-8").rstrip("\n")
"""The agent's tools, as src/tau2/domains/telecom has them: published results name none (`tool_defs` is null)."""

FAILED_RUNS = ("infrastructure_error", "context_window_exceeded", "user_error", "unexpected_error")
"""Ends that say nothing about the agent. tau2 leaves most of them out of its own scores."""

ROLES = ("assistant", "user", "tool")
TURN_KEYS = ("role", "content", "tool_calls", "id", "requestor", "error")
"""What is kept of a message. The rest is bookkeeping: times, costs, the provider's raw answer."""

_CHECKS = {
    "ENV_ASSERTION": ("env_assertions", "met"),
    "ACTION": ("action_checks", "action_match"),
    "NL_ASSERTION": ("nl_assertions", "met"),
    "COMMUNICATE": ("communicate_checks", "met"),
}

TRANSFER_CALL = "transfer_to_human_agents"

_TOKEN = re.compile(r"###(?:STOP|TRANSFER|OUT-OF-SCOPE)###")
_HAND_OVER = re.compile(
    r"\btransfer(?:red|ring)?\s+(?:you|this|your|to)\b|\bhuman\s+(?:agent|representative|specialist)|\bescalat",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a set needs of one run."""

    location: str
    """The results file and the run's number in it, from 1."""
    task_id: str
    system: str
    """The agent's policy and tools."""
    agent: str
    """Model and kind of agent: only runs of one agent are trials of each other."""
    model: str | None
    passed: bool
    opening: str
    """The user's first turn."""
    turns: str
    """JSON of the conversation, up to the last thing that the agent did for the user."""


def simulation_of(run: Run) -> Simulation:
    """Return what a set needs of a run. Raises RowError: other_domain, and as what it reads does."""
    value = mapping_of(run.value, "the run")
    environment = mapping_of(mapping_of(run.info, "info").get("environment_info"), "info.environment_info")
    if environment.get("domain_name") not in DOMAINS:
        raise RowError("other_domain", f"the domain is {shown(environment.get('domain_name'))}, not telecom")
    agent = mapping_of(run.info.get("agent_info"), "info.agent_info")
    model = optional_text(agent.get("llm"), "agent_info.llm")
    task_id = value.get("task_id")
    task_id = str(task_id) if isinstance(task_id, int) else filled_text(task_id, "task_id")  # older ones are numbers
    has_passed = _passed(value, run.tasks.get(task_id, {}))
    opening, turns = _conversation(value)
    return Simulation(
        location=run.location,
        task_id=task_id,
        system=_system_text(environment),
        agent=f"{model} {optional_text(agent.get('implementation'), 'agent_info.implementation')}",
        model=model,
        passed=has_passed,
        opening=opening,
        turns=turns,
    )


def _passed(run: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    """Return whether a run passed: its reward, 1 or 0, which must be what the checks of the task's basis say.

    Raises RowError: run_failed, no_reward, bad_reward, no_reward_basis, reward_contradiction.
    """
    if run.get("termination_reason") in FAILED_RUNS:
        raise RowError("run_failed", f"ended by {shown(run['termination_reason'])}, which says nothing of the agent")
    info = run.get("reward_info")
    if not isinstance(info, Mapping) or info.get("reward") is None:
        raise RowError("no_reward", "the run has no reward_info.reward")
    reward = None if isinstance(info["reward"], str) else number(info["reward"])
    if reward not in (0.0, 1.0):
        raise RowError("bad_reward", f"reward is {shown(info['reward'])}, neither 0 nor 1")
    verdicts = {name: _verdict(info, name) for name in _basis(info, task)}
    failed = sorted(name for name, verdict in verdicts.items() if verdict is False)
    if reward and failed:
        raise RowError("reward_contradiction", f"reward is 1, but {', '.join(failed)} failed")
    if not reward and verdicts and all(verdicts.values()):
        raise RowError("reward_contradiction", f"reward is 0, but {', '.join(sorted(verdicts))} passed")
    return reward == 1


def _basis(info: Mapping[str, Any], task: Mapping[str, Any]) -> list[str]:
    """Return the task's reward_basis; the run's own must be the same where it names one."""
    criteria = task.get("evaluation_criteria")
    given = [criteria.get("reward_basis") if isinstance(criteria, Mapping) else None, info.get("reward_basis")]
    known = [sorted(map(str, list_of(basis, "reward_basis"))) for basis in given if basis is not None]
    if not known or not known[0]:
        raise RowError("no_reward_basis", "neither the task nor the run says what its reward is made of")
    if known[0] != known[-1]:
        raise RowError("reward_contradiction", f"rewarded by {', '.join(known[-1])}, the task by {', '.join(known[0])}")
    return known[0]


def _verdict(info: Mapping[str, Any], name: str) -> bool | None:
    """Return whether a part of the basis passed, by its checks or by the breakdown; None where neither says."""
    if name == "DB" and isinstance(info.get("db_check"), Mapping):
        return bool(info["db_check"].get("db_match"))
    field, key = _CHECKS.get(name, ("", ""))
    checks = info.get(field) if field else None
    if checks and isinstance(checks, list) and all(isinstance(check, Mapping) for check in checks):
        return all(check.get(key) is True for check in checks)
    breakdown = info.get("reward_breakdown")
    factor = number(breakdown.get(name)) if isinstance(breakdown, Mapping) else None
    return None if factor is None else factor == 1


def _conversation(run: Mapping[str, Any]) -> tuple[str, str]:
    """Return (the user's first turn, the JSON of the agent's part) of a run.

    Raises RowError as `turns_of` does, and no_user_turn, no_agent_turn, text_too_long.
    """
    turns = turns_of(list_of(run.get("messages"), "messages"))
    spoken = (without_tokens(turn.get("content") or "").strip() for turn in turns if turn["role"] == "user")
    opening = next((words for words in spoken if words), None)
    if opening is None:
        raise RowError("no_user_turn", "the user says nothing")
    part = agents_part(turns)
    if not part:
        raise RowError("no_agent_turn", "nothing of the agent's is left before the conversation's end")
    return text_of(opening, "messages"), cleaned_json(part, "messages")


def turns_of(messages: list[Any]) -> list[dict[str, Any]]:
    """Return the messages without bookkeeping, every call exactly as it was made.

    Raises RowError: missing_field, not_an_object, unknown_role, not_text, bad_tool_call.
    """
    return [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _turn(value: Any, name: str) -> dict[str, Any]:
    message = mapping_of(value, name)
    role = message.get("role")
    if role not in ROLES:
        raise RowError("unknown_role", f"{name} has the role {shown(role)}; known: {', '.join(ROLES)}")
    if message.get("content") is not None or role == "tool":
        text_of(message.get("content"), f"{name}.content")
    calls = message.get("tool_calls")
    for index, call in enumerate(list_of(calls, f"{name}.tool_calls") if calls is not None else []):
        _check_call(call, f"{name}.tool_calls[{index}]")
    return {key: message[key] for key in TURN_KEYS if message.get(key) is not None}


def _check_call(call: Any, name: str) -> None:
    """Raise RowError for a call without a name, or with arguments that are no JSON object."""
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str) or not call["name"].strip():
        raise RowError("bad_tool_call", f"{name} is {shown(call)}, no call with a name")
    arguments = call.get("arguments")
    if isinstance(arguments, str):  # as chat endpoints write them
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            raise RowError("bad_tool_call", f"{name}: arguments are broken JSON: {shown(arguments)}") from None
    if not isinstance(arguments, Mapping):
        raise RowError("bad_tool_call", f"{name}: arguments are {shown(arguments)}, not an object")


def _system_text(environment: Mapping[str, Any]) -> str:
    """Return what the agent reads before the user speaks: its policy, and the tools it may call."""
    policy = filled_text(environment.get("policy"), "environment_info.policy").strip()
    listed = "\n".join(_signature(str(name), tool) for name, tool in _items(environment.get("tool_defs")))
    return filled_text(f"{policy}\n\n# Tools\n\n{listed or TELECOM_TOOLS}", "tool_defs")


def _signature(name: str, tool: Any) -> str:
    """Return a tool as one line: `- name(argument: type): what it does`."""
    known = dict(_items(tool))
    properties = _items(dict(_items(known.get("params"))).get("properties"))
    typed = (f"{argument}: {dict(_items(kind)).get('type', 'any')}" for argument, kind in properties)
    words = str(known.get("doc") or "").strip().partition("\n")[0]
    return f"- {name}({', '.join(typed)})" + (f": {words}" if words else "")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the keys and values of an object; nothing of anything else."""
    return value.items() if isinstance(value, Mapping) else ()


def without_tokens(text: str) -> str:
    """Return a text without the tokens by which a run is ended."""
    return _TOKEN.sub("", text)


def agents_part(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the turns up to the last thing that the agent did for the user; none where it did nothing.

    What goes is the hand-over to a person, from the first word of it that nothing was done after, and whatever follows
    the agent's last message or the results of its last calls: the user's closing words, and what the user still tried.
    """
    turns = turns[: _hand_over(turns)]
    end = max((index for index, turn in enumerate(turns, 1) if turn["role"] == "assistant"), default=0)
    if end and turns[end - 1].get("tool_calls"):
        while end < len(turns) and turns[end]["role"] == "tool":
            end += 1
    return [
        turn | {"content": without_tokens(turn["content"])} if turn.get("content") else turn for turn in turns[:end]
    ]


def _hand_over(turns: list[dict[str, Any]]) -> int:
    """Return where the closing hand-over begins; the number of turns where there is none."""
    begin = len(turns)
    for index, turn in reversed(list(enumerate(turns))):
        calls = {call["name"] for call in turn.get("tool_calls") or ()}
        if calls - {TRANSFER_CALL}:
            break
        if turn["role"] == "assistant" and (calls or _HAND_OVER.search(turn.get("content") or "")):
            begin = index
    return begin
