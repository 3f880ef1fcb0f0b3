#!/usr/bin/env bash
# Train a judge further by reinforcement on this snapshot's rl rows, with verl 0.9 and the rule of rewards.py.
#
#   MODEL=judge GPUS=8 BATCH=128 bash train/grpo_verl.sh [key=value ..]
#
# No prompt is cut: the limit is twice the longest one's estimated tokens. verl would cut a longer one on the left; the
# filter drops it instead, and says so. verl's own limit is 512, and judges' prompts are longer.
# `grmforge export --to verl --tokenizer MODEL` counts exactly.
set -euo pipefail
cd "$(dirname "$0")/.."
MODEL="${MODEL:?give MODEL, a directory or hub id of the judge after SFT}"
GPUS="${GPUS:?give GPUS, the GPUs of this machine}"
BATCH="${BATCH:?give BATCH, the questions of a step}"
read -r PROMPT ANSWER < <(python - <<'PYTHON'
import glob, json
import pyarrow.compute as pc, pyarrow.parquet as pq
rows = [pq.read_table(file, columns=["extra_info"])["extra_info"] for file in sorted(glob.glob("rl/*.parquet"))]
longest = max(pc.max(pc.struct_field(row, "prompt_tokens")).as_py() for row in rows)
print((2 * longest // 64 + 1) * 64, json.load(open("manifest.json"))["recipe"]["grm"]["max_tokens"])
PYTHON
)
files() { local found=("$PWD/rl/$1"-*.parquet); local IFS=,; echo "[${found[*]}]"; }
VALIDATION=train
if compgen -G "rl/validation-*.parquet" > /dev/null; then VALIDATION=validation; fi
python -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo algorithm.use_kl_in_reward=False \
  data.train_files="$(files train)" data.val_files="$(files "$VALIDATION")" \
  data.train_batch_size="$BATCH" data.prompt_key=prompt data.return_raw_chat=True \
  data.max_prompt_length="$PROMPT" data.max_response_length="$ANSWER" \
  data.filter_overlong_prompts=True data.truncation=error \
  reward.custom_reward_function.path="$PWD/rewards.py" reward.custom_reward_function.name=compute_score \
  actor_rollout_ref.model.path="$MODEL" \
  actor_rollout_ref.actor.ppo_mini_batch_size="$BATCH" actor_rollout_ref.actor.use_dynamic_bsz=True \
  actor_rollout_ref.actor.ppo_max_token_len_per_gpu="$((PROMPT + ANSWER))" \
  actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.08 \
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=4 \
  actor_rollout_ref.rollout.max_model_len="$((PROMPT + ANSWER))" \
  trainer.n_gpus_per_node="$GPUS" trainer.nnodes=1 trainer.logger='["console"]' \
  trainer.project_name=grmforge trainer.experiment_name=grpo "$@"
