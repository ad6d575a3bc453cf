#!/bin/bash
# Runs every fuzz target of tests/fuzz for SECONDS (default 60) under AddressSanitizer and UBSan, on a corpus in
# build/fuzz-corpus that grows from run to run and begins with tests/fuzz/seeds. One line a target; exits 1 when one crashed,
# ran over a second on one input or took over 512 MiB, and prints the file that did it.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=60
if (($# > 0)) && [[ $1 =~ ^[0-9]+$ ]]; then seconds=$1 && shift; fi
targets=("$@")
if ((${#targets[@]} == 0)); then
  for source in tests/fuzz/*.cpp; do targets+=("$(basename "$source" .cpp)"); done
fi

scripts/setup.sh program test fuzz
cmake --preset fuzz > /dev/null
cmake --build --preset fuzz > build/fuzz.log || { tail -n 30 build/fuzz.log >&2; exit 1; }

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
failed=0
for target in "${targets[@]}"; do
  corpus=build/fuzz-corpus/$target crashes=build/fuzz-crashes/$target log=build/fuzz/$target.log
  mkdir -p "$corpus" "$crashes"
  seeds=()
  if [[ -d tests/fuzz/seeds/$target ]]; then seeds=("tests/fuzz/seeds/$target"); fi
  dictionary=()
  if [[ -f tests/fuzz/dictionaries/$target.txt ]]; then dictionary=(-dict="tests/fuzz/dictionaries/$target.txt"); fi
  verdict=ok
  if ! "build/fuzz/tests/fuzz/portcullis_fuzz_$target" -max_total_time="$seconds" -timeout=1 -rss_limit_mb=512 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$crashes/" "${dictionary[@]}" "$corpus" "${seeds[@]}" > "$log" 2>&1; then
    failed=1
    verdict=$(sed -n 's/^.*Test unit written to //p' "$log" | tail -n 1)
    verdict="CRASHED ${verdict:-see $log}: $(grep -m 1 -E 'broken promise|ERROR:|runtime error|terminate called' "$log" || true)"
  fi
  coverage=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 || true)
  runs=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  printf '%-16s %8s runs/s  %-11s corpus: %-6s %s\n' "$target" "${runs:--}" "${coverage:-cov: -}" "$(find "$corpus" -type f | wc -l)" "$verdict"
done
exit "$failed"
