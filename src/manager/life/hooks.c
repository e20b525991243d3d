/* Must stay true: at most one process of each hook for each instance; what a hook comes to is fed to the life exactly once, unless the life has
 * given it up before. The struct is there only for instances that have had a hook. */
#include "manager/life/hooks.h"

#include <stdio.h>

#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/balance/balance.h"
#include "manager/events.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"

typedef struct Slot {
        Instance *instance;
        Control *control;                  /* NULL: does not run */
        usec_t began;                      /* CLOCK_REALTIME */
} Slot;

struct InstanceHooks {
        Slot slots[_HOOK_MAX];
        struct { HookKind hook; usec_t began, ended; char *why; } failure;   /* the last; why NULL: none */
};

static InstanceHooks *hooks_of(Instance *i) {
        if (i->hooks)
                return i->hooks;
        i->hooks = calloc(1, sizeof(InstanceHooks));
        for (HookKind k = 0; i->hooks && k < _HOOK_MAX; k++)
                i->hooks->slots[k].instance = i;
        return i->hooks;
}

void hooks_free(Instance *i) {
        if (!i->hooks)
                return;
        for (HookKind k = 0; k < _HOOK_MAX; k++)
                (void) control_cancel(i->hooks->slots[k].control);
        free(i->hooks->failure.why);
        free(i->hooks);
        i->hooks = NULL;
}

/* ---- what it is told ---- */

static int set_number(char ***env, const char *name, int64_t n) {
        char text[24];

        snprintf(text, sizeof text, "%" PRIi64, n);
        return strv_env_set(env, name, text);
}

/* The end that is told is that of the last run, where no other has begun. */
static int set_end(const Lifecycle *l, char ***env) {
        int r = 0;

        if (l->reason != REASON_NONE)
                r = strv_env_set(env, "KINGLY_REASON", lifecycle_reason_name(l->reason));
        if (r >= 0 && l->exit_known && !l->main_alive && l->exit.code >= 0)
                r = set_number(env, "KINGLY_EXIT_CODE", l->exit.code);
        if (r >= 0 && l->exit_known && !l->main_alive && l->exit.signal)
                r = strv_env_set(env, "KINGLY_EXIT_SIGNAL", signal_name(l->exit.signal));
        return r;
}

static int environment(const Instance *i, HookKind k, char ***env) {
        const Lifecycle *l = &i->lc;
        int r;

        if ((r = strv_env_set(env, "KINGLY_HOOK", hook_name(k))) < 0 || (r = set_number(env, "KINGLY_RESTARTS", l->restarts)) < 0)
                return r;
        if (l->main_alive && i->main.pid > 0)
                r = set_number(env, "KINGLY_MAINPID", i->main.pid);
        return r >= 0 && (!l->main_alive || l->failing) ? set_end(l, env) : r;
}

/* ---- what becomes of it ---- */

static void remember_failure(InstanceHooks *h, HookKind k, const char *why) {
        char *copy = strdup(why);

        if (!copy)
                return;
        free(h->failure.why);
        h->failure.why = copy;
        h->failure.hook = k;
        h->failure.began = h->slots[k].began;
        h->failure.ended = now_usec(CLOCK_REALTIME);
}

static json_object *event_data(HookKind k, const ControlResult *r) {
        json_object *data = json_object_new_object();

        json_set(data, "hook", json_object_new_string(hook_name(k)));
        json_set(data, "code", r->code >= 0 ? json_object_new_int(r->code) : NULL);
        json_set(data, "signal", r->signal ? json_object_new_string(signal_name(r->signal)) : NULL);
        json_set(data, "timed_out", json_object_new_boolean(r->timed_out));
        return data;
}

static void tell_failure(Instance *i, HookKind k, const ControlResult *r) {
        remember_failure(i->hooks, k, r->why);
        event_emit(i->service->manager, i, event_data(k, r), EVENT_HOOK_FAILED, "%s failed: %s", hook_name(k), r->why);
        if (k == HOOK_PRE_START)
                instance_set_status(i, "pre_start failed: %s", r->why);
}

static void on_done(void *userdata, const ControlResult *r) {
        Slot *slot = userdata;
        Instance *i = slot->instance;
        HookKind k = (HookKind) (slot - i->hooks->slots);

        slot->control = NULL;
        if (!control_succeeded(r))
                tell_failure(i, k, r);
        else if (k == HOOK_PRE_START && i->status)
                instance_set_status(i, NULL);
        instance_feed(i, &(LcInput) { .event = EV_HOOK_DONE, .hook = k, .ok = control_succeeded(r), .permanent = r->permanent });
}

/* ---- start and end ---- */

static int start(Instance *i, HookKind k, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_strv_ char **env = NULL;
        ControlRequest r = { .what = hook_name(k), .command = spec_hook(s, k), .timeout = spec_hook_timeout(s, k) };
        Slot *slot;
        int n;

        if (!hooks_of(i) || (n = environment(i, k, &env)) < 0)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        /* Its file has changed since it was asked for. */
        if (!r.command)
                return kl_error_set(reterr, -ENOENT, KL_E_INVALID, "it is gone from the file");
        slot = i->hooks->slots + k;
        slot->began = now_usec(CLOCK_REALTIME);
        r.env = env;
        n = control_start(i, &r, on_done, slot, &slot->control, reterr);
        if (n >= 0)
                event_emit(i->service->manager, i, NULL, EVENT_HOOK, "%s: %s", hook_name(k), r.command[0]);
        return n;
}

void hooks_reconcile(Instance *i, LcInput *next) {
        uint8_t due = i->lc.hooks;

        for (HookKind k = 0; k < _HOOK_MAX; k++) {
                Slot *slot = i->hooks ? i->hooks->slots + k : NULL;
                _cleanup_error_ KlError e = {};

                if (slot && slot->control && !(due & 1 << k))
                        slot->control = control_cancel(slot->control);
                if (k == HOOK_DRAIN) {
                        if (due & 1 << k && balance_drain(i) && next->event == _LC_EVENT_MAX)
                                *next = (LcInput) { .event = EV_HOOK_DONE, .hook = k, .ok = true };
                        continue;
                }
                if (!(due & 1 << k) || (slot && slot->control) || start(i, k, &e) >= 0)
                        continue;
                event_emit(i->service->manager, i, NULL, EVENT_HOOK_FAILED, "%s failed: %s", hook_name(k), e.message ?: "out of memory");
                if (next->event == _LC_EVENT_MAX)
                        *next = (LcInput) { .event = EV_HOOK_DONE, .hook = k };
        }
        /* Whoever waits for it to be at rest, waits for its hooks too. */
        if (!due)
                (void) sd_event_source_set_enabled(i->service->manager->pump, SD_EVENT_ONESHOT);
}

void hooks_resume(Instance *i) {
        HookKind awaited = lifecycle_awaits(i->lc.state);
        LcInput next = { .event = _LC_EVENT_MAX };

        if (!i->lc.hooks)
                return;
        if (awaited != _HOOK_MAX && i->lc.hooks & 1 << awaited)
                i->lc.deadline = usec_add(now_usec(CLOCK_MONOTONIC), spec_hook_timeout(i->service->spec, awaited) + LC_HOOK_GRACE);
        hooks_reconcile(i, &next);
        if (next.event != _LC_EVENT_MAX)
                instance_feed(i, &next);
}

const char *hooks_failure(const Instance *i, HookKind k) {
        return i->hooks && i->hooks->failure.hook == k ? i->hooks->failure.why : NULL;
}

json_object *hooks_failure_json(const Instance *i) {
        json_object *o;

        if (!i->hooks || !i->hooks->failure.why || !(o = json_object_new_object()))
                return NULL;
        json_set(o, "name", json_object_new_string(hook_name(i->hooks->failure.hook)));
        json_set(o, "error", json_object_new_string(i->hooks->failure.why));
        json_set(o, "since_usec", json_object_new_int64((int64_t) i->hooks->failure.began));
        json_set(o, "until_usec", json_object_new_int64((int64_t) i->hooks->failure.ended));
        return o;
}
