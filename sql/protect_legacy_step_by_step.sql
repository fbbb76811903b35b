-- Promise: a legacy table can be brought under guard as it is, and put right step
-- by step.  First a report, then recipes for what is in it, then the guard with a
-- format check for everything new, then the proof that everything old is right.
CREATE SCHEMA legacy_migration;
SET search_path = legacy_migration, public;

--
-- text and varchar: '' and blanks, and what was never a PIN
--
CREATE TABLE customers (id int PRIMARY KEY, pin varchar(20) DEFAULT '', phone text);
INSERT INTO customers (id, pin) VALUES
    (1, '012345'), (2, ''), (3, NULL), (4, '   '), (5, E'\t'), (6, ' 123456 '), (7, '12-34-56'),
    (8, '1234'), (9, '12345678901'), (10, 'none'), (11, '#123456'), (12, '0123456789');

-- The report.  It shows no PIN, so it can be mailed.
SELECT port_pin_problem(pin) AS problem, count(*) FROM customers GROUP BY 1 ORDER BY 2 DESC, 1;
-- Which rows, for those who are allowed to see them.
SELECT id, port_pin_problem(pin) FROM customers
    WHERE port_pin_problem(pin) <> 'blank' ORDER BY id;

-- Guard first: from now on nothing gets worse.  Blanks go on meaning blank.
SELECT * FROM port_pin_protect('customers', pin => 'pin', check_format => true);
INSERT INTO customers VALUES (13, '4711');
INSERT INTO customers VALUES (13, '');
INSERT INTO customers VALUES (14, '471147');
COPY customers FROM STDIN;
15	98765	x
\.
UPDATE customers SET pin = '47114711' WHERE id = 13;
UPDATE customers SET pin = ' ' WHERE id = 14;
-- An UPDATE of other columns meets the check as well, so old rows must be put right
-- before the application writes to them.  The row is not shown.
UPDATE customers SET phone = '555-0108' WHERE id = 8;
ALTER TABLE customers VALIDATE CONSTRAINT port_pin_format;

-- Put right: what is a PIN between blanks or dashes, if the business says so ...
UPDATE customers SET pin = regexp_replace(pin, '[ -]', '', 'g')
    WHERE port_pin_problem(pin) = 'not digits'
      AND port_pin_problem(regexp_replace(pin, '[ -]', '', 'g')) IS NULL;
-- ... and for the rest there is no way but to ask the customer.  Clearing what was no
-- PIN takes the owner, since the guard can't tell it from one.
UPDATE customers SET pin = '' WHERE port_pin_problem(pin) <> 'blank';
BEGIN;
ALTER TABLE customers DISABLE TRIGGER port_pin_protect;
UPDATE customers SET pin = NULL WHERE port_pin_problem(pin) IS NOT NULL;
ALTER TABLE customers ENABLE TRIGGER port_pin_protect;
COMMIT;
ALTER TABLE customers VALIDATE CONSTRAINT port_pin_format;
SELECT port_pin_problem(pin) AS problem, count(*) FROM customers GROUP BY 1 ORDER BY 2 DESC, 1;
SELECT conname, pg_get_constraintdef(oid) AS definition, convalidated FROM pg_constraint
    WHERE conrelid = 'customers'::regclass AND contype = 'c';
-- Once only, and it says so.
SELECT port_pin_protect('customers', pin => 'pin', check_format => true);
-- Replacing the guard leaves an identical CHECK alone, so it stays validated.
SELECT * FROM port_pin_protect('customers', pin => 'pin', check_format => true, replace => true);
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'customers'::regclass AND contype = 'c';

-- A CHECK with a name of its own is as good, and the hint has that name.
CREATE TABLE renamed (id int PRIMARY KEY, pin text);
INSERT INTO renamed VALUES (1, '4711');
ALTER TABLE renamed ADD CONSTRAINT "By hand" CHECK (port_pin_check_format(pin)) NOT VALID;
SELECT count(*) FROM port_pin_protect('renamed', pin => 'pin', check_format => true);

-- A small table can now have the type.  The check is part of that then.
BEGIN;
SELECT port_pin_unprotect('customers');
ALTER TABLE customers ALTER pin DROP DEFAULT, ALTER pin TYPE port_pin;
SAVEPOINT typed;
SELECT port_pin_protect('customers', check_format => true);
ROLLBACK TO typed;
SELECT count(*) FROM port_pin_protect('customers');
COMMIT;
SELECT id, pin FROM customers WHERE pin IS NOT NULL ORDER BY id;

-- A role that may not alter the table may not add a check to it, either.
CREATE TABLE others (id int, pin text);
CREATE ROLE regress_legacy;
GRANT USAGE ON SCHEMA legacy_migration TO regress_legacy;
GRANT TRIGGER ON others TO regress_legacy;
GRANT EXECUTE ON FUNCTION port_pin_protect, port_pin_protect_trigger TO regress_legacy;
SET ROLE regress_legacy;
SELECT port_pin_protect('others', pin => 'pin', check_format => true);
RESET ROLE;
-- The check is for everyone who writes.
SELECT count(*) FROM port_pin_protect('others', pin => 'pin', check_format => true);
GRANT INSERT ON others TO regress_legacy;
SET ROLE regress_legacy;
INSERT INTO legacy_migration.others VALUES (1, '123456');
INSERT INTO legacy_migration.others VALUES (1, '12345');
RESET ROLE;

-- A second PIN on the table has a check of its own.
ALTER TABLE others ADD "2nd" text;
SELECT statement FROM port_pin_protect('others', pin => '2nd', check_format => true) AS statement OFFSET 1;

-- On a partitioned table each partition has it, later ones too.
CREATE TABLE "Parted" (id int, "PIN?" text) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF "Parted" FOR VALUES IN (1);
SELECT * FROM port_pin_protect('"Parted"', pin => 'PIN?', check_format => true);
CREATE TABLE parted_2 PARTITION OF "Parted" FOR VALUES IN (2);
INSERT INTO parted_1 VALUES (1, 'x');
INSERT INTO "Parted" VALUES (2, 'x');
INSERT INTO "Parted" VALUES (2, '');

-- The function by itself, for a CHECK of your own.
SELECT p, port_pin_check_format(p) FROM unnest(ARRAY['123456', '', '  ', E'\n', NULL]) p;
SELECT port_pin_check_format('12345');
SELECT port_pin_check_format('12345678901');
SELECT port_pin_check_format('-123456');
SELECT port_pin_check_format(repeat('1', 1000000));
SELECT port_pin_check_format(repeat(' ', 1000000));

--
-- char(n) pads, so a guard would see another PIN than the one that was set
--
CREATE TABLE padded (id int, pin char(10));
INSERT INTO padded VALUES (1, '012345'), (2, ''), (3, NULL), (4, '0123456789'), (5, '12 456');
SELECT port_pin_protect('padded', pin => 'pin');
-- As text it loses all of the padding; blanks within stay and are reported.
SELECT port_pin_problem(pin) AS problem, count(*) FROM padded GROUP BY 1 ORDER BY 2 DESC, 1;
ALTER TABLE padded ALTER pin TYPE text;
SELECT id, quote_nullable(pin) AS pin, port_pin_problem(pin) FROM padded ORDER BY id;
SELECT count(*) FROM port_pin_protect('padded', pin => 'pin', check_format => true);

--
-- Numbers have lost their leading zeros
--
CREATE TABLE numeric_pins (id int, pin int, pin_digits int);
INSERT INTO numeric_pins VALUES (1, 123456, 6), (2, 12345, 6), (3, 4711, 8), (4, NULL, NULL), (5, 0, 0);
SELECT port_pin_protect('numeric_pins', pin => 'pin');
-- With the number of digits on record they can be restored.
SELECT id, lpad(pin::text, pin_digits, '0') AS pin, port_pin_problem(lpad(pin::text, pin_digits, '0'))
    FROM numeric_pins ORDER BY id;
-- Without one, 12345 may have been 012345 or 0012345: nobody knows, so what is too
-- short is blank from now on, and the customer is asked for a new PIN.
SELECT port_pin_problem(pin::text) AS problem, count(*) FROM numeric_pins GROUP BY 1 ORDER BY 1;
ALTER TABLE numeric_pins ALTER pin TYPE port_pin
    USING CASE WHEN port_pin_problem(lpad(pin::text, pin_digits, '0')) IS NULL
               THEN lpad(pin::text, pin_digits, '0') END;
SELECT id, pin FROM numeric_pins ORDER BY id;

--
-- jsonb: a PIN in a document, or in two places of it
--
CREATE TABLE documents (id int PRIMARY KEY, doc jsonb);
INSERT INTO documents VALUES
    (1, '{"pin": "012345", "name": "Contoso"}'), (2, '{"pin": 12345}'), (3, '{"pin": ""}'), (4, '{}'),
    (5, '{"pin": "012345", "port": {"pin": "543210"}}'), (6, '{"pin": null, "port": {"pin": "246801"}}');
-- What is there, and where two places say different things.
SELECT id, jsonb_typeof(doc->'pin') AS type, port_pin_problem(doc->>'pin') AS problem,
    port_pin_problem(doc #>> '{port,pin}') AS problem_2,
    doc->>'pin' <> doc #>> '{port,pin}' AS two_pins
    FROM documents ORDER BY id;
-- The column becomes the only place.  The document loses its copies, or an application
-- would go on reading, and leaking, what nobody maintains any more.
ALTER TABLE documents ADD pin port_pin;
UPDATE documents SET
    pin = CASE WHEN port_pin_problem(doc #>> '{port,pin}') IS NULL THEN doc #>> '{port,pin}'
               WHEN jsonb_typeof(doc->'pin') = 'string' AND port_pin_problem(doc->>'pin') IS NULL
               THEN doc->>'pin' END,
    doc = (doc - 'pin') #- '{port,pin}';
SELECT count(*) FROM port_pin_protect('documents');
ALTER TABLE documents ADD CONSTRAINT no_pin_in_doc CHECK (NOT jsonb_path_exists(doc, '$.**.pin'));
SELECT * FROM documents ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA legacy_migration CASCADE;
REVOKE EXECUTE ON FUNCTION port_pin_protect, port_pin_protect_trigger FROM regress_legacy;
DROP ROLE regress_legacy;
