-- Promise: every way around the guards that anyone could think of is in here, with
-- what comes of it.  Those that portpin can't stop are labelled NOT STOPPED.
--
-- Part 1 tries to clear a PIN, part 2 to slip an order in, part 3 to forge a
-- verdict.  Part 4 has what roles with more power than a guard can do.  Part 5
-- attacks what the accounts' guards say: who is out of scope, locked, or has no PIN.
\set VERBOSITY terse
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA bypass;
SET search_path = bypass, public;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, note text);
CREATE TABLE legacy (id int PRIMARY KEY, pin varchar(20));
CREATE TABLE regional (region text, id int, pin port_pin, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE regional_east PARTITION OF regional FOR VALUES IN ('east');
CREATE TABLE regional_west (pin port_pin, id int NOT NULL, region text NOT NULL);
ALTER TABLE regional ATTACH PARTITION regional_west FOR VALUES IN ('west');
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_protect('legacy', pin => 'pin');
SELECT count(*) FROM port_pin_protect('regional');
INSERT INTO accounts VALUES (1, '246801'), (2, '135790'), (3, NULL);
INSERT INTO legacy VALUES (1, '246801'), (2, '');
INSERT INTO regional VALUES ('east', 1, '246801'), ('west', 2, '135790');
CREATE VIEW cleared AS
    SELECT 'accounts' AS "table", id FROM accounts WHERE id < 3 AND pin IS NULL
    UNION ALL SELECT 'legacy', id FROM legacy WHERE id < 2 AND NOT pin ~ '^[0-9]{6,10}$'
    UNION ALL SELECT 'regional', id FROM regional WHERE pin IS NULL;

--
-- Part 1: clear a PIN
--
-- 1. NULL.
UPDATE accounts SET pin = NULL;
-- 2. The empty string and blanks, which are no port_pin.
UPDATE accounts SET pin = '';
UPDATE accounts SET pin = '        ';
-- 3. The same in a legacy column, where they mean blank: '', blanks, tab, newline.
UPDATE legacy SET pin = '' WHERE id = 1;
UPDATE legacy SET pin = '   ' WHERE id = 1;
UPDATE legacy SET pin = E'\t\n\r\f\x0b' WHERE id = 1;
UPDATE legacy SET pin = NULL WHERE id = 1;
-- 4. The column's default, and the domain's.
UPDATE accounts SET pin = DEFAULT;
CREATE DOMAIN forgetful AS port_pin DEFAULT NULL;
CREATE TABLE forgetful_accounts (id int PRIMARY KEY, pin forgetful);
SELECT count(*) FROM port_pin_protect('forgetful_accounts');
INSERT INTO forgetful_accounts VALUES (1, '246801');
UPDATE forgetful_accounts SET pin = DEFAULT;
DROP TABLE forgetful_accounts;
-- 5. A default that comes later.
ALTER TABLE legacy ALTER pin SET DEFAULT '';
UPDATE legacy SET pin = DEFAULT WHERE id = 1;
-- 6. INSERT that becomes an UPDATE.
INSERT INTO accounts VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET pin = excluded.pin;
INSERT INTO legacy VALUES (1, '') ON CONFLICT (id) DO UPDATE SET pin = excluded.pin;
-- 7. MERGE.
MERGE INTO accounts a USING (VALUES (1)) AS s(id) ON a.id = s.id WHEN MATCHED THEN UPDATE SET pin = NULL;
-- 8. A CTE, a join, a subquery without rows, whole rows.
WITH u AS (UPDATE accounts SET pin = NULL WHERE id = 1) SELECT;
UPDATE accounts SET pin = l.pin FROM legacy l WHERE l.id = 3 - accounts.id AND false OR accounts.id = 1 AND l.id = 99;
UPDATE accounts SET pin = (SELECT pin FROM legacy WHERE id = 99);
UPDATE accounts SET (pin, note) = (SELECT NULL::port_pin, 'x');
UPDATE accounts SET (pin, note) = ROW (NULL, 'x');
-- 9. A parameter that is NULL.
PREPARE clear(text) AS UPDATE accounts SET pin = $1;
EXECUTE clear(NULL);
DEALLOCATE clear;
-- 10. A view, one with an INSTEAD OF trigger, one with a rule.
CREATE VIEW v AS SELECT id, pin FROM accounts;
UPDATE v SET pin = NULL;
CREATE FUNCTION v_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts SET pin = NULL WHERE id = OLD.id;
    RETURN NEW;
END $$;
CREATE TRIGGER v INSTEAD OF UPDATE ON v FOR EACH ROW EXECUTE FUNCTION v_update();
UPDATE v SET pin = '111222';
DROP VIEW v;
CREATE VIEW v AS SELECT id, pin FROM accounts;
CREATE RULE v AS ON UPDATE TO v DO INSTEAD UPDATE accounts SET pin = NULL WHERE id = OLD.id;
UPDATE v SET pin = '111222';
-- 11. A rule on the table itself.
CREATE RULE forget AS ON UPDATE TO legacy WHERE NEW.pin <> '' DO ALSO UPDATE accounts SET pin = NULL;
UPDATE legacy SET pin = '246802' WHERE id = 1;
DROP RULE forget ON legacy;
-- 12. A cursor.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM accounts WHERE id = 1 FOR UPDATE;
FETCH c;
UPDATE accounts SET pin = NULL WHERE CURRENT OF c;
ROLLBACK;
-- 13. Other people's BEFORE triggers, which fire first, last, or first of all.
CREATE FUNCTION blank() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.pin := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER a_blank BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION blank();
UPDATE accounts SET note = 'x';
ALTER TRIGGER a_blank ON accounts RENAME TO zzz_blank;
UPDATE accounts SET pin = '246802' WHERE id = 1;
ALTER TRIGGER zzz_blank ON accounts RENAME TO " blank";
UPDATE accounts SET pin = '246802' WHERE id = 1;
DROP TRIGGER " blank" ON accounts;
-- 14. Other people's AFTER triggers, in their own UPDATE.
CREATE FUNCTION blank_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts SET pin = NULL WHERE id = NEW.id AND pin IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER zzz_blank AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION blank_again();
UPDATE accounts SET note = 'x';
DROP TRIGGER zzz_blank ON accounts;
-- 15. A foreign key on the PIN itself, which is set to NULL.
CREATE TABLE pins (pin text PRIMARY KEY);
INSERT INTO pins VALUES ('246801'), ('135790');
ALTER TABLE accounts ADD FOREIGN KEY (pin) REFERENCES pins ON DELETE SET NULL ON UPDATE CASCADE;
DELETE FROM pins;
UPDATE pins SET pin = '' WHERE pin = '246801';
ALTER TABLE accounts DROP CONSTRAINT accounts_pin_fkey,
    ADD FOREIGN KEY (pin) REFERENCES pins ON DELETE SET DEFAULT;
DELETE FROM pins;
ALTER TABLE accounts DROP CONSTRAINT accounts_pin_fkey;
-- 16. At the end of the transaction.
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE accounts SET pin = NULL;
ROLLBACK;
-- 17. With the error swallowed: what was refused is undone.
DO $$
BEGIN
    UPDATE bypass.accounts SET pin = NULL;
EXCEPTION WHEN OTHERS THEN
    NULL;
END $$;
-- 18. In two steps, by way of a value that is no PIN either.
UPDATE accounts SET pin = 'x';
-- 19. In a legacy column, by way of one that is not blank: the column may hold no valid
-- PIN then, but it is set, matches nothing, and can't become blank.
BEGIN;
UPDATE legacy SET pin = 'none' WHERE id = 1;
UPDATE legacy SET pin = E'\xc2\xa0' WHERE id = 1;
UPDATE legacy SET pin = '' WHERE id = 1;
ROLLBACK;
-- 20. From one partition to another, and on a partition itself.
UPDATE regional SET region = 'west', pin = NULL WHERE region = 'east';
UPDATE regional_east SET pin = NULL;
-- 21. With a BEFORE INSERT trigger at the other end of the move.
CREATE TRIGGER starts_blank BEFORE INSERT ON regional_west FOR EACH ROW EXECUTE FUNCTION blank();
UPDATE regional SET region = 'west' WHERE region = 'east';
DROP TRIGGER starts_blank ON regional_west;
-- 22. With the column under another name.
ALTER TABLE accounts RENAME pin TO secret;
UPDATE accounts SET secret = NULL;
ALTER TABLE accounts RENAME secret TO pin;
-- 23. By changing the column's type.
ALTER TABLE accounts ALTER pin TYPE text USING NULL;
-- 24. With an operator of one's own, found first.
CREATE FUNCTION never(port_pin, port_pin) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR = (LEFTARG = port_pin, RIGHTARG = port_pin, FUNCTION = never);
SET search_path = bypass, pg_catalog, public;
UPDATE accounts SET pin = NULL;
SET search_path = bypass, public;
DROP OPERATOR = (port_pin, port_pin);

SELECT * FROM cleared ORDER BY 1, 2;

--
-- Part 2: slip an order in
--
CREATE TABLE port_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts ON UPDATE CASCADE ON DELETE SET NULL,
    pin port_pin,
    in_scope boolean NOT NULL DEFAULT true,
    note text
);
SELECT count(*) FROM port_pin_gate('port_orders', scope => 'in_scope');
INSERT INTO port_orders VALUES (1, 1, '246801', true);

-- 25. No PIN, a wrong one, one of another account; no account, one without a PIN.
INSERT INTO port_orders VALUES (2, 1, NULL);
INSERT INTO port_orders VALUES (2, 1, '999999');
INSERT INTO port_orders VALUES (2, 1, '135790');
INSERT INTO port_orders VALUES (2, NULL, '246801');
INSERT INTO port_orders VALUES (2, 3, '246801');
INSERT INTO port_orders VALUES (2, 3, NULL);
INSERT INTO port_orders DEFAULT VALUES;
INSERT INTO port_orders (id) VALUES (2);
-- 26. Digits of other scripts, blanks around the PIN, more or fewer digits.
INSERT INTO port_orders VALUES (2, 1, E'\xd9\xa2\xd9\xa4\xd9\xa6\xd9\xa8\xd9\xa0\xd9\xa1');
INSERT INTO port_orders VALUES (2, 1, ' 246801');
INSERT INTO port_orders VALUES (2, 1, '2468010');
INSERT INTO port_orders VALUES (2, 1, '0246801');
-- 27. Among good ones.
INSERT INTO port_orders VALUES (2, 1, '246801'), (3, 1, '999999');
INSERT INTO port_orders SELECT g, 1, CASE g WHEN 500 THEN '999999' ELSE '246801' END FROM generate_series(2, 1000) g;
-- 28. COPY, with FREEZE, too.
COPY port_orders (id, account_id, pin) FROM STDIN;
2	1	999999
\.
BEGIN;
TRUNCATE port_orders;
COPY port_orders (id, account_id, pin) FROM STDIN (FREEZE);
2	1	999999
\.
ROLLBACK;
-- 29. INSERT that becomes an UPDATE; MERGE.
INSERT INTO port_orders VALUES (1, 2, '246801') ON CONFLICT (id) DO UPDATE SET account_id = 2;
INSERT INTO port_orders VALUES (1, 1, '246801') ON CONFLICT (id) DO UPDATE SET pin = '999999';
MERGE INTO port_orders o USING (VALUES (1)) s(id) ON o.id = s.id WHEN MATCHED THEN UPDATE SET account_id = 2;
MERGE INTO port_orders o USING (VALUES (2)) s(id) ON o.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (2, 1, '999999');
-- 30. In with one account's PIN, then on to another account.
UPDATE port_orders SET account_id = 2;
UPDATE port_orders SET (account_id, pin) = ROW (2, NULL);
UPDATE port_orders SET account_id = 3, pin = NULL;
UPDATE port_orders SET account_id = NULL;
BEGIN;
UPDATE port_orders SET pin = NULL;
UPDATE port_orders SET account_id = 2;
ROLLBACK;
-- 31. In out of scope, then into it; or out, on and back.
INSERT INTO port_orders VALUES (2, 2, '999999', false);
UPDATE port_orders SET in_scope = true WHERE id = 2;
BEGIN;
UPDATE port_orders SET in_scope = false WHERE id = 1;
UPDATE port_orders SET account_id = 2 WHERE id = 1;
UPDATE port_orders SET in_scope = true WHERE id = 1;
ROLLBACK;
INSERT INTO port_orders VALUES (2, 2, NULL, true) ON CONFLICT (id) DO UPDATE SET in_scope = true;
ALTER TABLE port_orders ALTER in_scope DROP NOT NULL;
UPDATE port_orders SET in_scope = NULL WHERE id = 2;
DELETE FROM port_orders WHERE id = 2;
-- 32. Views and rules.
CREATE VIEW desk AS SELECT id, account_id, pin FROM port_orders;
INSERT INTO desk VALUES (2, 1, '999999');
UPDATE desk SET account_id = 2;
CREATE RULE twice AS ON INSERT TO desk DO INSTEAD (
    INSERT INTO port_orders VALUES (NEW.id, NEW.account_id, NEW.pin);
    INSERT INTO port_orders VALUES (NEW.id + 1000, 2, NEW.pin));
INSERT INTO desk VALUES (2, 1, '246801');
-- 33. A function, a data-modifying CTE, a prepared statement, a swallowed error.
CREATE FUNCTION place() RETURNS int LANGUAGE sql AS $$INSERT INTO port_orders VALUES (2, 1, '999999') RETURNING id$$;
SELECT place();
WITH o AS (INSERT INTO port_orders VALUES (2, 1, '999999') RETURNING id) SELECT * FROM o;
WITH u AS (UPDATE port_orders SET account_id = 2 RETURNING *) INSERT INTO legacy SELECT id + 100, pin FROM u;
PREPARE place(int, text) AS INSERT INTO port_orders VALUES (2, $1, $2);
EXECUTE place(1, NULL);
DEALLOCATE place;
DO $$
BEGIN
    INSERT INTO bypass.port_orders VALUES (2, 1, '999999');
EXCEPTION WHEN OTHERS THEN
    NULL;
END $$;
SELECT count(*) FROM port_orders;
-- 34. Other people's BEFORE triggers, which fire first or last.
CREATE FUNCTION divert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.account_id := 2;
    RETURN NEW;
END $$;
CREATE TRIGGER a_divert BEFORE INSERT OR UPDATE ON port_orders FOR EACH ROW EXECUTE FUNCTION divert();
INSERT INTO port_orders VALUES (2, 1, '246801');
UPDATE port_orders SET note = 'x';
ALTER TRIGGER a_divert ON port_orders RENAME TO zzz_divert;
INSERT INTO port_orders VALUES (2, 1, '246801');
UPDATE port_orders SET note = 'x';
DROP TRIGGER zzz_divert ON port_orders;
-- 35. Other people's AFTER triggers, which fire before the gate or after it.
CREATE FUNCTION divert_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE port_orders SET account_id = 2 WHERE id = NEW.id AND account_id <> 2;
    RETURN NULL;
END $$;
CREATE TRIGGER "A_divert" AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION divert_again();
INSERT INTO port_orders VALUES (2, 1, '246801');
ALTER TRIGGER "A_divert" ON port_orders RENAME TO zzz_divert;
INSERT INTO port_orders VALUES (2, 1, '246801');
DROP TRIGGER zzz_divert ON port_orders;
-- 36. A PIN that is the account's for a moment, in a savepoint that is undone.
BEGIN;
SAVEPOINT s;
UPDATE accounts SET pin = '999999' WHERE id = 2;
ROLLBACK TO s;
INSERT INTO port_orders VALUES (2, 2, '999999');
ROLLBACK;
-- 37. The old PIN, in the statement that changes it or with a snapshot before it.
WITH a AS (UPDATE accounts SET pin = '135791' WHERE id = 2) INSERT INTO port_orders VALUES (2, 2, '135790');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM accounts WHERE pin = '135790';
UPDATE accounts SET pin = '135791' WHERE id = 2;
INSERT INTO port_orders VALUES (2, 2, '135790');
ROLLBACK;
-- 38. A temporary table with the name of the accounts.
CREATE TEMP TABLE accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO pg_temp.accounts VALUES (1, '999999');
INSERT INTO port_orders VALUES (2, 1, '999999');
DROP TABLE pg_temp.accounts;
-- 39. Constraints deferred, the key not valid, the key gone.
BEGIN;
ALTER TABLE port_orders ALTER CONSTRAINT port_orders_account_id_fkey DEFERRABLE INITIALLY DEFERRED;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO port_orders VALUES (2, 99, '999999');
ROLLBACK;
BEGIN;
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey;
INSERT INTO port_orders VALUES (2, 1, '246801');
ROLLBACK;
BEGIN;
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey;
ALTER TABLE port_orders ADD CONSTRAINT port_orders_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts NOT VALID;
INSERT INTO port_orders VALUES (2, 1, '999999');
ROLLBACK;
-- 40. A second key, to accounts of one's own.
BEGIN;
CREATE TABLE my_accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO my_accounts VALUES (1, '999999');
ALTER TABLE port_orders ADD FOREIGN KEY (account_id) REFERENCES my_accounts;
INSERT INTO port_orders VALUES (2, 1, '999999');
ROLLBACK;
-- 41. The PIN column under another name, and another column under its name.
BEGIN;
ALTER TABLE port_orders RENAME pin TO old_pin;
INSERT INTO port_orders VALUES (2, 1, '999999');
ROLLBACK;
BEGIN;
ALTER TABLE accounts DROP pin CASCADE;
ALTER TABLE accounts ADD pin text;
INSERT INTO port_orders VALUES (2, 1, NULL);
ROLLBACK;
-- 42. A key with one column missing, and the key of an account with the same number in
-- another partition.
CREATE TABLE regional_orders (id int, region text, account_id int, pin port_pin,
    FOREIGN KEY (region, account_id) REFERENCES regional) PARTITION BY LIST (id);
CREATE TABLE regional_orders_1 PARTITION OF regional_orders FOR VALUES IN (1);
CREATE TABLE regional_orders_2 PARTITION OF regional_orders DEFAULT;
SELECT count(*) FROM port_pin_gate('regional_orders');
INSERT INTO regional VALUES ('west', 1, '975310');
INSERT INTO regional_orders VALUES (1, NULL, 1, '246801');
INSERT INTO regional_orders VALUES (1, 'east', NULL, '246801');
INSERT INTO regional_orders VALUES (1, 'west', 1, '246801');
-- 43. An order that moves to another partition, and changes on the way.
INSERT INTO regional_orders VALUES (1, 'east', 1, '246801');
UPDATE regional_orders SET id = 2, region = 'west';
UPDATE regional_orders SET id = 2, pin = '999999';
UPDATE regional_orders SET id = 2, region = NULL;
INSERT INTO regional_orders_2 VALUES (2, 'east', 1, '999999');
CREATE TRIGGER divert BEFORE INSERT ON regional_orders_2 FOR EACH ROW EXECUTE FUNCTION divert();
UPDATE regional_orders SET id = 2;
DROP TRIGGER divert ON regional_orders_2;
-- 44. A new order in the statement in which an old one moves.
UPDATE regional SET pin = '246802' WHERE region = 'east';
WITH m AS (UPDATE regional_orders SET id = 2 WHERE id = 1)
    INSERT INTO regional_orders VALUES (1, 'east', 1, '246801');
WITH o AS (INSERT INTO regional_orders VALUES (2, 'east', 1, '246801'))
    UPDATE regional_orders SET id = 2 WHERE id = 1;
-- 45. In place of an old one whose move is suppressed, so that it is gone, too.
CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN NEW.id = 2 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER vanish BEFORE INSERT ON regional_orders_2 FOR EACH ROW EXECUTE FUNCTION vanish();
BEGIN;
WITH o AS (INSERT INTO regional_orders VALUES (3, 'east', 1, '999999'))
    UPDATE regional_orders SET id = 2 WHERE id = 1;
ROLLBACK;
BEGIN;
WITH o AS (INSERT INTO regional_orders VALUES (3, 'west', 1, '246801'))
    UPDATE regional_orders SET id = 2 WHERE id = 1;
ROLLBACK;
-- With its account and its PIN, a new order takes its place: one for one.
BEGIN;
WITH o AS (INSERT INTO regional_orders VALUES (3, 'east', 1, '246801'))
    UPDATE regional_orders SET id = 2 WHERE id = 1;
SELECT * FROM regional_orders;
ROLLBACK;
BEGIN;
WITH o AS (INSERT INTO regional_orders VALUES (3, 'east', 1, '246801'), (4, 'east', 1, '246801'))
    UPDATE regional_orders SET id = 2 WHERE id = 1;
ROLLBACK;
DROP TRIGGER vanish ON regional_orders_2;
SELECT tableoid::regclass, * FROM regional_orders;
-- 46. What looks like a referential action.
WITH a AS (DELETE FROM accounts WHERE id = 1) UPDATE port_orders SET account_id = 2 WHERE account_id = 1;
WITH a AS (UPDATE accounts SET id = 11 WHERE id = 1) UPDATE port_orders SET account_id = 2 WHERE account_id = 1;
BEGIN;
DELETE FROM accounts WHERE id = 1;
UPDATE port_orders SET account_id = 2 WHERE account_id IS NULL;
ROLLBACK;
-- 47. Two accounts whose keys both equal the order's column.  (PostgreSQL 18 no longer
-- has such foreign keys, and a server without ICU no such collations.)
DO $$
BEGIN
    CREATE COLLATION any_case (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
    CREATE TABLE named (name text PRIMARY KEY, pin port_pin);
    CREATE TABLE named_orders (name text COLLATE any_case REFERENCES named, pin port_pin);
    INSERT INTO named VALUES ('acme', '246801'), ('ACME', '135790');
    PERFORM port_pin_protect('named');
    PERFORM port_pin_gate('named_orders');
    INSERT INTO named_orders VALUES ('acme', '246801');
    UPDATE named_orders SET name = 'ACME';
    RAISE WARNING 'an order went to an account that only looks alike';
EXCEPTION WHEN SQLSTATE '23PN7' OR collation_mismatch OR invalid_foreign_key
    OR feature_not_supported OR invalid_parameter_value OR undefined_object THEN
    NULL;
END $$;
-- 48. A gate installed under a search_path with an operator that calls all values equal.
CREATE FUNCTION alike(port_pin, port_pin) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR = (LEFTARG = port_pin, RIGHTARG = port_pin, FUNCTION = alike);
CREATE TABLE other_orders (account_id int REFERENCES accounts, pin port_pin);
SET search_path = bypass, pg_catalog, public;
SELECT count(*) FROM port_pin_gate('other_orders');
INSERT INTO other_orders VALUES (1, '246801');
UPDATE other_orders SET pin = '999999';
SET search_path = bypass, public;
DROP TABLE other_orders;
DROP OPERATOR = (port_pin, port_pin);
-- 49. By changing the type of the columns that were judged.
ALTER TABLE port_orders ALTER account_id TYPE int USING 2;
ALTER TABLE port_orders ALTER pin TYPE text USING '999999';
-- 50. Without a PIN, where allow_unset lets accounts without one be ported: by taking
-- a PIN away with DELETE and INSERT, another key, TRUNCATE.
CREATE TABLE free_accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE free_orders (account_id int REFERENCES free_accounts, pin port_pin);
INSERT INTO free_accounts VALUES (1, '246801');
SELECT count(*) FROM port_pin_protect('free_accounts', forbid_delete => true, allow_unset => true);
SELECT count(*) FROM port_pin_gate('free_orders');
DELETE FROM free_accounts;
UPDATE free_accounts SET id = 2;
TRUNCATE free_accounts, free_orders;
INSERT INTO free_orders VALUES (1, NULL);
DROP TABLE free_orders, free_accounts;

SELECT id, account_id, pin FROM port_orders;
SELECT * FROM cleared ORDER BY 1, 2;

--
-- Part 3: forge a verdict
--
CREATE TABLE kept_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts,
    pin port_pin,
    in_scope boolean NOT NULL DEFAULT true,
    verdict port_pin_verdict
);
SELECT count(*) FROM port_pin_gate('kept_orders', verdict => 'verdict', scope => 'in_scope', redact => true);
-- 51. Bring it along; write it later; bring it from out of scope.
INSERT INTO kept_orders VALUES (1, 1, '999999', true, 'accepted');
INSERT INTO kept_orders VALUES (1, 1, '999999', true);
UPDATE kept_orders SET verdict = 'accepted' WHERE id = 1;
INSERT INTO kept_orders VALUES (2, 1, '999999', false, 'accepted');
INSERT INTO kept_orders VALUES (2, 1, '999999', false);
SELECT * FROM kept_orders ORDER BY id;
UPDATE kept_orders SET in_scope = true, verdict = 'accepted' WHERE id = 2;
-- 52. By COPY, MERGE, ON CONFLICT.
COPY kept_orders FROM STDIN;
3	1	999999	t	accepted
\.
COPY kept_orders FROM STDIN;
3	1	999999	t	\N
\.
INSERT INTO kept_orders VALUES (1, 1, '999999', true, 'accepted')
    ON CONFLICT (id) DO UPDATE SET verdict = 'accepted', pin = excluded.pin;
MERGE INTO kept_orders o USING (VALUES (2), (4)) AS s(id) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET verdict = 'accepted'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, '999999', true, 'accepted');
INSERT INTO kept_orders VALUES (1, 1, '999999', true)
    ON CONFLICT (id) DO UPDATE SET verdict = 'accepted', pin = excluded.pin;
MERGE INTO kept_orders o USING (VALUES (2), (4)) AS s(id) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET verdict = 'accepted'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, '999999', true);
-- 53. An accepted order that goes on to another account; one whose PIN is blanked.
INSERT INTO kept_orders VALUES (5, 1, '246801'), (6, 1, '246801');
UPDATE kept_orders SET account_id = 2 WHERE id = 5;
UPDATE kept_orders SET pin = NULL WHERE id = 6;
SELECT * FROM kept_orders ORDER BY id;
-- 54. Other people's triggers: one that fires after the gate, one that comes AFTER.
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        NEW.verdict := 'accepted';
        RETURN NEW;
    END IF;
    UPDATE kept_orders SET verdict = 'accepted' WHERE id = NEW.id AND verdict <> 'accepted';
    RETURN NULL;
END $$;
CREATE TRIGGER zzz_forge BEFORE INSERT ON kept_orders FOR EACH ROW EXECUTE FUNCTION forge();
INSERT INTO kept_orders VALUES (7, 1, '999999');
DROP TRIGGER zzz_forge ON kept_orders;
CREATE TRIGGER a_forge BEFORE INSERT ON kept_orders FOR EACH ROW EXECUTE FUNCTION forge();
INSERT INTO kept_orders VALUES (7, 1, '999999');
DROP TRIGGER a_forge ON kept_orders;
CREATE TRIGGER forge AFTER INSERT ON kept_orders FOR EACH ROW EXECUTE FUNCTION forge();
INSERT INTO kept_orders VALUES (8, 1, '999999');
DROP TRIGGER forge ON kept_orders;
SELECT * FROM kept_orders WHERE id > 6 ORDER BY id;
DROP TABLE kept_orders;

--
-- Part 4: NOT STOPPED
--
-- 55. NOT STOPPED: a role that may change an account's PIN can port it, and set the
-- old PIN again.  Grant UPDATE on the PIN to few roles, and record who uses it.
BEGIN;
UPDATE accounts SET pin = '999999' WHERE id = 2;
INSERT INTO port_orders VALUES (55, 2, '999999');
UPDATE accounts SET pin = '135790' WHERE id = 2;
ROLLBACK;
-- 56. NOT STOPPED: DELETE and INSERT make an account anew, without a PIN; so does
-- another key.  port_pin_protect(..., forbid_delete => true) stops both.
BEGIN;
DELETE FROM accounts WHERE id = 2;
INSERT INTO accounts VALUES (2, NULL);
SELECT * FROM cleared ORDER BY 1, 2;
-- But no order gets in that way.
SAVEPOINT s;
INSERT INTO port_orders VALUES (56, 2, NULL);
ROLLBACK TO s;
INSERT INTO accounts VALUES (4, '246804');
UPDATE accounts SET id = 5 WHERE id = 4;
INSERT INTO accounts VALUES (4, NULL);
ROLLBACK;
-- 57. NOT STOPPED: TRUNCATE, likewise.
BEGIN;
TRUNCATE accounts, port_orders;
INSERT INTO accounts VALUES (1, NULL);
SELECT * FROM cleared ORDER BY 1, 2;
ROLLBACK;
-- 58. NOT STOPPED: an UPDATE of keys gives one account's orders to another, where the
-- orders don't follow by ON UPDATE CASCADE.  forbid_delete stops it.
BEGIN;
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey,
    ADD CONSTRAINT port_orders_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts
    DEFERRABLE INITIALLY DEFERRED;
UPDATE accounts SET id = 99 WHERE id = 2;
UPDATE accounts SET id = 2 WHERE id = 1;
UPDATE accounts SET id = 1 WHERE id = 99;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT o.id, o.account_id, a.pin AS account_pin FROM port_orders o JOIN accounts a ON a.id = o.account_id;
ROLLBACK;
-- 59. NOT STOPPED: a number that is only text.  The order names the thief's account
-- and the victim's number.  Let the order reference the number.
BEGIN;
INSERT INTO accounts VALUES (6, '666666');
INSERT INTO port_orders VALUES (59, 6, '666666', true, 'please port 555-0100');
SELECT id, account_id, note FROM port_orders WHERE id = 59;
ROLLBACK;
-- 60. NOT STOPPED: the order was let in before the PIN changed.
BEGIN;
INSERT INTO port_orders VALUES (60, 1, '246801');
UPDATE accounts SET pin = '246802' WHERE id = 1;
SELECT count(*) FROM port_orders WHERE id = 60;
ROLLBACK;
-- From here on: what the owner of the tables can do.
-- 61. NOT STOPPED: a guard that is disabled or dropped.
BEGIN;
ALTER TABLE accounts DISABLE TRIGGER port_pin_protect;
UPDATE accounts SET pin = NULL;
DROP TRIGGER _port_pin_gate ON port_orders;
INSERT INTO port_orders VALUES (61, 1, '999999');
ROLLBACK;
-- 62. NOT STOPPED: a column that is dropped and created anew.  The guard goes with
-- it, but only by CASCADE, and the gate stays shut.
ALTER TABLE accounts DROP pin;
BEGIN;
ALTER TABLE accounts DROP pin CASCADE;
ALTER TABLE accounts ADD pin port_pin;
SELECT pin IS NULL AS cleared FROM accounts WHERE id = 1;
INSERT INTO port_orders VALUES (62, 1, '246801');
ROLLBACK;
-- 63. NOT STOPPED: another key in place of the one that the gate follows, to
-- accounts that have a guard as well.
BEGIN;
CREATE TABLE my_accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO my_accounts VALUES (1, '999999');
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey;
ALTER TABLE port_orders ADD FOREIGN KEY (account_id) REFERENCES my_accounts;
SAVEPOINT s;
INSERT INTO port_orders VALUES (63, 1, '999999');
ROLLBACK TO s;
SELECT count(*) FROM port_pin_protect('my_accounts');
INSERT INTO port_orders VALUES (63, 1, '999999');
ROLLBACK;
-- 64. NOT STOPPED: ATTACH judges no order that is already there.
BEGIN;
ALTER TABLE regional_orders DETACH PARTITION regional_orders_2;
-- Detached, it has no gate.
INSERT INTO regional_orders_2 VALUES (64, 'west', 1, '999999');
ALTER TABLE regional_orders ATTACH PARTITION regional_orders_2 DEFAULT;
SELECT * FROM regional_orders WHERE id = 64;
ROLLBACK;
-- 65. NOT STOPPED: DETACH, clear, ATTACH.
BEGIN;
ALTER TABLE regional DETACH PARTITION regional_west;
UPDATE regional_west SET pin = NULL;
ALTER TABLE regional ATTACH PARTITION regional_west FOR VALUES IN ('west');
SELECT * FROM cleared ORDER BY 1, 2;
ROLLBACK;
-- 66. NOT STOPPED: an inheritance child made later.  The installers refuse tables
-- that have one.
BEGIN;
CREATE TABLE odd_accounts () INHERITS (accounts);
INSERT INTO odd_accounts VALUES (7, '246807');
UPDATE accounts SET pin = NULL WHERE id = 7;
CREATE TABLE odd_orders () INHERITS (port_orders);
INSERT INTO odd_orders VALUES (66, 1, '999999');
SELECT id FROM port_orders WHERE id = 66;
ROLLBACK;
-- 67. NOT STOPPED: a guard with a condition, made by hand, or half a guard.
BEGIN;
DROP TRIGGER _port_pin_gate_update ON port_orders;
UPDATE port_orders SET account_id = 2;
DROP TRIGGER port_pin_protect ON accounts;
CREATE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW WHEN (NEW.id > 10)
    EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
UPDATE accounts SET pin = NULL;
ROLLBACK;
-- 68. NOT STOPPED: a rule that leads orders to another table.
BEGIN;
CREATE TABLE side_door (LIKE port_orders);
CREATE RULE side_door AS ON INSERT TO port_orders DO INSTEAD INSERT INTO side_door VALUES (NEW.*);
INSERT INTO port_orders VALUES (68, 1, '999999');
SELECT id FROM side_door;
ROLLBACK;
-- 69. NOT STOPPED: a trigger of a role with the TRIGGER privilege sees the PINs
-- that orders bring.
BEGIN;
CREATE FUNCTION listen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', NEW.pin; RETURN NEW; END $$;
CREATE TRIGGER listen BEFORE INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION listen();
INSERT INTO port_orders VALUES (69, 1, '246801');
ROLLBACK;
-- And what a superuser can do.
-- 70. NOT STOPPED: triggers that fire nowhere.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE accounts SET pin = NULL;
INSERT INTO port_orders VALUES (70, 99, '999999');
ROLLBACK;
-- 71. NOT STOPPED: another meaning for the domain.
BEGIN;
ALTER DOMAIN port_pin DROP CONSTRAINT port_pin_is_6_to_10_digits;
UPDATE accounts SET pin = '' WHERE id = 2;
UPDATE accounts SET pin = '1' WHERE id = 1;
-- But a stored value that is no PIN matches nothing, not even itself.
INSERT INTO port_orders VALUES (71, 1, '1');
ROLLBACK;

--
-- Part 5: what the accounts' guards say
--
CREATE TABLE owners (
    id int PRIMARY KEY, pin port_pin,
    is_us boolean NOT NULL DEFAULT true, frozen boolean, frozen_until timestamptz
);
CREATE TABLE numbers (e164 text PRIMARY KEY, owner_id int NOT NULL REFERENCES owners, pin port_pin, frozen boolean);
CREATE TABLE line_orders (
    id int PRIMARY KEY, number text NOT NULL REFERENCES numbers, pin port_pin,
    is_us boolean, frozen boolean, verdict port_pin_verdict
);
SELECT count(*) FROM port_pin_protect('owners', scope => 'is_us', lock => 'frozen', lock_until => 'frozen_until');
SELECT count(*) FROM port_pin_protect('numbers', lock => 'frozen', clearable => true);
SELECT count(*) FROM port_pin_gate('line_orders', via => 'owner_id');
INSERT INTO owners VALUES (1, '246801', true, false), (2, '135790', false, false), (3, '975310', false, true), (4, NULL, true, false);
INSERT INTO numbers VALUES ('us', 1, NULL), ('us, own PIN', 1, '111222'), ('abroad', 2, NULL), ('abroad, locked', 3, NULL), ('no PIN', 4, NULL);
-- 72. Out of scope by columns of the order that are named like the account's.
INSERT INTO line_orders VALUES (1, 'us', NULL, false, false);
INSERT INTO line_orders VALUES (1, 'no PIN', NULL, false, false);
-- 73. In for an account that is out of scope, then on to one that is not.
INSERT INTO line_orders VALUES (1, 'abroad', '999999');
UPDATE line_orders SET number = 'us';
UPDATE line_orders SET number = 'us', pin = '135790';
INSERT INTO line_orders VALUES (1, 'abroad', NULL) ON CONFLICT (id) DO UPDATE SET number = 'us';
MERGE INTO line_orders o USING (VALUES (1)) AS s(id) ON o.id = s.id WHEN MATCHED THEN UPDATE SET number = 'us';
-- 74. One account's scope for another account's order: two orders in a statement.
INSERT INTO line_orders VALUES (2, 'abroad', NULL), (3, 'us', NULL);
-- 75. A lock holds out of scope as well.
INSERT INTO line_orders VALUES (2, 'abroad, locked', '975310');
UPDATE line_orders SET number = 'abroad, locked';
-- 76. By taking back the number's own PIN: the account's counts then.
BEGIN;
UPDATE numbers SET pin = NULL WHERE e164 = 'us, own PIN';
SAVEPOINT s;
INSERT INTO line_orders VALUES (2, 'us, own PIN', '111222');
ROLLBACK TO s;
INSERT INTO line_orders VALUES (2, 'us, own PIN', NULL);
ROLLBACK;
-- 77. With the account's PIN, past a PIN of the number that has no guard yet.
BEGIN;
ALTER TABLE numbers ADD transfer_pin port_pin DEFAULT '333444';
INSERT INTO line_orders VALUES (2, 'us', '246801');
ROLLBACK;
-- 78. With a guard that is lost: of the number's lock, of the account's PIN.
BEGIN;
DROP TRIGGER port_pin_protect ON numbers;
INSERT INTO line_orders VALUES (2, 'us', '246801');
ROLLBACK;
BEGIN;
DROP TRIGGER port_pin_protect ON owners;
INSERT INTO line_orders VALUES (2, 'us', '246801');
ROLLBACK;
SELECT port_pin_unprotect('numbers');
SELECT port_pin_unprotect('owners');
-- 79. With a second guard for the same PIN, which says less.
BEGIN;
CREATE TRIGGER says_less AFTER UPDATE ON owners FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
INSERT INTO line_orders VALUES (2, 'us', '246801');
ROLLBACK;
-- 80. With a guard that is disabled: it still says what it said, and a locked account
-- stays locked.
BEGIN;
ALTER TABLE owners DISABLE TRIGGER port_pin_protect;
UPDATE owners SET frozen = true WHERE id = 1;
INSERT INTO line_orders VALUES (2, 'us', '246801');
ROLLBACK;
-- 81. An order that was stored out of scope gets no verdict later.
SELECT count(*) FROM port_pin_gate('line_orders', via => 'owner_id', verdict => 'verdict', replace => true);
INSERT INTO line_orders VALUES (2, 'abroad', '999999', NULL, NULL, 'accepted');
INSERT INTO line_orders VALUES (2, 'abroad', '999999');
UPDATE line_orders SET verdict = 'accepted';
SELECT id, number, verdict FROM line_orders ORDER BY id;
-- 82. NOT STOPPED: a role that may write the account's own columns says who is in
-- scope and who is locked.  Grant UPDATE on them to few roles.
BEGIN;
UPDATE owners SET is_us = false WHERE id = 1;
INSERT INTO line_orders VALUES (82, 'us', NULL) RETURNING verdict;
ROLLBACK;
-- 83. NOT STOPPED: what counts is the scope of the moment.  An order that was stored
-- while its account was out of scope stays when the account comes into it; it has
-- no verdict, and gets one only when a PIN or a number is supplied again.
BEGIN;
UPDATE owners SET is_us = true WHERE id = 2;
UPDATE line_orders SET verdict = 'accepted' WHERE id = 2;
SELECT id, number, verdict FROM line_orders WHERE id = 2;
UPDATE line_orders SET pin = '135791' WHERE id = 2 RETURNING verdict;
ROLLBACK;
DROP TABLE line_orders, numbers, owners;

-- After all this, each PIN and each order is what it was.
SELECT * FROM cleared ORDER BY 1, 2;
SELECT * FROM accounts ORDER BY id;
SELECT id, account_id, pin FROM port_orders;

SET client_min_messages = warning;
DROP SCHEMA bypass CASCADE;
