#!/usr/bin/env bash
# Set-up (once), the gates, and all tests. Arguments go to pytest: ./run_tests.sh -m "not slow"; ./run_tests.sh tests/models -x
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup-environment.sh
setup_environment "$PWD" dev

echo "== Style, types, import directions =="
"$PY" -m ruff check --quiet .
"$PY" -m ruff format --check --quiet . || { echo "error: not formatted; run $PY -m ruff format ." >&2; exit 1; }
"$PY" -m pyright --pythonpath "$PY"
"$(dirname "$PY")/lint-imports" --no-logo --no-cache

echo "== Tests =="
# One thread each: the tests run in as many processes as there are cores, and threads on top would fight for them.
export OMP_NUM_THREADS=1
exec "$PY" -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal --durations 10 "$@"
