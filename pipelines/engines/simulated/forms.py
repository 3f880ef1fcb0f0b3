"""What the simulated engine writes where a request says in which form: as a server that keeps its model to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.engines.simulated.texts import Reasons


def judgement_in_form(body: Mapping[str, Any], said: Reasons, scores: Sequence[int]) -> str | None:
    """Return the judgement in the form that a request's body asks for; None where it asks for none that is known here.

    Of a regex, only the headings that it names are looked at: what it asks for beyond them is not written.
    """
    properties = _member(body, "response_format", "json_schema", "schema", "properties")
    if _member(properties, "scores", "properties"):
        return _json(properties, said, scores)
    regex = _member(body, "structured_outputs", "regex")
    return _text(regex, said, scores) if isinstance(regex, str) else None


def _member(tree: Any, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _json(properties: Mapping[str, Any], said: Reasons, scores: Sequence[int]) -> str:
    names = ("name", "description", "weight")
    written = {
        "principles": [dict(zip(names, criterion, strict=True)) for criterion in said.criteria],
        "critique": "\n".join(said.analysis),
        "scores": dict(zip(properties["scores"]["properties"], scores, strict=True)),
    }
    return orjson.dumps({name: written[name] for name in properties}).decode()


def _text(regex: str, said: Reasons, scores: Sequence[int]) -> str:
    lines = []
    if "Specific Criteria:" in regex:
        lines.append("Specific Criteria:")
        for number, (name, description, weight) in enumerate(said.criteria, 1):
            lines.append(f"{number}. {name} (weight: {weight}%): {description}")
        lines.append("")
    lines += ["Analysis:", *said.analysis, "", f"Scores: \\boxed{{{', '.join(map(str, scores))}}}"]
    return "\n".join(lines)
