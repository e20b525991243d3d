/* Must stay true: a datagram stays in the socket, which the keeper holds, until what it says is recorded, so that no manager's death loses it; no flood of
 * datagrams keeps us from anything else; and nobody makes us wait by what he sends along.
 *
 * Descriptors are foreign: closing one that is a file on FUSE waits for its server (close(2) asks it), and the last close of a lingering socket waits for its
 * peer (socket(7)). So a message is looked at without room for them first, and only those that a sender who may asks us to keep get into our table. The
 * others end with the datagram (unix(7)): a file is then released without being asked, and a socket stops lingering when a signal comes. */
#include "manager/notify/fd_store.h"
#include "manager/notify/notify_private.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/text.h"

/* Of each window we listen this long at most; senders wait meanwhile, as their socket's queue is full. */
#define WINDOW (100 * USEC_PER_MSEC)
#define WINDOW_BUDGET (25 * USEC_PER_MSEC)
/* So long a message waits in the socket for the keeper to say whose it may be, which it does at once. */
#define EARLY_PAUSE (2 * USEC_PER_MSEC)
#define EARLY_MAX (10 * USEC_PER_SEC)
#define CATCH_UP_MAX 8               /* datagrams */
#define BEFORE_AN_END_MAX 512         /* the same: as many as wait where systemd has set net.unix.max_dgram_qlen */
#define LINGER_MAX (20 * USEC_PER_MSEC)

typedef struct Datagram {
        char text[NOTIFY_DATAGRAM_MAX + 1];
        size_t n;
        int flags;                     /* as recvmsg(2) gives them; MSG_CTRUNC: descriptors came along that there was no room for */
        struct ucred sender;           /* pid 0: none */
        NotifyFds fds;
} Datagram;

static void take_control(Datagram *d, struct msghdr *h) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof d->sender))
                        memcpy(&d->sender, CMSG_DATA(c), sizeof d->sender);
                else if (c->cmsg_type == SCM_RIGHTS) {
                        d->fds.n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(d->fds.fds, CMSG_DATA(c), d->fds.n * sizeof(int));
                }
        }
}

/* The first datagram, which stays with MSG_PEEK. 0, or -errno. */
static int receive(int fd, Datagram *d, bool with_fds, int flags) {
        union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))]; } control;
        struct iovec iov = { .iov_base = d->text, .iov_len = NOTIFY_DATAGRAM_MAX };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                            .msg_controllen = with_fds ? sizeof control : CMSG_SPACE(sizeof(struct ucred)) };
        ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);

        if (n < 0)
                return -errno;
        d->n = (size_t) n;
        d->text[n] = 0;
        d->flags = h.msg_flags;
        d->sender = (struct ucred) {};
        d->fds.n = 0;
        take_control(d, &h);
        return 0;
}

/* ---- the end of a datagram ---- */

static void on_alarm(int sig) {
}

int notify_receive_begin(void) {
        struct sigaction a = { .sa_handler = on_alarm };

        return sigaction(SIGALRM, &a, NULL) < 0 ? -errno : 0;
}

/* With the descriptors that nobody took out of it. */
static void discard(int fd, bool carries_fds) {
        static const struct itimerval off, on = { .it_value.tv_usec = LINGER_MAX, .it_interval.tv_usec = LINGER_MAX };

        if (carries_fds)
                (void) setitimer(ITIMER_REAL, &on, NULL);
        (void) recv(fd, NULL, 0, MSG_DONTWAIT);
        if (carries_fds)
                (void) setitimer(ITIMER_REAL, &off, NULL);
}

/* ---- how long we listen ---- */

static int on_window_over(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->notify.pause = sd_event_source_disable_unref(m->notify.pause);
        return sd_event_source_set_enabled(m->notify.source, SD_EVENT_ON);
}

static int pause_until(Manager *m, usec_t at) {
        if (sd_event_add_time(m->event, &m->notify.pause, CLOCK_MONOTONIC, at, 1, on_window_over, m) < 0)
                return 0;
        return sd_event_source_set_enabled(m->notify.source, SD_EVENT_OFF);
}

/* A child may speak before we have read from the keeper that there is one: its first words must not be lost. */
static bool waits(Manager *m, pid_t sender, usec_t now) {
        if (!notify_too_early(m, sender)) {
                m->notify.early = 0;
                return false;
        }
        if (m->notify.early == 0)
                m->notify.early = now;
        return now < usec_add(m->notify.early, EARLY_MAX);
}

/* This window's share of our time is used up: the others come to their turn. */
static int spend(Manager *m, usec_t begun) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        if (begun >= usec_add(m->notify.window, WINDOW)) {
                m->notify.window = begun;
                m->notify.spent = 0;
        }
        m->notify.spent += now - begun;
        if (m->notify.spent < WINDOW_BUDGET)
                return 0;
        return pause_until(m, usec_add(m->notify.window, WINDOW));
}

/* ---- one datagram ---- */

static void hear(Manager *m, int fd, Datagram *d, bool peeked) {
        const NotifySource from = { .pid = d->sender.pid, .uid = d->sender.uid };
        static char text[NOTIFY_DATAGRAM_MAX + 1];      /* the message points into it */
        NotifyMessage message;
        Instance *i;
        uint64_t run;
        bool wants;

        if (d->flags & MSG_TRUNC) {
                notify_complain(m, "longer than 4096 bytes");
                return;
        }
        memcpy(text, d->text, d->n);
        i = notify_admit(m, text, d->n, &from, &message);
        if (!i)
                return;
        run = i->run;
        /* The same again: nobody else reads here. What does not fit our table of files is told by the flag once more. */
        wants = message.fd_store.store || message.main_pidfd;
        if (peeked && wants && (d->flags & MSG_CTRUNC) && fd_store_looks(i) && receive(fd, d, true, MSG_PEEK) < 0)
                return;
        notify_apply(m, run, &message, &from, &d->fds);
}

/* 0, or -errno: -EAGAIN when there is none, -EBUSY when it has to wait. */
static int hear_first(Manager *m, usec_t now) {
        static Datagram d;
        int fd = m->notify.fd, peek = m->notify.wary ? 0 : MSG_PEEK;
        int r = receive(fd, &d, false, peek);
        bool carries_fds = d.flags & MSG_CTRUNC;

        m->notify.wary = false;
        if (r < 0)
                return r;
        if (peek && waits(m, d.sender.pid, now))
                return -EBUSY;
        hear(m, fd, &d, peek);
        if (peek)
                discard(fd, carries_fds);
        notify_fds_done(&d.fds);
        return 0;
}

int notify_receive(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        usec_t begun = now_usec(CLOCK_MONOTONIC);
        Manager *m = userdata;
        int r = hear_first(m, begun);

        if (r == -EAGAIN || r == -EINTR)
                return 0;
        if (r == -EBUSY)
                return pause_until(m, begun + EARLY_PAUSE);
        if (r < 0) {
                manager_problem(m, "notify socket: %s: services can no longer tell that they are ready", strerror(-r));
                return sd_event_source_set_enabled(s, SD_EVENT_OFF);
        }
        return spend(m, begun);
}

void notify_before_an_end(Manager *m) {
        for (unsigned n = 0; n < BEFORE_AN_END_MAX && hear_first(m, now_usec(CLOCK_MONOTONIC)) >= 0; n++)
                ;
}

void notify_catch_up(Manager *m) {
        if (m->notify.early == 0)
                return;
        m->notify.pause = sd_event_source_disable_unref(m->notify.pause);
        (void) sd_event_source_set_enabled(m->notify.source, SD_EVENT_ON);
        for (unsigned n = 0; n < CATCH_UP_MAX && !m->notify.pause; n++)
                (void) notify_receive(m->notify.source, sd_event_source_get_io_fd(m->notify.source), EPOLLIN, m);
}
