{% if sft %}
#!/usr/bin/env bash
# SFT of a judge with OpenRLHF: the loss is on the completion alone. It cuts what is longer than max_len: nothing is.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
deepspeed --module openrlhf.cli.train_sft \
  --data.dataset {{ sft.train_list }} \
{% if sft.validation_list %}
  --eval.dataset {{ sft.validation_list }} \
{% endif %}
  --data.input_key prompt --data.output_key completion --data.apply_chat_template --data.max_len {{ sft.limit }} \
  --model.model_name_or_path "$MODEL" --ckpt.output_dir judge "$@"
{% endif %}
