"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

MOST = 2**31 - 1
"""The largest number that the command line takes."""

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML recipe, such as recipes/demo.toml.")]
SnapshotArgument = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="A directory, a name, or name@version.")]
SetsOption = Annotated[
    str | None, typer.Option("--sets", help="Only these sets, such as rft,rl; published under <name>-rft-rl.")
]
RootOption = Annotated[
    str | None, typer.Option("--root", help="A directory or s3://bucket/prefix for everything; the recipe's root else.")
]
SnapshotsOption = Annotated[str, typer.Option("--root", help="Where the snapshots are.", show_default=True)]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many rows of every source.")
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Ask again for what an endpoint refused for good.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Stay until every batch is done, in place of ending with exit code 4.")
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on where most of a model's first answers are of no use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
