--
-- Failed attempts
--

CREATE TABLE port_pin_failures (
	failed_at pg_catalog.timestamptz NOT NULL,
	account_schema pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	account_table pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	account_key pg_catalog.text[] COLLATE pg_catalog."C" NOT NULL,
	order_schema pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	order_table pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	source pg_catalog.text COLLATE pg_catalog."C",
	role_name pg_catalog.text,
	login_name pg_catalog.text,
	client_addr pg_catalog.inet,
	application_name pg_catalog.text,
	pid pg_catalog.int4 NOT NULL,
	lifted_at pg_catalog.timestamptz,
	source_lifted_at pg_catalog.timestamptz,
	PRIMARY KEY (account_schema, account_table, account_key, failed_at, pid)
);

CREATE INDEX port_pin_failures_failed_at ON port_pin_failures (failed_at);
CREATE INDEX port_pin_failures_source ON port_pin_failures (source, failed_at);

SELECT pg_catalog.pg_extension_config_dump('port_pin_failures', '');

COMMENT ON TABLE port_pin_failures IS
'failed attempts: wrong port PINs, one row each, written and committed before the order is refused; never the PIN';
COMMENT ON COLUMN port_pin_failures.failed_at IS 'when it was recorded';
COMMENT ON COLUMN port_pin_failures.account_schema IS 'schema of the table with the PIN; pg_temp for a temporary table';
COMMENT ON COLUMN port_pin_failures.account_table IS
'table with the PIN, the whole one if it has partitions; names are raw, without quotes; that of a temporary table ends with its session''s start and process, as %c in log_line_prefix';
COMMENT ON COLUMN port_pin_failures.account_key IS 'primary key of the row with the PIN';
COMMENT ON COLUMN port_pin_failures.order_schema IS 'schema of the table that the port order was for';
COMMENT ON COLUMN port_pin_failures.order_table IS 'table that the port order was for';
COMMENT ON COLUMN port_pin_failures.source IS 'who asked, by the column of the order that the gate names; NULL if it names none';
COMMENT ON COLUMN port_pin_failures.role_name IS 'role that placed the order: the one that was set, outside of any function; NULL if it has been dropped';
COMMENT ON COLUMN port_pin_failures.login_name IS 'role that had logged in';
COMMENT ON COLUMN port_pin_failures.client_addr IS 'address that the session came from; NULL if from this machine';
COMMENT ON COLUMN port_pin_failures.application_name IS 'application_name of the session';
COMMENT ON COLUMN port_pin_failures.pid IS 'process of the session';
COMMENT ON COLUMN port_pin_failures.lifted_at IS 'when it stopped counting for its account, by port_pin_lift_lockout';
COMMENT ON COLUMN port_pin_failures.source_lifted_at IS 'when it stopped counting for its source, by port_pin_lift_source_lockout';
COMMENT ON INDEX port_pin_failures_failed_at IS 'failures that count, and nothing older';
COMMENT ON INDEX port_pin_failures_source IS 'failures of one source';

-- Sessions keep what they know of the record until they are told of a change.  Rows
-- that a subscription or a restore brings must not be overlooked, either.
CREATE FUNCTION port_pin_failures_trigger()
	RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_failures_trigger() IS
'trigger of port_pin_failures: tells all sessions that the record has changed';

CREATE TRIGGER port_pin_failures_row AFTER INSERT OR UPDATE ON port_pin_failures
	FOR EACH ROW EXECUTE FUNCTION port_pin_failures_trigger();
CREATE TRIGGER port_pin_failures_delete AFTER DELETE ON port_pin_failures
	FOR EACH STATEMENT EXECUTE FUNCTION port_pin_failures_trigger();
ALTER TABLE port_pin_failures
	ENABLE ALWAYS TRIGGER port_pin_failures_row,
	ENABLE ALWAYS TRIGGER port_pin_failures_delete;

COMMENT ON TRIGGER port_pin_failures_row ON port_pin_failures IS
'rows written by hand or by replication count at once, in all sessions';
COMMENT ON TRIGGER port_pin_failures_delete ON port_pin_failures IS
'deletions count in all sessions once they are committed';

CREATE FUNCTION port_pin_purge_failures(older_than pg_catalog.interval)
	RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
	WITH purged AS (
		DELETE FROM port_pin_failures f
		WHERE f.failed_at OPERATOR(pg_catalog.<)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) older_than)
		RETURNING 1)
	SELECT pg_catalog.count(*) FROM purged;
END;

COMMENT ON FUNCTION port_pin_purge_failures(pg_catalog.interval) IS
'delete records of failed attempts, with the rights of the caller; returns how many';
