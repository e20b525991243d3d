/* The record read ahead is valid until the next peek after has was cleared. */
#include <stdio.h>

#include "manager/instance.h"
#include "manager/log_source.h"
#include "manager/service.h"
#include "manager/spawn.h"

static int open_journal(const Instance *i, uint64_t lines, usec_t since, LogSource *s) {
        const Service *service = i->service;
        int r = journal_reader_open(s->name, &s->journal);

        if (r < 0)
                return r;
        lines = MIN(lines, (uint64_t) UINT32_MAX);
        s->scoped = isolate_kind(service->manager->isolate) == ISOLATE_SCOPE && service->n_instances > 1;
        /* Other instances' lines are passed over, so look back further for as many of ours. */
        return since ? journal_reader_seek_time(s->journal, since) :
                journal_reader_seek_tail(s->journal, lines * (s->scoped ? service->n_instances : 1));
}

static int open_file(const Instance *i, uint64_t lines, usec_t since, LogSource *s) {
        _cleanup_free_ char *path = spawn_log_path(i);
        int r = path ? log_reader_open(path, i->service->spec->log.format, &s->file) : -ENOMEM;

        if (r < 0)
                return r;
        s->raw = i->service->spec->log.format == LOG_FORMAT_RAW;
        return since ? log_reader_seek_time(s->file, since) : log_reader_seek_tail(s->file, lines);
}

int log_source_open(const Instance *i, uint64_t lines, usec_t since, LogSource *ret) {
        char label[300];
        LogSource s = { .ns = strdup(i->service->spec->ns), .name = strdup(i->service->spec->name), .instance = i->index,
                        .label = strdup(instance_label(i, label)) };
        bool journal = i->run ? i->journal : spawn_to_journal(i);
        int r = s.ns && s.name && s.label ? (journal ? open_journal(i, lines, since, &s) : open_file(i, lines, since, &s)) : -ENOMEM;

        if (r < 0) {
                log_source_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

void log_source_done(LogSource *s) {
        log_reader_free(s->file);
        journal_reader_free(s->journal);
        free(s->ns);
        free(s->name);
        free(s->label);
        *s = (LogSource) {};
}

static bool ours(const LogSource *s, const char *unit) {
        char scope[400];
        int n = snprintf(scope, sizeof scope, "kingly-%s-%u-", s->name, s->instance);

        return !s->scoped || (n < (int) sizeof scope && strncmp(unit, scope, n) == 0);
}

static int peek_journal(LogSource *s) {
        JournalRecord j;
        int r;

        while ((r = journal_reader_next(s->journal, &j)) > 0)
                if (ours(s, j.unit)) {
                        s->record = (LogRecord) { .realtime = j.realtime, .stream = j.stream, .message = j.message, .size = j.size };
                        s->pid = j.pid;
                        break;
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
