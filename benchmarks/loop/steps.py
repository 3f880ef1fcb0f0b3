"""The steps of the loop. Each is a public command, or a script that the snapshot ships, and is done once.

    task -> teach -> warm judge -> sample with it -> arms -> fine-tune each -> evaluate on test sets
                                                     rft judge -> on-policy samples -> Meta RM -> evaluate with it

A step that is done has `steps/<name>.json` with what it took. Run again after a stop, the loop goes on with the step
that it was in: builds and evaluations keep every answer, training goes on from its checkpoint.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loop.arms import write_arms
from benchmarks.loop.plan import ARMS, Plan
from benchmarks.loop.recipes import Tree, building, evaluating, judging, served, write
from benchmarks.loop.tasks import write_tasks
from benchmarks.loop.teacher import teaching

GRMFORGE = str(Path(sys.executable).with_name("grmforge"))
Facts = dict[str, Any]


class StepFailed(Exception):
    """A command of the loop failed; its last lines are the message."""


@dataclass(frozen=True)
class Loop:
    """One run of the loop: what is planned, and where it lies."""

    plan: Plan
    work: Path
    base: Path
    """Directory of the bare model."""
    vllm_python: Path
    seed: int = 1
    data: Path | None = None
    """Folder with llmbar/ and rm_bench/, where they are at hand."""

    def own(self, name: str) -> str:
        """Return the name of what differs by seed."""
        return name if self.seed == 1 else f"{name}-seed{self.seed}"

    def model(self, name: str) -> Path:
        """Return the directory of a model; the bare and the warm one are the same for every seed."""
        if name == "base":
            return self.base
        return self.work / "models" / (name if name in ("warm", "gold") else self.own(name))

    @property
    def root(self) -> Path:
        return self.work / "root"

    def file(self, name: str) -> Path:
        """Return a file of sets. Every seed has all of them, and uses the first seed's but for `train` and `meta`."""
        return self.work / (self.own("task") if name in ("train", "meta") else "task") / f"{name}.jsonl"

    def judge(self, name: str) -> Tree:
        return served(self.model(name), self.plan, self.vllm_python)

    def snapshot(self, name: str) -> Path:
        """Return the directory of the newest version of a snapshot."""
        folder = self.root / "snapshots" / name
        return folder / (folder / "LATEST").read_text("utf-8").strip()


@dataclass(frozen=True)
class Step:
    name: str
    run: Callable[[Loop], Facts]
    each_seed: bool = True
    """Whether another seed does it anew."""


def run_steps(loop: Loop, until: str | None = None, only: Container[str] | None = None) -> None:
    """Run what is not done yet, in order, up to a step, or `only` some steps. Raises StepFailed."""
    for step in steps_of(loop):
        marker = marker_of(loop, step)
        if not marker.exists() and (only is None or step.name in only):
            print(f"== {step.name}", flush=True)
            began = time.monotonic()
            facts = step.run(loop)
            marker.parent.mkdir(parents=True, exist_ok=True)
            facts = {"seconds": round(time.monotonic() - began, 1), **facts}
            marker.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        if step.name == until:
            return


def marker_of(loop: Loop, step: Step) -> Path:
    """Return the file that says that a step is done, and what it took."""
    return loop.work / "steps" / f"{loop.own(step.name) if step.each_seed else step.name}.json"


def steps_of(loop: Loop) -> Iterator[Step]:
    """Yield the steps in order. Another seed repeats the sampling, and the two arms of the claim."""
    yield Step("task", _task)
    yield Step("teach", _teach, each_seed=False)
    yield Step(
        "warm", lambda loop: _tune(loop, "base", "warm", loop.snapshot("teach-warm"), loop.plan.warm_tokens), False
    )
    yield Step(
        "gold", lambda loop: _tune(loop, "warm", "gold", loop.snapshot("teach-gold"), loop.plan.arm_tokens), False
    )
    for judge in ("base", "warm", "gold"):
        yield Step(f"validate-{judge}", lambda loop, judge=judge: _validate(loop, judge), False)
    yield Step("sample", _sample)
    yield Step("arms", lambda loop: dict(write_arms(loop.snapshot(loop.own("sampled")), _arms(loop))))
    for arm in ARMS if loop.seed == 1 else ARMS[:2]:
        yield Step(f"train-{arm}", lambda loop, arm=arm: _tune_arm(loop, arm))
    if loop.seed == 1:
        yield Step("train-pairs", lambda loop: _tune_scorer(loop, "pairs", "warm", "sampled"))
        yield Step("evaluate-base-free", lambda loop: _evaluate(loop, "base", 2, name="base-free", free=True))
        yield Step("evaluate-base", lambda loop: _evaluate(loop, "base", 2))
        yield Step("evaluate-warm", lambda loop: _evaluate(loop, "warm", loop.plan.k_max))
        yield Step("evaluate-pairs", _evaluate_pairs)
    for arm in ARMS if loop.seed == 1 else ARMS[:2]:
        k = loop.plan.k_max if arm == "rft" and loop.seed == 1 else loop.plan.k_arms
        yield Step(f"evaluate-{arm}", lambda loop, arm=arm, k=k: _evaluate(loop, arm, k))
    if loop.seed == 1:
        yield Step("on-policy", _on_policy)
        yield Step("train-meta-rm", lambda loop: _tune_scorer(loop, "meta_rm", "rft", "on-policy"))
        yield Step("evaluate-meta-rm", _evaluate_meta_rm)
        if loop.plan.elsewhere and loop.data is not None:
            for judge in ("warm", "rft"):
                yield Step(f"elsewhere-{judge}", lambda loop, judge=judge: _elsewhere(loop, judge))


def _command(loop: Loop, *words: str | Path, log: str) -> str:
    """Run a command with its output in a log, and return what it wrote to stdout. Raises StepFailed."""
    place = loop.work / "logs" / f"{log}.log"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as errors:
        done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=errors, text=True, cwd=loop.work)
    if done.returncode:
        last = [*place.read_text("utf-8", "replace").split("\n")[-8:], *done.stdout.split("\n")[-8:]]
        raise StepFailed(
            f"{' '.join(map(str, words[:3]))} ended with {done.returncode}; see {place}:\n" + "\n".join(last)
        )
    return done.stdout


def _build(loop: Loop, name: str, tree: Tree) -> Facts:
    recipe = write(loop.work / "recipes" / f"{name}.toml", tree)
    _command(loop, GRMFORGE, "build", recipe, "--root", loop.root, log=name)
    manifest = json.loads((loop.snapshot(name) / "manifest.json").read_text("utf-8"))
    rows = {table: entry["rows"] for table, entry in manifest["tables"].items() if "/" in table}
    return {"snapshot": manifest["version"], "rows": rows, "models": manifest["models"]}


def _task(loop: Loop) -> Facts:
    write_tasks(loop.file("train").parent, loop.plan.rung, loop.plan.sizes, loop.seed, loop.plan.warm_errors)
    return {"rung": loop.plan.rung, "sets": dict(loop.plan.sizes)}


def _teach(loop: Loop) -> Facts:
    """The teacher's answers become rft rows, by a build like any other."""
    facts: Facts = {}
    with teaching(loop.file("warm").parent) as address:
        judge = {"engine": "openai", "model": "teacher", "base_url": address}
        for file in ("warm", "gold"):
            tree = building(f"teach-{file}", ["rft"], loop.file(file), judge, loop.plan, 1)
            tree["grm"] = judging(loop.plan, free=True) | {"n_rft": 1}
            tree["rejection"] = {"drop_too_easy": False, "balance_positions": False}
            facts[file] = _build(loop, f"teach-{file}", tree)
    return facts


def _tune(loop: Loop, model: str, out: str, snapshot: Path, tokens: int, data: Path | None = None) -> Facts:
    """Fine-tune with the snapshot's own script."""
    plan, target = loop.plan, loop.model(out)
    options = ["--model", loop.model(model), "--out", target, "--tokens", str(tokens), "--lr", str(plan.lr)]
    options += ["--batch", str(plan.batch), "--rows-at-once", str(plan.batch), "--save-every", "25"]
    options += ["--seed", str(loop.seed), *(["--data", data] if data else [])]
    _command(loop, sys.executable, snapshot / "train/sft_trl.py", *options, log=target.name)
    return dict(json.loads((target / "training.json").read_text("utf-8")))


def _arms(loop: Loop) -> Path:
    return loop.work / "arms" / loop.own("rows")


def _tune_arm(loop: Loop, arm: str) -> Facts:
    data = None if arm == "rft" else _arms(loop) / f"{arm}.parquet"
    return _tune(loop, "warm", arm, loop.snapshot(loop.own("sampled")), loop.plan.arm_tokens, data)


def _tune_scorer(loop: Loop, table: str, model: str, snapshot: str) -> Facts:
    target = loop.model("meta-rm" if table == "meta_rm" else table)
    options = ["--table", table, "--model", loop.model(model), "--out", target, "--tokens", str(loop.plan.arm_tokens)]
    options += ["--lr", str(loop.plan.lr / 2), "--batch", "8", "--rows-at-once", "8", "--save-every", "25"]
    _command(loop, sys.executable, loop.snapshot(snapshot) / "train/meta_rm.py", *options, log=target.name)
    return dict(json.loads((target / "training.json").read_text("utf-8")))


def _sample(loop: Loop) -> Facts:
    name = loop.own("sampled")
    tree = building(name, ["rft", "pairs"], loop.file("train"), loop.judge("warm"), loop.plan, loop.seed)
    return _build(loop, name, tree)


def _on_policy(loop: Loop) -> Facts:
    """The trained judge's samples of sets that it never saw."""
    tree = building("on-policy", ["meta_rm"], loop.file("meta"), loop.judge("rft"), loop.plan, loop.seed)
    return _build(loop, "on-policy", tree)


def _sets(loop: Loop, file: str) -> Tree:
    return {"kind": "preference_sets", "name": file, "path": str(loop.file(file))}


def _evaluation(loop: Loop, name: str, tree: Tree) -> Facts:
    recipe = write(loop.work / "recipes" / f"evaluate-{name}.toml", tree)
    words = (GRMFORGE, "evaluate", recipe, "--root", loop.root, "--keep-going", "--json")
    return dict(json.loads(_command(loop, *words, log=f"evaluate-{name}")))


def _validate(loop: Loop, judge: str) -> Facts:
    name = f"validation-{judge}"
    return _evaluation(loop, name, evaluating(name, loop.judge(judge), loop.plan, [_sets(loop, "validation")], 2))


def _evaluate(loop: Loop, judge: str, k: int, name: str | None = None, free: bool = False) -> Facts:
    name = name or loop.own(judge)
    grm = {"grm": judging(loop.plan, free=free)}
    if judge == "verdict_only":
        grm["grm"]["structured_text"] = ""
    return _evaluation(loop, name, evaluating(name, loop.judge(judge), loop.plan, [_sets(loop, "test")], k, **grm))


def _evaluate_pairs(loop: Loop) -> Facts:
    models = {"reward_model": {"engine": "score", "model": str(loop.model("pairs"))}}
    tree = evaluating("pairs", loop.judge("warm"), loop.plan, [_sets(loop, "test")], 1, models=models)
    tree["evaluate"]["judge"] = "reward_model"
    return _evaluation(loop, "pairs", tree)


def _evaluate_meta_rm(loop: Loop) -> Facts:
    """Of the samples that are paid for: only their scores are new."""
    models = {"meta_rm": {"engine": "score", "model": str(loop.model("meta-rm"))}}
    judge, benchmarks = loop.judge("rft"), [_sets(loop, "test")]
    tree = evaluating("rft-meta-rm", judge, loop.plan, benchmarks, loop.plan.k_max, models=models)
    return _evaluation(loop, "rft-meta-rm", tree)


def _elsewhere(loop: Loop, judge: str) -> Facts:
    """Benchmarks that the task has nothing to do with."""
    assert loop.data is not None
    kinds = {"llmbar": loop.data / "llmbar", "rm_bench": loop.data / "rm_bench/chat_filtered.json"}
    benchmarks = [{"kind": kind, "path": str(path), "protocol": "joint"} for kind, path in kinds.items()]
    name = f"elsewhere-{judge}"
    return _evaluation(loop, name, evaluating(name, loop.judge(judge), loop.plan, benchmarks, loop.plan.k_arms))
