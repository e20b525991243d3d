/* A stream is worked off in turns of a few records so that a long log never holds up the loop, and pauses while its client does not
 * read. */
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/logs/log_stream.h"
#include "manager/logs/logs.h"

#define RECORDS_A_TURN 256
#define BYTES_A_TURN (256 * 1024)
#define RECORDS_UNSTREAMED 20000         /* without "more" all must fit one reply */

static LogStream *stream_free(LogStream *s) {
        if (!s)
                return NULL;
        for (LogStream **p = &s->manager->log_streams; *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        log_stream_unwatch(s);
        sd_event_source_disable_unref(s->turn);
        for (size_t k = 0; k < s->n; k++)
                log_source_free(s->sources[k]);
        free(s->sources);
        free(s->selectors);
        free(s->ns);
        strv_free(s->contains);
        json_object_put(s->gathered);
        json_object_put(s->origins);
        json_object_put(s->notices);
        varlink_call_watch(s->call, NULL, NULL, NULL);
        varlink_call_unref(s->call);
        free(s);
        return NULL;
}

void log_streams_free(Manager *m) {
        while (m->log_streams)
                stream_free(m->log_streams);
}

void logs_instance_begins(const Instance *i) {
        for (LogStream *s = i->service->manager->log_streams; s; s = s->next)
                log_stream_join(s, i);
}

/* It was written after the client asked. Who does not follow would otherwise never be done with a service that writes faster than it reads. A line
 * without a time is judged by its place in the file that was written to then. */
static bool too_late(const LogStream *s, LogSource *source) {
        usec_t until = s->start.until ?: s->end;
        LogPosition p;

        if (source->record.realtime > 0 || s->follow || !source->file)
                return until && source->record.realtime > until;
        log_reader_position(source->file, &p);
        return p.ino == source->end_ino && p.offset > source->end_offset;
}

/* What is written while its last N lines are looked for does not make them more than N. */
static bool one_too_many(const LogStream *s, LogSource *source) {
        if (s->follow)
                return false;
        if (source->left == 0)
                return true;
        source->left--;
        return false;
}

/* What is there and cannot be read is not passed over in silence: told once, until it can be read again. */
static void explain_fault(LogStream *s, LogSource *source, int r) {
        _cleanup_free_ char *text = NULL;

        if (r == source->fault)
                return;
        source->fault = r;
        if (r == 0)
                return;
        text = text_printf("%s: its log%s%s cannot be read now: %s", source->name, source->path ? " " : " in the journal", source->path ?: "", strerror(-r));
        if (text)
                log_stream_tell(s, text);
}

/* Reads ahead. A source that had nothing is not asked again in the same turn: with thousands of files that would be most of the work. */
static int peek(LogStream *s, LogSource *source) {
        int r;

        if (source->has || source->dry || source->done)
                return 0;
        r = log_source_peek(s->manager, source);
        if (r == LOG_READER_BUSY)
                return r;
        explain_fault(s, source, MIN(r, 0));
        source->dry = r <= 0;
        if (r > 0 && (too_late(s, source) || one_too_many(s, source))) {
                source->has = false;
                source->done = true;
        }
        return 0;
}

/* The record that comes first. 1, 0 none for now, LOG_READER_BUSY: an archive must be worked off first. */
static int earliest(LogStream *s, LogSource **ret) {
        LogSource *best = NULL;

        for (size_t k = 0; k < s->n; k++) {
                LogSource *source = s->sources[k];

                if (peek(s, source) == LOG_READER_BUSY)
                        return LOG_READER_BUSY;
                if (source->has && (!best || source->record.realtime < best->record.realtime))
                        best = source;
        }
        *ret = best;
        return !!best;
}

static bool holds_one(const LogStream *s, const LogRecord *r) {
        for (char **text = s->contains; *text; text++)
                if (text_find(r->message, r->size, *text, s->fold))
                        return true;
        return false;
}

/* A message with colours in it, or one that is no text, is shown otherwise than it was written: the client decides. */
static bool wanted(const LogStream *s, const LogRecord *r) {
        if (s->stream >= 0 && r->stream != s->stream)
                return false;
        return !s->contains || holds_one(s, r) || memchr(r->message, '\033', r->size) ||
                !utf8_valid(r->message, r->size);
}

/* Moves records into `entries`; true when nothing is left for now. */
static bool gather(LogStream *s, json_object *entries, size_t limit) {
        size_t bytes = 0;

        for (size_t k = 0; k < s->n; k++)
                s->sources[k]->dry = false;
        for (size_t n = 0; n < RECORDS_A_TURN * 4 && json_object_array_length(entries) < limit && bytes < BYTES_A_TURN; n++) {
                LogSource *source;
                int r = earliest(s, &source);

                if (r != 1)
                        return r == 0;
                source->has = false;
                if (!wanted(s, &source->record))
                        continue;
                bytes += source->record.size;
                json_push(entries, log_entry_json(source));
        }
        return false;
}

static void add_notices(LogStream *s, json_object *reply) {
        for (size_t k = 0; k < s->n; k++) {
                _cleanup_free_ char *path = s->sources[k]->file ? log_reader_damage(s->sources[k]->file) : NULL;
                _cleanup_free_ char *text = path ? text_printf("%s is damaged: lines of it are missing", path) : NULL;

                if (text)
                        log_stream_tell(s, text);
        }
        if (s->notices)
                json_set(reply, "notices", TAKE_PTR(s->notices));
}

/* With who writes, as far as the client has not been told. */
static json_object *reply_of(LogStream *s, json_object *entries) {
        json_object *o = json_object_new_object();

        if (!o) {
                json_object_put(entries);
                return NULL;
        }
        json_set(o, "entries", entries);
        add_notices(s, o);
        if (s->origins)
                json_set(o, "origins", TAKE_PTR(s->origins));
        return o;
}

static int end_stream(LogStream *s, json_object *entries) {
        (void) varlink_reply(s->call, reply_of(s, entries));
        stream_free(s);
        return 0;
}

static int on_turn(sd_event_source *source, void *userdata) {
        LogStream *s = userdata;
        json_object *entries;
        bool end;

        if (!varlink_call_more(s->call)) {
                end = gather(s, s->gathered, RECORDS_UNSTREAMED);
                return end || json_object_array_length(s->gathered) >= RECORDS_UNSTREAMED ? end_stream(s, TAKE_PTR(s->gathered)) : 0;
        }
        if (varlink_call_congested(s->call))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        entries = json_object_new_array();
        if (!entries)
                return 0;
        end = gather(s, entries, RECORDS_A_TURN);
        if (end && !s->follow)
                return end_stream(s, entries);
        if (json_object_array_length(entries) > 0 || s->origins || s->notices)
                (void) varlink_notify(s->call, reply_of(s, entries));
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

int api_logs(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        LogStream *s = calloc(1, sizeof(LogStream));
        _cleanup_error_ KlError e = {};
        int r;

        if (!s)
                return -ENOMEM;
        *s = (LogStream) { .manager = m, .call = varlink_call_ref(call), .gathered = json_object_new_array() };
        r = s->gathered ? log_stream_select(s, parameters, &e) : -ENOMEM;
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
