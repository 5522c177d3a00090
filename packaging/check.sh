#!/usr/bin/env bash
# What has to hold before a change goes in, beside the tests.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
step() { printf '\n== %s\n' "$*"; }
tree() { git status --porcelain --untracked-files=all; git diff HEAD | sha256sum; }

step "format"
cargo fmt --all --check

step "clippy"
cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings

step "protocol without the standard library"
cargo check --quiet -p protocol --no-default-features

step "rustdoc"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --all-features --document-private-items

step "generated files are fresh"
before=$(tree)
packaging/regenerate.sh
if [ "$before" != "$(tree)" ]; then
  git --no-pager diff --stat
  git status --short
  echo "check: the files above were out of date; they are written anew now, commit them" >&2
  exit 1
fi

step "licences, bans, advisories"
if command -v cargo-deny >/dev/null 2>&1; then
  cargo deny --all-features check bans licenses sources
  cargo deny --all-features check advisories || echo "check: advisories could not be fetched, or there are some: see above"
else
  echo "cargo-deny is not installed (cargo install --locked cargo-deny): only the bans of deny.toml are checked"
fi
linked=$(cargo tree --workspace --all-features --edges normal,build --prefix none --format '{p}')
for crate in aws-lc-rs aws-lc-sys openssl-sys native-tls; do
  if grep -q "^$crate v" <<<"$linked"; then
    echo "check: $crate is linked; see which crate wants it: cargo tree --all-features -i $crate" >&2
    exit 1
  fi
done

echo
echo "check: all good"
