--
-- Installing the guard of a table of accounts
--

CREATE FUNCTION port_pin_protect(
	accounts pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	forbid_delete pg_catalog.bool DEFAULT false,
	check_format pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_protect(pg_catalog.regclass, pg_catalog.name, pg_catalog.bool, pg_catalog.bool) IS
'keep the port PINs of a table set, sealed where the column is, and if asked in their format: creates triggers and returns the statements that it ran';
