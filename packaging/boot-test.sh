#!/usr/bin/env bash
# Boots a clean Debian with a systemd of its own, installs the packages there and tries the units for real: they come up, are
# started again when they hang, stop cleanly, and follow an update. Exit status 77: it cannot be tried here.
#   packaging/boot-test.sh [FOLDER]     with the programs of this folder, by default those of the debug build
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
programs=${1:-$target/debug}
. packaging/clean-debian.sh
limit_s=60

# systemd wants a cgroup tree of its own to manage: the unified one, whole or beside the old ones.
cgroups=/sys/fs/cgroup
[ -d "$cgroups/unified" ] && cgroups=$cgroups/unified
own_cgroup=$cgroups/gymwire-boot-$$
{ [ -f "$cgroups/cgroup.procs" ] && mkdir "$own_cgroup"; } 2>/dev/null || cannot "no cgroup (version 2) can be made below $cgroups"

booted=
power_off() {
  [ -z "$booted" ] || kill -9 "$booted" 2>/dev/null || true
  # Whatever is left in it ends with the first process of its pid namespace; the folders can go then.
  for _ in $(seq 50); do
    find "$own_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
  done
  clean_up
}
trap power_off EXIT

export DEB_COMPRESSION=none
packaging/deb.sh --from "$programs" --version 0.1.0 --out "$work" >/dev/null
cp "$work"/*.deb "$root/root/"
arch=$(dpkg --print-architecture)

step "boot"
# shellcheck disable=SC2016 # expanded inside
boot='
  root=$0
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  for folder in run tmp; do mount -t tmpfs -o mode=755 tmpfs "$root/$folder"; done
  chmod 1777 "$root/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $device
    mknod -m 666 "$root/dev/$1" c "$2" "$3"
  done
  mkdir "$root/dev/shm" "$root/dev/pts"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ip link set lo up
  hostname gymwire-boot
  # Not by chroot: who is in one gets no user namespace (PrivateUsers=).
  cd "$root"
  pivot_root . mnt
  umount -l /mnt
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=gymwire /lib/systemd/systemd --system --unit=multi-user.target'
# In its own cgroup, so that the namespace sees that as the root of the tree.
setsid bash -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$own_cgroup" \
  unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child bash -euc "$boot" "$root" \
  </dev/null >"$work/boot.log" 2>&1 &
unshared=$!

# The first process of the new system, as this one sees it.
first() { tr -d ' \n' < "/proc/$unshared/task/$unshared/children" 2>/dev/null; }
inside() {
  timeout "$limit_s" nsenter --target "$booted" --mount --uts --ipc --net --pid --cgroup --root --wd \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 bash -euc "$1"
}
# Waits until $2 succeeds inside; says what did not happen otherwise, and what the services logged.
until_true() {
  local deadline=$((SECONDS + limit_s))
  until inside "$2" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      inside 'systemctl --no-pager status "gymwire-*" || true; journalctl --no-pager -n 60' >&2 || true
      fail "not within $limit_s s: $1"
    fi
    sleep 0.2
  done
}
pid_of() { inside "systemctl show -p MainPID --value $1"; }
property() { inside "systemctl show -p $2 --value $1"; }

for _ in $(seq 50); do booted=$(first) && [ -n "$booted" ] && break; sleep 0.1; done
[ -n "$booted" ] || { cat "$work/boot.log" >&2; cannot "systemd does not start in namespaces here"; }
for _ in $(seq $((limit_s * 5))); do
  # Some units of a computer have no meaning here: degraded is good enough.
  state=$(inside 'systemctl is-system-running' 2>/dev/null || true)
  case $state in running | degraded) break ;; esac
  kill -0 "$booted" 2>/dev/null || break
  sleep 0.2
done
case $state in
  running | degraded) ;;
  *) cat "$work/boot.log" >&2; cannot "systemd does not come up in namespaces here ($state)" ;;
esac

agent=gymwire-edge-agent.service
bridge=gymwire-firmware-bridge.service
step "install: the agent is started, and ready when systemd says so"
inside "mkdir -p /etc/systemd/system/$agent.d
  printf '[Service]\nWatchdogSec=3\nEnvironment=GYMWIRE_UPDATE__SETTLE_S=1\n' > /etc/systemd/system/$agent.d/test.conf
  dpkg -i /root/gymwire-edge_0.1.0_$arch.deb" > "$work/install.log" 2>&1 || { cat "$work/install.log" >&2; fail "the installation failed"; }
until_true "the agent is active" "systemctl is-active $agent"
inside 'setpriv --reuid gymwire --regid gymwire --clear-groups edge-agent status >/dev/null' || fail "who is ready does not answer"
[ "$(property $agent StatusErrno)" = 0 ] && [ "$(property $agent NRestarts)" = 0 ] || fail "the agent did not start at once"

step "the bridge, as soon as it is configured"
inside "edge-agent device add bridge bridge-1 | sed -n 's/^password *//p' > /etc/gymwire/bridge-1.secret
  chown root:gymwire /etc/gymwire/bridge-1.secret; chmod 640 /etc/gymwire/bridge-1.secret
  printf '[agent]\nusername = \"bridge-1\"\npassword_file = \"/etc/gymwire/bridge-1.secret\"\n' > /etc/gymwire/firmware-bridge.toml
  systemctl start $bridge"
until_true "the bridge is active" "systemctl is-active $bridge"
until_true "the bridge is connected" "edge-agent status | grep -q '1 of 1 online'"

step "an agent that hangs is started again"
hung=$(pid_of $agent)
inside "kill -STOP $hung"
until_true "another agent is active" "systemctl is-active $agent && [ \$(systemctl show -p MainPID --value $agent) != $hung ]"
inside "journalctl --no-pager -u $agent | grep -qi watchdog" || fail "it was not the watchdog"
until_true "it answers" "edge-agent status"

step "an update: the agent proves itself, and the bridge follows it"
before=$(pid_of $bridge)
inside "mkdir /root/programs; cp /usr/bin/edge-agent /usr/bin/firmware-bridge /root/programs
  edge-agent update key /root/maker.pem > /etc/gymwire/release-keys
  edge-agent update sign --key /root/maker.pem --version 0.2.0 --level 1 --out /root/release \$(uname -m)=/root/programs
  edge-agent update apply /root/release/gymwire-0.2.0.json"
until_true "the release runs" "readlink /proc/\$(systemctl show -p MainPID --value $agent)/exe | grep -q releases/0.2.0"
until_true "the bridge runs the release's" "readlink /proc/\$(systemctl show -p MainPID --value $bridge)/exe | grep -q releases/0.2.0"
[ "$(pid_of $bridge)" != "$before" ] || fail "the bridge was not started again"
until_true "the release has proven itself" "edge-agent update status | grep -q '0.2.0 good'"

step "stop is clean, and ends nothing by force"
inside "systemctl stop $bridge $agent"
for unit in $agent $bridge; do
  [ "$(property $unit Result) $(property $unit ExecMainStatus)" = "success 0" ] || fail "$unit did not stop cleanly"
done

step "the cloud: with a Postgres of its own, within its walls"
inside "dpkg -i /root/gymwire-cloud_0.1.0_$arch.deb >/dev/null
  systemctl --quiet is-enabled gymwire-cloud.service && exit 1
  systemctl start gymwire-cloud.service" || fail "the cloud did not start: $(inside 'journalctl --no-pager -n 40 -u gymwire-cloud')"
until_true "the cloud is active" "systemctl is-active gymwire-cloud.service"
until_true "the cloud is ready" \
  "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /health/ready HTTP/1.0\r\n\r\n' >&3; head -1 <&3 | grep -q 204"
inside "systemctl stop gymwire-cloud.service"
[ "$(property gymwire-cloud.service Result)" = success ] || fail "the cloud did not stop cleanly"

step "remove stops what runs"
inside "systemctl start $agent; dpkg -r gymwire-edge gymwire-cloud >/dev/null; ! grep -qx edge-agent /proc/[0-9]*/comm" || fail "removing left an agent"
echo "boot-test: under a systemd of its own the units start, are watched, follow updates and stop"
