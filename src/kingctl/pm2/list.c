/* Owns the processes as PM2 thinks of them: one entry for each instance, with an id, a name and a namespace. */
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "kingctl/pm2/pm2.h"

/* Waiting is PM2's word only after an end; what waits for its time or for somebody to come is stopped there. */
static const char *status_of(const InstanceView *i, bool tried) {
        static const struct {
                const char *state, *status;
        } words[] = {
                { "running", "online" },   { "reloading", "online" },        { "starting", "launching" }, { "stopping", "stopping" },
                { "failed", "errored" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(words); k++)
                if (streq(words[k].state, i->state))
                        return words[k].status;
        return streq(i->state, "waiting") && tried ? "waiting restart" : "stopped";
}

const char *pm2_mode(json_object *service) {
        return streq(field_text(field_object(field_object(service, "spec"), "cluster"), "by"), "node") ? "cluster_mode" : "fork_mode";
}

void pm2_list_done(Pm2List *l) {
        json_object_put(l->reply);
        free(l->items);
        *l = (Pm2List) {};
}

static int compare_ids(const void *a, const void *b) {
        const Pm2Process *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

static int fill(Pm2List *l) {
        json_object *services = field_array(l->reply, "services");
        size_t n = 0;

        for (size_t i = 0; i < array_length(services); i++)
                n += array_length(field_array(json_object_array_get_idx(services, i), "instances"));
        l->items = calloc(n + 1, sizeof(Pm2Process));
        if (!l->items)
                return -ENOMEM;
        for (size_t i = 0; i < array_length(services); i++) {
                json_object *service = json_object_array_get_idx(services, i), *details = field_array(service, "instances");

                /* A cluster's balancer, which comes and goes with it. */
                if (*field_text(field_object(service, "spec"), "balances"))
                        continue;
                for (size_t k = 0; k < array_length(details); k++) {
                        json_object *detail = json_object_array_get_idx(details, k), *instance = field_object(detail, "instance");
                        Pm2Process *item = l->items + l->n;

                        /* Beside the one whose place it takes or has left, for as long as a reload lasts. */
                        if (*field_text(instance, "role"))
                                continue;
                        l->n++;
                        *item = (Pm2Process) { .id = field_number(instance, "number", 0), .view = instance_view(instance), .instance = instance,
                                               .service = service, .detail = detail };
                        item->status = status_of(&item->view, field_number(instance, "attempts", 0) > 0);
                }
        }
        qsort(l->items, l->n, sizeof(Pm2Process), compare_ids);
        return 0;
}

int pm2_list_fetch(Pm2 *p, Pm2List *ret) {
        _cleanup_json_ json_object *parameters = ctl_selectors(p->ctl, NULL, true);
        int r = ctl_connect(p->ctl, CONNECT_START);

        *ret = (Pm2List) {};
        if (r >= 0 && json_add(parameters, "brief", json_object_new_boolean(true)) < 0)
                r = ctl_oom(p->ctl);
        if (r >= 0)
                r = ctl_call(p->ctl, "Describe", json_object_get(parameters), &ret->reply);
        if (r >= 0 && fill(ret) < 0)
                r = ctl_oom(p->ctl);
        return r;
}

/* ---- selection ---- */

static size_t mark(Pm2Process *i, bool wanted) {
        if (!wanted || i->selected)
                return 0;
        i->selected = true;
        return 1;
}

static size_t mark_pattern(Pm2List *l, const char *word, size_t length) {
        _cleanup_free_ char *pattern = strndup(word + 1, length - 2);
        size_t n = 0;
        regex_t regex;

        if (!pattern || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return 0;
        for (size_t i = 0; i < l->n; i++)
                n += mark(l->items + i, regexec(&regex, l->items[i].view.name, 0, NULL, 0) == 0);
        regfree(&regex);
        return n;
}

/* PM2 knows a process by its script as well. */
static bool has_script(const Pm2Process *i, const char *path) {
        return path && streq(pm2_command(i->service).script, path);
}

size_t pm2_list_select(Pm2List *l, const char *word) {
        _cleanup_free_ char *path = path_absolute(word, NULL);
        size_t length = strlen(word), n = 0;
        uint64_t id;

        if (length > 2 && word[0] == '/' && word[length - 1] == '/')
                return mark_pattern(l, word, length);
        if (parse_u64(word, &id) >= 0) {
                for (size_t i = 0; i < l->n; i++)
                        n += mark(l->items + i, l->items[i].id == (int64_t) id);
                return n;
        }
        for (size_t i = 0; i < l->n; i++)
                n += mark(l->items + i, streq(word, "all") || streq(l->items[i].view.name, word) || has_script(l->items + i, path));
        if (n > 0)
                return n;
        for (size_t i = 0; i < l->n; i++)
                n += mark(l->items + i, streq(l->items[i].view.ns, word));
        return n;
}

size_t pm2_list_select_service(Pm2List *l, const char *ns, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += mark(l->items + i, streq(l->items[i].view.ns, ns) && streq(l->items[i].view.name, name));
        return n;
}

void pm2_list_clear(Pm2List *l) {
        for (size_t i = 0; i < l->n; i++)
                l->items[i].selected = false;
}

const Pm2Process *pm2_list_find(const Pm2List *l, const char *ns, const char *name, int64_t instance) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].view.instance == instance && streq(l->items[i].view.ns, ns) && streq(l->items[i].view.name, name))
                        return l->items + i;
        return NULL;
}

static bool whole(const Pm2List *l, const Pm2Process *one) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].service == one->service && !l->items[i].selected)
                        return false;
        return true;
}

/* By its first instance, so that each service is named once. */
static bool first_of_service(const Pm2List *l, size_t at) {
        for (size_t i = 0; i < at; i++)
                if (l->items[i].service == l->items[at].service)
                        return false;
        return true;
}

json_object *pm2_list_parameters(const Pm2List *l) {
        _cleanup_json_ json_object *p = json_object_new_object();
        json_object *selectors = json_object_new_array();

        if (json_add(p, "selectors", selectors) < 0)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                const Pm2Process *one = l->items + i;
                _cleanup_free_ char *name = NULL;
                bool all = one->selected && whole(l, one);

                if (!one->selected || (all && !first_of_service(l, i)))
                        continue;
                name = instance_name(one->view.ns, one->view.name, one->view.instance, all);
                if (!name || json_object_array_add(selectors, json_object_new_string(name)) < 0)
                        return NULL;
        }
        return TAKE_PTR(p);
}

/* ---- what a process is ---- */

static const char *word_at(json_object *words, size_t i) {
        json_object *w = i < array_length(words) ? json_object_array_get_idx(words, i) : NULL;

        return w ? json_object_get_string(w) : "";
}

static bool is_interpreter(const char *program) {
        static const char *const known[] = { "node", "bun", "python", "python3", "bash", "sh", "ruby", "php", "perl", "coffee", "deno" };
        const char *slash = strrchr(program, '/');

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (streq(slash ? slash + 1 : program, known[i]))
                        return true;
        return false;
}

/* An interpreter's options end before the first word that is none; what begins so is its script. */
Pm2Command pm2_command(json_object *service) {
        json_object *spec = field_object(service, "spec"), *words = field_array(spec, "command");
        Pm2Command c = { .interpreter = "none", .words = words, .script = word_at(words, 0), .first_argument = 1 };
        size_t script = 1;

        if (field_bool(spec, "shell"))
                return (Pm2Command) { .interpreter = "none", .script = "/bin/sh", .words = words };
        if (!words)
                return (Pm2Command) { .interpreter = "none", .script = field_text(spec, "command") };
        while (word_at(words, script)[0] == '-')
                script++;
        if (!is_interpreter(c.script) || script >= array_length(words))
                return c;
        c.interpreter = c.script;
        c.script = word_at(words, script);
        c.first_option = 1;
        c.n_options = script - 1;
        c.first_argument = script + 1;
        return c;
}

const char *pm2_log_path(const Pm2Process *i) {
        const char *path = field_text(i->detail, "log");

        return path[0] == '/' ? path : "/dev/null";
}

const char *pm2_percent(const Pm2Process *i, char buf[32]) {
        char *zero;

        snprintf(buf, 32, "%.1f", MAX(i->view.cpu, 0.0));
        zero = strstr(buf, ".0");
        if (zero)
                *zero = '\0';
        return buf;
}

#define PACKAGE_MAX (1024 * 1024)

static char *version_in(const char *directory) {
        _cleanup_free_ char *path = path_join(directory, "package.json"), *text = NULL;
        _cleanup_(json_putp) json_object *package = NULL;
        const char *version;

        if (!path || read_file_at(AT_FDCWD, path, PACKAGE_MAX, &text, NULL) < 0)
                return NULL;
        package = json_tokener_parse(text);
        version = field_text(package, "version");
        return *version ? strdup(version) : NULL;
}

char *pm2_version_of(const Pm2Process *i) {
        Pm2Command c = pm2_command(i->service);
        _cleanup_free_ char *directory = c.script[0] == '/' && !streq(c.script, "/bin/sh") ? strdup(c.script) : NULL;
        char *slash, *version = NULL;

        while (!version && directory && (slash = strrchr(directory, '/')) && slash > directory) {
                *slash = '\0';
                version = version_in(directory);
        }
        return version;
}
