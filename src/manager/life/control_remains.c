/* What a control process leaves when it is over: a cell whose processes were killed, and which only waits to become empty; or whose processes are
 * killed as soon as the keeper says which of its children is the first of them. */
#include "base/log.h"
#include "base/text.h"
#include "manager/life/control_private.h"
#include "manager/link.h"

#define REMAINS_MAX (10 * USEC_PER_SEC)    /* then the cell is given up: what does not die of SIGKILL sleeps in the kernel */

struct ControlRemains {
        ControlRemains *next;
        Manager *manager;
        Cell *cell;
        uint64_t run;                      /* of one that is still to be killed; else 0 */
        uint8_t invocation[16];
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

static ControlRemains *remains_new(Manager *m, Cell *cell) {
        ControlRemains *r = malloc(sizeof(ControlRemains));

        if (!r)
                return NULL;
        *r = (ControlRemains) { .manager = m, .cell = cell, .next = m->control_remains };
        return m->control_remains = r;
}

static void await_empty(ControlRemains *r) {
        if (cell_watch_empty(r->cell) < 0 ||
            sd_event_add_time_relative(r->manager->event, &r->timer, CLOCK_MONOTONIC, REMAINS_MAX, USEC_PER_SEC, on_remains_late, r) < 0)
                remains_free(r);
}

void control_leave_remains(Manager *m, Cell *cell) {
        ControlRemains *r = cell_populated(cell) != 0 ? remains_new(m, cell) : NULL;

        if (r) {
                await_empty(r);
                return;
        }
        (void) cell_clean(cell);
        cell_free(cell);
}

/* ---- of which the keeper has not said yet which process it is; it does, or it ends and us with it ---- */

bool control_leave_unmet(Control *c) {
        ControlRemains *r = remains_new(c->instance->service->manager, c->cell);

        if (!r)
                return false;
        r->run = c->run;
        memcpy(r->invocation, c->invocation, sizeof r->invocation);
        c->cell = NULL;
        return true;
}

static ControlRemains *find_unmet(const Manager *m, uint64_t run) {
        ControlRemains *r = m->control_remains;

        while (r && r->run != run)
                r = r->next;
        return r;
}

/* A shutdown may have waited for it. */
static void met(ControlRemains *r) {
        r->run = 0;
        (void) sd_event_source_set_enabled(r->manager->pump, SD_EVENT_ONESHOT);
}

void control_remains_spawned(Manager *m, const WireSpawned *p) {
        PidRef main = { .pid = p->pid, .fd = -EBADF, .start_time = p->start_time };
        ControlRemains *r = find_unmet(m, p->run);
        char invocation[33];

        if (!r)
                return;
        hex_encode(invocation, r->invocation, sizeof r->invocation);
        (void) cell_place(r->cell, &main, invocation);      /* what descends from it is found all the same */
        (void) link_signal(m->link, p->run, SIGKILL, WIRE_TO_MAIN);
        (void) cell_kill(r->cell);
        met(r);
        await_empty(r);
}

void control_remains_failed(Manager *m, uint64_t run) {
        ControlRemains *r = find_unmet(m, run);

        if (!r)
                return;
        met(r);
        remains_free(r);
}

bool control_settled(const Manager *m) {
        for (const ControlRemains *r = m->control_remains; r; r = r->next)
                if (r->run != 0)
                        return false;
        return true;
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
