/* Must stay true: a wait ends exactly once, by reply or because its client went away; an instance that is freed counts as down and gone. */
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/wait.h"
#include "manager/life/instance.h"
#include "manager/life/reload.h"
#include "manager/life/rolling.h"

typedef struct WaitItem {
        Instance *instance;        /* NULL: done */
        bool leaving;              /* to be gone, when the others are up */
} WaitItem;

struct Wait {
        Wait *next;
        Manager *manager;
        VarlinkCall *call;
        WaitGoal goal;
        json_object *extra, *results;
        WaitItem *items;
        size_t n, left;
};

static Wait *wait_free(Wait *w) {
        if (!w)
                return NULL;
        for (Wait **p = &w->manager->waits; *p; p = &(*p)->next)
                if (*p == w) {
                        *p = w->next;
                        break;
                }
        varlink_call_watch(w->call, NULL, NULL, NULL);
        varlink_call_unref(w->call);
        json_object_put(w->extra);
        json_object_put(w->results);
        free(w->items);
        free(w);
        return NULL;
}

void wait_free_all(Manager *m) {
        while (m->waits)
                wait_free(m->waits);
}

/* How an end is told: "exited with status 3", "killed by SIGKILL (oom-kill)", "ready-timeout". malloc'ed, NULL on OOM. */
char *wait_why_down(const Instance *i) {
        const Lifecycle *l = &i->lc;
        const char *reason = lifecycle_reason_name(l->reason);

        if (i->status && (l->reason == REASON_SPAWN || l->reason == REASON_DEPENDENCY || l->reason == REASON_ISOLATION || l->reason == REASON_HOOK ||
                          l->reason == REASON_PROBE))
                return strdup(i->status);
        if (l->reason == REASON_READY_TIMEOUT) {
                char span[FORMAT_MAX];
                return text_printf("was not ready within %s", format_span(span, i->service->spec->ready_timeout, false));
        }
        if (l->exit_known && l->exit.signal)
                return text_printf("killed by %s (%s)", signal_name(l->exit.signal), reason);
        if (l->exit_known && l->reason == REASON_PROTOCOL)
                return text_printf("exited with status %d before it said it was ready", l->exit.code);
        if (l->exit_known)
                return text_printf("exited with status %d", l->exit.code);
        return strdup(i->status ?: reason);
}

/* Has no place any more, and is freed when it is down. */
static bool leaves(const Instance *i) {
        return i->removing || i->service->deleting;
}

/* 1 reached, -1 cannot be reached (error told), 0 not yet. */
static int judge_down(const Instance *i, WaitGoal goal, char **ret_error) {
        const Lifecycle *l = &i->lc;
        bool down = !lifecycle_alive(l) && (l->state == LC_STOPPED || l->state == LC_EXITED || l->state == LC_FAILED);
        bool opposed = goal == WAIT_GONE ? !i->service->deleting : l->wanted && !i->stop_deferred;

        if (goal == WAIT_DOWN && down)
                return 1;
        if (!opposed)
                return 0;
        *ret_error = strdup("was started meanwhile");
        return -1;
}

static int judge(const Instance *i, WaitGoal goal, char **ret_error) {
        const Lifecycle *l = &i->lc;

        if (goal == WAIT_RELOADED)
                return rolling_fits(i->service) ? rolling_judge(i, ret_error) : reload_judge(i, ret_error);
        if (goal != WAIT_UP)
                return judge_down(i, goal, ret_error);
        if (i->restart_deferred || leaves(i))
                return 0;
        if (l->state == LC_RUNNING || l->state == LC_EXITED || l->state == LC_WAIT_DEMAND)
                return 1;
        if (l->state != LC_FAILED && l->state != LC_STOPPED && l->state != LC_WAIT_BACKOFF)
                return 0;
        *ret_error = l->state == LC_STOPPED ? strdup("was stopped meanwhile") : wait_why_down(i);
        return -1;
}

json_object *wait_result(const Instance *i, const char *state, const char *error) {
        const ServiceSpec *s = i->service->spec;
        json_object *o = json_object_new_object();
        char label[300];

        if (!o)
                return NULL;
        json_set(o, "name", json_object_new_string(s->name));
        json_set(o, "namespace", json_object_new_string(s->ns));
        json_set(o, "instance", json_object_new_int(i->index));
        json_set(o, "label", json_object_new_string(instance_label(i, label)));
        json_set(o, "state", json_object_new_string(state));
        json_set(o, "pid", i->main.pid > 0 && i->lc.main_alive ? json_object_new_int(i->main.pid) : NULL);
        json_set(o, "error", error ? json_object_new_string(error) : NULL);
        json_set(o, "hint", error && i->hint ? json_object_new_string(i->hint) : NULL);
        return o;
}

static json_object *with_results(json_object *results) {
        json_object *o = json_object_new_object();

        if (!o)
                json_object_put(results);
        else
                json_set(o, "results", results);
        return o;
}

static void item_done(Wait *w, WaitItem *item, const char *state, const char *error) {
        json_object *result = wait_result(item->instance, state, error);

        item->instance = NULL;
        w->left--;
        if (!result)
                return;
        if (varlink_call_more(w->call) && w->left > 0) {
                json_object *one = json_object_new_array();
                json_push(one, json_object_get(result));
                (void) varlink_notify(w->call, with_results(one));
        }
        json_push(w->results, result);
}

static void wait_finish(Wait *w) {
        json_object *reply = w->extra ? json_object_get(w->extra) : json_object_new_object();

        json_set(reply, "results", json_object_get(w->results));
        (void) varlink_reply(w->call, reply);
        wait_free(w);
}

static void item_check(Wait *w, WaitItem *item) {
        _cleanup_free_ char *error = NULL;

        int verdict = judge(item->instance, w->goal, &error);

        if (verdict != 0)
                item_done(w, item, lifecycle_public_state(item->instance->lc.state), verdict < 0 && !error ? "failed" : error);
}

static void wait_walk(Instance *i, bool freed) {
        Wait *next;

        for (Wait *w = i->service->manager->waits; w; w = next) {
                next = w->next;
                for (size_t k = 0; k < w->n; k++) {
                        if (w->items[k].instance != i)
                                continue;
                        if (freed)
                                item_done(w, w->items + k, "stopped", w->goal == WAIT_UP && !w->items[k].leaving ? "was deleted meanwhile" : NULL);
                        else
                                item_check(w, w->items + k);
                        break;
                }
                if (w->left == 0)
                        wait_finish(w);
        }
}

void wait_changed(Instance *i) {
        wait_walk(i, false);
}

void wait_freed(Instance *i) {
        wait_walk(i, true);
}

void wait_moved(Instance *from, Instance *to) {
        for (Wait *w = from->service->manager->waits; w; w = w->next)
                for (size_t k = 0; k < w->n; k++)
                        if (w->items[k].instance == from)
                                w->items[k].instance = to;
}

static void on_gone(VarlinkCall *call, void *userdata) {
        wait_free(userdata);
}

int wait_begin(Manager *m, VarlinkCall *call, const Selection *s, WaitGoal goal, json_object *extra) {
        Wait *w = calloc(1, sizeof(Wait));

        if (!w) {
                json_object_put(extra);
                return -ENOMEM;
        }
        *w = (Wait) { .manager = m, .call = varlink_call_ref(call), .goal = goal, .extra = extra, .results = json_object_new_array(),
                      .items = calloc(s->n + 1, sizeof(WaitItem)) };
        if (!w->results || !w->items) {
                wait_free(w);
                return -ENOMEM;
        }
        for (size_t k = 0; k < s->n; k++)
                w->items[w->n++] = (WaitItem) { s->items[k], leaves(s->items[k]) };
        w->left = w->n;
        w->next = m->waits;
        m->waits = w;
        varlink_call_watch(call, NULL, on_gone, w);
        for (size_t k = 0; k < w->n; k++)
                item_check(w, w->items + k);
        if (w->left == 0)
                wait_finish(w);
        return 0;
}
