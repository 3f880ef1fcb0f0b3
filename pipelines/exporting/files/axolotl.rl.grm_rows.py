"""Rows of `rl` as axolotl hands them to GRPO: `type: grm_rows.rows`. They are taken as they are."""


def rows(cfg, *args, **kwargs):
    """Return the function that axolotl maps over the rows, and what it removes of them."""

    def row_as_it_is(row, tokenizer=None):
        return {"prompt": row["prompt"]}

    return row_as_it_is, {"remove_columns": ["id"]}
