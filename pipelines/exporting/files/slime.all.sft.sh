{% if sft %}
# SFT of a judge with slime: arguments to add to one of its scripts, such as run-qwen3-4B-base-sft.sh. It cuts nothing.
# FILL: model, checkpoints and parallelism stand in that script. slime reads one file: join several with cat.
DATA="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
SFT_ARGS=(
  --rollout-function-path slime.rollout.sft_rollout.generate_rollout
  --prompt-data "$DATA/{{ sft.train.split()[0] }}"
  --input-key messages
  --loss-mask-type qwen3  # FILL: qwen, qwen3, qwen3_5 or distill_qwen, by the model's chat template
  --rollout-shuffle
  --num-epoch 1
  --rollout-batch-size 128
  --global-batch-size 128
  --loss-type sft_loss
  --calculate-per-token-loss
  --disable-compute-advantages-and-returns
  --debug-train-only
  --use-dynamic-batch-size
  --max-tokens-per-gpu {{ sft.limit }}
)
{% endif %}
