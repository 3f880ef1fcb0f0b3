"""What someone should know before believing an evaluation."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.answer_facts import answer_facts
from pipelines.evaluation.attention import attention
from pipelines.evaluation.figures import Figures
from schemas.manifest import UnreadableReason
from storage.evaluations import Evaluation
from tests.pipelines.evaluation.evaluations import evaluated, page_of
from tests.pipelines.reporting.test_report import Page

UNREAD = UnreadableReason(reason="tie", rows=2, examples=[{"source_id": "own.jsonl:7", "detail": "two are best"}])

LOST = {"readable": 90, "truncated": 9, "refused": 1}


def sentences(evaluation: Evaluation, judge: dict[str, Any] | None = None, **entry: Any) -> list[str]:
    manifest = evaluation.manifest
    assert manifest.judge is not None
    manifest = manifest.model_copy(
        update={
            "judge": manifest.judge.model_copy(update={"engine": "openai"} | (judge or {})),
            "benchmarks": [one.model_copy(update=entry) for one in manifest.benchmarks],
        }
    )
    return attention(manifest, Figures(evaluation.files("figures")), answer_facts(evaluation.files("judgements")))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"in_training": 3}, "3 of 40 questions stand in the judge's training snapshot"),
        ({"never_readable": 2}, "2 items have no readable judgement at all, and count as wrong"),
        ({"never_readable": 1}, "1 item has no readable judgement at all, and counts as wrong"),
        ({"is_whole": False, "left_out": 9}, "a part of the benchmark, 9 rows beyond the limit"),
        ({"outcomes": LOST}, "10.0% of 100 judgements cannot be read, most of them truncated"),
        ({"unreadable": 2, "rows": 42, "unreadable_reasons": [UNREAD]}, "2 of 42 rows, for example own.jsonl:7: two"),
        ({"judge": {"engine": "simulated"}}, "The judge is simulated"),
        ({"judge": {"failed": 4}}, "4 of "),
    ],
)  # fmt: skip
def test_each_trouble_is_a_sentence(small: Evaluation, changed: dict[str, Any], words: str) -> None:
    usual = sentences(small)
    assert not any(words in sentence for sentence in usual if "%" not in words or "100 judgements" in sentence)
    assert any(words in sentence for sentence in sentences(small, **changed))


def test_attacks_that_flip_verdicts_are_named(tmp_path: Path) -> None:
    weak = evaluated(tmp_path, k_max=1, judge={"accuracy": 0.6}, attacks=["opener", "order"])
    figures = Figures(weak.files("figures"))
    assert figures.attacks("own") == ["opener", "order"] and not {"attacked by", "flipped by"} & {
        *figures.groups("own")
    }
    assert any("the attack 'opener' flips" in sentence for sentence in sentences(weak))
    text = Page(page_of(weak)).text
    assert "right verdicts that flip" in text and "under attack" in text


def test_a_judge_that_prefers_a_position_and_ties_is_found(small: Evaluation) -> None:
    found = sentences(small)
    assert any("prefers a position" in sentence and " as 1 of 3, " in sentence for sentence in found)
    assert any("put several responses on top" in sentence for sentence in found)
