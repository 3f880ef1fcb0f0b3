"""A server of our own, by a stand-in program: started, restarted and stopped, and nothing of it stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.vllm.server import Servers
from schemas.errors import EngineError, Interrupted
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import Watcher, ask, row_of

PROGRAM = Path(__file__).with_name("stand_in_vllm.py")


class Home:
    """A recipe's directory, with a stand-in's journal and the logs of its starts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = directory / "journal.jsonl"
        self.watcher = Watcher()
        self.budget = Budget()
        self.handed: dict[int, Completion] = {}

    def model(self, *flags: str, vllm: dict[str, Any] | None = None, **settings: Any) -> ModelSection:
        command = [sys.executable, str(PROGRAM), "{model}", "--journal", str(self.journal), *flags]
        usual: dict[str, Any] = {"engine": "vllm", "model": "some/model", "timeout_s": 10.0, "max_concurrency": 8}
        return ModelSection(**usual | settings, vllm={"command": command, "start_timeout_s": 20.0} | (vllm or {}))

    @contextmanager
    def servers(self) -> Iterator[Servers]:
        with closing(Servers(self.directory, grace_s=1.0)) as servers:
            yield servers

    def ask(self, servers: Servers, model: ModelSection, rows: Iterable[int] = range(40)) -> None:
        """Ask for some rows as a run does, and keep their completions."""

        def keep(request: Request, completion: Completion) -> Iterable[Request]:
            assert row_of(request) not in self.handed, "handed over twice"
            self.handed[row_of(request)] = completion
            return ()

        engine = servers.engine(model, self.directory / "run", self.watcher, lambda: self.budget.is_stopped)
        self.budget.is_in_use = True
        dispatch((ask(row, model) for row in rows), engine, model, self.budget, keep, self.watcher)

    def noted(self, kind: str) -> list[dict[str, Any]]:
        """Return what the stand-in noted of a kind, over all its starts."""
        if not self.journal.exists():
            return []
        lines = [json.loads(line) for line in self.journal.read_text("utf-8").splitlines()]
        return [line for line in lines if kind in line]

    def logs(self) -> list[Path]:
        return sorted(self.directory.glob("run-vllm-*.log"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):  # the second where it ends while its file is read
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def gone(pid: int, within_s: float = 15.0) -> bool:
    until = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_server_is_started_with_our_flags_asked_with_a_key_and_ended(home: Home) -> None:
    (home.directory / "weights").mkdir()
    (home.directory / "weights/config.json").write_text("{}")
    settings = {"tensor_parallel": 2, "env": {"STAND_IN_EXTRA": "here"}}
    model = home.model("--takes", "0.3", vllm=settings, model="weights", revision="abc")
    with home.servers() as servers:
        home.ask(servers, model)
        (start,) = home.noted("start")
        assert is_alive(start["start"])
    assert not is_alive(start["start"])
    assert (home.watcher.count(), home.watcher.retries) == (40, [])
    arguments = start["arguments"]
    assert arguments[1] == str(home.directory / "weights")
    flags = dict(pairwise(arguments))
    assert flags["--served-model-name"] == "weights"
    assert (flags["--host"], flags["--revision"], flags["--tensor-parallel-size"]) == ("127.0.0.1", "abc", "2")
    assert "--enable-prefix-caching" in arguments
    assert start["directory"] == str(home.directory)
    assert start["extra"] == "here"
    assert home.watcher.lines[0] == f"starting vLLM for weights; its log: {home.logs()[0]}"
    assert home.watcher.lines[-1].startswith("vLLM answers for weights, after ")


def test_the_key_stands_nowhere_but_in_the_environment(home: Home) -> None:
    with home.servers() as servers:
        home.ask(servers, home.model("--crash-row", "row 7", max_retries=1), range(30))
    keys = {start["key"] for start in home.noted("start")}
    assert len(keys) == len(home.noted("start")) > 1
    shown = [*home.watcher.lines, *home.watcher.warnings, *home.watcher.retries, *map(str, home.handed.values())]
    shown += [path.read_text() for path in home.logs()]
    shown += [word for start in home.noted("start") for word in start["arguments"]]
    assert all(len(key) >= 32 and key not in text for key in keys for text in shown)


def test_one_server_serves_all_that_mean_the_same_and_another_takes_its_place(home: Home) -> None:
    grm, difficulty = home.model(), home.model(max_concurrency=2, timeout_s=20.0, extra_body={"top_k": 3})
    with home.servers() as servers:
        home.ask(servers, grm, range(10))
        home.ask(servers, difficulty, range(10, 20))
        assert len(home.noted("start")) == 1
        home.ask(servers, home.model(model="another/model"), range(20, 30))
        first, second = home.noted("start")
        assert not is_alive(first["start"]) and is_alive(second["start"])
        os.kill(second["start"], signal.SIGKILL)  # between two dispatches
        while "was ended by signal 9" not in home.logs()[-1].read_text():  # by then it is known
            time.sleep(0.02)
        home.ask(servers, home.model(model="another/model"), range(30, 40))
    assert len(home.noted("start")) == 3
    assert [path.name for path in home.logs()] == ["run-vllm-1.log", "run-vllm-2.log", "run-vllm-3.log"]
    assert not any(is_alive(start["start"]) for start in home.noted("start"))


def test_a_server_that_dies_is_started_again_and_no_row_is_lost_or_asked_twice_beyond_those_in_flight(
    home: Home,
) -> None:
    model = home.model("--dies-after", "25", "--dies", "2", "--latency", "0.01", max_concurrency=8)
    with home.servers() as servers:
        home.ask(servers, model, range(200))
    assert len(home.noted("start")) == 3
    assert sorted(home.handed) == list(range(200))
    assert home.watcher.count() == 200
    assert all(completion.fault is None for completion in home.handed.values())
    asked = Counter(one["request"] for one in home.noted("request"))
    assert len(asked) == 200
    assert sum(asked.values()) - 200 <= 2 * 8, "more were asked again than were in flight"
    assert len(home.watcher.retries) <= 2 * 8, "those that waited for the server used up tries"
    assert [warning.split(";")[0] for warning in home.watcher.warnings] == [
        "the vLLM server of some/model ended and is started again"
    ] * 2
    assert "killed by signal 9" in home.watcher.warnings[0]


def test_a_server_that_dies_again_and_again_ends_the_run(home: Home) -> None:
    model = home.model("--dies-after", "0", vllm={"restarts": 2}, max_retries=20)
    with home.servers() as servers, pytest.raises(EngineError, match="ended 3 times without an answer") as raised:
        home.ask(servers, model)
    assert str(home.logs()[-1]) in str(raised.value)
    assert "killed by signal 9" in str(raised.value)
    assert len(home.noted("start")) == 3


def test_a_restart_that_fails_is_tried_again(home: Home) -> None:
    says = home.directory / "says.txt"
    says.write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    with home.servers() as servers:
        home.ask(servers, home.model("--dies-after", "5", "--dies", "1", "--says", str(says), "--fails-at", "2"))
    assert home.watcher.count() == 40
    assert len(home.noted("start")) == 3
    assert "killed by signal 9" in home.watcher.warnings[0]
    assert "out of memory" in home.watcher.warnings[1]


@pytest.mark.slow
def test_a_request_that_kills_every_server_is_given_up_and_the_others_are_answered(home: Home) -> None:
    model = home.model("--crash-row", "row 13", vllm={"restarts": 3}, max_retries=2, max_concurrency=1)
    with home.servers() as servers:
        home.ask(servers, model, range(30))
    assert (home.watcher.count(), home.watcher.count(FaultKind.TRANSIENT)) == (29, 1)
    assert home.handed[13].fault is FaultKind.TRANSIENT
    assert len(home.noted("start")) == 4
    error = home.handed[13].error or ""
    assert "; its vLLM server ended: killed by signal 9, by someone or because this machine's memory was full" in error
    assert error.endswith(f"; its log: {home.logs()[2]}"), "that of the start which it was lost with"


def test_where_every_server_dies_after_some_answers_each_lost_request_says_why(home: Home) -> None:
    model = home.model("--dies-after", "3", vllm={"restarts": 2}, max_retries=0, max_concurrency=2)
    with home.servers() as servers:
        home.ask(servers, model, range(12))
    lost = [one for one in home.handed.values() if one.fault is FaultKind.TRANSIENT]
    assert 0 < len(lost) < 12
    assert all("; its vLLM server ended: killed by signal 9" in (one.error or "") for one in lost)
    assert {(one.error or "").rsplit("; its log: ")[1] for one in lost} <= {str(log) for log in home.logs()}


def test_why_a_server_did_not_start_is_said_in_one_line_and_its_log_is_shown(home: Home) -> None:
    says = home.directory / "says.txt"
    says.write_text(
        "INFO 11-20 18:46:41 [utils.py:1] non-default args: {}\nOSError: [Errno 98] Address already in use\n"
    )
    with home.servers() as servers, pytest.raises(EngineError) as raised:
        home.ask(servers, home.model("--says", str(says), vllm={"port": free_port()}))
    text = str(raised.value)
    assert text.startswith("vLLM did not start for some/model: its port is taken by another program")
    assert text.endswith(f"its log: {home.logs()[-1]}") and "\n" not in text
    assert "the log of vLLM; OSError: [Errno 98] Address already in use" in home.watcher.lines
    assert len(home.noted("start")) == 1, "a fixed port is not tried again"


def test_a_free_port_that_is_snatched_is_another_one_next_time(home: Home) -> None:
    says = home.directory / "says.txt"
    says.write_text("OSError: [Errno 98] Address already in use")
    with home.servers() as servers:
        home.ask(servers, home.model("--says", str(says), "--fails-at", "1", "2"))
    ports = [start["arguments"][start["arguments"].index("--port") + 1] for start in home.noted("start")]
    assert len(home.handed) == 40 and len(ports) == 3


@pytest.mark.parametrize("code", [-9, 3])
def test_an_end_that_its_log_does_not_explain(home: Home, code: int) -> None:
    says = home.directory / "says.txt"
    says.write_text("loading, 10 %")
    with home.servers() as servers, pytest.raises(EngineError) as raised:
        home.ask(servers, home.model("--says", str(says), "--code", str(code)))
    assert ("killed by signal 9" if code < 0 else "it ended with code 3; its log: ") in str(raised.value)
    assert "the log of vLLM; loading, 10 %" in home.watcher.lines


def test_a_program_that_cannot_be_executed(home: Home) -> None:
    (home.directory / "serve").write_text("no program of any system")
    (home.directory / "serve").chmod(0o755)
    model = ModelSection(engine="vllm", model="some/model", vllm={"command": "./serve {model}"})
    with home.servers() as servers, pytest.raises(EngineError, match="cannot be started: Exec format error"):
        home.ask(servers, model)


def test_a_program_that_is_not_there(home: Home) -> None:
    for command in ("no-such-command-here {model}", "../venv/bin/vllm serve {model}"):
        model = ModelSection(engine="vllm", model="some/model", vllm={"command": command})
        with home.servers() as servers, pytest.raises(EngineError, match="vLLM cannot be started") as raised:
            home.ask(servers, model)
        assert "command" in str(raised.value)
    assert not home.logs()


@pytest.mark.parametrize(
    ("model", "said"),
    [("./nowhere", "there is no directory"), ("a/b/c", "there is no directory"), ("empty", "holds no model")],
)
def test_a_model_that_is_not_there(home: Home, model: str, said: str) -> None:
    (home.directory / "empty").mkdir()
    with home.servers() as servers, pytest.raises(EngineError, match=said):
        home.ask(servers, home.model(model=model))
    assert not home.noted("start")


def test_a_port_that_is_taken_is_said_before_anything_starts(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with home.servers() as servers, pytest.raises(EngineError, match=f"port {port} is not free"):
            home.ask(servers, home.model(vllm={"port": port}))
    assert not home.noted("start")
    with home.servers() as servers:
        home.ask(servers, home.model(vllm={"port": port}), range(10))
        os.kill(home.noted("start")[-1]["start"], signal.SIGKILL)
        home.ask(servers, home.model(vllm={"port": port}), range(10, 20))  # the same one again, at once
    assert len(home.handed) == 20


def test_a_server_of_another_model_is_refused(home: Home) -> None:
    with home.servers() as servers, pytest.raises(EngineError, match="serves other/model; mend command"):
        home.ask(servers, home.model("--lists-as", "other/model"))
    with home.servers() as servers, pytest.raises(EngineError, match="answers as 'other/model', not as 'some/model'"):
        home.ask(servers, home.model("--answers-as", "other/model"))
    assert not home.handed
    assert not any(is_alive(start["start"]) for start in home.noted("start"))


def test_a_start_that_takes_too_long_is_given_up(home: Home) -> None:
    with home.servers() as servers, pytest.raises(EngineError, match=r"within start_timeout_s = 0\.5 s"):
        home.ask(servers, home.model("--takes", "60", vllm={"start_timeout_s": 0.5}))
    assert not any(is_alive(start["start"]) for start in home.noted("start"))


@pytest.mark.parametrize("where", ["group", "session"])
def test_what_the_server_has_started_goes_with_it(home: Home, where: str) -> None:
    """vLLM's engine is a process of its own, which lives on for ever when only its parent is killed."""
    with home.servers() as servers:
        home.ask(servers, home.model("--child", where, "--dies-after", "20", "--dies", "1"))
        first, second = home.noted("start")
        assert gone(first["child"]) and is_alive(second["child"])
    assert not any(is_alive(start[which]) for start in (first, second) for which in ("start", "child"))


def test_a_server_that_ignores_sigterm_is_killed(home: Home) -> None:
    with home.servers() as servers:
        home.ask(servers, home.model("--ignores-term"))
        began = time.monotonic()
    assert 1.0 <= time.monotonic() - began < 5.0
    assert not any(is_alive(start["start"]) for start in home.noted("start"))


def test_no_start_is_waited_for_once_the_run_is_to_end(home: Home) -> None:
    """Ctrl-C while the server is being started again: nothing more will be sent to it."""
    says = home.directory / "says.txt"
    says.write_text("")
    model = home.model("--dies-after", "10", "--latency", "0.01", "--takes", "1.5", max_concurrency=4)

    def stop() -> None:
        while len(home.noted("start")) < 2:
            time.sleep(0.05)
        home.budget.stop(Interrupted("interrupted"))

    thread = threading.Thread(target=stop)
    thread.start()
    with home.servers() as servers:
        with pytest.raises(Interrupted):
            home.ask(servers, model, range(1000))
        thread.join()
        assert not is_alive(home.noted("start")[-1]["start"])
    assert 0 < len(home.handed) <= 10


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


STARTER = """
import signal, sys, time
from pathlib import Path
from pipelines.engines.vllm.server import Servers
from schemas.recipe import ModelSection
from tests.pipelines.engines.test_vllm_server import Watcher

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which whoever runs these tests may have ignored, as nohup does
model = ModelSection(engine="vllm", model="some/model", vllm={"command": sys.argv[2:]})
Servers(Path(sys.argv[1]), grace_s=1.0).engine(model, Path(sys.argv[1], "run"), Watcher(), lambda: False)
print("up", flush=True)
time.sleep(600)
"""


def started(home: Home, *flags: str) -> "subprocess.Popen[str]":
    """Start a process that starts a server and then sleeps."""
    command = [sys.executable, str(PROGRAM), "{model}", "--journal", str(home.journal), *flags]
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(home.directory), *command], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_parent_that_is_killed_takes_its_server_along(home: Home, number: signal.Signals) -> None:
    with started(home, "--child", "group") as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "up\n"
        (start,) = home.noted("start")
        parent.send_signal(number)
        parent.wait(10)
        assert gone(start["start"], 5) and gone(start["child"])


def test_a_keeper_that_is_killed_takes_its_server_along(home: Home) -> None:
    with home.servers() as servers:
        home.ask(servers, home.model("--child", "group"), range(10))
        (start,) = home.noted("start")
        keeper = int(Path(f"/proc/{start['start']}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(keeper, signal.SIGKILL)
        assert gone(start["start"], 5)
        home.ask(servers, home.model("--child", "group"), range(10, 20))  # a new one
        assert gone(start["child"], 5)
    assert len(home.handed) == 20
