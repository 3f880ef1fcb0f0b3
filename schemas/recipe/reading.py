"""Recipes read from TOML, and what is wrong with them said in one line."""

import difflib
import errno
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from schemas.errors import RecipeError
from schemas.recipe.models import ModelSection, SameAsGrm
from schemas.recipe.sources import source_kinds
from schemas.recipe.tree import Recipe
from schemas.secrets import masked

# What is said in place of pydantic's messages, by the type of its error.
_WORDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be lower case letters, digits, - and _, and begin with a letter or digit",
}

# Keys whose values may be, or hold, what nobody may see.
_HIDDEN = {"base_url", "api_key_env", "token_env", "milvus", "extra_body"}
_SHOWN_BITS = 128
_SHOWN_LENGTH = 100
_MAX_BYTES = 16 << 20


def read_recipe(path: Path) -> Recipe:
    """Read and check a TOML recipe.

    Raises RecipeError, one line, naming the key and the nearest right one.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe or a device: it may never end
            raise OSError(errno.EINVAL, "not a regular file")
        if path.is_file() and path.stat().st_size > _MAX_BYTES:
            raise OSError(errno.EFBIG, f"larger than {_MAX_BYTES >> 20} MiB")
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # not UTF-8, or a name that no file can have
        raise RecipeError(f"{path}: cannot be read: {error}") from None
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise RecipeError(f"{path}: not valid TOML: it nests too deep to be read") from None
    except ValueError as error:  # TOMLDecodeError is one, and an integer of thousands of digits raises another
        raise RecipeError(f"{path}: not valid TOML: {error}") from None
    return recipe_of(tree, path.parent, name=str(path))


def recipe_of(tree: dict[str, Any], directory: Path, name: str = "recipe") -> Recipe:
    """Return the recipe of an already parsed tree; relative paths start at `directory`."""
    if "directory" in tree:
        raise RecipeError(f"{name}: unknown key 'directory'")
    try:
        return Recipe.model_validate({**tree, "directory": str(directory)})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = errors[0]
        others = sum(other["type"] != "too_short" for other in errors[1:])  # pydantic adds it when every item failed
        message = f"{name}: {_explain(tree, first)}" + (f" (and {others} more)" if others else "")
        raise RecipeError(message.replace("\n", "\\n")) from None  # a quoted TOML key may hold a line break


def _explain(tree: dict[str, Any], error: Any) -> str:
    """Return one line on a validation error: the key, what is wrong with it, and the way out."""
    loc = error["loc"]
    # Behind these two stands pydantic's name of a union's member, no key.
    keys = [key for depth, key in enumerate(loc) if loc[:depth] != ("models", "difficulty")]
    where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(tree, keys[:-1])
            hint = _near(str(keys[-1]), known) or f"known here: {', '.join(sorted(known))}"
            return f"{where}: unknown key; {hint}"
        case "source_kind":
            given, kinds = error["ctx"]["kind"], ", ".join(source_kinds())
            if given is None:
                return f"{where}: needs a kind, one of {kinds}"
            hint = _near(given, source_kinds())
            return f"{where}.kind: {given!r} is none of {kinds}" + (f"; {hint}" if hint else "")
        case "missing":
            return f"{where}: missing, and has no default"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{where}: must be a table of keys"
        case "tuple_type":
            return f"{where}: must be a list"
    message = _in_our_words(error)
    return (f"{where}: {message}" if where else message) + ("" if _HIDDEN & set(keys) else _got(error["input"]))


def _near(given: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest right one; nothing where none is near."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def _in_our_words(error: Any) -> str:
    """Return what is wrong with a value; pydantic's own words where it is nothing that a recipe usually gets wrong."""
    limits: dict[str, Any] = {
        key: f"{limit:g}" if isinstance(limit, float) else limit for key, limit in error.get("ctx", {}).items()
    }
    match error["type"]:
        case "literal_error":
            expected = limits["expected"].replace("True", "true")
            return f"must be {'one of ' if ' or ' in expected else ''}{expected}"
        case "too_short":
            return f"must have at least {limits['min_length']} item{'s' if limits['min_length'] > 1 else ''}"
        case kind if kind in _WORDS:
            return _WORDS[kind].format(**limits)
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Tuple ")


def _got(given: Any) -> str:
    """Return a value as the end of a message, unless it is no single one, or too long for a line."""
    if isinstance(given, bool):
        return f" (got {str(given).lower()})"
    if not isinstance(given, str | int | float) or (isinstance(given, int) and given.bit_length() > _SHOWN_BITS):
        return ""
    text = masked(repr(given))
    return f" (got {text})" if len(text) <= _SHOWN_LENGTH else f" (got {text[:_SHOWN_LENGTH]}..)"


def _known_keys(tree: Any, keys: list[Any]) -> list[str]:
    """Return the keys of the section that stands at `keys` in the tree."""
    section: Any = Recipe
    for key in keys:
        tree = tree[key] if isinstance(key, int) or key in tree else {}
        if isinstance(key, int):
            section = source_kinds()[tree["kind"]].section
        elif key == "sources":
            section = None
        elif key == "difficulty":
            section = SameAsGrm if "same_as_grm" in tree else ModelSection
        else:
            section = section_type(section.model_fields[key].annotation)
    return [name for name in section.model_fields if name != "directory"] if section else []


def section_type(annotation: Any) -> type[BaseModel]:
    """Return the section class inside `Section | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    section: type[BaseModel] = next(argument for argument in get_args(annotation) if argument is not type(None))
    return section
