#!/usr/bin/env bash
# One command for any machine with a GPU: are the network's values and gradients, training, resuming and nccl right there,
# and how fast is it? A quarter of an hour. What it prints is kept in gpu_check/, for an issue or for dev/benchmarks.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup-environment.sh
setup_environment "$PWD" dev
"$PY" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
    echo "error: PyTorch sees no GPU here; install NVIDIA's driver, or a PyTorch with CUDA in .venv" >&2
    exit 1
}
OUT="${OUT:-gpu_check}"
mkdir -p "$OUT"

echo "== Tests =="
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$OUT/gpu.csv"
status=0
"$PY" -m pytest --durations 5 tests/gpu 2>&1 | tee "$OUT/tests.txt" || status=1

echo "== A training step =="
"$PY" benchmarks/gpu.py --json "$OUT/steps.json" 2>&1 | tee "$OUT/steps.md" || status=1

echo "== A training, with its data =="
"$PY" scripts/dataset_creation/create-mosaic-restoration-dataset.py --input assets/sample_videos --output "$OUT/clips" --max-frames 40
nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits --loop-ms=500 > "$OUT/busy.txt" &
watch=$!
trap 'kill "$watch" 2>/dev/null || true' EXIT
LADA_DATA_ROOT="$OUT/clips" LADA_VAL_ROOT="$OUT/clips" "$PY" scripts/training/train-mosaic-restoration-basicvsrpp.py \
    configs/basicvsrpp/mosaic_restoration_generic_stage1.py --work-dir "$OUT/run" --no-resume --amp \
    --cfg-options train_cfg.max_iters=60 train_cfg.val_interval=1000 default_hooks.logger.interval=10 \
    model.generator.spynet_pretrained=None 2>&1 | tee "$OUT/training.txt" | grep -E "Iter\(train\)|^error:" || status=1
kill "$watch" 2>/dev/null || true
# The first half is the start, the rest the training.
awk '{ row[NR] = $1 } END { for (i = int(NR / 2) + 1; i <= NR; i++) { sum += row[i]; n++ }
    if (n) printf "GPU busy: %.0f %% (mean of the second half)\n", sum / n }' "$OUT/busy.txt" | tee "$OUT/busy-mean.txt"

[ "$status" = 0 ] && echo "All right. Results: $OUT/" || echo "error: something failed; see above and $OUT/" >&2
exit "$status"
