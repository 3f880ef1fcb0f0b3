"""The report of a snapshot: one self-contained page on what became of every row, and what to look at."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import resources

from pipelines.reporting.attention import attention
from pipelines.reporting.example_parts import Example, Part, facts, headline, ids, parts_of
from pipelines.reporting.examples import examples_of
from pipelines.reporting.leaks import leak_section, trace_section
from pipelines.reporting.markup import Html, element, joined, short, table
from pipelines.reporting.principles import principles_section
from pipelines.reporting.report_checks import length_section, meta_rm_section, other_checks, position_section
from pipelines.reporting.report_funnels import funnel_section, outcome_section
from pipelines.reporting.row_search import one_of_each
from pipelines.reporting.source_funnels import SETS, TRACES, SourceFunnel, commonest_first, source_funnels
from schemas.manifest import Manifest
from schemas.trajectory import Mode
from storage.stages import Stage

_TEXT_CHARACTERS = 1_500
"""Of each text of an example; longer ones are cut, in the page alone."""
_COMMONEST_REASONS = 4


def report_of(manifest: Manifest, assembled: Stage) -> str:
    """Return report.html: no script, nothing from elsewhere, the same bytes for the same snapshot.

    Every text of the manifest and the tables is hostile; `element` escapes it, and the page's policy forbids the rest.
    """
    funnels, checks = source_funnels(manifest, assembled.paths), manifest.checks
    sections = [
        ("funnel", "From rows read to rows published", funnel_section(manifest, funnels)),
        ("outcomes", "What the answers amount to", outcome_section(funnels)),
        ("leaks", "What gives the right one away", leak_section(checks)),
        ("traces", "What gives a hinted answer away", trace_section(checks)),
        ("positions", "Where the best response stands", position_section(checks)),
        *([("meta-rm", "Meta RM", meta_rm_section(checks))] if _wants(manifest, "meta_rm") else []),
        *([("principles", "Given criteria", principles_section(checks))] if "principles" in checks else []),
        ("lengths", "Lengths", joined([length_section(checks), other_checks(checks)])),
        ("models", "Models", _models(manifest)),
        ("sources", "Sources", _sources(manifest)),
        ("unreadable", "Unreadable rows", _unreadable(manifest)),
        ("examples", "Examples", _examples(_chosen_examples(funnels, assembled))),
        ("recipe", "Recipe", _recipe(manifest)),
    ]
    links = element("nav", *(element("a", title, href=f"#{anchor}") for anchor, title, _ in sections))
    body = [
        _header(manifest),
        _tiles(manifest, funnels),
        _attention(attention(manifest, funnels)),
        links,
        *(element("section", element("h2", title), content, id=anchor) for anchor, title, content in sections),
        element("footer", f"Built by grmforge {manifest.package_version}. manifest.json holds all of this as data."),
    ]
    return _page(f"{manifest.name} {manifest.version}", joined(body))


def _page(title: str, body: Html) -> str:
    style = (resources.files("pipelines.reporting") / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"{element('title', title)}\n<style>{style}</style>"
    )
    main = element("main", body)
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{main}\n</body>\n</html>\n'


def _header(manifest: Manifest) -> Html:
    known = (manifest.version, manifest.created_at, f"seed {manifest.seed}", f"grmforge {manifest.package_version}")
    content = element("p", "content ", element("span", manifest.content_hash, class_="id"), class_="soft")
    return element(
        "header", element("h1", short(manifest.name)), element("p", " · ".join(known), class_="soft"), content
    )


def _tiles(manifest: Manifest, funnels: Sequence[SourceFunnel]) -> Html:
    tiles = []
    for name in (*SETS, TRACES):
        train, validation = (_rows(manifest, f"{name}/{split}") for split in ("train", "validation"))
        if train or validation or _wants(manifest, name):
            tiles.append((f"{train:,}", f"{name} rows, and {validation:,} for validation"))
    judged, accepted = sum(funnel.judged for funnel in funnels), sum(funnel.accepted for funnel in funnels)
    if judged:
        tiles.append((f"{accepted / judged:.0%}", f"of {judged:,} answers accepted"))
    tiles.append((f"{_rows(manifest, 'sets/kept'):,}", f"sets kept, {_rows(manifest, 'sets/dropped'):,} dropped"))
    tiles.append(
        (
            f"{sum(one.unreadable for one in manifest.inputs):,}",
            f"of {sum(one.rows for one in manifest.inputs):,} rows unreadable",
        )
    )
    cost = sum(use.cost_usd for use in manifest.models)
    tiles.append((_cost(cost), "paid for all answers, over all runs" if cost else "paid: the recipe names no prices"))
    return element(
        "ul", *(element("li", element("b", number), element("span", words)) for number, words in tiles), class_="tiles"
    )


def _attention(found: Sequence[str]) -> Html:
    if not found:
        return element("p", "Nothing here wants attention.", class_="fine")
    items = element("ul", *(element("li", short(one, 400)) for one in found))
    return element("div", element("b", "Look at this before training"), items, class_="attention")


def _models(manifest: Manifest) -> Html:
    head = ["role", "model", "engine", "requests", "cached", "failed", "prompt tokens", "answer tokens", "cost"]
    rows = [
        [
            use.role,
            short(use.model),
            use.engine,
            *(
                f"{count:,}"
                for count in (use.requests, use.cached, use.failed, use.prompt_tokens, use.completion_tokens)
            ),
            _cost(use.cost_usd),
        ]
        for use in manifest.models
    ]
    note = "Cached answers were there before this run began. Cost is what the recipe's prices say; – where it has none."
    return joined([element("p", note, class_="note"), table(head, rows, frozenset(range(3, 9)))])


def _sources(manifest: Manifest) -> Html:
    head = ["source", "from", "revision", "licence", "rows", "kept", "dropped", "unreadable", "beyond limit"]
    rows = []
    for one in manifest.inputs:
        licence: list[str] = [short(one.license)]
        if one.redistribution != "open":
            licence += [" ", element("span", short(one.redistribution), class_="badge")]
        revision = element("span", short(one.revision, 19), class_="id", title=f"sha256 {one.sha256}")
        counts = (one.rows, one.kept, one.dropped, one.unreadable, one.sampled_out)
        rows.append(
            [short(one.source), short(one.origin), revision, joined(licence), *(f"{count:,}" for count in counts)]
        )
    return table(head, rows, frozenset(range(4, 9)))


def _unreadable(manifest: Manifest) -> Html:
    rows = [
        [short(one.source), short(reason.reason), f"{reason.rows:,}", _row_examples(reason.examples)]
        for one in manifest.inputs
        for reason in one.unreadable_reasons
    ]
    if not rows:
        return element("p", "Every row could be read.", class_="note")
    return table(["source", "reason", "rows", "examples"], rows, frozenset({2}))


def _row_examples(examples: Sequence[dict[str, str]]) -> Html:
    lines = (f"{one.get('source_id', '')}: {one.get('detail', '')}" for one in examples)
    return element("span", *(element("div", short(line, 300)) for line in lines))


def _chosen_examples(funnels: Sequence[SourceFunnel], assembled: Stage) -> list[Example]:
    """Return accepted examples of each mode, and rejected ones of the commonest reasons, from first row groups."""
    reasons: dict[str, int] = {}
    for funnel in funnels:
        for reason, rows in funnel.rejected.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    commonest = list(commonest_first(reasons))[:_COMMONEST_REASONS]
    wanted = (("accepted", "mode", [mode.value for mode in Mode]), ("rejected", "reject_reason", commonest))
    found: list[Example] = []
    for status, column, values in wanted:
        path = f"trajectories/{status}"
        chosen = one_of_each(assembled.paths(path), column, values, "set_id")
        found += examples_of(path, chosen, assembled.paths)
    return found


def _examples(examples: Sequence[Example]) -> Html:
    if not examples:
        return element("p", "No trajectories in this build.", class_="note")
    note = "From the beginning of the tables. grmforge inspect shows more, and whole texts."
    shown = (_example(example, number == 0) for number, example in enumerate(examples))
    return joined([element("p", note, class_="note"), *shown])


def _example(example: Example, is_open: bool) -> Html:
    opened = {"open": ""} if is_open else {}
    said = element("p", " · ".join([*facts(example), *ids(example)]), class_="soft")
    parts = (piece for part in parts_of(example, _TEXT_CHARACTERS) for piece in _part(part))
    return element("details", element("summary", headline(example)), said, *parts, class_="card", **opened)


def _part(part: Part) -> Iterator[Html]:
    yield element("h4", part.title)
    for item in part.items:
        if item.label:
            label = element("b", item.label) if item.marked else short(item.label)
            yield element("div", label, class_="label")
        yield element("div", item.text, class_="text best" if item.marked else "text")


def _recipe(manifest: Manifest) -> Html:
    resolved = json.dumps(manifest.recipe, indent=1, ensure_ascii=False)
    return element(
        "details", element("summary", "Every setting, defaults included"), element("pre", short(resolved, 50_000))
    )


def _rows(manifest: Manifest, path: str) -> int:
    entry = manifest.tables.get(path)
    return entry.rows if entry else 0


def _wants(manifest: Manifest, name: str) -> bool:
    """Return whether the recipe asks for a set."""
    return name in manifest.recipe.get("build", {}).get("sets", [])


def _cost(usd: float) -> str:
    return f"${usd:,.2f}" if usd else "–"
