#!/usr/bin/env bash
# Train on several GPUs of one machine (or several machines) with torch.distributed.launch.
# Settings come from the environment (see scripts/training/launch-common.sh), arguments go to the training script:
#   CUDA_VISIBLE_DEVICES=0,1,2,3 CONFIG=configs/... ./run_multi_gpu_training.sh --amp
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$ROOT"
. scripts/training/launch-common.sh
prepare_launch "$@"
[[ "$NNODES" != *:* ]] || fail "NNODES=$NNODES: elastic jobs need ./run_multi_gpu_training_torchrun.sh"
launch "$PY" -m lada.torchrun torch.distributed.launch --use-env \
    --nnodes="$NNODES" --node-rank="$NODE_RANK" --nproc-per-node="$NPROC" \
    --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT" \
    scripts/training/train-mosaic-restoration-basicvsrpp.py "$CONFIG" --launcher pytorch "$@"
