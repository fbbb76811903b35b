--
-- Sealed PINs
--

CREATE FUNCTION port_pin_is_sealed(stored pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_sealed(pg_catalog.text) IS
'true for what has the form of a sealed port PIN; needs no key';

-- No constraint: a column can become sealed without being rewritten.  The trigger and
-- the table's CHECK control what is stored; see port_pin_protect.
CREATE DOMAIN port_pin_sealed AS pg_catalog.text;

COMMENT ON DOMAIN port_pin_sealed IS
'port-out PIN that is stored sealed: digits on their way in, see port_pin_protect; NULL is blank';

CREATE FUNCTION port_pin_seal(pin port_pin) RETURNS port_pin_sealed
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION port_pin_seal(port_pin) IS
'seals a port PIN with the first key of portpin.key_file, as portpin.seal_method and seal_cost say; never the same twice';

CREATE FUNCTION port_pin_sealed_with(stored pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_sealed_with(pg_catalog.text) IS
'id.fingerprint of the key that sealed a port PIN, NULL for what is not sealed; count rows by it before a key is dropped';

CREATE FUNCTION port_pin_seal_keys(OUT id pg_catalog.text, OUT fingerprint pg_catalog.text,
	OUT seals pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_seal_keys() IS
'the keys in portpin.key_file, in its order: id, fingerprint (of the key itself, to compare servers by), and whether new port PINs are sealed with it; 55000 where the setting is empty';
