"""The files that people review in: a page of its own, a Label Studio project, and CSV.

Each carries all that an import needs, and never a label, a source, a model or a verdict where it can be seen: the page
has them in its data, for after the choice, the other two not at all.
"""

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
from markupsafe import Markup

from pipelines.reporting.pages import page
from pipelines.reviews.drawing import Draw, Item, text_of
from schemas.errors import RecipeError
from schemas.record import FORMAT
from storage.files import becoming, storage_errors

KIND = "grmforge review"
"""What a saved file of the page says that it is."""
LABEL_STUDIO = "label_studio.xml"
_FORMULA = re.compile(r"^[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would compute."""
_LONGEST_CELL = 32_000
"""A spreadsheet's cell holds 32,767 characters."""


def write_files(draw: Draw, folder: Path) -> list[Path]:
    """Write a page, a CSV and a list of tasks for each person, and the configuration of Label Studio; return paths.

    Raises RecipeError where a CSV is there that holds something else: somebody may have filled it in.
    """
    files: dict[str, bytes] = {}
    for number, items in enumerate(draw.pages, 1):
        files[f"review-{number}.html"] = page_of(draw, number).encode()
        files[f"review-{number}.csv"] = _csv(draw, number, items).encode("utf-8-sig")
        tasks = [{"data": _task(draw, number, item)} for item in items]
        files[f"review-{number}.tasks.json"] = orjson.dumps(tasks, option=orjson.OPT_INDENT_2)
    files[LABEL_STUDIO] = _config(draw).encode()
    for name in (name for name in files if name.endswith(".csv")):
        with storage_errors(str(folder / name)):
            if (folder / name).exists() and (folder / name).read_bytes() != files[name]:
                raise RecipeError(f"{folder / name} holds something else, perhaps answers; choose another --out")
    for name, data in files.items():
        with storage_errors(str(folder / name)), becoming(folder / name) as temporary:
            temporary.write_bytes(data)
    return [folder / name for name in files]


def page_of(draw: Draw, number: int) -> str:
    """Return the page of one person: it asks no host for anything, and every text of the data stays text."""
    style, script = (
        (resources.files("pipelines.reviews") / f"review.{kind}").read_text("utf-8") for kind in ("css", "js")
    )
    return page(
        "review.html",
        {
            "name": draw.snapshot.manifest.name,
            "number": number,
            "style": Markup(style),
            "style_digest": _digest(style),
            "script": Markup(script),
            "script_digest": _digest(script),
            # No text of the data can end the script that holds it, or begin a comment.
            "data": Markup(orjson.dumps(page_data(draw, number)).decode().replace("<", "\\u003c")),
        },
        "pipelines.reviews",
    )


def page_data(draw: Draw, number: int) -> dict[str, Any]:
    """Return what the page of one person holds, as JSON."""
    manifest = draw.snapshot.manifest
    return {
        "format": FORMAT,
        "kind": KIND,
        "draw_id": draw.draw_id,
        "snapshot": {"name": manifest.name, "version": manifest.version},
        "page": number,
        "pages": len(draw.pages),
        "items": [_in_page(item) for item in draw.pages[number - 1]],
    }


def _digest(text: str) -> Markup:
    return Markup(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _in_page(item: Item) -> dict[str, Any]:
    return {
        "set_id": item.preference.set_id,
        "order": item.order,
        "stratum": item.stratum,
        "stratum_size": item.stratum_size,
        "weight": item.weight,
        "question": item.question,
        "responses": item.responses,
        "after": {"label": item.label_position, "facts": item.facts},
    }


def _task(draw: Draw, number: int, item: Item) -> dict[str, Any]:
    """Return an item as Label Studio and CSV show it."""
    manifest, most = draw.snapshot.manifest, _most_responses(draw)
    texts = [*item.responses, *["(there is no such response)"] * (most - len(item.responses))]
    return {
        "draw_id": draw.draw_id,
        "snapshot": f"{manifest.name}@{manifest.version}",
        "page": number,
        "set_id": item.preference.set_id,
        "order": " ".join(map(str, item.order)),
        "stratum": item.stratum,
        "stratum_size": item.stratum_size,
        "weight": item.weight,
        "question": text_of(item),
        **{f"response_{place}": text for place, text in enumerate(texts, 1)},
        "choices": list(_choices(len(item.responses))),
    }


def _choices(n_responses: int) -> Iterator[dict[str, str]]:
    if n_responses == 1:
        yield from ({"value": "right", "hotkey": "1"}, {"value": "wrong", "hotkey": "2"})
    else:
        for place in range(1, n_responses + 1):
            yield {"value": f"response {place}"} | ({"hotkey": str(place)} if place < 10 else {})
        yield {"value": "tie", "hotkey": "t"}
    yield {"value": "cannot tell", "hotkey": "c"}


def _config(draw: Draw) -> str:
    """Return the configuration of a Label Studio project for all tasks of a draw."""
    names = [("question", "The question")]
    names += [(f"response_{place}", f"Response {place}") for place in range(1, _most_responses(draw) + 1)]
    texts = [f'  <Header value={quoteattr(title)}/>\n  <Text name="{name}" value="${name}"/>' for name, title in names]
    choices = '  <Choices name="choice" toName="question" choice="single-radio" required="true" value="$choices"/>'
    return "\n".join(["<View>", *texts, '  <Header value="Which is best?"/>', choices, "</View>", ""])


def _csv(draw: Draw, number: int, items: tuple[Item, ...]) -> str:
    """Return a table to be filled in: choice is 1, 2, .., tie, cannot tell; or, of one response, right or wrong."""
    rows = [_task(draw, number, item) | {"choices": ""} for item in items]
    for row, item in zip(rows, items, strict=True):
        row |= {f"response_{place}": "" for place in range(len(item.responses) + 1, _most_responses(draw) + 1)}
        row["choices"] = ", ".join(choice["value"].removeprefix("response ") for choice in _choices(len(item.order)))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*(rows[0] if rows else {}), "choice", "reviewer"])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value if len(value) <= _LONGEST_CELL else f"{value[:_LONGEST_CELL]} [cut: {len(value):,} characters in all]"
    return f"'{text}" if _FORMULA.match(text) else text


def _most_responses(draw: Draw) -> int:
    return max((len(item.order) for items in draw.pages for item in items), default=1)
