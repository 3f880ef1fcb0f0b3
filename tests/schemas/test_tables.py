"""The Arrow schemas are those of the published contract: names, order and types."""

import pyarrow as pa
import pytest

from schemas.generation import GENERATIONS
from schemas.preference import SETS_TABLE, Response
from schemas.training import META_RM, PAIRS, RFT, RL
from schemas.trajectory import REJECT_PRECEDENCE, TRAJECTORIES, Outcome, RejectReason

# The tables as the contract words them, Messages being list<struct<role, content>>.
CONTRACT = {
    "sets": """
        set_id query_id cluster split benchmark:bool source source_id source_revision license domain
        query:messages reference responses:responses n_responses:int32 best:int32 label:int32 margin:double
        label_source drop_reason retagged_best:int32 votes:list<int32>
        given_principles given_ids:list<string> own_rubric contaminated_by contaminated_row overlap:double
        label_suspicion:double suspicion_reasons:list<string>
    """,
    "trajectories": """
        trajectory_id request_id set_id query_id source domain split purpose mode sample_index:int32 model
        prompt_template temperature:double order:list<int32> prompt:messages text reasoning
        principles:principles critique scores:list<double> margin:double outcome accepted:bool reject_reason
        has_reference:bool finish_reason prompt_tokens:int64 completion_tokens:int64 verdict_form
        agreement:double vote_margin:double score_spread:double
    """,
    "rft": """
        example_id prompt:messages completion:messages set_id trajectory_id query_id source license domain
        mode n_responses:int32 best_position:int32 label:int32 scores:list<double> margin:double
        pass_count:int32 pass_samples:int32 has_reference:bool prompt_tokens:int64 completion_tokens:int64
        model prompt_template
    """,
    "rl": """
        data_source prompt:messages ability reward_model:reward_model extra_info:extra_info
    """,
    "meta_rm": """
        prompt:messages completion:messages label:bool outcome set_id trajectory_id query_id source license
        domain policy origin sample_index:int32 set_correct:int32 set_readable:int32 margin:double
    """,
    "pairs": """
        prompt:messages chosen:messages rejected:messages margin:double set_id query_id source license
    """,
    "generations": """
        request_id query_id role request text reasoning finish_reason error served_model prompt_tokens:int64
        completion_tokens:int64 cached_tokens:int64 reasoning_tokens:int64 cost_usd:double logprob:double
        created_at:timestamp run_id
    """,
}

STRUCTS = {
    "responses": "text reasoning turns model origin reward:double tokens:int32",
    "principles": "name description weight:double",
    "reward_model": "style ground_truth",
    "extra_info": "split index:int64 set_id query_id source license order:list<int32> n_responses:int32 "
    "best_position:int32 label:int32 pass_count:int32 pass_samples:int32 difficulty_model margin:double "
    "prompt_tokens:int64",
    "messages": "role content",
}

PLAIN = {
    "": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "list<int32>": pa.list_(pa.int32()),
    "list<string>": pa.list_(pa.string()),
    "list<double>": pa.list_(pa.float64()),
}


def fields(words: str) -> list[tuple[str, pa.DataType]]:
    named = []
    for word in words.split():
        name, _, kind = word.partition(":")
        if kind in STRUCTS:
            struct = pa.struct(fields(STRUCTS[kind]))
            named.append((name, struct if kind in ("reward_model", "extra_info") else pa.list_(struct)))
        else:
            named.append((name, PLAIN[kind]))
    return named


@pytest.mark.parametrize("schema", [SETS_TABLE.schema, TRAJECTORIES, RFT, RL, META_RM, PAIRS, GENERATIONS])
def test_a_table_is_what_the_contract_says(schema: pa.Schema) -> None:
    table = (schema.metadata or {})[b"grmforge.table"].decode()
    assert [(field.name, field.type) for field in schema] == fields(CONTRACT[table])


def test_responses_hold_what_a_response_is() -> None:
    assert set(STRUCTS["responses"].replace(":double", "").replace(":int32", "").split()) == set(Response.__slots__)


def test_every_reason_has_its_place_in_the_precedence() -> None:
    """An outcome comes before every rule, what the text lacks or says before the rest, and the recipe's caps last."""
    assert set(REJECT_PRECEDENCE) == {*(set(Outcome) - {Outcome.CORRECT}), *RejectReason}
    assert len(REJECT_PRECEDENCE) == len(set(REJECT_PRECEDENCE))
    assert REJECT_PRECEDENCE[-len(RejectReason) :] == (
        "draft_verdict",
        "no_critique",
        "no_principles",
        "hint_leak",
        "too_easy",
        "undecided",
        "label_suspect",
        "hint_unconfirmed",
        "row_too_long",
        "label_balance",
        "position_balance",
        "hinted_share",
        "max_accepted",
    )


def test_three_outcomes_are_readable() -> None:
    assert {outcome.value for outcome in Outcome if outcome.readable} == {"correct", "incorrect", "tied"}
