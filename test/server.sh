# What check.sh, demo.sh, matrix.sh and bench/run.sh share.  Sourced by them, not run.
#
# It finds a PostgreSQL, with apt's help where there is none, and builds a copy
# of the sources in a directory of an unprivileged user.  Everything that is
# made lies in that directory, which is removed at the end: only the packages
# that were missing stay.  It does not touch a server that already runs.
#
#   need PACKAGE...             one more package to install with the rest
#   want PACKAGE...             the same, but optional
#   find_postgres [ARG...]      sets $pg_config and $bindir; installs what is missing,
#                             all but llvm if $without_llvm is set
#   open_work                 makes $work, owned by $user, and goes there
#   copy_sources              the tree as it is now, into $work/src
#   build [ARG...]              builds and installs it below $work; writes $work/server.conf
#   build_copy [ARG...]         all four of them
#   start_server                starts one with that, in $work
#   as_user COMMAND...          runs a command as $user
#
# ARG... are arguments for make, PG_CONFIG=... among them.

root=$(cd "$(dirname "$0")/.." && pwd)
missing=
work=
keep=
no_cluster=
no_service=
without_llvm=
headers=

say() { printf '%s\n' "$*" >&2; }
die() { say "portpin: $*"; exit 1; }
have() { command -v "$1" >/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }
as_user() { if is_root; then runuser -u "$user" -- "$@"; else "$@"; fi; }

clean_up() {
    status=$?
    trap - EXIT
    allow_services
    if [ -n "$work" ] && [ -z "$keep" ]; then
        cd /
        stop_servers
        rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }
    fi
    exit "$status"
}

# Those that an interrupted test has left running in $work.
stop_servers() {
    find "$work" -name postmaster.pid 2>/dev/null | while read -r file; do
        as_user "$bindir/pg_ctl" -s -D "${file%/*}" -m immediate stop 2>/dev/null || :
    done
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

## Packages

need() { missing="$missing $*"; }

# Only if it can be installed, without a password: not every Debian has everything for
# every server.
want() {
    have apt-get && { is_root || sudo -n true 2>/dev/null; } || return 0
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            ! apt-get -q -s --no-install-recommends install "$package" >/dev/null 2>&1 || need "$package"
    done
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get "$@" </dev/null; }

# Once, and only when something is missing: $missing, or what is named here.
update_packages() {
    [ -z "${updated:-}" ] || return 0
    have apt-get || die "missing:$missing $*, as Debian calls it. There is no apt here to install it with: please see to that, then run this again."
    is_root || have sudo || die "missing:$missing $*. This needs root or sudo to install it."
    say "Fetching the lists of packages ..."
    updated=$(apt -q update 2>&1) || say "$updated"
    updated=yes
}

# A server's package makes a cluster and starts it, and PgBouncer's starts PgBouncer,
# unless told not to.
forbid_services() {
    no_cluster=/etc/postgresql-common/createcluster.d/zz-portpin.conf
    as_root mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    no_service=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$no_service" >/dev/null
    as_root chmod 755 "$no_service"
}

allow_services() {
    [ -z "$no_service" ] || as_root rm -f "$no_service"
    no_service=
    [ -n "$no_cluster" ] || return 0
    as_root rm -f "$no_cluster"
    as_root rmdir -p --ignore-fail-on-non-empty "${no_cluster%/*}"
    no_cluster=
}

install_missing() {
    [ -n "$missing" ] || return 0
    update_packages
    say "Installing$missing"
    forbid_services
    log=$(mktemp)
    # apt makes the file that it reports to non-blocking: nobody else may write to it.
    # sudo passes on only 1 and 2.
    {
        as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -c 'exec apt-get "$@" 3>&1 >&2' apt \
            -q -y --no-install-recommends -o APT::Status-Fd=3 install $missing </dev/null 2>"$log" && : >"$log.done"
    } | show_progress "$log"
    [ -e "$log.done" ] || {
        cat "$log" >&2
        rm "$log"
        die "apt could not install$missing"
    }
    rm "$log" "$log.done"
    # It is not to start with the machine, either.
    case "$missing " in *" pgbouncer "*) as_root update-rc.d pgbouncer disable >/dev/null 2>&1 || : ;; esac
    allow_services
    missing=
}

# show_progress LOG: shows how much apt is going to do, as it says in LOG, and how far
# it has got.
show_progress() {
    perl -ne '
        BEGIN { $| = 1; $log = shift @ARGV }
        /^(dl|pm)status:[^:]*:(\d+)/ or next;
        ($now, $percent) = ($1, $2 - $2 % 20);
        if (!@size && open(my $file, "<", $log)) {
            print @size = map { "  $_" } grep { /^Need to get|^After this operation/ } <$file>;
        }
        next if $percent == 0 or $step eq $now and $percent <= $shown;
        print $step ? "\n" : "", $now eq "dl" ? "  fetched" : "  set up" if $step ne $now;
        print " $percent%";
        ($step, $shown) = ($now, $percent);
        END { print "\n" if $step }' "$1" >&2
}

# Is there a server behind this pg_config, and all that is needed to build for it?
usable() {
    [ -x "$("$1" --bindir 2>/dev/null)/postgres" ] &&
        [ -f "$("$1" --pgxs)" ] &&
        [ -f "$("$1" --includedir-server)/postgres.h" ]
}

# The newest server that Debian's packages have installed here, or else the one that
# they would.
debian_major() {
    set -- $(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -rV)
    if [ $# -gt 0 ]; then
        major=${1#/usr/lib/postgresql/}
        major=${major%%/*}
    else
        update_packages postgresql
        major=$(apt-cache depends postgresql | sed -n 's/.* Depends: postgresql-\([0-9]*\)$/\1/p')
        [ -n "$major" ] || die "apt knows no package postgresql"
    fi
}

# We need only its headers, but it depends on the whole of llvm.  Without
# bitcode, the headers alone go into $work.
need_server_dev() {
    if [ -n "$without_llvm" ]; then
        [ -f /usr/include/postgresql/libpq-fe.h ] || need libpq-dev
        headers=postgresql-server-dev-$major
    else
        need "postgresql-server-dev-$major"
    fi
}

# A pg_config of our own tells where they are.
unpack_headers() {
    mkdir "$work/headers"
    (cd "$work/headers" && apt-get -q download -o APT::Sandbox::User=root "$headers" >/dev/null && dpkg-deb -x *.deb .) ||
        die "apt could not fetch $headers"
    printf '#!/bin/sh\n"%s" "$@" | sed "s,^/usr/include,%s&,"\n' "$pg_config" "$work/headers" >"$work/pg_config"
    chmod 755 "$work/pg_config"
    pg_config=$work/pg_config
}

find_postgres() {
    pg_config=${PG_CONFIG:-pg_config}
    for arg; do
        case $arg in PG_CONFIG=*) pg_config=${arg#PG_CONFIG=} ;; esac
    done
    have make || need make
    have gcc || need gcc libc6-dev
    if ! usable "$pg_config"; then
        case $pg_config in
        pg_config) debian_major ;;
        /usr/lib/postgresql/*/bin/pg_config) major=${pg_config#/usr/lib/postgresql/} major=${major%%/*} ;;
        *) die "$pg_config: no server here, or not what is needed to build for it" ;;
        esac
        pg_config=/usr/lib/postgresql/$major/bin/pg_config
        [ -x "${pg_config%/*}/postgres" ] || need "postgresql-$major"
        usable "$pg_config" || need_server_dev
    fi
    install_missing
    bindir=$("$pg_config" --bindir)
}

## The place to work in

open_work() {
    user=$(id -un)
    tmp=${TMPDIR:-/tmp}
    if is_root; then
        user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        as_user test -w "$tmp" || tmp=/tmp
    fi
    work=$(mktemp -d "$tmp/portpin.XXXXXX")
    chown "$user" "$work"
    cd "$work"

    # Nothing in the caller's environment may lead to another server, make or language.
    for var in $(env | sed -n 's/^\(PG[A-Z]*\|M[A-Z]*FLAGS\|MAKE[A-Z]*\)=.*/\1/p'); do unset "$var"; done
    export HOME="$work" TMPDIR="$work" LC_ALL=C.UTF-8
}

# What git tracks or would track, as it is now; without git, everything.
copy_sources() {
    mkdir "$work/src"
    if [ -e "$root/.git" ] && files=$(git -c safe.directory='*' -C "$root" ls-files -co --exclude-standard 2>/dev/null); then
        printf '%s\n' "$files" |
            while read -r file; do [ ! -e "$root/$file" ] || printf '%s\n' "$file"; done |
            tar -C "$root" -c -T - | tar -C "$work/src" -x
    else
        tar -C "$root" --exclude=./.git -c . | tar -C "$work/src" -x
    fi
    ! is_root || chown -R "$user:" "$work/src"
}

# Installs into $work if the server can be told to look there, otherwise into the
# server's own directories.
build() {
    if [ -n "$headers" ]; then
        unpack_headers
        set -- "$@" with_llvm=no
    fi
    set -- COPT=-Werror "$@" PG_CONFIG="$pg_config"
    cd "$work/src"
    as_user make -s "$@" clean
    as_user make -s -j "$(getconf _NPROCESSORS_ONLN)" "$@" all
    as_user make -s "$@" DESTDIR="$work/dest" install
    dest=$work/dest
    case $(as_user "$bindir/postgres" --describe-config) in
    *extension_control_path*)
        echo "extension_control_path = '$dest$("$pg_config" --sharedir):\$system'"
        echo "dynamic_library_path = '$dest$("$pg_config" --pkglibdir):\$libdir'"
        ;;
    *extension_destdir*)
        echo "extension_destdir = '$dest'"
        echo "dynamic_library_path = '$dest$("$pg_config" --pkglibdir):\$libdir'"
        ;;
    *)
        say "This server looks for extensions in its own directories only: installing there."
        make -s "$@" install >&2
        ;;
    esac >"$work/server.conf"
    printf '%s\n' 'fsync = off' 'restart_after_crash = off' >>"$work/server.conf"
}

build_copy() {
    find_postgres "$@"
    open_work
    copy_sources
    say "Building for $("$pg_config" --version) ..."
    build "$@"
}

# Starts a server in $work/data, with a socket in $work; settings of its own come on
# standard input.
start_server() {
    cd "$work"
    as_user "$bindir/initdb" -D data -U postgres -A trust --no-sync >initdb.log 2>&1 || {
        cat initdb.log >&2
        die "no server"
    }
    cat server.conf - >>data/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '$work'
$(cat)
END
    as_user "$bindir/pg_ctl" -s -w -D data -l "$work/data/log" start || {
        cat data/log >&2
        die "no server"
    }
}
