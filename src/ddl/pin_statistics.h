/*
 * pin_statistics.h
 *		Remove what ANALYZE kept of the PINs in a column that is sealed now.
 */
#ifndef PORTPIN_PIN_STATISTICS_H
#define PORTPIN_PIN_STATISTICS_H

#include "utils/rel.h"

extern void RemovePinStatistics(Relation table, const char *column);

#endif							/* PORTPIN_PIN_STATISTICS_H */
