#!/bin/bash
# What the gate costs at a real API server: installs, builds, and runs bench/cluster.py. Arguments go to it (`--help`).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh program e2e
if [[ -z ${PORTCULLIS_PROGRAM:-} ]]; then scripts/build.sh; fi
tests/e2e/tools/build.sh
as_root=()
if ((EUID != 0)); then as_root=(sudo "PORTCULLIS_E2E_CACHE=${PORTCULLIS_E2E_CACHE:-$HOME/.cache/portcullis-e2e}"); fi
exec "${as_root[@]}" python3 bench/cluster.py "$@"
