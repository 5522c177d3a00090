#!/usr/bin/env bash
# Makes the Debian packages gymwire-edge (agent, bridge and launcher, for a Raspberry Pi or any other Debian 12 or newer) and
# gymwire-cloud (the cloud service).
#   packaging/deb.sh [--dry-run] [amd64|arm64|armhf …]
#                                              builds optimised programs and packs them; without a name, for all three.
#                                              With --dry-run it only says what it would do
#   packaging/deb.sh --from FOLDER [--version VERSION] [--out FOLDER]
#                                              packs the programs of a folder, for this computer's processor
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
out=$target/deb
from=
say() { printf 'deb: %s\n' "$*" >&2; }

declare -A triple=([amd64]=x86_64-unknown-linux-gnu [arm64]=aarch64-unknown-linux-gnu [armhf]=armv7-unknown-linux-gnueabihf)
declare -A compiler=([amd64]=x86_64-linux-gnu-gcc [arm64]=aarch64-linux-gnu-gcc [armhf]=arm-linux-gnueabihf-gcc)
declare -A emulator=([arm64]="qemu-aarch64-static -L /usr/aarch64-linux-gnu" [armhf]="qemu-arm-static -L /usr/arm-linux-gnueabihf")
packages=(gymwire-edge gymwire-cloud)
declare -A programs=([gymwire-edge]="edge-agent firmware-bridge gymwire-launch" [gymwire-cloud]=cloud-api)
dry=
# Carries a command out, or only says it.
run() {
  if [ -n "$dry" ]; then printf 'deb: would run: %s\n' "$*" >&2; else "$@"; fi
}

# Says what this computer lacks to build for an architecture; nothing if it lacks nothing.
lacks() {
  local missing=()
  [ -d "$(rustc --print sysroot)/lib/rustlib/${triple[$1]}" ] || missing+=("the Rust target (rustup target add ${triple[$1]})")
  if [ "$1" != "$native" ] && ! command -v "${compiler[$1]}" >/dev/null; then
    local package=${compiler[$1]%-gcc}
    missing+=("the cross compiler (apt-get install gcc-$package libc6-dev-$1-cross)")
  fi
  local IFS=';'
  printf '%s' "${missing[*]}"
}

build() {
  local arch=$1 rust=${triple[$1]} upper
  upper=$(tr 'a-z-' 'A-Z_' <<<"$rust")
  if [ "$arch" != "$native" ]; then
    export "CARGO_TARGET_${upper}_LINKER=${compiler[$arch]}" "CC_${rust//-/_}=${compiler[$arch]}"
  fi
  run cargo build --release --target "$rust" -p edge-agent -p firmware-bridge -p cloud-api --bins
  local emulated=${emulator[$arch]:-}
  if [ "$arch" != "$native" ] && command -v "${emulated%% *}" >/dev/null; then
    # PTYs do not work in qemu-user (no serial ioctl), so the unit tests of the libraries that need none.
    export "CARGO_TARGET_${upper}_RUNNER=$emulated"
    run cargo test --target "$rust" -p protocol --lib
    run cargo test --target "$rust" -p edge-agent --lib -- update:: journal::
  elif [ "$arch" != "$native" ]; then
    say "$arch: its unit tests do not run, since there is no ${emulated%% *} (apt-get install qemu-user-static)"
  fi
  from=$target/$rust/release
}

# Packages of the shared libraries that the programs need, by what the programs say themselves.
dependencies() {
  local needed glibc
  needed=$(for file in "$@"; do readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; done | sort -u)
  glibc=$(for file in "$@"; do readelf -V "$file" | grep -o 'GLIBC_[0-9.]*'; done | sort -uV | tail -1)
  printf 'libc6 (>= %s)' "${glibc#GLIBC_}"
  while read -r library; do
    case $library in
      libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux*) ;;
      libgcc_s.so.1) printf ', libgcc-s1' ;;
      libnfc.so.6) printf ', libnfc6' ;;
      *) say "no package is known for $library"; return 1 ;;
    esac
  done <<<"$needed"
}

# Puts what belongs to a package into its root.
lay_out_gymwire-edge() {
  local root=$1
  install -D -m 0644 -t "$root/usr/lib/systemd/system" systemd/gymwire-edge-agent.service \
    systemd/gymwire-firmware-bridge.service systemd/gymwire-release.service systemd/gymwire-release.path
  install -D -m 0644 systemd/60-gymwire.rules "$root/usr/lib/udev/rules.d/60-gymwire.rules"
  install -D -m 0644 systemd/gymwire.sysusers.conf "$root/usr/lib/sysusers.d/gymwire.conf"
  install -D -m 0644 systemd/gymwire.tmpfiles.conf "$root/usr/lib/tmpfiles.d/gymwire.conf"
  install -m 0644 packaging/config/edge-agent.toml packaging/config/release-keys "$root/etc/gymwire"
  local doc=$root/usr/share/doc/gymwire-edge
  install -m 0644 docs/operations.md docs/boards.md "$doc"
  install -m 0644 packaging/config/edge-agent.toml packaging/config/firmware-bridge.toml \
    systemd/journald-gymwire.conf "$doc/examples"
}

lay_out_gymwire-cloud() {
  local root=$1
  install -D -m 0644 -t "$root/usr/lib/systemd/system" systemd/gymwire-cloud.service
  install -D -m 0644 systemd/gymwire-cloud.sysusers.conf "$root/usr/lib/sysusers.d/gymwire-cloud.conf"
  # The example, with what differs from a developer's computer.
  sed -e 's|^environment = "development"|environment = "production"|' \
    -e 's|^state_dir = ".gymwire"|state_dir = "/var/lib/gymwire-cloud"|' \
    -e 's|^allowed_origins = .*|allowed_origins = []|' \
    packaging/config/cloud-api.toml > "$root/etc/gymwire/cloud-api.toml"
  chmod 0644 "$root/etc/gymwire/cloud-api.toml"
  install -m 0644 packaging/config/cloud-api.toml "$root/usr/share/doc/gymwire-cloud/examples"
}

pack() {
  local package=$1 arch=$2 root size depends doc
  root=$(mktemp -d)
  doc=$root/usr/share/doc/$package
  install -d "$root"/{DEBIAN,etc/gymwire} "$doc/examples" "$root/usr/share/man/man1"
  for program in ${programs[$package]}; do
    local folder=$root/usr/bin
    [ "$program" = gymwire-launch ] && folder=$root/usr/lib/gymwire
    install -D -m 0755 "$from/$program" "$folder/$program"
    "${STRIP:-strip}" "$folder/$program" 2>/dev/null || "${compiler[$arch]%gcc}strip" "$folder/$program"
    [ ! -f "packaging/man/$program.1" ] || gzip -9nc "packaging/man/$program.1" > "$root/usr/share/man/man1/$program.1.gz"
  done
  "lay_out_$package" "$root"
  install -m 0644 packaging/deb/copyright README.md "$doc"
  printf '%s (%s) stable; urgency=medium\n\n  * See README.md.\n\n -- Gymwire <packages@gymwire.example>  %s\n' \
    "$package" "$version" "$(date -uR -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}")" \
    | gzip -9n > "$doc/changelog.gz"

  mapfile -t installed < <(find "$root/usr/bin" "$root/usr/lib" -type f -perm -u+x)
  depends=$(dependencies "${installed[@]}")
  size=$(du -k -s --exclude=DEBIAN "$root" | cut -f1)
  sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@DEPENDS@/$depends/; s/@SIZE@/$size/" \
    "packaging/deb/$package/control" > "$root/DEBIAN/control"
  install -m 0755 "packaging/deb/$package"/{postinst,prerm,postrm} "$root/DEBIAN/"
  (cd "$root" && find etc -type f -printf '/%p\n' | sort) > "$root/DEBIAN/conffiles"
  (cd "$root" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
  chmod 0755 "$root"
  mkdir -p "$out"
  dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-xz}" --build "$root" "$out/${package}_${version}_$arch.deb" >/dev/null
  rm -rf "$root"
  echo "$out/${package}_${version}_$arch.deb"
}

native=$(dpkg --print-architecture)
wanted=()
while [ $# -gt 0 ]; do
  case $1 in
    --from) from=$2; shift ;;
    --version) version=$2; shift ;;
    --out) out=$2; shift ;;
    --dry-run) dry=1 ;;
    amd64 | arm64 | armhf) wanted+=("$1") ;;
    *) say "what is $1?"; sed -n '2,9p' "$0" >&2; exit 2 ;;
  esac
  shift
done

if [ -n "$from" ]; then
  for package in "${packages[@]}"; do pack "$package" "$native"; done
  exit
fi
named=${#wanted[@]}
[ "$named" -gt 0 ] || wanted=(amd64 arm64 armhf)
for arch in "${wanted[@]}"; do
  missing=$(lacks "$arch")
  if [ -z "$missing" ]; then
    build "$arch"
    for package in "${packages[@]}"; do run pack "$package" "$arch"; done
  else
    say "$arch is left out, this computer lacks: $missing"
    # Who asked for it by name did not get what was asked for.
    [ "$named" = 0 ] || exit 1
  fi
done
