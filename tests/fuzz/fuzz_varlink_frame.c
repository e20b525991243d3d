/* Foreign bytes on the socket: as one message through the parser and the getters, and as a stream into a connection of a server. */
#include <fcntl.h>
#include <sys/socket.h>

#include "varlink/frame.h"
#include "varlink/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_any(VarlinkCall *call, json_object *parameters, void *userdata) {
        static const char *const fields[] = { "a", "name", "" };

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                _cleanup_error_ KlError e = {};
                const char *s = "";
                json_object *v = NULL;
                uint64_t n = 0;
                bool b = false;

                (void) json_get_string(parameters, fields[i], &s, &e);
                (void) json_get_u64(parameters, fields[i], &n, &e);
                (void) json_get_bool(parameters, fields[i], &b, &e);
                (void) json_get_array(parameters, fields[i], &v, &e);
                (void) json_get_object(parameters, fields[i], &v, &e);
                if (strlen(s) > 0 && n > 0)
                        abort(); /* no field is both */
        }
        if (varlink_call_more(call))
                (void) varlink_notify(call, json_object_get(parameters));
        return varlink_reply(call, json_object_get(parameters));
}

static const VarlinkEntry entries[] = { { "A", on_any }, { "B", on_any, true }, {} };
static const VarlinkInterface interface = { "i.f", "interface i.f\n", entries };

static void parse_alone(const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *o = NULL, *again = NULL;
        ByteQueue q = {};

        if (varlink_parse((const char *) data, size, &o) < 0)
                return;
        /* What was accepted can be said again and is accepted again. */
        if (byte_queue_append_message(&q, o, VARLINK_REPLY_MAX) < 0 || varlink_parse(q.data, byte_queue_size(&q) - 1, &again) < 0)
                abort();
        byte_queue_done(&q);
}

static void drain(int fd) {
        char chunk[4096];

        while (recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
                continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static sd_event *event;
        VarlinkServerOptions o = { .interface = &interface };
        VarlinkServer *s = NULL;
        int fds[2];

        parse_alone(data, size);
        if (!event && sd_event_new(&event) < 0)
                return 0;
        o.event = event;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return 0;
        if (varlink_server_new(&o, &s) < 0 || varlink_server_adopt(s, fds[1]) < 0)
                abort();
        for (size_t at = 0, piece = size > 0 ? 1 + data[0] % 64 : 1; at < size; at += piece) {
                if (send(fds[0], data + at, MIN(piece, size - at), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                        break;
                while (sd_event_run(event, 0) > 0)
                        drain(fds[0]);
        }
        close(fds[0]);
        while (sd_event_run(event, 0) > 0)
                continue;
        if (varlink_server_connections(s) != 0)
                abort();
        varlink_server_free(s);
        return 0;
}
