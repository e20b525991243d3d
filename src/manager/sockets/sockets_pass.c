/* What a start is given: sockets that are open already, or are opened now. Must stay true: nothing is changed under the feet of an instance that lives; behind
 * a balancer nobody but it has the public socket. */
#include "manager/sockets/sockets_private.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/balance/balance.h"
#include "manager/life/service.h"
#include "manager/link.h"

static unsigned owner_of(const SocketSpec *spec, const Instance *i) {
        return spec->reuseport ? i->index : 0;
}

/* Another of our services, which may not have started, so that no process would tell. */
static int refuse_double(const Service *s, const SocketSpec *spec, KlError *reterr) {
        const Manager *m = s->manager;

        for (size_t k = 0; k < m->n_order; k++) {
                const Service *other = m->order[k];

                for (size_t n = 0; other != s && other->sockets && n < other->sockets->n; n++)
                        if (socket_conflict(&other->sockets->items[n].spec, spec))
                                return kl_error_set(reterr, -EADDRINUSE, KL_E_FAILED, "cannot listen on %s: the service %s does already",
                                                    spec->listen, other->key);
        }
        return 0;
}

static int open_new(Instance *i, const SocketSpec *spec, const Identity *id, OpenSocket **ret, KlError *reterr) {
        Service *s = i->service;
        unsigned instance = owner_of(spec, i);
        char name[SOCKET_HELD_SIZE];
        int fd, r = refuse_double(s, spec, reterr);

        if (r < 0)
                return r;
        fd = socket_open(spec, id, reterr);
        if (fd < 0)
                return fd;
        socket_held_name(s, spec, instance, name);
        r = link_hold(s->manager->link, name, fd);
        if (r >= 0)
                r = socket_add_open(s, spec, instance, fd, ret);
        if (r < 0)
                fd_close(fd);
        return r;
}

/* From the balancer to the instances: it is told to let go, and the flags that it set are set back. */
static void take_back(Service *s, OpenSocket *o) {
        balance_socket_gone(s, sockets_front(s, &o->spec));
        (void) fd_nonblock(o->fd, false);
}

static int tune(Service *s, OpenSocket *o, const SocketSpec *spec, const Identity *id, KlError *reterr) {
        SocketSpec copy;
        int r;

        if (socket_balanced(&o->spec) && !socket_balanced(spec))
                take_back(s, o);

        /* Whose a file is depends on the user of the service, too. */
        if (socket_equal(&o->spec, spec) && o->file.inode == 0)
                return 0;
        r = socket_copy(&copy, spec);
        if (r < 0)
                return r;
        socket_done(&o->spec);
        o->spec = copy;
        return socket_tune(o->fd, spec, id, reterr);
}

/* The descriptor's flags are shared by all who have it: one that sets O_NONBLOCK does so for the next run. While another instance lives nothing is
 * changed under its feet. */
static bool alone(const Instance *i) {
        for (size_t k = 0; k < i->service->n_instances; k++)
                if (i->service->instances[k] != i && lifecycle_alive(&i->service->instances[k]->lc))
                        return false;
        return true;
}

/* Somebody removed the file, or put another in its place: nobody finds the socket any more. */
static bool lost(const OpenSocket *o) {
        SocketFile now;

        return o->file.inode != 0 && (socket_file(&o->spec, &now) < 0 || now.inode != o->file.inode || now.device != o->file.device);
}

/* The open socket: the one that there is, or a new one. */
static int obtain(Instance *i, const SocketSpec *spec, const Identity *id, OpenSocket **ret, KlError *reterr) {
        OpenSocket *o = socket_find_open(i->service, spec, owner_of(spec, i));
        int r;

        if (o && lost(o)) {
                socket_close_one(i->service, (size_t) (o - i->service->sockets->items), false);
                o = NULL;
        }
        r = o ? tune(i->service, o, spec, id, reterr) : open_new(i, spec, id, &o, reterr);
        *ret = o;
        return r;
}

static int pass_private(Instance *i, const SocketSpec *spec, SocketsPassed *p, int *ret, KlError *reterr) {
        int r = backs_open(i, spec, sockets_front(i->service, spec), ret, reterr);

        if (r >= 0)
                p->own[p->n_own++] = *ret;
        return r;
}

static int pass_one(Instance *i, const SocketSpec *spec, const Identity *id, SocketsPassed *p, int *ret, KlError *reterr) {
        OpenSocket *o;
        int r = obtain(i, spec, id, &o, reterr);

        if (r < 0)
                return r;
        if (socket_balanced(spec))
                return pass_private(i, spec, p, ret, reterr);
        if (alone(i))
                (void) fd_nonblock(o->fd, false);
        *ret = o->fd;
        return 0;
}

int sockets_await(Instance *i, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        OpenSocket *o;
        Identity id;
        int r = identity_resolve(s, &id, reterr);

        for (size_t k = 0; k < s->sockets.n && r >= 0; k++) {
                r = obtain(i, s->sockets.items + k, &id, &o, reterr);
                if (r >= 0)
                        r = demand_watch(i->service, o);
        }
        return r;
}

static int join_names(const ServiceSpec *s, const int32_t numbers[], char **ret) {
        const char *names[SOCKETS_MAX] = {};
        _cleanup_buffer_ Buffer b = {};
        size_t n = 0;
        int r = 0;

        for (size_t k = 0; k < s->sockets.n; k++)
                if (numbers[k] >= SOCKET_FIRST_FD) {
                        names[numbers[k] - SOCKET_FIRST_FD] = socket_name(s->sockets.items + k, s->name);
                        n++;
                }
        for (size_t k = 0; k < n && r >= 0; k++)
                r = buffer_printf(&b, "%s%s", k > 0 ? ":" : "", names[k]);
        *ret = TAKE_PTR(b.data);
        return r;
}

void sockets_passed_done(SocketsPassed *p) {
        while (p->n_own > 0)
                fd_close(p->own[--p->n_own]);
        free(p->names);
        p->names = NULL;
}

int sockets_pass(Instance *i, const Identity *id, SocketsPassed *ret, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        int32_t numbers[SOCKETS_MAX];
        int r = socket_numbers(&s->sockets, numbers);

        *ret = (SocketsPassed) { .input = -EBADF };
        backs_close(i);
        for (size_t k = 0; k < s->sockets.n && r >= 0; k++) {
                bool input = numbers[k] == 0;

                r = pass_one(i, s->sockets.items + k, id, ret, input ? &ret->input : ret->listen + numbers[k] - SOCKET_FIRST_FD, reterr);
                ret->n += !input;
        }
        return r < 0 || ret->n == 0 ? r : join_names(s, numbers, &ret->names);
}
