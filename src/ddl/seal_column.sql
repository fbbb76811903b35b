--
-- Sealing what was readable
--

-- A procedure that commits can't set search_path, so each of its transactions does.
CREATE PROCEDURE port_pin_seal_column(
	accounts pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	batch_size pg_catalog.int4 DEFAULT 1000)
	LANGUAGE plpgsql
AS $procedure$
DECLARE
	portpin pg_catalog.text;
	path CONSTANT pg_catalog.text := 'pg_catalog, pg_temp';
	started CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp();
	report_due pg_catalog.timestamptz := started;
	pin_column pg_catalog.text;
	candidates pg_catalog.int8;
	key_columns pg_catalog.text;
	key_as_text pg_catalog.text;
	key_matches pg_catalog.text;
	seal_one pg_catalog.text;
	progress pg_catalog.text;
	hint pg_catalog.text;
	unvalidated pg_catalog.name;
	this pg_catalog.record;
	is_sealed pg_catalog.bool;
	total pg_catalog.int8;
	looked_at pg_catalog.int8 := 0;
	sealed pg_catalog.int8 := 0;
	blanks pg_catalog.int8 := 0;
	malformed pg_catalog.int8 := 0;
BEGIN
	PERFORM pg_catalog.set_config('search_path', path, true);

	IF accounts IS NULL OR batch_size IS NULL OR batch_size < 1 THEN
		RAISE EXCEPTION 'port_pin_seal_column needs a table and a batch size of at least 1'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	SELECT quote_ident(nspname) INTO STRICT portpin
		FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
		WHERE extname = 'portpin';

	-- The column, the key, and the trigger without which nothing would be sealed.
	SELECT min(attname::text), count(*) INTO pin_column, candidates
		FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
		WHERE attrelid = accounts AND NOT attisdropped
			AND (pin IS NULL OR attname = pin)
			AND (portpin || '.port_pin_sealed')::regtype IN (t.oid, typbasetype);
	IF candidates = 0 THEN
		RAISE EXCEPTION 'table % has no column% of type port_pin_sealed', accounts, coalesce(' ' || pin, '')
			USING ERRCODE = 'undefined_column',
				HINT = 'Make it one: ALTER TABLE ... ALTER COLUMN ... TYPE port_pin_sealed does not rewrite the table.';
	ELSIF candidates > 1 THEN
		RAISE EXCEPTION 'table % has more than one column of type port_pin_sealed', accounts
			USING ERRCODE = 'ambiguous_column', HINT = 'Name the one to seal.';
	END IF;
	SELECT string_agg(format('%I', attname), ', ' ORDER BY place),
			string_agg(format('%I::text', attname), ', ' ORDER BY place),
			string_agg(format('%I = $1[%s]::%s', attname, place,
				format_type(atttypid, atttypmod)), ' AND ' ORDER BY place)
		INTO key_columns, key_as_text, key_matches
		FROM pg_index,
			LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
			JOIN pg_attribute a USING (attnum)
		WHERE indrelid = accounts AND indisprimary AND place <= indnkeyatts
			AND attrelid = accounts;
	IF key_columns IS NULL THEN
		RAISE EXCEPTION 'table % has no primary key', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Add one: rows are sealed one by one, in its order.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_trigger
			WHERE tgrelid = accounts AND tgenabled IN ('O', 'A')
				AND tgfoid = (portpin || '.port_pin_seal_trigger()')::regprocedure) THEN
		-- The call that makes its guard whole, with the options that it has.
		EXECUTE format('SELECT min(definition) FROM %s.port_pin_inspect($1)'
			' WHERE guard = ''protect'' AND pin_column = $2', portpin)
			INTO hint USING accounts, pin_column;
		RAISE EXCEPTION 'table % has no trigger that seals', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = coalesce(hint, format('SELECT %s.port_pin_protect(%L, pin => %L);',
					portpin, accounts, quote_ident(pin_column)));
	END IF;

	EXECUTE format('SELECT count(*) FROM %s WHERE NOT %s.port_pin_is_sealed(%I)',
		accounts, portpin, pin_column) INTO total;
	seal_one := format('UPDATE %1$s SET %2$I = %2$I WHERE %3$s'
		' AND NOT %4$s.port_pin_is_sealed(%2$I) RETURNING %4$s.port_pin_is_sealed(%2$I)',
		accounts, pin_column, key_matches, portpin);

	-- Only keys stay behind when the first COMMIT turns this into a held cursor.
	FOR this IN EXECUTE format('SELECT ARRAY[%3$s] AS key, %4$s.port_pin_problem(%2$I) AS problem'
			' FROM %1$s WHERE NOT %4$s.port_pin_is_sealed(%2$I) ORDER BY %5$s',
			accounts, pin_column, key_as_text, portpin, key_columns) LOOP
		IF this.problem IS NULL OR this.problem = 'blank' THEN
			-- The trigger seals; what somebody else has sealed meanwhile is not found.
			is_sealed := NULL;
			BEGIN
				EXECUTE seal_one INTO is_sealed USING this.key;
			EXCEPTION WHEN integrity_constraint_violation THEN
				this.problem := 'refused with ' || SQLSTATE;
			END;
		END IF;
		IF this.problem IS NULL OR this.problem = 'blank' THEN
			IF NOT is_sealed THEN
				RAISE EXCEPTION 'the trigger that seals did not seal column % of table %', pin_column, accounts
					USING ERRCODE = 'object_not_in_prerequisite_state',
						HINT = 'Is the trigger for another column, or session_replication_role set?';
			ELSIF is_sealed THEN
				sealed := sealed + 1;
			ELSIF this.problem = 'blank' THEN
				blanks := blanks + 1;
			END IF;
		ELSE
			malformed := malformed + 1;
			IF malformed <= 20 THEN
				RAISE WARNING 'left as it is: port PIN of % (%) in table %: %',
					key_columns, array_to_string(this.key, ', ', 'NULL'), accounts, this.problem;
			END IF;
		END IF;
		looked_at := looked_at + 1;

		IF clock_timestamp() >= report_due THEN
			progress := format('%s of %s, %s %%, %s a second, %s left', looked_at, total,
				round(100.0 * looked_at / greatest(total, looked_at), 1),
				round(looked_at / extract(epoch FROM clock_timestamp() - started)),
				date_trunc('second', (clock_timestamp() - started)
					* ((greatest(total, looked_at) - looked_at)::float8 / looked_at)));
			IF looked_at > 1 THEN
				RAISE NOTICE 'port PINs of table %: %', accounts, progress;
			END IF;
			report_due := clock_timestamp() + interval '15 seconds';
			PERFORM set_config('application_name', left('port_pin_seal_column: ' || progress, 63), true);
		END IF;
		IF looked_at % batch_size = 0 THEN
			COMMIT;
			PERFORM pg_catalog.set_config('search_path', path, true);
			PERFORM set_config('application_name', left('port_pin_seal_column: ' || progress, 63), true);
		END IF;
	END LOOP;
	COMMIT;
	PERFORM pg_catalog.set_config('search_path', path, true);

	hint := CASE
		WHEN malformed > 0 THEN format(
			'Correct them: SELECT %3$s, %4$s.port_pin_problem(%2$I) FROM %1$s WHERE NOT %4$s.port_pin_is_sealed(%2$I);',
			accounts, pin_column, key_columns, portpin)
		WHEN sealed > 0 THEN format(
			'VACUUM %s; until then its pages hold the digits that were there.', accounts)
		ELSE 'There is nothing left to be sealed.' END;
	RAISE NOTICE 'port PINs of table %: % sealed, % blank ones set to NULL, % left as they are',
		accounts, sealed, blanks, malformed USING HINT = hint;

	-- From now on the CHECK holds for all rows.
	SELECT conname INTO unvalidated
		FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
			JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
		WHERE conrelid = accounts AND contype = 'c' AND NOT convalidated
			AND attname = pin_column AND pg_has_role(relowner, 'USAGE')
			AND pg_get_constraintdef(pg_constraint.oid) LIKE '%port\_pin\_check\_sealed(%';
	IF unvalidated IS NOT NULL AND malformed = 0 THEN
		EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', accounts, unvalidated);
	END IF;
END
$procedure$;

COMMENT ON PROCEDURE port_pin_seal_column(pg_catalog.regclass, pg_catalog.name, pg_catalog.int4) IS
'seals the port PINs that a column has already, in committed batches; can be stopped and called again';
