#!/bin/sh
# pg_upgrade from one version of PostgreSQL to the next, in the Debian of the last
# one, which test/matrix.sh --upgrade makes and throws away.
#
#   upgrade.sh VERSION...             upgrade/sources.list says where apt finds the others
#   upgrade.sh --install VERSION      builds portpin for it, and installs it
#
# Debian keeps the servers of several releases side by side, with the libraries that
# each needs; so a data directory goes from one to the next as on a machine that was
# upgraded from release to release.
set -eu
. "$(dirname "$0")/server.sh"

if [ "${1:-}" = --install ]; then
    without_llvm=yes
    find_postgres "PG_CONFIG=/usr/lib/postgresql/$2/bin/pg_config"
    open_work
    copy_sources
    build
    cp -R "$work/dest/." /
    "$bindir/postgres" --version
    exit
fi

cp "$root/upgrade/sources.list" /etc/apt/sources.list.d/upgrade.list
for v; do
    [ -x "/usr/lib/postgresql/$v/bin/postgres" ] || need "postgresql-$v"
done
install_missing
for v; do
    sh "$0" --install "$v"
done
PORTPIN_UPGRADE="$*" exec sh "$root/test/check.sh" "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config" \
    PROVE_TESTS=test/t/pg_upgrade_keeps_guards.pl
