/* The record read ahead is valid until the next peek after has was cleared. */
#include "base/text.h"
#include "manager/instance.h"
#include "manager/log_source.h"
#include "manager/service.h"
#include "manager/spawn.h"

/* Others may write under the same identifier: a service of that name in another namespace, any program that calls itself so. Who was gone
 * before journald looked for its unit could be any instance: the first speaks for it. */
static bool journal_entry_ours(const JournalRecord *j, void *userdata) {
        const LogSource *s = userdata;
        const CellName name = { .ns = s->ns, .service = s->name, .instance = s->instance };

        return *j->unit ? cell_name_is_unit(&name, j->unit, j->slice) : s->instance == 0;
}

/* The position within the cursor that is this source's, or NULL. */
static const char *position_of(const LogSource *s, json_object *after) {
        for (size_t k = 0; after && k < json_object_array_length(after); k++) {
                const char *cursor = json_object_get_string(json_object_array_get_idx(after, k));
                const char *rest = cursor ? startswith(cursor, s->key) : NULL;

                if (rest && *rest == ',')
                        return rest + 1;
        }
        return NULL;
}

static int open_journal(const Instance *i, const LogStart *start, const char *position, LogSource *s) {
        const Manager *m = i->service->manager;
        int r = journal_reader_open(s->name, m->places.user, &s->journal);

        if (r < 0)
                return r;
        if (isolate_kind(m->isolate) == ISOLATE_SCOPE)
                journal_reader_filter(s->journal, journal_entry_ours, s);
        if (position && startswith(position, "j:"))
                return journal_reader_seek_cursor(s->journal, position + 2);
        return start->since ? journal_reader_seek_time(s->journal, start->since) : journal_reader_seek_tail(s->journal, start->lines);
}

static int open_file(const Instance *i, const LogStart *start, const char *position, LogSource *s) {
        _cleanup_free_ char *path = spawn_log_path(i);
        int r = path ? log_reader_open(path, i->service->spec->log.format, &s->file) : -ENOMEM;
        LogPosition p;

        if (r < 0)
                return r;
        s->raw = i->service->spec->log.format == LOG_FORMAT_RAW;
        if (position && startswith(position, "f:")) {
                r = log_position_parse(position, &p);
                return r < 0 ? r : log_reader_seek_position(s->file, &p);
        }
        return start->since ? log_reader_seek_time(s->file, start->since) : log_reader_seek_tail(s->file, start->lines);
}

int log_source_open(const Instance *i, const LogStart *start, LogSource *ret) {
        const ServiceSpec *spec = i->service->spec;
        bool journal = i->run ? i->journal : spawn_to_journal(i);
        const char *position;
        char label[300];
        int r = -ENOMEM;

        *ret = (LogSource) { .ns = strdup(spec->ns), .name = strdup(spec->name), .instance = i->index, .label = strdup(instance_label(i, label)),
                             .key = text_printf("%s/%s:%u", spec->ns, spec->name, i->index) };
        if (ret->ns && ret->name && ret->label && ret->key) {
                position = position_of(ret, start->after);
                r = journal ? open_journal(i, start, position, ret) : open_file(i, start, position, ret);
        }
        if (r < 0)
                log_source_done(ret);
        return MIN(r, 0);
}

void log_source_done(LogSource *s) {
        log_reader_free(s->file);
        journal_reader_free(s->journal);
        free(s->ns);
        free(s->name);
        free(s->label);
        free(s->key);
        *s = (LogSource) {};
}

static int peek_journal(LogSource *s) {
        JournalRecord j;
        int r = journal_reader_next(s->journal, &j);

        if (r > 0) {
                s->record = (LogRecord) { .realtime = j.realtime, .stream = j.stream, .message = j.message, .size = j.size };
                s->pid = j.pid;
        }
        return r;
}

/* Nothing more can come: nobody lives who would finish the line. */
static bool ended(Manager *m, const LogSource *s) {
        const Service *service = service_find(m, s->ns, s->name);

        return !service || s->instance >= service->n_instances || !lifecycle_alive(&service->instances[s->instance]->lc);
}

int log_source_peek(Manager *m, LogSource *s) {
        int r;

        if (s->has)
                return 1;
        r = s->journal ? peek_journal(s) : log_reader_next(s->file, &s->record);
        if (r == 0 && s->raw && ended(m, s))
                r = log_reader_rest(s->file, &s->record);
        s->has = r > 0;
        return r;
}

char *log_source_cursor(LogSource *s) {
        char buf[LOG_POSITION_MAX];
        _cleanup_free_ char *cursor = NULL;
        LogPosition p;

        if (s->journal)
                return journal_reader_cursor(s->journal, &cursor) < 0 ? NULL : text_printf("%s,j:%s", s->key, cursor);
        log_reader_position(s->file, &p);
        return text_printf("%s,%s", s->key, log_position_format(buf, &p));
}
