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
  export TEST_KILLS="${TEST_KILLS:-1000}" TEST_SAMPLES_A_MINUTE="${TEST_SAMPLES_A_MINUTE:-60}" TEST_DAYS="${TEST_DAYS:-30}"
  export PROPTEST_CASES="${PROPTEST_CASES:-20000}"
fi

# The packages of these very programs in a clean Debian, first as it lies there, then booted. Where there is no root or no
# mirror it cannot be made.
package_test() {
  local script status
  for script in packaging/deb-test.sh packaging/boot-test.sh; do
    status=0
    "$script" "$CARGO_TARGET_DIR/$folder" || status=$?
    case $status in
      0) ;;
      77) echo "test: $script WAS NOT TRIED, see above: it takes root, namespaces and a mirror of Debian" >&2 ;;
      *) exit "$status" ;;
    esac
  done
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
