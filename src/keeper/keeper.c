/* The loop of kingd: what it becomes at its start, signals, the reaping of everything that dies, restarts, and the end. Must stay true: SIGCHLD
 * leads to wait4(2) for every zombie, known or orphaned; nothing here waits for anybody; nothing allocates once the loop runs. */
#include "keeper/heirlooms.h"
#include "keeper/resume.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"

#define EVENTS_A_TURN 64
#define REAPED_A_TURN 256          /* orphans may come faster than they can be reaped: others must come to their turn */
#define SILENT_ENDS_MAX 5
#define CLOSE_PATIENCE (2 * USEC_PER_SEC)
#define OOM_SCORE_ADJ "/proc/self/oom_score_adj"

static const int relayed[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT };

void keeper_ready(Keeper *k, int status) {
        if (k->options->ready && !k->ready_called)
                k->options->ready(status);
        vault_ready_to_start(k);
        k->ready_called = true;
}

void keeper_close(Keeper *k, int status) {
        logs_flush(k);
        vault_abandon(k);
        k->closing = true;
        k->status = status;
        k->close_by = usec_add(now_usec(CLOCK_MONOTONIC), CLOSE_PATIENCE);
        say_stop(k);
        helper_close(&k->manager, &k->poller);
        helper_close(&k->logger, &k->poller);
        k->manager.restart_at = k->logger.restart_at = USEC_INFINITY;
        keeper_ready(k, status);
}

/* ---- what dies ---- */

static void manager_ended(Keeper *k, int status) {
        pid_t pid = k->manager.pid;

        k->manager.pid = 0; /* reaped: the number is not its own any more */
        hear_rest(k);
        k->last_status = status;
        k->last_hung = k->pulse.hung;
        pulse_end(k);
        if (k->closing || upgrade_manager_ended(k, pid, status))
                return;
        helper_ended(&k->manager, &k->poller, pid, status);
        k->silent_ends = k->greeted ? 0 : k->silent_ends + 1;
        if (k->silent_ends < SILENT_ENDS_MAX || k->alive > 0)
                return;
        log_error("%s ended %i times in a row before it was ready: giving up", k->manager.path, SILENT_ENDS_MAX);
        keeper_close(k, EXIT_FAILURE);
}

static void logger_ended(Keeper *k, int status) {
        pid_t pid = k->logger.pid;

        k->logger.pid = 0;
        logs_rest(k);
        if (!k->closing && !upgrade_logger_ended(k, pid, status))
                helper_ended(&k->logger, &k->poller, pid, status);
}

static void reap(Keeper *k) {
        k->unreaped = true;
        for (unsigned n = 0; n < REAPED_A_TURN; n++) {
                struct rusage usage;
                int status;
                pid_t pid = wait4(-1, &status, WNOHANG, &usage);
                Child *c;

                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid <= 0) {
                        k->unreaped = false;
                        return;
                }
                if (pid == k->manager.pid)
                        manager_ended(k, status);
                else if (pid == k->logger.pid)
                        logger_ended(k, status);
                else if (pid == k->vault.keeper_of.pid)
                        vault_ended(k, status);
                else if (upgrade_reaped(k, pid, status))
                        continue;
                else if ((c = table_by_pid(&k->table, pid)))
                        child_ended(k, c, status, &usage);
                else
                        reaped_note(k, pid, status, &usage);
        }
}

static void signals_ready(PollSource *s, uint32_t events) {
        Keeper *k = CONTAINER_OF(s, Keeper, signals);
        struct signalfd_siginfo infos[16];
        ssize_t n = read(s->fd, infos, sizeof(infos));

        for (ssize_t i = 0; i < n / (ssize_t) sizeof(infos[0]); i++)
                if (infos[i].ssi_signo != SIGCHLD)
                        k->signals_due |= UINT64_C(1) << (infos[i].ssi_signo - 1);
        /* Signals merge, so any of them may stand for a child as well. */
        reap(k);
}

/* ---- the start ---- */

/* Descriptors 0 to 2 are ours and open, whatever we were started with; ret: /dev/null beyond them. */
static int open_standard(int *ret) {
        int fd;

        for (;;) {
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (fd < 0)
                        return log_errno(LOG_ERR, -errno, "cannot open /dev/null");
                if (fd > STDERR_FILENO)
                        break;
                (void) fcntl(fd, F_SETFD, 0);
        }
        *ret = fd;
        return 0;
}

/* The OOM killer should find anything before the one who would repair the damage. Children get back what we had, but no protection. */
static void protect_from_oom(ChildDefaults *d) {
        static char back[16];
        char text[16];
        int was;

        if (read_file_into(AT_FDCWD, OOM_SCORE_ADJ, text, sizeof(text)) < 0)
                return;
        was = atoi(text);
        if (was > -900 && write_file_at(AT_FDCWD, OOM_SCORE_ADJ, "-900") < 0)
                log_debug("cannot lower our OOM score adjustment, staying at %i", was);
        if (read_file_into(AT_FDCWD, OOM_SCORE_ADJ, text, sizeof(text)) < 0 || atoi(text) == MAX(was, 0))
                return;
        snprintf(back, sizeof(back), "%i", MAX(was, 0));
        d->oom_score_adj = back;
}

static int take_signals(Keeper *k) {
        struct sigaction sa;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < ARRAY_SIZE(relayed); i++)
                sigaddset(&set, relayed[i]);
        /* An inherited SIG_IGN would make the kernel reap our children behind our back. */
        (void) signal(SIGCHLD, SIG_DFL);
        (void) signal(SIGPIPE, SIG_IGN);
        sigemptyset(&k->defaults.ignored);
        for (int sig = 1; sig < _NSIG; sig++)
                if (sigaction(sig, NULL, &sa) >= 0 && sa.sa_handler == SIG_IGN)
                        sigaddset(&k->defaults.ignored, sig);
        if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
                return -errno;
        k->signals = (PollSource) { .priority = PRIORITY_SIGNALS, .ready = signals_ready };
        k->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return k->signals.fd < 0 ? -errno : poller_add(&k->poller, &k->signals, EPOLLIN);
}

static void set_defaults(Keeper *k) {
        int r;

        k->defaults.keeper = getpid();
        if (getrlimit(RLIMIT_NOFILE, &k->defaults.nofile) >= 0)
                k->nofile_soft = k->defaults.nofile.rlim_cur;
        r = raise_nofile(NULL);
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot raise the limit of open files");
        k->defaults.nofile_raised = r >= 0 && k->nofile_soft != k->defaults.nofile.rlim_max;
        protect_from_oom(&k->defaults);
        r = become_subreaper();
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot become the reaper of orphans");
}

/* What another keeper used is used on. */
static int find_helper(Helper *h, const char *name, const char *path, Held *items, size_t n) {
        int r = helper_init(h, name, path), program = upgrade_program(items, n, name);

        helper_program(h, program);
        return program >= 0 ? 0 : r;
}

static int find_helpers(Keeper *k, Held *items, size_t n) {
        int r;

        r = find_helper(&k->manager, "kingd-manager", k->options->manager, items, n);
        if (r < 0)
                return log_errno(LOG_ERR, r, "cannot find kingd-manager beside kingd nor as %s", k->manager.path);
        k->manager.wire = (PollSource) { .fd = -EBADF, .priority = PRIORITY_MANAGER, .ready = hear_ready };
        k->manager.restart_at = 0;
        k->manager.mortal = true;
        r = find_helper(&k->logger, "kingd-logger", k->options->logger, items, n);
        if (r < 0 && r != -ENOENT)
                return log_errno(LOG_ERR, r, "cannot look for kingd-logger");
        if (r < 0)
                log_errno(LOG_DEBUG, r, "no kingd-logger: output of services will wait in its pipes");
        k->logger.wire = (PollSource) { .fd = -EBADF, .priority = PRIORITY_LOGGER, .ready = logs_ready };
        return 0;
}

/* All that can fail; nothing of the items is used up by it but the programs and the table. */
static int prepare(Keeper *k, Held *items, size_t n, bool limits) {
        int r;

        r = open_standard(&k->defaults.null_fd);
        if (r >= 0)
                r = find_helpers(k, items, n);
        if (r < 0)
                return r;
        r = resume_table(k, items, n, limits);
        if (r < 0)
                return log_errno(LOG_ERR, r, "cannot map the table of processes");
        r = poller_init(&k->poller, EVENTS_A_TURN);
        if (r >= 0)
                r = take_signals(k);
        return r < 0 ? log_errno(LOG_ERR, r, "cannot set up the event loop") : 0;
}

static int set_up(Keeper *k) {
        _cleanup_free_ Held *items = NULL;
        bool limits;
        size_t n;
        int r;

        r = heirlooms_from_environment(&items, &n);
        if (r < 0)
                return log_errno(LOG_ERR, r, "cannot take what was passed to us");
        limits = r > 0;
        /* What somebody leaked to us must not reach services. */
        (void) close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        r = prepare(k, items, n, limits);
        if (r < 0) {
                upgrade_cannot_begin(k, items, n);
                return r;
        }
        set_defaults(k);
        r = vault_open(k);
        if (r < 0)
                log_errno(LOG_WARNING, r, "nobody keeps our descriptors: log pipes of services would not survive us");
        resume(k, items, n, limits);
        /* There before the logger is, so that one after the other has the same. */
        if (k->logger.extra < 0)
                k->logger.extra = memfd_create("kingly-logger", MFD_CLOEXEC);
        return 0;
}

static void tear_down(Keeper *k) {
        Child *c;

        for (uint32_t i = 0; (c = table_next(&k->table, &i));) {
                poller_remove(&k->poller, &c->gate);
                fd_close(c->gate.fd);
                pidref_done(&c->process);
                logs_close(c);
        }
        table_done(&k->table);
        pulse_done(k);
        vault_done(k);
        upgrade_done(k);
        helper_done(&k->manager);
        helper_done(&k->logger);
        fd_close(k->logger.extra);
        hold_done(&k->hold);
        poller_done(&k->poller);
        fd_close(k->signals.fd);
        fd_close(k->defaults.null_fd);
}

/* ---- the loop ---- */

static void start_due(Keeper *k) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        if (k->upgrade.at <= now)
                upgrade_due(k);
        if (k->manager.restart_at <= now) {
                k->greeted = false;
                (void) helper_start(&k->manager, &k->poller, k->options->argv, WIRE_FD, &k->defaults);
                pulse_begin(k);
        }
        if (k->pulse.at <= now)
                pulse_due(k);
        if (k->vault.keeper_of.restart_at <= now)
                vault_start(k);
        if (k->logger.restart_at <= now)
                k->logger.restart_at = USEC_INFINITY; /* from here on logs_flush() starts it as soon as there is work */
        if (k->manager.retry_at <= now)
                helper_writable(&k->manager, &k->poller);
        if (k->logger.retry_at <= now)
                helper_writable(&k->logger, &k->poller);
        if (k->vault.keeper_of.retry_at <= now)
                helper_writable(&k->vault.keeper_of, &k->poller);
}

static usec_t time_left(const Keeper *k) {
        const usec_t deadlines[] = { k->manager.restart_at, k->logger.restart_at, k->manager.retry_at, k->logger.retry_at, k->close_by, k->pulse.at,
                                      k->vault.keeper_of.restart_at, k->vault.keeper_of.retry_at, k->upgrade.at };
        usec_t now = now_usec(CLOCK_MONOTONIC), next = USEC_INFINITY;

        for (size_t i = 0; i < ARRAY_SIZE(deadlines); i++)
                next = MIN(next, deadlines[i]);
        if (k->unreaped)
                return 0;
        return next == USEC_INFINITY ? USEC_INFINITY : next > now ? next - now : 0;
}

static bool finished(const Keeper *k) {
        return k->closing && ((k->manager.pid == 0 && k->logger.pid == 0) || now_usec(CLOCK_MONOTONIC) >= k->close_by);
}

static int keeper_loop(Keeper *k) {
        int r;

        while (!finished(k)) {
                if (k->unreaped)
                        reap(k);
                start_due(k);
                say_flush(k);
                logs_flush(k);
                vault_flush(k);
                upgrade_turn(k);
                helper_listen(&k->manager, &k->poller, !k->refusal_due);
                r = poller_wait(&k->poller, time_left(k));
                if (r < 0)
                        return log_errno(LOG_ERR, r, "cannot wait for events");
        }
        return k->status;
}

int keeper_run(const KeeperOptions *o) {
        static Keeper keeper;
        Keeper *k = &keeper;
        int r;

        k->options = o;
        k->close_by = USEC_INFINITY;
        pulse_init(k);
        k->signals.fd = k->defaults.null_fd = k->poller.fd = k->manager.wire.fd = k->logger.wire.fd = -EBADF;
        k->table.fd = k->logger.extra = k->vault.keeper_of.wire.fd = -EBADF;
        k->vault.keeper_of.restart_at = k->vault.keeper_of.retry_at = USEC_INFINITY;
        k->manager.program = k->logger.program = k->vault.keeper_of.program = -EBADF;
        upgrade_init(k);
        r = set_up(k);
        if (r >= 0) {
                reap(k); /* what ended while we executed ourselves anew */
                r = keeper_loop(k);
                if (r < 0)
                        upgrade_cannot_go_on(k, "cannot go on");
        }
        tear_down(k);
        return r < 0 ? EXIT_FAILURE : r;
}
