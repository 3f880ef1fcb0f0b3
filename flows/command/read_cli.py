"""The command `grmforge read`: judgements in a file, read as a build would."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


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
        bool,
        typer.Option("--json", help="Print an object a line, with what was read beside the outcome."),
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
    for found in readings_in(file):
        outcomes[found.outcome] += 1
        forms[found.reading.verdict_form or ""] += 1
        typer.echo(orjson.dumps(found.as_json()).decode() if json else found.outcome)
    if not json:
        counts = ", ".join(f"{rows:,} {outcome}" for outcome, rows in outcomes.most_common())
        canonical, forgiven = forms["canonical"], forms["forgiven"]
        typer.echo(f"{outcomes.total():,} read: {counts or 'nothing'}; {canonical:,} canonical, {forgiven:,} forgiven")
