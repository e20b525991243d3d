/* Where the output of a process goes: two descriptors of its own, or pipes that the keeper makes for the logger. */
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "logger/journal.h"
#include "manager/logs/collector.h"
#include "manager/logs/flood.h"
#include "manager/logs/logs.h"
#include "manager/spawn/spawn.h"
#include "manager/spawn/spawn_private.h"

char *spawn_log_path(const Instance *i) {
        const ServiceSpec *s = i->service->spec;
        const char *logs = i->service->manager->places.logs;

        bool outside = !streq(s->ns, "default");
        char index[16] = "";

        if (!s->log.merge)
                snprintf(index, sizeof index, ".%u", i->index);
        return text_printf("%s/%s%s%s%s.log", logs, outside ? s->ns : "", outside ? "/" : "", s->name, index);
}

bool spawn_to_journal(const Instance *i) {
        int to = i->service->spec->log.to;
        return to == LOG_TO_JOURNAL || (to == LOG_TO_AUTO && i->service->manager->journal);
}

/* Ours are the keeper's, which it has from whoever started it. */
static int own_output(const Manager *m, Output *o, KlError *reterr) {
        if (m->options.background) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "log.to: inherit, but kingd runs in the background and has no output of its own");
                kl_error_hint(reterr, "run kingd without --daemonize, or choose another log.to");
                return -EINVAL;
        }
        o->out = fd_dup(STDOUT_FILENO);
        o->err = fd_dup(STDERR_FILENO);
        o->flags |= SPAWN_FD_STDOUT | SPAWN_FD_STDERR;
        return o->out < 0 ? o->out : MIN(o->err, 0);
}

int spawn_output(const Instance *i, uint64_t run, Output *o, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_free_ char *path = NULL;
        int r;

        if (s->log.to == LOG_TO_NONE)
                return 0;
        if (s->log.to == LOG_TO_EXEC) {
                r = collector_writer(i, &o->out, reterr);
                if (r < 0)
                        return r;
                o->err = fd_dup(o->out);
                o->flags |= SPAWN_FD_STDOUT | SPAWN_FD_STDERR;
                return MIN(o->err, 0);
        }
        if (s->log.to == LOG_TO_INHERIT)
                return own_output(i->service->manager, o, reterr);
        if (spawn_to_journal(i)) {
                r = journal_stream(s->name, LOG_INFO, &o->out);
                if (r >= 0)
                        r = journal_stream(s->name, LOG_WARNING, &o->err);
                if (r < 0 && s->log.to == LOG_TO_JOURNAL)
                        return kl_error_set(reterr, r, KL_E_FAILED, "cannot open a journal stream: %s", strerror(-r));
                if (r >= 0) {
                        o->flags |= SPAWN_FD_STDOUT | SPAWN_FD_STDERR;
                        o->journal = true;
                        flood_watch(i->service->manager);
                        return 0;
                }
                o->out = fd_close(o->out);
        }
        path = spawn_log_path(i);
        if (!path)
                return -ENOMEM;
        if (strlen(path) >= LOG_WIRE_PATH_MAX)
                return kl_error_set(reterr, -ENAMETOOLONG, KL_E_INVALID, "log path is longer than %d bytes: %s", LOG_WIRE_PATH_MAX - 1,
                                    path);
        o->log = (LogOpen) { .version = LOG_WIRE_VERSION, .format = s->log.format, .run = run, .rotate = s->log.rotate,
                           .compress = s->log.compress, .merge = s->log.merge, .multiline = s->log.multiline, .when_full = s->log.when_full,
                           .rate = s->log.rate_limit, .burst = s->log.rate_burst, .max_size = s->log.max_size, .max_total = s->log.max_total,
                           .max_age = s->log.max_age, .keep = s->log.keep, .uid = -1, .gid = -1, .instance = i->index,
                           .root_size = strlen(i->service->manager->places.logs) };
        strcpy(o->log.path, path);
        o->flags |= SPAWN_LOG_PIPES;
        return 0;
}
