{% if sft %}
#!/usr/bin/env bash
# SFT of a judge with TRL: the loss is on the completion alone, and a row that is too long ends the run.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of an instruct model}"
python train/sft_trl.py --model "$MODEL" --out judge --data {{ sft.train }} --max-length {{ sft.limit }} "$@"
{% endif %}
