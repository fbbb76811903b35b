--
-- Lifting lock-outs
--

CREATE FUNCTION port_pin_lift_lockout(accounts pg_catalog.regclass, VARIADIC key "any")
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_lift_lockout(pg_catalog.regclass, "any") IS
'stop counting the failed attempts at an account, and return how many counted; the key is that of the table''s primary key, in any spelling; for the owner of the accounts, and for roles that are granted EXECUTE by name';

CREATE FUNCTION port_pin_lift_source_lockout(source pg_catalog.text)
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION port_pin_lift_source_lockout(pg_catalog.text) IS
'stop counting the failed attempts of a source for its own lock-out (they still count for those of the accounts), and return how many counted; for roles that are granted EXECUTE';
