/* Pipes for splice(2): one for a direction while something is stuck in it, and none otherwise, so that idle connections cost no descriptors. */
#include "balance/state.h"

#include <fcntl.h>

#include "base/fd.h"

static Pipe *pipe_free(Pipe *p) {
        fd_close(p->ends[0]);
        fd_close(p->ends[1]);
        free(p);
        return NULL;
}

Pipe *pipe_take(Balancer *b) {
        Pipe *p = b->pipes;

        if (p) {
                b->pipes = p->next;
                b->n_pipes_idle--;
                return p;
        }
        if (b->n_pipes >= b->pipes_max)
                return NULL;
        p = malloc(sizeof(*p));
        if (!p)
                return NULL;
        *p = (Pipe) { .ends = { -EBADF, -EBADF } };
        if (pipe2(p->ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return pipe_free(p);
        b->n_pipes++;
        return p;
}

void pipe_give(Balancer *b, Pipe *p) {
        if (!p)
                return;
        if (p->fill > 0 || b->n_pipes_idle >= PIPES_IDLE) {
                b->n_pipes--;
                pipe_free(p);
                return;
        }
        p->next = b->pipes;
        b->pipes = p;
        b->n_pipes_idle++;
}

void pipes_done(Balancer *b) {
        while (b->pipes) {
                Pipe *p = b->pipes;

                b->pipes = p->next;
                pipe_free(p);
        }
        b->n_pipes = b->n_pipes_idle = 0;
}
