/* Must stay true: until execve(2) nothing is done that a keeper that goes on as before would have to undo, but to start its manager again; what is said
 * of the outcome stands in the table's header, which outlives execve(2); whoever cannot go on in a trial executes the programs before. */
#include "keeper/upgrade_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"

#define ASK_PATIENCE (10 * USEC_PER_SEC)        /* of the one who is asked */
#define LEAVE_PATIENCE (5 * USEC_PER_SEC)       /* with manager and logger, before they are killed, and then to be rid of them */
#define WATCHDOG_TICK (5 * USEC_PER_SEC)        /* no manager is there to show systemd that we live */
#define PROBATION USEC_PER_MINUTE
#define FALLS_MAX 3                             /* lives in a row of less than a second */

const char *const program_names[_PROGRAM_MAX] = { "kingd", "kingd-manager", "kingd-logger" };

Helper *upgrade_helper(Keeper *k, ProgramKind kind) {
        return kind == PROGRAM_KINGD ? &k->vault.keeper_of : kind == PROGRAM_MANAGER ? &k->manager : &k->logger;
}

void upgrade_enter(Keeper *k, UpgradePhase phase, usec_t patience) {
        k->upgrade.phase = phase;
        k->upgrade.at = usec_add(now_usec(CLOCK_MONOTONIC), patience);
}

static void catch_fatal(Keeper *k, bool on);

static void close_way_back(Keeper *k) {
        catch_fatal(k, false);
        for (size_t i = 0; i < _PROGRAM_MAX; i++)
                k->upgrade.before[i] = fd_close(k->upgrade.before[i]);
}

void upgrade_explain(Keeper *k, const char *format, ...) {
        UpgradeRecord *u = upgrade_record(k);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(u->why, sizeof(u->why), format, ap);
        va_end(ap);
}

void upgrade_rest(Keeper *k, UpgradeOutcome outcome) {
        UpgradeRecord *u = upgrade_record(k);

        u->outcome = outcome;
        if (outcome == UPGRADE_DONE)
                log_notice("kingd %s → %s", u->from, u->to);
        else
                log_error("kingd %s goes on: %s", KINGLY_VERSION, u->why);
        upgrade_enter(k, UPGRADE_QUIET, USEC_INFINITY);
        k->upgrade.tell_due = k->upgrade.news = true;
}

static void watchdog(Keeper *k) {
        static const char text[] = "WATCHDOG=1";

        if (k->vault.kind == VAULT_SYSTEMD)
                (void) helper_send(&k->vault.keeper_of, &k->poller, text, sizeof(text) - 1, NULL, 0);
}

void upgrade_leave(Keeper *k, bool back) {
        k->upgrade.back = back;
        k->upgrade.impatience = 0;
        upgrade_enter(k, UPGRADE_LEAVING, LEAVE_PATIENCE);
        watchdog(k);
        helper_close(&k->logger, &k->poller); /* to it that is the end: what it has read it writes */
        k->manager.restart_at = k->logger.restart_at = USEC_INFINITY;
        if (back)
                helper_broken(&k->manager, &k->poller);
        else if (k->listening)
                k->upgrade.leave_due = true;
        else if (k->manager.pid > 0)
                (void) kill(k->manager.pid, SIGKILL); /* not reaped yet, so the number is still its own */
}

/* Whether another file stands at the path. One that is missing, in the middle of an installation, is none. */
static bool changed(const Helper *h) {
        struct stat ours, now;

        return h->program >= 0 && fstat(h->program, &ours) >= 0 && stat(h->path, &now) >= 0 &&
               (ours.st_dev != now.st_dev || ours.st_ino != now.st_ino || ours.st_mtim.tv_sec != now.st_mtim.tv_sec);
}

static bool any_changed(Keeper *k) {
        for (ProgramKind i = 0; i < _PROGRAM_MAX; i++)
                if (changed(upgrade_helper(k, i)))
                        return true;
        return false;
}

void upgrade_ask(Keeper *k, uint64_t within, bool if_changed) {
        UpgradeRecord *u = upgrade_record(k);

        if (k->closing || (k->upgrade.phase != UPGRADE_QUIET && k->upgrade.phase != UPGRADE_PROBATION) || (if_changed && !any_changed(k)))
                return;
        close_way_back(k);
        *u = (UpgradeRecord) { .serial = u->serial + 1, .outcome = UPGRADE_UNDER_WAY };
        snprintf(u->from, sizeof(u->from), "%s", KINGLY_VERSION);
        snprintf(u->to, sizeof(u->to), "?");
        k->upgrade.within = within ?: UPGRADE_WITHIN;
        k->upgrade.tell_due = true;
        upgrade_enter(k, UPGRADE_ASKING, ASK_PATIENCE);
        upgrade_ask_candidate(k);
}

static void execution_failed(Keeper *k, int error) {
        UpgradeRecord *u = upgrade_record(k);
        bool back = k->upgrade.back;

        if (back)
                log_errno(LOG_ERR, error, "cannot go back to kingd %s, so %s goes on", u->from, KINGLY_VERSION);
        else
                upgrade_explain(k, "cannot execute %s: %s", k->upgrade.candidate.path, strerror(-error));
        helper_done(&k->upgrade.candidate);
        close_way_back(k);
        upgrade_rest(k, back ? UPGRADE_REFUSED : UPGRADE_WENT_BACK);
        k->manager.restart_at = 0;
        k->logger.restart_at = 0;
}

bool upgrade_leaving(const Keeper *k) {
        return k->upgrade.phase == UPGRADE_LEAVING;
}

static bool all_left(const Keeper *k) {
        return k->manager.pid == 0 && k->logger.pid == 0;
}

void upgrade_turn(Keeper *k) {
        if (upgrade_leaving(k) && !k->closing && (all_left(k) || k->upgrade.impatience > 1))
                execution_failed(k, upgrade_execute(k));
}

/* ---- the way back ---- */

static bool way_back(const Keeper *k) {
        return (k->upgrade.phase == UPGRADE_TRIAL || k->upgrade.phase == UPGRADE_PROBATION) && k->upgrade.before[PROGRAM_KINGD] >= 0;
}

static void go_back(Keeper *k) {
        UpgradeRecord *u = upgrade_record(k);

        u->outcome = UPGRADE_UNDER_WAY; /* for who comes back: with a reason and without a way back it is over */
        log_error("%s: going back to kingd %s", u->why, u->from);
        upgrade_leave(k, true);
}

static void describe_end(const Helper *h, int status, char *ret, size_t size) {
        if (WIFSIGNALED(status))
                snprintf(ret, size, "%s was killed by %s", h->name, signal_name(WTERMSIG(status)));
        else
                snprintf(ret, size, "%s ended with status %i", h->name, WEXITSTATUS(status));
}

bool upgrade_manager_ended(Keeper *k, pid_t pid, int status) {
        char what[96];

        if (upgrade_leaving(k)) {
                helper_close(&k->manager, &k->poller);
                return true;
        }
        if (!way_back(k) || (k->upgrade.phase == UPGRADE_PROBATION && k->manager.failures < FALLS_MAX))
                return false;
        describe_end(&k->manager, status, what, sizeof(what));
        helper_close(&k->manager, &k->poller);
        if (k->upgrade.phase == UPGRADE_TRIAL)
                upgrade_explain(k, "%s before it served", what);
        else
                upgrade_explain(k, "%s again and again", what);
        go_back(k);
        return true;
}

bool upgrade_logger_ended(Keeper *k, pid_t pid, int status) {
        char what[96];

        if (upgrade_leaving(k))
                return true;
        if (!way_back(k) || k->logger.failures < FALLS_MAX)
                return false;
        describe_end(&k->logger, status, what, sizeof(what));
        upgrade_explain(k, "%s again and again", what);
        go_back(k);
        return true;
}

bool upgrade_gave_up(Keeper *k, int status, const char *why) {
        if (k->upgrade.phase != UPGRADE_TRIAL || !way_back(k))
                return false;
        if (*why)
                upgrade_explain(k, "%s", why);
        else
                upgrade_explain(k, "kingd-manager gave up with status %i before it served", status);
        go_back(k);
        return true;
}

/* Of the keeper itself, while the programs before are at hand. Nothing of ours is trusted any more but the table and the descriptors. */
static Keeper *on_trial;
static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

void upgrade_cannot_go_on(Keeper *k, const char *why) {
        if (!way_back(k))
                return;
        upgrade_explain(k, "kingd %s %s", KINGLY_VERSION, why);
        upgrade_record(k)->outcome = UPGRADE_UNDER_WAY;
        k->upgrade.back = true;
        if (k->manager.pid > 0 && kill(k->manager.pid, SIGKILL) >= 0)
                (void) waitpid(k->manager.pid, NULL, 0); /* two managers must not be */
        (void) upgrade_execute(k);
}

static void on_fatal(int sig) {
        (void) signal(sig, SIG_DFL);
        if (on_trial)
                upgrade_cannot_go_on(on_trial, "crashed");
        (void) kill(getpid(), sig);
}

static void catch_fatal(Keeper *k, bool on) {
        on_trial = on ? k : NULL;
        for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
                (void) signal(fatal[i], on ? on_fatal : SIG_DFL);
}

/* ---- after execve(2) ---- */

int upgrade_program(Held *items, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++) {
                const char *of = startswith(items[i].name, HEIRLOOM_PROGRAM);

                if (of && streq(of, name)) {
                        items[i].name[0] = '\0';
                        return TAKE_FD(items[i].fd);
                }
        }
        return -EBADF;
}

bool upgrade_take(Keeper *k, const Held *item) {
        const char *of = startswith(item->name, HEIRLOOM_BEFORE);

        if (streq(item->name, HEIRLOOM_HEIR)) {
                vault_adopt(k, item->fd, k->table.header->heir);
                return true;
        }
        for (ProgramKind i = 0; of && i < _PROGRAM_MAX; i++)
                if (streq(of, program_names[i])) {
                        k->upgrade.before[i] = item->fd;
                        return true;
                }
        return false;
}

void upgrade_resume(Keeper *k) {
        UpgradeRecord *u = upgrade_record(k);

        if (u->outcome != UPGRADE_UNDER_WAY)
                return;
        if (k->upgrade.before[PROGRAM_KINGD] < 0) { /* the one on trial gave up, or died and left it to its heir */
                if (!u->why[0])
                        upgrade_explain(k, "kingd %s ended before its manager served", u->to);
                upgrade_rest(k, UPGRADE_WENT_BACK);
                return;
        }
        k->upgrade.within = k->table.header->within;
        upgrade_enter(k, UPGRADE_TRIAL, 0);
        k->upgrade.until = usec_add(k->upgrade.at, k->upgrade.within);
        catch_fatal(k, true);
}

void upgrade_ready(Keeper *k) {
        if (k->upgrade.phase != UPGRADE_TRIAL)
                return;
        upgrade_rest(k, UPGRADE_DONE);
        vault_renew(k);
        upgrade_enter(k, UPGRADE_PROBATION, k->upgrade.settled ? 0 : PROBATION);
}

void upgrade_settled(Keeper *k) {
        k->upgrade.settled = true;
}

/* ---- time ---- */

static void tick_trial(Keeper *k) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        watchdog(k);
        k->upgrade.at = MIN(k->upgrade.until, usec_add(now, WATCHDOG_TICK));
        if (now < k->upgrade.until)
                return;
        upgrade_explain(k, "kingd-manager did not serve within %g s", (double) k->upgrade.within / (double) USEC_PER_SEC);
        go_back(k);
}

/* Those who do not leave are killed; who does not even die then is no obstacle: its wire is closed. */
static void tick_leaving(Keeper *k) {
        const pid_t pids[] = { k->manager.pid, k->logger.pid };

        for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
                if (pids[i] > 0)
                        (void) kill(pids[i], SIGKILL); /* not reaped yet, so the number is still its own */
        k->upgrade.impatience++;
        upgrade_enter(k, UPGRADE_LEAVING, LEAVE_PATIENCE);
}

void upgrade_due(Keeper *k) {
        switch (k->upgrade.phase) {
        case UPGRADE_QUIET:
                break;
        case UPGRADE_ASKING:
                upgrade_ask_end(k);
                break;
        case UPGRADE_LEAVING:
                tick_leaving(k);
                break;
        case UPGRADE_TRIAL:
                tick_trial(k);
                break;
        case UPGRADE_PROBATION:
                close_way_back(k);
                upgrade_enter(k, UPGRADE_QUIET, USEC_INFINITY);
                break;
        }
}

void upgrade_init(Keeper *k) {
        k->upgrade = (Upgrade) { .at = USEC_INFINITY, .before = { -EBADF, -EBADF, -EBADF } };
        k->upgrade.candidate = (Helper) { .program = -EBADF, .extra = -EBADF, .wire.fd = -EBADF, .restart_at = USEC_INFINITY, .retry_at = USEC_INFINITY };
}

void upgrade_done(Keeper *k) {
        close_way_back(k);
        helper_done(&k->upgrade.candidate);
        fd_close(k->upgrade.candidate.wire.fd);
}
