"""A choice as the polars expression that gives the same rows, for a notebook."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.exploring.choosing import ANY, Choice, codes_pass, members_with_texts, pattern_of, words_in
from pipelines.exploring.columns import Codes, Columns
from pipelines.exploring.tables import N_RESPONSES, ORDER, STATUS

_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def expression_of(columns: Columns, location: str, choice: Choice) -> str:
    """Return the polars expression that gives the same rows, from the files as they lie."""
    view = columns.view
    statuses = list(dict.fromkeys(shard.status for shard in view.shards))
    if any(name == STATUS for name, _, _ in choice.where):
        held = columns.held(STATUS)
        assert isinstance(held, Codes)
        masks = [codes_pass(held, op, value) for name, op, value in choice.where if name == STATUS]
        kept = np.unique(held.codes[np.logical_and.reduce(masks)]).tolist()
        statuses = [held.values[code - 1] for code in kept]
    names = [f"{view.name}/{status}" if status else view.name for status in statuses]
    prefix = [f"{location}/{name}-*.parquet" for name in names]
    parts = [f"pl.scan_parquet({json.dumps(prefix)})"]
    parts += [f".filter({_condition(columns, *one)})" for one in choice.where if one[0] != STATUS]
    if words := words_in(choice.words):
        names = view.any_text if choice.within == ANY else [choice.within]
        for word in words:
            pattern = repr(pattern_of(word))
            tests = [holds_words(view.by_name[name].type, column_of(columns, name), pattern) for name in names]
            parts.append(f".filter({_any_of(tests)})")
    if choice.sort and choice.sort != STATUS:
        parts.append(f".sort({column_of(columns, choice.sort)}, descending={choice.descending}, nulls_last=True)")
    return "".join(parts)


def column_of(columns: Columns, name: str) -> str:
    """Return the expression of a column, or of a member of a struct."""
    if name == N_RESPONSES and ORDER in columns.view.by_name:
        return f'pl.col("{ORDER}").list.len()'
    top, *rest = name.split(".")
    return f'pl.col("{top}")' + "".join(f'.struct.field("{member}")' for member in rest)


def _condition(columns: Columns, name: str, op: str, value: Any) -> str:
    column, said = column_of(columns, name), repr(value)
    if op == "contains":
        return holds_words(columns.view.by_name[name].type, column, repr(pattern_of(str(value))))
    if op == "in" or (op == "not" and isinstance(value, list)):
        return f"{'~' if op == 'not' else ''}{column}.is_in({said}, nulls_equal=True)"
    if op in ("is", "not"):
        return f"{column}.{'eq' if op == 'is' else 'ne'}_missing({said})"
    if op in ("null", "not_null"):
        return f"{column}.is_{op}()"
    return f"{column}.list.contains({said})" if op == "has" else f"({column} {_SIGNS[op]} {said})"


def holds_words(type_: pa.DataType, column: str, pattern: str) -> str:
    """Return the expression that finds a pattern, spelled in Python, in every text of a column, nested ones too."""
    if pa.types.is_list(type_):
        return f"{column}.list.eval({holds_words(type_.value_type, 'pl.element()', pattern)}).list.any()"
    if pa.types.is_struct(type_):
        inner = members_with_texts(type_)
        tests = [holds_words(field.type, f'{column}.struct.field("{field.name}")', pattern) for field in inner]
        return _any_of(tests)
    return f"{column}.str.contains({pattern})"


def _any_of(tests: Sequence[str]) -> str:
    return tests[0] if len(tests) == 1 else f"pl.any_horizontal({', '.join(tests)})"
