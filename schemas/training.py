"""The training tables, column by column as TRL, verl and their like read them (METHOD section 9)."""

import pyarrow as pa

from schemas.query import MESSAGES
from schemas.record import table_schema

RFT = table_schema(
    "rft",
    [
        pa.field("example_id", pa.string()),
        pa.field("prompt", MESSAGES),
        pa.field("completion", MESSAGES),
        pa.field("set_id", pa.string()),
        pa.field("trajectory_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("n_responses", pa.int32()),
        pa.field("best_position", pa.int32()),
        pa.field("label", pa.int32()),
        pa.field("scores", pa.list_(pa.float64())),
        pa.field("margin", pa.float64()),
        pa.field("pass_count", pa.int32()),
        pa.field("pass_samples", pa.int32()),
        pa.field("has_reference", pa.bool_()),
        pa.field("prompt_tokens", pa.int64()),
        pa.field("completion_tokens", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("prompt_template", pa.string()),
    ],
)

RL = table_schema(
    "rl",
    [
        pa.field("data_source", pa.string()),
        pa.field("prompt", MESSAGES),
        pa.field("ability", pa.string()),
        pa.field("reward_model", pa.struct([pa.field("style", pa.string()), pa.field("ground_truth", pa.string())])),
        pa.field(
            "extra_info",
            pa.struct(
                [
                    pa.field("split", pa.string()),
                    pa.field("index", pa.int64()),
                    pa.field("set_id", pa.string()),
                    pa.field("query_id", pa.string()),
                    pa.field("source", pa.string()),
                    pa.field("license", pa.string()),
                    pa.field("order", pa.list_(pa.int32())),
                    pa.field("n_responses", pa.int32()),
                    pa.field("best_position", pa.int32()),
                    pa.field("label", pa.int32()),
                    pa.field("pass_count", pa.int32()),
                    pa.field("pass_samples", pa.int32()),
                    pa.field("difficulty_model", pa.string()),
                    pa.field("margin", pa.float64()),
                    pa.field("prompt_tokens", pa.int64()),
                ]
            ),
        ),
    ],
)

META_RM = table_schema(
    "meta_rm",
    [
        pa.field("prompt", MESSAGES),
        pa.field("completion", MESSAGES),
        pa.field("label", pa.bool_()),
        pa.field("outcome", pa.string()),
        pa.field("set_id", pa.string()),
        pa.field("trajectory_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("policy", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("sample_index", pa.int32()),
        pa.field("set_correct", pa.int32()),
        pa.field("set_readable", pa.int32()),
        pa.field("margin", pa.float64()),
    ],
)

PAIRS = table_schema(
    "pairs",
    [
        pa.field("prompt", MESSAGES),
        pa.field("chosen", MESSAGES),
        pa.field("rejected", MESSAGES),
        pa.field("margin", pa.float64()),
        pa.field("set_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
    ],
)

GENERAL = table_schema(
    "general",
    [
        pa.field("query_id", pa.string()),
        pa.field("split", pa.string()),
        pa.field("source", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("license", pa.string()),
        pa.field("prompt", MESSAGES),
        pa.field("completion", pa.string()),
        pa.field("drop_reason", pa.string()),
    ],
)
"""General instruction rows on their way into RFT; a stage's table, not published as it is."""
