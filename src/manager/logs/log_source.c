/* The record read ahead is valid until the next peek after has was cleared. */
#include <sys/stat.h>

#include "base/text.h"
#include "manager/life/instance.h"
#include "manager/life/service.h"
#include "manager/logs/log_source.h"
#include "manager/spawn/spawn.h"

#define LOOKS_MAX 4096                /* at lines of others in a merged file, in one go */

/* Others may write under the same identifier: a service of that name in another namespace or of another daemon, any program that calls itself so.
 * Who was gone before journald looked for its unit could be any instance: the first speaks for it. */
static bool journal_entry_ours(const JournalRecord *j, void *userdata) {
        const LogSource *s = userdata;
        const CellName name = { .ns = s->ns, .service = s->name, .instance = s->wanted[0] };

        if (*j->daemon && !streq(j->daemon, s->daemon))
                return false;
        return *j->unit ? cell_name_is_unit(&name, j->unit, j->slice) : s->wanted[0] == 0;
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
        if (start->since)
                return journal_reader_seek_time(s->journal, start->since);
        s->left = start->lines;
        return journal_reader_seek_tail(s->journal, start->lines);
}

static int open_file(const Instance *i, const LogStart *start, const char *position, LogSource *s) {
        LogPosition p;
        struct stat st;
        int r;

        s->path = spawn_log_path(i);
        s->format = i->service->spec->log.format;
        r = s->path ? log_reader_open(s->path, s->format, &s->file) : -ENOMEM;
        if (r < 0)
                return r;
        if (stat(s->path, &st) >= 0) {
                s->end_ino = st.st_ino;
                s->end_offset = (uint64_t) st.st_size;
        }
        if (position && startswith(position, "f:")) {
                r = log_position_parse(position, &p);
                return r < 0 ? r : log_reader_seek_position(s->file, &p);
        }
        if (start->since)
                return log_reader_seek_time(s->file, start->since);
        s->left = start->lines;
        return log_reader_seek_tail(s->file, start->lines);
}

static bool to_journal(const Instance *i) {
        return i->run ? i->journal : spawn_to_journal(i);
}

bool log_source_wants(const LogSource *s, uint32_t instance) {
        for (size_t k = 0; k < s->n_wanted; k++)
                if (s->wanted[k] == instance)
                        return true;
        return false;
}

int log_source_want(LogSource *s, uint32_t instance) {
        uint32_t *list = reallocarray(s->wanted, s->n_wanted + 1, sizeof(*list));

        if (!list)
                return -ENOMEM;
        s->wanted = list;
        s->wanted[s->n_wanted++] = instance;
        s->several = s->several || instance > 0;
        return 0;
}

int log_source_open(const Instance *i, const LogStart *start, LogSource **ret) {
        _cleanup_(log_source_freep) LogSource *s = calloc(1, sizeof(LogSource));
        const ServiceSpec *spec = i->service->spec;
        const char *position;
        int r;

        if (!s)
                return -ENOMEM;
        *s = (LogSource) { .ns = strdup(spec->ns), .name = strdup(spec->name), .several = service_count(i->service) > 1,
                           .merged = !to_journal(i) && spec->log.merge, .left = UINT64_MAX, .daemon = i->service->manager->places.id };
        s->key = s->merged ? text_printf("%s/%s", spec->ns, spec->name) : text_printf("%s/%s:%u", spec->ns, spec->name, i->index);
        if (!s->ns || !s->name || !s->key || log_source_want(s, i->index) < 0)
                return -ENOMEM;
        position = position_of(s, start->after);
        r = to_journal(i) ? open_journal(i, start, position, s) : open_file(i, start, position, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

LogSource *log_source_free(LogSource *s) {
        if (!s)
                return NULL;
        log_reader_free(s->file);
        journal_reader_free(s->journal);
        free(s->ns);
        free(s->name);
        free(s->wanted);
        free(s->key);
        free(s->path);
        free(s);
        return NULL;
}

bool log_source_serves(const LogSource *s, const Instance *i) {
        const ServiceSpec *spec = i->service->spec;
        _cleanup_free_ char *path = NULL;

        if (!streq(s->name, spec->name) || !streq(s->ns, spec->ns) || to_journal(i) != !!s->journal)
                return false;
        if (s->journal)
                return s->wanted[0] == i->index;
        path = spawn_log_path(i);
        return streq(path, s->path) && s->format == spec->log.format;
}

static int peek_journal(LogSource *s) {
        JournalRecord j;
        int r = journal_reader_next(s->journal, &j);

        if (r > 0)
                s->record = (LogRecord) { .realtime = j.realtime, .stream = j.stream, .instance = (int32_t) s->wanted[0], .level = j.priority + 1, .pid = j.pid,
                                          .message = j.message, .size = j.size };
        return r;
}

/* "<3>disk full", as sd-daemon(3) has it: the journal takes such a prefix for the priority, so what went to a file is read the same way. */
static void take_level(LogRecord *r) {
        if (r->size < 3 || r->message[0] != '<' || r->message[1] < '0' || r->message[1] > '7' || r->message[2] != '>')
                return;
        r->level = 1 + r->message[1] - '0';
        r->message += 3;
        r->size -= 3;
}

/* Nothing more can come: nobody lives who would finish the line. */
static bool ended(Manager *m, const LogSource *s) {
        const Service *service = service_find(m, s->ns, s->name);

        return !service || s->wanted[0] >= service->n_instances || !lifecycle_alive(&service->instances[s->wanted[0]]->lc);
}

static int peek_file(Manager *m, LogSource *s) {
        int r;

        for (unsigned n = 0; n < LOOKS_MAX; n++) {
                r = log_reader_next(s->file, &s->record);
                if (r == 0 && s->format == LOG_FORMAT_RAW && ended(m, s))
                        r = log_reader_rest(s->file, &s->record);
                if (r != 1)
                        return r;
                if (s->format == LOG_FORMAT_TEXT)
                        take_level(&s->record);
                if (!s->merged)
                        s->record.instance = (int32_t) s->wanted[0];
                if (s->record.instance < 0 || log_source_wants(s, (uint32_t) s->record.instance))
                        return 1;
        }
        return LOG_READER_BUSY;
}

int log_source_peek(Manager *m, LogSource *s) {
        int r;

        if (s->has)
                return 1;
        r = s->journal ? peek_journal(s) : peek_file(m, s);
        s->has = r == 1;
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
