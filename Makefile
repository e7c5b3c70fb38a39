# routeport.  `make deps demo` shows it at work, `make deps check` proves it; `make help` lists the rest.
CC ?= cc
PREFIX ?= /usr/local
BUILD ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
comma := ,
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

VERSION := 0.1.0
CFLAGS ?= -O2 -g
STD := -std=c11 -D_GNU_SOURCE -DROUTEPORT_VERSION='"$(VERSION)"' -I.
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(CI),-Werror)
HARDEN := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
LDHARDEN := -pie -Wl,-z,relro,-z,now
ifdef SANITIZE
SAN := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
# No path of the machine that builds: the same source gives the same bytes, with -g too.
PLACE := -fdebug-prefix-map=$(CURDIR)=. -fmacro-prefix-map=$(CURDIR)=.
ALL_CFLAGS := $(STD) $(WARN) $(HARDEN) $(SAN) $(PLACE) $(CFLAGS) -MMD -MP -pthread
LIBS := -lnghttp2 -lssl -lcrypto -lev -linih -lcares -lm -pthread

COMMON := $(patsubst %.c,$(BUILD)/%.o,$(filter-out common/static/%,$(wildcard common/*/*.c)))
CLIENT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard client/*.c))
SERVER := $(patsubst %.c,$(BUILD)/%.o,$(wildcard server/*.c))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
UNIT_HELP := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_HELP := $(addprefix $(BUILD)/tests/fuzz/,fuzz.o h2_script.o plain_ssl.o)
PROGRAMS := $(BUILD)/routeport-client $(BUILD)/routeport-server
# A static file has neither plug-ins nor NSS: common/static/absent.c stands in for these calls.
ABSENT := dlopen getaddrinfo freeaddrinfo getnameinfo gethostbyname getservbyname getservbyport_r
ifneq (,$(filter -static%,$(LDMODE)))
STATIC := $(BUILD)/common/static/absent.o
LDSTATIC := $(ABSENT:%=-Wl,--wrap=%)
endif
# Targets meet a fuzzer's bytes without TLS: tests/fuzz/plain_ssl.c stands in for these calls.
PLAIN_SSL := SSL_do_handshake SSL_read_ex SSL_write_ex SSL_get_error SSL_shutdown SSL_key_update SSL_get0_alpn_selected
PLAIN_SSL := $(patsubst %,-Wl$(comma)--wrap=%,$(PLAIN_SSL) reactor_now)
# This one has TLS itself for its subject.
$(BUILD)/tests/fuzz/fuzz_tls: PLAIN_SSL :=
FUZZ_MAIN ?= $(BUILD)/tests/fuzz/replay.o
# One build for both, apart from that of the lint: libFuzzer's counters do no harm to a unit test.
CLANG := $(MAKE) --no-print-directory BUILD=$(BUILD)/clang-asan CC=clang CFLAGS='-O1 -g' \
	SANITIZE=address,undefined,fuzzer-no-link FUZZ_MAIN=-fsanitize=fuzzer
KINDS ?= raw,h2
# What is installed beside examples and certs; links between them stay good.
DOCUMENTS := README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE client/README.md server/README.md common/README.md common/overview.svg \
	common/config/OPTIONS.md tests/README.md tests/bench/README.md tests/bench/RESULTS.md tests/bench/RESULTS.svg
PYTEST := /usr/bin/python3 -m pytest -q -p no:cacheprovider -n 4

# Counts live in a file that is mapped: those of a process that is killed are there as well.
COVERAGE := -O1 -g -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation \
	-Wno-unused-command-line-argument

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps demo check tests unit replay fuzz fuzz-run clang integration check-busy kills soak faults coverage coverage-run valgrind check-teeth static install uninstall certs image bench asan tsan lint clean

all: $(PROGRAMS)

$(BUILD)/routeport-client: $(CLIENT) $(STATIC) $(BUILD)/common.a
$(BUILD)/routeport-server: $(SERVER) $(STATIC) $(BUILD)/common.a
$(PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) $(LDMODE) $(LDSTATIC) -o $@ $^ $(LIBS)
$(PROGRAMS): LDMODE ?= $(LDHARDEN)

$(BUILD)/common.a: $(COMMON)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(CPPFLAGS) -c -o $@ $<

# inih does not tell its version itself.
INIH_VERSION := $(shell pkg-config --modversion inih 2>/dev/null)
$(BUILD)/common/daemon/command.o: private CPPFLAGS += $(INIH_VERSION:%=-DINIH_VERSION='"%"')

$(BUILD)/nghttp2.flags: tools/nghttp2-flags.sh Makefile
	$(call say,TRY,$@)
	$(Q)mkdir -p $(@D) && sh $< $(CC) $(filter-out -M%,$(ALL_CFLAGS)) $(LDFLAGS) $(LDMODE) >$@

$(BUILD)/common/h2/session.o: $(BUILD)/nghttp2.flags
$(BUILD)/common/h2/session.o: private ALL_CFLAGS += @$(BUILD)/nghttp2.flags

$(UNIT): %: %.o $(UNIT_HELP) $(BUILD)/common.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LIBS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_HELP) $(BUILD)/tests/fuzz/replay.o $(BUILD)/common.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) $(PLAIN_SSL) -o $@ $< $(FUZZ_HELP) $(FUZZ_MAIN) $(BUILD)/common.a $(LIBS)

# Its connections may be reset at once.
$(BUILD)/tests/unit/net/test_connect: private LDFLAGS += -Wl,--wrap=connect
# Its clock may be put forward.
$(BUILD)/tests/unit/tunnel/test_pool: private LDFLAGS += -Wl,--wrap=reactor_now

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

## help: this list
help:
	@sed -n 's/^## //p' Makefile

## deps: install what building, demo and tests need
deps:
	$(Q)sh tools/deps.sh

## demo: redis through a stand-in of the OpenShift router, shown step by step
demo: all
	$(Q)sh tools/demo.sh

## check: all tests
check: unit replay integration check-teeth

# What the next two run.
tests: $(UNIT) $(FUZZERS)

## unit: the unit tests (Check), all of them even if one fails
unit: $(UNIT)
	$(Q)sh tests/each.sh unit $(UNIT)

## replay: the inputs that fuzzing starts from, and those that broke something, without a fuzzer
replay: $(FUZZERS)
	$(Q)sh tests/each.sh replay $(foreach t,$(FUZZERS),'$t tests/fuzz/corpus/$(t:$(BUILD)/tests/fuzz/fuzz_%=%)')

## fuzz: whatever comes from outside, under libFuzzer (clang), SECONDS=30 each; T=name picks one
fuzz:
	+$(Q)$(CLANG) fuzz-run
fuzz-run: $(FUZZERS)
	$(Q)failed=; for t in $(filter %$(T),$(FUZZERS)); do \
		sh tests/fuzz/run.sh $$t $(or $(SECONDS),30) || failed="$$failed $${t##*/}"; \
	done; [ -z "$$failed" ] || { echo "fuzz: failed:$$failed" >&2; exit 1; }

## clang: the unit tests under clang's AddressSanitizer and UBSan, which see what gcc's do not
clang:
	+$(Q)$(CLANG) unit

## integration: the pair among real programs (pytest); T=name picks tests, KINDS=raw or h2 carriers, SLOW=1
integration: all
	$(Q)$(if $(SLOW),ROUTEPORT_SLOW=1 )ROUTEPORT_BUILD=$(abspath $(BUILD)) $(PYTEST) tests/integration --kinds=$(KINDS) $(if $(T),-k '$(T)') \
		$(if $(FAULTS),--faults-sample=$(FAULTS)) $(if $(SEED),--faults-seed=$(SEED))

## check-busy: UNIT_RUNS=20, then INTEGRATION_RUNS=5, while other processes keep all cores busy
check-busy: all $(UNIT)
	$(Q)MAKE='$(MAKE)' sh tests/busy.sh $(or $(UNIT_RUNS),20) $(or $(INTEGRATION_RUNS),5) $(BUILD)/busy.log

## kills: random kills for SECONDS in all, from SEED on (default: 600, 1); KINDS=raw or h2 carriers
kills: all
	$(Q)ROUTEPORT_BUILD=$(abspath $(BUILD)) $(PYTEST) -n 2 tests/integration/test_kills.py --kinds=$(KINDS) \
		--kills-seconds=$(or $(SECONDS),600) --kills-seed=$(or $(SEED),1)

## soak: mixed load, reloads, rotations and kills for SECONDS in all (600); memory and descriptors stay flat
soak: all
	$(Q)ROUTEPORT_BUILD=$(abspath $(BUILD)) $(PYTEST) -n 0 -rP tests/integration/test_soak.py --kinds=$(KINDS) \
		--soak-seconds=$(or $(SECONDS),600)

## faults: the fault matrix, all of it, and the table in tests/README.md; KINDS=raw or h2, T=name picks without the table
faults: all
	$(Q)ROUTEPORT_BUILD=$(abspath $(BUILD)) $(PYTEST) tests/integration/test_faults.py --kinds=$(KINDS) --faults-sample=0 \
		$(if $(T),-k '$(T)',--faults-table --deselect tests/integration/test_faults.py::test_the_table_in_the_readme_is_of_this_matrix)

## check-teeth: the endings with a stunnel4 pair in our place; most of them must fail
check-teeth:
	$(Q)sh tests/integration/teeth.sh

## static: both programs as static files in build/static/
static:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/static LDMODE='-static-pie -Wl,-z,relro,-z,now' all

## install: into $(DESTDIR)$(PREFIX)
install: all
	install -D -m 755 $(BUILD)/routeport-client $(DESTDIR)$(PREFIX)/bin/routeport-client
	install -D -m 755 $(BUILD)/routeport-server $(DESTDIR)$(PREFIX)/bin/routeport-server
	for page in man/*.[58]; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/} || exit 1; done
	for program in routeport-client routeport-server; do install -D -m 644 completion/routeport.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program || exit 1; done
	install -D -m 644 completion/_routeport $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_routeport
	for text in $(DOCUMENTS); do install -D -m 644 $$text $(DESTDIR)$(PREFIX)/share/doc/routeport/$$text || exit 1; done
	cp -R examples certs $(DESTDIR)$(PREFIX)/share/doc/routeport/
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/doc/routeport

## uninstall: remove what install put into $(DESTDIR)$(PREFIX)
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,routeport-client routeport-server)
	for page in man/*.[58]; do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/} || exit 1; done
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/bash-completion/completions/,routeport-client routeport-server)
	rm -f $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_routeport
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/routeport

## certs: a private CA and certificates for ROUTE=host in OUT=folder
certs:
	$(Q)sh certs/make-certs.sh "$(ROUTE)" $(OUT)

## image: the sidecar's container image
image: static
	$(Q)sh tools/image.sh

## bench: h2 and raw carriers beside stunnel4, haproxy and nginx; QUICK=1, SCALE=1, FAR=1, RESULTS=file
bench: all
	$(Q)ROUTEPORT_BUILD=$(abspath $(BUILD)) sh tests/bench/bench.sh

## asan, tsan: the same tests under AddressSanitizer and UBSan, or ThreadSanitizer
asan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined unit replay integration
tsan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread unit replay integration

## coverage: what unit and integration tests pass of common/, by folder (clang)
coverage:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage CC=clang CFLAGS='$(COVERAGE)' coverage-run
coverage-run: all $(UNIT) $(FUZZERS)
	$(Q)rm -rf $(BUILD)/profiles && mkdir -p -m 1777 $(BUILD)/profiles
	$(Q)LLVM_PROFILE_FILE=$(abspath $(BUILD))/profiles/%p%c.profraw $(MAKE) --no-print-directory unit replay integration
	$(Q)/usr/bin/python3 tools/coverage.py $(BUILD)

## valgrind: the unit tests and some of the integration tests under memcheck
valgrind: all $(UNIT)
	$(Q)sh tests/valgrind.sh $(BUILD) $(UNIT)

## lint: format, clang-tidy, cppcheck, shellcheck, includes, globals, what is generated, manual pages, links
lint: all
	$(Q)sh tools/lint.sh

## clean: remove what was built
clean:
	rm -rf $(BUILD)
