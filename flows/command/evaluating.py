"""The commands that judge: `evaluate` and `judge`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import (
    MOST,
    JsonOption,
    KeepGoingOption,
    RecipeArgument,
    RetryFailedOption,
    RootOption,
    WaitOption,
    print_json,
    say,
    shown_path,
)
from schemas.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.engines.budget import Spent
    from pipelines.evaluation.publication import Evaluated

MOST_SAMPLES = 1_024
RoleOption = Annotated[
    str | None, typer.Option("--role", help="Role of the recipe that judges, such as policy; that of [evaluate] else.")
]
SamplesOption = Annotated[
    int | None, typer.Option("-k", min=1, max=MOST_SAMPLES, help="Samples of each prompt; those of [evaluate] else.")
]


def evaluate(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE]", help="A TOML recipe with [[evaluate.benchmarks]].")
    ] = None,
    role: RoleOption = None,
    k: SamplesOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=MOST, help="At most so many rows of every benchmark.")
    ] = None,
    root: RootOption = None,
    retry_failed: RetryFailedOption = False,
    wait: WaitOption = False,
    keep_going: KeepGoingOption = False,
    judgements: Annotated[
        Path | None,
        typer.Option("--judgements", help="JSONL of finished verdicts to score: item, order, decision or scores."),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="With --judgements, without a recipe: which benchmark they judge.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", help="Where that benchmark lies; its usual hub id else.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="How its rows were shown: joint, both_orders, pairs or single.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say how good a judge is on the recipe's [[evaluate.benchmarks]], and what more samples buy.

    Samples that a build bought of the judge count. Run it again to go on after a stop: nothing is paid twice
    (docs/evaluation.md). Example: grmforge evaluate recipes/evaluate.toml --limit 100
    """
    if judgements is not None:
        if role or k or limit:
            raise RecipeError("--role, -k and --limit change what a judge is asked; --judgements asks nothing")
        _tell(_of_verdicts(recipe, judgements, benchmark, path, protocol, root), None, json)
        return
    if recipe is None or benchmark or path or protocol:
        raise RecipeError(
            "name a recipe with [[evaluate.benchmarks]]; --benchmark, --path and --protocol go with --judgements"
        )
    from flows.command.running import started
    from pipelines.evaluation.evaluate import evaluate as evaluate_judge
    from pipelines.evaluation.evaluate import evaluating

    running = started("evaluate", recipe, root=root, keep_going=keep_going, retry_failed=retry_failed, wait=wait)
    with running as (settings, place, run):
        done = evaluate_judge(evaluating(settings, role=role, k_max=k, limit=limit), place, run)
    _tell(done, run.budget.spent, json)


def _of_verdicts(
    recipe: Path | None, file: Path, benchmark: str | None, path: str | None, protocol: str | None, root: str | None
) -> "Evaluated":
    from pipelines.evaluation.finished import evaluate_verdicts, recipe_for
    from pipelines.orders import Order
    from storage.root import Root

    if recipe is not None:
        if benchmark or path or protocol:
            raise RecipeError("--benchmark, --path and --protocol stand in for a recipe: name one or the other")
        settings = Order(str(recipe), root=root).read()
    elif benchmark is None:
        raise RecipeError("--judgements needs a recipe with [[evaluate.benchmarks]], or --benchmark KIND")
    else:
        settings = recipe_for(benchmark, path, protocol, root or "data")
    return evaluate_verdicts(settings, Root.open(settings.build.root), file, lambda line: say(f"note: {line}"))


def _tell(done: "Evaluated", spent: "Spent | None", json: bool) -> None:
    """Print what came of an evaluation."""
    from pipelines.evaluation.summary import lines_of

    evaluation = done.evaluation
    if json:
        print_json(
            {
                "evaluation": evaluation.location,
                "version": evaluation.manifest.version,
                "new": done.new,
                **({} if spent is None else {"spent": spent._asdict()}),
                "benchmarks": [one.model_dump(mode="json") for one in evaluation.manifest.benchmarks],
                "claims": [one.model_dump(mode="json") for one in evaluation.manifest.claims],
            }
        )
        return
    say(lines_of(evaluation))
    what = "published" if done.new else "nothing new to publish: the content is that of"
    say(f"\n{what} {shown_path(evaluation.location)}")
    if done.healed:
        say(f"put back, since they were gone or damaged: {', '.join(done.healed)}")
    say(f"in a browser: {shown_path(str(evaluation.root.at(f'{evaluation.key}/report.html')))}")


def judge(
    recipe: RecipeArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSONL, JSON or Parquet with a query (or prompt) and responses in each row, and an id."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .jsonl or .parquet file to write; stdout else, as JSONL.")
    ] = None,
    role: RoleOption = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MOST_SAMPLES, help="Samples of each row.")] = 1,
    root: RootOption = None,
    retry_failed: RetryFailedOption = False,
    wait: WaitOption = False,
    keep_going: KeepGoingOption = False,
) -> None:
    """Score the responses of a file's rows: k samples, their vote, and the principles and critique that decided.

    A row whose samples cannot be read ends in an error of its own, never in a number. Labels are not needed.
    Example: grmforge judge recipes/demo.toml recipes/demo/pairs.jsonl -k 8 --out scores.parquet
    """
    from flows.command.running import started
    from pipelines.evaluation.judge_file import check_out, judge_file, write_judgements
    from pipelines.evaluation.judges import judge_of

    check_out(out)
    running = started("judge", recipe, root=root, keep_going=keep_going, retry_failed=retry_failed, wait=wait)
    with running as (settings, place, run):
        asked = judge_of(settings, role or settings.evaluate.judge, k, grades_single=True)
        judged = judge_file(place, run, asked, file)
    scored = sum(one.fault is None for one in judged)
    write_judgements(judged, out, typer.echo)
    spent = run.budget.spent
    typer.echo(
        f"{scored:,} of {len(judged):,} rows scored; this run asked {spent.requests:,} requests, "
        f"{spent.tokens:,} tokens, ${spent.cost_usd:,.4f}",
        err=True,
    )
