/* Must stay true: what is made depends on the service alone, so that the same file gives the same set, and nothing changes when it is applied again. */
#include "model/collect.h"

#include "base/strv.h"
#include "base/text.h"
#include "model/depend.h"

#define RETRY_MAX (5 * USEC_PER_SEC)   /* what it should read waits meanwhile */

static bool collects(const ServiceSpec *c, const ServiceSpec *s) {
        return c->collects && streq(c->ns, s->ns) && streq(c->collects, s->name);
}

ServiceSpec *collect_find(const SpecList *l, const ServiceSpec *s) {
        for (size_t k = 0; k < l->n; k++)
                if (collects(l->items[k], s))
                        return l->items[k];
        return NULL;
}

bool collect_orphaned(const ServiceSpec *collector, const SpecList *desired) {
        for (size_t k = 0; collector->collects && k < desired->n; k++)
                if (collects(collector, desired->items[k]))
                        return desired->items[k]->log.to != LOG_TO_EXEC;
        return false;
}

/* What a collector has from its service: who it is, where it runs, and how many. */
static int inherit(ServiceSpec *to, const ServiceSpec *from) {
        static const char *const keys[] = { "instances", "autostart", "cwd", "env", "env_file", "user", "group", "umask", "capabilities",
                                            "no_new_privileges" };

        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                int r = spec_key_copy(spec_key_find(keys[k]), to, from);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int make(const ServiceSpec *s, const char *name, ServiceSpec **ret) {
        _cleanup_(spec_freep) ServiceSpec *c = NULL;
        int r = spec_new(s->ns, name, &c);

        if (r >= 0)
                r = inherit(c, s);
        if (r < 0)
                return r;
        c->command = strv_copy(s->log.exec);
        c->collects = strdup(s->name);
        c->description = text_printf("reads what %s writes", s->name);
        if (!c->command || !c->collects || !c->description)
                return -ENOMEM;
        /* Whatever it says about its end: as long as somebody writes, somebody reads. */
        c->restart.when = RESTART_ALWAYS;
        c->restart.limit = 0;
        c->restart.max_delay = RETRY_MAX;
        *ret = TAKE_PTR(c);
        return 0;
}

static ServiceSpec *named(const SpecList *l, const char *ns, const char *name) {
        return spec_list_find(l, ns, name);
}

static int refuse(const ServiceSpec *s, const char *name, KlError *reterr) {
        (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "log.to: the collector of %s would be %s, which is a service of its own", s->name, name);
        kl_error_hint(reterr, "rename that one, or give %s a collector under another name: `collects: %s`", s->name, s->name);
        return -EINVAL;
}

static int add_collector(SpecList *desired, const SpecList *present, const ServiceSpec *s, KlError *reterr) {
        _cleanup_free_ char *name = text_printf("%s" COLLECT_SUFFIX, s->name);
        const ServiceSpec *given = collect_find(desired, s) ?: collect_find(present, s), *other;
        _cleanup_(spec_freep) ServiceSpec *c = NULL;
        int r;

        if (!name)
                return -ENOMEM;
        /* One that somebody wrote, or one of an earlier time, which is made anew. */
        if (!s->log.exec || collect_find(desired, s) || (given && !streq(given->name, name)))
                return 0;
        other = named(desired, s->ns, name) ?: named(present, s->ns, name);
        if ((other && !collects(other, s)) || !name_valid(name))
                return refuse(s, name, reterr);
        r = make(s, name, &c);
        if (r >= 0)
                r = spec_list_append(desired, c);
        if (r >= 0)
                c = NULL;
        return r;
}

int collect_expand(SpecList *desired, const SpecList *present, KlError *reterr) {
        size_t n = desired->n;
        int r = 0;

        for (size_t k = 0; k < n && r >= 0; k++) {
                ServiceSpec *s = desired->items[k];
                const ServiceSpec *c;

                if (s->log.to != LOG_TO_EXEC)
                        continue;
                r = add_collector(desired, present, s, reterr);
                c = r >= 0 ? collect_find(desired, s) ?: collect_find(present, s) : NULL;
                if (c)
                        r = depend_add(s, c->name, DEPEND_STARTED);
        }
        return r;
}
