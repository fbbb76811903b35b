-- What all sections need: the clock, the results, and what is made of them.
-- run.sh gives :rows, :accounts, :library (bench.c) and :least and :most (repetitions).

CREATE EXTENSION portpin CASCADE;
CREATE SCHEMA bench;

CREATE TABLE bench.setting AS SELECT :least::int AS least, :most::int AS most;

-- What is measured.  base is the variant whose cost is taken off, so that what is left
-- is the cost of the check alone; where there is none, the whole statement counts.
CREATE TABLE bench.variant (
    section text, variant text, base text, prepare text, statement text, rows bigint,
    by_clock boolean,    -- others work for it, too: their time counts
    position int GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (section, variant));

CREATE TABLE bench.result (
    section text, variant text, repetition int, rows bigint,
    cpu_ns float8,       -- of the backend, so that other processes don't count
    elapsed_ns float8);

-- What portpin wants to hold: cost(variant) / cost(against) <= at_most.
CREATE TABLE bench.claim (section text, variant text, against text, at_most numeric);

-- Nanoseconds that this backend has spent on a CPU.
CREATE FUNCTION bench.cpu() RETURNS float8 AS :'library', 'cpu' LANGUAGE c VOLATILE;

-- Nanoseconds a row that a variant costs more than its base, in each repetition.
CREATE VIEW bench.cost AS
SELECT v.section, v.variant, v.base, v.position, r.repetition,
       (coalesce(r.cpu_ns, r.elapsed_ns)
        - coalesce(b.cpu_ns, b.elapsed_ns, 0)) / r.rows AS ns
FROM bench.variant v
JOIN bench.result r USING (section, variant)
LEFT JOIN bench.result b ON b.section = v.section AND b.variant = v.base
                        AND b.repetition = r.repetition
WHERE r.repetition > 0;       -- the first one warms up

CREATE VIEW bench.summary AS
SELECT section, variant, base, position, count(*) AS repetitions,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) AS median,
       percentile_cont(0.25) WITHIN GROUP (ORDER BY ns) AS low,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY ns) AS high
FROM bench.cost GROUP BY section, variant, base, position;

-- The ratio of medians, and the quartiles of the ratio in each repetition.
CREATE VIEW bench.verdict AS
SELECT section, variant, against, at_most,
       (SELECT median FROM bench.summary s WHERE (s.section, s.variant) = (c.section, c.variant))
       / (SELECT median FROM bench.summary s WHERE (s.section, s.variant) = (c.section, c.against))
       AS ratio, low, high
FROM bench.claim c,
LATERAL (SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY a.ns / b.ns) AS low,
                percentile_cont(0.75) WITHIN GROUP (ORDER BY a.ns / b.ns) AS high
         FROM bench.cost a JOIN bench.cost b USING (section, repetition)
         WHERE a.section = c.section AND a.variant = c.variant AND b.variant = c.against
           AND b.ns <> 0) q
WHERE low IS NOT NULL;

-- Are both quartiles of each claim on one side of its limit?
CREATE FUNCTION bench.settled(name text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(bool_and(high <= at_most OR low > at_most), true)
    FROM bench.verdict WHERE section = name
$$;

CREATE PROCEDURE bench.measure(v bench.variant, repetition int) LANGUAGE plpgsql AS $$
DECLARE
    cpu float8;
    start timestamptz;
BEGIN
    IF v.prepare IS NOT NULL THEN EXECUTE v.prepare; END IF;
    COMMIT;
    start := clock_timestamp();
    cpu := bench.cpu();
    EXECUTE v.statement;
    COMMIT;
    INSERT INTO bench.result VALUES (v.section, v.variant, repetition, v.rows,
        CASE WHEN NOT v.by_clock THEN bench.cpu() - cpu END, extract(epoch FROM clock_timestamp() - start) * 1e9);
    COMMIT;
END $$;

-- All variants of a section, one after the other and in another order each time, until
-- its claims are settled.
CREATE PROCEDURE bench.run(name text) LANGUAGE plpgsql AS $$
DECLARE
    setting bench.setting;
    v bench.variant;
BEGIN
    SELECT * INTO setting FROM bench.setting;
    FOR repetition IN 0 .. setting.most LOOP
        FOR v IN SELECT * FROM bench.variant WHERE section = name ORDER BY random() LOOP
            CALL bench.measure(v, repetition);
        END LOOP;
        EXIT WHEN repetition >= setting.least AND bench.settled(name);
    END LOOP;
END $$;

-- The peers: what else one would write.

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

CREATE FUNCTION bench.gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stored text;
BEGIN
    SELECT pin INTO stored FROM bench.accounts WHERE id = NEW.account_id;
    IF stored IS NULL OR NEW.pin IS NULL OR stored <> NEW.pin THEN
        RAISE EXCEPTION 'port order refused';
    END IF;
    RETURN NULL;
END $$;

-- The accounts, guarded as a gate wants them, and their PINs such that pgbench can
-- compute them, too; and orders to place, which are of the accounts in no order.

CREATE PROCEDURE bench.fill(accounts text, count bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s SELECT i, ''Customer '' || i, (100000 + i %% 900000)::text
                    FROM generate_series(1, %s) i', accounts, count);
    EXECUTE format('ANALYZE %s', accounts);
    PERFORM port_pin_protect(accounts::regclass);
END $$;

CREATE TABLE bench.accounts (id bigint PRIMARY KEY, name text NOT NULL, pin port_pin);
CALL bench.fill('bench.accounts', :accounts);

CREATE TABLE bench.given AS
    SELECT row_number() OVER () AS id, id AS account_id, pin::text AS pin
    FROM bench.accounts ORDER BY hashint8(id) LIMIT :rows;
VACUUM ANALYZE;

-- A table of orders, with a foreign key where accounts are named.
CREATE PROCEDURE bench.orders(orders text, accounts text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %s (id bigint, account_id bigint, pin text)', orders);
    IF accounts IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (account_id) REFERENCES %s', orders, accounts);
    END IF;
END $$;
