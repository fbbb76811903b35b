#!/bin/sh
# Runs test/check.sh for other versions of PostgreSQL, each in the Debian
# release that has it.
#
#   sh test/matrix.sh [VERSION...] [make arguments...]       without: 15 17 18 19, except this Debian's own
#   sh test/matrix.sh --package [--quick] [VERSION...]       test/package.sh; without: 15 17
#   sh test/matrix.sh --upgrade [VERSION...]                 pg_upgrade from each to the next; without: 15 17 18
#   sh test/matrix.sh --bench [VERSION...]                   test/bench/run.sh, which writes its results into this tree
#
# Needs root, on a Debian.  The Debians are chroots, made once, in about a
# minute each, from the mirror that this machine's apt uses, and kept in
# $PORTPIN_CHROOTS (or a cache directory; remove it to fetch newer ones).  The
# tests run in an overlay that is thrown away.  Where mounting is not permitted,
# check.sh runs in the chroot itself; what would leave packages there is skipped.
#
# It reports the result for each version.  One that could not be fetched is
# skipped, with the reason; one that failed makes the whole fail.  The last line
# "N passed, N failed" adds up the tests of all versions.
set -eu
. "$(dirname "$0")/server.sh"

versions=
script=check.sh
for arg; do
    shift
    case $arg in
    [0-9]*) versions="$versions $arg" ;;
    --package) script=package.sh ;;
    --upgrade) script=upgrade.sh ;;
    --bench) script=bench/run.sh ;;
    *) set -- "$@" "$arg" ;;
    esac
done
case $script in
package.sh) versions=${versions:-15 17} ;;
upgrade.sh) versions=${versions:-15 17 18} ;;
bench/run.sh) versions=${versions:-17 18 19} ;;
esac
is_root || die "test/matrix.sh needs root: chroots are made with it"
have debootstrap || need debootstrap
install_missing

chroots=${PORTPIN_CHROOTS:-${XDG_CACHE_HOME:-/var/cache}/portpin-matrix}
mkdir -p "$chroots"
exec 9>"$chroots/lock"
flock 9

open_work
copy_sources

# The suite of Debian that has version $v.
suite() {
    case $v in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky ;;
    19) echo sid ;;
    *) echo "E: no suite of Debian is known to have it" >&2; return 1 ;;
    esac
}

# The mirror that apt uses here for Debian itself, or with '-security' for its security fixes.
mirror() {
    uri=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Component: main' "Codename: $codename${1:-}" | head -n 1)
    case $uri in mirror+file:*) uri=$(head -n 1 "${uri#mirror+file:}") ;; esac
    echo "${uri%/}"
}
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
if [ $script = check.sh ] && [ -z "$versions" ]; then
    for v in 15 17 18 19; do
        [ "$(suite)" = "$codename" ] || versions="$versions $v"
    done
fi
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
export http_proxy="${http_proxy:-}"

# The processes and mounts of a command end with it, where that is permitted.
apart='unshare --mount --pid --ipc --fork --kill-child'
$apart true 2>/dev/null || apart=
clean='env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8'

# in_chroot DIRECTORY COMMAND...
in_chroot() {
    dir=$1
    shift
    if [ -n "$apart" ]; then
        $apart --mount-proc="$dir/proc" chroot "$dir" $clean "$@"
    else
        chroot "$dir" $clean "$@"
    fi </dev/null
}

# Makes the chroot of version $v in $new.
make_chroot() {
    suite=$(suite) || return
    how=/usr/share/debootstrap/scripts/$suite
    [ -e "$how" ] || how=${how%/*}/sid
    $apart debootstrap --variant=minbase "$suite" "$new" "$(mirror)" "$how" || return

    # A mirror may lag behind the dates that it was signed for.
    {
        echo 'Acquire::Check-Valid-Until "false";'
        [ -z "$http_proxy" ] || echo "Acquire::http::Proxy \"$http_proxy\";"
    } >"$new/etc/apt/apt.conf.d/99portpin"
    case $suite in
    bookworm | trixie)
        security=$(mirror -security)
        [ -z "$security" ] ||
            echo "deb $security $suite-security main" >"$new/etc/apt/sources.list.d/security.list"
        ;;
    sid)
        echo "deb $(mirror) experimental main" >"$new/etc/apt/sources.list.d/experimental.list"
        printf '%s\n' 'Package: postgresql* libpq*' 'Pin: release a=experimental' 'Pin-Priority: 990' \
            >"$new/etc/apt/preferences.d/experimental"
        ;;
    esac

    # Nothing may start there, and without /proc one of the packages' helpers fails.
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
    chmod 755 "$new/usr/sbin/policy-rc.d"
    [ -n "$apart" ] || in_chroot "$new" sh -c '
        dpkg-divert --local --rename --add /usr/bin/systemd-tmpfiles && ln -s true /usr/bin/systemd-tmpfiles' || return

    cp -R "$work/src" "$new/portpin" &&
        in_chroot "$new" sh /portpin/test/check.sh --packages "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config" &&
        rm -rf "$new/portpin"
}

# have_chroot: makes the chroot of version $v if there is none.  If it can't, the
# summary says why.
have_chroot() {
    new=$chroots/$v.new
    log=$chroots/$v.log
    [ ! -d "$chroots/$v" ] || return 0
    say "Making a Debian with PostgreSQL $v ..."
    rm -rf --one-file-system "$new"
    if ! make_chroot >"$log" 2>&1; then
        why=$(sed -n 's/^E: //p' "$log" | tail -n 1)
        echo "PostgreSQL $v: skipped, ${why:-its Debian could not be made} (see $log)" >>"$work/summary"
        return 1
    fi
    mv "$new" "$chroots/$v"
}

# Runs $script in an overlay over the chroot of version $v; 125 if there can be none.
run_in_overlay() {
    [ -n "$apart" ] || return 125
    mkdir -p "$work/top"
    $apart --mount-proc sh -euc '
        lower=$1 top=$2 src=$3 clean=$4 script=$5 results=$6
        shift 6
        {
            mount -t tmpfs -o mode=755 tmpfs "$top" &&
                mkdir "$top/upper" "$top/work" "$top/root" &&
                mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$top/root" &&
                mount -t proc proc "$top/root/proc" &&
                mount -t tmpfs -o mode=1777 tmpfs "$top/root/dev/shm"
        } 2>/dev/null || exit 125
        rm -rf "$top/root/portpin"
        cp -R "$src" "$top/root/portpin"
        [ "$script" != bench/run.sh ] || mount --bind "$results" "$top/root/portpin/test/bench"
        exec chroot "$top/root" $clean sh "/portpin/test/$script" "$@"
    ' sh "$chroots/$v" "$work/top" "$work/src" "$clean" "$script" "$root/test/bench" "$@" </dev/null
}

run_in_chroot() {
    rm -rf "$chroots/$v/portpin" "$chroots/$v"/tmp/portpin.*
    cp -R "$work/src" "$chroots/$v/portpin"
    in_chroot "$chroots/$v" sh "/portpin/test/$script" "$@"
}

passed=0 failed=0

# run NAME ARGUMENT...: runs $script for version $v; its lines and its summary bear that
# name.
run() {
    name=$1
    shift
    : >"$work/failed"
    {
        status=0
        run_in_overlay "$@" || status=$?
        if [ $status = 125 ] && [ $script = check.sh ]; then
            status=0
            run_in_chroot "$@" || status=$?
        fi
        [ $status != 125 ] || echo "0 passed, 0 failed, skipped: mounting is not permitted here"
        case $status in 0 | 125) rm "$work/failed" ;; esac
    } 2>&1 | sed -u "/^Kept for you/d; s/^/$name| /" | tee "$work/output"

    count=$(sed -n "s/^$name| \([0-9]* passed, [0-9]* failed.*\)/\1/p" "$work/output" | tail -n 1)
    case $count in
    '' | *' 0 failed'*) [ ! -e "$work/failed" ] || count="0 passed, 1 failed" ;;
    esac
    echo "PostgreSQL $name: $count" >>"$work/summary"
    passed=$((passed + ${count%% *}))
    count=${count#*, }
    failed=$((failed + ${count%% *}))
}

# The versions before the last are taken as they first came out, so that they are
# older than the last: pg_upgrade need not take what a later minor release has dumped.
upgrade() {
    newest=${versions##* }
    mkdir "$work/src/upgrade"
    for v in $versions; do
        [ "$v" = "$newest" ] || echo "deb $(mirror) $(suite) main"
    done >"$work/src/upgrade/sources.list"
    ! have_chroot || run "$(echo $versions | sed 's/ / to /g')" $versions
}

case $script in
check.sh) for v in $versions; do ! have_chroot || run "$v" "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config" "$@"; done ;;
package.sh) for v in $versions; do ! have_chroot || run "$v" --here "$@"; done ;;
upgrade.sh) upgrade ;;
bench/run.sh)
    for v in $versions; do ! have_chroot || run_in_overlay "$@" "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config"; done
    [ ! -e "$work/summary" ] || cat "$work/summary"
    exit
    ;;
esac

echo
cat "$work/summary"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
