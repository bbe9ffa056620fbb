# Assay's build. `./start` calls this; by hand: `make` (the program), `make test`, `make f64`,
# `make asan`, `make fuzz`, `make format`, `make install PREFIX=/usr/local`.
#
# One set of sources is compiled into several trees under build/:
#   release  the program and the library              f64   the same engine with real = double, for
#   asan     gcc with ASan and UBSan                        reference values and gradient checks
#   fuzz     clang with libFuzzer, ASan, UBSan
MODE    ?= release
BUILD   := build/$(MODE)
ifeq ($(origin CC),default)
CC      := gcc
endif
PREFIX  ?= /usr/local

ROOMS   := base stats report tensor model train eval cli
PKGS    := jansson yaml-0.1 libpcre2-8 gsl cairo libcurl libcrypto
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
# Loaded when first used (src/base/library.h): linked, they would cost 20 ms at every start.
LATE    := cairo libcurl
PKG_LIBS   := $(shell pkg-config --libs $(filter-out $(LATE),$(PKGS)))

WARN    := -Wall -Wextra -Wpedantic -Werror
CFLAGS_COMMON := -std=gnu17 $(WARN) -Iinclude -Isrc -D_GNU_SOURCE -fopenmp -ffp-contract=off -g $(PKG_CFLAGS)
CFLAGS_release := -O2
CFLAGS_f64  := -O2 -DASSAY_FLOAT64
CFLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(MODE),fuzz)
CC := clang
CFLAGS_COMMON := $(filter-out -fopenmp,$(CFLAGS_COMMON)) -Wno-unknown-pragmas -Wno-gnu
endif
ALL_CFLAGS := $(CFLAGS_COMMON) $(CFLAGS_$(MODE)) $(CFLAGS)
LDLIBS  := $(PKG_LIBS) -lm
LDFLAGS_MODE := $(if $(filter asan,$(MODE)),-fsanitize=address$(comma)undefined) $(if $(filter fuzz,$(MODE)),,-fopenmp)
comma   := ,

LIB_SRC := $(foreach r,$(filter-out cli,$(ROOMS)),$(wildcard src/$(r)/*.c))
# load.c needs the model room; until that is there the program is linked without it.
CLI_SRC := $(filter-out $(if $(shell grep -ls '^int model_load.struct' src/model/*.c),,src/cli/load.c),$(wildcard src/cli/*.c))
# src/tensor/kernels.c is compiled once per instruction set; the best one is chosen when the program starts.
KERNELS := src/tensor/kernels.c
LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(KERNELS),$(LIB_SRC))) \
           $(if $(wildcard $(KERNELS)),$(foreach v,v1 v3 v4,$(BUILD)/src/tensor/kernels_$(v).o)) \
           $(patsubst %.S,$(BUILD)/%.o,$(wildcard src/model/*.S))
CLI_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(CLI_SRC))
LIB     := $(BUILD)/libassay.a
TEST_SRC := $(wildcard tests/*/test_*.c)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(if $(filter f64,$(MODE)),$(wildcard tests/*/f64_*.c),$(TEST_SRC)))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all lib tests fuzzers test f64 asan fuzz format format-check clean install
all: $(if $(filter release,$(MODE)),assay,$(BUILD)/assay)
lib: $(LIB)
assay: $(BUILD)/assay
	@ln -sf $< $@

$(BUILD)/assay: $(CLI_OBJ) $(LIB)
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(LDFLAGS_MODE) $(LDLIBS)
$(LIB): $(LIB_OBJ)
	@rm -f $@; ar rcs $@ $^
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
ISA_v1 :=
ISA_v3 := -march=x86-64-v3
ISA_v4 := -march=x86-64-v4 -mavx512vnni -mprefer-vector-width=512
$(foreach v,v1 v3 v4,$(BUILD)/src/tensor/kernels_$(v).o): $(BUILD)/src/tensor/kernels_%.o: $(KERNELS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(if $(filter release f64,$(MODE)),-O3) $(ISA_$*) -DKERNELS_ISA=$* -MMD -MP -c -o $@ $<
# Without errno sqrt is one instruction on a vector; the file's comment says more.
$(BUILD)/src/train/optimiser.o: ALL_CFLAGS += -O3 -fno-math-errno
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(LIB) $(LDFLAGS_MODE) $(LDLIBS)
$(BUILD)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -o $@ $< $(LIB) $(LDFLAGS_MODE) $(LDLIBS) -lcmocka
tests: $(TESTS)
fuzzers: $(FUZZERS)

# Runs every test program and adds up their counts.
test: assay
	@$(MAKE) --no-print-directory MODE=release tests
	@$(MAKE) --no-print-directory MODE=f64 tests
	@tests/run build/release build/f64
f64 asan:
	@$(MAKE) --no-print-directory MODE=$@ tests
fuzz:
	@$(MAKE) --no-print-directory MODE=fuzz fuzzers

SOURCES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
format:
	clang-format -i $(SOURCES)
format-check:
	clang-format --dry-run -Werror $(SOURCES)
clean:
	rm -rf build assay
install: assay lib
	install -D -m 755 $(BUILD)/assay $(DESTDIR)$(PREFIX)/bin/assay
	install -D -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib/libassay.a
	install -d $(DESTDIR)$(PREFIX)/include/assay
	install -m 644 include/assay/*.h $(DESTDIR)$(PREFIX)/include/assay/

# Dependency files are made by the compiler beside the objects, never by a rule of make's own.
%.d: ;
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:=.d) $(FUZZERS:=.d)
.SECONDARY:
