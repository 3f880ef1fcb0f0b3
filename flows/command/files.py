"""The commands that take a file of answers: `read`, `grade` and `import`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from flows.command.terminal import JsonOption, SnapshotsOption, show


def read(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="JSONL with text and n (how many responses were judged) in each row, and, where they are known, best "
            "(0-based, as shown) or label, low, high, finish_reason, reasoning, hinted; - for stdin.",
            allow_dash=True,
        ),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Print an object a line, with what was read beside the outcome.")
    ] = False,
) -> None:
    """Read judgements as a build would: an outcome a line, and a summary. Calls no model.

    The outcome is `readable` where neither best nor label says what is right. Other keys are ignored.
    Example: grmforge read judgements.jsonl --json
    """
    import orjson

    from pipelines.judging.read_file import readings_in

    outcomes: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    for reading in readings_in(file):
        outcomes[reading.outcome] += 1
        forms[reading.reading.verdict_form or ""] += 1
        typer.echo(orjson.dumps(reading.as_json()).decode() if json else reading.outcome)
    if not json:
        counts = ", ".join(f"{rows:,} {outcome}" for outcome, rows in outcomes.most_common())
        typer.echo(
            f"{outcomes.total():,} read: {counts or 'nothing'}; {forms['canonical']:,} canonical, "
            f"{forms['forgiven']:,} forgiven"
        )


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
        summary = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in ("right", "wrong", "undecided"))
        typer.echo(f"{counts.total():,} graded: {summary}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL with prompt, text and model in each row.")],
    root: SnapshotsOption = "data",
    json: JsonOption = False,
) -> None:
    """Bring in answers that were paid for elsewhere; builds that would ask the same do not ask again.

    Example: grmforge import answers.jsonl --root data
    """
    from storage.imports import import_answers
    from storage.root import Root

    imported = import_answers(Root.open(root), file)
    show(imported.as_json(), imported.lines(), json)
