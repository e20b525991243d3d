# install, uninstall. Paths in units are filled in here so that a unit names where the programs really are.
INSTALL ?= install
MANPAGES = $(wildcard man/*.[1-8]) $(BUILD)/man/kingctl.1 $(BUILD)/man/kingly.yaml.5
fill = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' $(1) > $(2) && chmod 644 $(2)

# Made from the tables by the programs themselves.
generated: $(BUILD)/man/kingctl.1 $(BUILD)/man/kingly.yaml.5 $(BUILD)/share/kingctl.bash $(BUILD)/share/_kingctl $(BUILD)/share/kingctl.fish $(BUILD)/share/kingly.schema.json $(BUILD)/share/kingly.catalog
$(BUILD)/man/kingctl.1: $(BUILD)/bin/kingctl
	@mkdir -p $(@D)
	$(Q)$< _man > $@.tmp && mv $@.tmp $@
$(BUILD)/man/kingly.yaml.5: man/kingly.yaml.5.in $(BUILD)/bin/kingctl
	@mkdir -p $(@D)
	$(Q)$(BUILD)/bin/kingctl _man-file > $@.keys
	$(Q)sed -e '/^@KEYS@$$/{' -e 'r $@.keys' -e 'd' -e '}' $< > $@.tmp && mv $@.tmp $@ && rm -f $@.keys
$(BUILD)/share/kingctl.bash $(BUILD)/share/_kingctl $(BUILD)/share/kingctl.fish: $(BUILD)/bin/kingctl
	@mkdir -p $(@D)
	$(Q)$< _complete $(if $(findstring bash,$@),bash,$(if $(findstring fish,$@),fish,zsh)) > $@.tmp && mv $@.tmp $@
$(BUILD)/share/kingly.schema.json: $(BUILD)/bin/kingctl
	@mkdir -p $(@D)
	$(Q)$< _schema > $@.tmp && mv $@.tmp $@
$(BUILD)/share/kingly.catalog: $(BUILD)/bin/kingctl
	@mkdir -p $(@D)
	$(Q)$< _catalog > $@.tmp && mv $@.tmp $@

install: all generated
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBEXECDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(UNITDIR)/system $(UNITDIR)/user $(UNITDIR)/catalog \
		$(SYSUSERSDIR) $(TMPFILESDIR) $(DATADIR)/bash-completion/completions $(DATADIR)/zsh/site-functions $(DATADIR)/fish/vendor_completions.d $(DATADIR)/kingly)
	$(INSTALL) -m 755 $(BUILD)/bin/kingd $(BUILD)/bin/kingctl $(DESTDIR)$(BINDIR)
	ln -sf kingctl $(DESTDIR)$(BINDIR)/kingly
	@# PM2_LINK=1: kingctl under the name pm2 as well, unless PM2 itself is there.
	[ -z "$(PM2_LINK)" ] || [ "$$(readlink $(DESTDIR)$(BINDIR)/pm2)" = kingctl ] || ln -s kingctl $(DESTDIR)$(BINDIR)/pm2
	$(INSTALL) -m 755 $(BUILD)/bin/kingd-manager $(BUILD)/bin/kingd-logger $(BUILD)/bin/kingd-balancer $(BUILD)/bin/kingd-probe $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) -m 644 $(addprefix $(BUILD)/bin/,$(NODE_HOOKS)) $(DESTDIR)$(LIBEXECDIR)
	for p in $(MANPAGES); do $(INSTALL) -m 644 $$p $(DESTDIR)$(MANDIR)/man$${p##*.}; done
	$(call fill,units/kingd.service.in,$(DESTDIR)$(UNITDIR)/system/kingd.service)
	$(call fill,units/user/kingd.service.in,$(DESTDIR)$(UNITDIR)/user/kingd.service)
	for u in $(wildcard units/*.slice); do $(INSTALL) -m 644 $$u $(DESTDIR)$(UNITDIR)/system; done
	for u in $(wildcard units/user/*.slice); do $(INSTALL) -m 644 $$u $(DESTDIR)$(UNITDIR)/user; done
	$(INSTALL) -m 644 $(BUILD)/share/kingly.catalog $(DESTDIR)$(UNITDIR)/catalog
	$(INSTALL) -m 644 units/kingly.sysusers $(DESTDIR)$(SYSUSERSDIR)/kingly.conf
	$(INSTALL) -m 644 units/kingly.tmpfiles $(DESTDIR)$(TMPFILESDIR)/kingly.conf
	$(INSTALL) -m 644 $(BUILD)/share/kingctl.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/kingctl
	$(INSTALL) -m 644 $(BUILD)/share/_kingctl $(DESTDIR)$(DATADIR)/zsh/site-functions/_kingctl
	$(INSTALL) -m 644 $(BUILD)/share/kingctl.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/kingctl.fish
	$(INSTALL) -m 644 $(BUILD)/share/kingly.schema.json $(DESTDIR)$(DATADIR)/kingly
	[ -n "$(DESTDIR)" ] || journalctl --update-catalog 2>/dev/null || :

uninstall:
	[ "$$(readlink $(DESTDIR)$(BINDIR)/pm2)" != kingctl ] || rm -f $(DESTDIR)$(BINDIR)/pm2
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,kingd kingctl kingly) $(addprefix $(DESTDIR)$(LIBEXECDIR)/,kingd-manager kingd-logger kingd-balancer kingd-probe $(NODE_HOOKS))
	rm -f $(DESTDIR)$(MANDIR)/man1/kingctl.1 $(DESTDIR)$(MANDIR)/man5/kingly.yaml.5 $(DESTDIR)$(MANDIR)/man8/kingd.8
	rm -f $(DESTDIR)$(UNITDIR)/system/kingd.service $(DESTDIR)$(UNITDIR)/system/kingly.slice $(DESTDIR)$(UNITDIR)/user/kingd.service $(DESTDIR)$(UNITDIR)/user/kingly.slice
	rm -f $(DESTDIR)$(UNITDIR)/catalog/kingly.catalog
	rm -f $(DESTDIR)$(SYSUSERSDIR)/kingly.conf $(DESTDIR)$(TMPFILESDIR)/kingly.conf $(DESTDIR)$(DATADIR)/kingly/kingly.schema.json
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/kingctl $(DESTDIR)$(DATADIR)/zsh/site-functions/_kingctl \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/kingctl.fish
	-rmdir $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR)/kingly 2>/dev/null
