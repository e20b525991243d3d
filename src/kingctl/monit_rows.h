/* What the live view shows, without a screen: the rows of one refresh with the history of each, their order, the filter, and which one is
 * selected. Pure: time comes with the replies. */
#pragma once

#include "kingctl/reply.h"

#define MONIT_HISTORY 64

typedef struct MonitRow {
        char *key;                        /* "namespace/name:instance": what a selector takes */
        char *label;                      /* "web:0" */
        char *name, *ns, *state, *status; /* owned copies */
        int64_t instance, pid, restarts, memory, tasks;
        usec_t since;
        double cpu;                       /* percent; negative: not known */
        uint8_t history[MONIT_HISTORY];   /* CPU, percent of one core up to 255; the newest at `newest` */
        unsigned newest, samples;
        bool ready;
        bool shown;                       /* passes the filter */
        bool present;                     /* in the last reply */
} MonitRow;

typedef enum MonitOrder { ORDER_NAME, ORDER_CPU, ORDER_MEMORY, ORDER_RESTARTS, ORDER_UPTIME, _ORDER_MAX } MonitOrder;
const char *monit_order_name(MonitOrder o);

typedef struct MonitRows {
        MonitRow **rows;                  /* in the order that is shown: by namespace, then as asked for */
        size_t n;
        MonitOrder order;
        char *filter;                     /* part of a name, namespace or state; NULL: all */
        char *selected;                   /* key; NULL: none */
        size_t n_running, n_wrong, n_namespaces;
} MonitRows;

void monit_rows_done(MonitRows *m);

/* Takes in a reply of List. What is gone leaves, histories go on; a selection that is gone moves to its neighbour. 0 or -ENOMEM. */
int monit_rows_update(MonitRows *m, json_object *instances);
int monit_rows_filter(MonitRows *m, const char *text);      /* "" or NULL: all */
void monit_rows_order(MonitRows *m, MonitOrder o);
/* Up or down among what is shown; stops at the ends. */
void monit_rows_move(MonitRows *m, int by);
MonitRow *monit_rows_selected(const MonitRows *m);          /* NULL: nothing is shown */
size_t monit_rows_position(const MonitRows *m);             /* of the selected one among what is shown */
size_t monit_rows_shown(const MonitRows *m);

/* The last `columns` samples as bars from 0 to the largest of them (at least 10 percent), oldest first; UTF-8 blocks or, without `unicode`,
 * ASCII. Into buf (3 * columns + 1 bytes). */
void monit_sparkline(const MonitRow *r, unsigned columns, bool unicode, char *buf);
