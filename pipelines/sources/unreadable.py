"""Unreadable rows as a source's facts tell of them: counted by reason, the first few shown."""

from bisect import insort
from collections import Counter, defaultdict
from operator import attrgetter
from typing import Any

from schemas.preference import UnreadableRow

EXAMPLES = 5
"""Unreadable rows shown for each reason."""


class Unreadable:
    """Counts of unreadable rows. Of each reason the first few by source_id are held."""

    def __init__(self) -> None:
        self.first: UnreadableRow | None = None
        self._counts: Counter[str] = Counter()
        self._examples: defaultdict[str, list[UnreadableRow]] = defaultdict(list)

    @property
    def rows(self) -> int:
        return self._counts.total()

    def add(self, row: UnreadableRow) -> None:
        self.first = self.first or row
        self._counts[row.reason] += 1
        examples = self._examples[row.reason]
        insort(examples, row, key=attrgetter("source_id"))
        del examples[EXAMPLES:]

    def reasons(self) -> list[dict[str, Any]]:
        """Return an entry for each reason, as a manifest has them."""
        return [
            {
                "reason": reason,
                "rows": self._counts[reason],
                "examples": [{"source_id": row.source_id, "detail": row.detail} for row in self._examples[reason]],
            }
            for reason in sorted(self._counts)
        ]
