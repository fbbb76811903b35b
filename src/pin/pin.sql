--
-- What a PIN is
--

CREATE FUNCTION port_pin_is_valid(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_valid(pg_catalog.text) IS
'true for 6 to 10 ASCII digits, false for anything else; NULL for NULL';

CREATE DOMAIN port_pin AS pg_catalog.text
	CONSTRAINT port_pin_is_6_to_10_digits CHECK (port_pin_is_valid(VALUE));

COMMENT ON DOMAIN port_pin IS
'port-out PIN: 6 to 10 digits, leading zeros count; NULL is blank';

COMMENT ON CONSTRAINT port_pin_is_6_to_10_digits ON DOMAIN port_pin IS
'refuses all but ASCII digits: no blanks, signs or letters, and nothing is trimmed or cut';

CREATE FUNCTION port_pin_problem(pin pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_problem(pg_catalog.text) IS
'NULL for a valid port PIN, else why it is not one: blank, too short, too long, not digits';

CREATE FUNCTION port_pin_check_format(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_check_format(pg_catalog.text) IS
'for a CHECK on a legacy column: true for a valid or blank port PIN, else an error (23514) that does not show it';

CREATE FUNCTION port_pin_is_weak(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_weak(pg_catalog.text) IS
'true for a port PIN that guessers try first: a run, a repeated block, pairs, a mirror, two digits only, two runs woven into one, lines of or a walk over a keypad, a date or month; about a tenth of those of 6 digits; false for a value that is not a port PIN, NULL for NULL';

CREATE FUNCTION port_pin_generate(digits pg_catalog.int4 DEFAULT 8) RETURNS port_pin
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_generate(pg_catalog.int4) IS
'random port PIN of 6 to 10 digits, all that are not weak being as likely; 22023 for another number of digits';
