-- Guesses are counted per account, whichever way they reach it.
--
-- The account is the row that gave the PIN: its table, and its primary key as it
-- is stored.  If it were the order's own spelling of the key, or the number instead of
-- the account, then one PIN could be guessed at under many names.

CREATE SCHEMA failures;
TRUNCATE port_pin_failures;
SET search_path = failures, public;
SET client_min_messages = warning;
SET portpin.max_failures_per_account = 3;
\set VERBOSITY sqlstate

-- 1, 1.0 and 1.00 are one account.
CREATE TABLE numeric_accounts (id numeric PRIMARY KEY, pin port_pin);
CREATE TABLE numeric_orders (account numeric REFERENCES numeric_accounts, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('numeric_accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('numeric_orders');
INSERT INTO numeric_accounts VALUES (1, '735517');
INSERT INTO numeric_orders VALUES (1, '100001');
INSERT INTO numeric_orders VALUES (1.0, '100002');
INSERT INTO numeric_orders VALUES (1.00, '100003');
INSERT INTO numeric_orders VALUES (1.000, '735517');
SELECT account_table, account_key, count(*) FROM port_pin_failures GROUP BY 1, 2;

-- No setting of the guesser turns it into another account.
CREATE TABLE dated_accounts (since timestamptz, dept float8, stay interval, tag bytea, pin port_pin,
	PRIMARY KEY (since, dept, stay, tag));
CREATE TABLE dated_orders (since timestamptz, dept float8, stay interval, tag bytea, pin port_pin,
	FOREIGN KEY (since, dept, stay, tag) REFERENCES dated_accounts);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('dated_accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('dated_orders');
INSERT INTO dated_accounts VALUES ('2020-02-03 12:00+0', 0.1::float8 + 0.2, '1 day 2 hours', '\x0aff', '735517');
INSERT INTO dated_orders SELECT since, dept, stay, tag, '100001' FROM dated_accounts;
SET DateStyle = 'German, DMY';
SET TimeZone = 'Asia/Kathmandu';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
INSERT INTO dated_orders SELECT since, dept, stay, tag, '100002' FROM dated_accounts;
SHOW TimeZone;
SHOW DateStyle;
SELECT account_key, count(*) FROM port_pin_failures WHERE account_table = 'dated_accounts' GROUP BY 1;
-- and neither does the way the key is written when it is unlocked
SELECT port_pin_lift_lockout('dated_accounts', '03.02.2020 17:45', '0.30000000000000004', '1 2:00:00', '\012\377');
RESET DateStyle;
RESET TimeZone;
RESET IntervalStyle;
RESET extra_float_digits;
RESET bytea_output;

-- The primary key counts, whichever unique key an order goes by.
CREATE TABLE two_keys (id int PRIMARY KEY, phone text UNIQUE, pin port_pin);
CREATE TABLE orders_by_id (id int REFERENCES two_keys, pin port_pin);
CREATE TABLE orders_by_phone (phone text REFERENCES two_keys (phone), pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('two_keys');
SELECT count(*) > 0 AS gated FROM port_pin_gate('orders_by_id');
SELECT count(*) > 0 AS gated FROM port_pin_gate('orders_by_phone');
INSERT INTO two_keys VALUES (7, '+14255550100', '735517');
INSERT INTO orders_by_id VALUES (7, '100001');
INSERT INTO orders_by_phone VALUES ('+14255550100', '100002');
SELECT account_key, order_table FROM port_pin_failures WHERE account_table = 'two_keys' ORDER BY failed_at;

-- A PIN on the account is one PIN, whichever of its numbers is named; a PIN on the
-- number is the number's.
CREATE TABLE tenants (tenant int, name text, pin port_pin, PRIMARY KEY (name, tenant));
CREATE TABLE numbers (number text PRIMARY KEY, tenant int, name text, pin port_pin,
	FOREIGN KEY (tenant, name) REFERENCES tenants (tenant, name));
CREATE TABLE number_orders (number text REFERENCES numbers, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('tenants') a, port_pin_protect('numbers') b;
SELECT count(*) > 0 AS gated
	FROM port_pin_gate('number_orders', fk => 'number', via => 'tenant, name');
INSERT INTO tenants VALUES (1, 'O''Hara, "Inc."', '735517');
INSERT INTO numbers SELECT '555010' || n, 1, 'O''Hara, "Inc."', NULL FROM generate_series(1, 4) n;
INSERT INTO numbers VALUES ('5550109', 1, 'O''Hara, "Inc."', '864209');
INSERT INTO number_orders VALUES ('5550101', '100001');
INSERT INTO number_orders VALUES ('5550102', '100001');
INSERT INTO number_orders VALUES ('5550103', '100001');
INSERT INTO number_orders VALUES ('5550104', '735517');
INSERT INTO number_orders VALUES ('5550109', '100001');
INSERT INTO number_orders VALUES ('5550109', '864209');
SELECT account_table, account_key, count(*) FROM port_pin_failures
	WHERE account_table IN ('tenants', 'numbers') GROUP BY 1, 2 ORDER BY 1, 2;
-- what the view shows is what unlocks
SELECT port_pin_lift_lockout(format('%I.%I', account_schema, account_table)::regclass, VARIADIC account_key)
	FROM port_pin_lockouts WHERE account_table = 'tenants';
INSERT INTO number_orders VALUES ('5550104', '735517');

-- For partitions the record names the whole table, of accounts as of orders.
CREATE TABLE parts (region text, id int, pin port_pin, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_east (pin port_pin, junk int, id int NOT NULL, region text NOT NULL);
ALTER TABLE parts_east DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_east FOR VALUES IN ('east');
CREATE TABLE part_orders (region text, id int, pin port_pin, FOREIGN KEY (region, id) REFERENCES parts (region, id))
	PARTITION BY LIST (region);
CREATE TABLE part_orders_east PARTITION OF part_orders FOR VALUES IN ('east');
CREATE TABLE direct_orders (region text, id int, pin port_pin,
	FOREIGN KEY (region, id) REFERENCES parts_east (region, id));
SELECT count(*) > 0 AS guarded FROM port_pin_protect('parts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('part_orders');
SELECT count(*) > 0 AS gated FROM port_pin_gate('direct_orders');
INSERT INTO parts VALUES ('east', 1, '735517');
INSERT INTO part_orders VALUES ('east', 1, '100001');
INSERT INTO part_orders_east VALUES ('east', 1, '100002');
INSERT INTO direct_orders VALUES ('east', 1, '100003');
INSERT INTO part_orders VALUES ('east', 1, '735517');
SELECT account_table, account_key, order_table FROM port_pin_failures WHERE account_table = 'parts' ORDER BY failed_at;
SELECT port_pin_lift_lockout('parts_east', '1', 'east');

-- Without a primary key: the key that orders refer to, in the table's column order.
CREATE TABLE keyless ("Code" text, branch int, pin port_pin, UNIQUE (branch, "Code"));
CREATE TABLE keyless_orders (code text, branch int, pin port_pin,
	FOREIGN KEY (branch, code) REFERENCES keyless (branch, "Code"));
SELECT count(*) > 0 AS guarded FROM port_pin_protect('keyless');
SELECT count(*) > 0 AS gated FROM port_pin_gate('keyless_orders');
INSERT INTO keyless VALUES ('x', 1, '735517');
INSERT INTO keyless_orders VALUES ('x', 1, '100001');
SELECT account_key FROM port_pin_failures WHERE account_table = 'keyless';
SELECT port_pin_lift_lockout('keyless', 'x', '1');

-- Keys of any length are told apart.
CREATE TABLE long_keys (id text PRIMARY KEY, pin port_pin);
CREATE TABLE long_orders (id text REFERENCES long_keys, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('long_keys');
SELECT count(*) > 0 AS gated FROM port_pin_gate('long_orders');
INSERT INTO long_keys VALUES (repeat('x', 2300) || 'a', '735517'), (repeat('x', 2300) || 'b', '864209');
INSERT INTO long_orders SELECT id, '100001' FROM long_keys ORDER BY id LIMIT 1;
INSERT INTO long_orders SELECT id, '100001' FROM long_keys ORDER BY id DESC LIMIT 1;
SELECT left(account_key[1], 5), length(account_key[1]),
		regexp_replace(account_key[1], '.*(\.\.\. sha256:).*', '\1'), count(*)
	FROM port_pin_failures WHERE account_table = 'long_keys' GROUP BY account_key ORDER BY account_key;
SELECT port_pin_lift_lockout('long_keys', id) FROM long_keys;

-- Names that need quotes.
CREATE TABLE "Weird ""Accounts""" ("The Id" uuid PRIMARY KEY, pin port_pin);
CREATE TABLE "Weird Orders" ("Account" uuid REFERENCES "Weird ""Accounts""", pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('"Weird ""Accounts"""');
SELECT count(*) > 0 AS gated FROM port_pin_gate('"Weird Orders"');
INSERT INTO "Weird ""Accounts""" VALUES ('12345678-1234-1234-1234-1234567890ab', '735517');
INSERT INTO "Weird Orders" VALUES ('12345678-1234-1234-1234-1234567890ab', '100001');
SELECT account_table, account_key, order_table FROM port_pin_failures ORDER BY failed_at DESC LIMIT 1;
SELECT port_pin_lift_lockout('"Weird ""Accounts"""', '{12345678-1234-1234-1234-1234567890AB}');

-- A key that contains the PIN would put the PIN on record.
\set VERBOSITY default
CREATE TABLE pin_in_key (id int UNIQUE, pin port_pin, PRIMARY KEY (id, pin));
CREATE TABLE pin_in_key_orders (id int REFERENCES pin_in_key (id), pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('pin_in_key');
SELECT port_pin_gate('pin_in_key_orders');

-- To lift a lock-out, give the key in any spelling that is equal, numbers as numbers.
-- The account's own spelling is on record.
CREATE EXTENSION citext SCHEMA failures;
CREATE TABLE spelled (tenant citext, branch numeric, pin port_pin, PRIMARY KEY (tenant, branch));
CREATE TABLE spelled_orders (tenant citext, branch numeric, pin port_pin,
	FOREIGN KEY (tenant, branch) REFERENCES spelled);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('spelled');
SELECT count(*) > 0 AS gated FROM port_pin_gate('spelled_orders');
INSERT INTO spelled VALUES ('Contoso', 1.0, '735517');
INSERT INTO spelled_orders VALUES ('CONTOSO', 1, '100001');
SELECT account_key FROM port_pin_failures WHERE account_table = 'spelled';
SELECT port_pin_lift_lockout('spelled', 'contoso', '1.00'), port_pin_lift_lockout('spelled', 'Contoso', 1);
INSERT INTO spelled_orders VALUES ('CONTOSO', 1, '100001');
SELECT port_pin_lift_lockout('spelled', 'contoso'::text, 1::bigint);
INSERT INTO orders_by_id VALUES (7, '100003');
SELECT port_pin_lift_lockout('two_keys', 7);

-- Row security that hides the account from its own owner is an error: without its own
-- spelling nothing would be lifted.
CREATE ROLE regress_portpin_owner;
GRANT USAGE ON SCHEMA failures TO regress_portpin_owner;
INSERT INTO spelled_orders VALUES ('CONTOSO', 1, '100001');
ALTER TABLE spelled OWNER TO regress_portpin_owner;
ALTER TABLE spelled ENABLE ROW LEVEL SECURITY;
ALTER TABLE spelled FORCE ROW LEVEL SECURITY;
SELECT port_pin_lift_lockout('spelled', 'contoso', 1);
SHOW row_security;
ALTER TABLE spelled NO FORCE ROW LEVEL SECURITY;
SELECT port_pin_lift_lockout('spelled', 'contoso', 1);
SHOW row_security;
ALTER TABLE spelled DISABLE ROW LEVEL SECURITY;
ALTER TABLE spelled OWNER TO CURRENT_USER;
REVOKE USAGE ON SCHEMA failures FROM regress_portpin_owner;
DROP ROLE regress_portpin_owner;

-- A row that is gone is named by its recorded key; so is one whose key was cut.
INSERT INTO spelled_orders VALUES ('CONTOSO', 1, '100001');
DELETE FROM spelled;
SELECT port_pin_lift_lockout('spelled', 'contoso', 1), port_pin_lift_lockout('spelled', 'Contoso', 1.0);
INSERT INTO long_orders SELECT id, '100001' FROM long_keys ORDER BY id LIMIT 1;
SELECT port_pin_lift_lockout(account_table::regclass, VARIADIC account_key)
	FROM port_pin_failures WHERE account_table = 'long_keys' AND lifted_at IS NULL;

-- The record has tables by name: one that is renamed leaves its failures behind, and
-- one that takes over its name, as a copy-and-swap tool makes it, inherits them.
CREATE TABLE swapped (id int PRIMARY KEY, pin port_pin);
CREATE TABLE swapped_orders (id int REFERENCES swapped, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('swapped');
SELECT count(*) > 0 AS gated FROM port_pin_gate('swapped_orders');
INSERT INTO swapped VALUES (1, '735517');
INSERT INTO swapped_orders VALUES (1, '100001');
INSERT INTO swapped_orders VALUES (1, '100002');
INSERT INTO swapped_orders VALUES (1, '100003');
INSERT INTO swapped_orders VALUES (1, '735517');
ALTER TABLE swapped RENAME TO renamed;
INSERT INTO swapped_orders VALUES (1, '735517');
ALTER TABLE renamed RENAME TO swapped;
INSERT INTO swapped_orders VALUES (1, '735517');
ALTER SCHEMA failures RENAME TO failures2;
INSERT INTO failures2.swapped_orders VALUES (1, '735517');
ALTER SCHEMA failures2 RENAME TO failures;
INSERT INTO swapped_orders VALUES (1, '735517');
CREATE TABLE copied (LIKE swapped INCLUDING ALL);
INSERT INTO copied TABLE swapped;
ALTER TABLE swapped_orders DROP CONSTRAINT swapped_orders_id_fkey;
DROP TABLE swapped;
ALTER TABLE copied RENAME TO swapped;
SELECT count(*) > 0 AS guarded FROM port_pin_protect('swapped');
ALTER TABLE swapped_orders ADD FOREIGN KEY (id) REFERENCES swapped;
INSERT INTO swapped_orders VALUES (1, '735517');

-- No setting of the guesser changes how a name is recorded.
SET quote_all_identifiers = on;
SELECT count(*), port_pin_lift_lockout('swapped', 1) FROM port_pin_failures WHERE account_table = 'swapped';
RESET quote_all_identifiers;

-- A temporary table is recorded with its session: another's of the same name differs.
CREATE TEMP TABLE temp_accounts (id int PRIMARY KEY, pin port_pin);
CREATE TEMP TABLE temp_orders (id int REFERENCES temp_accounts, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('temp_accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('temp_orders');
INSERT INTO temp_accounts VALUES (1, '735517');
INSERT INTO temp_orders VALUES (1, '100001');
SELECT account_schema, account_table ~ '^temp_accounts [0-9a-f]+\.[0-9a-f]+$' AS account_table,
		order_schema, order_table ~ '^temp_orders [0-9a-f]+\.[0-9a-f]+$' AS order_table,
		split_part(account_table, '.', 2) = to_hex(pid) AS this_session
	FROM port_pin_failures ORDER BY failed_at DESC LIMIT 1;
SELECT port_pin_lift_lockout('temp_accounts', 1);

-- Keys that are invalid.
SELECT port_pin_lift_lockout('two_keys', '7', '8');
SELECT port_pin_lift_lockout('two_keys', NULL);
SELECT port_pin_lift_lockout('two_keys', VARIADIC NULL::text[]);
SELECT port_pin_lift_lockout('two_keys', VARIADIC '{}'::text[]);
SELECT port_pin_lift_lockout('two_keys', 'seven');

-- Tables that are not accounts.
SELECT port_pin_lift_lockout(NULL, 1);
SELECT port_pin_lift_lockout(0::oid::regclass, 1);
SELECT port_pin_lift_lockout('port_pin_lockouts', 1);

-- A transaction that may not write can't lift a lock-out, either.
BEGIN READ ONLY;
SELECT port_pin_lift_lockout('two_keys', 7);
ROLLBACK;

SELECT port_pin_purge_failures('0') > 0 AS purged;
DROP SCHEMA failures CASCADE;
