#!/usr/bin/env bash
# Every test, built once. `test.sh soak` runs the long versions of the fault tests instead, with optimised programs.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
everything=(--workspace --all-features)
targets=(--all-targets)
folder=debug
if [ "${1:-}" = soak ]; then
  everything+=(--release)
  # Optimising is slow: only the programs and the tests that attack them.
  targets=(--bins --test cloud --test edge --test system)
  folder=release
  export TEST_KILLS="${TEST_KILLS:-1000}" PROPTEST_CASES="${PROPTEST_CASES:-20000}"
fi

# The package of these very programs in a clean Debian. Where there is no root or no mirror it cannot be made.
package_test() {
  local status=0
  if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
    packaging/deb-test.sh "$CARGO_TARGET_DIR/$folder" || status=$?
  else
    status=77
  fi
  case $status in
    0) ;;
    77) echo "test: THE PACKAGE WAS NOT TRIED: it takes root and a mirror of Debian; type: sudo -E packaging/deb-test.sh" >&2 ;;
    *) exit "$status" ;;
  esac
}

# One invocation builds programs and tests alike, so that nothing is compiled twice for different features.
cargo build "${everything[@]}" "${targets[@]}"

# The tests share one throwaway Postgres, which the first of them starts.
trap '"$CARGO_TARGET_DIR/$folder/test-postgres" stop' EXIT
if [ "${1:-}" = soak ]; then
  cargo nextest run "${everything[@]}" "${targets[@]}" --profile soak -E 'package(tests)'
else
  cargo nextest run "${everything[@]}" --no-fail-fast
  cargo test --quiet --doc "${everything[@]}"
  package_test
fi
