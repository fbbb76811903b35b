--
-- Installing a gate
--

CREATE FUNCTION port_pin_gate(
	orders pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	fk pg_catalog.name[] DEFAULT NULL,
	account_pin pg_catalog.name DEFAULT NULL,
	via pg_catalog.name[] DEFAULT NULL,
	number_pin pg_catalog.name DEFAULT NULL,
	scope pg_catalog.name DEFAULT NULL,
	lock pg_catalog.name DEFAULT NULL,
	expires pg_catalog.name DEFAULT NULL,
	unset pg_catalog.text DEFAULT 'refuse',
	verdict pg_catalog.name DEFAULT NULL,
	redact pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_gate(pg_catalog.regclass, pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.text, pg_catalog.name, pg_catalog.bool) IS
'let port orders into a table only with their account''s port PIN: creates triggers and returns the statements that it ran';
