#!/bin/sh
# Runs test/check.sh for other versions of PostgreSQL, each in the Debian that
# has it.
#
#   sh test/matrix.sh [VERSION...] [make arguments...]       15, 17, 18, 19; without: 17 18 19
#
# Needs root, on a Debian.  The Debians are chroots, made once, in about a
# minute each, from the mirror that this machine's apt uses, and kept in
# $PORTPIN_CHROOTS (or a cache directory; remove it to fetch newer ones).  The
# tests run in an overlay that is thrown away, or in the chroot itself where
# mounting is not permitted.
#
# It says for each version what came of it.  One that could not be fetched is
# skipped, with the reason; one that failed makes the whole fail.  The last line
# "N passed, N failed" adds up the tests of all versions.
set -eu
. "$(dirname "$0")/server.sh"

versions=
for arg; do
    shift
    case $arg in
    [0-9]*) versions="$versions $arg" ;;
    *) set -- "$@" "$arg" ;;
    esac
done
is_root || die "test/matrix.sh needs root: chroots are made with it"
have debootstrap || need debootstrap
install_missing

chroots=${PORTPIN_CHROOTS:-${XDG_CACHE_HOME:-/var/cache}/portpin-matrix}
mkdir -p "$chroots"
exec 9>"$chroots/lock"
flock 9

open_work
copy_sources

# The mirror that apt uses here for Debian itself, or with '-security' for its security fixes.
mirror() {
    uri=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Component: main' "Codename: $codename${1:-}" | head -n 1)
    case $uri in mirror+file:*) uri=$(head -n 1 "${uri#mirror+file:}") ;; esac
    echo "${uri%/}"
}
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
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
    case $v in
    15) suite=bookworm ;;
    17) suite=trixie ;;
    18) suite=forky ;;
    19) suite=sid ;;
    *) echo "E: no suite of Debian is known to have it"; return 1 ;;
    esac
    script=/usr/share/debootstrap/scripts/$suite
    [ -e "$script" ] || script=${script%/*}/sid
    $apart debootstrap --variant=minbase "$suite" "$new" "$(mirror)" "$script" || return

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

    # Nothing is to be started there; and without /proc one of the packages' helpers fails.
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
    chmod 755 "$new/usr/sbin/policy-rc.d"
    [ -n "$apart" ] || in_chroot "$new" sh -c '
        dpkg-divert --local --rename --add /usr/bin/systemd-tmpfiles && ln -s true /usr/bin/systemd-tmpfiles' || return

    cp -R "$work/src" "$new/portpin" &&
        in_chroot "$new" sh /portpin/test/check.sh --packages "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config" &&
        rm -rf "$new/portpin"
}

# Runs check.sh in an overlay over the chroot of version $v; 125 where there can be none.
check_in_overlay() {
    [ -n "$apart" ] || return 125
    mkdir -p "$work/top"
    $apart --mount-proc sh -euc '
        lower=$1 top=$2 src=$3 clean=$4
        shift 4
        {
            mount -t tmpfs -o mode=755 tmpfs "$top" &&
                mkdir "$top/upper" "$top/work" "$top/root" &&
                mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$top/root" &&
                mount -t proc proc "$top/root/proc" &&
                mount -t tmpfs -o mode=1777 tmpfs "$top/root/dev/shm"
        } 2>/dev/null || exit 125
        rm -rf "$top/root/portpin"
        cp -R "$src" "$top/root/portpin"
        exec chroot "$top/root" $clean sh /portpin/test/check.sh "$@"
    ' sh "$chroots/$v" "$work/top" "$work/src" "$clean" "$@" </dev/null
}

check_in_chroot() {
    rm -rf "$chroots/$v/portpin" "$chroots/$v"/tmp/portpin.*
    cp -R "$work/src" "$chroots/$v/portpin"
    in_chroot "$chroots/$v" sh /portpin/test/check.sh "$@"
}

passed=0 failed=0
for v in ${versions:-17 18 19}; do
    new=$chroots/$v.new
    log=$chroots/$v.log
    if [ ! -d "$chroots/$v" ]; then
        say "Making a Debian with PostgreSQL $v ..."
        rm -rf --one-file-system "$new"
        if ! make_chroot >"$log" 2>&1; then
            why=$(sed -n 's/^E: //p' "$log" | tail -n 1)
            echo "PostgreSQL $v: skipped, ${why:-its Debian could not be made} (see $log)" >>"$work/summary"
            continue
        fi
        mv "$new" "$chroots/$v"
    fi

    : >"$work/failed"
    {
        set -- "PG_CONFIG=/usr/lib/postgresql/$v/bin/pg_config" "$@"
        status=0
        check_in_overlay "$@" || status=$?
        if [ $status = 125 ]; then
            status=0
            check_in_chroot "$@" || status=$?
        fi
        [ $status != 0 ] || rm "$work/failed"
    } 2>&1 | sed -u "/^Kept for you/d; s/^/$v| /" | tee "$work/output"

    count=$(sed -n "s/^$v| \([0-9]* passed, [0-9]* failed.*\)/\1/p" "$work/output" | tail -n 1)
    case $count in
    '' | *' 0 failed'*) [ ! -e "$work/failed" ] || count="0 passed, 1 failed" ;;
    esac
    echo "PostgreSQL $v: $count" >>"$work/summary"
    passed=$((passed + ${count%% *}))
    count=${count#*, }
    failed=$((failed + ${count%% *}))
done

echo
cat "$work/summary"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
