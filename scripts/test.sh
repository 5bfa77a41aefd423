#!/usr/bin/env bash
# Runs the named steps in order, those joined by + at once, stops at the first that fails, and
# ends with each runner's own summary. ARGS goes to the test runner when there is one step only.
#
#   scripts/test.sh lint core asan crash python+pypy python-quick ring tidy
set -euo pipefail
cd "$(dirname "$0")/.."

read -ra extra <<<"${NVM_STEP_ARGS:-}"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:halt_on_error=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
export LSAN_OPTIONS=${LSAN_OPTIONS:-print_suppressions=0}

# gtest PRESET EXECUTABLE: builds and runs a GoogleTest executable.
gtest() {
  scripts/build.sh core "$1" "$2"
  .venv/bin/python scripts/check_link_order.py "build/$1/$2"
  "build/$1/$2" --gtest_brief=1 ${extra[@]+"${extra[@]}"}
}
# halves PRESET EXECUTABLE: the same in two processes at once; each says how it ended.
halves() {
  scripts/build.sh core "$1" "$2"
  .venv/bin/python scripts/check_link_order.py "build/$1/$2"
  local shard pids=() code=0
  for shard in 0 1; do
    GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$shard \
      "build/$1/$2" --gtest_brief=1 ${extra[@]+"${extra[@]}"} >"build/logs/$2.$shard.log" 2>&1 &
    pids+=($!)
  done
  for shard in 0 1; do
    wait "${pids[$shard]}" || code=$?
    cat "build/logs/$2.$shard.log"
  done
  return "$code"
}
# suite VENV PYTEST-ARGUMENTS...: builds the package into a venv and runs pytest there.
suite() {
  local venv=$1
  shift
  scripts/build.sh package "$venv"
  "$venv/bin/python" -m pytest "$@" ${extra[@]+"${extra[@]}"}
}

step_lint() { scripts/lint.sh check; }
step_core() { gtest release nvm_core_tests; }
step_asan() { gtest asan nvm_core_tests; }
step_tsan() { gtest tsan nvm_core_tests; }
step_crash() { NVM_CRASH_EFFORT=slice halves release nvm_crash_tests; }
# Power failures for so many seconds (600) beyond all cuts of the known workloads.
step_crash-test() {
  local seconds=${extra[0]:-600}
  extra=()
  NVM_CRASH_EFFORT=wide NVM_CRASH_SECONDS=$seconds halves release nvm_crash_tests
}
step_crash-full() { NVM_CRASH_EFFORT=wide halves release nvm_crash_tests; }
step_python() { suite .venv -m "not slow"; }
step_python-slow() { suite .venv; }
# python_asan ARGUMENTS...: the bindings under the address and undefined-behaviour sanitizers. What
# the interpreter itself leaks is not looked for.
python_asan() {
  scripts/bootstrap.sh venv .venv-asan .venv/bin/python
  scripts/build.sh package .venv-asan asan
  # libstdc++ is there before the sanitizer looks for what it throws with.
  LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
    ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1 PYTHONMALLOC=malloc \
    PYTHONPATH=${python_path:-} .venv-asan/bin/python "$@" ${extra[@]+"${extra[@]}"}
}
# The bindings of the kit, and those of the objects that take the most from C. Two tests want less
# memory than the sanitizer's own.
step_python-asan() {
  python_asan -m pytest -m "not slow" tests/python/kit \
    tests/python/test_{list,list_callbacks,list_objects,dict,dict_keys,dict_views,set,tuple}.py \
    tests/python/test_object_{attributes,classes,dataclasses,life,lost,methods}.py \
    tests/python/test_{bytearray_buffer,journal,memory,threads}.py \
    --deselect tests/python/test_journal.py::test_a_transaction_larger_than_memory_is_refused \
    --deselect tests/python/test_journal.py::test_values_larger_than_memory_in_one_transaction
}
# Random steps of every container for so many seconds (600) in all; each round tells its seed.
step_soak() {
  local seconds=${extra[0]:-600} machines=5
  extra=()
  NVM_SOAK_SECONDS=$((seconds / machines)) suite .venv -s --timeout=0 tests/python/machines
}
# There a signal ends no wait in C: a test that hangs ends the run.
step_pypy() { suite .venv-pypy -m "not slow" --timeout-method=thread; }
# One pool through all interpreters that the steps before have built for.
step_ring() { .venv/bin/python -m pytest tests/python/test_ring.py ${extra[@]+"${extra[@]}"}; }
# Damaged pools, for so many seconds (600), or what else the fuzzer takes.
step_fuzz() {
  scripts/build.sh package .venv
  [ ${#extra[@]} -gt 0 ] || extra=(600)
  PYTHONPATH=tests:tests/python .venv/bin/python -m fuzz "${extra[@]}"
}
# The same under the sanitizers.
step_fuzz-asan() {
  [ ${#extra[@]} -gt 0 ] || extra=(600)
  python_path=tests:tests/python python_asan -m fuzz
}
# libFuzzer on the core, for so many seconds (600) in all. Inputs that reach more than those in the
# repository go to build/fuzz/corpus, those that find something to build/fuzz/found.
step_fuzz-core() {
  local seconds=${extra[0]:-600} target targets=(heap logs journal objects)
  extra=()
  scripts/build.sh core fuzz nvm_core_fuzz
  .venv/bin/python scripts/check_link_order.py build/fuzz/nvm_core_fuzz
  export ASAN_SYMBOLIZER_PATH=${ASAN_SYMBOLIZER_PATH:-/usr/bin/llvm-symbolizer-16}
  for target in "${targets[@]}"; do
    mkdir -p "build/fuzz/corpus/$target" build/fuzz/found
    echo "---- $target"
    # Leaks are what the tests look for: here it would be done after each input.
    NVM_FUZZ_TARGET=$target build/fuzz/nvm_core_fuzz -detect_leaks=0 -timeout=60 -max_len=1024 \
      -rss_limit_mb=4096 -max_total_time=$((seconds / ${#targets[@]})) \
      -artifact_prefix="build/fuzz/found/$target-" \
      "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target"
  done
}
# A machine whose power is cut, again and again; the kernel is fetched once, by apt.
step_power() {
  local programs=(nvm_power_guest nvm_power_control nvm_power_judge)
  scripts/build.sh core release "${programs[@]}"
  .venv/bin/python scripts/check_link_order.py "${programs[@]/#/build/release/}"
  # mkfs.ext4 and the like are not on everyone's PATH.
  PATH=$PATH:/usr/sbin:/sbin PYTHONPATH=tests .venv/bin/python -m power ${extra[@]+"${extra[@]}"}
}
step_tidy() {
  scripts/build.sh core release nvm_core
  scripts/build.sh package .venv
  .venv/bin/python scripts/tidy.py
}
# What an interpreter's C-API is used for most, in seconds; on the oldest other CPython found.
step_python-quick() {
  local version python
  read -r version python < <(scripts/bootstrap.sh pythons) ||
    { echo "python: no other CPython on this machine"; return; }
  scripts/bootstrap.sh venv ".venv-python$version" "$python"
  suite ".venv-python$version" -m "not slow" \
    tests/python/test_{values,list_objects,dict_keys,object_attributes,object_classes,format}.py
}
# python-at VERSION PYTHON
step_python-at() {
  scripts/bootstrap.sh venv ".venv-python$1" "$2"
  suite ".venv-python$1" -m "not slow"
}
# Each of them, whatever became of those before.
step_python-others() {
  local version python bad=()
  while read -r version python; do
    printf -- '---- CPython %s: %s\n' "$version" "$python"
    "$0" --step python-at "$version" "$python" </dev/null || bad+=("$version")
  done < <(scripts/bootstrap.sh pythons)
  [ ${#bad[@]} -eq 0 ] || { echo "python: failed on CPython ${bad[*]}"; return 1; }
}

# The lines by which the runners sum themselves up.
summary='^\[==========\].* ran|^\[  (PASSED|FAILED)  \]|^=+ .*(passed|failed|error).* in |^(clang-(format|tidy)|---- CPython|Success|All checks|Found|[0-9]+ files? (already|would)|python: |power: |fuzz: |Done [0-9]+ runs)'

# Each step is a process of its own, so that it stops at its first failing command.
if [ "${1:-}" = --step ]; then
  "step_$2" "${@:3}"
  exit
fi

mkdir -p build/logs
[[ $# -ne 1 || $1 = *+* ]] || export NVM_STEP_ARGS=${ARGS:-}
results=()

# heading STEP
heading() { printf '\n================ %s ================\n' "$1"; }
# run STEP: its output goes to its log too, with its seconds as the last line; its exit status.
run() {
  local start=$SECONDS code=0
  "$0" --step "$1" >"build/logs/$1.log" 2>&1 || code=$?
  echo "--- $1, $((SECONDS - start)) s" >>"build/logs/$1.log"
  return "$code"
}
# together STEP...: the first one's output as it comes, the others' when they have ended.
together() {
  local first=$1 step pids=() follower code=0
  for step in "$@"; do
    : >"build/logs/$step.log"
    run "$step" &
    pids+=($!)
  done
  heading "$first"
  tail -n +1 -f --pid="${pids[0]}" "build/logs/$first.log" &
  follower=$!
  for step in "$@"; do
    if ! wait "${pids[0]}"; then
      code=1
      failed+=("$step")
    fi
    pids=("${pids[@]:1}")
    if [ "$step" = "$first" ]; then
      wait "$follower"
    else
      heading "$step"
      cat "build/logs/$step.log"
    fi
  done
  return "$code"
}

for steps in "$@"; do
  failed=()
  IFS=+ read -ra named <<<"$steps"
  code=0
  together "${named[@]}" || code=$?
  for step in "${named[@]}"; do
    log=build/logs/$step.log
    results+=("$(tail -n 1 "$log")")
    while IFS= read -r line; do results+=("    $line"); done \
      < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E "$summary" || true)
  done
  [ "$code" -eq 0 ] || break
done

printf '\n================ summary ================\n'
printf '%s\n' "${results[@]}"
if [ "$code" -eq 0 ]; then
  echo "all steps passed"
else
  echo "FAILED: ${failed[*]} (its output: build/logs/${failed[0]}.log)"
  exit "$code"
fi
