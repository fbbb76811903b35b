# portpin: port-out PINs for PostgreSQL
#
# make && make install, then CREATE EXTENSION portpin CASCADE.
# make installcheck runs every test against a running server;
# test/check.sh does it all on a throw-away one.

EXTENSION = portpin
MODULE_big = portpin
here := $(dir $(firstword $(MAKEFILE_LIST)))
OBJS = $(patsubst $(here)%.c,%.o,$(sort $(wildcard $(here)src/*.c $(here)src/*/*.c)))

# The script is written in pieces, each beside the C that implements it.
SCRIPT = src/portpin--1.0.sql
PIECES = src/portpin.sql \
	src/pin/pin.sql src/pin/seal.sql src/pin/check.sql src/pin/reject_codes.sql \
	src/failure/failure_log.sql src/failure/failure_limit.sql src/failure/history.sql \
	src/trigger/protect_trigger.sql src/trigger/seal_trigger.sql src/trigger/gate_trigger.sql src/trigger/failure_lift.sql \
	src/ddl/install_protect.sql src/ddl/install_gate.sql src/ddl/seal_column.sql \
	src/ddl/shards.sql src/ddl/guards.sql \
	src/stats.sql \
	src/privileges.sql
DATA_built = $(SCRIPT)
PGFILEDESC = "portpin - port-out PINs kept, checked and gated"

# They have a folder of their own, in which links among them hold.
DOCS ?= $(patsubst $(here)%,%,$(wildcard $(here)doc/*.md $(here)doc/*.svg))

# All tests run, unless some are named: make installcheck REGRESS=domain_digits_only
tests = $(sort $(notdir $(basename $(wildcard $(here)$(1)))))
ifeq (,$(strip $(REGRESS) $(ISOLATION) $(PROVE_TESTS)))
REGRESS = $(call tests,sql/*.sql)
ISOLATION = $(call tests,test/specs/*.spec)
PROVE_TESTS = $(addprefix test/t/,$(addsuffix .pl,$(call tests,test/t/*.pl)))
endif

# The first one installs the extension, for those after it.
FIRST_TEST = install_in_any_schema
ifneq (,$(REGRESS))
override REGRESS := $(FIRST_TEST) $(filter-out $(FIRST_TEST),$(REGRESS))
endif
ifneq (,$(PROVE_TESTS))
TAP_TESTS = 1
endif

# Some tests have characters that are not ASCII.
ENCODING = UTF8

# The specs are in test/.  Since 16 their expected files have an option of their own.
ISOLATION_OPTS = --inputdir=$(srcdir)/test $(if $(filter-out 15,$(MAJORVERSION)),--expecteddir=$(srcdir)/test)

PG_CONFIG ?= pg_config

# All warnings for portpin, none for PostgreSQL's headers.
PG_CFLAGS = -Wall -Wextra
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(shell $(PG_CONFIG) --includedir-server)

# Only what PostgreSQL looks up is exported.  Otherwise a function of a module that
# is loaded before would replace ours of the same name.
SHLIB_EXPORTS = src/exports.txt

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
docmoduledir = extension/portpin

# A build outside the source tree needs the same folders.
$(shell mkdir -p $(sort $(dir $(OBJS))))

$(SCRIPT): $(PIECES)
	awk 'FNR == 1 && NR > 1 { print "" } { print }' $^ >$@

# Any file may use any header.
$(OBJS) $(OBJS:.o=.bc): $(wildcard $(srcdir)/src/*/*.h)

# Rooms, build and regression tests: half a minute, on a server of its own.
.PHONY: check-fast
check-fast:
	sh $(srcdir)/test/rooms.sh
	sh $(srcdir)/test/check.sh PG_CONFIG=$(PG_CONFIG) with_llvm=no ISOLATION= PROVE_TESTS= REGRESS='$(REGRESS)'

# The layout of the C files: pgindent's.
.PHONY: indent indent-check
indent:
	sh $(srcdir)/test/indent.sh
indent-check:
	sh $(srcdir)/test/indent.sh --check

# What the tests reach; and the tests on a server with assertions, which is built first.
.PHONY: coverage cassert discard valgrind
coverage:
	sh $(srcdir)/test/coverage.sh PG_CONFIG=$(PG_CONFIG)
cassert:
	sh $(srcdir)/test/cassert.sh
discard valgrind:
	sh $(srcdir)/test/cassert.sh --$@

# Measures costs, on a server of its own.  BENCH='--section gate' measures one thing.
.PHONY: bench
bench:
	sh $(srcdir)/test/bench/run.sh $(BENCH) PG_CONFIG=$(PG_CONFIG)

# What PGXN takes, from the last commit.  The script is not in git, but META.json names it.
release = portpin-$(shell sed -n 's/^   "version": "\(.*\)",/\1/p' $(srcdir)/META.json)
.PHONY: dist
dist: $(SCRIPT)
	git diff --exit-code --stat HEAD
	TZ=UTC git archive --format=zip --output=$(release).zip \
		--prefix=$(release)/src/ --add-file=$(SCRIPT) --prefix=$(release)/ HEAD
