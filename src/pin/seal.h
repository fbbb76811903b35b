/*
 * seal.h
 *		Sealed PINs: what is stored can't be read, not even from a stolen dump.
 */
#ifndef PORTPIN_SEAL_H
#define PORTPIN_SEAL_H

#include "pin/pin_memo.h"

extern bool PinIsSealed(const text *stored);
extern char *KeyOfSealedPin(const text *stored);
extern text *SealPin(const text *pin);
extern bool PinWasSealedJustNow(const text *sealed);
extern bool HashMatches(const text *stored, const text *supplied, PinMemo *memo);
extern void DummyHash(const text *stored);
extern bool SameDigits(const text *a, const text *b);

#endif							/* PORTPIN_SEAL_H */
