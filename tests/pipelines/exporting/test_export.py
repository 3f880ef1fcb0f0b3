"""An export holds every row that its trainer can read, whole; each other one is counted. Limits are above all rows."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.exporting.checking import checked
from pipelines.exporting.export import Export, export
from pipelines.exporting.lengths import open_tokenizer
from pipelines.exporting.registry import TRAINERS, trainer_of
from schemas.errors import RecipeError
from storage.snapshots import Snapshot
from tests.trainers.tokenizers import save_tokenizer


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def published(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    return [row for path in snapshot.files(table) for row in pq.read_table(path).to_pylist()]


def texts(row: dict[str, Any]) -> str:
    """Return all that a row says, whatever its columns."""
    return json.dumps(row, ensure_ascii=False, default=str)


@pytest.fixture
def written(snapshot: Snapshot, tmp_path: Path) -> Callable[..., Export]:
    def write(name: str, out: str = "out", **options: Any) -> Export:
        return export(snapshot, trainer_of(name), tmp_path / out, **options)

    return write


@pytest.mark.parametrize("name", TRAINERS)
def test_every_row_is_written_or_counted(snapshot: Snapshot, written: Callable[..., Export], name: str) -> None:
    done = written(name)
    for table, part in done.parts.items():
        there = {split: published(snapshot, f"{table}/{split}") for split in ("train", "validation")}
        rows = {split: rows_of(done.out / file) for split, file in part.files.items()}
        assert {split: len(of) for split, of in rows.items()} == part.rows
        assert sum(map(len, there.values())) == sum(part.rows.values()) + sum(part.left_out.values())
        for split, of in rows.items():
            originals = "\n".join(map(texts, there[split]))
            for row in of:
                turns = row.get("completion") or row.get("messages") or row.get("prompt") or row.get("conversations")
                last = (turns or row["context"])[-1]
                assert json.dumps(last["content"], ensure_ascii=False) in originals
    assert set(done.parts) | set(done.without) == {"rft", "rl", "pairs", "meta_rm"}
    # What a person must fill is marked, and nothing is left of a template.
    files = [file for file in done.out.rglob("*") if file.suffix in (".sh", ".yaml", ".json", ".md", ".py")]
    for file in files:
        assert file.suffix == ".py" or not re.search(r"\{%|\{\{", file.read_text("utf-8")), file
        if file.suffix == ".sh":
            assert subprocess.run(["bash", "-n", file]).returncode == 0
            assert "FILL:" in file.read_text("utf-8")
        if file.suffix == ".py":
            compile(file.read_text("utf-8"), file.name, "exec")
    assert str(done.out) not in "".join(file.read_text("utf-8") for file in files)


def test_the_same_snapshot_gives_the_same_bytes(written: Callable[..., Export]) -> None:
    one, other = written("swift", "one"), written("swift", "other")
    files = sorted(file.relative_to(one.out) for file in one.out.rglob("*") if file.is_file())
    assert files == sorted(file.relative_to(other.out) for file in other.out.rglob("*") if file.is_file())
    assert all((one.out / file).read_bytes() == (other.out / file).read_bytes() for file in files)


def test_what_a_trainer_would_read_wrongly_is_left_out(written: Callable[..., Export]) -> None:
    assert written("trl", "1").parts["rft"].left_out == {}
    pictures = written("llamafactory", "2")
    assert pictures.parts["rft"].left_out["media_tag"] > 0
    assert not any("<image>" in texts(row) for row in rows_of(pictures.out / "rft/train.jsonl"))
    whole = written("verl", "3").parts["rft"]
    assert set(whole.left_out) == {"earlier_answer"}
    assert "earlier answer" in (written("verl", "4").out / "README.md").read_text("utf-8")


def test_limits_stand_above_the_longest_row_and_scripts_hold_them(
    written: Callable[..., Export], tokenizer_path: Path
) -> None:
    tokenizer = open_tokenizer(str(tokenizer_path))
    done = written("verl", tokenizer=tokenizer)
    longest = {
        "rl": max(
            len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False))
            for file in done.parts["rl"].files.values()
            for row in rows_of(done.out / file)
        ),
        "rft": max(
            len(tokenizer.apply_chat_template(row["messages"], return_dict=False))
            for file in done.parts["rft"].files.values()
            for row in rows_of(done.out / file)
        ),
    }
    rl, rft = done.parts["rl"], done.parts["rft"]
    assert longest["rl"] < rl.prompt_limit <= longest["rl"] + 64
    assert longest["rft"] < rft.whole_limit <= longest["rft"] + 64
    grpo, sft = ((done.out / file).read_text("utf-8") for file in ("grpo.sh", "sft.sh"))
    assert f"data.max_prompt_length={rl.prompt_limit} " in grpo and "data.max_response_length=4096" in grpo
    assert "filter_overlong_prompts=True data.truncation=error" in grpo and "/rewards.py" in grpo
    assert f"data.max_length={rft.whole_limit} " in sft
    assert rl.counted == {"tokenizer": sum(rl.rows.values())} and rl.over_usual > 0


def test_a_batch_is_never_larger_than_what_the_trainer_would_drop(written: Callable[..., Export]) -> None:
    """verl's batch of 256 is dropped where there are fewer rows, and NeMo RL's 512 are no part of 32 prompts x 4."""
    done = written("verl", "verl")
    sft = (done.out / "sft.sh").read_text("utf-8")
    assert f"at most the {done.parts['rft'].rows['train']} rows" in sft and 'data.train_batch_size="$BATCH"' in sft
    assert "trainer.logger='[\"console\"]'" in sft
    grpo = yaml.safe_load((written("nemo-rl", "nemo").out / "grpo.yaml").read_text("utf-8"))
    answers = grpo["grpo"]["num_prompts_per_step"] * grpo["grpo"]["num_generations_per_prompt"]
    assert answers % grpo["policy"]["train_global_batch_size"] == 0


def test_without_a_tokenizer_the_endpoints_counts_are_taken_and_estimates_said(written: Callable[..., Export]) -> None:
    done = written("trl")
    assert set(done.parts["rft"].counted) == {"endpoint", "estimate"}  # general rows were never sent
    assert set(done.parts["rl"].counted) == {"estimate"}
    assert "--tokenizer counts exactly" in (done.out / "README.md").read_text("utf-8")


def test_longer_rows_than_asked_are_left_out_and_counted(written: Callable[..., Export]) -> None:
    free = written("trl", "free")
    some = written("trl", "some", max_tokens=600)
    assert some.parts["rft"].left_out["too_long"] > 0
    assert sum(some.parts["rft"].rows.values()) < sum(free.parts["rft"].rows.values())
    with pytest.raises(RecipeError, match="no row is left to train on"):
        written("trl", "none", max_tokens=1)


def test_thoughts_are_trained_on_where_asked_but_never_those_that_saw_a_hint(
    snapshot: Snapshot, written: Callable[..., Export]
) -> None:
    plain = {row["id"]: row for row in rows_of(written("trl", "plain").out / "rft/train.parquet")}
    done = written("trl", "thinking", train_on="thoughts_and_answer")
    part = done.parts["rft"]
    rows = rows_of(done.out / "rft/train.parquet")
    of = {row["trajectory_id"]: row for row in published(snapshot, "trajectories/accepted")}
    by_id = {row["example_id"]: row for row in published(snapshot, "rft/train")}
    thinking = [row for row in rows if row["completion"][0]["content"].startswith("<think>\n")]
    assert thinking and part.without_thoughts > 0 and part.left_out["hinted_thoughts"] > 0
    for row in thinking:
        trajectory = of[by_id[row["id"]]["trajectory_id"]]
        assert trajectory["mode"] == "non_hinted"
        thoughts = f"<think>\n{trajectory['reasoning'].strip()}\n</think>\n\n"
        assert row["completion"][0]["content"] == thoughts + plain[row["id"]]["completion"][0]["content"]
    others = [row for row in rows if not row["completion"][0]["content"].startswith("<think>\n")]
    assert all(row["completion"] == plain[row["id"]]["completion"] for row in others)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("trl", {"sets": ["rtf"]}, "no such set; did you mean rft"),
        ("trl", {"sets": ["traces"]}, "has no rows of it; it has: rft, rl, pairs, meta_rm"),
        ("slime", {"sets": ["pairs"]}, "slime does not read it: slime trains no reward model"),
    ],
)
def test_sets_that_cannot_be_had_are_refused(
    written: Callable[..., Export], name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        written(name, **options)


def test_a_folder_that_holds_anything_is_left_alone(written: Callable[..., Export], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="is not empty"):
        written("trl", "full")
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["mine"]
    assert written("trl", "empty").parts
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "full"], "nothing half written is left"


def test_an_unknown_trainer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"did you mean openrlhf.* there are: trl, verl, openrlhf"):
        trainer_of("openrhlf")


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, template=None)
    with pytest.raises(RecipeError, match="has no chat template"):
        open_tokenizer(str(tmp_path))
    with pytest.raises(RecipeError, match="cannot be loaded"):
        open_tokenizer(str(tmp_path / "nothing"))


def test_a_check_says_when_the_trainer_is_not_there(written: Callable[..., Export], tokenizer_path: Path) -> None:
    done = written("skyrl")
    found = checked(done.out, done.trainer, str(tokenizer_path))
    assert found.result == "not run" and "skyrl is not installed here" in found.words


@pytest.mark.slow
def test_trls_own_trainers_load_every_row_as_it_was_written(
    written: Callable[..., Export], tokenizer_path: Path
) -> None:
    done = written("trl", tokenizer=open_tokenizer(str(tokenizer_path)))
    found = checked(done.out, done.trainer, str(tokenizer_path))
    assert found.result == "same", (found.words, found.files)
    assert {file["file"]: file["loaded"] for file in found.files} == {
        file: part.rows[split] for part in done.parts.values() for split, file in part.files.items()
    }
    # A row that was changed since is found, and named.
    table = pq.read_table(done.out / "rft/train.parquet")
    facts = json.loads((done.out / "export.json").read_text())
    facts["sets"] = {"rft": {**facts["sets"]["rft"], "files": {"train": "rft/train.parquet"}}}
    facts["sets"]["rft"]["rows"]["train"] += 1
    (done.out / "export.json").write_text(json.dumps(facts))
    assert table.num_rows + 1 == facts["sets"]["rft"]["rows"]["train"]
    assert checked(done.out, done.trainer, str(tokenizer_path)).result == "differs"
