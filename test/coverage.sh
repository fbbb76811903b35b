#!/bin/sh
# Runs the tests with portpin built for gcov, and reports how much of the C they
# reached.
#
#   sh test/coverage.sh [--show] [--at-least LINES BRANCHES] [make arguments...]
#
# --show       prints each line that was not run, and each branch that was not taken
# --at-least   the percentages below which it fails; 98 and 88, if none are given
#
# It counts lines, and branches outside ereport(), elog(), assertions, and VARDATA_ANY()
# and the like, in which macros of PostgreSQL branch.  What a killed session did is
# lost.
set -eu
show= lines=98 branches=88
while :; do
    case ${1:-} in
    --show) show=$1; shift ;;
    --at-least) lines=$2 branches=$3; shift 3 ;;
    *) break ;;
    esac
done
output=$(mktemp)
kept=
trap 'rm -rf "$output" $kept' EXIT
sh "$(dirname "$0")/check.sh" --keep with_llvm=no PROFILE='--coverage -O0 -Wno-cpp' "$@" 2>&1 | tee "$output"
kept=$(sed -n 's/^Kept for you to look at: //p' "$output")
cd "$kept/src"
gcov --json-format --branch-probabilities --stdout src/*.gcda src/*/*.gcda 2>/dev/null |
    perl "$OLDPWD/$(dirname "$0")/coverage.pl" "$lines" "$branches" $show
