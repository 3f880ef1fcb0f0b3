"""Answers paid for elsewhere: a whole build's worth of them is found again, and nothing counts twice."""

import os
from pathlib import Path

import orjson
import pytest

from pipelines.ahead.plan import plan_of
from pipelines.orders import changed
from pipelines.steps import steps_of
from pipelines.walk import walked
from schemas.errors import SourceError
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED
from storage.generations import Generations
from storage.imports import import_answers
from storage.root import Root
from storage.tables import read_table
from tests.examples import a_recipe, a_run

SETS = 30
TAGS = [
    ("<thinking>", "</thinking>\n"),
    ("[THINK]", "[/THINK]"),
    ("", "\n</think>\n"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]


def recipe_over(place: Path) -> Recipe:
    """Return a recipe over sets of one to four responses, so that orders and prompts repeat often."""
    rows = [
        {
            "query": f"Which is right in case {number}, {number * 7919 % 104729} or something else?",
            "responses": [f"answer {index} of {number}" for index in range(1 + number % 4)],
            **({"label": number % 2} if number % 4 == 0 else {"best": 0}),
        }
        for number in range(SETS)
    ]
    (place / "sets.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return a_recipe(sources=[{"kind": "preference_sets", "path": str(place / "sets.jsonl")}])


def built(recipe: Recipe, root: Root) -> tuple[int, list[dict[str, object]]]:
    """Sample and judge; return how many answers were bought, and the trajectories."""
    run, watcher = a_run(recipe)
    judged = walked(steps_of(changed(recipe, sets="rft")), root, run)["sample and judge rft"]
    columns = ["trajectory_id", "prompt", "text", "outcome", "set_id", "mode", "sample_index"]
    return watcher.bought, read_table(judged.stage.paths("judged"), JUDGED, columns).to_pylist()


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return path


def paid(trajectories: list[dict[str, object]], model: str) -> list[dict[str, object]]:
    """Return the answers as another tool would have kept them: in the order they were asked for."""
    answered = sorted(
        (row for row in trajectories if row["text"] is not None),
        key=lambda row: (row["set_id"], row["mode"], row["sample_index"]),
    )
    return [{"prompt": row["prompt"], "text": row["text"], "model": model} for row in answered]


def test_a_build_whose_answers_were_all_imported_buys_nothing(tmp_path: Path) -> None:
    recipe = recipe_over(tmp_path)
    bought, trajectories = built(recipe, Root.open(str(tmp_path / "first")))
    rows = paid(trajectories, recipe.models.grm.model)
    assert bought == len(rows)
    root = Root.open(str(tmp_path / "second"))
    imported = import_answers(root, write(tmp_path / "paid.jsonl", rows))
    assert (imported.rows, imported.kept, imported.known) == (len(rows), len(rows), 0)
    assert built(recipe, root) == (0, trajectories)


def test_a_file_that_has_grown_brings_in_only_what_is_new(tmp_path: Path) -> None:
    recipe = recipe_over(tmp_path)
    _, trajectories = built(recipe, Root.open(str(tmp_path / "first")))
    rows = paid(trajectories, recipe.models.grm.model)
    root = Root.open(str(tmp_path / "second"))
    import_answers(root, write(tmp_path / "paid.jsonl", rows[: len(rows) // 2]))
    whole = import_answers(root, write(tmp_path / "paid.jsonl", rows))
    assert (whole.kept, whole.known) == (len(rows) - len(rows) // 2, len(rows) // 2)
    assert import_answers(root, tmp_path / "paid.jsonl").kept == 0
    built(recipe, root)
    texts = [text for bucket in range(256) for text in Generations(root).table(bucket).column("text").to_pylist()]
    assert sorted(filter(None, texts)) == sorted(str(row["text"]) for row in rows)


def test_rows_that_cannot_be_used_are_counted_and_named(tmp_path: Path) -> None:
    good = {"prompt": "Why?", "text": "Because.", "model": "m", "prompt_tokens": "many", "reasoning": ["so"]}
    lines = [
        orjson.dumps(good),
        b"{",
        b"[1]",
        b'{"prompt": "x", "text": 1, "model": "m"}',
        b'{"text": "y", "model": "m"}',
    ]
    (tmp_path / "paid.jsonl").write_bytes(b"\n\n".join(lines))
    imported = import_answers(Root(tmp_path / "root"), tmp_path / "paid.jsonl")
    assert (imported.rows, imported.kept, sum(imported.unreadable.values())) == (5, 1, 4)
    assert imported.first_unreadable == "line 3: not JSON"
    assert imported.lines()[-2:] == [
        "  1 kept without prompt_tokens: no number of tokens",
        "  1 kept without reasoning: no text",
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{}\n", None])
def test_a_file_without_an_answer_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "paid.jsonl").write_bytes(content)
    with pytest.raises(SourceError, match=r"paid\.jsonl"):
        import_answers(Root(tmp_path / "root"), tmp_path / "paid.jsonl")


def test_the_plan_counts_what_was_imported(tmp_path: Path) -> None:
    recipe = recipe_over(tmp_path)
    bought, trajectories = built(recipe, Root.open(str(tmp_path / "first")))
    root = Root.open(str(tmp_path / "second"))
    import_answers(root, write(tmp_path / "paid.jsonl", paid(trajectories, recipe.models.grm.model)))
    role = plan_of(recipe, root, a_run(recipe)[0]).roles[0]
    assert (role.requests, role.cached) == (bought, bought)


def test_imported_thoughts_are_no_part_of_the_answer(tmp_path: Path) -> None:
    """They keep their text on disk, as those do that an earlier version imported, and do not come in again."""
    recipe = recipe_over(tmp_path)
    _, trajectories = built(recipe, Root.open(str(tmp_path / "first")))
    answers = paid(trajectories, recipe.models.grm.model)
    for number, answer in enumerate(answers):
        begin, end = TAGS[number % len(TAGS)]
        answer["text"] = f"{begin}A draft. Scores: \\boxed{{1, 1}}{end}{answer['text']}"
    root = Root.open(str(tmp_path / "second"))
    assert import_answers(root, write(tmp_path / "paid.jsonl", answers)).kept == len(answers)
    assert import_answers(root, tmp_path / "paid.jsonl").kept == 0
    assert built(recipe, root) == (0, trajectories)
    assert built(recipe, root) == (0, trajectories)


@pytest.mark.parametrize("count", ["9223372036854775808", "-1", "1.5", "1e300", "NaN", "true", "1" + "0" * 40])
def test_a_token_count_that_is_none_is_left_out_and_said(tmp_path: Path, count: str) -> None:
    row = f'{{"prompt": "Why?", "text": "Because.", "model": "m", "prompt_tokens": {count}, "completion_tokens": 7.0}}'
    (tmp_path / "paid.jsonl").write_text(row)
    imported = import_answers(Root(tmp_path / "root"), tmp_path / "paid.jsonl")
    assert (imported.kept, imported.left_out) == (1, {"prompt_tokens": 1})
    assert imported.lines()[-1] == "  1 kept without prompt_tokens: no number of tokens"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ('"text": "\u200b\ufeff"', "text holds nothing that can be seen"),
        ('"prompt": "\u2060"', "prompt holds nothing that can be seen"),
        ('"model": "\u200b"', "model holds nothing that can be seen"),
        ('"text": "Because.", "text": "No."', "a key stands there twice"),
        ('"prompt": [{"role": "user", "content": "x", "content": "y"}]', "a key stands there twice"),
        (f'"prompt": {"[" * 100_000}', "nests too deep to be read"),
        (f'"text": "{"x" * (9 << 20)}"', "text has more than 8,388,608 characters"),
    ],
)
def test_a_row_that_nobody_can_use_names_its_line(tmp_path: Path, changes: str, says: str) -> None:
    given = {"prompt": '"prompt": "Why?"', "text": '"text": "Because."', "model": '"model": "m"'}
    given[changes[1:].partition('"')[0]] = changes
    (tmp_path / "paid.jsonl").write_text(f"\n{{{', '.join(given.values())}}}\n", "utf-8")
    with pytest.raises(SourceError, match=f"line 2: {says}"):
        import_answers(Root(tmp_path / "root"), tmp_path / "paid.jsonl")


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/urandom", "pipe", ".", "loop"])
def test_what_never_ends_or_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match=r"cannot be read: (not a regular file|Is a directory|Too many levels)"):
        import_answers(Root(tmp_path / "root"), tmp_path / name)
