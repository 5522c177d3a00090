#!/usr/bin/env bash
# Runs schemathesis over the API document against a real service with a throwaway database: no answer may be a fault
# of ours, and none may be undocumented.
#   packaging/fuzz-api.sh [SECONDS]   how long requests are made up; 60 if nothing is said
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
version=4.32.5
tools=$PWD/.gymwire/schemathesis

say() { printf 'fuzz-api: %s\n' "$*" >&2; }
if ! PYTHONPATH=$tools python3 -c "import importlib.metadata as m, sys; sys.exit(m.version('schemathesis') != '$version')" 2>/dev/null; then
  say "fetching schemathesis $version into .gymwire/schemathesis"
  rm -rf "$tools"
  python3 -m pip install --quiet --target "$tools" "schemathesis==$version"
fi
# As for the tests, so that nothing is compiled twice for different features.
cargo build --workspace --all-features --all-targets

folder=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
  rm -rf "$folder"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export GYMWIRE_HTTP__BIND=127.0.0.1:$port GYMWIRE_SERVICE__STATE_DIR=$folder/state
export GYMWIRE_DATABASE__PRIVATE_DIR=$folder/postgres GYMWIRE_DATABASE__PRIVATE_FSYNC=false
# What is made up may not be stopped by limits, nor by a token that ends.
for limit in ANONYMOUS USER PREMIUM ADMIN; do export "GYMWIRE_LIMITS__$limit=100000000"; done
export GYMWIRE_AUTH__ACCESS_TOKEN_S=86400 GYMWIRE_AUTH__MAX_FAILURES=1000000
export GYMWIRE_AUTH__MAX_FAILURES_PER_ACCOUNT=1000000 GYMWIRE_AUTH__MAX_FAILURES_PER_ADDRESS=1000000
export GYMWIRE_AUTH__FAILED_LOGIN_MS=0 GYMWIRE_AUTH__HASH_MEMORY_KIB=8 GYMWIRE_AUTH__HASH_PASSES=1

cloud=$CARGO_TARGET_DIR/debug/cloud-api
"$cloud" serve >"$folder/log" 2>&1 &
server=$!
api=http://127.0.0.1:$port
for _ in $(seq 300); do
  curl -sf "$api/health/ready" >/dev/null && break
  kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.2
done

"$cloud" admin create-org Gym >/dev/null
password='marble otter sings 7 tangos'
printf '%s\n' "$password" | "$cloud" admin create-user admin@example.com --name Admin --role admin --password-stdin >/dev/null
token=$(curl -sf "$api/api/v1/auth/login" -H 'content-type: application/json' \
  -d "{\"email\":\"admin@example.com\",\"password\":\"$password\"}" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

# Logging out would end the run; edges have tokens of their own and are attacked elsewhere.
status=0
cd "$folder"
PYTHONPATH=$tools "$tools/bin/st" run "$api/api/v1/openapi.json" \
  --header "Authorization: Bearer $token" --max-time "${1:-60}" --phases examples,coverage,fuzzing \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
  --exclude-operation-id log_out --exclude-path-regex '^/edge/' \
  --continue-on-failure --warnings off --no-color || status=$?
if [ "$status" != 0 ]; then
  say "log of the service:"
  grep -E 'ERROR|WARN' "$folder/log" | tail -20 >&2 || true
fi
exit "$status"
