#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package of this computer's processor in a clean Debian, made by debootstrap
# once and kept below the target folder. No systemd runs there: the maintainer scripts must get along without.
# Exit status 77: there is no clean Debian, since no mirror can be reached or nothing may be walled off here.
#   packaging/deb-test.sh [FOLDER]     with the programs of this folder, by default those of the debug build
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
programs=${1:-$target/debug}
suite=bookworm
kept=$target/gymwire-root-$suite.tar
step() { printf -- '-- %s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
  # A root of our own: debootstrap and chroot need to own files as several users.
  sudo -n true 2>/dev/null || { echo "deb-test: needs root for a chroot; type: sudo -E $0" >&2; exit 1; }
  exec sudo -nE "$0" "$@"
fi

if ! unshare --mount --pid --net --fork --kill-child true 2>/dev/null; then
  echo "deb-test: this kernel or container gives no namespaces of their own to what is installed" >&2
  exit 77
fi

work=$(mktemp -d "$target/gymwire-deb-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

if [ ! -f "$kept" ]; then
  step "a clean Debian $suite (once)"
  timeout 420 debootstrap --variant=minbase --include=libnfc6 "$suite" "$work/new" > "$work/debootstrap.log" 2>&1 \
    || { tail -5 "$work/debootstrap.log" >&2; echo "deb-test: debootstrap failed; it needs a mirror of Debian" >&2; exit 77; }
  tar -C "$work/new" --exclude='./var/cache/apt/archives/*.deb' --exclude='./dev/*' -cf "$kept.new" .
  mv "$kept.new" "$kept"
  rm -rf "$work/new"
fi
mkdir "$root"
tar -C "$root" -xf "$kept"
# The launcher compares releases with the package, so both packages hold the same programs.
export DEB_COMPRESSION=none
old=$(packaging/deb.sh --from "$programs" --version 0.1.0 --out "$work")
new=$(packaging/deb.sh --from "$programs" --version 0.1.1 --out "$work")
cp "$old" "$new" "$root/root/"
old=/root/${old##*/} new=/root/${new##*/}

# Own processes, network and /proc: what listens here disturbs nobody, and nothing outlives the step.
inside() {
  timeout 120 unshare --mount --pid --net --fork --kill-child bash -euc '
    mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev"; mknod -m 666 "$0/dev/null" c 1 3
    mknod -m 666 "$0/dev/urandom" c 1 9; ln -s /proc/self/fd "$0/dev/fd"; mkdir "$0/dev/shm"; ip link set lo up
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
      chroot "$0" sh -euc "$1"' "$root" "$1"
}
fail() { echo "deb-test: $*" >&2; exit 1; }
as_gymwire='setpriv --reuid gymwire --regid gymwire --clear-groups --'
# Starts the agent as systemd would, runs $1 beside it, and ends it.
with_agent() {
  inside "$as_gymwire /usr/lib/gymwire/gymwire-launch edge-agent run 2>/tmp/agent.log & agent=\$!
    for _ in \$(seq 200); do $as_gymwire edge-agent status >/dev/null 2>&1 && break; sleep 0.1; done
    $as_gymwire edge-agent status || { cat /tmp/agent.log; exit 1; }
    $1
    kill -TERM \$agent; wait \$agent || { cat /tmp/agent.log; exit 1; }"
}

step "install"
inside "dpkg -i $old"
inside 'edge-agent --version; firmware-bridge --version; dpkg -V gymwire-edge || true
  test "$(stat -c %U:%a /var/lib/gymwire)" = gymwire:700
  test "$(stat -c %U:%G:%a /etc/gymwire/edge-agent.toml)" = root:gymwire:640
  test -L /etc/systemd/system/multi-user.target.wants/gymwire-edge-agent.service
  test ! -e /etc/systemd/system/multi-user.target.wants/gymwire-firmware-bridge.service' || fail "the installation is wrong"
# What systemd has to say of a line of ours; that the other units of a system are not there is as it must be.
systemd-analyze --root="$root" verify gymwire-edge-agent.service gymwire-firmware-bridge.service gymwire-release.path \
  gymwire-release.service > "$work/verify" 2>&1 || true
! grep -E 'gymwire[^ ]*:[0-9]+: ' "$work/verify" || fail "systemd does not understand a unit"
systemd-sysusers --root="$root" --dry-run gymwire.conf >/dev/null || fail "systemd does not understand the users"
with_agent "$as_gymwire edge-agent device add machine bike-1 >/dev/null"

step "upgrade, with a configuration that was edited"
inside 'echo "# ours" >> /etc/gymwire/edge-agent.toml'
inside "dpkg -i $new"
inside 'dpkg-query -W -f "\${Version}\n" gymwire-edge | grep -qx 0.1.1; grep -qx "# ours" /etc/gymwire/edge-agent.toml
  test "$(stat -c %a /etc/gymwire/edge-agent.toml)" = 640' || fail "the upgrade is wrong"
with_agent "$as_gymwire edge-agent device list | grep -q bike-1"

step "scripts again, and who disabled the service keeps it so"
inside "rm /etc/systemd/system/multi-user.target.wants/gymwire-edge-agent.service; dpkg -i $new"
inside 'test ! -e /etc/systemd/system/multi-user.target.wants/gymwire-edge-agent.service' || fail "it was enabled again"

step "remove keeps what was recorded"
inside 'dpkg -r gymwire-edge; test ! -e /usr/bin/edge-agent; test ! -e /usr/lib/gymwire
  test -s /var/lib/gymwire/journal.db; test -e /etc/gymwire/edge-agent.toml' || fail "removing is wrong"
inside "dpkg -i $new"
with_agent "$as_gymwire edge-agent device list | grep -q bike-1"

step "purge leaves nothing but what is not ours"
inside 'mkdir /var/lib/gymwire/postgres-0123; dpkg -P gymwire-edge >&2; test ! -e /etc/gymwire
  test "$(ls -A /var/lib/gymwire)" = postgres-0123
  find / -xdev -name "*gymwire*" -not -path "/root/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path /var/lib/gymwire' \
  > "$work/left" || fail "purging is wrong"
[ ! -s "$work/left" ] || { cat "$work/left"; fail "purging leaves the files above"; }
echo "deb-test: installed, upgraded, removed and purged"
