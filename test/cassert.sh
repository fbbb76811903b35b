#!/bin/sh
# Runs the tests on a PostgreSQL with assertions, built from Debian's source package.
#
#   sh test/cassert.sh [--discard | --valgrind] [make arguments...]
#
# --discard    discards the catalog caches at each chance (debug_discard_caches = 1);
#              regression tests only; hours
# --valgrind   runs the servers under memcheck; regression tests only; half an hour
#
# Packaged servers have no assertions, and discard nothing.  The server is built once,
# in five minutes, for the same major version as the newest here, and kept in
# $PORTPIN_CASSERT (or a cache directory; remove it for a newer one).
set -eu
. "$(dirname "$0")/server.sh"
here=$(dirname "$0")

mode=
case ${1:-} in --discard | --valgrind) mode=$1; shift ;; esac
kept=${PORTPIN_CASSERT:-${XDG_CACHE_HOME:-/var/cache}/portpin-cassert}

# Fetches the sources of version $major into the directory $1: the newest that the mirror has.
fetch_source() {
    mkdir -p "$1/lists/partial" "$1/sources"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || sed 's/^deb /deb-src /; s/^Types: .*/Types: deb-src/' "$list" >"$1/sources/${list##*/}"
    done
    set -- "$1" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$1/sources" \
        -o Dir::State::Lists="$1/lists" -o APT::Sandbox::User=root
    cd "$1"
    shift
    apt-get -q "$@" update >apt.log 2>&1 || cat apt.log >&2
    for version in $(apt-cache "$@" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rV); do
        ! apt-get -q "$@" --download-only source "postgresql-$major=$version" >>apt.log 2>&1 || return 0
    done
    cat apt.log >&2
    die "no source of postgresql-$major to be had"
}

build_server() {
    have bison || need bison
    have flex || need flex
    have pkg-config || need pkg-config
    [ -f /usr/include/openssl/ssl.h ] || need libssl-dev
    [ -f /usr/include/unicode/ucol.h ] || need libicu-dev
    [ -f /usr/include/valgrind/memcheck.h ] || need valgrind
    perl -MIPC::Run -e 1 2>/dev/null || need libipc-run-perl
    install_missing
    say "Building PostgreSQL $major with assertions ..."
    rm -rf "$kept"
    mkdir -p "$kept"
    # Joined by &&: before || a failure does not end the subshell.
    (
        fetch_source "$kept" &&
            tar xf postgresql-*.orig.tar.* &&
            cd postgresql-*/ &&
            ./configure -q --prefix="$kept" --enable-cassert --enable-debug --enable-tap-tests --with-openssl --with-icu \
                --without-readline --without-zlib CFLAGS='-O2 -g -fno-omit-frame-pointer' CPPFLAGS=-DUSE_VALGRIND &&
            make -s -j "$(getconf _NPROCESSORS_ONLN)" world-bin &&
            make -s install-world-bin &&
            mv src/tools/valgrind.supp "$kept"
    ) >"$kept/build.log" 2>&1 || {
        tail -n 20 "$kept/build.log" >&2
        die "could not build it; see $kept/build.log"
    }
    rm -rf "$kept"/postgresql-* "$kept/lists" "$kept/sources"
}

# Puts a script that runs the server under valgrind in its place.
wrap_server() {
    have valgrind || need valgrind
    install_missing
    wrapped=$1
    mkdir "$wrapped/bin"
    for program in "$kept"/bin/*; do ln -s "$program" "$wrapped/bin"; done
    rm "$wrapped/bin/postgres"
    cat >"$wrapped/bin/postgres" <<END
#!/bin/sh
exec valgrind --quiet --leak-check=no --gen-suppressions=all --suppressions='$kept/valgrind.supp' \\
    --trace-children=yes --error-markers=FOUND: --log-file='$wrapped/%p.log' '$kept/bin/postgres' "\$@"
END
    chmod 755 "$wrapped/bin/postgres"
}

set -- with_llvm=no "$@" PG_CONFIG="$kept/bin/pg_config"
debian_major
[ -x "$kept/bin/postgres" ] || build_server
dir=$(mktemp -d)
chmod 1777 "$dir"
trap 'rm -rf "$dir"' EXIT
status=0
case $mode in
--discard)
    printf '%s\n' 'debug_discard_caches = 1' 'autovacuum = off' >"$dir/conf"
    TEMP_CONFIG=$dir/conf sh "$here/check.sh" ISOLATION= PROVE_TESTS= "$@" || status=$?
    ;;
--valgrind)
    wrap_server "$dir"
    sh "$here/check.sh" ISOLATION= PROVE_TESTS= "$@" bindir="$dir/bin" || status=$?
    ! grep -h -A 40 '^FOUND' "$dir"/*.log || status=1
    ;;
*) sh "$here/check.sh" "$@" || status=$? ;;
esac
exit $status
