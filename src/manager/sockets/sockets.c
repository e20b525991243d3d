/* Must stay true: what is open here the keeper holds too, under a name that says which service's socket on which address it is, so that the next
 * manager finds it however the list was reordered; a socket is open exactly as long as something of its service lives, waits or is on its way up. */
#include "manager/sockets/sockets_private.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/balance/balance.h"
#include "manager/life/instance.h"
#include "manager/life/service.h"
#include "manager/link.h"

#define HELD_PREFIX "sock-"

static uint64_t mix(uint64_t h, const char *text) {
        do
                h = (h ^ (uint8_t) *text) * UINT64_C(0x100000001b3);
        while (*text++);
        return h;
}

/* FNV-1a of service, kind and address: whatever socket_same() compares. */
static uint64_t identity(const Service *s, const SocketSpec *spec) {
        uint64_t h = mix(UINT64_C(0xcbf29ce484222325), s->key);
        char buf[SOCKET_TEXT_MAX];
        SocketAddress a;

        if (socket_address_parse(spec->listen, &a, NULL) >= 0) {
                h = mix(h, socket_address_format(&a, buf));
                h = mix(h, socket_type_name(socket_type(spec, &a)));
        }
        h = mix(h, spec->reuseport ? "reuseport" : "");
        return mix(h, spec->freebind ? "freebind" : "");
}

void socket_held_name(const Service *s, const SocketSpec *spec, unsigned instance, char ret[SOCKET_HELD_SIZE]) {
        snprintf(ret, SOCKET_HELD_SIZE, HELD_PREFIX "%016" PRIx64 "-%u", identity(s, spec), instance);
}

uint32_t sockets_front(const Service *s, const SocketSpec *spec) {
        uint64_t h = identity(s, spec);

        return (uint32_t) (h ^ (h >> 32)) ?: 1;
}

OpenSocket *socket_find_open(const Service *s, const SocketSpec *spec, unsigned instance) {
        for (size_t k = 0; s->sockets && k < s->sockets->n; k++)
                if (s->sockets->items[k].instance == instance && socket_same(&s->sockets->items[k].spec, spec))
                        return s->sockets->items + k;
        return NULL;
}

int sockets_open_fd(const Service *s, const SocketSpec *spec) {
        const OpenSocket *o = socket_find_open(s, spec, 0);

        return o ? o->fd : -ENOENT;
}

int socket_add_open(Service *s, const SocketSpec *spec, unsigned instance, int fd, OpenSocket **ret) {
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

/* The file goes first: whoever dies in between leaves it to the next manager, to which the keeper gives the socket as long as it holds it. */
void socket_close_one(Service *s, size_t k, bool silence) {
        OpenSocket *o = s->sockets->items + k;
        char name[SOCKET_HELD_SIZE];

        if (socket_balanced(&o->spec))
                balance_socket_gone(s, sockets_front(s, &o->spec));
        socket_unlink(&o->spec, &o->file);
        socket_held_name(s, &o->spec, o->instance, name);
        (void) link_drop(s->manager->link, name);
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
                        socket_close_one(s, k - 1, true);
}

/* Rests: nothing lives of it, and nothing of it is to come by itself. Clients may wait in the sockets of one that the last manager had no time to write down. */
static bool rests(const Instance *i) {
        return !lifecycle_alive(&i->lc) && (i->lc.state == LC_STOPPED || i->lc.state == LC_EXITED || i->lc.state == LC_FAILED) && !instance_due(i);
}

/* Of all that have its number: while it is replaced there are two. */
static bool index_rests(const Service *s, unsigned index) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->index == index && !rests(s->instances[k]))
                        return false;
        return true;
}

static bool all_rest(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!instance_down(s->instances[k]) || instance_due(s->instances[k]))
                        return false;
        return true;
}

static void settle(Instance *i) {
        Service *s = i->service;
        bool all;

        if (!s->sockets || !index_rests(s, i->index))
                return;
        all = all_rest(s);
        for (size_t k = s->sockets->n; k > 0; k--) {
                const OpenSocket *o = s->sockets->items + k - 1;

                if (all || (o->spec.reuseport && o->instance == i->index))
                        socket_close_one(s, k - 1, true);
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

/* ---- after a manager's death ---- */

static int adopt_one(Service *s, const SocketSpec *spec, unsigned instance) {
        OpenSocket *o;
        char name[SOCKET_HELD_SIZE];
        int fd, r;

        socket_held_name(s, spec, instance, name);
        fd = link_take_held(s->manager->link, name);
        if (fd < 0)
                return 0;
        r = socket_add_open(s, spec, instance, fd, &o);
        if (r < 0)
                fd_close(fd);
        return MIN(r, 0);
}

int sockets_adopt(Service *s) {
        int r = 0;

        for (size_t k = 0; k < s->spec->sockets.n; k++) {
                const SocketSpec *spec = s->spec->sockets.items + k;

                for (unsigned n = 0; r >= 0 && n < (spec->reuseport ? s->n_instances : 1); n++)
                        r = adopt_one(s, spec, n);
        }
        return r;
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
                json_set(o, "open", json_object_new_boolean(socket_find_open(s, spec, 0) != NULL));
                json_push(array, o);
        }
        return array;
}
