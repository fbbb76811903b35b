/*
 * error.h
 *		Errors of portpin: their SQLSTATEs, and how to raise one that shows no PIN.
 */
#ifndef PORTPIN_ERROR_H
#define PORTPIN_ERROR_H

/*
 * A refusal is an integrity constraint violation, class 23, so that drivers and ORMs
 * map it as they map a violated foreign key.
 */
#define ERRCODE_PORT_PIN_CLEARED		MAKE_SQLSTATE('2', '3', 'P', 'N', '0')
#define ERRCODE_PORT_ACCOUNT_UNKNOWN	MAKE_SQLSTATE('2', '3', 'P', 'N', '1')
#define ERRCODE_PORT_LOCKED				MAKE_SQLSTATE('2', '3', 'P', 'N', '2')
#define ERRCODE_PORT_TOO_MANY_ATTEMPTS	MAKE_SQLSTATE('2', '3', 'P', 'N', '3')
#define ERRCODE_PORT_PIN_NOT_SET		MAKE_SQLSTATE('2', '3', 'P', 'N', '4')
#define ERRCODE_PORT_PIN_REQUIRED		MAKE_SQLSTATE('2', '3', 'P', 'N', '5')
#define ERRCODE_PORT_PIN_EXPIRED		MAKE_SQLSTATE('2', '3', 'P', 'N', '6')
#define ERRCODE_PORT_PIN_MISMATCH		MAKE_SQLSTATE('2', '3', 'P', 'N', '7')
#define ERRCODE_PORT_PIN_USED			MAKE_SQLSTATE('2', '3', 'P', 'N', '8')
#define ERRCODE_PORT_PIN_TOO_NEW		MAKE_SQLSTATE('2', '3', 'P', 'N', '9')
#define ERRCODE_PORT_SOURCE_LOCKED_OUT	MAKE_SQLSTATE('2', '3', 'P', 'N', 'A')

/*
 * Raise an error that can't show a PIN.  COPY and PL/pgSQL add the row or the
 * literal to the CONTEXT of an error, so the context callbacks are cut off first
 * (the code that catches the error gets them back); the server log leaves out the
 * statement.
 */
#define ereport_without_context(...) \
	do { \
		error_context_stack = NULL; \
		ereport(ERROR, errhidestmt(true), __VA_ARGS__); \
	} while (0)

#endif							/* PORTPIN_ERROR_H */
