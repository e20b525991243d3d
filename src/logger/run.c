/* A run's two pipes: read without blocking, a chunk at a time, straight into the sink. Must stay true: a chunk that was read is in the
 * notes until it is either in the sink or kept in the pipe it came from; while it is kept the pipe is not read, so the service waits and nothing is lost. */
#include "base/fd.h"
#include "base/log.h"
#include "logger/notes.h"
#include "logger/state.h"
#include "model/spec.h"

/* Out of epoll altogether while its service waits: a hangup cannot be masked and would wake us for ever. */
static void pipe_ready_stalled(LogPipe *p) {
        Target *t = p->run->target;

        if (t->when_full == LOG_FULL_BLOCK)
                poller_remove(&t->logger->poller, &p->source);
        else
                pipe_drop(p);
}

static void pipe_ready(PollSource *s, uint32_t events) {
        LogPipe *p = (LogPipe *) s;
        size_t budget = PIPE_TURN, n;

        if (p->run->target->stalled) {
                pipe_ready_stalled(p);
                return;
        }
        do {
                n = pipe_read(p);
                budget -= MIN(budget, n);
                /* A chunk that is not full was all there was. */
        } while (n == PIPE_CHUNK && budget > 0);
}

static int pipe_open(LogPipe *p) {
        int r;

        r = fd_nonblock(p->source.fd, true);
        return r < 0 ? r : poller_add(&p->run->target->logger->poller, &p->source, EPOLLIN);
}

static int streams_init(Run *run, const LogPacket *packet) {
        const LogOpen *o = &packet->open;
        char service[LOG_NAME_MAX], ns[LOG_NAME_MAX];
        LineSource who = { .service = service, .ns = ns, .run = o->run, .instance = o->instance, .pid = packet->pid };
        LineFormat format = { .format = o->format, .merged = o->merge, .multiline = o->multiline, .tag = log_tag_name(o->tag) };
        int r = 0;

        log_open_names(o, service, ns);
        for (uint8_t i = 0; i < 2 && r >= 0; i++)
                r = sink_stream_init(&run->pipes[i].stream, i, &who, &format);
        return r;
}

static void pipe_close(LogPipe *p) {
        if (p->source.fd >= 0)
                poller_remove(&p->run->target->logger->poller, &p->source);
        p->source.fd = fd_close(p->source.fd);
        sink_stream_done(&p->stream);
        free(p->kept);
        p->kept = NULL;
}

void run_free(Run *run) {
        pipe_close(&run->pipes[0]);
        pipe_close(&run->pipes[1]);
        LIST_REMOVE(run, siblings);
        if (run->target)
                target_put(run->target);
        free(run);
}

/* Everything of the pipe is in the file. */
static void pipe_finish(LogPipe *p) {
        Run *run = p->run;

        pipe_close(p);
        if (run->pipes[0].source.fd < 0 && run->pipes[1].source.fd < 0)
                logger_closed(run->target->logger, run);
}

static void pipe_ended(LogPipe *p) {
        Target *t = p->run->target;
        int r;

        p->eof = true;
        r = sink_end(t->sink, &p->stream, now_usec(CLOCK_REALTIME));
        if (r >= 0)
                r = target_tell(t, &p->stream);
        target_used(t);
        if (r < 0) {
                poller_remove(&t->logger->poller, &p->source);
                target_stall(t, r, DROP_FULL, RETRY_FIRST);
        } else if (!t->logger->ending)
                pipe_finish(p);
}

void pipe_keep(LogPipe *p, const char *chunk, size_t n, usec_t at) {
        char *smaller;

        p->kept = memmove(TAKE_PTR(p->run->target->logger->buffer), chunk, n);
        p->kept_size = (uint32_t) n;
        p->kept_at = at;
        smaller = realloc(p->kept, n);
        if (smaller)
                p->kept = smaller;
}

static void pipe_fail(LogPipe *p, const char *chunk, size_t n, usec_t at, int error) {
        Target *t = p->run->target;

        pipe_keep(p, chunk, n, at);
        if (t->when_full == LOG_FULL_BLOCK)
                poller_remove(&t->logger->poller, &p->source);
        target_stall(t, error, DROP_FULL, RETRY_FIRST);
}

/* Where the service shall not wait: writing again only after as long a time as this chunk took, dropping what comes meanwhile. */
static bool too_slow(Target *t, usec_t begun) {
        usec_t spent;

        if (t->when_full == LOG_FULL_BLOCK)
                return false;
        spent = now_usec(CLOCK_MONOTONIC) - begun;
        if (spent < SLOW_WRITE)
                return false;
        target_stall(t, 0, DROP_SLOW, MIN(spent, RETRY_FIRST));
        return true;
}

static size_t pipe_write(LogPipe *p, const char *chunk, size_t n, usec_t at) {
        Target *t = p->run->target;
        usec_t begun = t->when_full == LOG_FULL_BLOCK ? 0 : now_usec(CLOCK_MONOTONIC);
        int r;

        r = sink_write(t->sink, &p->stream, chunk, n, at);
        target_used(t);
        if (p->stream.pending)
                target_pending(t);
        if (r < 0) {
                pipe_fail(p, chunk, n, at, r);
                return 0;
        }
        return too_slow(t, begun) ? 0 : n;
}

/* For a chunk that cannot be written. */
static bool have_buffer(Target *t) {
        Logger *l = t->logger;

        if (!l->buffer)
                l->buffer = malloc(PIPE_CHUNK);
        if (!l->buffer)
                target_stall(t, -ENOMEM, DROP_FULL, RETRY_FIRST);
        return l->buffer;
}

/* What the logger before us had in hand when it was killed. */
static void pipe_take_over(LogPipe *p) {
        Target *t = p->run->target;
        const char *chunk;
        usec_t at;
        size_t n;

        notes_restore(&p->stream);
        if (p->stream.pending)
                target_pending(t);
        if (!have_buffer(t) || !notes_resume(&p->stream, &chunk, &n, &at))
                return;
        (void) pipe_write(p, chunk, n, at);
        notes_end();
}

size_t pipe_read(LogPipe *p) {
        Target *t = p->run->target;
        ssize_t n;

        if (!have_buffer(t))
                return 0;
        notes_begin(&p->stream, sink_path(t->sink));
        n = notes_receive(p->source.fd);
        if (n > 0) {
                usec_t now = now_usec(CLOCK_REALTIME);

                notes_received_at(now);
                n = (ssize_t) pipe_write(p, notes_chunk(), (size_t) n, now);
                notes_end();
                return (size_t) n;
        }
        notes_end();
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n < 0)
                log_errno(LOG_WARNING, (int) n, "cannot read the output of a service for %s, taking it as ended", sink_path(t->sink));
        pipe_ended(p);
        return 0;
}

int run_open(Logger *l, const LogPacket *packet, const int fds[2]) {
        const LogOpen *o = &packet->open;
        Run *run = calloc(1, sizeof(*run));
        int r;

        r = run ? target_get(l, o, &run->target) : -ENOMEM;
        if (r < 0) {
                fd_close(fds[0]);
                fd_close(fds[1]);
                free(run);
                return r;
        }
        run->id = o->run;
        LIST_INSERT_HEAD(&run->target->runs, run, siblings);
        for (uint8_t i = 0; i < 2; i++)
                run->pipes[i] = (LogPipe) { .source = { .fd = fds[i], .priority = 1, .ready = pipe_ready }, .run = run };
        r = streams_init(run, packet);
        if (r >= 0)
                r = pipe_open(&run->pipes[0]);
        if (r >= 0)
                r = pipe_open(&run->pipes[1]);
        if (r < 0) {
                run_free(run);
                return r;
        }
        pipe_take_over(&run->pipes[0]);
        pipe_take_over(&run->pipes[1]);
        return 0;
}

int pipe_retry(LogPipe *p) {
        Sink *sink = p->run->target->sink;
        int r;

        if (p->kept) {
                r = sink_write(sink, &p->stream, p->kept, p->kept_size, p->kept_at);
                if (r < 0)
                        return r;
                free(p->kept);
                p->kept = NULL;
        }
        if (p->gap)
                sink_gap(&p->stream, p->gap_inside);
        p->gap = false;
        if (p->eof)
                return sink_end(sink, &p->stream, now_usec(CLOCK_REALTIME));
        return p->leave ? sink_leave(sink, &p->stream, now_usec(CLOCK_REALTIME)) : 0;
}

void pipe_resume(LogPipe *p) {
        Target *t = p->run->target;
        int r;

        if (p->source.fd < 0)
                return;
        if (p->eof) {
                pipe_finish(p);
                return;
        }
        r = p->source.added ? 0 : poller_add(&t->logger->poller, &p->source, EPOLLIN);
        if (r < 0)
                target_stall(t, r, DROP_FULL, RETRY_FIRST);
}
