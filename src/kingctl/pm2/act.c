/* PM2's verbs that act on processes: which, in which words, and what came of each. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"

/* ---- one call ---- */

typedef struct Teller {
        Pm2 *p;
        const Pm2List *list;
        bool quiet, failed;
} Teller;

static void tell(void *userdata, json_object *result) {
        Teller *t = userdata;
        const char *error = field_text(result, "error"), *hint = field_text(result, "hint"), *name = field_text(result, "name");
        const Pm2Process *i = t->list ? pm2_list_find(t->list, field_text(result, "namespace"), name, field_number(result, "instance", 0)) : NULL;

        if (*error) {
                t->failed = true;
                pm2_fail(t->p, "[%s] %s%s%s%s", entry_label(result), error, *hint ? " (" : "", hint, *hint ? ")" : "");
        } else if (!t->quiet && i)
                pm2_say(t->p, "[%s](%" PRIi64 ") \u2713", name, i->id);
        fflush(stdout);
}

int pm2_call(Pm2 *p, const Pm2List *l, const char *method, json_object *parameters, bool quiet) {
        Teller t = { .p = p, .list = l, .quiet = quiet };
        Settle s = { .ctl = p->ctl, .tell = tell, .userdata = &t };
        int r = settle_call(&s, method, parameters);

        return r < 0 ? r : t.failed;
}

/* "[ 0, 1 ]", or as one word of the caller's when it was a number. */
static char *ids_of(const Pm2List *l, const char *word) {
        _cleanup_buffer_ Buffer b = {};
        uint64_t number;

        if (parse_u64(word, &number) >= 0)
                return text_printf("[ '%s' ]", word);
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].selected && buffer_printf(&b, "%s%" PRIi64, b.size > 0 ? ", " : "", l->items[i].id) < 0)
                        return NULL;
        return text_printf("[ %s ]", b.data ?: "");
}

static void say_action(const Pm2 *p, const Pm2List *l, const char *word, const char *action) {
        _cleanup_free_ char *ids = ids_of(l, word);

        if (!pm2_is_file(word))
                pm2_say(p, "Applying action %s on app [%s](ids: %s)", action, word, ids ?: "");
        fflush(stdout);
}

int pm2_act(Pm2 *p, Pm2List *l, const char *word, const char *action, const char *method) {
        say_action(p, l, word, action);
        return pm2_call(p, l, method, pm2_list_parameters(l), false);
}

/* ---- the words ---- */

static int none_called(const Pm2 *p, const char *word) {
        if (streq(word, "all") || word[0] == '/') {
                fprintf(stderr, "[PM2][WARN] No process found\n");
                return 1;
        }
        return pm2_fail(p, "Process or Namespace %s not found", word);
}

typedef int (*OnSelected)(Pm2 *p, Pm2List *l, const char *word);

/* One word after the other, until one fails. */
static int each_word(Pm2 *p, OnSelected act, OnSelected act_on_file) {
        int r = 0;

        STRV_FOREACH(word, p->words) {
                _cleanup_pm2_list_ Pm2List l = {};

                r = pm2_list_fetch(p, &l);
                if (r >= 0 && pm2_is_file(*word)) {
                        r = act_on_file(p, &l, *word);
                } else if (r >= 0)
                        r = pm2_list_select(&l, *word) > 0 ? act(p, &l, *word) : none_called(p, *word);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* What a file names, as far as it is there. */
static int call_on_file(Pm2 *p, Pm2List *l, const char *file, OnSelected act) {
        int r = pm2_select_file(p, l, file);
        json_object *parameters;

        if (r != 0)
                return r;
        parameters = pm2_list_parameters(l);
        r = array_length(field_array(parameters, "selectors")) > 0;
        json_object_put(parameters);
        return r > 0 ? act(p, l, file) : 0;
}

static int show(Pm2 *p, int r) {
        int shown = r == 0 ? pm2_show_list(p) : 0;

        return shown < 0 ? shown : r;
}

/* ---- stop, restart, reload ---- */

static int stop(Pm2 *p, Pm2List *l, const char *word) {
        return pm2_act(p, l, word, "stopProcessId", "Stop");
}

static int stop_file(Pm2 *p, Pm2List *l, const char *word) {
        return call_on_file(p, l, word, stop);
}

int pm2_stop(Pm2 *p) {
        return show(p, each_word(p, stop, stop_file));
}

static int restart(Pm2 *p, Pm2List *l, const char *word) {
        int r = pm2_given(p, "update-env") ? pm2_update_environment(p, l) : 0;

        return r != 0 ? r : pm2_act(p, l, word, "restartProcessId", "Restart");
}

static int restart_file(Pm2 *p, Pm2List *l, const char *word) {
        return pm2_start_file(p, word, false);
}

static void remind(const Pm2 *p) {
        if (!pm2_given(p, "update-env") && !pm2_given(p, "silent") && !pm2_is_file(p->words[0]))
                puts("Use --update-env to update environment variables");
}

/* PM2 takes new settings with a restart as well. */
static int refuse_settings(Pm2 *p) {
        int r = json_object_object_length(p->app);

        json_object_object_foreach(p->app, key, value) {
                (void) value;
                return pm2_fail(p, "restart does not change %s: kingctl pm2 delete, then start with what it shall be, or apply a file", key);
        }
        return r;
}

int pm2_restart(Pm2 *p) {
        int r = refuse_settings(p);

        if (r != 0)
                return r;
        remind(p);
        return show(p, each_word(p, restart, restart_file));
}

/* What runs, and has a way to be reloaded. */
static bool reloadable(const Pm2Process *i) {
        json_object *spec = field_object(i->service, "spec");

        return state_lives(i->view.state) && (array_length(field_array(i->service, "instances")) > 1 || array_length(field_array(spec, "sockets")) > 0 ||
                                              !streq(field_text(field_object(spec, "reload"), "by"), "none") ||
                                              streq(field_text(field_object(spec, "ready"), "by"), "notify"));
}

static json_object *part_parameters(Pm2List *l, bool reload) {
        _cleanup_free_ bool *selected = calloc(l->n + 1, sizeof(bool));
        json_object *parameters;

        if (!selected)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                selected[i] = l->items[i].selected;
                l->items[i].selected = selected[i] && reloadable(l->items + i) == reload;
        }
        parameters = pm2_list_parameters(l);
        for (size_t i = 0; i < l->n; i++)
                l->items[i].selected = selected[i];
        return parameters;
}

int pm2_reload_selected(Pm2 *p, Pm2List *l) {
        static const char *const methods[] = { "Restart", "Reload" };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(methods) && r == 0; i++) {
                _cleanup_json_ json_object *parameters = part_parameters(l, i == 1);

                if (!parameters)
                        return ctl_oom(p->ctl);
                if (array_length(field_array(parameters, "selectors")) > 0)
                        r = pm2_call(p, l, methods[i], json_object_get(parameters), false);
        }
        return r;
}

static int reload(Pm2 *p, Pm2List *l, const char *word) {
        int r = pm2_given(p, "update-env") ? pm2_update_environment(p, l) : 0;

        if (r != 0)
                return r;
        say_action(p, l, word, "reloadProcessId");
        return pm2_reload_selected(p, l);
}

static int reload_file(Pm2 *p, Pm2List *l, const char *word) {
        return pm2_start_file(p, word, true);
}

int pm2_reload(Pm2 *p) {
        int r = refuse_settings(p);

        if (r != 0)
                return r;
        remind(p);
        return each_word(p, reload, reload_file);
}

/* ---- delete, scale ---- */

static size_t count_service(const Pm2List *l, json_object *service, bool selected) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += l->items[i].service == service && (!selected || l->items[i].selected);
        return n;
}

static json_object *service_parameters(const Pm2Process *i, const char *instances) {
        _cleanup_json_ json_object *p = json_object_new_object();
        _cleanup_free_ char *name = instance_name(i->view.ns, i->view.name, 0, true);
        json_object *selectors = json_object_new_array();

        if (json_add(p, "selectors", selectors) < 0 || !name || json_object_array_add(selectors, json_object_new_string(name)) < 0 ||
            (instances && json_add_string(p, "instances", instances) < 0))
                return NULL;
        return TAKE_PTR(p);
}

/* Instances are numbered without gaps: of some of them, only the last can go. */
static int delete_some(Pm2 *p, Pm2List *l, const Pm2Process *one) {
        size_t n = count_service(l, one->service, false), go = count_service(l, one->service, true);
        char to[32];

        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].service == one->service && l->items[i].selected != (l->items[i].view.instance >= (int64_t) (n - go)))
                        return pm2_fail(p, "of the %zu instances of %s only the last can go: kingctl pm2 scale %s -%zu", n, one->view.name,
                                        one->view.name, go);
        snprintf(to, sizeof to, "%zu", n - go);
        return pm2_call(p, l, "Scale", service_parameters(one, to), true);
}

static int delete(Pm2 *p, Pm2List *l, const char *word) {
        for (size_t i = 0; i < l->n; i++) {
                Pm2Process *one = l->items + i;
                int r;

                if (!one->selected || count_service(l, one->service, true) == count_service(l, one->service, false))
                        continue;
                r = delete_some(p, l, one);
                if (r == 0)
                        pm2_say(p, "[%s](%" PRIi64 ") \u2713", one->view.name, one->id);
                return r;
        }
        return pm2_act(p, l, word, "deleteProcessId", "Delete");
}

static int delete_file(Pm2 *p, Pm2List *l, const char *word) {
        return call_on_file(p, l, word, delete);
}

int pm2_delete(Pm2 *p) {
        return show(p, each_word(p, delete, delete_file));
}

/* How many there shall be; negative: no number. */
static int64_t scale_target(const char *word, size_t now) {
        int64_t n;

        if (parse_i64(word[0] == '+' ? word + 1 : word, &n) < 0)
                return -1;
        return word[0] == '+' || word[0] == '-' ? MAX((int64_t) now + n, (int64_t) 0) : n;
}

static int scale(Pm2 *p, Pm2List *l, Pm2Process *one, const char *word) {
        size_t now = count_service(l, one->service, false);
        int64_t target = scale_target(word, now);
        char to[32];
        int r;

        if (target < 0)
                return pm2_fail(p, "%s is not a number of instances", word);
        if ((size_t) target == now)
                return pm2_fail(p, "Nothing to do");
        if (target == 0)
                return pm2_fail(p, "nothing would be left: kingctl pm2 stop %s, or delete it", one->view.name);
        for (size_t i = now; i < (size_t) target; i++)
                pm2_say(p, "Scaling up application");
        fflush(stdout);
        snprintf(to, sizeof to, "%" PRIi64, target);
        r = pm2_call(p, l, "Scale", service_parameters(one, to), true);
        for (size_t i = 0; i < l->n && r == 0; i++)
                if (l->items[i].service == one->service && l->items[i].view.instance >= target)
                        pm2_say(p, "[%s](%" PRIi64 ") \u2713", one->view.name, l->items[i].id);
        return r;
}

int pm2_scale(Pm2 *p) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r = pm2_list_fetch(p, &l);

        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                if (streq(l.items[i].view.name, p->words[0]))
                        return show(p, scale(p, &l, l.items + i, p->words[1]));
        return pm2_fail(p, "Application %s not found", p->words[0]);
}

/* ---- reset, sendSignal, flush ---- */

static int reset(Pm2 *p, Pm2List *l, const char *word) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].selected)
                        pm2_say(p, "Resetting meta for process id %" PRIi64, l->items[i].id);
        return pm2_call(p, l, "Reset", pm2_list_parameters(l), true);
}

/* Words that neither PM2 nor we take for files here. */
static int with_list(Pm2 *p, const char *word, OnSelected act, const char *missing) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r = pm2_list_fetch(p, &l);

        if (r < 0)
                return r;
        if (pm2_list_select(&l, word) > 0)
                return act(p, &l, word);
        fprintf(stderr, "%s\n", missing);
        return 1;
}

int pm2_reset(Pm2 *p) {
        return show(p, with_list(p, p->words[0], reset, "Unknown process name"));
}

/* What a word is taken for. */
static const char *kind_of(const char *word) {
        return word[strspn(word, "0123456789")] == '\0' ? "id" : "name";
}

static int send_signal(Pm2 *p, Pm2List *l, const char *word) {
        json_object *parameters = pm2_list_parameters(l);
        int r;

        if (!parameters || json_add_string(parameters, "signal", p->words[0]) < 0) {
                json_object_put(parameters);
                return ctl_oom(p->ctl);
        }
        r = pm2_call(p, l, "Signal", parameters, true);
        if (r == 0 && !pm2_given(p, "silent"))
                printf("successfully sent signal %s to process %s %s\n", p->words[0], kind_of(word), word);
        return r;
}

int pm2_signal(Pm2 *p) {
        pm2_say(p, "Sending signal to process %s %s", kind_of(p->words[1]), p->words[1]);
        return show(p, with_list(p, p->words[1], send_signal, "Unknown process name"));
}

static int flush(Pm2 *p, Pm2List *l, const char *word) {
        int r;

        pm2_say(p, "Flushing:");
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].selected)
                        pm2_say(p, "%s", pm2_log_path(l->items + i));
        r = pm2_call(p, l, "FlushLogs", pm2_list_parameters(l), true);
        if (r == 0)
                pm2_say(p, "Logs flushed");
        return r;
}

int pm2_flush(Pm2 *p) {
        return with_list(p, p->words[0] ?: "all", flush, "Unknown process name");
}
