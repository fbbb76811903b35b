/*
 * kept_digits.c
 *		The digits behind a seal that has just been made.
 *
 * INSERT ... ON CONFLICT DO UPDATE seals the row of its INSERT, so the UPDATE sees
 * only the seal of the PIN.  Only the digits tell whether it is the PIN of the old
 * row: two seals of one PIN differ.
 *
 * Each trigger that seals keeps the digits of its last row, as the UPDATE comes next.
 * Its next row wipes them, and so does the end of the statement, however it ends.
 */
#include "postgres.h"

#include "pin/kept_digits.h"

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "pin/pin.h"

typedef struct KeptDigits
{
	dlist_node	node;
	MemoryContext statement;
	MemoryContextCallback at_end;
	Oid			trigger;
	text	   *sealed;
	text	   *digits;
} KeptDigits;

/* Each entry is in the memory of its statement, whose end takes it off the list. */
static dlist_head kept = DLIST_STATIC_INIT(kept);

static void
forget_digits(void *arg)
{
	KeptDigits *entry = arg;

	explicit_bzero(entry->digits, VARSIZE_ANY(entry->digits));
	dlist_delete(&entry->node);
}

static text *
copy_text(MemoryContext context, const text *value)
{
	Size		size = VARSIZE_ANY(value);
	text	   *copy = MemoryContextAlloc(context, size);

	memcpy(copy, value, size);
	return copy;
}

static KeptDigits *
find_entry(MemoryContext statement, Oid trigger)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept)
	{
		KeptDigits *entry = dlist_container(KeptDigits, node, iter.cur);

		if (entry->statement == statement && entry->trigger == trigger)
			return entry;
	}
	return NULL;
}

/* Keep the digits that a trigger has sealed, in place of those of its last row. */
void
KeepDigits(MemoryContext statement, Oid trigger, const text *sealed, const text *digits)
{
	KeptDigits *entry = find_entry(statement, trigger);
	text	   *new_sealed = copy_text(statement, sealed);
	text	   *new_digits = copy_text(statement, digits);

	if (entry == NULL)
	{
		entry = MemoryContextAllocZero(statement, sizeof(KeptDigits));
		entry->statement = statement;
		entry->trigger = trigger;
		entry->at_end.func = forget_digits;
		entry->at_end.arg = entry;
		MemoryContextRegisterResetCallback(statement, &entry->at_end);
		dlist_push_head(&kept, &entry->node);
	}
	else
	{
		WipePin(entry->digits);
		pfree(entry->sealed);
	}
	entry->sealed = new_sealed;
	entry->digits = new_digits;
}

/* The digits of a seal that a trigger of this statement has just made; NULL if none has. */
const text *
RecallDigits(MemoryContext statement, const text *sealed)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept)
	{
		KeptDigits *entry = dlist_container(KeptDigits, node, iter.cur);
		Size		length = VARSIZE_ANY_EXHDR(entry->sealed);

		if (entry->statement == statement && length == VARSIZE_ANY_EXHDR(sealed) &&
			memcmp(VARDATA_ANY(entry->sealed), VARDATA_ANY(sealed), length) == 0)
			return entry->digits;
	}
	return NULL;
}
