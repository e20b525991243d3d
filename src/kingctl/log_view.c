/* Must stay true: without --raw no control character of a service reaches standard output as text; as JSON they are escaped by JSON. */
#include "kingctl/log_view.h"

#include "base/text.h"
#include "kingctl/log_text.h"
#include "kingctl/reply.h"

#define TIME_WIDTH 24            /* of format_local_time() and a blank */
#define SEPARATOR " | "

static void print_name(FILE *f, json_object *entry, const LogStyle *style) {
        _cleanup_free_ char *full =
                style->space ? text_printf("%s/%s", field_text(entry, "namespace"), entry_label(entry)) : strdup(entry_label(entry));
        bool error = streq(field_text(entry, "stream"), "err");
        int width = (int) style->name - (int) strlen(SEPARATOR), used = full ? (int) strlen(full) : 0;

        print_coloured(f, style->colour, name_colour(field_text(entry, "name")), full ? full : "?");
        fprintf(f, "%*s", MAX(width - used, 0), "");
        print_coloured(f, style->colour, error ? COLOUR_RED : COLOUR_DIM, SEPARATOR);
}

static void print_bytes(FILE *f, json_object *entry) {
        const char *hex = field_text(entry, "bytes"), *message = field_text(entry, "message");
        size_t n = strlen(hex) / 2;
        _cleanup_free_ uint8_t *bytes = n > 0 ? malloc(n) : NULL;

        if (bytes && hex_decode(hex, bytes, n))
                (void) fwrite(bytes, 1, n, f);
        else
                fputs(message, f);
}

void log_entry_print(FILE *f, json_object *entry, const LogStyle *style) {
        int64_t time = field_number(entry, "time_usec", -1);
        unsigned indent = (style->indent ? (unsigned) strlen(style->indent) : 0) + style->name;
        char buf[FORMAT_MAX];

        if (style->indent)
                fputs(style->indent, f);
        if (style->time && time >= 0) {
                print_coloured(f, style->colour, COLOUR_DIM, format_local_time(buf, (usec_t) time));
                fputc(' ', f);
                indent += TIME_WIDTH;
        }
        if (style->name)
                print_name(f, entry, style);
        if (style->raw)
                print_bytes(f, entry);
        else
                log_text_print(f, field_text(entry, "message"), indent);
}

/* ---- the view ---- */

int log_view_init(LogView *v, Ctl *ctl, bool labelled) {
        const Options *o = &ctl->options;
        bool bare = o->no_prefix || o->output == OUTPUT_RAW;

        *v = (LogView){ .ctl = ctl, .origins = json_object_new_object(), .labelled = labelled && !bare,
                        .document = o->output == OUTPUT_JSON && !o->follow };
        v->style = (LogStyle){ .time = !bare, .colour = ctl->colour, .raw = o->raw || o->output == OUTPUT_RAW };
        return v->origins ? 0 : ctl_oom(ctl);
}

void log_view_done(LogView *v) {
        json_object_put(v->origins);
        free(v->open);
}

/* Wide enough for every name that is known by now. */
static void fit_names(LogView *v) {
        const char *ns = NULL;
        unsigned widest = 0;

        v->style.space = false;
        json_object_object_foreach(v->origins, key, origin) {
                (void) key;
                v->style.space = v->style.space || (ns && !streq(ns, field_text(origin, "namespace")));
                ns = field_text(origin, "namespace");
        }
        json_object_object_foreach(v->origins, key_again, origin_again) {
                unsigned n = (unsigned) strlen(entry_label(origin_again));

                (void) key_again;
                n += v->style.space ? (unsigned) strlen(field_text(origin_again, "namespace")) + 1 : 0;
                widest = MAX(widest, n);
        }
        if (v->style.time && (v->labelled || json_object_object_length(v->origins) > 1))
                v->style.name = widest + (unsigned) strlen(SEPARATOR);
}

void log_view_reply(LogView *v, json_object *reply) {
        json_object *origins = field_array(reply, "origins"), *notices = field_array(reply, "notices");

        for (size_t i = 0; i < array_length(origins); i++) {
                json_object *o = json_object_array_get_idx(origins, i);
                _cleanup_free_ char *key = instance_name(field_text(o, "namespace"), field_text(o, "name"), field_number(o, "instance", 0), false);

                if (key)
                        (void) json_object_object_add(v->origins, key, json_object_get(o));
        }
        if (array_length(origins) > 0)
                fit_names(v);
        for (size_t i = 0; i < array_length(notices); i++)
                ctl_complain(v->ctl, json_object_get_string(json_object_array_get_idx(notices, i)), NULL);
}

/* Whether the entry goes on with the line that the last one began. Another's ends it. */
static bool goes_on(LogView *v, json_object *entry) {
        _cleanup_free_ char *origin = text_printf("%s/%s:%" PRIi64 " %s", field_text(entry, "namespace"), field_text(entry, "name"),
                                                  field_number(entry, "instance", 0), field_text(entry, "stream"));
        bool same = v->open && origin && strcmp(origin, v->open) == 0;

        if (v->open && !same)
                fputc('\n', stdout);
        free(v->open);
        v->open = field_bool(entry, "partial") ? TAKE_PTR(origin) : NULL;
        return same;
}

static void print_line(LogView *v, json_object *entry) {
        const LogStyle bare = { .raw = v->style.raw };

        log_entry_print(stdout, entry, goes_on(v, entry) ? &bare : &v->style);
        if (!v->open)
                fputc('\n', stdout);
}

void log_view_entry(LogView *v, json_object *entry) {
        int output = v->ctl->options.output;

        if (v->document)
                fputs(v->printed > 0 ? ",\n" : "[\n", stdout);
        if (output == OUTPUT_JSON || output == OUTPUT_JSONL)
                print_json_line(entry, !v->document);
        else
                print_line(v, entry);
        v->printed++;
}

void log_view_end(LogView *v) {
        if (v->open)
                fputc('\n', stdout);
        if (v->document)
                fputs(v->printed > 0 ? "\n]\n" : "[]\n", stdout);
}
