"""Builds whose judges are kept to a form: the same tables, in the same text, whatever form their answers came in."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from pipelines.judging.answer_forms import form_in_body
from pipelines.judging.prompts import load_template, score_range
from pipelines.judging.samples import sampling_job
from pipelines.judging.verdicts import read_scores
from pipelines.reporting.publication import Published
from pipelines.steps import build
from schemas.trajectory import Purpose
from storage.generations import Generations
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, question, simulated, write_rows

MODELS = {
    "grm": simulated(accuracy=0.6, truncated=0.05, refused=0.03, unparsed=0.1, wrong_count=0.1, thinks_aloud=0.2),
    "difficulty": simulated(model="weak", accuracy=0.55, seed=1),
    "policy": simulated(model="trained", seed=2),
}

Built = tuple[str, Path, Published, Root]


def built(folder: Path, kind: str, **grm: Any) -> tuple[Published, Root]:
    singles = [
        {"id": f"single {number}", "query": question(9_000 + number), "responses": ["yes"], "label": number % 2}
        for number in range(20)
    ]
    write_rows(folder / "own.jsonl", [*jsonl_rows(40), *singles])
    recipe = a_recipe(folder, models=MODELS, grm={"structured_output": kind, **grm})
    root = Root.open(str(folder / "data"))
    run, _ = a_run(recipe)
    return build(recipe, root, run), root


@pytest.fixture(scope="module", params=["regex", "json_schema"])
def build_of_a_form(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return a form, and what was built by it, in which folder."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, *built(folder, request.param)


def frame(published: Published, table: str) -> pl.DataFrame:
    return pl.read_parquet(published.snapshot.files(table))


def answers(root: Root) -> pl.DataFrame:
    found = pl.from_arrow(pa.concat_tables(Generations(root).table(bucket) for bucket in range(256)))
    assert isinstance(found, pl.DataFrame)
    return found


def test_what_is_trained_on_is_the_text_of_the_template(build_of_a_form: Built) -> None:
    kind, _, published, root = build_of_a_form
    forms = {
        n: re.compile(form_in_body("regex", None, load_template(name), n)["structured_outputs"]["regex"])
        for n, name in ((1, "grm_single"), (3, "grm"))
    }
    rft = frame(published, "rft/train").filter(pl.col("mode") != "general")
    assert rft.height > 20
    for row in rft.to_dicts():
        [message] = row["completion"]
        assert forms[row["n_responses"]].fullmatch(message["content"])
    trajectories = pl.concat(
        frame(published, f"trajectories/{name}") for name in ("accepted", "rejected", "difficulty", "on_policy")
    )
    readable = trajectories.filter(pl.col("outcome").is_in(["correct", "incorrect", "tied"]))
    assert set(trajectories["outcome"]) - {"correct", "incorrect", "tied"} == {"truncated", "refused"}
    for row in readable.to_dicts():
        n = len(row["order"])
        assert read_scores(row["text"], n, *score_range(n)) == tuple(row["scores"])
        assert row["principles"]
        assert row["critique"]
    stored = answers(root)
    assert set(trajectories["request_id"]) <= set(stored["request_id"])
    finished = stored.filter(pl.col("finish_reason") == "stop")["text"].to_list()
    if kind == "json_schema":
        assert all(json.loads(text)["scores"] for text in finished), "what came is kept as it came"


def test_what_sampling_and_judging_read_is_the_same(build_of_a_form: Built) -> None:
    """Another reading in one of them would sample too few, or judge what was never asked."""
    kind, folder, published, root = build_of_a_form
    recipe = a_recipe(folder, models=MODELS, grm={"structured_output": kind})
    run, watcher = a_run(recipe)
    again = build(recipe, root, run)
    assert watcher.bought == 0
    assert again.snapshot.manifest.content_hash == published.snapshot.manifest.content_hash
    trajectories = pl.concat(frame(published, f"trajectories/{name}") for name in ("accepted", "rejected"))
    assert "failed" not in set(trajectories["outcome"])


def test_a_template_of_ones_own_is_kept_to_its_own_words(tmp_path: Path) -> None:
    words = "{{context}}\n{{responses}}\n{{hint}}\nWäge ab.\n\nAnalysis:\n..\n\nScores: \\boxed{x, x, ..}"
    (tmp_path / "own.txt").write_text(words, "utf-8")
    published, root = built(tmp_path, "json_schema", template="own.txt")
    rft = frame(published, "rft/train").filter((pl.col("mode") != "general") & (pl.col("n_responses") == 3))
    texts = [row[0]["content"] for row in rft["completion"].to_list()]
    assert texts
    assert all(text.startswith("Analysis:\n") and "Specific Criteria" not in text for text in texts)
    asked = answers(root).filter(pl.col("request").str.contains("response_3", literal=True))["request"].to_list()
    assert all(
        "principles" not in json.loads(body)["response_format"]["json_schema"]["schema"]["properties"] for body in asked
    )


def test_answers_bought_in_one_form_are_no_answers_in_another(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(10))
    root = Root.open(str(tmp_path / "data"))
    for kind in ("none", "regex", "json_schema"):
        recipe = a_recipe(tmp_path, grm={"structured_output": kind})
        run, watcher = a_run(recipe)
        build(recipe, root, run)
        job = sampling_job(recipe, Purpose.RFT)
        assert job is not None
        assert watcher.bought >= 10 * job.n
