/*
 * hash.h
 *		Slow hashes of passwords: bcrypt by pgcrypto, or PBKDF2 by PostgreSQL itself.
 */
#ifndef PORTPIN_HASH_H
#define PORTPIN_HASH_H

/* The longest that a hash can be, with its method, cost and salt. */
#define HASH_MAX_LENGTH 92

extern void DefineHashSettings(void);
extern bool IsHash(const char *hash, Size length);
extern bool IsBcryptHash(const char *hash, Size length);
extern text *NewPassword(const char *bytes, Size length);
extern text *NewHash(text *password);
extern bool IsHashOf(const char *hash, Size length, text *password);

#endif							/* PORTPIN_HASH_H */
