-- Promise: when a column is sealed, no digits stay behind in the statistics of
-- PostgreSQL, where a reader of pg_stats would find them.
--
-- ANALYZE keeps samples of each column, of what indexes compute from it, and of what
-- CREATE STATISTICS puts together.  They would outlive the digits in the rows.
CREATE SCHEMA no_digits;
SET search_path = no_digits, public;

LOAD 'portpin';
SELECT '/tmp/portpin_regress_no_digits_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = no_digits, public;
SET portpin.seal_cost = 4;
\set VERBOSITY terse

-- Many customers chose the same PIN, so that every sample has it.
CREATE TABLE accounts (id int, region text, pin text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE east PARTITION OF accounts FOR VALUES IN ('east');
CREATE TABLE west (pin text, id int NOT NULL, region text NOT NULL);
ALTER TABLE accounts ATTACH PARTITION west FOR VALUES IN ('west');
INSERT INTO accounts SELECT i, r, '246801' FROM unnest('{east,west}'::text[]) r, generate_series(1, 20) i;
CREATE INDEX ON accounts (right(pin, 6));
CREATE STATISTICS whole (mcv) ON pin, region FROM accounts;
CREATE STATISTICS part (mcv) ON pin, region FROM east;
CREATE STATISTICS expression ON (right(pin, 6)) FROM west;
CREATE STATISTICS others (mcv) ON id, region FROM west;

CREATE VIEW samples AS
	SELECT tablename::text COLLATE "C" AS sample_of, attname::text AS "column", most_common_vals::text AS sample
	FROM pg_stats WHERE schemaname = 'no_digits'
	UNION ALL
	SELECT statistics_name, NULL, most_common_vals::text FROM pg_stats_ext WHERE statistics_schemaname = 'no_digits'
	UNION ALL
	SELECT statistics_name, 'expr', most_common_vals::text FROM pg_stats_ext_exprs WHERE statistics_schemaname = 'no_digits';

ALTER TABLE accounts ALTER pin TYPE port_pin_sealed;
ANALYZE accounts;
SELECT sample_of, "column" FROM samples WHERE sample LIKE '%246801%' ORDER BY 1, 2;

-- Protecting the column removes all of them, and no others.
SELECT count(*) FROM port_pin_protect('accounts');
SELECT sample_of, "column" FROM samples WHERE sample LIKE '%246801%' ORDER BY 1, 2;
SELECT sample_of, "column" FROM samples WHERE sample IS NOT NULL AND "column" IS DISTINCT FROM 'id' ORDER BY 1, 2;

-- From now on ANALYZE takes no sample of the column.  It does of expressions: they have
-- digits until all rows are sealed, and they are sampled anew.
SET client_min_messages = error;
ANALYZE accounts;
SELECT sample_of, "column" FROM samples WHERE sample LIKE '%246801%' ORDER BY 1, 2;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never
CALL port_pin_seal_column('accounts');
SET client_min_messages = error;
VACUUM ANALYZE no_digits.accounts;
SELECT sample_of, "column" FROM samples WHERE sample LIKE '%246801%' ORDER BY 1, 2;
SELECT count(*) FROM accounts WHERE port_pin_check(pin, '246801') = 'accepted';

-- Clean up
DROP SCHEMA no_digits CASCADE;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
