"""What is trained on as an answer: the trajectory's text, its verdict in the one form that the prompt asks for."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.prompts import score_range
from pipelines.judging.verdicts import FORGIVEN, answer_of, canonical_text, read_verdict
from schemas.columns import replaced
from schemas.query import single_turns


def completions(trajectories: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return a completion a trajectory, in their order; of JUDGED, text, n_responses and verdict_form are needed.

    A forgiven verdict is rewritten as the canonical last line; what followed it goes. The text as answered stays in
    the table of trajectories.
    """
    is_forgiven = pc.fill_null(pc.equal(trajectories.column("verdict_form"), FORGIVEN), False)
    forgiven = trajectories.filter(is_forgiven).select(["text", "n_responses"]).to_pylist()
    rewritten = pa.array([rewritten_answer(row["text"], row["n_responses"]) for row in forgiven], pa.string())
    return single_turns("assistant", replaced(trajectories.column("text"), is_forgiven, rewritten))


def rewritten_answer(text: str, n_responses: int) -> str:
    """Return an answer whose verdict is its last line.

    Where an earlier verdict was taken back in the line of the last one ("Final scores"), the answer stays as it is:
    without these words nobody could tell which of the two holds. Such answers are in no RFT set.
    """
    answer = answer_of(text)
    return canonical_text(answer, read_verdict(answer, n_responses, *score_range(n_responses)))
