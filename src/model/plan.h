/* What `apply` has to do: desired against present → the least set of actions. Pure; `apply --diff` prints exactly this. */
#pragma once

#include "model/spec.h"

typedef enum PlanVerb { PLAN_ADD, PLAN_KEEP, PLAN_UPDATE, PLAN_SCALE, PLAN_LIVE, PLAN_RESTART, PLAN_REMOVE, _PLAN_VERB_MAX } PlanVerb;

typedef struct PlanChange { const SpecKey *key; char *from, *to; } PlanChange; /* texts by redact_key */

typedef struct PlanItem {
        PlanVerb verb;               /* the strongest effect among the changes: UPDATE (EFFECT_NONE) < SCALE < LIVE < RESTART */
        const ServiceSpec *old_spec, *new_spec;   /* borrowed; NULL for ADD / REMOVE */
        bool scale, live;            /* also needed beside the verb */
        PlanChange *changes;
        size_t n_changes;
} PlanItem;

typedef struct Plan { PlanItem *items; size_t n; } Plan;
void plan_done(Plan *p);
#define _cleanup_plan_ _cleanup_(plan_done)

/* Items in the order of `desired`, then removals. prune: present services that are absent from `desired` are removed, but only those in a
 * namespace that `desired` mentions. A collector whose service has another log.to goes in any case. */
int plan_make(const SpecList *present, const SpecList *desired, bool prune, Plan *ret);
const char *plan_verb_name(PlanVerb v);  /* "add" "keep" … */
