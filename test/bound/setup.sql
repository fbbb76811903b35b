-- The tables that bound.pl guesses at: each way of guessing has an account of its own.
CREATE EXTENSION portpin CASCADE;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE sealed_accounts (id int PRIMARY KEY, pin port_pin_sealed);
CREATE TABLE numbers (e164 int PRIMARY KEY, account int NOT NULL REFERENCES accounts);
CREATE TABLE port_orders (id int, account int NOT NULL REFERENCES accounts, source text, pin port_pin);
CREATE TABLE number_orders (id int, number int NOT NULL REFERENCES numbers, pin port_pin);
CREATE TABLE sealed_orders (id int, account int NOT NULL REFERENCES sealed_accounts, pin port_pin);
CREATE TABLE desk_orders (id int PRIMARY KEY, account int NOT NULL REFERENCES accounts, pin port_pin, verdict port_pin_verdict);
SELECT port_pin_protect('accounts'), port_pin_protect('sealed_accounts');
SELECT port_pin_gate('port_orders', source => 'source');
SELECT port_pin_gate('number_orders', via => 'account');
SELECT port_pin_gate('sealed_orders', redact => true);
SELECT port_pin_gate('desk_orders', verdict => 'verdict', redact => true);

-- Like an application that swallows its errors.
CREATE FUNCTION try(account int, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO port_orders VALUES (0, account, NULL, pin);
    RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation OR lock_not_available THEN
    RETURN sqlstate;
END $$;
