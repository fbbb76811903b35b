--
-- Gating a table of orders
--

CREATE FUNCTION port_pin_gate(
	orders pg_catalog.regclass,
	fk pg_catalog.text DEFAULT NULL,
	via pg_catalog.text DEFAULT NULL,
	pin pg_catalog.text DEFAULT NULL,
	scope pg_catalog.text DEFAULT NULL,
	source pg_catalog.text DEFAULT NULL,
	verdict pg_catalog.text DEFAULT NULL,
	redact pg_catalog.bool DEFAULT false,
	account_pin pg_catalog.text DEFAULT NULL,
	replace pg_catalog.bool DEFAULT false,
	OUT statement pg_catalog.text)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_gate(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.bool) IS
'let port orders into a table only with their account''s port PIN; returns the statements that it ran';

CREATE FUNCTION port_pin_ungate(
	orders pg_catalog.regclass,
	fk pg_catalog.text DEFAULT NULL,
	if_exists pg_catalog.bool DEFAULT false,
	OUT statement pg_catalog.text)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_ungate(pg_catalog.regclass, pg_catalog.text, pg_catalog.bool) IS
'remove a gate; returns the statements that it ran';
