# Kingly. Plain GNU make; everything built goes to $(BUILD).
#   make            build          make run      supervise the example and show it
#   make check      all tests      make install  DESTDIR= PREFIX= as usual
VERSION   := 0.1.0
BUILD     ?= build
PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/lib/kingly
MANDIR    ?= $(PREFIX)/share/man
DATADIR   ?= $(PREFIX)/share
UNITDIR   ?= $(PREFIX)/lib/systemd
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
DESTDIR   ?=
CC        := $(if $(filter default,$(origin CC)),gcc,$(CC))
AR        := ar
PKG_CONFIG ?= pkg-config

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wformat=2 -Wformat-signedness -Wmissing-declarations -Wmissing-prototypes \
	-Wstrict-prototypes -Wimplicit-fallthrough=5 -Wtype-limits -Wvla -Wdeclaration-after-statement -Wno-unused-parameter \
	-Wno-missing-field-initializers -Wno-format-nonliteral -Wno-declaration-after-statement
ifneq ($(findstring clang,$(CC)),)
WARNINGS := $(filter-out -Wimplicit-fallthrough=5 -Wformat-signedness,$(WARNINGS)) -Wimplicit-fallthrough
# clang 14 has it behind a second flag, newer ones do not know that flag any more
ZERO_INIT := $(shell $(CC) -ftrivial-auto-var-init=zero -E -x c /dev/null >/dev/null 2>&1 && echo -ftrivial-auto-var-init=zero)
else
ZERO_INIT := -ftrivial-auto-var-init=zero
WARNINGS += -Woverride-init
endif
CPPFLAGS  += -D_GNU_SOURCE -Isrc -DKINGLY_VERSION='"$(VERSION)"' -DKINGLY_LIBEXECDIR='"$(LIBEXECDIR)"' -DKINGLY_BINDIR='"$(BINDIR)"'
OPTIMISE  ?= -O2
DEBUG     ?= -g
CFLAGS    += -std=gnu17 $(OPTIMISE) $(DEBUG) $(WARNINGS) -fno-common -fstack-protector-strong -fvisibility=hidden -ffunction-sections -fdata-sections \
	$(ZERO_INIT) -fPIE
LDFLAGS   += -pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,--as-needed
ifneq ($(SANITIZE),)
CFLAGS    += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS   += -fsanitize=address,undefined
endif
ifneq ($(FUZZER),)
CFLAGS    += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS   += -fsanitize=address,undefined
endif

# V=1 shows the commands whole.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

PACKAGES  := libsystemd yaml-0.1 json-c libcap libseccomp sqlite3 libzstd zlib openssl
# Asked of pkg-config only when something is compiled, so that `make deps` works on a machine that has none of it.
NO_COMPILE := deps clean floors format uninstall
ifneq ($(filter-out $(NO_COMPILE),$(or $(MAKECMDGOALS),all)),)
CPPFLAGS  += $(shell $(PKG_CONFIG) --silence-errors --cflags $(PACKAGES))
endif

# ---- rooms and programs; what each room may link is what stands below it ----
ROOMS     := base linux model varlink logger config store keeper isolate sandbox export probe balance manager kingctl
sources    = $(filter-out src/$(1)/main.c,$(sort $(wildcard src/$(1)/*.c src/$(1)/*/*.c)))
archive    = $(BUILD)/lib/$(1).a
objects    = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))

LINK_base    := base
LINK_linux   := linux base
LINK_model   := model base
LINK_varlink := varlink base
LINK_logger  := logger linux base
LINK_config  := config model linux base
LINK_store   := store model base
LINK_keeper  := keeper linux base
LINK_isolate := isolate linux model base
LINK_sandbox := sandbox model linux base
LINK_probe   := probe model base
LINK_balance := balance linux model base
LINK_manager := manager config store keeper isolate sandbox probe balance varlink logger model linux base
LINK_export  := export model base
LINK_kingctl := kingctl export config varlink model linux base
LIBS_base    :=
LIBS_linux   :=
LIBS_model   := -lcap -lseccomp
LIBS_varlink := -lsystemd -ljson-c
LIBS_logger  := -lsystemd -lzstd -lz -ljson-c
LIBS_config  := -lyaml -ljson-c -lcap -lseccomp
LIBS_store   := -lsqlite3 -lcap -lseccomp
# Every mapping of the keeper is copied for each child: one library less than it would have, and what it needs of it is small.
# Not every distribution has the archive.
LIBS_keeper   = $(if $(filter /%,$(shell $(CC) -print-file-name=libcap.a 2>/dev/null)),-l:libcap.a,-lcap)
LIBS_isolate := -lsystemd -lcap -lseccomp
LIBS_sandbox := -lcap -lseccomp
LIBS_manager := -lsystemd -lyaml -ljson-c -lcap -lseccomp -lsqlite3 -lzstd -lz
LIBS_export  := -ljson-c -lcap -lseccomp
LIBS_balance := -lcap -lseccomp -ljson-c
LIBS_probe   := -lsystemd -lcap -lseccomp -lssl -lcrypto
LIBS_kingctl := -lyaml -ljson-c -lcap -lseccomp -lncursesw -ltinfo

PROGRAMS      := $(if $(wildcard src/keeper/main.c),kingd) $(if $(wildcard src/manager/main.c),kingd-manager) \
	$(if $(wildcard src/logger/main.c),kingd-logger) $(if $(wildcard src/balance/main.c),kingd-balancer) $(if $(wildcard src/probe/main.c),kingd-probe) \
	$(if $(wildcard src/kingctl/main.c),kingctl)
ROOM_kingd         := keeper
ROOM_kingd-manager := manager
ROOM_kingd-logger  := logger
ROOM_kingd-balancer := balance
ROOM_kingd-probe   := probe
ROOM_kingctl       := kingctl

.PHONY: all deps run check check-fast bench soak install uninstall clean fuzz asan floors format
NODE_HOOKS := node-drain.cjs node-sockets.cjs
all: floors $(addprefix $(BUILD)/bin/,$(PROGRAMS) $(NODE_HOOKS))
$(BUILD)/bin/node-%.cjs: contrib/node/%.cjs
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/obj/%.o: src/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define ROOM_template
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$$(AR) rcsD $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call ROOM_template,$(room))))

define PROGRAM_template
$(BUILD)/bin/$(1): $(BUILD)/obj/$(ROOM_$(1))/main.o $(foreach l,$(LINK_$(ROOM_$(1))),$(call archive,$(l)))
	@mkdir -p $$(@D)
	$$(call say,link,$$@)
	$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS_$(ROOM_$(1)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_template,$(p))))

floors:
	@tests/lint/floors src

include tests/tests.mk

# ---- what a person runs ----
deps:
	@contrib/deps build run check

run:
	@contrib/deps build run
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@contrib/examples/shop/run $(abspath $(BUILD)/bin)

include contrib/install.mk

format:
	clang-format -i $$(find src tests -name '*.c' -o -name '*.h')
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
