/* Owns one blocking connection to a Varlink service. What must stay true: every wait has the deadline that the caller gave, and after a
 * failure in the middle of an exchange the connection is not used again, since what arrives next would answer the wrong question. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>

#include "base/fd.h"
#include "varlink/client.h"
#include "varlink/frame.h"

struct VarlinkClient {
        int fd;
        bool broken;
        char *method; /* of the call under way, for messages */
        FrameReader input;
        ByteQueue output;
};

VarlinkClient *varlink_client_free(VarlinkClient *c) {
        if (!c)
                return NULL;
        fd_close(c->fd);
        free(c->method);
        frame_reader_done(&c->input);
        byte_queue_done(&c->output);
        free(c);
        return NULL;
}

int varlink_client_fd(const VarlinkClient *c) {
        return c->fd;
}

static usec_t deadline_of(usec_t timeout) {
        return usec_add(now_usec(CLOCK_MONOTONIC), timeout);
}

/* An address holds 107 bytes of path; a longer one is reached through a descriptor of its directory. *ret_dir keeps that open. */
static int socket_address(const char *path, struct sockaddr_un *ret, int *ret_dir) {
        _cleanup_free_ char *dir = NULL;
        const char *slash;

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) < sizeof(ret->sun_path)) {
                strcpy(ret->sun_path, path);
                return 0;
        }
        slash = strrchr(path, '/');
        if (!slash || strlen(slash + 1) > 64)
                return -ENAMETOOLONG;
        dir = strndup(path, (size_t) (slash - path) + 1);
        if (!dir)
                return -ENOMEM;
        *ret_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*ret_dir < 0)
                return -errno;
        snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir, slash + 1);
        return 0;
}

static int connect_until(int fd, const struct sockaddr_un *a, usec_t timeout) {
        struct timeval tv = { .tv_sec = (time_t) (timeout / USEC_PER_SEC), .tv_usec = (suseconds_t) (timeout % USEC_PER_SEC) };
        int r;

        /* connect(2) on a local socket waits only for room in the queue of the listener; SO_SNDTIMEO bounds that, and a full queue is
         * then reported as EAGAIN. */
        if (timeout != USEC_INFINITY && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
                return -errno;
        do
                r = connect(fd, (const struct sockaddr *) a, sizeof(*a));
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        return fd_nonblock(fd, true);
}

int varlink_client_connect(const char *path, usec_t timeout, VarlinkClient **ret) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = calloc(1, sizeof(*c));
        _cleanup_fd_ int dir = -EBADF;
        struct sockaddr_un a;
        int r;

        if (!c)
                return -ENOMEM;
        c->input.max = VARLINK_REPLY_MAX;
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return -errno;
        r = socket_address(path, &a, &dir);
        if (r >= 0)
                r = connect_until(c->fd, &a, timeout);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static int wait_ready(int fd, short events, usec_t deadline) {
        for (;;) {
                struct pollfd p = { .fd = fd, .events = events };
                usec_t now = now_usec(CLOCK_MONOTONIC), left;
                struct timespec ts;
                int r;

                if (deadline != USEC_INFINITY && now >= deadline)
                        return -ETIMEDOUT;
                left = deadline - now;
                ts = (struct timespec){ .tv_sec = (time_t) (left / USEC_PER_SEC), .tv_nsec = (long) (left % USEC_PER_SEC) * 1000 };
                r = ppoll(&p, 1, deadline == USEC_INFINITY ? NULL : &ts, NULL);
                if (r < 0)
                        return -errno;
                if (r > 0)
                        return 0;
        }
}

static int fail(VarlinkClient *c, int r, KlError *reterr) {
        const char *why = r == -ETIMEDOUT    ? "no answer in time"
                          : r == -ECONNRESET ? "the daemon closed the connection"
                          : r == -EBADMSG    ? "the answer is not understood"
                          : r == -EMSGSIZE   ? "the message is too large"
                                             : strerror(-r);

        c->broken = true;
        if (r == -ENOMEM)
                return kl_error_set(reterr, r, KL_E_NO_MEMORY, "%s: out of memory", c->method);
        return kl_error_set(reterr, r, r == -ETIMEDOUT ? KL_E_TIMEOUT : KL_E_FAILED, "%s: %s", c->method, why);
}

static int send_all(VarlinkClient *c, usec_t deadline) {
        while (byte_queue_size(&c->output) > 0) {
                ssize_t n = byte_queue_send(&c->output, c->fd);
                int r;

                if (n >= 0)
                        continue;
                if (n == -EPIPE || n == -ECONNRESET) {
                        byte_queue_done(&c->output); /* why, may be what is there to be read */
                        return 0;
                }
                if (n != -EAGAIN)
                        return (int) n;
                r = wait_ready(c->fd, POLLOUT, deadline);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

/* Consumes parameters. */
static int send_call(VarlinkClient *c, const char *method, json_object *parameters, bool more, usec_t deadline) {
        _cleanup_json_ json_object *p = parameters, *o = json_object_new_object();
        int r;

        if (c->broken)
                return -ENOTCONN;
        r = json_add_string(o, "method", method);
        if (r >= 0 && p)
                r = json_add(o, "parameters", TAKE_PTR(p));
        if (r >= 0 && more)
                r = json_add(o, "more", json_object_new_boolean(true));
        if (r >= 0)
                r = byte_queue_append_message(&c->output, o, VARLINK_MESSAGE_MAX);
        return r < 0 ? r : send_all(c, deadline);
}

/* One message. -EINTR leaves everything as it was, to be called again. */
static int receive(VarlinkClient *c, usec_t deadline, json_object **ret) {
        const char *message;
        size_t n;
        int r;

        while ((r = frame_reader_peek(&c->input, &message, &n)) == 0) {
                ssize_t k = frame_reader_fill(&c->input, c->fd);

                if (k == 0)
                        return -ECONNRESET;
                if (k < 0 && k != -EAGAIN)
                        return (int) k;
                if (k == -EAGAIN) {
                        r = wait_ready(c->fd, POLLIN, deadline);
                        if (r < 0)
                                return r;
                }
        }
        if (r < 0)
                return r;
        r = varlink_parse(message, n, ret);
        frame_reader_drop(&c->input, n);
        return r;
}

static const char *known_id(const char *id) {
        static const char *const ids[] = {
                KL_E_FAILED,  KL_E_INVALID, KL_E_NOT_FOUND, KL_E_NO_DAEMON, KL_E_PERMISSION,
                KL_E_TIMEOUT, KL_E_EXISTS,  KL_E_BUSY,      KL_E_NO_MEMORY,
        };

        for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
                if (streq(id, ids[i]))
                        return ids[i];
        return streq(id, "InvalidParameter") ? KL_E_INVALID : KL_E_FAILED;
}

/* Always -EREMOTEIO: the exchange itself went well. */
static int remote_error(VarlinkClient *c, const char *error, json_object *parameters, KlError *reterr) {
        const char *dot = strrchr(error, '.'), *message = NULL, *hint = NULL, *wrong = NULL;
        const char *id = known_id(dot ? dot + 1 : error);

        if (parameters) {
                (void) json_get_string(parameters, "message", &message, NULL);
                (void) json_get_string(parameters, "hint", &hint, NULL);
                (void) json_get_string(parameters, "parameter", &wrong, NULL);
        }
        if (message)
                kl_error_set(reterr, -EREMOTEIO, id, "%s", message);
        else if (wrong)
                kl_error_set(reterr, -EREMOTEIO, id, "%s: the daemon does not accept the parameter \"%s\"", c->method, wrong);
        else
                kl_error_set(reterr, -EREMOTEIO, id, "%s: the daemon answered %s", c->method, error);
        if (hint)
                kl_error_hint(reterr, "%s", hint);
        else if (streq(error, VARLINK_E_METHOD_NOT_FOUND) || streq(error, VARLINK_E_INTERFACE_NOT_FOUND))
                kl_error_hint(reterr, "the daemon is of another version; see: kingctl version");
        return -EREMOTEIO;
}

/* Takes a message apart: 1 more to come, 0 the last, negative as documented. */
static int read_reply(VarlinkClient *c, json_object *message, json_object **ret, KlError *reterr) {
        json_object *parameters = NULL;
        const char *error = NULL;
        bool continues = false;

        if (json_get_string(message, "error", &error, NULL) < 0 || json_get_bool(message, "continues", &continues, NULL) < 0 ||
            json_get_object(message, "parameters", &parameters, NULL) < 0)
                return fail(c, -EBADMSG, reterr);
        if (error)
                return remote_error(c, error, parameters, reterr);
        *ret = parameters ? json_object_get(parameters) : json_object_new_object();
        return *ret ? continues : fail(c, -ENOMEM, reterr);
}

static int begin(VarlinkClient *c, const char *method, KlError *reterr) {
        const char *dot = strrchr(method, '.');
        char *copy = strdup(dot ? dot + 1 : method);

        if (!copy)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "%s: out of memory", method);
        free(c->method);
        c->method = copy;
        return 0;
}

static int next_until(VarlinkClient *c, usec_t deadline, json_object **ret, KlError *reterr) {
        _cleanup_json_ json_object *message = NULL;
        int r;

        r = receive(c, deadline, &message);
        if (r == -EINTR)
                return r;
        return r < 0 ? fail(c, r, reterr) : read_reply(c, message, ret, reterr);
}

int varlink_client_call(VarlinkClient *c, const char *method, json_object *parameters, usec_t timeout, json_object **ret, KlError *reterr) {
        usec_t deadline = deadline_of(timeout);
        int r;

        r = begin(c, method, reterr);
        if (r < 0) {
                json_object_put(parameters);
                return r;
        }
        r = send_call(c, method, parameters, false, deadline);
        if (r < 0)
                return fail(c, r, reterr);
        do
                r = next_until(c, deadline, ret, reterr);
        while (r == -EINTR);
        if (r == 1) { /* "continues" was not asked for */
                json_putp(ret);
                return fail(c, -EBADMSG, reterr);
        }
        return r;
}

int varlink_client_more(VarlinkClient *c, const char *method, json_object *parameters, KlError *reterr) {
        int r;

        r = begin(c, method, reterr);
        if (r < 0) {
                json_object_put(parameters);
                return r;
        }
        r = send_call(c, method, parameters, true, deadline_of(VARLINK_SEND_TIMEOUT));
        return r < 0 ? fail(c, r, reterr) : 0;
}

int varlink_client_next(VarlinkClient *c, usec_t timeout, json_object **ret, KlError *reterr) {
        if (c->broken)
                return fail(c, -ENOTCONN, reterr);
        return next_until(c, deadline_of(timeout), ret, reterr);
}
