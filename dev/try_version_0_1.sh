#!/usr/bin/env bash
# A dataset, a split and a work directory made by version 0.1 are read, undone and continued by today's version.
# Usage: PY=.venv/bin/python dev/try_version_0_1.sh; takes minutes on a CPU, needs the history of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
NEW="$PWD" PY="$(realpath -s "${PY:-.venv/bin/python}")"
OUT="$(mktemp -d)" OLD_COMMIT=7fd1170
OLD="$OUT/v0.1"
trap 'git worktree remove --force "$OLD"; rm -rf "$OUT"' EXIT
git worktree add --quiet --detach "$OLD" "$OLD_COMMIT"
export OMP_NUM_THREADS=1 LADA_DATA_ROOT="$OUT/clips" LADA_VAL_ROOT="$OUT/clips_val"
cp "$NEW"/assets/sample_videos/*.mp4 "$OUT"

run() { # the version's folder, its script, arguments
    local version="$1" script="$2"
    shift 2
    (cd "$OUT" && PYTHONPATH="$version" "$PY" "$version/scripts/$script" "$@")
}
said() { grep -q -- "$1" "$OUT/log" || { cat "$OUT/log"; echo "not said: $1"; exit 1; }; }
state() { (cd "$OUT" && find clips/crop_* -type f | sort | xargs sha256sum); }

CREATE=(dataset_creation/create-mosaic-restoration-dataset.py --input bigbuckbunny.mp4 bikes.mp4 --output-root clips
    --max-frames 40 --workers 1)
SPLIT=(dataset_creation/split-train-val-dataset.py --src-root clips --val-root clips_val --yes)
TRAIN=(training/train-mosaic-restoration-basicvsrpp.py "$OLD/configs/basicvsrpp/mosaic_restoration_demo_cpu.py"
    --work-dir run)
TINY=(model.generator.mid_channels=8 model.generator.num_blocks=1 default_hooks.checkpoint.interval=2
    train_cfg.val_interval=100)

echo "== version 0.1: dataset, split, four iterations"
run "$OLD" "${CREATE[@]}" > "$OUT/log" 2>&1
state > "$OUT/before"
run "$OLD" "${SPLIT[@]}" --val-ratio 0.4 --mode move >> "$OUT/log" 2>&1
run "$OLD" "${TRAIN[@]}" --cfg-options "${TINY[@]}" train_cfg.max_iters=4 >> "$OUT/log" 2>&1

echo "== today: both sides are sound, and the run is continued"
run "$NEW" dataset_creation/check-dataset.py clips --workers 1 > "$OUT/log" 2>&1
run "$NEW" dataset_creation/check-dataset.py clips_val --workers 1 >> "$OUT/log" 2>&1
run "$NEW" "${TRAIN[@]}" --cfg-options "${TINY[@]}" train_cfg.max_iters=6 > "$OUT/log" 2>&1
said 'continues from iteration 4'
test -e "$OUT/run/iter_6.pth"

echo "== today: the split is undone, creation has nothing left to do"
run "$NEW" "${SPLIT[@]}" --undo > "$OUT/log" 2>&1
state | diff "$OUT/before" -
run "$NEW" "${CREATE[@]}" > "$OUT/log" 2>&1
said '2 sources finished before'
state | diff "$OUT/before" -

echo "== samples of the same clips, by both versions (seed 1, epoch 2)"
cat > "$OUT/samples.py" <<'END'
import hashlib
from lada.data import ClipDraw, MosaicVideoDataset

clips = MosaicVideoDataset('clips/crop_unscaled_meta', 8, degrade=True, use_hflip=True, seed=1)
for number in range(4):
    sample = clips[ClipDraw(number, 2)]
    parts = sample['inputs'], sample['data_samples'].gt_img, sample['data_samples'].mosaic_mask
    print(number, *(hashlib.sha256(part.numpy().tobytes()).hexdigest()[:8] for part in parts))
END
for version in "$OLD" "$NEW"; do (cd "$OUT" && PYTHONPATH="$version" "$PY" samples.py 2>> log); done

echo "== clips that today's version cuts of the same videos: what differs"
mv "$OUT/clips" "$OUT/old_clips"
run "$NEW" "${CREATE[@]}" > "$OUT/log" 2>&1
cat > "$OUT/compare.py" <<'END'
import json
from collections import Counter
from pathlib import Path
import numpy as np
from lada.video import iter_frames

found = Counter()
for old in sorted(Path('old_clips').glob('crop_*/*')):
    new = Path('clips', *old.parts[1:])
    kind = old.parent.name
    if old.read_bytes() == new.read_bytes():
        found[kind, 'the same bytes'] += 1
    elif old.suffix == '.json':
        a, b = json.loads(old.read_text()), json.loads(new.read_text())
        keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
        found[kind, f'differs in {keys}'] += 1
    else:
        pairs = zip(iter_frames(old, gray=True), iter_frames(new, gray=True), strict=True)
        same = all(np.array_equal(*pair) for pair in pairs)
        found[kind, 'the same frames' if same else 'other frames'] += 1
for key, count in sorted(found.items()):
    print(count, *key)
END
(cd "$OUT" && PYTHONPATH="$NEW" "$PY" compare.py)
