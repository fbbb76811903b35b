/*
 * key_file.c
 *		The keys that seal port PINs, from a file that is not in the database.
 *
 * The setting portpin.key_file names it.  A line is id:key, where the key is 32 bytes
 * in base64, or a comment after #.  The first key seals; all of them verify what they
 * sealed, so that keys can be changed one after the other.
 *
 * The id is for people.  Keys are told apart by their fingerprints, which portpin
 * computes: two servers may each have made a key under the same id, and a PIN that one
 * of them sealed must not look wrong to the other.
 *
 * The file and a dump are all that guessing takes, so the file is refused where it
 * would be in every base backup, and where other users can read it.  No message ever
 * shows its content.
 *
 * A session keeps the keys until the end of the transaction that needed them, and
 * reads the file again for the next: that takes far less time than the hash for which
 * it is done.  If it kept them longer, an idle session could not be made to forget
 * them: it handles even a reload only when its next command comes.
 */
#include "postgres.h"

#include "pin/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "common/base64.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/error.h"
#include "pin/crypto.h"

/* 32 bytes are 44 characters of base64; a megabyte is more keys than anybody has. */
#define KEY_BASE64_LENGTH 44
#define KEY_LINE_MIN_LENGTH (sizeof("k:") - 1 + KEY_BASE64_LENGTH)
#define KEY_FILE_MAX_SIZE (1024 * 1024)

/* A key's fingerprint is the start of its HMAC of this, which is not a PIN. */
#define FINGERPRINT_OF "portpin: fingerprint of a key"

#define MAKE_KEY_HINT \
	"Make one with: (umask 077; echo \"k1:$(openssl rand -base64 32)\" > FILE), as the user that the server runs as."

PG_FUNCTION_INFO_V1(port_pin_seal_keys);

static char *key_file;

/*
 * The keys of the file, in TopMemoryContext.  They are wiped when a transaction ends,
 * and when the configuration is reloaded in the middle of one.
 */
static SealKey *keys = NULL;
static Size keys_size;
static int	nkeys = 0;

static void
forget_keys(void)
{
	if (keys == NULL)
		return;
	explicit_bzero(keys, keys_size);
	pfree(keys);
	keys = NULL;
	nkeys = 0;
}

/* A reload sets the setting anew, even to the value that it had. */
static void
assign_key_file(const char *newval pg_attribute_unused(),
				void *extra pg_attribute_unused())
{
	forget_keys();
}

static void
end_transaction(XactEvent event pg_attribute_unused(), void *arg pg_attribute_unused())
{
	forget_keys();
}

void
DefineKeyFileSetting(void)
{
	DefineCustomStringVariable("portpin.key_file",
							   "File with the keys that seal port PINs.",
							   "A line is id:key, the key 32 bytes in base64. The first key seals, all verify.",
							   &key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_key_file, NULL);
	RegisterXactCallback(end_transaction, NULL);
}


/* ----- What a line says ----- */

static bool
is_key_id(const char *id, Size length)
{
	if (length < 1 || length > SEAL_KEY_ID_MAX)
		return false;
	for (Size i = 0; i < length; i++)
	{
		if (!((id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9') ||
			  id[i] == '_' || id[i] == '-'))
			return false;
	}
	return true;
}

/* Does this have the form id.fingerprint? */
bool
IsSealKeyName(const char *name, Size length)
{
	const char *dot = memchr(name, '.', length);
	const char *end = name + length;

	if (dot == NULL || !is_key_id(name, dot - name) ||
		end - dot - 1 != SEAL_KEY_FINGERPRINT_LENGTH)
		return false;
	for (const char *c = dot + 1; c < end; c++)
	{
		if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'f')))
			return false;
	}
	return true;
}

static void
take_fingerprint(SealKey *key)
{
	uint8		digest[HMAC_BYTES];

	ComputeHmac(key->secret, SEAL_KEY_BYTES, FINGERPRINT_OF,
				sizeof(FINGERPRINT_OF) - 1, digest);
	(void) hex_encode((const char *) digest, SEAL_KEY_FINGERPRINT_LENGTH / 2,
					  key->fingerprint);
	key->fingerprint[SEAL_KEY_FINGERPRINT_LENGTH] = '\0';
}

static bool
has_secret(const SealKey *list, int count, const uint8 *secret)
{
	for (int i = 0; i < count; i++)
	{
		if (memcmp(list[i].secret, secret, SEAL_KEY_BYTES) == 0)
			return true;
	}
	return false;
}

/* Read one key.  Returns what is wrong with the line, without quoting it, or NULL. */
static const char *
parse_line(const char *line, Size length, SealKey *key)
{
	const char *colon = memchr(line, ':', length);
	Size		id_length = colon == NULL ? 0 : colon - line;

	if (colon == NULL)
		return "It is not of the form id:key.";
	if (!is_key_id(line, id_length))
		return "An id has 1 to 16 characters out of a-z, 0-9, _ and -.";
	if (length - id_length - 1 != KEY_BASE64_LENGTH ||
		pg_b64_decode(colon + 1, KEY_BASE64_LENGTH,
					  (void *) key->secret, SEAL_KEY_BYTES) != SEAL_KEY_BYTES)
		return "A key is 32 bytes in base64.";

	memcpy(key->id, line, id_length);
	key->id[id_length] = '\0';
	return NULL;
}

/*
 * Read all lines into the list, which has room for as many keys.  Returns what is
 * wrong with the line at which reading ended, or NULL.
 */
static const char *
parse_content(const char *content, Size size, SealKey *list, int *count, int *line)
{
	const char *end = content + size;
	const char *problem = NULL;

	*count = 0;
	*line = 0;
	while (content < end && problem == NULL)
	{
		const char *next = memchr(content, '\n', end - content);
		Size		length = (next == NULL ? end : next) - content;

		(*line)++;
		while (length > 0 && strchr(" \t\r", content[length - 1]) != NULL)
			length--;
		if (length > 0 && content[0] != '#')
		{
			problem = parse_line(content, length, &list[*count]);
			if (problem == NULL && has_secret(list, *count, list[*count].secret))
				problem = "Its key is that of a line before it.";
			(*count)++;
		}
		content = next == NULL ? end : next + 1;
	}
	return problem;
}


/* ----- The file ----- */

/* Only some roles may read the path in the setting, so it goes to the log alone. */
static void
refuse_file(int sqlstate, const char *problem, const char *hint)
{
	ereport_without_context(errcode(sqlstate),
							errmsg("the key file of port PINs %s", problem),
							errdetail_log("portpin.key_file is \"%s\".", key_file),
							errhint("%s", hint));
}

static void
refuse_access(void)
{
	ereport_without_context(errcode_for_file_access(),
							errmsg("could not read the key file of port PINs: %m"),
							errdetail_log("portpin.key_file is \"%s\".", key_file),
							errhint("portpin.key_file must name a file that the server's user can read. " MAKE_KEY_HINT));
}

/* Keys in the data directory would be in every base backup, beside what they seal. */
static void
check_place(void)
{
	char	   *file = realpath(key_file, NULL);
	char	   *data;
	bool		inside;

	if (file == NULL)
		refuse_access();
	data = realpath(DataDir, NULL);
	inside = data == NULL || path_is_prefix_of_path(data, file);
	free(file);
	free(data);
	if (inside)
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "is in the data directory",
					"Move it elsewhere: every base backup would hold the keys beside the PINs that they seal.");
}

/* The rules are those of the server for the key of its TLS certificate. */
static void
check_permissions(const struct stat *file)
{
	if (!S_ISREG(file->st_mode))
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "is not a regular file",
					"Set portpin.key_file to the file itself.");
	if (file->st_uid != geteuid() && file->st_uid != 0)
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "belongs to another user",
					"It must belong to the user that the server runs as, or to root.");
	if (file->st_mode & (file->st_uid == 0 ?
						 (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO)))
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "can be used by other users",
					"Take their permissions away: chmod 0600, or 0640 where it belongs to root.");
	if (file->st_size > KEY_FILE_MAX_SIZE)
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "is too large",
					"It has one line for each key.");
}

/* Open the file, and say how large it is. */
static int
open_file(Size *size)
{
	struct stat file;
	int			fd;

	check_place();

	/* A named pipe must not make the server wait for a writer. */
	fd = OpenTransientFile(key_file, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0 || fstat(fd, &file) != 0)
		refuse_access();
	check_permissions(&file);
	*size = file.st_size;
	return fd;
}

/* An error here ends the transaction, which wipes what has been read. */
static void
load_keys(void)
{
	Size		size;
	int			fd = open_file(&size);
	char	   *content = palloc(size + 1);
	ssize_t		got;
	const char *problem;
	int			count;
	int			line;

	forget_keys();
	keys_size = (size / KEY_LINE_MIN_LENGTH + 1) * sizeof(SealKey);
	keys = MemoryContextAllocZero(TopMemoryContext, keys_size);

	got = read(fd, content, size);
	if (got < 0)
		refuse_access();
	CloseTransientFile(fd);
	problem = parse_content(content, got, keys, &count, &line);
	explicit_bzero(content, got);
	pfree(content);

	if (problem != NULL)
		ereport_without_context(errcode(ERRCODE_CONFIG_FILE_ERROR),
								errmsg("line %d of the key file of port PINs is wrong", line),
								errdetail("%s", problem),
								errdetail_log("%s portpin.key_file is \"%s\".", problem, key_file),
								errhint("Correct the line."));
	if (count == 0)
		refuse_file(ERRCODE_CONFIG_FILE_ERROR, "has no key", MAKE_KEY_HINT);
	for (int i = 0; i < count; i++)
		take_fingerprint(&keys[i]);
	nkeys = count;
}

static void
need_keys(void)
{
	if (key_file[0] == '\0')
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("there is no key for sealed port PINs"),
								errhint("Set portpin.key_file to a file with a key, outside the data directory, and reload the configuration. " MAKE_KEY_HINT));
	if (nkeys == 0)
		load_keys();
}

/* The key of a sealed PIN, named as id.fingerprint; NULL if it is not there. */
static const SealKey *
find_key(const char *name)
{
	need_keys();
	for (int i = 0; i < nkeys; i++)
	{
		if (strcmp(keys[i].fingerprint, strchr(name, '.') + 1) == 0)
			return &keys[i];
	}
	return NULL;
}

/* The key that seals.  It is valid for the current command. */
const SealKey *
FirstSealKey(void)
{
	need_keys();
	return &keys[0];
}

/*
 * Is the key that sealed a PIN there?  A lost key must not keep a PIN from being
 * changed.
 */
bool
HasSealKey(const char *name)
{
	return find_key(name) != NULL;
}

/*
 * The key that sealed a PIN.  Without it nobody can say whether another PIN is the
 * same, so that is an error, not a failed attempt.
 */
const SealKey *
FindSealKey(const char *name)
{
	const SealKey *key = find_key(name);
	const char *dot = strchr(name, '.');

	if (key == NULL)
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("a port PIN is sealed with a key that the key file does not have"),
								errdetail("The key has the id \"%.*s\" and the fingerprint %s.",
										  (int) (dot - name), name, dot + 1),
								errhint("Add that key to the file that portpin.key_file names; port_pin_seal_keys() shows the keys that are there. If the key is lost, the account holder must set a new port PIN."));
	return key;
}

/*
 * port_pin_seal_keys() returns table (id text, fingerprint text, seals boolean)
 *
 * The keys of the file, in its order, so that servers can be compared and a change
 * of keys can be followed.  The keys themselves are never shown.
 */
Datum
port_pin_seal_keys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	need_keys();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < nkeys; i++)
	{
		Datum		values[3] = {CStringGetTextDatum(keys[i].id),
		CStringGetTextDatum(keys[i].fingerprint), BoolGetDatum(i == 0)};
		bool		nulls[3] = {false, false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
