/* Status and Doctor: what is going on, and what this machine lets us do. */
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/books/recover.h"
#include "manager/books/reexec.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/logs/flood.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/sandbox.h"

static json_object *states_json(const Manager *m, int *ret_instances) {
        json_object *o = json_object_new_object();

        *ret_instances = 0;
        for (size_t k = 0; o && k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        const char *name = instance_public_state(m->order[k]->instances[n]);
                        json_object *count;

                        (*ret_instances)++;
                        if (json_object_object_get_ex(o, name, &count))
                                (void) json_object_int_inc(count, 1);
                        else
                                json_set(o, name, json_object_new_int(1));
                }
        return o;
}

static void add_floods(const Manager *m, json_object *problems) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        _cleanup_free_ char *text = flood_problem(m->order[k]->instances[n]);

                        if (text)
                                json_push(problems, json_object_new_string(text));
                }
}

#define LOG_SPACE_MIN (64 * 1024)      /* bytes: what the logger writes at once */

/* Why log files cannot be written just now, malloc'ed; NULL: nothing speaks against it. */
static char *log_problem(const Manager *m) {
        struct statvfs v;

        if (statvfs(m->places.logs, &v) < 0)
                return NULL; /* it is made when it is needed */
        if ((uint64_t) v.f_bavail * v.f_frsize >= LOG_SPACE_MIN)
                return NULL;
        return text_printf("no space left for log files in %s: services wait in their output, or lose lines where log.when_full says so",
                           m->places.logs);
}

int api_status(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        json_object *o = json_object_new_object(), *problems = json_object_new_array();
        _cleanup_free_ char *recovered = recover_problem(m), *full = log_problem(m);
        int instances;

        json_set(o, "version", json_object_new_string(KINGLY_VERSION));
        json_set(o, "pid", json_object_new_int(link_keeper(m->link)));
        json_set(o, "manager_pid", json_object_new_int(getpid()));
        json_set(o, "isolation", json_object_new_string(isolate_kind_name(isolate_kind(m->isolate))));
        json_set(o, "home", json_object_new_string(m->places.home ?: m->places.state));
        json_set(o, "since_usec", json_object_new_int64((int64_t) m->started));
        json_set(o, "services", json_object_new_int((int) m->n_order));
        json_set(o, "states", states_json(m, &instances));
        json_set(o, "instances", json_object_new_int(instances));
        STRV_FOREACH(p, m->problems)
                json_push(problems, json_object_new_string(*p));
        add_floods(m, problems);
        if (m->store_problem)
                json_push(problems, json_object_new_string(m->store_problem));
        if (m->schedule_retry)
                json_push(problems, json_object_new_string("cannot arm a timer or read a time zone, trying again: scheduled services are late"));
        json_push(problems, json_text(recovered));
        json_push(problems, json_text(full));
        json_set(o, "problems", problems);
        json_set(o, "upgrade", reexec_json(m));
        return api_reply(call, o);
}

static void check(json_object *array, const char *name, bool ok, const char *message, const char *hint) {
        json_object *o = json_object_new_object();

        json_set(o, "name", json_object_new_string(name));
        json_set(o, "ok", json_object_new_boolean(ok));
        json_set(o, "message", json_object_new_string(message));
        json_set(o, "hint", json_text(hint));
        json_push(array, o);
}

static void check_support(json_object *array, const LimitSupport *s) {
        _cleanup_free_ char *how = s->enforced && *s->why ? text_printf("enforced, %s", s->why) : NULL;

        check(array, s->key, s->enforced, s->enforced ? how ?: "enforced" : s->why, NULL);
}

/* What a limit's line says already need not stand alone. */
static bool is_reason(const LimitSupport *support, size_t n, const char *line) {
        for (size_t k = 0; k < n; k++)
                if (!support[k].enforced && streq(support[k].why, line))
                        return true;
        return false;
}

static int doctor_answer(Manager *m, VarlinkCall *call) {
        _cleanup_strv_ char **report = isolate_report(m->isolate);
        json_object *o = json_object_new_object(), *array = json_object_new_array();
        bool writable = access(m->places.logs, W_OK) >= 0, memory = false;
        _cleanup_free_ char *full = log_problem(m), *credentials = NULL;
        const LimitSupport *support;
        const SandboxSupport *sandbox;
        size_t n;

        check(array, "isolation", isolate_kind(m->isolate) != ISOLATE_SESSION, isolate_kind_name(isolate_kind(m->isolate)),
              isolate_kind(m->isolate) == ISOLATE_SESSION ? "limits need systemd or a writable cgroup v2" : NULL);
        support = isolate_support(m->isolate, &n);
        STRV_FOREACH(line, report)
                if (!is_reason(support, n, *line))
                        check(array, "isolation", true, *line, NULL);
        for (size_t k = 0; k < n; k++)
                check_support(array, support + k);
        sandbox = sandbox_support(m, &n);
        for (size_t k = 0; k < n; k++)
                check(array, sandbox[k].key, sandbox[k].possible, sandbox[k].how, NULL);
        check(array, "journal", true, m->journal ? "a journald listens: output goes there by default" : "no journald: output goes to files",
              NULL);
        check(array, "state", !m->store_problem, m->store_problem ?: m->places.store,
              m->store_problem ? "free space or fix permissions; it is tried again by itself" : NULL);
        check(array, "logs", writable && !full, full ?: m->places.logs, writable ? NULL : "the directory is not writable");
        credentials = credentials_report(m, &memory);
        if (credentials)
                check(array, "credentials", memory, credentials, memory ? NULL : "mount a tmpfs on /dev/shm or on the runtime directory, so that secrets never reach a disk");
        STRV_FOREACH(p, m->problems)
                check(array, "problem", false, *p, NULL);
        json_set(o, "checks", array);
        return api_reply(call, o);
}

/* What a sandbox may be has to be tried first. */
int api_doctor(VarlinkCall *call, json_object *parameters, void *userdata) {
        return sandbox_ask(userdata, call, doctor_answer);
}
