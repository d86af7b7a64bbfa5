#!/usr/bin/env bash
# An environment with OpenMMLab's own last releases (MMEngine 0.10.7, MMCV 2.1.0 with its operators, MMagic 1.2.0) and this
# toolkit, for configs that name `mmagic.X`: scripts/setup-mmagic-environment.sh [FOLDER, .venv-mmagic unless given]
# MMCV has no wheels in the index, it is compiled here. PIP_FIND_LINKS=FOLDER takes a wheel of yours instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup-environment.sh
FOLDER="${1:-.venv-mmagic}"
BASE="${PYTHON:-python3.11}"

# Torch: the oldest that Lada takes. NumPy: MMCV 2.1 and MMagic are older than 2.0.
PINS=(torch==2.6.0 torchvision==0.21.0 numpy==1.26.4 'setuptools<70' mmengine==0.10.7)
# What `import mmagic.models`, `mmagic.evaluation` and `mmagic.datasets` load, in the versions of their time; from newer ones
# of the first three, names that MMagic imports are gone.
MMAGIC_NEEDS=(diffusers==0.24.0 transformers==4.36.2 huggingface-hub==0.25.2 click einops lpips pandas resize-right
    scikit-image scikit-learn scipy 'opencv-python<4.12')
# Their requirements would bring a second OpenCV, and MMagic's mediapipe, facexlib, face-alignment, controlnet-aux.
ALONE=(albumentations==1.3.1 qudida==0.0.4 mmagic==1.2.0)

"$BASE" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    echo "error: $BASE is not Python 3.11; set PYTHON to one that is" >&2
    exit 1
}
command -v c++ >/dev/null || {
    echo "error: no C++ compiler for MMCV's operators; on Debian or Ubuntu: apt-get install g++" >&2
    exit 1
}
[ -x "$FOLDER/bin/python" ] || "$BASE" -m venv "$FOLDER"
FOLDER="$(cd "$FOLDER" && pwd)"
PY="$FOLDER/bin/python"
PINNED="$FOLDER/constraints.txt"
printf '%s\n' "${PINS[@]}" > "$PINNED"
install() { "$PY" -m pip install --quiet --disable-pip-version-check "$@"; }

echo "Installing PyTorch, MMEngine and what MMagic needs into $FOLDER (6 GB with CUDA's libraries) ..."
install_torch_without_cuda "$PINNED" "$PY" --quiet
# Lada's own requirements but those pinned above, and the forks, which are the same modules.
mapfile -t LADA_NEEDS < <("$PY" - <<'PYTHON'
import re, tomllib
left_out = {'torch', 'torchvision', 'numpy', 'onedl-mmengine', 'onedl-mmcv', 'opencv-python'}
for line in tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']:
    if re.match(r'[\w-]+', line)[0] not in left_out:
        print(line)
PYTHON
)
install --constraint "$PINNED" wheel ninja "${PINS[@]}" "${MMAGIC_NEEDS[@]}" "${LADA_NEEDS[@]}"
install --no-deps "${ALONE[@]}"

echo "Compiling MMCV's operators, half an hour and more on two cores ..."
MMCV_WITH_OPS=1 PATH="$FOLDER/bin:$PATH" install --no-build-isolation --no-deps mmcv==2.1.0

# --no-deps: pyproject.toml asks for the forks and for NumPy 2.
install --no-deps --editable .
"$PY" -c 'import mmcv.ops, mmagic.models, mmagic.engine, mmagic.evaluation, mmagic.visualization, lada.models'
echo "Done. What works, as in a table: $PY dev/check_mmagic.py"
