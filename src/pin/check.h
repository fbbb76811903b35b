/*
 * check.h
 *		A supplied PIN against a stored one: the verdict, and its words.
 */
#ifndef PORTPIN_CHECK_H
#define PORTPIN_CHECK_H

#include "pin/pin_memo.h"

/*
 * The verdicts on a port order, in the order in which they are decided; these are the
 * labels of the SQL type port_pin_verdict.
 */
typedef enum PortVerdict
{
	PORT_ACCEPTED,
	PORT_SOURCE_LOCKED_OUT,
	PORT_ACCOUNT_UNKNOWN,
	PORT_LOCKED,
	PORT_TOO_MANY_ATTEMPTS,
	PORT_PIN_NOT_SET,
	PORT_PIN_REQUIRED,
	PORT_PIN_EXPIRED,
	PORT_PIN_USED,
	PORT_PIN_TOO_NEW,
	PORT_PIN_MISMATCH
} PortVerdict;

extern PortVerdict CheckPin(const text *stored, const text *supplied, PinMemo *memo);
extern Oid	VerdictValue(Oid type, PortVerdict verdict);
extern int	VerdictSqlstate(PortVerdict verdict);
extern const char *VerdictMessage(PortVerdict verdict);
extern const char *VerdictHint(PortVerdict verdict);

#endif							/* PORTPIN_CHECK_H */
