/* Must stay true: memory follows the number of lines wanted, not that of lines seen. */
#include "kingctl/log_tail.h"

#include "base/map.h"
#include "kingctl/reply.h"

typedef struct Kept {
        uint64_t number;         /* in the order of arrival */
        json_object *entry;
} Kept;

typedef struct Origin {
        char *key;
        Kept *ring;              /* the last `kept` of those wanted, oldest at `head` once it is full */
        size_t kept, allocated, head;
        uint64_t seen;
} Origin;

struct LogTail {
        const LogFilter *filter;
        uint64_t lines, number;
        Map *origins;
};

int log_tail_new(const LogFilter *filter, uint64_t lines, LogTail **ret) {
        _cleanup_(log_tail_freep) LogTail *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->filter = filter;
        t->lines = lines;
        t->origins = map_new_string();
        if (!t->origins)
                return -ENOMEM;
        *ret = TAKE_PTR(t);
        return 0;
}

static void origin_free(Origin *o) {
        for (size_t k = 0; k < o->kept; k++)
                json_object_put(o->ring[k].entry);
        free(o->ring);
        free(o->key);
        free(o);
}

static void free_origins(LogTail *t) {
        size_t i = 0;
        void *o;

        while (t->origins && map_next(t->origins, &i, &o))
                origin_free(o);
        t->origins = map_free(t->origins);
}

LogTail *log_tail_free(LogTail *t) {
        if (t)
                free_origins(t);
        free(t);
        return NULL;
}

void log_tail_clear(LogTail *t) {
        free_origins(t);
        t->origins = map_new_string();
}

static Origin *origin_of(LogTail *t, json_object *entry) {
        _cleanup_free_ char *key =
                instance_name(field_text(entry, "namespace"), field_text(entry, "name"), field_number(entry, "instance", 0), false);
        Origin *o = key && t->origins ? map_get(t->origins, key) : NULL;

        if (o || !key || !t->origins)
                return o;
        o = calloc(1, sizeof(*o));
        if (!o)
                return NULL;
        o->key = TAKE_PTR(key);
        if (map_put(t->origins, o->key, o) < 0) {
                origin_free(o);
                return NULL;
        }
        return o;
}

static int keep(LogTail *t, Origin *o, json_object *entry) {
        Kept *k;

        if (o->kept == t->lines) {
                k = o->ring + o->head;
                json_object_put(k->entry);
                o->head = (o->head + 1) % o->kept;
        } else {
                if (o->kept == o->allocated) {
                        size_t n = o->allocated ? 2 * o->allocated : 16;
                        Kept *grown = reallocarray(o->ring, n, sizeof(*grown));

                        if (!grown)
                                return -ENOMEM;
                        o->ring = grown;
                        o->allocated = n;
                }
                k = o->ring + o->kept++;
        }
        *k = (Kept){ t->number++, json_object_get(entry) };
        return 0;
}

int log_tail_add(LogTail *t, json_object *entry) {
        Origin *o = origin_of(t, entry);

        if (!o)
                return -ENOMEM;
        o->seen++;
        return t->lines > 0 && log_filter_wants(t->filter, entry) ? keep(t, o, entry) : 0;
}

size_t log_tail_short(const LogTail *t, uint64_t asked) {
        size_t i = 0, n = 0;
        void *v;

        while (t->origins && map_next(t->origins, &i, &v))
                n += ((Origin *) v)->kept < t->lines && ((Origin *) v)->seen >= asked;
        return n;
}

size_t log_tail_full(const LogTail *t) {
        return t->origins ? map_size(t->origins) - log_tail_short(t, 0) : 0;
}

static int by_number(const void *a, const void *b) {
        const Kept *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

int log_tail_each(LogTail *t, void (*print)(void *userdata, json_object *entry), void *userdata) {
        _cleanup_free_ Kept *all = NULL;
        size_t n = 0, i = 0;
        void *v;

        while (t->origins && map_next(t->origins, &i, &v))
                n += ((Origin *) v)->kept;
        all = calloc(n + 1, sizeof(*all));
        if (!all)
                return -ENOMEM;
        n = i = 0;
        while (t->origins && map_next(t->origins, &i, &v)) {
                const Origin *o = v;

                if (o->kept > 0)
                        memcpy(all + n, o->ring, o->kept * sizeof(*all));
                n += o->kept;
        }
        qsort(all, n, sizeof(*all), by_number);
        for (i = 0; i < n; i++)
                print(userdata, all[i].entry);
        return 0;
}
