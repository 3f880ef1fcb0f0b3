"""Every kind that a recipe can name has its facts."""

from pipelines.sources.registry import SOURCES
from schemas.recipe import SOURCE_KINDS


def test_the_registry_has_exactly_the_kinds_of_the_recipe() -> None:
    assert set(SOURCES) == set(SOURCE_KINDS)
    assert all(facts.kind == kind for kind, facts in SOURCES.items())


def test_benchmarks_and_restricted_sources_are_marked() -> None:
    benchmarks = {"teleqna", "teleqna_short", "teleqna_traces", "math", "telemath", "gsm8k_solutions", "tau2"}
    assert benchmarks <= {kind for kind, facts in SOURCES.items() if facts.benchmark}
    restricted = {kind for kind, facts in SOURCES.items() if facts.redistribution == "restricted"}
    assert restricted == {kind for kind in SOURCES if kind.startswith("teleqna")}
