#!/bin/bash
# All tests: installs what they need, builds the program (release) and the test programs (debug), runs every suite, the
# tests of the code itself and the demo. Ends with one line, `N passed, N failed`; fails when one failed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh program test bench
scripts/build.sh
cmake --preset debug > /dev/null
cmake --build --preset debug
exec python3 scripts/suites.py build/debug --scripts
