#!/usr/bin/env bash
# A scalar reward model with TRL. It drops a pair that is longer than --max_length: none is.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
trl reward --model_name_or_path "$MODEL" --dataset_name pairs --max_length {{ pairs.whole_limit }} --output_dir reward-model "$@"
