"""The doctor: every endpoint, key, data file and directory that a build needs, looked at before it starts."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from pipelines.ahead.endpoint import TIMEOUT_S, KeyRefused, NoModelList, served_models
from pipelines.ahead.one_answer import answers
from pipelines.ahead.one_request import is_asked
from pipelines.ahead.soundness import Finding, Look, soundness
from pipelines.curation.contamination.stage import Comparison
from pipelines.engines.jobs import ScoringJob
from pipelines.engines.protocol import OPENAI_URL, open_engine
from pipelines.engines.scorer.checks import check_packages, local_scorer_in_words
from pipelines.engines.vllm.launch import check_package, check_port, launch_of, model_in_words
from pipelines.evaluation.judges import judge_of
from pipelines.evaluation.reading import benchmark_of, is_to_be_built, read_benchmark
from pipelines.orders import models_of
from pipelines.rubrics.embedding import is_to_be_fetched
from pipelines.rubrics.giving import shows_criteria
from pipelines.rubrics.opening import cached_embedder, pools_of
from pipelines.sources import general
from pipelines.sources.files import names_on_the_hub, open_files
from pipelines.sources.registry import SOURCES
from pipelines.steps import jobs_of
from schemas.errors import ForgeError
from schemas.evaluation import Protocol
from schemas.generation import Completion
from schemas.query import Message, user
from schemas.recipe import SCORERS, GeneralSection, GrmSection, ModelSection, Recipe, SourceSection
from schemas.recipe.evaluate import BenchmarkSection
from schemas.secrets import masked
from storage.root import Root
from storage.tombstones import Forgotten, forgotten, tombstones

LITTLE_SPACE = 2 * 2**30
LOOKED_AT = 2_000
"""Rows that are looked at where a source names columns, so that a wrong name is found before a build."""


def examine(
    recipe: Recipe,
    environment: Mapping[str, str],
    look: Look = lambda _: None,
    *,
    asks: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Return what was found, wrong things included. What a finding can report is not raised.

    Everything under the root is hashed, which may take a while: `look` is called with each part. Each role whose
    endpoint is there is sent one request where it `asks`; `say` is called with the line that announces them.
    """
    findings = [_finding("root", partial(_root, recipe))]
    forgotten_names = Forgotten((), "")
    if findings[0].ok:
        root = Root.open(recipe.build.root)
        forgotten_names = forgotten(root)
        findings += soundness(root, look)
    sections = {f"source {section.source}": section for section in recipe.sources}
    general_rows = {"general": recipe.general} if recipe.general else {}
    findings += [
        _finding(what, partial(_source, recipe, section, forgotten_names))
        for what, section in (sections | general_rows).items()
    ]
    findings += [
        _finding(f"benchmark {section.title}", partial(_benchmark, recipe, section))
        for section in recipe.evaluate.benchmarks
    ]
    if recipe.sources and findings[0].ok:
        findings.append(_finding("signatures", partial(_signatures, recipe)))
    findings.append(_finding("templates", partial(_templates, recipe)))
    if recipe.models.rubric is not None or shows_criteria(recipe.grm):
        findings.append(_finding("rubrics", partial(_rubrics, recipe, environment)))
    there: list[str] = []
    for role, model in models_of(recipe).items():
        found = list(_model(role, model, environment, recipe.at("."), asks))
        findings += found
        if all(finding.ok for finding in found) and is_asked(model, role):
            there.append(role)
    if asks and there:
        findings += answers(recipe, there, environment, say)
    return findings


def _finding(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except ForgeError as error:
        return Finding(what, False, masked(" ".join(str(error).split())))


def _root(recipe: Recipe) -> str:
    root = Root.open(recipe.build.root)
    tombstones(root)  # one that cannot be read ends every build
    if not root.is_local:
        return f"{root.where()} is writable"
    if (free := shutil.disk_usage(root.path).free) < LITTLE_SPACE:
        raise ForgeError(f"{root.path} has only {free / 2**30:.1f} GiB of free space; choose another with --root")
    return f"{root.path} is writable, {free / 2**30:,.0f} GiB free"


def _source(recipe: Recipe, section: SourceSection | GeneralSection, forgotten_names: Forgotten) -> str:
    """Say what is here of a source; of general rows, nothing is read."""
    forgotten_names.check_sources([section.source])
    is_general = isinstance(section, GeneralSection)
    facts = general.SOURCE if is_general else SOURCES[section.kind]
    if section.path is None:
        where = _on_the_hub(section.hub or facts.hub, section.revision)
        named = names_on_the_hub(section, facts.hub)
        return where + (f", {len(named)} file(s) of its config and split" if named else "")
    files = open_files(section, facts.hub, facts.patterns, recipe.at("."))
    chooses = section.where is not None or getattr(section, "columns", None) is not None
    if chooses or not is_general:
        look = facts.read(section, files, most=LOOKED_AT if chooses else 1)
        if not list(look) and section.where is None:
            raise ForgeError(f"{section.path} holds no rows")
    return f"{len(files.paths)} file(s), {'' if is_general else 'readable, '}revision {files.revision}"


def _benchmark(recipe: Recipe, section: BenchmarkSection) -> str:
    """Say how many rows a benchmark of local files or of a snapshot has, or where it is on the hub."""
    root = Root.open(recipe.build.root)
    if is_to_be_built(recipe, root, section):
        return f"the sets of {recipe.build.name}, which is not built yet"
    hubs = (section.hub,) if section.hub else benchmark_of(section).hubs
    if section.path is None and hubs:
        return ", ".join(_on_the_hub(hub, section.revision) for hub in hubs)
    only = Protocol.SINGLE if recipe.evaluate.judge in SCORERS else None
    read = read_benchmark(recipe, root, section, only)
    left_out = f", {len(read.unreadable):,} rows unreadable" if read.unreadable else ""
    part = "" if read.is_whole else "; a part of the benchmark, which has no total"
    return f"{len(read.rows):,} items{left_out}, protocol {read.protocol.value}{part}"


def _on_the_hub(hub: str, revision: str | None, kind: Literal["dataset", "model"] = "dataset") -> str:
    """Say at which commit a data set or a model stands, without downloading it."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        repository = HfApi().repo_info(hub, revision=revision, timeout=TIMEOUT_S, repo_type=kind)
    except HFValidationError:
        raise ForgeError(f"{hub}: not a hub id; write it as 'owner/name', or give a local path") from None
    except HfHubHTTPError as error:
        raise ForgeError(
            f"{hub}: the hub refuses it ({type(error).__name__}); check its id and revision, log in with "
            "`hf auth login` where it is gated, or give a local path"
        ) from None
    except (OfflineModeIsEnabled, httpx2.TransportError, OSError) as error:
        raise ForgeError(
            f"{hub}: the hub cannot be reached ({type(error).__name__}); check the network, HF_ENDPOINT and "
            "HF_HUB_OFFLINE, or give a local path"
        ) from None
    return f"{hub} at {repository.sha}"


def _signatures(recipe: Recipe) -> str:
    """Say which benchmarks rows will be compared with; a damaged signature, or a name without one, ends every build."""
    signatures = Comparison(recipe.decontaminate, Root.open(recipe.build.root)).signatures
    queries = sum(signature.rows for signature in signatures.values())
    return f"{queries:,} queries of {', '.join(signatures)}" if signatures else "none: no row is compared"


def _templates(recipe: Recipe) -> str:
    jobs = list(jobs_of(recipe)) if recipe.sources else []
    if recipe.evaluate.benchmarks and recipe.evaluate.judge not in SCORERS:
        jobs.append(judge_of(recipe, recipe.evaluate.judge, 1, grades_single=True))
    return ", ".join(sorted({job.template.identity for job in jobs})) or "none needed"


def _rubrics(recipe: Recipe, environment: Mapping[str, str]) -> str:
    """Say whether the embedding model loads and the pools open; nothing is embedded."""
    settings, directory = recipe.rubrics, Path(recipe.directory)
    root = Root.open(recipe.build.root)
    if is_to_be_fetched(settings.embedding, settings.revision, directory):
        try:
            _on_the_hub(settings.embedding, settings.revision, "model")  # loading tries for minutes
        except ForgeError as error:
            raise ForgeError(f"rubrics.embedding {error}") from None
    embedder = cached_embedder(root, settings, directory)
    with pools_of(root, settings, environment, directory, embedder) as pools:
        return f"embedding by {settings.embedding}, index at {pools.where}"


def _model(
    role: str, model: ModelSection, environment: Mapping[str, str], directory: Path, asks: bool
) -> Iterator[Finding]:
    """Yield what is found of a model's key and of each of its endpoints."""
    if model.engine == "simulated":
        yield Finding(f"model {role}", True, f"{model.name} is simulated")
        return
    if model.engine == "vllm":
        yield _finding(f"model {role}", partial(_server, model, directory))
        return
    if model.is_loaded_here:
        yield _finding(f"model {role}", partial(_loaded_here, model, directory))
        return
    variable = model.key_variable
    key = environment.get(variable) if variable else None
    if variable is not None:
        yield Finding(f"key of {role}", bool(key), f"{variable} is set" if key else f"export {variable}=..")
    if model.engine == "score" and not asks:
        yield Finding(f"model {role}", True, f"{model.name} was not asked for a score")
        return
    look = _classifier if model.engine == "score" else _endpoint
    for url in model.base_url or (OPENAI_URL,):
        yield _finding(f"model {role}", partial(look, url, model, key))


def _loaded_here(model: ModelSection, directory: Path) -> str:
    """Say whether a scorer could be loaded here, as far as its configuration tells. It is not loaded."""
    check_packages()
    if (directory / Path(model.model).expanduser()).is_dir():
        return local_scorer_in_words(model, directory)
    return _on_the_hub(model.model, model.revision, "model")


def _classifier(url: str, model: ModelSection, key: str | None) -> str:
    """Say whether an endpoint scores: it is sent one short text, for which nothing but its tokens is paid."""
    alone = model.model_copy(update={"base_url": (url,), "timeout_s": min(TIMEOUT_S, model.timeout_s)})
    job = ScoringJob(role="meta_rm", model=alone, identity={}, section="grm", settings=GrmSection())
    text = (*user("What is one and one?"), Message("assistant", "Two."))

    async def score() -> Completion:
        engine = open_engine(alone, key)
        try:
            return (await engine.complete(job.scoring("0" * 32, text, True))).completion
        finally:
            await engine.close()

    completion = asyncio.run(score())
    if completion.text is None:
        raise ForgeError(completion.error or f"{url} gives no score")
    return f"{url} scores texts with {completion.served_model or model.model}"


def _server(model: ModelSection, directory: Path) -> str:
    """Say whether a server of our own could be started: program, package, model and port. It is not started."""
    launch = launch_of(model, directory)
    check_port(launch)
    where = model_in_words(model, directory, launch)
    check_package(launch)
    port = "a free port" if launch.port is None else f"port {launch.port}, which is free"
    return f"{launch.words[0]} is there; {model.name} is {where}; it will listen on {port}"


def _endpoint(url: str, model: ModelSection, key: str | None) -> str:
    """Say whether an endpoint answers and lists the model."""
    try:
        listed = [served.name for served in served_models(url, key)]
    except NoModelList as error:
        return str(error)
    except KeyRefused as error:
        raise ForgeError(f"{error}; set {model.key_variable or 'api_key_env in the recipe'}") from None
    if model.model not in listed:
        raise ForgeError(f"{url} serves {', '.join(listed[:5]) or 'no model'}, not {model.model!r}")
    return f"{url} serves {model.model}"
