#!/bin/sh
# Builds portpin and runs every test: pg_regress, isolation and TAP.
#
#   sh test/check.sh [--packages] [--keep] [make arguments...]
#   sh test/check.sh PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config
#   sh test/check.sh REGRESS=domain_digits_only     or ISOLATION=NAME..., PROVE_TESTS=test/t/NAME.pl
#
# Tests that are named run alone, except for the first of their kind, which installs.
#
# --packages   installs the packages that are missing, and no more
# --keep       keeps the directory that it worked in, as it does after a failure
#
# On Debian, as root or with sudo, it installs what is missing.  It builds a
# copy of this tree, as it is now, with warnings as errors, and starts servers
# of its own, as an unprivileged user; running ones are left alone.  It leaves
# nothing behind but the directory of a run that failed, which it names.
# TEMP_CONFIG=FILE adds settings to those servers.
#
# Its last line is "N passed, N failed"; a regress or isolation test, and a
# TAP file, count as one.  It succeeds if some passed and none failed.
set -eu
. "$(dirname "$0")/server.sh"

only_packages= wanted=
case ${1:-} in
--packages) only_packages=yes; shift ;;
--keep) wanted=yes; shift ;;
esac
have prove || need perl
perl -MIPC::Run -e 1 2>/dev/null || need libipc-run-perl
perl -MDBD::Pg -e 1 2>/dev/null || need libdbd-pg-perl
find_postgres "$@"

# Tools that the guards are tried with; the test of a missing one is skipped.
want pgbouncer
case $bindir in
/usr/lib/postgresql/*/bin)
    major=${bindir%/bin} major=${major##*/}
    want "postgresql-$major-cron" "postgresql-$major-partman" "postgresql-$major-pgaudit" "postgresql-$major-repack"
    ;;
esac
install_missing
[ -z "$only_packages" ] || exit 0

settings=$(cat "${TEMP_CONFIG:-/dev/null}")
open_work
copy_sources
say "Building for $("$pg_config" --version) ..."
build "$@"
printf '%s\n' "$settings" >>"$work/server.conf"
export TEMP_CONFIG="$work/server.conf"

# A failure of one kind does not hide the others.
as_user make -s -i PG_CONFIG="$pg_config" "$@" installcheck \
    EXTRA_REGRESS_OPTS="--temp-instance=$work/instance --temp-config=$TEMP_CONFIG" 2>&1 |
    tee "$work/output"

# Counts what the runners report: pg_regress as it was up to 15 and as it is since,
# and prove.  A runner that began and did not end has failed, which make -i does not
# tell.
count=$(awk '
    { sub(/^#? */, "") }
    /^\+\+\+ [a-z]+ install-check/        { begun++ }
    /^All [0-9]+ tests passed/           { ended++; passed += $2 }
    /^[0-9]+ of [0-9]+ tests failed/     { ended++; failed += $1; passed += $3 - $1 }
    / \.+ skipped/                       { skipped++; passed-- }
    /\(Wstat: [0-9]+/                    { failed++; passed-- }
    /^Files=[0-9]+/                      { passed += substr($1, 7) }
    /^Result: (PASS|FAIL)/               { ended++ }
    END { failed += begun - ended; printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : "" }
' "$work/output")

status=0
if [ "${count#* 0 failed}" = "$count" ]; then
    status=1
    find . -name regression.diffs -exec cat {} +
    for test in $(sed -n 's,^test/t/\(.*\)\.pl *(Wstat.*,\1,p' "$work/output"); do
        cat "tmp_check/log/regress_log_$test" || :
    done
    wanted=yes
elif [ "${count%% *}" = 0 ]; then
    status=1
    say "No test was run."
fi
if [ -n "$wanted" ]; then
    keep=yes
    say "Kept for you to look at: $work"
fi
echo "$count"
exit $status
