/* Desired against present. What must stay true: a service that is the same in every key gives KEEP and nothing else, and the verb is never weaker
 * than the strongest effect among the changes. */
#include "model/plan.h"

#include "base/text.h"
#include "model/balanced.h"
#include "model/collect.h"
#include "model/redact.h"
#include "model/spec_index.h"

static const char *const verb_names[_PLAN_VERB_MAX] = {
        [PLAN_ADD] = "add",   [PLAN_KEEP] = "keep",       [PLAN_UPDATE] = "update", [PLAN_SCALE] = "scale",
        [PLAN_LIVE] = "live", [PLAN_RESTART] = "restart", [PLAN_REMOVE] = "remove",
};

const char *plan_verb_name(PlanVerb v) {
        return verb_names[v];
}

/* The verbs between KEEP and RESTART are in the order of strength. */
static const PlanVerb verb_of_effect[] = {
        [EFFECT_NONE] = PLAN_UPDATE,
        [EFFECT_LIVE] = PLAN_LIVE,
        [EFFECT_SCALE] = PLAN_SCALE,
        [EFFECT_RESTART] = PLAN_RESTART,
};

static void item_done(PlanItem *i) {
        for (size_t n = 0; n < i->n_changes; n++) {
                free(i->changes[n].from);
                free(i->changes[n].to);
        }
        free(i->changes);
}

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n; i++)
                item_done(p->items + i);
        free(p->items);
        *p = (Plan) {};
}

/* Two values that differ in a secret look the same. */
static int tell_hidden(PlanChange *c) {
        char *text = streq(c->from, c->to) ? text_printf("%s (what is hidden differs)", c->to) : c->to;

        if (!text || text == c->to)
                return text ? 0 : -ENOMEM;
        free(c->to);
        c->to = text;
        return 0;
}

static int item_change(PlanItem *i, const SpecKey *k) {
        Redactor old, new;
        PlanChange *grown = reallocarray(i->changes, i->n_changes + 1, sizeof(PlanChange)), *c;

        if (!grown)
                return -ENOMEM;
        i->changes = grown;
        c = grown + i->n_changes++;
        redactor_init(&old, i->old_spec);
        redactor_init(&new, i->new_spec);
        *c = (PlanChange) { .key = k, .from = redact_key(&old, k, i->old_spec), .to = redact_key(&new, k, i->new_spec) };
        if (!c->from || !c->to || tell_hidden(c) < 0)
                return -ENOMEM;
        i->verb = MAX(i->verb, verb_of_effect[k->effect]);
        i->scale = i->scale || k->effect == EFFECT_SCALE;
        i->live = i->live || k->effect == EFFECT_LIVE;
        return 0;
}

static int item_compare(PlanItem *i) {
        int r;

        i->verb = PLAN_KEEP;
        for (const SpecKey *k = spec_keys; k->path; k++) {
                if (spec_key_equal(k, i->old_spec, i->new_spec))
                        continue;
                r = item_change(i, k);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* One item for each desired service; marks in `kept` which present ones those are. */
static int plan_desired(Plan *p, const SpecList *present, const SpecList *desired, bool *kept) {
        _cleanup_spec_index_ SpecIndex x = {};
        size_t at;
        int r;

        r = spec_index_init(&x, present);
        for (size_t i = 0; i < desired->n && r >= 0; i++) {
                PlanItem *item = p->items + p->n;

                *item = (PlanItem) { .verb = PLAN_ADD, .new_spec = desired->items[i] };
                p->n++;
                r = spec_index_find(&x, item->new_spec->ns, item->new_spec->name, &at);
                if (r > 0) {
                        kept[at] = true;
                        item->old_spec = present->items[at];
                        r = item_compare(item);
                }
        }
        return r;
}

static int plan_removals(Plan *p, const SpecList *present, const SpecList *desired, const bool *kept, bool prune) {
        _cleanup_(map_freep) Map *namespaces = map_new_string();
        int r;

        if (!namespaces)
                return -ENOMEM;
        for (size_t i = 0; i < desired->n; i++) {
                r = map_put(namespaces, desired->items[i]->ns, desired->items[i]);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        for (size_t i = 0; i < present->n; i++)
                if (!kept[i] && ((prune && map_get(namespaces, present->items[i]->ns)) || collect_orphaned(present->items[i], desired) ||
                                 balanced_orphaned(present->items[i], desired)))
                        p->items[p->n++] = (PlanItem) { .verb = PLAN_REMOVE, .old_spec = present->items[i] };
        return 0;
}

int plan_make(const SpecList *present, const SpecList *desired, bool prune, Plan *ret) {
        _cleanup_plan_ Plan p = {};
        _cleanup_free_ bool *kept = NULL;
        int r;

        p.items = calloc(present->n + desired->n + 1, sizeof(PlanItem));
        kept = calloc(present->n + 1, sizeof(bool));
        if (!p.items || !kept)
                return -ENOMEM;
        r = plan_desired(&p, present, desired, kept);
        if (r >= 0)
                r = plan_removals(&p, present, desired, kept, prune);
        if (r < 0)
                return r;
        *ret = TAKE_GENERIC(p, (Plan) {});
        return 0;
}
