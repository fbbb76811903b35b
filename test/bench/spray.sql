-- What sprayed guesses get, for spray.sh.
--
-- The ten PINs are those that a study of 2020 found to be chosen most (Markert et al., This PIN
-- Can Be Easily Guessed).  68 of 1,000 accounts have one of them: so many a guesser
-- opens with ten tries if PINs are worth 7.2 bits against online guessing, as human
-- six-digit PINs are (Wang et al., Understanding Human-Chosen PINs).  The first of the
-- ten is the most frequent, and the others fall off as 1/rank.  All other PINs are
-- drawn evenly, by a hash of the account.  An account holder whose PIN is refused as
-- weak draws another one.

SET client_min_messages = warning;
CREATE EXTENSION portpin CASCADE;

CREATE TABLE favorite (rank int PRIMARY KEY, pin text NOT NULL, holders int NOT NULL);
INSERT INTO favorite VALUES (1, '123456', 23), (2, '654321', 12), (3, '111111', 8), (4, '000000', 6), (5, '123123', 5),
    (6, '666666', 4), (7, '121212', 3), (8, '112233', 3), (9, '789456', 2), (10, '159753', 2);

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (
    account_id int REFERENCES accounts,
    pin port_pin,
    carrier text DEFAULT session_user);

CREATE FUNCTION drawn_pin(account int, try int) RETURNS text LANGUAGE sql AS $$
    SELECT lpad(((hashint8extended(account, try) & 1073741823) % 1000000)::text, 6, '0')
$$;

-- Accounts in an order that has nothing to do with their PINs; and a guard.
CREATE PROCEDURE open_for_business(forbid_weak boolean, wish text[]) LANGUAGE plpgsql AS $$
DECLARE
    account int;
    chosen text;
    try int;
BEGIN
    DELETE FROM port_orders;
    DELETE FROM accounts;
    TRUNCATE port_pin_failures;
    PERFORM port_pin_protect('accounts', forbid_weak => forbid_weak, replace => true);
    PERFORM port_pin_gate('port_orders', source => 'carrier', replace => true);
    FOR account IN 1 .. cardinality(wish) LOOP
        chosen := coalesce(wish[account], drawn_pin(account, 0));
        try := 0;
        LOOP
            BEGIN
                INSERT INTO accounts VALUES (account, chosen);
                EXIT;
            EXCEPTION WHEN check_violation THEN
                try := try + 1;
                chosen := drawn_pin(account, try);
            END;
        END LOOP;
    END LOOP;
END $$;

-- One guess; the SQLSTATE that it gets.
CREATE FUNCTION guess(account int, guess text, carrier text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO port_orders VALUES (account, guess, carrier);
    RETURN '00000';
EXCEPTION WHEN integrity_constraint_violation THEN
    RETURN sqlstate;
END $$;

-- The thief goes from account to account, and tries PIN after PIN at each until it is open,
-- or gets no more answers: so a limit on accounts costs the thief least.
CREATE PROCEDURE spray(guesses text[], sources int) LANGUAGE plpgsql AS $$
DECLARE
    account int;
    pin text;
BEGIN
    FOR account IN SELECT id FROM accounts ORDER BY id LOOP
        FOREACH pin IN ARRAY guesses LOOP
            EXIT WHEN guess(account, pin, 'carrier ' || account % sources) <> '23PN7';
        END LOOP;
        COMMIT;
    END LOOP;
END $$;

CREATE VIEW outcome AS
SELECT (SELECT count(*) FROM port_orders) AS opened,
       (SELECT count(DISTINCT account_key) FROM port_pin_failures) AS accounts,
       (SELECT count(*) FROM port_pin_failures) AS failures;

-- Which account has which of the ten.
CREATE VIEW wish AS
WITH customer AS (
    SELECT id, row_number() OVER (ORDER BY hashint8extended(id, 1)) AS place FROM generate_series(1, 1000) id)
SELECT array_agg(f.pin ORDER BY id) AS pins
FROM customer LEFT JOIN (SELECT pin, sum(holders) OVER (ORDER BY rank) AS last, holders FROM favorite) f
    ON place > last - holders AND place <= last;

SELECT E'| `forbid_weak` | sources | `max_accounts_per_source` | accounts opened | wrong PINs answered |\n|---|--:|--:|--:|--:|';
SET portpin.max_failures_per_account = 10;
SELECT format('SET portpin.max_accounts_per_source = %s', max_accounts),
       format('CALL open_for_business(%L, %L)', forbid_weak, (SELECT pins FROM wish)),
       format('CALL spray(%L, %s)', (SELECT array_agg(pin ORDER BY rank) FROM favorite), sources),
       format('SELECT format(''| %s | %s | %s | %%s | %%s |'', opened, failures) FROM outcome',
              CASE WHEN forbid_weak THEN 'on' ELSE 'off' END, sources, max_accounts)
FROM unnest('{f,t}'::boolean[]) forbid_weak, unnest('{0,10}'::int[]) max_accounts, unnest('{1,50}'::int[]) sources
ORDER BY forbid_weak, max_accounts, sources \gexec

SELECT E'\n| `max_accounts_per_source` | numbers ported | accounts on record |\n|--:|--:|--:|';
SELECT format('SET portpin.max_accounts_per_source = %s', max_accounts),
       format('CALL open_for_business(false, %L)',
              (SELECT array_agg(CASE WHEN id % 9 = 0 THEN '123456' END ORDER BY id) FROM generate_series(1, 300) id)),
       'CALL spray(''{123456}'', 1)',
       format('SELECT format(''| %s | %%s | %%s |'', opened, accounts) FROM outcome', max_accounts)
FROM unnest('{0,10}'::int[]) max_accounts \gexec
