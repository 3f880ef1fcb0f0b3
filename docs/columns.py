"""What every column of every table means: the one place these words stand. `python -m docs.generate` prints them."""

TABLE_DOCS: dict[str, tuple[str, str]] = {
    "sets": (
        "`sets/kept-*.parquet`, `sets/dropped-*.parquet`",
        "A query with its responses and what is known of them. Every readable row is in one of the two.",
    ),
    "trajectories": (
        "`trajectories/{accepted,rejected,difficulty,on_policy,paired}-*.parquet`",
        "One sample of a judge over one shown set: what was asked, what came back, what was read from it, what became "
        "of it.",
    ),
    "rft": (
        "`rft/{train,validation}-*.parquet`",
        "Rejection-sampled judgements and general instruction rows, for supervised fine-tuning. Prompts are "
        "non-hinted, always.",
    ),
    "rl": (
        "`rl/{train,validation}-*.parquet`",
        "Prompts with a verifiable answer, in verl's columns; TRL reads them too. `rewards.py` of the snapshot scores "
        "them.",
    ),
    "meta_rm": (
        "`meta_rm/{train,validation}-*.parquet`",
        "Judgements labelled right or wrong, for a reward model that judges judgements. Balanced within each set.",
    ),
    "pairs": (
        "`pairs/{train,validation}-*.parquet`",
        "Chosen and rejected responses, for scalar and pairwise baselines.",
    ),
    "traces": (
        "`traces/{train,validation}-*.parquet`",
        "Verified answers, with the reasoning that led to them, for SFT distillation. Only builds that synthesise "
        "responses have them.",
    ),
    "answers": (
        "`answers/{right,wrong,undecided}-*.parquet`",
        "Every answer to a question with a known answer that a verifier graded, so that people can look at what was "
        "decided. Only builds that synthesise responses have them; those to test questions are not published.",
    ),
    "rubrics": (
        "`<root>/rubrics/*.parquet`; in a snapshot `rubrics/made-*.parquet`",
        "What answers to one query are judged by. It belongs to the root: the truth that the pools are indexed from. A "
        "snapshot whose judges were given criteria holds those that were made of its questions.",
    ),
    "generations": (
        "`<root>/generations/`: journals, then `bucket=<xx>/*.parquet`",
        "Every answer ever bought, once. It belongs to the root, not to a snapshot.",
    ),
}
"""By table, in the order of the page: where its files are, and what a row is."""

STAGE_TABLES = frozenset({"candidates", "general", "judged", "questions", "stems"})
"""Tables that only pass between stages: readers of a snapshot never see them, so the page leaves them out."""

COMMON_COLUMN_DOCS: dict[str, str] = {
    "set_id": "Hash of the query and the responses; never of rewards, source, revision or licence.",
    "query_id": "Hash of the query's messages. Its first two hex digits are the bucket.",
    "trajectory_id": "Hash of set_id, mode, purpose and request_id.",
    "request_id": "Hash of the role, the model's identity, the whole request body and the sample index.",
    "source": "Name of the source, as in `[[sources]]`.",
    "license": "Licence of the row.",
    "domain": "What the query is about, as its source says.",
    "n_responses": "How many responses the set has.",
    "label": "0 or 1 for a set of one response; null otherwise.",
    "model": "The model that answered, with its revision where the recipe gives one.",
    "prompt_template": "Template of the prompt: name@hash.",
    "has_reference": "Whether a reference answer was part of the prompt.",
    "prompt_tokens": "Tokens of the prompt, as the endpoint counted them; null where it did not.",
    "completion_tokens": "Tokens of the answer, reasoning included, as the endpoint counted them.",
    "pass_count": "How many of `pass_samples` were correct.",
    "sample_index": "Number of the sample among those of its set and mode, from 0.",
}
"""Columns that mean the same wherever they stand."""

COLUMN_DOCS: dict[str, dict[str, str]] = {
    "sets": {
        "cluster": "Group of equal and nearly equal queries, kept together when splits are made.",
        "split": "`train`, `validation` or `test`. Test sets are here and nowhere else.",
        "benchmark": "Whether the source is a benchmark; those always keep a test share.",
        "source_id": "Where the row stands in its source.",
        "source_revision": "Commit of the source on the hub, or what stands for it for a local file.",
        "query": "The conversation that the responses answer.",
        "reference": "Reference answer or explanation, where the source has one.",
        "responses": "In the order of their content, so that the order says nothing about the labels.",
        "responses[].text": "The answer.",
        "responses[].reasoning": "The way to the answer, where it is known.",
        "responses[].turns": "JSON of the whole conversation, where the response is one.",
        "responses[].model": "Model that wrote the response, where the source says so.",
        "responses[].origin": "How the response came to be, where that is known.",
        "responses[].reward": "Reward in the source's own units.",
        "responses[].tokens": "Tokens of the response, where they were counted.",
        "best": "Index in `responses` of the one best response; null for one response, and where there is no one best.",
        "margin": "Distance between the two highest rewards, in the source's own units.",
        "label_source": "Who said which response is best: `human`, `model` or `verifier`.",
        "drop_reason": "Why the set is set aside; null for kept sets.",
        "given_principles": "Criteria of other questions' rubrics that judges of this set are given, as text.",
        "given_ids": "Their criterion_ids.",
        "own_rubric": "Criteria made of the set's own question, as text; only hinted prompts may show them.",
        "retagged_best": "Where a set was judged again (`retag_votes`): index of the response that most votes found "
        "best, beside the source's own in `best`; null where no response has most, and for all other sets.",
        "votes": "Votes of each response, in the order of `responses`; null for sets that were not judged again.",
    },
    "traces": {
        "trace_id": "Hash of the query and the answer.",
        "prompt": "The question as the responder was asked it.",
        "completion": "One assistant message: the reasoning in `<think>` where there is some, then the answer.",
        "source_id": "Where the question stands in its source.",
        "verified": "True: a verifier found the final answer right. Others are not published.",
        "verifier": "What found it right: a rule, by the form of the answer (`math`, `option`, `number`, `text`), or "
        "`teacher`.",
        "origin": "`responder`, `teacher`, or `given` with the source.",
        "completion_tokens": "Tokens of the answer, reasoning included, where they were counted.",
        "pass_count": "How many of `pass_samples` are right: low for a hard question.",
        "pass_samples": "Answers to the question that were graded right or wrong, of the responder or given with the "
        "source; a teacher's do not count.",
    },
    "answers": {
        "answer_id": "Hash of the source, the query, and which answer to it this is.",
        "request_id": "The request that bought the answer; null where it came with the source.",
        "source_id": "Where the question stands in its source.",
        "split": "Split of the question: `train` or `validation`.",
        "origin": "Who gave it: `responder`, `teacher`, `rewrite` (a wrong one in the teacher's words), or `given` "
        "with the source.",
        "sample_index": "Number of the answer among those of its question and origin.",
        "prompt": "The question as it was asked; of given and rewritten answers, the question alone.",
        "text": "The answer without its thoughts.",
        "reasoning": "The thoughts before it.",
        "answer": "The final answer that was read in the text.",
        "verdict": "`right`, `wrong` or `undecided`: the table's name.",
        "form": "How it was compared with the known answer: `math`, `number`, `option` or `text`.",
        "gold": "The known answer; of `option` the number of the right one, from 1.",
        "reference": "What a judge may be told: the known answer, with an explanation where there is one.",
        "completion_tokens": "Tokens of the answer, reasoning included, where they were counted.",
    },
    "trajectories": {
        "split": "Split of the set: `train` or `validation`.",
        "purpose": "What the sample was drawn for: `rft`, `difficulty`, `on_policy` or `paired`.",
        "mode": "`hinted` where the prompt said which response is best, else `non_hinted`.",
        "temperature": "Sampling temperature.",
        "order": "order[p] = index, in the set, of the response shown at position p.",
        "prompt": "The prompt as sent, hint included.",
        "text": "The answer without its thoughts; null where the request failed.",
        "reasoning": "What the endpoint returned as reasoning, and the thoughts that stood in the text.",
        "principles": "The criteria that the judge wrote for itself.",
        "principles[].name": "Name of the criterion.",
        "principles[].description": "What it asks for.",
        "principles[].weight": "Its weight, 0 to 1; null where the judge gave none.",
        "critique": "The analysis between the criteria and the scores; where nothing is headed as one, the prose.",
        "scores": "One score a response, in the order shown; null unless the outcome is readable.",
        "margin": "Score of the best response less the highest other; null unless readable, and for one response.",
        "outcome": "`correct`, `incorrect`, `tied`; or, unreadable: `unparsed`, `truncated`, `wrong_count`, "
        "`contradictory`, `out_of_range`, `refused`, `failed`.",
        "accepted": "Whether the trajectory is in the RFT set.",
        "reject_reason": "Why it is not: the outcome unless correct, then `draft_verdict`, `no_critique`, "
        "`no_principles`, `hint_leak`, `too_easy`, `undecided`, `label_balance`, `position_balance`, `hinted_share`, "
        "`max_accepted`.",
        "finish_reason": "As the endpoint gave it; `length` is always `truncated`.",
        "verdict_form": "`canonical` where the answer ends in the line of scores that is asked for, `forgiven` where "
        "they were read in another form; null unless the outcome is readable.",
    },
    "rft": {
        "example_id": "Hash of the example.",
        "prompt": "The conversation up to the answer; non-hinted, whatever the sample was.",
        "completion": "One assistant message.",
        "set_id": "Set that was judged; null for general rows.",
        "trajectory_id": "Trajectory that the row was made of; null for general rows.",
        "mode": "`non_hinted`, `hinted` (sampled with a hint, stored without) or `general`.",
        "n_responses": "How many responses are shown; null for general rows.",
        "best_position": "Position, from 0, of the best response as shown; null for one response and general rows.",
        "scores": "One score a response, in the order shown; null for general rows.",
        "margin": "Score of the best response less the highest other score.",
        "pass_samples": "Readable non-hinted samples of the set.",
    },
    "rl": {
        "data_source": "`grmforge/<source>`, or `grmforge/<source>/selection` where a pick is wanted, no scores; verl "
        "hands it to the reward function.",
        "prompt": "The non-hinted prompt.",
        "ability": "What the row trains, as verl groups rows.",
        "reward_model": "How the answer is checked.",
        "reward_model.style": "`rule`: by `rewards.py`, without a model.",
        "reward_model.ground_truth": 'JSON: `{"n": 4, "best": 2}`, 0-based as shown, or `{"n": 1, "label": 0}`; with '
        '`"answers": [..]`, the final answer of each response as shown or null, in selection rows.',
        "extra_info": "Everything else, where verl and TRL pass it through.",
        "extra_info.split": "`train` or `validation`.",
        "extra_info.index": "Number of the row within its split.",
        "extra_info.order": "order[p] = index, in the set, of the response shown at position p.",
        "extra_info.best_position": "Position, from 0, of the best response as shown; null for one response.",
        "extra_info.pass_samples": "Readable samples of the difficulty model.",
        "extra_info.difficulty_model": "Model whose samples say how hard the set is.",
        "extra_info.margin": "Distance between the two highest rewards, in the source's own units.",
    },
    "meta_rm": {
        "prompt": "Context and responses in the trajectory's order, by the `meta_rm` template: no criteria.",
        "completion": "The whole judgement, scores included, as one assistant message.",
        "label": "Whether the judgement is correct.",
        "outcome": "`correct`, `incorrect` or `tied`: only readable judgements are here.",
        "policy": "Model that wrote the judgement.",
        "origin": "`rft` for the samples of the RFT stage, `on_policy` for those of the trained GRM.",
        "set_correct": "How many of the (set, policy)'s readable samples are correct.",
        "set_readable": "How many of the (set, policy)'s samples are readable.",
        "margin": "Score of the best response less the highest other score.",
    },
    "pairs": {
        "prompt": "The query.",
        "chosen": "The best response, as one assistant message.",
        "rejected": "Another response of the set, as one assistant message.",
        "margin": "Reward of the chosen less reward of the rejected, in the source's own units.",
    },
    "rubrics": {
        "trial": "Hash of the settings under which a panel last tried it; null for seeds, and where an answer is still "
        "missing.",
        "rests_on": "Other queries on whose labelled answers it was written or tried; it is never given to them.",
        "rubric_id": "Hash of the query_id, the origin, and each criterion's text, points and kind.",
        "cluster": "The query's cluster when the rubric was made; it may have grown since.",
        "case": "The question as it is indexed: its turns, then its short responses, in the order of their content.",
        "origin": "`seed`: from a library. `generated`: written by a model for this query.",
        "criteria": "What an answer is judged by. A dropped one keeps its place and its reason.",
        "criteria[].criterion_id": "Hash of the text.",
        "criteria[].text": "The criterion, one line.",
        "criteria[].points": "-10..10, never 0; below 0 for a pitfall.",
        "criteria[].kind": "`rule` (an answer meets it or is wrong), `principle` (a better answer has more of it) or "
        "`pitfall` (a mistake).",
        "criteria[].tags": "Free words.",
        "criteria[].origin": "Who wrote it: a model, or the source of a seed.",
        "criteria[].hit_rate": "Share of the panel's answers that meet it; null where it was not judged.",
        "criteria[].label_consistency": "Share of the panel's comparisons in which it does not prefer the worse "
        "answer to the known best one.",
        "criteria[].drop_reason": "Why it is not used: `met_by_all`, `met_by_none`, `prefers_worse`, "
        "`near_duplicate`, `panel_too_small`; null where it is.",
        "panel": "How many answers the criteria were judged on.",
        "label_consistency": "Share of the panel's rankings in which the weighted sum puts the known best answer "
        "first.",
        "drop_reason": "Why the whole rubric is not used: `no_criteria`, `inconsistent`, `panel_too_small`; null "
        "where it is.",
    },
    "generations": {
        "role": "Role of the model in the recipe: `grm`, `difficulty`, `policy`.",
        "request": "The request body as sent, canonical JSON.",
        "text": "The answer; earlier versions kept some thoughts in it, which are split off when read.",
        "reasoning": "The reasoning part, where there is one.",
        "finish_reason": "As the endpoint gave it.",
        "error": "Why the request will always fail; null for an answer. Passing failures are not stored.",
        "served_model": "What the endpoint says it served.",
        "cached_tokens": "Prompt tokens that the endpoint read from its cache.",
        "reasoning_tokens": "Tokens of the reasoning part.",
        "cost_usd": "Cost by the recipe's prices, in US dollars.",
        "created_at": "When the answer arrived.",
        "run_id": "Run that bought it.",
    },
}
"""By table and column; `[]` steps into a list, `.` into a struct."""
