/* The keeper's socket. Must stay true: packets go out in the order they were asked for, except that a spawn is refused with -EAGAIN rather
 * than queued (it is large and carries descriptors; the start queue comes back to it). */
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "manager/books/adopt.h"
#include "manager/books/reexec.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/life/start_queue.h"
#include "manager/link_private.h"
#include "manager/notify/notify.h"
#include "manager/shutdown.h"

pid_t link_keeper(const Link *l) {
        return l->hello.keeper_pid;
}

bool link_is_init(const Link *l) {
        return l->hello.is_init;
}

unsigned link_manager_starts(const Link *l) {
        return l->hello.manager_starts;
}

int link_last_status(const Link *l, bool *ret_hung) {
        *ret_hung = l->hello.last_hung;
        return l->hello.last_status;
}

uint64_t link_nofile(const Link *l) {
        return l->hello.nofile_soft;
}

static void link_want_write(Link *l, bool want) {
        if (l->writable_wanted == want)
                return;
        l->writable_wanted = want;
        (void) sd_event_source_set_io_events(l->source, EPOLLIN | (want ? EPOLLOUT : 0));
}

static int link_queue(Link *l, const void *packet, size_t size, int fd) {
        Outgoing *o = malloc(sizeof(Outgoing) + size);

        if (!o)
                return -ENOMEM;
        *o = (Outgoing) { .fd = fd >= 0 ? fd_dup(fd) : -EBADF, .size = size };
        if (fd >= 0 && o->fd < 0) {
                int r = o->fd;
                free(o);
                return r;
        }
        memcpy(o->data, packet, size);
        *l->tail = o;
        l->tail = &o->next;
        link_want_write(l, true);
        return 0;
}

static int link_send(Link *l, const void *packet, size_t size, int fd) {
        int r;

        if (l->head)
                return link_queue(l, packet, size, fd);
        r = fd_send(l->fd, packet, size, &fd, fd >= 0);
        if (fd_send_later(r))
                return link_queue(l, packet, size, fd);
        return r;
}

static void link_flush(Link *l) {
        while (l->head) {
                Outgoing *o = l->head;
                int r = fd_send(l->fd, o->data, o->size, &o->fd, o->fd >= 0);

                if (fd_send_later(r))
                        return;
                if (r < 0)
                        log_errno(LOG_ERR, r, "cannot send %s to the keeper", wire_type_name(((WireHeader *) o->data)->type));
                l->head = o->next;
                if (!l->head)
                        l->tail = &l->head;
                fd_close(o->fd);
                free(o);
        }
        link_want_write(l, false);
        if (!l->listed)
                return;
        start_queue_pump(l->manager);
        control_pump(l->manager);
}

int link_spawn(Link *l, const WireSpawn *spawn, size_t size, const int *fds, size_t n_fds) {
        int r;

        if (l->head)
                return -EAGAIN;
        r = fd_send(l->fd, spawn, size, fds, n_fds);
        if (fd_send_later(r)) {
                link_want_write(l, true);
                return -EAGAIN;
        }
        return r;
}

static int link_send_run(Link *l, uint32_t type, uint64_t run) {
        WireRun p = { .h = { type, sizeof p }, .run = run };
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_release(Link *l, uint64_t run) {
        return link_send_run(l, WIRE_RELEASE, run);
}

int link_ack(Link *l, uint64_t run) {
        return link_send_run(l, WIRE_ACK, run);
}

int link_signal(Link *l, uint64_t run, int sig, int target) {
        WireSignal p = { .h = { WIRE_SIGNAL, sizeof p }, .run = run, .signal = sig, .target = target };
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_main(Link *l, uint64_t run, const PidRef *main) {
        WireMain p = { .h = { WIRE_MAIN, sizeof p }, .run = run, .pid = main->pid, .start_time = main->start_time };
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_hold(Link *l, const char *name, int fd) {
        WireHold p = { .h = { WIRE_HOLD, sizeof p } };

        strncpy(p.name, name, sizeof p.name - 1);
        return link_send(l, &p, sizeof p, fd);
}

int link_drop(Link *l, const char *name) {
        WireHold p = { .h = { WIRE_DROP, sizeof p } };

        strncpy(p.name, name, sizeof p.name - 1);
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_reopen(Link *l) {
        WireHeader p = { WIRE_REOPEN, sizeof p };
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_reexec(Link *l, uint64_t within_usec, bool if_changed) {
        WireReexec p = { .h = { WIRE_REEXEC, sizeof p }, .within_usec = within_usec, .if_changed = if_changed };
        return link_send(l, &p, sizeof p, -EBADF);
}

int link_settled(Link *l) {
        WireHeader p = { WIRE_SETTLED, sizeof p };
        return link_send(l, &p, sizeof p, -EBADF);
}

bool link_upgraded(const Link *l) {
        return l->upgraded;
}

int link_ready(Link *l) {
        WireHeader p = { WIRE_READY, sizeof p };
        return link_send(l, &p, sizeof p, -EBADF);
}

void link_goodbye(Link *l, int status) {
        WireShutdown p = { .h = { WIRE_SHUTDOWN, sizeof p }, .status = status };

        memcpy(p.why, l->why, sizeof p.why);
        (void) fd_nonblock(l->fd, false);
        for (Outgoing *o = l->head; o; o = o->next)
                (void) fd_send(l->fd, o->data, o->size, &o->fd, o->fd >= 0);
        (void) fd_send(l->fd, &p, sizeof p, NULL, 0);
}

/* ---- what the keeper says ---- */

static int on_child(Link *l, const void *packet) {
        return link_list_add(l, packet);
}

static int on_hello(Link *l, const void *packet) {
        l->hello = *(const WireHello *) packet;
        if (l->hello.version == WIRE_VERSION)
                return 0;
        log_error("the keeper speaks protocol version %u, this manager %u: they are of different installations", l->hello.version,
                  (unsigned) WIRE_VERSION);
        return -EPROTONOSUPPORT;
}

static int on_exited(Link *l, const void *packet) {
        const WireExited *p = packet;
        LinkChild *c = l->listed ? NULL : link_list_find(l, p->run);

        if (c) {
                c->exited = true;
                c->exit = *p;
        } else if (l->listed) { /* before that it is said again behind its CHILD */
                notify_before_an_end(l->manager);
                instance_exited(l->manager, p);
        }
        return 0;
}

static int on_spawned(Link *l, const void *packet) {
        instance_spawned(l->manager, packet);
        notify_catch_up(l->manager);
        return 0;
}

static int on_execed(Link *l, const void *packet) {
        LinkChild *c = l->listed ? NULL : link_list_find(l, ((const WireRun *) packet)->run);

        if (c)
                c->state = CHILD_EXECUTING;
        else
                instance_execed(l->manager, ((const WireRun *) packet)->run);
        return 0;
}

static int on_failed(Link *l, const void *packet) {
        LinkChild *c = l->listed ? NULL : link_list_find(l, ((const WireFailed *) packet)->run);

        /* The keeper has forgotten it: nobody must take it up. Its instance finds it gone. */
        if (c)
                c->taken = true;
        else
                instance_spawn_failed(l->manager, packet);
        return 0;
}

/* Something runs, and what is short now may be there again in a moment: the keeper, who is told nothing, starts another manager. */
static bool worth_another(const Link *l, int r) {
        return error_is_want(r) && !l->upgraded && (link_manager_starts(l) > 1 || l->n_children > 0);
}

static int on_list_end(Link *l, const void *packet) {
        _cleanup_error_ KlError e = {};
        int r;

        if (l->listed)
                return 0;
        r = manager_start(l->manager, &e);
        if (r >= 0) {
                l->listed = true;
                for (; l->early_signals; l->early_signals &= l->early_signals - 1)
                        shutdown_signal(l->manager, __builtin_ctzll(l->early_signals) + 1);
                return 0;
        }
        log_error("%s%s%s", e.message ?: strerror(-r), e.hint ? " — " : "", e.hint ?: "");
        snprintf(l->why, sizeof l->why, "%s", e.message ?: strerror(-r));
        shutdown_give_up(l->manager, 1, !worth_another(l, r));
        return 0;
}

/* Not before there is something that could be ended in order. */
static int on_signaled(Link *l, const void *packet) {
        int sig = ((const WireSignal *) packet)->signal;

        if (l->listed)
                shutdown_signal(l->manager, sig);
        else
                l->early_signals |= UINT64_C(1) << (sig - 1);
        return 0;
}

static int on_upgrade(Link *l, const void *packet) {
        const WireUpgrade *p = packet;

        l->upgraded = l->upgraded || p->news || p->last.outcome == UPGRADE_UNDER_WAY;
        reexec_heard(l->manager, packet);
        return 0;
}

static int on_leave(Link *l, const void *packet) {
        reexec_leave(l->manager);
        return 0;
}

static int on_ping(Link *l, const void *packet) {
        WireHeader p = { WIRE_PONG, sizeof p };
        return link_send(l, &p, sizeof p, -EBADF);
}

static int on_reopened(Link *l, const void *packet) {
        call_list_answer(&l->manager->reopen_calls);
        return 0;
}

static const struct { uint32_t type; size_t size; int (*handle)(Link *l, const void *packet); } handlers[] = {
        { WIRE_HELLO, sizeof(WireHello), on_hello },       { WIRE_SPAWNED, sizeof(WireSpawned), on_spawned },
        { WIRE_EXECED, sizeof(WireRun), on_execed },       { WIRE_FAILED, sizeof(WireFailed), on_failed },
        { WIRE_EXITED, sizeof(WireExited), on_exited },    { WIRE_CHILD, sizeof(WireChild), on_child },
        { WIRE_LIST_END, sizeof(WireHeader), on_list_end }, { WIRE_SIGNALED, sizeof(WireSignal), on_signaled },
        { WIRE_PING, sizeof(WireHeader), on_ping },        { WIRE_UPGRADE, sizeof(WireUpgrade), on_upgrade },
        { WIRE_LEAVE, sizeof(WireHeader), on_leave },        { WIRE_REOPENED, sizeof(WireHeader), on_reopened },
};

static int link_packet(Link *l, const void *packet, size_t size, int *fds, size_t n_fds) {
        const WireHeader *h = packet;

        if (wire_check(packet, size, n_fds) < 0)
                return -EBADMSG;
        if (h->type == WIRE_HELD && n_fds == 1 && link_list_hold(l, packet, fds[0])) {
                TAKE_FD(fds[0]);
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
                if (handlers[i].type == h->type && handlers[i].size == size)
                        return handlers[i].handle(l, packet);
        log_debug("ignoring %s from the keeper", wire_type_name(h->type));
        return 0;
}

/* At most this many packets a wake-up: clients and timers get their turn in a storm of exits. */
#define PACKETS_A_TURN 64

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Link *l = userdata;

        if (revents & EPOLLOUT)
                link_flush(l);
        for (unsigned i = 0; i < PACKETS_A_TURN && (revents & (EPOLLIN | EPOLLHUP)); i++) {
                int fds[WIRE_FDS_MAX];
                size_t n_fds = ARRAY_SIZE(fds);
                ssize_t n = fd_recv(fd, l->buffer, WIRE_MAX, fds, &n_fds);
                int r;

                if (n == -EAGAIN)
                        break;
                if (n <= 0) {
                        log_error("the keeper is gone: %s", n < 0 ? strerror((int) -n) : "end of file");
                        return sd_event_exit(l->manager->event, EXIT_FAILURE);
                }
                r = link_packet(l, l->buffer, n, fds, n_fds);
                for (size_t k = 0; k < n_fds; k++)
                        fd_close(fds[k]);
                if (r < 0) {
                        log_errno(LOG_ERR, r, "bad packet from the keeper");
                        return sd_event_exit(l->manager->event, EXIT_FAILURE);
                }
        }
        /* What an exit means is another start: not a turn of the loop later, but now. */
        if (l->listed)
                start_queue_pump(l->manager);
        return 0;
}

int link_new(Manager *m, int fd, Link **ret) {
        Link *l = calloc(1, sizeof(Link));
        WireHello hello = { .h = { WIRE_HELLO, sizeof hello }, .version = WIRE_VERSION };
        WireHeader list = { WIRE_LIST, sizeof list };
        int r;

        if (!l)
                return -ENOMEM;
        /* Field by field: the table of what is held is large, and its pages stay the kernel's until something is in them. */
        l->manager = m;
        l->fd = fd;
        l->tail = &l->head;
        l->buffer = malloc(WIRE_MAX);
        r = l->buffer ? fd_nonblock(fd, true) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_io(m->event, &l->source, fd, EPOLLIN, on_link, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->source, PRIORITY_KEEPER);
        if (r >= 0)
                r = link_send(l, &hello, sizeof hello, -EBADF);
        if (r >= 0)
                r = link_send(l, &list, sizeof list, -EBADF);
        if (r < 0) {
                link_free(l);
                return r;
        }
        (void) sd_event_source_set_description(l->source, "keeper");
        *ret = l;
        return 0;
}

Link *link_free(Link *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->source);
        while (l->head) {
                Outgoing *o = l->head;
                l->head = o->next;
                fd_close(o->fd);
                free(o);
        }
        link_list_free(l);
        free(l->buffer);
        fd_close(l->fd);
        free(l);
        return NULL;
}
