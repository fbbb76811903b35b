/*
 * pin_change.h
 *		What an INSERT or UPDATE does to a PIN, and whether it may.
 */
#ifndef PORTPIN_PIN_CHANGE_H
#define PORTPIN_PIN_CHANGE_H

#include "access/attnum.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "trigger/account_rules.h"

typedef enum PinChange
{
	PIN_SAME,					/* the same digits, or blank as before */
	PIN_SET,					/* digits where there were none */
	PIN_CHANGED,				/* other digits */
	PIN_CLEARED
} PinChange;

/* What is asked of the digits of a PIN that is set or changed. */
typedef struct NewPinRules
{
	bool		forbid_weak;
	List	   *unlike;			/* columns whose digits it must not repeat */
} NewPinRules;

extern bool RowHasPin(TupleTableSlot *row, AttrNumber column);
extern PinChange ComparePins(TupleTableSlot *old, TupleTableSlot *new, AttrNumber pin);
extern bool AsksForNewPins(char **rules);
extern void FindNewPinRules(Relation table, char **rules, NewPinRules *new_pin);
extern void CheckNewPin(const TriggerData *trigdata, const NewPinRules *rules,
						AttrNumber column, const text *pin, TupleTableSlot *row);

#endif							/* PORTPIN_PIN_CHANGE_H */
