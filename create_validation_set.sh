#!/usr/bin/env bash
# Gives a part of a dataset of clips to validation, after showing what would be done.
#
#   ./create_validation_set.sh [DATASET] [--yes] [options of split-train-val-dataset.py]
#
# DATASET: by default $LADA_DATA_ROOT, or else datasets/mosaic_removal_vid. The validation set: $LADA_VAL_ROOT, or else
# DATASET_val. Unless told otherwise (--val-size, --val-ratio, --mode) a tenth of the clips is moved. VALIDATION_SET_GUIDE.md
# explains the choices; --dry-run only shows, --yes does not ask, --undo takes the split back.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
SPLIT="$HERE/scripts/dataset_creation/split-train-val-dataset.py"

# What comes next is said here.
export LADA_NEXT=no

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

PY="$HERE/.venv/bin/python"
[ -x "$PY" ] || PY=python3
command -v "$PY" > /dev/null || fail "no Python found: install Python 3.11 or newer, then run ./run_tests.sh once to set up .venv"
(cd "$HERE" && "$PY" -c 'import lada.dataset_tools.split.splitting' 2> /dev/null) || fail "$PY has no lada with all it needs: run ./run_tests.sh once to set up .venv, or: $PY -m pip install -e ."

YES=no UNDO=no DRY=no SIZED=no MODE=no
DATASET="" EXTRA=()
VALUED=" --val-root --val-size --val-ratio --seed --group-by --mode --hash --report "
while [ $# -gt 0 ]; do
    case "$1" in
        -h|--help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 0 ;;
        -y|--yes) YES=yes ;;
        --undo) UNDO=yes ;;
        --dry-run) DRY=yes ;;
        --val-root) [ -n "${2:-}" ] || fail "--val-root needs a folder"; LADA_VAL_ROOT="$2"; shift ;;
        --val-root=*) LADA_VAL_ROOT="${1#*=}" ;;
        -*)
            case "$1" in --val-size*|--val-ratio*) SIZED=yes ;; --mode*) MODE=yes ;; esac
            EXTRA+=("$1")
            if [[ "$VALUED" == *" $1 "* ]]; then [ -n "${2:-}" ] || fail "$1 needs a value"; EXTRA+=("$2"); shift; fi ;;
        *) [ -z "$DATASET" ] || fail "more than one dataset: $DATASET and $1; give one"
           DATASET="$1" ;;
    esac
    shift
done

DATASET="${DATASET:-${LADA_DATA_ROOT:-datasets/mosaic_removal_vid}}"
while [ "$DATASET" != / ] && [ "${DATASET%/}" != "$DATASET" ]; do DATASET="${DATASET%/}"; done
case "/$DATASET" in */.|*/..) [ ! -d "$DATASET" ] || DATASET="$(cd "$DATASET" && pwd)" ;; esac
VAL="${LADA_VAL_ROOT:-${DATASET}_val}"
[ -d "$DATASET" ] || fail "no dataset: $DATASET; create one with scripts/dataset_creation/create-mosaic-restoration-dataset.py, or give its folder or set LADA_DATA_ROOT"
[ -d "$DATASET/crop_unscaled_meta" ] || [ -f "$DATASET/packed.index" ] || fail "no dataset: $DATASET holds no crop_unscaled_meta; give the root of a dataset"

count() {
    if [ -f "$1/packed.index" ]; then head -c 4096 "$1/packed.index" | sed -n 's/.*"count": \([0-9]*\).*/\1/p'; return; fi
    find "$1/crop_unscaled_meta" -maxdepth 1 -name '*.json' -print0 2> /dev/null | tr -dc '\0' | wc -c | tr -d ' '
}
ask() {
    [ "$YES" = yes ] && return 0
    local answer=""
    printf '%s [y/N] ' "$1"
    read -r answer || true
    case "$answer" in y|Y|yes|Yes|YES) return 0 ;; esac
    printf 'Nothing was changed.\n'
    exit 1
}

if [ "$UNDO" = yes ]; then
    ARGS=(--src-root "$DATASET" --val-root "$VAL" --undo)
    "$PY" "$SPLIT" "${ARGS[@]}" --dry-run
    [ "$DRY" = no ] || exit 0
    ask "Take the validation set back?"
    exec "$PY" "$SPLIT" "${ARGS[@]}" --yes > /dev/null
fi

[ "$SIZED" = yes ] || EXTRA+=(--val-ratio 0.1)
[ "$MODE" = yes ] || EXTRA+=(--mode move)
ARGS=(--src-root "$DATASET" --val-root "$VAL" "${EXTRA[@]}")

printf 'Dataset %s: %s clips.\n' "$DATASET" "$(count "$DATASET")"
PLAN="$("$PY" "$SPLIT" "${ARGS[@]}" --dry-run)"
case "$PLAN" in
    'split already'*) printf '%s\n' "$PLAN" ;;
    *)
        printf 'This would be done:\n\n%s\n\n' "$PLAN"
        [ "$DRY" = no ] || exit 0
        ask "Go ahead?"
        "$PY" "$SPLIT" "${ARGS[@]}" --yes > /dev/null ;;
esac
[ "$DRY" = no ] || exit 0

absolute() { (cd "$1" && pwd); }
printf '\nTraining: %s clips, validation: %s clips.\n' "$(count "$DATASET")" "$(count "$VAL")"
printf 'The stage 1 config reads these two variables; export them before training:\n\n'
printf 'export LADA_DATA_ROOT=%q\nexport LADA_VAL_ROOT=%q\n' "$(absolute "$DATASET")" "$(absolute "$VAL")"
