--
-- What the industry calls a refusal
--

CREATE VIEW port_pin_reject_codes (verdict, code_set, code, meaning, may_resubmit) AS
SELECT r.verdict::port_pin_verdict, r.code_set, r.code, r.meaning, r.may_resubmit
FROM (VALUES
	('source_locked_out', 'wireless', NULL, NULL, NULL),
	('source_locked_out', 'bandwidth', NULL, NULL, NULL),
	('source_locked_out', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('account_unknown', 'wireless', NULL, NULL, NULL),
	('account_unknown', 'bandwidth', NULL, NULL, NULL),
	('account_unknown', 'telnyx', NULL, NULL, NULL),
	('port_locked', 'wireless', '6P', 'number has service provider port protection', NULL),
	('port_locked', 'bandwidth', NULL, NULL, NULL),
	('port_locked', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('too_many_attempts', 'wireless', '6P', 'number has service provider port protection', NULL),
	('too_many_attempts', 'bandwidth', NULL, NULL, NULL),
	('too_many_attempts', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('pin_not_set', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_not_set', 'bandwidth', NULL, NULL, NULL),
	('pin_not_set', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('pin_required', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_required', 'bandwidth', '7512', 'required PIN missing', true),
	('pin_required', 'telnyx', NULL, NULL, NULL),
	('pin_expired', 'wireless', NULL, NULL, NULL),
	('pin_expired', 'bandwidth', NULL, NULL, NULL),
	('pin_expired', 'telnyx', NULL, NULL, NULL),
	('pin_used', 'wireless', NULL, NULL, NULL),
	('pin_used', 'bandwidth', NULL, NULL, NULL),
	('pin_used', 'telnyx', NULL, NULL, NULL),
	('pin_too_new', 'wireless', NULL, NULL, NULL),
	('pin_too_new', 'bandwidth', NULL, NULL, NULL),
	('pin_too_new', 'telnyx', NULL, NULL, NULL),
	('pin_mismatch', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_mismatch', 'bandwidth', '7513', 'PIN invalid', true),
	('pin_mismatch', 'telnyx', '1002', 'invalid PIN', NULL)
) AS r (verdict, code_set, code, meaning, may_resubmit);

COMMENT ON VIEW port_pin_reject_codes IS
'the industry''s own codes for the verdicts of port_pin_gate; NULL where no source has one';
COMMENT ON COLUMN port_pin_reject_codes.verdict IS 'as the gate records it';
COMMENT ON COLUMN port_pin_reject_codes.code_set IS
'wireless: response codes between carriers; bandwidth: answers to Bandwidth''s port-out validation; telnyx: Telnyx''s port-out rejection codes';
COMMENT ON COLUMN port_pin_reject_codes.code IS 'what that code_set says for the verdict; NULL where no source has a code';
COMMENT ON COLUMN port_pin_reject_codes.meaning IS 'what the code means there';
COMMENT ON COLUMN port_pin_reject_codes.may_resubmit IS
'true where the requester may correct the request and send it again, false where it is final; NULL where no source says';
