"""The command `grmforge grade`: answers in a file, held against the known ones as a build would."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def grade(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="JSONL with gold and answer or text in each row, and form (math, option, number, text) where it is "
            "not math; - for stdin.",
            allow_dash=True,
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print an object a line: verdict and the answer read.")] = False,
) -> None:
    """Say of each answer whether it is the known one: right, wrong or undecided, a line each, and a summary.

    `answer` is a final answer as it stands in a box; of a `text`, the last answer that it gives is read. Other keys
    are ignored. Example: grmforge grade answers.jsonl --json
    """
    import orjson

    from pipelines.synthesis.grade_file import grades_of, read_pairs

    counts: Counter[str] = Counter()
    for graded in grades_of(read_pairs(file)):
        counts[graded.verdict] += 1
        typer.echo(orjson.dumps(graded.as_json()).decode() if json else graded.verdict.value)
    if not json:
        said = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in ("right", "wrong", "undecided"))
        typer.echo(f"{counts.total():,} graded: {said}")
