/* The window: owns the queue of cells that want something of systemd, and the count of those for which it is at work. A cell wants one
 * thing at a time: its start, or once it is placed, new limits.
 *
 * What must stay true: never more than SCOPE_WINDOW cells are in the window, a start until it has come to its end, so that no start grows
 * old behind the jobs of hundreds of others; nothing is sent but from the event loop, so that what comes of it is told from there. */
#include "isolate/scope.h"

void scope_queue_add(ScopeCell *c) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);

        if (c->queued)
                return;
        c->queued = true;
        c->previous = si->last;
        c->next = NULL;
        if (si->last)
                si->last->next = c;
        else
                si->first = c;
        si->last = c;
        scope_bus_pump(si);
}

void scope_queue_remove(ScopeCell *c) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);

        if (!c->queued)
                return;
        if (c->previous)
                c->previous->next = c->next;
        else
                si->first = c->next;
        if (c->next)
                c->next->previous = c->previous;
        else
                si->last = c->previous;
        c->previous = c->next = NULL;
        c->queued = false;
}

int scope_call(ScopeCell *c, sd_bus_message *m, sd_bus_message_handler_t answered) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        int r;

        /* No time limit of the bus: a start has its own deadline, and new limits are sent again after the connection broke. */
        r = sd_bus_call_async(si->bus, &c->call, m, answered, c, USEC_INFINITY);
        if (r < 0)
                return r == -ECONNRESET || r == -EPIPE ? -ENOTCONN : r;
        c->in_window = true;
        si->in_flight++;
        return 0;
}

void scope_call_done(ScopeCell *c) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);

        c->call = sd_bus_slot_unref(c->call);
        if (!c->in_window)
                return;
        c->in_window = false;
        si->in_flight--;
        if (si->first)
                scope_bus_pump(si);
}

void scope_queue_pump(ScopeIsolate *si) {
        while (si->up && si->first && si->in_flight < SCOPE_WINDOW) {
                ScopeCell *c = si->first;
                int r;

                scope_queue_remove(c);
                r = c->state == SCOPE_PLACED ? scope_live_send(c) : scope_job_send(c);
                if (r == -ENOTCONN) {
                        /* The connection says so itself in a moment, if it is not kept from it by one try after the other, and everything is
                         * sent again over the next one. */
                        si->up = false;
                        scope_queue_add(c);
                        break;
                }
        }
}
