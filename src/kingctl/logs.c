/* The verb logs: what is asked of the daemon, how often, and what becomes of the answers. */
#include "kingctl/logs.h"

#include "base/strv.h"
#include "kingctl/log_filter.h"
#include "kingctl/log_map.h"
#include "kingctl/log_tail.h"
#include "kingctl/log_view.h"
#include "kingctl/reply.h"
#include "kingctl/settle.h"
#include "kingctl/verbs.h"

#define LINES_DEFAULT 20
#define NO_LIMIT UINT64_MAX

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
        for (size_t i = 0; i < array_length(entries); i++) {
                log_entry_print(f, json_object_array_get_idx(entries, i), &style);
                fputc('\n', f);
        }
        return array_length(entries);
}

typedef struct LogRun {
        Ctl *ctl;
        char **selectors;
        LogView view;
        const FollowView *own;   /* who shows what is found in place of view; NULL: nobody */
        LogFilter filter;
        LogMap *map;             /* with --source-maps */
        LogTail *tail;           /* while the last lines are looked for; else NULL: all is printed as it comes */
        usec_t since, until;     /* 0: not given */
        uint64_t limit;          /* lines of each origin, of those that the filter leaves */
        json_object *after;      /* where to go on; NULL: not known */
} LogRun;

/* ---- the call ---- */

/* With a time, all since then; without a limit, all there is. */
static int add_start(LogRun *run, json_object *p, usec_t since, uint64_t lines) {
        const char *const *cursors = run->ctl->options.cursors;
        json_object *l;
        int r = 0;

        if (run->after)
                r = json_add(p, "after", json_object_get(run->after));
        else if (cursors) {
                l = json_object_new_array();
                r = json_add(p, "after", l);
                for (; r >= 0 && *cursors; cursors++)
                        r = json_object_array_add(l, json_object_new_string(*cursors)) < 0 ? -ENOMEM : 0;
        }
        if (since == 0 && lines == NO_LIMIT)
                since = 1;
        if (r >= 0)
                r = since ? json_add(p, "since_usec", json_object_new_uint64(since)) : json_add(p, "lines", json_object_new_uint64(lines));
        return r;
}

static int add_literals(json_object *p, const Options *o) {
        _cleanup_strv_ char **literals = log_filter_literals(o);
        json_object *list = literals ? json_object_new_array() : NULL;
        int r = list ? json_add(p, "contains", list) : 0;

        for (char **l = literals; l && *l && r >= 0; l++)
                r = json_object_array_add(list, json_object_new_string(*l)) < 0 ? -ENOMEM : 0;
        return r >= 0 && literals && o->ignore_case ? json_add(p, "fold", json_object_new_boolean(true)) : r;
}

static json_object *parameters_of(LogRun *run, usec_t since, uint64_t lines, bool follow) {
        _cleanup_json_ json_object *p = ctl_selectors(run->ctl, run->selectors, true);
        int r = p ? add_start(run, p, since, lines) : -ENOMEM;

        if (r >= 0 && run->until)
                r = json_add(p, "until_usec", json_object_new_uint64(run->until));
        /* Spares most lines the way here; not where those that came are counted, or are changed before they are looked at. */
        if (r >= 0 && !run->tail && !run->map)
                r = add_literals(p, &run->ctl->options);
        if (r >= 0 && follow)
                r = json_add(p, "follow", json_object_new_boolean(true));
        return r < 0 ? NULL : TAKE_PTR(p);
}

static void map_message(LogRun *run, json_object *entry) {
        _cleanup_free_ char *mapped = log_map_message(run->map, field_text(entry, "message"));

        if (mapped)
                (void) json_add_string(entry, "message", mapped);
}

static void show_entry(void *userdata, json_object *entry) {
        LogRun *run = userdata;

        if (run->own)
                run->own->entry(run->own->userdata, entry);
        else
                log_view_entry(&run->view, entry);
}

static void take_entry(void *userdata, json_object *entry) {
        LogRun *run = userdata;

        if (run->map)
                map_message(run, entry);
        if (run->tail)
                (void) log_tail_add(run->tail, entry);
        else if (log_filter_wants(&run->filter, entry))
                show_entry(run, entry);
}

static void take_reply(void *userdata, json_object *reply) {
        log_view_reply(&((LogRun *) userdata)->view, reply);
}

static int stream(LogRun *run, usec_t since, uint64_t lines, bool follow, json_object **ret_after) {
        json_object *p = parameters_of(run, since, lines, follow);
        const FollowView view = { .reply = take_reply, .entry = take_entry, .userdata = run };

        return p ? follow_stream(run->ctl, FOLLOW_LOGS, p, &view, ret_after) : ctl_oom(run->ctl);
}

/* ---- the last lines of those that are wanted ---- */

/* Looks back further and further, so that the cost is a few times that of the lines that must be seen. */
static int look_back(LogRun *run, json_object **ret_after) {
        uint64_t lines = run->limit < 64 ? 256 : run->limit < NO_LIMIT / 64 ? 4 * run->limit : NO_LIMIT / 16;
        usec_t window = USEC_PER_MINUTE;
        bool bounded = run->since || run->ctl->options.cursors;

        for (;; lines *= 16, window *= 16) {
                usec_t since = !run->until || bounded ? run->since : run->until > window ? run->until - window : 1;
                int r;

                log_tail_clear(run->tail);
                json_object_put(*ret_after);
                *ret_after = NULL;
                r = stream(run, since, lines, false, ret_after);
                if (r < 0 || bounded || since == 1 || lines > UINT64_MAX / 32)
                        return r;
                /* Of a span of time, the number that came does not say whether there is more before it. */
                if (run->until ? log_tail_full(run->tail) == (size_t) json_object_object_length(run->view.origins) :
                                 log_tail_short(run->tail, lines) == 0)
                        return 0;
        }
}

static int print_last(LogRun *run) {
        _cleanup_(log_tail_freep) LogTail *tail = NULL;
        usec_t begun = now_usec(CLOCK_REALTIME);
        int r = log_tail_new(&run->filter, run->limit, &tail);

        if (r < 0)
                return ctl_oom(run->ctl);
        run->tail = tail;
        r = look_back(run, &run->after);
        run->tail = NULL;
        if (r >= 0 && log_tail_each(tail, show_entry, run) < 0)
                r = ctl_oom(run->ctl);
        if (r < 0 || !run->ctl->options.follow)
                return r;
        return stream(run, begun, NO_LIMIT, true, NULL);
}

/* ---- the verb ---- */

static int take_time(Ctl *ctl, const char *option, const char *word, usec_t *ret) {
        if (!word || parse_time(word, now_usec(CLOCK_REALTIME), ret) >= 0)
                return 0;
        ctl_usage(ctl, "--%s: \"%s\" is not a time", option, word);
        kl_error_hint(&ctl->error, "10m, \"2 hours ago\", today, \"yesterday 18:30\", 09:00, \"2026-01-31 08:00\", @1767323045");
        return -EINVAL;
}

static int run_init(LogRun *run, Ctl *ctl, char **args) {
        const Options *o = &ctl->options;
        int r;

        *run = (LogRun){ .ctl = ctl, .selectors = args };
        if ((r = take_time(ctl, "since", o->since, &run->since)) < 0 || (r = take_time(ctl, "until", o->until, &run->until)) < 0 ||
            (r = log_filter_init(&run->filter, o, &ctl->error)) < 0)
                return r;
        if (o->until && o->follow)
                return ctl_usage(ctl, "--until: following has no end");
        if (run->until && run->since > run->until)
                return ctl_usage(ctl, "--since: is later than --until");
        run->limit = o->lines;
        if (run->limit == NO_LIMIT && !o->since && !o->cursors && log_filter_open(&run->filter))
                run->limit = LINES_DEFAULT;
        if (o->source_maps && log_map_new(&run->map) < 0)
                return ctl_oom(ctl);
        return log_view_init(&run->view, ctl, strv_length(args) > 1);
}

/* Files are named one by one, so that nothing is emptied by a selector left out. */
static int flush(Ctl *ctl, char **args) {
        Settle s = { .ctl = ctl, .done = "log emptied" };
        int r;

        if (!*args)
                return ctl_usage(ctl, "logs --flush: name the services whose logs shall be emptied, or all");
        r = ctl_connect(ctl, CONNECT_ONLY);
        return r < 0 ? r : settle_call(&s, "FlushLogs", ctl_selectors(ctl, args, false));
}

static int reopen(Ctl *ctl) {
        _cleanup_json_ json_object *reply = NULL;
        int r = ctl_connect(ctl, CONNECT_ONLY);

        return r < 0 ? r : ctl_call(ctl, "ReopenLogs", NULL, &reply);
}

int logs_show(Ctl *ctl, char **args, const FollowView *own) {
        LogRun run;
        int r = run_init(&run, ctl, args);

        run.own = own;
        if (r >= 0)
                r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0) {
                bool last = run.limit != NO_LIMIT && (run.since || run.until || ctl->options.cursors || !log_filter_open(&run.filter));

                r = last ? print_last(&run) : stream(&run, run.since, run.limit, ctl->options.follow, NULL);
                log_view_end(&run.view);
        }
        log_map_free(run.map);
        log_filter_done(&run.filter);
        log_view_done(&run.view);
        json_object_put(run.after);
        return r;
}

int verb_logs(Ctl *ctl, char **args) {
        if (ctl->options.flush)
                return flush(ctl, args);
        return ctl->options.reopen ? reopen(ctl) : logs_show(ctl, args, NULL);
}
