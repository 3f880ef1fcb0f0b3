"""Groups of responses that a trainer hands over one by one, put together again before they are judged.

A group's key is the run, the step, the group's own name where the trainer has one, and the question. It is judged once
it has its size, or when its time is over: then as a partial group, and one response alone is a failure. The first
member's call starts the clock.

After that the group is closed. Where calls say their step, a response that comes again gets what it got, and a new one
is `late`. Where they do not, nobody can tell a late one from the next step's, so it begins a new group; only a failure
is told again for a minute, so that a client which tries again is not kept waiting. A call with a name of its own may be
sent again at any time: it gets what it got. Numbers never pass from one group to another.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, NamedTuple

from pipelines.serving.judging import Question
from pipelines.serving.verdicts import Cause, Failure, Reward, Verdict, failed

REMEMBERED_S = 600.0
"""How long a closed group of a known step tells its members again what they got."""
FAILURES_REMEMBERED_S = 60.0

Judge = Callable[[Question, Sequence[str]], Awaitable[Verdict]]


class Key(NamedTuple):
    """What the members of one group have in common."""

    run: str
    step: int | None
    group: str
    question: Question


class Joined(NamedTuple):
    """What became of some responses of a group: their rewards, and the verdict on the whole group."""

    rewards: tuple[Reward, ...]
    verdict: Verdict


@dataclass(eq=False)
class _Open:
    """A group that waits for its members."""

    size: int
    began: float
    texts: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    """Where the responses of each named call begin."""
    verdict: Verdict | None = None
    error: Exception | None = None
    """Why there is no verdict: a bug."""
    trace: TracebackType | None = None
    """Where the bug was, without those who were told of it."""
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)
    deadline: asyncio.TimerHandle | None = None

    @property
    def is_judged(self) -> bool:
        return self.verdict is not None or self.error is not None

    async def told(self) -> Verdict:
        """Wait for the verdict. Whoever gives up takes nothing away from the others."""
        if not self.is_judged:
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]
        if self.error is not None:
            raise self.error.with_traceback(self.trace)  # or it would grow by every waiter who raises it
        assert self.verdict is not None
        return self.verdict

    def tell(self, verdict: Verdict | None, error: Exception | None = None) -> None:
        """Set what became of the group, and wake everyone who waits for it."""
        self.verdict, self.error, self.trace = verdict, error, error.__traceback__ if error else None
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)


class Groups:
    """The groups of a service, open and lately closed. All calls come from one loop."""

    def __init__(self, judge: Judge, wait_s: float, waited: Callable[[float, bool], None]) -> None:
        """`waited` is told how long each group waited for its members, and whether it is partial."""
        self._judge, self._wait_s, self._waited = judge, wait_s, waited
        self._open: dict[Key, _Open] = {}
        self._closed: dict[Key, tuple[_Open, float]] = {}
        """Groups that nobody joins any more, each with the time until which it is remembered."""
        self._judging: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many groups wait for members."""
        return len(self._open)

    async def join(self, key: Key, texts: Sequence[str], size: int, call: str = "") -> Joined:
        """Return what becomes of these responses, once their group is judged.

        A `call` of the same name, which was sent again, adds nothing to its group.
        """
        if (told := await self._told_again(key, texts, call)) is not None:
            return told
        group = self._open.get(key)
        if group is None:
            group = self._open[key] = _Open(size, time.monotonic())
            group.deadline = asyncio.get_running_loop().call_later(self._wait_s, self._close, key, group)
        first = group.calls.get(call, len(group.texts))
        if first == len(group.texts):
            group.texts += texts
            if call:
                group.calls[call] = first
        group.size = max(group.size, size)
        if len(group.texts) >= group.size:
            self._close(key, group)
        verdict = await group.told()
        return Joined(verdict.rewards[first : first + len(texts)], verdict)

    async def at_once(self, question: Question, texts: Sequence[str]) -> Joined:
        """Return what becomes of responses that are a whole group by themselves."""
        group = _Open(len(texts), time.monotonic(), list(texts))
        self._spawn(self._judge_group(question, group, False))
        verdict = await group.told()
        return Joined(verdict.rewards, verdict)

    def stop(self) -> None:
        """Tell everyone who waits for a group that nothing new begins."""
        for group in self._open.values():
            if group.deadline:
                group.deadline.cancel()
            group.tell(replace(failed(len(group.texts), Cause.STOPPING), size=group.size))
        self._open.clear()

    async def drained(self) -> None:
        """Return when every group that was begun is judged."""
        while self._judging:
            await asyncio.wait(self._judging)

    async def _told_again(self, key: Key, texts: Sequence[str], call: str) -> Joined | None:
        """Return what a closed group has to say to these responses; None where they begin or join another one."""
        group, until = self._closed.get(key, (None, 0.0))
        if group is None or until < time.monotonic() or group.error is not None:  # a bug may have gone
            return None
        if (first := group.calls.get(call)) is not None:
            verdict = await group.told()
            return Joined(verdict.rewards[first : first + len(texts)], verdict)
        if key.step is None and (key in self._open or group.verdict is None):
            return None
        verdict = await group.told()
        known = dict(zip(group.texts, verdict.rewards, strict=True))
        rewards = [known.get(text, Failure(Cause.LATE)) for text in texts]
        if key.step is None and not all(isinstance(known.get(text), Failure) for text in texts):
            return None
        return Joined(tuple(rewards), verdict)

    def _close(self, key: Key, group: _Open) -> None:
        """Let nobody join any more, and have the members judged."""
        if group.deadline:
            group.deadline.cancel()
        if self._open.get(key) is group:
            del self._open[key]
            is_partial = len(group.texts) < group.size
            self._waited(time.monotonic() - group.began, is_partial)
            self._remember(key, group)
            self._spawn(self._judge_group(key.question, group, is_partial))

    def _spawn(self, judging: Coroutine[Any, Any, None]) -> None:
        """Run something that `drained` waits for, whoever may still listen to it."""
        task = asyncio.get_running_loop().create_task(judging)
        self._judging.add(task)
        task.add_done_callback(self._judging.discard)

    async def _judge_group(self, question: Question, group: _Open, is_partial: bool) -> None:
        try:
            verdict = await self._judge(question, group.texts)
        except Exception as error:  # noqa: BLE001 - whoever waits for the group raises it
            group.tell(None, error)
        else:
            group.tell(replace(verdict, size=group.size, is_partial=is_partial))

    def _remember(self, key: Key, group: _Open) -> None:
        now = time.monotonic()
        while self._closed and (oldest := next(iter(self._closed.items())))[1][1] < now:
            del self._closed[oldest[0]]
        self._closed.pop(key, None)
        self._closed[key] = group, now + (FAILURES_REMEMBERED_S if key.step is None else REMEMBERED_S)
