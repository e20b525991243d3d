/* Must stay true: whatever the one who is asked does or does not do, it costs us no more than ASK_PATIENCE, and nothing was touched. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/upgrade_private.h"

static void close_candidate(Keeper *k) {
        helper_broken(&k->upgrade.candidate, &k->poller);
        helper_done(&k->upgrade.candidate);
}

_printf_(2, 3) static void refuse(Keeper *k, const char *format, ...) {
        UpgradeRecord *u = upgrade_record(k);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(u->why, sizeof(u->why), format, ap);
        va_end(ap);
        close_candidate(k);
        upgrade_rest(k, UPGRADE_REFUSED);
}

static void candidate_answered(Keeper *k, const WireCandidate *p) {
        UpgradeRecord *u = upgrade_record(k);

        snprintf(u->to, sizeof(u->to), "%s", p->version);
        if (p->table_version != TABLE_VERSION)
                refuse(k, "kingd %s cannot go on with the table of kingd %s (version %" PRIu32 ", ours %i): it must be started anew", p->version, KINGLY_VERSION,
                       p->table_version, TABLE_VERSION);
        else if (p->error != 0)
                refuse(k, "kingd %s could not begin: %s", p->version, strerror(p->error));
        else {
                helper_broken(&k->upgrade.candidate, &k->poller);
                log_notice("executing kingd %s in the place of %s", p->version, KINGLY_VERSION);
                upgrade_leave(k, false);
        }
}

static void candidate_ready(PollSource *s, uint32_t events) {
        Keeper *k = CONTAINER_OF(s, Keeper, upgrade.candidate.wire);
        union {
                WireHeader h;
                WireCandidate candidate;
                WireFailed failed;
        } p;
        ssize_t n = fd_recv(s->fd, &p, sizeof(p), NULL, NULL);

        if (n == -EAGAIN)
                return;
        if (n > 0 && wire_check(&p, (size_t) n, 0) >= 0 && p.h.type == WIRE_CANDIDATE)
                candidate_answered(k, &p.candidate);
        else if (n > 0 && wire_check(&p, (size_t) n, 0) >= 0 && p.h.type == WIRE_FAILED)
                refuse(k, "cannot execute %s: %s", k->upgrade.candidate.path, strerror(p.failed.error));
        else if (n > 0)
                refuse(k, "%s is no kingd: what it answered makes no sense", k->upgrade.candidate.path);
        else
                helper_close(&k->upgrade.candidate, &k->poller); /* its end will tell more */
}

bool upgrade_reaped(Keeper *k, pid_t pid, int status) {
        Helper *h = &k->upgrade.candidate;

        if (pid != h->pid)
                return false;
        if (h->wire.fd >= 0)
                candidate_ready(&h->wire, EPOLLIN);
        h->pid = 0;
        if (k->upgrade.phase != UPGRADE_ASKING)
                return true;
        if (WIFSIGNALED(status))
                refuse(k, "%s was killed by %s when it was asked whether it could follow", h->path, signal_name(WTERMSIG(status)));
        else
                refuse(k, "%s ended with status %i when it was asked whether it could follow", h->path, WEXITSTATUS(status));
        return true;
}

void upgrade_ask_candidate(Keeper *k) {
        Helper *h = &k->upgrade.candidate;
        char *argv[] = { h->path, (char *) "--check-upgrade", NULL };
        int r;

        if (k->table.fd < 0 || k->vault.keeper_of.program < 0) {
                refuse(k, "this kernel gave no memory file for the table, or /proc is not there: it cannot be handed on");
                return;
        }
        helper_done(h);
        r = helper_init(h, program_names[PROGRAM_KINGD], *k->vault.keeper_of.path ? k->vault.keeper_of.path : NULL);
        h->wire = (PollSource) { .fd = -EBADF, .priority = PRIORITY_LOGGER, .ready = candidate_ready };
        h->extra = k->table.fd;
        h->curious = h->mortal = true;
        if (r >= 0 && h->program < 0)
                r = -errno;
        if (r >= 0)
                r = helper_start(h, &k->poller, argv, WIRE_FD, &k->defaults);
        h->restart_at = USEC_INFINITY;
        if (r < 0)
                refuse(k, "cannot execute %s: %s", h->path, strerror(-r));
}

void upgrade_ask_end(Keeper *k) {
        refuse(k, "%s does not answer whether it could follow", k->upgrade.candidate.path);
}
