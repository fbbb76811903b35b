#!/bin/sh
# Attaches the guards in every way to random tables, fires every kind of statement at them
# and calls every function with any values; a model of its own says what must not
# happen.
#
#   sh test/fuzz/run.sh [OPTION...] [make arguments...]
#
# --rounds N       how many sets of tables (60)
# --statements N   random steps in each (80)
# --seconds N      begins no round after that (0: all of them)
# --seed S         repeats a campaign exactly (a random one, which is printed)
# --control NAME   the one oracle that is shown to fail; without: each of them
# --sqlsmith N     lets sqlsmith query the tables and functions, too, for N seconds (0)
#
# It fails where a statement ends with an internal error, a session or the server is lost, a
# PIN is in an error, or where port_pin_guards says that all is well and yet a PIN is
# cleared, a wrong order gets in, or a right one is told that its PIN was wrong.  Then it
# prints the last statements; all of the round are in a file that psql can run.
# Finally each oracle is shown to be able to fail, by breaking a guard behind its back.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../campaign.sh"

case " $* " in *" --sqlsmith "*) have sqlsmith || need sqlsmith ;; esac
campaign fuzz "--rounds --statements --seconds --seed --control --sqlsmith" "$@" <<END
fsync = off
log_line_prefix = '%e '
END
