/*
 * key_file.h
 *		The keys that seal port PINs, from a file that is not in the database.
 */
#ifndef PORTPIN_KEY_FILE_H
#define PORTPIN_KEY_FILE_H

#define SEAL_KEY_ID_MAX 16
#define SEAL_KEY_FINGERPRINT_LENGTH 16
#define SEAL_KEY_BYTES 32

/* What a sealed PIN says of its key: id.fingerprint. */
#define SEAL_KEY_NAME_MAX (SEAL_KEY_ID_MAX + 1 + SEAL_KEY_FINGERPRINT_LENGTH)

typedef struct SealKey
{
	char		id[SEAL_KEY_ID_MAX + 1];
	char		fingerprint[SEAL_KEY_FINGERPRINT_LENGTH + 1];
	uint8		secret[SEAL_KEY_BYTES];
} SealKey;

extern void DefineKeyFileSetting(void);
extern bool IsSealKeyName(const char *name, Size length);
extern const SealKey *FirstSealKey(void);
extern bool HasSealKey(const char *name);
extern const SealKey *FindSealKey(const char *name);

#endif							/* PORTPIN_KEY_FILE_H */
