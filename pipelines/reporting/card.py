"""The dataset card: what a snapshot holds, in words, and in the YAML that `datasets.load_dataset` reads."""

from collections.abc import Iterable, Sequence

from pipelines.reporting.attention import incomplete_sets, simulated_models
from pipelines.reporting.leaks import LEAK_HEAD, leak_rows, trace_sentences
from pipelines.reporting.markdown import line, table
from pipelines.reporting.principles import principles_sentence
from schemas.manifest import Manifest

_SPLIT_TABLES = ("rft", "rl", "meta_rm", "pairs", "traces")
_WHOLE_TABLES = (
    "trajectories/accepted",
    "trajectories/rejected",
    "trajectories/difficulty",
    "trajectories/on_policy",
    "trajectories/paired",
    "answers/right",
    "answers/wrong",
    "answers/undecided",
    "rubrics/made",
    "sets/kept",
    "sets/dropped",
)
_MEANING = {
    "rft": "rejective fine-tuning: prompt and completion, for TRL's SFTTrainer and its like",
    "rl": "questions with a rule reward, in verl's columns; rewards.py scores them",
    "meta_rm": "trajectories labelled right or wrong",
    "pairs": "chosen and rejected responses, for scalar and pairwise baselines",
    "traces": "verified answers with their reasoning, for SFT distillation",
    "trajectories_accepted": "judgements that are in rft",
    "trajectories_rejected": "judgements that are not, each with its reject_reason",
    "trajectories_difficulty": "the difficulty model's samples",
    "trajectories_on_policy": "the trained GRM's own samples",
    "answers_right": "answers to questions that end in the known answer",
    "answers_wrong": "answers to questions that end in another one",
    "answers_undecided": "answers to questions of which the verifier could not tell: in no training set",
    "rubrics_made": "rubrics of these questions, with their hit rates; dropped criteria have their reason",
    "trajectories_paired": "samples with given criteria where RFT's have none, or the other way round",
    "sets_kept": "preference sets that were kept, test sets included",
    "sets_dropped": "preference sets that were not, each with its drop_reason",
}


def card_of(manifest: Manifest) -> str:
    """Return the card of a snapshot, README.md."""
    configs = list(_configs(manifest))
    restricted = [one.source for one in manifest.inputs if one.redistribution == "restricted"]
    parts = [
        _front_matter(manifest, configs),
        f"# {line(manifest.name)} {manifest.version}",
        "Training sets of a generative reward model, built by grmforge.",
        *(f"**{line(said)}.**" for said in (*simulated_models(manifest), *incomplete_sets(manifest))),
        *_restriction(restricted),
        "## Tables",
        table(
            ["config", "split", "rows", "what it is"],
            [
                [name, split, f"{manifest.tables[path].rows:,}", _MEANING[name]]
                for name, splits in configs
                for split, path in splits
            ],
        ),
        "```python\nimport datasets\n\n"
        f'datasets.load_dataset(".", "{configs[0][0] if configs else "rft"}")  # "." is this directory\n```',
        "`rewards.py` holds the rule reward of the rl rows (+1 right, -1 wrong, 0.1 for an error named); it needs "
        "nothing but Python. "
        "`manifest.json` has the recipe, the counts of every stage, the checks and the hash of every file; "
        "`report.html` shows them.",
        "## Sources",
        table(
            ["source", "from", "revision", "licence", "redistribution", "rows", "kept", "dropped", "unreadable"],
            [
                [
                    one.source,
                    one.origin,
                    one.revision[:19],
                    one.license,
                    one.redistribution,
                    f"{one.rows:,}",
                    f"{one.kept:,}",
                    f"{one.dropped:,}",
                    f"{one.unreadable:,}",
                ]
                for one in manifest.inputs
            ],
        ),
        *_leaks(manifest),
        *_principles(manifest),
        "## Models",
        table(
            ["role", "engine", "model", "requests", "failed", "answer tokens"],
            [
                [use.role, use.engine, use.model, f"{use.requests:,}", f"{use.failed:,}", f"{use.completion_tokens:,}"]
                for use in manifest.models
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _configs(manifest: Manifest) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Yield (config, [(split, published path)]) of every table that has rows."""
    for name in _SPLIT_TABLES:
        splits = [(split, f"{name}/{split}") for split in ("train", "validation")]
        present = [(split, path) for split, path in splits if path in manifest.tables]
        if present:
            yield name, present
    for path in _WHOLE_TABLES:
        if path in manifest.tables:
            yield path.replace("/", "_"), [("train", path)]


def _front_matter(manifest: Manifest, configs: Sequence[tuple[str, list[tuple[str, str]]]]) -> str:
    lines = ["---", "tags:", "- reward-model", "- grmforge", "configs:"]
    for name, splits in configs:
        lines += [f"- config_name: {name}", "  data_files:"]
        for split, path in splits:
            lines += [f"  - split: {split}", f"    path: {path}-*.parquet"]
    return "\n".join([*lines, "---"])


def _restriction(sources: Sequence[str]) -> list[str]:
    if not sources:
        return []
    return [
        f"**Redistribution restricted**: the authors of {', '.join(map(line, sources))} ask that rows are not "
        "republished in plain text. Do not upload this snapshot where it can be read by anyone."
    ]


def _leaks(manifest: Manifest) -> list[str]:
    """Return what the leak probe found; nothing where it was not run."""
    rows = leak_rows(manifest.checks)
    traces = [line(one) for one in trace_sentences(manifest.checks)]
    if not rows:
        return ["## Leaks", *traces] if traces else []
    words = (
        "How well a classifier that reads nothing finds the right text by its surface alone: AUC within sets (0.5 is "
        "chance) with its 95 % interval. Do not train on what is leaky without a look at docs/leaks.md of grmforge."
    )
    return ["## Leaks", words, table(LEAK_HEAD, rows), *traces]


def _principles(manifest: Manifest) -> list[str]:
    """Return whether given criteria helped the judge; nothing where that was not compared."""
    said = principles_sentence(manifest.checks)
    return ["## Given criteria", line(said)] if said else []
