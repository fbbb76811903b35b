-- Legacy columns: a PIN in a text or varchar column, named with pin=.  There NULL,
-- '' and white space all mean "no PIN", and none of them can take the place of one.
CREATE SCHEMA legacy;
SET search_path = legacy, public;

-- A billing system's table: '' is its default, and nobody checked what came in.
CREATE TABLE customer (
	custno varchar(12) PRIMARY KEY,
	name text NOT NULL,
	port_pin varchar(64) NOT NULL DEFAULT ''
);
INSERT INTO customer VALUES ('A-1', 'Contoso', '004211'), ('A-2', 'Fabrikam', ''),
	('A-3', 'Litware', '   '), ('A-4', 'Northwind', '4211'), ('A-5', 'Proseware', 'N/A'),
	('A-6', 'Tailspin', '12-34-56'), ('A-7', 'Wingtip', '123456789012'), ('A-8', 'Adatum', E'\t');

-- What is there, before anything is decided
SELECT port_pin_problem(port_pin), count(*) FROM customer GROUP BY 1 ORDER BY 1;

-- The guard does not know which column: legacy ones must be named.
SELECT port_pin_protect('customer');
SELECT port_pin_protect('customer', 'port_pin');

--
-- The vendor's sync job writes '' over everything that its own system does not know
--
UPDATE customer SET name = name, port_pin = '';
UPDATE customer SET name = 'Contoso Ltd.', port_pin = '' WHERE custno = 'A-1';
INSERT INTO customer VALUES ('A-1', 'Contoso Ltd.') ON CONFLICT (custno)
	DO UPDATE SET name = EXCLUDED.name, port_pin = EXCLUDED.port_pin;
-- The same job, mended: it leaves alone what it does not know.
INSERT INTO customer VALUES ('A-1', 'Contoso Ltd.') ON CONFLICT (custno)
	DO UPDATE SET name = EXCLUDED.name,
		port_pin = coalesce(nullif(EXCLUDED.port_pin, ''), customer.port_pin);
SELECT * FROM customer WHERE custno = 'A-1';

\set VERBOSITY sqlstate
-- Every spelling of blank, over a PIN
UPDATE customer SET port_pin = ' ' WHERE custno = 'A-1';
UPDATE customer SET port_pin = repeat(' ', 64) WHERE custno = 'A-1';
UPDATE customer SET port_pin = E'\t' WHERE custno = 'A-1';
UPDATE customer SET port_pin = E' \r\n\x0b\f' WHERE custno = 'A-1';
UPDATE customer SET port_pin = DEFAULT WHERE custno = 'A-1';
UPDATE customer SET port_pin = '      '::char(6) WHERE custno = 'A-1';
UPDATE customer SET port_pin = trim(port_pin, '0123456789') WHERE custno = 'A-1';
-- NULL is refused before the guard is asked, and where it is allowed, by the guard.
UPDATE customer SET port_pin = NULL WHERE custno = 'A-1';
ALTER TABLE customer ALTER COLUMN port_pin DROP NOT NULL;
UPDATE customer SET port_pin = NULL WHERE custno = 'A-1';

-- Replacing one kind of blank by another loses nothing.
UPDATE customer SET port_pin = NULL WHERE custno = 'A-2';
UPDATE customer SET port_pin = '' WHERE custno IN ('A-2', 'A-3', 'A-8');
UPDATE customer SET port_pin = '  ' WHERE custno IN ('A-2', 'A-3', 'A-8');
-- A PIN can be set and changed.
UPDATE customer SET port_pin = '022222' WHERE custno = 'A-2';
UPDATE customer SET port_pin = '0222229999' WHERE custno = 'A-2';
UPDATE customer SET port_pin = port_pin WHERE custno = 'A-2';
UPDATE customer SET port_pin = '' WHERE custno = 'A-2';

--
-- What is malformed is not blank: it was somebody's PIN once.  It can be mended or
-- replaced, but not lost.
--
UPDATE customer SET port_pin = '' WHERE custno = 'A-4';
UPDATE customer SET port_pin = NULL WHERE custno = 'A-5';
UPDATE customer SET port_pin = '004211' WHERE custno = 'A-4';
UPDATE customer SET port_pin = replace(port_pin, '-', '') WHERE custno = 'A-6';
-- The guard does not require a valid one: that is the job of the domain or a CHECK.
UPDATE customer SET port_pin = 'none' WHERE custno = 'A-7';
UPDATE customer SET port_pin = '' WHERE custno = 'A-7';
-- Blanks that are not ASCII are characters like others; no order matches them.
UPDATE customer SET port_pin = U&'\00A0' WHERE custno = 'A-7';
SELECT port_pin_check(port_pin, U&'\00A0'), port_pin_problem(port_pin) FROM customer WHERE custno = 'A-7';
UPDATE customer SET port_pin = '' WHERE custno = 'A-7';
\set VERBOSITY default
SELECT custno, port_pin, port_pin_problem(port_pin) FROM customer ORDER BY custno;

--
-- Once its data is mended, the column becomes a port_pin, and blank is NULL.  The guard
-- is in the way of the new type, so it is removed and installed again.
--
\set VERBOSITY terse
ALTER TABLE customer ALTER COLUMN port_pin DROP DEFAULT,
	ALTER COLUMN port_pin TYPE port_pin USING nullif(trim(port_pin), '');
\set VERBOSITY default
BEGIN;
SELECT port_pin_unprotect('customer');
UPDATE customer SET port_pin = NULL WHERE port_pin_problem(port_pin) IS NOT NULL;
ALTER TABLE customer ALTER COLUMN port_pin DROP DEFAULT,
	ALTER COLUMN port_pin TYPE port_pin USING nullif(trim(port_pin), '');
SELECT port_pin_protect('customer');
COMMIT;
UPDATE customer SET port_pin = NULL WHERE custno = 'A-1';
\set VERBOSITY sqlstate
UPDATE customer SET port_pin = '' WHERE custno = 'A-1';
\set VERBOSITY default
SELECT custno, port_pin FROM customer ORDER BY custno;

--
-- Quoted names, dropped columns, a domain of your own over varchar
--
CREATE DOMAIN "Code" AS varchar(32);
CREATE TABLE "Kunde" ("weg" int, "Nr" int, "weg 2" text, "Port, ""PIN""" "Code", "user" text);
ALTER TABLE "Kunde" DROP COLUMN "weg", DROP COLUMN "weg 2";
SELECT port_pin_protect('"Kunde"', '"Port, ""PIN"""');
INSERT INTO "Kunde" VALUES (1, '004211', 'x'), (2, '', 'y');
UPDATE "Kunde" SET "Port, ""PIN""" = ' ';
UPDATE "Kunde" SET "user" = 'z';
SELECT * FROM "Kunde" ORDER BY 1;
SELECT port_pin_unprotect('"Kunde"', '"Port, ""PIN"""');
-- A reserved word needs its quotes in a trigger's argument as in SQL, and none here.
SELECT port_pin_protect('"Kunde"', 'user');
UPDATE "Kunde" SET "user" = '' WHERE "Nr" = 2;

--
-- A megabyte of blanks is blank, and a megabyte of digits is not, wherever stored
--
CREATE TABLE big (id int PRIMARY KEY, pin text, note text);
ALTER TABLE big ALTER COLUMN pin SET STORAGE EXTERNAL;
SELECT port_pin_protect('big', 'pin');
INSERT INTO big VALUES (1, repeat(' ', 1000000)), (2, repeat('7', 1000000)), (3, '004211');
UPDATE big SET note = 'not fetched, not changed';
UPDATE big SET pin = '' WHERE id = 1;
\set VERBOSITY sqlstate
UPDATE big SET pin = '' WHERE id = 2;
UPDATE big SET pin = repeat(' ', 1000000) WHERE id = 2;
UPDATE big SET pin = repeat(' ', 1000000) WHERE id = 3;
UPDATE big SET pin = '' || pin WHERE id = 2;
ALTER TABLE big ALTER COLUMN pin SET STORAGE MAIN;
UPDATE big SET pin = repeat(' ', 100000) || E'\n' WHERE id = 3;
UPDATE big SET pin = repeat(' ', 100000) || '1' WHERE id = 3;
UPDATE big SET pin = repeat(' ', 100000) WHERE id = 3;
\set VERBOSITY default
SELECT id, length(pin) FROM big ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA legacy CASCADE;
