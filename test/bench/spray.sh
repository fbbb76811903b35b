#!/bin/sh
# What sprayed guesses get: how many of 1,000 accounts a thief opens by trying the PINs
# that people like best at each of them, with and without portpin's defenses.
#
#   sh test/bench/spray.sh [make arguments...]
#
# It prints the tables of doc/controls.md, the same ones each time, within some minutes:
# wrong PINs are recorded one by one.
set -eu
. "$(dirname "$0")/../server.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

build_copy "$@"
start_server </dev/null
say "Guessing ..."
as_user "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$work" -U postgres -f src/test/bench/spray.sql postgres
