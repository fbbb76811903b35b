/*
 * portpin.h
 *		What the rooms of portpin share.
 *
 * A port-out PIN proves that it is really the customer who moves a phone number
 * to another carrier.  portpin keeps it valid (pin.c), keeps it set (keep.c) and
 * lets no port order in without it (gate.c).  src/ has nine floors, and no file
 * calls one above its own:
 *
 *		portpin.h
 *		pin.c, column.c, argument.c, move.c, key_file.c
 *		account_key.c, failure_log.c, failure_worker.c, failure.c
 *		keep.c, seal.c, foreign_key.c, lookup.c
 *		check.c, seal_trigger.c, account.c
 *		order.c
 *		idle_gate.c
 *		gate.c
 *		install.c, guards.c
 */
#ifndef PORTPIN_H
#define PORTPIN_H

#include "postgres.h"

#include "commands/trigger.h"
#include "compat.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/block.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

/*
 * What portpin refuses is a violation of integrity: class 23, so that drivers
 * and ORMs map it as they map a violated foreign key.
 */
#define ERRCODE_PORT_PIN_CLEARED		MAKE_SQLSTATE('2', '3', 'P', 'N', '0')
#define ERRCODE_PORT_ACCOUNT_UNKNOWN	MAKE_SQLSTATE('2', '3', 'P', 'N', '1')
#define ERRCODE_PORT_LOCKED				MAKE_SQLSTATE('2', '3', 'P', 'N', '2')
#define ERRCODE_PORT_TOO_MANY_ATTEMPTS	MAKE_SQLSTATE('2', '3', 'P', 'N', '3')
#define ERRCODE_PORT_PIN_NOT_SET		MAKE_SQLSTATE('2', '3', 'P', 'N', '4')
#define ERRCODE_PORT_PIN_REQUIRED		MAKE_SQLSTATE('2', '3', 'P', 'N', '5')
#define ERRCODE_PORT_PIN_EXPIRED		MAKE_SQLSTATE('2', '3', 'P', 'N', '6')
#define ERRCODE_PORT_PIN_MISMATCH		MAKE_SQLSTATE('2', '3', 'P', 'N', '7')

/*
 * Raise an error that can't show a PIN.  COPY and PL/pgSQL add the row or the
 * literal to the CONTEXT of an error, so the context callbacks are cut off first
 * (whoever catches the error gets them back); the server log leaves out the
 * statement.
 */
#define ereport_quietly(...) \
	do { \
		error_context_stack = NULL; \
		ereport(ERROR, errhidestmt(true), __VA_ARGS__); \
	} while (0)

/*
 * What can be said of a port order, in the order in which it is decided; the
 * labels of the SQL type port_pin_verdict.
 */
typedef enum PortVerdict
{
	PORT_ACCEPTED,
	PORT_ACCOUNT_UNKNOWN,
	PORT_LOCKED,
	PORT_TOO_MANY_ATTEMPTS,
	PORT_PIN_NOT_SET,
	PORT_PIN_REQUIRED,
	PORT_PIN_EXPIRED,
	PORT_PIN_MISMATCH
} PortVerdict;

/* portpin.c */
extern uint64 CatalogGeneration(void);

/* pin.c */
#define PORT_PIN_MIN_DIGITS 6
#define PORT_PIN_MAX_DIGITS 10

extern bool PinIsBlank(const text *pin);
extern bool PinIsValid(const text *pin);
extern bool SameBytes(const void *a, const void *b, Size length);
extern text *LookAtPin(Datum value, bool isnull);
extern void LeavePin(text *pin, Datum value);
extern text *CopyPin(Datum value, bool isnull);
extern void ForgetPin(text *pin);

/* column.c */
extern Oid	PortPinDomain(Oid function);
extern Oid	PortPinType(const char *name, Oid domain);
extern Oid	PortPinTrigger(const char *function, Oid domain);
extern Oid	PortPinCheck(const char *function, Oid domain);
extern Oid	PortPinTable(const char *name, Oid domain);
extern AttrNumber FindColumn(Relation rel, const char *name);
extern AttrNumber FindColumnOfType(Relation rel, const char *name, Oid type);
extern AttrNumber FindPinColumn(Relation rel, const char *name, Oid domain,
								const char *argument);
extern bool HasPinColumn(Relation rel, const char *name, Oid domain);
extern bool DomainForbidsNull(Oid type);
extern void CheckColumnAllows(Relation rel, AttrNumber column, Datum value, bool isnull);
extern bool ColumnIsGenerated(Relation rel, AttrNumber column);
extern bool ColumnIsGeneratedFrom(Relation rel, AttrNumber column, AttrNumber source);
extern bool ColumnIsPortPin(Relation rel, AttrNumber column, Oid domain);
extern bool ColumnIsSealed(Relation rel, AttrNumber column, Oid domain);
extern bool HasSealedColumn(Oid relid, Oid domain);
extern List *ColumnNames(Relation rel, int ncolumns, const AttrNumber *columns);
extern char *ColumnName(Relation rel, AttrNumber column);
extern char *ColumnList(List *names);
extern List *FindColumns(Relation rel, List *names);
extern bool SameColumnValue(TupleTableSlot *a, TupleTableSlot *b, AttrNumber column);

/* argument.c */
extern void CheckArguments(const Trigger *trigger, const char *const *known);
extern const char *ArgumentValue(const Trigger *trigger, const char *name);
extern bool ArgumentIs(const Trigger *trigger, const char *name,
					   const char *value, const char *otherwise);
extern char *ArgumentColumn(const Trigger *trigger, const char *name);
extern List *ArgumentColumns(const Trigger *trigger, const char *name);
extern TriggerData *CheckTriggerCall(FunctionCallInfo fcinfo, const char *function);
pg_noreturn extern void RefuseAttachment(const char *function, const char *problem,
										 const char *hint);

/* move.c */
extern Oid	RootOfPartitions(Relation rel);
extern bool CanFollowMoves(Relation table);
extern void RememberMove(TriggerData *trigdata);
extern TupleTableSlot *RecallMove(TriggerData *trigdata);
extern void ExpectMove(FunctionCallInfo fcinfo, HeapTuple updated);
extern TupleTableSlot *RecallExpectedMove(TriggerData *trigdata);
extern void ForgetMovedRow(TupleTableSlot *row);

/* key_file.c */
#define SEAL_KEY_ID_MAX 16
#define SEAL_KEY_BYTES 32

typedef struct SealKey
{
	char		id[SEAL_KEY_ID_MAX + 1];
	uint8		secret[SEAL_KEY_BYTES];
} SealKey;

extern void DefineKeyFileSetting(void);
extern bool IsSealKeyId(const char *id, Size length);
extern const SealKey *FirstSealKey(void);
extern const SealKey *FindSealKey(const char *id);

/* keep.c */
extern List *CheckKeep(FunctionCallInfo fcinfo);
extern bool KeepsRowsInPlace(Relation accounts, AttrNumber pin,
							 int nkeys, const AttrNumber *keys, Oid domain);

/* seal.c */
extern void DefineSealSetting(void);
extern bool PinIsSealed(const text *stored);
extern bool PinIsHashed(const text *stored);
extern char *KeyOfSealedPin(const text *stored);
extern text *SealPin(const text *pin);
extern bool PinWasSealedJustNow(const text *sealed);
extern bool HashMatches(const text *stored, const text *supplied);
extern void SpendTimeOfHash(void);

/* seal_trigger.c */
extern List *CheckSeal(FunctionCallInfo fcinfo);

/* account_key.c */

/* What names the rows of a table: columns, and how they are written down. */
typedef struct AccountIdentity
{
	Oid			table;			/* the whole one, if it has partitions */
	int			ncolumns;
	AttrNumber	columns[INDEX_MAX_KEYS];
	FmgrInfo	output[INDEX_MAX_KEYS];
	bool		reads_the_same; /* under all settings */
} AccountIdentity;

/* The name of one row; no table where there is nothing to guess. */
typedef struct AccountKey
{
	Oid			table;
	ArrayType  *key;
} AccountKey;

extern void DescribeAccountKey(Relation table, int nkeys, const AttrNumber *keys,
							   AttrNumber pin, AccountIdentity *identity,
							   MemoryContext mcxt);
extern uint64 HashAccountKey(const AccountKey *account);
extern ArrayType *AccountKeyOfRow(AccountIdentity *identity, TupleTableSlot *row);
extern ArrayType *AccountKeyFromTexts(Relation table, ArrayType *given, Oid *owner);

/* failure_log.c */
#define FAILURE_TABLE "port_pin_failures"

/* Milliseconds that a session waits for its turn to guess, and for the record. */
#define FAILURE_PATIENCE 5000

/* The table of wrong guesses as a gate knows it; found when first needed. */
typedef struct FailureLog
{
	Oid			domain;			/* port_pin, in whose schema the table is */
	uint64		generation;		/* of the catalogs that it was found in */
	Oid			table;
	Oid			index;
	AttrNumber	unlocked;

	/* Since the statement began, or since a guess was recorded: */
	int			window;			/* seconds that guesses count */
	BlockNumber pages;			/* of the table */
	BlockNumber looks;			/* into its index */
	HTAB	   *accounts;		/* all that have guesses on record; NULL if unknown */
	MemoryContext mcxt;			/* of the gate */
} FailureLog;

/* One wrong guess. */
typedef struct Failure
{
	Oid			accounts;
	Oid			orders;
	char		role[NAMEDATALEN];
	char		login[NAMEDATALEN];
	char		application[NAMEDATALEN];
	char		client[64];		/* an address, or empty */
	ArrayType  *key;
} Failure;

extern TimestampTz DeadlineFromNow(void);
extern bool WaitABit(TimestampTz deadline);
extern bool LogIsKnown(const FailureLog *log);
extern void ForgetLog(FailureLog *log);
extern bool NobodyIsOnRecord(const FailureLog *log);
extern bool IsOnRecord(const FailureLog *log, const AccountKey *account);
extern int	CountFailures(FailureLog *log, const AccountKey *account,
						  TimestampTz since, int limit, TimestampTz deadline);
extern void AppendFailure(Oid table, const Failure *failure);
extern int64 ForgiveFailures(Oid domain, const AccountKey *account,
							 TimestampTz since);

/* failure_worker.c */
extern const char *RecordFailure(Oid table, const Failure *failure,
								 TimestampTz deadline);

/* failure.c */

/* One guess at an account's PIN, from before it is looked at. */
typedef struct PinAttempt
{
	FailureLog *log;			/* NULL: guesses are not limited */
	AccountIdentity *identity;
	TupleTableSlot *row;
	AccountKey	account;		/* the name of that row; see account_of */
	bool		has_turn;		/* others wait that guess at the same account */
} PinAttempt;

extern void DefineFailureSettings(void);
extern bool BeginAttempt(PinAttempt *attempt, FailureLog *log,
						 AccountIdentity *identity, TupleTableSlot *row);
extern PortVerdict EndAttempt(PinAttempt *attempt, Relation orders,
							  PortVerdict verdict);

/* foreign_key.c */

/* A foreign key, and all that is needed to find the row that it points to. */
typedef struct ForeignKey
{
	Oid			referenced;		/* the relation that it points to */
	Oid			index;			/* that relation's unique index */
	char		on_update;		/* referential actions, as pg_constraint has them */
	char		on_delete;
	bool		deferrable;
	int			nkeys;
	AttrNumber	from[INDEX_MAX_KEYS];	/* columns of the referencing relation */
	AttrNumber	to[INDEX_MAX_KEYS]; /* columns of the referenced one */
	AttrNumber	position[INDEX_MAX_KEYS];	/* of the latter in the index */
	FmgrInfo	equal[INDEX_MAX_KEYS];	/* referenced = referencing */
	Oid			operand[INDEX_MAX_KEYS];	/* type of that operator's right side */
	FmgrInfo	cast[INDEX_MAX_KEYS];	/* to that type, where one is needed */
	struct KeyedTable *tables;	/* what lookup.c remembers with it */
	MemoryContext mcxt;			/* in which it does */
} ForeignKey;

/* The value of a key, in the types of the index that it is looked up in. */
typedef struct KeyValue
{
	bool		complete;		/* no column is NULL */
	Datum		values[INDEX_MAX_KEYS];
} KeyValue;

/* A row that a key leads to, in the buffer that it was found in. */
typedef struct ReferencedRow
{
	Oid			table;			/* the partition, if there are any */
	Oid			index;			/* of that partition */
	TupleTableSlot *slot;		/* the row there; NULL if none was found */
	TupleTableSlot *columns;	/* the same as a row of the whole table */
} ReferencedRow;

extern ForeignKeyCacheInfo *ChooseForeignKey(Relation rel, List *columns,
											 const char *argument,
											 const char *pin, Oid domain);
extern char *WaysOverTables(Relation rel, const char *pin, Oid domain);
extern bool LeadsBack(Oid referenced, Relation rel);
extern void DescribeForeignKey(Relation rel, const ForeignKeyCacheInfo *info,
							   ForeignKey *key, MemoryContext mcxt);

/* lookup.c */
extern void LockReferenced(ForeignKey *key);
extern void ForgetPartitionsOfKey(ForeignKey *key);
extern void KeyOfRow(ForeignKey *key, TupleTableSlot *row, KeyValue *value);
extern ReferencedRow FindReferencedRow(ForeignKey *key, const KeyValue *value,
									   Snapshot snapshot);
extern bool HoldRow(ReferencedRow *row, Snapshot snapshot);
extern void ReleaseRow(ReferencedRow *row);
extern bool RowHadKey(ForeignKey *key, const KeyValue *value, ReferencedRow *row);

/* account.c */

/* One table on the way from an order to its PIN. */
typedef struct AccountHop
{
	ForeignKey	key;			/* leads here */
	AttrNumber	pin;			/* 0 where the row can't have a PIN */
	AttrNumber	lock;			/* 0 where the row can't be locked */
	AttrNumber	expires;		/* 0 where its PIN does not expire */
	AccountIdentity identity;	/* what its rows are called when guessed at */
} AccountHop;

#define MAX_ACCOUNT_HOPS 2		/* order to number, number to account */

typedef struct AccountPath
{
	bool		hold;			/* judged before the foreign key is checked */
	int			nhops;
	bool		sealed;			/* a PIN on the way is in a sealed column */
	AccountHop	hops[MAX_ACCOUNT_HOPS];
} AccountPath;

/* What names the way: columns, by name; NULL or NIL where portpin finds them. */
typedef struct AccountNames
{
	List	   *fk;				/* key columns of the order */
	List	   *via;			/* key columns of the number, to its account */
	char	   *number_pin;
	char	   *account_pin;
	char	   *lock;			/* on whichever table of the way has it */
	char	   *number_lock;	/* on just this one */
	char	   *account_lock;
	char	   *expires;		/* likewise */
	char	   *number_expires;
	char	   *account_expires;
	bool		no_overrides;	/* a number has no PIN of its own */
} AccountNames;

/* What the rows on the way said; see ReadAccount. */
typedef struct Account
{
	ReferencedRow rows[MAX_ACCOUNT_HOPS];
	bool		found;
	bool		locked;
	bool		expired;
	text	   *pin;			/* NULL where blank */
	Datum		stored;			/* the same as the row has it */
	AccountIdentity *identity;	/* what the row that gave it is called */
	TupleTableSlot *row;
} Account;

extern void FindAccountPath(Relation orders, const AccountNames *names,
							Oid domain, AccountPath *path, MemoryContext mcxt);
extern void LockAccountPath(AccountPath *path);
extern void ForgetPartitions(AccountPath *path);
extern void ReadAccount(AccountPath *path, TupleTableSlot *order,
						Account *account);
extern void LeaveAccount(Account *account);
extern bool IsSameAccount(AccountPath *path, TupleTableSlot *old,
						  TupleTableSlot *new);

/* check.c */
extern PortVerdict CheckPin(const text *stored, const text *supplied);
extern Oid	VerdictValue(Oid type, PortVerdict verdict);
extern int	VerdictSqlstate(PortVerdict verdict);
extern const char *VerdictMessage(PortVerdict verdict);
extern const char *VerdictHint(PortVerdict verdict);

/* order.c */

/* A gate: which columns it looks at and the way to the account. */
typedef struct Gate
{
	Oid			trigger;
	MemoryContext mcxt;			/* all that it has is in here */
	uint64		generation;		/* of the catalogs that it was found in */
	bool		in_use;			/* by an order that is being judged */
	AttrNumber	pin;			/* the PIN that the order carries */
	AttrNumber	scope;			/* 0 where every order is judged */
	AttrNumber	verdict;		/* 0 where a bad order is refused, not recorded */
	bool		redact;			/* the PIN is not stored once judged */
	bool		unset_allow;	/* an account without a PIN may be ported */
	AccountPath path;
	FailureLog	failures;
} Gate;

extern bool OrderInScope(TriggerData *trigdata, const Gate *gate,
						 TupleTableSlot *order);
extern bool OrderNeedsJudging(TriggerData *trigdata, Gate *gate,
							  TupleTableSlot *old, TupleTableSlot *new);
extern PortVerdict JudgeOrder(Gate *gate, Relation orders, TupleTableSlot *order);

/* idle_gate.c */

/* What a statement has of a gate. */
typedef struct GateLoan
{
	Gate	   *gate;			/* NULL if there is none */
	MemoryContextCallback at_end;
} GateLoan;

extern GateLoan *LendGate(Oid trigger, MemoryContext statement);
extern void KeepGate(GateLoan *loan, Gate *gate);

/* gate.c */

/* What names a gate's columns; NULL where portpin finds them. */
typedef struct GateNames
{
	char	   *pin;
	char	   *scope;
	char	   *verdict;
	bool		redact;
	bool		unset_allow;
	AccountNames account;
} GateNames;

extern Gate *FindGate(Relation orders, const GateNames *names, Oid domain);
extern void CheckGateFiresLast(Relation orders, const char *gate, bool now);
extern const Gate *CheckGate(FunctionCallInfo fcinfo);

#endif							/* PORTPIN_H */
