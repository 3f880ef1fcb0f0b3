"""By which door a reward is entered, where the user does not say."""

import ast
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.conforming.calls import Door
from schemas.errors import RecipeError

FUNCTIONS = {
    Door.JUDGE: ("judge",),
    Door.VERL: ("compute_score",),
    Door.OPENRLHF: ("reward_func",),
    Door.TRL: ("grm_reward",),
    Door.SLIME: ("slime_reward", "custom_rm"),
}
"""The names by which a file's function tells its door; the first door that fits is taken."""
_PATHS = {"compare": Door.COMPARE, "openrlhf": Door.OPENRLHF, "get_reward": Door.OPENRLHF, "slime": Door.SLIME}
_IN_FILES_ONLY = frozenset({Door.VERL, Door.TRL})


def door_of(target: str, door: str | None, function: str) -> Door:
    """Return the door of an address or a file; raises RecipeError where it has none of that kind."""
    if target.startswith(("http://", "https://")):
        chosen = Door(door or _PATHS.get(urlsplit(target).path.rstrip("/").rpartition("/")[2], Door.JUDGE))
        if chosen in _IN_FILES_ONLY:
            raise RecipeError(f"{chosen} calls a function, not an address: give the file that holds it")
        return chosen
    if door == Door.COMPARE:
        raise RecipeError("compare is a door of services: give an address, or --door judge for a function")
    if door is not None:
        return Door(door)
    names = {function} if function else _functions_in(Path(target))
    fitting = next((one for one, usual in FUNCTIONS.items() if names.intersection(usual)), None)
    if fitting is None:
        known = ", ".join(name for usual in FUNCTIONS.values() for name in usual)
        raise RecipeError(f"{target} has none of the functions {known}: say --function NAME and --door DOOR")
    return fitting


def _functions_in(path: Path) -> set[str]:
    """Return the names of a file's functions, without running it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"{path} is no Python file: {error}") from None
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
