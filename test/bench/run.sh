#!/bin/sh
# Measures what portpin costs, and what you would write instead of it.
#
#   sh test/bench/run.sh [OPTION...] [make arguments...]
#
# --count            count instructions only: that needs no quiet machine
# --time             measure time only
# --section LIST     these sections of sections.sql only ("gate single")
# --rows N           rows of a bulk statement that is timed (10000)
# --accounts N       accounts (100000)
# --repetitions N    of each statement that is timed (11)
# --runs N           of pgbench (5), of --seconds N (1)
# --growth LIST      numbers of accounts to compare ("10000 1000000")
# --out DIR          where results-VERSION.md and the plot, .svg, go (test/bench; an
#                    incomplete one goes nowhere, unless asked for)
#
# sections.sql says what is measured, bench.sql how.  Instructions are counted by
# callgrind in a single-user server: nothing else that happens on the machine changes
# them.  The cost of a row is the difference between many rows in a statement and few,
# or between many statements of one row and few.  Times are medians; all variants of a
# section take turns, in a different order each time.  It only measures, and fails only
# if it can't.
set -eu
. "$(dirname "$0")/../server.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

parts='count time' only= rows=10000 accounts=100000 repetitions=11 runs=5 seconds=1 growth='10000 1000000' out=
while [ $# -gt 0 ]; do
    case $1 in
    --count | --time) parts=${1#--}; shift; continue ;;
    --section) only=$2 ;;
    --rows) rows=$2 ;;
    --accounts) accounts=$2 ;;
    --repetitions) repetitions=$2 ;;
    --runs) runs=$2 ;;
    --seconds) seconds=$2 ;;
    --growth) growth=$2 ;;
    --out) out=$(cd "$2" && pwd) ;;
    *) break ;;
    esac
    shift 2
done
have gnuplot || need gnuplot-nox
have valgrind || need valgrind
build_copy "$@"

cd "$work"
as_user gcc -O2 -fPIC -shared -I"$("$pg_config" --includedir-server)" \
    -o bench.so src/test/bench/bench.c
head -c 32 /dev/urandom | base64 | sed 's/^/bench:/' >key
chown "$user" key
chmod 600 key
start_server <<END_OF_SETTINGS
portpin.key_file = '$work/key'
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
max_locks_per_transaction = 1024
autovacuum = off
jit = off
client_min_messages = warning
END_OF_SETTINGS
sql() { as_user "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$work" -U postgres bench "$@"; }
as_user "$bindir/createdb" -h "$work" -U postgres bench
say "Filling tables ..."
case " $only " in *' growth '* | '  ') ;; *) growth= ;; esac
sql -o /dev/null -v rows="$rows" -v accounts="$accounts" -v growth="$growth" -v library="$work/bench" \
    -f src/test/bench/bench.sql -f src/test/bench/sections.sql
[ -z "$only" ] || sql -c "DELETE FROM bench.variant WHERE section <> ALL (string_to_array('$only', ' '))"
sql -c 'VACUUM ANALYZE' -o /dev/null
for n in 100 1100 "$rows"; do sql -c "COPY bench.given_$n TO '$work/data/given_$n'"; done

## Counting

# count_functions FILE FUNCTIONS: instructions of these, with all that they call
count_functions() {
    callgrind_annotate --inclusive=yes --threshold=100 --auto=no --show-percs=no "$1" |
        awk -v name=":($2) \\\\[" '$0 ~ name { gsub(",", "", $1); sum += $1 } END { print sum + 0 }'
}

count() {
    say "Counting instructions ..."
    sql -c 'SELECT bench.script()' >script
    as_user "$bindir/pg_ctl" -s -w -D data stop
    mkdir counts
    chown "$user" counts
    as_user valgrind -q --tool=callgrind --callgrind-out-file=counts/part \
        "$bindir/postgres" --single -D data -c exit_on_error=on -c log_error_verbosity=terse bench \
        <script >count.log 2>&1 || { tail -n 5 count.log >&2; die "counting failed"; }
    as_user "$bindir/pg_ctl" -s -w -D data -l data/log start

    # Each part says what it was written for, and how many instructions there were.  The
    # last one of a name counts.
    (cd counts && awk -v OFS='|' '
        /^version: / { name = "" }
        /^desc: Trigger: Client Request: / { name = substr($0, 32) }
        /^summary: / && name { count[name] = $2 }
        END { for (name in count) print name, count[name] }' $(ls -v)) >counted
    sql -F ';' -c 'SELECT section, variant, many, functions FROM bench.variant WHERE functions IS NOT NULL' >profiled
    while IFS=';' read -r section variant n functions; do
        part=$(grep -l -x -F "desc: Trigger: Client Request: $section|gate|$n" counts/* | sort -V | tail -n 1)
        printf '%s\n' "$section|$variant|0|0" "$section|$variant|$n|$(count_functions "$part" "$functions")"
    done <profiled >>counted
    sql -c "\\copy bench.count FROM 'counted' (DELIMITER '|')"
}

## Timing

# Is a session of ours running, or has one ended without the server having noticed yet?
session_runs() {
    for pid in $(cat "/proc/$server/task/$server/children"); do
        title=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
        case $title in '' | *' bench '*) return 0 ;; esac
    done 2>/dev/null
    return 1
}

# The CPU time that sessions took, in ticks, once all have ended.
cpu_ticks() {
    while session_runs; do sleep 0.01; done
    awk '{ print $16 + $17 }' "/proc/$server/stat"
}

# pgbench CLIENTS SCRIPT [OPTION...]
bench() {
    clients=$1 script=$2
    shift 2
    as_user "$bindir/pgbench" -n -h "$work" -U postgres -M prepared -c "$clients" -j "$clients" -T "$seconds" \
        -D accounts="$accounts" -f "$script" "$@" bench 2>&1
}

# place_orders VARIANT CLIENTS GUESSES: for some seconds, and writes down what one took
place_orders() {
    sql -c "SELECT script FROM bench.client WHERE section = '$section' AND variant = '$1'" >orders.pgbench
    before=$(cpu_ticks)
    [ "$3" = 0 ] || bench 1 src/test/bench/guess.pgbench -R "$3" >/dev/null &
    bench "$2" orders.pgbench >pgbench.out || { cat pgbench.out >&2; die "pgbench failed"; }
    wait
    ticks=$(($(cpu_ticks) - before))
    awk -v OFS='|' -v name="$section|$1|$repetition" -v cpu="$ticks" -v hertz="$(getconf CLK_TCK)" '
        /actually processed: / { orders = $NF }
        /^tps = / { print name, cpu / hertz * 1e9 / orders, 1e9 / $3 }' pgbench.out >>timed
}

time_clients() {
    server=$(head -n 1 data/postmaster.pid)
    for repetition in $(seq 0 "$runs"); do
        sql -c 'TRUNCATE orders_fk, orders_row, orders_gate, port_pin_failures'
        sql -c "SELECT variant, clients, guesses FROM bench.client WHERE section = '$section' ORDER BY random()" >turns
        while IFS='|' read -r variant clients guesses; do
            place_orders "$variant" "$clients" "$guesses" </dev/null
        done <turns
    done
    sql -c "\\copy bench.time FROM 'timed' (DELIMITER '|')"
    rm timed
}

time_sections() {
    sql -c "SELECT section, setup FROM bench.section
        WHERE section IN (SELECT section FROM bench.variant WHERE rows IS NOT NULL) ORDER BY position" >sections
    while IFS='|' read -r section setup; do
        say "Timing $section ..."
        printf '%s\n' "$setup" | sql
        case $section in
        clients | guesser) time_clients </dev/null ;;
        *) sql -c "CALL bench.take_turns('$section', $repetitions)" ;;
        esac
    done <sections
}

for part in $parts; do
    case $part in
    count) count ;;
    time) time_sections ;;
    esac
done

## The report

sql -f src/test/bench/report.sql >results.md
cat results.md
[ -n "$out" ] || [ -n "$only" ] || [ "$parts" != 'count time' ] || out=$root/test/bench
[ -n "$out" ] || exit 0
version=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
cp results.md "$out/results-$version.md"
[ -z "$only" ] && [ "$parts" != time ] || exit 0
sql -f src/test/bench/plot.sql >plotted
gnuplot -e "results = 'plotted'; plot = 'plot.svg'; server = 'PostgreSQL $version'" src/test/bench/plot.gp
sed '/^<desc>/r src/test/bench/plot.style' plot.svg >"$out/results-$version.svg"
