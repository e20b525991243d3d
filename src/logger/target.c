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
        t->due = t->flush_at = t->tell_at = USEC_INFINITY;
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
        SinkOptions s = { .path = o->path, .rate = o->rate, .burst = o->burst,
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
        t->when_full = o->when_full;
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

static void wake_at(Logger *l, usec_t realtime) {
        usec_t now;

        if (realtime == USEC_INFINITY)
                return;
        now = now_usec(CLOCK_REALTIME);
        logger_wake(l, now_usec(CLOCK_MONOTONIC) + (realtime > now ? realtime - now : 0));
}

/* The file may want to be put aside at another time than the logger knows of, or to say what was dropped. */
static void follow(Target *t) {
        usec_t due = sink_due(t->sink), tell_at = sink_tell_at(t->sink);

        if (due != t->due)
                wake_at(t->logger, due);
        if (tell_at != t->tell_at)
                wake_at(t->logger, tell_at);
        t->due = due;
        t->tell_at = tell_at;
}

void target_used(Target *t) {
        Logger *l = t->logger;
        int r;

        if (sink_rotated(t->sink))
                rotated(t);
        follow(t);
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

/* Once, until it is over. */
static void say_full(const Target *t, int error) {
        log_errno(LOG_ERR, error, "cannot write %s: %s until that works", sink_path(t->sink),
                  t->when_full == LOG_FULL_BLOCK ? "output waits in the pipes of its service" : "output of its service is dropped");
}

void target_stall(Target *t, int error, DropReason reason, usec_t delay) {
        if (t->stalled)
                return;
        t->stalled = true;
        t->full = reason;
        schedule(t, delay);
        if (reason == DROP_FULL)
                say_full(t, error);
}

int target_tell(Target *t, SinkStream *st) {
        return sink_tell_at(t->sink) == USEC_INFINITY ? 0 : sink_tell(t->sink, st, now_usec(CLOCK_REALTIME));
}

/* Any stream in whose form a line of our own can be written. */
static SinkStream *any_stream(const Target *t) {
        Run *run;

        LIST_FOREACH(run, &t->runs, siblings)
                for (size_t i = 0; i < 2; i++)
                        if (run->pipes[i].source.fd >= 0)
                                return &run->pipes[i].stream;
        return NULL;
}

static int tell(Target *t) {
        SinkStream *st = any_stream(t);

        return st ? target_tell(t, st) : 0;
}

/* What was dropped stands where it is missing. */
static int retry_all(Target *t) {
        bool first = t->when_full == LOG_FULL_DROP_OLDEST;
        Run *run;
        int r;

        r = first ? tell(t) : 0;
        LIST_FOREACH(run, &t->runs, siblings)
                for (size_t i = 0; i < 2 && r >= 0; i++)
                        if (run->pipes[i].source.fd >= 0)
                                r = pipe_retry(&run->pipes[i]);
        if (r >= 0 && !first)
                r = tell(t);
        target_used(t);
        return r;
}

static void retry(Target *t) {
        int r;

        r = retry_all(t);
        if (r < 0) {
                if (t->full == DROP_SLOW)
                        say_full(t, r);
                t->full = DROP_FULL;
                schedule(t, MIN(t->delay * 2, RETRY_MAX));
                return;
        }
        t->stalled = false;
        if (t->full != DROP_SLOW)
                log_notice("%s is written again", sink_path(t->sink));
        t->flush_at = 0;
        logger_wake(t->logger, 0); /* for what became due meanwhile */
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

/* What waits for others, and what there is to tell. */
static void write_waiting(Target *t, usec_t monotonic, usec_t realtime) {
        bool due = t->flush_at <= monotonic;
        Run *run;
        int r = 0;

        if (due)
                t->flush_at = USEC_INFINITY;
        LIST_FOREACH(run, &t->runs, siblings)
                for (size_t i = 0; i < 2 && r >= 0 && due; i++)
                        r = sink_flush(t->sink, &run->pipes[i].stream, realtime);
        if (r >= 0 && sink_tell_at(t->sink) <= realtime)
                r = tell(t);
        target_used(t);
        if (r < 0)
                target_stall(t, r, DROP_FULL, RETRY_FIRST);
}

static void rotate_due(Target *t, usec_t realtime) {
        int r = sink_rotate_due(t->sink, realtime);

        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot put %s aside, trying again when it is written to", sink_path(t->sink));
        target_used(t);
}

/* What is not due yet. What is past waits for a write. */
static void wake_for(Target *t, usec_t realtime) {
        logger_wake(t->logger, t->flush_at);
        if (t->due > realtime)
                wake_at(t->logger, t->due);
        if (t->tell_at > realtime)
                wake_at(t->logger, t->tell_at);
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
        if (t->flush_at <= monotonic || sink_tell_at(t->sink) <= realtime)
                write_waiting(t, monotonic, realtime);
        if (t->due <= realtime && !t->stalled)
                rotate_due(t, realtime);
        wake_for(t, realtime);
}
