/* Calls that wait for instances to settle: what is said meanwhile, and in the end. */
#pragma once

#include "kingctl/ctl.h"

typedef struct Settle {
        Ctl *ctl;
        const char *done; /* said instead of the state of what went well ("deleted"), or NULL */
        bool plan;        /* the replies are those of Apply: a plan and warnings come with the results */
        /* Tells of each result in place of us, failures included; NULL: we do. */
        void (*tell)(void *userdata, json_object *result);
        void *userdata;
        /* private */
        usec_t begun;
        json_object *seen;  /* "namespace/name:instance" → result */
        json_object *reply; /* the first with a plan or warnings */
        size_t failures, changes;
} Settle;

/* Makes the call (consuming parameters), says what it has to say, returns 0, 1 when an instance failed, or negative with ctl->error. */
int settle_call(Settle *s, const char *method, json_object *parameters);

/* plan.c: prints what Apply is about to do (`diff`: would do). Returns how many services are touched. */
size_t plan_print(const Ctl *ctl, json_object *plan);
