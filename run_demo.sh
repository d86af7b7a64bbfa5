#!/usr/bin/env bash
# The main job on the shipped videos, end to end on a CPU: dataset, split, fine-tuning of the starter network on other scenes of
# the film that is to be restored, killed and resumed, report.
# Everything it makes is in demo_output/ (or DEMO_DIR). A second run picks up what is there; delete the folder to start over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup-environment.sh
setup_environment "$PWD"

OUT="${DEMO_DIR:-demo_output}"
CONFIG=configs/basicvsrpp/mosaic_restoration_demo_cpu.py
RUN="$OUT/run"
export LADA_DATA_ROOT="$OUT/clips" LADA_VAL_ROOT="$OUT/clips_val"
STARTER=assets/weights/starter.safetensors
KILL_AT=100
# The next step is taken here.
export LADA_NEXT=no
mkdir -p "$OUT"

step() { printf '\n== %s ==\n' "$*"; }

step "1/5 Creating clips from assets/sample_videos and assets/demo_footage"
"$PY" scripts/dataset_creation/create-mosaic-restoration-dataset.py --input assets/sample_videos assets/demo_footage --output "$LADA_DATA_ROOT" \
    --max-frames 40 --clips-per-shot 3 --size-range 0.4 0.65

step "2/5 Splitting them so that training and validation share no source video"
"$PY" scripts/dataset_creation/split-train-val-dataset.py --src-root "$LADA_DATA_ROOT" --val-root "$LADA_VAL_ROOT" \
    --val-ratio 0.24 --mode move --yes

TRAIN=("$PY" scripts/training/train-mosaic-restoration-basicvsrpp.py "$CONFIG" --load-from "$STARTER" --work-dir "$RUN")

if [ -z "$(compgen -G "$RUN/iter_*.pth" || true)" ]; then
    step "3/5 Fine-tuning the starter network, killed with SIGKILL at iteration $KILL_AT"
    "${TRAIN[@]}" & trainer=$!
    trap 'kill -9 "$trainer" 2>/dev/null || true' EXIT
    while [ ! -e "$RUN/iter_$KILL_AT.pth" ]; do
        kill -0 "$trainer" 2>/dev/null || { wait "$trainer"; break; }
        sleep 0.2
    done
    kill -9 "$trainer" 2>/dev/null || true
    wait "$trainer" 2>/dev/null || true
    trap - EXIT
    echo "Killed. Newest checkpoint: $(basename "$(cat "$RUN/last_checkpoint")")"
else
    step "3/5 Training was already started"
fi

step "4/5 Resuming: the same command again"
"${TRAIN[@]}"

step "5/5 Measuring on the validation video, which training has never seen"
"$PY" scripts/evaluation/evaluate-mosaic-restoration-basicvsrpp.py "$CONFIG" "$STARTER" "$(cat "$RUN/last_checkpoint")" --output "$OUT/report" --overwrite
echo
echo "Pictures (mosaic | restored | ground truth) and tables are in $OUT/report."
