#!/bin/sh
# Shows what portpin does: plays test/demo.sql on a server made for it, and
# prints each statement with the answer.
#
#   sh test/demo.sh [--keep] [make arguments...]
#
# --keep   leaves the server running, and says how to connect to it and stop it
#
# On Debian, as root or with sudo, it installs what is missing, and says how large
# that is: about 600 MB where there is no PostgreSQL and no compiler.  The server is
# an unprivileged user's, listens only on a socket in its own directory, and is
# removed at the end.  It fails if an answer is not the one that demo.sql says.
set -eu
. "$(dirname "$0")/server.sh"

wanted=
if [ "${1:-}" = --keep ]; then
    wanted=yes
    shift
fi
without_llvm=yes
find_postgres "$@"
open_work
copy_sources
say "Building for $("$pg_config" --version), which takes up to a minute ..."
build "$@"

cd "$work"
say "Starting a server ..."
printf 'demo:%s\n' "$(head -c 32 /dev/urandom | base64)" >key
chown "$user" key
chmod 600 key
echo "portpin.key_file = '$work/key'" | start_server
as_user "$bindir/createdb" -h "$work" -U postgres demo

# Shows what a reader wants to know of an error.
status=0
as_user "$bindir/psql" -X -q -e -h "$work" -U postgres demo <src/test/demo.sql 2>&1 | awk '
    /^LOCATION:  |^[A-Z]+ NAME:  / { next }
    /^(ERROR|FATAL|PANIC):  / { if (error) wrong++; error = substr($2, 1, length($2) - 1) }
    $1 == "@error" { if (error != $2) { wrong++; print "*** not " $2 " ***" } error = ""; next }
    $1 == "@rows"  { if ($2 != $3)    { wrong++; print "*** not " $3 " ***" } next }
    $1 == "@end"   { ended = 1; next }
    { sub(/^NOTICE:  00000:/, "NOTICE: "); print }
    END {
        if (error || wrong) print "*** Not every answer is the one that was expected. ***"
        if (!ended) print "*** The story broke off. ***"
        exit error || wrong || !ended
    }' || status=1

if [ $status = 0 ]; then
    echo
    echo "Shown: PINs that nobody can read or clear, orders judged by the PIN of their number's account, a guesser locked out."
    echo "To try it yourself: sh test/demo.sh --keep. To run every test: sh test/check.sh."
    echo "To install it and guard your own tables: README.md, from \"Install\" on."
fi
if [ -n "$wanted" ]; then
    keep=yes
    as_user "$bindir/psql" -X -q -h "$work" -U postgres demo -c 'ALTER DATABASE demo SET search_path = public, port'
    as=
    ! is_root || as="runuser -u $user -- "
    echo
    echo "The server is still running. To connect:"
    echo "    $bindir/psql -h $work -U postgres demo"
    echo "To stop and remove it:"
    echo "    $as$bindir/pg_ctl -D $work/data -m fast stop; rm -rf $work"
fi
exit $status
