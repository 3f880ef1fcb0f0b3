{% if sft %}
#!/usr/bin/env bash
# SFT of a judge with ms-swift: each message says whether it is trained on. It deletes longer rows: none is longer.
# Where several types share an architecture, a model with a folder name of its own needs --model_type, such as qwen3.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
swift sft --tuner_type full --model "$MODEL" --dataset {{ sft.train }} \
{% if sft.validation %}
  --val_dataset {{ sft.validation }} \
{% endif %}
  --max_length {{ sft.limit }} --truncation_strategy delete --split_dataset_ratio 0 --output_dir judge "$@"
{% endif %}
