/* What must stay true: nothing here waits, and whatever the other side sends or does not send, a try is over or has its callback armed. */
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "probe/address.h"
#include "probe/grpc.h"
#include "probe/http.h"
#include "probe/try.h"

#define READ_SIZE 4096
#define ANSWER_MAX (64 * 1024)         /* bytes that are read of one answer */

struct ProbeTry {
        const ProbeSpec *spec;
        ProbeBy by;
        ProbeDone done;
        void *userdata;
        ProbeTarget at;
        int fd;
        sd_event_source *io;
        bool connected;
        Buffer request;
        size_t sent, received;
        HttpResponse *http;
        GrpcResponse *grpc;
};

ProbeTry *probe_try_free(ProbeTry *t) {
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->io);
        fd_close(t->fd);
        buffer_done(&t->request);
        http_response_free(t->http);
        free(t->grpc);
        free(t);
        return NULL;
}

const char *probe_try_waits_for(const ProbeTry *t) {
        return t->connected ? "no answer" : "no connection";
}

/* Every end of a try is told with one of these; 1 is "it is over". */
static int over(ProbeAnswer *a, bool passed, const char *text) {
        a->passed = passed;
        snprintf(a->text, sizeof a->text, "%s", text);
        return 1;
}

static int broken(ProbeAnswer *a, const char *what, int error) {
        static const struct { int error; const char *words; } known[] = {
                { ECONNREFUSED, "connection refused" }, { ENOENT, "there is no such socket" }, { EAGAIN, "its queue of connections is full" },
                { ECONNRESET, "connection reset" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (known[i].error == -error)
                        return over(a, false, known[i].words);
        a->passed = false;
        snprintf(a->text, sizeof a->text, "%s: %s", what, strerror(-error));
        return 1;
}

/* ---- request and answer ---- */

static int compose(ProbeTry *t, ProbeAnswer *a) {
        char authority[PROBE_AUTHORITY_MAX];
        int r;

        probe_authority(t->spec, authority);
        if (t->by == PROBE_HTTP) {
                t->http = http_response_new(t->spec);
                r = t->http ? http_request(&t->request, t->spec, authority) : -ENOMEM;
        } else {
                t->grpc = calloc(1, sizeof(GrpcResponse));
                r = t->grpc ? grpc_request(&t->request, t->spec, authority) : -ENOMEM;
        }
        return r < 0 ? broken(a, "cannot ask", r) : 0;
}

static int judge(ProbeTry *t, ProbeAnswer *a) {
        a->passed = t->http ? http_response_judge(t->http, a->text, sizeof a->text) : grpc_response_judge(t->grpc, a->text, sizeof a->text);
        return 1;
}

static int on_end(ProbeTry *t, ProbeAnswer *a) {
        if (t->grpc || http_response_end(t->http) > 0)
                return judge(t, a);
        return over(a, false, t->received == 0 ? "the connection was closed without an answer" : "the connection was closed in the middle of the answer");
}

/* It asks for its settings to be acknowledged; if that does not fit into an empty socket, nothing would. */
static void acknowledge(ProbeTry *t) {
        if (t->grpc && t->grpc->acknowledge)
                (void) (send(t->fd, grpc_settings_ack, sizeof grpc_settings_ack, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
        if (t->grpc)
                t->grpc->acknowledge = false;
}

static int take_bytes(ProbeTry *t, const char *bytes, size_t n, ProbeAnswer *a) {
        int r = t->http ? http_response_feed(t->http, bytes, n) : grpc_response_feed(t->grpc, (const uint8_t *) bytes, n);

        acknowledge(t);
        t->received += n;
        if (r > 0)
                return judge(t, a);
        if (r == -EMSGSIZE || (r == 0 && t->received > ANSWER_MAX))
                return over(a, false, "its answer is too long");
        return r < 0 ? over(a, false, t->http ? "what answers there does not speak HTTP" : "what answers there does not speak gRPC") : 0;
}

static int receive(ProbeTry *t, ProbeAnswer *a) {
        char bytes[READ_SIZE];
        int r = 0;

        while (r == 0) {
                ssize_t n = recv(t->fd, bytes, sizeof bytes, MSG_DONTWAIT);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return 0;
                if (n < 0)
                        return broken(a, "cannot read the answer", -errno);
                r = n == 0 ? on_end(t, a) : take_bytes(t, bytes, (size_t) n, a);
        }
        return r;
}

static int transmit(ProbeTry *t, ProbeAnswer *a) {
        while (t->sent < t->request.size) {
                ssize_t n = send(t->fd, t->request.data + t->sent, t->request.size - t->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return 0;
                if (n < 0)
                        return broken(a, "cannot ask", -errno);
                t->sent += (size_t) n;
        }
        return receive(t, a);
}

/* ---- the connection ---- */

/* 1: connected; 0: not yet; -errno. A second connect(2) asks how the first is getting on: to this machine it is mostly done by then, which saves
 * the way through the loop. */
static int join(ProbeTry *t) {
        ProbeAddress a;
        socklen_t n = probe_address(&a, t->spec, &t->at);

        if (n == 0)
                return -ENAMETOOLONG;
        for (unsigned tries = 0; tries < 2; tries++) {
                if (connect(t->fd, &a.any, n) == 0 || errno == EISCONN)
                        return 1;
                if (errno == EALREADY || errno == EINTR)
                        return 0;
                if (errno != EINPROGRESS)
                        return -errno;
        }
        return 0;
}

/* Whatever can be done now is done. 1: over; 0: the loop is waited for. */
static int go_on(ProbeTry *t, ProbeAnswer *a) {
        int r;

        if (!t->connected) {
                r = join(t);
                if (r <= 0)
                        return r < 0 ? broken(a, "cannot connect", r) : 0;
                t->connected = true;
                if (t->by == PROBE_TCP || t->by == PROBE_UNIX)
                        return over(a, true, "connected");
                r = compose(t, a);
                if (r != 0)
                        return r;
        }
        return transmit(t, a);
}

static uint32_t interest(const ProbeTry *t) {
        return !t->connected || t->sent < t->request.size ? EPOLLOUT : EPOLLIN;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ProbeTry *t = userdata;
        ProbeAnswer answer;

        if (go_on(t, &answer) == 0)
                return sd_event_source_set_io_events(s, interest(t));
        t->io = sd_event_source_disable_unref(t->io);
        t->done(t->userdata, &answer);
        return 0;
}

/* ---- beginning ---- */

static int begin(ProbeTry *t, sd_event *event, int64_t priority, ProbeAnswer *a) {
        ProbeAddress address;
        int r;

        (void) probe_address(&address, t->spec, &t->at);
        t->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (t->fd < 0)
                return broken(a, "cannot make a socket", -errno);
        r = go_on(t, a);
        if (r != 0)
                return r;
        r = sd_event_add_io(event, &t->io, t->fd, interest(t), on_io, t);
        if (r >= 0)
                r = sd_event_source_set_priority(t->io, priority);
        return r < 0 ? broken(a, "cannot wait for it", r) : 0;
}

int probe_try_begin(sd_event *event, int64_t priority, const ProbeSpec *p, const ProbeTarget *at, ProbeDone done, void *userdata, ProbeTry **ret,
                    ProbeAnswer *ret_answer) {
        _cleanup_(probe_try_freep) ProbeTry *t = malloc(sizeof(ProbeTry));
        int r;

        *ret = NULL;
        if (!t)
                return broken(ret_answer, "cannot ask", -ENOMEM);
        *t = (ProbeTry) { .spec = p, .by = probe_spec_by(p), .done = done, .userdata = userdata, .fd = -EBADF };
        if (at)
                t->at = *at;
        r = begin(t, event, priority, ret_answer);
        if (r == 0)
                *ret = TAKE_PTR(t);
        return r;
}
