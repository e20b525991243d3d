/* Which limits hold here and why the others do not: owns the support table of an Isolate and the reasons in it.
 *
 * What must stay true: every key of `limits` and `priority` is in the table, because the table is made from the keys of the specification;
 * a key that is not enforced always has a reason that a person can act on. rlimits, nice, I/O class and OOM score are given to the process
 * itself and hold in every kind. */
#include "isolate/isolate_internal.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"

static bool key_is_limit(const SpecKey *k) {
        return startswith(k->path, "limits.") || startswith(k->path, "priority.");
}

int support_init(Isolate *i) {
        size_t n = 0;

        for (const SpecKey *k = spec_keys; k->path; k++)
                n += key_is_limit(k);
        i->support = calloc(MAX(n, (size_t) 1), sizeof(LimitSupport));
        if (!i->support)
                return -ENOMEM;
        for (const SpecKey *k = spec_keys; k->path; k++)
                if (key_is_limit(k))
                        i->support[i->n_support++] = (LimitSupport) { .key = k->path, .enforced = true, .why = "" };
        return 0;
}

static LimitSupport *support_find(const Isolate *i, const char *key) {
        for (size_t k = 0; k < i->n_support; k++)
                if (streq(i->support[k].key, key))
                        return i->support + k;
        return NULL;
}

bool support_has(const Isolate *i, const char *key) {
        const LimitSupport *s = support_find(i, key);

        return s && s->enforced;
}

/* A copy of the reason that lives as long as the Isolate. */
static const char *reason_keep(Isolate *i, const char *why) {
        STRV_FOREACH(s, i->reasons)
                if (streq(*s, why))
                        return *s;
        if (strv_append(&i->reasons, why) < 0)
                return NULL;
        return i->reasons[strv_length(i->reasons) - 1];
}

/* What the kernel would tell is looked for from time to time instead. */
static int restart_by_looking(Isolate *i, const char *why) {
        LimitSupport *s = support_find(i, "limits.memory_restart");
        _cleanup_free_ char *text = text_printf("by a look every 5 s: %s", why);

        if (!text || !s)
                return s ? -ENOMEM : -ENOENT;
        s->why = reason_keep(i, text);
        if (s->why)
                return 0;
        s->why = "";
        return -ENOMEM;
}

int support_deny_key(Isolate *i, const char *key, const char *why) {
        LimitSupport *s = support_find(i, key);

        if (!s)
                return -ENOENT;
        if (!s->enforced)
                return 0; /* the first reason is the deepest */
        why = reason_keep(i, why);
        if (!why)
                return -ENOMEM;
        s->enforced = false;
        s->why = why;
        return streq(key, "limits.memory_high") ? restart_by_looking(i, why) : 0;
}

int support_deny(Isolate *i, unsigned controllers, const char *why) {
        int r;

        for (const LimitFile *f = limit_files; f->key; f++) {
                if (!(f->controller & controllers))
                        continue;
                r = support_deny_key(i, f->key, why);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

/* ---- why a controller is missing ---- */

typedef struct ControllerName {
        unsigned mask;
        const char *name, *v1;   /* as cgroup v2 and v1 call it */
} ControllerName;

static const ControllerName controller_names[] = {
        { CGROUP_CPU, "cpu", "cpu" },
        { CGROUP_MEMORY, "memory", "memory" },
        { CGROUP_IO, "io", "blkio" },
        { CGROUP_PIDS, "pids", "pids" },
};

/* Is `name` one of the words of a list separated by commas? */
static bool list_has(const char *list, size_t n, const char *name) {
        size_t length = strlen(name);

        for (const char *p = list, *end = list + n; p < end;) {
                const char *comma = memchr(p, ',', (size_t) (end - p));
                size_t word = (size_t) ((comma ? comma : end) - p);

                if (word == length && memcmp(p, name, length) == 0)
                        return true;
                p += word + 1;
        }
        return false;
}

/* /proc/self/cgroup, "4:memory:/path": a hierarchy with a number other than 0 is v1. */
static bool bound_to_v1(const char *v1) {
        _cleanup_free_ char *text = NULL;

        if (read_file_at(AT_FDCWD, "/proc/self/cgroup", 64 * 1024, &text, NULL) < 0)
                return false;
        for (char *line = text, *next; line && *line; line = next) {
                char *list = strchr(line, ':'), *path;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                path = list ? strchr(list + 1, ':') : NULL;
                if (path && list_has(list + 1, (size_t) (path - list - 1), v1))
                        return true;
        }
        return false;
}

/* /proc/cgroups, "memory  4  14  1": -ENOENT where the kernel was built without it, else the last column. */
static int enabled_at_boot(const char *v1) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_file_at(AT_FDCWD, "/proc/cgroups", 64 * 1024, &text, NULL);
        if (r < 0)
                return r;
        for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                char name[32];
                int enabled;

                if (sscanf(line, "%31s %*d %*d %d", name, &enabled) == 2 && streq(name, v1))
                        return enabled != 0;
        }
        return -ENOENT;
}

static const char *controller_absence(const Isolate *i, const ControllerName *c) {
        int at_root = i->mount ? cgroup_controllers(i->mount, "cgroup.controllers") : 0, enabled;

        if (bound_to_v1(c->v1))
                return "it is bound to cgroup v1";
        if (at_root > 0 && ((unsigned) at_root & c->mask))
                return "it is not delegated to this cgroup";
        enabled = enabled_at_boot(c->v1);
        if (enabled == 0)
                return "it is switched off (cgroup_disable= of the kernel command line)";
        return enabled == -ENOENT ? "the kernel has none" : "it is not available in this hierarchy";
}

int support_from_controllers(Isolate *i, const char *dir, unsigned have) {
        int r;

        for (size_t k = 0; k < ARRAY_SIZE(controller_names); k++) {
                const ControllerName *c = controller_names + k;
                _cleanup_free_ char *why = NULL;

                if (have & c->mask)
                        continue;
                why = text_printf("no %s controller in cgroup %s: %s", c->name, dir, controller_absence(i, c));
                if (!why)
                        return -ENOMEM;
                r = support_deny(i, c->mask, why);
                if (r < 0)
                        return r;
                r = isolate_note(i, "%s", why);
                if (r < 0)
                        return r;
        }
        return 0;
}

int support_from_files(Isolate *i, const char *dir, unsigned have) {
        int r;

        for (const LimitFile *f = limit_files; f->key; f++) {
                _cleanup_free_ char *path = NULL, *why = NULL;

                if (!(f->controller & have))
                        continue;
                path = path_join(dir, f->file);
                if (!path)
                        return -ENOMEM;
                if (access(path, W_OK) >= 0)
                        continue;
                why = text_printf("no writable %s in this kernel's cgroups", f->file);
                if (!why)
                        return -ENOMEM;
                r = support_deny_key(i, f->key, why);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

/* ---- the public face ---- */

const LimitSupport *isolate_support(const Isolate *i, size_t *ret_n) {
        *ret_n = i->n_support;
        return i->support;
}

char **isolate_unenforced(const Isolate *i, const ServiceSpec *spec) {
        _cleanup_strv_ char **l = NULL;

        for (size_t k = 0; k < i->n_support; k++) {
                const LimitSupport *s = i->support + k;

                if (s->enforced || spec_key_is_default(spec_key_find(s->key), spec))
                        continue;
                if (strv_consume(&l, text_printf("%s: %s", s->key, s->why)) < 0)
                        return NULL;
        }
        return TAKE_PTR(l);
}
