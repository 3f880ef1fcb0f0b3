"""Reviews on the running explorer: the draw that `grmforge review export` makes, and answers kept as by its import."""

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.exploring.opening import Opened
from pipelines.exploring.rows import number
from pipelines.reviews.drawing import Wanted, drawn
from pipelines.reviews.exporting import page_data
from pipelines.reviews.importing import import_reviews
from schemas.errors import RecipeError
from storage.snapshots import Snapshot

_USUAL, _MOST = 200, 2_000


def review_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return the sets that a person is to look at, as the page of `grmforge review export` holds them."""
    fields = tuple(filter(None, query.get("by", "source,suspicion").split(",")))
    wanted = Wanted(min(number(query, "n", _USUAL), _MOST), fields, number(query, "seed", 0))
    draw = drawn(_snapshot(opened), wanted)
    return {"draw": page_data(draw, 1), "of": draw.kept}


def keep_reviews(opened: Opened, body: bytes) -> dict[str, Any]:
    """Keep the answers of a page, as `grmforge review import` keeps those of a file."""
    snapshot = _snapshot(opened)
    if not snapshot.key.startswith("snapshots/"):
        raise RecipeError(f"{snapshot.location}: reviews are kept under a root; open the version by its name")
    with tempfile.TemporaryDirectory(prefix="grmforge-look-") as folder:
        file = Path(folder) / "reviews of the page"
        file.write_bytes(body)
        imported = import_reviews(snapshot.root, [file])
    said = [f"{imported.reviews:,} reviews are kept under {snapshot.root.where()}"]
    said += [f"{imported.known:,} were kept before"] if imported.known else []
    said += [f"{imported.unanswered:,} sets have no answer yet"] if imported.unanswered else []
    counts = {name: getattr(imported, name) for name in ("reviews", "known", "unanswered")}
    return counts | {"sentences": said}


def _snapshot(opened: Opened) -> Snapshot:
    if not isinstance(opened.version, Snapshot):
        raise RecipeError(f"{opened.name} is an evaluation; people review the sets of a snapshot")
    return opened.version
