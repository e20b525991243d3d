/* Services: the set, its order, lookup, selection, and what a change of the set means. */
#pragma once

#include "manager/manager.h"

/* Adds a service; takes spec on success. Instances are made as the spec says. */
int service_new(Manager *m, ServiceSpec *spec, const char *origin, bool wanted, int64_t position, Service **ret);
Service *service_free(Service *s);             /* with its instances, whatever their state; deregisters */
Service *service_find(Manager *m, const char *ns, const char *name);
/* Replaces the spec (taken) and makes or marks instances so that their number fits. */
int service_replace_spec(Service *s, ServiceSpec *spec);
int service_scale(Service *s, unsigned n);
/* How many instances it has, without extra ones. */
unsigned service_count(const Service *s);
/* One more that is to take the place of instance `index`. 0 or -ENOMEM. */
int service_surge(Service *s, unsigned index, Instance **ret);
/* It takes the place; the one that had it is retired and goes when it is down. Returns that one. */
Instance *service_take_place(Service *s, Instance *surge);
bool service_settled(const Service *s);        /* nothing lives, nothing waits */
/* Frees instances and services that were to be removed and are settled. true if the service itself is gone. */
bool service_collect(Service *s);

/* Who depends on whom, after the set changed. */
int service_rebuild_dependents(Manager *m);
Service *service_dependency(const Service *s, const Dependency *d);   /* or NULL */
/* 1 met, 0 not yet, -1 never (it failed for good); ret_why names the first one that is not met, into buf. */
int service_dependencies_met(const Service *s, char *buf, size_t size);
void service_tell_dependents(Service *s);
void service_recheck_all(Manager *m);          /* those that wait, after the set changed */

/* Starting brings up what it depends on. Within one round each service is started once. */
uint64_t service_round(Manager *m);
void service_start(Service *s, uint64_t round);
/* Those alone that it depends on and that rest. */
void service_start_needed(Service *s, uint64_t round);
/* All instances selected in `set` go down, dependents within the set first. */
void service_stop_pump(Manager *m);

/* ---- selection ---- */
typedef struct Selector {
        char ns[140], name[140];       /* empty: any */
        int64_t instance;              /* -1: all */
        bool everything;
        bool pattern;                  /* name holds a glob */
} Selector;
/* ns: where a name without one of its own is looked for, NULL: anywhere. -EINVAL with reterr. */
int selector_parse(const char *text, const char *ns, Selector *ret, KlError *reterr);
bool selector_matches(const Selector *s, const char *ns, const char *name);

typedef struct Selection {
        Instance **items;
        size_t n, allocated;
} Selection;
void selection_done(Selection *s);
#define _cleanup_selection_ _cleanup_(selection_done)
/* web · web:0 · ns/web · @ns · glob · all. -ENOENT with "did you mean" in reterr when a selector matches nothing; all on an empty set is
 * fine. */
int selection_resolve(Manager *m, char *const *selectors, const char *ns, Selection *ret, KlError *reterr);
/* Takes out those that are about to go and those that have no place yet: a rolling reload's, whose business they are. */
void selection_leave_extra(Selection *s);
/* At its end, unless it is marked as selected already, which it is then. 0 or -ENOMEM. */
int selection_add(Selection *s, Instance *i);
/* The collectors and balancers of services that are in the selection with all their instances: they stop and go with them. 0 or -ENOMEM. */
int selection_add_collectors(Selection *s);
