/* The verb logs, and the form of a log line wherever one is shown. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/logs.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

#define LINES_DEFAULT 20

void log_entry_print(FILE *f, json_object *entry, const LogStyle *style) {
        int64_t time = field_number(entry, "time_usec", -1);
        bool error = streq(field_text(entry, "stream"), "err");
        char buf[FORMAT_MAX];

        if (style->indent)
                fputs(style->indent, f);
        if (style->time && time >= 0) {
                print_coloured(f, style->colour, COLOUR_DIM, format_local_time(buf, (usec_t) time));
                fputc(' ', f);
        }
        if (style->name) {
                print_coloured(f, style->colour, name_colour(field_text(entry, "name")), entry_label(entry));
                print_coloured(f, style->colour, error ? COLOUR_RED : COLOUR_DIM, " | ");
        }
        print_text(f, field_text(entry, "message"));
        fputc('\n', f);
}

size_t log_tail_print(Ctl *ctl, FILE *f, const char *ns, const char *name, int64_t instance, unsigned lines) {
        _cleanup_free_ char *selector = instance_name(ns, name, instance, false);
        _cleanup_json_ json_object *p = NULL, *reply = NULL;
        KlError kept;
        json_object *entries;
        const LogStyle style = { .time = true, .colour = ctl->colour_error, .indent = "    " };

        p = selector ? ctl_selectors(ctl, (char *[]){ selector, NULL }, false) : NULL;
        if (!p || json_add(p, "lines", json_object_new_int((int) lines)) < 0)
                return 0;
        /* An error here must not hide the one that the lines are shown for. */
        kept = ctl->error;
        ctl->error = (KlError){};
        (void) ctl_call(ctl, "Logs", TAKE_PTR(p), &reply);
        kl_error_done(&ctl->error);
        ctl->error = kept;
        entries = field_array(reply, "entries");
        for (size_t i = 0; i < array_length(entries); i++)
                log_entry_print(f, json_object_array_get_idx(entries, i), &style);
        return array_length(entries);
}

typedef struct LogView {
        Ctl *ctl;
        LogStyle style;
        bool several; /* decided: more than one instance speaks */
        char *only;   /* the one that spoke so far */
} LogView;

/* Several speak when the selection says so, or as soon as a second one does: from then on lines carry names. */
static void note_speaker(LogView *v, json_object *entry) {
        _cleanup_free_ char *name =
                instance_name(field_text(entry, "namespace"), field_text(entry, "name"), field_number(entry, "instance", 0), false);

        if (v->several || !name)
                return;
        if (!v->only)
                v->only = TAKE_PTR(name);
        else
                v->several = !streq(v->only, name);
}

static void print_entry(json_object *entry, void *userdata) {
        LogView *v = userdata;

        if (v->ctl->options.output != OUTPUT_TABLE) {
                print_json(OUTPUT_JSONL, entry);
                return;
        }
        note_speaker(v, entry);
        v->style.name = v->several;
        log_entry_print(stdout, entry, &v->style);
}

static int add_cursors(json_object *p, const char *const *cursors) {
        json_object *l = json_object_new_array();
        int r = json_add(p, "after", l);

        for (; r >= 0 && *cursors; cursors++)
                r = json_object_array_add(l, json_object_new_string(*cursors)) < 0 ? -ENOMEM : 0;
        return r;
}

static json_object *parameters_of(Ctl *ctl, char **args) {
        const Options *o = &ctl->options;
        _cleanup_json_ json_object *p = ctl_selectors(ctl, args, true);
        uint64_t lines = o->lines != UINT64_MAX ? o->lines : LINES_DEFAULT;
        int r = p ? 0 : -ENOMEM;
        usec_t since = 0;

        if (o->since && parse_time(o->since, now_usec(CLOCK_REALTIME), &since) < 0) {
                ctl_usage(ctl, "--since: \"%s\" is not a time such as \"10m ago\" or 2026-01-31 08:00", o->since);
                return NULL;
        }
        if (r >= 0 && o->since)
                r = json_add(p, "since_usec", json_object_new_int64((int64_t) since));
        /* With a time, all since then; a number of lines must be asked for to bound it. */
        if (r >= 0 && (!o->since || o->lines != UINT64_MAX))
                r = json_add(p, "lines", json_object_new_uint64(lines));
        if (r >= 0 && o->cursors)
                r = add_cursors(p, o->cursors);
        if (r >= 0 && o->follow)
                r = json_add(p, "follow", json_object_new_boolean(true));
        if (r >= 0)
                r = json_add_string(p, "stream", o->stream);
        if (r >= 0)
                r = json_add_string(p, "grep", o->grep);
        if (r < 0) {
                ctl_oom(ctl);
                return NULL;
        }
        return TAKE_PTR(p);
}

/* Without following: all at once, so that the names are decided before the first line. */
static int print_all(LogView *v, json_object *parameters) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *entries;
        int r;

        r = ctl_call(v->ctl, "Logs", parameters, &reply);
        if (r < 0)
                return r;
        entries = field_array(reply, "entries");
        if (v->ctl->options.output == OUTPUT_JSON && entries) {
                print_json(OUTPUT_JSON, entries);
                return 0;
        }
        for (size_t i = 0; i < array_length(entries); i++)
                note_speaker(v, json_object_array_get_idx(entries, i));
        for (size_t i = 0; i < array_length(entries); i++)
                print_entry(json_object_array_get_idx(entries, i), v);
        return 0;
}

int verb_logs(Ctl *ctl, char **args) {
        LogView v = { .ctl = ctl, .style = { .time = true, .colour = ctl->colour }, .several = strv_length(args) > 1 };
        json_object *p;
        int r;

        p = parameters_of(ctl, args);
        if (!p)
                return -EINVAL;
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r < 0)
                json_object_put(p);
        else if (ctl->options.follow)
                r = follow_stream(ctl, FOLLOW_LOGS, p, print_entry, &v);
        else
                r = print_all(&v, p);
        free(v.only);
        return r;
}
