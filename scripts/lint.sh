#!/bin/bash
# Formatting (clang-format), static analysis (clang-tidy over every source of ours), shell scripts (shellcheck), every
# header by itself. A finding is a failure. Ends with one line, `N passed, N failed`, counting files.
#
#   scripts/lint.sh            everything
#   scripts/lint.sh FILE...    only these sources, for a developer's inner loop
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh program test bench
# No precompiled headers: g++'s are not clang's.
cmake --preset debug -B build/lint -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DPORTCULLIS_BENCH=ON -DCMAKE_CXX_COMPILER_LAUNCHER= > /dev/null
exec python3 scripts/lint.py build/lint "$@"
