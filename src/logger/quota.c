/* Must stay true: only a name that rotation makes (NAME.log.N, also compressed) is ever removed. */
#include "logger/quota.h"

#include <fts.h>

#include "logger/chain.h"

#define DEPTH 2                       /* root/NAME.log, root/NAMESPACE/NAME.log */

typedef struct Aside {
        struct timespec written;
        uint64_t size;
        char *path;
} Aside;

typedef struct Survey {
        uint64_t size;
        Aside *aside;
        size_t n, allocated;
} Survey;

static void survey_done(Survey *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->aside[i].path);
        free(s->aside);
}

/* -1 no log file, 0 a current one, or the number that rotation gave it. */
static int64_t log_number(const char *name) {
        int64_t number = -1;
        ChainForm form;

        for (const char *p = strstr(name, ".log"); p && number < 0; p = strstr(p + 1, ".log"))
                number = chain_number(name, (size_t) (p - name) + 4, &form);
        return number;
}

static int survey_add(Survey *s, const FTSENT *e) {
        int64_t number = log_number(e->fts_name);
        Aside *grown;

        if (number < 0)
                return 0;
        s->size += (uint64_t) e->fts_statp->st_size;
        if (number == 0)
                return 0;
        if (s->n == s->allocated) {
                grown = reallocarray(s->aside, s->allocated * 2 + 16, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                s->aside = grown;
                s->allocated = s->allocated * 2 + 16;
        }
        s->aside[s->n] = (Aside) { e->fts_statp->st_mtim, (uint64_t) e->fts_statp->st_size, strdup(e->fts_path) };
        return s->aside[s->n].path ? (s->n++, 0) : -ENOMEM;
}

static int survey(const char *root, Survey *s) {
        char *const roots[] = { (char *) root, NULL };
        FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
        FTSENT *e;
        int r = 0;

        if (!fts)
                return -errno;
        while (r >= 0 && (e = fts_read(fts)))
                if (e->fts_info == FTS_F)
                        r = survey_add(s, e);
                else if (e->fts_info == FTS_D && e->fts_level >= DEPTH)
                        (void) fts_set(fts, e, FTS_SKIP);
        (void) fts_close(fts);
        return r;
}

static int by_age(const void *a, const void *b) {
        const struct timespec *x = &((const Aside *) a)->written, *y = &((const Aside *) b)->written;

        if (x->tv_sec != y->tv_sec)
                return x->tv_sec < y->tv_sec ? -1 : 1;
        return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

int quota_enforce(const char *root, uint64_t quota, uint64_t *ret_size) {
        _cleanup_(survey_done) Survey s = {};
        int r, removed = 0;

        r = survey(root, &s);
        if (r < 0)
                return r;
        if (s.n > 0)
                qsort(s.aside, s.n, sizeof(*s.aside), by_age);
        for (size_t i = 0; i < s.n && s.size > quota; i++) {
                if (unlink(s.aside[i].path) < 0 && errno != ENOENT)
                        continue;
                s.size -= s.aside[i].size;
                removed++;
        }
        *ret_size = s.size;
        return removed;
}
