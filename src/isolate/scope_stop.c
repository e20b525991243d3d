/* Scopes that somebody else stops (`systemctl stop` of the scope or of its slice). systemd says so with a job, but over the bus, and the
 * kernel is often faster to say that the process has ended. So whoever wants to know why it ended asks, and gets the answer after all that
 * systemd had to say before.
 *
 * What must stay true: a scope is said to be stopped once; a question is answered, whatever becomes of the bus. Source: job.c and
 * dbus-manager.c of systemd: a job is announced before it is removed, and while it is there the list of units names it. */
#include "base/log.h"
#include "isolate/scope.h"

static const char stopped_outside[] = "scope was stopped from outside";

void scope_stopped(ScopeCell *c, const char *why) {
        const IsolateEvents *e = &c->cell.isolate->options.events;

        if (c->stop_said)
                return;
        c->stop_said = true;
        if (e->stopped)
                e->stopped(e->userdata, &c->cell, why ?: stopped_outside);
}

/* Whether the list has the one unit that was asked for, with a job: a scope that is up gets none but to be stopped. */
static bool lists_job(sd_bus_message *m) {
        const char *job;

        return sd_bus_message_enter_container(m, 'a', "(ssssssouso)") > 0 &&
                sd_bus_message_read(m, "(ssssssouso)", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &job) > 0 && !streq(job, "/");
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeCell *c = userdata;
        const IsolateEvents *e = &c->cell.isolate->options.events;
        bool stopped;

        c->question = sd_bus_slot_unref(c->question);
        if (sd_bus_message_is_method_error(m, NULL))
                log_debug("cannot ask what became of %s, ignoring: %s", c->cell.where, sd_bus_message_get_error(m)->message);
        stopped = !c->stop_said && !sd_bus_message_is_method_error(m, NULL) && lists_job(m);
        c->stop_said = c->stop_said || stopped;
        if (e->asked)
                e->asked(e->userdata, &c->cell, stopped ? stopped_outside : NULL);
        return 0;
}

int scope_cell_ask_stopped(Cell *cell) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ScopeCell *c = SCOPE_CELL(cell);
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        int r;

        if (c->question)
                return 1;
        if (c->state != SCOPE_PLACED || c->stop_said || !si->up)
                return 0;
        r = sd_bus_message_new_method_call(si->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "asas", 0, 1, cell->where);
        if (r >= 0)
                r = sd_bus_call_async(si->bus, &c->question, m, on_answer, c, SCOPE_ASK_USEC);
        return r < 0 ? r : 1;
}
