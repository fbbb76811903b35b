--
-- Sealing what was readable
--

-- Every write seals, so a readable PIN stays where it is until it is sealed there,
-- and none is added.  The first round goes through the table in physical order, in
-- batches, and skips rows that others have locked: so concurrent calls share the work.
-- The second round takes the rest row by row, and seals or reports each.
--
-- A procedure that commits can't set search_path, so each of its transactions does.
CREATE PROCEDURE port_pin_seal_column(
	accounts pg_catalog.regclass,
	pin pg_catalog.text DEFAULT NULL,
	batch_size pg_catalog.int4 DEFAULT 100)
	LANGUAGE plpgsql
AS $procedure$
DECLARE
	path CONSTANT pg_catalog.text := 'pg_catalog, pg_temp';
	portpin pg_catalog.text;
	pin_column pg_catalog.text;
	candidates pg_catalog.int8;
	key_columns pg_catalog.text;
	key_as_text pg_catalog.text;
	key_matches pg_catalog.text;
	place pg_catalog.text;
	place_matches pg_catalog.text;
	readable pg_catalog.text;
	problem pg_catalog.text;
	seal pg_catalog.text;
	parts pg_catalog.regclass[];
	part pg_catalog.regclass;
	pages pg_catalog.int8;
	pages_before pg_catalog.int8 := 0;
	batch pg_catalog.record;
	this pg_catalog.record;
	result pg_catalog.record;
	sealed pg_catalog.int8 := 0;
	blanks pg_catalog.int8 := 0;
	kept pg_catalog.int8 := 0;
	started CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp();
	reported pg_catalog.timestamptz := started;
	done pg_catalog.numeric;
	progress pg_catalog.text;
	hint pg_catalog.text;
	unvalidated pg_catalog.name;
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
	WITH RECURSIVE sealed_type (type) AS (
			SELECT (portpin || '.port_pin_sealed')::regtype::oid
			UNION ALL
			SELECT t.oid FROM sealed_type JOIN pg_type t ON typbasetype = type)
		SELECT min(attname::text), count(*) INTO pin_column, candidates
		FROM pg_attribute JOIN sealed_type ON type = atttypid
		WHERE attrelid = accounts AND NOT attisdropped
			AND (pin IS NULL OR attname = pin);
	IF candidates = 0 THEN
		RAISE EXCEPTION 'table % has no column% of type port_pin_sealed', accounts, coalesce(' ' || pin, '')
			USING ERRCODE = 'undefined_column',
				HINT = 'Make it one: ALTER TABLE ... ALTER COLUMN ... TYPE port_pin_sealed does not rewrite the table.';
	ELSIF candidates > 1 THEN
		RAISE EXCEPTION 'table % has more than one column of type port_pin_sealed', accounts
			USING ERRCODE = 'ambiguous_column', HINT = 'Name the one to seal.';
	END IF;
	SELECT string_agg(format('%I', attname), ', ' ORDER BY n),
			string_agg(format('%I::text', attname), ', ' ORDER BY n),
			string_agg(format('%I = $1[%s]::%s', attname, n,
				format_type(atttypid, atttypmod)), ' AND ' ORDER BY n)
		INTO key_columns, key_as_text, key_matches
		FROM pg_index,
			LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
			JOIN pg_attribute a USING (attnum)
		WHERE indrelid = accounts AND indisprimary AND n <= indnkeyatts
			AND attrelid = accounts;
	IF key_columns IS NULL THEN
		RAISE EXCEPTION 'table % has no primary key', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Add one: rows that can''t be sealed are reported by it.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_trigger
			WHERE tgrelid = accounts AND tgenabled IN ('O', 'A')
				AND tgfoid = (portpin || '.port_pin_seal_trigger()')::regprocedure) THEN
		-- The call that completes its guard, with the options that it has.
		EXECUTE format('SELECT min(definition) FROM %s.port_pin_inspect($1)'
			' WHERE guard = ''protect'' AND pin_column = $2', portpin)
			INTO hint USING accounts, pin_column;
		RAISE EXCEPTION 'table % has no trigger that seals', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = coalesce(hint, format('SELECT %s.port_pin_protect(%L, pin => %L);',
					portpin, accounts, quote_ident(pin_column)));
	END IF;

	-- Casts to text, so that a function planted beside ours for the domain is not chosen.
	readable := format('NOT %s.port_pin_is_sealed(%I::text)', portpin, pin_column);
	problem := format('%s.port_pin_problem(%I::text)', portpin, pin_column);
	seal := format('WITH done AS (UPDATE %%s SET %1$I = %1$I WHERE %%s AND %2$s RETURNING %1$I::text AS pin)'
		' SELECT count(*) AS changed, count(*) FILTER (WHERE %3$s.port_pin_is_sealed(pin)) AS sealed,'
		' count(*) FILTER (WHERE pin IS NULL) AS blank FROM done', pin_column, readable, portpin);

	parts := ARRAY(SELECT relid FROM pg_partition_tree(accounts) WHERE isleaf);
	IF parts = '{}' THEN
		parts := ARRAY[accounts];
	END IF;
	SELECT sum(pg_relation_size(p) / current_setting('block_size')::int) INTO pages FROM unnest(parts) p;

	-- The second round finds a row by its place.  Where Citus has a table on other nodes,
	-- none of it is here, and each copy of a row has another place: there by the key.
	IF pages > 0 THEN
		place := 'ARRAY[tableoid::text, ctid::text]';
		place_matches := 'tableoid = $1[1]::oid AND ctid = $1[2]::tid';
	ELSE
		place := format('ARRAY[%s]', key_as_text);
		place_matches := key_matches;
	END IF;

	<<round_of_batches>>
	FOREACH part IN ARRAY parts LOOP
		SELECT '(0,0)'::tid AS last INTO batch;
		WHILE pg_relation_size(part) > 0 LOOP
			COMMIT;
			PERFORM pg_catalog.set_config('search_path', path, true);
			PERFORM set_config('application_name', left('port_pin_seal_column: ' || progress, 63), true);

			-- No row is locked while this reads, however far it has to go.
			EXECUTE format('SELECT max(ctid) AS last, array_agg(ctid) AS rows FROM (SELECT ctid FROM ONLY %s'
					' WHERE ctid > $1 AND %s AND coalesce(%s, ''blank'') = ''blank'' LIMIT $2) s',
					part, readable, problem)
				INTO batch USING batch.last, batch_size;
			EXIT WHEN batch.last IS NULL;
			BEGIN
				EXECUTE format(seal, 'ONLY ' || part, format('ctid = ANY (ARRAY(SELECT ctid FROM ONLY %s'
						' WHERE ctid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED))', part))
					INTO result USING batch.rows;
			EXCEPTION WHEN integrity_constraint_violation THEN
				CONTINUE;
			END;
			EXIT round_of_batches WHEN result.changed > result.sealed + result.blank;
			sealed := sealed + result.sealed;
			blanks := blanks + result.blank;

			done := least(1, (pages_before + (batch.last::text::point)[0] + 1) / pages);
			progress := format('%s sealed, %s %%, %s a second, %s left', sealed, round(100 * done, 1),
				round(sealed / extract(epoch FROM clock_timestamp() - started)),
				date_trunc('second', (clock_timestamp() - started) * ((1 - done) / done)::float8));
			IF done < 1 AND clock_timestamp() - reported >= interval '1 minute' THEN
				RAISE NOTICE 'port PINs of table %: %', accounts, progress;
				reported := clock_timestamp();
			END IF;
		END LOOP;
		pages_before := pages_before + pg_relation_size(part) / current_setting('block_size')::int;
	END LOOP;

	-- The first COMMIT turns this into a held cursor, which keeps places and keys, no PINs.
	-- A row that is no longer in its place has been written since, and so sealed.
	FOR this IN EXECUTE format('SELECT %s AS place, ARRAY[%s] AS key, %s AS problem FROM %s WHERE %s ORDER BY %s',
			place, key_as_text, problem, accounts, readable, key_columns) LOOP
		COMMIT;
		PERFORM pg_catalog.set_config('search_path', path, true);
		IF coalesce(this.problem, 'blank') = 'blank' THEN
			BEGIN
				EXECUTE format(seal, accounts, place_matches) INTO result USING this.place;
				this.problem := NULL;
			EXCEPTION WHEN integrity_constraint_violation THEN
				this.problem := 'refused with ' || SQLSTATE;
			END;
		END IF;
		IF this.problem IS NULL THEN
			IF result.changed > result.sealed + result.blank THEN
				RAISE EXCEPTION 'the trigger that seals did not seal column % of table %', pin_column, accounts
					USING ERRCODE = 'object_not_in_prerequisite_state',
						HINT = 'Is the trigger for another column, or session_replication_role set?';
			END IF;
			sealed := sealed + result.sealed;
			blanks := blanks + result.blank;
		ELSE
			kept := kept + 1;
			IF kept <= 20 THEN
				RAISE WARNING 'left as it is: port PIN of % (%) in table %: %',
					key_columns, array_to_string(this.key, ', ', 'NULL'), accounts, this.problem;
			END IF;
		END IF;
	END LOOP;
	COMMIT;
	PERFORM pg_catalog.set_config('search_path', path, true);

	hint := CASE
		WHEN kept > 0 THEN format(
			'Correct them: SELECT %3$s, %4$s FROM %1$s WHERE %2$s;', accounts, readable, key_columns, problem)
		WHEN sealed > 0 THEN format(
			'VACUUM ANALYZE %s; until then its pages, and statistics of expressions, hold digits that were there.', accounts)
		ELSE 'There is nothing left to be sealed.' END;
	RAISE NOTICE 'port PINs of table %: % sealed, % blank ones set to NULL, % left as they are',
		accounts, sealed, blanks, kept USING HINT = hint;

	-- From now on the CHECK holds for all rows.
	SELECT conname INTO unvalidated
		FROM pg_constraint c JOIN pg_class r ON r.oid = conrelid
			JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
			JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
				AND d.refclassid = 'pg_proc'::regclass
				AND d.refobjid = (portpin || '.port_pin_check_sealed(text)')::regprocedure
		WHERE conrelid = accounts AND contype = 'c' AND NOT convalidated
			AND attname = pin_column AND pg_has_role(relowner, 'USAGE');
	IF unvalidated IS NOT NULL AND kept = 0 THEN
		EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', accounts, unvalidated);
	END IF;
END
$procedure$;

COMMENT ON PROCEDURE port_pin_seal_column(pg_catalog.regclass, pg_catalog.text, pg_catalog.int4) IS
'seals the port PINs that a column (pin, else found by its type) has already, batch_size rows a transaction; may run several times at once, be stopped, and be called again; reports rows that it has to leave, else validates the CHECK; 2D000 in a transaction block';
