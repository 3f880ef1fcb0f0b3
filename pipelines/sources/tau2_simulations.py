"""One tau2-bench simulation: a conversation of agent, user and tools, and the reward that its task's checks gave it.

tau2 multiplies the checks that the task's `reward_basis` names; whatever else was checked is only noted. A run whose
database ended up otherwise than expected has passed where the basis is ENV_ASSERTION alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.sources.tau2_endings import agents_part, without_tokens
from pipelines.sources.text import RowError, cleaned_json, filled_text, list_of, mapping_of, number, shown, text_of

FAILED_RUNS = ("infrastructure_error", "context_window_exceeded", "user_error", "unexpected_error")
"""Ways to end that say nothing about the agent; tau2 leaves most of them out of its own scores."""

ROLES = ("assistant", "user", "tool")
TURN_KEYS = ("role", "content", "tool_calls", "id", "requestor", "error")
"""What is kept of a message. The rest is bookkeeping: times, costs, the provider's raw answer."""

_CHECKS = {
    "ENV_ASSERTION": ("env_assertions", "met"),
    "ACTION": ("action_checks", "action_match"),
    "NL_ASSERTION": ("nl_assertions", "met"),
    "COMMUNICATE": ("communicate_checks", "met"),
}


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


def turns_of(messages: list[Any]) -> list[dict[str, Any]]:
    """Return the messages without bookkeeping, every call exactly as it was made.

    Raises RowError: missing_field, not_an_object, unknown_role, not_text, bad_tool_call.
    """
    return [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]


def conversation_of(simulation: Mapping[str, Any]) -> tuple[str, str]:
    """Return (the user's first turn, the JSON of the agent's part) of a run.

    Raises RowError as `turns_of` does, and no_user_turn, no_agent_turn, text_too_long.
    """
    turns = turns_of(list_of(simulation.get("messages"), "messages"))
    spoken = (turn["content"] for turn in turns if turn["role"] == "user" and turn.get("content"))
    opening = next((words for turn in spoken if (words := without_tokens(turn).strip())), None)
    if opening is None:
        raise RowError("no_user_turn", "the user says nothing")
    part = agents_part(turns)
    if not part:
        raise RowError("no_agent_turn", "nothing of the agent's is left before the conversation's end")
    return text_of(opening, "messages"), cleaned_json(part, "messages")


def passed(simulation: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    """Return whether a run passed: its reward, 1 or 0, which must be what the checks of the task's basis say.

    Raises RowError: run_failed, no_reward, bad_reward, no_reward_basis, reward_contradiction.
    """
    if simulation.get("termination_reason") in FAILED_RUNS:
        raise RowError(
            "run_failed", f"ended by {shown(simulation['termination_reason'])}, which says nothing of the agent"
        )
    info = simulation.get("reward_info")
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
    known = [list_of(basis, "reward_basis") for basis in given if basis is not None]
    if not known or not known[0]:
        raise RowError("no_reward_basis", "neither the task nor the run says what its reward is made of")
    bases = [sorted(str(name) for name in basis) for basis in known]
    if bases[0] != bases[-1]:
        raise RowError("reward_contradiction", f"rewarded by {', '.join(bases[-1])}, the task by {', '.join(bases[0])}")
    return bases[0]


def _verdict(info: Mapping[str, Any], name: str) -> bool | None:
    """Return whether a part of the basis passed, by its checks or by the breakdown; None where neither says."""
    if name == "DB" and isinstance(info.get("db_check"), Mapping):
        return bool(info["db_check"].get("db_match"))
    field, key = _CHECKS.get(name, (None, ""))
    checks = info.get(field) if field else None
    if checks and isinstance(checks, list) and all(isinstance(check, Mapping) for check in checks):
        return all(check.get(key) is True for check in checks)
    breakdown = info.get("reward_breakdown")
    found = number(breakdown.get(name)) if isinstance(breakdown, Mapping) else None
    return None if found is None else found == 1


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
    """Raise RowError where a call is none: no name, or arguments that are no JSON object."""
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


def task_id_of(simulation: Mapping[str, Any]) -> str:
    """Return the run's task; older results number their tasks."""
    given = simulation.get("task_id")
    return str(given) if isinstance(given, int) else filled_text(given, "task_id")
