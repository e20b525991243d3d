/* A file that services write to, and its troubles. Must stay true: a target is in logger->recent exactly while its file is open, and lives as
 * long as a run uses it; whatever it waits for, logger->wake is not later. */
#include "base/log.h"
#include "logger/state.h"
#include "model/spec.h"

static void unlist(Target *t) {
        if (!t->listed)
                return;
        TAILQ_REMOVE(&t->logger->recent, t, recent);
        t->logger->n_open--;
        t->listed = false;
}

static void list_first(Target *t) {
        Logger *l = t->logger;

        if (t->listed && TAILQ_FIRST(&l->recent) == t)
                return;
        unlist(t);
        TAILQ_INSERT_HEAD(&l->recent, t, recent);
        l->n_open++;
        t->listed = true;
}

static Target *target_free(Target *t) {
        if (!t)
                return NULL;
        unlist(t);
        LIST_REMOVE(t, all);
        if (t->sink)
                (void) map_remove(t->logger->targets, sink_path(t->sink));
        sink_free(t->sink);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Target *, target_free);

static int target_new(Logger *l, const SinkOptions *o, Target **ret) {
        _cleanup_(target_freep) Target *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->logger = l;
        t->due = t->flush_at = USEC_INFINITY;
        LIST_INSERT_HEAD(&l->all, t, all);
        r = sink_new(o, &t->sink);
        if (r >= 0)
                r = map_put(l->targets, sink_path(t->sink), t);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

static void archive(Target *t) {
        if (t->compress != LOG_COMPRESS_NONE)
                archiver_add(&t->logger->archiver, sink_path(t->sink), t->keep, (ChainForm) t->compress);
}

int target_get(Logger *l, const LogOpen *o, Target **ret) {
        SinkOptions s = { .path = o->path,
                          .limits = { .max_size = o->max_size, .max_total = o->max_total, .max_age = o->max_age, .rotate = o->rotate,
                                      .keep = o->keep, .uid = o->uid, .gid = o->gid } };
        Target *t = map_get(l->targets, o->path);
        Run *run;
        int r;

        if (!t) {
                r = target_new(l, &s, &t);
                if (r < 0)
                        return r;
        } else {
                LIST_FOREACH(run, &t->runs, siblings)
                        if (run->id == o->run)
                                return -EEXIST;
                sink_configure(t->sink, &s); /* the newest run has the newest configuration */
        }
        t->compress = o->compress;
        t->keep = o->keep;
        archive(t); /* what a logger before us left */
        *ret = t;
        return 0;
}

void target_put(Target *t) {
        if (LIST_EMPTY(&t->runs))
                target_free(t);
}

static void rotated(Target *t) {
        Logger *l = t->logger;

        archive(t);
        if (l->quota == UINT64_MAX || l->quota_at != USEC_INFINITY)
                return;
        l->quota_at = now_usec(CLOCK_MONOTONIC) + QUOTA_DELAY;
        logger_wake(l, l->quota_at);
}

/* The file may want to be put aside at another time than the logger knows of. */
static void follow_due(Target *t) {
        usec_t now;

        t->due = sink_due(t->sink);
        if (t->due == USEC_INFINITY)
                return;
        now = now_usec(CLOCK_REALTIME);
        if (t->due > now)
                logger_wake(t->logger, now_usec(CLOCK_MONOTONIC) + (t->due - now));
}

void target_used(Target *t) {
        Logger *l = t->logger;
        int r;

        if (sink_rotated(t->sink))
                rotated(t);
        if (sink_due(t->sink) != t->due)
                follow_due(t);
        if (sink_is_open(t->sink))
                list_first(t);
        else
                unlist(t);
        if (l->n_open > OPEN_FILES_MAX) {
                Target *last = TAILQ_LAST(&l->recent, Recent);

                sink_close(last->sink);
                unlist(last);
        }
        r = sink_rotation_error(t->sink);
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot rotate %s, going on with it", sink_path(t->sink));
}

static void schedule(Target *t, usec_t delay) {
        t->delay = delay;
        t->retry_at = now_usec(CLOCK_MONOTONIC) + delay;
        logger_wake(t->logger, t->retry_at);
}

void target_stall(Target *t, int error) {
        if (t->stalled)
                return;
        t->stalled = true;
        schedule(t, RETRY_FIRST);
        log_errno(LOG_ERR, error, "cannot write %s: output waits in the pipes of its service until that works", sink_path(t->sink));
}

static int retry_all(Target *t) {
        Run *run;
        int r = 0;

        LIST_FOREACH(run, &t->runs, siblings)
                for (size_t i = 0; i < 2 && r >= 0; i++)
                        if (run->pipes[i].source.fd >= 0)
                                r = pipe_retry(&run->pipes[i]);
        target_used(t);
        return r;
}

static void retry(Target *t) {
        int r;

        r = retry_all(t);
        if (r < 0) {
                schedule(t, MIN(t->delay * 2, RETRY_MAX));
                return;
        }
        t->stalled = false;
        log_notice("%s is written again", sink_path(t->sink));
        target_pending(t); /* what was kept may wait again */
        /* The last run takes the target with it, and nothing of either is touched after that. */
        for (Run *run = LIST_FIRST(&t->runs), *next; run; run = next) {
                bool second = run->pipes[1].source.fd >= 0; /* then the first does not end the run */

                next = LIST_NEXT(run, siblings);
                pipe_resume(&run->pipes[0]);
                if (second)
                        pipe_resume(&run->pipes[1]);
        }
}

void target_pending(Target *t) {
        if (t->flush_at != USEC_INFINITY)
                return;
        t->flush_at = now_usec(CLOCK_MONOTONIC) + EVENT_WAIT;
        logger_wake(t->logger, t->flush_at);
}

static void flush_pending(Target *t, usec_t realtime) {
        Run *run;
        int r = 0;

        t->flush_at = USEC_INFINITY;
        LIST_FOREACH(run, &t->runs, siblings)
                for (size_t i = 0; i < 2 && r >= 0; i++)
                        r = sink_flush(t->sink, &run->pipes[i].stream, realtime);
        target_used(t);
        if (r < 0)
                target_stall(t, r);
}

static void rotate_due(Target *t, usec_t realtime) {
        int r = sink_rotate_due(t->sink, realtime);

        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot put %s aside, trying again when it is written to", sink_path(t->sink));
        target_used(t);
}

void target_tick(Target *t, usec_t monotonic, usec_t realtime) {
        if (t->stalled && t->retry_at <= monotonic) {
                retry(t);
                return;
        }
        if (t->stalled) {
                logger_wake(t->logger, t->retry_at);
                return;
        }
        if (t->flush_at <= monotonic)
                flush_pending(t, realtime);
        else
                logger_wake(t->logger, t->flush_at);
        if (t->due <= realtime)
                rotate_due(t, realtime);
        else
                follow_due(t);
}
