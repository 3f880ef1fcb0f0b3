# GRPO of a judge with slime: arguments in place of ROLLOUT_ARGS in one of its scripts, such as run-qwen3-4B.sh.
# FILL: model, checkpoints and parallelism stand in that script. It drops prompts above the limit: none is longer.
DATA="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export PYTHONPATH="$DATA:${PYTHONPATH:-}"  # Ray's workers need it, too: put it into the job's runtime environment
ROLLOUT_ARGS=(
  --prompt-data "$DATA/{{ rl.files.train }}"
  --input-key prompt
  --label-key label
  --apply-chat-template
  --custom-rm-path grm_slime.reward
  --rollout-shuffle
  --num-rollout 500  # FILL:
  --rollout-batch-size 32
  --n-samples-per-prompt 4
  --rollout-max-prompt-len {{ rl.prompt_limit }}
  --rollout-max-response-len {{ answer_tokens }}
  --rollout-max-context-len {{ rl.prompt_limit + answer_tokens }}
  --rollout-temperature 1
  --global-batch-size 128
)
