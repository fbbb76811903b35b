-- What a port PIN is: 6 to 10 of the digits 0 to 9, as text.  Nothing else is one,
-- and nothing is trimmed, cut or converted to become one.
CREATE SCHEMA pins;
SET search_path = pins, public;

-- Is it stored?  Says what became of the value.
CREATE FUNCTION store(value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	pin port_pin;
BEGIN
	pin := value;
	RETURN CASE WHEN pin = value THEN 'stored' WHEN pin IS NULL THEN 'blank' ELSE 'changed' END;
EXCEPTION WHEN check_violation THEN
	RETURN 'refused';
END $$;

--
-- The domain, the function that it checks with, and the one that says why not
--
CREATE TABLE candidate (no serial, what text, value text);
INSERT INTO candidate (what, value) VALUES
	('six digits', '123457'),
	('ten digits', '1234567899'),
	('leading zeros', '000001'),
	('nothing but zeros', '0000000000'),
	('five digits', '12345'),
	('eleven digits', '12345678901'),
	('NULL', NULL),
	('empty', ''),
	('blanks', '        '),
	('white space', E' \t\r\n\x0b\f'),
	('blank before', ' 123457'),
	('blank behind', '123457 '),
	('blank between', '123 457'),
	('newline behind', E'123457\n'),
	('carriage return behind', E'123457\r'),
	('plus', '+123457'),
	('minus', '-123457'),
	('dot', '1234.57'),
	('exponent', '1234e56'),
	('hyphens', '12-34-57'),
	('letters', 'abcdef'),
	('letter O for zero', '12345O'),
	('hexadecimal', '0x1234'),
	('the character before 0', '12345/'),
	('the character behind 9', '12345:'),
	('control character', E'12345\x01'),
	('backslash', E'12345\\'),
	('quote', '12345'''),
	('SQL', ''' OR true'),
	('Arabic-Indic digits', U&'\0661\0662\0663\0664\0665\0666'),
	('Devanagari digits', U&'\0967\0968\0969\096A\096B\096C'),
	('full-width digits', U&'\FF11\FF12\FF13\FF14\FF15\FF16'),
	('mathematical digits', U&'\+01D7CF\+01D7D0\+01D7D1\+01D7D2\+01D7D3\+01D7D4'),
	('superscripts', U&'\00B9\00B2\00B3\00B9\00B2\00B3'),
	('one full-width digit', U&'12345\FF16'),
	('no-break space behind', U&'123457\00A0'),
	('zero-width space', U&'123\200B457'),
	('byte-order mark before', U&'\FEFF123457'),
	('six bytes, three characters', U&'\0661\0662\0663'),
	('ten full-width digits, thirty bytes', repeat(U&'\FF17', 10)),
	('eleven full-width digits', repeat(U&'\FF17', 11));
SELECT what, octet_length(value) AS bytes, store(value), port_pin_is_valid(value),
	port_pin_problem(value)
FROM candidate ORDER BY no;

-- By length: 6 to 10 digits and no others, up to a megabyte.
SELECT n AS digits, port_pin_is_valid(repeat('7', n)), port_pin_problem(repeat('7', n)),
	store(repeat('7', n))
FROM unnest('{0,1,5,6,7,8,9,10,11,12,40,41,255,256,1000,65536,1000000}'::int[]) AS n;

-- Every single byte, as the last of six: ten of them make a PIN.
SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 1000) AS n
WHERE port_pin_is_valid('12345' || chr(n));

--
-- The error names the rule and not the PIN
--
SELECT '12345'::port_pin;
DO $$
DECLARE
	message text; type text; rule text; schema text;
BEGIN
	PERFORM '12345a'::port_pin;
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, type = PG_DATATYPE_NAME,
		rule = CONSTRAINT_NAME, schema = SCHEMA_NAME;
	RAISE NOTICE '% | % | % | %', message, schema, type, rule;
END $$;

--
-- A column, its arrays, its casts
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, former port_pin[]);
INSERT INTO accounts VALUES (1, '004211', '{001122,0000001}'), (2, NULL, NULL);
SELECT * FROM accounts ORDER BY id;
\set VERBOSITY sqlstate
INSERT INTO accounts VALUES (3, '', NULL);
INSERT INTO accounts VALUES (3, '12345', NULL);
INSERT INTO accounts VALUES (3, NULL, '{123457,12345}');
INSERT INTO accounts VALUES (3, NULL, '{{123457},{""}}');
UPDATE accounts SET pin = pin || ' ' WHERE id = 1;
UPDATE accounts SET former[2] = '1' WHERE id = 1;
UPDATE accounts SET former = former || 'x'::text WHERE id = 1;
COPY accounts (id, pin) FROM stdin;
3	12345
\.
SELECT ROW(3, '12345', NULL)::accounts;
SELECT * FROM json_populate_record(NULL::accounts, '{"id": 3, "pin": "12345"}');
SELECT * FROM json_populate_record(NULL::accounts, '{"id": 3, "pin": 123457}');
ALTER TABLE accounts ADD COLUMN bad port_pin DEFAULT 'none';
ALTER TABLE accounts ALTER COLUMN pin SET DEFAULT '';
INSERT INTO accounts (id) VALUES (3);
ALTER TABLE accounts ALTER COLUMN pin DROP DEFAULT;
\set VERBOSITY default
SELECT * FROM accounts ORDER BY id;

-- A number has lost its leading zeros before portpin sees it; char(n) has not.
SELECT 4211::text::port_pin;
SELECT 1234570::port_pin AS number, '004211'::char(10)::port_pin AS padded,
	'004211'::varchar(6)::port_pin AS varying, '0042119999'::varchar(6)::port_pin AS cut;

-- A domain of your own over port_pin adds rules.
CREATE DOMAIN good_pin AS port_pin CHECK (NOT port_pin_is_weak(VALUE)) CHECK (length(VALUE) = 8);
SELECT '00421199'::good_pin;
SELECT '11111111'::good_pin;
SELECT '004211'::good_pin;
SELECT '0042119x'::good_pin;

--
-- Weak PINs, rule by rule, and others that just miss the rule
--
SELECT rule,
	(SELECT string_agg(pin, ' ' ORDER BY n) FROM unnest(tried) WITH ORDINALITY AS t (pin, n)
		WHERE port_pin_is_weak(pin)) AS weak,
	(SELECT string_agg(pin, ' ' ORDER BY n) FROM unnest(tried) WITH ORDINALITY AS t (pin, n)
		WHERE NOT port_pin_is_weak(pin)) AS not_weak
FROM (VALUES
	(1, 'run', '{000000, 123456, 1234567890, 890123, 654321, 210987, 246802, 7418529630, 5678902, 024635}'::text[]),
	(2, 'repeat', '{123123, 1231231, 4711471147, 47114711, 471471471, 4711472, 47114712}'),
	(3, 'pairs', '{447700, 4477009, 2299661100, 4477008866, 447701, 4470099, 447009}'),
	(4, 'mirror', '{471174, 4710174, 4082992804, 471274, 4710175}'),
	(5, 'two digits', '{400000, 4004044, 7770000700, 4004045, 470000}'),
	(6, 'weave', '{102030, 142536, 918273, 30405060, 907050, 142538}'),
	(7, 'lines', '{789456, 159753, 147369, 580963, 753258147, 78914704, 789465, 159752, 147368}'),
	(8, 'walk', '{147896, 2580852, 55669988, 147895, 147892}'),
	(9, 'date', '{311285, 123185, 851231, 290200, 198512, 121985, 3121985, 31121985, 12311985, 19851231, 20991231,
		321285, 310485, 851301, 001285, 198513, 189912, 210006, 31041985, 31122100}')) AS t (n, rule, tried)
ORDER BY n;
-- The ten six-digit PINs that people choose most, and some that no rule forbids.
SELECT bool_and(port_pin_is_weak(pin)) FROM unnest('{123456, 654321, 111111, 000000, 123123, 666666,
	121212, 112233, 789456, 159753}'::text[]) AS pin;
SELECT bool_or(port_pin_is_weak(pin)) FROM unnest('{004211, 815729, 472906, 9264018, 40271958}'::text[]) AS pin;
-- The share of weak PINs among those of six digits.
SELECT count(*) AS weak FROM generate_series(0, 999999) AS n WHERE port_pin_is_weak(lpad(n::text, 6, '0'));
-- What is no PIN is not weak.
SELECT bool_or(port_pin_is_weak(pin)) FROM unnest('{11111, 11111111111, aaaaaa, ""}'::text[]) AS pin;
SELECT port_pin_is_weak(NULL), port_pin_is_valid(NULL);

--
-- A value whose length settles it is not fetched from where it is stored
--
CREATE TABLE stored (what text, value text);
ALTER TABLE stored ALTER COLUMN value SET STORAGE EXTERNAL;
INSERT INTO stored VALUES ('digits', repeat('7', 1000000)), ('blanks', repeat(' ', 1000000));
CREATE FUNCTION fetched() RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_stat_get_xact_blocks_fetched(reltoastrelid) FROM pg_class
	WHERE oid = 'pins.stored'::regclass $$;
BEGIN;
SELECT fetched() AS before \gset
SELECT what, port_pin_is_valid(value), port_pin_problem(value), port_pin_is_weak(value)
FROM stored ORDER BY what COLLATE "C" DESC;
SELECT store(value) FROM stored WHERE port_pin_is_valid(value);
SELECT fetched() AS after \gset
SELECT :after - :before AS blocks_fetched;
SELECT count(*) FROM stored WHERE rtrim(value) = '';
SELECT fetched() > :after AS fetches_are_counted;
COMMIT;

-- A compressed value gets the same answers as it does uncompressed.
CREATE TABLE compressed (value text);
ALTER TABLE compressed ALTER COLUMN value SET STORAGE MAIN;
INSERT INTO compressed VALUES (repeat('7', 5000));
SELECT pg_column_size(value) < 500 AS compressed, port_pin_is_valid(value),
	port_pin_problem(value), port_pin_is_weak(value) FROM compressed;

--
-- Made at random: of the length asked for, 8 if none is, never weak
--
SELECT n AS digits, count(*) AS made, bool_and(port_pin_is_valid(pin)) AS valid,
	bool_and(length(pin) = n) AS right_length, bool_or(port_pin_is_weak(pin)) AS weak
FROM generate_series(6, 10) AS n,
	LATERAL (SELECT port_pin_generate(n)::text AS pin
		FROM generate_series(1, CASE n WHEN 6 THEN 20000 ELSE 2000 END)) AS made
GROUP BY n ORDER BY n;
SELECT length(port_pin_generate()), pg_typeof(port_pin_generate());

-- All ten digits occur at each place: in 3000 PINs, one is missing by chance less
-- than once in 10^130 runs.
SELECT place, string_agg(DISTINCT substr(pin, place, 1), '' ORDER BY substr(pin, place, 1)) AS digits
FROM (SELECT port_pin_generate(6)::text AS pin FROM generate_series(1, 3000)) AS made,
	generate_series(1, 6) AS place
GROUP BY place ORDER BY place;
-- And hardly any PIN occurs twice.
SELECT count(DISTINCT pin) >= 995 AS distinct
FROM (SELECT port_pin_generate(10)::text AS pin FROM generate_series(1, 1000)) AS made;

SELECT port_pin_generate(5);
\set VERBOSITY sqlstate
SELECT port_pin_generate(11);
SELECT port_pin_generate(0);
SELECT port_pin_generate(-6);
SELECT port_pin_generate(2147483647);
SELECT port_pin_generate(NULL);
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA pins CASCADE;
