/* What PM2 says of one process: describe, and the plain answers of id, pid and env. */
#include <stdio.h>
#include <time.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/control.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"

/* ---- describe ---- */

typedef struct Pair {
        const char *key;
        char *value;
} Pair;

static char *joined(json_object *words, size_t first, size_t n) {
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < n && first + i < array_length(words); i++)
                if (buffer_printf(&b, "%s%s", i > 0 ? " " : "", json_object_get_string(json_object_array_get_idx(words, first + i))) < 0)
                        return NULL;
        return b.data ? TAKE_PTR(b.data) : strdup("N/A");
}

static char *iso_time(usec_t t) {
        time_t seconds = (time_t) (t / USEC_PER_SEC);
        char buf[32];
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return strdup("N/A");
        return text_printf("%s.%03uZ", buf, (unsigned) (t / USEC_PER_MSEC % 1000));
}

static void print_rule(size_t left, size_t right, const char *a, const char *b, const char *c) {
        fputs(a, stdout);
        for (size_t i = 0; i < left + 2; i++)
                fputs("\u2500", stdout);
        fputs(b, stdout);
        for (size_t i = 0; i < right + 2; i++)
                fputs("\u2500", stdout);
        puts(c);
}

static void print_pairs(const Pm2 *p, const Pair *pairs, size_t n) {
        size_t left = 0, right = 0;

        for (size_t i = 0; i < n; i++) {
                left = MAX(left, strlen(pairs[i].key));
                right = MAX(right, pairs[i].value ? utf8_columns(pairs[i].value) : 0);
        }
        print_rule(left, right, "\u250c", "\u252c", "\u2510");
        for (size_t i = 0; i < n; i++) {
                const char *value = pairs[i].value ?: "";

                printf("\u2502 %s%-*s%s \u2502 ", colour_begin(p->ctl->colour, COLOUR_BOLD), (int) left, pairs[i].key, colour_end(p->ctl->colour));
                print_text(stdout, value);
                printf("%*s \u2502\n", (int) (right - MIN(right, utf8_columns(value))), "");
        }
        print_rule(left, right, "\u2514", "\u2534", "\u2518");
}

static void print_process(const Pm2 *p, const Pm2Process *i) {
        json_object *spec = field_object(i->service, "spec");
        Pm2Command c = pm2_command(i->service);
        bool node = streq(c.interpreter, "node");
        char *version = pm2_version_of(i), *running = node ? node_version() : NULL;
        char span[FORMAT_MAX];
        Pair pairs[] = {
                { "status", strdup(i->status) },
                { "name", strdup(i->view.name) },
                { "namespace", strdup(i->view.ns) },
                { "version", version ?: strdup("N/A") },
                { "restarts", text_printf("%" PRIi64, i->view.restarts) },
                { "uptime", strdup(streq(i->status, "online") ? format_ago(span, i->view.since) : "0") },
                { "script path", strdup(c.script) },
                { "script args", c.words ? joined(c.words, c.first_argument, array_length(c.words)) : strdup(field_text(spec, "command")) },
                { "error log path", strdup(pm2_log_path(i)) },
                { "out log path", strdup(pm2_log_path(i)) },
                { "interpreter", strdup(c.interpreter) },
                { "interpreter args", joined(c.words, c.first_option, c.n_options) },
                { "script id", text_printf("%" PRIi64, i->id) },
                { "exec cwd", strdup(field_text(spec, "cwd")) },
                { "exec mode", strdup(pm2_mode(i->service)) },
                { "node.js version", running ?: strdup("N/A") },
                { "watch & reload", strdup(array_length(field_array(field_object(spec, "watch"), "paths")) > 0 ? "\u2714" : "\u2718") },
                { "unstable restarts", text_printf("%" PRIi64, field_number(i->instance, "attempts", 0)) },
                { "created at", iso_time(i->view.since) },
        };

        printf(" Describing process with id %" PRIi64 " - name %s \n", i->id, i->view.name);
        print_pairs(p, pairs, ARRAY_SIZE(pairs));
        if (*i->view.status)
                printf(" %s\n", i->view.status);
        printf(" Use `kingctl pm2 logs %s [--lines 1000]` to display logs\n"
               " Use `kingctl pm2 env %" PRIi64 "` to display environment variables\n"
               " Use `kingctl describe %s` for all that Kingly knows\n", i->view.name, i->id, i->view.name);
        for (size_t k = 0; k < ARRAY_SIZE(pairs); k++)
                free(pairs[k].value);
}

int pm2_describe(Pm2 *p) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r = pm2_list_fetch(p, &l);

        if (r < 0)
                return r;
        if (pm2_list_select(&l, p->words[0]) == 0) {
                fprintf(stderr, "[PM2][WARN] %s doesn't exist\n", p->words[0]);
                return 1;
        }
        for (size_t i = 0; i < l.n; i++)
                if (l.items[i].selected)
                        print_process(p, l.items + i);
        return 0;
}

/* ---- id, pid, env ---- */

int pm2_id(Pm2 *p) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r = pm2_list_fetch(p, &l);
        bool any = false;

        if (r < 0)
                return r;
        (void) pm2_list_select(&l, p->words[0]);
        for (size_t i = 0; i < l.n; i++)
                if (l.items[i].selected) {
                        printf("%s%" PRIi64, any ? ", " : "[ ", l.items[i].id);
                        any = true;
                }
        puts(any ? " ]" : "[]");
        return 0;
}

int pm2_pid(Pm2 *p) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r = pm2_list_fetch(p, &l);

        if (r < 0)
                return r;
        /* An empty line for what is not there, 0 for what does not run: scripts count on it. */
        if (pm2_list_select(&l, p->words[0] ?: "all") == 0)
                puts("");
        for (size_t i = 0; i < l.n; i++)
                if (l.items[i].selected)
                        printf("%" PRIi64 "\n", l.items[i].view.pid);
        return 0;
}

/* "NAME=value" as "NAME: value". */
static void print_variable(const char *e) {
        size_t n = strcspn(e, "=");
        _cleanup_free_ char *name = strndup(e, n);

        print_text(stdout, name ?: "");
        fputs(": ", stdout);
        print_text(stdout, e + n + (e[n] == '='));
        fputc('\n', stdout);
}

int pm2_env(Pm2 *p) {
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_pm2_list_ Pm2List l = {};
        json_object *environments;
        int r = pm2_list_fetch(p, &l);

        if (r < 0)
                return r;
        if (pm2_list_select(&l, p->words[0]) == 0)
                return pm2_fail(p, "Modules with id %s not found", p->words[0]);
        r = ctl_call(p->ctl, "Environment", pm2_list_parameters(&l), &reply);
        environments = field_array(reply, "environments");
        for (size_t i = 0; i < array_length(environments) && r >= 0; i++) {
                json_object *env = field_array(json_object_array_get_idx(environments, i), "environment");

                for (size_t k = 0; k < array_length(env); k++)
                        print_variable(json_object_get_string(json_object_array_get_idx(env, k)));
        }
        return r;
}
