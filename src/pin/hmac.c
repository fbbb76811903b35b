/*
 * hmac.c
 *		HMAC-SHA-256, by PostgreSQL's own code or the library that it was built with.
 *
 * The library may refuse, where it is told to allow approved algorithms only; so
 * the answer is false, and the caller says what can't be done.
 */
#include "postgres.h"

#include "pin/hmac.h"

#include "common/hmac.h"
#include "common/sha2.h"

StaticAssertDecl(HMAC_BYTES == PG_SHA256_DIGEST_LENGTH,
				 "HMAC-SHA-256 has another length");

bool
ComputeHmac(const uint8 *key, Size key_length, const void *data, Size length,
			uint8 *digest)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	bool		done;

	if (hmac == NULL)
		return false;
	done = pg_hmac_init(hmac, key, key_length) >= 0 &&
		pg_hmac_update(hmac, data, length) >= 0 &&
		pg_hmac_final(hmac, digest, HMAC_BYTES) >= 0;
	pg_hmac_free(hmac);
	return done;
}
