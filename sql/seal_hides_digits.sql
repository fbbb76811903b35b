-- Sealed PINs: what is stored can't be read, and is compared like a plain PIN.
-- Sealing takes a key, which is in a file outside the database: portpin.key_file.

-- Without a key nothing can be sealed.  The hint tells how to make one.
SELECT port_pin_seal('004211');

-- The server reads the file, so it must be the server's, and nobody else's.
SELECT '/tmp/portpin_regress_seal_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (VALUES ('# the keys of this test'),
	('first:' || encode(sha256('the first key of the tests'), 'base64')))
	TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
-- The fingerprint tells keys apart, whatever they are called.  By openssl:
--   key=$(printf 'the first key of the tests' | openssl dgst -sha256 -hex)
--   printf 'portpin: fingerprint of a key' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key
SELECT * FROM port_pin_seal_keys();

-- A sealed PIN: its form, the key that sealed it, and a bcrypt hash.
SELECT regexp_replace(port_pin_seal('004211'), '[./A-Za-z0-9]{53}$', '<salt and hash>');
SELECT port_pin_seal('004211') <> port_pin_seal('004211') AS never_the_same_twice;
CREATE TABLE sealed AS SELECT port_pin_seal('004211') AS pin;
SELECT pg_typeof(pin), port_pin_is_sealed(pin), port_pin_sealed_with(pin) FROM sealed;

-- Only a PIN can be sealed; NULL is blank.
SELECT port_pin_seal('4211');
SELECT port_pin_seal(NULL) IS NULL AS blank;

--
-- Comparing: port_pin_check takes what is stored and what a port order carries
--
SELECT left(supplied, 12) AS supplied, port_pin_check(pin, supplied)
FROM sealed, (VALUES ('004211'), ('004212'), ('4211'), ('0042110'), ('004211 '),
	(''), (NULL), ('abcdefgh'), (repeat('004211', 1000))) AS t (supplied)
ORDER BY length(t.supplied), t.supplied;
-- The sealed PIN itself is no PIN: stealing it does not help.
SELECT port_pin_check(pin, pin) FROM sealed;

-- Plain PINs are compared as ever, and so are other hashes of PINs that a site may
-- have: bcrypt, whichever library made it.
SELECT port_pin_check('004211', '004211'), port_pin_check('004211', '004212');
SELECT left(stored, 4) AS bcrypt, port_pin_check(stored, '00420042') AS the_right_one,
	port_pin_check(stored, '00420043') AS a_wrong_one, port_pin_check(stored, NULL) AS none
FROM (VALUES ('$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	('$2b$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	('$2y$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy')) AS t (stored);
-- Hashes that look at only eight digits are not, and neither is any other.
SELECT method, port_pin_check(crypt('0042110011', gen_salt(method)), '0042110011')
FROM unnest(ARRAY['des', 'xdes', 'md5', 'bf']) AS method;

--
-- The form, which is all that can be told without the key
--
SELECT what, port_pin_is_sealed(stored), port_pin_sealed_with(stored)
FROM (VALUES
	(1, 'as it is made', 'sealed:v1:first.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(2, 'longest id', 'sealed:v1:0123456789_-abcd.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(3, 'id too long', 'sealed:v1:0123456789_-abcde.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(4, 'other version', 'sealed:v2:first.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(5, 'capital in the id', 'sealed:v1:First.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(6, 'no id', 'sealed:v1:.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(7, 'no fingerprint', 'sealed:v1:first:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(8, 'empty fingerprint', 'sealed:v1:first.:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(9, 'fingerprint too short', 'sealed:v1:first.5f28e6b6ca40476:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(10, 'fingerprint too long', 'sealed:v1:first.5f28e6b6ca40476e0:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(11, 'capitals in the fingerprint', 'sealed:v1:first.5F28E6B6CA40476E:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(12, 'fingerprint not hexadecimal', 'sealed:v1:first.5f28e6b6ca40476g:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(13, 'two fingerprints', 'sealed:v1:first.5f28e6b6ca40476e.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(14, 'hash too short', 'sealed:v1:first.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSS'),
	(15, 'hash too long', 'sealed:v1:first.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy0'),
	(16, 'hash of other characters', 'sealed:v1:first.5f28e6b6ca40476e:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSS:'),
	(17, 'other method', 'sealed:v1:first.5f28e6b6ca40476e:$1$abcdefgh$wPcVE9J0ihvWPHXvPaZFN/'),
	(18, 'cost too low', 'sealed:v1:first.5f28e6b6ca40476e:$2a$03$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(19, 'cost too high', 'sealed:v1:first.5f28e6b6ca40476e:$2a$16$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(20, 'no cost', 'sealed:v1:first.5f28e6b6ca40476e:$2a$xx$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(21, 'half a number', 'sealed:v1:first.5f28e6b6ca40476e:$2a$5x$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(22, 'a cost without its end', 'sealed:v1:first.5f28e6b6ca40476e:$2a$055abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(23, 'other letter', 'sealed:v1:first.5f28e6b6ca40476e:$2c$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(24, 'no end of the method', 'sealed:v1:first.5f28e6b6ca40476e:$2a105$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy'),
	(25, 'no hash', 'sealed:v1:first.5f28e6b6ca40476e'),
	(26, 'no more than an id', 'sealed:v1:first'),
	(27, 'the start alone', 'sealed:v1:'),
	(28, 'a word', 'sealed'),
	(29, 'empty', ''),
	(30, 'a PIN', '004211'),
	(31, 'a bare hash', '$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy')) AS t (n, what, stored)
ORDER BY n;

--
-- Known answers: what others make of the same key, PIN and salt
--
-- By openssl and crypt(3) of another library, from the PIN 0123456789:
--   key=$(printf 'the first key of the tests' | openssl dgst -sha256 -hex)
--   h=$(printf 0123456789 | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64)
--   perl -e 'print crypt($ARGV[0], "\$2b\$05\$abcdefghijklmnopqrstuu")' $h
SELECT port_pin_check('sealed:v1:first.5f28e6b6ca40476e:$2b$05$abcdefghijklmnopqrstuuh360/FM7ezI6Qk5e0z.l2mWPv/UrCiO',
	'0123456789');
-- By pgcrypto, in plain SQL.
SELECT 'sealed:v1:first.5f28e6b6ca40476e:' || crypt(
	encode(hmac('004211', sha256('the first key of the tests'), 'sha256'), 'base64'),
	right(pin, 60)) = pin AS as_in_plain_sql
FROM sealed;

-- The cost is a setting; what is sealed keeps its own.
SHOW portpin.seal_cost;
SET portpin.seal_cost = 4;
SELECT substr(right(pin, 60), 1, 7), port_pin_check(pin, '004211')
FROM (SELECT port_pin_seal('004211') AS pin UNION ALL TABLE sealed) t;
\set VERBOSITY sqlstate
SET portpin.seal_cost = 3;
\set VERBOSITY default
RESET portpin.seal_cost;

--
-- Another key: the first in the file seals, all verify.  A transaction that needs
-- keys reads the file, so nothing has to be reloaded.
--
COPY (VALUES ('second:' || encode(sha256('the second key of the tests'), 'base64')), (''),
	('first:' || encode(sha256('the first key of the tests'), 'base64')))
	TO PROGRAM :'make_file';
SELECT * FROM port_pin_seal_keys();
INSERT INTO sealed SELECT port_pin_seal('815815');
SELECT port_pin_sealed_with(pin), port_pin_check(pin, '004211'), port_pin_check(pin, '815815')
FROM sealed;
-- Which keys are still needed?
SELECT port_pin_sealed_with(pin) AS key, count(*) FROM sealed GROUP BY 1 ORDER BY 1;

-- Two keys with one id, as when two servers become one: the fingerprint chooses
-- between them.
COPY (VALUES ('second:' || encode(sha256('the second key of the tests'), 'base64')),
	('second:' || encode(sha256('the first key of the tests'), 'base64')))
	TO PROGRAM :'make_file';
SELECT * FROM port_pin_seal_keys();
SELECT port_pin_sealed_with(pin), port_pin_check(pin, '004211'), port_pin_check(pin, '815815')
FROM sealed;

-- A key that is missing, or another one under its id: nobody can say whether a PIN
-- is right.  That is an error, and no failed attempt: no customer is locked out.
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin_sealed);
CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts SELECT 1, pin FROM sealed WHERE port_pin_sealed_with(pin) ~ 'first';
COPY (VALUES ('first:' || encode(sha256('the second key of the tests'), 'base64')))
	TO PROGRAM :'make_file';
SELECT port_pin_check(pin, '815815') FROM sealed WHERE port_pin_sealed_with(pin) ~ 'second';
SELECT port_pin_check(pin, '004211') FROM sealed WHERE port_pin_sealed_with(pin) ~ 'first';
SELECT count(*) AS recorded FROM port_pin_failures \gset
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			INSERT INTO port_orders VALUES (1, '00421' || i % 10);
		EXCEPTION WHEN object_not_in_prerequisite_state THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT count(*) - :recorded AS recorded FROM port_pin_failures;
COPY (VALUES ('first:' || encode(sha256('the first key of the tests'), 'base64')))
	TO PROGRAM :'make_file';
INSERT INTO port_orders VALUES (1, '004211');
DROP TABLE accounts, port_orders;

-- A role that may seal and compare could guess, so neither is granted to anybody.
CREATE ROLE regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
SELECT port_pin_seal('004211');
SELECT port_pin_seal_keys();
\set VERBOSITY sqlstate
SHOW portpin.key_file;
SET portpin.key_file = '/tmp/of_my_own';
SET portpin.seal_cost = 4;
\set VERBOSITY default
SELECT port_pin_is_sealed('004211'), port_pin_sealed_with('004211');
RESET ROLE;
DROP ROLE regress_portpin_clerk;

DROP TABLE sealed;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
