/* Must stay true: the pattern is tried on a few lines at a time, and a log that cannot be read is told, since the start will fail for it. */
#include <regex.h>

#include "base/fd.h"
#include "base/log.h"
#include "manager/health/ready_log.h"
#include "manager/life/instance.h"
#include "manager/logs/log_source.h"

#define RECORDS_A_TURN 64
#define LAST_TURNS 16

struct ReadyLog {
        Instance *instance;
        LogSource *source;
        regex_t pattern;
        bool compiled;
        sd_event_source *watch, *turn;
};

static ReadyLog *ready_log_done(ReadyLog *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->watch);
        sd_event_source_disable_unref(l->turn);
        log_source_free(l->source);
        if (l->compiled)
                regfree(&l->pattern);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(ReadyLog *, ready_log_done);

/* What is no text ends at its first NUL. */
static bool matches(const ReadyLog *l, const LogRecord *r) {
        _cleanup_free_ char *line = strndup(r->message, r->size);

        return line && regexec(&l->pattern, line, 0, NULL, 0) == 0;
}

/* True when it was seen: readiness has been fed, and all of this is gone. */
static bool look(ReadyLog *l, int *ret) {
        Manager *m = l->instance->service->manager;

        for (unsigned n = 0; n < RECORDS_A_TURN; n++) {
                *ret = log_source_peek(m, l->source);
                if (*ret != 1)
                        return false;
                l->source->has = false;
                if (!matches(l, &l->source->record))
                        continue;
                instance_ready(l->instance);
                return true;
        }
        return false;
}

static int on_turn(sd_event_source *s, void *userdata) {
        ReadyLog *l = userdata;
        int r = 0;

        if (look(l, &r))
                return 0;
        if (r < 0)
                log_errno(LOG_WARNING, r, "%s: ready.by: log: its log cannot be read", l->instance->service->key);
        return r == 1 || r == LOG_READER_BUSY ? 0 : sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

static void take_note(ReadyLog *l) {
        if (l->source->journal)
                (void) journal_reader_changed(l->source->journal);
}

static int on_more(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ReadyLog *l = userdata;

        take_note(l);
        return sd_event_source_set_enabled(l->turn, SD_EVENT_ON);
}

static int watch(ReadyLog *l) {
        sd_event *event = l->instance->service->manager->event;
        int fd, r;

        fd = l->source->journal ? journal_reader_watch_fd(l->source->journal) : log_reader_watch_fd(l->source->file);
        if (fd < 0)
                return fd;
        r = sd_event_add_io(event, &l->watch, fd, EPOLLIN, on_more, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->watch, PRIORITY_API);
        if (r >= 0)
                r = sd_event_add_defer(event, &l->turn, on_turn, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->turn, PRIORITY_API);
        return r < 0 ? r : sd_event_source_set_enabled(l->turn, SD_EVENT_ON);
}

static int begin(Instance *i, bool under_way, ReadyLog **ret) {
        _cleanup_(ready_log_donep) ReadyLog *l = calloc(1, sizeof(ReadyLog));
        LogStart start = {};
        int r;

        if (!l)
                return -ENOMEM;
        l->instance = i;
        if (regcomp(&l->pattern, i->service->spec->ready_pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return -EINVAL;
        l->compiled = true;
        /* Of a start that is under way already, all that was written since. */
        if (under_way || i->lc.state == LC_STARTING)
                start.since = i->since_realtime;
        r = log_source_open(i, &start, &l->source);
        if (r >= 0)
                r = watch(l);
        if (r >= 0)
                *ret = TAKE_PTR(l);
        return r;
}

static void update(Instance *i, bool under_way) {
        const ServiceSpec *s = i->service->spec;
        bool wanted = s->ready_by == READY_LOG && s->type == SERVICE_SIMPLE && (i->lc.state == LC_PLACING || i->lc.state == LC_STARTING);
        int r;

        if (!wanted)
                ready_log_free(i);
        if (!wanted || i->ready_log)
                return;
        r = begin(i, under_way, &i->ready_log);
        if (r < 0)
                manager_problem(i->service->manager, "%s: ready.by: log: cannot read its log: %s", s->name, strerror(-r));
}

void ready_log_update(Instance *i) {
        update(i, false);
}

void ready_log_resume(Instance *i) {
        update(i, true);
}

bool ready_log_look(Instance *i) {
        int r = 1;

        if (!i->ready_log)
                return false;
        take_note(i->ready_log);
        for (unsigned n = 0; n < LAST_TURNS && r == 1; n++)
                if (look(i->ready_log, &r))
                        return true;
        return false;
}

void ready_log_free(Instance *i) {
        i->ready_log = ready_log_done(i->ready_log);
}
