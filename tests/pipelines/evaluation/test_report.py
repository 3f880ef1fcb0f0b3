"""The page of an evaluation: whole, self-contained, small, and never the data's puppet."""

import time
from pathlib import Path

import polars as pl
import pytest

from pipelines.evaluation.figures import Figures
from pipelines.evaluation.report import report_of
from schemas.evaluation_manifest import EvaluationManifest
from schemas.manifest import UnreadableReason
from storage.evaluations import Evaluation
from tests.examples import jsonl_rows
from tests.pipelines.evaluation.evaluations import evaluated, page_of, stage_of
from tests.pipelines.reporting.small_snapshot import HOSTILE
from tests.pipelines.reporting.test_report import OUR_TAGS, Page

TAGS = OUR_TAGS | {"circle", "desc", "polygon", "polyline"}


def test_shows_every_figure_with_its_interval(small: Evaluation) -> None:
    page = Page(page_of(small))
    assert page.open == []
    figures = Figures(small.files("figures"))
    for selector, k in (("voting", 1), ("voting", 4), ("greedy", 1)):
        value = figures.value("own", "total", selector, k)
        assert value is not None and value.low is not None and value.high is not None
        assert f"{100 * value.value:.1f}%" in page.text
        assert f"{100 * value.low:.1f} to {100 * value.high:.1f}" in page.text
    for words in (
        "as grm (simulated)", "40", "vote of 4", "vote of 8", "Know this before", "The judge is simulated",
        "cannot be read", "put several responses on top", "the judge prefers a position", "readability", "judgement",
        "comparisons", "Expected calibration error", "tokens an item", "turned right", "sample 1: saw",
        "right response is shown", "1 of 3", "wrong count", "Every setting",
    ):  # fmt: skip
        assert words in page.text, words


def test_curves_are_drawn_for_screens_of_both_kinds(small: Evaluation) -> None:
    html = page_of(small)
    page = Page(html)
    for layout in ("wide", "narrow"):
        assert f'class="chart {layout}"' in html and {f"title-{layout}-1", f"desc-{layout}-1"} <= page.ids
    assert html.count('class="band"') == 2
    for name in (
        "voting",
        "readable only",
        "agreement",
        "margin",
        "spread",
        "length",
        "first response shown",
        "pass@k",
    ):
        assert name in page.text, name


def test_an_item_opens_to_its_question_responses_scores_and_judgements(small: Evaluation) -> None:
    text = Page(page_of(small)).text
    items = pl.read_parquet(small.files("items"))
    turned = items.sort(pl.col("right_at_max") - pl.col("right_at_1"), descending=True).row(0, named=True)
    for words in (turned["item_id"], turned["query"][0]["content"], *turned["responses"], "scores: "):
        assert words in text, words


def test_is_self_contained(small: Evaluation) -> None:
    html = page_of(small)
    page = Page(html)
    assert page.tags <= TAGS
    assert all(link.removeprefix("#") in page.ids for link in page.links)
    assert html.startswith("<!doctype html>\n") and html.endswith("</html>\n")
    assert "default-src 'none'; style-src 'sha256-" in html
    assert "http://" not in html and "https://" not in html and "url(" not in html and "@import" not in html
    assert not {name for name in page.attributes if name.startswith("on")} and "style" not in page.attributes


def test_same_evaluation_same_bytes(small: Evaluation) -> None:
    assert report_of(small.manifest, stage_of(small)) == page_of(small)


def hostile_manifest(manifest: EvaluationManifest) -> EvaluationManifest:
    """Return the manifest with hostile text wherever there is text, but for the names that tables are looked up by."""
    reason = UnreadableReason(reason=HOSTILE, rows=1, examples=[{"source_id": HOSTILE, "detail": HOSTILE}])
    words = dict.fromkeys(("kind", "protocol", "origin", "revision", "license", "redistribution", "sha256"), HOSTILE)
    changed = words | {"unreadable": 1, "unreadable_reasons": [reason], "outcomes": {HOSTILE: 9, "readable": 1}}
    of_manifest = dict.fromkeys(("name", "version", "content_hash", "created_at", "package_version"), HOSTILE)
    assert manifest.judge is not None
    judge = manifest.judge.model_copy(update={"role": HOSTILE, "engine": HOSTILE, "model": HOSTILE})
    claims = [one.model_copy(update={"benchmark": HOSTILE, "selector": HOSTILE}) for one in manifest.claims]
    return manifest.model_copy(
        update=of_manifest
        | {
            "judge": judge,
            "judge_name": HOSTILE,
            "benchmarks": [one.model_copy(update=changed) for one in manifest.benchmarks],
            "claims": claims,
            "recipe": {HOSTILE: HOSTILE},
        }
    )


def test_data_stays_data(tmp_path: Path) -> None:
    rows = [
        row | {"id": f"{number} {HOSTILE}", "domain": HOSTILE, "query": f"{number} {HOSTILE}"}
        for number, row in enumerate(jsonl_rows(12))
    ]
    for row in rows:
        row["responses"] = [f"{text} {HOSTILE}" for text in row["responses"]]
    evaluation = evaluated(tmp_path, rows=rows, k_max=4)
    for manifest in (evaluation.manifest, hostile_manifest(evaluation.manifest)):
        html = report_of(manifest, stage_of(evaluation))
        page = Page(html)
        assert page.open == [] and page.tags <= TAGS
        assert "<script" not in html and "&lt;script&gt;" in html
        assert not set(html) & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066"}
        assert "\\u202eevil" in page.text and "alert(1)" in page.text
        html.encode()
    assert "\\x1b[31mred" in page.text


def test_long_texts_are_cut_and_examples_stop_where_the_page_is_full(tmp_path: Path) -> None:
    rows = [row | {"query": f"{number} " + "<&" * 4_000} for number, row in enumerate(jsonl_rows(30))]
    for row in rows:
        row["responses"] = [text + "\U000e0041" * 4_000 for text in row["responses"]]
    evaluation = evaluated(tmp_path, rows=rows, k_max=4)
    html = page_of(evaluation)
    assert "characters in all]" in html
    assert len(html.encode()) < 1_000_000
    assert html.count("<h4>question</h4>") >= 3


def test_one_sample_has_no_curve_and_no_claims(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, k_max=1, greedy=False)
    page = Page(page_of(evaluation))
    assert page.open == [] and evaluation.manifest.claims == []
    assert {"curves", "gain", "claims", "calibration", "items"}.isdisjoint(page.ids)
    assert {"sections", "kind", "cost", "unreadable", "recipe"} <= page.ids


def test_finished_verdicts_have_no_judge_and_no_cost(small: Evaluation) -> None:
    manifest = small.manifest.model_copy(update={"judge": None, "judge_name": "people"})
    page = Page(report_of(manifest, stage_of(small)))
    assert "Finished verdicts: people" in page.text and "cost" not in page.ids


@pytest.mark.parametrize("missing", ["figures", "items", "judgements", "everything"])
def test_missing_tables_and_checks_are_no_error(small: Evaluation, missing: str) -> None:
    stage = stage_of(small)
    manifest = small.manifest
    tables = {name: files for name, files in stage.tables.items() if missing not in (name, "everything")}
    if missing == "everything":
        manifest = manifest.model_copy(update={"benchmarks": [], "claims": [], "checks": {}})
    stage = type(stage)(stage.root, stage.key, stage.content, tables, stage.facts, stage.made_of)
    assert Page(report_of(manifest, stage)).open == []


@pytest.mark.slow
def test_many_items_and_samples_make_a_small_page(tmp_path: Path) -> None:
    """A fortieth of the 10,000 items x 32 samples that a page is held to: shown whole they are many times its bound."""
    evaluation = evaluated(tmp_path, rows=jsonl_rows(250), k_max=32)
    began = time.monotonic()
    html = report_of(evaluation.manifest, stage_of(evaluation))
    assert len(html.encode()) < 1_000_000
    assert time.monotonic() - began < 60
