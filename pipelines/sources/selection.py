"""Which rows of a source are read, and which of its columns is taken for what: `where` and `columns` of a section.

where = "language = 'en' and meta.turns < 3"         on the source's own columns, by polars; never run as Python
columns = { query = "question", chosen = "better", rejected = "answers.1.text" }
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pipelines.sources.rows import Located
from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import RecipeError, SourceError
from schemas.preference import UnreadableRow

_BATCH = 256
_SHOWN = 24
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`")
_QUERY = re.compile(r"\bselect\b", re.IGNORECASE)  # polars would run it while it reads the condition, files and all
_OF_SEVERAL = re.compile(
    r"\b(?:over|sum|avg|mean|min|max|count|first|last|first_value|last_value|median|quantile_\w+|stddev\w*|stdev\w*|var\w*|"
    r"variance|corr|covar\w*|row_number|rank|dense_rank|lag|lead)\s*\(",
    re.IGNORECASE,
)


def selected(section: Any, located: Iterable[Located], left_out: Callable[[int], None]) -> Iterator[Located]:
    """Return the rows that a section wants, with its names for their columns; `left_out` is told of the others.

    Unreadable rows stay. Raises RecipeError for a condition that is none, and SourceError, at the end of the rows, for
    a column that none of them has.
    """
    where, columns = section.where, getattr(section, "columns", None)
    columns = {name: [path] if isinstance(path, str) else path for name, path in (columns or {}).items()}
    test, needed = _condition(section.source, where) if where is not None else (None, [])
    unseen = dict.fromkeys(needed, "where names")
    unseen |= {path: f"columns takes {name} from" for name, paths in columns.items() for path in paths}
    known: dict[str, None] = {}
    rows = _noted(located, unseen, known)
    for location, row in rows if test is None else _kept(section.source, test, needed, rows, left_out):
        if columns and not isinstance(row, UnreadableRow):
            row = _renamed(row, columns, section.columns)
        yield location, row
    if unseen and known:
        path, words = next(iter(unseen.items()))
        raise SourceError(f"{section.source}: {words} {path!r}, which no row has; {_names(known)}")


def _noted(located: Iterable[Located], unseen: dict[str, str], known: dict[str, None]) -> Iterator[Located]:
    """Return the rows; of the paths in `unseen` only those are left that none of the rows had."""
    for location, row in located:
        if unseen and not isinstance(row, UnreadableRow):
            if len(known) < _SHOWN:
                known |= dict.fromkeys(row)
            for path in [path for path in unseen if path in row or path.partition(".")[0] in row]:
                del unseen[path]
        yield location, row


def _names(known: Mapping[str, Any]) -> str:
    return f"its columns: {', '.join(shown(name).strip(chr(39)) for name in list(known)[:_SHOWN])}"


def _renamed(row: Row, columns: Mapping[str, Sequence[str]], given: Mapping[str, Any]) -> Row:
    """Return a row of the named columns alone. A list of paths makes a list of values."""
    found = {name: [value_at(row, path) for path in paths] for name, paths in columns.items()}
    return {name: values[0] if isinstance(given[name], str) else values for name, values in found.items()}


def value_at(row: Row, path: str) -> Any:
    """Return what stands at a path of keys and places in lists; None where there is nothing."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return None
    return value


def _condition(source: str, where: str) -> tuple[Any, list[str]]:
    """Return (polars expression, columns that it names). Raises RecipeError."""
    # Here and not above: most sources have no condition.
    import polars as pl

    plain = _QUOTED.sub("''", where)
    if _QUERY.search(plain):
        raise RecipeError(f"{source}: where holds a query of its own; write a condition on the columns of a row")
    try:
        test = pl.sql_expr(where)
    except pl.exceptions.PolarsError as error:
        words = f"{source}: where is no condition in SQL, such as language = 'en': {first_line(error)}"
        raise RecipeError(words) from None
    if not (names := list(dict.fromkeys(test.meta.root_names()))):
        raise RecipeError(f"{source}: where names no column; write a condition on the columns of a row")
    if _OF_SEVERAL.search(plain):
        raise RecipeError(_several(source))
    return test.alias("kept"), names


def _kept(
    source: str, test: Any, names: Sequence[str], located: Iterator[Located], left_out: Callable[[int], None]
) -> Iterator[Located]:
    """Return the rows that pass, and a row of which the condition cannot tell as an unreadable one."""
    while batch := list(islice(located, _BATCH)):
        alike: defaultdict[Any, list[int]] = defaultdict(list)
        for index, (_, row) in enumerate(batch):
            if not isinstance(row, UnreadableRow):
                alike[tuple(_shape(row.get(name)) for name in names)].append(index)
        # Rows whose values are of the same types are tried together, so that no row's types decide on another one's.
        verdicts: dict[int, bool | RowError] = {}
        for indices in alike.values():
            rows = [batch[index][1] for index in indices]
            verdicts.update(zip(indices, _verdicts(source, test, names, rows), strict=True))
        left_out(sum(verdict is False for verdict in verdicts.values()))
        for index, (location, row) in enumerate(batch):
            verdict = verdicts.get(index, True)
            if isinstance(verdict, RowError):
                yield location, verdict.row(location)
            elif verdict:
                yield location, row


def _shape(value: Any) -> Any:
    return tuple(sorted((key, _shape(item)) for key, item in value.items())) if isinstance(value, dict) else type(value)


def _verdicts(source: str, test: Any, names: Sequence[str], rows: Sequence[Any]) -> list[bool | RowError]:
    """Return for each row whether it passes, or why that cannot be told. What is missing is null, as in SQL."""
    import polars as pl

    values = {name: [row.get(name) for row in rows] for name in names}
    try:
        kept = pl.DataFrame(values).select(test)["kept"]
    except pl.exceptions.StructFieldNotFoundError:
        return [False] * len(rows)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        if len(rows) > 1:
            return [verdict for row in rows for verdict in _verdicts(source, test, names, [row])]
        if any(value == [None] for value in values.values()):
            return [False]
        return [RowError("where_unclear", f"where cannot tell of {_types(values)}: {first_line(error)}")]
    if kept.dtype not in (pl.Boolean, pl.Null):
        raise RecipeError(f"{source}: where gives no yes or no but {kept.dtype}; write a condition, such as x > 3")
    if len(kept) != len(rows):
        raise RecipeError(_several(source))
    return [verdict is True for verdict in kept.to_list()]


def _several(source: str) -> str:
    return f"{source}: where looks at several rows at once; write a condition on the columns of one"


def _types(values: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(f"{shown(name)} = {shown(value[0], 30)}" for name, value in values.items())
