/*
 * weak.h
 *		Which PINs guessers try first.
 */
#ifndef PORTPIN_WEAK_H
#define PORTPIN_WEAK_H

extern bool DigitsAreWeak(const char *digits, int length);

#endif							/* PORTPIN_WEAK_H */
