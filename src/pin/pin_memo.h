/*
 * pin_memo.h
 *		PINs that were right once in a statement are not hashed again in it.
 *
 * A memo costs next to nothing until a sealed PIN has been right.  It is wiped when
 * the memory of its statement ends.  Without a memo (NULL), nothing is remembered.
 */
#ifndef PORTPIN_PIN_MEMO_H
#define PORTPIN_PIN_MEMO_H

typedef struct PinMemo PinMemo;

extern PinMemo *CreatePinMemo(MemoryContext statement);
extern bool PinMemoHas(PinMemo *memo, const text *stored, const text *supplied);
extern void PinMemoAdd(PinMemo *memo, const text *stored, const text *supplied);

#endif							/* PORTPIN_PIN_MEMO_H */
