/*
 * hmac.h
 *		HMAC-SHA-256, by PostgreSQL's own code or the library that it was built with.
 */
#ifndef PORTPIN_HMAC_H
#define PORTPIN_HMAC_H

#define HMAC_BYTES 32

extern bool ComputeHmac(const uint8 *key, Size key_length,
						const void *data, Size length, uint8 *digest);

#endif							/* PORTPIN_HMAC_H */
