"""The command `export`."""

import typing
from pathlib import Path
from typing import Annotated

import typer

from flows.command.terminal import MOST, JsonOption, SnapshotsOption, print_json, say, shown_path
from schemas.errors import ForgeError, RecipeError

if typing.TYPE_CHECKING:
    from pipelines.exporting.export import Export


def export(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="A directory, a name, or name@version.")],
    to: Annotated[
        str,
        typer.Option("--to", help="trl, verl, openrlhf, llamafactory, swift, axolotl, slime, nemo-rl or skyrl."),
    ],
    sets: Annotated[
        str | None, typer.Option("--sets", help="Only these, such as rft,rl; all that the trainer reads unless given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="An empty or new folder; <name>-<trainer> unless given.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Load what was written with the trainer's own loader, where it is installed."),
    ] = False,
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", help="Count tokens with this one, a directory or hub id; --check needs it."),
    ] = None,
    train_on: Annotated[
        str,
        typer.Option("--train-on", help="answer, or thoughts_and_answer for judges that reason.", show_default=True),
    ] = "answer",
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, max=MOST, help="Leave out longer rows; they are counted.")
    ] = None,
    root: SnapshotsOption = "data",
    json: JsonOption = False,
) -> None:
    """Write a snapshot for a trainer: its own layout, a ready command or config, the reward, and a check.

    Limits are above the longest row, so that the trainer cuts and drops nothing. What a person must fill is marked
    FILL:. Example: grmforge export demo --to verl --sets rft,rl --out demo-verl
    """
    from flows.command.versions import root_if_any
    from pipelines.exporting.checking import checked
    from pipelines.exporting.export import export as write_export
    from pipelines.exporting.lengths import open_tokenizer
    from pipelines.exporting.registry import trainer_of
    from storage.snapshots import find_snapshot

    trainer = trainer_of(to)
    if train_on not in ("answer", "thoughts_and_answer"):
        raise RecipeError(f"--train-on {train_on}: there are answer and thoughts_and_answer")
    if check and tokenizer is None:
        raise RecipeError(
            "--check: loaders need a tokenizer; add --tokenizer, a directory or hub id of the model to train"
        )
    chosen = find_snapshot(root_if_any(root), snapshot)
    done = write_export(
        chosen,
        trainer,
        out or Path(f"{chosen.manifest.name}-{trainer.name}"),
        sets=None if sets is None else [name.strip() for name in sets.split(",") if name.strip()],
        train_on=train_on,  # type: ignore[arg-type]  # it was looked at above
        max_tokens=max_tokens,
        tokenizer=None if tokenizer is None else open_tokenizer(tokenizer),
    )
    found = checked(done.out, trainer, tokenizer) if check and tokenizer else None
    if json:
        print_json(done.as_json() | {"out": str(done.out), "check": None if found is None else found.as_json()})
    else:
        say(_lines(done))
        say(found.lines() if found else ())
    if found is not None and found.differs:
        raise ForgeError(f"{trainer.name} does not load {done.out} as it was written")


def _lines(done: "Export") -> typing.Iterator[str]:
    from pipelines.exporting.leaving_out import REASONS

    for name, part in done.parts.items():
        limit = part.prompt_limit if name == "rl" else part.whole_limit
        rows = ", ".join(f"{count:,} {split}" for split, count in part.rows.items())
        counted = ", ".join(f"{count:,} by {way}" for way, count in part.counted.items())
        yield f"{name}: {rows}; limit {limit:,} tokens ({counted})"
        usual = done.trainer.layouts[name].usual
        if part.over_usual:
            yield f"  {part.over_usual:,} rows are longer than {done.trainer.name}'s usual {usual:,} tokens"
        yield from (f"  {rows:,} left out: {REASONS[reason]}" for reason, rows in part.left_out.items())
        if part.without_thoughts:
            yield f"  {part.without_thoughts:,} have no thoughts, and are written without"
    yield from (f"{name}: not written: {why}" for name, why in done.without.items())
    yield f"written: {shown_path(str(done.out.absolute()))} (README.md says what to run; FILL: marks what is yours)"
