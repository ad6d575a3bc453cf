#!/bin/bash
# Installs the named sections of scripts/packages.txt, as root or through sudo. Says nothing and needs no network when all
# is there already. Services that a package brings (nginx) are kept from starting: a policy-rc.d is put in place for the
# time of the installation, unless the machine has one of its own.
#
#   scripts/setup.sh program [test] [bench]
set -euo pipefail
cd "$(dirname "$0")/.."

sections=" $* "
wanted=()
section=
while read -r word _; do
  case "$word" in
    '' | '#'*) ;;
    '['*']') section=${word//[\[\]]/} ;;
    *) if [[ $sections == *" $section "* ]]; then wanted+=("$word"); fi ;;
  esac
done < scripts/packages.txt
if ((${#wanted[@]} == 0)); then
  echo "setup: no such section:$sections" >&2
  exit 2
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  if [[ $state != installed ]]; then missing+=("$package"); fi
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo > /dev/null; then
    echo "setup: these packages are missing, and installing them needs root or sudo: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
install() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; }
log=$(mktemp)
# The package lists may be absent or older than the archive; they are fetched first, and once more if a package is gone.
if ! { "${as_root[@]}" apt-get update -q && install; } > "$log" 2>&1; then
  tail -n 30 "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
