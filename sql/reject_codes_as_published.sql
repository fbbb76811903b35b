--
-- port_pin_reject_codes: what the industry calls each refusal.
--
-- A code that no source has is NULL, so that nobody sends one that we made up.
SELECT verdict, code_set, code, meaning, may_resubmit
FROM port_pin_reject_codes
ORDER BY verdict, code_set COLLATE "C";

-- Every verdict that refuses is there in every code_set, once.
SELECT v AS verdict, count(DISTINCT code_set) AS dialects, count(*) AS rows
FROM unnest(enum_range(NULL::port_pin_verdict)) AS v LEFT JOIN port_pin_reject_codes ON verdict = v
GROUP BY v HAVING (count(*), count(DISTINCT code_set)) <> (3, 3)
ORDER BY v;

-- A meaning goes with a code.
SELECT * FROM port_pin_reject_codes
WHERE (code IS NULL) <> (meaning IS NULL) OR code IS NULL AND may_resubmit IS NOT NULL;

-- What a port desk does with it: answer a refused order in its carrier's words.
CREATE SCHEMA reject_codes;
CREATE TABLE reject_codes.port_orders (id int, carrier text, verdict port_pin_verdict);
INSERT INTO reject_codes.port_orders VALUES
	(1, 'wireless', 'pin_mismatch'),
	(2, 'bandwidth', 'pin_required'),
	(3, 'bandwidth', 'pin_not_set'),
	(4, 'telnyx', 'accepted');
SELECT o.id, o.verdict, r.code, r.meaning, r.may_resubmit
FROM reject_codes.port_orders AS o
	LEFT JOIN port_pin_reject_codes AS r ON r.verdict = o.verdict AND r.code_set = o.carrier
ORDER BY o.id;

-- Anyone may read it.
CREATE ROLE regress_reject_codes;
SET ROLE regress_reject_codes;
SELECT count(*) FROM port_pin_reject_codes;
RESET ROLE;

DROP SCHEMA reject_codes CASCADE;
DROP ROLE regress_reject_codes;
