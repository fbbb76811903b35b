-- Sealing a column that is readable today: no rewrite, no long lock, no order lost.
CREATE SCHEMA seal_existing;
SET search_path = seal_existing, public;

-- portpin's settings are known once it has been loaded.
LOAD 'portpin';
SELECT '/tmp/portpin_regress_seal_existing_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = seal_existing, public;
SET portpin.seal_cost = 4;

CREATE TABLE accounts (id int PRIMARY KEY, name text, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
INSERT INTO accounts SELECT i, 'customer ' || i, 700000 + i FROM generate_series(1, 25) AS i;
INSERT INTO accounts VALUES (26, 'no PIN', NULL);
CREATE TABLE port_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('port_orders');

-- The type changes in a moment: no row is read or written.  A trigger that names
-- the column is in the way, so it is dropped and the guard made whole again, all in
-- one transaction: nobody sees the table without it.
SELECT pg_relation_filenode('accounts') AS file \gset
BEGIN;
DROP TRIGGER port_pin_protect ON accounts;
ALTER TABLE accounts ALTER COLUMN pin TYPE port_pin_sealed;
SELECT * FROM port_pin_protect('accounts', replace => true);
COMMIT;
SELECT pg_relation_filenode('accounts') = :file AS not_rewritten;

-- From here on new PINs are sealed, and old ones when anything updates their row.
-- Orders are accepted with PINs of either kind.
UPDATE accounts SET pin = '815815' WHERE id = 1;
UPDATE accounts SET name = 'touched' WHERE id = 2;
INSERT INTO accounts VALUES (27, 'new', '727272');
INSERT INTO port_orders VALUES (1, 1, '815815'), (2, 2, '700002'), (3, 3, '700003'), (4, 27, '727272');
INSERT INTO port_orders VALUES (5, 3, '700004');
SELECT port_pin_sealed_with(pin), count(*) FROM accounts GROUP BY 1 ORDER BY 1;
-- The CHECK holds for what is written, not yet for what is there.
SELECT conname, convalidated FROM pg_constraint
WHERE conrelid = 'accounts'::regclass AND contype = 'c';
ALTER TABLE accounts VALIDATE CONSTRAINT pin_is_sealed;

-- The rest is sealed in batches, each of which is committed.
\set SHOW_CONTEXT never
CALL port_pin_seal_column('accounts', batch_size => 10);
SELECT port_pin_sealed_with(pin), count(*) FROM accounts GROUP BY 1 ORDER BY 1;
SELECT count(*) AS accepted FROM accounts
WHERE port_pin_check(pin, (700000 + id)::text) = 'accepted';
SELECT conname, convalidated FROM pg_constraint
WHERE conrelid = 'accounts'::regclass AND contype = 'c';
-- Again: nothing to do, and nothing sealed twice.
CREATE TABLE before AS TABLE accounts;
CALL port_pin_seal_column('accounts');
SELECT count(*) AS unchanged FROM accounts JOIN before USING (id)
WHERE accounts.pin IS NOT DISTINCT FROM before.pin;
-- The settings of the session are as they were.
SHOW search_path;

--
-- A legacy table: '' for blank, PINs that are none, a composite key, odd names
--
CREATE TABLE "Old Accounts" (
	country char(2),
	dropped int,
	"No." numeric(10, 2),
	"PIN" varchar(20) DEFAULT '',
	PRIMARY KEY ("No.", country)
);
ALTER TABLE "Old Accounts" DROP COLUMN dropped;
INSERT INTO "Old Accounts" SELECT 'US', i + 0.50, 100000 + i FROM generate_series(1, 7) AS i;
INSERT INTO "Old Accounts" VALUES ('US', 8, ''), ('US', 9, '  '), ('CA', 9, '12345'),
	('FR', 9, 'azerty'), ('US', 10, NULL), ('US', 11, '12345678901');
-- What will have to be left?
SELECT port_pin_problem("PIN"), count(*) FROM "Old Accounts" GROUP BY 1 ORDER BY 1;
ALTER TABLE "Old Accounts" ALTER COLUMN "PIN" TYPE port_pin_sealed, ALTER COLUMN "PIN" DROP DEFAULT;
\set VERBOSITY terse
SELECT count(*) FROM port_pin_protect('"Old Accounts"');
\set VERBOSITY default
CALL port_pin_seal_column('"Old Accounts"', 'PIN', 1);
SELECT country, "No.", port_pin_sealed_with("PIN"), CASE WHEN NOT port_pin_is_sealed("PIN") THEN "PIN" END AS left_as_it_was
FROM "Old Accounts" ORDER BY "No.", country;
-- They can be corrected, and only that.
UPDATE "Old Accounts" SET "No." = 12 WHERE "No." = 11;
UPDATE "Old Accounts" SET "PIN" = '123450' WHERE country = 'CA';
UPDATE "Old Accounts" SET "PIN" = '246810' WHERE NOT port_pin_is_sealed("PIN");
CALL port_pin_seal_column('"Old Accounts"');
SELECT convalidated FROM pg_constraint
WHERE conrelid = '"Old Accounts"'::regclass AND conname = 'PIN_is_sealed';

--
-- What it won't do
--
CREATE TABLE odd (id int, pin port_pin, a port_pin_sealed, b port_pin_sealed);
CALL port_pin_seal_column('odd');
CALL port_pin_seal_column('odd', 'pin');
CALL port_pin_seal_column('odd', 'nowhere');
CALL port_pin_seal_column('odd', 'a');
ALTER TABLE odd ADD PRIMARY KEY (id);
CALL port_pin_seal_column('odd', 'a');
CALL port_pin_seal_column('odd', 'a', 0);
CALL port_pin_seal_column(NULL);
-- A trigger that doesn't fire, or is for the other column.
CREATE TRIGGER seal BEFORE UPDATE ON odd FOR EACH ROW EXECUTE FUNCTION port_pin_seal_trigger('pin=b');
INSERT INTO odd VALUES (1, NULL, '123456', NULL);
CALL port_pin_seal_column('odd', 'a');
-- For half a guard the hint tells all that it takes to make it whole.
CREATE TABLE half (id int PRIMARY KEY, pin port_pin_sealed);
SELECT count(*) FROM port_pin_protect('half', forbid_delete => true);
DROP TRIGGER port_pin_seal ON half;
DROP TRIGGER port_pin_seal_update ON half;
CALL port_pin_seal_column('half');
-- Within a transaction it could not commit.
\set VERBOSITY sqlstate
BEGIN;
CALL port_pin_seal_column('odd', 'b');
ROLLBACK;

-- A role that may update the column can call it; it has no rights of its own.
\set VERBOSITY default
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA seal_existing TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
CALL port_pin_seal_column('accounts');
RESET ROLE;
DROP OWNED BY regress_portpin_clerk;
DROP ROLE regress_portpin_clerk;

-- A row that another constraint refuses is left as well, and the rest goes on.
CREATE TABLE strict (id int PRIMARY KEY, pin text, note text);
INSERT INTO strict VALUES (1, '123456', 'bad'), (2, '234567', 'good'), (3, '345678', 'good');
ALTER TABLE strict ADD CHECK (note <> 'bad') NOT VALID;
ALTER TABLE strict ALTER pin TYPE port_pin_sealed;
SELECT count(*) FROM port_pin_protect('strict');
\set VERBOSITY terse
CALL port_pin_seal_column('strict');
\set VERBOSITY default
SELECT id, port_pin_is_sealed(pin) AS is_sealed FROM strict ORDER BY id;

-- A partitioned table is sealed as a whole, or partition by partition: several
-- calls may run at once.  The last one, for all of it, validates the CHECK.
CREATE TABLE regional (region text, id int, pin text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE east PARTITION OF regional FOR VALUES IN ('east');
CREATE TABLE west (id int NOT NULL, dropped int, pin text, region text NOT NULL);
ALTER TABLE west DROP dropped;
ALTER TABLE regional ATTACH PARTITION west FOR VALUES IN ('west');
INSERT INTO regional SELECT r, i, 100000 + i FROM unnest('{east,west}'::text[]) r, generate_series(1, 5) i;
ALTER TABLE regional ALTER pin TYPE port_pin_sealed;
SELECT count(*) FROM port_pin_protect('regional');
CALL port_pin_seal_column('west', batch_size => 2);
SELECT tableoid::regclass, port_pin_is_sealed(pin), count(*) FROM regional GROUP BY 1, 2 ORDER BY 1;
CALL port_pin_seal_column('regional', batch_size => 2);
SELECT tableoid::regclass, port_pin_is_sealed(pin), count(*) FROM regional GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS accepted FROM regional WHERE port_pin_check(pin, (100000 + id)::text) = 'accepted';
SELECT conrelid::regclass, convalidated FROM pg_constraint
WHERE contype = 'c' AND conname = 'pin_is_sealed' AND conrelid IN ('regional'::regclass, 'west'::regclass)
ORDER BY conrelid::regclass::text;

-- A batch with a row that is refused is taken row by row, and each is found by its place:
-- in its partition, and whatever the key's type or the settings do to the key as text.
CREATE EXTENSION citext SCHEMA seal_existing;
CREATE TABLE versions (name citext, version float8, pin text, note text,
	PRIMARY KEY (name, version)) PARTITION BY LIST (name);
CREATE TABLE versions_a PARTITION OF versions FOR VALUES IN ('a');
CREATE TABLE versions_b PARTITION OF versions FOR VALUES IN ('b');
INSERT INTO versions VALUES ('A', 1 / 3.0::float8, '123456', 'bad'), ('A', 2 / 3.0::float8, '234567', 'good'),
	('B', 1 / 3.0::float8, '345678', 'good'), ('B', 2 / 3.0::float8, '', 'good'), ('B', 3, '456789', 'bad');
ALTER TABLE versions ADD CHECK (note <> 'bad') NOT VALID;
ALTER TABLE versions ALTER pin TYPE port_pin_sealed;
SET extra_float_digits = 0;
\set VERBOSITY terse
SELECT count(*) FROM port_pin_protect('versions');
CALL port_pin_seal_column('versions');
\set VERBOSITY default
RESET extra_float_digits;
SELECT tableoid::regclass, name, note, port_pin_is_sealed(pin) AS is_sealed FROM versions ORDER BY name, version;

-- The column's type may be a domain over port_pin_sealed, at any depth.
CREATE DOMAIN carrier_pin AS port_pin_sealed;
CREATE DOMAIN brand_pin AS carrier_pin;
CREATE TABLE branded (id int PRIMARY KEY, pin text);
INSERT INTO branded VALUES (1, '123456');
ALTER TABLE branded ALTER pin TYPE brand_pin;
SELECT count(*) FROM port_pin_protect('branded');
CALL public.port_pin_seal_column('seal_existing.branded', 'pin');
SELECT port_pin_is_sealed(pin) AS is_sealed FROM branded;
SELECT count(*) AS problems FROM port_pin_guards WHERE relation = 'branded'::regclass AND problem IS NOT NULL;

-- Functions that somebody has planted beside portpin's own, for types that match
-- the column better, are not called.
CREATE FUNCTION public.port_pin_is_sealed(port_pin_sealed) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN RAISE EXCEPTION 'I have seen %', $1; END $$;
CREATE FUNCTION public.port_pin_problem(port_pin_sealed) RETURNS text LANGUAGE plpgsql AS
	$$ BEGIN RAISE EXCEPTION 'I have seen %', $1; END $$;
CREATE FUNCTION public.port_pin_check_sealed(port_pin_sealed) RETURNS boolean LANGUAGE sql AS
	'SELECT true';
CREATE TABLE planted (id int PRIMARY KEY, pin text);
INSERT INTO planted VALUES (1, '123456'), (2, '12345');
ALTER TABLE planted ALTER pin TYPE port_pin_sealed;
\set VERBOSITY terse
SELECT count(*) FROM port_pin_protect('planted');
CALL port_pin_seal_column('planted');
ALTER TABLE planted DISABLE TRIGGER port_pin_seal;
INSERT INTO planted VALUES (3, '345678');
\set VERBOSITY default
DROP FUNCTION public.port_pin_is_sealed(port_pin_sealed), public.port_pin_problem(port_pin_sealed),
	public.port_pin_check_sealed(port_pin_sealed);

-- A PIN must not be part of a key: keys are shown.
CREATE TABLE keyed (id int, pin port_pin_sealed, PRIMARY KEY (id, pin));
SELECT port_pin_protect('keyed');

-- Clean up
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA seal_existing CASCADE;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
