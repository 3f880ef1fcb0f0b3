"""What judges, the teacher and the verifier say of each set: votes on its responses, the label left aside.

A readable sample is one vote, on the response with its highest score; of m that share it, each gets 1/m. Hinted samples
were told the label, and have no vote. A model is one judge whatever it was asked for: its samples err together. The
vote of a single response's judge goes to one of two labels, 0 or 1, which stand where others have responses.
"""

from collections.abc import Callable, Mapping

import polars as pl

from pipelines.training_sets.rejection import READABLE_OUTCOMES
from schemas.trajectory import JUDGED, Mode, Outcome, Purpose
from storage.stages import Stage
from storage.tables import BucketReader

TEACHER = "the teacher's votes"
VERIFIER = "the verifier"
NOT_JUDGES = (TEACHER, VERIFIER)

VOTES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "set_id": pl.String,
    "judge": pl.String,
    "response": pl.Int32,
    "votes": pl.Float64,
}
PATTERN = ("source", "judge", "n_responses", "on_label", "others")
_COLUMNS = ("query_id", "set_id", "model", "mode", "outcome", "order", "scores", "label")


def votes_reader(judged: Mapping[Purpose, Stage]) -> Callable[[str], pl.DataFrame]:
    """Return what reads the votes of all judges, on and on, up to a query_id: set_id, judge, response and votes."""
    readers = [BucketReader(stage.paths("judged"), JUDGED, _COLUMNS) for stage in judged.values()]

    def before(end: str) -> pl.DataFrame:
        parts = [votes_of(pl.DataFrame(reader.before(end))) for reader in readers]
        return _added_up(pl.concat([pl.DataFrame(schema=VOTES), *parts]))

    return before


def votes_of(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the votes of judged samples, which have set_id, model, mode, outcome, order, scores and label."""
    readable = judged.filter(
        (pl.col("mode") == Mode.NON_HINTED.value) & pl.col("outcome").is_in(READABLE_OUTCOMES)
    ).with_columns(judge="model")
    several = (
        readable.filter(pl.col("label").is_null())
        .with_row_index("sample")
        .select("sample", "set_id", "judge", pl.col("order").alias("response"), "scores")
        .explode("response", "scores")
        .filter(pl.col("scores") == pl.col("scores").max().over("sample"))
        .with_columns(votes=1 / pl.len().over("sample"))
    )
    agrees = pl.col("outcome") == Outcome.CORRECT.value
    single = readable.filter(pl.col("label").is_not_null()).with_columns(
        response=pl.when(agrees).then("label").otherwise(1 - pl.col("label")), votes=pl.lit(1.0)
    )
    return _added_up(
        pl.concat([part.select(pl.col(name).cast(kind) for name, kind in VOTES.items()) for part in (several, single)])
    )


def patterns_of(votes: pl.DataFrame) -> pl.DataFrame:
    """Return how many sets got the same votes from a judge: judge, source, n_responses, on_label, others and sets.

    `votes` has a row a set and judge: judge, source, n_responses, on_label (votes), and others, the votes of each other
    response that has any; or it has patterns of several parts of the sets.
    """
    sets = pl.col("sets").sum() if "sets" in votes.columns else pl.len()
    return votes.group_by(*PATTERN).agg(sets=sets.cast(pl.Int64)).sort(*PATTERN)


def teachers_votes(sets: pl.DataFrame) -> pl.DataFrame:
    """Return the votes on sets that were judged again; `sets` has row and votes."""
    return (
        sets.filter(pl.col("votes").is_not_null())
        .select(
            "row",
            pl.col("votes").cast(pl.List(pl.Float64)),
            response=pl.int_ranges(pl.col("votes").list.len(), dtype=pl.Int32),
        )
        .explode("votes", "response")
        .filter(pl.col("votes") > 0)
        .select("row", pl.lit(TEACHER).alias("judge"), "response", "votes")
    )


def _added_up(votes: pl.DataFrame) -> pl.DataFrame:
    keys = ["set_id", "judge", "response"]
    return votes.group_by(keys).agg(pl.col("votes").sum().round(6)).sort(keys)
