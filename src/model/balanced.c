/* Must stay true: what is made depends on the service alone, so that the same file gives the same set, and nothing changes when it is applied again. */
#include "model/balanced.h"

#include "base/strv.h"
#include "base/text.h"
#include "model/depend.h"

/* Clients wait in the queue of the socket meanwhile. */
#define RETRY_FIRST (100 * USEC_PER_MSEC)
#define RETRY_MAX   (5 * USEC_PER_SEC)

static bool balances(const ServiceSpec *b, const ServiceSpec *s) {
        return b->balances && streq(b->ns, s->ns) && streq(b->balances, s->name);
}

ServiceSpec *balanced_find(const SpecList *l, const ServiceSpec *s) {
        for (size_t k = 0; k < l->n; k++)
                if (balances(l->items[k], s))
                        return l->items[k];
        return NULL;
}

bool balanced_orphaned(const ServiceSpec *balancer, const SpecList *desired) {
        for (size_t k = 0; balancer->balances && k < desired->n; k++)
                if (balances(balancer, desired->items[k]))
                        return !spec_balanced(desired->items[k]);
        return false;
}

/* What it needs no right for it has none to. */
static int make(const ServiceSpec *s, const char *name, ServiceSpec **ret) {
        _cleanup_(spec_freep) ServiceSpec *b = NULL;
        int r = spec_new(s->ns, name, &b);

        if (r >= 0)
                r = spec_key_copy(spec_key_find("autostart"), b, s);
        if (r >= 0)
                r = spec_key_copy(spec_key_find("reload.drain_timeout"), b, s);
        if (r >= 0)
                r = strv_append(&b->command, BALANCER_COMMAND);
        if (r < 0)
                return r;
        b->balances = strdup(s->name);
        b->description = text_printf("spreads connections over the instances of %s", s->name);
        if (!b->balances || !b->description)
                return -ENOMEM;
        b->restart.when = RESTART_ALWAYS;
        b->restart.limit = 0;
        b->restart.delay = RETRY_FIRST;
        b->restart.max_delay = RETRY_MAX;
        b->no_new_privileges = true;
        b->reload.by = RELOAD_BY_ROLLING;
        *ret = TAKE_PTR(b);
        return 0;
}

static int refuse(const ServiceSpec *s, const char *name, KlError *reterr) {
        (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "sockets.balance: the balancer of %s would be %s, which is a service of its own", s->name, name);
        kl_error_hint(reterr, "rename that one, or write a service of another name with `balances: %s` and `command: " BALANCER_COMMAND "`", s->name);
        return -EINVAL;
}

static int add_balancer(SpecList *desired, const SpecList *present, const ServiceSpec *s, KlError *reterr) {
        _cleanup_free_ char *name = text_printf("%s" BALANCER_SUFFIX, s->name);
        const ServiceSpec *given = balanced_find(desired, s) ?: balanced_find(present, s), *other;
        _cleanup_(spec_freep) ServiceSpec *b = NULL;
        int r;

        if (!name)
                return -ENOMEM;
        /* One that somebody wrote, or one of an earlier time, which is made anew. */
        if (balanced_find(desired, s) || (given && !streq(given->name, name)))
                return 0;
        other = spec_list_find(desired, s->ns, name) ?: spec_list_find(present, s->ns, name);
        if ((other && !balances(other, s)) || !name_valid(name))
                return refuse(s, name, reterr);
        r = make(s, name, &b);
        if (r >= 0)
                r = spec_list_append(desired, b);
        if (r >= 0)
                b = NULL;
        return r;
}

int balanced_expand(SpecList *desired, const SpecList *present, KlError *reterr) {
        size_t n = desired->n;
        int r = 0;

        for (size_t k = 0; k < n && r >= 0; k++) {
                ServiceSpec *s = desired->items[k];
                const ServiceSpec *b;

                if (!spec_balanced(s))
                        continue;
                r = add_balancer(desired, present, s, reterr);
                b = r >= 0 ? balanced_find(desired, s) ?: balanced_find(present, s) : NULL;
                if (b)
                        r = depend_add(s, b->name, DEPEND_STARTED);
        }
        return r;
}
