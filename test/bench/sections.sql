-- What is measured.  :growth lists numbers of accounts.

-- A PIN is valid.

CALL bench.section('domain', 'A value of a column, INSERT … SELECT');
CALL bench.section('domain_copy', 'A value of a column, COPY');
DO $$
DECLARE
    name text;
    type text;
    pins text;
BEGIN
    FOR name, type IN VALUES ('text', 'text'), ('a check in C that does nothing', 'bench.pin_floor'),
        ('regular expression', 'bench.pin_regex'), ('PL/pgSQL', 'bench.pin_plpgsql'), ('port_pin', 'port_pin')
    LOOP
        pins := format('%I', 'pins: ' || name);
        EXECUTE format('CREATE TABLE %s (id bigint, account_id bigint, pin %s, carrier text)', pins, type);
        CALL bench.bulk('domain', name, nullif('text', name),
            format('INSERT INTO %s SELECT * FROM bench.given_{n}', pins), NULL, 'TRUNCATE ' || pins);
        CALL bench.bulk('domain_copy', name, nullif('text', name),
            format('COPY %s FROM ''given_{n}''', pins), NULL, 'TRUNCATE ' || pins);
    END LOOP;
END $$;
INSERT INTO bench.target (section, variant, against, at_most) VALUES ('domain', 'port_pin', 'regular expression', 0.10);


-- It is kept.  Accounts behind a gate are referenced by a foreign key.

CREATE PROCEDURE bench.keep(section text, guards text[], new_value text, referenced boolean) LANGUAGE plpgsql AS $$
DECLARE
    guard text;
    accounts text;
BEGIN
    FOREACH guard IN ARRAY guards LOOP
        accounts := format('%I', section || ': ' || guard);
        CALL bench.accounts(accounts, 0);
        IF referenced THEN
            CALL bench.orders(format('%I', section || ': orders, ' || guard), accounts);
        END IF;
        CASE guard
        WHEN 'a trigger in C with the same WHEN' THEN
            EXECUTE format('CREATE TRIGGER floor AFTER UPDATE ON %s FOR EACH ROW
                WHEN (OLD.pin IS NOT NULL AND NEW.pin IS NULL) EXECUTE FUNCTION bench.do_nothing()', accounts);
        WHEN 'PL/pgSQL row trigger' THEN
            EXECUTE format('CREATE TRIGGER keep BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION bench.keep()', accounts);
        WHEN 'portpin' THEN
            PERFORM port_pin_protect(accounts::regclass);
        ELSE
        END CASE;
        CALL bench.bulk(section, guard, NULL, format('UPDATE %s SET %s', accounts, new_value), NULL,
            format(E'TRUNCATE %s CASCADE;\nINSERT INTO %1$s SELECT * FROM bench.accounts LIMIT {n}', accounts), 20, 220);
    END LOOP;
END $$;

CALL bench.section('keep', 'UPDATE of other columns of accounts that orders reference');
CALL bench.keep('keep', '{no guard,a trigger in C with the same WHEN,PL/pgSQL row trigger,portpin}', 'name = ''Somebody''', true);
INSERT INTO bench.target (section, variant, against, at_most) VALUES ('keep', 'portpin', 'no guard', 1.03);
CALL bench.section('keep_pin', 'UPDATE of their PINs');
CALL bench.keep('keep_pin', '{no guard,portpin}', 'pin = ''815204''', true);
CALL bench.section('keep_alone', 'UPDATE of other columns of accounts that nothing references');
CALL bench.keep('keep_alone', '{no guard,portpin}', 'name = ''Somebody''', false);


-- An order needs it.

CALL bench.orders('orders_plain', NULL);
CALL bench.orders('orders_fk', 'bench.accounts');
CALL bench.orders('orders_floor', 'bench.accounts');
CREATE TRIGGER floor AFTER INSERT ON orders_floor FOR EACH ROW EXECUTE FUNCTION bench.do_nothing();
CALL bench.orders('orders_row', 'bench.accounts');
CREATE TRIGGER gate AFTER INSERT ON orders_row FOR EACH ROW EXECUTE FUNCTION bench.gate_row();
CALL bench.orders('orders_statement', 'bench.accounts');
CREATE TRIGGER gate AFTER INSERT ON orders_statement REFERENCING NEW TABLE AS orders
    FOR EACH STATEMENT EXECUTE FUNCTION bench.gate_statement();
CALL bench.orders('orders_gate', 'bench.accounts', '');

CREATE PROCEDURE bench.bulk_orders(section text, variant text, base text, orders text,
                                   setup text = 'TRUNCATE port_pin_failures', prepare text = NULL)
LANGUAGE sql AS $$
    CALL bench.bulk(section, variant, base, format('INSERT INTO %s SELECT * FROM bench.given_{n}', orders),
                    setup, concat_ws(E';\n', format('TRUNCATE %s', orders), prepare))
$$;
-- All have one name: reading a longer one would count.
CREATE PROCEDURE bench.single_orders(section text, variant text, base text, orders text,
                                     setup text = 'TRUNCATE port_pin_failures', prepare text = NULL)
LANGUAGE sql AS $$
    CALL bench.each(section, variant, base, 'EXECUTE place ({i}, {id}, ''{pin}'')', concat_ws(E';\n', setup, 'DEALLOCATE ALL',
        format('PREPARE place (bigint, bigint, text) AS INSERT INTO %s VALUES ($1, $2, $3, ''Northwind'')', orders)), prepare)
$$;

CALL bench.section('gate', 'An order, INSERT … SELECT');
CALL bench.section('single', 'An order by itself, EXECUTE of a prepared INSERT');
DO $$
DECLARE
    section text;
    how text;
    failures int;
BEGIN
    FOR section, how IN VALUES ('gate', 'bulk'), ('single', 'single') LOOP
        EXECUTE format($call$
            CALL bench.%2$s_orders(%1$L, 'no check', NULL, 'orders_plain');
            CALL bench.%2$s_orders(%1$L, 'foreign key', 'no check', 'orders_fk');
            CALL bench.%2$s_orders(%1$L, 'a trigger in C that does nothing', 'foreign key', 'orders_floor');
            CALL bench.%2$s_orders(%1$L, 'PL/pgSQL row trigger', 'foreign key', 'orders_row');
            CALL bench.%2$s_orders(%1$L, 'PL/pgSQL statement trigger', 'foreign key', 'orders_statement');
            CALL bench.%2$s_orders(%1$L, 'gate', 'foreign key', 'orders_gate')
        $call$, section, how);
        FOREACH failures IN ARRAY ARRAY[300, 3000] LOOP
            EXECUTE format('CALL bench.%s_orders(%L, %L, ''foreign key'', ''orders_gate'', %L)', how, section,
                format('gate, %s failures on record', failures),
                -- A session that has placed some orders knows them.
                format(E'CALL bench.record(%s);\nINSERT INTO orders_gate SELECT * FROM bench.given_1100', failures));
        END LOOP;
    END LOOP;
END $$;

-- Where the gate's instructions go, by the profile.
INSERT INTO bench.variant (section, variant, few, many, functions)
SELECT section, part || ', within the gate', 0, many, functions
FROM (VALUES ('gate', 1100), ('single', 220)) AS s (section, many),
     (VALUES ('its trigger function', 'port_pin_gate_trigger'), ('its search for the account', 'FindReferencedRow'),
             ('its turn at the account', 'LockAttempt|EndAttempt')) AS f (part, functions);

INSERT INTO bench.target (section, variant, against, at_most) VALUES
    ('gate', 'gate', 'foreign key', 0.40),
    ('gate', 'gate', 'PL/pgSQL row trigger', 0.50),
    ('gate', 'gate', 'PL/pgSQL statement trigger', 1.50),
    ('gate', 'its turn at the account, within the gate', 'foreign key', 0.06),
    ('single', 'gate', 'foreign key', 0.36),
    ('single', 'gate', 'PL/pgSQL row trigger', 0.42),
    ('single', 'gate, 300 failures on record', 'foreign key', 0.38),
    ('single', 'its turn at the account, within the gate', 'foreign key', 0.06);

-- What a session hears of a failure that another one has recorded, and does about it.
CALL bench.section('told', 'A failure that another session has recorded');
CREATE PROCEDURE bench.told(variant text, base text, invalidates text, failures int) LANGUAGE sql AS $$
    CALL bench.single_orders('told', variant, base, 'orders_gate', format('CALL bench.record(%s)', failures));
    UPDATE bench.variant v
    SET statement = format(E'SELECT bench.invalidate(''port_pin_lockouts'', %s)\n', invalidates) || statement
    WHERE v.section = 'told' AND v.variant = told.variant
$$;
CALL bench.told('an order', NULL, 'false', 0);
CALL bench.told('an order after it', 'an order', ' true', 0);
CALL bench.told('an order after it, 3000 failures on record', 'an order', ' true', 3000);
INSERT INTO bench.target (section, variant, against, at_most) VALUES
    ('told', 'an order after it', NULL, 45000),
    ('told', 'an order after it, 3000 failures on record', NULL, 45000);


-- Many partitions, many accounts.

CALL bench.section('partitions', 'An order, INSERT … SELECT, of accounts in 64 partitions');
CALL bench.section('partitions_single', 'An order by itself, of accounts in 64 partitions');
CALL bench.accounts('accounts_64', :accounts, 'PARTITION BY HASH (id)');
SELECT port_pin_protect('accounts_64');
CALL bench.orders('orders_fk_64', 'accounts_64');
CALL bench.orders('orders_gate_64', 'accounts_64', '');
CALL bench.bulk_orders('partitions', 'no check', NULL, 'orders_plain');
CALL bench.bulk_orders('partitions', 'foreign key', 'no check', 'orders_fk_64');
CALL bench.bulk_orders('partitions', 'gate', 'foreign key', 'orders_gate_64');
CALL bench.single_orders('partitions_single', 'no check', NULL, 'orders_plain');
CALL bench.single_orders('partitions_single', 'foreign key', 'no check', 'orders_fk_64');
CALL bench.single_orders('partitions_single', 'gate', 'foreign key', 'orders_gate_64');

CALL bench.section('growth', 'An order, INSERT … SELECT, of ever more accounts');
CREATE PROCEDURE bench.growth(size bigint) LANGUAGE plpgsql AS $$
BEGIN
    CALL bench.accounts('accounts_' || size, size);
    PERFORM port_pin_protect(('accounts_' || size)::regclass);
    CALL bench.orders('orders_fk_' || size, 'accounts_' || size);
    CALL bench.orders('orders_gate_' || size, 'accounts_' || size, '');
    CALL bench.given('growth_' || size, size);
    CALL bench.bulk('growth', 'foreign key, ' || size, NULL,
        format('INSERT INTO orders_fk_%s SELECT * FROM growth_%1$s_{n}', size), NULL, 'TRUNCATE orders_fk_' || size);
    CALL bench.bulk('growth', 'gate, ' || size, 'foreign key, ' || size,
        format('INSERT INTO orders_gate_%s SELECT * FROM growth_%1$s_{n}', size), NULL, 'TRUNCATE orders_gate_' || size);
END $$;
SELECT format('CALL bench.growth(%s)', size) FROM regexp_split_to_table(:'growth', ' ') size WHERE size <> '' \gexec


-- Sealed PINs, against the hash alone.

CALL bench.section('sealed', 'An order of an account with a sealed PIN, 30 in one statement');
CREATE TABLE accounts_sealed (id bigint PRIMARY KEY, pin port_pin_sealed);
SELECT port_pin_protect('accounts_sealed');
INSERT INTO accounts_sealed SELECT i, bench.pin_of(i) FROM generate_series(1, 30) i;
CALL bench.orders('orders_sealed', 'accounts_sealed', '');
CREATE TABLE hash AS
    SELECT crypt('246802', gen_salt('bf', current_setting('portpin.seal_cost')::int)) AS hash, port_pin_seal('246802') AS sealed;
CALL bench.whole('sealed', 'crypt()', 'SELECT count(crypt(''246802'', hash) = hash) FROM hash, generate_series(1, {n}) i WHERE i > 0', 30);
CALL bench.whole('sealed', 'port_pin_check()', 'SELECT count(port_pin_check(sealed, ''246802'')) FROM hash, generate_series(1, {n}) i WHERE i > 0', 30);
CALL bench.whole('sealed', 'orders of 30 accounts', 'INSERT INTO orders_sealed SELECT i, i, bench.pin_of(i) FROM generate_series(1, {n}) i', 30);
CALL bench.whole('sealed', 'orders of one account', 'INSERT INTO orders_sealed SELECT i, 1, bench.pin_of(1) FROM generate_series(1, {n}) i', 30);
INSERT INTO bench.target (section, variant, against, at_most) VALUES ('sealed', 'orders of one account', 'crypt()', 0.06);


-- Options: what each adds.

CALL bench.section('options', 'Options of an order, INSERT … SELECT');
CALL bench.section('options_single', 'Options of an order by itself');
CALL bench.accounts('accounts_aged', :accounts);
SELECT port_pin_protect('accounts_aged', changed => 'changed', min_age => '1 day');
CALL bench.accounts('accounts_used', :accounts);
SELECT port_pin_protect('accounts_used', used => 'used');
CREATE PROCEDURE bench.option(variant text, accounts text, gate text,
                              setup text = 'RESET portpin.max_accounts_per_source', prepare text = NULL)
LANGUAGE plpgsql AS $$
DECLARE
    orders text := format('%I', 'orders: ' || variant);
BEGIN
    CALL bench.orders(orders, accounts, gate);
    CALL bench.bulk_orders('options', variant, nullif('no option', variant), orders, setup, prepare);
    CALL bench.single_orders('options_single', variant, nullif('no option', variant), orders, setup, prepare);
END $$;
CALL bench.option('no option', 'bench.accounts', '');
CALL bench.option('gate: verdict', 'bench.accounts', ', verdict => ''verdict''');
CALL bench.option('gate: redact', 'bench.accounts', ', redact => true');
CALL bench.option('gate: source', 'bench.accounts', ', source => ''carrier''', 'SET portpin.max_accounts_per_source = 100');
CALL bench.option('accounts: changed, min_age', 'accounts_aged', '');
-- A PIN ports once, unless it is set anew.
CALL bench.option('accounts: used', 'accounts_used', '', prepare =>
    E'UPDATE accounts_used SET pin = ''815204'' WHERE used IS NOT NULL;\nUPDATE accounts_used SET pin = bench.pin_of(id) WHERE pin = ''815204''');

CALL bench.section('options_pin', 'Options of an account, UPDATE of PINs');
CALL bench.section('options_other', 'Options of an account, UPDATE of other columns');
DO $$
DECLARE
    variant text;
    option text;
    accounts text;
    fill text;
BEGIN
    FOR variant, option IN VALUES ('no option', NULL), ('history', 'history => true'), ('changed', 'changed => ''changed'''),
        ('used', 'used => ''used'''), ('unlike', '"unlike" => ''phone'''), ('forbid_weak', 'forbid_weak => true')
    LOOP
        accounts := format('%I', 'accounts: ' || variant);
        CALL bench.accounts(accounts, 0);
        CALL bench.orders(format('%I', 'orders of accounts: ' || variant), accounts);
        EXECUTE format('SELECT port_pin_protect(%s)', concat_ws(', ', quote_literal(accounts), option));
        fill := format(E'DELETE FROM %s\nVACUUM %1$s\nTRUNCATE port_pin_history\nINSERT INTO %1$s SELECT id, name, ''739251'', phone FROM bench.accounts LIMIT {n}', accounts);
        CALL bench.bulk('options_pin', variant, nullif('no option', variant),
            format('UPDATE %s SET pin = ''815204''', accounts), NULL, fill, 20, 220);
        CALL bench.bulk('options_other', variant, nullif('no option', variant),
            format('UPDATE %s SET name = ''Somebody''', accounts), NULL, fill, 20, 220);
    END LOOP;
END $$;

-- Not everything needs both.
UPDATE bench.variant SET rows = NULL WHERE section LIKE 'options%' OR section IN ('domain_copy', 'keep_pin', 'keep_alone');
UPDATE bench.variant SET few = NULL, many = NULL
WHERE section = 'growth' OR (section, variant) IN (('sealed', 'port_pin_check()'), ('sealed', 'orders of 30 accounts'));


-- By the clock: orders that are refused, each in a subtransaction of its own.  Another
-- process records a wrong PIN; a missing one is not recorded.

CALL bench.section('refused', 'An order that is refused, by the clock');
CREATE PROCEDURE bench.refused(variant text, orders text, account text, pin text) LANGUAGE sql AS $$
    CALL bench.timed('refused', variant, format(
        'DO $do$ BEGIN FOR i IN 1 .. {n} LOOP
             BEGIN INSERT INTO %s VALUES (i, %s, %s); EXCEPTION WHEN integrity_constraint_violation OR raise_exception THEN END;
         END LOOP; END $do$', orders, account, pin), 20, 'TRUNCATE port_pin_failures', true)
$$;
CALL bench.refused('foreign key', 'orders_fk', '-1', '''000000''');
CALL bench.refused('PL/pgSQL row trigger', 'orders_row', 'i', '''000000''');
CALL bench.refused('gate, no PIN', 'orders_gate', 'i', 'NULL');
CALL bench.refused('gate, wrong PIN', 'orders_gate', 'i', '''000000''');


-- Views, in a database with much to show, but without what the TRUNCATEs above have left
-- in the catalogs.

CALL bench.section('record', 'A view over a million failures on record, of 90 days',
    'CALL bench.record(1000000, ''90 days''); VACUUM ANALYZE');
CALL bench.timed('record', 'port_pin_lockouts', 'SELECT count(*) FROM port_pin_lockouts', 1);
CALL bench.timed('record', 'port_pin_suspects', 'SELECT count(*) FROM port_pin_suspects', 1);
CALL bench.timed('record', 'port_pin_stats', 'SELECT count(*) FROM port_pin_stats', 1);
INSERT INTO bench.target (section, variant, against, at_most)
SELECT section, variant, NULL, 10000000 FROM bench.variant WHERE section = 'record';

CALL bench.section('guards', 'A view over 10,000 guards', 'CALL bench.many_guards()');
CREATE PROCEDURE bench.many_guards() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 5000 LOOP
        EXECUTE format('CREATE TABLE guarded_%s (id bigint PRIMARY KEY, pin port_pin);
                        CREATE TABLE gated_%1$s (id bigint REFERENCES guarded_%1$s, pin port_pin);
                        SELECT port_pin_protect(''guarded_%1$s''); SELECT port_pin_gate(''gated_%1$s'')', i);
        IF i % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
CALL bench.timed('guards', 'port_pin_guards', 'SELECT count(*) FROM port_pin_guards', 1);
INSERT INTO bench.target (section, variant, against, at_most) VALUES ('guards', 'port_pin_guards', NULL, 1000000000);


-- Single orders over sockets, by pgbench: checked by the gate; or read and compared by the
-- application, with and without a transaction around both statements.

CREATE TABLE bench.client (section text, variant text, clients int,
    guesses int,         -- a second, from one more client
    script text);
CREATE FUNCTION bench.client_script(body text) RETURNS text LANGUAGE sql AS $$
    SELECT E'\\set id random(1, :accounts)\n\\set pin 100000 + :id % 900000\n' || body || E'\n'
$$;
INSERT INTO bench.client
SELECT 'clients', format('%s, %s clients', how, clients), clients, 0, bench.client_script(script)
FROM unnest('{2,8}'::int[]) clients, (VALUES
    ('foreign key', $$INSERT INTO orders_fk VALUES (1, :id, :pin::text, 'Northwind');$$),
    ('PL/pgSQL row trigger', $$INSERT INTO orders_row VALUES (1, :id, :pin::text, 'Northwind');$$),
    ('gate', $$INSERT INTO orders_gate VALUES (1, :id, :pin::text, 'Northwind');$$),
    ('SELECT, compare, INSERT', $$SELECT pin AS stored FROM bench.accounts WHERE id = :id \gset
\if :stored = :pin
INSERT INTO orders_fk VALUES (1, :id, :pin::text, 'Northwind');
\endif$$),
    ('the same in a transaction', $$BEGIN;
SELECT pin AS stored FROM bench.accounts WHERE id = :id \gset
\if :stored = :pin
INSERT INTO orders_fk VALUES (1, :id, :pin::text, 'Northwind');
\endif
COMMIT;$$)) AS v (how, script);
INSERT INTO bench.client
SELECT 'guesser', v.variant, 8, v.guesses, script
FROM bench.client, (VALUES ('gate', 0), ('gate, while another client sends five wrong PINs a second', 5)) AS v (variant, guesses)
WHERE client.variant = 'gate, 8 clients';

CALL bench.section('clients', 'An order from one of several clients');
CALL bench.section('guesser', 'An order from one of 8 clients, by the clock');
INSERT INTO bench.variant (section, variant, rows, by_clock)
SELECT section, variant, 1, section = 'guesser' FROM bench.client;
INSERT INTO bench.target (section, variant, against, at_most)
SELECT 'clients', format('gate, %s clients', clients), format('SELECT, compare, INSERT, %s clients', clients), 0.67
FROM unnest('{2,8}'::int[]) clients;
