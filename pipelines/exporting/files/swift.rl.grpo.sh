#!/usr/bin/env bash
# GRPO of a judge with ms-swift, by the rule of rewards.py. Unset, it would cut long prompts on the left; none is longer.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the judge after SFT}"
swift rlhf --rlhf_type grpo --tuner_type full --model "$MODEL" --dataset {{ rl.files.train }} \
{% if rl.files.get("validation") %}
  --val_dataset {{ rl.files.get("validation") }} \
{% endif %}
  --external_plugins grm_plugin.py --reward_funcs grm --num_generations 4 --beta 0.08 \
  --max_length {{ rl.prompt_limit }} --truncation_strategy delete --max_completion_length {{ answer_tokens }} \
  --split_dataset_ratio 0 --output_dir judge-rl "$@"
