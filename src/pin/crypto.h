/*
 * crypto.h
 *		HMAC-SHA-256 and random bytes, by PostgreSQL's own code or the library that it
 *		was built with.
 */
#ifndef PORTPIN_CRYPTO_H
#define PORTPIN_CRYPTO_H

#define HMAC_BYTES 32

extern void ComputeHmac(const uint8 *key, Size key_length,
						const void *data, Size length, uint8 *digest);
extern void DrawRandomBytes(void *bytes, Size length);

#endif							/* PORTPIN_CRYPTO_H */
