-- What the plot shows: headings, and below each the names and costs of what is compared.
\set QUIET
\pset format unaligned
\pset fieldsep '\t'

WITH bar (section, variant, name, owner) AS (VALUES
    ('gate', NULL, 'Many orders in one INSERT … SELECT', NULL),
    ('gate', 'foreign key', 'foreign key', 'peer'),
    ('gate', 'gate', 'portpin''s gate', 'portpin'),
    ('gate', 'PL/pgSQL row trigger', 'the gate as a PL/pgSQL row trigger', 'peer'),
    ('gate', 'PL/pgSQL statement trigger', 'the gate as a PL/pgSQL statement trigger ¹', 'peer'),
    (NULL, NULL, NULL, NULL),
    ('single', NULL, 'An order by itself', NULL),
    ('single', 'foreign key', 'foreign key', 'peer'),
    ('single', 'gate', 'portpin''s gate', 'portpin'),
    ('single', 'PL/pgSQL row trigger', 'the gate as a PL/pgSQL row trigger', 'peer'),
    ('single', 'PL/pgSQL statement trigger', 'the gate as a PL/pgSQL statement trigger ¹', 'peer'),
    (NULL, NULL, NULL, NULL),
    ('domain', NULL, 'A column that holds nothing but PINs', NULL),
    ('domain', 'port_pin', 'port_pin', 'portpin'),
    ('domain', 'regular expression', 'CHECK with a regular expression', 'peer'))
SELECT CASE WHEN owner IS NULL THEN name END, CASE WHEN owner IS NOT NULL THEN name END, instructions / 1000, owner
FROM (SELECT *, row_number() OVER () AS line FROM bar) bar
LEFT JOIN bench.instructions USING (section, variant)
ORDER BY line;
