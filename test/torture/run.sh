#!/bin/sh
# Crashes a server again and again while clients write to guarded tables, and checks
# after each restart that it kept what it had acknowledged, and no more.
#
#   sh test/torture/run.sh [OPTION...] [make arguments...]
#
# --rounds N       how often the server is taken down (3); a round takes 10 to 20 seconds
# --seconds N      traffic before that (4)
# --seed S         repeats a campaign, as far as timing allows (a random one, which is printed)
# --control NAME   the one invariant to show the failure of; without: each of them
#
# In a round eight clients place right and wrong orders at four gates, change PINs, try
# to clear them, give accounts other keys and move rows; another changes the tables and
# the key file; a third seals a table.  Meanwhile two processes of the server are killed:
# a backend, the worker that records failed attempts, or a child of the postmaster.  At
# the end comes an immediate stop, or the postmaster is killed.
#
# Clients write what they are going to do, and what was answered, to files outside of the
# server.  Invariants.pm compares these with what the tables hold after the restart.
# At last each invariant is shown to be able to fail: what it is about is spoilt on
# purpose, in a transaction that is rolled back, and it has to notice.
set -eu
. "$(dirname "$0")/../server.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

options=
while [ $# -gt 0 ]; do
    case $1 in
    --rounds | --seconds | --seed | --control) options="$options $1=$2" ;;
    -*) die "unknown option $1" ;;
    *) break ;;
    esac
    shift 2
done
perl -MDBD::Pg -e 1 2>/dev/null || need libdbd-pg-perl
find_postgres "$@"
open_work
copy_sources
say "Building for $("$pg_config" --version) ..."
build "$@"

cd "$work"
(umask 077 && echo "k1:$(head -c 32 /dev/urandom | base64)" >keys && chown "$user" keys)
start_server <<END
fsync = on
restart_after_crash = on
portpin.key_file = '$work/keys'
portpin.seal_cost = 4
max_connections = 40
autovacuum_naptime = 2s
checkpoint_timeout = 30s
max_wal_size = 64MB
log_error_verbosity = verbose
END
as_user "$bindir/psql" -X -q -v ON_ERROR_STOP=1 -h "$work" -U postgres -f src/test/torture/setup.sql >/dev/null
as_user perl src/test/torture/torture.pl --bindir="$bindir" --work="$work" $options || {
    keep=yes
    stop_servers
    die "Kept for you to look at: $work (data/log, torture/)"
}
