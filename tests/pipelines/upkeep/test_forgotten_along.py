"""What goes along with what is forgotten: imported answers, waiting batches, sets of a question, rubrics."""

import shutil
from pathlib import Path

import orjson
import polars as pl
import pytest

from pipelines.steps import build_rubrics
from schemas.generation import Request
from storage.batch_jobs import BatchedRequest, intend, request_ids
from storage.imports import import_answers
from storage.root import Root, write_record
from storage.rubric_tables import read_rubrics
from tests.end_to_end.problems import PROBLEMS, write_math
from tests.examples import a_run, simulated, write_rows
from tests.pipelines.rubrics.rubric_models import write_questions
from tests.pipelines.rubrics.test_giving import SEED
from tests.pipelines.upkeep.houses import (
    MARK,
    PUBLISHED,
    answers,
    built,
    files_with,
    forgotten,
    marked_rows,
    the_recipe,
)


def test_imported_answers_to_its_prompts_go(house: tuple[Path, Root]) -> None:
    folder, root = house
    rows = answers(root.path).values()
    mine = [orjson.loads(row["request"]) for row in rows if MARK in row["request"]][:3]
    others = [orjson.loads(row["request"]) for row in rows if MARK not in row["request"]][:3]
    write_rows(
        folder / "import.jsonl",
        [
            {"prompt": one["messages"], "model": one["model"], "text": f"an answer to {at}"}
            for at, one in enumerate([*mine, *others])
        ],
    )
    import_answers(root, folder / "import.jsonl")
    forgotten(root, "gone")
    assert [len(files_with(root.path, f"an answer to {at}")) for at in range(6)] == [0, 0, 0, 1, 1, 1]
    write_rows(folder / "more.jsonl", [{"prompt": "p", "model": "m", "text": "later"}])
    import_answers(root, folder / "more.jsonl")
    assert [path.name[:5] for path in sorted((root.path / "generations/imported").iterdir())] == ["00000", "00001"]


def test_requests_that_wait_in_a_batch_go_and_the_batch_is_named(house: tuple[Path, Root]) -> None:
    _, root = house
    asked = [
        Request(request_id, row["query_id"], row["role"], orjson.loads(row["request"]), 0)
        for request_id, row in sorted(answers(root.path).items())
    ]
    job = intend(root, "judge", "https://endpoint", 0.0, [BatchedRequest(one, 1, 0.0, 1) for one in asked])
    job = write_record(root, job, batch_id="batch_1")
    root.scratch(f"{job.key}/upload.jsonl").write_text(MARK)
    done = forgotten(root, "gone")
    (part,) = [part for part in done.findings.parts if part.place == "batch requests"]
    assert part.note == "batch_1 lies at https://endpoint: have its files deleted there"
    assert files_with(root.path, MARK, but=PUBLISHED) == []
    assert set(request_ids(root, job)) == answers(root.path).keys()


def test_a_question_goes_with_its_answers_and_the_sets_made_of_them(tmp_path: Path) -> None:
    write_math(tmp_path / "math.jsonl", 12)
    responder = simulated(model="responder", accuracy=0.5)
    recipe = the_recipe(
        tmp_path,
        sources=[{"kind": "math", "path": "math.jsonl"}],
        models={"grm": simulated(), "difficulty": simulated(model="weak"), "responder": responder},
        splits={"validation": 0.0, "test": 0.1},
    )
    root = Root.open(str(tmp_path / "data"))
    published = built(recipe, root)
    kept = pl.read_parquet(published.snapshot.files("sets/kept"))
    one = kept.filter((pl.col("n_responses") > 1) & (pl.col("split") != "test")).row(0, named=True)
    words = one["query"][0]["content"]
    assert any(words.startswith(problem) or problem in words for _, problem, _ in PROBLEMS)
    before = answers(root.path)
    done = forgotten(root, one["set_id"])
    assert done.request.tombstone.queries == (one["query_id"],)
    assert set(done.findings.roles) >= {"grm", "responder"}
    escaped = orjson.dumps(words).decode()[1:-1]
    assert files_with(root.path, words, but=PUBLISHED) == files_with(root.path, escaped, but=PUBLISHED) == []
    left = answers(root.path)
    assert {row["query_id"] for row in before.values()} - {row["query_id"] for row in left.values()} == {
        one["query_id"]
    }
    again = built(recipe, root).snapshot
    (given,) = again.manifest.inputs
    assert given.rows == given.kept + given.dropped + given.unreadable
    assert [reason.reason for reason in given.unreadable_reasons] == ["forgotten"]
    assert files_with(again.path, words) == []


@pytest.mark.slow
def test_rubrics_that_rest_on_it_go_and_all_that_was_asked_with_their_words(tmp_path: Path) -> None:
    write_questions(tmp_path / "kept.jsonl", 8)
    write_rows(
        tmp_path / "gone.jsonl",
        [
            row | {"query": f"Tell me how {MARK} {number * 7919} came about, please."}
            for number, row in enumerate(marked_rows(8))
        ],
    )
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "one.toml").write_text(SEED)
    recipe = the_recipe(
        tmp_path,
        models={"grm": simulated(), "difficulty": simulated(model="weak"), "rubric": simulated(model="rubric")},
        rubrics={"queries": 16, "panel": 9, "given": 4, "seeds": "seeds"},
        grm={"principles": "rubric"},
        splits={"validation": 0.0},
    )
    root = Root.open(str(tmp_path / "data"))
    build_rubrics(recipe, root, a_run(recipe)[0])
    first = built(recipe, root)
    sets = pl.read_parquet(first.snapshot.files("sets/kept"))
    given = sets.filter(source="kept", split="train")["given_principles"].to_list()
    assert any(MARK in text for text in given if text), "criteria made of one source are given to the other"
    killed = Root.open(str(shutil.copytree(root.path, tmp_path / "killed before rubrics were stored")))
    for path in (killed.path / "rubrics").glob("*.parquet"):
        path.unlink()
    for name in ("stages", "snapshots"):  # nor was anything built
        shutil.rmtree(killed.path / name)
    shutil.copytree(root.path / "stages/source-gone", killed.path / "stages/source-gone")
    forgotten(killed, "gone")
    assert files_with(killed.path, MARK) == [], "criteria were tried on answers of the other source"

    done = forgotten(root, "gone", remove_versions=True)
    assert files_with(root.path, MARK) == []
    assert all(one.source != "gone" for one in read_rubrics(root))
    places = {str(part.place) for part in done.findings.parts}
    assert places >= {"answers", "rubrics", "given criteria", "vectors", "index", "stage"}
    alone = the_recipe(
        tmp_path, "kept", **{name: recipe.model_dump(exclude_unset=True)[name] for name in ("models", "grm", "rubrics")}
    )
    build_rubrics(alone, root, a_run(alone)[0])
    assert built(alone, root).snapshot.rows("sets/kept") == 8
    assert files_with(root.path, MARK) == []
