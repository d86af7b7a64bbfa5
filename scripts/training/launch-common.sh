# Sourced by run_multi_gpu_training*.sh: reads the environment, checks it, and prints what is about to run.
#
# Environment: CONFIG, NPROC (processes on this machine; all: as many as it has GPUs), CUDA_VISIBLE_DEVICES, MASTER_ADDR, MASTER_PORT, NNODES, NODE_RANK;
# for elastic jobs (NNODES=MIN:MAX, torchrun only) RUN_ID and MAX_RESTARTS as well.

fail() { echo "error: $*" >&2; exit 1; }

find_python() {
    if [ -x "$ROOT/.venv/bin/python" ]; then
        PY="$ROOT/.venv/bin/python"
    elif command -v python3 >/dev/null; then
        PY="$(command -v python3)"
    else
        fail "no Python found; run ./run_demo.sh once, which makes .venv"
    fi
    "$PY" -c 'import lada, torch' 2>/dev/null || fail "$PY has no lada and torch; run ./run_demo.sh once, or 'pip install -e .'"
}

# number NAME LEAST: ends unless $NAME is a whole number of at least LEAST
number() {
    case "${!1}" in '' | *[!0-9]*) fail "$1=${!1} is not a whole number" ;; esac
    [ "${!1}" -ge "$2" ] || fail "$1=${!1} is too small; set it to $2 or more"
}

port_is_free() {
    "$PY" - "$1" <<'PYTHON'
import socket
import sys

with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(('', int(sys.argv[1])))
    except (OSError, OverflowError):
        sys.exit(1)
PYTHON
}

# reserve_port PORT: keeps it from this user's other launches, also while the launcher is still starting, until this process
# (exec keeps it) has ended.
reserve_port() {
    command -v flock >/dev/null || return 0
    local lock
    exec {lock}>"${TMPDIR:-/tmp}/lada-$UID-port-$1.lock" && flock --nonblock "$lock"
}

free_port() { "$PY" -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }

count_gpus() { "$PY" -c 'import torch; print(torch.cuda.device_count())' 2>/dev/null || echo 0; }

# Sets PY, NPROC, NNODES, NODE_RANK, MASTER_ADDR, MASTER_PORT and CONFIG, or ends with one line.
prepare_launch() {
    find_python
    CONFIG="${CONFIG:-configs/basicvsrpp/mosaic_restoration_generic_stage1.py}"
    [ -f "$CONFIG" ] || fail "no config at $CONFIG; set CONFIG to one of configs/basicvsrpp/"
    MASTER_ADDR="${MASTER_ADDR:-127.0.0.1}"
    [ "${NPROC:-}" != all ] || NPROC="$(count_gpus | sed 's/^0$/1/')"
    [ -z "${NPROC:-}" ] || number NPROC 1
    [ -z "${MASTER_PORT:-}" ] || number MASTER_PORT 1
    check_nodes

    local gpus asked_devices="${CUDA_VISIBLE_DEVICES-}"
    export CUDA_VISIBLE_DEVICES="${CUDA_VISIBLE_DEVICES-$(seq -s, 0 $(( ${NPROC:-2} - 1 )))}"
    gpus="$(count_gpus)"
    if [ "$gpus" -eq 0 ]; then
        [ -z "$asked_devices" ] || [ "$asked_devices" = -1 ] || \
            fail "CUDA_VISIBLE_DEVICES=$asked_devices, but PyTorch sees no GPU; unset it to train on the CPU"
        NPROC="${NPROC:-2}"
        export CUDA_VISIBLE_DEVICES=
        # Fair shares, or every process would use all cores.
        local cores
        cores="$(nproc)"
        export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(( cores / NPROC > 0 ? cores / NPROC : 1 ))}"
        echo "No GPU found: $NPROC processes on the CPU, $OMP_NUM_THREADS threads each."
    else
        local asked
        asked="$(tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | grep -c .)"
        NPROC="${NPROC:-$asked}"
        [ "$NPROC" -le "$gpus" ] || \
            fail "$NPROC processes asked for (CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES), but PyTorch sees $gpus GPUs; set NPROC or CUDA_VISIBLE_DEVICES"
    fi

    if [ "$NNODES" = 1 ] && [ -n "${MASTER_PORT:-}" ]; then
        port_is_free "$MASTER_PORT" || fail "port $MASTER_PORT is in use; choose another MASTER_PORT or leave it unset"
    fi
    # Config, data and checkpoint are checked once, before any process group is formed.
    [ -n "${LADA_CHECKED:-}" ] || "$PY" scripts/training/train-mosaic-restoration-basicvsrpp.py "$CONFIG" --dry-run "$@" || exit $?
    if [ "$NNODES" = 1 ] && [ -z "${MASTER_PORT:-}" ] && ! { reserve_port 29500 && port_is_free 29500; }; then
        MASTER_PORT="$(free_port)"
        echo "Port 29500 is in use: taking $MASTER_PORT."
    fi
    # On several machines all must name the same port, so none is chosen here.
    MASTER_PORT="${MASTER_PORT:-29500}"
}

check_nodes() {
    NNODES="${NNODES:-1}" NODE_RANK="${NODE_RANK:-0}"
    if [[ "$NNODES" = *:* ]]; then
        local least="${NNODES%%:*}" most="${NNODES#*:}"
        { [[ "$least" =~ ^[1-9][0-9]*$ ]] && [[ "$most" =~ ^[1-9][0-9]*$ ]] && [ "$least" -le "$most" ]; } || \
            fail "NNODES=$NNODES is not MIN:MAX, two numbers of machines, for example 1:4"
        return
    fi
    number NNODES 1
    number NODE_RANK 0
    [ "$NODE_RANK" -lt "$NNODES" ] || fail "NODE_RANK=$NODE_RANK, but machines are counted from 0 to $(( NNODES - 1 )) (NNODES=$NNODES)"
}

# Starts "$@" in the foreground; a signal to this script reaches the launcher, which stops every rank.
launch() {
    printf 'Running:'
    printf ' %q' "$@"
    printf '\n'
    exec "$@"
}
