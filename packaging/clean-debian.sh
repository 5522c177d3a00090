# A clean Debian to try packages in, made by debootstrap once and kept below the target folder. To be sourced with `target`
# set; gives the functions below and the folders `work` and `root`, which go away with the shell.
# Exit status 77: there is no clean Debian, since no mirror can be reached or nothing may be walled off here.

suite=bookworm
kept=$target/gymwire-root-$suite-2.tar
name=$(basename "$0" .sh)
step() { printf -- '-- %s\n' "$*"; }
fail() { echo "$name: $*" >&2; exit 1; }
cannot() { echo "$name: $*" >&2; exit 77; }

if [ "$(id -u)" != 0 ]; then
  # A root of our own: debootstrap and chroot need to own files as several users.
  sudo -n true 2>/dev/null || { echo "$name: needs root for a chroot; type: sudo -E $0" >&2; exit 77; }
  exec sudo -nE "$0" "$@"
fi
unshare --mount --pid --net --fork --kill-child true 2>/dev/null \
  || cannot "this kernel or container gives no namespaces of their own to what is installed"

work=$(mktemp -d "$target/gymwire-$name.XXXXXX")
root=$work/root
clean_up() { rm -rf --one-file-system "$work"; }
trap clean_up EXIT

if [ ! -f "$kept" ]; then
  step "a clean Debian $suite (once)"
  timeout 600 debootstrap --variant=minbase --include=libnfc6,systemd,systemd-sysv,dbus,udev,postgresql-15 \
    "$suite" "$work/new" > "$work/debootstrap.log" 2>&1 \
    || { tail -5 "$work/debootstrap.log" >&2; cannot "debootstrap failed; it needs a mirror of Debian"; }
  tar -C "$work/new" --exclude='./var/cache/apt/archives/*.deb' --exclude='./dev/*' -cf "$kept.new" .
  mv "$kept.new" "$kept"
  rm -rf "$work/new"
fi
mkdir "$root"
tar -C "$root" -xf "$kept"
