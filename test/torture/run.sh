#!/bin/sh
# Crashes a server again and again while clients write to guarded tables, and checks
# after each restart that it kept what it had acknowledged, and no more.
#
#   sh test/torture/run.sh [OPTION...] [make arguments...]
#
# --rounds N       how often the server is taken down (3); a round takes 10 to 20 seconds
# --seconds N      traffic before that (4)
# --seed S         repeats a campaign, as far as timing allows (a random one, which is printed)
# --control NAME   the one invariant that is shown to fail; without: each of them
#
# In a round eight clients place right and wrong orders at five gates, by INSERT, COPY and
# MERGE, change PINs, try to clear them, give accounts other keys and move rows; another
# changes the tables and the key file; a third seals a table.  Meanwhile two processes of
# the server are killed: a backend, the worker that records failed attempts, or a child of
# the postmaster.  At the end comes an immediate stop, or the postmaster is killed.
#
# Clients write what they are going to do, and what was answered, to files outside the
# server.  Invariants.pm compares these with what the tables hold after the restart.
# Finally each invariant is shown to be able to fail: what it is about is spoilt on
# purpose, in a transaction that is rolled back, and it has to notice.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../campaign.sh"

campaign torture "--rounds --seconds --seed --control" "$@" <<END
fsync = on
max_connections = 40
max_prepared_transactions = 20
portpin.max_failures_per_account = 10
portpin.max_accounts_per_source = 4
autovacuum_naptime = 2s
checkpoint_timeout = 30s
max_wal_size = 64MB
log_line_prefix = '%e '
END
