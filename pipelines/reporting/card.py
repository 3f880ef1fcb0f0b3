"""The dataset card: what a snapshot holds, in words, and in the YAML that `datasets.load_dataset` reads."""

from collections.abc import Iterator

from pipelines.reporting.attention import incomplete_sets, simulated_models
from pipelines.reporting.leaks import leak_rows, trace_sentences
from pipelines.reporting.pages import page
from pipelines.reporting.principles import principles_sentence
from schemas.manifest import Manifest
from schemas.preference import SETS_TABLE
from schemas.published import TABLES

_Part = tuple[str, str, str]
"""Split, published path, meaning."""


def card_of(manifest: Manifest) -> str:
    """Return the card of a snapshot, README.md."""
    values = {
        "manifest": manifest,
        "configs": list(_configs(manifest)),
        "warnings": [*simulated_models(manifest), *incomplete_sets(manifest)],
        "restricted": [one.source for one in manifest.inputs if one.redistribution == "restricted"],
        "leaks": leak_rows(manifest.checks),
        "traces": trace_sentences(manifest.checks),
        "principles": principles_sentence(manifest.checks),
    }
    return page("card.md", values)


def _configs(manifest: Manifest) -> Iterator[tuple[str, list[_Part]]]:
    """Yield (config, parts) of every table that has rows: those that are split first, the sets last."""
    for table in sorted(TABLES, key=lambda one: ("train" not in one.parts, one is SETS_TABLE)):
        paths = {f"{table.name}/{part}": (part, meaning) for part, meaning in table.parts.items()}
        present = {path: known for path, known in paths.items() if path in manifest.tables}
        if "train" in table.parts and present:
            yield table.name, [(part, path, meaning) for path, (part, meaning) in present.items()]
        elif "train" not in table.parts:
            for path, (_, meaning) in present.items():
                yield path.replace("/", "_"), [("train", path, meaning)]
