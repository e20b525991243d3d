/* PM2's logs: which lines, and the four ways to show them. One log holds both streams here, so lines of both come in the order they were
 * written; --nostream tells them apart as PM2's two files do. */
#include <stdio.h>
#include <time.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/log_text.h"
#include "kingctl/logs.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"

#define LINES_DEFAULT  15
#define NAME_COLUMNS   10
#define TIMESTAMP      "YYYY-MM-DD-HH:mm:ss"
#define TIMESTAMP_ZONE "YYYY-MM-DD-HH:mm:ssZZ"

typedef struct Printer {
        Pm2 *p;
        const Pm2List *list;
        bool json, format, raw;
        const char *timestamp, *highlight;
        json_object *kept; /* of --nostream: entries by id */
        Pm2List fresh;     /* asked for when one wrote that was not there in the beginning */
        usec_t asked;
} Printer;

/* ---- times ---- */

/* The words of day.js's format that stand for parts of a time; anything else stands for itself. */
static void print_time(FILE *f, const char *format, usec_t t) {
        static const struct {
                const char *word, *strftime;
        } words[] = { { "YYYY", "%Y" }, { "YY", "%y" }, { "MMMM", "%B" }, { "MMM", "%b" }, { "MM", "%m" }, { "DD", "%d" }, { "dddd", "%A" },
                      { "ddd", "%a" },  { "HH", "%H" }, { "hh", "%I" },   { "mm", "%M" },  { "ss", "%S" }, { "ZZ", "%z" }, { "A", "%p" } };
        time_t seconds = (time_t) (t / USEC_PER_SEC);
        struct tm tm = {};

        (void) localtime_r(&seconds, &tm);
        while (*format) {
                char buf[64] = "";
                size_t k = 0;

                while (k < ARRAY_SIZE(words) && !startswith(format, words[k].word))
                        k++;
                if (startswith(format, "SSS")) {
                        fprintf(f, "%03u", (unsigned) (t / USEC_PER_MSEC % 1000));
                        format += 3;
                } else if (k < ARRAY_SIZE(words)) {
                        (void) strftime(buf, sizeof buf, words[k].strftime, &tm);
                        fputs(buf, f);
                        format += strlen(words[k].word);
                } else
                        fputc(*format++, f);
        }
}

/* ---- one line ---- */

static const Pm2Process *find(const Pm2List *l, json_object *entry) {
        return pm2_list_find(l, field_text(entry, "namespace"), field_text(entry, "name"), field_number(entry, "instance", 0));
}

/* Over a connection of its own: ours is busy with the stream. At most once a second, for what has gone is not found either. */
static void ask_again(Printer *w) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        Ctl ctl = { .options = w->p->ctl->options };
        Pm2 p = { .ctl = &ctl };

        if (w->asked && now - w->asked < USEC_PER_SEC)
                return;
        w->asked = now;
        ctl.options.no_autostart = true;
        pm2_list_done(&w->fresh);
        (void) pm2_list_fetch(&p, &w->fresh);
        varlink_client_free(ctl.client);
        kl_error_done(&ctl.error);
}

static int64_t id_of(Printer *w, json_object *entry) {
        const Pm2Process *i = find(w->list, entry) ?: find(&w->fresh, entry);

        if (!i) {
                ask_again(w);
                i = find(&w->fresh, entry);
        }
        return i ? i->id : -1;
}

static void print_message(const Printer *w, FILE *f, const char *message) {
        size_t n = w->highlight ? strlen(w->highlight) : 0;
        const char *at = n > 0 ? strstr(message, w->highlight) : NULL;
        _cleanup_free_ char *before = at ? strndup(message, (size_t) (at - message)) : NULL;

        if (!at || !before) {
                log_text_print(f, message, 0);
                return;
        }
        log_text_print(f, before, 0);
        print_coloured(f, w->p->ctl->colour, COLOUR_BOLD, w->highlight);
        log_text_print(f, at + n, 0);
}

static void print_plain(Printer *w, json_object *entry) {
        const char *message = field_text(entry, "message"), *format = w->timestamp;
        _cleanup_free_ char *name = text_printf("%" PRIi64 "|%s", id_of(w, entry), field_text(entry, "name"));
        bool error = streq(field_text(entry, "stream"), "err");

        if (w->raw) {
                fprintf(error ? stderr : stdout, "%s\n", message);
                return;
        }
        if (format) {
                print_time(stdout, *format ? format : TIMESTAMP, (usec_t) field_number(entry, "time_usec", 0));
                fputc(' ', stdout);
        }
        printf("%s%-*s |%s ", colour_begin(w->p->ctl->colour, error ? COLOUR_RED : COLOUR_GREEN), NAME_COLUMNS, name ?: "", colour_end(w->p->ctl->colour));
        print_message(w, stdout, message);
        fputc('\n', stdout);
}

static void print_as_json(Printer *w, json_object *entry) {
        _cleanup_json_ json_object *o = json_object_new_object();
        usec_t t = (usec_t) field_number(entry, "time_usec", 0);
        time_t seconds = (time_t) (t / USEC_PER_SEC);
        char buf[32] = "", full[48];
        struct tm tm = {};

        (void) gmtime_r(&seconds, &tm);
        (void) strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(full, sizeof full, "%s.%03uZ", buf, (unsigned) (t / USEC_PER_MSEC % 1000));
        if (json_add_string(o, "message", field_text(entry, "message")) < 0 || json_add_string(o, "timestamp", full) < 0 ||
            json_add_string(o, "type", field_text(entry, "stream")) < 0 || json_add(o, "process_id", json_object_new_int64(id_of(w, entry))) < 0 ||
            json_add_string(o, "app_name", field_text(entry, "name")) < 0)
                return;
        print_json_line(o, true);
}

static void print_as_fields(Printer *w, json_object *entry) {
        fputs("timestamp=", stdout);
        print_time(stdout, TIMESTAMP_ZONE, (usec_t) field_number(entry, "time_usec", 0));
        printf(" app=%s id=%" PRIi64 " type=%s message=", field_text(entry, "name"), id_of(w, entry),
               streq(field_text(entry, "stream"), "err") ? "error" : "out");
        print_message(w, stdout, field_text(entry, "message"));
        fputc('\n', stdout);
}

static void print_entry(void *userdata, json_object *entry) {
        Printer *w = userdata;

        if (w->json)
                print_as_json(w, entry);
        else if (w->format)
                print_as_fields(w, entry);
        else
                print_plain(w, entry);
}

/* ---- what is asked for ---- */

/* The selectors of what is marked; *ret is borrowed from parameters, the array is the caller's. */
static char **selectors_of(json_object *parameters) {
        json_object *l = field_array(parameters, "selectors");
        char **words = calloc(array_length(l) + 2, sizeof(char *));

        for (size_t i = 0; words && i < array_length(l); i++)
                words[i] = (char *) json_object_get_string(json_object_array_get_idx(l, i));
        return words;
}

static int show(Pm2 *p, const Pm2List *l, const char *word, const FollowView *view) {
        _cleanup_json_ json_object *parameters = pm2_list_parameters(l);
        _cleanup_free_ char **selectors = selectors_of(parameters);

        /* What comes later is part of "all". */
        if (selectors && streq(word, "all")) {
                selectors[0] = (char *) word;
                selectors[1] = NULL;
        }

        return selectors ? logs_show(p->ctl, selectors, view) : ctl_oom(p->ctl);
}

static void keep_entry(void *userdata, json_object *entry) {
        Printer *w = userdata;
        char key[64];
        json_object *l;

        snprintf(key, sizeof key, "%" PRIi64, id_of(w, entry));
        l = field_array(w->kept, key);
        if (!l) {
                l = json_object_new_array();
                if (json_add(w->kept, key, l) < 0)
                        return;
        }
        entry = json_object_get(entry);
        if (json_object_array_add(l, entry) < 0)
                json_object_put(entry);
}

/* One stream, process by process. */
static int print_kept(Pm2 *p, Printer *w, const Pm2List *l, const char *stream) {
        const FollowView view = { .entry = keep_entry, .userdata = w };
        int r;

        w->kept = json_object_new_object();
        p->ctl->options.stream = stream;
        r = w->kept ? show(p, l, "", &view) : ctl_oom(p->ctl);
        for (size_t i = 0; i < l->n && r >= 0; i++) {
                char key[64];
                json_object *kept;

                snprintf(key, sizeof key, "%" PRIi64, l->items[i].id);
                kept = field_array(w->kept, key);
                if (!kept)
                        continue;
                printf("%s %s last %" PRIu64 " lines:\n", pm2_log_path(l->items + i), stream, p->ctl->options.lines);
                for (size_t k = 0; k < array_length(kept); k++)
                        print_entry(w, json_object_array_get_idx(kept, k));
                fputc('\n', stdout);
        }
        json_putp(&w->kept);
        return r;
}

static int print_last(Pm2 *p, Printer *w, const Pm2List *l) {
        int r = 0;

        if (!pm2_given(p, "err"))
                r = print_kept(p, w, l, "out");
        if (r >= 0 && !pm2_given(p, "out"))
                r = print_kept(p, w, l, "err");
        return r;
}

static int follow(Pm2 *p, Printer *w, const Pm2List *l, const char *word) {
        const FollowView view = { .entry = print_entry, .userdata = w };
        Options *o = &p->ctl->options;
        int r;

        o->follow = true;
        o->stream = pm2_given(p, "err") ? "err" : pm2_given(p, "out") ? "out" : NULL;
        r = show(p, l, word, &view);
        pm2_list_done(&w->fresh);
        return r;
}

static void init_printer(Printer *w, Pm2 *p, const Pm2List *l) {
        *w = (Printer) { .p = p, .list = l, .json = pm2_given(p, "json"), .format = pm2_given(p, "format"), .raw = pm2_given(p, "raw"),
                         .timestamp = pm2_option(p, "timestamp"), .highlight = pm2_option(p, "highlight") };
}

int pm2_follow(Pm2 *p, const char *word) {
        _cleanup_pm2_list_ Pm2List l = {};
        Printer w;
        int r = pm2_list_fetch(p, &l);

        if (r < 0 || pm2_list_select(&l, word) == 0)
                return r;
        init_printer(&w, p, &l);
        p->ctl->options.lines = 0;
        pm2_say(p, "Logs follow until Ctrl-C; what was started runs on");
        return follow(p, &w, &l, word);
}

int pm2_logs(Pm2 *p) {
        const char *word = p->words[0] ?: "all", *count = pm2_option(p, "lines");
        _cleanup_pm2_list_ Pm2List l = {};
        uint64_t lines = LINES_DEFAULT;
        Printer w;
        int r;

        if (count && parse_u64(count, &lines) < 0)
                return pm2_fail(p, "--lines: %s is not a number", count);
        r = pm2_list_fetch(p, &l);
        if (r < 0)
                return r;
        init_printer(&w, p, &l);
        if (!w.json && !w.format && !pm2_given(p, "silent"))
                printf("[TAILING] Tailing last %" PRIu64 " lines for [%s] process%s (change the value with --lines option)\n", lines, word,
                       streq(word, "all") ? "es" : "");
        fflush(stdout);
        if (pm2_list_select(&l, word) == 0)
                return pm2_given(p, "nostream") ? 0 : pm2_fail(p, "Process or Namespace %s not found", word);
        p->ctl->options.lines = w.json || w.format ? 0 : lines;
        return pm2_given(p, "nostream") ? print_last(p, &w, &l) : follow(p, &w, &l, word);
}

int pm2_reload_logs(Pm2 *p) {
        _cleanup_json_ json_object *reply = NULL;
        int r = ctl_connect(p->ctl, CONNECT_START);

        if (r >= 0) {
                puts("Reloading all logs...");
                r = ctl_call(p->ctl, "ReopenLogs", NULL, &reply);
        }
        if (r >= 0)
                puts("All logs reloaded");
        return r;
}
