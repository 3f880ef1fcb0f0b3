"""How quickly stored answers are judged: extract, decide, reject, assemble, write, on one core.

`python -m benchmarks.judging [--full]` judges 100,000 stored trajectories (10,000 before and 1,000,000 after them with
--full), prompts of 2.0 kB and answers of 1.3 kB, whose words compress as prose does, and prints a table and one JSON
object. The template is the built-in one without its general criteria: whole, it has 2 kB by itself.

The manifest's checks `leak_probe` and `hint_traces` are a part of assembly, yet no part of judging: they look at some
thousand sets however many there are. Their seconds stand apart, as their second run takes them, and the rate is that of
all the rest. Beside it stands that of a naive loop (`naive_judging`) over 20,000 of the same rows, and at last that of
20,000 trajectories all of whose verdicts are in another form than the canonical one.
"""

import json
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # before polars is imported: the figure is that of one core

import pyarrow as pa

import flows  # noqa: F401 - it sets how polars keeps its memory, as the commands do, before polars is imported
from benchmarks.clients import Silent
from benchmarks.naive_judging import judge_naively
from pipelines.curation.hint_traces import hint_traces
from pipelines.curation.leak_check import leak_probe, source_findings
from pipelines.engines.simulated.engine import SimulatedEngine
from pipelines.judging.draws import draws_of
from pipelines.judging.judging import judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sampled_sets
from pipelines.orders import new_run
from pipelines.steps import CURATE, steps_to_sets
from pipelines.training_sets.assembly import assemble
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide
from pipelines.walk import walked
from schemas.generation import Completion, Request
from schemas.recipe import Recipe, recipe_of
from schemas.record import content_id
from schemas.trajectory import JUDGED, Purpose
from storage.generations import Generations
from storage.journal import JournalWriter, new_run_id
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_frame, read_table

SAMPLES = 4
"""Three non-hinted and one hinted."""
NAIVE_ROWS = 20_000
FORGIVEN_ROWS = 20_000
VERDICT = re.compile(r"\n[^\n]*boxed\{([^}]*)\}[^\n]*\Z")
CANONICAL = "\nScores: \\boxed{%s}"
FORGIVEN = "\n### Final Scores\n[%s]"
READY = ["trajectory_id", "set_id", "mode", "best_position", "order", "prompt", "text"]
"""What the naive loop is given."""
RESPONSE_WORDS = 12
REMARK_WORDS = 55
# 1,000 words of five to nine letters: about a third of their size once compressed, as of prose.
WORDS = ["".join(parts) for parts in product(
    ("ba", "cor", "den", "fil", "gra", "ho", "lin", "mo", "par", "ste"),
    ("ca", "der", "fi", "ga", "le", "mi", "no", "ri", "sa", "tu"),
    ("ble", "d", "ing", "l", "ment", "n", "r", "s", "tion", "ty"),
)]  # fmt: skip


def some_words(seed: str, count: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def write_sets(path: Path, sets: int) -> None:
    """Write sets of four responses."""
    with path.open("w") as file:
        for number in range(sets):
            texts = [f"{some_words(f'{number}.{n}', RESPONSE_WORDS)} ({number}.{n})" for n in range(4)]
            row = {
                "query": f"Question {content_id('question', number)}: which of these is right?",
                "responses": texts,
                "best": number % 4,
            }
            file.write(json.dumps(row) + "\n")


def recipe_for(place: Path) -> Recipe:
    whole = (resources.files("pipelines.judging.templates") / "grm.txt").read_text("utf-8")
    (place / "short.txt").write_text(re.sub("#### General Criteria ####.*?(?=#### Scale)", "", whole, flags=re.DOTALL))
    return recipe_of(
        {
            "build": {"name": "judging", "sets": ["rft"], "root": str(place / "root")},
            "sources": [{"kind": "preference_sets", "path": str(place / "sets.jsonl")}],
            "models": {"grm": {"engine": "simulated"}},
            "grm": {"template": "short.txt"},
            "splits": {"validation": 0.0},
        },
        place,
    )


def store_answers(root: Root, job: SamplingJob, curated: Stage, form: str) -> None:
    """Store an answer of the simulated engine, made longer by some words, for every sample that is wanted.

    Every verdict is written in this form, of which %s is the list of scores.
    """
    engine = SimulatedEngine(job.model)
    with JournalWriter(root, new_run_id()) as journal:
        for asked, completion in _answers(engine, job, curated, form):
            journal.append(asked, completion)


def _answers(
    engine: SimulatedEngine, job: SamplingJob, curated: Stage, form: str
) -> Iterator[tuple[Request, Completion]]:
    for _, sets in sampled_sets(curated):
        for preference in sets:
            for draws in draws_of(job, preference):
                while following := list(draws.following()):
                    for draw in following:
                        request = draws.request(draw)
                        answered = engine.answer(request)
                        text = VERDICT.sub(lambda found: form % found[1], answered.text or "")
                        completion = replace(answered, text=text)
                        draws.outcomes[draw.sample_index] = draws.outcome_of(draw, completion)
                        remarks = f"\nAnalysis:\n{some_words(request.request_id, REMARK_WORDS)}.\n"
                        text = (completion.text or "").replace("\nAnalysis:\n", remarks)
                        yield request, replace(completion, text=text)


def measured(trajectories: int, form: str = CANONICAL) -> dict[str, float]:
    """Return how long it takes to judge so many stored trajectories, and their mean sizes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_sets(place / "sets.jsonl", trajectories // SAMPLES)
        recipe = recipe_for(place)
        root = Root.open(recipe.build.root)
        curated = walked(steps_to_sets(recipe, []), root, new_run(recipe, {}, Silent()))[CURATE].stage
        job = sampling_job(recipe, Purpose.RFT)
        assert job is not None
        store_answers(root, job, curated, form)
        source_findings(curated, recipe.grm.shown)  # curation's, and kept; it loads the probe's libraries
        Generations(root)  # folds the journal, as sampling does at its end
        started = time.perf_counter()
        judged = judge(root, job, curated)
        between = time.perf_counter()
        assemble(recipe, root, [], curated, {Purpose.RFT: judged})
        seconds = time.perf_counter() - started
        decided = decide(
            read_frame(judged.paths("judged"), JUDGED, DECISION_COLUMNS), recipe.rejection, recipe.grm.n_rft
        )
        again = time.perf_counter()
        leak_probe(recipe.grm.shown, recipe.leaks.threshold, curated, {Purpose.RFT: judged}, {Purpose.RFT: decided})
        hint_traces(curated, judged, decided)
        probe = time.perf_counter() - again
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ready = read_table(judged.paths("judged")[:1], JUDGED, READY).slice(0, NAIVE_ROWS)
        again = time.perf_counter()
        naive = judge_naively(ready, place) / (time.perf_counter() - again)
        some = read_table(judged.paths("judged")[:1], JUDGED, ["prompt", "text"]).slice(0, 1000).to_pylist()
        return {
            "rows": judged.rows("judged"),
            "seconds": seconds - probe,
            "judge_s": between - started,
            "probe_s": probe,
            "peak_mb": peak_kb / 1024,
            "naive_per_s": naive,
            "prompt_bytes": sum(len(row["prompt"][0]["content"]) for row in some) / len(some),
            "answer_bytes": sum(len(row["text"] or "") for row in some) / len(some),
        }


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # as the commands do
    sizes = [10_000, 100_000, 1_000_000] if "--full" in sys.argv[1:] else [100_000]
    print(
        f"{'trajectories':>12} {'seconds':>8} {'judge':>8} {'probe':>8} {'per s':>8} "
        f"{'prompt B':>9} {'answer B':>9} {'peak MB':>8} {'naive/s':>8}"
    )
    for size in sizes:
        found = measured(size)
        rate = found["rows"] / found["seconds"]
        print(
            f"{found['rows']:>12,.0f} {found['seconds']:>8.2f} {found['judge_s']:>8.2f} {found['probe_s']:>8.2f} "
            f"{rate:>8,.0f} {found['prompt_bytes']:>9,.0f} {found['answer_bytes']:>9,.0f} {found['peak_mb']:>8,.0f} "
            f"{found['naive_per_s']:>8,.0f}"
        )
    forgiven = measured(FORGIVEN_ROWS, FORGIVEN)
    figures = {
        "rows": found["rows"],
        "trajectories_per_s": round(rate),
        "naive_per_s": round(found["naive_per_s"]),
        "forgiven_per_s": round(forgiven["rows"] / forgiven["seconds"]),
        "peak_mb": round(found["peak_mb"]),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
