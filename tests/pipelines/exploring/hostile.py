"""Rows that try what a page, a terminal or a server might fall for."""

import json
from pathlib import Path

from schemas.preference import LabelSource, PreferenceSet, Response, Split, preference_set
from schemas.query import user
from storage.root import Root
from tests.pipelines.reporting.small_snapshot import HOSTILE, an_input, small, trajectory

LONG = "a line of a megabyte " * 50_000
MANY = 2_000
HOSTILE_SET, LONG_SET, MANY_SET, TALK_SET = range(4)
"""Places of the sets in `hostile_sets`."""


def hostile_sets() -> list[PreferenceSet]:
    """Return a set of hostile texts, one of a megabyte, one of 2,000 responses, and one of conversations."""
    turns = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": '{"city": "Oslo \ud800"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "<b>rain</b> \udfff"},
        {"role": "assistant", "content": "Rain."},
        {
            "role": "\udc00critic",
            "content": "",
            "reasoning": "\ud800",
            "tool_calls": [{"function": {"name": "\ud800"}}],
        },
    ]
    talk = json.dumps(turns)
    return [
        _set(f"Who said {HOSTILE}?", [Response(HOSTILE, 1.0), Response("</script><img src=x onerror=alert(2)>", 0.0)]),
        _set("Long?", [Response(LONG, 1.0), Response("short", 0.0)]),
        _set("Many?", [Response(f"response {number}", float(number)) for number in range(MANY)]),
        _set("Talk?", [Response("", 1.0, turns=talk), Response("no JSON", 0.0, turns="[{")]),
    ]


def _set(question: str, responses: list[Response]) -> PreferenceSet:
    return preference_set(
        query=user(question),
        responses=responses,
        source="<i>hostile</i>",
        source_id="row 1",
        source_revision="r1",
        license="MIT",
        domain="\u202etelecom",
        label_source=LabelSource.HUMAN,
        split=Split.TRAIN,
    )


def write_hostile(folder: Path) -> Path:
    """Publish the snapshot `small` with these sets under a root; return the root."""
    made = small()
    made.sets = hostile_sets()
    made.tables = {}
    made.inputs = [an_input("<i>hostile</i>", rows=5, kept=4, dropped=0, unreadable=1, detail=HOSTILE)]
    made.funnel = [("<i>hostile</i>", "kept", "train", 4), ("<i>hostile</i>", "rft non_hinted", "unparsed", 4)]
    for place, one in enumerate(made.sets):
        long = LONG if place == LONG_SET else "short"
        order = list(range(one.n_responses))
        scores = [float(1 + place % 10) for place in order]
        rows = [
            trajectory(one, 0, "incorrect", "incorrect", scores=scores, text=f"{HOSTILE}\n\U0001f4a5 {long}"),
            trajectory(one, 1, "unparsed", "unparsed", scores=None, text=HOSTILE, critique=None),
        ]
        made.tables.setdefault("trajectories/rejected", []).extend(row | {"order": order} for row in rows)
    made.published(folder)
    return Root(folder).path
