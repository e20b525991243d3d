/* Construction, the order of the start, and the end. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "logger/journal.h"
#include "logger/journal_fields.h"
#include "manager/api/api.h"
#include "manager/api/follow.h"
#include "manager/api/wait.h"
#include "manager/apply.h"
#include "manager/balance/balance.h"
#include "manager/books/adopt.h"
#include "manager/books/books.h"
#include "manager/books/reexec.h"
#include "manager/books/state.h"
#include "manager/events.h"
#include "manager/health/probes.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/life/number.h"
#include "manager/life/service.h"
#include "manager/life/start_queue.h"
#include "manager/link.h"
#include "manager/logs/flood.h"
#include "manager/logs/logs.h"
#include "manager/manager.h"
#include "manager/notify/fd_store_index.h"
#include "manager/notify/notify.h"
#include "manager/shutdown.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/sandbox.h"
#include "manager/triggers/schedule.h"
#include "manager/upward.h"

#define PROBLEMS_KEPT 50

void manager_problem(Manager *m, const char *format, ...) {
        char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                return;
        log_error("%s", text);
        if (strv_contains(m->problems, text) || strv_length(m->problems) >= PROBLEMS_KEPT)
                free(text);
        else
                (void) strv_consume(&m->problems, text);
}

/* Everything that must not happen inside a callback of the thing it changes. */
static int on_pump(sd_event_source *s, void *userdata) {
        Manager *m = userdata;
        bool changed;

        service_stop_pump(m);
        for (size_t k = m->n_order; k > 0; k--)
                (void) service_collect(m->order[k - 1]);
        changed = m->set_changed;
        if (changed && service_rebuild_dependents(m) < 0)
                manager_problem(m, "out of memory: the order among services is incomplete");
        if (changed)
                service_recheck_all(m);
        schedules_pump(m);
        start_queue_pump(m);
        shutdown_advance(m);
        return 0;
}

static int add_deferred(Manager *m, sd_event_source **ret, sd_event_handler_t handler, int64_t priority, const char *name) {
        int r = sd_event_add_defer(m->event, ret, handler, m);

        if (r < 0)
                return r;
        (void) sd_event_source_set_description(*ret, name);
        (void) sd_event_source_set_priority(*ret, priority);
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int manager_new(sd_event *event, const Places *places, const ManagerOptions *options, Manager **ret, KlError *reterr) {
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(Manager));
        int r;

        if (!m)
                return -ENOMEM;
        *m = (Manager) { .event = sd_event_ref(event), .places = *places, .options = *options, .notify.fd = -EBADF, .journal_sender.fd = -EBADF, .door = -EBADF, .loading = true, .next_number = NUMBER_NONE,
                         .lavish = true, .started = now_usec(CLOCK_REALTIME), .events_tail = &m->events_head, .tell_tail = &m->tell,
                         .n_cpus = (unsigned) MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L) };
        m->services = map_new_string();
        m->runs = map_new_u64();
        m->pids = map_new_u64();
        r = m->services && m->runs && m->pids ? boot_id(m->boot_id) : -ENOMEM;
        if (r >= 0)
                r = add_deferred(m, &m->pump, on_pump, PRIORITY_TIMER, "pump");
        if (r >= 0)
                r = add_deferred(m, &m->books, books_run, PRIORITY_BOOKS, "books");
        if (r >= 0)
                r = link_new(m, WIRE_FD, &m->link);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot begin: %s", strerror(-r));
        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        log_streams_free(m);
        followers_free(m);
        wait_free_all(m);
        balance_refresh_done(m);
        credentials_done(m);
        m->store_failed = m->store && state_mend(m, NULL) < 0;          /* one last try */
        if (m->store && !m->loading)
                books_flush(m);
        call_list_done(&m->shutdown_calls);
        call_list_done(&m->reopen_calls);
        varlink_server_free(m->server);
        fd_close(m->door);
        m->shutdown = SHUTDOWN_LEAVE;
        while (m->n_order)
                service_free(m->order[m->n_order - 1]);
        probes_free_all(m);
        control_free_all(m);
        books_done(m);
        schedules_done(m);
        notify_close(m);
        fd_index_free(m->fd_index);
        journal_sender_done(&m->journal_sender);
        flood_free(m->flood);
        reexec_done(m);
        if (m->goodbye)
                link_goodbye(m->link, m->exit_status);
        link_free(m->link);
        isolate_free(m->isolate);
        store_close(m->store);
        sd_event_source_disable_unref(m->pump);
        sd_event_source_disable_unref(m->books);
        sd_event_source_disable_unref(m->retry);
        sd_event_source_disable_unref(m->memory);
        sandbox_free(m->sandbox);
        map_free(m->services);
        map_free(m->runs);
        map_free(m->pids);
        free(m->order);
        free(m->queue);
        strv_free(m->problems);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

/* ---- the start ---- */

static int open_isolation(Manager *m, KlError *reterr) {
        IsolateOptions o = { .event = m->event, .kind = m->options.isolation, .user = m->places.user, .keeper = link_keeper(m->link),
                             .home_id = m->places.id,
                             .events = { .placed = instance_placed, .empty = instance_empty, .stopped = instance_stopped_outside,
                                         .asked = instance_asked, .unlimited = instance_unlimited, .limit = instance_limit, .oversize = instance_oversize,
                                         .userdata = m } };

        return isolate_new(&o, &m->isolate, reterr);
}

static int bind_api(Manager *m, KlError *reterr) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_fd_ int fd = -EBADF;

        if (strlen(m->places.socket) >= sizeof a.sun_path)
                return kl_error_set(reterr, -ENAMETOOLONG, KL_E_INVALID, "socket path is longer than %zu bytes: %s", sizeof a.sun_path - 1,
                                    m->places.socket);
        strcpy(a.sun_path, m->places.socket);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return kl_error_set(reterr, -errno, KL_E_FAILED, "socket: %s", strerror(errno));
        (void) unlink(a.sun_path);
        if (bind(fd, (struct sockaddr *) &a, sizeof a) < 0 || chmod(a.sun_path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
                return kl_error_set(reterr, -errno, KL_E_FAILED, "cannot listen on %s: %s", m->places.socket, strerror(errno));
        return TAKE_FD(fd);
}

int manager_open_door(Manager *m) {
        int fd = TAKE_FD(m->door), r = fd < 0 ? 0 : varlink_server_listen(m->server, fd);

        if (r < 0)
                fd_close(fd);
        return r;
}

/* What their questions have mapped and allocated is needed again with the next one, if there is one. */
static void on_quiet(void *userdata) {
        Manager *m = userdata;

        m->unsettled = true;
        books_mark(m);
}

static int open_api(Manager *m, KlError *reterr) {
        VarlinkServerOptions o = { .event = m->event, .interface = &api_interface, .vendor = "Kingly", .product = "kingd",
                                   .version = KINGLY_VERSION,
                                   .url = "https://varlink.org", .permission = api_permission, .quiet = on_quiet, .userdata = m, .priority = PRIORITY_API };
        int fd, r;

        fd = link_take_held(m->link, "api");
        if (fd < 0) {
                fd = bind_api(m, reterr);
                if (fd < 0)
                        return fd;
                r = link_hold(m->link, "api", fd);
                if (r < 0) {
                        fd_close(fd);
                        return r;
                }
        }
        m->door = fd;
        r = varlink_server_new(&o, &m->server);
        return r < 0 || m->state_trial ? r : manager_open_door(m);
}

#define DYING_USEC (5 * USEC_PER_SEC)

/* Who holds the lock may be what is left of a dead keeper's daemon, which ends within moments: that is waited for, a living one is not.
 * holder: the pid that the file names, "?" if none. 0, or -EWOULDBLOCK. */
static int lock(int fd, const char *path, char holder[static 32]) {
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DYING_USEC);
        ProcessStat stat;
        int64_t pid;

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                strcpy(holder, "?");
                (void) read_file_into(AT_FDCWD, path, holder, 32);
                holder[strcspn(holder, "\n")] = 0;
                if (parse_i64(holder, &pid) < 0 || (process_stat((pid_t) pid, &stat) >= 0 && stat.state != 'Z') ||
                    now_usec(CLOCK_MONOTONIC) > end)
                        return -EWOULDBLOCK;
                (void) usleep(20 * USEC_PER_MSEC);
        }
        return 0;
}

/* One daemon per runtime directory: the lock is held by the keeper's copy of the descriptor, so it outlives a manager. */
static int take_lock(Manager *m, KlError *reterr) {
        char text[32], holder[32] = "?";
        int n, r, fd = link_take_held(m->link, "lock");

        if (fd < 0)
                fd = open(m->places.pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd < 0)
                return kl_error_set(reterr, -errno, KL_E_FAILED, "cannot open %s: %s", m->places.pid_file, strerror(errno));
        r = lock(fd, m->places.pid_file, holder);
        if (r < 0) {
                kl_error_set(reterr, r, KL_E_EXISTS, "another kingd (pid %s) runs here already: %s is locked", holder, m->places.pid_file);
                kl_error_hint(reterr, "use it through kingctl, or give this one a KINGLY_HOME of its own");
                fd_close(fd);
                return r;
        }
        n = snprintf(text, sizeof text, "%d\n", link_keeper(m->link));
        /* Whoever reads it meanwhile sees a number, the old one or ours. */
        if (pwrite(fd, text, n, 0) != n || ftruncate(fd, n) < 0)
                log_warning("cannot write %s: %m", m->places.pid_file);
        r = link_hold(m->link, "lock", fd);
        fd_close(fd);
        return r;
}

static void start_wanted(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                for (size_t n = 0; n < s->n_instances; n++)
                        if (instance_due(s->instances[n]))
                                instance_event(s->instances[n], EV_START);
        }
}

/* In the background nobody reads our stderr, and whoever waits for its end must not wait for ours: from now on it is a file. */
static void log_to_file(Manager *m) {
        _cleanup_free_ char *path = path_join(m->places.logs, "kingd.log");
        _cleanup_fd_ int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640) : -EBADF;

        if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
                log_warning("cannot log to %s: %m", path ?: m->places.logs);
}

/* Whoever reads the events later wants to know why there is another. */
static void tell_beginning(Manager *m) {
        bool hung;
        int status = link_last_status(m->link, &hung);

        if (link_manager_starts(m->link) > 1 && WIFSIGNALED(status))
                event_emit(m, NULL, NULL, EVENT_REPLACED, "the manager was killed by %s%s: another one goes on", signal_name(WTERMSIG(status)),
                           hung ? " because it did not answer" : "");
        else if (link_manager_starts(m->link) > 1)
                event_emit(m, NULL, NULL, EVENT_REPLACED, "the manager ended with status %d: another one goes on", WEXITSTATUS(status));
        else if (!link_upgraded(m->link))
                event_emit(m, NULL, NULL, EVENT_KINGD, "kingd " KINGLY_VERSION " began, isolation %s", isolate_kind_name(isolate_kind(m->isolate)));
}

int manager_start(Manager *m, KlError *reterr) {
        int r;

        r = places_make(&m->places, reterr);
        if (r >= 0)
                r = take_lock(m, reterr);
        if (r >= 0)
                r = open_isolation(m, reterr);
        if (r >= 0)
                r = state_open(m, reterr);
        if (r < 0)
                return r;
        m->journal = journal_available();
        if (m->journal && (r = journal_sender_init(&m->journal_sender, JOURNAL_SOCKET_PATH)) < 0)
                log_errno(LOG_WARNING, r, "cannot send events to the journal");
        if (m->journal && !m->places.user)
                journal_fields_sweep(JOURNAL_UNITS_PATH);
        r = notify_open(m);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot open the notify socket %s: %s", m->places.notify, strerror(-r));
        r = fd_index_open(m);
        if (r >= 0)
                r = open_api(m, reterr);
        if (r >= 0)
                r = adopt_all(m, reterr);
        if (r >= 0)
                r = credentials_init(m);
        if (r < 0)
                return r;
        credentials_sweep(m);
        shutdown_resume(m);
        if (m->shutdown == SHUTDOWN_NO) {
                start_wanted(m);
                (void) apply_files(m);
                schedules_begin(m);
        }
        start_queue_pump(m);
        m->loading = false;
        books_mark(m);      /* what was learned meanwhile */
        tell_beginning(m);
        reexec_begun(m);
        if (m->options.background)
                log_to_file(m);
        upward_ready(m);
        (void) link_ready(m->link);
        (void) sd_event_set_watchdog(m->event, true);
        return 0;
}
