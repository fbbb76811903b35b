/*
 * crypto.c
 *		HMAC-SHA-256 and random bytes, by PostgreSQL's own code or the library that it
 *		was built with.
 *
 * The library may refuse if it allows approved algorithms only.  There is no fallback,
 * so that is an error.
 */
#include "postgres.h"

#include "pin/crypto.h"

#include "common/hmac.h"
#include "common/sha2.h"

#include "base/error.h"

StaticAssertDecl(HMAC_BYTES == PG_SHA256_DIGEST_LENGTH,
				 "HMAC-SHA-256 has another length");

void
ComputeHmac(const uint8 *key, Size key_length, const void *data, Size length,
			uint8 *digest)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	if (pg_hmac_init(hmac, key, key_length) < 0 ||
		pg_hmac_update(hmac, data, length) < 0 ||
		pg_hmac_final(hmac, digest, HMAC_BYTES) < 0)
		ereport_without_context(errcode(ERRCODE_INTERNAL_ERROR),
								errmsg("could not compute an HMAC: %s", pg_hmac_error(hmac)),
								errhint("The server's cryptographic library refused HMAC-SHA-256."));
	pg_hmac_free(hmac);
}

void
DrawRandomBytes(void *bytes, Size length)
{
	if (!pg_strong_random(bytes, length))
		ereport_without_context(errcode(ERRCODE_INTERNAL_ERROR),
								errmsg("could not generate random bytes"));
}
