#!/usr/bin/env bash
# Installs, upgrades, removes and purges the packages of this computer's processor in a clean Debian. No systemd runs there:
# the maintainer scripts must get along without. Exit status 77: it cannot be tried here.
#   packaging/deb-test.sh [FOLDER]     with the programs of this folder, by default those of the debug build
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
programs=${1:-$target/debug}
. packaging/clean-debian.sh

# The launcher compares releases with the package, so both packages hold the same programs.
export DEB_COMPRESSION=none
packaging/deb.sh --from "$programs" --version 0.1.0 --out "$work" >/dev/null
packaging/deb.sh --from "$programs" --version 0.1.1 --out "$work" >/dev/null
cp "$work"/*.deb "$root/root/"
arch=$(dpkg --print-architecture)
old=/root/gymwire-edge_0.1.0_$arch.deb new=/root/gymwire-edge_0.1.1_$arch.deb
old_cloud=/root/gymwire-cloud_0.1.0_$arch.deb new_cloud=/root/gymwire-cloud_0.1.1_$arch.deb

# Own processes, network and /proc: what listens here disturbs nobody, and nothing outlives the step.
inside() {
  timeout 120 unshare --mount --pid --net --fork --kill-child bash -euc '
    mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev"; mknod -m 666 "$0/dev/null" c 1 3
    mknod -m 666 "$0/dev/urandom" c 1 9; ln -s /proc/self/fd "$0/dev/fd"; mkdir "$0/dev/shm"; ip link set lo up
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
      chroot "$0" sh -euc "$1"' "$root" "$1"
}
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
  test -s /usr/share/man/man1/edge-agent.1.gz; test -s /usr/share/man/man1/firmware-bridge.1.gz
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

# Starts the cloud as systemd would, runs $1 beside it once it is ready, and ends it.
with_cloud() {
  inside "cd /var/lib/gymwire-cloud
    as='setpriv --reuid gymwire-cloud --regid gymwire-cloud --clear-groups --'
    \$as cloud-api --config /etc/gymwire/cloud-api.toml serve 2>/tmp/cloud.log & cloud=\$!
    ready() { bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET /health/ready HTTP/1.0\\r\\n\\r\\n\" >&3; head -1 <&3' 2>/dev/null | grep -q 204; }
    for _ in \$(seq 300); do ready && break; sleep 0.1; done
    ready || { cat /tmp/cloud.log; exit 1; }
    $1
    kill -TERM \$cloud; wait \$cloud || { cat /tmp/cloud.log; exit 1; }"
}

step "the cloud beside it: install"
inside "dpkg -i $old_cloud"
inside 'cloud-api --version; test -s /usr/share/man/man1/cloud-api.1.gz
  test "$(stat -c %U:%a /var/lib/gymwire-cloud)" = gymwire-cloud:700
  test "$(stat -c %U:%G:%a /etc/gymwire/cloud-api.toml)" = root:gymwire-cloud:640
  test ! -e /etc/systemd/system/multi-user.target.wants/gymwire-cloud.service' || fail "the installation of the cloud is wrong"
with_cloud "\$as cloud-api --config /etc/gymwire/cloud-api.toml admin create-org Kept >/dev/null"

step "the cloud: upgrade, remove and purge keep what members entrusted to it"
inside 'echo "# ours" >> /etc/gymwire/cloud-api.toml'
inside "dpkg -i $new_cloud"
inside 'grep -qx "# ours" /etc/gymwire/cloud-api.toml; test "$(stat -c %a /etc/gymwire/cloud-api.toml)" = 640' \
  || fail "the upgrade of the cloud is wrong"
with_cloud true
inside 'dpkg -r gymwire-cloud; test ! -e /usr/bin/cloud-api; test -e /etc/gymwire/cloud-api.toml
  dpkg -P gymwire-cloud; test ! -e /etc/gymwire/cloud-api.toml; test -e /etc/gymwire/edge-agent.toml
  test -s /var/lib/gymwire-cloud/secrets.key; test -d /var/lib/gymwire-cloud/postgres; rm -r /var/lib/gymwire-cloud' \
  || fail "removing the cloud is wrong"

step "purge leaves nothing but what is not ours"
inside 'mkdir /var/lib/gymwire/postgres-0123; dpkg -P gymwire-edge >&2; test ! -e /etc/gymwire
  test "$(ls -A /var/lib/gymwire)" = postgres-0123
  find / -xdev -name "*gymwire*" -not -path "/root/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path /var/lib/gymwire' \
  > "$work/left" || fail "purging is wrong"
[ ! -s "$work/left" ] || { cat "$work/left"; fail "purging leaves the files above"; }
echo "deb-test: both packages were installed, upgraded, removed and purged"
