/* What outlives a keeper, with the test in the part of systemd: it takes what the keeper stores, kills it, and gives it all to the next one. */
#include "rig.inc.h"

#include <sys/mman.h>

#include "keeper/heirlooms.h"
#include "keeper/table.h"

#define STORED_MAX 64

static int notify = -EBADF;
static Held stored[STORED_MAX];
static size_t n_stored;

static struct sockaddr_un address(const Rig *rig) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", rig->dir);
        return a;
}

static int vault_setup(void **state) {
        struct sockaddr_un a;

        if (rig_setup_bare(state) < 0)
                return -1;
        a = address(*state);
        notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return bind(notify, (struct sockaddr *) &a, sizeof(a));
}

static int vault_teardown(void **state) {
        (void) unlink(address(*state).sun_path);
        notify = fd_close(notify);
        while (n_stored > 0)
                fd_close(stored[--n_stored].fd);
        return rig_teardown(state);
}

static Held *find(const char *prefix) {
        for (size_t i = 0; i < n_stored; i++)
                if (startswith(stored[i].name, prefix))
                        return stored + i;
        return NULL;
}

/* Handles one datagram; as systemd, several descriptors may have one name. */
static void systemd_turn(void) {
        char text[512];
        const char *name;
        size_t n_fds = 1;
        int fd = -EBADF;
        ssize_t n;

        await(notify);
        n = fd_recv(notify, text, sizeof(text) - 1, &fd, &n_fds);
        assert_true(n > 0);
        text[n] = '\0';
        name = strstr(text, "FDNAME=");
        assert_non_null(name);
        name += strlen("FDNAME=");
        if (startswith(text, "FDSTORE=1\n")) {
                assert_non_null(strstr(text, "FDPOLL=0\n"));
                assert_int_equal(n_fds, 1);
                assert_true(n_stored < STORED_MAX && strlen(name) < sizeof(stored[0].name));
                stored[n_stored] = (Held) { .fd = fd };
                strcpy(stored[n_stored++].name, name);
                return;
        }
        assert_non_null(startswith(text, "FDSTOREREMOVE=1\n"));
        for (size_t i = n_stored; i > 0; i--)
                if (streq(stored[i - 1].name, name)) {
                        fd_close(stored[i - 1].fd);
                        stored[i - 1] = stored[--n_stored];
                }
}

static void until_stored(const char *name) {
        while (!find(name))
                systemd_turn();
}

static void until_removed(const char *name) {
        while (find(name))
                systemd_turn();
}

static char notify_path[128];

static void under_systemd(void) {
        setenv("NOTIFY_SOCKET", notify_path, true);
}

static void with_the_store(void) {
        under_systemd();
        assert_int_equal(heirlooms_pack(stored, n_stored), 0);
}

static void start(Rig *rig, void (*before)(void)) {
        RigOptions o = { .before = before };

        snprintf(notify_path, sizeof(notify_path), "%s", address(rig).sun_path);
        rig_start(rig, &o);
        rig_meet(rig, 1);
}

static void kill_keeper(Rig *rig) {
        assert_int_equal(kill(rig->keeper, SIGKILL), 0);
        assert_int_equal(WTERMSIG(rig_status(rig)), SIGKILL);
        proxy_done(&rig->manager);
        proxy_done(&rig->logger);
}

static void hold(Rig *rig, const char *name, int fd) {
        WireHold p = { .h = { WIRE_HOLD, sizeof(p) } };

        snprintf(p.name, sizeof(p.name), "%s", name);
        rig_send(rig, &p, sizeof(p), &fd, 1);
}

/* The run's pipes come to the next logger; what was written meanwhile is in them. */
static void expect_output(Rig *rig, const char *expected) {
        int fds[2];
        size_t n = 2;
        char text[64] = "";
        LogPacket log;

        proxy_accept(rig->listeners[1], &rig->logger);
        await(rig->logger.wire);
        assert_true(fd_recv(rig->logger.wire, &log, sizeof(log), fds, &n) > 0);
        assert_int_equal(log.open.run, 1);
        assert_string_equal(log.open.path, "/nowhere.log");
        await(fds[0]);
        assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
        assert_string_equal(text, expected);
        fd_close(fds[0]);
        fd_close(fds[1]);
}

static void test_everything_outlives_the_keeper(void **state) {
        Rig *rig = *state;
        int in[2], api[2];
        pid_t pid, gated;
        const WireChild *c;
        LogAnswer closed = { .run = 1, .kind = LOG_ENDED };

        start(rig, under_systemd);
        make_pipe(in);
        make_pipe(api);
        (void) spawn_begin(rig, 1, SPAWN_LOG_PIPES | SPAWN_FD_STDIN);
        spawn_send(rig, ARGV("/bin/cat"), in, 1);
        pid = expect_running(rig, 1);
        proxy_accept(rig->listeners[1], &rig->logger);
        spawn(rig, 2, SPAWN_GATED, ARGV("/bin/true"));
        gated = expect_spawned(rig, 2);
        spawn(rig, 3, 0, SHELL("exit 5"));
        (void) expect_running(rig, 3);
        rig_expect_run(rig, WIRE_EXITED, 3); /* never acknowledged */
        hold(rig, "api", api[1]);
        until_stored("log-0000000000000001-1");
        until_stored("api");
        assert_non_null(find("log-0000000000000001-0"));
        assert_non_null(find(HEIRLOOM_TABLE));
        assert_non_null(find(HEIRLOOM_NOTES));

        kill_keeper(rig);
        assert_int_equal(waitpid(gated, NULL, 0), gated); /* we are the reaper of orphans */
        assert_int_equal(fd_write_all(in[1], "meanwhile\n", 10), 0);
        start(rig, with_the_store);
        rig_send_header(rig, WIRE_LIST);
        c = rig_expect_run(rig, WIRE_CHILD, 1);
        assert_int_equal(c->state, CHILD_ORPHAN);
        assert_int_equal(c->pid, pid);
        assert_true(c->start_time > 0);
        c = rig_expect_run(rig, WIRE_CHILD, 3);
        assert_int_equal(c->state, CHILD_EXITED);
        assert_int_equal(WEXITSTATUS(expect_exited(rig, 3)), 5);
        assert_string_equal(((const WireHold *) rig_expect(rig, WIRE_HELD))->name, "api");
        rig_expect(rig, WIRE_LIST_END);
        expect_output(rig, "meanwhile\n");

        /* Not ours to signal; when the manager has taken it up, only its log is left, and then nothing. */
        rig_send_signal(rig, 1, SIGKILL, WIRE_TO_MAIN);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_send_header(rig, WIRE_LIST);
        rig_expect(rig, WIRE_HELD);
        rig_expect(rig, WIRE_LIST_END);
        assert_int_equal(kill(pid, 0), 0);
        assert_int_equal(fd_send(rig->logger.wire, &closed, sizeof(closed), NULL, 0), 0);
        until_removed("log-0000000000000001-0");
        until_removed("log-0000000000000001-1");
        fd_close(in[0]);
        fd_close(in[1]);
        fd_close(api[0]);
        fd_close(api[1]);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Twice: what the second keeper did not know by itself it hands on to the third. */
static void test_two_deaths(void **state) {
        Rig *rig = *state;
        int in[2];

        start(rig, under_systemd);
        make_pipe(in);
        (void) spawn_begin(rig, 1, SPAWN_LOG_PIPES | SPAWN_FD_STDIN);
        spawn_send(rig, ARGV("/bin/cat"), in, 1);
        (void) expect_running(rig, 1);
        proxy_accept(rig->listeners[1], &rig->logger);
        until_stored("log-0000000000000001-1");
        for (int i = 0; i < 2; i++) {
                char old[64];

                snprintf(old, sizeof(old), "%s", find(HEIRLOOM_TABLE)->name);
                kill_keeper(rig);
                assert_int_equal(fd_write_all(in[1], "again\n", 6), 0);
                start(rig, with_the_store);
                expect_output(rig, "again\n");
                rig_send_header(rig, WIRE_LIST);
                assert_int_equal(((const WireChild *) rig_expect_run(rig, WIRE_CHILD, 1))->state, CHILD_ORPHAN);
                rig_expect(rig, WIRE_LIST_END);
                until_removed(old);
                until_stored(HEIRLOOM_TABLE);
        }
        fd_close(in[0]);
        fd_close(in[1]);
}

static void test_foreign_table(void **state) {
        Rig *rig = *state;
        TableHeader h = { .magic = TABLE_MAGIC, .version = TABLE_VERSION + 1, .capacity = 1, .top = 1 };
        Table t;
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_int_equal(fd_write_all(fd, &h, sizeof(h)), 0);
        assert_int_equal(table_view(fd, &t), -EPROTO);
        h.version = TABLE_VERSION;
        assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
        assert_int_equal(table_view(fd, &t), -EBADMSG); /* shorter than it says */
        h.capacity = UINT32_MAX;
        assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
        assert_int_equal(table_view(fd, &t), -EBADMSG);
        h.magic++;
        assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
        assert_int_equal(table_view(fd, &t), -EBADMSG);

        /* A keeper that gets it begins with nothing. */
        stored[n_stored] = (Held) { .fd = fd };
        strcpy(stored[n_stored++].name, HEIRLOOM_TABLE "1");
        start(rig, with_the_store);
        rig_expect_empty(rig);
}

#define VAULT_TEST(f) cmocka_unit_test_setup_teardown(f, vault_setup, vault_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                VAULT_TEST(test_everything_outlives_the_keeper),
                VAULT_TEST(test_two_deaths),
                VAULT_TEST(test_foreign_table),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
