#!/bin/bash
# Builds the program and the benchmarks and measures both doors beside nginx. Arguments go to bench/run.py (`--help`).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh program test bench
scripts/build.sh
cmake --preset bench > /dev/null
cmake --build --preset bench --target portcullis_bench
exec python3 bench/run.py "$@"
