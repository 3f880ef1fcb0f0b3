"""tau2-bench: conversations with their rewards come in as sets, without what tells the reward."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import RecipeError, SourceError
from schemas.preference import DropReason, LabelSource, PreferenceSet, Split, UnreadableRow
from schemas.recipe import recipe_of
from tests.examples import simulated
from tests.pipelines.sources.readings import read_source
from tests.pipelines.sources.tau2_results import (
    ANNOUNCED,
    OPENING,
    TASK,
    TEST_TASK,
    calls,
    handed_over,
    opening,
    result,
    results,
    run,
    says,
    solved,
    write_directory,
    write_results,
)  # fmt: skip

REAL = os.environ.get("GRMFORGE_TAU2", "")


def read(folder: Path, *runs: Any, **given: Any) -> list[PreferenceSet | UnreadableRow]:
    return read_source(write_results(folder, results(runs, **given)), "tau2")


def sets_in(found: list[PreferenceSet | UnreadableRow]) -> list[PreferenceSet]:
    return [row for row in found if isinstance(row, PreferenceSet)]


def the_set(folder: Path, *runs: Any, **given: Any) -> PreferenceSet:
    (found,) = sets_in(read(folder, *runs, **given))
    return found


def turns_of(preference: PreferenceSet, index: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(preference.responses[index].turns or "")
    return found


def unreadable(folder: Path, *runs: Any, **given: Any) -> UnreadableRow:
    (found,) = read(folder, *runs, **given)
    assert isinstance(found, UnreadableRow), found
    assert "\n" not in found.detail
    assert found.source_id == "simulations/run0.json:1"
    return found


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_a_lone_trial_is_a_set_of_one_whose_label_is_its_reward(tmp_path: Path, reward: float) -> None:
    found = the_set(tmp_path, run(reward))
    assert (found.n_responses, found.label, found.best, found.drop_reason) == (1, int(reward), None, None)
    assert (found.responses[0].text, found.responses[0].reward) == ("", reward)
    assert (found.responses[0].model, found.responses[0].origin) == ("house/agent-1", "simulations/run0.json:1")
    assert (found.source, found.license, found.domain) == ("tau2", "MIT", "telecom tool use")
    assert (found.label_source, found.benchmark, found.reference) == (LabelSource.VERIFIER, True, None)
    assert found.source_id == f"simulations/run0.json: {TASK}"


def test_the_query_is_policy_tools_and_first_turn_and_no_secret_of_the_benchmark(tmp_path: Path) -> None:
    found = the_set(tmp_path, run())
    system, first = found.query
    assert (system.role, first) == ("system", ("user", OPENING))
    assert system.content.startswith("# Policy\nHelp with mobile data.\n\n# Tools\n\n- get_customer_by_phone(")
    assert "refuel_data(customer_id: string, line_id: string, gb_amount: number)" in system.content
    assert "SECRET" not in str(found)


def test_tools_that_the_results_name_are_the_ones_told(tmp_path: Path) -> None:
    params = {"properties": {"id": {"type": "string"}, "odd": {"anyOf": []}}}
    tools = {"look": {"name": "look", "doc": "Look at it.\n\nLong.", "params": params}, "wait": None}
    system = the_set(tmp_path, run(), tool_defs=tools).query[0].content
    assert system.endswith("# Tools\n\n- look(id: string, odd: any): Look at it.\n- wait()")


def test_turns_are_kept_exactly_without_bookkeeping(tmp_path: Path) -> None:
    asked = calls(
        "assistant", "refuel_data", line_id="L1", gb_amount=2.0, note='a "quoted"\nline — ü', flags=[True, None]
    )
    tried = calls("user", "set_mode", given='{"mode": "4g"}')
    messages = [
        says("assistant", "Hi"), says("user", "Help"), says("assistant", "One moment. ", asked),
        result("assistant", "refuel_data", "Error: no such line", error=True),
        says("user", "", tried), result("user", "set_mode", "ok"), says("assistant", "Done?"),
        says("user", "###STOP###"),
    ]  # fmt: skip
    assert turns_of(the_set(tmp_path, run(messages=messages))) == [
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Help"},
        {"role": "assistant", "content": "One moment. ", "tool_calls": [asked]},
        {
            "role": "tool",
            "content": "Error: no such line",
            "id": "call_refuel_data",
            "requestor": "assistant",
            "error": True,
        },
        {"role": "user", "content": "", "tool_calls": [tried]},
        {"role": "tool", "content": "ok", "id": "call_set_mode", "requestor": "user", "error": False},
        {"role": "assistant", "content": "Done?"},
    ]


@pytest.mark.parametrize("messages", [solved(), handed_over()])
def test_right_and_wrong_end_alike_with_the_last_thing_done_for_the_user(tmp_path: Path, messages: list[Any]) -> None:
    turns = turns_of(the_set(tmp_path, run(messages=messages)))
    assert len(turns) == 5
    assert turns[-1]["role"] == "assistant"
    text = json.dumps(turns)
    assert not any(word in text for word in ("###", "transfer", ANNOUNCED, "thank", "Excellent"))


def test_an_announced_transfer_goes_where_nothing_is_done_after_it_and_stays_where_something_is(tmp_path: Path) -> None:
    begin = [*opening(), says("assistant", "Restart it."), says("user", "No.")]
    offered = says("assistant", "I can transfer you to a human agent.")
    agreed = [says("user", "Please do."), says("assistant", ANNOUNCED), says("user", "###TRANSFER###")]
    given_up = turns_of(the_set(tmp_path / "a", run(0.0, [*begin, offered, *agreed])))
    assert given_up[-1]["content"] == "Restart it."
    tried = [says("user", "", calls("user", "reboot")), result("user", "reboot", "ok"), says("user", "Yes! ###STOP###")]
    went_on = turns_of(the_set(tmp_path / "b", run(1.0, [*begin, offered, *tried])))
    assert went_on[-1]["content"] == "I can transfer you to a human agent."


def test_a_run_that_stops_amid_the_work_keeps_the_results_of_the_last_call(tmp_path: Path) -> None:
    turns = turns_of(the_set(tmp_path, run(0.0, opening(), termination_reason="max_steps")))
    assert [turn["role"] for turn in turns] == ["assistant", "user", "assistant", "tool"]


def trial(reward: float, words: str, first: str = OPENING) -> dict[str, Any]:
    return run(reward, (solved if reward else handed_over)(first, words))


def test_trials_of_a_task_are_a_set_with_one_right_response(tmp_path: Path) -> None:
    rows = read(tmp_path, trial(0, "a"), trial(1, "b"), trial(0, "c"), trial(1, "d"), trial(1, "b"))
    (found,) = sets_in(rows)
    assert found.n_responses == 3 and found.best is not None and found.label is None
    assert [response.reward for response in found.responses].count(1.0) == 1
    assert found.responses[found.best].reward == 1.0
    others = Counter(row.reason for row in rows if isinstance(row, UnreadableRow))
    assert others == {"surplus_right_trial": 1, "repeated_trial": 1}
    turned = read(tmp_path, *reversed([trial(0, "a"), trial(1, "b"), trial(0, "c"), trial(1, "d")]))
    assert [one.set_id for one in sets_in(turned)] == [found.set_id]


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_trials_of_one_reward_are_a_tie_and_whole(tmp_path: Path, reward: float) -> None:
    found = the_set(tmp_path, *(trial(reward, words) for words in "abc"))
    assert (found.n_responses, found.best, found.drop_reason) == (3, None, DropReason.TIE)


def test_trials_whose_users_open_differently_share_a_query_that_says_nothing_of_the_right_one(tmp_path: Path) -> None:
    matches = 0
    for number in range(40):
        right, wrong = trial(1, "a", f"Hi {number}, help."), trial(0, "b", f"Hello {number}, help.")
        found = the_set(tmp_path / str(number), right, wrong)
        matches += found.query[1].content.startswith("Hi ")
    assert 10 <= matches <= 30


def test_other_policies_other_agents_and_other_tasks_are_other_sets(tmp_path: Path) -> None:
    one = results([trial(1, "a"), run(1.0, task=TEST_TASK)])
    folder = write_results(
        tmp_path, one, results([trial(0, "b")], policy="# Another"), results([trial(0, "b")], llm="house/agent-2")
    )
    found = sets_in(read_source(folder, "tau2"))
    assert [one.n_responses for one in found] == [1, 1, 1, 1]
    assert len({one.query_id for one in found}) == 2


def test_test_tasks_are_test_whoever_their_user_is_and_a_task_is_a_cluster(tmp_path: Path) -> None:
    tasks = [TASK, TEST_TASK, TEST_TASK.replace("Easy", "Hard"), "[mms_issue]unseat_sim_card[PERSONA:None]"]
    found = sets_in(read(tmp_path, *(run(task=task) for task in tasks)))
    assert [one.split for one in found] == [Split.TRAIN, Split.TEST, Split.TEST, None]
    assert len({one.cluster for one in found}) == 3
    assert len({one.query_id for one in found}) == 1


BROKEN = says("assistant", "", calls("assistant", "f", given='{"id": '))


@pytest.mark.parametrize(
    ("reason", "simulation"),
    [
        ("not_an_object", 7),
        ("missing_field", run() | {"task_id": None}),
        ("no_reward", run() | {"reward_info": None}),
        ("no_reward", run(info={"reward": None})),
        ("bad_reward", run(info={"reward": "1.0"})),
        ("bad_reward", run(info={"reward": 0.5})),
        ("bad_reward", run(info={"reward": True})),
        ("run_failed", run(0.0, termination_reason="infrastructure_error")),
        ("missing_field", run() | {"messages": None}),
        ("no_user_turn", run(messages=[])),
        ("no_user_turn", run(messages=[says("assistant", "Hi"), says("user", "###STOP###")])),
        ("no_agent_turn", run(messages=[says("user", "Hi ###STOP###")])),
        ("not_an_object", run(messages=["Hi"])),
        ("unknown_role", run(messages=[{"role": "critic", "content": "Hi"}])),
        ("not_text", run(messages=[{"role": "user", "content": 7}])),
        ("missing_field", run(messages=[*opening(), {"role": "tool", "content": None}])),
        ("bad_tool_call", run(messages=[*opening(), BROKEN])),
        ("bad_tool_call", run(messages=[*opening(), says("user", "", calls("user", "f", given="[1]"))])),
        ("bad_tool_call", run(messages=[*opening(), says("user", "", calls("user", "f", given="[" * 100_000))])),
        ("bad_tool_call", run(messages=[*opening(), says("user", "", {"name": " ", "arguments": {}})])),
        ("not_a_list", run(messages=[*opening(), {"role": "user", "content": "a", "tool_calls": "f()"}])),
        ("text_too_long", run(messages=[*opening(), says("assistant", "a" * 1_000_001)])),
        ("text_too_long", run(messages=[*opening(), *[says("assistant", "a" * 400_000)] * 3])),
        ("not_json", run(messages=[*opening(), says("assistant", "", calls("assistant", "f", n=2**70))])),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_used_is_counted_by_its_reason(tmp_path: Path, reason: str, simulation: Any) -> None:
    assert unreadable(tmp_path, simulation).reason == reason


def test_other_domains_are_counted_and_left_out(tmp_path: Path) -> None:
    assert unreadable(tmp_path, run(), domain="airline").reason == "other_domain"


@pytest.mark.parametrize(
    ("basis", "reward", "info"),
    [
        (["ENV_ASSERTION"], 1.0, {"env_assertions": [{"met": False}]}),
        (["ENV_ASSERTION"], 0.0, {"env_assertions": [{"met": True}]}),
        (["ENV_ASSERTION"], 0.0, {"env_assertions": None, "reward_breakdown": {"ENV_ASSERTION": 1.0}}),
        (["ENV_ASSERTION", "ACTION"], 1.0, {"reward_basis": ["ACTION", "ENV_ASSERTION"]}),
        (["ENV_ASSERTION", "ACTION"], 1.0, {}),
        (["DB"], 1.0, {"reward_basis": ["DB"]}),
    ],
)
def test_a_reward_that_contradicts_its_basis_is_not_believed(
    tmp_path: Path, basis: list[str], reward: float, info: dict[str, Any]
) -> None:
    assert unreadable(tmp_path, run(reward, info=info), basis=basis).reason == "reward_contradiction"


@pytest.mark.parametrize(
    ("basis", "reward", "info"),
    [
        (["ENV_ASSERTION"], 1.0, {"action_checks": [{"action_match": False}], "db_check": {"db_match": False}}),
        (["ENV_ASSERTION", "ACTION"], 1.0, {"reward_basis": None, "action_checks": [{"action_match": True}]}),
        (["ENV_ASSERTION"], 0.0, {"env_assertions": None, "reward_breakdown": None, "reward_basis": None}),
        ([], 1.0, {"reward_basis": ["ENV_ASSERTION"]}),
        (["NL_ASSERTION", "COMMUNICATE"], 0.0, {"reward_basis": None, "communicate_checks": [{"met": False}]}),
    ],
)
def test_only_what_the_basis_names_decides(
    tmp_path: Path, basis: list[str], reward: float, info: dict[str, Any]
) -> None:
    file = results([run(reward, info=info)], basis=basis)
    if not basis:
        file["tasks"] = []
    (found,) = sets_in(read_source(write_results(tmp_path, file), "tau2"))
    assert found.label == reward


def test_a_reward_without_any_basis_is_not_believed(tmp_path: Path) -> None:
    assert unreadable(tmp_path, run(info={"reward_basis": None}), basis=[]).reason == "no_reward_basis"


def test_a_long_conversation_comes_in_whole(tmp_path: Path) -> None:
    long = "x" * 200_000
    messages = [*opening(), says("assistant", "", calls("assistant", "f")), result("assistant", "f", long)]
    assert turns_of(the_set(tmp_path, run(messages=[*messages, says("assistant", "So.")])))[-2]["content"] == long


def test_the_layout_of_the_repository_is_read_too(tmp_path: Path) -> None:
    for domain, listed in {"telecom": {"test": [TASK]}, "airline": {"test": ["0"]}}.items():
        place = tmp_path / "domains" / domain
        place.mkdir(parents=True)
        (place / "split_tasks.json").write_text(json.dumps(listed))
        (place / "tasks.json").write_text("[]")
    final = tmp_path / "results" / "final"
    final.mkdir(parents=True)
    (final / "agent_telecom_default.json").write_text(json.dumps(results([run()])))
    (found,) = sets_in(read_source(tmp_path, "tau2"))
    assert (found.split, found.source_id) == (Split.TEST, f"results/final/agent_telecom_default.json: {TASK}")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("split_tasks.json", None, "has no split_tasks.json, and without it official test tasks would be trained on"),
        ("split_tasks.json", "[]", "no object with the list of tasks 'test'"),
        ("simulations/run0.json", None, "has no results"),
        ("simulations/run0.json", "{}", "not a results file"),
        ("simulations/run0.json", '{"simulations": [', "truncated or not valid JSON"),
        ("simulations/run0.json", "", "holds no rows"),
    ],
)
def test_files_that_are_no_tau2_stop_the_build_in_a_line(
    tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    folder = write_results(tmp_path, results([run()]))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(SourceError, match=words) as raised:
        read_source(folder, "tau2")
    assert "\n" not in str(raised.value)


def test_a_recipe_must_say_where_it_is(tmp_path: Path) -> None:
    tree = {"build": {"name": "small"}, "sources": [{"kind": "tau2"}], "models": {"grm": simulated()}}
    with pytest.raises(RecipeError, match=r"sources\[0\]: a tau2 source needs a path"):
        recipe_of(tree, tmp_path)


@pytest.mark.skipif(not REAL, reason="set GRMFORGE_TAU2 to a directory of real results to count them")
def test_the_real_runs_become_sets_whose_label_is_their_reward() -> None:
    found = sets_in(read_source(Path(REAL).resolve(), "tau2"))
    rewards: dict[str, tuple[float, str]] = {}
    kept = ("role", "content", "tool_calls", "id", "requestor", "error")
    for path in Path(REAL).glob("simulations/*.json"):
        for number, one in enumerate(json.loads(path.read_text("utf-8"))["simulations"], 1):
            messages = [{key: m[key] for key in kept if m.get(key) is not None} for m in one["messages"]]
            rewards[f"simulations/{path.name}:{number}"] = (one["reward_info"]["reward"], messages)
    assert len(found) == len(rewards) == 25
    assert Counter(one.label for one in found) == {1: 16, 0: 9}
    assert Counter(one.split for one in found) == {Split.TRAIN: 20, Split.TEST: 5}
    assert {one.drop_reason for one in found} == {None}
    for one in found:
        reward, messages = rewards[one.responses[0].origin or ""]
        assert one.label == one.responses[0].reward == reward
        turns = turns_of(one)
        assert turns == messages[: len(turns)] and len(turns) < len(messages)
        assert not any(word in str(turns) for word in ("###", "transfer_to_human_agents", "BEING TRANSFERRED"))


RUNS = (run(1.0, id="a-1"), run(0.0, id="b-2", trial=1))


def test_a_directory_of_results_gives_the_sets_of_the_one_file(tmp_path: Path) -> None:
    whole = read_source(write_results(tmp_path / "whole", results(RUNS)), "tau2")
    apart = read_source(write_directory(tmp_path / "apart", RUNS), "tau2")
    nested = write_results(tmp_path / "nested")
    write_directory(nested / "simulations" / "night", RUNS)
    for split in (nested / "simulations" / "night").glob("split_tasks.json"):
        split.unlink()
    deep = read_source(nested, "tau2")
    assert {one.set_id for one in sets_in(whole)} == {one.set_id for one in sets_in(apart)}
    assert {one.set_id for one in sets_in(whole)} == {one.set_id for one in sets_in(deep)}
    assert sets_in(apart)[0].source_id == f"results.json: {TASK}"


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": "a-1", "task_id": TASK, "trial": 0, "reward": 1.0} | changes


@pytest.mark.parametrize(
    ("index", "due"),
    [
        ([entry()], {"simulations/b-2.json": "not_in_index"}),
        ([entry(), entry(id="c-3")], {"results.json:2": "missing_simulation", "simulations/b-2.json": "not_in_index"}),
        ([entry(), entry()], {"results.json:2": "repeated_simulation", "simulations/b-2.json": "not_in_index"}),
        ([entry(), entry(id="../../secret")], {"results.json:2": "bad_simulation_id"}),
        ([entry(), entry(id="/etc/passwd")], {"results.json:2": "bad_simulation_id"}),
        ([entry(), entry(id="..")], {"results.json:2": "bad_simulation_id"}),
        ([entry(), entry(id=7)], {"results.json:2": "bad_simulation_id"}),
        ([entry(), "b-2"], {"results.json:2": "not_an_object"}),
        ([entry(reward=0.0)], {"results.json:1": "index_disagrees"}),
        ([entry(task_id=TEST_TASK)], {"results.json:1": "index_disagrees"}),
        ([entry(trial=3)], {"results.json:1": "index_disagrees"}),
    ],
)
def test_an_index_and_its_files_that_differ_are_counted(tmp_path: Path, index: list[Any], due: dict[str, str]) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(RUNS[0]))
    found = read_source(write_directory(tmp_path / "runs", RUNS, index), "tau2")
    reasons = {row.source_id: row.reason for row in found if isinstance(row, UnreadableRow)}
    assert reasons == {"simulations/b-2.json": "not_in_index"} | due


def test_a_broken_file_of_a_directory_costs_its_own_run(tmp_path: Path) -> None:
    folder = write_directory(tmp_path, RUNS)
    (folder / "simulations" / "b-2.json").write_text('{"id": "b-2"')
    found = read_source(folder, "tau2")
    assert [row.reason for row in found if isinstance(row, UnreadableRow)] == ["bad_json"]
    assert len(sets_in(found)) == 1
