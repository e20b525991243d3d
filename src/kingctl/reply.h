/* What the daemon answers, in typed form. Everything is borrowed from the reply; a field that is missing has its empty value, so that a
 * newer daemon does not break an older kingctl. */
#pragma once

#include "varlink/varlink.h"

const char *field_text(json_object *o, const char *field); /* "" */
int64_t field_number(json_object *o, const char *field, int64_t missing);
double field_float(json_object *o, const char *field, double missing);
bool field_bool(json_object *o, const char *field);
json_object *field_array(json_object *o, const char *field);  /* NULL */
json_object *field_object(json_object *o, const char *field); /* NULL */
size_t array_length(json_object *l);                          /* NULL: 0 */
char *joined_text(json_object *l); /* its texts, "a, b"; malloc'ed, NULL for none and on OOM */

typedef struct InstanceView {
        const char *name, *ns, *state, *isolation, *unit, *status, *hint, *trouble;
        int64_t instance, pid, restarts, attempts, memory, tasks; /* pid 0, memory and tasks -1: not known */
        usec_t since, next_run, last_run, next_start; /* runs: of its schedule; start: after a failure; 0: none */
        const char *role; /* in a rolling reload: "new", not in its place yet; "old", not in it any more; else "" */
        double cpu; /* negative: not known */
        bool ready;
        json_object *exit; /* NULL: none */
        json_object *profile; /* names; NULL: none */
} InstanceView;
InstanceView instance_view(json_object *o);
/* The same of an answer of List, whether it has instances or columns; *ret is the caller's, NULL where there are none. 0 or -ENOMEM. */
int instance_views(json_object *reply, InstanceView **ret, size_t *ret_n);

bool state_lives(const char *state); /* a process may be there */
bool state_wrong(const InstanceView *i);

/* "web:0", or "web" when it is the only one; malloc'ed. ns is put before it ("shop/web:0") when not NULL. */
/* What the daemon calls the instance of a result, log entry or event for people; borrowed. */
const char *entry_label(json_object *entry);
char *instance_name(const char *ns, const char *name, int64_t instance, bool only);
/* "exit status 3", "SIGKILL (oom-kill)", "SIGABRT (watchdog, core dumped)"; malloc'ed, "" when there was no exit. */
char *exit_text(json_object *exit);
/* "not once ready in 4 attempts …", for an instance that is in trouble; malloc'ed, NULL for others. */
char *trouble_text(const InstanceView *i);

/* How many instances of each service a list of objects with name and namespace holds, and how many namespaces. */
typedef struct Census Census;
Census *census_new(json_object *instances); /* NULL on OOM */
Census *census_of(const InstanceView *views, size_t n);
Census *census_free(Census *c);
DEFINE_CLEANUP(Census *, census_free);
size_t census_instances(const Census *c, const char *ns, const char *name);
size_t census_namespaces(const Census *c);
bool census_profiles(const Census *c); /* any of them runs under a profile */
