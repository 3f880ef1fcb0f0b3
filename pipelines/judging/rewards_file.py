"""The file `rewards.py` of a snapshot: `rewards` and the modules that it rests on, as one that stands alone."""

import ast
import inspect
from functools import cache
from importlib import import_module

from pipelines.judging import rewards


@cache
def rewards_source() -> str:
    """Return the text of `rewards.py`: the docstring of `rewards`, and then the code of every module."""
    imports: set[str] = set()
    bodies: dict[str, str] = {}
    _add(rewards.__name__, imports, bodies)
    return "\n".join([f'r"""{rewards.__doc__}"""', "", *sorted(imports), "", "", "\n\n\n".join(bodies.values()), ""])


def _add(name: str, imports: set[str], bodies: dict[str, str]) -> None:
    """Add the code of a module behind that of our modules that it imports, and what else it imports to `imports`."""
    source = inspect.getsource(import_module(name))
    lines = source.split("\n")
    docstring, *others = ast.parse(source).body
    for node in reversed([docstring, *others]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("pipelines.", "schemas.")):
            if node.module not in bodies:
                _add(str(node.module), imports, bodies)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.add(ast.unparse(node))
        elif node is not docstring:
            continue
        del lines[node.lineno - 1 : node.end_lineno]
    bodies[name] = "\n".join(lines).strip("\n")
