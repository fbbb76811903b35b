#!/bin/sh
# Runs the tests with portpin built for gcov, and tells what of the C they reached.
#
#   sh test/coverage.sh [--show] [make arguments...]
#
# --show   prints each line that was not run, and each branch that was not taken
#
# Counted are lines, and branches outside ereport(), elog() and assertions, in which
# macros of PostgreSQL branch.  What a killed session did is lost.
set -eu
show=
if [ "${1:-}" = --show ]; then
    show=yes
    shift
fi
output=$(mktemp)
kept=
trap 'rm -rf "$output" $kept' EXIT
sh "$(dirname "$0")/check.sh" --keep with_llvm=no PROFILE='--coverage -O0 -Wno-cpp' "$@" 2>&1 | tee "$output"
kept=$(sed -n 's/^Kept for you to look at: //p' "$output")
cd "$kept/src"
gcov --json-format --branch-probabilities --stdout src/*.gcda src/*/*.gcda 2>/dev/null |
    perl "$OLDPWD/$(dirname "$0")/coverage.pl" $show
