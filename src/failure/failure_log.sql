--
-- Wrong guesses
--

CREATE TABLE port_pin_failures (
	at pg_catalog.timestamptz NOT NULL,
	accounts pg_catalog.regclass NOT NULL,
	key pg_catalog.text[] COLLATE pg_catalog."C" NOT NULL,
	orders pg_catalog.regclass NOT NULL,
	role pg_catalog.text NOT NULL,
	login pg_catalog.text NOT NULL,
	client pg_catalog.inet,
	application pg_catalog.text NOT NULL,
	unlocked pg_catalog.timestamptz,
	PRIMARY KEY (accounts, key, at)
);

SELECT pg_catalog.pg_extension_config_dump('port_pin_failures', '');

COMMENT ON TABLE port_pin_failures IS
'wrong port PINs, one row each, written and committed before whoever supplied one is told; never the PIN';
COMMENT ON COLUMN port_pin_failures.at IS 'when it was recorded';
COMMENT ON COLUMN port_pin_failures.accounts IS 'the table with the PIN';
COMMENT ON COLUMN port_pin_failures.key IS 'primary key of the row with the PIN';
COMMENT ON COLUMN port_pin_failures.orders IS 'the table that the port order was for';
COMMENT ON COLUMN port_pin_failures.role IS 'who placed the order: the role that was set, outside of any function';
COMMENT ON COLUMN port_pin_failures.login IS 'who had logged in';
COMMENT ON COLUMN port_pin_failures.client IS 'address that the session came from; NULL if from this machine';
COMMENT ON COLUMN port_pin_failures.application IS 'application_name of the session';
COMMENT ON COLUMN port_pin_failures.unlocked IS 'when port_pin_unlock let it count no more';

CREATE FUNCTION port_pin_purge_failures(older_than pg_catalog.interval)
	RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
	WITH purged AS (
		DELETE FROM port_pin_failures f
		WHERE f.at OPERATOR(pg_catalog.<)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) older_than)
		RETURNING 1)
	SELECT pg_catalog.count(*) FROM purged;
END;

COMMENT ON FUNCTION port_pin_purge_failures(pg_catalog.interval) IS
'delete records of wrong port PINs, with the rights of the caller; returns how many';
