--
-- port_pin_guards may be asked about any number of tables: the session that asks does not
-- keep all that its caches have learned about them.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA many;
SET search_path = many, public;

DO $$
BEGIN
	FOR i IN 1..130 LOOP
		EXECUTE format('CREATE TABLE accounts%s (id bigint CONSTRAINT many%s PRIMARY KEY, pin port_pin)', i, i);
		EXECUTE format('CREATE TABLE orders%s (account_id bigint REFERENCES accounts%s, pin port_pin)', i, i);
		PERFORM port_pin_protect(format('accounts%s', i)::regclass);
		PERFORM port_pin_gate(format('orders%s', i)::regclass);
	END LOOP;
END $$;

-- To judge, a gate needs the index of its accounts' primary key.  A new session has seen
-- none of them.  Asked about some tables, it looks at these alone.
\c
CREATE TEMP VIEW indexes_seen AS
	SELECT count(*) AS seen FROM pg_backend_memory_contexts WHERE name = 'index info' AND ident LIKE 'many%';
SELECT port_pin_assert_guarded('many.orders7', 'many.accounts7');
SELECT seen <= 1 AS these_alone FROM indexes_seen;

-- Asked about all, it ends up with those of the last tables only.
SELECT count(*), count(problem) FROM port_pin_guards WHERE relation::text LIKE 'many.%';
SELECT seen < 100 AS bounded FROM indexes_seen;

-- A table that the asking transaction itself has made is still known to it.
SET search_path = many, public;
BEGIN;
CREATE TABLE accounts (id bigint PRIMARY KEY, pin port_pin);
INSERT INTO accounts VALUES (1, '123456');
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*), count(problem) FROM port_pin_guards WHERE relation::text ~ '^(accounts|orders)';
UPDATE accounts SET pin = '654321' RETURNING *;
COMMIT;

SET client_min_messages = warning;
DROP SCHEMA many CASCADE;
