"""Ceilings of a build: they hold, warn at 80 %, say what was bought and what is left, and the next run goes on."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import data_files, grmforge, latest, paid, write_recipe
from tests.end_to_end.questions import write_teleqna


def write(directory: Path, budget: dict[str, Any] | None, **grm: Any) -> Path:
    write_teleqna(directory / "teleqna.txt", 40)
    judge = {"engine": "simulated", "max_concurrency": 16, "price_per_mtok": {"input": 1.0, "output": 4.0}}
    return write_recipe(
        directory / "recipe.toml",
        build={"name": "bought", "sets": ["rft"]},
        sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
        models={"grm": judge | grm},
        grm={"max_tokens": 600},
        **({"budget": budget} if budget else {}),
    )


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        ({"max_requests": 40}, r"\b([0-9,]+) requests;"),
        ({"max_tokens": 40_000}, r"\b([0-9,]+) tokens, [0-9,]+ requests;"),
        ({"max_cost_usd": 0.08}, r"in all \$([0-9.]+),"),
    ],
    ids=["requests", "tokens", "cost"],
)
def test_every_ceiling_holds_and_runs_after_it_come_to_the_end(
    tmp_path: Path, budget: dict[str, Any], spent: str
) -> None:
    root = tmp_path / "data"
    ((ceiling, most),) = budget.items()
    recipe = write(tmp_path, budget)
    left = []
    for _ in range(20):
        done = grmforge("build", recipe, "--root", root)
        if done.code == 0:
            break
        assert done.code == 3, done.err
        last = done.err.splitlines()[-1]
        assert last.startswith("stopped: budget: ")
        assert "run again to go on" in last and ceiling in last
        amount = re.search(spent, last)
        assert amount is not None, last
        assert float(amount[1].replace(",", "")) <= most
        assert f"warning: budget: {'$' if 'cost' in ceiling else ''}" in done.err, "80 % comes before the ceiling"
        remaining = re.search(r"left: ([0-9,]+) of ([0-9,]+) answers of sampling rft with simulated$", last)
        assert remaining is not None, last
        left.append(int(remaining[1].replace(",", "")))
        assert not (root / "snapshots").exists()
    assert done.code == 0, "the runs never came to the end"
    assert len(left) >= 2
    assert left == sorted(left, reverse=True)
    assert set(paid(root).values()) == {1}
    whole = write(tmp_path, None)
    assert grmforge("build", whole, "--root", tmp_path / "whole").code == 0
    assert data_files(latest(root, "bought")) == data_files(latest(tmp_path / "whole", "bought"))
