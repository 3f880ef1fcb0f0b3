#!/usr/bin/env bash
# GRPO of a judge with OpenRLHF, by the rule of rewards.py.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the judge after SFT}"
# FILL: GPUs of actor, reference and vLLM (--actor.*, --ref.*, --vllm.*), as OpenRLHF's own examples have them.
python -m openrlhf.cli.train_ppo_ray \
  --data.prompt_dataset {{ rl.files.train }} \
  --data.input_key prompt --data.label_key label --data.apply_chat_template \
  --data.max_len {{ rl.prompt_limit + answer_tokens }} \
  --reward.remote_url "$PWD/grm_reward.py" \
  --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 4 \
  --actor.model_name_or_path "$MODEL" --ckpt.output_dir judge-rl "$@"
