"""The rubrics of a root, `rubrics/*.parquet`: the truth that every index is a copy of."""

from collections.abc import Iterable, Sequence

import pyarrow.parquet as pq

from schemas.record import content_id
from schemas.rubric import RUBRICS, Rubric, rubrics_of, rubrics_table
from storage.root import Root
from storage.tables import read_table

FOLDER = "rubrics"


def read_rubrics(root: Root) -> list[Rubric]:
    """Return every rubric of a root once, by rubric_id; of one written again, what was written last."""
    latest: dict[str, Rubric] = {}
    for name in _files(root):
        for rubric in rubrics_of(read_table([root.at(f"{FOLDER}/{name}")], RUBRICS)):
            latest[rubric.rubric_id] = rubric
    return [latest[rubric_id] for rubric_id in sorted(latest)]


def add_rubrics(root: Root, rubrics: Iterable[Rubric]) -> int:
    """Write the rubrics that a root does not hold yet, or holds with other findings; return how many.

    One file a call, whole or not at all. Equal rubrics given again are no file.
    """
    known = {rubric.rubric_id: rubric for rubric in read_rubrics(root)}
    given = {rubric.rubric_id: rubric for rubric in rubrics}
    new = [given[rubric_id] for rubric_id in sorted(given) if known.get(rubric_id) != given[rubric_id]]
    if new:
        _write(root, new)
    return len(new)


def _files(root: Root) -> list[str]:
    return root.names(FOLDER, ".parquet")


def _write(root: Root, rubrics: Sequence[Rubric]) -> None:
    names = _files(root)
    # Numbered, so that what is written later counts; named by content, so that two writers never meet.
    number = int(names[-1].split("-")[0]) + 1 if names else 0
    name = f"{number:05}-{content_id('rubrics', rubrics)}"
    with root.replacing(f"{FOLDER}/{name}.parquet") as temporary:
        pq.write_table(rubrics_table(rubrics), temporary, compression="zstd", write_page_checksum=True)
