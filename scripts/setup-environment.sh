# Sourced by the shell scripts: makes .venv with everything installed and sets $PY to its Python.
# A finished set-up is remembered by what it installed from, so that a second run costs no time.

setup_environment() {
    local root="$1" stamp venv_python
    venv_python="$root/.venv/bin/python"
    stamp="$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
    PY="$venv_python"
    if [ -x "$venv_python" ] && [ "$(cat "$root/.venv/.lada-installed" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    local base="${PYTHON:-python3}"
    if ! "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "error: $base is not Python 3.11 or newer; set PYTHON to one that is" >&2
        return 1
    fi
    echo "Setting up .venv (once; the packages take about 6 GB of disk) ..."
    [ -x "$venv_python" ] || "$base" -m venv "$root/.venv" || return 1
    # The versions that the tests passed with; where one of them cannot be had, the ranges of pyproject.toml.
    "$venv_python" -m pip install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" --editable "$root[dev]" || {
        echo "Not all pinned versions can be had here; trying newer or older ones ..."
        "$venv_python" -m pip install --quiet --disable-pip-version-check --editable "$root[dev]"
    } || {
        echo "error: the packages could not be installed; pip's message is above" >&2
        return 1
    }
    "$venv_python" -c 'import av, cv2, lada.registry, mmcv, torchvision' || {
        echo "error: a package does not load; on a bare Debian or Ubuntu 'apt-get install libgl1 libglib2.0-0' usually helps" >&2
        return 1
    }
    echo "$stamp" > "$root/.venv/.lada-installed"
}
