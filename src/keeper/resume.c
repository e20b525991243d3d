/* Must stay true: a process is taken for our child only when the table was written by this very process, before it executed itself anew
 ; of everybody else's only what they wrote, and what they said before they ended, is ours. */
#include "keeper/resume.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"

/* "gate-0123456789abcdef" → run, 0 for any other name. */
static uint64_t gate_name(const char *name) {
        const char *p = startswith(name, HEIRLOOM_GATE);

        return p ? strtoull(p, NULL, 16) : 0;
}

/* "log-0123456789abcdef-1" → run and stream. */
static bool log_name(const char *name, uint64_t *ret_run, unsigned *ret_stream) {
        const char *p = startswith(name, HEIRLOOM_LOG);
        char *end;

        if (!p)
                return false;
        *ret_run = strtoull(p, &end, 16);
        *ret_stream = *end == '-' && (end[1] == '0' || end[1] == '1') && end[2] == '\0' ? (unsigned) (end[1] - '0') : 2;
        return *ret_stream < 2;
}

/* ---- the table ---- */

static Held *newest_table(Held *items, size_t n) {
        Held *newest = NULL;

        for (size_t i = 0; i < n; i++)
                if (startswith(items[i].name, HEIRLOOM_TABLE) && (!newest || strcmp(items[i].name, newest->name) > 0))
                        newest = items + i;
        return newest;
}

int resume_table(Keeper *k, Held *items, size_t n, bool limits) {
        Held *table = newest_table(items, n);
        int r;

        /* One that systemd kept may have been written by somebody whose number is ours by now; an heir was there beside its keeper. */
        if (!table || !limits || !table_is_ours(table->fd))
                return table_init(&k->table, TABLE_CAPACITY);
        r = table_adopt(table->fd, &k->table);
        if (r < 0)
                return r;
        memcpy(k->vault.table_name, table->name, sizeof(k->vault.table_name));
        k->vault.table_stored = table->stored;
        k->in_place = true;
        return 0;
}

static void restore_child(Keeper *k, const Table *old, const Child *left) {
        bool alive = left->state != CHILD_EXITED, began = left->state == CHILD_STARTING || left->state == CHILD_EXECUTING || left->state == CHILD_ORPHAN;
        uint8_t log[WIRE_LOG_MAX];
        Child *c;

        /* Behind its gate, or failed: it died with its keeper, and nothing of it ever executed. */
        if (left->run == 0 || (alive && !began) || !table_makes_sense(left) || table_by_run(&k->table, left->run))
                return;
        c = table_add(&k->table, left->run);
        if (!c)
                return;
        memcpy(c, left, CHILD_KEPT);
        table_log(old, left, log);
        table_keep_log(&k->table, c, log, left->log_size);
        c->owner = k;
        c->process.fd = -EBADF;
        c->process.pid = 0;
        /* Whether its command executes is known of one that was an orphan already, or had come so far. */
        c->exec_near = left->state == CHILD_ORPHAN ? left->exec_near : left->state == CHILD_EXECUTING;
        c->state = alive ? CHILD_ORPHAN : CHILD_EXITED;
}

static void restore_limits(Keeper *k, const TableHeader *h) {
        static char score[sizeof(h->oom_score_adj)];

        k->nofile_soft = h->nofile_soft;
        k->defaults.nofile = (struct rlimit) { .rlim_cur = h->nofile_soft, .rlim_max = h->nofile_hard };
        k->defaults.nofile_raised = h->nofile_raised;
        snprintf(score, sizeof(score), "%s", h->oom_score_adj);
        k->defaults.oom_score_adj = score[0] ? score : NULL;
}

static void restore_table(Keeper *k, int fd, bool limits) {
        Table old;
        int r = table_view(fd, &old);

        if (r < 0) {
                log_errno(LOG_WARNING, r, "cannot read the table of the keeper before us; going on with what the state knows");
                return;
        }
        for (uint32_t i = 0; i < old.top; i++)
                restore_child(k, &old, old.children + i);
        if (limits)
                restore_limits(k, old.header);
        k->table.header->upgrade = old.header->upgrade;
        table_unview(&old);
}

/* What the next one shall find in ours. */
static void write_header(Keeper *k) {
        TableHeader *h = k->table.header;

        h->keeper = getpid();
        h->nofile_soft = k->nofile_soft;
        h->nofile_hard = k->defaults.nofile.rlim_max;
        h->nofile_raised = k->defaults.nofile_raised;
        snprintf(h->oom_score_adj, sizeof(h->oom_score_adj), "%s", k->defaults.oom_score_adj ?: "");
}

/* ---- the rest ---- */

/* False: nobody's. */
static bool restore_log(Keeper *k, const Held *item, uint64_t run, unsigned stream) {
        Child *c = table_by_run(&k->table, run);

        if (!c || c->log_size == 0 || c->log_fds[stream] >= 0)
                return false;
        c->log_fds[stream] = item->fd;
        c->stored = item->stored;
        return true;
}

static void restore_gate(Keeper *k, const Held *item) {
        Child *c = table_by_run(&k->table, gate_name(item->name));

        if (c && c->gate.fd < 0)
                child_resume_gate(k, c, item->fd);
        else
                fd_close(item->fd);
}

static void restore_item(Keeper *k, const Held *item) {
        unsigned stream;
        uint64_t run;

        if (item->fd < 0 || item->fd == k->table.fd || upgrade_take(k, item))
                return;
        if (streq(item->name, HEIRLOOM_NOTES) && k->logger.extra < 0) {
                k->logger.extra = item->fd;
                k->vault.notes_stored = item->stored;
        } else if (gate_name(item->name))
                restore_gate(k, item);
        else if (log_name(item->name, &run, &stream)) {
                if (restore_log(k, item, run, stream))
                        return;
                vault_drop(k, item->name);
                fd_close(item->fd);
        } else if (startswith(item->name, HEIRLOOM_TABLE)) {
                vault_drop(k, item->name);
                fd_close(item->fd);
        } else if (hold_inherit(&k->hold, item->name, item->fd, item->stored) < 0)
                log_warning("cannot hold the descriptor \"%s\" that was passed to us", item->name);
}

/* Their output waits in the pipes; one pipe alone is none. */
static void resume_children(Keeper *k) {
        Child *c;

        for (uint32_t i = 0; (c = table_next(&k->table, &i));) {
                child_resumed(k, c);
                if (c->log_fds[0] < 0 || c->log_fds[1] < 0)
                        logs_close(c);
                vault_child(k, c);
                if (c->state >= CHILD_EXECUTING)
                        logs_submit(k, c);
                child_settle(k, c);
        }
}

/* All of them as they were, but for what execve(2) took. */
static void resume_in_place(Keeper *k) {
        Child *c;

        restore_limits(k, k->table.header);
        k->signals_due = k->table.header->signals_due;
        for (uint32_t i = 0; (c = table_next(&k->table, &i));)
                child_resume(k, c);
}

void resume(Keeper *k, Held *items, size_t n, bool limits) {
        Held *table = newest_table(items, n);

        if (k->in_place)
                resume_in_place(k);
        else if (table)
                restore_table(k, table->fd, limits);
        write_header(k);
        for (size_t i = 0; i < n; i++)
                restore_item(k, items + i);
        resume_children(k);
        upgrade_resume(k);
}
