#!/bin/sh
# Measures what portpin costs, and what one would write instead of it.
#
#   sh test/bench/run.sh [OPTION...] [make arguments...]
#
# --rows N         rows of a bulk statement (10000)
# --accounts N     accounts (100000)
# --least N        repetitions of each statement, if their spread is small (51)
# --most N         repetitions at most (201)
# --runs N         of pgbench (15), of --seconds N (1)
# --growth LIST    numbers of accounts to compare ("10000 1000000")
# --section NAME   that one only: domain_copy, domain_insert, keep_other, keep_pin,
#                  gate_insert, gate_copy, partitions, refused, sealed, growth, guards, single
# --out DIR        where results-VERSION.md, .csv and the plot, .svg, go (test/bench;
#                  the results of one section go nowhere, unless asked for)
#
# All variants of a section take turns, in another order each time, on a server made
# for it, until the quartiles of what portpin wants to hold are on one side of the
# limit.  A check is measured by the CPU time of its backend, which other work on the
# machine disturbs less than the clock; single-row transactions and refused orders,
# for which other processes work, too, by the clock: they want a quiet machine.  It
# measures only, and fails only where it can't.
set -eu
. "$(dirname "$0")/../server.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)

rows=10000 accounts=100000 least=51 most=201 runs=15 seconds=1 growth='10000 1000000' only= out=
while [ $# -gt 0 ]; do
    case $1 in
    --rows) rows=$2 ;;
    --accounts) accounts=$2 ;;
    --least) least=$2 ;;
    --most) most=$2 ;;
    --runs) runs=$2 ;;
    --seconds) seconds=$2 ;;
    --growth) growth=$2 ;;
    --section) only=$2 ;;
    --out) out=$(cd "$2" && pwd) ;;
    *) break ;;
    esac
    shift 2
done
have gnuplot || need gnuplot-nox
find_postgres "$@"
open_work
copy_sources
say "Building for $("$pg_config" --version) ..."
build "$@"

cd "$work"
as_user gcc -O2 -fPIC -shared -I"$("$pg_config" --includedir-server)" \
    -o bench.so src/test/bench/bench.c
head -c 32 /dev/urandom | base64 | sed 's/^/bench:/' >key
chown "$user" key
chmod 600 key
start_server <<END
portpin.key_file = '$work/key'
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
jit = off
END
sql() { as_user "$bindir/psql" -X -q -v ON_ERROR_STOP=1 -h "$work" -U postgres "$@"; }
as_user "$bindir/createdb" -h "$work" -U postgres bench
say "Filling tables ..."
sql bench -v rows="$rows" -v accounts="$accounts" -v least="$least" -v most="$most" -v library="$work/bench" \
    -c 'SET client_min_messages = warning' -f src/test/bench/bench.sql

# wanted SECTION: is this section to be measured?
wanted() {
    [ -z "$only" ] || [ "$only" = "$1" ] || return 1
    section=$1
    say "$1 ..."
}

quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }

# variant NAME BASE PREPARE STATEMENT [ROWS [clock]]: BASE and PREPARE may be empty
variant() {
    sql bench -c "INSERT INTO bench.variant VALUES ('$section', '$1', nullif('$2', ''),
        nullif($(quote "$3"), ''), $(quote "$4"), ${5:-$rows}, '${6:-}' = 'clock')"
}

# claim VARIANT AGAINST AT_MOST
claim() { sql bench -c "INSERT INTO bench.claim VALUES ('$section', '$1', '$2', $3)"; }

measure() { sql bench -c "CALL bench.run('$section')"; }

has() { [ "$(sql bench -A -t -c "SELECT to_reg$1('$2') IS NOT NULL")" = t ]; }

## A PIN is valid

domain_variants() {
    sql bench -c "SET client_min_messages = warning;
        DROP TABLE IF EXISTS pins_none, pins_floor, pins_regex, pins_plpgsql, pins_port_pin;
        CREATE TABLE pins_none (id bigint, account_id bigint, pin text);
        CREATE TABLE pins_floor (id bigint, account_id bigint, pin bench.pin_floor);
        CREATE TABLE pins_regex (id bigint, account_id bigint, pin bench.pin_regex);
        CREATE TABLE pins_plpgsql (id bigint, account_id bigint, pin bench.pin_plpgsql);
        CREATE TABLE pins_port_pin (id bigint, account_id bigint, pin port_pin)"
    for type in none floor regex plpgsql port_pin; do
        base=none
        [ $type != none ] || base=
        variant $type "$base" "TRUNCATE pins_$type" "$(printf "$1" "pins_$type")"
    done
    claim port_pin regex 0.15
    claim port_pin floor 1.15
    measure
}

if wanted domain_copy; then
    sql bench -c "COPY bench.given TO '$work/given'"
    domain_variants "COPY %s FROM '$work/given'"
fi
if wanted domain_insert; then
    domain_variants "INSERT INTO %s SELECT * FROM bench.given"
fi

## It is kept.  The floor is what PostgreSQL itself takes for a WHEN that is never true.

keep_variants() {
    for guard in none floor plpgsql keep; do
        sql bench -c "SET client_min_messages = warning; DROP TABLE IF EXISTS kept_$guard;
            CREATE TABLE kept_$guard (id bigint PRIMARY KEY, name text, pin port_pin)"
        variant $guard '' "TRUNCATE kept_$guard; INSERT INTO kept_$guard SELECT * FROM bench.accounts LIMIT $rows" \
            "UPDATE kept_$guard SET $1"
    done
    sql bench -o /dev/null -c "SELECT port_pin_protect('kept_keep');
        CREATE TRIGGER floor AFTER UPDATE ON kept_floor FOR EACH ROW
            WHEN (OLD.pin IS NOT NULL AND NEW.pin IS NULL) EXECUTE FUNCTION bench.do_nothing();
        CREATE TRIGGER keep BEFORE UPDATE ON kept_plpgsql FOR EACH ROW EXECUTE FUNCTION bench.keep()"
    claim keep none "$2"
    claim keep floor 1.02
    measure
}

if wanted keep_other; then keep_variants "name = 'Somebody'" 1.05; fi
if wanted keep_pin; then keep_variants "pin = '987654'" 1.10; fi

## An order needs it

gate_tables() {
    sql bench -o /dev/null -c "SET client_min_messages = warning;
        DROP TABLE IF EXISTS orders_none, orders_fk, orders_floor, orders_plpgsql, orders_gate;
        CALL bench.orders('orders_none', NULL);
        CALL bench.orders('orders_fk', '$1');
        CALL bench.orders('orders_floor', '$1');
        CALL bench.orders('orders_plpgsql', '$1');
        CALL bench.orders('orders_gate', '$1');
        CREATE TRIGGER floor AFTER INSERT ON orders_floor FOR EACH ROW EXECUTE FUNCTION bench.do_nothing();
        CREATE TRIGGER gate AFTER INSERT ON orders_plpgsql FOR EACH ROW EXECUTE FUNCTION bench.gate();
        SELECT port_pin_gate('orders_gate', pin => 'pin')"
}

gate_variants() {
    gate_tables bench.accounts
    variant none '' 'TRUNCATE orders_none' "$(printf "$1" orders_none)"
    variant fk none 'TRUNCATE orders_fk' "$(printf "$1" orders_fk)"
    for gate in floor plpgsql gate; do
        variant $gate fk "TRUNCATE orders_$gate" "$(printf "$1" orders_$gate)"
    done
    case $("$pg_config" --version) in
    *' '19* | *' '[2-9][0-9]*) claim gate fk 0.60 ;;
    *) claim gate fk 0.25 ;;
    esac
    claim gate plpgsql 0.25
    measure
}

if wanted gate_insert; then
    gate_variants "INSERT INTO %s SELECT * FROM bench.given"
fi
if wanted gate_copy; then
    sql bench -c "COPY bench.given TO '$work/given'"
    gate_variants "COPY %s FROM '$work/given'"
fi

# The same with partitioned accounts, over their foreign key.
if wanted partitions; then
    for parts in 1 8 64; do
        sql bench -o /dev/null -c "SET client_min_messages = warning;
            CREATE TABLE accounts_$parts (id bigint PRIMARY KEY, name text, pin port_pin) PARTITION BY HASH (id);
            DO \$\$ BEGIN
                FOR i IN 0 .. $parts - 1 LOOP
                    EXECUTE format('CREATE TABLE accounts_${parts}_%s PARTITION OF accounts_$parts
                                    FOR VALUES WITH (MODULUS $parts, REMAINDER %s)', i, i);
                END LOOP;
            END \$\$;
            CALL bench.fill('accounts_$parts', $accounts);
            CALL bench.orders('fk_of_$parts', 'accounts_$parts');
            CALL bench.orders('gate_of_$parts', 'accounts_$parts');
            SELECT port_pin_gate('gate_of_$parts', pin => 'pin')"
        variant "fk of $parts" '' "TRUNCATE fk_of_$parts" "INSERT INTO fk_of_$parts SELECT * FROM bench.given"
        variant "gate of $parts" "fk of $parts" "TRUNCATE gate_of_$parts" "INSERT INTO gate_of_$parts SELECT * FROM bench.given"
    done
    measure
fi

# Orders that are refused, each in a subtransaction of its own.  The gate records a
# wrong PIN, in another process; it doesn't record that there is none.
if wanted refused; then
    gate_tables bench.accounts
    refused() {
        variant "$1" '' 'TRUNCATE port_pin_failures' "DO \$\$ BEGIN
            FOR i IN 1 .. 20 LOOP
                BEGIN
                    INSERT INTO $2 VALUES (i, $3, $4);
                EXCEPTION WHEN integrity_constraint_violation OR raise_exception THEN
                    NULL;
                END;
            END LOOP;
        END \$\$" 20 clock
    }
    refused fk orders_fk -1 "'000000'"
    refused plpgsql orders_plpgsql i "'000000'"
    refused 'gate, no PIN' orders_gate i NULL
    refused 'gate, wrong PIN' orders_gate i "'000000'"
    measure
fi

# Sealed PINs, against the hash alone.
if wanted sealed; then
    if has procedure 'port_pin_seal(port_pin)'; then
        sql bench -c "CREATE TABLE sealed AS SELECT port_pin_seal('246802')::text AS pin,
            crypt('246802', gen_salt('bf', current_setting('portpin.seal_cost')::int)) AS hash"
        variant crypt '' '' "SELECT count(crypt('246802', hash) = hash) FROM sealed, generate_series(1, 100) i WHERE i > 0" 100
        variant port_pin_check '' '' "SELECT count(port_pin_check(pin, '246802')) FROM sealed, generate_series(1, 100) i WHERE i > 0" 100
        claim port_pin_check crypt 1.05
        measure
    else
        say "  no port_pin_seal() here"
    fi
fi

# As many orders of ever more accounts.
if wanted growth; then
    for count in $growth; do
        sql bench -o /dev/null -c "SET client_min_messages = warning;
            CREATE TABLE accounts_of_$count (id bigint PRIMARY KEY, name text NOT NULL, pin port_pin);
            CALL bench.fill('accounts_of_$count', $count);
            CALL bench.orders('fk_of_$count', 'accounts_of_$count');
            CALL bench.orders('gate_of_$count', 'accounts_of_$count');
            SELECT port_pin_gate('gate_of_$count', pin => 'pin');
            CREATE TABLE given_of_$count AS SELECT i AS id, id AS account_id, (100000 + id % 900000)::text AS pin
            FROM (SELECT i, 1 + (hashint8extended(i, 1) & 1073741823) % $count AS id
                  FROM generate_series(1, $rows) i) _"
        variant "fk, $count" '' "TRUNCATE fk_of_$count" "INSERT INTO fk_of_$count SELECT * FROM given_of_$count"
        variant "gate, $count" "fk, $count" "TRUNCATE gate_of_$count" "INSERT INTO gate_of_$count SELECT * FROM given_of_$count"
        smallest=${smallest:-$count}
    done
    claim "gate, $count" "gate, $smallest" 2.0
    measure
fi

# The view over all guards, in a database of ten thousand tables.
if wanted guards; then
    if has class port_pin_guards; then
        sql bench -c "DO \$\$ BEGIN
            FOR i IN 1 .. 10000 LOOP
                EXECUTE format('CREATE TABLE table_%s (id int)', i);
                IF i % 1000 = 0 THEN COMMIT; END IF;
            END LOOP; END \$\$"
        variant port_pin_guards '' '' 'SELECT count(*) FROM port_pin_guards' 1
        measure
    else
        say "  no port_pin_guards here"
    fi
fi

## Single rows over a socket: checked by the gate, or read and compared by the
## application, with and without a transaction around both statements

# transaction_ns CLIENTS SCRIPT: nanoseconds a transaction, by the clock
transaction_ns() {
    as_user "$bindir/pgbench" -n -h "$work" -U postgres -M prepared -c "$1" -j "$1" -T "$seconds" \
        -D accounts="$accounts" -f "$2" bench 2>&1 |
        awk '/^tps = / { ns = 1e9 / $3 } END { if (!ns) exit 1; printf "%.0f\n", ns }'
}

if wanted single; then
    gate_tables bench.accounts
    order='\set id random(1, :accounts)
\set pin 100000 + :id %% 900000'
    insert='INSERT INTO orders_%s VALUES (1, :id, :pin::text);\n'
    printf "$order\n$insert" fk >fk.pgbench
    printf "$order\n$insert" gate >gate.pgbench
    printf "$order\n$insert" plpgsql >plpgsql.pgbench
    compare="SELECT pin AS stored FROM bench.accounts WHERE id = :id \\\\gset\n\\\\if :stored = :pin\n$insert\\\\endif\n"
    printf "$order\n$compare" fk >application.pgbench
    printf "$order\nBEGIN;\n${compare}COMMIT;\n" fk >transaction.pgbench
    variants='fk plpgsql gate application transaction'
    for clients in 1 2 8; do
        for name in $variants; do variant "$name, $clients" '' '' '' 1 clock; done
        claim "gate, $clients" "application, $clients" 0.667
        claim "gate, $clients" "transaction, $clients" 0.667
    done
    repetition=0
    while [ $repetition -le "$runs" ]; do
        sql bench -c 'TRUNCATE orders_fk, orders_plpgsql, orders_gate'
        for clients in 1 2 8; do
            for name in $(shuf -e $variants); do
                ns=$(transaction_ns $clients "$work/$name.pgbench")
                sql bench -c "INSERT INTO bench.result VALUES
                    ('$section', '$name, $clients', $repetition, 1, NULL, $ns)"
            done
        done
        repetition=$((repetition + 1))
    done
fi

## The report

sql bench -f src/test/bench/report.sql >results.md
sql bench -c "\\copy (SELECT section, variant, base, repetitions, round(median::numeric, 1) AS median_ns, round(low::numeric, 1) AS low_ns, round(high::numeric, 1) AS high_ns FROM bench.summary ORDER BY position) TO 'results.csv' CSV HEADER"
cat results.md
[ -n "$out" ] || [ -n "$only" ] || out=$root/test/bench
[ -n "$out" ] || exit 0
results=$out/results-$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
cp results.md "$results.md"
cp results.csv "$results.csv"
[ -n "$only" ] ||
    gnuplot -e "results = '$results.csv'; plot = '$results.svg'" "$root/test/bench/plot.gp"
