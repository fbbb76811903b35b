/*
 * pin.h
 *		What a port PIN is, and how to hold one without leaving copies behind.
 */
#ifndef PORTPIN_PIN_H
#define PORTPIN_PIN_H

#define PORT_PIN_MIN_DIGITS 6
#define PORT_PIN_MAX_DIGITS 10

extern bool PinIsBlank(const text *pin);
extern bool PinIsValid(const text *pin);
extern bool PinIsLike(const text *pin, const char *value);
extern text *PinFromDatum(Datum value, bool isnull);
extern void PinFreeIfCopy(text *pin, Datum value);
extern void WipePin(text *pin);

#endif							/* PORTPIN_PIN_H */
