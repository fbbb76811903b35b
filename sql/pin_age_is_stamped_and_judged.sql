-- Promise: the guard writes down when a port PIN was set or changed, and nobody else
-- does; and an order gets in only while the PIN is neither too new nor too old.
--
-- changed => 'column' names the column, min_age and max_age what is required of it.
-- Times are shown by comparison: 'now' is a stamp made since the last call of mark().
CREATE SCHEMA age;
SET search_path = age, public;

CREATE TABLE marks (at timestamptz);
INSERT INTO marks VALUES ('-infinity');
CREATE FUNCTION mark() RETURNS void LANGUAGE sql AS 'UPDATE age.marks SET at = clock_timestamp()';
CREATE FUNCTION shown(stamp timestamptz) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN stamp BETWEEN at AND clock_timestamp() THEN 'now'
		WHEN stamp < at THEN 'before' WHEN stamp IS NULL THEN '-' ELSE stamp::text END FROM age.marks $$;

CREATE TABLE accounts (id int PRIMARY KEY, name text, pin port_pin, pin_changed timestamptz);
INSERT INTO accounts VALUES
	(1, 'long ago', '111111', '2001-01-01'), (2, 'unknown', '222222', NULL), (3, 'blank', NULL, NULL);

-- Rows that are there already keep the age that they have, and can't be given one later.
SELECT port_pin_protect('accounts', changed => 'pin_changed');
SELECT mark();

--
-- Stamping
--

-- Set on INSERT and on UPDATE, changed, and cleared only where that is allowed.  A row
-- without a PIN has no stamp, whatever the statement says.
INSERT INTO accounts VALUES (4, 'new', '444444', '2001-01-01'), (5, 'new, blank', NULL, '2001-01-01');
UPDATE accounts SET pin = '333333' WHERE id = 3;
UPDATE accounts SET pin = '111112', pin_changed = '2001-01-01' WHERE id = 1;
SELECT id, name, pin, shown(pin_changed) FROM accounts ORDER BY id;
SELECT mark();

-- The same digits again change nothing, and neither does what an application writes back.
UPDATE accounts SET pin = '111112', name = 'same' WHERE id = 1;
UPDATE accounts SET pin_changed = '2001-01-01', name = 'forged' WHERE id = 2;
UPDATE accounts SET pin_changed = NULL WHERE id = 3;
UPDATE accounts SET pin_changed = now(), name = 'written back' WHERE id = 4;
INSERT INTO accounts VALUES (1, 'upserted', '111112') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,
	pin = EXCLUDED.pin, pin_changed = EXCLUDED.pin_changed;
SELECT id, name, pin, shown(pin_changed) FROM accounts ORDER BY id;
INSERT INTO accounts VALUES (1, 'upserted, changed', '111113') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,
	pin = EXCLUDED.pin;
SELECT id, name, pin, shown(pin_changed) FROM accounts WHERE id = 1;

-- The clock counts, not the transaction: one that began a week ago makes no old PIN.
BEGIN;
SELECT mark();
UPDATE accounts SET pin = '111114' WHERE id = 1;
SELECT shown(pin_changed), pin_changed > now() AS after_begin FROM accounts WHERE id = 1;
ROLLBACK;

-- There and back again in one transaction leaves its trace.
SELECT mark();
BEGIN;
UPDATE accounts SET pin = '999999' WHERE id = 1;
UPDATE accounts SET pin = '111113' WHERE id = 1;
COMMIT;
SELECT pin, shown(pin_changed) FROM accounts WHERE id = 1;

--
-- Other people's triggers
--

-- One that fires before the guard's is seen; it may change the PIN as well.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE TG_ARGV[0]
		WHEN 'pin' THEN NEW.pin := '777777';
		WHEN 'stamp' THEN NEW.pin_changed := '2001-01-01';
		WHEN 'future' THEN NEW.pin_changed := '2901-01-01';
		ELSE NEW.name := 'touched';
	END CASE;
	RETURN NEW;
END $$;
CREATE TRIGGER early BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION meddle('pin');
SELECT mark();
UPDATE accounts SET name = 'changed by a trigger' WHERE id = 4;
SELECT id, name, pin, shown(pin_changed) FROM accounts WHERE id = 4;
DROP TRIGGER early ON accounts;

-- One that fires behind it is noticed, and the row is refused if it touched the stamp.
CREATE TRIGGER zzz_stamp BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION meddle('stamp');
SELECT trigger_name, problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', replace => true);
UPDATE accounts SET name = 'of old' WHERE id = 4;
UPDATE accounts SET pin = '444445' WHERE id = 4;
INSERT INTO accounts VALUES (6, NULL, '666666');
INSERT INTO accounts VALUES (6, NULL, NULL);
DROP TRIGGER zzz_stamp ON accounts;
CREATE TRIGGER zzz_stamp BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION meddle('future');
UPDATE accounts SET pin = '444445' WHERE id = 4;
DROP TRIGGER zzz_stamp ON accounts;
CREATE TRIGGER zzz_pin BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION meddle('pin');
UPDATE accounts SET name = 'new PIN behind the stamp' WHERE id = 2;
INSERT INTO accounts VALUES (6, NULL, NULL);
DROP TRIGGER zzz_pin ON accounts;
CREATE TRIGGER zzz_name BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION meddle('name');
UPDATE accounts SET pin = '444445' WHERE id = 4;
DROP TRIGGER zzz_name ON accounts;

-- Without its trigger no PIN is set, and the view says why.
ALTER TABLE accounts DISABLE TRIGGER zz_port_pin_protect_stamp;
UPDATE accounts SET pin = '444446' WHERE id = 4;
SELECT trigger_name, enabled, problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;
DROP TRIGGER zz_port_pin_protect_stamp ON accounts;
SELECT trigger_name, enabled, problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', replace => true);
SELECT trigger_name, enabled, definition, problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;

-- A copy or a restore keeps the stamps that it brings.
SET session_replication_role = replica;
INSERT INTO accounts VALUES (7, 'restored', '777777', '2001-01-01');
RESET session_replication_role;
BEGIN;
ALTER TABLE accounts DISABLE TRIGGER USER;
INSERT INTO accounts VALUES (8, 'restored', '888888', '2001-01-01');
ALTER TABLE accounts ENABLE TRIGGER USER;
COMMIT;
SELECT id, extract(year FROM pin_changed) FROM accounts WHERE id > 6 ORDER BY id;

-- So does what replication applies, where the guard is made to fire there, too.
ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_protect, ENABLE ALWAYS TRIGGER port_pin_protect_insert,
	ENABLE ALWAYS TRIGGER zz_port_pin_protect_stamp;
SET session_replication_role = replica;
UPDATE accounts SET pin = '777778', pin_changed = '2002-01-01' WHERE id = 7;
UPDATE accounts SET pin = NULL WHERE id = 7;
RESET session_replication_role;
UPDATE accounts SET pin = '777778', pin_changed = now() WHERE id = 7;
SELECT pin, extract(year FROM pin_changed) FROM accounts WHERE id = 7;

--
-- Judging
--
CREATE TABLE port_orders (id int GENERATED ALWAYS AS IDENTITY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('port_orders');
CREATE FUNCTION answer(account int, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO age.port_orders (account, pin) VALUES (account, pin);
	RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
	RETURN SQLSTATE || ' ' || split_part(SQLERRM, ': ', 2);
END $$;
CREATE FUNCTION answers() RETURNS TABLE (id int, stamp text, nothing text, wrong text, "right" text) LANGUAGE sql AS $$
	SELECT id, CASE WHEN pin_changed > now() - interval '1 day' THEN 'today' ELSE coalesce(pin_changed::date::text, '-') END,
		age.answer(id, NULL), age.answer(id, '999999'), age.answer(id, pin) FROM age.accounts WHERE id IN (2, 4, 5, 7) ORDER BY id $$;
SET DateStyle = ISO;

-- By itself, changed says nothing about orders.
SET portpin.max_failures_per_account = 0;
SELECT * FROM answers();

-- Too new: all PINs get the same answer, except none.  An unknown age is not too new.
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', min_age => '7 days', replace => true);
SELECT * FROM answers();

-- Too old: an unknown age is.
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', max_age => '30 days', replace => true);
SELECT * FROM answers();
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', min_age => '7 days', max_age => '100 years', replace => true);
SELECT * FROM answers();

-- Such an order is no attempt at the PIN: it is not counted, and locks nobody out.
RESET portpin.max_failures_per_account;
SELECT count(answer(4, '999999')) FROM generate_series(1, 12);
SELECT answer(4, '999999'), (SELECT count(*) FROM port_pin_failures WHERE account_schema = 'age') AS recorded;

-- The hint says from when the PIN can be used, and no more.
DO $$
DECLARE hint text; detail text; usable timestamptz;
BEGIN
	INSERT INTO age.port_orders (account, pin) VALUES (4, '999999');
EXCEPTION WHEN SQLSTATE '23PN9' THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
	SELECT (pin_changed AT TIME ZONE 'UTC' + interval '7 days') AT TIME ZONE 'UTC' INTO usable FROM age.accounts WHERE id = 4;
	RAISE NOTICE '% % %', SQLERRM, detail, replace(hint, usable::text, '(changed + 7 days)');
END $$;

-- Ages are counted in UTC.  A session chooses its time zone, and with it how long a day
-- is: in this one the clock went back by two days, three days ago.
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', max_age => '4 days', replace => true);
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE accounts SET pin_changed = now() - interval '120 hours' WHERE id = 4;
COMMIT;
SELECT format('<A>-24<B>24,%s/0,%s/0', day, (day + 180) % 365) AS zone
	FROM (SELECT extract(doy FROM (now() - interval '72 hours') AT TIME ZONE 'UTC')::int - 1 AS day) AS ago \gset
SELECT answer(4, pin) FROM accounts WHERE id = 4;
BEGIN;
SET LOCAL TimeZone = :'zone';
SELECT now() < pin_changed + interval '4 days' AS young_here, answer(4, pin) FROM accounts WHERE id = 4;
COMMIT;
UPDATE accounts SET pin = '444445' WHERE id = 4;
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', min_age => '7 days', max_age => '100 years', replace => true);

-- A gate that records verdicts records these.
CREATE TABLE kept_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('kept_orders', verdict => 'verdict', redact => true);
INSERT INTO kept_orders VALUES (1, 4, '999999'), (2, 7, '777778');
SELECT count(*) FROM port_pin_protect('accounts', changed => 'pin_changed', max_age => '7 days', replace => true);
INSERT INTO kept_orders VALUES (3, 4, '444445'), (4, 7, '777778');
TABLE kept_orders ORDER BY id;

-- The gate reads the column with the rights of the owner of the orders.
CREATE ROLE regress_portpin_age;
GRANT USAGE ON SCHEMA age TO regress_portpin_age;
GRANT SELECT (id, pin), REFERENCES ON accounts TO regress_portpin_age;
ALTER TABLE kept_orders OWNER TO regress_portpin_age;
INSERT INTO kept_orders VALUES (5, 4, '444445');
DROP TABLE kept_orders;

--
-- Legacy text: cleared, and blank in other spellings
--
CREATE TABLE legacy (id int PRIMARY KEY, pin varchar(20), at timestamptz);
SELECT count(*) FROM port_pin_protect('legacy', pin => 'pin', changed => 'at', clearable => true);
SELECT mark();
INSERT INTO legacy VALUES (1, '', now()), (2, '012345', NULL), (3, ' ', NULL);
UPDATE legacy SET pin = NULL, at = now() WHERE id = 1;
SELECT id, pin, shown(at) FROM legacy ORDER BY id;
SELECT mark();
UPDATE legacy SET pin = '12345', at = now() WHERE id = 2;
UPDATE legacy SET pin = '  ' WHERE id = 1;
UPDATE legacy SET pin = '333333' WHERE id = 3;
SELECT id, pin, shown(at) FROM legacy ORDER BY id;
UPDATE legacy SET pin = '' WHERE id > 1;
SELECT id, pin, shown(at) FROM legacy ORDER BY id;
SELECT count(*) FROM port_pin_unprotect('legacy');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'legacy'::regclass AND NOT tgisinternal;

--
-- Row movement keeps a stamp
--
CREATE TABLE moving (region text, id int, pin port_pin, at timestamptz) PARTITION BY LIST (region);
CREATE TABLE moving_east PARTITION OF moving FOR VALUES IN ('east');
CREATE TABLE moving_west (at timestamptz, junk int, pin port_pin, id int, region text);
ALTER TABLE moving_west DROP junk;
ALTER TABLE moving ATTACH PARTITION moving_west FOR VALUES IN ('west');
SELECT count(*) FROM port_pin_protect('moving', changed => 'at');
SELECT mark();
INSERT INTO moving VALUES ('east', 1, '111111'), ('east', 2, '222222'), ('east', 3, NULL);
SELECT mark();
UPDATE moving SET region = 'west', at = '2001-01-01' WHERE id = 1;
UPDATE moving SET region = 'west', pin = '222223' WHERE id = 2;
UPDATE moving SET region = 'west', at = '2001-01-01' WHERE id = 3;
SELECT id, tableoid::regclass, pin, shown(at) FROM moving ORDER BY id;
SELECT mark();
UPDATE moving SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END, pin = coalesce(pin, '333333');
SELECT id, tableoid::regclass, pin, shown(at) FROM moving ORDER BY id;
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := ''2001-01-01''; RETURN NEW; END';
CREATE TRIGGER zzz_forge BEFORE INSERT ON moving_west FOR EACH ROW EXECUTE FUNCTION forge();
SELECT relation, problem FROM port_pin_guards WHERE relation = 'moving_west'::regclass;
UPDATE moving SET region = 'west';
DROP TRIGGER zzz_forge ON moving_west;

--
-- Two PINs of one table, and orders that have one themselves
--
CREATE TABLE two (id int PRIMARY KEY, a port_pin, a_at timestamptz, b port_pin, b_at timestamptz);
SELECT count(*) FROM port_pin_protect('two', pin => 'a', changed => 'a_at', min_age => '1 day', forbid_delete => true, allow_unset => true);
SELECT count(*) FROM port_pin_protect('two', pin => 'b', changed => 'b_at');
SELECT mark();
INSERT INTO two VALUES (1, '111111', NULL, '222222', NULL), (2, NULL, now(), '222222', now());
SELECT id, shown(a_at) AS a, shown(b_at) AS b FROM two ORDER BY id;
SELECT mark();
UPDATE two SET a = '111112', b = b, a_at = NULL, b_at = NULL WHERE id = 1;
SELECT id, shown(a_at) AS a, shown(b_at) AS b FROM two ORDER BY id;
SELECT pin_column, trigger_name, problem FROM port_pin_guards WHERE relation = 'two'::regclass ORDER BY 1;
CREATE TABLE two_orders (id int PRIMARY KEY, account int REFERENCES two, pin port_pin, verdict port_pin_verdict,
	own_pin port_pin, own_at timestamptz);
SELECT count(*) FROM port_pin_gate('two_orders', pin => 'pin', account_pin => 'a', verdict => 'verdict');
SELECT count(*) FROM port_pin_protect('two_orders', pin => 'own_pin', changed => 'own_at');
INSERT INTO two_orders VALUES (1, 1, '111112', NULL, '333333'), (2, 2, NULL, NULL, NULL);
SELECT id, verdict, own_pin, shown(own_at) FROM two_orders ORDER BY id;
SELECT guard, trigger_name, problem FROM port_pin_guards WHERE relation = 'two_orders'::regclass ORDER BY 1, 2;
SELECT count(*) FROM port_pin_unprotect('two_orders', pin => 'own_pin');
SELECT count(*) FROM port_pin_ungate('two_orders');
SELECT count(*) FROM port_pin_unprotect('two', pin => 'b');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'two'::regclass AND tgname ~ 'stamp' ORDER BY 1;

--
-- What is refused at install
--
CREATE TABLE wrong (id int PRIMARY KEY, pin port_pin, frozen boolean, at timestamptz, day date, must timestamptz NOT NULL,
	made timestamptz GENERATED ALWAYS AS (at) STORED);
SELECT port_pin_protect('wrong', changed => 'day');
SELECT port_pin_protect('wrong', used => 'day');
SELECT port_pin_protect('wrong', changed => 'must');
SELECT port_pin_protect('wrong', changed => 'made');
SELECT port_pin_protect('wrong', changed => 'at', expires => 'at');
SELECT port_pin_protect('wrong', changed => 'at', max_age => '1000 years');
CREATE DOMAIN some_time AS timestamptz NOT NULL;
ALTER TABLE wrong ADD stamped some_time DEFAULT now();
SELECT port_pin_protect('wrong', used => 'stamped');
CREATE TABLE wrong_parts (id int, pin port_pin, at timestamptz) PARTITION BY LIST ((at IS NULL));
SELECT port_pin_protect('wrong_parts', used => 'at');
CREATE TABLE wrong_made (id int PRIMARY KEY, digits text, pin port_pin GENERATED ALWAYS AS (digits) STORED, at timestamptz);
SELECT port_pin_protect('wrong_made', changed => 'at');
-- What one guard writes, another one must not go by.
CREATE TABLE wrong_two (id int PRIMARY KEY, pin port_pin, other port_pin, at timestamptz);
SELECT count(*) FROM port_pin_protect('wrong_two', pin => 'pin', changed => 'at');
SELECT port_pin_protect('wrong_two', pin => 'other', changed => 'at');
SELECT port_pin_protect('wrong_two', pin => 'other', expires => 'at');
SELECT port_pin_protect('wrong_two', pin => 'other', lock_until => 'at');
SELECT port_pin_protect('wrong', min_age => '1 day');
SELECT port_pin_protect('wrong', max_age => '1 day');
SELECT port_pin_protect('wrong', changed => 'at', min_age => '-1 day');
SELECT port_pin_protect('wrong', changed => 'at', min_age => '2 days', max_age => '1 day');
ALTER TABLE wrong DROP pin;
SELECT port_pin_protect('wrong', lock => 'frozen', changed => 'at');

-- An interval is written in a form that every session reads alike.
ALTER TABLE wrong ADD pin port_pin;
SET IntervalStyle = sql_standard;
SELECT count(*) FROM port_pin_protect('wrong', changed => 'at', min_age => '1 month 2 days 3 hours');
SELECT definition, problem FROM port_pin_guards WHERE relation = 'wrong'::regclass;
RESET IntervalStyle;

DROP OWNED BY regress_portpin_age;
DROP ROLE regress_portpin_age;
