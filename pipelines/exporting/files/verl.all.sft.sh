{% if sft %}
#!/usr/bin/env bash
# SFT of a judge with verl. truncation=error: a row that is too long ends the run, and none is cut.
# Its own learning rate is 1e-3: optim.lr is set lower here.
# verl applies the template to each turn alone. Where that differs from the whole (templates that add <think> to the last
# turn do), it ends with a mismatch: see data.ignore_input_ids_mismatch in its documentation.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
GPUS="${GPUS:?FILL: GPUs of this machine}"
BATCH="${BATCH:?FILL: rows a step, at most the {{ sft.rows }} rows: verl drops a last batch that is not full}"
python -m torch.distributed.run --standalone --nproc_per_node="$GPUS" -m verl.trainer.sft_trainer \
  data.train_files="[{{ sft.train_list }}]" \
{% if sft.validation_list %}
  data.val_files="[{{ sft.validation_list }}]" \
{% endif %}
  data.messages_key=messages data.pad_mode=no_padding data.truncation=error \
  data.train_batch_size="$BATCH" data.max_length={{ sft.limit }} data.max_token_len_per_gpu={{ sft.limit }} \
  model.path="$MODEL" optim.lr=1e-5 trainer.default_local_dir=judge trainer.logger='["console"]' "$@"
{% endif %}
