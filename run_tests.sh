#!/usr/bin/env bash
# Set-up (once) and all tests. Arguments go to pytest: ./run_tests.sh tests/models -x
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup-environment.sh
setup_environment "$PWD"
# One thread each: the tests run in as many processes as there are cores, and threads on top would fight for them.
export OMP_NUM_THREADS=1
"$PY" -m ruff check .
"$PY" -m ruff format --check .
exec "$PY" -m pytest --numprocesses auto --maxprocesses 8 --durations 10 "$@"
