/* Pipes of services that shall not wait for the disk. Must stay true: at most one chunk is kept for each pipe; what is not kept is counted by
 * the sink; the stream knows where bytes are missing, so that no line is made of two halves. */
#include "base/log.h"
#include "logger/state.h"
#include "model/spec.h"

/* The kept chunk is the oldest there is, and nothing behind it is. */
static void drop_newest(LogPipe *p, size_t n, usec_t now) {
        Target *t = p->run->target;

        sink_drop(t->sink, t->logger->buffer, n, now, t->full);
        p->gap = true;
        p->gap_inside = t->logger->buffer[n - 1] != '\n';
}

static void drop_oldest(LogPipe *p, size_t n, usec_t now) {
        Target *t = p->run->target;

        sink_discard(t->sink, &p->stream, p->kept, p->kept_size, now, t->full);
        free(p->kept);
        p->kept = NULL;
        pipe_keep(p, t->logger->buffer, n, now);
}

void pipe_drop(LogPipe *p) {
        Target *t = p->run->target;
        Logger *l = t->logger;
        usec_t now = now_usec(CLOCK_REALTIME);
        ssize_t n;

        if (!l->buffer)
                l->buffer = malloc(PIPE_CHUNK);
        if (!l->buffer)
                return; /* it waits after all */
        n = read(p->source.fd, l->buffer, PIPE_CHUNK);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                p->eof = true;
                poller_remove(&l->poller, &p->source);
        } else if (!p->kept)
                pipe_keep(p, l->buffer, (size_t) n, now);
        else if (t->when_full == LOG_FULL_DROP_NEWEST)
                drop_newest(p, (size_t) n, now);
        else
                drop_oldest(p, (size_t) n, now);
}
