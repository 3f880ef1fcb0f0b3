#!/usr/bin/env bash
# A scalar reward model with OpenRLHF. It cuts what is longer than max_len: nothing is.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
deepspeed --module openrlhf.cli.train_rm \
  --data.dataset {{ pairs.files.train }} \
{% if pairs.files.get("validation") %}
  --eval.dataset {{ pairs.files.get("validation") }} \
{% endif %}
  --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected --data.apply_chat_template \
  --data.max_len {{ pairs.whole_limit }} --model.model_name_or_path "$MODEL" --ckpt.output_dir reward-model "$@"
