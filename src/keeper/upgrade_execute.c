/* Must stay true: what is handed on is all that the next one cannot find out by itself; if execve(2) fails, nothing has changed. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"
#include "keeper/upgrade_private.h"

typedef struct Packing {
        Held *items;
        size_t n;
} Packing;

_printf_(4, 5) static void pack(Packing *p, int fd, bool stored, const char *format, ...) {
        Held *item = p->items + p->n;
        va_list ap;

        if (fd < 0)
                return;
        va_start(ap, format);
        (void) vsnprintf(item->name, sizeof(item->name), format, ap);
        va_end(ap);
        item->fd = fd;
        item->stored = stored;
        p->n++;
}

static void pack_children(Keeper *k, Packing *p) {
        Child *c;

        for (uint32_t i = 0; (c = table_next(&k->table, &i));) {
                for (int s = 0; s < 2; s++)
                        pack(p, c->log_fds[s], c->stored, HEIRLOOM_LOG "%016" PRIx64 "-%i", c->run, s);
                pack(p, child_is_alien(c) ? -EBADF : c->gate.fd, false, HEIRLOOM_GATE "%016" PRIx64, c->run);
        }
}

static void pack_programs(Keeper *k, Packing *p) {
        for (ProgramKind i = 0; i < _PROGRAM_MAX; i++)
                if (!k->upgrade.back)
                        pack(p, upgrade_helper(k, i)->program, false, HEIRLOOM_BEFORE "%s", program_names[i]);
                else if (i != PROGRAM_KINGD)
                        pack(p, k->upgrade.before[i], false, HEIRLOOM_PROGRAM "%s", program_names[i]);
}

static int pack_all(Keeper *k, Packing *p) {
        *p = (Packing) { .items = calloc(k->hold.n + 3 * (size_t) k->table.used + 16, sizeof(Held)) };
        if (!p->items)
                return -ENOMEM;
        pack(p, k->table.fd, k->vault.table_stored, "%s", k->vault.table_name);
        pack(p, k->logger.extra, k->vault.notes_stored, HEIRLOOM_NOTES);
        if (k->vault.kind == VAULT_HEIR)
                pack(p, k->vault.keeper_of.wire.fd, false, HEIRLOOM_HEIR);
        pack_programs(k, p);
        pack_children(k, p);
        for (const Held *h = k->hold.slots; h < k->hold.slots + k->hold.n; h++)
                pack(p, h->name[0] ? h->fd : -EBADF, h->stored, "%s", h->name);
        return heirlooms_pack(p->items, p->n);
}

int upgrade_execute(Keeper *k) {
        int program = k->upgrade.back ? k->upgrade.before[PROGRAM_KINGD] : k->upgrade.candidate.program;
        char *alone[] = { k->vault.keeper_of.path, NULL }, **argv = k->options->argv ? (char **) k->options->argv : alone;
        Packing p;
        int r;

        k->table.header->signals_due = k->signals_due;
        k->table.header->within = k->upgrade.within;
        k->table.header->heir = k->vault.kind == VAULT_HEIR ? k->vault.keeper_of.pid : 0;
        r = pack_all(k, &p);
        if (*k->vault.keeper_of.path)
                argv[0] = k->vault.keeper_of.path;
        if (r >= 0) {
                (void) execveat(program, "", argv, environ, AT_EMPTY_PATH);
                r = -errno;
                heirlooms_keep(p.items, p.n);
        }
        free(p.items);
        return r;
}

void upgrade_cannot_begin(Keeper *k, Held *items, size_t n) {
        char *alone[] = { (char *) program_names[PROGRAM_KINGD], NULL };
        int program = -EBADF;

        for (size_t i = 0; i < n; i++) {
                const char *of = startswith(items[i].name, HEIRLOOM_BEFORE);

                if (of && streq(of, program_names[PROGRAM_KINGD]))
                        program = items[i].fd;
                else if (of)
                        snprintf(items[i].name, sizeof(items[i].name), HEIRLOOM_PROGRAM "%.32s", of);
        }
        if (program < 0)
                return;
        log_error("cannot begin in the place of the kingd before: going back to it");
        if (heirlooms_pack(items, n) >= 0)
                (void) execveat(program, "", k->options->argv ?: alone, environ, AT_EMPTY_PATH);
        log_errno(LOG_ERR, -errno, "cannot go back");
}

