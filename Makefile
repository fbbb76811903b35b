# portpin: port-out PINs for PostgreSQL
#
# make && make install, then CREATE EXTENSION portpin CASCADE.
# make installcheck runs every test against a running server;
# test/check.sh does it all on a throw-away one.

EXTENSION = portpin
MODULE_big = portpin
OBJS = src/portpin.o \
	src/pin.o src/column.o src/argument.o src/move.o \
	src/key_file.o src/seal.o src/seal_trigger.o \
	src/account_key.o src/failure_log.o src/failure_worker.o src/failure.o \
	src/keep.o src/check.o src/foreign_key.o src/lookup.o src/account.o \
	src/order.o src/idle_gate.o src/gate.o \
	src/install.o src/install_keep.o src/install_seal.o src/install_gate.o \
	src/guards.o
DATA = src/portpin--1.0.sql
PGFILEDESC = "portpin - port-out PINs kept, checked and gated"

REGRESS = install domain check keep legacy protect partitions \
	gate gate_install keys actions privileges quiet bypass \
	path lookup statements verdict redact legacy_migration \
	guards guards_sealed reject_codes \
	seal seal_column seal_existing \
	failures failures_account failures_rights
ISOLATION = once_had_key order_and_pin_change order_and_first_pin order_and_delete \
	order_and_replacement order_and_order orders_do_not_block keep_and_update \
	rekey_and_order serializable catalog_changes verdict_and_update guards \
	failures failures_in_statement

# Some tests have characters that are no ASCII.
ENCODING = UTF8

# The specs are in test/.  Since 16 their expected files are looked for apart.
ISOLATION_OPTS = --inputdir=test $(if $(filter-out 15,$(MAJORVERSION)),--expecteddir=test)

# The whole-server tests make their own servers.
PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

PG_CONFIG ?= pg_config

# All warnings for portpin, none for PostgreSQL's headers.
PG_CFLAGS = -Wall -Wextra
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server)

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# What it costs; on a server of its own.  BENCH='--section gate_insert' measures one thing.
.PHONY: bench
bench:
	sh test/bench/run.sh $(BENCH) PG_CONFIG=$(PG_CONFIG)
