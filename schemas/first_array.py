"""Makes pyarrow's first array when it is imported, so that pyarrow does not import pandas for it.

That import would take a quarter of a second in every command, and nothing here needs it. `to_pandas` still imports
pandas when it is called.
"""

import sys

import pyarrow as pa


class _NoPandas:
    """A finder that finds no pandas."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError("not looked for")


if "pandas" not in sys.modules:
    _finder = _NoPandas()
    sys.meta_path.insert(0, _finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_finder)
