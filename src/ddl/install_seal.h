/*
 * install_seal.h
 *		What port_pin_protect() adds for a column of type port_pin_sealed.
 */
#ifndef PORTPIN_INSTALL_SEAL_H
#define PORTPIN_INSTALL_SEAL_H

#include "access/attnum.h"
#include "ddl/install.h"

extern void AddSeal(Installation *install, AttrNumber pin);

#endif							/* PORTPIN_INSTALL_SEAL_H */
