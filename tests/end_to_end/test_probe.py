"""`grmforge probe` over real HTTP: what can be read comes first, and whoever stops it keeps and sees what it has."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.commands import grmforge, paid, start
from tests.end_to_end.test_early_stop import CHAT, write
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import Reply, StandIn, judged

READABLE = ("correct", "incorrect", "tied")
LONG = "I weigh them \x1b[31m" * 1000 + "and come to no verdict"


def of_each_kind(body: dict[str, Any]) -> Reply:
    """Return, by the seed, a right or wrong verdict, a tie, words, a very long answer, or one that is cut off."""
    words = "Analysis: Response 1 is clear, and Response 2 is not.\n\nScores: \\boxed{%s}"
    answers = [words % "7, 3", words % "3, 7", words % "5, 5", CHAT, LONG, words % "7, 3, 2"]
    kind = body["seed"] % 7
    if kind == 6:
        return stand_in.chat(CHAT, finish_reason="length", body=body)
    return stand_in.chat(answers[kind], body=body)


def test_one_answer_of_each_outcome_is_shown_bounded_and_escaped(tmp_path: Path) -> None:
    with StandIn(then=of_each_kind) as server:
        words = ("probe", write(tmp_path, server.url), "-n", "30", "--root", tmp_path / "data", "--keep-going")
        done, probed = grmforge(*words), json.loads(grmforge(*words, "--json").out)
    assert done.code == 0, done.err
    first = done.out.split("\n")[0]
    assert first.startswith(f"{probed['readable']:,} of {sum(probed['outcomes'].values()):,} readable   (")
    shown = re.findall(r"^-+ (?:one of [\d,]+|the one) (\w+)", done.out, re.M)
    assert set(shown) == set(probed["outcomes"]) == {*READABLE, "unparsed", "wrong_count", "truncated"}
    assert shown[:3] == list(READABLE)
    assert "one of" in done.out and "truncated, finish_reason length" in done.out
    assert "\x1b" not in done.out and len(done.out) < 40_000
    assert "answer tokens a second measured here with at most 8 in flight" in done.out
    assert probed["tokens_a_second"] is None and probed["bought"] == 0, "all of it was stored"
    assert re.fullmatch(r"at the [\d,]+ answer tokens a second of run \S+", probed["build_hours_are"])
    assert probed["build_hours"] > 0


def test_a_long_answer_shows_its_beginning_and_its_end(tmp_path: Path) -> None:
    with StandIn(then=lambda body: stand_in.chat(LONG, body=body)) as server:
        recipe = write(tmp_path, server.url)
        done = grmforge("probe", recipe, "-n", "3", "--root", tmp_path / "data", "--keep-going")
    assert "I weigh them \\x1b[31mI" in done.out and "and come to no verdict" in done.out
    assert "[.. cut here: " in done.out
    assert len(done.out) < 12_000


def test_a_judge_that_nobody_can_read_is_not_called_wrong(tmp_path: Path) -> None:
    with StandIn(then=lambda body: stand_in.chat(CHAT, body=body)) as server:
        recipe = write(tmp_path, server.url, max_concurrency=1)
        done = grmforge("probe", recipe, "-n", "20", "--root", tmp_path / "data")
        again = grmforge("probe", recipe, "-n", "20", "--root", tmp_path / "data", "--json")
    assert done.code == again.code == 1
    assert done.out.startswith("0 of 10 readable   (10 unparsed)\n"), done.out[:100]
    assert "correct" not in done.out and "0% correct" not in done.err and "0%" not in done.out.split("readable")[0]
    assert "accepted  none: " in done.out and 'try next  [grm] structured_output = "regex"' in done.out
    assert (
        "stopped with 10 answers, 0 readable, of 60 wanted: they stay stored" in done.out
        and "a whole build" not in done.out
    )
    assert "I like the first one" in done.out and "one whole answer" not in done.err, "it is shown once"
    stopped = json.loads(again.out)
    assert stopped["readable"] == 0 and stopped["build_requests"] is None
    assert "0 of the first 10 answers can be read" in stopped["stopped"]


def test_ctrl_c_keeps_and_shows_what_has_come_in(tmp_path: Path) -> None:
    def slow(body: dict[str, Any]) -> Reply:
        time.sleep(0.1)
        return judged(body)

    root = tmp_path / "data"
    with StandIn(then=slow) as server:
        recipe = write(tmp_path, server.url, max_concurrency=2)
        with start("probe", recipe, "-n", "40", "--root", root) as process:
            until = time.monotonic() + 60
            while len(server.requests) < 20 and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    kept = len(paid(root))
    assert process.returncode == 130 and 18 <= kept < 120
    assert re.match(rf"{kept} of {kept} readable   \(", out)
    assert f"stopped with {kept} answers, {kept} readable, of 120 wanted: they stay stored" in out
    assert "every answer so far is kept: the same command goes on from here" in err.strip().split("\n")[-1]
