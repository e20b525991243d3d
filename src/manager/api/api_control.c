/* Signal, Send, Reset, FlushLogs, Environment: what is done to or asked of instances without a change of their goal, and answered at once. */
#include "base/strv.h"
#include "manager/api/api.h"
#include "manager/api/input.h"
#include "manager/api/params.h"
#include "manager/api/wait.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/logs/log_flush.h"
#include "manager/notify/fd_store.h"
#include "manager/spawn/spawn.h"
#include "model/redact.h"

/* One object of the answer for each instance; `act` says with *ret_error (malloc'ed) why it went wrong, NULL if it did not. */
typedef int (*InstanceAct)(Instance *i, const void *argument, char **ret_error);

static int each(VarlinkCall *call, const Selection *s, InstanceAct act, const void *argument) {
        json_object *reply = json_object_new_object(), *results = json_object_new_array();

        for (size_t k = 0; k < s->n; k++) {
                _cleanup_free_ char *error = NULL;
                int r = act(s->items[k], argument, &error);

                json_push(results, wait_result(s->items[k], instance_public_state(s->items[k]),
                                               error ?: r < 0 ? strerror(-r) : NULL));
        }
        json_set(reply, "results", results);
        return api_reply(call, reply);
}

/* ---- Signal ---- */

typedef struct SignalOrder {
        int signal;
        StopScope scope;
} SignalOrder;

static int act_signal(Instance *i, const void *argument, char **ret_error) {
        const SignalOrder *o = argument;
        int r;

        if (!lifecycle_alive(&i->lc)) {
                *ret_error = strdup("is not running");
                return -ESRCH;
        }
        r = instance_signal(i, o->signal, o->scope);
        if (r >= 0)
                event_emit(i->service->manager, i, NULL, EVENT_SIGNALLED, "%s sent by an operator", signal_name(o->signal));
        return r;
}

static int signal_parse(json_object *parameters, SignalOrder *ret, KlError *reterr) {
        static const char *const scopes[] = { [STOP_ALL] = "all", [STOP_GROUP] = "group", [STOP_MAIN] = "main" };
        const char *name = NULL, *scope = "main";
        int r;

        if ((r = json_get_string(parameters, "signal", &name, reterr)) < 0 || (r = json_get_string(parameters, "scope", &scope, reterr)) < 0)
                return r;
        ret->signal = name ? signal_from_name(name) : -EINVAL;
        if (ret->signal <= 0) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "not a signal: \"%s\"", name ?: "");
                kl_error_hint(reterr, "a name such as SIGHUP or HUP, or a number; `kill -l` lists them");
                return -EINVAL;
        }
        for (size_t k = 0; k < ARRAY_SIZE(scopes); k++)
                if (streq(scopes[k], scope)) {
                        ret->scope = k;
                        return 0;
                }
        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "scope: \"%s\" is none of all, group, main", scope);
}

int api_signal(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        SignalOrder o;
        int r;

        r = signal_parse(parameters, &o, &e);
        if (r >= 0)
                r = params_selection(userdata, parameters, &s, &e);
        return r < 0 ? api_fail(call, &e, r) : each(call, &s, act_signal, &o);
}

/* ---- Send ---- */

static int act_send(Instance *i, const void *argument, char **ret_error) {
        return input_send(i, argument, ret_error);
}

int api_send(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        const char *text = NULL;
        int r = json_get_string(parameters, "text", &text, &e);

        if (r >= 0 && (!text || strchr(text, '\n')))
                r = kl_error_set(&e, -EINVAL, KL_E_INVALID, "text: expected one line");
        if (r >= 0)
                r = params_selection(userdata, parameters, &s, &e);
        return r < 0 ? api_fail(call, &e, r) : each(call, &s, act_send, text);
}

/* ---- Reset ---- */

static int act_reset(Instance *i, const void *argument, char **ret_error) {
        instance_event(i, EV_RESET);
        fd_store_empty(i);
        books_mark_instance(i);
        return 0;
}

int api_reset(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        int r = params_selection(userdata, parameters, &s, &e);

        return r < 0 ? api_fail(call, &e, r) : each(call, &s, act_reset, NULL);
}

/* ---- FlushLogs, ReopenLogs ---- */

static int act_flush(Instance *i, const void *argument, char **ret_error) {
        return log_flush(i, ret_error);
}

int api_flush_logs(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        Manager *m = userdata;
        int r = params_selection(m, parameters, &s, &e);

        if (r < 0)
                return api_fail(call, &e, r);
        r = each(call, &s, act_flush, NULL);
        (void) link_reopen(m->link);
        return r;
}

int api_reopen_logs(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        int r = link_reopen(m->link);

        return r < 0 ? r : call_list_add(&m->reopen_calls, call);
}

/* ---- Environment ---- */

static json_object *environment_json(const Instance *i, bool secrets, KlError *reterr) {
        _cleanup_strv_ char **env = NULL, **all = NULL;
        json_object *o, *list;
        char label[300];
        Redactor r;

        if (spawn_environment(i, &all, reterr) < 0)
                return NULL;
        redactor_init(&r, i->service->spec);
        env = secrets ? TAKE_PTR(all) : redact_environment(&r, all);
        o = json_object_new_object();
        list = json_object_new_array();
        STRV_FOREACH(v, env)
                json_push(list, json_object_new_string(*v));
        json_set(o, "name", json_object_new_string(i->service->spec->name));
        json_set(o, "namespace", json_object_new_string(i->service->spec->ns));
        json_set(o, "instance", json_object_new_int(i->index));
        json_set(o, "label", json_object_new_string(instance_label(i, label)));
        json_set(o, "environment", list);
        return o;
}

int api_environment(VarlinkCall *call, json_object *parameters, void *userdata) {
        json_object *reply, *array;
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        bool secrets = false;
        int r = params_selection(userdata, parameters, &s, &e);

        if (r >= 0)
                r = api_secrets(call, parameters, &secrets, &e);
        if (r < 0)
                return api_fail(call, &e, r);
        reply = json_object_new_object();
        array = json_object_new_array();
        for (size_t k = 0; k < s.n && !e.id; k++)
                json_push(array, environment_json(s.items[k], secrets, &e));
        if (e.id) {
                json_object_put(array);
                json_object_put(reply);
                return api_fail(call, &e, -EINVAL);
        }
        json_set(reply, "environments", array);
        return api_reply(call, reply);
}
