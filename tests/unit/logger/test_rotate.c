/* Putting aside: by age and calendar, within a total, compressed, stopped at every step; and the quota of all logs. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <zlib.h>
#include <zstd.h>

#include "logger/archiver.h"
#include "logger/chain.h"
#include "logger/quota.h"
#include "logger/rotate.h"
#include "logger/sink.h"
#include "model/spec.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z, a Friday */

/* Every change of a name goes through here, so that a test can die between any two. */
static int steps_left = -1;

static void step(void) {
        if (steps_left == 0)
                _exit(42);
        if (steps_left > 0)
                steps_left--;
}

int rename(const char *from, const char *to) {
        step();
        return (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path) {
        step();
        return (int) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void put_number(const char *path, unsigned number, const char *suffix, const char *data) {
        char name[256];

        snprintf(name, sizeof(name), number ? "%s.%u%s" : "%s", path, number, suffix);
        file_put(name, data, strlen(data), O_TRUNC);
}

static bool exists(const char *path, unsigned number, const char *suffix) {
        char name[256];

        snprintf(name, sizeof(name), number ? "%s.%u%s" : "%s", path, number, suffix);
        return access(name, F_OK) >= 0;
}

static void test_chain_names(void **state) {
        static const struct {
                const char *name;
                int64_t number;
                ChainForm form;
        } cases[] = {
                { "web.0.log", 0, CHAIN_PLAIN },       { "web.0.log.1", 1, CHAIN_PLAIN },     { "web.0.log.12.zst", 12, CHAIN_ZSTD },
                { "web.0.log.3.gz", 3, CHAIN_GZIP },   { "web.0.log.01", -EINVAL, 0 },        { "web.0.log.", -EINVAL, 0 },
                { "web.0.log.zst", -EINVAL, 0 },       { "web.0.log.zst.tmp", -EINVAL, 0 },   { "web.0.log.1.bz2", -EINVAL, 0 },
                { "web.0.log.1.zst.tmp", -EINVAL, 0 }, { "web.0.log9", -EINVAL, 0 },          { "web.0.log.1000000000", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ChainForm form;

                assert_int_equal(chain_number(cases[i].name, strlen("web.0.log"), &form), cases[i].number);
                if (cases[i].number >= 0)
                        assert_int_equal(form, cases[i].form);
        }
}

static void test_calendar(void **state) {
        static const struct {
                const char *zone;
                int rotate;
                const char *after, *next;
        } cases[] = {
                { "UTC", LOG_ROTATE_HOURLY, "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z" },
                { "UTC", LOG_ROTATE_HOURLY, "2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z" },
                { "Asia/Kolkata", LOG_ROTATE_HOURLY, "2026-01-02T03:04:05Z", "2026-01-02T03:30:00Z" },
                { "UTC", LOG_ROTATE_DAILY, "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z" },
                { "UTC", LOG_ROTATE_DAILY, "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z" },
                { "Europe/Berlin", LOG_ROTATE_DAILY, "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z" }, /* 23 hours long */
                { "Europe/Berlin", LOG_ROTATE_DAILY, "2026-10-24T22:30:00Z", "2026-10-25T23:00:00Z" }, /* 25 hours */
                { "UTC", LOG_ROTATE_WEEKLY, "2026-01-02T03:04:05Z", "2026-01-05T00:00:00Z" },
                { "UTC", LOG_ROTATE_WEEKLY, "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z" },
                { "UTC", LOG_ROTATE_WEEKLY, "2026-01-04T23:59:59Z", "2026-01-05T00:00:00Z" },
                { "UTC", LOG_ROTATE_MONTHLY, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z" },
                { "UTC", LOG_ROTATE_MONTHLY, "2026-01-31T10:00:00Z", "2026-02-01T00:00:00Z" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                usec_t after, next;

                assert_int_equal(setenv("TZ", cases[i].zone, true), 0);
                tzset();
                assert_int_equal(parse_time(cases[i].after, 0, &after), 0);
                assert_int_equal(parse_time(cases[i].next, 0, &next), 0);
                assert_int_equal(log_rotate_next(cases[i].rotate, after), next);
        }
        assert_int_equal(log_rotate_next(LOG_ROTATE_NONE, T0), USEC_INFINITY);
        /* Whatever the zone and the time: later, and not by more than is due. */
        srand(test_seed());
        for (unsigned i = 0; i < 2000; i++) {
                static const char *const zones[] = { "UTC", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "Africa/Cairo" };
                int rotate = 1 + rand() % (_LOG_ROTATE_MAX - 1);
                usec_t after = (usec_t) rand() * USEC_PER_SEC + (usec_t) rand() % USEC_PER_SEC, next;

                assert_int_equal(setenv("TZ", zones[i % ARRAY_SIZE(zones)], true), 0);
                tzset();
                next = log_rotate_next(rotate, after);
                assert_true(next > after && next - after <= 32 * USEC_PER_DAY);
        }
        assert_int_equal(unsetenv("TZ"), 0);
        tzset();
}

/* A log of ten files of which some are compressed, and one number has both forms: killed before each step, done again by the next one. */
static void test_killed_at_every_step(void **state) {
        Place *p = *state;
        bool finished = false;

        for (int k = 0; !finished; k++) {
                int status;
                pid_t pid;

                for (unsigned i = 0; i < 8; i++) {
                        char data[] = { (char) ('a' + i), '\n', 0 };

                        (void) chain_remove(p->path, i + 1);
                        put_number(p->path, i, i % 3 == 2 ? ".zst" : "", data);
                }
                put_number(p->path, 5, "", "f\n"); /* with PATH.5.zst: compressed, but not removed yet */
                pid = fork();
                if (pid == 0) {
                        steps_left = k;
                        (void) log_rotate(p->path, 9, UINT64_MAX);
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                finished = WEXITSTATUS(status) == 0;
                /* Each letter once, or in both forms of one number. */
                if (exists(p->path, 0, "")) /* else all that was left to do is to look for more to remove */
                        assert_int_equal(log_rotate(p->path, 9, UINT64_MAX), 0);
                assert_false(exists(p->path, 0, ""));
                for (unsigned i = 0; i < 8; i++) {
                        char name[256], want[] = { (char) ('a' + i), '\n', 0 };
                        _cleanup_free_ char *data = NULL;
                        size_t n;

                        snprintf(name, sizeof(name), "%s.%u%s", p->path, i + 1, i % 3 == 2 ? ".zst" : "");
                        assert_int_equal(read_file_at(AT_FDCWD, name, SIZE_MAX, &data, &n), 0);
                        assert_string_equal(data, want);
                        assert_int_equal(exists(p->path, i + 1, "") + exists(p->path, i + 1, ".zst"), 1);
                }
        }
}

static void test_total(void **state) {
        Place *p = *state;

        for (unsigned i = 0; i < 6; i++)
                put_number(p->path, i, i % 2 ? ".gz" : "", "0123456789");
        assert_int_equal(log_rotate(p->path, 100, 35), 0);
        for (unsigned i = 1; i <= 7; i++)
                assert_int_equal(chain_find(p->path, i, NULL) >= 0, i <= 3);
        assert_int_equal(log_rotate(p->path, 2, 1000), 0);
        for (unsigned i = 1; i <= 7; i++)
                assert_int_equal(chain_find(p->path, i, NULL) >= 0, i == 2); /* there was no PATH, and PATH.3 went beyond */
        assert_int_equal(log_rotate(p->path, 2, 0), 0);
        assert_true(chain_find(p->path, 2, NULL) < 0);
}

static Sink *sink_make(const Place *p, LogLimits limits) {
        SinkOptions o = { .path = p->path, .limits = limits };
        Sink *s = NULL;

        o.limits.uid = o.limits.gid = -1;
        assert_int_equal(sink_new(&o, &s), 0);
        return s;
}

static void put(Sink *s, SinkStream *st, const char *text, usec_t at) {
        assert_int_equal(sink_write(s, st, text, strlen(text), at), 0);
}

static void test_age(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p, (LogLimits) { .max_age = 10 * USEC_PER_SEC, .keep = 5 });

        assert_int_equal(sink_due(s), USEC_INFINITY); /* nothing written, nothing to wake up for */
        put(s, &out, "one\n", T0);
        assert_int_equal(sink_due(s), T0 + 10 * USEC_PER_SEC);
        assert_int_equal(sink_rotate_due(s, T0 + 9 * USEC_PER_SEC), 0);
        put(s, &out, "two\n", T0 + 9 * USEC_PER_SEC);
        assert_false(exists(p->path, 1, ""));
        put(s, &out, "three\n", T0 + 10 * USEC_PER_SEC); /* the first write after it */
        assert_true(exists(p->path, 1, ""));
        assert_true(sink_rotated(s));
        assert_false(sink_rotated(s));
        assert_int_equal(sink_rotate_due(s, T0 + 25 * USEC_PER_SEC), 0); /* the timer: nobody writes */
        assert_true(exists(p->path, 2, ""));
        assert_int_equal(sink_due(s), USEC_INFINITY);
        assert_int_equal(sink_rotate_due(s, T0 + 90 * USEC_PER_SEC), 0); /* an empty file stays */
        assert_false(exists(p->path, 3, ""));
        sink_free(s);
}

/* The file of a logger before us is as old as it is. */
static void test_age_of_a_found_file(void **state) {
        usec_t now = now_usec(CLOCK_REALTIME);
        Place *p = *state;
        SinkStream out = {};
        Sink *s;

        put_number(p->path, 0, "", "before\n");
        s = sink_make(p, (LogLimits) { .max_age = USEC_PER_HOUR, .keep = 5 });
        put(s, &out, "one\n", now);
        assert_false(exists(p->path, 1, ""));
        assert_true(sink_due(s) <= now + 2 * USEC_PER_HOUR);
        put(s, &out, "two\n", now + 2 * USEC_PER_HOUR);
        assert_true(exists(p->path, 1, ""));
        sink_free(s);
}

/* By age a raw file is cut between lines only. */
static void test_age_raw(void **state) {
        Place *p = *state;
        SinkStream out = { .format = LOG_FORMAT_RAW };
        Sink *s = sink_make(p, (LogLimits) { .max_age = USEC_PER_SEC, .keep = 5 });
        _cleanup_free_ char *first = NULL, *second = NULL;

        put(s, &out, "one\nhalf ", T0);
        assert_int_equal(sink_rotate_due(s, T0 + 5 * USEC_PER_SEC), 0);
        assert_false(exists(p->path, 1, ""));
        put(s, &out, "a", T0 + 6 * USEC_PER_SEC);
        put(s, &out, " line\nnext\n", T0 + 7 * USEC_PER_SEC);
        first = file_number(p->path, 1, NULL);
        second = file_number(p->path, 0, NULL);
        assert_string_equal(first, "one\nhalf a line\n");
        assert_string_equal(second, "next\n");
        sink_free(s);
}

/* ---- compression ---- */

static void unpack(const char *path, unsigned number, const char *suffix, Buffer *ret) {
        char name[256], *data = NULL, *plain = malloc(1 << 20);
        size_t n = 0;

        snprintf(name, sizeof(name), "%s.%u%s", path, number, suffix);
        assert_int_equal(read_file_at(AT_FDCWD, name, SIZE_MAX, &data, &n), 0);
        if (streq(suffix, ".zst")) {
                size_t size = ZSTD_decompress(plain, 1 << 20, data, n);

                assert_false(ZSTD_isError(size));
                assert_int_equal(buffer_append(ret, plain, size), 0);
        } else {
                gzFile z = gzopen(name, "rb");
                int size;

                assert_non_null(z);
                while ((size = gzread(z, plain, 1 << 20)) > 0)
                        assert_int_equal(buffer_append(ret, plain, (size_t) size), 0);
                assert_int_equal(size, 0);
                gzclose(z);
        }
        free(data);
        free(plain);
}

/* Runs the loop until nothing is at work. */
static void archive_all(const Place *p, uint32_t keep, ChainForm form) {
        Poller poller;
        Archiver a;

        assert_int_equal(poller_init(&poller, 4), 0);
        archiver_init(&a, &poller);
        archiver_add(&a, p->path, keep, form);
        archiver_add(&a, p->path, keep, form); /* twice is once */
        while (a.pid > 0)
                assert_int_equal(poller_wait(&poller, 60 * USEC_PER_SEC), 0);
        archiver_done(&a);
        poller_done(&poller);
}

static void fill(const Place *p, unsigned number, Buffer *ret) {
        char name[256];

        for (unsigned i = 0; i < 20000; i++)
                assert_int_equal(buffer_printf(ret, "%u line of %u\n", i, number), 0);
        snprintf(name, sizeof(name), "%s.%u", p->path, number);
        file_put(name, ret->data, ret->size, O_TRUNC);
}

static void test_compression(void **state) {
        static const char *const suffixes[] = { "", ".zst", ".gz" };
        Place *p = *state;

        for (ChainForm form = CHAIN_ZSTD; form < _CHAIN_FORM_MAX; form++) {
                Buffer expected[2] = {};
                struct stat st;

                put_number(p->path, 0, "", "current\n");
                for (unsigned i = 0; i < 2; i++) {
                        fill(p, i + 1, &expected[i]);
                        assert_true(exists(p->path, i + 1, ""));
                }
                archive_all(p, 9, form);
                assert_true(exists(p->path, 0, ""));
                for (unsigned i = 0; i < 2; i++) {
                        _cleanup_buffer_ Buffer got = {};

                        assert_false(exists(p->path, i + 1, ""));
                        assert_int_equal(chain_find(p->path, i + 1, &st), form);
                        assert_int_equal(st.st_mode & 0777, 0640);
                        assert_true((size_t) st.st_size < expected[i].size / 3);
                        unpack(p->path, i + 1, suffixes[form], &got);
                        assert_int_equal(got.size, expected[i].size);
                        assert_memory_equal(got.data, expected[i].data, got.size);
                        (void) chain_remove(p->path, i + 1);
                        buffer_done(&expected[i]);
                }
        }
}

/* Killed before each change of a name, also with the temporary file half written: the next one finishes, and nothing is left over. */
static void test_compression_killed(void **state) {
        Place *p = *state;
        bool finished = false;

        for (int k = 0; !finished; k++) {
                _cleanup_buffer_ Buffer expected = {}, got = {};
                ChainName temporary;
                int status;
                pid_t pid;

                (void) chain_remove(p->path, 1);
                fill(p, 1, &expected);
                pid = fork();
                if (pid == 0) {
                        steps_left = k;
                        archive_all(p, 9, CHAIN_ZSTD);
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                finished = WEXITSTATUS(status) == 0;
                assert_int_equal(chain_temporary(temporary, p->path, CHAIN_ZSTD), 0);
                if (k % 2 && !finished)
                        file_put(temporary, "half", 4, O_TRUNC);
                archive_all(p, 9, CHAIN_ZSTD);
                assert_false(exists(p->path, 1, ""));
                unpack(p->path, 1, ".zst", &got);
                assert_int_equal(got.size, expected.size);
                assert_memory_equal(got.data, expected.data, got.size);
        }
}

/* A rotation while the compressor is at work moves the file to another number. */
static void test_compression_overtaken(void **state) {
        _cleanup_buffer_ Buffer expected = {}, got = {};
        Place *p = *state;
        Poller poller;
        Archiver a;

        fill(p, 1, &expected);
        assert_int_equal(poller_init(&poller, 4), 0);
        archiver_init(&a, &poller);
        archiver_add(&a, p->path, 9, CHAIN_ZSTD);
        assert_true(a.pid > 0);
        put_number(p->path, 0, "", "newer\n");
        assert_int_equal(log_rotate(p->path, 9, UINT64_MAX), 0);
        while (a.pid > 0)
                assert_int_equal(poller_wait(&poller, 60 * USEC_PER_SEC), 0);
        unpack(p->path, 2, ".zst", &got);
        assert_int_equal(got.size, expected.size);
        assert_memory_equal(got.data, expected.data, got.size);
        assert_true(exists(p->path, 1, ".zst")); /* what came meanwhile had its turn as well */
        archiver_done(&a);
        poller_done(&poller);
}

/* ---- the quota ---- */

static void put_aged(const char *dir, const char *name, unsigned age) {
        char path[256];
        struct timespec times[2] = { { .tv_sec = 1000000 - age }, { .tv_sec = 1000000 - age } };

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        file_put(path, "0123456789", 10, O_TRUNC);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_quota(void **state) {
        static const struct {
                const char *name;
                unsigned age;
        } files[] = {
                { "web.0.log", 900 },       { "web.0.log.1", 50 },     { "web.0.log.2.zst", 60 },
                { "shop/db.0.log", 800 },   { "shop/db.0.log.1", 70 }, { "shop/db.0.log.2.gz", 40 },
                { "notes.txt", 999 },       { "web.0.log.old", 999 },  { "web.0.log.zst.tmp", 999 },
        };
        Place *p = *state;
        char shop[128];
        uint64_t size;

        snprintf(shop, sizeof(shop), "%s/shop", p->dir);
        assert_int_equal(mkdir(shop, 0700), 0);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                put_aged(p->dir, files[i].name, files[i].age);
        assert_int_equal(quota_enforce(p->dir, 60, &size), 0);
        assert_int_equal(size, 60);
        assert_int_equal(quota_enforce(p->dir, 45, &size), 2); /* the two oldest of all services */
        assert_int_equal(size, 40);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                char path[256];

                snprintf(path, sizeof(path), "%s/%s", p->dir, files[i].name);
                assert_int_equal(access(path, F_OK) >= 0, i != 2 && i != 4);
        }
        assert_int_equal(quota_enforce(p->dir, 0, &size), 2); /* never the current ones */
        assert_int_equal(size, 20);
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chain_names),
                cmocka_unit_test(test_calendar),
                PLACE_TEST(test_killed_at_every_step),
                PLACE_TEST(test_total),
                PLACE_TEST(test_age),
                PLACE_TEST(test_age_of_a_found_file),
                PLACE_TEST(test_age_raw),
                PLACE_TEST(test_compression),
                PLACE_TEST(test_compression_killed),
                PLACE_TEST(test_compression_overtaken),
                PLACE_TEST(test_quota),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
