/* Selectors: web · web:0 · namespace/web · @namespace · 'glob*' · all. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "manager/balance/balance.h"
#include "manager/life/service.h"
#include "manager/logs/collector.h"

void selection_done(Selection *s) {
        free(s->items);
        *s = (Selection) {};
}

/* Several selectors may name one instance twice. */
int selection_add(Selection *s, Instance *i) {
        if (i->selected)
                return 0;
        if (s->n == s->allocated) {
                size_t n = MAX(s->allocated * 2, 16u);
                Instance **items = reallocarray(s->items, n, sizeof(Instance *));
                if (!items)
                        return -ENOMEM;
                s->items = items;
                s->allocated = n;
        }
        s->items[s->n++] = i;
        i->selected = true;
        return 0;
}

int selector_parse(const char *text, const char *ns, Selector *ret, KlError *reterr) {
        const char *slash = strchr(text, '/'), *name = slash ? slash + 1 : text, *colon = strrchr(name, ':');
        size_t n_name = colon ? (size_t) (colon - name) : strlen(name);
        uint64_t index;

        *ret = (Selector) { .instance = -1 };
        snprintf(ret->ns, sizeof ret->ns, "%s", ns ?: "");
        if (streq(text, "all")) {
                ret->everything = true;
                return 0;
        }
        if (text[0] == '@') {
                snprintf(ret->ns, sizeof ret->ns, "%s", text + 1);
                ret->everything = true;
                return 0;
        }
        if (colon && parse_u64(colon + 1, &index) < 0)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: what stands behind the colon is not an instance number", text);
        if (n_name == 0 || n_name >= sizeof ret->name || (slash && (size_t) (slash - text) >= sizeof ret->ns))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "not a selector: %s", text);
        if (colon)
                ret->instance = (int64_t) MIN(index, (uint64_t) INT32_MAX);
        if (slash)
                snprintf(ret->ns, sizeof ret->ns, "%.*s", (int) (slash - text), text);
        snprintf(ret->name, sizeof ret->name, "%.*s", (int) n_name, name);
        ret->pattern = strpbrk(ret->name, "*?[\\");
        return 0;
}

bool selector_matches(const Selector *s, const char *ns, const char *name) {
        if (s->ns[0] && !streq(s->ns, ns))
                return false;
        return s->everything || (s->pattern ? text_glob_match(s->name, name) : streq(s->name, name));
}

static int no_match(const Manager *m, const char *text, const Selector *s, KlError *reterr) {
        _cleanup_free_ const char **names = calloc(m->n_order + 1, sizeof(char *));
        const char *near;
        size_t n = 0;

        if (s->everything && s->ns[0])
                return kl_error_set(reterr, -ENOENT, KL_E_NOT_FOUND, "no service in namespace %s", s->ns);
        kl_error_set(reterr, -ENOENT, KL_E_NOT_FOUND, "no such service: %s", text);
        for (size_t k = 0; names && k < m->n_order; k++)
                if (!m->order[k]->deleting && !streq(m->order[k]->spec->name, s->name))
                        names[n++] = m->order[k]->spec->name;
        near = names ? text_nearest(s->name, names) : NULL;
        if (near)
                kl_error_hint(reterr, "did you mean %s?", near);
        else
                kl_error_hint(reterr, "`kingctl list` shows what there is");
        return -ENOENT;
}

/* Adds what one selector names. 1 if that was something, 0 if nothing. */
static int selection_match(Manager *m, const Selector *s, Selection *found) {
        bool matched = false;

        for (size_t k = 0; k < m->n_order; k++) {
                Service *service = m->order[k];

                if (service->deleting || !selector_matches(s, service->spec->ns, service->spec->name))
                        continue;
                for (size_t n = 0; n < service->n_instances; n++) {
                        if (s->instance >= 0 && service->instances[n]->index != s->instance)
                                continue;
                        if (selection_add(found, service->instances[n]) < 0)
                                return -ENOMEM;
                        matched = true;
                }
        }
        return matched;
}

static int resolve(Manager *m, char *const *selectors, const char *ns, Selection *found, KlError *reterr) {
        char *const everything[] = { (char *) "all", NULL };

        STRV_FOREACH(text, selectors ?: everything) {
                Selector s;
                int r = selector_parse(*text, ns, &s, reterr);

                if (r < 0)
                        return r;
                r = selection_match(m, &s, found);
                if (r < 0)
                        return r;
                if (r == 0 && !(s.everything && !s.ns[0]))
                        return no_match(m, *text, &s, reterr);
        }
        return 0;
}

int selection_resolve(Manager *m, char *const *selectors, const char *ns, Selection *ret, KlError *reterr) {
        _cleanup_selection_ Selection found = {};
        int r = resolve(m, selectors, ns, &found, reterr);

        for (size_t k = 0; k < found.n; k++)
                found.items[k]->selected = false;
        if (r < 0)
                return r;
        *ret = found;
        found = (Selection) {};
        return 0;
}

void selection_leave_extra(Selection *s) {
        size_t n = 0;

        for (size_t k = 0; k < s->n; k++)
                if (!s->items[k]->surge && !s->items[k]->retired)
                        s->items[n++] = s->items[k];
        s->n = n;
}

/* All of the service is marked as selected. */
static bool selected_whole(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!s->instances[k]->selected && !s->instances[k]->removing)
                        return false;
        return true;
}

int selection_add_collectors(Selection *s) {
        size_t n = s->n;
        int r = 0;

        for (size_t k = 0; k < n; k++)
                s->items[k]->selected = true;
        for (size_t k = 0; k < n && r >= 0; k++) {
                const Service *service = s->items[k]->service;
                bool whole = selected_whole(service);
                Service *collector = whole && service->spec->log.to == LOG_TO_EXEC ? collector_of(service) : NULL;
                Service *balancer = whole && spec_balanced(service->spec) ? balancer_of(service) : NULL;

                for (size_t c = 0; collector && c < collector->n_instances && r >= 0; c++)
                        r = selection_add(s, collector->instances[c]);
                for (size_t c = 0; balancer && c < balancer->n_instances && r >= 0; c++)
                        r = selection_add(s, balancer->instances[c]);
        }
        for (size_t k = 0; k < s->n; k++)
                s->items[k]->selected = false;
        return r;
}
