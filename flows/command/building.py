"""The commands that take a recipe: `build`, `plan`, `probe`, `doctor` and `refresh`."""

import os
import shlex
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.terminal import (
    MOST,
    JsonOption,
    KeepGoingOption,
    LimitOption,
    RecipeArgument,
    RetryFailedOption,
    RootOption,
    SetsOption,
    WaitOption,
    columns,
    say,
    show,
    shown_path,
)
from pipelines.reporting.visible import visible
from schemas.errors import ForgeError

if TYPE_CHECKING:
    from pipelines.ahead.probed import Probe
    from pipelines.engines.budget import Spent
    from pipelines.reporting.publication import Published
    from pipelines.upkeep.refresh import Refreshed
    from storage.snapshots import Snapshot

LOOKING_S = 2.0


def build(
    recipe: RecipeArgument,
    sets: SetsOption = None,
    root: RootOption = None,
    limit: LimitOption = None,
    retry_failed: RetryFailedOption = False,
    wait: WaitOption = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Build and publish the recipe's sets. Run it again to go on after a stop: nothing is paid twice.

    Questions with a known answer and nothing to compare are answered and graded first (docs/synthesis.md).

    Example: grmforge build recipes/telecom.toml --limit 500
    """
    from flows.command.running import started
    from pipelines.steps import build as build_sets

    running = started("build", recipe, sets, root, limit, keep_going, retry_failed=retry_failed, wait=wait)
    with running as (settings, place, run):
        published = build_sets(settings, place, run)
    snapshot, section = published.snapshot, settings.build
    show(_as_json(published), _published_lines(published, section.root_flag), json)
    if published.missing:
        raise ForgeError(
            f"{published.no_row}: LATEST was not moved to {snapshot.manifest.version}; "
            f"see why: grmforge inspect {shown_path(snapshot.location)} {_lost(snapshot)}"
        )
    if not json:
        say(f"look at it:   grmforge inspect {section.name} {_lost(snapshot)}{section.root_flag}")
        say(f"in a browser: grmforge look {section.name}{section.root_flag}")
        say(f"one page:     {shown_path(str(snapshot.root.at(f'{snapshot.key}/report.html')))}")


def plan(
    recipe: RecipeArgument,
    sets: SetsOption = None,
    root: RootOption = None,
    limit: LimitOption = None,
    probe: Annotated[
        int | None,
        typer.Option("--probe", min=1, max=MOST, help="Measure rate and tokens by so many sets' samples."),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch sources that are not here, and count.")] = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Say what a build would ask and cost, before anything is spent. No model is called without --probe.

    Where questions are still to be answered, what follows from the answers is an upper bound.

    Example: grmforge plan recipes/telecom.toml
    """
    from flows.command.running import looking, started
    from pipelines.ahead.plan import plan_of
    from pipelines.evaluation.evaluate import evaluating

    changes = recipe, sets, root, limit
    with started("plan", *changes, keep_going) if probe else looking(*changes) as (settings, place, run):
        planned = plan_of(evaluating(settings, limit=limit), place, run, probe=probe, download=download)
    show(planned, planned.as_text(), json)


def probe(
    recipe: RecipeArgument,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST, help="How many sets to sample.")] = 20,
    root: RootOption = None,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Spend the least that tells something: what can be read, acceptance, tokens, cost, time, an answer of each kind.

    A judge of no use is stopped after ten or twenty answers. Ctrl-C shows what has come in, which stays stored.

    Where questions have no answers yet, as few of them as make that many sets are answered first, and shown.

    The answers are kept: the build does not buy them again. Example: grmforge probe recipes/telecom.toml -n 20
    """
    from flows.command.running import started
    from pipelines.ahead.probe import probe_of

    stopped: list[Probe] = []
    try:
        with started("probe", recipe, root=root, keep_going=keep_going) as (settings, place, run):
            probed = probe_of(settings, place, run, n, stopped.append)
    except (ForgeError, KeyboardInterrupt):
        for probed in stopped:
            show(probed, probed.as_text(), json)
        raise
    show(probed, probed.as_text(), json)


def doctor(
    recipe: RecipeArgument,
    root: RootOption = None,
    no_requests: Annotated[bool, typer.Option("--no-requests", help="Send no model a request.")] = False,
    json: JsonOption = False,
) -> None:
    """Check every endpoint, key, data file and directory that a build needs, before it starts.

    Each role at an endpoint is sent one request, in the form that a build sends, and its answer is read as a build
    reads it (models.rubric is sent two: it writes criteria, and judges by them). What lies under the root is hashed:
    every published version, stage and answer that is damaged is named.

    Example: grmforge doctor recipes/local_vllm.toml
    """
    from pipelines.ahead.doctor import examine
    from pipelines.orders import Order

    settings = Order(str(recipe), root=root).read()
    findings = examine(settings, os.environ, _looking(), asks=not no_requests, say=_announce)
    show(findings, (finding.line() for finding in findings), json)
    if wrong := sum(not finding.ok for finding in findings):
        raise ForgeError(f"{wrong} of {len(findings)} checks failed")


def _announce(what: str) -> None:
    """Say on stderr what is about to be paid for."""
    typer.echo(visible(what), err=True)


def refresh(
    recipe: RecipeArgument,
    root: Annotated[
        str | None, typer.Option("--root", help="Where everything is kept; the recipe's root else.")
    ] = None,
    limit: LimitOption = None,
    wait: WaitOption = False,
    keep_going: KeepGoingOption = False,
    json: JsonOption = False,
) -> None:
    """Build anew what is new, publish it, compare it with LATEST, and move LATEST unless a guard of the recipe trips.

    For cron and its like: one run at a time, a second one ends at once with exit code 0. A guard that trips is exit
    code 1, and LATEST stays (docs/operations.md). Example: grmforge refresh recipes/demo.toml
    """
    from flows.command.running import started
    from pipelines.upkeep import refresh as nightly
    from storage.leases import Holder

    with started("refresh", recipe, None, root, limit, keep_going, wait=wait) as (settings, place, run):
        lease = nightly.take_lease(settings, place, run.run_id, run.watcher.said)
        if isinstance(lease, Holder):
            words = nightly.skipped(settings, lease)
            show({"skipped": words}, words, json)
            return
        with lease:
            done = nightly.refresh(settings, place, run, lease)
        spent = run.budget.spent
    show(done.as_json() | {"spent": spent._asdict()}, _refreshed_lines(done, spent), json)
    done.check()


def _as_json(published: "Published") -> dict[str, object]:
    manifest = published.snapshot.manifest
    return {
        "snapshot": published.snapshot.location,
        "version": manifest.version,
        "new": published.new,
        "missing": published.missing,
        "healed": published.healed,
        "tables": {name: table.rows for name, table in manifest.tables.items()},
    }


def _published_lines(published: "Published", root_flag: str) -> Iterator[str]:
    from pipelines.reporting.acceptance import closing_lines

    snapshot = published.snapshot
    yield from closing_lines(snapshot.manifest, snapshot, root_flag=root_flag, width=columns())
    what = "published" if published.new else "nothing new to publish: the content is that of"
    yield f"\n{what} {shown_path(snapshot.location)}"
    if published.healed:
        yield f"gone or damaged, and put back: {', '.join(published.healed)}"


def _refreshed_lines(done: "Refreshed", spent: "Spent") -> Iterator[str]:
    """Yield what came of a refresh: what is different, what it took, what was removed, where LATEST is."""
    from pipelines.reporting.acceptance import attention_lines
    from pipelines.reporting.comparison import lines_of

    snapshot = done.published.snapshot
    if done.comparison is not None:
        yield from (*lines_of(done.comparison), "")
    yield f"this run asked {spent.requests:,} requests, {spent.tokens:,} tokens, ${spent.cost_usd:,.4f}"
    if done.removed:
        yield f"removed, as older than the versions that are kept: {', '.join(done.removed)}"
    yield from (*attention_lines(snapshot.manifest, snapshot, width=columns()), "", done.verdict())
    if done.comparison is not None:
        old, new = shlex.quote(done.comparison.old), shlex.quote(done.comparison.new)
        yield f"once more: grmforge compare {old} {new}{done.root_flag}"


def _lost(snapshot: "Snapshot") -> str:
    """Return the options that show what was lost last: judgements, else sets that no judge ever saw."""
    if "missing" in snapshot.manifest.checks.get("rl", {}) and snapshot.rows("trajectories/difficulty"):
        return "--status difficulty"
    if snapshot.rows("trajectories/rejected"):
        return "--status rejected"
    return f"--table sets --status {'dropped' if snapshot.rows('sets/dropped') else 'kept'}"


def _looking() -> Callable[[str], None]:
    """Return what says on stderr what a long look is at, every two seconds at most."""
    shown_s = time.monotonic()

    def look(what: str) -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= LOOKING_S:
            shown_s = time.monotonic()
            typer.echo(visible(f"hashing {what}"), err=True)

    return look
