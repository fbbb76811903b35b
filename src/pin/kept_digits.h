/*
 * kept_digits.h
 *		The digits behind a seal that has just been made.
 */
#ifndef PORTPIN_KEPT_DIGITS_H
#define PORTPIN_KEPT_DIGITS_H

extern void KeepDigits(MemoryContext statement, Oid trigger, const text *sealed,
					   const text *digits);
extern const text *RecallDigits(MemoryContext statement, const text *sealed);

#endif							/* PORTPIN_KEPT_DIGITS_H */
