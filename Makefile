# Assay's build. `./start` calls this; by hand:
#
#   make                  the program, ./assay          make format        lay out the code (clang-format)
#   make test             build and run all tests       make format-check  only say what differs
#   make asan             all tests under ASan, UBSan   make rooms         who includes whom (tests/check_rooms)
#   make fuzz             build the fuzz targets        make clang-check   clang's warnings as errors
#   make fuzz-run SECONDS=60   run each that long       make install PREFIX=/usr/local
#
# V=1 shows whole command lines.
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
SECONDS ?= 60
comma   := ,
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

ROOMS   := base stats report data dist sampling graph classify tensor model train embed eval agent mcp cli
PKGS    := jansson yaml-0.1 libpcre2-8 libutf8proc gsl cairo libcurl libcrypto zlib libzstd sqlite3 libpq ompi-c igraph libmicrohttpd
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
# Loaded when first used (src/base/library.h): linked, they would multiply the time of a start by five.
LATE    := cairo libcurl libcrypto zlib libzstd sqlite3 libpq ompi-c igraph libmicrohttpd
PKG_LIBS   := $(shell pkg-config --libs $(filter-out $(LATE),$(PKGS)))

WARN    := -Wall -Wextra -Wpedantic -Werror
CFLAGS_COMMON := -std=gnu17 $(WARN) -Iinclude -Isrc -D_GNU_SOURCE -fopenmp -ffp-contract=off -g $(PKG_CFLAGS)
CFLAGS_release := -O2
CFLAGS_f64  := -O2 -DASSAY_FLOAT64
CFLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(MODE),fuzz)
CC := clang
CFLAGS_COMMON += -Wno-gnu
endif
ALL_CFLAGS := $(CFLAGS_COMMON) $(CFLAGS_$(MODE)) $(CFLAGS)
LDLIBS  := -Wl,--as-needed -Wl,-O1 $(PKG_LIBS) -lm
LDFLAGS_MODE := $(if $(filter asan,$(MODE)),-fsanitize=address$(comma)undefined) -fopenmp

LIB_SRC := $(foreach r,$(filter-out cli,$(ROOMS)),$(wildcard src/$(r)/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
# These are compiled once per instruction set; the best one is chosen when the program starts.
KERNELS := src/tensor/kernels.c src/embed/kernels.c
LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(KERNELS),$(LIB_SRC))) \
           $(foreach k,$(KERNELS),$(foreach v,v1 v3 v4,$(BUILD)/$(k:.c=_$(v).o))) \
           $(patsubst %.S,$(BUILD)/%.o,$(wildcard src/model/*.S))
CLI_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(CLI_SRC))
LIB     := $(BUILD)/libassay.a
TEST_SRC := $(wildcard tests/*/test_*.c)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(if $(filter f64,$(MODE)),$(wildcard tests/*/f64_*.c),$(TEST_SRC)))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all lib tests fuzzers test f64 asan fuzz fuzz-run format format-check rooms clang-check clean install
all: $(if $(filter release,$(MODE)),assay,$(BUILD)/assay)
lib: $(LIB)
assay: $(BUILD)/assay
	@ln -sf $< $@

$(BUILD)/assay: $(CLI_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(LDFLAGS_MODE) $(LDLIBS)
$(LIB): $(LIB_OBJ)
	@rm -f $@; ar rcs $@ $^
# The built-in model and a report's style and script are included by the assembler, which no dependency file
# tells of.
$(BUILD)/src/model/builtin.o: $(wildcard models/tiny/*.json models/tiny*/*.safetensors)
$(BUILD)/src/eval/task_builtin.o: $(wildcard tasks/*.yaml tasks/data/* models/heldout/*.jsonl)
$(BUILD)/src/data/builtin.o: $(wildcard examples/*)
$(BUILD)/src/report/page.o: src/report/page.css src/report/page.js
$(BUILD)/src/agent/schema.o: src/agent/metaschemas.json
$(BUILD)/src/agent/lab.o: src/agent/lab_tools.json
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# Under ASan and UBSan together the wide kernels take minutes to compile, and slow the tests most of all: there they
# are optimised and have ASan alone. The plain kernels, the same source, have both.
KERNEL_CFLAGS  = $(if $(filter release f64,$(MODE)),-O3) $(if $(filter asan,$(MODE)),$(if $(ISA_$*),-O2 -fno-sanitize=undefined))
ISA_v1 :=
ISA_v3 := -march=x86-64-v3
ISA_v4 := -march=x86-64-v4 -mavx512vnni -mprefer-vector-width=512
define kernel_rule
$(foreach v,v1 v3 v4,$(BUILD)/$(1:.c=_$(v).o)): $(BUILD)/$(1:.c=_%.o): $(1)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(KERNEL_CFLAGS) $$(ISA_$$*) -DKERNELS_ISA=$$* -MMD -MP -c -o $$@ $$<
endef
$(foreach k,$(KERNELS),$(eval $(call kernel_rule,$(k))))
# Without errno sqrt is one instruction on a vector; the file's comment says more.
$(BUILD)/src/train/optimiser.o: ALL_CFLAGS += -O3 -fno-math-errno
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(LIB) $(LDFLAGS_MODE) $(LDLIBS)
$(BUILD)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -o $@ $< $(LIB) $(LDFLAGS_MODE) $(LDLIBS) -lcmocka
$(BUILD)/tests/model/test_pull $(BUILD)/tests/eval/test_backend_remote $(BUILD)/tests/mcp/test_lab: LDLIBS += -lmicrohttpd
# The built-in model's corpus generator and its evaluation (models/Makefile).
MODELS := $(BUILD)/models/corpus $(BUILD)/models/evaluate
$(BUILD)/models/corpus: $(filter-out models/evaluate.c,$(wildcard models/*.c)) models/corpus.h $(LIB)
$(BUILD)/models/evaluate: models/evaluate.c $(LIB)
$(MODELS):
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) $(LIB) $(LDFLAGS_MODE) $(LDLIBS)
# For bench/RESULTS.md: makes stores of millions of samples; times resampling, calls of tools; loads an
# MCP server.
BENCHES := $(patsubst %,$(BUILD)/bench/%,make_store resample tool_calls mcp_load)
$(BENCHES): $(BUILD)/bench/%: bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) $(LIB) $(LDFLAGS_MODE) $(LDLIBS)
# The command line's own tests are linked with it, without main.
CLI_REST := $(filter-out %/main.o,$(CLI_OBJ))
$(BUILD)/tests/cli/%: tests/cli/%.c $(CLI_REST) $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -o $@ $< $(CLI_REST) $(LIB) $(LDFLAGS_MODE) $(LDLIBS) -lcmocka
tests: $(TESTS)
fuzzers: $(FUZZERS)

# Runs every test program and adds up their counts.
test: assay
	@$(MAKE) --no-print-directory MODE=release tests
	@$(MAKE) --no-print-directory MODE=f64 tests
	@tests/run build/release build/f64
f64:
	@$(MAKE) --no-print-directory MODE=f64 tests
asan:
	@$(MAKE) --no-print-directory MODE=asan all tests
	@tests/run build/asan
fuzz:
	@$(MAKE) --no-print-directory MODE=fuzz fuzzers
fuzz-run: fuzz
	@tests/fuzz/run $(SECONDS) $(patsubst $(BUILD)/%,build/fuzz/%,$(FUZZERS))

SOURCES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
format:
	@clang-format -i $(SOURCES)
format-check:
	@clang-format --dry-run -Werror $(SOURCES)
rooms:
	@tests/check_rooms
# clang has its own opinion of what deserves a warning; it only reads the code here.
CLANG_FLAGS = $(CFLAGS_COMMON) -O1 -fsyntax-only -Wno-gnu -Itests
clang-check:
	@printf '%s\n' $(filter-out $(KERNELS),$(LIB_SRC)) $(CLI_SRC) $(TEST_SRC) | xargs -P $$(nproc) -n 4 clang $(CLANG_FLAGS)
	@$(foreach v,v1 v3 v4,clang $(CLANG_FLAGS) $(ISA_$(v)) -DKERNELS_ISA=$(v) $(KERNELS) &&) echo 'clang: no warnings'
clean:
	rm -rf build assay
# Man pages and completions are printed by the program itself, from the tables its parser uses.
install: assay lib
	install -D -m 755 $(BUILD)/assay $(DESTDIR)$(PREFIX)/bin/assay
	install -D -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib/libassay.a
	install -d $(DESTDIR)$(PREFIX)/include/assay $(DESTDIR)$(PREFIX)/share/man/man1 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 644 include/assay/*.h $(DESTDIR)$(PREFIX)/include/assay/
	./assay help --man -o $(DESTDIR)$(PREFIX)/share/man/man1/assay.1
	./assay help --names | while read -r c; do \
	  ./assay help --man -o "$(DESTDIR)$(PREFIX)/share/man/man1/assay-$$(echo "$$c" | tr ' ' -).1" $$c || exit 1; done
	./assay help --completion bash -o $(DESTDIR)$(PREFIX)/share/bash-completion/completions/assay
	./assay help --completion zsh -o $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_assay
	./assay help --completion fish -o $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/assay.fish

# Dependency files are made by the compiler beside the objects, never by a rule of make's own.
%.d: ;
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:=.d) $(FUZZERS:=.d)
.SECONDARY:
