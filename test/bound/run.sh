#!/bin/sh
# Sixteen sessions guess at one account in every way we know.  However they go about it,
# they are told of no more wrong PINs than the limit allows, and each is on record.
#
#   sh test/bound/run.sh [OPTION...] [make arguments...]
#
# --sessions N     how many guess at a time (16)
# --guesses N      how many guesses each sends (20)
# --limit N        portpin.max_failures_per_account (10)
# --seed S         seed of the times at which statements are cut short
# --only MODE      the first word of one line of the table
#
# The last line of the table is a control: there the limit is twice what the program
# thinks, and it has to notice.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../campaign.sh"

campaign bound "--sessions --guesses --limit --seed --only" "$@" <<END
fsync = off
max_connections = 100
END
