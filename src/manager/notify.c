/* Must stay true: a datagram is never answered by disconnecting or aborting; a sender that belongs to no instance changes nothing, and none changes another's
 * (MAINPID= is not heard: whose process is main, the keeper knows); a service's own flood costs it its own messages alone. How messages are taken off the
 * socket, and what becomes of descriptors: notify_receive.c. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "manager/events.h"
#include "manager/fd_store.h"
#include "manager/instance.h"
#include "manager/link.h"
#include "manager/notify_private.h"

#define STATUS_MAX 1024
#define RECEIVE_BUFFER (8 * 1024 * 1024)
/* What is heard of one instance in a second, and how often it is said that there was more. */
#define HEARD_MAX 200
#define FLOOD_TELL (60 * USEC_PER_SEC)
#define COMPLAIN_EVERY (10 * USEC_PER_SEC)

void notify_track(Instance *i) {
        Manager *m = i->service->manager;

        if (i->pid_key && map_get(m->pids, &i->pid_key) == i)
                map_remove(m->pids, &i->pid_key);
        i->pid_key = i->main.pid;
        if (map_put(m->pids, &i->pid_key, i) == -EEXIST) {
                /* A pid is taken anew only when its former holder has been reaped: the entry is the stale one. */
                map_remove(m->pids, &i->pid_key);
                (void) map_put(m->pids, &i->pid_key, i);
        }
}

/* The number of a main process that has been reaped may be another's by now. */
static Instance *notify_sender(Manager *m, pid_t pid) {
        uint64_t key = pid;
        Instance *i = map_get(m->pids, &key);
        size_t at = 0;
        void *v;

        if (i && i->lc.main_alive)
                return i;
        while (map_next(m->runs, &at, &v)) {
                i = v;
                if (i->cell && i->notifies && cell_owns(i->cell, pid))
                        return i;
        }
        return NULL;
}

/* ---- fields ---- */

static void field_ready(Instance *i, const char *value) {
        if (streq(value, "1"))
                instance_ready(i);
}

/* When the sender says that it began (MONOTONIC_USEC=), in the datagram that is being handled; 0: it does not say. */
static usec_t datagram_usec;

static void field_monotonic(Instance *i, const char *value) {
        if (parse_u64(value, &datagram_usec) < 0)
                datagram_usec = 0;
}

static void field_reloading(Instance *i, const char *value) {
        if (streq(value, "1"))
                instance_feed(i, &(LcInput) { .event = EV_RELOADING, .until = datagram_usec });
}

static void field_stopping(Instance *i, const char *value) {
        if (streq(value, "1"))
                instance_event(i, EV_STOPPING);
}

static void field_status(Instance *i, const char *value) {
        if (!utf8_valid(value, strlen(value)))
                return;
        instance_set_status(i, *value ? "%.*s" : NULL, STATUS_MAX, value);
}

static void field_watchdog(Instance *i, const char *value) {
        if (streq(value, "trigger"))
                instance_event(i, EV_WATCHDOG);
        else if (streq(value, "1"))
                instance_ping(i);
}

static void field_watchdog_usec(Instance *i, const char *value) {
        uint64_t usec;

        if (parse_u64(value, &usec) < 0 || usec == 0)
                return;
        i->watchdog_interval = usec;
        instance_ping(i);
}

static void field_extend(Instance *i, const char *value) {
        uint64_t usec;

        if (parse_u64(value, &usec) >= 0)
                instance_feed(i, &(LcInput) { .event = EV_EXTEND, .until = usec_add(now_usec(CLOCK_MONOTONIC), usec) });
}

/* STOPPING wins over the others; STATUS first, so that what follows is reported with it. */
static const struct { const char *name; void (*handle)(Instance *i, const char *value); } fields[] = {
        { "MONOTONIC_USEC=", field_monotonic }, { "STATUS=", field_status }, { "STOPPING=", field_stopping }, { "RELOADING=", field_reloading },
        { "EXTEND_TIMEOUT_USEC=", field_extend }, { "READY=", field_ready },
        { "WATCHDOG_USEC=", field_watchdog_usec }, { "WATCHDOG=", field_watchdog },
};

void notify_apply(Manager *m, uint64_t run, char *text, NotifyFds *fds) {
        FdStoreOrder order;
        Instance *i;

        datagram_usec = 0;
        for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
                for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                        const char *value = startswith(line, fields[k].name);
                        i = map_get(m->runs, &run);      /* each field may have ended the run */
                        char buffer[DATAGRAM_MAX];

                        if (!value || !i)
                                continue;
                        snprintf(buffer, sizeof buffer, "%.*s", (int) strcspn(value, "\n"), value);
                        fields[k].handle(i, buffer);
                }
        }
        fd_store_read(text, &order);
        i = map_get(m->runs, &run);
        if (i)
                fd_store_message(i, &order, fds);
}

/* Whether the instance has not used up this second. Who says more is told of at the beginning and with what it cost at the next. */
static bool heard(Instance *i) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        if (now >= usec_add(i->notes.since, USEC_PER_SEC)) {
                i->notes.since = now;
                i->notes.n = 0;
        }
        if (i->notes.n++ < HEARD_MAX)
                return true;
        i->notes.ignored++;
        if (i->notes.told == 0 || now >= usec_add(i->notes.told, FLOOD_TELL)) {
                event_emit(i->service->manager, i, NULL, EVENT_NOTIFY_FLOOD, "more than %d messages a second by sd_notify: %" PRIu64 " ignored so far",
                           HEARD_MAX, i->notes.ignored);
                i->notes.told = now;
        }
        return false;
}

void notify_complain(Manager *m, const char *what) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        m->notify.bad++;
        if (m->notify.complained && now < usec_add(m->notify.complained, COMPLAIN_EVERY))
                return;
        m->notify.complained = now;
        log_warning("notify: ignoring a datagram %s (%" PRIu64 " bad ones so far)", what, m->notify.bad);
}

Instance *notify_admit(Manager *m, char *text, size_t n, const struct ucred *sender) {
        Instance *i;

        if (n > 0 && text[n - 1] == 0)
                n--;
        text[n] = 0;
        if (!sender || memchr(text, 0, n)) {
                notify_complain(m, "without credentials or with a NUL in it");
                return NULL;
        }
        /* Answered by the end of the descriptor that came with it, now that all before it has been handled. */
        if (streq(text, "BARRIER=1"))
                return NULL;
        i = notify_sender(m, sender->pid);
        if (!i)
                log_debug("notify: pid %d belongs to no service of ours", sender->pid);
        return i && heard(i) ? i : NULL;
}

/* A manager that crashed may have done so on the datagram that is the first now: that one is taken before it is looked at. */
static bool crashed(const Manager *m) {
        bool hung;
        int status = link_last_status(m->link, &hung);

        return hung || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL);
}

static int notify_bind(Manager *m) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_fd_ int fd = -EBADF;
        int one = 1, size = RECEIVE_BUFFER, r;

        if (strlen(m->places.notify) >= sizeof a.sun_path)
                return -ENAMETOOLONG;
        strcpy(a.sun_path, m->places.notify);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0)
                return -errno;
        (void) unlink(a.sun_path);
        if (bind(fd, (struct sockaddr *) &a, sizeof a) < 0 || chmod(a.sun_path, 0666) < 0)
                return -errno;
        r = link_hold(m->link, "notify", fd);
        if (r < 0)
                return r;
        m->notify.fd = TAKE_FD(fd);
        return 0;
}

int notify_open(Manager *m) {
        int r;

        r = notify_receive_begin();
        if (r < 0)
                return r;
        m->notify.path = strdup(m->places.notify);
        if (!m->notify.path)
                return -ENOMEM;
        m->notify.fd = link_take_held(m->link, "notify");
        m->notify.wary = crashed(m);
        if (m->notify.fd < 0) {
                r = notify_bind(m);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_io(m->event, &m->notify.source, m->notify.fd, EPOLLIN, notify_receive, m);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->notify.source, "notify");
        return sd_event_source_set_priority(m->notify.source, PRIORITY_NOTIFY);
}

void notify_close(Manager *m) {
        sd_event_source_disable_unref(m->notify.source);
        sd_event_source_disable_unref(m->notify.pause);
        fd_close(m->notify.fd);
        free(m->notify.path);
}
