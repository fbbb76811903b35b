#!/bin/sh
# Builds the Debian package, with its tests, and tries it: lintian, apt install, a
# second build that is the same byte by byte, and autopkgtest.
#
#   sh test/package.sh --here [--quick]
#
# --quick   leaves out the last two, which take longer than the rest
#
# It needs root, on a Debian that is thrown away afterwards: it installs the
# package, and whatever it takes to build and try it.  sh test/matrix.sh
# --package makes such Debians.
set -eu
. "$(dirname "$0")/server.sh"

[ "${1:-}" = --here ] || die "it installs packages here: sh test/matrix.sh --package tries them elsewhere"
is_root || die "test/package.sh needs root"
quick=
[ "${2:-}" != --quick ] || quick=yes
need build-essential fakeroot lintian
[ -n "$quick" ] || need autopkgtest
install_missing
open_work
copy_sources
say "Installing what debian/control asks for"
forbid_services
apt -q -y --no-install-recommends build-dep "$work/src" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "apt could not install it"
}
allow_services

passed=0 failed=0
check() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "$what: ok"
    else
        failed=$((failed + 1))
        cat "$work/log"
        echo "$what: FAILED"
    fi
}

version=$(sed -n '1s/^portpin (\(.*\)-.*) .*/\1/p' "$work/src/debian/changelog")
name=portpin-$version

# build_in DIRECTORY [COMMAND...]: makes sources and packages there
build_in() {
    dir=$1
    shift
    as_user mkdir -p "$dir/$name"
    cp -Rp "$work/src/." "$dir/$name"
    (cd "$dir/$name" && as_user pg_buildext updatecontrol) || return
    as_user tar -C "$dir" --exclude="$name/debian" -cJf "$dir/portpin_$version.orig.tar.xz" "$name" || return
    (cd "$dir/$name" && as_user "$@" dpkg-buildpackage -us -uc) || return
}

check "built, and its tests passed" build_in "$work/a" env
ls "$work"/a/*.deb >/dev/null || die "no package"
[ ! -d /usr/lib/postgresql/15 ] ||
    check "debian/control is that of Debian 12" cmp "$work/src/debian/control" "$work/a/$name/debian/control"

# This tag is for uploads to Debian itself, which close the bug that asks for the
# package.
check "lintian" as_user lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
    "$work"/a/*.changes

for deb in "$work"/a/postgresql-*-portpin_*.deb; do
    major=${deb##*/postgresql-}
    major=${major%%-*}
    check "apt install ./${deb##*/}" apt -q -y --no-install-recommends install "$deb"
    check "CREATE EXTENSION on PostgreSQL $major" as_user pg_virtualenv -v "$major" psql -X -v ON_ERROR_STOP=1 -c '
        CREATE EXTENSION portpin CASCADE' -c '
        CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin)' -c "
        SELECT port_pin_protect('accounts')"
done

if [ -z "$quick" ]; then
    check "built again, at another time and place" build_in "$work/elsewhere/b" \
        env DEB_BUILD_OPTIONS=nocheck TZ=Asia/Tokyo LC_ALL=C HOME=/nonexistent
    for deb in "$work"/a/*.deb; do
        check "the same, byte by byte: ${deb##*/}" cmp "$deb" "$work/elsewhere/b/${deb##*/}"
    done
    check "autopkgtest" autopkgtest -B "$work"/a/*.deb "$work/a/$name" -- null
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
