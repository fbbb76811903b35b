-- Installing portpin: it works in any schema, whatever it is called and wherever
-- pgcrypto is; every object is documented; a function that could serve to guess a PIN
-- takes a grant.

-- pgcrypto comes first, or along with CASCADE.
CREATE EXTENSION portpin;

-- It is not trusted: CREATE on the database is not enough.
CREATE ROLE regress_portpin_clerk;
DO $$ BEGIN
	EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_portpin_clerk', current_database());
END $$;
CREATE EXTENSION pgcrypto;
SET ROLE regress_portpin_clerk;
CREATE EXTENSION portpin;
RESET ROLE;
DROP EXTENSION pgcrypto;
DO $$ BEGIN
	EXECUTE format('REVOKE CREATE ON DATABASE %I FROM regress_portpin_clerk', current_database());
END $$;

--
-- A schema with blanks and capitals in its name, pgcrypto in another, and none of
-- them in the search_path
--
CREATE SCHEMA "Crypto Box";
CREATE SCHEMA "Port PINs, ""safe""";
CREATE EXTENSION pgcrypto SCHEMA "Crypto Box";
-- A role that may create there has been there first, and left an operator that would
-- suit the views of the extension.
CREATE FUNCTION "Port PINs, ""safe""".spy(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR "Port PINs, ""safe""".= (
	LEFTARG = oid, RIGHTARG = regclass, FUNCTION = "Port PINs, ""safe""".spy);
CREATE EXTENSION portpin SCHEMA "Port PINs, ""safe""";
SET search_path = '';
-- Nothing in the extension uses it, so it can go.
DROP OPERATOR "Port PINs, ""safe""".= (oid, regclass);
DROP FUNCTION "Port PINs, ""safe""".spy;

CREATE TABLE public.accounts (
	id int PRIMARY KEY,
	pin "Port PINs, ""safe""".port_pin
);
CREATE TABLE public.orders (
	id int PRIMARY KEY,
	account int REFERENCES public.accounts,
	pin "Port PINs, ""safe""".port_pin
);
SELECT "Port PINs, ""safe""".port_pin_protect('public.accounts', forbid_delete => true);
SELECT "Port PINs, ""safe""".port_pin_gate('public.orders');
INSERT INTO public.accounts VALUES (1, '004211'), (2, NULL);
INSERT INTO public.accounts VALUES (3, '4211');
UPDATE public.accounts SET pin = NULL WHERE id = 1;
UPDATE public.accounts SET pin = '004212' WHERE id = 1;
INSERT INTO public.orders VALUES (1, 1, '004212');
INSERT INTO public.orders VALUES (2, 1, '004211');
INSERT INTO public.orders VALUES (2, 2, '004211');
SELECT "Port PINs, ""safe""".port_pin_check('004211', '004211'),
	"Port PINs, ""safe""".port_pin_problem('4211'),
	"Port PINs, ""safe""".port_pin_is_weak('111111'),
	pg_catalog.length("Port PINs, ""safe""".port_pin_generate(6));

-- What it shows can be pasted, with no schema in the search_path: the calls that make
-- the guards, and the one that the error about them names.
SELECT definition FROM "Port PINs, ""safe""".port_pin_guards ORDER BY guard \gexec
SELECT "Port PINs, ""safe""".port_pin_assert_guarded();
SELECT "Port PINs, ""safe""".port_pin_assert_guarded('public.accounts', 'public.orders');
SELECT "Port PINs, ""safe""".port_pin_unprotect('public.accounts');
SELECT "Port PINs, ""safe""".port_pin_ungate('public.orders');
SELECT "Port PINs, ""safe""".port_pin_unprotect('public.accounts');
\set SHOW_CONTEXT never
SELECT "Port PINs, ""safe""".port_pin_assert_guarded('public.accounts');
\set SHOW_CONTEXT errors

-- It stays there: the objects of the extension find each other in their schema.
ALTER EXTENSION portpin SET SCHEMA public;
-- And pgcrypto stays as long as portpin does.
\set VERBOSITY terse
DROP EXTENSION pgcrypto;
\set VERBOSITY default

RESET search_path;
DROP TABLE orders, accounts;
DROP EXTENSION portpin;
DROP EXTENSION pgcrypto;
DROP SCHEMA "Crypto Box", "Port PINs, ""safe""";

--
-- From here on, and for all other tests, in public
--
CREATE EXTENSION portpin CASCADE;

-- Every object that belongs to portpin says what it is for.
SELECT pg_describe_object(classid, objid, 0) AS undocumented
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'portpin')
	AND NOT (classid = 'pg_type'::regclass AND objid IN (SELECT typarray FROM pg_type UNION SELECT reltype FROM pg_class))
	AND obj_description(objid, classid::regclass::name) IS NULL;

-- Who may call each function.  PUBLIC may call what domains and CHECKs call, and what
-- knows no stored PIN; the rest could be used to guess.
SELECT p.oid::regprocedure AS function,
	has_function_privilege('public', p.oid, 'EXECUTE') AS public,
	CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatile,
	CASE p.proparallel WHEN 's' THEN 'safe' ELSE 'unsafe' END AS parallel
FROM pg_proc p
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'portpin'
ORDER BY p.proname COLLATE "C";

SET ROLE regress_portpin_clerk;
SELECT port_pin_is_valid('004211'), port_pin_problem('4211'), '004211'::port_pin;
SELECT port_pin_check('004211', '004211');
SELECT port_pin_protect('pg_class');
SELECT port_pin_gate('pg_class');
SELECT port_pin_unprotect('pg_class');
SELECT port_pin_ungate('pg_class');
CREATE TEMP TABLE mine (id int PRIMARY KEY, pin port_pin);
CREATE TRIGGER keep AFTER UPDATE ON mine FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
CREATE TRIGGER gate AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
DROP TABLE mine;
RESET ROLE;
DROP ROLE regress_portpin_clerk;

SELECT e.extname, n.nspname, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname IN ('portpin', 'pgcrypto') ORDER BY 1;
