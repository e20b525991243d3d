/* Must stay true: what is in a store the keeper holds too, so that neither our death nor its own loses it; each open file is in a store once; nothing is
 * taken in whose closing could make us or the keeper wait; there is never more than fd_store says, and FD_STORES_MAX of all services. */
#include "manager/notify/fd_store.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "linux/foreign.h"
#include "manager/api/api.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/notify/fd_store_index.h"

/* How often it is said that descriptors were refused. */
#define TELL_EVERY (60 * USEC_PER_SEC)
/* So many that cannot be closed at once may an instance send, before its descriptors are not looked at any more: each may cost a process that waits. */
#define SLOW_MAX 16

typedef struct StoredFd {
        Service *service;
        unsigned instance;
        uint32_t number;               /* in the index */
        int fd;
        char name[FD_STORE_NAME_MAX + 1];
        sd_event_source *hangup;       /* NULL: nobody looks whether its other end is there */
} StoredFd;

struct FdStore {
        StoredFd **items;              /* in the order in which they came */
        size_t n;
};

void notify_fds_done(NotifyFds *f) {
        while (f->n > 0)
                fd_close_elsewhere(f->fds[--f->n]);
}

struct FdRefused {
        uint64_t n;
        usec_t told;
        unsigned slow;                 /* those whose closing may wait */
};

static size_t count(const Service *s, unsigned instance) {
        size_t n = 0;

        for (size_t k = 0; s->fd_store && k < s->fd_store->n; k++)
                n += s->fd_store->items[k]->instance == instance;
        return n;
}

/* ---- out ---- */

static StoredFd *stored_free(StoredFd *f) {
        sd_event_source_disable_unref(f->hangup);
        fd_close_elsewhere(f->fd);
        free(f);
        return NULL;
}

/* Also the keeper's copy must not linger, nor that of whoever closes it last. */
static void drop(Service *s, size_t k) {
        FdStore *store = s->fd_store;
        StoredFd *f = store->items[k];

        fd_end_linger(f->fd);
        fd_index_drop(s->manager, f->number);
        memmove(store->items + k, store->items + k + 1, (--store->n - k) * sizeof(StoredFd *));
        stored_free(f);
        if (store->n == 0)
                s->fd_store = fd_store_free(store);
}

/* Those of one instance: by that name, or all. */
static void drop_instance(Service *s, unsigned instance, const char *name) {
        for (size_t k = s->fd_store ? s->fd_store->n : 0; k > 0; k--) {
                const StoredFd *f = s->fd_store->items[k - 1];

                if (f->instance == instance && (!name || streq(f->name, name)))
                        drop(s, k - 1);
                if (!s->fd_store)
                        return;
        }
}

FdStore *fd_store_free(FdStore *s) {
        for (size_t k = 0; s && k < s->n; k++)
                stored_free(s->items[k]);
        free(s ? s->items : NULL);
        free(s);
        return NULL;
}

static bool rests(const Instance *i) {
        return !lifecycle_alive(&i->lc) && (i->lc.state == LC_STOPPED || i->lc.state == LC_EXITED || i->lc.state == LC_FAILED);
}

/* Of all that have this number: while it is replaced there are two. */
static void look_at(const Service *s, unsigned instance, bool *ret_alive, bool *ret_rests) {
        *ret_alive = false;
        *ret_rests = true;
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->index == instance) {
                        *ret_alive = *ret_alive || lifecycle_alive(&s->instances[k]->lc);
                        *ret_rests = *ret_rests && rests(s->instances[k]);
                }
}

void fd_store_attend(Instance *i) {
        Service *s = i->service;
        bool alive, all_rest;

        if (!s->fd_store)
                return;
        look_at(s, i->index, &alive, &all_rest);
        if (!fd_store_kept((FdStorePreserve) s->spec->fd_store_preserve, alive, all_rest))
                drop_instance(s, i->index, NULL);
}

void fd_store_empty(Instance *i) {
        bool alive, all_rest;

        look_at(i->service, i->index, &alive, &all_rest);
        if (all_rest)
                drop_instance(i->service, i->index, NULL);
}

void fd_store_update(Service *s) {
        for (size_t k = s->fd_store ? s->fd_store->n : 0; k > 0 && s->fd_store; k--)
                if (count(s, s->fd_store->items[k - 1]->instance) > s->spec->fd_store)
                        drop(s, k - 1);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        StoredFd *f = userdata;
        Service *s = f->service;

        for (size_t k = 0; k < s->fd_store->n; k++)
                if (s->fd_store->items[k] == f) {
                        log_debug("%s: the other end of \"%s\" in its fd store is gone", s->key, f->name);
                        drop(s, k);
                        break;
                }
        return 0;
}

/* ---- in ---- */

static int append(Service *s, StoredFd *f) {
        StoredFd **items;

        if (!s->fd_store && !(s->fd_store = calloc(1, sizeof(FdStore))))
                return -ENOMEM;
        items = reallocarray(s->fd_store->items, s->fd_store->n + 1, sizeof(StoredFd *));
        if (!items)
                return -ENOMEM;
        s->fd_store->items = items;
        items[s->fd_store->n++] = f;
        return 0;
}

/* What cannot be polled (EPERM of epoll_ctl(2)) has no other end. */
static void watch(StoredFd *f) {
        if (sd_event_add_io(f->service->manager->event, &f->hangup, f->fd, 0, on_hangup, f) >= 0)
                (void) sd_event_source_set_priority(f->hangup, PRIORITY_API);
}

/* Takes fd on success. */
static int add(Service *s, const FdRecord *record, uint32_t number, int fd) {
        StoredFd *f = malloc(sizeof(StoredFd));
        int r;

        if (!f)
                return -ENOMEM;
        *f = (StoredFd) { .service = s, .instance = record->instance, .number = number, .fd = fd };
        memcpy(f->name, record->name, sizeof(f->name));
        r = append(s, f);
        if (r < 0) {
                free(f);
                return r;
        }
        if (record->poll)
                watch(f);
        return 0;
}

static bool has(const Instance *i, int fd) {
        const FdStore *store = i->service->fd_store;

        for (size_t k = 0; store && k < store->n; k++)
                if (store->items[k]->instance == i->index && fd_same(store->items[k]->fd, fd))
                        return true;
        return false;
}

bool fd_store_looks(const Instance *i) {
        return !i->fd_refused || i->fd_refused->slow < SLOW_MAX;
}

/* NULL on OOM. */
static FdRefused *refused(Instance *i) {
        if (!i->fd_refused)
                i->fd_refused = calloc(1, sizeof(FdRefused));
        return i->fd_refused;
}

/* NULL: there is room, and it may come in. */
static const char *refusal(Instance *i, int fd) {
        if (!fd_closes_at_once(fd)) {
                if (refused(i))
                        i->fd_refused->slow++;
                return "closing it could take for ever, as it is a file that is not on a disk of this machine";
        }
        if (i->service->spec->fd_store == 0)
                return "it has no fd_store";
        return count(i->service, i->index) < i->service->spec->fd_store ? NULL : "there are as many as fd_store allows";
}

/* Takes the descriptor when it says NULL; else why not. */
static const char *store_one(Instance *i, const FdStoreOrder *order, int fd) {
        FdRecord record = { .owner = fd_index_owner(i->service), .instance = i->index, .poll = order->poll };
        const char *why = refusal(i, fd);
        uint32_t number;
        int r;

        if (why)
                return why;
        memcpy(record.name, order->name, sizeof(record.name));
        r = fd_index_put(i->service->manager, &record, fd, &number);
        if (r >= 0) {
                r = add(i->service, &record, number, fd);
                if (r < 0)
                        fd_index_drop(i->service->manager, number);
        }
        return r == -ENOSPC ? "the fd stores of all services together are full" : r < 0 ? strerror(-r) : NULL;
}

static void tell_refused(Instance *i, const char *why) {
        FdRefused *f = refused(i);
        usec_t now = now_usec(CLOCK_MONOTONIC);

        if (!f)
                return;
        f->n++;
        if (f->told && now < usec_add(f->told, TELL_EVERY))
                return;
        f->told = now;
        event_emit(i->service->manager, i, NULL, EVENT_FD_REFUSED, "a descriptor was not taken into its fd store: %s (%" PRIu64 " so far)", why, f->n);
}

void fd_store_message(Instance *i, const FdStoreOrder *order, NotifyFds *fds) {
        if (order->remove && order->named)
                drop_instance(i->service, i->index, order->name);
        for (size_t k = 0; order->store && k < fds->n; k++) {
                const char *why;

                if (fds->fds[k] < 0 || has(i, fds->fds[k]))
                        continue;
                why = store_one(i, order, fds->fds[k]);
                if (why)
                        tell_refused(i, why);
                else
                        fds->fds[k] = -EBADF;
        }
}

/* ---- at a start ---- */

int fd_store_pass(const Instance *i, int *fds, size_t *ret_n, char **ret_names) {
        const FdStore *store = i->service->fd_store;
        _cleanup_buffer_ Buffer b = {};
        size_t n = 0;
        int r = 0;

        for (size_t k = 0; store && k < store->n && n < FD_STORE_MAX && r >= 0; k++) {
                if (store->items[k]->instance != i->index)
                        continue;
                r = buffer_printf(&b, "%s%s", n > 0 ? ":" : "", store->items[k]->name);
                fds[n++] = store->items[k]->fd;
        }
        if (r < 0)
                return r;
        *ret_n = n;
        *ret_names = TAKE_PTR(b.data);
        return 0;
}

/* ---- after a manager's death ---- */

int fd_store_adopt(Service *s) {
        uint64_t owner = fd_index_owner(s);
        uint32_t at = 0, number;
        FdRecord record;
        int r = 0;

        while (r >= 0 && fd_index_next(s->manager, owner, &at, &number, &record)) {
                int fd = fd_index_take(s->manager, number);

                r = fd < 0 ? 0 : add(s, &record, number, fd);
                if (r < 0)
                        fd_close(fd);
        }
        return r;
}

void fd_stores_adopted(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                for (size_t n = s->fd_store ? s->fd_store->n : 0; n > 0 && s->fd_store; n--)
                        if (s->fd_store->items[n - 1]->instance >= s->n_instances)
                                drop(s, n - 1);
                for (size_t n = 0; n < s->n_instances; n++)
                        fd_store_attend(s->instances[n]);
        }
        fd_index_adopted(m);
}

json_object *fd_store_json(const Instance *i) {
        const FdStore *store = i->service->fd_store;
        json_object *o, *names;

        if (i->service->spec->fd_store == 0 && count(i->service, i->index) == 0)
                return NULL;
        o = json_object_new_object();
        names = json_object_new_array();
        for (size_t k = 0; store && k < store->n; k++)
                if (store->items[k]->instance == i->index)
                        json_push(names, json_object_new_string(store->items[k]->name));
        json_set(o, "max", json_object_new_int64(i->service->spec->fd_store));
        json_set(o, "count", json_object_new_int64((int64_t) count(i->service, i->index)));
        json_set(o, "refused", json_object_new_int64(i->fd_refused ? (int64_t) i->fd_refused->n : 0));
        json_set(o, "names", names);
        return o;
}
