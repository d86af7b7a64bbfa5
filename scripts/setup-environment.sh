# Sourced by the shell scripts: makes .venv with everything installed and sets $PY to its Python.
# A finished set-up is remembered by what it installed from, so that a second run costs no time.

# setup_environment ROOT [EXTRA]: EXTRA is one of pyproject.toml's optional-dependencies.
setup_environment() {
    local root="$1" extra="${2:-}" stamp quiet=--quiet venv_python
    venv_python="$root/.venv/bin/python"
    stamp="$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
    PY="$venv_python"
    if [ -x "$venv_python" ]; then
        case "$(cat "$root/.venv/.lada-installed" 2>/dev/null)" in
            "$stamp $extra" | "$stamp dev") return 0 ;;
        esac
    fi
    local base="${PYTHON:-python3}"
    if ! "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "error: $base is not Python 3.11 or newer; set PYTHON to one that is" >&2
        return 1
    fi
    [ -t 1 ] && quiet=--progress-bar=auto
    echo "Setting up .venv (once; the packages take up to 6 GB of disk) ..."
    [ -x "$venv_python" ] || "$base" -m venv "$root/.venv" || return 1
    install_torch_without_cuda "$root/constraints.txt" "$venv_python" "$quiet"
    # The versions that the tests passed with; where one of them cannot be had, the ranges of pyproject.toml.
    "$venv_python" -m pip install "$quiet" --disable-pip-version-check --constraint "$root/constraints.txt" --editable "$root${extra:+[$extra]}" || {
        echo "Not all pinned versions can be had here; trying newer or older ones ..."
        "$venv_python" -m pip install "$quiet" --disable-pip-version-check --editable "$root${extra:+[$extra]}"
    } || {
        echo "error: the packages could not be installed; pip's message is above" >&2
        return 1
    }
    "$venv_python" -c 'import av, cv2, lada.registry, mmcv, torchvision' || {
        echo "error: a package does not load; on a bare Debian or Ubuntu 'apt-get install libgl1 libglib2.0-0' usually helps" >&2
        return 1
    }
    echo "$stamp $extra" > "$root/.venv/.lada-installed"
}

# Without a GPU the wheels without CUDA do: a tenth of the download, if an index has them. That is PyTorch's own, or
# $TORCH_INDEX; whoever has chosen an index for pip has a reason, and is sent to no other.
install_torch_without_cuda() {
    local constraints="$1" venv_python="$2" quiet="$3" index="${TORCH_INDEX:-}" wheels
    # Under WSL the GPU is /dev/dxg.
    if [ "$(uname -s)" != Linux ] || [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || command -v nvidia-smi >/dev/null ||
        "$venv_python" -m pip show --quiet torch 2>/dev/null; then
        return 0
    fi
    if [ -z "$index" ]; then
        [ -z "$("$venv_python" -m pip config list | grep -o '\.index-url=')" ] || return 0
        index=https://download.pytorch.org/whl/cpu
    fi
    wheels="$(sed -n 's/^\(torch\|torchvision\)==\([^+]*\)$/\1==\2+cpu/p' "$constraints")"
    # shellcheck disable=SC2086 # two words
    "$venv_python" -m pip install "$quiet" --disable-pip-version-check --retries 0 --timeout 15 --index-url "$index" $wheels 2>/dev/null ||
        echo "No wheels of PyTorch without CUDA at $index; installing those with it ..."
}
