#!/usr/bin/env bash
# A scalar reward model with ms-swift. It deletes longer pairs: none is longer.
# Where several types share an architecture, a model with a folder name of its own needs --model_type, such as qwen3.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
swift rlhf --rlhf_type rm --tuner_type full --model "$MODEL" --dataset {{ pairs.files.train }} \
{% if pairs.files.get("validation") %}
  --val_dataset {{ pairs.files.get("validation") }} \
{% endif %}
  --max_length {{ pairs.whole_limit }} --truncation_strategy delete --split_dataset_ratio 0 --output_dir reward-model "$@"
