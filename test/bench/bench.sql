-- How the bench measures, and what portpin is compared with.  run.sh gives :rows,
-- :accounts and :library (bench.c); sections.sql says what is measured.

CREATE EXTENSION portpin CASCADE;
CREATE SCHEMA bench;

-- Nanoseconds that this backend has spent on a CPU; and, under callgrind, instructions.
CREATE FUNCTION bench.cpu() RETURNS float8 AS :'library', 'cpu' LANGUAGE c VOLATILE;
CREATE FUNCTION bench.start_count() RETURNS void AS :'library', 'start_count' LANGUAGE c VOLATILE;
CREATE FUNCTION bench.write_count(text) RETURNS void AS :'library', 'write_count' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION bench.invalidate(relation regclass, really boolean) RETURNS void AS :'library', 'invalidate' LANGUAGE c VOLATILE STRICT;


CREATE TABLE bench.size AS SELECT :rows::int AS rows, :accounts::int AS accounts;

-- The PIN of an account, by a formula that pgbench can compute, too.
CREATE FUNCTION bench.pin_of(id bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (100000 + id % 900000)::text
$$;


-- What is measured.  A text may have several statements, each on a line of its own.
CREATE TABLE bench.section (
    section text PRIMARY KEY, title text,
    setup text,          -- before it is timed: anything that takes long to make
    position int GENERATED ALWAYS AS IDENTITY);

CREATE TABLE bench.variant (
    section text REFERENCES bench.section, variant text,
    base text,           -- the variant whose cost is taken off; NULL: none is
    statement text,      -- {n}: for so many rows; or {i}, {id}, {pin}: once for each row
    setup text,          -- before it
    prepare text,        -- before each time that it runs; {n} as above
    few int, many int,   -- rows to count for; NULL: it is not counted
    rows int,            -- rows to time; NULL: it is not timed
    by_clock boolean,    -- others work for it, too: their time counts
    functions text,      -- of the variant "gate", what these take with all that they call
    position int GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (section, variant));

CREATE PROCEDURE bench.section(section text, title text, setup text = NULL) LANGUAGE sql AS $$
    INSERT INTO bench.section VALUES (section, title, setup)
$$;

-- Many rows in one statement.
CREATE PROCEDURE bench.bulk(section text, variant text, base text, statement text,
                            setup text = NULL, prepare text = NULL, few int = 100, many int = 1100)
LANGUAGE sql AS $$
    INSERT INTO bench.variant
    SELECT section, variant, base, statement, setup, prepare, few, many, rows, false FROM bench.size
$$;

-- One row a statement, and a transaction.
CREATE PROCEDURE bench.each(section text, variant text, base text, statement text,
                            setup text = NULL, prepare text = NULL) LANGUAGE sql AS $$
    INSERT INTO bench.variant VALUES
        (section, variant, base, statement, setup, prepare, 20, 220, NULL, false)
$$;

-- A statement that has few rows, each of which costs much.
CREATE PROCEDURE bench.whole(section text, variant text, statement text, rows int,
                             prepare text = NULL) LANGUAGE sql AS $$
    INSERT INTO bench.variant VALUES
        (section, variant, NULL, statement, NULL, prepare, 0, rows, rows, false)
$$;

-- One that is timed only.
CREATE PROCEDURE bench.timed(section text, variant text, statement text, rows int,
                             prepare text = NULL, by_clock boolean = false) LANGUAGE sql AS $$
    INSERT INTO bench.variant VALUES
        (section, variant, NULL, statement, NULL, prepare, NULL, NULL, rows, by_clock)
$$;

-- What portpin wants to hold: cost(variant) / cost(against) <= at_most; without against,
-- a number of instructions, or of nanoseconds where they are not counted.
CREATE TABLE bench.target (
    section text, variant text, against text, at_most numeric,
    position int GENERATED ALWAYS AS IDENTITY);


-- Counting: the script for a single-user server.  It runs each statement for many rows,
-- which fills caches, then for few, and for many again.
CREATE TABLE bench.count (section text, variant text, n int, instructions float8);

CREATE FUNCTION bench.statements(template text, n int) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT replace(replace(replace(replace(template,
                   '{n}', n::text), '{i}', i::text), '{id}', id::text), '{pin}', pin)
    FROM bench.size, generate_series(1, CASE WHEN template LIKE '%{i}%' THEN n ELSE 1 END) i,
         LATERAL (SELECT 1 + i * 7919 % accounts AS id) _, bench.pin_of(id) pin
    WHERE template IS NOT NULL
$$;

CREATE FUNCTION bench.script() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v bench.variant;
    n int;
BEGIN
    FOR v IN SELECT * FROM bench.variant WHERE few IS NOT NULL AND statement IS NOT NULL ORDER BY position LOOP
        RETURN QUERY SELECT bench.statements(v.setup, 0);
        FOREACH n IN ARRAY CASE v.few WHEN 0 THEN ARRAY[0, v.many] ELSE ARRAY[v.many, v.few, v.many] END LOOP
            RETURN QUERY SELECT bench.statements(v.prepare, n);
            RETURN NEXT 'SELECT bench.start_count()';
            RETURN QUERY SELECT bench.statements(v.statement, n);
            RETURN NEXT format('SELECT bench.write_count(%L)', concat_ws('|', v.section, v.variant, n));
        END LOOP;
    END LOOP;
END $$;


-- Timing: all variants of a section take turns, in another order each time.
CREATE TABLE bench.time (
    section text, variant text, repetition int,
    cpu_ns float8, elapsed_ns float8);      -- a row

CREATE PROCEDURE bench.measure(v bench.variant, repetition int) LANGUAGE plpgsql AS $$
DECLARE
    prepare text := bench.statements(concat_ws('; ', v.setup, v.prepare), v.rows);
    statement text := bench.statements(v.statement, v.rows);
    cpu float8;
    start timestamptz;
BEGIN
    EXECUTE prepare;
    COMMIT;
    start := clock_timestamp();
    cpu := bench.cpu();
    EXECUTE statement;
    COMMIT;
    INSERT INTO bench.time VALUES (v.section, v.variant, repetition, (bench.cpu() - cpu) / v.rows,
        extract(epoch FROM clock_timestamp() - start) * 1e9 / v.rows);
    COMMIT;
END $$;

CREATE PROCEDURE bench.take_turns(name text, repetitions int) LANGUAGE plpgsql AS $$
DECLARE
    v bench.variant;
BEGIN
    FOR repetition IN 0 .. repetitions LOOP
        FOR v IN SELECT * FROM bench.variant WHERE section = name AND rows IS NOT NULL
                 AND statement IS NOT NULL ORDER BY random() LOOP
            CALL bench.measure(v, repetition);
        END LOOP;
    END LOOP;
END $$;


-- The results.
CREATE VIEW bench.instructions AS
WITH cost AS (
    SELECT section, variant, v.base, (b.instructions - a.instructions) / (v.many - v.few) AS instructions
    FROM bench.variant v
    JOIN bench.count a USING (section, variant) JOIN bench.count b USING (section, variant)
    WHERE a.n = v.few AND b.n = v.many)
SELECT v.section, v.variant, v.instructions - coalesce(b.instructions, 0) AS instructions
FROM cost v LEFT JOIN cost b ON b.section = v.section AND b.variant = v.base;

CREATE VIEW bench.nanoseconds AS
SELECT v.section, v.variant, count(*) AS repetitions,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) AS ns,
       percentile_cont(0.25) WITHIN GROUP (ORDER BY ns) AS low,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY ns) AS high
FROM bench.variant v
JOIN bench.time t USING (section, variant)
LEFT JOIN bench.time b ON b.section = v.section AND b.variant = v.base AND b.repetition = t.repetition,
LATERAL (SELECT CASE WHEN v.by_clock THEN t.elapsed_ns - coalesce(b.elapsed_ns, 0)
                     ELSE t.cpu_ns - coalesce(b.cpu_ns, 0) END AS ns) _
WHERE t.repetition > 0       -- the first one warms up
GROUP BY v.section, v.variant;

CREATE VIEW bench.cost AS
SELECT * FROM bench.variant
LEFT JOIN bench.instructions USING (section, variant)
LEFT JOIN bench.nanoseconds USING (section, variant)
WHERE coalesce(instructions, ns) IS NOT NULL;

CREATE VIEW bench.verdict AS
SELECT t.*, v.by_clock, v.rows, v.instructions / coalesce(a.instructions, 1) AS instructions,
       v.ns / coalesce(a.ns, 1) AS ns
FROM bench.target t JOIN bench.cost v USING (section, variant)
LEFT JOIN bench.cost a ON a.section = t.section AND a.variant = t.against
WHERE t.against IS NULL OR a.variant IS NOT NULL;


-- The peers: what you would write instead.
CREATE FUNCTION bench.always_true(text) RETURNS boolean
    AS :'library', 'always_true' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bench.do_nothing() RETURNS trigger AS :'library', 'do_nothing' LANGUAGE c;

CREATE FUNCTION bench.is_pin(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN value IS NULL OR value ~ '^[0-9]{6,10}$';
END $$;

CREATE DOMAIN bench.pin_floor AS text CHECK (bench.always_true(VALUE));
CREATE DOMAIN bench.pin_regex AS text CHECK (VALUE ~ '^[0-9]{6,10}$');
CREATE DOMAIN bench.pin_plpgsql AS text CHECK (bench.is_pin(VALUE));

CREATE FUNCTION bench.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.pin IS NOT NULL AND NEW.pin IS NULL THEN
        RAISE EXCEPTION 'a port PIN can''t be cleared';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION bench.gate_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stored text;
BEGIN
    SELECT pin INTO stored FROM bench.accounts WHERE id = NEW.account_id;
    IF stored IS NULL OR NEW.pin IS NULL OR stored <> NEW.pin THEN
        RAISE EXCEPTION 'port order refused';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION bench.gate_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders LEFT JOIN bench.accounts ON accounts.id = orders.account_id
               WHERE (accounts.pin = orders.pin) IS NOT TRUE) THEN
        RAISE EXCEPTION 'port order refused';
    END IF;
    RETURN NULL;
END $$;


-- Accounts.
CREATE PROCEDURE bench.accounts(accounts text, size bigint, kind text = '') LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %s (id bigint PRIMARY KEY, name text NOT NULL, pin port_pin,
                    phone text, changed timestamptz, used timestamptz) %s', accounts, kind);
    IF kind LIKE 'PARTITION BY HASH%' THEN
        FOR i IN 0 .. 63 LOOP
            EXECUTE format('CREATE TABLE %s_%s PARTITION OF %1$s FOR VALUES WITH (MODULUS 64, REMAINDER %2$s)',
                           accounts, i);
        END LOOP;
    END IF;
    EXECUTE format('INSERT INTO %s SELECT i, ''Customer '' || i, bench.pin_of(i), ''+1202555'' || i, now() - interval ''1 year''
                    FROM generate_series(1, %s) i', accounts, size);
    EXECUTE format('ANALYZE %s', accounts);
END $$;

-- A table of orders, with a foreign key if accounts are named, and a gate if its
-- options are.
CREATE PROCEDURE bench.orders(orders text, accounts text, gate text = NULL) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %s (id bigint, account_id bigint, pin text, carrier text,
                    verdict port_pin_verdict)', orders);
    IF accounts IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (account_id) REFERENCES %s', orders, accounts);
    END IF;
    IF gate IS NOT NULL THEN
        EXECUTE format('SELECT port_pin_gate(%L, pin => ''pin'' %s)', orders, gate);
    END IF;
END $$;

-- Orders to place, for so many accounts, in random sequence.
CREATE PROCEDURE bench.given(name text, accounts bigint) LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    FOR n IN SELECT unnest(ARRAY[100, 1100]) UNION SELECT rows FROM bench.size LOOP
        EXECUTE format('CREATE TABLE %s_%s AS
            SELECT i AS id, id AS account_id, bench.pin_of(id) AS pin, ''Northwind'' AS carrier
            FROM generate_series(1, %2$s) i, LATERAL (SELECT 1 + (hashint8extended(i, 1) & 1073741823) %% %3$s AS id) _',
            name, n, accounts);
    END LOOP;
END $$;

CALL bench.accounts('bench.accounts', :accounts);
SELECT port_pin_protect('bench.accounts');
CALL bench.given('bench.given', :accounts);

-- So many failures on record, at accounts that get no orders.
CREATE PROCEDURE bench.record(failures int, period interval = '0') LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE port_pin_failures;
    INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key,
        order_schema, order_table, source, login_name, pid)
    SELECT clock_timestamp() - period * (i / failures::float8), 'bench', 'accounts', ARRAY[(-i)::text],
        'public', 'orders_gate', 'Southwind', 'desk', 1
    FROM generate_series(1, failures) i;
END $$;
