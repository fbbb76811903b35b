--
-- Guarding a table of accounts or numbers
--

CREATE FUNCTION port_pin_protect(
	accounts pg_catalog.regclass,
	pin pg_catalog.text DEFAULT NULL,
	scope pg_catalog.text DEFAULT NULL,
	lock pg_catalog.text DEFAULT NULL,
	lock_until pg_catalog.text DEFAULT NULL,
	expires pg_catalog.text DEFAULT NULL,
	changed pg_catalog.text DEFAULT NULL,
	min_age pg_catalog.interval DEFAULT NULL,
	max_age pg_catalog.interval DEFAULT NULL,
	used pg_catalog.text DEFAULT NULL,
	unlike pg_catalog.text DEFAULT NULL,
	forbid_weak pg_catalog.bool DEFAULT false,
	forbid_delete pg_catalog.bool DEFAULT false,
	check_format pg_catalog.bool DEFAULT false,
	clearable pg_catalog.bool DEFAULT false,
	allow_unset pg_catalog.bool DEFAULT false,
	history pg_catalog.bool DEFAULT false,
	replace pg_catalog.bool DEFAULT false,
	OUT statement pg_catalog.text)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_protect(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.interval, pg_catalog.interval, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool) IS
'keep the port PINs of a table set, sealed where the column is, and say what counts for its accounts; arguments name columns (text), durations (interval) and switches: changed is a timestamptz column in which the guard alone writes when a PIN is set or gets other digits; a PIN younger than min_age (23PN9) or older than max_age (23PN6) ports nothing, one of unknown age (NULL) passes min_age and fails max_age; a new PIN may not repeat the digits of the columns that unlike names, nor with forbid_weak be one that port_pin_is_weak knows (23514); returns the statements that it ran';

CREATE FUNCTION port_pin_unprotect(
	accounts pg_catalog.regclass,
	pin pg_catalog.text DEFAULT NULL,
	if_exists pg_catalog.bool DEFAULT false,
	OUT statement pg_catalog.text)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_unprotect(pg_catalog.regclass, pg_catalog.text, pg_catalog.bool) IS
'remove the guard of a table with port PINs, and all that was made for it; returns the statements that it ran';
