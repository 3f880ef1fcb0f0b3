r"""The rule that scores a judge's answer: +1 if it found the best response, -1 if not, a little more for named errors.

This file is published with every snapshot as `rewards.py`, so that data and the rule that judges them travel
together. It needs nothing but Python 3.10 or newer.

Each trainer has its own way in, and every way leads to the one rule:

    TRL 1.16       GRPOTrainer(reward_funcs=rewards.grm_reward, ..) over the rl set: it is handed every column
    verl 0.9.1     custom_reward_function.path=<snapshot>/rewards.py custom_reward_function.name=compute_score
                   (under `reward.custom_reward_function` in newer versions), with any reward manager
    OpenRLHF 0.11  --reward.remote_url <snapshot>/rewards.py --data.input_key prompt --data.label_key reward_model
    slime 624b824  --custom-rm-path rewards.slime_reward --label-key reward_model, and PYTHONPATH=<snapshot>
    SkyRL 0.4      skyrl_gym.register(id="grmforge", entry_point=rewards.skyrl_env())

A judge's answer ends in `Scores: \boxed{7, 3}`, an integer for each response in the order shown. Whatever a careful
person reads as that is read: the last heading of its kind decides. An answer that breaks off, counts wrongly, leaves
the range or contradicts itself earns -1, never the score of some earlier list. There is no reward for the format;
`compute_score_and_form` says beside the reward whether an answer kept to it, so that drift in RL shows.

Rows whose data_source ends in `/selection` ask for a pick in place of scores, and for what is wrong in the others:

    Errors:
    Response 1: "24 kHz" is wrong, "15 kHz" is right: the spacing is fixed in LTE.

    Best: \boxed{2}

The right pick earns 1, and 0.1 more for each error that is named and verified, 0.3 at most. Verified means that the
first quotation is that response's final answer, and the second the right one, both to the letter. Nothing else can be
checked without a model: a reason earns nothing, and what cannot be verified is worth 0. Any other pick earns -1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.judging.critiques import has_critique
from pipelines.judging.rule import read_ground_truth, reward
from pipelines.judging.verdicts import CANONICAL, answer_of, read_verdict
from schemas.thoughts import LAST_TOKEN

PROMPT_TAIL = 200
"""So many of a prompt's last characters are looked for where its beginning was cut off."""
MOST_END_TOKENS = 8


def compute_score(
    data_source: Any = None,
    solution_str: str = "",
    ground_truth: str = "",
    extra_info: Any = None,
    solution_strs: Sequence[str] | None = None,
    ground_truths: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Return the reward as verl 0.9.1 asks for it: a float, or a list of them where its batch manager hands lists over.

    Its other words (`data_sources`, `extra_infos`, the address of a reward model) are not needed.
    """
    if solution_strs is None:
        return reward(solution_str, ground_truth)
    return [reward(text, truth) for text, truth in zip(solution_strs, ground_truths, strict=True)]


def compute_score_and_form(
    data_source: Any = None,
    solution_str: str = "",
    ground_truth: str = "",
    extra_info: Any = None,
    solution_strs: Sequence[str] | None = None,
    ground_truths: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Return `score`, the reward, with `canonical` and `has_critique`, for trainers that log further fields.

    `canonical` says that the answer ends in the one line of scores that is asked for, `has_critique` that a sentence
    beside it speaks of a response. Neither changes the reward. Lists give a list of such records.
    """
    if solution_strs is None:
        return _score_and_form(solution_str, ground_truth)
    return [_score_and_form(text, truth) for text, truth in zip(solution_strs, ground_truths, strict=True)]


def _score_and_form(text: str, ground_truth: str) -> dict[str, float | bool]:
    truth = read_ground_truth(ground_truth)
    answer = answer_of(text)
    verdict = read_verdict(answer, truth.n_responses, *truth.range)
    return {
        "score": reward(text, ground_truth),
        "canonical": verdict.form == CANONICAL,
        "has_critique": has_critique(f"{answer[: verdict.start]}\n{answer[verdict.end :]}", truth.n_responses),
    }


def grm_reward(completions: list[Any], reward_model: list[dict[str, str]] | None = None, **columns: Any) -> list[float]:
    """Return a reward for each completion as TRL's GRPO asks for it.

    Completions are texts, or lists of messages of which the last one is read; `reward_model` is the column of that
    name, with the ground truths. Raises ValueError where the column is missing or broken.
    """
    if reward_model is None:
        raise ValueError("the data set has no reward_model column: train on the snapshot's rl set")
    if len(reward_model) != len(completions):
        raise ValueError(f"{len(completions)} completions came with {len(reward_model)} reward_model rows")
    return [
        reward(_completion_text(completion), row.get("ground_truth") or "")
        for completion, row in zip(completions, reward_model, strict=True)
    ]


def _completion_text(completion: Any) -> str:
    """Return the text of a completion: itself, or that of its last message."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, list):  # content blocks
        return "".join(block.get("text") or "" for block in content if isinstance(block, dict))
    return content if isinstance(content, str) else ""


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **settings: Any) -> Any:
    """Return `rewards`, and `scores` from 0 to 1 for its filter, as OpenRLHF 0.11 asks for them.

    A query is a prompt and its answer, special tokens included; a label is what `--data.label_key` names: the column
    reward_model, or its ground truth. Raises ValueError where a query does not hold its prompt, since the prompt's own
    text must never be read as the answer.
    """
    rewards = [
        reward(_answer_in(query, prompt), _truth_in(label))
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    return {"rewards": rewards, "scores": [float(one > 0) for one in rewards], "extra_logs": {}}


async def slime_reward(args: Any, sample: Any, **settings: Any) -> Any:
    """Return the reward of a sample as slime 624b824 asks for it; of each, where --group-rm hands a group over."""
    if isinstance(sample, list):
        return [reward(without_end_tokens(one.response), _truth_in(one.label)) for one in sample]
    return reward(without_end_tokens(sample.response), _truth_in(sample.label))


def skyrl_env() -> Any:
    """Return the environment of these rows for SkyRL 0.4: one answer, and its reward.

    The ground truth is that of `reward_spec`, as SkyRL names the column, or of `reward_model`.
    """
    from skyrl_gym.envs.base_text_env import BaseTextEnv  # type: ignore[import-not-found]  # only SkyRL calls this

    class JudgementEnv(BaseTextEnv):  # type: ignore[misc]  # what it inherits is known to SkyRL only
        def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
            super().__init__()
            row = extras or {}
            self.ground_truth = _truth_in(row.get("reward_spec") or row.get("reward_model"))

        def step(self, action: str) -> dict[str, Any]:
            found = reward(action, self.ground_truth)
            return {"observations": [], "reward": found, "done": True, "metadata": {}}

    return JudgementEnv


def _answer_in(query: str, prompt: str) -> str:
    """Return what follows the prompt in a query, whose beginning a trainer may have cut off."""
    for part in (prompt, prompt[-PROMPT_TAIL:]):
        _, found, answer = query.partition(part) if part else ("", "", "")
        if found:
            return without_end_tokens(answer)
    raise ValueError(
        f"query {query[:80]!r} does not hold its prompt {prompt[:80]!r}: give the prompts as the chat template "
        "writes them (--data.apply_chat_template)"
    )


def without_end_tokens(answer: str) -> str:
    """Return an answer without the special tokens at its end, which some trainers leave there."""
    for _ in range(MOST_END_TOKENS):
        answer = answer.rstrip()
        if (token := LAST_TOKEN.search(answer, max(0, len(answer) - 40))) is None:
            break
        answer = answer[: token.start()]
    return answer


def _truth_in(label: Any) -> str:
    """Return the ground truth of a label: itself, or that of a row's reward_model."""
    return str(label.get("ground_truth") or "") if isinstance(label, Mapping) else label
