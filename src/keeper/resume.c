/* Must stay true: a process is taken for our child only when the table was written by this very process (its pid and start time, which execve(2)
 * does not change); of everybody else's only what they wrote, and what they said before they ended, is ours. */
#include "keeper/resume.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"

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

static void restore_child(Keeper *k, const Table *old, const Child *left) {
        bool alive = left->state != CHILD_EXITED, began = left->state == CHILD_STARTING || left->state == CHILD_EXECUTING || left->state == CHILD_ORPHAN;
        Child *c;

        /* Behind its gate, or failed: it died with its keeper, and nothing of it ever executed. */
        if (left->run == 0 || (alive && !began) || table_by_run(&k->table, left->run))
                return;
        c = table_add(&k->table, left->run);
        if (!c)
                return;
        memcpy(c, left, CHILD_KEPT);
        memcpy(table_log(&k->table, c), old->logs[left - old->children], WIRE_LOG_MAX);
        c->owner = k;
        c->process.fd = -EBADF;
        c->process.pid = 0;
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
        table_unview(&old);
}

/* What the next one shall find in ours. */
static void write_header(Keeper *k) {
        TableHeader *h = k->table.header;
        ProcessStat self;

        h->keeper = getpid();
        h->keeper_start = process_stat(getpid(), &self) >= 0 ? self.start_time : 0;
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
        c->stored = k->vault.kind == VAULT_SYSTEMD;
        return true;
}

static void restore_item(Keeper *k, const Held *item) {
        unsigned stream;
        uint64_t run;

        if (streq(item->name, HEIRLOOM_NOTES) && k->logger.extra < 0) {
                k->logger.extra = item->fd;
                k->vault.notes_stored = true;
        } else if (log_name(item->name, &run, &stream)) {
                if (restore_log(k, item, run, stream))
                        return;
                vault_drop(k, item->name);
                fd_close(item->fd);
        } else if (startswith(item->name, HEIRLOOM_TABLE)) {
                vault_drop(k, item->name);
                fd_close(item->fd);
        } else if (hold_inherit(&k->hold, item->name, item->fd) < 0)
                log_warning("cannot hold the descriptor \"%s\" that was passed to us", item->name);
}

/* Their output waits in the pipes; one pipe alone is none. */
static void resume_logs(Keeper *k) {
        Child *c;

        for (uint32_t i = 0; (c = table_next(&k->table, &i));) {
                if (c->log_fds[0] < 0 || c->log_fds[1] < 0)
                        logs_close(c);
                vault_child(k, c);
                logs_submit(k, c);
                child_settle(k, c);
        }
}

void resume(Keeper *k, Held *items, size_t n, bool limits) {
        Held *table = newest_table(items, n);

        if (table)
                restore_table(k, table->fd, limits);
        write_header(k);
        for (size_t i = 0; i < n; i++)
                restore_item(k, items + i);
        resume_logs(k);
}
