/* The store: rows come back, transactions hold, and damage, newer files, full disks and other processes are told apart. Each test has a
 * private directory as its working directory, which its teardown empties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/text.h"
#include "store/store.h"

#include "../short_memory.inc.h"
#include "../seed.inc.h"

static char directory[64];

static int enter_directory(void **state) {
        strcpy(directory, "/tmp/kingly-test-store.XXXXXX");
        return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_directory(void **state) {
        return chdir("/") == 0 ? nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static Store *open_store(void) {
        _cleanup_error_ KlError e = {};
        Store *s = NULL;

        if (store_open("state.db", &s, &e) < 0)
                fail_msg("%s", e.message);
        return s;
}

static const StoredService web = { .ns = "shop",
                                   .name = "web",
                                   .spec_json = "{\"command\":[\"x\"]}",
                                   .origin = "/etc/kingly/kingly.yaml",
                                   .wanted = true,
                                   .generation = UINT64_MAX,
                                   .position = 2 };

static StoredRun run_of(const char *name, unsigned instance) {
        return (StoredRun){
                .ns = "shop",
                .name = name,
                .instance = instance,
                .number = 6,
                .run = 7,
                .generation = 9,
                .invocation_id = "0123456789abcdef0123456789abcdef",
                .pid = 4242,
                .start_time = 1ULL << 63,
                .boot_id = "b",
                .isolation = "scope",
                .where = "kingly-web-0-7.scope",
                .since_realtime = 1767323045000006,
                .lc = { .state = LC_WAIT_BACKOFF,
                        .wanted = true,
                        .was_ready = true,
                        .stop_sent = true,
                        .restarts = 3000000000U,
                        .attempts = 4000000000U,
                        .oversized = 4100000000U,
                        .reason = REASON_SIGNALED,
                        .exit = { .code = -1, .signal = 9, .core = true },
                        .exit_known = true,
                        .since = 1,
                        .run_since = 2,
                        .ready_since = 3,
                        .deadline = USEC_INFINITY },
                .stop_due = true,
                .watchdog = 5,
                .status = "said",
                .hint = "to do",
                .said = "MAINPID=7\nNOTIFYACCESS=all\n",
        };
}

static int count_service(void *userdata, const StoredService *v) {
        (*(unsigned *) userdata)++;
        return 0;
}

static int count_run(void *userdata, const StoredRun *v) {
        (*(unsigned *) userdata)++;
        return 0;
}

static unsigned services_in(Store *s) {
        unsigned n = 0;

        assert_int_equal(store_each_service(s, count_service, &n), 0);
        return n;
}

static unsigned runs_in(Store *s) {
        unsigned n = 0;

        assert_int_equal(store_each_run(s, count_run, &n), 0);
        return n;
}

static int check_web(void *userdata, const StoredService *v) {
        assert_string_equal(v->ns, web.ns);
        assert_string_equal(v->name, web.name);
        assert_string_equal(v->spec_json, web.spec_json);
        assert_string_equal(v->origin, web.origin);
        assert_true(v->wanted == *(bool *) userdata && v->generation == web.generation && v->position == web.position);
        return 0;
}

static void check_life(const Lifecycle *l, const Lifecycle *wanted) {
        assert_true(l->state == wanted->state && l->wanted == wanted->wanted && l->restart_pending == wanted->restart_pending &&
                    l->main_alive == wanted->main_alive && l->rest_alive == wanted->rest_alive && l->was_ready == wanted->was_ready &&
                    l->failing == wanted->failing && l->stop_sent == wanted->stop_sent && l->exit_known == wanted->exit_known);
        assert_true(l->reason == wanted->reason && l->exit.code == wanted->exit.code && l->exit.signal == wanted->exit.signal &&
                    l->exit.core == wanted->exit.core && l->restarts == wanted->restarts && l->attempts == wanted->attempts && l->oversized == wanted->oversized);
        assert_true(l->since == wanted->since && l->run_since == wanted->run_since && l->ready_since == wanted->ready_since &&
                    l->deadline == wanted->deadline);
}

static int check_run(void *userdata, const StoredRun *v) {
        StoredRun wanted = run_of("web", 3);

        assert_string_equal(v->ns, wanted.ns);
        assert_string_equal(v->name, wanted.name);
        assert_string_equal(v->invocation_id, wanted.invocation_id);
        assert_string_equal(v->said, wanted.said);
        assert_string_equal(v->boot_id, wanted.boot_id);
        assert_string_equal(v->isolation, wanted.isolation);
        assert_string_equal(v->where, wanted.where);
        assert_string_equal(v->status, wanted.status);
        assert_string_equal(v->hint, wanted.hint);
        check_life(&v->lc, &wanted.lc);
        assert_true(v->stop_due && v->watchdog == 5);
        assert_true(v->instance == 3 && v->number == 6 && v->run == 7 && v->generation == 9 && v->pid == 4242 && v->start_time == wanted.start_time &&
                    v->since_realtime == wanted.since_realtime);
        return 0;
}

static void rows_survive_reopening(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        StoredRun run = run_of("web", 3);
        _cleanup_free_ char *value = NULL;
        bool wanted = false;
        struct stat st;

        assert_int_equal(stat("state.db", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(store_set_wanted(s, "shop", "web", false), 0);
        assert_int_equal(store_set_wanted(s, "shop", "none", false), -ENOENT);
        assert_int_equal(store_put_run(s, &run), 0);
        assert_int_equal(store_set_meta(s, "last_boot", "one"), 0);
        assert_int_equal(store_set_meta(s, "last_boot", "two"), 0);
        assert_int_equal(stat("state.db-wal", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        s = store_close(s);
        assert_int_equal(stat("state.db-wal", &st), -1); /* closed cleanly: one file */

        s = open_store();
        assert_int_equal(store_each_service(s, check_web, &wanted), 0);
        assert_int_equal(services_in(s), 1);
        assert_int_equal(store_each_run(s, check_run, NULL), 0);
        assert_int_equal(runs_in(s), 1);
        assert_int_equal(store_get_meta(s, "last_boot", &value), 0);
        assert_string_equal(value, "two");
        assert_int_equal(store_get_meta(s, "absent", &value), -ENOENT);
}

static int collect_names(void *userdata, const StoredService *v) {
        strcat(userdata, v->name);
        return streq(v->name, "stop") ? 42 : 0;
}

static void order_replacement_deletion(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        StoredRun run = run_of("web", 0);
        StoredService v = web;
        char names[64] = "";

        v.name = "c", v.position = 3;
        assert_int_equal(store_put_service(s, &v), 0);
        v.name = "a", v.position = 1;
        assert_int_equal(store_put_service(s, &v), 0);
        v.name = "b", v.position = 9, v.origin = NULL;
        assert_int_equal(store_put_service(s, &v), 0);
        v.position = 2;
        assert_int_equal(store_put_service(s, &v), 0);
        assert_int_equal(store_each_service(s, collect_names, names), 0);
        assert_string_equal(names, "abc");
        v.name = "stop", v.position = 2;
        assert_int_equal(store_put_service(s, &v), 0);
        names[0] = '\0';
        assert_int_equal(store_each_service(s, collect_names, names), 42);
        assert_string_equal(names, "abstop");

        assert_int_equal(store_put_run(s, &run), 0);
        assert_int_equal(store_put_run(s, &run), 0);
        run.instance = 1;
        assert_int_equal(store_put_run(s, &run), 0);
        run.name = "b";
        assert_int_equal(store_put_run(s, &run), 0);
        assert_int_equal(runs_in(s), 3);
        assert_int_equal(store_delete_orphans(s), 0);
        assert_int_equal(runs_in(s), 1);
        run.name = "web";
        assert_int_equal(store_put_run(s, &run), 0);
        run.instance = 0;
        assert_int_equal(store_put_run(s, &run), 0);
        assert_int_equal(runs_in(s), 3);
        assert_int_equal(store_delete_run(s, "shop", "web", 1), 0);
        assert_int_equal(store_delete_run(s, "shop", "web", 1), 0);
        assert_int_equal(runs_in(s), 2);
        assert_int_equal(store_delete_service(s, "shop", "b"), 0);
        assert_int_equal(services_in(s), 3);
        assert_int_equal(runs_in(s), 1);
        assert_int_equal(store_delete_service(s, "shop", "b"), 0);
}

static int check_schedule(void *userdata, const StoredSchedule *v) {
        assert_string_equal(v->ns, "shop");
        assert_string_equal(v->name, "web");
        assert_true(v->handled == 1767323045000006 && v->last == 1767323045000005 && v->pending == 7);
        (*(unsigned *) userdata)++;
        return 0;
}

static void schedules_go_with_their_service(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        StoredSchedule v = { "shop", "web", 1, 0, 0 };
        unsigned n = 0;

        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(store_put_schedule(s, &v), 0);
        v = (StoredSchedule) { "shop", "web", 1767323045000006, 1767323045000005, 7 };
        assert_int_equal(store_put_schedule(s, &v), 0);
        s = store_close(s);
        s = open_store();
        assert_int_equal(store_each_schedule(s, check_schedule, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(store_delete_service(s, "shop", "web"), 0);
        assert_int_equal(store_each_schedule(s, check_schedule, &n), 0);
        assert_int_equal(n, 1);
}

static void transactions_hold_together(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        _cleanup_error_ KlError e = {};

        assert_int_equal(store_begin(s, true), 0);
        assert_int_equal(store_begin(s, true), -EALREADY);
        assert_int_equal(store_put_service(s, &web), 0);
        store_rollback(s);
        store_rollback(s);
        assert_int_equal(services_in(s), 0);
        assert_int_equal(store_begin(s, true), 0);
        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(store_set_wanted(s, "shop", "none", true), -ENOENT); /* an answer, not a failure */
        assert_int_equal(store_delete_service(s, "shop", "none"), 0);
        assert_int_equal(store_commit(s, &e), 0);
        assert_int_equal(services_in(s), 1);
        assert_int_equal(store_commit(s, &e), -EINVAL);
        assert_int_equal(store_begin(s, false), 0);
        assert_int_equal(store_delete_service(s, "shop", "web"), 0);
        s = store_close(s); /* an open transaction is not kept */
        s = open_store();
        assert_int_equal(services_in(s), 1);
        assert_null(store_close(NULL));
}

typedef struct Seen {
        unsigned n, most;
        int64_t first, last;
} Seen;

static int see_event(void *userdata, const StoredEvent *v) {
        Seen *seen = userdata;

        assert_true(v->id > seen->last);
        assert_string_equal(v->kind, "exited");
        assert_int_equal(v->instance, -1);
        assert_int_equal(v->realtime, 1000 + (usec_t) v->id);
        seen->first = seen->n++ ? seen->first : v->id;
        seen->last = v->id;
        return 0;
}

static int see_event_back(void *userdata, const StoredEvent *v) {
        Seen *seen = userdata;

        assert_true(!seen->n || v->id < seen->first);
        seen->last = seen->n++ ? seen->last : v->id;
        seen->first = v->id;
        return seen->n == seen->most ? 7 : 0;
}

static Seen events_after(Store *s, int64_t after) {
        Seen seen = {};

        assert_int_equal(store_each_event(s, after, see_event, &seen), 0);
        return seen;
}

static Seen newest_events(Store *s, int64_t after, usec_t since, unsigned most) {
        Seen seen = { .most = most };
        int r = store_each_event_back(s, after, since, see_event_back, &seen);

        assert_int_equal(r, seen.n == most ? 7 : 0);
        return seen;
}

static void events_are_capped(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        int64_t id = 0;
        Seen seen;

        assert_int_equal(store_begin(s, false), 0);
        for (int i = 1; i <= STORE_EVENTS_KEPT + 500; i++) {
                StoredEvent v = { .realtime = 1000 + (usec_t) i,
                                  .ns = "",
                                  .name = "web",
                                  .instance = -1,
                                  .kind = "exited",
                                  .message = "m",
                                  .data_json = "" };

                assert_int_equal(store_add_event(s, &v, &id), 0);
                assert_int_equal(id, i);
        }
        assert_int_equal(store_commit(s, NULL), 0);
        seen = events_after(s, 0);
        assert_true(seen.n == STORE_EVENTS_KEPT && seen.first == 501 && seen.last == STORE_EVENTS_KEPT + 500);
        seen = events_after(s, id - 3);
        assert_true(seen.n == 3 && seen.first == id - 2);
        assert_int_equal(events_after(s, id).n, 0);
        seen = newest_events(s, 0, 0, 10);
        assert_true(seen.n == 10 && seen.last == STORE_EVENTS_KEPT + 500 && seen.first == id - 9);
        seen = newest_events(s, id - 3, 0, 10);
        assert_true(seen.n == 3 && seen.first == id - 2);
        seen = newest_events(s, 0, 1000 + (usec_t) id - 4, 100);
        assert_true(seen.n == 5 && seen.first == id - 4);
        assert_int_equal(newest_events(s, 0, USEC_INFINITY, 100).n, 0);
}

static void assert_refused(int wanted, const char *id, const char *text) {
        _cleanup_error_ KlError e = {};
        Store *s = NULL;
        int r = store_open("state.db", &s, &e);

        if (r != wanted)
                fail_msg("store_open: %i instead of %i (%s)", r, wanted, e.message ?: "no message");
        assert_null(s);
        assert_string_equal(e.id, id);
        assert_non_null(strstr(e.message, "state.db"));
        if (!strstr(e.message, text))
                fail_msg("\"%s\" does not say \"%s\"", e.message, text);
        assert_non_null(e.hint);
}

/* A closed file with some 200 KiB of rows. */
static void make_full_store(void) {
        _cleanup_(store_closep) Store *s = open_store();

        assert_int_equal(store_begin(s, false), 0);
        for (unsigned i = 0; i < 1000; i++) {
                StoredRun run = run_of("web", i);

                assert_int_equal(store_put_run(s, &run), 0);
        }
        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(store_commit(s, NULL), 0);
}

static void events_with_ids_of_the_caller(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        StoredEvent v = { .id = 5, .realtime = 1005, .instance = -1, .kind = "exited" };
        int64_t id = 0;

        assert_int_equal(store_add_event(s, &v, &id), 0);
        assert_int_equal(id, 5);
        assert_int_equal(store_add_event(s, &v, &id), -EEXIST);
        v.id = 0, v.realtime = 1006;
        assert_int_equal(store_add_event(s, &v, &id), 0);
        assert_int_equal(id, 6);
        v.id = STORE_EVENTS_KEPT + 6, v.realtime = 1000 + (usec_t) v.id;
        assert_int_equal(store_add_event(s, &v, NULL), 0);
        assert_int_equal(events_after(s, 0).n, 1);
}

static int check_generation(void *userdata, const StoredService *v) {
        return v->generation == 78 && streq(v->spec_json, web.spec_json) ? 1 : -1;
}

static void generation_alone_is_set(void **state) {
        _cleanup_(store_closep) Store *s = open_store();

        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(store_set_generation(s, "shop", "web", 78), 0);
        assert_int_equal(store_set_generation(s, "shop", "none", 1), 0);
        assert_int_equal(store_each_service(s, check_generation, NULL), 1);
}

static void garbage_is_refused_and_set_aside(void **state) {
        char garbage[8192], text[3] = {};
        _cleanup_free_ char *name = NULL, *again = NULL;
        Store *s;

        for (size_t i = 0; i < sizeof(garbage); i++)
                garbage[i] = (char) (i * 7 + 1);
        for (size_t size = 2; size <= sizeof(garbage); size = size * 2 + 5) { /* SQLite takes a single byte for an empty file */
                assert_int_equal(write_file_atomic("state.db", garbage, size, 0600), 0);
                assert_refused(-EUCLEAN, KL_E_FAILED, "damaged");
        }
        assert_int_equal(write_file_atomic("state.db-wal", "w", 1, 0600), 0);
        assert_int_equal(store_set_aside("state.db", 1767323045000006, &name), 0);
        assert_string_equal(name, "state.db.bad-20260102T030405.000006Z");
        assert_int_equal(access(name, F_OK), 0);
        assert_int_equal(read_file_into(AT_FDCWD, "state.db.bad-20260102T030405.000006Z-wal", text, sizeof(text)), 1);
        assert_int_equal(access("state.db-wal", F_OK), -1);
        s = open_store();
        assert_int_equal(services_in(s), 0);
        store_close(s);
        assert_int_equal(unlink("state.db"), 0);
        assert_int_equal(store_set_aside("state.db", 0, &again), -ENOENT);
}

static void truncated_files_are_refused(void **state) {
        struct stat st;

        make_full_store();
        assert_int_equal(stat("state.db", &st), 0);
        assert_true(st.st_size > 65536);
        assert_int_equal(truncate("state.db", st.st_size / 2), 0);
        assert_refused(-EUCLEAN, KL_E_FAILED, "damaged");
        assert_int_equal(truncate("state.db", 100), 0);
        assert_refused(-EUCLEAN, KL_E_FAILED, "damaged");
}

/* Bytes changed anywhere: the file opens and can be read to its end, or it is refused as damaged; nothing else happens. */
static void flipped_bytes_never_crash(void **state) {
        unsigned seed = test_seed(), refused = 0;
        _cleanup_free_ char *sound = NULL, *bad = NULL;
        size_t size;

        make_full_store();
        assert_int_equal(read_file_at(AT_FDCWD, "state.db", 16 << 20, &sound, &size), 0);
        bad = malloc(size);
        for (int round = 0; round < 60; round++) {
                unsigned n = 0;
                Store *s = NULL;
                int r;

                memcpy(bad, sound, size);
                for (int i = rand_r(&seed) % 20; i >= 0; i--)
                        bad[(size_t) rand_r(&seed) % (round % 2 ? size : 4096)] = (char) rand_r(&seed);
                assert_int_equal(write_file_atomic("state.db", bad, size, 0600), 0);
                r = store_open("state.db", &s, NULL);
                if (r >= 0)
                        r = store_each_run(s, count_run, &n);
                assert_true(r == 0 || r == -EUCLEAN || r == -ENOTSUP);
                refused += r != 0;
                store_close(s);
                (void) unlink("state.db-wal");
                (void) unlink("state.db-shm");
        }
        assert_true(refused > 5); /* the check does check */
}

/* Runs SQL on the file as another program would. */
static void foreign_sql(const char *sql) {
        sqlite3 *db;

        assert_int_equal(sqlite3_open("state.db", &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static void newer_and_foreign_files_are_refused(void **state) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        size_t n, m;

        store_close(open_store());
        foreign_sql("PRAGMA user_version = 1000");
        assert_int_equal(read_file_at(AT_FDCWD, "state.db", 1 << 20, &before, &n), 0);
        assert_refused(-ENOTSUP, KL_E_FAILED, "newer");
        assert_int_equal(read_file_at(AT_FDCWD, "state.db", 1 << 20, &after, &m), 0);
        assert_int_equal(n, m);
        assert_memory_equal(before, after, n); /* and nothing was written to it */
        assert_int_equal(unlink("state.db"), 0);
        store_close(open_store());
        foreign_sql("DROP TABLE run; CREATE TABLE run (x)");
        assert_refused(-EUCLEAN, KL_E_FAILED, "damaged or not one of ours");
        assert_int_equal(unlink("state.db") | mkdir("state.db", 0700), 0);
        assert_refused(-EUCLEAN, KL_E_FAILED, "damaged or not one of ours");
}

/* As the first release made it. */
static const char version_1[] =
        "CREATE TABLE service (ns TEXT NOT NULL, name TEXT NOT NULL, spec_json TEXT NOT NULL, origin TEXT NOT NULL, wanted INTEGER NOT NULL,"
        " generation INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (ns, name)) WITHOUT ROWID;"
        "CREATE TABLE run (ns TEXT NOT NULL, name TEXT NOT NULL, instance INTEGER NOT NULL, run INTEGER NOT NULL,"
        " generation INTEGER NOT NULL, invocation_id TEXT NOT NULL, pid INTEGER NOT NULL, start_time INTEGER NOT NULL,"
        " boot_id TEXT NOT NULL, isolation TEXT NOT NULL, location TEXT NOT NULL, ready INTEGER NOT NULL, since_realtime INTEGER NOT NULL,"
        " restarts INTEGER NOT NULL, rest TEXT NOT NULL, reason INTEGER NOT NULL, exit_code INTEGER NOT NULL, exit_signal INTEGER NOT NULL,"
        " PRIMARY KEY (ns, name, instance)) WITHOUT ROWID;"
        "CREATE TABLE event (id INTEGER PRIMARY KEY, realtime INTEGER NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
        " instance INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, data_json TEXT NOT NULL);"
        "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; PRAGMA user_version = 1;"
        "INSERT INTO run VALUES ('d', 'lives', 0, 1, 1, '', 10, 1, 'b', 'session', 'w', 1, 1, 0, '', 0, -1, 0),"
        " ('d', 'begins', 0, 2, 1, '', 11, 1, 'b', 'session', 'w', 0, 1, 0, '', 0, -1, 0),"
        " ('d', 'ends', 0, 3, 1, '', 12, 1, 'b', 'session', 'w', 1, 1, 2, 'stopping', 1, 3, 0),"
        " ('d', 'again', 0, 4, 1, '', 13, 1, 'b', 'session', 'w', 1, 1, 0, 'restarting', 0, -1, 0),"
        " ('d', 'failed', 0, 0, 1, '', 0, 0, 'b', 'session', '', 1, 1, 7, 'failed', 2, -1, 9),"
        " ('d', 'stopped', 0, 0, 1, '', 0, 0, 'b', 'session', '', 0, 1, 0, 'stopped', 0, -1, 0)";

static int check_migrated(void *userdata, const StoredRun *v) {
        static const struct {
                const char *name;
                LcState state;
                bool wanted, lives, again, stop_due, known;
        } table[] = {
                { "again", LC_RUNNING, true, true, true, false, false },   { "begins", LC_STARTING, true, true, false, false, false },
                { "ends", LC_RUNNING, true, true, false, true, true },     { "failed", LC_FAILED, true, false, false, false, true },
                { "lives", LC_RUNNING, true, true, false, false, false },  { "stopped", LC_STOPPED, false, false, false, false, false },
        };
        unsigned k = (*(unsigned *) userdata)++;
        Lifecycle l;

        assert_true(k < ARRAY_SIZE(table));
        assert_string_equal(v->name, table[k].name);
        assert_true(v->lc.state == table[k].state && v->lc.wanted == table[k].wanted && lifecycle_alive(&v->lc) == table[k].lives &&
                    v->lc.restart_pending == table[k].again && v->stop_due == table[k].stop_due && v->lc.exit_known == table[k].known);
        assert_int_equal(lifecycle_resume(&l, &v->lc), 0);
        assert_true(l.deadline == USEC_INFINITY && l.run_since > 0 && v->number == UINT32_MAX);
        return 0;
}

static void older_files_are_brought_up(void **state) {
        _cleanup_(store_closep) Store *s = NULL;
        unsigned n = 0;

        foreign_sql(version_1);
        s = open_store();
        assert_int_equal(store_each_run(s, check_migrated, &n), 0);
        assert_int_equal(n, 6);
        assert_int_equal(store_put_run(s, &(StoredRun) { .ns = "d", .name = "new", .boot_id = "b" }), 0);
}

static void missing_directory(void **state) {
        _cleanup_error_ KlError e = {};
        Store *s = NULL;

        assert_int_equal(store_open("none/state.db", &s, &e), -ENOENT);
        assert_non_null(strstr(e.message, "none/state.db: no such directory"));
}

static void open_mode_is_tightened(void **state) {
        struct stat st;

        store_close(open_store());
        assert_int_equal(chmod("state.db", 0644), 0);
        store_close(open_store());
        assert_int_equal(stat("state.db", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

/* Forks a child that does `work` on its own Store, says so through the pipe, and waits to be killed. */
static pid_t start_writer(void (*work)(Store *s)) {
        int p[2];
        pid_t pid;
        char c;

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                Store *s = NULL;

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (store_open("state.db", &s, NULL) < 0)
                        _exit(1);
                work(s);
                (void) !write(p[1], "x", 1);
                for (;;)
                        pause();
        }
        fd_close(p[1]);
        assert_int_equal(read(p[0], &c, 1), 1);
        fd_close(p[0]);
        return pid;
}

static void end_writer(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void commit_one_begin_another(Store *s) {
        (void) store_begin(s, true);
        (void) store_put_service(s, &web);
        (void) store_commit(s, NULL);
        (void) store_begin(s, true);
        for (unsigned i = 0; i < 5000; i++) { /* more than the page cache: some of it reaches the log already */
                StoredRun run = run_of("web", i);

                (void) store_put_run(s, &run);
        }
}

static void killed_in_the_middle(void **state) {
        _cleanup_(store_closep) Store *s = NULL;
        bool wanted = true;

        end_writer(start_writer(commit_one_begin_another));
        s = open_store();
        assert_int_equal(services_in(s), 1);
        assert_int_equal(store_each_service(s, check_web, &wanted), 0);
        assert_int_equal(runs_in(s), 0);
}

static void commit_many(Store *s) {
        for (unsigned i = 0; i < 50; i++) {
                StoredRun run = run_of("web", i);

                (void) store_put_run(s, &run);
        }
}

/* Power loss leaves any prefix of the log: then the first so-many writes are there, without holes. */
static void torn_logs_keep_a_prefix(void **state) {
        _cleanup_free_ char *db = NULL, *log = NULL;
        unsigned last = 0, seed = test_seed();
        size_t n, m;

        store_close(open_store());
        end_writer(start_writer(commit_many));
        assert_int_equal(read_file_at(AT_FDCWD, "state.db", 16 << 20, &db, &n), 0);
        assert_int_equal(read_file_at(AT_FDCWD, "state.db-wal", 16 << 20, &log, &m), 0);
        for (size_t cut = 0; cut <= m; cut = cut == m ? m + 1 : MIN(m, cut + 1 + (size_t) rand_r(&seed) % (m / 20))) {
                _cleanup_(store_closep) Store *s = NULL;
                unsigned found;

                assert_int_equal(write_file_atomic("state.db", db, n, 0600), 0);
                assert_int_equal(write_file_atomic("state.db-wal", log, cut, 0600), 0);
                (void) unlink("state.db-shm");
                s = open_store();
                found = runs_in(s);
                assert_true(found >= last && found <= 50);
                last = found;
        }
        assert_int_equal(last, 50);
}

static void hold_the_lock(Store *s) {
        (void) store_begin(s, false);
        (void) store_put_service(s, &web);
}

static void another_process_is_waited_for_then_named(void **state) {
        _cleanup_(store_closep) Store *s = open_store();
        _cleanup_error_ KlError e = {};
        usec_t start, spent;
        pid_t writer = start_writer(hold_the_lock);

        assert_int_equal(services_in(s), 0); /* reading goes on */
        start = now_usec(CLOCK_MONOTONIC);
        assert_int_equal(store_begin(s, true), -EBUSY);
        spent = now_usec(CLOCK_MONOTONIC) - start;
        assert_true(spent > USEC_PER_SEC && spent < 2 * USEC_PER_MINUTE);
        end_writer(writer);
        assert_int_equal(store_begin(s, true), 0);
        assert_int_equal(store_commit(s, &e), 0);
}

static void opening_beside_an_exclusive_user(void **state) {
        sqlite3 *db;

        store_close(open_store());
        assert_int_equal(sqlite3_open("state.db", &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; INSERT INTO meta VALUES ('a', 'b'); COMMIT",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_refused(-EBUSY, KL_E_BUSY, "another process");
        sqlite3_close(db);
        store_close(open_store());
}

/* In a child with a mount namespace of its own: a file system of 256 KiB. */
static int fill_a_small_disk(void) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_error_ KlError e = {};
        unsigned n = 0;

        if (store_open("small/state.db", &s, NULL) < 0 || store_begin(s, true) < 0 || store_put_service(s, &web) < 0 ||
            store_commit(s, NULL) < 0)
                return 1;
        if (store_begin(s, true) < 0)
                return 2;
        for (unsigned i = 0; i < 20000; i++) {
                StoredRun run = run_of("web", i);

                (void) store_put_run(s, &run); /* unchecked: the commit must tell */
        }
        if (store_commit(s, &e) != -ENOSPC || !strstr(e.message, "no space left") || !strstr(e.message, "small/state.db") || !e.hint)
                return 3;
        if (store_each_run(s, count_run, &n) != 0 || n != 0) /* all or nothing */
                return 4;
        if (store_set_wanted(s, "shop", "web", false) < 0) /* what is small still fits: the log is used again */
                return 5;
        s = store_close(s);
        n = 0;
        return store_open("small/state.db", &s, NULL) < 0 || store_each_service(s, count_service, &n) != 0 || n != 1 ? 6 : 0;
}

static int open_read_only(void) {
        _cleanup_error_ KlError e = {};
        Store *s = NULL;

        if (mount("none", "small", "none", MS_REMOUNT | MS_RDONLY, "") < 0)
                return 10;
        if (store_open("small/state.db", &s, &e) != -EROFS || !strstr(e.message, "read-only") || !e.hint)
                return 11;
        return store_open("small/other.db", &s, NULL) != -EROFS ? 12 : 0;
}

static void full_and_read_only_disks(void **state) {
        int status, code;
        pid_t pid;

        assert_int_equal(mkdir("small", 0700), 0);
        pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") < 0 ||
                    mount("small", "small", "tmpfs", 0, "size=256k,mode=0700") < 0)
                        _exit(77);
                code = fill_a_small_disk();
                _exit(code != 0 ? code : open_read_only());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: no mount namespace of our own here\n");
                skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned entries_in_directory(void) {
        DIR *d = opendir(".");
        unsigned n = 0;

        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

/* A write-ahead log that nobody has brought home belongs to what is read; scratch files do not stay; and back in a file it is all there. */
static void a_copy_stands_in_and_goes_home(void **state) {
        _cleanup_(store_closep) Store *s = open_store(), *copy = NULL, *home = NULL, *empty = NULL;
        StoredService db = web;

        db.name = "db";
        assert_int_equal(store_put_service(s, &web), 0);
        assert_int_equal(access("state.db-wal", F_OK), 0);
        assert_int_equal(store_open_copy("state.db", ".", &copy, NULL), 0);
        assert_int_equal(entries_in_directory(), 3);
        assert_int_equal(services_in(copy), 1);
        assert_int_equal(store_put_service(copy, &db), 0);
        assert_int_equal(services_in(s), 1);
        assert_int_equal(store_replace(s, copy, NULL), 0);
        assert_int_equal(services_in(s), 2);
        s = store_close(s);
        assert_int_equal(store_open("state.db", &home, NULL), 0);
        assert_int_equal(services_in(home), 2);
        assert_int_equal(store_begin(home, true), 0);
        assert_int_equal(store_replace(home, copy, NULL), -EALREADY);
        store_rollback(home);

        assert_int_equal(store_open_copy("none.db", "/nonexistent", &empty, NULL), 0);
        assert_int_equal(services_in(empty), 0);
        assert_int_equal(store_put_service(empty, &web), 0);
}

#ifdef SHORT_MEMORY
static unsigned left;              /* allocations until one fails; 0: none does */

static bool memory_is_short(void) {
        return left > 0 && --left == 0;
}

static int expect_long(void *userdata, const StoredService *v) {
        assert_string_equal(v->name, "web");
        assert_int_equal(strlen(v->spec_json), 2000);
        (*(unsigned *) userdata)++;
        return 0;
}

/* Whatever allocation fails: all is read, or an error is told that is none of the file. */
static void short_memory_is_no_damage(void **state) {
        _cleanup_free_ char *text = NULL;
        StoredService service = web;
        unsigned nth = 0, failed = 0;
        void *probe;
        Store *s;

        left = 1;
        probe = sqlite3_malloc(64);
        left = 0;
        if (probe) {
                sqlite3_free(probe);
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: malloc(3) is another's here (valgrind)\n");
                skip();
        }
        s = open_store();
        text = malloc(2001);
        memset(text, 'x', 2000);
        text[2000] = '\0';
        service.spec_json = text;
        assert_int_equal(store_put_service(s, &service), 0);
        for (bool reached = true; reached;) {
                unsigned n = 0;
                int r;

                s = store_close(s);
                left = ++nth;
                r = store_open("state.db", &s, NULL);
                if (r >= 0)
                        r = store_each_service(s, expect_long, &n);
                reached = left == 0;
                left = 0;
                failed += r < 0;
                if (r < 0 ? r == -EUCLEAN || r == -ENOENT : n != 1)
                        fail_msg("allocation %u: %s, %u services", nth, strerror(-MIN(r, 0)), n);
        }
        store_close(s);
        assert_in_range(failed, 10, nth);
}
#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter_directory, remove_directory)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(rows_survive_reopening),
                TEST(order_replacement_deletion),
                TEST(schedules_go_with_their_service),
                TEST(transactions_hold_together),
                TEST(events_are_capped),
                TEST(events_with_ids_of_the_caller),
                TEST(generation_alone_is_set),
                TEST(garbage_is_refused_and_set_aside),
                TEST(truncated_files_are_refused),
                TEST(flipped_bytes_never_crash),
                TEST(newer_and_foreign_files_are_refused),
                TEST(older_files_are_brought_up),
                TEST(missing_directory),
                TEST(open_mode_is_tightened),
                TEST(killed_in_the_middle),
                TEST(torn_logs_keep_a_prefix),
                TEST(another_process_is_waited_for_then_named),
                TEST(opening_beside_an_exclusive_user),
                TEST(full_and_read_only_disks),
                TEST(a_copy_stands_in_and_goes_home),
#ifdef SHORT_MEMORY
                TEST(short_memory_is_no_damage),
#endif
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
