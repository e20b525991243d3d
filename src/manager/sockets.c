/* Must stay true: what is open here the keeper holds too, under a name that says which service's socket on which address it is, so that the next
 * manager finds it however the list was reordered; a socket is open exactly as long as something of its service lives, waits or is on its way up. */
#include "manager/sockets_private.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/api.h"
#include "manager/link.h"
#include "manager/service.h"

#define HELD_PREFIX "sock-"
#define HELD_SIZE 64

static uint64_t mix(uint64_t h, const char *text) {
        do
                h = (h ^ (uint8_t) *text) * UINT64_C(0x100000001b3);
        while (*text++);
        return h;
}

/* FNV-1a of service, kind and address: whatever socket_same() compares. */
static void held_name(const Service *s, const SocketSpec *spec, unsigned instance, char ret[HELD_SIZE]) {
        uint64_t h = mix(UINT64_C(0xcbf29ce484222325), s->key);
        char buf[SOCKET_TEXT_MAX];
        SocketAddress a;

        if (socket_address_parse(spec->listen, &a, NULL) >= 0) {
                h = mix(h, socket_address_format(&a, buf));
                h = mix(h, socket_type_name(socket_type(spec, &a)));
        }
        h = mix(h, spec->reuseport ? "reuseport" : "");
        h = mix(h, spec->freebind ? "freebind" : "");
        snprintf(ret, HELD_SIZE, HELD_PREFIX "%016" PRIx64 "-%u", h, instance);
}

static unsigned owner_of(const SocketSpec *spec, const Instance *i) {
        return spec->reuseport ? i->index : 0;
}

static OpenSocket *find_open(const Service *s, const SocketSpec *spec, unsigned instance) {
        for (size_t k = 0; s->sockets && k < s->sockets->n; k++)
                if (s->sockets->items[k].instance == instance && socket_same(&s->sockets->items[k].spec, spec))
                        return s->sockets->items + k;
        return NULL;
}

/* Takes fd on success. */
static int add_open(Service *s, const SocketSpec *spec, unsigned instance, int fd, OpenSocket **ret) {
        OpenSocket *items;

        if (!s->sockets && !(s->sockets = calloc(1, sizeof(Sockets))))
                return -ENOMEM;
        items = reallocarray(s->sockets->items, s->sockets->n + 1, sizeof(OpenSocket));
        if (!items)
                return -ENOMEM;
        s->sockets->items = items;
        items += s->sockets->n;
        if (socket_copy(&items->spec, spec) < 0)
                return -ENOMEM;
        items->instance = instance;
        items->fd = fd;
        items->source = NULL;
        (void) socket_file(spec, &items->file);
        s->sockets->n++;
        *ret = items;
        return 0;
}

/* ---- closing ---- */

/* For good. `silence`: nobody is to be heard by it from now on, whoever else still has it open: the keeper until it has read our word, or a process
 * of the service that is about to end. */
static void close_one(Service *s, size_t k, bool silence) {
        OpenSocket *o = s->sockets->items + k;
        char name[HELD_SIZE];

        held_name(s, &o->spec, o->instance, name);
        (void) link_drop(s->manager->link, name);
        socket_unlink(&o->spec, &o->file);
        if (silence)
                (void) shutdown(o->fd, SHUT_RDWR);
        sd_event_source_disable_unref(o->source);
        fd_close(o->fd);
        socket_done(&o->spec);
        *o = s->sockets->items[--s->sockets->n];
        if (s->sockets->n == 0)
                s->sockets = sockets_free(s->sockets);
}

static bool named(const Service *s, const OpenSocket *o) {
        for (size_t k = 0; k < s->spec->sockets.n; k++)
                if (socket_same(s->spec->sockets.items + k, &o->spec))
                        return true;
        return false;
}

void sockets_update(Service *s) {
        for (size_t k = s->sockets ? s->sockets->n : 0; k > 0; k--)
                if (!named(s, s->sockets->items + k - 1))
                        close_one(s, k - 1, true);
}

/* Rests: nothing lives of it, and nothing of it is to come by itself. */
static bool rests(const Instance *i) {
        return !lifecycle_alive(&i->lc) && (i->lc.state == LC_STOPPED || i->lc.state == LC_EXITED || i->lc.state == LC_FAILED);
}

/* Of all that have its number: while it is replaced there are two. */
static bool index_rests(const Service *s, unsigned index) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->index == index && !rests(s->instances[k]))
                        return false;
        return true;
}

static void settle(Instance *i) {
        Service *s = i->service;
        bool all;

        if (!s->sockets || !index_rests(s, i->index))
                return;
        all = service_settled(s);
        for (size_t k = s->sockets->n; k > 0; k--) {
                const OpenSocket *o = s->sockets->items + k - 1;

                if (all || (o->spec.reuseport && o->instance == i->index))
                        close_one(s, k - 1, true);
                if (!s->sockets)
                        return;
        }
}

void sockets_attend(Instance *i) {
        settle(i);
        if (i->service->sockets)
                demand_attend(i->service);
}

Sockets *sockets_free(Sockets *s) {
        for (size_t k = 0; s && k < s->n; k++) {
                sd_event_source_disable_unref(s->items[k].source);
                fd_close(s->items[k].fd);
                socket_done(&s->items[k].spec);
        }
        if (s)
                sd_event_source_disable_unref(s->idle);
        free(s ? s->items : NULL);
        free(s);
        return NULL;
}

/* ---- opening ---- */

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
        char name[HELD_SIZE];
        int fd, r = refuse_double(s, spec, reterr);

        if (r < 0)
                return r;
        fd = socket_open(spec, id, reterr);
        if (fd < 0)
                return fd;
        held_name(s, spec, instance, name);
        r = link_hold(s->manager->link, name, fd);
        if (r >= 0)
                r = add_open(s, spec, instance, fd, ret);
        if (r < 0)
                fd_close(fd);
        return r;
}

static int tune(OpenSocket *o, const SocketSpec *spec, const Identity *id, KlError *reterr) {
        SocketSpec copy;
        int r;

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
        OpenSocket *o = find_open(i->service, spec, owner_of(spec, i));
        int r;

        if (o && lost(o)) {
                close_one(i->service, (size_t) (o - i->service->sockets->items), false);
                o = NULL;
        }
        r = o ? tune(o, spec, id, reterr) : open_new(i, spec, id, &o, reterr);
        *ret = o;
        return r;
}

static int pass_one(Instance *i, const SocketSpec *spec, const Identity *id, int *ret, KlError *reterr) {
        OpenSocket *o;
        int r = obtain(i, spec, id, &o, reterr);

        if (r < 0)
                return r;
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

int sockets_pass(Instance *i, const Identity *id, SocketsPassed *ret, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        int32_t numbers[SOCKETS_MAX];
        int r = socket_numbers(&s->sockets, numbers);

        *ret = (SocketsPassed) { .input = -EBADF };
        for (size_t k = 0; k < s->sockets.n && r >= 0; k++) {
                bool input = numbers[k] == 0;

                r = pass_one(i, s->sockets.items + k, id, input ? &ret->input : ret->listen + numbers[k] - SOCKET_FIRST_FD, reterr);
                ret->n += !input;
        }
        return r < 0 || ret->n == 0 ? r : join_names(s, numbers, &ret->names);
}

/* ---- after a manager's death ---- */

static void adopt_one(Service *s, const SocketSpec *spec, unsigned instance) {
        OpenSocket *o;
        char name[HELD_SIZE];
        int fd;

        held_name(s, spec, instance, name);
        fd = link_take_held(s->manager->link, name);
        if (fd >= 0 && add_open(s, spec, instance, fd, &o) < 0)
                fd_close(fd);
}

void sockets_adopt(Service *s) {
        for (size_t k = 0; k < s->spec->sockets.n; k++) {
                const SocketSpec *spec = s->spec->sockets.items + k;

                for (unsigned n = 0; n < (spec->reuseport ? s->n_instances : 1); n++)
                        adopt_one(s, spec, n);
        }
}

void sockets_adopted(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        sockets_attend(m->order[k]->instances[n]);
        link_drop_untaken(m->link, HELD_PREFIX);
}

json_object *sockets_json(const Service *s) {
        json_object *array = s->spec->sockets.n > 0 ? json_object_new_array() : NULL;

        for (size_t k = 0; k < s->spec->sockets.n; k++) {
                const SocketSpec *spec = s->spec->sockets.items + k;
                json_object *o = json_object_new_object();
                SocketAddress a;

                if (socket_address_parse(spec->listen, &a, NULL) >= 0)
                        json_set(o, "type", json_object_new_string(socket_type_name(socket_type(spec, &a))));
                json_set(o, "listen", json_object_new_string(spec->listen));
                json_set(o, "name", json_object_new_string(socket_name(spec, s->spec->name)));
                json_set(o, "open", json_object_new_boolean(find_open(s, spec, 0) != NULL));
                json_push(array, o);
        }
        return array;
}
