#!/usr/bin/env bash
# Makes sure that the tools for building and testing are there: installs Debian packages when it may, otherwise
# prints the line to type. Never starts a system service. Does nothing, quickly, when all is there.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_paho() { PYTHONPATH=.gymwire/python python3 -c 'import paho.mqtt.client' 2>/dev/null; }
# Card readers are tested against libnfc, and its headers are read by libclang.
has_libnfc() { has pkg-config && pkg-config --exists libnfc; }
has_libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null; }

packages=()
has cc || packages+=(build-essential)
has git || packages+=(git)
has_postgres || packages+=(postgresql-15)
has mosquitto || packages+=(mosquitto)
has mosquitto_pub || packages+=(mosquitto-clients)
has redis-server || packages+=(redis-server)
has strace || packages+=(strace)
has systemd-analyze || packages+=(systemd)
has debootstrap || packages+=(debootstrap)
has pkg-config || packages+=(pkg-config)
has_libnfc || packages+=(libnfc-dev)
has_libclang || packages+=(libclang-dev)
has nfc-list || packages+=(libnfc-bin)
has nfc-mfultralight || packages+=(libnfc-examples)
# The staff page is tested in a real browser, which trusts the branch by certutil.
has chromium || packages+=(chromium)
has chromedriver || packages+=(chromium-driver)
has certutil || packages+=(libnss3-tools)
has python3 || packages+=(python3)
if ! has python3 || ! python3 -m pip --version >/dev/null 2>&1; then
  has python3 && has_paho || packages+=(python3-pip)
fi

# Debian starts a service when its package is installed, unless this file says no.
install_packages() {
  local policy=/usr/sbin/policy-rc.d run=()
  [ "$(id -u)" = 0 ] || run=(sudo)
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
    "${run[@]}" chmod +x "$policy"
    trap '"${run[@]}" rm -f "$policy"' RETURN
  fi
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

if [ ${#packages[@]} -gt 0 ]; then
  by_hand="sudo apt-get install ${packages[*]}"
  if ! has apt-get; then
    say "missing: ${packages[*]} (names of Debian packages). Install them and run this again."
    exit 1
  elif [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
    say "installing ${packages[*]}"
    install_packages || { say "that failed. Type: $by_hand"; exit 1; }
  else
    say "missing packages. Type: $by_hand"
    exit 1
  fi
fi

if ! has cargo; then
  say "Rust is missing. Type: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  exit 1
fi
if ! has cargo-nextest; then
  say "building cargo-nextest (once, some minutes)"
  cargo install --quiet --locked cargo-nextest
fi
# The accessibility check: read by tests only, never served, never committed.
axe_version=4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
axe_folder=.gymwire/axe-core
fetch_axe() {
  local archive="$1/axe-core-$axe_version.tgz"
  if has npm; then
    npm pack --silent "axe-core@$axe_version" --pack-destination "$1" >/dev/null
  else
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' \
      "https://registry.npmjs.org/axe-core/-/axe-core-$axe_version.tgz" "$archive"
  fi
  echo "$axe_sha512  $archive" | sha512sum --quiet --check
  mkdir -p "$axe_folder"
  tar -xzf "$archive" -C "$axe_folder" --strip-components=1 package/axe.min.js package/LICENSE
  echo "$axe_version" >"$axe_folder/version"
}
if [ "$(cat "$axe_folder/version" 2>/dev/null)" != "$axe_version" ]; then
  say "fetching axe-core $axe_version into $axe_folder"
  archives=$(mktemp -d)
  fetch_axe "$archives" || { say "axe-core was not fetched: the check of the page's accessibility will fail"; exit 1; }
  rm -rf "$archives"
fi
if ! has_paho; then
  say "fetching paho-mqtt into .gymwire/python"
  python3 -m pip install --quiet --target .gymwire/python 'paho-mqtt>=2,<3'
fi
