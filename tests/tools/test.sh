#!/usr/bin/env bash
# Runs everything that must hold before a change is merged, and counts it. `make test` calls it.
#
# Each step runs whatever became of the one before, so that one run shows everything that is wrong. A step that is not a test, such as
# the linter, counts as one. The last line is `N passed, N failed`, and the exit code says whether anything failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

passed=0
failed=0
broken=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

main() {
  # A tool that cannot be built fails the tests that need it, each with its reason; nothing else waits for it.
  check "tools" tests/tools/build.sh
  check "formatting" cargo fmt --all --check
  check "build" cargo build --workspace --locked --all-targets
  check "clippy" cargo clippy --workspace --locked --all-targets -- -D warnings
  check "licences, bans, sources" "$(tests/tools/build.sh --where)/bin/cargo-deny" --log-level error check licenses bans sources
  tests "unit tests" cargo test --workspace --locked --no-fail-fast --lib --bins
  tests "examples in the documentation" cargo test --workspace --locked --no-fail-fast --doc
  tests "integration, conformance, end to end" cargo test --workspace --locked --no-fail-fast --test '*'
  check "demo" env KEEP= "${CARGO_TARGET_DIR:-target}/debug/demo"
  summary
}

# check TITLE COMMAND...: one passed or failed.
check() {
  local title=$1
  shift
  step "$title"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    broken+=("$title")
  fi
}

# tests TITLE COMMAND...: as many as the test binaries say. A run that fails without a failed test, say because it does not compile or
# a test binary crashed, counts as one failed.
tests() {
  local title=$1 status=0 failed_here
  shift
  step "$title"
  "$@" 2>&1 | tee "$log" || status=1
  passed=$((passed + $(sum passed)))
  failed_here=$(sum failed)
  if ((status && !failed_here)); then
    failed_here=1
    broken+=("$title: it ended without a result, see above")
  fi
  failed=$((failed + failed_here))
  while read -r name; do broken+=("$name"); done < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
}

# The sum of one number over all `test result: ok. 3 passed; 0 failed; …` lines.
sum() {
  sed -n "s/^test result: .* \([0-9]*\) $1;.*/\1/p" "$log" | awk '{ total += $1 } END { print total + 0 }'
}

step() {
  printf '\n== %s [%d s]\n' "$1" "$SECONDS"
}

summary() {
  printf '\n== after %d s\n' "$SECONDS"
  ((${#broken[@]} == 0)) || printf 'failed: %s\n' "${broken[@]}"
  mkdir -p target && echo "$passed passed, $failed failed" | tee target/test-count
  ((failed == 0))
}

main
