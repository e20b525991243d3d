/* The blocking client against the server in a process of its own, and against peers that misbehave. */
#include "service.inc.h"

#include <sys/stat.h>
#include <sys/time.h>

#include "base/text.h"
#include "varlink/client.h"

#define TIMEOUT    (20 * USEC_PER_SEC)
#define CALL(name) "io.kingly.Manager." name

typedef struct Place {
        char dir[64], path[100];
        pid_t pid;
} Place;

static int listen_at(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

static int on_term(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void serve(int fd) {
        Service s;
        sigset_t set;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        service_open(&s);
        assert_int_equal(varlink_server_listen(s.server, fd), 0);
        assert_true(sd_event_add_signal(s.event, NULL, SIGTERM, on_term, NULL) >= 0);
        r = sd_event_loop(s.event);
        service_close(&s);
        _exit(r < 0);
}

/* A peer that takes one connection, waits for a whole message and sends these bytes. */
static void serve_bytes(int fd, const char *bytes, size_t n) {
        int client = accept(fd, NULL, NULL);
        char c = 1;

        while (c && read(client, &c, 1) == 1)
                continue;
        (void) !write(client, bytes, n);
        if (n == 0)
                pause();
        _exit(0);
}

static int setup_place(Place *p) {
        strcpy(p->dir, "/tmp/kingly-client-XXXXXX");
        assert_non_null(mkdtemp(p->dir));
        snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
        return listen_at(p->path);
}

static int setup(void **state) {
        static Place p;
        int fd = setup_place(&p);

        p.pid = fork();
        if (p.pid == 0)
                serve(fd);
        close(fd);
        *state = &p;
        return 0;
}

static int teardown(void **state) {
        Place *p = *state;
        int status;

        kill(p->pid, SIGTERM);
        assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
        unlink(p->path);
        rmdir(p->dir);
        return 0;
}

static VarlinkClient *connected(const Place *p) {
        VarlinkClient *c = NULL;

        assert_int_equal(varlink_client_connect(p->path, TIMEOUT, &c), 0);
        return c;
}

static void calls(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ KlError e = {};
        json_object *p = json_object_new_object();
        const char *s = NULL;

        json_add_string(p, "x", "y");
        assert_int_equal(varlink_client_call(c, CALL("Echo"), p, TIMEOUT, &o, &e), 0);
        assert_int_equal(json_get_string(o, "x", &s, NULL), 0);
        assert_string_equal(s, "y");
        assert_null(e.id);
}

static void remote_errors(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_error_ KlError e = {};
        json_object *o = NULL;

        assert_int_equal(varlink_client_call(c, CALL("Refuse"), NULL, TIMEOUT, &o, &e), -EREMOTEIO);
        assert_string_equal(e.id, KL_E_NOT_FOUND);
        assert_string_equal(e.message, "web: no such service");
        assert_string_equal(e.hint, "did you mean wub?");
        assert_int_equal(varlink_client_call(c, CALL("Nothing"), NULL, TIMEOUT, &o, &e), -EREMOTEIO);
        assert_string_equal(e.id, KL_E_FAILED);
        assert_non_null(e.hint);
        assert_int_equal(varlink_client_call(c, "org.varlink.service.GetInterfaceDescription", NULL, TIMEOUT, &o, &e), -EREMOTEIO);
        assert_string_equal(e.id, KL_E_INVALID);
        assert_null(o);
}

static void streams(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_error_ KlError e = {};
        json_object *p = json_object_new_object();
        int n = 0, r;

        json_add(p, "n", json_object_new_int(500));
        assert_int_equal(varlink_client_more(c, CALL("Count"), p, &e), 0);
        do {
                _cleanup_json_ json_object *o = NULL;
                uint64_t got = 0;

                r = varlink_client_next(c, TIMEOUT, &o, &e);
                assert_true(r >= 0);
                assert_int_equal(json_get_u64(o, "n", &got, NULL), 0);
                assert_int_equal(got, n++);
        } while (r == 1);
        assert_int_equal(n, 501);
}

static void large_messages(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ KlError e = {};
        _cleanup_free_ char *text = malloc(10000001);
        json_object *p = json_object_new_object();
        const char *s = NULL;

        memset(text, 'q', 10000000);
        text[10000000] = 0;
        json_add_string(p, "t", text);
        assert_int_equal(varlink_client_call(c, CALL("Echo"), p, TIMEOUT, &o, &e), 0);
        assert_int_equal(json_get_string(o, "t", &s, NULL), 0);
        assert_string_equal(s, text);
}

static void deadlines(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_error_ KlError e = {};
        json_object *o = NULL;

        assert_int_equal(varlink_client_call(c, CALL("Hold"), NULL, 20 * USEC_PER_MSEC, &o, &e), -ETIMEDOUT);
        assert_string_equal(e.id, KL_E_TIMEOUT);
        /* A late answer must not be taken for that of the next call. */
        assert_int_equal(varlink_client_call(c, CALL("Echo"), NULL, TIMEOUT, &o, &e), -ENOTCONN);
        assert_null(o);
}

static void on_alarm(int sig) {}

static void signals_interrupt_streams(void **state) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = connected(*state);
        _cleanup_error_ KlError e = {};
        struct itimerval t = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 }, off = {};
        json_object *o = NULL;

        assert_int_equal(varlink_client_more(c, CALL("Hold"), NULL, &e), 0);
        assert_int_equal(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL), 0);
        setitimer(ITIMER_REAL, &t, NULL);
        assert_int_equal(varlink_client_next(c, TIMEOUT, &o, &e), -EINTR);
        setitimer(ITIMER_REAL, &off, NULL);
        assert_int_equal(varlink_client_next(c, 1000, &o, &e), -ETIMEDOUT);
}

static void nobody_listens(void **state) {
        VarlinkClient *c = NULL;
        Place p;
        int fd;

        assert_int_equal(varlink_client_connect("/nonexistent/s", TIMEOUT, &c), -ENOENT);
        fd = setup_place(&p);
        close(fd);
        assert_int_equal(varlink_client_connect(p.path, TIMEOUT, &c), -ECONNREFUSED);
        unlink(p.path);
        rmdir(p.dir);
}

static void full_queue_meets_deadline(void **state) {
        VarlinkClient *c[32] = {};
        Place p;
        int fd = setup_place(&p), r = 0;
        size_t n = 0;

        while (r == 0 && n < ARRAY_SIZE(c))
                r = varlink_client_connect(p.path, 20 * USEC_PER_MSEC, &c[n++]);
        assert_int_equal(r, -ETIMEDOUT);
        for (size_t i = 0; i < ARRAY_SIZE(c); i++)
                varlink_client_free(c[i]);
        close(fd);
        unlink(p.path);
        rmdir(p.dir);
}

/* A path longer than an address holds. */
static void long_paths(void **state) {
        const Place *p = *state;
        VarlinkClient *c = NULL;
        char dir[400], path[600];

        snprintf(dir, sizeof(dir), "%s/%0200d", p->dir, 0);
        snprintf(path, sizeof(path), "%s/s", dir);
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_int_equal(symlink(p->path, path), 0);
        assert_int_equal(varlink_client_connect(path, TIMEOUT, &c), 0);
        varlink_client_free(c);
        unlink(path);
        rmdir(dir);
}

static void bad_peers(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
                int error;
        } peers[] = {
                { "garbage", 8, -EBADMSG },
                { "[]", 3, -EBADMSG },
                { "{\"parameters\":[]}", 18, -EBADMSG },
                { "{\"error\":1}", 12, -EBADMSG },
                { "{\"parameters\":{},\"continues\":true}", 36, -EBADMSG },
                { "{\"parameters\"", 13, -ECONNRESET },
                { "\xff", 2, -EBADMSG },
                { "", 0, -ETIMEDOUT },
        };

        for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
                _cleanup_(varlink_client_freep) VarlinkClient *c = NULL;
                _cleanup_error_ KlError e = {};
                json_object *o = NULL;
                Place p;
                int fd = setup_place(&p);

                p.pid = fork();
                if (p.pid == 0)
                        serve_bytes(fd, peers[i].bytes, peers[i].n);
                close(fd);
                c = connected(&p);
                assert_int_equal(varlink_client_call(c, CALL("X"), NULL, peers[i].n ? TIMEOUT : 50 * USEC_PER_MSEC, &o, &e),
                                 peers[i].error);
                assert_non_null(e.message);
                assert_null(o);
                kill(p.pid, SIGKILL);
                waitpid(p.pid, NULL, 0);
                unlink(p.path);
                rmdir(p.dir);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(calls),
                TEST(remote_errors),
                TEST(streams),
                TEST(large_messages),
                TEST(deadlines),
                TEST(signals_interrupt_streams),
                TEST(long_paths),
                cmocka_unit_test(nobody_listens),
                cmocka_unit_test(full_queue_meets_deadline),
                cmocka_unit_test(bad_peers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
