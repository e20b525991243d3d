/* The server on a loop in this process, driven through raw sockets: what good and bad clients see. */
#include "service.inc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "base/text.h"
#include "varlink/frame.h"

#define DEADLINE (20 * USEC_PER_SEC)

static int setup(void **state) {
        static Service s;

        service_open(&s);
        *state = &s;
        return 0;
}
static int teardown(void **state) {
        service_close(*state);
        return 0;
}

/* Runs the loop while there is something to do. */
static void settle(Service *s) {
        usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE;

        while (sd_event_run(s->event, 0) > 0)
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
}

static void put(int fd, const char *p, size_t n) {
        assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}
static void put_text(int fd, const char *s) {
        put(fd, s, strlen(s) + 1);
}

/* All that arrives for this client, with '|' for NUL and '#' for the end of the stream. */
static char *get(Service *s, int fd) {
        Buffer b = {};
        char chunk[65536];
        ssize_t n;

        do {
                settle(s);
                n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
                for (ssize_t i = 0; i < n; i++)
                        if (!chunk[i])
                                chunk[i] = '|';
                if (n > 0)
                        buffer_append(&b, chunk, (size_t) n);
        } while (n > 0);
        if (n == 0 || errno == ECONNRESET)
                buffer_append(&b, "#", 1);
        buffer_append(&b, "", 1);
        return b.data;
}

static void expect(Service *s, int fd, const char *call, const char *reply) {
        _cleanup_free_ char *got = NULL;

        put_text(fd, call);
        got = get(s, fd);
        assert_string_equal(got, reply);
}

static void answers(void **state) {
        Service *s = *state;
        int fd = service_connect(s);

        expect(s, fd, "{\"method\":\"io.kingly.Manager.Echo\",\"parameters\":{\"a\":[1]}}", "{\"parameters\":{\"a\":[1]}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Echo\"}", "{\"parameters\":{}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Echo\",\"oneway\":true}", "");
        assert_int_equal(s->calls, 3);
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Fail\"}",
               "{\"error\":\"io.kingly.Manager.Failed\",\"parameters\":{\"message\":\"Fail: Invalid cross-device link\"}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Silent\"}",
               "{\"error\":\"io.kingly.Manager.Failed\",\"parameters\":{\"message\":\"Silent: the call was left without an answer\"}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Silent\",\"oneway\":true}", "");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Refuse\"}",
               "{\"error\":\"io.kingly.Manager.NoSuchService\",\"parameters\":{\"message\":\"web: no such service\",\"hint\":\"did you "
               "mean wub?\"}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Count\",\"more\":true,\"parameters\":{\"n\":2}}",
               "{\"parameters\":{\"n\":0},\"continues\":true}|{\"parameters\":{\"n\":1},\"continues\":true}|{\"parameters\":{\"n\":2}}|");
        expect(s, fd, "{\"method\":\"io.kingly.Manager.Count\"}", "{\"parameters\":{\"n\":3}}|");
        close(fd);
        settle(s);
        assert_int_equal(varlink_server_connections(s->server), 0);
}

static void introspects(void **state) {
        Service *s = *state;
        int fd = service_connect(s);
        _cleanup_free_ char *got = NULL;

        expect(s, fd, "{\"method\":\"org.varlink.service.GetInfo\"}",
               "{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\",\"url\":\"u\",\"interfaces\":[\"org.varlink."
               "service\",\"io.kingly.Manager\"]}}|");
        expect(s, fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.kingly.Manager\"}}",
               "{\"parameters\":{\"description\":\"interface io.kingly.Manager\\nmethod Echo() -> ()\\n\"}}|");
        expect(s, fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"a.b\"}}",
               "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}|");
        expect(s, fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
               "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interface\"}}|");
        put_text(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"org.varlink.service\"}}");
        got = get(s, fd);
        assert_non_null(strstr(got, "interface org.varlink.service\\n"));
        assert_non_null(strstr(got, "method GetInterfaceDescription(interface: string) -> (description: string)"));
        close(fd);
}

static void names_what_is_wrong(void **state) {
        Service *s = *state;
        int fd = service_connect(s);

        expect(s, fd, "{\"method\":\"io.kingly.Manager.Nothing\"}",
               "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.kingly.Manager.Nothing\"}}|");
        expect(s, fd, "{\"method\":\"org.varlink.service.Nothing\"}",
               "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"org.varlink.service.Nothing\"}}|");
        expect(s, fd, "{\"method\":\"a.b.C\"}",
               "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}|");
        expect(s, fd, "{\"method\":\"plain\"}",
               "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"plain\"}}|");
        expect(s, fd, "{}", "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"method\"}}|");
        expect(s, fd, "{\"method\":7}", "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"method\"}}|");
        expect(s, fd, "{\"method\":\"a.b.C\",\"more\":1}",
               "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"more\"}}|");
        expect(s, fd, "{\"method\":\"a.b.C\",\"parameters\":[]}",
               "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"parameters\"}}|");
        close(fd);
}

static void closes_on_garbage(void **state) {
        static const char *const garbage[] = { "hello", "", "[]", "{\"method\":\"\xff\"}", "{\"method\":" };
        Service *s = *state;

        for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
                int fd = service_connect(s);

                expect(s, fd, garbage[i], "#");
                close(fd);
        }
        assert_int_equal(varlink_server_connections(s->server), 0);
}

static void closes_on_depth(void **state) {
        Service *s = *state;
        int fd = service_connect(s);
        char text[3000] = "{\"method\":\"io.kingly.Manager.Echo\",\"parameters\":{\"a\":";

        memset(text + strlen(text), '[', 2000);
        expect(s, fd, text, "#");
        close(fd);
}

/* A hundred calls in one packet are answered in order; a pending one holds up those behind it, and only those of its own client. */
static void pipelines(void **state) {
        Service *s = *state;
        int fd = service_connect(s), other = service_connect(s);
        _cleanup_buffer_ Buffer calls = {}, replies = {};
        _cleanup_free_ char *got = NULL, *rest = NULL;

        for (unsigned i = 0; i < 100; i++) {
                buffer_printf(&calls, "{\"method\":\"io.kingly.Manager.Echo\",\"parameters\":{\"i\":%u}}", i);
                buffer_append(&calls, "", 1);
                buffer_printf(&replies, "{\"parameters\":{\"i\":%u}}|", i);
        }
        put(fd, calls.data, calls.size);
        got = get(s, fd);
        assert_string_equal(got, replies.data);
        s->calls = 0;
        put_text(fd, "{\"method\":\"io.kingly.Manager.Hold\"}");
        put_text(fd, "{\"method\":\"io.kingly.Manager.Echo\",\"parameters\":{\"after\":1}}");
        settle(s);
        assert_int_equal(s->calls, 1);
        expect(s, other, "{\"method\":\"io.kingly.Manager.Echo\"}", "{\"parameters\":{}}|");
        assert_true(varlink_call_alive(s->held));
        assert_int_equal(varlink_reply(s->held, NULL), 0);
        assert_false(varlink_call_alive(s->held));
        assert_int_equal(varlink_reply(s->held, NULL), -ENOTCONN);
        rest = get(s, fd);
        assert_string_equal(rest, "{\"parameters\":{}}|{\"parameters\":{\"after\":1}}|");
        close(fd);
        close(other);
}

static void byte_by_byte(void **state) {
        static const char call[] = "{\"method\":\"io.kingly.Manager.Echo\",\"parameters\":{}}";
        Service *s = *state;
        int fd = service_connect(s);
        _cleanup_free_ char *got = NULL;

        for (size_t i = 0; i < sizeof(call); i++) {
                put(fd, call + i, 1);
                settle(s);
        }
        got = get(s, fd);
        assert_string_equal(got, "{\"parameters\":{}}|");
        close(fd);
}

/* One that said all it had to say and shut its writing side still gets its answers, then the end. */
static void half_closed(void **state) {
        Service *s = *state;
        int fd = service_connect(s);
        _cleanup_free_ char *got = NULL, *rest = NULL;

        put_text(fd, "{\"method\":\"io.kingly.Manager.Echo\"}");
        put_text(fd, "{\"method\":\"io.kingly.Manager.Hold\"}");
        shutdown(fd, SHUT_WR);
        got = get(s, fd);
        assert_string_equal(got, "{\"parameters\":{}}|");
        varlink_reply(s->held, NULL);
        rest = get(s, fd);
        assert_string_equal(rest, "{\"parameters\":{}}|#");
        assert_int_equal(varlink_server_connections(s->server), 0);
        close(fd);
}

/* A call sent without waiting for anything is carried out; a pending one learns that its client left. */
static void gone_clients(void **state) {
        Service *s = *state;
        int fd = service_connect(s);

        put_text(fd, "{\"method\":\"io.kingly.Manager.Echo\",\"oneway\":true}");
        put_text(fd, "{\"method\":\"io.kingly.Manager.Echo\",\"oneway\":true}");
        close(fd);
        settle(s);
        assert_int_equal(s->calls, 2);
        assert_int_equal(varlink_server_connections(s->server), 0);
        fd = service_connect(s);
        put_text(fd, "{\"method\":\"io.kingly.Manager.Hold\",\"more\":true}");
        settle(s);
        assert_int_equal(s->gone, 0);
        close(fd);
        settle(s);
        assert_int_equal(s->gone, 1);
        assert_false(varlink_call_alive(s->held));
        assert_int_equal(varlink_notify(s->held, NULL), -ENOTCONN);
        assert_int_equal(varlink_reply(s->held, NULL), -ENOTCONN);
        assert_int_equal(varlink_server_connections(s->server), 0);
}

/* One that shut its reading side but stays: the failing send ends its pending call. */
static void deaf_client(void **state) {
        Service *s = *state;
        int fd = service_connect(s);

        put_text(fd, "{\"method\":\"io.kingly.Manager.Hold\",\"more\":true}");
        settle(s);
        shutdown(fd, SHUT_RD);
        (void) varlink_notify(s->held, NULL);
        settle(s);
        assert_int_equal(s->gone, 1);
        assert_int_equal(varlink_server_connections(s->server), 0);
        close(fd);
}

/* A reader that never reads makes the stream pause, not the memory grow; when it reads, all comes, in order. */
static void slow_reader(void **state) {
        Service *s = *state;
        int fd = service_connect(s);
        unsigned paused, n = 0;
        FrameReader f = { .max = 100000 };
        const char *m;
        size_t k;

        put_text(fd, "{\"method\":\"io.kingly.Manager.Stream\",\"more\":true}");
        settle(s);
        paused = s->left;
        assert_true(paused > 700);
        settle(s);
        assert_int_equal(s->left, paused);
        for (bool last = false; !last;) {
                ssize_t r = frame_reader_fill(&f, fd);

                assert_true(r > 0 || r == -EAGAIN);
                settle(s);
                while (frame_reader_peek(&f, &m, &k) > 0) {
                        _cleanup_json_ json_object *o = NULL;

                        assert_int_equal(varlink_parse(m, k, &o), 0);
                        assert_int_equal(json_object_get_int(json_object_object_get(json_object_object_get(o, "parameters"), "n")),
                                         1000 - n);
                        n++;
                        last = !json_object_object_get(o, "continues");
                        frame_reader_drop(&f, k);
                }
        }
        assert_int_equal(n, 1001);
        assert_true(s->drained > 2);
        frame_reader_done(&f);
        close(fd);
}

static void take_all(int fd) {
        char chunk[65536];

        while (recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
                ;
}

/* A client that reads while the server sends to it: once the socket was full as often as `refusals` says, it never is again. */
static struct {
        int fd;
        unsigned refusals;
} reader = { .fd = -EBADF };

ssize_t send(int fd, const void *p, size_t n, int flags) {
        ssize_t k;

        while ((k = sendto(fd, p, n, flags, NULL, 0)) < 0 && errno == EAGAIN && reader.fd >= 0 && reader.refusals == 0)
                take_all(reader.fd);
        if (k < 0 && errno == EAGAIN && reader.fd >= 0)
                reader.refusals--;
        return k;
}

/* What waited goes out all at once, behind the look whether the stream may go on: nothing is left that would have anybody look again. */
static void reader_that_catches_up(void **state) {
        Service *s = *state;
        int fd = service_connect(s);
        unsigned paused;

        put_text(fd, "{\"method\":\"io.kingly.Manager.Stream\",\"more\":true}");
        settle(s);
        paused = s->left;
        take_all(fd);
        reader.refusals = 1;
        reader.fd = fd;
        settle(s);
        reader.fd = -EBADF;
        assert_true(s->left < paused);
        close(fd);
}

static void flood_is_cut_off(void **state) {
        Service *s = *state;
        int fd = service_connect(s), other = service_connect(s);

        put_text(fd, "{\"method\":\"io.kingly.Manager.Flood\",\"more\":true}");
        settle(s);
        assert_int_equal(s->left, 1);
        assert_int_equal(varlink_server_connections(s->server), 1);
        expect(s, other, "{\"method\":\"io.kingly.Manager.Echo\"}", "{\"parameters\":{}}|");
        close(fd);
        close(other);
}

/* Replies that nobody reads stop the reading of calls. */
static void unread_replies_hold_up_calls(void **state) {
        static const char call[] = "{\"method\":\"io.kingly.Manager.Count\",\"more\":true,\"parameters\":{\"n\":1000}}";
        Service *s = *state;
        int fd = service_connect(s);
        size_t sent = 0;

        while (send(fd, call, sizeof(call), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
                settle(s);
                assert_true(++sent < 100000);
        }
        assert_int_equal(errno, EAGAIN);
        assert_int_equal(varlink_server_connections(s->server), 1);
        close(fd);
        settle(s);
        assert_int_equal(varlink_server_connections(s->server), 0);
}

/* Sends `n` bytes of one message, as long as the other side takes them; true when it was closed instead. */
static bool closed_by_size(Service *s, int fd, size_t n) {
        _cleanup_free_ char *chunk = malloc(65536);

        memset(chunk, 'x', 65536);
        while (n > 0) {
                ssize_t k = send(fd, chunk, MIN(n, (size_t) 65536), MSG_NOSIGNAL | MSG_DONTWAIT);

                if (k < 0 && errno != EAGAIN)
                        return true;
                n -= k > 0 ? (size_t) k : 0;
                settle(s);
        }
        settle(s);
        return varlink_server_connections(s->server) == 0;
}

static void huge_messages(void **state) {
        Service *s = *state;
        static const char start[] = "{\"method\":\"io.kingly.Manager.Fail\",\"parameters\":{\"p\":\"";
        int fd = service_connect(s);
        _cleanup_free_ char *got = NULL;

        put(fd, start, sizeof(start) - 1);
        assert_false(closed_by_size(s, fd, VARLINK_MESSAGE_MAX - 100));
        put_text(fd, "\"}}");
        got = get(s, fd);
        assert_non_null(strstr(got, "Failed"));
        close(fd);
        settle(s);
        fd = service_connect(s);
        assert_true(closed_by_size(s, fd, VARLINK_MESSAGE_MAX + 100000));
        close(fd);
        s->permission = 1;
        fd = service_connect(s);
        assert_true(closed_by_size(s, fd, VARLINK_LOOKER_MESSAGE_MAX + 100000));
        close(fd);
}

static void permissions(void **state) {
        Service *s = *state;
        int all, look, none;

        all = service_connect(s);
        s->permission = 1;
        look = service_connect(s);
        s->permission = 0;
        none = service_connect(s);
        expect(s, all, "{\"method\":\"io.kingly.Manager.Write\"}", "{\"parameters\":{}}|");
        expect(s, look, "{\"method\":\"io.kingly.Manager.Echo\"}", "{\"parameters\":{}}|");
        for (int i = 0; i < 2; i++) {
                _cleanup_free_ char *got = NULL;
                int fd = i ? none : look;

                put_text(fd, i ? "{\"method\":\"org.varlink.service.GetInfo\"}" : "{\"method\":\"io.kingly.Manager.Write\"}");
                got = get(s, fd);
                assert_non_null(strstr(got, "\"error\":\"io.kingly.Manager.PermissionDenied\""));
        }
        close(all);
        close(look);
        close(none);
}

static void raise_files(void) {
        struct rlimit l;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
        l.rlim_cur = l.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static int connect_to(Service *s, const struct sockaddr_un *a) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (const struct sockaddr *) a, sizeof(*a)), 0);
        settle(s);
        return fd;
}

static void expect_refusal(Service *s, int fd) {
        _cleanup_free_ char *got = get(s, fd);

        assert_string_equal(got, "{\"error\":\"io.kingly.Manager.Busy\",\"parameters\":{\"message\":\"kingd has too many connections\","
                                 "\"hint\":\"try again later\"}}|#");
        close(fd);
}

/* A thousand at once through a listening socket. The next is told why it does not get in, until one can be told to be quiet, which is not one
 * that waits for an answer. */
static void thousand_connections(void **state) {
        Service *s = *state;
        char dir[] = "/tmp/kingly-varlink-XXXXXX", byte;
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fds[VARLINK_CONNECTIONS_MAX], listener, next;

        raise_files();
        assert_non_null(mkdtemp(dir));
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(listener, 64), 0);
        assert_int_equal(varlink_server_listen(s->server, listener), 0);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = connect_to(s, &a);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                put_text(fds[i], "{\"method\":\"io.kingly.Manager.Who\"}");
        settle(s);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                _cleanup_free_ char *got = get(s, fds[i]),
                                    *wanted = text_printf("{\"parameters\":{\"uid\":%u,\"pid\":%d}}|", getuid(), getpid());

                assert_string_equal(got, wanted);
        }
        for (size_t i = ARRAY_SIZE(fds); i-- > 0; settle(s)) /* the first one's comes last: it is the one that is answered */
                put_text(fds[i], "{\"method\":\"io.kingly.Manager.Hold\"}");
        expect_refusal(s, connect_to(s, &a));
        varlink_reply(s->held, NULL);
        free(get(s, fds[0]));
        usleep(1100 * 1000);
        next = connect_to(s, &a);
        assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), 0);
        expect(s, next, "{\"method\":\"io.kingly.Manager.Echo\"}", "{\"parameters\":{}}|");
        put_text(next, "{\"method\":\"io.kingly.Manager.Hold\"}"); /* none is quiet now, however long the rest takes */
        settle(s);
        expect_refusal(s, connect_to(s, &a));
        assert_int_equal(varlink_server_connections(s->server), VARLINK_CONNECTIONS_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        close(next);
        settle(s);
        assert_int_equal(varlink_server_connections(s->server), 0);
        unlink(a.sun_path);
        rmdir(dir);
}

static void free_tells_pending_calls(void **state) {
        Service s;
        int fd;
        char c;

        service_open(&s);
        fd = service_connect(&s);
        put_text(fd, "{\"method\":\"io.kingly.Manager.Hold\"}");
        settle(&s);
        s.server = varlink_server_free(s.server);
        assert_int_equal(s.gone, 1);
        assert_int_equal(varlink_reply(s.held, NULL), -ENOTCONN);
        assert_int_equal(recv(fd, &c, 1, 0), 0);
        close(fd);
        service_close(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(answers),
                TEST(introspects),
                TEST(names_what_is_wrong),
                TEST(closes_on_garbage),
                TEST(closes_on_depth),
                TEST(pipelines),
                TEST(byte_by_byte),
                TEST(half_closed),
                TEST(gone_clients),
                TEST(deaf_client),
                TEST(slow_reader),
                TEST(reader_that_catches_up),
                TEST(flood_is_cut_off),
                TEST(unread_replies_hold_up_calls),
                TEST(huge_messages),
                TEST(permissions),
                TEST(thousand_connections),
                cmocka_unit_test(free_tells_pending_calls),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
