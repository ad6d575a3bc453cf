#!/bin/bash
# What breaks around the gate, for long enough to mean something: killed replicas, a paused etcd, lost replies, API servers
# that are slow, gone or lie, certificates that change under load. Each test prints its figure. Half an hour.
set -euo pipefail
exec "$(dirname "$0")/e2e.sh" --faults "$@"
