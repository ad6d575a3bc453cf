#!/bin/bash
# The suites that touch memory, threads and strangers' bytes, under sanitizers: `asan` (with UBSan) or `tsan`.
# Ends with one line, `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?asan or tsan}
suites=(base observe policy config net audit kube webhook guard)
scripts/setup.sh program test bench
cmake --preset "$preset" > /dev/null
targets=()
for suite in "${suites[@]}"; do
  if compgen -G "tests/$suite/*.cpp" > /dev/null; then targets+=("portcullis_test_$suite"); fi
done
cmake --build --preset "$preset" --target "${targets[@]}"
# A report is a failure, not a line in a log. TSan and a kernel that randomises more address bits than it knows: -R.
# No detect_stack_use_after_return: g++ 12 puts objects of 64-byte alignment anywhere on its false stack.
export ASAN_OPTIONS=halt_on_error=1:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
runner=()
if [[ $preset == tsan ]]; then runner=(setarch "$(uname -m)" -R); fi
exec "${runner[@]}" python3 scripts/suites.py "build/$preset" "${suites[@]}"
