--
-- History
--

CREATE TABLE port_pin_history (
	event_at pg_catalog.timestamptz NOT NULL,
	account_schema pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	account_table pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	account_key pg_catalog.text[] COLLATE pg_catalog."C" NOT NULL,
	event pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	order_schema pg_catalog.text COLLATE pg_catalog."C",
	order_table pg_catalog.text COLLATE pg_catalog."C",
	order_key pg_catalog.text[] COLLATE pg_catalog."C",
	role_name pg_catalog.text,
	login_name pg_catalog.text,
	client_addr pg_catalog.inet,
	application_name pg_catalog.text,
	pid pg_catalog.int4 NOT NULL,
	PRIMARY KEY (account_schema, account_table, account_key, event_at, pid)
);

CREATE INDEX port_pin_history_event_at ON port_pin_history (event_at);

SELECT pg_catalog.pg_extension_config_dump('port_pin_history', '');

COMMENT ON TABLE port_pin_history IS
'what became of the port PINs and locks of accounts whose guard has history => true; written in the transaction that did it, whatever privileges its role has; never the PIN';
COMMENT ON COLUMN port_pin_history.event_at IS
'when it was done, by the clock; it can be read once its transaction has committed, so a reader that polls goes back by the longest transaction';
COMMENT ON COLUMN port_pin_history.account_schema IS 'schema of the table with the PIN; pg_temp for a temporary table';
COMMENT ON COLUMN port_pin_history.account_table IS 'table with the PIN, the whole one if it has partitions; names are raw, without quotes';
COMMENT ON COLUMN port_pin_history.account_key IS 'primary key of the row with the PIN, as it was then';
COMMENT ON COLUMN port_pin_history.event IS
'set, changed (to other digits), cleared, deleted: the PIN, or the row with it; used: a port order was accepted with it; locked, unlocked: the columns that lock and lock_until name; lockout_lifted: by port_pin_lift_lockout';
COMMENT ON COLUMN port_pin_history.order_schema IS 'used: schema of the table of the port order; else NULL';
COMMENT ON COLUMN port_pin_history.order_table IS 'used: table of the port order; else NULL';
COMMENT ON COLUMN port_pin_history.order_key IS 'used: primary key of the port order; NULL if it has none';
COMMENT ON COLUMN port_pin_history.role_name IS 'role that did it: the one that was set, outside of any function; NULL if it has been dropped';
COMMENT ON COLUMN port_pin_history.login_name IS 'role that had logged in';
COMMENT ON COLUMN port_pin_history.client_addr IS 'address that the session came from; NULL if from this machine';
COMMENT ON COLUMN port_pin_history.application_name IS 'application_name of the session';
COMMENT ON COLUMN port_pin_history.pid IS 'process of the session';
COMMENT ON INDEX port_pin_history_event_at IS 'to read what is new, and to purge what is old';

CREATE FUNCTION port_pin_purge_history(older_than pg_catalog.interval)
	RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
	WITH purged AS (
		DELETE FROM port_pin_history h
		WHERE h.event_at OPERATOR(pg_catalog.<)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) older_than)
		RETURNING 1)
	SELECT pg_catalog.count(*) FROM purged;
END;

COMMENT ON FUNCTION port_pin_purge_history(pg_catalog.interval) IS
'delete history, with the rights of the caller, and return how many rows; for one account, DELETE by its key';
