# Adds up what several test runners say. Sourced by scripts/test and scripts/test-deep.

passed=0
failed=0

# count_ctest PRESET [ctest argument…]
count_ctest() {
  local preset=$1 log line
  shift
  log=$root/build/$preset.ctest.log
  (cd "$root" && ctest --preset "$preset" -j 2 --no-tests=error "$@") >"$log" 2>&1
  line=$(grep -E 'tests passed, [0-9]+ tests? failed out of [0-9]+' "$log") || { cat "$log"; failed=$((failed + 1)); return; }
  local bad=${line#*passed, } all=${line##*out of }
  bad=${bad%% *}
  passed=$((passed + all - bad))
  failed=$((failed + bad))
  [ "$bad" = 0 ] || cat "$log"
  echo "$line"
}

# count_pytest FOLDER [pytest argument…]
count_pytest() {
  local log=$root/build/pytest.log summary
  "$root/build/venv/bin/python" -m pytest -q -p no:cacheprovider "$@" 2>&1 | tee "$log"
  local code=${PIPESTATUS[0]}
  summary=$(tail -n 1 "$log")
  number() { grep -oE "[0-9]+ $1" <<<"$summary" | grep -oE '[0-9]+' || echo 0; }
  passed=$((passed + $(number passed)))
  failed=$((failed + $(number failed) + $(number 'errors?')))
  # A run that ended without counting (an import error, no tests) has failed.
  [ "$code" = 0 ] || [ "$failed" -gt 0 ] || failed=$((failed + 1))
}

# count_check COMMAND…: one test that passes when the command succeeds.
count_check() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# give_up WHAT: a step without which the rest is worth nothing has failed. Ends the script.
give_up() {
  echo "$* failed" >&2
  failed=$((failed + 1))
  finish_counting
  exit 1
}

finish_counting() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
