#!/bin/bash
# Checks every SQL statement of cloud-api against a database with all migrations, and writes what offline
# builds need to cloud-api/.sqlx. The database is a throwaway server in shared memory.
#   packaging/sqlx.sh           writes the folder
#   packaging/sqlx.sh --check   fails if the folder is not what it would write
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(pg_config --bindir 2>/dev/null || true)"; do
    [ -x "$bin/initdb" ] && break
done
[ -x "$bin/initdb" ] || { echo "sqlx.sh: no Postgres server found: apt-get install postgresql" >&2; exit 1; }

folder=$(mktemp -d "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)/gymwire-sqlx.XXXXXX")
as=()
if [ "$(id -u)" = 0 ]; then
    user=$(getent passwd postgres >/dev/null && echo postgres || echo nobody)
    chown "$user" "$folder"
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --)
fi
stop() {
    (cd / && "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1) || true
    rm -rf "$folder"
}
trap stop EXIT
(
    cd /
    "${as[@]}" "$bin/initdb" -D "$folder/data" -U gymwire --auth=trust --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null
    "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
        -o "-c listen_addresses= -c unix_socket_directories=$folder -c fsync=off" start >/dev/null
)
for migration in cloud-api/migrations/*.sql; do
    "$bin/psql" -h "$folder" -U gymwire -d postgres -q -v ON_ERROR_STOP=1 -f "$migration" >/dev/null
done

out=$root/cloud-api/.sqlx
[ "${1:-}" = --check ] && out=$folder/sqlx
rm -rf "$out" && mkdir -p "$out"
# The same features as all other builds have, so that nothing but this crate is built anew.
touch cloud-api/src/lib.rs
DATABASE_URL="postgres://gymwire@localhost/postgres?host=$folder" SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$out \
    cargo check --quiet --workspace --all-features --all-targets
if [ "${1:-}" = --check ]; then
    diff -rq "$root/cloud-api/.sqlx" "$out" || { echo "sqlx.sh: cloud-api/.sqlx is not current: run make sqlx" >&2; exit 1; }
fi
