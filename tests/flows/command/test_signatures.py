"""`grmforge signatures`: what people and scripts read of it, how it ends, and that hostile names move no terminal."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.commands import Done, grmforge
from tests.examples import jsonl_rows
from tests.pipelines.sources.stand_in_hub import StandInHub
from tests.pipelines.upkeep.signing.files import QUESTIONS, rows_of, write_rows


def lines_of(rows: list[dict[str, object]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def test_a_benchmark_is_signed_listed_and_compared_with(tmp_path: Path) -> None:
    file, root = write_rows(tmp_path / "harbour.jsonl", rows_of()), ("--root", str(tmp_path / "data"))
    added = grmforge("signatures", "add", file, "--name", "harbour", *root)
    assert (added.code, added.err) == (0, "")
    assert added.out.startswith("harbour: 4 queries of 4 rows signed, by the field question of harbour.jsonl (sha256:")
    shown = grmforge("signatures", "list", *root).out.splitlines()
    assert any(line.startswith("harbour ") and " root " in line and " unknown " in line for line in shown)
    assert any(line.startswith("math ") and " ships " in line and " MIT " in line for line in shown)
    listed = json.loads(grmforge("signatures", "list", *root, "--json").out)
    assert {"harbour", "math", "gsm8k", "teleqna", "llmbar", "rm_bench", "mt_bench", "alpaca_eval"} <= {
        signature["name"] for signature in listed
    }
    mine = write_rows(tmp_path / "mine.jsonl", [{"prompt": text} for text in (QUESTIONS[1], "Nothing of it.")])
    found = grmforge("signatures", "check", mine, *root)
    assert found.code == 0
    assert "mine.jsonl:1  drop  1.00  harbour " in found.out
    assert "1 of 2 rows would be dropped: harbour 1" in found.out
    assert "0 of 2 rows would be marked" in found.out
    value = json.loads(grmforge("signatures", "check", mine, *root, "--json").out)
    assert (value["rows"], value["drop"], value["mark"]) == (2, 1, 0)
    (hit,) = value["hits"]
    assert (hit["location"], hit["row"], hit["tier"], hit["overlap"]) == ("mine.jsonl:1", 1, "drop", 1.0)
    assert len(hit["benchmark_row"]) == 16


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "rmb"), 2, "RMB is on no hub: give RMB_dataset"),
        (("add", "nothing.jsonl"), 2, "is no file or folder here"),
        (("check", "nothing.jsonl"), 2, "error: nothing.jsonl: no such file or directory"),
        (("check", "README.md", "--root", "README.md"), 2, "README.md: no directory"),
        (("add",), 2, "Missing argument"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "README.md").write_text("# mine\n")
    done = grmforge("signatures", *arguments, cwd=tmp_path)
    assert done.code == code
    (line,) = done.errors
    assert says in line


def test_looking_makes_no_root(tmp_path: Path) -> None:
    assert grmforge("signatures", "list", "--root", tmp_path / "none").code == 0
    assert not (tmp_path / "none").exists()


def test_names_of_data_move_no_terminal(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "set.jsonl", [{"go\x1b[2Jal": "x", "\u202eevil": "y"}])
    done = grmforge("signatures", "add", file, "--root", tmp_path / "data")
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err


def test_a_damaged_signature_is_a_failure_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "data" / "signatures").mkdir(parents=True)
    (tmp_path / "data" / "signatures" / "own.parquet").write_bytes(b"PAR1")
    done = grmforge("signatures", "list", "--root", tmp_path / "data")
    assert done.code == 1
    assert "own.parquet: " in done.errors[0]


@pytest.mark.slow
def test_a_hub_data_set_is_signed_and_renewed_by_its_revision(tmp_path: Path) -> None:
    commits = ["0" * 40, "1" * 40]
    files = {"data/test.jsonl": lines_of(rows_of()[:2]), "data/train.jsonl": lines_of(rows_of()[2:]), "README.md": b"#"}
    pair = {"pair_id": "1", "source": "mmlu-pro-math", "question": QUESTIONS[0], "response_A": "42", "response_B": "7"}
    judgebench = {"data/gpt.jsonl": lines_of([pair]), "data/claude.jsonl": lines_of([pair | {"question": "Why?"}])}
    hub = StandInHub({"maker/harbour": files, "ScalerLab/JudgeBench": judgebench}, commit=commits[0])
    (tmp_path / "sets.jsonl").write_bytes(lines_of(jsonl_rows(12)))
    (tmp_path / "nights.toml").write_text(
        '[build]\nname = "nights"\nroot = "data"\nsets = ["rft"]\n[[sources]]\nkind = "preference_sets"\n'
        'path = "sets.jsonl"\n[models.grm]\nengine = "simulated"\n'
    )
    with hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}

        def command(*arguments: str) -> Done:
            return grmforge(*arguments, env=env, cwd=tmp_path)

        added = command("signatures", "add", "maker/harbour")
        assert added.code == 0, added.err
        assert added.out.startswith(
            f"harbour: 2 queries of 2 rows signed, by the field question of maker/harbour ({commits[0]})"
        )
        known = command("signatures", "add", "JudgeBench")
        assert known.out.startswith(
            "judgebench: 2 queries of 2 rows signed, by the field question of ScalerLab/JudgeBench"
        )
        gone = command("signatures", "add", "maker/nothing")
        assert gone.code == 2
        assert "or sign a local copy: grmforge signatures add PATH --name nothing" in gone.errors[0]
        hub.commit, hub.datasets["maker/harbour"] = commits[1], {"data/test.jsonl": lines_of(rows_of())}
        night = command("refresh", "nights.toml")
        assert f"signature harbour made anew: {commits[0]} -> {commits[1]}, 4 queries" in night.err
    away = command("refresh", "nights.toml")
    assert away.code == 0, "a benchmark that cannot be reached holds up no night"
    assert "signature harbour stays as it is" in away.err
