#!/usr/bin/env bash
# GRPO of a judge with verl, by the rule of rewards.py. verl cuts prompts above max_prompt_length on the left, so the limit
# is above every prompt; should another tokenizer need more, the filter drops that row and says so, and none is cut.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the judge after SFT}"
GPUS="${GPUS:?FILL: GPUs of this machine}"
BATCH="${BATCH:?FILL: questions a step, at most the {{ rl.rows.train }} rows}"
python -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo algorithm.use_kl_in_reward=False \
  data.train_files={{ rl.files.train }} data.val_files={{ rl.files.get("validation") or rl.files.train }} \
  data.train_batch_size="$BATCH" data.prompt_key=prompt data.return_raw_chat=True \
  data.max_prompt_length={{ rl.prompt_limit }} data.max_response_length={{ answer_tokens }} \
  data.filter_overlong_prompts=True data.truncation=error \
  reward.custom_reward_function.path="$PWD/rewards.py" reward.custom_reward_function.name=compute_score \
  actor_rollout_ref.model.path="$MODEL" \
  actor_rollout_ref.actor.ppo_mini_batch_size="$BATCH" actor_rollout_ref.actor.use_dynamic_bsz=True \
  actor_rollout_ref.actor.ppo_max_token_len_per_gpu={{ rl.prompt_limit + answer_tokens }} \
  actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.08 \
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=4 \
  actor_rollout_ref.rollout.max_model_len={{ rl.prompt_limit + answer_tokens }} \
  trainer.n_gpus_per_node="$GPUS" trainer.nnodes=1 trainer.logger='["console"]' \
  trainer.project_name=grmforge trainer.experiment_name={{ name }} "$@"
