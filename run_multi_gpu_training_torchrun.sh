#!/usr/bin/env bash
# Train on several GPUs of one machine, or on several machines, with torchrun.
# Settings come from the environment (see scripts/training/launch-common.sh), arguments go to the training script:
#   CUDA_VISIBLE_DEVICES=0,1,2,3 CONFIG=configs/... ./run_multi_gpu_training_torchrun.sh --amp
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$ROOT"
. scripts/training/launch-common.sh
prepare_launch "$@"
if [[ "$NNODES" = *:* ]]; then
    # Elastic: machines come and go, and ranks are given out at each meeting (docs/guides/multi-gpu.md).
    meeting=(--rdzv-backend=c10d --rdzv-endpoint="$MASTER_ADDR:$MASTER_PORT" --rdzv-id="${RUN_ID:-lada}"
             --max-restarts="${MAX_RESTARTS:-3}")
    # A shared store keeps what it knew of machines that have left, and a machine that joins waits for them.
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
else
    meeting=(--node-rank="$NODE_RANK" --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT")
fi
launch "$PY" -m lada.torchrun torch.distributed.run --nnodes="$NNODES" --nproc-per-node="$NPROC" "${meeting[@]}" \
    scripts/training/train-mosaic-restoration-basicvsrpp.py "$CONFIG" --launcher pytorch "$@"
