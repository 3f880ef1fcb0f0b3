"""The training tables, column by column as TRL, verl and their like read them (METHOD section 9)."""

from schemas.query import Messages
from schemas.tables import Column, Int64, Table, splits

RFT_TABLE = Table(
    "rft",
    (
        Column("example_id", str, "Hash of the example."),
        Column("prompt", Messages, "The conversation up to the answer; non-hinted, whatever the sample was."),
        Column("completion", Messages, "One assistant message."),
        Column("set_id", str, "Set that was judged; null for general rows."),
        Column("trajectory_id", str, "Trajectory that the row was made of; null for general rows."),
        Column("query_id"),
        Column("source"),
        Column("license"),
        Column("domain"),
        Column("mode", str, "`non_hinted`, `hinted` (sampled with a hint, stored without) or `general`."),
        Column("n_responses", int, "How many responses are shown; null for general rows."),
        Column("best_position", int, "Position, from 0, of the best as shown; null for one response and general rows."),
        Column("label"),
        Column("scores", tuple[float, ...], "One score a response, in the order shown; null for general rows."),
        Column("margin", float, "Score of the best response less the highest other score."),
        Column("pass_count"),
        Column("pass_samples", int, "Readable non-hinted samples of the set."),
        Column("has_reference"),
        Column("prompt_tokens"),
        Column("completion_tokens"),
        Column("model"),
        Column("prompt_template"),
    ),
    "Rejection-sampled judgements and general instruction rows, for supervised fine-tuning. Prompts are non-hinted, "
    "always.",
    splits("rejective fine-tuning: prompt and completion, for TRL's SFTTrainer and its like"),
)
RFT = RFT_TABLE.schema

RFT_MESSAGES_TABLE = Table(
    "rft_messages",
    (
        Column("example_id", str, "The row of rft."),
        Column("set_id", str, "Set that was judged; null for general rows."),
        Column("query_id"),
        Column("source"),
        Column("messages", Messages, "Prompt and completion as one conversation; the last message is the completion."),
    ),
    "The rows of rft for trainers that want one list of `messages`. It says nothing that rft does not, so the content "
    "hash leaves it out.",
    splits("the rows of rft as one list of messages, for verl's SFT and its like"),
)
RFT_MESSAGES = RFT_MESSAGES_TABLE.schema

_REWARD_MODEL = (
    Column("style", str, "`rule`: by `rewards.py`, without a model."),
    Column(
        "ground_truth",
        str,
        'JSON: `{"n": 4, "best": 2}`, 0-based as shown, or `{"n": 1, "label": 0}`; with `"answers": [..]`, the final '
        "answer of each response as shown or null, in selection rows.",
    ),
)
_EXTRA_INFO = (
    Column("split", str, "`train` or `validation`."),
    Column("index", Int64, "Number of the row within its split."),
    Column("set_id"),
    Column("query_id"),
    Column("source"),
    Column("license"),
    Column("order", tuple[int, ...], "order[p] = index, in the set, of the response shown at position p."),
    Column("n_responses"),
    Column("best_position", int, "Position, from 0, of the best response as shown; null for one response."),
    Column("label"),
    Column("pass_count"),
    Column("pass_samples", int, "Readable samples of the difficulty model."),
    Column("difficulty_model", str, "Model whose samples say how hard the set is."),
    Column("margin", float, "Distance between the two highest rewards, in the source's own units."),
    Column("prompt_tokens"),
)
RL_TABLE = Table(
    "rl",
    (
        Column(
            "data_source", str, "`grmforge/<source>`, with `/selection` where a pick is wanted; verl's reward reads it."
        ),
        Column("prompt", Messages, "The non-hinted prompt."),
        Column("ability", str, "What the row trains, as verl groups rows."),
        Column("reward_model", _REWARD_MODEL, "How the answer is checked."),
        Column("extra_info", _EXTRA_INFO, "Everything else, where verl and TRL pass it through."),
    ),
    "Prompts with a verifiable answer, in verl's columns; TRL reads them too. `rewards.py` of the snapshot scores "
    "them.",
    splits("questions with a rule reward, in verl's columns; rewards.py scores them"),
)
RL = RL_TABLE.schema

META_RM_TABLE = Table(
    "meta_rm",
    (
        Column(
            "prompt", Messages, "Context and responses in the trajectory's order, by template `meta_rm`: no criteria."
        ),
        Column("completion", Messages, "The whole judgement, scores included, as one assistant message."),
        Column("label", bool, "Whether the judgement is correct."),
        Column("outcome", str, "`correct`, `incorrect` or `tied`: only readable judgements are here."),
        Column("set_id"),
        Column("trajectory_id"),
        Column("query_id"),
        Column("source"),
        Column("license"),
        Column("domain"),
        Column("policy", str, "Model that wrote the judgement."),
        Column("origin", str, "`rft` for the samples of the RFT stage, `on_policy` for those of the trained GRM."),
        Column("sample_index"),
        Column("set_correct", int, "How many of the (set, policy)'s readable samples are correct."),
        Column("set_readable", int, "How many of the (set, policy)'s samples are readable."),
        Column("margin", float, "Score of the best response less the highest other score."),
    ),
    "Judgements labelled right or wrong, for a reward model that judges judgements. Balanced within each set.",
    splits("trajectories labelled right or wrong"),
)
META_RM = META_RM_TABLE.schema

PAIRS_TABLE = Table(
    "pairs",
    (
        Column("prompt", Messages, "The query."),
        Column("chosen", Messages, "The best response, as one assistant message."),
        Column("rejected", Messages, "Another response of the set, as one assistant message."),
        Column("margin", float, "Reward of the chosen less reward of the rejected, in the source's own units."),
        Column("set_id"),
        Column("query_id"),
        Column("source"),
        Column("license"),
    ),
    "Chosen and rejected responses, for scalar and pairwise baselines.",
    splits("chosen and rejected responses, for scalar and pairwise baselines"),
)
PAIRS = PAIRS_TABLE.schema

GENERAL = Table(
    "general",
    (
        Column("query_id", str),
        Column("split", str),
        Column("source", str),
        Column("source_id", str),
        Column("license", str),
        Column("prompt", Messages),
        Column("completion", str),
        Column("drop_reason", str),
    ),
).schema
"""General instruction rows on their way into RFT; a stage's table, not published as it is."""
