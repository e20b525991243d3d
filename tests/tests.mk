# Tests. Each kind prints "kind: N passed, N failed[, N skipped]"; KINGLY_MUST_RUN=1 turns a skip into a failure.
.PHONY: check-unit check-fuzz-corpus check-scenario check-scenario-session check-scenario-cgroup check-scenario-asan check-scenario-asan-cgroup check-guest \
	check-valgrind check-docs

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/*/test_*.c)))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
room_of = $(word 3,$(subst /, ,$(1)))

# A unit test links the room it mirrors and what stands below; helpers shared by the tests of a room sit beside them as *.inc.h
define UNIT_template
$(patsubst tests/%.c,$(BUILD)/tests/%,$(1)): $(1) $(foreach l,$(LINK_$(call room_of,$(1))),$(call archive,$(l))) $(MAKEFILE_LIST)
	@mkdir -p $$(@D)
	$$(call say,test,$$@)
	$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -MF $$@.d $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$(LIBS_$(call room_of,$(1))) -lcmocka
endef
$(foreach t,$(wildcard tests/unit/*/test_*.c),$(eval $(call UNIT_template,$(t))))

# fuzz_ROOM_what.c links ROOM and what stands below. Without FUZZER=1 each gets a main() that runs its corpus once.
fuzz_room = $(word 2,$(subst _, ,$(notdir $(1))))
define FUZZ_template
$(patsubst tests/%.c,$(BUILD)/tests/%,$(1)): $(1) tests/fuzz/corpus_main.c $(foreach l,$(LINK_$(call fuzz_room,$(1))),$(call archive,$(l)))
	@mkdir -p $$(@D)
	$$(call say,test,$$@)
	$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $$(LDFLAGS) $$(if $$(FUZZER),-fsanitize=fuzzer) -o $$@ $$< $$(if $$(FUZZER),,tests/fuzz/corpus_main.c) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS_$(call fuzz_room,$(1)))
endef
$(foreach t,$(wildcard tests/fuzz/fuzz_*.c),$(eval $(call FUZZ_template,$(t))))

# What is preloaded to make calls fail, and the service that writes down what becomes of it. Under sanitizers malloc(3) is theirs.
SHIM := $(BUILD)/tests/fault/shim.so
WITNESS := $(BUILD)/tests/chaos/witness
$(SHIM): tests/fault/shim.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -fPIC -fvisibility=hidden -fno-builtin \
		$(if $(SANITIZE),-DFAULT_NO_MALLOC) -shared -o $@ $<
$(WITNESS): tests/chaos/witness.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 -g -Wall -Wextra -Werror -o $@ $<
# What speaks sd_notify under systemd and under Kingly.
TWIN := $(BUILD)/tests/scenario/notify_twin
$(TWIN): tests/scenario/notify_twin.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -o $@ $<

# Programs that are not these, to be executed in their place: another version; one whose table is another; one whose state has a newer form; one that
# ends as soon as it is executed there. Of each only the files that differ are compiled.
UPGRADE := $(BUILD)/tests/upgrade
UPGRADE_PROGRAMS := $(addprefix $(UPGRADE)/next/,kingd kingd-manager kingd-logger) $(UPGRADE)/table/kingd $(UPGRADE)/fall/kingd $(UPGRADE)/schema/kingd-manager \
	$(UPGRADE)/fall/kingd-manager
upgrade_objects = $(patsubst src/%.c,$(UPGRADE)/next/%.o,$(shell grep -rl --include="*.c" KINGLY_VERSION src/$(1)))
NEXT_VERSION := -UKINGLY_VERSION -DKINGLY_VERSION='"9.9.9"'
define UPGRADE_link
	$(call say,test,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_$(1))
endef
$(UPGRADE)/next/%.o: src/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(NEXT_VERSION) $(CFLAGS) -MMD -MP -c -o $@ $<
$(UPGRADE)/table/keeper/table.h: src/keeper/table.h
	@mkdir -p $(@D)
	@sed 's/define TABLE_VERSION .*/define TABLE_VERSION 99/' $< >$@
$(UPGRADE)/table/%.o: src/keeper/%.c $(UPGRADE)/table/keeper/table.h $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(Q)$(CC) -I$(@D) $(CPPFLAGS) $(NEXT_VERSION) $(CFLAGS) -MMD -MP -c -o $@ $<
$(UPGRADE)/schema/schema.o: src/store/schema.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@sed '/^static const char \*const migrations/,/^};/s/^};/        "CREATE TABLE later (value INTEGER NOT NULL);",\n};/' $< >$(@D)/schema.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $(@D)/schema.c
$(UPGRADE)/fall/%.o: tests/upgrade/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(UPGRADE)/next/kingd: $(call upgrade_objects,keeper) $(foreach l,$(LINK_keeper),$(call archive,$(l)))
	$(call UPGRADE_link,keeper)
$(UPGRADE)/next/kingd-manager: $(call upgrade_objects,manager) $(BUILD)/obj/manager/main.o $(foreach l,$(LINK_manager),$(call archive,$(l)))
	$(call UPGRADE_link,manager)
$(UPGRADE)/next/kingd-logger: $(call upgrade_objects,logger) $(foreach l,$(LINK_logger),$(call archive,$(l)))
	$(call UPGRADE_link,logger)
$(UPGRADE)/table/kingd: $(UPGRADE)/table/candidate.o $(UPGRADE)/table/table.o $(BUILD)/obj/keeper/main.o $(foreach l,$(LINK_keeper),$(call archive,$(l)))
	$(call UPGRADE_link,keeper)
$(UPGRADE)/fall/kingd: $(UPGRADE)/fall/fall.o $(call upgrade_objects,keeper) $(foreach l,$(LINK_keeper),$(call archive,$(l)))
	$(call UPGRADE_link,keeper)
$(UPGRADE)/schema/kingd-manager: $(UPGRADE)/schema/schema.o $(call upgrade_objects,manager) $(BUILD)/obj/manager/main.o $(foreach l,$(LINK_manager),$(call archive,$(l)))
	$(call UPGRADE_link,manager)

$(UPGRADE)/fall/kingd-manager: $(UPGRADE)/fall/fall_settled.o $(UPGRADE)/schema/schema.o $(call upgrade_objects,manager) $(BUILD)/obj/manager/main.o \
		$(foreach l,$(LINK_manager),$(call archive,$(l)))
	$(call UPGRADE_link,manager) -Wl,--wrap=link_settled

# One room's unit tests alone: make unit-model
unit-%:
	@$(MAKE) --no-print-directory -s $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_TESTS))
	@tests/run-units $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_TESTS))

# ---- everything ----
# Unit tests, fuzz corpora and scenarios; the same under sanitizers; documents; valgrind; and the scenarios under a real systemd in guests.
.PHONY: check-lint check-asan check-programs test-programs
KINGLY_JOBS ?= 4
scenario = KINGLY_BIN=$(abspath $(BUILD)/bin) KINGLY_JOBS=$(KINGLY_JOBS) KINGLY_ISOLATION=$(1) $(2) tests/scenario/run

# What random tests draw is the same in every check, or one would fail for what was there long before; by hand, and in `make soak`, they draw anew.
check-unit check-scenario check-scenario-asan check-valgrind check-guest check-faults check-fast: export KINGLY_SEED ?= 1

test-programs: all generated $(UNIT_TESTS) $(FUZZ_TARGETS) $(SHIM) $(WITNESS) $(TWIN) $(UPGRADE_PROGRAMS)

# One compiler more reads everything; what it would make of it is not needed.
.PHONY: check-clang
check-clang:
	@$(CC) $(CPPFLAGS) $(CFLAGS) -fsyntax-only -Wno-unused-command-line-argument $(foreach r,$(ROOMS),$(call sources,$(r))) $(wildcard src/*/main.c)
check-unit: test-programs
	@tests/run-units $(UNIT_TESTS)
check-fuzz-corpus: test-programs
	@tests/fuzz/run-corpora $(BUILD)/tests/fuzz
# Where services live makes a difference to these; the rest does not know. KINGLY_PLACED= runs all of them in both.
KINGLY_PLACED ?= $(addsuffix .,$(addprefix test_,basics control credentials deaths_under_load deaths_beside exhaustion hooks hostile_services keeper_death lifecycle \
	limits manager_death memory probes process propagation random real reexec reload rolling sandbox sockets survival))
check-scenario: check-scenario-session check-scenario-cgroup
check-scenario-session: test-programs
	@$(call scenario,session)
check-scenario-cgroup: test-programs
	@$(call scenario,cgroup) $(KINGLY_PLACED)
# And of these to sanitizers.
check-scenario-asan: check-scenario-session check-scenario-asan-cgroup
check-scenario-asan-cgroup: test-programs
	@$(call scenario,cgroup) test_basics. test_lifecycle. test_process. test_survival.
check-docs: generated
	@tests/lint/docs $(BUILD)
check-valgrind: test-programs
	@tests/lint/valgrind $(UNIT_TESTS)
	@tests/lint/valgrind-manager $(BUILD)
check-guest: test-programs
	@tests/guest/check $(BUILD)

check-fast: deps
	@$(MAKE) --no-print-directory -j$$(nproc) test-programs
	@$(MAKE) --no-print-directory check-unit check-fuzz-corpus
	@$(call scenario,session)

# Leaks count: the daemons are ended in order by every scenario. A report names functions and lines; more than that is not written for a debugger.
SANITIZED = SANITIZE=1 OPTIMISE=-O1 DEBUG=-g1
SANITIZER_OPTIONS = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
asan:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(BUILD)/asan $(SANITIZED) test-programs
	@$(SANITIZER_OPTIONS) KINGLY_PATIENCE=60 $(MAKE) --no-print-directory BUILD=$(BUILD)/asan $(SANITIZED) KINGLY_JOBS=6 \
		check-unit check-fuzz-corpus check-scenario-asan

check: deps
	@tests/check $(BUILD)

FUZZ_SECONDS ?= 60
fuzz: deps
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(BUILD)/fuzz CC=clang FUZZER=1 fuzz-targets
	@tests/fuzz/run-fuzzers $(BUILD)/fuzz/tests/fuzz $(FUZZ_SECONDS)
.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_TARGETS)

bench: deps all
	@tests/bench/run $(abspath $(BUILD))
	@tests/bench/log $(abspath $(BUILD)) 256
	@tests/bench/logs_read $(abspath $(BUILD)) 1024
	@tests/bench/probes $(abspath $(BUILD)) 1000 30
	@tests/bench/balancer $(abspath $(BUILD))
	@KINGLY_GUEST_PLAIN=1 KINGLY_GUEST_THREADS=multi tests/guest/run bookworm tests/bench/scopes

# ---- faults and chaos ----
# A few here, always the same; `make soak` takes its time and draws anew. By the plain build: under sanitizers malloc(3) cannot be made to fail.
.PHONY: check-faults
FAULTS ?= 24
LATER_FAULTS ?= 16
BALANCED_FAULTS ?= 12
CGROUP_FAULTS ?= 8
BLOWS ?= 25
VICTIMS := --only kingd-balancer --only kingd-probe
chaotic = KINGLY_BIN=$(abspath $(BUILD)/bin) KINGLY_JOBS=$(KINGLY_JOBS) KINGLY_ISOLATION=$(1)
check-faults: test-programs
	@$(call chaotic,session) tests/fault/walk --number $(FAULTS)
	@$(call chaotic,session) tests/fault/walk --later --number $(LATER_FAULTS)
	@$(call chaotic,session) tests/fault/walk --balanced $(VICTIMS) --number $(BALANCED_FAULTS)
	@$(call chaotic,cgroup) tests/fault/walk --number $(CGROUP_FAULTS)
	@$(call chaotic,cgroup) tests/fault/walk --later --number $(CGROUP_FAULTS)
	@$(call chaotic,session) tests/chaos/run --blows $(BLOWS)
	@$(call chaotic,cgroup) tests/chaos/run --blows $(BLOWS)

# ---- long runs ----
# On a machine that has nothing: the commands of the README in a bare Debian root. As root; downloads what a newcomer's machine would.
# Then what a restart, a fault or a death could break, over hours; SOAK_MINUTES each.
SOAK_MINUTES ?= 60
.PHONY: soak-faults
soak: deps
	@$(MAKE) --no-print-directory CC=clang check-clang
	@tests/soak/bare-root run deps install check
	@$(MAKE) --no-print-directory soak-faults
soak-faults: test-programs
	@$(call scenario,session,KINGLY_PATIENCE=60 tests/soak/freezes)
	@$(call scenario,cgroup,KINGLY_PATIENCE=60 tests/soak/freezes)
	@$(call chaotic,session) tests/fault/walk --all --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,session) tests/fault/walk --later --all --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,session) tests/fault/walk --balanced --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,cgroup) tests/fault/walk --all --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,cgroup) tests/fault/walk --later --all --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,session) tests/chaos/run --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,cgroup) tests/chaos/run --seconds $$(($(SOAK_MINUTES) * 60))
	@$(call chaotic,session) tests/soak/endurance --minutes $(SOAK_MINUTES)
