-- Promise: where the guard is told to check, a new port PIN is neither one that guessers
-- try first nor one that follows from what others know about the account.
--
-- forbid_weak refuses the first, unlike => 'columns' the second: 23514, in words that
-- show neither the PIN nor the row, as a CHECK's own would.  They apply to new PINs
-- only: to one that is set, or changed to other digits.
CREATE SCHEMA guess;
SET search_path = guess, public;

CREATE TABLE accounts (id int PRIMARY KEY, phone text, zip int, account_no text, pin port_pin, note text);
INSERT INTO accounts VALUES (1, '+1 (202) 555-0181', 98052, 'MS-0042-1177', '123456', 'weak, from before'),
	(2, '+1 (202) 555-0182', NULL, NULL, '550182', 'in the phone number, from before'), (3, NULL, 7, '12', NULL, 'blank');
SELECT port_pin_protect('accounts', unlike => 'phone, zip, account_no', forbid_weak => true);
SELECT definition, problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;

-- What a row has already stays good, even where it is written again.
UPDATE accounts SET pin = '123456', note = 'written again' WHERE id = 1;
UPDATE accounts SET phone = phone || ' x', pin = pin WHERE id = 2;
INSERT INTO accounts VALUES (1, NULL, NULL, NULL, '123456') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;

-- New ones are checked: on INSERT and UPDATE, upserts and COPY.
DO $$
DECLARE t text; c text; guess text;
BEGIN
	FOREACH guess IN ARRAY '{654321,550181}'::text[] LOOP
		BEGIN
			UPDATE guess.accounts SET pin = guess WHERE id = 1;
		EXCEPTION WHEN check_violation THEN
			GET STACKED DIAGNOSTICS t = TABLE_NAME, c = COLUMN_NAME;
			RAISE NOTICE '% (table %, column %)', SQLERRM, t, c;
		END;
	END LOOP;
END $$;
UPDATE accounts SET pin = '8098052' WHERE id = 1;
UPDATE accounts SET pin = '421177' WHERE id = 1;
UPDATE accounts SET pin = '112233' WHERE id = 3;
INSERT INTO accounts VALUES (4, '202-555-0184', NULL, NULL, '5550184');
INSERT INTO accounts VALUES (4, '202-555-0184', NULL, NULL, '111111');
INSERT INTO accounts VALUES (1) ON CONFLICT (id) DO UPDATE SET pin = '111111';
COPY accounts (id, phone, pin) FROM stdin;
4	202-555-0184	550184
\.
-- Fewer than four digits are in many PINs by chance.
UPDATE accounts SET pin = '712859' WHERE id = 3;
INSERT INTO accounts VALUES (4, '202-555-0184', NULL, NULL, NULL), (5, '202-555-0185', 10001, 'none', '730461');
SELECT id, pin, note FROM accounts ORDER BY id;

-- What counts is the row that is stored: other people's triggers can't get around it.
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.phone := '202-555-0189';
	NEW.pin := CASE WHEN NEW.note = 'weak' THEN '000000' ELSE NEW.pin END;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_fill BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION fill();
UPDATE accounts SET pin = '550189' WHERE id = 5;
UPDATE accounts SET note = 'weak' WHERE id = 5;
INSERT INTO accounts VALUES (6, NULL, NULL, NULL, NULL, 'weak');
DROP TRIGGER zzz_fill ON accounts;

-- Each option by itself; without them nothing more fires than before.
SELECT count(*) FROM port_pin_protect('accounts', unlike => 'phone', replace => true);
UPDATE accounts SET pin = '000000' WHERE id = 5;
SELECT count(*) FROM port_pin_protect('accounts', forbid_weak => true, replace => true);
UPDATE accounts SET pin = '550189' WHERE id = 5;
SELECT * FROM port_pin_protect('accounts', replace => true);
UPDATE accounts SET pin = '000000' WHERE id = 5;
SELECT count(*) FROM port_pin_unprotect('accounts');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'accounts'::regclass AND NOT tgisinternal;

--
-- Legacy text.  It is the CHECK's job to refuse what is no PIN.
--
CREATE TABLE legacy (id int PRIMARY KEY, phone numeric, pin text);
SELECT count(*) FROM port_pin_protect('legacy', pin => 'pin', unlike => 'phone', forbid_weak => true, clearable => true);
INSERT INTO legacy VALUES (1, 12025550181, ''), (2, NULL, '12345'), (3, NULL, 'on request');
UPDATE legacy SET pin = '123123' WHERE id = 1;
UPDATE legacy SET pin = '255501' WHERE id = 1;
UPDATE legacy SET pin = '730461' WHERE id = 1;
UPDATE legacy SET pin = ' ';
UPDATE legacy SET pin = '730461', phone = 73046 WHERE id = 1;

--
-- A PIN that moves to another partition is not new there
--
CREATE TABLE moving (region text, id int, phone text, pin port_pin) PARTITION BY LIST (region);
CREATE TABLE moving_east PARTITION OF moving FOR VALUES IN ('east');
CREATE TABLE moving_west (pin port_pin, junk int, phone text, id int, region text);
ALTER TABLE moving_west DROP junk;
ALTER TABLE moving ATTACH PARTITION moving_west FOR VALUES IN ('west');
INSERT INTO moving VALUES ('east', 1, '555-0181', '550181'), ('east', 2, '555-0182', '123456');
SELECT count(*) FROM port_pin_protect('moving', unlike => 'phone', forbid_weak => true);
UPDATE moving SET region = 'west';
UPDATE moving SET region = 'east', pin = '5550182' WHERE id = 2;
UPDATE moving SET region = 'east', pin = '654321' WHERE id = 1;
UPDATE moving SET region = 'east', pin = '730461' WHERE id = 1;
SELECT tableoid::regclass, id, pin FROM moving ORDER BY id;

-- A date reads the same in every session: as year, month and day.
CREATE TABLE born (id int PRIMARY KEY, pin port_pin, born date);
SELECT count(*) FROM port_pin_protect('born', unlike => 'born');
INSERT INTO born VALUES (1, '19850312', '1985-03-12');
SET DateStyle = 'German, DMY';
INSERT INTO born VALUES (1, '19850312', '12.03.1985');
RESET DateStyle;

--
-- What is refused at install
--
CREATE TABLE wrong (id int PRIMARY KEY, pin port_pin, frozen boolean, phone text);
SELECT port_pin_protect('wrong', unlike => 'fone');
SELECT port_pin_protect('wrong', unlike => 'phone, pin');
ALTER TABLE wrong ADD other port_pin;
SELECT port_pin_protect('wrong', pin => 'pin', unlike => 'other');
ALTER TABLE wrong DROP other;
ALTER TABLE wrong DROP pin;
SELECT port_pin_protect('wrong', lock => 'frozen', forbid_weak => true);
SELECT port_pin_protect('wrong', lock => 'frozen', unlike => 'phone');
