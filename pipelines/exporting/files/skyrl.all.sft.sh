{% if sft %}
#!/usr/bin/env bash
# SFT of a judge with SkyRL: the loss is on the last answer alone. It would cut what is longer: nothing is.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
GPUS="${GPUS:?FILL: GPUs of this machine}"
python -m skyrl.train.main_sft strategy=fsdp model.path="$MODEL" placement.num_gpus_per_node="$GPUS" \
  train_datasets="[{{ sft.folders }}]" train_dataset_splits="[{{ sft.splits }}]" \
  messages_key=messages train_on_what=last_assistant_message max_length={{ sft.limit }} ckpt_path="$PWD/judge" "$@"
{% endif %}
