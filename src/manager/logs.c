/* A stream is worked off in turns of a few records so that a long log never holds up the loop, and pauses while its client does not
 * read. */
#include <regex.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/api.h"
#include "manager/log_source.h"
#include "manager/logs.h"
#include "manager/params.h"

#define RECORDS_A_TURN 256
#define BYTES_A_TURN (256 * 1024)
#define RECORDS_UNSTREAMED 20000         /* without "more" all must fit one reply */
#define LINES_DEFAULT 20
#define PATTERN_MAX 1024
#define REPEATS_MAX 1000

struct LogStream {
        LogStream *next;
        Manager *manager;
        VarlinkCall *call;
        LogSource *sources;
        size_t n;
        int stream;                      /* 0 out, 1 err, -1 both */
        bool follow, grep_set;
        regex_t grep;
        json_object *gathered;           /* without "more" */
        sd_event_source *turn, **watches;
        size_t n_watches;
};

static LogStream *stream_free(LogStream *s) {
        if (!s)
                return NULL;
        for (LogStream **p = &s->manager->log_streams; *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        for (size_t k = 0; k < s->n_watches; k++)
                sd_event_source_disable_unref(s->watches[k]);
        free(s->watches);
        sd_event_source_disable_unref(s->turn);
        for (size_t k = 0; k < s->n; k++)
                log_source_done(s->sources + k);
        free(s->sources);
        if (s->grep_set)
                regfree(&s->grep);
        json_object_put(s->gathered);
        varlink_call_watch(s->call, NULL, NULL, NULL);
        varlink_call_unref(s->call);
        free(s);
        return NULL;
}

void log_streams_free(Manager *m) {
        while (m->log_streams)
                stream_free(m->log_streams);
}

/* JSON carries text: bytes that are none are shown as \xNN. */
static json_object *message_json(const LogRecord *r) {
        _cleanup_free_ char *escaped = NULL;

        if (utf8_valid(r->message, r->size))
                return json_object_new_string_len(r->message, (int) r->size);
        escaped = text_escape(r->message, r->size);
        return json_object_new_string(escaped ?: "");
}

static json_object *entry_json(LogSource *s) {
        json_object *o = json_object_new_object();
        _cleanup_free_ char *cursor = log_source_cursor(s);

        if (!o)
                return NULL;
        json_set(o, "time_usec", s->record.realtime ? json_object_new_int64((int64_t) s->record.realtime) : NULL);
        json_set(o, "name", json_object_new_string(s->name));
        json_set(o, "namespace", json_object_new_string(s->ns));
        json_set(o, "instance", json_object_new_int((int) s->instance));
        json_set(o, "label", json_object_new_string(s->label));
        json_set(o, "stream", json_object_new_string(s->record.stream ? "err" : "out"));
        json_set(o, "pid", s->pid > 0 ? json_object_new_int(s->pid) : NULL);
        json_set(o, "message", message_json(&s->record));
        json_set(o, "cursor", cursor ? json_object_new_string(cursor) : NULL);
        return o;
}

static bool wanted(const LogStream *s, const LogRecord *r) {
        regmatch_t match = { .rm_so = 0, .rm_eo = (regoff_t) r->size };

        if (s->stream >= 0 && r->stream != s->stream)
                return false;
        return !s->grep_set || regexec(&s->grep, r->message, 1, &match, REG_STARTEND) == 0;
}

/* A source that had nothing is not asked again in the same turn: with thousands of files that would be most of the work. */
static LogSource *earliest(LogStream *s) {
        LogSource *best = NULL;

        for (size_t k = 0; k < s->n; k++) {
                LogSource *source = s->sources + k;

                if (!source->has && !source->dry)
                        source->dry = log_source_peek(s->manager, source) <= 0;
                if (source->has && (!best || source->record.realtime < best->record.realtime))
                        best = source;
        }
        return best;
}

static json_object *wrap(json_object *entries) {
        json_object *o = json_object_new_object();

        if (!o) {
                json_object_put(entries);
                return NULL;
        }
        json_set(o, "entries", entries);
        return o;
}

/* Moves records into `entries`; true when nothing is left for now. */
static bool gather(LogStream *s, json_object *entries, size_t limit) {
        size_t bytes = 0;

        for (size_t k = 0; k < s->n; k++)
                s->sources[k].dry = false;
        for (size_t n = 0; n < RECORDS_A_TURN * 4 && json_object_array_length(entries) < limit && bytes < BYTES_A_TURN; n++) {
                LogSource *source = earliest(s);

                if (!source)
                        return true;
                source->has = false;
                if (!wanted(s, &source->record))
                        continue;
                bytes += source->record.size;
                json_push(entries, entry_json(source));
        }
        return false;
}

static int on_turn(sd_event_source *source, void *userdata) {
        LogStream *s = userdata;
        json_object *entries;
        bool end;

        if (!varlink_call_more(s->call)) {
                end = gather(s, s->gathered, RECORDS_UNSTREAMED);
                if (!end && json_object_array_length(s->gathered) < RECORDS_UNSTREAMED)
                        return 0;
                (void) varlink_reply(s->call, wrap(TAKE_PTR(s->gathered)));
                stream_free(s);
                return 0;
        }
        if (varlink_call_congested(s->call))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        entries = json_object_new_array();
        if (!entries)
                return 0;
        end = gather(s, entries, RECORDS_A_TURN);
        if (end && !s->follow) {
                (void) varlink_reply(s->call, wrap(entries));
                stream_free(s);
                return 0;
        }
        if (json_object_array_length(entries) > 0)
                (void) varlink_notify(s->call, wrap(entries));
        else
                json_object_put(entries);
        return end ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

static void on_drained(VarlinkCall *call, void *userdata) {
        (void) sd_event_source_set_enabled(((LogStream *) userdata)->turn, SD_EVENT_ON);
}

static void on_gone(VarlinkCall *call, void *userdata) {
        stream_free(userdata);
}

static int on_log_directory(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        return sd_event_source_set_enabled(((LogStream *) userdata)->turn, SD_EVENT_ON);
}

static int on_journal(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LogStream *s = userdata;

        for (size_t k = 0; k < s->n; k++)
                if (s->sources[k].journal && journal_reader_watch_fd(s->sources[k].journal) == fd)
                        (void) journal_reader_changed(s->sources[k].journal);
        return sd_event_source_set_enabled(s->turn, SD_EVENT_ON);
}

/* One watch per namespace directory, not per file: the loop has one inotify descriptor for all. */
static int watch_source(LogStream *s, const LogSource *source) {
        sd_event_source **w = s->watches + s->n_watches;
        _cleanup_free_ char *dir = NULL;
        int r;

        if (source->journal) {
                int fd = journal_reader_watch_fd(source->journal);
                r = fd < 0 ? fd : sd_event_add_io(s->manager->event, w, fd, EPOLLIN, on_journal, s);
        } else {
                dir = streq(source->ns, "default") ? strdup(s->manager->places.logs) : path_join(s->manager->places.logs, source->ns);
                if (!dir)
                        return -ENOMEM;
                for (size_t k = 0; k < s->n_watches; k++) {
                        const char *known;
                        if (sd_event_source_get_description(s->watches[k], &known) >= 0 && streq(known, dir))
                                return 0;
                }
                (void) mkdir_parents(dir, 0750);
                r = sd_event_add_inotify(s->manager->event, w, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO, on_log_directory, s);
                if (r >= 0)
                        (void) sd_event_source_set_description(*w, dir);
        }
        if (r < 0)
                return r;
        s->n_watches++;
        return sd_event_source_set_priority(*w, PRIORITY_API);
}

static int stream_watch(LogStream *s) {
        s->watches = calloc(s->n + 1, sizeof(sd_event_source *));
        if (!s->watches)
                return -ENOMEM;
        for (size_t k = 0; k < s->n; k++) {
                int r = watch_source(s, s->sources + k);
                if (r < 0)
                        return r;
        }
        return 0;
}

typedef struct LogArguments {
        LogStart start;
        bool follow;
        const char *stream, *grep;
} LogArguments;

/* glibc unrolls repetitions when it compiles, so that a line of text can ask for all memory, and follows back references in exponential
 * time. */
static bool modest(const char *pattern) {
        uint64_t product = 1;

        for (const char *p = pattern; *p; p++)
                if (p[0] == '\\' && p[1]) {
                        if (p[1] >= '1' && p[1] <= '9')
                                return false;
                        p++;
                } else if (*p == '{') {
                        uint64_t most = 1;
                        for (; p[1] && p[1] != '}'; p++)
                                if (p[1] >= '0' && p[1] <= '9')
                                        most = MAX(most, strtoul(p + 1, NULL, 10));
                        if (most > REPEATS_MAX || (product *= most) > REPEATS_MAX)
                                return false;
                }
        return strlen(pattern) <= PATTERN_MAX;
}

static int grep_compile(LogStream *s, const char *pattern, KlError *reterr) {
        char text[200];
        int error;

        if (!modest(pattern))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "grep: longer than %d bytes, more than %d repeats, or a back reference",
                                    PATTERN_MAX, REPEATS_MAX);
        error = regcomp(&s->grep, pattern, REG_EXTENDED);
        if (error) {
                (void) regerror(error, &s->grep, text, sizeof text);
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "grep: %s: %s", pattern, text);
        }
        s->grep_set = true;
        return 0;
}

static int arguments_parse(json_object *p, LogArguments *a, LogStream *s, KlError *reterr) {
        int r;

        *a = (LogArguments) { .start.lines = LINES_DEFAULT };
        if ((r = json_get_u64(p, "lines", &a->start.lines, reterr)) < 0 ||
            (r = json_get_u64(p, "since_usec", &a->start.since, reterr)) < 0 || (r = json_get_array(p, "after", &a->start.after, reterr)) < 0 ||
            (r = json_get_bool(p, "follow", &a->follow, reterr)) < 0 || (r = json_get_string(p, "stream", &a->stream, reterr)) < 0 ||
            (r = json_get_string(p, "grep", &a->grep, reterr)) < 0)
                return r;
        s->follow = a->follow && varlink_call_more(s->call);
        s->stream = !a->stream ? -1 : streq(a->stream, "out") ? 0 : streq(a->stream, "err") ? 1 : -2;
        if (s->stream == -2)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "stream: neither out nor err: %s", a->stream);
        return a->grep ? grep_compile(s, a->grep, reterr) : 0;
}

static int stream_open(LogStream *s, json_object *p, KlError *reterr) {
        _cleanup_selection_ Selection selection = {};
        _cleanup_strv_ char **selectors = NULL;
        _cleanup_free_ char *ns = NULL;
        LogArguments a;
        int r;

        if ((r = arguments_parse(p, &a, s, reterr)) < 0 || (r = params_selectors(p, &selectors, &ns, reterr)) < 0 ||
            (r = selection_resolve(s->manager, selectors, ns, &selection, reterr)) < 0)
                return r;
        s->sources = calloc(selection.n + 1, sizeof(LogSource));
        if (!s->sources)
                return -ENOMEM;
        for (size_t k = 0; k < selection.n; k++) {
                if (selection.items[k]->service->spec->log.to == LOG_TO_NONE)
                        continue;
                r = log_source_open(selection.items[k], &a.start, s->sources + s->n);
                if (r == -EINVAL && a.start.after)
                        return kl_error_set(reterr, r, KL_E_INVALID, "after: not a cursor of %s", selection.items[k]->service->key);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_FAILED, "cannot read the log of %s: %s", selection.items[k]->service->key,
                                            strerror(-r));
                s->n++;
        }
        if (s->follow && (r = stream_watch(s)) < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot follow the log: %s", strerror(-r));
        return 0;
}

int api_logs(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        LogStream *s = calloc(1, sizeof(LogStream));
        _cleanup_error_ KlError e = {};
        int r;

        if (!s)
                return -ENOMEM;
        *s = (LogStream) { .manager = m, .call = varlink_call_ref(call), .gathered = json_object_new_array() };
        r = s->gathered ? stream_open(s, parameters, &e) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_defer(m->event, &s->turn, on_turn, s);
        if (r >= 0)
                r = sd_event_source_set_priority(s->turn, PRIORITY_API);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->turn, SD_EVENT_ON);
        if (r < 0) {
                stream_free(s);
                return api_fail(call, &e, r);
        }
        s->next = m->log_streams;
        m->log_streams = s;
        varlink_call_watch(call, on_drained, on_gone, s);
        return 0;
}
