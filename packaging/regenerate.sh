#!/usr/bin/env bash
# Writes every generated file anew: cloud-api/.sqlx, cloud-api/openapi.json, cloud-api/asyncapi.json,
# cloud-api/postman.json, docs/mqtt, packaging/man.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

packaging/sqlx.sh
cargo build --quiet --workspace --all-features --all-targets
"$CARGO_TARGET_DIR/debug/cloud-api" openapi > cloud-api/openapi.json
"$CARGO_TARGET_DIR/debug/cloud-api" asyncapi > cloud-api/asyncapi.json
"$CARGO_TARGET_DIR/debug/cloud-api" postman > cloud-api/postman.json
"$CARGO_TARGET_DIR/debug/examples/mqtt_documents" docs/mqtt
"$CARGO_TARGET_DIR/debug/man-pages" packaging/man
