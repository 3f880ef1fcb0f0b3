"""A server that writes rubrics and judges by them, always the same, and questions whose answers it can tell apart."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.rubrics.making import Made
from pipelines.steps import build_rubrics
from schemas.recipe import Recipe
from schemas.rubric import Origin, Rubric
from storage.root import Root
from storage.rubric_tables import read_rubrics
from tests.examples import a_recipe, a_run, simulated, write_rows
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat

WORDS = """
antennas batteries compilers dialects elevators fossils glaciers hydrogen insects journals kilns
lanterns mirrors notation orchards pendulums quarries ribosomes satellites tariffs umbrellas vaccines
weaving xylem yeast zoning
"""
SUBJECTS = WORDS.split()
CRITERIA: Sequence[tuple[str, int, str, Callable[[str], bool]]] = (
    ("Gives a reason for what it claims.", 8, "rule", lambda answer: "because" in answer),
    ("Gives a reason for what it is claiming.", 3, "principle", lambda answer: "because" in answer),
    ("Is written in plain English words.", 2, "principle", lambda answer: True),
    ("Quotes a page of a printed book.", 5, "principle", lambda answer: "page" in answer),
    ("Ends on an exclamation mark.", 4, "principle", lambda answer: answer.endswith("!")),
    ("Boasts of its own certainty.", -6, "pitfall", lambda answer: "certainly" in answer),
)
"""(text, points, kind, whether an answer meets it): one that tells, its paraphrase, one that all meet, one that nobody
meets, one that only worse answers meet, and a pitfall."""


def write_questions(path: Path, count: int, responses: int = 3, **given: Any) -> None:
    """Write so many questions, no two of them alike; the best answer gives a reason."""
    write_rows(
        path,
        [
            {
                "id": f"row {number:03}",
                "query": f"Tell me how {SUBJECTS[number % len(SUBJECTS)]} {number * 7919} came about, please.",
                "responses": [f"In step {number}, because of a cause."]
                + [f"Certainly: certainly in way {index} of {number}!" for index in range(1, responses)],
                "best": 0,
            }
            | given
            for number in range(count)
        ],
    )


def written(criteria: Sequence[Sequence[Any]] = CRITERIA) -> str:
    """Return a rubric as a model writes it."""
    listed = [{"text": text, "points": points, "kind": kind, "tags": ["t"]} for text, points, kind, *_ in criteria]
    return json.dumps({"criteria": listed})


def is_judgement(body: Mapping[str, Any]) -> bool:
    return bool(body["response_format"]["json_schema"]["name"] == "judgement")


def judged(body: Mapping[str, Any]) -> Reply:
    """Judge an answer by the criteria of the prompt."""
    prompt = body["messages"][-1]["content"]
    answer = re.search(r"#### Answer ####\n(.*?)\n\n#### Criteria ####", prompt, re.DOTALL)
    assert answer is not None
    listed = re.findall(r"^\d+\. (.*)$", prompt.split("#### Criteria ####")[1], re.MULTILINE)
    rules = {text: rule for text, _, _, rule in CRITERIA}
    met = [rules[text](answer[1]) if text in rules else "because" in answer[1] for text in listed]
    return chat(json.dumps({"met": {str(number): one for number, one in enumerate(met, 1)}}))


def by_these_criteria(body: dict[str, Any]) -> Reply:
    return judged(body) if is_judgement(body) else chat(written())


def served(server: StandIn, **model: Any) -> dict[str, Any]:
    """Return the section of a model behind a stand-in."""
    return {"engine": "openai", "model": "stand-in", "base_url": server.url} | model


def the_recipe(folder: Path, rubric_model: Mapping[str, Any], **sections: Any) -> Recipe:
    """Return a recipe over folder/own.jsonl whose rubrics this model makes."""
    usual: dict[str, Any] = {
        "build": {"name": "ruled", "seed": 7, "sets": ["rft"]},
        "models": {"grm": simulated(), "rubric": dict(rubric_model)},
        "splits": {"validation": 0.0},
        "rubrics": {"queries": 4, "panel": 9},
    }
    return a_recipe(folder, **usual | sections)


def made(recipe: Recipe, root: Root, environment: Mapping[str, str] | None = None) -> Made:
    run = a_run(recipe)[0]
    return build_rubrics(recipe, root, replace(run, keys=environment or run.keys))


def generated(root: Root) -> list[Rubric]:
    return [one for one in read_rubrics(root) if one.origin == Origin.GENERATED]
