"""Which rows of a source are read, and which of its columns is taken for what: `where` and `columns` of a section.

where = "language = 'en' and meta.turns < 3"         on the source's own columns, by polars; never run as Python
columns = { query = "question", chosen = "better", rejected = "answers.1.text" }
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from pipelines.sources.rows import Located
from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import RecipeError, SourceError
from schemas.preference import UnreadableRow

_BATCH = 256
_SHOWN = 24
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`")
_QUERY = re.compile(r"\bselect\b", re.IGNORECASE)  # polars would run it while it reads the condition, files and all
_OF_SEVERAL = {"Agg", "Over", "Explode", "Correlation", "Quantile", "Rank"}
"""What polars calls the parts of an expression that look at several rows; `Len` is one too."""
_ABSENT = object()
_TRIES = 625
"""So many ways to give nulls a type are tried: all of them for up to four nulls."""


def selected(section: Any, located: Iterable[Located], left_out: Callable[[int], None]) -> Iterator[Located]:
    """Return the rows that a section wants, with its names for their columns; `left_out` is told of the others.

    Unreadable rows stay. Raises RecipeError for a condition that is none, and SourceError, at the end of the rows, for
    a column that none of them has.
    """
    where, columns = section.where, getattr(section, "columns", None)
    columns = {name: [path] if isinstance(path, str) else path for name, path in (columns or {}).items()}
    test, paths = _condition(section.source, where) if where is not None else (None, [])
    unseen = dict.fromkeys(paths, "where names")
    unseen |= {path: f"columns takes {name} from" for name, paths in columns.items() for path in paths}
    if not unseen:
        yield from located
        return
    known: dict[str, None] = {}
    lacked: set[str] = set()
    rows = _noted(located, unseen, lacked, known)
    for location, row in rows if test is None else _kept(section.source, test, paths, rows, left_out):
        if columns and not isinstance(row, UnreadableRow):
            row = _renamed(row, columns, section.columns)
        yield location, row
    if path := next((path for path in unseen if path in lacked), None):
        raise SourceError(f"{section.source}: {unseen[path]} {path!r}, which no row has; {_names(known)}")


def _noted(
    located: Iterable[Located], unseen: dict[str, str], lacked: set[str], known: dict[str, None]
) -> Iterator[Located]:
    """Return the rows; of the paths in `unseen` only those are left that none of the rows had.

    Paths that a row lacks go into `lacked`: a null says neither.
    """
    for location, row in located:
        if unseen and not isinstance(row, UnreadableRow):
            if len(known) < _SHOWN:
                known |= dict.fromkeys(row)
            for path in list(unseen):
                value = value_at(row, path, _ABSENT)
                if value is _ABSENT:
                    lacked.add(path)
                elif value is not None:
                    del unseen[path]
        yield location, row


def _names(known: Mapping[str, Any]) -> str:
    return f"its columns: {', '.join(shown(name).strip(chr(39)) for name in list(known)[:_SHOWN])}"


def _renamed(row: Row, columns: Mapping[str, Sequence[str]], given: Mapping[str, Any]) -> Row:
    """Return a row of the named columns alone. A list of paths makes a list of values."""
    found = {name: [value_at(row, path) for path in paths] for name, paths in columns.items()}
    return {name: values[0] if isinstance(given[name], str) else values for name, values in found.items()}


def value_at(row: Row, path: str, absent: Any = None) -> Any:
    """Return what stands at a path of keys and places in lists: `absent` where there is nothing, None below a null."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part, absent)
        elif isinstance(value, list) and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return None if value is None else absent
    return value


def _condition(source: str, where: str) -> tuple[Any, list[str]]:
    """Return (polars expression, paths that are its columns). Raises RecipeError."""
    # Here and not above: most sources have no condition.
    import polars as pl

    if _QUERY.search(_QUOTED.sub("''", where)):
        raise RecipeError(f"{source}: where holds a query of its own; write a condition on the columns of a row")
    try:
        test = pl.sql_expr(where)
    except (pl.exceptions.PolarsError, UnicodeEncodeError) as error:
        words = f"{source}: where is no condition in SQL, such as language = 'en': {first_line(error)}"
        raise RecipeError(words) from None
    paths: dict[str, None] = {}
    tree = _by_paths(source, json.loads(test.meta.serialize(format="json")), paths)
    if not paths:
        raise RecipeError(f"{source}: where names no column; write a condition on the columns of a row")
    test = pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")
    return test.alias("kept"), list(paths)


def _by_paths(source: str, tree: Any, paths: dict[str, None]) -> Any:
    """Return an expression's tree with a column for each path into a struct: a field that a row lacks is null then.

    `paths` gets all of its columns. Raises RecipeError for an expression that looks at several rows.
    """
    if isinstance(tree, list):
        return [_by_paths(source, item, paths) for item in tree]
    if tree == "Len" or (isinstance(tree, dict) and tree.keys() & _OF_SEVERAL):
        raise RecipeError(_several(source))
    if not isinstance(tree, dict) or "Literal" in tree:
        return tree
    if path := _path_in(tree):
        paths[path] = None
        return {"Column": path}
    return {key: _by_paths(source, item, paths) for key, item in tree.items()}


def _path_in(tree: Any) -> str | None:
    """Return the path that a part of an expression is, if it is one."""
    match tree:
        case {"Column": str(name)}:
            return name
        case {"Function": {"input": [within], "function": {"StructExpr": {"FieldByName": str(name)}}}}:
            above = _path_in(within)
            return above and f"{above}.{name}"
    return None


def _kept(
    source: str, test: Any, paths: Sequence[str], located: Iterator[Located], left_out: Callable[[int], None]
) -> Iterator[Located]:
    """Return the rows that pass, and a row of which the condition cannot tell as an unreadable one."""
    while batch := list(islice(located, _BATCH)):
        alike: defaultdict[Any, list[int]] = defaultdict(list)
        read = {
            index: [_comparable(value_at(row, path)) for path in paths]
            for index, (_, row) in enumerate(batch)
            if not isinstance(row, UnreadableRow)
        }
        for index, values in read.items():
            alike[tuple(map(type, values))].append(index)
        # Rows whose values are of the same types are tried together, so that no row's types decide on another one's.
        verdicts: dict[int, bool | RowError] = {}
        for indices in alike.values():
            columns = dict(zip(paths, zip(*map(read.__getitem__, indices), strict=True), strict=True))
            verdicts.update(zip(indices, _verdicts(source, test, columns), strict=True))
        left_out(sum(verdict is False for verdict in verdicts.values()))
        for index, (location, row) in enumerate(batch):
            verdict = verdicts.get(index, True)
            if isinstance(verdict, RowError):
                yield location, verdict.row(location)
            elif verdict:
                yield location, row


def _comparable(value: Any) -> Any:
    """Return a value as a condition sees it.

    An object, which polars would find equal to 1 if its only field is, is a list that holds it. NaN, which polars would
    find greater than any number, is null.
    """
    if isinstance(value, dict):
        return [value]
    return None if isinstance(value, float) and value != value else value


def _verdicts(source: str, test: Any, columns: Mapping[str, Sequence[Any]]) -> list[bool | RowError]:
    """Return for each row whether it passes, or why that cannot be told. What is missing is null, as in SQL.

    Each of the columns has values of one type, or nulls alone.
    """
    import polars as pl

    n_rows, errors = len(next(iter(columns.values()))), []
    nulls = [path for path, values in columns.items() if values[0] is None]
    # A null has any type: one that the condition takes is as good as another.
    kinds: tuple[Any, ...] = (pl.Null, pl.String, pl.Int64, pl.Boolean, pl.List(pl.String))
    for types in islice(product(kinds, repeat=len(nulls)), _TRIES):
        try:
            kept = pl.DataFrame(columns, schema_overrides=dict(zip(nulls, types, strict=True))).select(test)["kept"]
            break
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
            errors.append(first_line(error))
        except pl.exceptions.PanicException as error:
            raise RecipeError(f"{source}: polars cannot work out where: {first_line(error)}; write another") from None
    else:
        if n_rows > 1:
            each = ({path: [values[index]] for path, values in columns.items()} for index in range(n_rows))
            return [verdict for one in each for verdict in _verdicts(source, test, one)]
        return [RowError("where_unclear", f"where cannot tell of {_types(columns)}: {errors[0]}")]
    if kept.dtype not in (pl.Boolean, pl.Null):
        raise RecipeError(f"{source}: where gives no yes or no but {kept.dtype}; write a condition, such as x > 3")
    if len(kept) != n_rows:
        raise RecipeError(_several(source))
    return [verdict is True for verdict in kept.to_list()]


def _several(source: str) -> str:
    return f"{source}: where looks at several rows at once; write a condition on the columns of one"


def _types(columns: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(f"{shown(name)} = {shown(value[0], 30)}" for name, value in columns.items())
