#!/bin/bash
# The program alone, release preset: build/portcullis. No tests, no benchmarks.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release > /dev/null
cmake --build --preset release --target portcullis
