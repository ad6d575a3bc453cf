#!/bin/bash
# The gate in a real cluster: kube-apiserver, kube-controller-manager and etcd on this machine, the shipped manifests in it,
# and the program behind them, in a network namespace of the run's own. Needs root (or sudo): namespaces and mounts. The
# first run builds Kubernetes and Traefik from source, a quarter of an hour; later ones begin at once. The last line is `N passed, N failed`.
#
#   scripts/e2e.sh [--core] [PYTEST_ARGUMENT...]     --core: what .ci/run runs; PORTCULLIS_PROGRAM: a program that is built already
set -euo pipefail
cd "$(dirname "$0")/.."
selection=(-m "not faults")
if [[ ${1:-} == --core ]]; then
  selection=(-m core)
  shift
fi
if [[ ${1:-} == --faults ]]; then
  selection=(-m faults -s)
  shift
fi
scripts/setup.sh program test e2e
if [[ -z ${PORTCULLIS_PROGRAM:-} ]]; then scripts/build.sh; fi
tests/e2e/tools/build.sh
PATH=$PATH:$(dirname "$(tests/e2e/tools/build.sh --go)") # the comparison with Kubernetes' arithmetic builds its other half
cmake --preset debug > /dev/null
cmake --build --preset debug --target portcullis_usage_lines > /dev/null

as_root=()
if ((EUID != 0)); then
  as_root=(sudo "PATH=$PATH" "PORTCULLIS_E2E_CACHE=${PORTCULLIS_E2E_CACHE:-$HOME/.cache/portcullis-e2e}" "PORTCULLIS_PROGRAM=${PORTCULLIS_PROGRAM:-}")
fi
python=/usr/bin/python3
if ! "$python" -c 'import pytest, yaml' 2> /dev/null; then python=python3; fi
folders=(tests/e2e)
for word in "$@"; do
  if [[ -e ${word%%::*} ]]; then folders=(); fi
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
"${as_root[@]}" "$python" -m pytest -p no:cacheprovider -q --durations=5 "${selection[@]}" "$@" "${folders[@]}" 2>&1 | tee "$log" || code=$?
count() { sed -nE "s/.*[^0-9]([0-9]+) $1.*/\1/p;s/^([0-9]+) $1.*/\1/p" <<< "$(tail -n 1 "$log")" | head -n 1; }
passed=$(count passed) failed=$(count failed) errors=$(count error)
failed=$((${failed:-0} + ${errors:-0}))
if ((code != 0 && failed == 0)); then failed=1; fi
echo "${passed:-0} passed, $failed failed"
exit "$code"
