/*
 * pin_memo.c
 *		PINs that were right once in a statement are not hashed again in it.
 *
 * An account's numbers are ported together: one statement, hundreds of orders, one
 * account.  Each order would take the time of a slow hash, and it would be the same
 * hash each time.  So a statement remembers which PIN was right for which stored hash.
 *
 * Only that is remembered: a wrong PIN always takes its hash.  So a faster order tells
 * no more than its acceptance tells.  The account is read for each order, so a PIN
 * that has changed makes another pair.
 *
 * What is kept is not the PIN but HMAC-SHA-256(HMAC-SHA-256(key, stored), supplied),
 * where the key is random and the memo's own.  A reader of the session's memory finds
 * both, and can guess fast; so they are wiped when the statement ends.
 */
#include "postgres.h"

#include "pin/pin_memo.h"

#include "utils/memutils.h"

#include "base/compat.h"
#include "pin/crypto.h"

/*
 * A digest goes to the first free place from the one that its first bytes name; if
 * none is free within reach, it takes the one named.
 */
#define MEMO_PLACES 1024
#define MEMO_REACH 8

typedef struct MemoTable
{
	uint8		key[HMAC_BYTES];
	uint8		digests[MEMO_PLACES][HMAC_BYTES];
} MemoTable;

struct PinMemo
{
	MemoryContext statement;
	MemoryContextCallback at_end;
	MemoTable  *table;			/* NULL until something is remembered */
};

static void
wipe_memo(void *arg)
{
	PinMemo    *memo = arg;

	if (memo->table != NULL)
		explicit_bzero(memo->table, sizeof(MemoTable));
}

PinMemo *
CreatePinMemo(MemoryContext statement)
{
	PinMemo    *memo = MemoryContextAllocZero(statement, sizeof(PinMemo));

	memo->statement = statement;
	memo->at_end.func = wipe_memo;
	memo->at_end.arg = memo;
	MemoryContextRegisterResetCallback(statement, &memo->at_end);
	return memo;
}

static void
digest_pair(const MemoTable *table, const text *stored, const text *supplied,
			uint8 *digest)
{
	uint8		key[HMAC_BYTES];

	ComputeHmac(table->key, HMAC_BYTES,
				VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored), key);
	ComputeHmac(key, HMAC_BYTES,
				VARDATA_ANY(supplied), VARSIZE_ANY_EXHDR(supplied), digest);
	explicit_bzero(key, sizeof(key));
}

/* The place that holds a digest; if none does, the one where it is to go. */
static uint8 *
find_place(MemoTable *table, const uint8 *digest)
{
	static const uint8 none[HMAC_BYTES];
	int			first = digest[0] << 8 | digest[1];

	for (int i = 0; i < MEMO_REACH; i++)
	{
		uint8	   *place = table->digests[(first + i) % MEMO_PLACES];

		if (timingsafe_bcmp(place, digest, HMAC_BYTES) == 0 ||
			memcmp(place, none, HMAC_BYTES) == 0)
			return place;
	}
	return table->digests[first % MEMO_PLACES];
}

bool
PinMemoHas(PinMemo *memo, const text *stored, const text *supplied)
{
	uint8		digest[HMAC_BYTES];

	if (memo == NULL || memo->table == NULL)
		return false;
	digest_pair(memo->table, stored, supplied, digest);
	return timingsafe_bcmp(find_place(memo->table, digest), digest, HMAC_BYTES) == 0;
}

/* Remember a PIN that is right. */
void
PinMemoAdd(PinMemo *memo, const text *stored, const text *supplied)
{
	uint8		digest[HMAC_BYTES];

	if (memo == NULL)
		return;
	if (memo->table == NULL)
	{
		memo->table = MemoryContextAllocZero(memo->statement, sizeof(MemoTable));
		DrawRandomBytes(memo->table->key, sizeof(memo->table->key));
	}
	digest_pair(memo->table, stored, supplied, digest);
	memcpy(find_place(memo->table, digest), digest, HMAC_BYTES);
}
