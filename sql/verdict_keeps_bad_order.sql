-- Promise: with verdict=column a bad port order is kept, and why it is bad is
-- written to that column.  The gate alone says what the column says.
--
-- A port desk that must answer the other carrier wants the refused order with its
-- reason.  The gate is then a BEFORE trigger, and the last of them, so that the order
-- that it judges is the order that is stored.
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA verdict;
SET search_path = verdict, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, good_until timestamptz);
CREATE TABLE port_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts,
    pin port_pin,
    verdict port_pin_verdict,
    note text
);
INSERT INTO accounts VALUES
    (1, '012345', false, NULL), (2, '246801', NULL, 'infinity'), (3, NULL, false, NULL),
    (4, '135790', true, NULL), (5, '975310', false, '-infinity');
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', expires => 'good_until');
SELECT * FROM port_pin_gate('port_orders', verdict => 'verdict');

--
-- Every verdict, and RETURNING shows it at once
--
INSERT INTO port_orders VALUES
    (1, 1, '012345'), (2, NULL, '012345'), (3, 4, '135790'), (4, 3, '012345'),
    (5, 1, NULL), (6, 5, '975310'), (7, 1, '246801') RETURNING id, account_id, pin, verdict;
-- A missing account is no verdict: the foreign key refuses the order.
INSERT INTO port_orders VALUES (8, 99, '012345');

-- An index on what is left to do, and a look that needs no PIN:
CREATE INDEX ON port_orders (verdict) WHERE verdict <> 'accepted';
SELECT verdict, count(*) FROM port_orders GROUP BY 1 ORDER BY 1;

--
-- A new order must not bring a verdict: it is forged, or history on its way from one
-- table to another, which would be rewritten.  Even a true one is refused, and so is
-- one out of scope; nothing is looked at before.
--
INSERT INTO port_orders VALUES (11, 1, '999999', 'accepted');
INSERT INTO port_orders VALUES (12, 1, '012345', 'accepted');
COPY port_orders (id, account_id, pin, verdict) FROM STDIN;
21	1	999999	accepted
\.
-- To move judged orders, disable the gate's trigger meanwhile.
BEGIN;
ALTER TABLE port_orders DISABLE TRIGGER zz_port_pin_gate;
INSERT INTO port_orders VALUES (13, 1, NULL, 'accepted');
ALTER TABLE port_orders ENABLE TRIGGER zz_port_pin_gate;
UPDATE port_orders SET note = 'moved' WHERE id = 13 RETURNING verdict;
ROLLBACK;
INSERT INTO port_orders VALUES (11, 1, '999999', NULL), (12, 1, '012345', NULL) RETURNING id, verdict;

--
-- What an UPDATE supplies is overwritten
--
WITH u AS (UPDATE port_orders SET verdict = 'accepted' RETURNING id, verdict)
    SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE port_orders SET verdict = NULL, note = 'seen' RETURNING id, verdict)
    SELECT * FROM u WHERE id IN (1, 7) ORDER BY id;
COPY port_orders (id, account_id, pin, verdict) FROM STDIN;
21	1	999999	\N
22	2	246801	\N
23	3	\N	\N
\.
SELECT id, verdict FROM port_orders WHERE id > 20 ORDER BY id;

--
-- Correction and resubmission
--

-- Another PIN, another account: a new verdict.
UPDATE port_orders SET pin = '012345' WHERE id = 7 RETURNING verdict;
UPDATE port_orders SET pin = '999999' WHERE id = 7 RETURNING verdict;
UPDATE port_orders SET account_id = 2, pin = '246801' WHERE id = 7 RETURNING verdict;
UPDATE port_orders SET account_id = 4 WHERE id = 7 RETURNING verdict;
-- Neither: the old verdict stays, whatever became of the account.
UPDATE accounts SET pin = '012346' WHERE id = 1;
UPDATE accounts SET frozen = false WHERE id = 4;
WITH u AS (UPDATE port_orders SET note = 'called back', id = id RETURNING id, verdict)
    SELECT * FROM u ORDER BY id;
UPDATE port_orders SET pin = pin, account_id = account_id WHERE id = 1 RETURNING verdict;
-- Blanking the PIN is neither; giving one again is.
UPDATE port_orders SET pin = NULL WHERE id = 1 RETURNING pin, verdict;
UPDATE port_orders SET pin = '012345' WHERE id = 1 RETURNING pin, verdict;
UPDATE port_orders SET pin = '012346' WHERE id = 1 RETURNING pin, verdict;
-- A key taken out by hand is a new key.
UPDATE port_orders SET account_id = NULL WHERE id = 1 RETURNING verdict;
TRUNCATE port_orders;

-- ON CONFLICT: what is stored is what the UPDATE makes of the row.
INSERT INTO port_orders VALUES (1, 1, '999999');
INSERT INTO port_orders VALUES (1, 1, '012346') ON CONFLICT DO NOTHING RETURNING verdict;
INSERT INTO port_orders VALUES (1, 1, '012346', NULL)
    ON CONFLICT (id) DO UPDATE SET note = 'again', verdict = excluded.verdict RETURNING verdict;
INSERT INTO port_orders VALUES (1, 1, '012346')
    ON CONFLICT (id) DO UPDATE SET pin = excluded.pin RETURNING verdict;
INSERT INTO port_orders VALUES (1, 2, '012346')
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id RETURNING verdict;

-- MERGE, a view, a rule.
MERGE INTO port_orders o USING (VALUES (1, '246801'), (2, '999999')) AS s(id, pin) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET pin = s.pin, verdict = 'pin_required'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, s.pin);
CREATE VIEW desk AS SELECT id, account_id, pin, verdict FROM port_orders WITH CHECK OPTION;
INSERT INTO desk VALUES (3, 1, '999999', NULL) RETURNING verdict;
UPDATE desk SET verdict = 'accepted' WHERE id = 3 RETURNING verdict;
CREATE RULE also AS ON INSERT TO desk DO ALSO
    UPDATE port_orders SET verdict = 'accepted' WHERE id = 3;
INSERT INTO desk VALUES (4, 1, '012346');
SELECT id, verdict FROM port_orders ORDER BY id;
DROP VIEW desk;
TRUNCATE port_orders;

-- The verdict is given at once: an account that the same statement makes must be
-- made first, so let the order wait for it.
WITH a AS (INSERT INTO accounts VALUES (7, '777777') RETURNING id)
    INSERT INTO port_orders SELECT 1, id, '777777' FROM a RETURNING verdict;
WITH a AS (INSERT INTO accounts VALUES (8, '888888'))
    INSERT INTO port_orders VALUES (2, 8, '888888') RETURNING verdict;

-- The account's key changes, or the account goes: old orders keep their verdict.
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey,
    ADD FOREIGN KEY (account_id) REFERENCES accounts ON UPDATE CASCADE ON DELETE SET NULL;
UPDATE accounts SET id = 70, pin = '707070' WHERE id = 7;
SELECT id, account_id, verdict FROM port_orders ORDER BY id;
DELETE FROM accounts WHERE id = 70;
SELECT id, account_id, verdict FROM port_orders ORDER BY id;
TRUNCATE port_orders;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'port_orders'::regclass AND NOT tgisinternal;

--
-- Transactions: what is undone leaves no verdict behind
--
INSERT INTO port_orders VALUES (1, 1, '012346');
BEGIN;
SAVEPOINT s;
UPDATE port_orders SET pin = '999999' WHERE id = 1 RETURNING verdict;
ROLLBACK TO s;
UPDATE port_orders SET note = 'x' WHERE id = 1 RETURNING verdict;
INSERT INTO port_orders VALUES (2, 1, NULL, NULL) RETURNING verdict;
COMMIT;
DO $$
BEGIN
    UPDATE verdict.port_orders SET pin = '999999' WHERE id = 1;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    INSERT INTO verdict.port_orders VALUES (3, 1, NULL, NULL);
END $$;
SELECT id, pin, verdict FROM port_orders ORDER BY id;
TRUNCATE port_orders;

--
-- Scope: out of it there is no verdict, and none can be brought in
--
CREATE TABLE world_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts,
    pin port_pin,
    verdict port_pin_verdict,
    country text,
    is_us boolean GENERATED ALWAYS AS (country = 'US') STORED
);
SELECT * FROM port_pin_gate('world_orders', scope => 'is_us', verdict => 'verdict');
INSERT INTO world_orders VALUES (1, 1, '012346', NULL, 'US'), (2, 1, NULL, NULL, 'CA'),
    (3, 1, '012346', NULL, 'CA'), (4, 1, NULL, NULL, NULL) RETURNING id, is_us, verdict;
WITH u AS (UPDATE world_orders SET verdict = 'accepted' WHERE id IN (2, 3) RETURNING id, verdict)
    SELECT * FROM u ORDER BY id;
WITH u AS (UPDATE world_orders SET country = 'US', verdict = 'accepted' WHERE id IN (2, 3) RETURNING id, verdict)
    SELECT * FROM u ORDER BY id;
UPDATE world_orders SET country = 'CA' WHERE id = 1 RETURNING verdict;
UPDATE accounts SET pin = '012345' WHERE id = 1;
UPDATE world_orders SET country = 'US' WHERE id = 1 RETURNING verdict;
-- From true to NULL it stayed in scope.
UPDATE world_orders SET country = NULL WHERE id = 1 RETURNING verdict;
INSERT INTO world_orders VALUES (5, 1, '999999', NULL, 'CA') RETURNING verdict;
INSERT INTO world_orders VALUES (5, 1, '999999', NULL, 'CA')
    ON CONFLICT (id) DO UPDATE SET country = 'US', verdict = 'accepted' RETURNING verdict;
DROP TABLE world_orders;

--
-- Triggers of other people
--
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.account_id := 1; NEW.pin := '999999';
    IF TG_OP = 'UPDATE' THEN NEW.verdict := 'accepted'; END IF;
    RETURN NEW;
END $$;
-- Before the gate they may do what they like: the gate sees what they did.
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO port_orders VALUES (1, 2, '246801') RETURNING *;
ALTER TABLE port_orders DISABLE TRIGGER meddle;
UPDATE port_orders SET pin = '012345' WHERE id = 1 RETURNING *;
ALTER TABLE port_orders ENABLE TRIGGER meddle;
UPDATE port_orders SET note = 'x' WHERE id = 1 RETURNING *;
-- Behind it they could forge, so nothing gets in while there is one.
ALTER TRIGGER meddle ON port_orders RENAME TO zzz;
INSERT INTO port_orders VALUES (2, 2, '246801');
UPDATE port_orders SET note = 'y';
-- Whenever it would fire: on a replica, always.
ALTER TABLE port_orders ENABLE REPLICA TRIGGER zzz;
INSERT INTO port_orders VALUES (2, 2, '246801');
ALTER TABLE port_orders ENABLE ALWAYS TRIGGER zzz;
INSERT INTO port_orders VALUES (2, 2, '246801');
-- Disabled, it does no harm now; but a gate should not be installed before it.
ALTER TABLE port_orders DISABLE TRIGGER zzz;
INSERT INTO port_orders VALUES (2, 2, '246801') RETURNING verdict;
DROP TRIGGER zz_port_pin_gate ON port_orders;
SELECT port_pin_gate('port_orders', verdict => 'verdict');
DROP TRIGGER zzz ON port_orders;
-- Triggers on DELETE, AFTER, and once per statement can change no order.
CREATE TRIGGER zzz BEFORE DELETE ON port_orders FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER zzzz AFTER INSERT OR UPDATE ON port_orders FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER zzzzz BEFORE INSERT OR UPDATE ON port_orders EXECUTE FUNCTION meddle();
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict');
INSERT INTO port_orders VALUES (3, 1, '012345') RETURNING verdict;
DROP TRIGGER zzz ON port_orders;
DROP TRIGGER zzzz ON port_orders;
DROP TRIGGER zzzzz ON port_orders;
-- A second gate of this kind is a trigger behind the first.
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON port_orders
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger('verdict=verdict');
INSERT INTO port_orders VALUES (4, 1, '012345');
DROP TRIGGER zzz ON port_orders;
TRUNCATE port_orders;

--
-- Attached by hand, and wrongly: nothing gets in
--
DROP TRIGGER zz_port_pin_gate ON port_orders;
CREATE FUNCTION by_hand(timing text, arguments text[] DEFAULT '{verdict=verdict}', statement text DEFAULT
    $$INSERT INTO verdict.port_orders VALUES (1, 1, '012345')$$) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE format('CREATE TRIGGER by_hand %s EXECUTE FUNCTION public.port_pin_gate_trigger(%s)', timing,
        (SELECT string_agg(quote_literal(a), ',') FROM unnest(arguments) a));
    EXECUTE statement;
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
\t
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW');
SELECT by_hand('AFTER INSERT OR UPDATE ON port_orders FOR EACH ROW');
-- A statement that the gate does not see could write the verdict.
SELECT by_hand('BEFORE INSERT ON port_orders FOR EACH ROW');
SELECT by_hand('BEFORE INSERT OR UPDATE OR DELETE ON port_orders FOR EACH ROW');
SELECT by_hand('BEFORE INSERT OR UPDATE OF pin ON port_orders FOR EACH ROW');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW WHEN (NEW.pin IS NOT NULL)');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH STATEMENT');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{}');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{verdict=note}');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{verdict=pin}');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{verdict=nope}');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{"verdict=verdict,note"}');
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{verdict=verdict,redact=maybe}');
\t

--
-- The column of the verdict, and the others
--
SELECT port_pin_gate('port_orders', verdict => 'note');
CREATE DOMAIN bad AS port_pin_verdict CHECK (VALUE <> 'accepted');
ALTER TABLE port_orders ADD bad bad, ADD doubled port_pin_verdict GENERATED ALWAYS AS ('accepted') STORED;
SELECT port_pin_gate('port_orders', verdict => 'bad');
SELECT port_pin_gate('port_orders', verdict => 'doubled');
-- An order must not bring a verdict by default, either.
ALTER TABLE port_orders ADD preset port_pin_verdict DEFAULT 'accepted';
SELECT port_pin_gate('port_orders', verdict => 'preset');
ALTER TABLE port_orders DROP preset;
-- NOT NULL is fine without a scope ...
ALTER TABLE port_orders ALTER verdict SET NOT NULL, ADD is_us boolean;
SELECT port_pin_gate('port_orders', verdict => 'verdict', scope => 'is_us');
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict');
INSERT INTO port_orders (id, account_id, pin) VALUES (1, 1, '999999') RETURNING verdict;
-- ... and refused as soon as there is one: core's error would show the row.
SELECT by_hand('BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW', '{verdict=verdict,scope=is_us}',
    $$INSERT INTO verdict.port_orders (id, account_id, pin, is_us) VALUES (2, 1, '012345', false)$$);
DROP TABLE port_orders;
-- A key or PIN that is generated is not there yet when the gate judges; a scope
-- that is generated from the verdict would be up to the statement.
CREATE TABLE port_orders (
    id int, tenant int, verdict port_pin_verdict, pin port_pin,
    account_id int GENERATED ALWAYS AS (tenant * 10) STORED REFERENCES accounts,
    is_us boolean GENERATED ALWAYS AS (verdict IS DISTINCT FROM 'accepted') STORED
);
SELECT port_pin_gate('port_orders', verdict => 'verdict');
ALTER TABLE port_orders DROP account_id, ADD account_id int REFERENCES accounts;
SELECT port_pin_gate('port_orders', verdict => 'verdict', scope => 'is_us');
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict');
-- Twice is once too often.
SELECT port_pin_gate('port_orders', verdict => 'verdict');
-- A table can have only one gate of this kind; one that refuses may stand beside it,
-- for another key.
ALTER TABLE port_orders ADD reseller_id int REFERENCES accounts, ADD verdict_2 port_pin_verdict, ADD reseller_pin port_pin;
SELECT port_pin_gate('port_orders', fk => 'reseller_id', pin => 'reseller_pin', verdict => 'verdict_2');
SELECT statement FROM port_pin_gate('port_orders', fk => 'reseller_id', pin => 'reseller_pin') AS statement LIMIT 1;
INSERT INTO port_orders (account_id, pin, reseller_id, reseller_pin) VALUES (1, '999999', 2, '999999');
INSERT INTO port_orders (account_id, pin, reseller_id, reseller_pin) VALUES (1, '999999', 2, '246801') RETURNING verdict;
-- Without the column the gate is shut.
ALTER TABLE port_orders DROP verdict CASCADE;
INSERT INTO port_orders (id, account_id, pin) VALUES (1, 1, '012345');
DROP TABLE port_orders;

--
-- The path, verdicts and all: order, number, account
--
CREATE TABLE numbers (e164 text PRIMARY KEY, account_id int REFERENCES accounts, pin port_pin, frozen boolean);
CREATE TABLE port_orders (number text REFERENCES numbers, pin port_pin, verdict port_pin_verdict);
INSERT INTO numbers VALUES ('own PIN', 1, '777777', false), ('locked', 1, NULL, true),
    ('account locked', 2, '777777', NULL), ('account', 1, NULL, NULL), ('nobody''s', NULL, '777777', NULL);
UPDATE accounts SET frozen = true WHERE id = 2;
SELECT count(*) FROM port_pin_protect('numbers', lock => 'frozen');
SELECT count(*) FROM port_pin_gate('port_orders', fk => 'number', via => 'account_id', verdict => 'verdict');
INSERT INTO port_orders SELECT e164, p FROM numbers, unnest(ARRAY['777777', '012345', NULL]) p;
SELECT * FROM port_orders ORDER BY number COLLATE "C", pin;

SET client_min_messages = warning;
DROP SCHEMA verdict CASCADE;
