"""Reviews: what people found when they looked at sets. No text of the data is in them, and no person's name."""

import unicodedata
from enum import StrEnum

import pyarrow as pa

from schemas.record import content_id, table_schema


class Choice(StrEnum):
    """What a person found."""

    RESPONSE = "response"
    """One response is best; of a set of one response, that it is right or wrong."""
    TIE = "tie"
    """No response is better than all others."""
    CANNOT_TELL = "cannot_tell"


REVIEWS = table_schema(
    "reviews",
    [
        pa.field("set_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("draw_id", pa.string()),
        pa.field("snapshot", pa.string()),
        pa.field("stratum", pa.int32()),
        pa.field("stratum_size", pa.int64()),
        pa.field("n_responses", pa.int32()),
        pa.field("order", pa.list_(pa.int32())),
        pa.field("reviewer", pa.string()),
        pa.field("choice", pa.string()),
        pa.field("chosen", pa.int32()),
        pa.field("after_label", pa.bool_()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
    ],
)
"""A row a person and set. `snapshot` is name@version. `order[p]` is the index in the set of the response at position p.
`reviewer` is a hash of the name. `choice` is null where a drawn set was not answered. `chosen` is the index in the set
of the best response, or the label of a set of one response; null for other choices. `after_label` says that the label
was shown before this choice was made."""


def reviewer_id(*name: str) -> str:
    """Return the id that a person has in place of a name, however it is spaced, capitalised and encoded."""
    return content_id("reviewer", [" ".join(unicodedata.normalize("NFKC", part).casefold().split()) for part in name])
