-- port_pin_check compares a supplied PIN with a stored one.  Only the same valid PIN on
-- both sides is accepted; whatever is in doubt is not.
CREATE SCHEMA desk;
SET search_path = desk, public;

-- The four verdicts that two PINs can have; a gate knows the others as well.
SELECT port_pin_check('004211', '004211') AS same,
	port_pin_check('004211', '004212') AS other,
	port_pin_check('004211', NULL) AS none_supplied,
	port_pin_check(NULL, '004211') AS none_stored;
SELECT unnest(enum_range(NULL::port_pin_verdict)) AS verdict;

--
-- Leading zeros and length count; nothing is trimmed, on either side
--
CREATE TABLE pair (no serial, stored text, supplied text);
INSERT INTO pair (stored, supplied) VALUES
	('004211', '4211'), ('004211', '04211'), ('004211', '0004211'), ('004211', '0042110'),
	('0042110000', '004211'), ('004211', '0042110000'),
	('0042119999', '0042119999'), ('0042119999', '0042119998'), ('0042119999', '1042119999'),
	('004211', ' 004211'), ('004211', '004211 '), ('004211', E'004211\n'),
	('004211', '+004211'), ('004211', '0x42'), ('004211', 'abcdef'),
	('004211', U&'\FF10\FF10\FF14\FF12\FF11\FF11');
SELECT stored, octet_length(supplied) AS bytes, port_pin_check(stored, supplied)
FROM pair ORDER BY no;

-- Each digit counts, at each place of each length: of ten at a place, one is the same.
SELECT length(pin) AS digits, count(*) AS compared,
	count(*) FILTER (WHERE port_pin_check(pin, other) = 'accepted') AS same,
	count(*) FILTER (WHERE port_pin_check(pin, other) = 'pin_mismatch') AS other
FROM (SELECT left('4711029388', n) AS pin FROM generate_series(6, 10) AS n) AS stored,
	LATERAL (SELECT overlay(pin PLACING digit::text FROM place) AS other
		FROM generate_series(1, length(pin)) AS place, generate_series(0, 9) AS digit) AS supplied
GROUP BY 1 ORDER BY 1;
-- So does the length, even where all digits are alike.
SELECT a AS stored, string_agg(b::text, ' ' ORDER BY b) AS accepts
FROM generate_series(6, 10) AS a, generate_series(5, 11) AS b
WHERE port_pin_check(repeat('7', a), repeat('7', b)) = 'accepted'
GROUP BY a ORDER BY a;
-- A character that is no digit, at any place, makes it no PIN.
SELECT n AS digits, count(*) AS accepted,
	string_agg(DISTINCT chr(c) COLLATE "C", '' ORDER BY chr(c) COLLATE "C") AS with_one_of
FROM generate_series(6, 10) AS n, generate_series(1, n) AS place, generate_series(1, 255) AS c,
	LATERAL (SELECT overlay(left('4711029388', n) PLACING chr(c) FROM place) AS value) AS made
WHERE port_pin_check(value, value) = 'accepted'
GROUP BY n ORDER BY n;

-- Blank is NULL, '' and white space, on either side.  A missing stored PIN comes first:
-- an account without one can't be ported, whatever is supplied.
SELECT stored.what AS stored, supplied.what AS supplied,
	port_pin_check(stored.value, supplied.value)
FROM (VALUES (1, 'NULL', NULL), (2, '''''', ''), (3, 'blanks', '      '),
		(4, 'white space', E'\t\n\x0b\f\r '), (5, 'megabyte', repeat(' ', 1000000)),
		(6, '004211', '004211')) AS stored (no, what, value),
	(VALUES (1, 'NULL', NULL), (2, '''''', ''), (3, 'blanks', '      '),
		(4, 'white space', E'\t\n\x0b\f\r '), (5, 'megabyte', repeat(' ', 1000000)),
		(6, '004211', '004211')) AS supplied (no, what, value)
ORDER BY stored.no, supplied.no;

--
-- A stored value that is no PIN matches nothing, not even itself
--
SELECT malformed, port_pin_check(malformed, malformed) AS itself,
	port_pin_check(malformed, '004211') AS a_pin, port_pin_check('004211', malformed) AS supplied,
	port_pin_check(malformed, NULL) AS nothing
FROM unnest('{4211, 12345678901, none, -, 0000, "004211 ", " 004211", "00 4211",
	+004211, 004211.0, N/A, XXXXXX}'::text[]) AS malformed;
SELECT port_pin_check(repeat('7', 1000000), repeat('7', 1000000)) AS megabyte,
	port_pin_check(repeat('7', 1000000), '777777') AS megabyte_stored,
	port_pin_check('777777', repeat('7', 1000000)) AS megabyte_supplied;

-- Toasted values are compared, wherever they are stored.
CREATE TABLE stored (value text);
ALTER TABLE stored ALTER COLUMN value SET STORAGE EXTERNAL;
INSERT INTO stored VALUES (repeat('7', 100000)), (repeat(' ', 100000));
SELECT port_pin_check(value, '777777'), port_pin_check('777777', value), port_pin_check(value, value)
FROM stored ORDER BY value COLLATE "C";

--
-- Columns of the domain, varchar and char(n); a verdict is a value like any other
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, legacy varchar(10), padded char(10));
INSERT INTO accounts VALUES (1, '004211', '004211', '004211'), (2, NULL, '', '');
SELECT id, port_pin_check(pin, '004211') AS typed, port_pin_check(legacy, '004211') AS legacy,
	port_pin_check(padded, '004211') AS padded
FROM accounts ORDER BY id;
SELECT id FROM accounts WHERE port_pin_check(pin, '004211') = 'accepted';
SELECT port_pin_check('004211', '004212') > 'accepted' AS refused;
SELECT pg_typeof(port_pin_check('004211', '004211'));

-- A role that may call it can guess, so it is granted to nobody.
CREATE ROLE regress_portpin_guesser;
GRANT USAGE ON SCHEMA desk TO regress_portpin_guesser;
GRANT SELECT ON accounts TO regress_portpin_guesser;
SET ROLE regress_portpin_guesser;
SELECT port_pin_check(pin, '004211') FROM accounts;
RESET ROLE;

-- A hash that would take minutes counts as none: nobody should have to wait for it.
SELECT port_pin_check('$2a$16$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234', '004211');

SET client_min_messages = warning;
DROP SCHEMA desk CASCADE;
DROP ROLE regress_portpin_guesser;
