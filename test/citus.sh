#!/bin/sh
# Tries the guards on Citus: a coordinator, two workers and a third that joins them, as
# doc/distributed.md says.
#
#   sh test/citus.sh [PG_CONFIG=/path/to/pg_config] [make arguments...]
#
# Debian has no Citus.  This needs a PostgreSQL that has it; without one, it says so
# and skips everything.
set -eu
here=$(dirname "$0")
pg_config=${PG_CONFIG:-pg_config}
for arg; do
    case $arg in PG_CONFIG=*) pg_config=${arg#PG_CONFIG=} ;; esac
done
library=$("$pg_config" --pkglibdir 2>/dev/null)/citus.so
if [ ! -e "$library" ]; then
    echo "0 passed, 0 failed, skipped: no Citus here, as $pg_config knows it"
    exit 0
fi
exec sh "$here/check.sh" "$@" PROVE_TESTS=test/t/citus_shards_are_guarded.pl
