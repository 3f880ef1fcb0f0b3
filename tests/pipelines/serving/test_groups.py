"""Groups are put together from calls that come one by one, and never mix."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence

from pipelines.serving.groups import Groups, Joined, Key
from pipelines.serving.judging import Question
from pipelines.serving.verdicts import Cause, Failure, Verdict
from schemas.query import user

QUESTION = Question(user("Which is best?"))


def key(step: int | None = 1, run: str = "a", group: str = "", question: Question = QUESTION) -> Key:
    return Key(run, step, group, question)


class Judging:
    """A judge that gives each response the length of its text, and fails those that ask for it."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, question: Question, texts: Sequence[str]) -> Verdict:
        self.groups.append(list(texts))
        await self.gate.wait()
        return Verdict(tuple(Failure(Cause.UNREADABLE) if "bad" in text else float(len(text)) for text in texts))


def trying(act: Callable[[Groups, Judging], Awaitable[None]], wait_s: float = 60.0) -> list[tuple[float, bool]]:
    waits: list[tuple[float, bool]] = []

    async def go() -> None:
        judging = Judging()
        await act(Groups(judging, wait_s, lambda seconds, partial: waits.append((seconds, partial))), judging)

    asyncio.run(asyncio.wait_for(go(), 20))
    return waits


def rewards(joined: Joined) -> list[object]:
    return [reward.cause if isinstance(reward, Failure) else reward for reward in joined.rewards]


def test_members_that_come_one_by_one_are_judged_together() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        got = await asyncio.gather(*(groups.join(key(), [text], 3) for text in ("a", "bb", "ccc")))
        assert [rewards(one) for one in got] == [[1.0], [2.0], [3.0]]
        assert judging.groups == [["a", "bb", "ccc"]]
        assert got[0].verdict.size == 3 and not got[0].verdict.is_partial

    assert [partial for _, partial in trying(act)] == [False]


def test_groups_of_one_prompt_never_mix_across_runs_steps_names_and_references() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        keys = [
            key(1),
            key(2),
            key(None),
            key(1, "b"),
            key(1, group="g"),
            key(1, question=Question(QUESTION.prompt, "x")),
        ]
        calls = [groups.join(one, [f"{number}-{half}"], 2) for half in "ab" for number, one in enumerate(keys)]
        await asyncio.gather(*calls)
        assert sorted(judging.groups) == [[f"{number}-a", f"{number}-b"] for number in range(len(keys))]

    trying(act)


def test_at_the_deadline_those_present_are_judged_as_a_partial_group() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        got = await asyncio.gather(groups.join(key(), ["a"], 8), groups.join(key(), ["bb"], 8))
        assert judging.groups == [["a", "bb"]]
        assert got[0].verdict.is_partial and got[0].verdict.size == 8 and len(got[0].verdict.rewards) == 2

    (seconds, partial), *_ = trying(act, wait_s=0.05)
    assert partial and 0.04 < seconds < 2


def test_with_a_step_a_late_one_is_told_so_and_a_member_that_comes_again_gets_what_it_got() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        judging.gate.clear()
        first = asyncio.ensure_future(asyncio.gather(*(groups.join(key(), [text], 2) for text in ("a", "bb"))))
        await asyncio.sleep(0.01)
        late = asyncio.ensure_future(groups.join(key(), ["ccc"], 2))  # while the group is judged
        judging.gate.set()
        await first
        assert rewards(await late) == [Cause.LATE]
        assert rewards(await groups.join(key(), ["bb"], 2)) == [2.0]
        assert judging.groups == [["a", "bb"]]

    trying(act)


def test_without_a_step_numbers_never_pass_to_the_next_group_but_failures_are_told_again() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        where = key(None)
        await asyncio.gather(*(groups.join(where, [text], 2) for text in ("a", "bad")))
        assert rewards(await groups.join(where, ["bad"], 2)) == [Cause.UNREADABLE]
        again = await asyncio.gather(*(groups.join(where, [text], 2) for text in ("a", "dddd")))
        assert [rewards(one) for one in again] == [[1.0], [4.0]]
        assert judging.groups == [["a", "bad"], ["a", "dddd"]]

    trying(act)


def test_a_named_call_that_is_sent_again_adds_nothing() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        where = key(None)
        calls = [groups.join(where, ["a"], 2, "call-1"), groups.join(where, ["a"], 2, "call-1")]
        waiting = asyncio.gather(*calls, groups.join(where, ["bb"], 2, "call-2"))
        assert [rewards(one) for one in await waiting] == [[1.0], [1.0], [2.0]]
        assert rewards(await groups.join(where, ["bb"], 2, "call-2")) == [2.0]
        assert judging.groups == [["a", "bb"]]

    trying(act)


def test_a_stop_tells_those_who_wait_and_lets_what_is_judged_come_in() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        judging.gate.clear()
        out = asyncio.ensure_future(groups.at_once(QUESTION, ["a", "bb"]))
        waiting = asyncio.ensure_future(groups.join(key(), ["ccc"], 2))
        await asyncio.sleep(0.01)
        groups.stop()
        assert rewards(await waiting) == [Cause.STOPPING]
        judging.gate.set()
        await groups.drained()
        assert rewards(await out) == [1.0, 2.0]

    trying(act)


def test_a_bug_is_told_to_every_member_with_a_trace_that_does_not_grow_and_is_not_remembered() -> None:
    async def act(groups: Groups, judging: Judging) -> None:
        async def broken(question: Question, texts: Sequence[str]) -> Verdict:
            raise ValueError("bug")

        groups._judge = broken
        calls = (groups.join(key(), [f"text {number}"], 50) for number in range(50))
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert {str(error) for error in told} == {"bug"}
        assert len(traceback.extract_tb(told[-1].__traceback__)) < 10  # type: ignore[union-attr]
        groups._judge = judging
        assert rewards(await groups.join(key(), ["a", "bb"], 2)) == [1.0, 2.0]

    trying(act)
