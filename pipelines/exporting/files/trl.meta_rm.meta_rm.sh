#!/usr/bin/env bash
# A Meta RM: a sequence classifier by binary cross-entropy, whole sets in a batch. TRL trains none; this needs no TRL.
set -euo pipefail
cd "$(dirname "$0")"
MODEL="${MODEL:?FILL: a directory or hub id of the trained judge, or of what it came from}"
python train/meta_rm.py --model "$MODEL" --out meta-rm --snapshot . "$@"
