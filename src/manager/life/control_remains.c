/* What a control process leaves when it is over: a cell whose processes were killed, and which only waits to become empty. */
#include "base/log.h"
#include "manager/life/control_private.h"

#define REMAINS_MAX (10 * USEC_PER_SEC)    /* then the cell is given up: what does not die of SIGKILL sleeps in the kernel */

struct ControlRemains {
        ControlRemains *next;
        Manager *manager;
        Cell *cell;
        sd_event_source *timer;
};

static void remains_free(ControlRemains *r) {
        for (ControlRemains **p = &r->manager->control_remains; *p; p = &(*p)->next)
                if (*p == r) {
                        *p = r->next;
                        break;
                }
        sd_event_source_disable_unref(r->timer);
        (void) cell_clean(r->cell);
        cell_free(r->cell);
        free(r);
}

static int on_remains_late(sd_event_source *s, uint64_t usec, void *userdata) {
        ControlRemains *r = userdata;

        log_warning("%s: a killed control process has not ended", cell_where(r->cell));
        remains_free(r);
        return 0;
}

void control_leave_remains(Manager *m, Cell *cell) {
        ControlRemains *r = cell_populated(cell) != 0 ? malloc(sizeof(ControlRemains)) : NULL;

        if (!r) {
                (void) cell_clean(cell);
                cell_free(cell);
                return;
        }
        *r = (ControlRemains) { .manager = m, .cell = cell, .next = m->control_remains };
        m->control_remains = r;
        if (cell_watch_empty(cell) < 0 ||
            sd_event_add_time_relative(m->event, &r->timer, CLOCK_MONOTONIC, REMAINS_MAX, USEC_PER_SEC, on_remains_late, r) < 0)
                remains_free(r);
}

void control_empty(Manager *m, Cell *cell) {
        for (ControlRemains *r = m->control_remains; r; r = r->next)
                if (r->cell == cell) {
                        remains_free(r);
                        return;
                }
}

void control_free_remains(Manager *m) {
        while (m->control_remains)
                remains_free(m->control_remains);
}
