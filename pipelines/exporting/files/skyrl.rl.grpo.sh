#!/usr/bin/env bash
# GRPO of a judge with SkyRL, by the rule of rewards.py. It drops prompts above the limit: none is longer.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the judge after SFT}"
GPUS="${GPUS:?FILL: GPUs of this machine}"
BATCH="${BATCH:?FILL: questions a step, at most the {{ rl.rows.train }} rows}"
PYTHONPATH="$PWD:${PYTHONPATH:-}" python grpo.py \
  data.train_data="['$PWD/{{ rl.files.train }}']" \
  data.val_data="['$PWD/{{ rl.files.get("validation") or rl.files.train }}']" \
  trainer.algorithm.advantage_estimator=grpo trainer.policy.model.path="$MODEL" \
  trainer.max_prompt_length={{ rl.prompt_limit }} generator.max_input_length={{ rl.prompt_limit + answer_tokens }} \
  generator.sampling_params.max_generate_length={{ answer_tokens }} generator.n_samples_per_prompt=4 \
  trainer.train_batch_size="$BATCH" trainer.policy_mini_batch_size="$BATCH" \
  trainer.placement.policy_num_gpus_per_node="$GPUS" trainer.ckpt_path="$PWD/judge-rl" "$@"
