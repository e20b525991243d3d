/* The probes of process-compose.yaml, and the line of the log that makes a process ready. */
#include <strings.h>

#include "base/span.h"
#include "base/text.h"
#include "config/process_compose.h"

/* Their names are Kubernetes', so are the meanings and, where a key is missing or 0, the defaults. */
static const struct {
        const char *name, *key;
        bool span;
} timings[] = {
        { "initial_delay_seconds", "initial_delay", true }, { "period_seconds", "period", true },       { "timeout_seconds", "timeout", true },
        { "success_threshold", "success", false },          { "failure_threshold", "failure", false },
};

static int read_timing(Process *p, const Pair *pair, const char *key, json_object *probe) {
        uint64_t n;

        for (size_t i = 0; i < ARRAY_SIZE(timings); i++) {
                _cleanup_free_ char *span = NULL;

                if (!streq(timings[i].name, pair->key->text))
                        continue;
                if (!text_of(pair->value) || parse_u64(pair->value->text, &n) < 0)
                        return foreign_fault(p->f, place_of(pair->value), "%s: %s: %s: expected a number", p->name, key, pair->key->text);
                if (n == 0)
                        return 0;
                span = text_printf("%" PRIu64 "s", n);
                return !span ? -ENOMEM : json_add(probe, timings[i].key, timings[i].span ? json_object_new_string(span) : json_object_new_int64((int64_t) n));
        }
        return foreign_note(p->f, place_of(pair->key), "%s: %s: %s has no counterpart", p->name, key, pair->key->text);
}

/* A line for the shell, as the process's own. */
static int read_probe_exec(Process *p, const Node *exec, const char *key, json_object *probe) {
        const Node *shell = find(p->root, "shell"), *command = find(exec, "command");
        const char *program = text_of(find(shell, "shell_command")) ?: "bash", *argument = text_of(find(shell, "shell_argument")) ?: "-c";
        json_object *words = json_object_new_array();

        if (!text_of(command) || json_append(words, json_object_new_string(program)) < 0 || json_append(words, json_object_new_string(argument)) < 0 ||
            json_append(words, json_object_new_string(command->text)) < 0) {
                json_object_put(words);
                return text_of(command) ? -ENOMEM : foreign_fault(p->f, place_of(exec), "%s: %s: exec: expected a command", p->name, key);
        }
        if (find(exec, "working_dir"))
                (void) foreign_note(p->f, place_of(exec), "%s: %s: working_dir: it runs in the directory of the service", p->name, key);
        return json_add(probe, "exec", words);
}

/* One status is a success there, 200 unless it says otherwise. */
static int read_probe_http(Process *p, const Node *get, const char *key, json_object *probe) {
        static const char *const known[] = { "host", "port", "path", "scheme", "status_code", "headers" };
        const char *host = text_of(find(get, "host")), *path = text_of(find(get, "path")), *scheme = text_of(find(get, "scheme"));
        uint64_t port, status = 200;
        json_object *http, *codes;
        int r = 0;

        if (!text_of(find(get, "port")) || parse_u64(find(get, "port")->text, &port) < 0 ||
            (find(get, "status_code") && (!text_of(find(get, "status_code")) || parse_u64(find(get, "status_code")->text, &status) < 0)))
                return foreign_fault(p->f, place_of(get), "%s: %s: http_get: expected a port", p->name, key);
        http = json_object_new_object();
        if (json_add(probe, "http", http) < 0 || json_add(http, "port", json_object_new_int64((int64_t) MIN(port, (uint64_t) INT32_MAX))) < 0 ||
            (host && json_add(http, "host", json_object_new_string(host)) < 0) || (path && json_add(http, "path", json_object_new_string(path)) < 0))
                return -ENOMEM;
        /* Its certificate is verified there. */
        if (scheme && strcasecmp(scheme, "https") == 0 &&
            (json_add(http, "scheme", json_object_new_string("https")) < 0 || json_add(http, "verify", json_object_new_boolean(true)) < 0))
                return -ENOMEM;
        codes = json_object_new_array();
        if (json_add(http, "codes", codes) < 0 || json_append(codes, json_object_new_int64((int64_t) MIN(status, (uint64_t) INT32_MAX))) < 0)
                return -ENOMEM;
        for (size_t i = 0; find(get, "headers") && find(get, "headers")->kind == NODE_MAP && i < find(get, "headers")->n && r >= 0; i++) {
                const Pair *h = find(get, "headers")->pairs + i;
                _cleanup_free_ char *at = text_printf("headers.%s", h->key->text);

                r = at ? foreign_set_text(http, at, text_of(h->value) ?: "") : -ENOMEM;
        }
        for (size_t i = 0; i < get->n && r >= 0; i++) {
                bool read = false;

                for (size_t k = 0; k < ARRAY_SIZE(known); k++)
                        read = read || streq(known[k], get->pairs[i].key->text);
                if (!read)
                        r = foreign_note(p->f, place_of(get->pairs[i].key), "%s: %s: %s has no counterpart", p->name, key, get->pairs[i].key->text);
        }
        return r;
}

int process_compose_probe(Process *p, const Node *v, const char *key) {
        _cleanup_json_ json_object *probe = json_object_new_object();
        const Node *get = find(v, "http_get"), *exec = find(v, "exec");
        int r = probe ? 0 : -ENOMEM;

        if (v->kind != NODE_MAP || (!get && !exec))
                return foreign_fault(p->f, place_of(v), "%s: %s: expected exec or http_get", p->name, key);
        if (r >= 0)
                r = exec ? read_probe_exec(p, exec, key, probe) : read_probe_http(p, get, key, probe);
        for (size_t i = 0; i < v->n && r >= 0; i++)
                if (v->pairs[i].value != get && v->pairs[i].value != exec && !node_is_null(v->pairs[i].value))
                        r = read_timing(p, v->pairs + i, key, probe);
        return r < 0 ? r : foreign_set(p->service, startswith(key, "readiness") ? "probes.readiness" : "probes.liveness", TAKE_PTR(probe));
}

/* Text that a line holds there, a regular expression here. */
int process_compose_ready_line(Process *p, const Node *v, const char *key) {
        _cleanup_buffer_ Buffer pattern = {};
        int r = buffer_append(&pattern, "", 0);

        if (!text_of(v) || !*v->text)
                return foreign_fault(p->f, place_of(v), "%s: ready_log_line: expected a text", p->name);
        for (const char *c = v->text; *c && r >= 0; c++)
                r = strchr("\\^$.|?*+()[]{}", *c) ? buffer_printf(&pattern, "\\%c", *c) : buffer_append(&pattern, c, 1);
        if (r < 0 || (r = foreign_set_text(p->service, "ready.by", "log")) < 0)
                return r;
        return foreign_set_text(p->service, "ready.pattern", pattern.data);
}
