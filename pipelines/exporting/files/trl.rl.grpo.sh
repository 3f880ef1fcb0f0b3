#!/usr/bin/env bash
# GRPO of a judge with TRL, by the rule of rewards.py. No prompt is cut: one that does not fit the model ends the run.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the judge after SFT}"
python train/grpo_trl.py --model "$MODEL" --out judge-rl --data {{ rl.files.train }} --answer-tokens {{ answer_tokens }} "$@"
