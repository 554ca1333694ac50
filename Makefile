# Builds, installs and tests nodedb_ts.
#
#   make                  the extension, for the PostgreSQL that PG_CONFIG names
#   make install          into that PostgreSQL (DESTDIR is honoured)
#   make demo             everything from nothing to a killed server, in a temporary folder
#   make check            every test, in a temporary folder
#   make units            GoogleTest units of the core (no PostgreSQL)
#   make units-sanitize   the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   make torture          random statements on tables and their heap twins, with kills; DURATION=minutes
#   make bench            figures side by side with heap
#   make bench-codecs     speed of the codecs (Google Benchmark; no PostgreSQL); BENCH_OPTIONS
#   make bench-oracle     sizes of the chosen codecs beside trying everything; BENCH_DATA (no PostgreSQL)
#   make fuzz             libFuzzer on everything that reads stored bytes; DURATION=seconds each (no PostgreSQL)
#   make installcheck     pg_regress and isolation tests against a running, installed server
#   make clean
#
# PGXS has a `check` target of its own that only prints a refusal, and it needs
# pg_config before anything else; so the targets that install what is missing are
# handled here, without including it.

PG_CONFIG ?= pg_config

PROJECT_GOALS := demo check torture bench bench-codecs bench-oracle fuzz units units-sanitize

ifneq (,$(filter $(PROJECT_GOALS),$(MAKECMDGOALS)))

export PG_CONFIG
.PHONY: $(MAKECMDGOALS)
.NOTPARALLEL:

demo:
	@test/scripts/demo.sh
check:
	@test/scripts/check.sh
torture:
	@test/scripts/torture.sh
bench:
	@test/bench/run.sh
bench-codecs:
	@test/bench/codecs.sh
bench-oracle:
	@test/bench/oracle.sh
fuzz:
	@test/scripts/fuzz.sh
units:
	@test/scripts/units.sh
units-sanitize:
	@test/scripts/units.sh --sanitize

OTHER_GOALS := $(filter-out $(PROJECT_GOALS),$(MAKECMDGOALS))
ifneq (,$(OTHER_GOALS))
$(OTHER_GOALS):
	+@$(MAKE) --no-print-directory $@
endif

else

CORE_SOURCES := $(sort $(wildcard src/base/*.cpp src/codec/*.cpp src/codec/*/*.cpp src/segment/*.cpp \
	src/memtable/*.cpp src/compact/*.cpp src/exec/*.cpp src/capi/*.cpp))
SHIM_SOURCES := $(sort $(wildcard src/pg/*.c src/pg/*/*.c))
CORE_OBJECTS := $(CORE_SOURCES:.cpp=.o)
SHIM_OBJECTS := $(SHIM_SOURCES:.c=.o)

EXTENSION = nodedb_ts
MODULE_big = nodedb_ts
OBJS = $(CORE_OBJECTS) $(SHIM_OBJECTS)
DATA = $(sort $(wildcard sql/nodedb_ts--*.sql))
PGFILEDESC = "nodedb_ts - time series storage"

PG_CPPFLAGS = -Iinclude -Isrc
# Callbacks have fixed signatures, hence -Wno-unused-parameter.
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Werror=implicit-function-declaration -Wno-unused-parameter -Wno-declaration-after-statement
# PGDLLEXPORT is empty before PostgreSQL 16, so only the C++ side may be hidden.
# No fused multiply-add: codecs of floats must give the same bits on every machine.
PG_CXXFLAGS = -std=c++20 -O2 -ffp-contract=off -Wall -Wextra -fvisibility=hidden -fvisibility-inlines-hidden
SHLIB_LINK += -lstdc++ -lzstd

REGRESS = $(sort $(patsubst sql/%.sql,%,$(filter-out sql/nodedb_ts--%.sql,$(wildcard sql/*.sql))))
REGRESS_OPTS = --load-extension=nodedb_ts
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --load-extension=nodedb_ts --inputdir=test/isolation --outputdir=build/isolation

EXTRA_CLEAN = build $(OBJS:.o=.d)

# No bitcode: it would need a clang that knows C++20, and nothing here is worth inlining into a query.
override with_llvm := no

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(PGXS))
$(error $(PG_CONFIG) not found: run test/scripts/install-deps.sh, or set PG_CONFIG to the pg_config of your PostgreSQL)
endif
include $(PGXS)

# Warnings inside PostgreSQL's headers are not ours.
override CPPFLAGS := $(patsubst -I$(includedir_server),-isystem $(includedir_server),$(CPPFLAGS))

# The core never sees a PostgreSQL header: its include path is only include/ and src/.
CORE_CPPFLAGS = -Iinclude -Isrc
DEPEND_FLAGS = -MMD -MP -MF $(@:.o=.d)

# Objects depend on the server they are built for, so that a change of PG_CONFIG or of flags rebuilds them.
BUILD_STAMP := build/flags
BUILD_FLAGS := $(VERSION) $(includedir_server) $(CC) $(CFLAGS) $(CPPFLAGS) $(CXX) $(CXXFLAGS)
ifneq ($(BUILD_FLAGS),$(if $(wildcard $(BUILD_STAMP)),$(shell cat $(BUILD_STAMP))))
.PHONY: $(BUILD_STAMP)
endif
$(BUILD_STAMP):
	@mkdir -p $(@D)
	@printf '%s\n' '$(BUILD_FLAGS)' > $@

$(CORE_OBJECTS): %.o: %.cpp $(BUILD_STAMP)
	$(CXX) $(CXXFLAGS) $(CORE_CPPFLAGS) $(DEPEND_FLAGS) -c -o $@ $<

$(SHIM_OBJECTS): %.o: %.c $(BUILD_STAMP)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(DEPEND_FLAGS) -c -o $@ $<

-include $(OBJS:.o=.d)

endif
