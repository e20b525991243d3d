/* Must stay true: a datagram is never answered by disconnecting or aborting; a sender that belongs to no instance changes nothing, and none changes
 * another's; a service's own flood costs it its own messages alone. How messages are taken off the
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
#include "manager/life/control.h"
#include "manager/link.h"
#include "manager/notify/notify_private.h"
#include "manager/notify/said.h"

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

static Instance *main_of(const Manager *m, pid_t pid) {
        uint64_t key = (uint64_t) pid;
        Instance *i = map_get(m->pids, &key);

        /* The number of a main process that has been reaped may be another's by now. */
        return i && i->lc.main_alive ? i : NULL;
}

static Instance *find_sender(const Manager *m, const NotifySource *s, NotifySender *ret) {
        _cleanup_(whereabouts_done) Whereabouts w = {};
        Instance *i = main_of(m, s->pid);
        size_t at = 0;
        void *v;

        *ret = NOTIFY_FROM_MAIN;
        if (i)
                return i;
        *ret = NOTIFY_FROM_CONTROL;
        i = control_of_pid(m, s->pid);
        if (i)
                return i;
        *ret = NOTIFY_FROM_MEMBER;
        if (isolate_locate_pid(m->isolate, s->pid, &w) < 0)
                return NULL;
        while (map_next(m->runs, &at, &v)) {
                i = v;
                if (i->cell && i->notifies && cell_holds(i->cell, &w))
                        return i;
        }
        return NULL;
}

bool notify_too_early(const Manager *m, pid_t pid) {
        size_t at = 0;
        void *v;

        if (pid <= 0 || main_of(m, pid) || control_of_pid(m, pid))
                return false;
        while (map_next(m->runs, &at, &v)) {
                const Instance *i = v;

                if (i->child && i->notifies && i->main.pid == 0 && i->lc.state == LC_PLACING)
                        return true;
        }
        return control_unmet(m);
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

/* Whether the sender may speak for its instance. */
static bool admitted(Instance *i, const NotifySource *s, NotifySender from) {
        static const char *const who[] = { "the main process", "a command of the service", "not its main process" };
        NotifyAccess access = said_access(i);

        if (!i->notifies || i->run == 0)
                return false;
        if (notify_admits(access, from))
                return true;
        said_refuse(i, "a message of pid %d, %s, is not heard: notify_access is %s", s->pid, who[from], notify_access_name(access));
        return false;
}

static void note_bad(Instance *i, const NotifyMessage *m) {
        Said *said = m->bad > 0 ? said_of(i) : NULL;

        if (!said)
                return;
        said->bad += m->bad;
        memcpy(said->bad_field, m->first_bad, sizeof said->bad_field);
}

Instance *notify_admit(Manager *m, char *text, size_t n, const NotifySource *s, NotifyMessage *ret) {
        NotifySender from;
        Instance *i;

        if (s->pid <= 0 || notify_parse(text, n, ret) < 0) {
                notify_complain(m, "without credentials or with a NUL in it");
                return NULL;
        }
        /* Answered by the end of the descriptor that came with it, now that all before it has been handled. */
        if (ret->barrier) {
                if (ret->assignments != 1)
                        notify_complain(m, "with BARRIER=1 and other fields");
                return NULL;
        }
        i = find_sender(m, s, &from);
        if (!i)
                log_debug("notify: pid %d belongs to no service of ours", s->pid);
        if (!i || !admitted(i, s, from) || !heard(i))
                return NULL;
        note_bad(i, ret);
        return i;
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
