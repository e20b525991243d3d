/* Waking up a stream that follows. Must stay true: one watch per directory, not per file, since the loop has one inotify descriptor for
 * all. */
#include "base/fd.h"
#include "manager/logs/log_stream.h"

#include <sys/inotify.h>

static int on_log_directory(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        return sd_event_source_set_enabled(((LogStream *) userdata)->turn, SD_EVENT_ON);
}

static int on_journal(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LogStream *s = userdata;

        for (size_t k = 0; k < s->n; k++)
                if (s->sources[k]->journal && journal_reader_watch_fd(s->sources[k]->journal) == fd)
                        (void) journal_reader_changed(s->sources[k]->journal);
        return sd_event_source_set_enabled(s->turn, SD_EVENT_ON);
}

static bool watched(const LogStream *s, const char *dir) {
        for (size_t k = 0; k < s->n_watches; k++) {
                const char *known;

                if (sd_event_source_get_description(s->watches[k], &known) >= 0 && streq(known, dir))
                        return true;
        }
        return false;
}

static int watch_directory(LogStream *s, const char *path, sd_event_source **ret) {
        _cleanup_free_ char *dir = strndup(path, (size_t) (strrchr(path, '/') - path));
        int r;

        if (!dir)
                return -ENOMEM;
        if (watched(s, dir))
                return 0;
        (void) mkdir_parents(dir, 0750);
        r = sd_event_add_inotify(s->manager->event, ret, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO, on_log_directory, s);
        if (r >= 0)
                (void) sd_event_source_set_description(*ret, dir);
        return r < 0 ? r : 1;
}

static int watch_journal(LogStream *s, const LogSource *source, sd_event_source **ret) {
        int fd = journal_reader_watch_fd(source->journal);

        return fd < 0 ? fd : sd_event_add_io(s->manager->event, ret, fd, EPOLLIN, on_journal, s);
}

int log_stream_watch(LogStream *s, const LogSource *source) {
        sd_event_source **list = reallocarray(s->watches, s->n_watches + 1, sizeof(sd_event_source *)), *w = NULL;
        int r;

        if (!list)
                return -ENOMEM;
        s->watches = list;
        r = source->journal ? watch_journal(s, source, &w) : watch_directory(s, source->path, &w);
        if (r < 0 || !w)
                return r;
        s->watches[s->n_watches++] = w;
        return sd_event_source_set_priority(w, PRIORITY_API);
}

void log_stream_unwatch(LogStream *s) {
        for (size_t k = 0; k < s->n_watches; k++)
                sd_event_source_disable_unref(s->watches[k]);
        free(s->watches);
        s->watches = NULL;
        s->n_watches = 0;
}
