/* Must stay true: what is told comes from the keeper, which alone knows; a call that our own end cuts off is answered by the manager after us, who
 * asks with `after`; on trial nothing is written that the manager before us could not read. */
#include <stdio.h>

#include "base/log.h"
#include "manager/api/api.h"
#include "manager/books/books.h"
#include "manager/books/reexec.h"
#include "manager/books/state.h"
#include "manager/events.h"
#include "manager/link.h"
#include "manager/upward.h"

#define CALLS_MAX 64

struct Reexec {
        UpgradeRecord last;
        VarlinkCall *calls[CALLS_MAX];     /* that wait for what comes of it */
        size_t n_calls;
        bool news;                         /* heard while we were still beginning */
};

/* Few daemons ever need one. */
static Reexec *reexec_of(Manager *m) {
        if (!m->reexec)
                m->reexec = calloc(1, sizeof(Reexec));
        return m->reexec;
}

static bool under_way(const Manager *m) {
        return m->reexec && m->reexec->last.outcome == UPGRADE_UNDER_WAY;
}

bool reexec_on_trial(const Manager *m) {
        return under_way(m);
}

static const char *outcome_name(uint32_t outcome) {
        static const char *const names[_UPGRADE_OUTCOME_MAX] = { "never", "under-way", "upgraded", "went-back", "refused" };

        return names[outcome];
}

/* For a person, one line. */
static void describe(const UpgradeRecord *u, char *ret, size_t size) {
        switch ((UpgradeOutcome) u->outcome) {
        case UPGRADE_DONE:
                snprintf(ret, size, streq(u->from, u->to) ? "kingd %s executed anew" : "kingd %s → %s", u->from, u->to);
                break;
        case UPGRADE_WENT_BACK:
                snprintf(ret, size, "went back to %s: %s", u->from, u->why);
                break;
        case UPGRADE_REFUSED:
                snprintf(ret, size, "stayed with %s: %s", u->from, u->why);
                break;
        default:
                snprintf(ret, size, "kingd %s is being replaced", u->from);
        }
}

static json_object *record_json(const UpgradeRecord *u) {
        json_object *o = json_object_new_object();
        char text[320];

        describe(u, text, sizeof text);
        json_set(o, "serial", json_object_new_int64(u->serial));
        json_set(o, "outcome", json_object_new_string(outcome_name(u->outcome)));
        json_set(o, "from", json_object_new_string(u->from));
        json_set(o, "to", json_object_new_string(u->to));
        json_set(o, "message", json_object_new_string(text));
        return o;
}

json_object *reexec_json(const Manager *m) {
        return m->reexec && m->reexec->last.outcome != UPGRADE_NEVER ? record_json(&m->reexec->last) : NULL;
}

static void answer_all(Reexec *x) {
        while (x->n_calls > 0) {
                VarlinkCall *call = x->calls[--x->n_calls];

                (void) varlink_reply(call, record_json(&x->last));
                varlink_call_unref(call);
        }
}

static void tell_event(Manager *m) {
        const UpgradeRecord *u = &m->reexec->last;
        char text[320];

        describe(u, text, sizeof text);
        event_emit(m, NULL, record_json(u), u->outcome == UPGRADE_DONE ? EVENT_UPGRADED : EVENT_NOT_UPGRADED, "%s", text);
}

/* The keeper is content with us: what stood in for the state goes home, in the new form. */
static void end_of_trial(Manager *m) {
        if (!m->state_trial)
                return;
        m->state_trial = false;
        books_retry(m);
        if (manager_open_door(m) < 0)
                manager_problem(m, "cannot serve clients: %m");
}

void reexec_heard(Manager *m, const WireUpgrade *p) {
        Reexec *x = reexec_of(m);
        bool over = p->last.outcome != UPGRADE_UNDER_WAY;

        if (!x)
                return;
        x->last = p->last;
        x->news = p->news && over;
        if (m->loading)
                return;
        if (over)
                end_of_trial(m);
        if (x->news)
                tell_event(m);
        x->news = false;
        if (over)
                answer_all(x);
}

void reexec_begun(Manager *m) {
        if (m->state_trial)
                (void) link_settled(m->link);
        if (!m->reexec || !m->reexec->news)
                return;
        m->reexec->news = false;
        tell_event(m);
}

int reexec_ask(Manager *m, usec_t within, bool if_changed) {
        return m->shutdown == SHUTDOWN_NO ? link_reexec(m->link, within, if_changed) : 0;
}

static int refuse(VarlinkCall *call, int r, const char *id, const char *message, const char *hint) {
        _cleanup_error_ KlError e = {};

        kl_error_set(&e, r, id, "%s", message);
        if (hint)
                kl_error_hint(&e, "%s", hint);
        return api_fail(call, &e, r);
}

static bool known(const Reexec *x, int64_t after) {
        return x->last.outcome != UPGRADE_UNDER_WAY && x->last.serial > after;
}

int reexec_call(Manager *m, VarlinkCall *call, usec_t within, int64_t after) {
        Reexec *x = reexec_of(m);
        int r;

        if (!x)
                return -ENOMEM;
        if (m->shutdown != SHUTDOWN_NO)
                return refuse(call, -ESHUTDOWN, KL_E_BUSY, "the daemon is shutting down", NULL);
        if (after >= 0 && known(x, after))
                return varlink_reply(call, record_json(&x->last));
        if (after >= 0 && !under_way(m))
                return refuse(call, -ECANCELED, KL_E_FAILED, "the manager was replaced before it had begun", "ask again");
        if (x->n_calls == CALLS_MAX)
                return refuse(call, -EBUSY, KL_E_BUSY, "too many wait for this already", NULL);
        if (after < 0 && under_way(m))
                return refuse(call, -EBUSY, KL_E_BUSY, "other programs are on their way already", "kingctl status says what comes of it");
        r = after < 0 ? reexec_ask(m, within, false) : 0;
        if (r < 0)
                return r;
        x->calls[x->n_calls++] = varlink_call_ref(call);
        return 0;
}

void reexec_leave(Manager *m) {
        log_info("other programs follow");
        upward_reexecuting(m);
        (void) sd_event_exit(m->event, EXIT_SUCCESS);
}

void reexec_done(Manager *m) {
        while (m->reexec && m->reexec->n_calls > 0)
                varlink_call_unref(m->reexec->calls[--m->reexec->n_calls]);
        free(m->reexec);
}
