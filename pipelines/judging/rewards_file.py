"""The file `rewards.py` of a snapshot: the modules that read and reward an answer, as one that stands alone."""

import ast
import inspect
from functools import cache

from pipelines.judging import (
    critiques,
    part_headings,
    rewards,
    score_headings,
    score_items,
    score_lists,
    verdicts,
)
from schemas import thought_tags, thoughts

MODULES = (
    thought_tags,
    thoughts,
    score_items,
    score_headings,
    score_lists,
    verdicts,
    part_headings,
    critiques,
    rewards,
)
"""In the order in which they rest on each other. They import nothing else but the standard library."""


@cache
def rewards_source() -> str:
    """Return the text of `rewards.py`: the docstring of `rewards`, and then the code of every module."""
    imports: set[str] = set()
    bodies: list[str] = []
    for module in MODULES:
        source = inspect.getsource(module)
        lines = source.split("\n")
        docstring, *others = ast.parse(source).body
        for node in [*reversed([one for one in others if isinstance(one, ast.Import | ast.ImportFrom)]), docstring]:
            if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not _is_ours(node)):
                imports.add(ast.unparse(node))
            del lines[node.lineno - 1 : node.end_lineno]
        bodies.append("\n".join(lines).strip("\n"))
    return "\n".join([f'r"""{rewards.__doc__}"""', "", *sorted(imports), "", "", "\n\n\n".join(bodies), ""])


def _is_ours(node: ast.ImportFrom) -> bool:
    return (node.module or "").partition(".")[0] in ("pipelines", "schemas")
