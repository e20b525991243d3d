#include "manager/notify/said.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/books/books.h"
#include "manager/events.h"

Said *said_of(Instance *i) {
        if (!i->said) {
                i->said = malloc(sizeof(Said));
                if (i->said)
                        *i->said = (Said) { .access = -1, .error = -1, .exit_status = -1 };
        }
        return i->said;
}

void said_free(Instance *i) {
        if (!i->said)
                return;
        free(i->said->bus_error);
        free(i->said->varlink_error);
        free(i->said->refusal);
        free(i->said);
        i->said = NULL;
}

/* ---- over the manager's death ---- */

char *said_text(const Instance *i) {
        _cleanup_buffer_ Buffer b = {};
        const Said *s = i->said;

        if (!s)
                return NULL;
        if (s->ready)
                (void) buffer_printf(&b, "READY=1\n");
        if (s->main_told)
                (void) buffer_printf(&b, "MAINPID=%d\n", i->main.pid);
        if (s->access >= 0)
                (void) buffer_printf(&b, "NOTIFYACCESS=%s\n", notify_access_name((NotifyAccess) s->access));
        if (s->error >= 0)
                (void) buffer_printf(&b, "ERRNO=%d\n", s->error);
        if (s->bus_error)
                (void) buffer_printf(&b, "BUSERROR=%s\n", s->bus_error);
        if (s->varlink_error)
                (void) buffer_printf(&b, "VARLINKERROR=%s\n", s->varlink_error);
        if (s->exit_status >= 0)
                (void) buffer_printf(&b, "EXIT_STATUS=%d\n", s->exit_status);
        return TAKE_PTR(b.data);
}

int said_recall(Instance *i, const char *text) {
        size_t n = strlen(text);
        _cleanup_free_ char *copy = NULL;
        NotifyMessage m;
        Said *s;
        int r;

        if (n == 0)
                return 0;
        copy = strdup(text);
        s = copy ? said_of(i) : NULL;
        if (!s)
                return -ENOMEM;
        r = notify_parse(copy, n, &m);
        if (r < 0)
                return r;
        s->ready = m.ready;
        s->main_told = m.main_pid > 0;
        s->access = m.access;
        said_errors(i, &m);
        return 0;
}

/* ---- what went wrong ---- */

static void keep(char **field, const char *value) {
        char *copy = value ? strdup(value) : NULL;

        if (!copy)
                return;
        free(*field);
        *field = copy;
}

void said_errors(Instance *i, const NotifyMessage *m) {
        bool any = m->error >= 0 || m->exit_status >= 0 || m->bus_error || m->varlink_error;
        Said *s = any ? said_of(i) : NULL;

        if (!s)
                return;
        if (m->error >= 0)
                s->error = m->error;
        if (m->exit_status >= 0)
                s->exit_status = m->exit_status;
        keep(&s->bus_error, m->bus_error);
        keep(&s->varlink_error, m->varlink_error);
        books_mark_instance(i);
}

char *said_complaint(const Instance *i) {
        _cleanup_buffer_ Buffer b = {};
        const Said *s = i->said;
        const struct { const char *name, *value; } names[] = { { "BUSERROR", s ? s->bus_error : NULL }, { "VARLINKERROR", s ? s->varlink_error : NULL } };

        if (s && s->error > 0)
                (void) buffer_printf(&b, "%s (ERRNO=%d)", strerror(s->error), s->error);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                if (names[k].value)
                        (void) buffer_printf(&b, "%s%s=%s", b.size > 0 ? ", " : "", names[k].name, names[k].value);
        return TAKE_PTR(b.data);
}

/* ---- who is heard ---- */

NotifyAccess said_access(const Instance *i) {
        return i->said && i->said->access >= 0 ? (NotifyAccess) i->said->access : notify_access(i->service->spec);
}

void said_refuse(Instance *i, const char *format, ...) {
        Said *s = said_of(i);
        va_list ap;
        char *why;

        if (!s)
                return;
        va_start(ap, format);
        why = text_vprintf(format, ap);
        va_end(ap);
        if (!why)
                return;
        free(s->refusal);
        s->refusal = why;
        log_debug("%s: %s", i->service->key, why);
        if (s->refused++ == 0)
                event_emit(i->service->manager, i, NULL, EVENT_NOTIFY_REFUSED, "%s", why);
}

/* ---- what a person sees ---- */

static void add_errors(json_object *o, const Said *s) {
        json_set(o, "errno", s->error > 0 ? json_object_new_int(s->error) : NULL);
        json_set(o, "error", s->error > 0 ? json_object_new_string(strerror(s->error)) : NULL);
        json_set(o, "bus_error", s->bus_error ? json_object_new_string(s->bus_error) : NULL);
        json_set(o, "varlink_error", s->varlink_error ? json_object_new_string(s->varlink_error) : NULL);
        json_set(o, "exit_status", s->exit_status >= 0 ? json_object_new_int(s->exit_status) : NULL);
        json_set(o, "refused", json_object_new_int64((int64_t) s->refused));
        json_set(o, "refusal", s->refusal ? json_object_new_string(s->refusal) : NULL);
        json_set(o, "bad", json_object_new_int64((int64_t) s->bad));
        json_set(o, "bad_field", s->bad ? json_object_new_string(s->bad_field) : NULL);
}

json_object *said_json(const Instance *i) {
        const Said none = { .access = -1, .error = -1, .exit_status = -1 }, *s = i->said ?: &none;
        json_object *o;

        if (!spec_notifies(i->service->spec))
                return NULL;
        o = json_object_new_object();
        json_set(o, "access", json_object_new_string(notify_access_name(said_access(i))));
        json_set(o, "access_told", json_object_new_boolean(s->access >= 0));
        json_set(o, "main_told", json_object_new_boolean(s->main_told));
        json_set(o, "watchdog_usec", i->watchdog_interval > 0 ? json_object_new_int64((int64_t) i->watchdog_interval) : NULL);
        add_errors(o, s);
        return o;
}
