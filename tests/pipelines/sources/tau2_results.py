"""Small tau2 results, written by hand in the schema of the real ones."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TASK = "[mobile_data_issue]data_mode_off|data_usage_exceeded[PERSONA:None]"
TEST_TASK = "[mobile_data_issue]bad_vpn[PERSONA:Easy]"
OPENING = "My mobile data does not work."
ANNOUNCED = "YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON."


def says(role: str, content: str, *calls: dict[str, Any]) -> dict[str, Any]:
    """Return a message with the bookkeeping that tau2 writes beside it."""
    return {
        "role": role,
        "content": content,
        "tool_calls": list(calls) or None,
        "turn_idx": 1,
        "timestamp": "2025-10-05T07:52:53",
        "cost": 0.01,
        "usage": {"completion_tokens": 7, "prompt_tokens": 100},
        "raw_data": {"finish_reason": "stop", "message": {"content": content}},
    }


def calls(role: str, name: str, **arguments: Any) -> dict[str, Any]:
    """Return a call as tau2 writes it; `arguments` as a whole may be given as `given`."""
    given = arguments.pop("given", arguments)
    return {"id": f"call_{name}", "name": name, "arguments": given, "requestor": role}


def result(role: str, name: str, content: str, error: bool = False) -> dict[str, Any]:
    return {
        "id": f"call_{name}",
        "role": "tool",
        "content": content,
        "requestor": role,
        "error": error,
        "turn_idx": 2,
        "timestamp": "2025-10-05T07:52:54",
    }


def opening(words: str = OPENING) -> list[dict[str, Any]]:
    return [
        says("assistant", "Hi! How can I help you today?"),
        says("user", words),
        says("assistant", "", calls("assistant", "refuel_data", line_id="L1002", gb_amount=2.0)),
        result("assistant", "refuel_data", '{"message": "Successfully added 2.0 GB"}'),
    ]


def solved(words: str = OPENING, advice: str = "Turn mobile data on, then test the speed.") -> list[dict[str, Any]]:
    """Return the messages of a run that ends well."""
    return [
        *opening(words),
        says("assistant", advice),
        says("user", "", calls("user", "run_speed_test")),
        result("user", "run_speed_test", "Speed Test Result: 275.00 Mbps (Excellent)."),
        says("user", "It is excellent now, thank you! ###STOP###"),
    ]


def handed_over(words: str = OPENING, advice: str = "Restart the phone.") -> list[dict[str, Any]]:
    """Return the messages of a run whose agent gives up."""
    return [
        *opening(words),
        says("assistant", advice),
        says("user", "Still slow."),
        says(
            "assistant",
            "I will transfer you to a human agent.",
            calls("assistant", "transfer_to_human_agents", summary="Slow data."),
        ),
        result("assistant", "transfer_to_human_agents", "Transfer successful"),
        says("assistant", ANNOUNCED),
        says("user", "###TRANSFER###"),
    ]


def run(reward: float = 1.0, messages: Sequence[Any] | None = None, task: str = TASK, **given: Any) -> dict[str, Any]:
    """Return a simulation; keys of reward_info are given as `info`."""
    met = reward == 1
    info: dict[str, Any] = {
        "reward": reward,
        "db_check": {"db_match": False, "db_reward": 0.0},
        "env_assertions": [{"met": True, "reward": 1.0}, {"met": met, "reward": float(met)}],
        "action_checks": [{"action_match": False, "action_reward": 0.0}],
        "nl_assertions": None,
        "communicate_checks": None,
        "reward_basis": ["ENV_ASSERTION"],
        "reward_breakdown": {"ENV_ASSERTION": float(met)},
    } | given.pop("info", {})
    return {
        "id": "3f6a",
        "task_id": task,
        "termination_reason": "user_stop",
        "reward_info": info,
        "messages": list(messages if messages is not None else solved() if met else handed_over()),
        "trial": 0,
        "seed": 1,
    } | given


def results(runs: Sequence[Any], basis: Sequence[str] = ("ENV_ASSERTION",), **given: Any) -> dict[str, Any]:
    """Return a results file; `policy`, `domain`, `llm` and `tool_defs` may be given."""
    tasks = sorted({one["task_id"] for one in runs if isinstance(one, dict) and isinstance(one.get("task_id"), str)})
    return {
        "timestamp": "2025-10-05T07:52:52",
        "info": {
            "agent_info": {"implementation": "llm_agent", "llm": given.get("llm", "house/agent-1")},
            "user_info": {"llm": "house/user-1", "global_simulation_guidelines": "SECRET GUIDELINES"},
            "environment_info": {
                "domain_name": given.get("domain", "telecom"),
                "policy": given.get("policy", "# Policy\nHelp with mobile data."),
                "tool_defs": given.get("tool_defs"),
            },
        },
        "tasks": [
            {
                "id": task,
                "user_scenario": {"instructions": {"task_instructions": "SECRET SCENARIO"}},
                "evaluation_criteria": {"actions": ["SECRET CRITERIA"], "reward_basis": list(basis)},
            }
            for task in tasks
        ],
        "simulations": list(runs),
    }


def write_results(folder: Path, *files: dict[str, Any], splits: Any = None) -> Path:
    """Write results files and the list of official splits into a folder of tau2's flat layout."""
    (folder / "simulations").mkdir(parents=True, exist_ok=True)
    listed = {"train": [TASK], "test": [TEST_TASK], "base": [TASK, TEST_TASK]} if splits is None else splits
    (folder / "split_tasks.json").write_text(json.dumps(listed))
    for number, file in enumerate(files):
        (folder / "simulations" / f"run{number}.json").write_text(json.dumps(file))
    return folder


def write_directory(folder: Path, runs: Sequence[Any], index: Sequence[Any] | None = None) -> Path:
    """Write results as tau2 saves a directory: an index, and a file a run; `index` in place of the one that is due."""
    whole = results(runs)
    del whole["simulations"]
    due = [
        {key: one[key] for key in ("id", "task_id", "trial")} | {"reward": one["reward_info"]["reward"]} for one in runs
    ]
    write_results(folder)
    (folder / "results.json").write_text(json.dumps(whole | {"simulation_index": due if index is None else index}))
    for one in runs:
        (folder / "simulations" / f"{one['id']}.json").write_text(json.dumps(one))
    return folder
