/* A record as the API says it. Must stay true: what a service wrote can be had back byte for byte, though JSON carries text only. */
#include <stdio.h>

#include "base/text.h"
#include "manager/api/api.h"
#include "manager/life/instance.h"
#include "manager/logs/log_source.h"

/* Bytes that are no text are shown as \xNN, and the whole message is said once more in hexadecimal. */
static void set_message(json_object *o, const LogRecord *r) {
        _cleanup_free_ char *escaped = NULL, *hex = NULL;

        if (utf8_valid(r->message, r->size)) {
                json_set(o, "message", json_object_new_string_len(r->message, (int) r->size));
                return;
        }
        escaped = text_escape(r->message, r->size);
        hex = malloc(2 * r->size + 1);
        if (hex)
                hex_encode(hex, (const uint8_t *) r->message, r->size);
        json_set(o, "message", json_object_new_string(escaped ?: ""));
        json_set(o, "bytes", hex ? json_object_new_string(hex) : NULL);
}

json_object *log_entry_json(LogSource *s) {
        json_object *o = json_object_new_object();
        _cleanup_free_ char *cursor = log_source_cursor(s);
        const LogRecord *r = &s->record;
        int instance = MAX(r->instance, 0); /* a line of a merged file that was written before it was one */
        char label[300];

        if (!o)
                return NULL;
        json_set(o, "time_usec", r->realtime ? json_object_new_int64((int64_t) r->realtime) : NULL);
        json_set(o, "name", json_object_new_string(s->name));
        json_set(o, "namespace", json_object_new_string(s->ns));
        json_set(o, "instance", json_object_new_int(instance));
        snprintf(label, sizeof label, s->several ? "%s:%d" : "%s", s->name, instance);
        json_set(o, "label", json_object_new_string(label));
        json_set(o, "stream", json_object_new_string(r->stream ? "err" : "out"));
        json_set(o, "priority", r->level ? json_object_new_int(r->level - 1) : NULL);
        json_set(o, "pid", r->pid > 0 ? json_object_new_int(r->pid) : NULL);
        set_message(o, r);
        if (r->partial)
                json_set(o, "partial", json_object_new_boolean(true));
        json_set(o, "cursor", cursor ? json_object_new_string(cursor) : NULL);
        return o;
}

json_object *log_origin_json(const Instance *i) {
        json_object *o = json_object_new_object();
        char label[300];

        if (!o)
                return NULL;
        json_set(o, "name", json_object_new_string(i->service->spec->name));
        json_set(o, "namespace", json_object_new_string(i->service->spec->ns));
        json_set(o, "instance", json_object_new_int((int) i->index));
        json_set(o, "label", json_object_new_string(instance_label(i, label)));
        return o;
}
