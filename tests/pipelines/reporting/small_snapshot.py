"""A small assembled stage and its snapshot, made of hand-made rows by the real writers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.candidate import GRADED, TRACES
from schemas.manifest import FunnelRow, Input, Manifest, ModelUse, TableEntry, TableFile, UnreadableReason
from schemas.preference import SETS_TABLE, DropReason, LabelSource, PreferenceSet, Response, Split, preference_set
from schemas.query import user
from schemas.rubric import RUBRICS
from schemas.tables import table_of
from schemas.training import META_RM, PAIRS, RFT, RL
from schemas.trajectory import TRAJECTORIES
from storage.root import Root
from storage.snapshots import Snapshot, publish
from storage.stages import Stage, finish_stage
from storage.table_writer import TableWriter

SCHEMAS = {
    "sets": SETS_TABLE.schema, "trajectories": TRAJECTORIES, "rft": RFT, "rl": RL, "meta_rm": META_RM, "pairs": PAIRS,
    "traces": TRACES, "rubrics": RUBRICS, "answers": GRADED,
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b]0;title\x07 \u202eevil\u2066 & \"quoted\" 'too'\r\x9b2J"


@dataclass
class Small:
    """What a snapshot is made of; change it before `published`."""

    sets: list[PreferenceSet] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    funnel: list[tuple[str, str, str, int]] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=lambda: {"build": {"sets": ["rft", "rl", "meta_rm", "pairs"]}})
    models: list[ModelUse] = field(default_factory=lambda: [_use("grm"), _use("difficulty")])
    name: str = "small"

    def published(self, path: Path) -> tuple[Snapshot, Stage]:
        """Write and publish it under a directory."""
        root = Root.open(str(path))
        stage = _assembled(root, self)
        tables = {name: TableEntry(rows=stage.rows(name), files=list(files)) for name, files in stage.tables.items()}
        manifest = Manifest(
            name=self.name,
            version="20260101T000000Z-00000000",
            content_hash=stage.content,
            created_at="2026-01-01T00:00:00Z",
            package_version="0.1.0",
            seed=1,
            recipe=self.recipe,
            inputs=self.inputs,
            models=self.models,
            funnel=[FunnelRow(source=a, stage=b, outcome=c, rows=d) for a, b, c, d in self.funnel],
            checks=self.checks,
            tables=tables,
        )
        data = {file.path: f"{stage.key}/{file.path}" for files in stage.tables.values() for file in files}
        return publish(root, manifest, data, {}), stage


def small(question: str = "What carries voice?", response: str = "IMS") -> Small:
    """Return a snapshot of three telecom sets, one of them dropped, each with two samples."""
    sets = [a_set(f"{question} ({number})", response) for number in range(3)]
    made = Small(sets=sets[:2])
    made.sets.append(sets[2].dropped(DropReason.TIE))
    for one in sets[:2]:
        made.tables.setdefault("trajectories/accepted", []).append(
            trajectory(one, 0, "correct", None, scores=[2.0, 9.0])
        )
        made.tables.setdefault("trajectories/rejected", []).extend(
            [
                trajectory(one, 1, "incorrect", "incorrect", scores=[8.0, 3.0]),
                trajectory(one, 2, "truncated", "truncated", scores=None, critique=None),
                trajectory(one, 3, "correct", "too_easy", scores=[1.0, 4.0]),
            ]
        )
        made.tables.setdefault("rft/train", []).append(rft_row(one))
        made.tables.setdefault("rl/train", []).append(rl_row(one))
        made.tables.setdefault("meta_rm/train", []).append(meta_rm_row(one))
        made.tables.setdefault("pairs/train", []).append(pairs_row(one))
    made.inputs = [an_input("telecom", rows=4, kept=2, dropped=1, unreadable=1)]
    made.funnel = [
        ("telecom", "kept", "train", 2),
        ("telecom", "dropped", "tie", 1),
        ("telecom", "rft non_hinted", "accepted", 2),
        ("telecom", "rft non_hinted", "incorrect", 2),
        ("telecom", "rft non_hinted", "truncated", 2),
        ("telecom", "rft non_hinted", "too_easy", 2),
        ("telecom", "rl", "kept", 2),
    ]
    made.checks = {
        "positions": {"telecom/2": {"before": [9, 1], "p_before": 1e-5, "after": [1, 1], "p_after": 1.0}},
        "lengths": {"telecom": {"best_is_longest": 0.9, "chance": 0.5}},
        "meta_rm": {
            "candidates": 9, "rows": 2, "on_policy": 1,
            "negatives": 0.5, "set_alone_auc_before": 0.9, "set_alone_auc": 0.5
        },
        "leak_probe": {
            "sources": [
                {
                    "source": "telecom", "task": "best", "rows": 90, "sets": 45, "auc": 0.71, "se": 0.05,
                    "auc_by_feature": {"length": 0.7, "author": 0.5}, "se_by_feature": {"length": 0.05, "author": 0.0},
                    "leaky": True, "threshold": 0.6,
                },
                {
                    "source": "telecom", "task": "label", "rows": 3, "sets": 3, "auc": None,
                    "reason": "3 sets: fewer than 40 say nothing", "leaky": False, "threshold": 0.6,
                },
            ]
        },
    }  # fmt: skip
    return made


def synthesized(**composition: int) -> Small:
    """Return the small snapshot as if its sets were made of four questions, with a trace of each that was kept."""
    made = small()
    made.tables["traces/train"] = [trace_row(one) for one in made.sets[:2]]
    made.tables["answers/undecided"] = [answer_row(one) for one in made.sets[:1]]
    made.inputs = [an_input("telecom", rows=4, kept=2, dropped=1, unreadable=1)]
    made.funnel = [
        ("telecom", "read", "rows", 5),
        ("telecom", "synthesis", "questions", 4),
        ("telecom", "synthesis", "responder: right", 8),
        ("telecom", "synthesis", "responder: wrong", 14),
        ("telecom", "synthesis", "responder: truncated", 9),
        ("telecom", "synthesis", "responder: no_answer", 1),
        ("telecom", "synthesis", "teacher: right", 2),
        ("telecom", "synthesis", "sets", 3),
        *made.funnel,
    ]
    usual = {"sets": 3, "of_one_model": 3, "taught": 1, "single_right": 0, "single_wrong": 0}
    made.checks = {"composition": {"telecom": usual | composition}}
    return made


def a_set(question: str, response: str = "IMS", source: str = "telecom", reference: str | None = None) -> PreferenceSet:
    return preference_set(
        query=user(question),
        responses=[Response(response, reward=1.0), Response("a wrong one", reward=0.0)],
        source=source,
        source_id="question 1",
        source_revision="r1",
        license="MIT",
        domain="telecom",
        label_source=LabelSource.HUMAN,
        reference=reference,
        split=Split.TRAIN,
    )


def an_input(source: str, *, rows: int, kept: int, dropped: int, unreadable: int, detail: str = "no JSON") -> Input:
    reason = UnreadableReason(
        reason="bad_json", rows=unreadable, examples=[{"source_id": "sets.jsonl:7", "detail": detail}]
    )
    return Input(
        source=source,
        kind="preference_sets",
        origin="sets.jsonl",
        revision="sha256:0123456789abcdef",
        license="MIT",
        redistribution="restricted",
        unit="question",
        rows=rows,
        sampled_out=0,
        kept=kept,
        dropped=dropped,
        unreadable=unreadable,
        unreadable_reasons=[reason] if unreadable else [],
        sha256="0123",
    )


def trajectory(
    one: PreferenceSet,
    sample: int,
    outcome: str,
    reason: str | None,
    *,
    scores: Sequence[float] | None,
    critique: str | None = "The second is right.",
    text: str = "the whole answer",
) -> dict[str, Any]:
    """Return a row whose prompt showed the best response at the second position."""
    assert one.best is not None
    return _ids(one) | {
        "trajectory_id": f"{one.set_id}-{sample}",
        "split": "train",
        "purpose": "rft",
        "mode": "non_hinted",
        "sample_index": sample,
        "model": "judge",
        "order": [1 - one.best, one.best],
        "prompt": [{"role": "user", "content": "the prompt as sent"}],
        "text": text,
        "principles": [{"name": "Accuracy", "description": "it is right", "weight": 0.6}],
        "critique": critique,
        "scores": scores,
        "outcome": outcome,
        "accepted": reason is None,
        "reject_reason": reason,
        "completion_tokens": 1234,
    }


def rft_row(one: PreferenceSet) -> dict[str, Any]:
    return _ids(one) | _messages("prompt", "completion") | {"mode": "non_hinted", "best_position": 1, "scores": [2, 9]}


def rl_row(one: PreferenceSet) -> dict[str, Any]:
    extra = {"source": one.source, "set_id": one.set_id, "n_responses": 2, "best_position": 1}
    return _messages("prompt") | {
        "data_source": f"grmforge/{one.source}",
        "reward_model": {"style": "rule", "ground_truth": '{"best":1,"n":2}'},
        "extra_info": extra,
    }


def meta_rm_row(one: PreferenceSet) -> dict[str, Any]:
    return _ids(one) | _messages("prompt", "completion") | {"label": False, "outcome": "tied", "policy": "judge"}


def pairs_row(one: PreferenceSet) -> dict[str, Any]:
    return _ids(one) | _messages("prompt", "chosen", "rejected") | {"margin": 1.0}


def trace_row(one: PreferenceSet) -> dict[str, Any]:
    return (
        _ids(one)
        | _messages("prompt", "completion")
        | {
            "trace_id": f"trace of {one.set_id}",
            "verified": True,
            "verifier": "math",
            "model": "small",
            "origin": "responder",
            "source_id": "question 1",
            "completion_tokens": 12,
        }
    )


def answer_row(one: PreferenceSet) -> dict[str, Any]:
    said = {"text": "It is 7%.", "reasoning": "Why?", "answer": "7%", "verdict": "undecided", "gold": "700"}
    known = {"answer_id": f"answer to {one.set_id}", "form": "math", "origin": "responder", "model": "small"}
    return _ids(one) | _messages("prompt") | known | said


def _ids(one: PreferenceSet) -> dict[str, Any]:
    return {
        "set_id": one.set_id,
        "query_id": one.query_id,
        "source": one.source,
        "domain": one.domain,
        "license": "MIT",
    }


def _messages(*names: str) -> dict[str, Any]:
    return {name: [{"role": "user" if name == "prompt" else "assistant", "content": f"the {name}"}] for name in names}


def _assembled(root: Root, made: Small) -> Stage:
    key = "stages/assembled/0"
    files: dict[str, list[TableFile]] = {}
    ordered = sorted(made.sets, key=lambda one: (one.query_id, one.set_id))
    sets = {
        "sets/kept": table_of(SETS_TABLE.schema, [one for one in ordered if one.drop_reason is None]),
        "sets/dropped": table_of(SETS_TABLE.schema, [one for one in ordered if one.drop_reason is not None]),
    }
    for path, table in {**sets, **{path: _table(path, rows) for path, rows in made.tables.items()}}.items():
        folder, name = path.split("/")
        with TableWriter(root, f"{key}/{folder}", name, SCHEMAS[folder]) as writer:
            writer.write(table)
        files[path] = [TableFile(f"{folder}/{one.path}", one.rows, one.bytes, one.sha256) for one in writer.files]
    return finish_stage(root, key, files, {})


def _table(path: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = SCHEMAS[path.split("/")[0]]
    known = [{name: row.get(name) for name in schema.names} for row in rows]
    known.sort(key=lambda row: (row.get("query_id") or "", row.get("trajectory_id") or ""))
    return pa.Table.from_pylist(known, schema=schema)


def _use(role: str) -> ModelUse:
    return ModelUse(
        role=role, engine="openai", model="judge", requests=8, cached=0, failed=1, prompt_tokens=100,
        completion_tokens=50, cost_usd=0.5,
    )  # fmt: skip
