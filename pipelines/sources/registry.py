"""Every kind of source that a recipe can name."""

from importlib import import_module

from pipelines.sources.source import Source
from schemas.recipe import SOURCE_KINDS, SourceKind

MODULES = (
    "teleqna",
    "teleqna_short",
    "teleqna_traces",
    "tau2",
    "hendrycks_math",
    "telemath",
    "gsm8k_solutions",
    "ultrafeedback",
    "helpsteer2",
    "helpsteer2_preference",
    "offsetbias",
    "skywork",
    "helpsteer3",
    "nectar",
    "arena",
    "hh_rlhf",
    "ultrafeedback_binarized",
    "tulu3",
    "pku_saferlhf",
    "preference_sets",
)
"""Modules of this room that have a `SOURCE`, in the order in which messages and docs list them."""

_SOURCES: list[Source] = [import_module(f"pipelines.sources.{module}").SOURCE for module in MODULES]

SOURCES = {source.kind: source for source in _SOURCES}
"""The sources by the `kind` of their `[[sources]]` section. General rows are in no set: see `general`."""

SOURCE_KINDS.update(
    {
        kind: SourceKind(source.section, source.place_needed, source.needs_answers, source.reads_rows)
        for kind, source in SOURCES.items()
    }
)
