-- Two hashes to choose from: bcrypt, and PBKDF2 for servers that refuse bcrypt.
-- The setting is for new PINs; what is sealed keeps its own, and verifies forever.
CREATE SCHEMA either_method;
SET search_path = either_method, public;

-- portpin's settings are known once it has been loaded.
LOAD 'portpin';
SELECT '/tmp/portpin_regress_either_method_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'first:' || encode(sha256('the first key of the tests'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = either_method, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin_sealed);
CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');

-- Both in one column.
SHOW portpin.seal_method;
INSERT INTO accounts VALUES (1, '004211');
SET portpin.seal_method = pbkdf2;
INSERT INTO accounts VALUES (2, '004211'), (3, '004211');
CREATE VIEW hashes AS SELECT id, split_part(pin, ':', 4) AS hash FROM accounts;
SELECT id, substring(hash FROM '^\$[^$]*\$[^$]*\$') AS method, length(hash) FROM hashes ORDER BY id;
SELECT count(DISTINCT hash) AS different FROM hashes;
SELECT id, port_pin_is_sealed(pin), port_pin_sealed_with(pin),
	port_pin_check(pin, '004211') AS the_right_one, port_pin_check(pin, '004212') AS a_wrong_one,
	port_pin_check(pin, NULL) AS none, port_pin_check(pin, 'no PIN') AS no_pin
FROM accounts ORDER BY id;
INSERT INTO port_orders VALUES (1, '004211'), (2, '004211');
INSERT INTO port_orders VALUES (2, '004212');
INSERT INTO port_orders VALUES (2, NULL);

-- The setting counts when a PIN is set: the method changes with the PIN, and not before.
SET portpin.seal_method = bcrypt;
UPDATE accounts SET pin = pin WHERE id = 2;
UPDATE accounts SET pin = '815815' WHERE id = 3;
SELECT id, left(hash, 4) AS method FROM hashes ORDER BY id;
-- ON CONFLICT shows the trigger what it has just sealed, by either method.
SET portpin.seal_method = pbkdf2;
INSERT INTO accounts VALUES (3, '727272') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
SELECT port_pin_check(pin, '727272') FROM accounts WHERE id = 3;

-- The cost doubles the time of either: PBKDF2 iterates 64 * 2^cost times.
SELECT cost, method, substring(sealed FROM '\$(?:2a|pbkdf2-sha256)\$(\d+)\$') AS says,
	port_pin_check(sealed, '004211')
FROM generate_series(4, 8) AS cost, unnest('{bcrypt,pbkdf2}'::text[]) AS method,
	LATERAL (SELECT set_config('portpin.seal_method', method, false),
		set_config('portpin.seal_cost', cost::text, false)) AS settings (a, b),
	LATERAL (SELECT port_pin_seal('004211') WHERE a IS NOT NULL AND b IS NOT NULL) AS made (sealed)
ORDER BY cost, method;
RESET portpin.seal_cost;
RESET portpin.seal_method;
SET portpin.seal_method = md5;

-- A known answer: what openssl makes of the same key, PIN and salt
--   key=$(printf 'the first key of the tests' | openssl dgst -sha256 -hex)
--   h=$(printf 0123456789 | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64)
--   openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:$h -kdfopt iter:1024 \
--     -kdfopt hexsalt:000102030405060708090a0b0c0d0e0f -binary PBKDF2 | base64
\set key first.5f28e6b6ca40476e
\set hash '$AAECAwQFBgcICQoLDA0ODw==$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='
SELECT port_pin_check('sealed:v1:' || :'key' || ':$pbkdf2-sha256$1024' || :'hash', '0123456789');

--
-- The form, which is all that can be told without the key.  Its iterations are
-- bounded, as bcrypt's cost is, so that nobody has to wait for hours.
--
SELECT what, port_pin_is_sealed('sealed:v1:' || :'key' || ':' || hash) AS is_sealed
FROM (VALUES
	(1, 'least iterations', '$pbkdf2-sha256$1024' || :'hash'),
	(2, 'any number of them', '$pbkdf2-sha256$12345' || :'hash'),
	(3, 'most', '$pbkdf2-sha256$2097152' || :'hash'),
	(4, 'too few', '$pbkdf2-sha256$1023' || :'hash'),
	(5, 'too many', '$pbkdf2-sha256$2097153' || :'hash'),
	(6, 'far too many', '$pbkdf2-sha256$4294968320' || :'hash'),
	(7, 'a leading zero', '$pbkdf2-sha256$01024' || :'hash'),
	(8, 'a sign', '$pbkdf2-sha256$+1024' || :'hash'),
	(9, 'no number', '$pbkdf2-sha256$' || :'hash'),
	(10, 'no salt', '$pbkdf2-sha256$1024$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='),
	(11, 'salt too short', '$pbkdf2-sha256$1024$AAECAwQFBgcICQoLDA0O$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='),
	(12, 'salt too long', '$pbkdf2-sha256$1024$AAECAwQFBgcICQoLDA0ODxA=$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='),
	(13, 'a blank in the salt', '$pbkdf2-sha256$1024$ AAECAwQFBgcICQoLDA0ODw=$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='),
	(14, 'another character in it', '$pbkdf2-sha256$1024$AAECAwQFBgcICQoLDA0OD.==$wZHsaLJfxwgh3paJtd/8zzdlUZvx1CUbZ3GNXe3EISc='),
	(15, 'no hash', '$pbkdf2-sha256$1024$AAECAwQFBgcICQoLDA0ODw=='),
	(16, 'an empty one', '$pbkdf2-sha256$1024$AAECAwQFBgcICQoLDA0ODw==$'),
	(17, 'hash too short', '$pbkdf2-sha256$1024' || left(:'hash', -1)),
	(18, 'hash too long', '$pbkdf2-sha256$1024' || :'hash' || '='),
	(19, 'another character in the hash', '$pbkdf2-sha256$1024' || left(:'hash', -3) || '?c='),
	(20, 'a newline behind it', '$pbkdf2-sha256$1024' || :'hash' || E'\n'),
	(21, 'another hash function', '$pbkdf2-sha512$1024' || :'hash'),
	(22, 'the method alone', '$pbkdf2-sha256$')) AS t (n, what, hash)
ORDER BY n;
-- Bare hashes of PINs that a site has already are accepted from bcrypt only.
SELECT port_pin_check('$pbkdf2-sha256$1024' || :'hash', '0123456789');

-- Clean up
SET client_min_messages = warning;
DROP SCHEMA either_method CASCADE;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
