/* The sink against its header: lines, pieces, rotation, disturbances. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "logger/sink.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z */
#define STAMP0 "2026-01-02T03:04:05.000006Z "
#define DOTS "............................................................"
#define LINE_COST 33                  /* stamp, " out ", newline */

/* Renaming goes through here, so that a test can die in the middle of a rotation. */
static int renames_left = -1;

int rename(const char *from, const char *to) {
        if (renames_left == 0)
                _exit(42);
        if (renames_left > 0)
                renames_left--;
        return (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static Sink *sink_make(const char *path, uint64_t max_size, uint32_t keep) {
        SinkOptions o = { .path = path, .limits = { .max_size = max_size, .keep = keep, .uid = -1, .gid = -1 } };
        Sink *s = NULL;

        assert_int_equal(sink_new(&o, &s), 0);
        return s;
}

static void put(Sink *s, SinkStream *st, const char *text) {
        assert_int_equal(sink_write(s, st, text, strlen(text), T0), 0);
}

static void check_file(const char *path, unsigned number, const char *expected) {
        size_t n = 0;
        char *data = file_number(path, number, &n);

        if (expected) {
                assert_non_null(data);
                assert_string_equal(data, expected);
                assert_int_equal(n, strlen(expected));
        } else
                assert_null(data);
        free(data);
}

static void test_lines(void **state) {
        Place *p = *state;
        SinkStream out = {}, err = { .stream = 1 };
        Sink *s = sink_make(p->path, 0, 3);

        assert_false(sink_is_open(s));
        assert_int_equal(access(p->path, F_OK), -1); /* opened at the first line, not before */
        put(s, &out, "one\ntwo\n\nthr");
        put(s, &err, "oops");
        put(s, &out, "ee\n");
        check_file(p->path, 0, STAMP0 "out one\n" STAMP0 "out two\n" STAMP0 "out \n" STAMP0 "out three\n");
        assert_int_equal(sink_end(s, &err, T0 + 1), 0);
        assert_int_equal(sink_end(s, &out, T0 + 1), 0); /* nothing open: nothing written */
        check_file(p->path, 0, STAMP0 "out one\n" STAMP0 "out two\n" STAMP0 "out \n" STAMP0 "out three\n"
                               "2026-01-02T03:04:05.000007Z err oops\n");
        assert_string_equal(sink_path(s), p->path);
        sink_free(s);
        sink_stream_done(&out);
        sink_stream_done(&err);
}

/* Two runs of one instance overlap: their half lines must not be put together. */
static void test_overlapping_runs(void **state) {
        Place *p = *state;
        SinkStream old = {}, new = {};
        Sink *s = sink_make(p->path, 0, 3);

        put(s, &old, "old be");
        put(s, &new, "new be");
        put(s, &old, "gin\n");
        put(s, &new, "gin\n");
        check_file(p->path, 0, STAMP0 "out old begin\n" STAMP0 "out new begin\n");
        sink_free(s);
        sink_stream_done(&old);
        sink_stream_done(&new);
}

/* However the bytes are cut into chunks, the file is the same. */
static void test_chunks(void **state) {
        static const char text[] = "alpha\n\nbe\0ta\r\n\n\ngamma delta\nlast without end";
        Place *p = *state;

        for (size_t a = 0; a < sizeof(text) - 1; a++) {
                SinkStream out = {};
                Sink *s = sink_make(p->path, 0, 1);
                _cleanup_free_ char *data = NULL;
                _cleanup_buffer_ Buffer b = {};
                size_t n, middle = a / 2;

                assert_int_equal(sink_write(s, &out, text, middle, T0), 0);
                assert_int_equal(sink_write(s, &out, text + middle, a - middle, T0), 0);
                assert_int_equal(sink_write(s, &out, text + a, sizeof(text) - 1 - a, T0), 0);
                assert_int_equal(sink_end(s, &out, T0), 0);
                sink_free(s);
                data = file_number(p->path, 0, &n);
                strip_stamps(data, n, &b);
                assert_int_equal(b.size, sizeof("out alpha\nout \nout be\0ta\r\nout \nout \nout gamma delta\nout last without end\n") - 1);
                assert_memory_equal(b.data, "out alpha\nout \nout be\0ta\r\nout \nout \nout gamma delta\nout last without end\n", b.size);
                assert_null(out.open);
                unlink(p->path);
        }
}

/* A message of n bytes in chunks of `chunk` becomes these pieces. */
static void check_long(const Place *p, size_t n, size_t chunk, const size_t *pieces, size_t n_pieces) {
        SinkStream out = {};
        Sink *s = sink_make(p->path, 0, 1);
        _cleanup_free_ char *text = malloc(n + 1), *data = NULL;
        const char *at;
        size_t size;

        for (size_t i = 0; i < n; i++)
                text[i] = (char) ('a' + i % 26);
        text[n] = '\n';
        for (size_t i = 0; i < n + 1; i += chunk)
                assert_int_equal(sink_write(s, &out, text + i, MIN(chunk, n + 1 - i), T0), 0);
        sink_free(s);
        at = data = file_number(p->path, 0, &size);
        for (size_t i = 0, done = 0; i < n_pieces; done += pieces[i++]) {
                const char *prefix = i + 1 < n_pieces ? STAMP0 "out+ " : STAMP0 "out ";

                assert_memory_equal(at, prefix, strlen(prefix));
                at += strlen(prefix);
                assert_memory_equal(at, text + done, pieces[i]);
                at += pieces[i];
                assert_int_equal(*at++, '\n');
        }
        assert_int_equal(at - data, size);
        assert_null(out.open);
        unlink(p->path);
}

static void test_long_lines(void **state) {
        Place *p = *state;

        for (size_t chunk = 1000; chunk <= 200000; chunk = chunk * 3 + 1) {
                check_long(p, 65535, chunk, (size_t[]) { 65535 }, 1);
                check_long(p, 65536, chunk, (size_t[]) { 65536 }, 1);
                check_long(p, 65537, chunk, (size_t[]) { 65536, 1 }, 2);
                check_long(p, 131072, chunk, (size_t[]) { 65536, 65536 }, 2);
                check_long(p, 200000, chunk, (size_t[]) { 65536, 65536, 65536, 3392 }, 4);
        }
}

static void test_rotation_bounds(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, 3 * (LINE_COST + 4), 2);
        struct stat st;

        put(s, &out, "aaaa\nbbbb\ncccc\n");
        check_file(p->path, 1, NULL);
        assert_int_equal(stat(p->path, &st), 0);
        assert_int_equal(st.st_size, 3 * (LINE_COST + 4)); /* exactly full is not too full */
        put(s, &out, "d\n");
        check_file(p->path, 0, STAMP0 "out d\n");
        check_file(p->path, 1, STAMP0 "out aaaa\n" STAMP0 "out bbbb\n" STAMP0 "out cccc\n");
        put(s, &out, "eeee\nfffff\ngggg\nhhhh\niiii\njj\n"); /* several rotations in one chunk */
        check_file(p->path, 0, STAMP0 "out jj\n");
        check_file(p->path, 1, STAMP0 "out gggg\n" STAMP0 "out hhhh\n" STAMP0 "out iiii\n");
        check_file(p->path, 2, STAMP0 "out d\n" STAMP0 "out eeee\n" STAMP0 "out fffff\n");
        put(s, &out, "a line that is longer than the limit allows for a whole file, and may be so all the same, for it is not cut\n");
        check_file(p->path, 1, STAMP0 "out jj\n");
        check_file(p->path, 3, NULL);
        sink_free(s);
}

static void test_keep(void **state) {
        SinkOptions o = { .limits = { .uid = -1, .gid = -1 } };
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, 1, 5);

        put(s, &out, "1\n2\n3\n4\n5\n6\n7\n");
        check_file(p->path, 0, STAMP0 "out 7\n");
        check_file(p->path, 5, STAMP0 "out 2\n");
        check_file(p->path, 6, NULL);
        o.path = p->path;
        o.limits.max_size = 1;
        o.limits.keep = 2; /* what is beyond goes with the next rotation */
        sink_configure(s, &o);
        put(s, &out, "8\n");
        check_file(p->path, 2, STAMP0 "out 6\n");
        for (unsigned i = 3; i < 7; i++)
                check_file(p->path, i, NULL);
        o.limits.keep = 0; /* emptied, not renamed */
        sink_configure(s, &o);
        put(s, &out, "9\n");
        check_file(p->path, 0, STAMP0 "out 9\n");
        check_file(p->path, 1, STAMP0 "out 7\n");
        sink_free(s);
}

/* Killed before the k-th rename, for every k; the one that comes after loses nothing and brings the names in order again. */
static void test_rotation_killed(void **state) {
        Place *p = *state;

        for (int k = 0; k < 6; k++) {
                _cleanup_buffer_ Buffer chain = {}, text = {};
                SinkStream out = {};
                Sink *s = sink_make(p->path, 1, 9);
                int status;
                pid_t pid;

                put(s, &out, "1\n2\n3\n4\n5\n"); /* five files: the next rotation takes five renames */
                pid = fork();
                if (pid == 0) {
                        renames_left = k;
                        (void) sink_write(s, &out, "6\n", 2, T0);
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(WEXITSTATUS(status), k < 5 ? 42 : 0);
                sink_free(s);

                s = sink_make(p->path, 1, 9);
                put(s, &out, k < 5 ? "6\n7\n8\n" : "7\n8\n");
                sink_free(s);
                file_chain(p->path, 12, &chain);
                strip_stamps(chain.data, chain.size, &text);
                assert_string_equal(text.data, "out 1\nout 2\nout 3\nout 4\nout 5\nout 6\nout 7\nout 8\n");
                check_file(p->path, 8, NULL); /* eight lines in eight files without a gap */
                for (unsigned i = 0; i < 9; i++) {
                        char name[256];

                        snprintf(name, sizeof(name), i ? "%s.%u" : "%s", p->path, i);
                        unlink(name);
                }
        }
}

static void limit_file_size(rlim_t n) {
        struct rlimit l;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
        l.rlim_cur = n;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Random text in random chunks, while the disk has only a little more room each time: every line once, whole, in order. */
static void check_full(const Place *p, uint8_t format, uint64_t max_size, unsigned keep, unsigned chunk_max) {
        _cleanup_buffer_ Buffer input = {}, chain = {}, text = {}, expected = {};
        SinkStream out = { .format = format };
        Sink *s = sink_make(p->path, max_size, keep);
        unsigned refused = 0;
        rlim_t room = 0;

        for (unsigned i = 0; i < 500; i++) {
                assert_int_equal(buffer_printf(&input, "%u %.*s\n", i, rand() % 300, DOTS), 0);
                if (rand() % 50 == 0)
                        for (unsigned k = 0; k < 9000; k++)
                                assert_int_equal(buffer_append(&input, "long line ", 10), 0);
        }
        assert_int_equal(buffer_append(&input, "\n", 1), 0);
        for (size_t at = 0, n; at < input.size; at += n) {
                n = MIN((size_t) (1 + rand() % (int) chunk_max), input.size - at);
                limit_file_size(room);
                while (sink_write(s, &out, input.data + at, n, T0) < 0) {
                        room += (rlim_t) (rand() % 5000);
                        limit_file_size(room);
                        refused++;
                        assert_true(refused < 100000);
                }
                room = rand() % 3 ? room : max_size == 0 ? room : (rlim_t) rand() % 4000;
        }
        limit_file_size(RLIM_INFINITY);
        assert_int_equal(sink_end(s, &out, T0), 0);
        sink_free(s);
        assert_true(refused > 0);       /* how often depends on how few large pieces there are */
        file_chain(p->path, 200, &chain);
        if (format) {
                assert_int_equal(chain.size, input.size);
                assert_memory_equal(chain.data, input.data, input.size);
                return;
        }
        strip_stamps(chain.data, chain.size, &text);
        for (size_t at = 0; at < input.size;) {
                size_t left = (size_t) ((char *) memchr(input.data + at, '\n', input.size - at) - (input.data + at));
                bool cut = left > 65536;
                size_t n = cut ? 65536 : left;

                assert_int_equal(buffer_append(&expected, cut ? "out+ " : "out ", cut ? 5 : 4), 0);
                assert_int_equal(buffer_append(&expected, input.data + at, n), 0);
                assert_int_equal(buffer_append(&expected, "\n", 1), 0);
                at += n + !cut;
        }
        assert_int_equal(text.size, expected.size);
        assert_memory_equal(text.data, expected.data, text.size);
}

static void clear(const Place *p) {
        char name[256];

        for (unsigned i = 0; i < 200; i++) {
                snprintf(name, sizeof(name), i ? "%s.%u" : "%s", p->path, i);
                unlink(name);
        }
}

static void test_full_disk(void **state) {
        Place *p = *state;

        srand(test_seed());
        (void) signal(SIGXFSZ, SIG_IGN);
        /* KINGLY_SLOW: by an emulator, to which fewer say as much. */
        for (unsigned i = 0, rounds = getenv("KINGLY_SLOW") ? 2 : 6; i < rounds; i++) {
                check_full(p, 0, 0, 1, i % 2 ? 65536 : 700);
                clear(p);
                check_full(p, 0, 20000, 190, i % 2 ? 65536 : 700);
                clear(p);
                check_full(p, 1, 0, 1, i % 2 ? 65536 : 700);
                clear(p);
                check_full(p, 1, 20000, 190, i % 2 ? 65536 : 700);
                clear(p);
        }
}

/* While the disk is full the file ends with a whole line. */
static void test_full_disk_whole_lines(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, 0, 1);

        (void) signal(SIGXFSZ, SIG_IGN);
        limit_file_size(2 * (LINE_COST + 4) + 10);
        assert_int_equal(sink_write(s, &out, "aaaa\nbbbb\ncccc\ndd", 17, T0), -EFBIG);
        check_file(p->path, 0, STAMP0 "out aaaa\n" STAMP0 "out bbbb\n");
        assert_int_equal(sink_write(s, &out, "aaaa\nbbbb\ncccc\ndd", 17, T0), -EFBIG);
        limit_file_size(RLIM_INFINITY);
        assert_int_equal(sink_write(s, &out, "aaaa\nbbbb\ncccc\ndd", 17, T0), 0);
        assert_int_equal(sink_end(s, &out, T0), 0);
        check_file(p->path, 0, STAMP0 "out aaaa\n" STAMP0 "out bbbb\n" STAMP0 "out cccc\n" STAMP0 "out dd\n");
        sink_free(s);
}

static void test_raw(void **state) {
        _cleanup_buffer_ Buffer input = {}, chain = {};
        SinkStream out = { .format = 1 }, err = { .format = 1, .stream = 1 };
        Place *p = *state;
        Sink *s = sink_make(p->path, 0, 1);

        srand(test_seed());
        for (unsigned i = 0; i < 300; i++) {
                char noise[5000];
                size_t n = (size_t) rand() % sizeof(noise);

                for (size_t k = 0; k < n; k++)
                        noise[k] = (char) rand();
                assert_int_equal(buffer_append(&input, noise, n), 0);
                assert_int_equal(sink_write(s, i % 2 ? &out : &err, noise, n, T0), 0);
        }
        assert_int_equal(sink_end(s, &out, T0), 0);
        sink_free(s);
        file_chain(p->path, 0, &chain);
        assert_int_equal(chain.size, input.size);
        assert_memory_equal(chain.data, input.data, input.size);
}

/* Raw output in random chunks: the chain is the input, each file ends with a line unless that line alone is longer than a file may be. */
static void test_raw_rotation(void **state) {
        _cleanup_buffer_ Buffer input = {}, chain = {};
        SinkStream out = { .format = 1 };
        Place *p = *state;
        Sink *s = sink_make(p->path, 1000, 500);

        srand(test_seed());
        for (unsigned i = 0; i < 2000; i++)
                assert_int_equal(buffer_printf(&input, "line %u %.*s\n", i, rand() % 60, DOTS), 0);
        for (size_t at = 0, n; at < input.size; at += n) {
                n = MIN((size_t) (1 + rand() % 3000), input.size - at);
                assert_int_equal(sink_write(s, &out, input.data + at, n, T0), 0);
        }
        sink_free(s);
        file_chain(p->path, 500, &chain);
        assert_int_equal(chain.size, input.size);
        assert_memory_equal(chain.data, input.data, input.size);
        for (unsigned i = 1; i < 500; i++) {
                size_t n;
                _cleanup_free_ char *data = file_number(p->path, i, &n);

                if (!data)
                        break;
                assert_int_equal(data[n - 1], '\n');
                assert_true(n > 900 && n < 1100);
        }
}

static void test_raw_endless_line(void **state) {
        _cleanup_buffer_ Buffer chain = {};
        SinkStream out = { .format = 1 };
        Place *p = *state;
        Sink *s = sink_make(p->path, 1000, 50);
        char chunk[700];
        struct stat st;

        memset(chunk, '#', sizeof(chunk));
        put(s, &out, "start\n");
        for (unsigned i = 0; i < 20; i++)
                assert_int_equal(sink_write(s, &out, chunk, sizeof(chunk), T0), 0);
        sink_free(s);
        file_chain(p->path, 50, &chain);
        assert_int_equal(chain.size, 6 + 20 * sizeof(chunk));
        for (unsigned i = 1; i < 14; i++) {
                char name[256];

                snprintf(name, sizeof(name), "%s.%u", p->path, i);
                assert_int_equal(stat(name, &st), 0);
                assert_true(st.st_size >= 1000 - 700 && st.st_size <= 2000);
        }
}

/* logrotate(8), rm and `: > file` need no signal: the next second's write notices. */
static void test_outside(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, 1000, 3);
        char moved[256];

        put(s, &out, "one\n");
        snprintf(moved, sizeof(moved), "%s.moved", p->path);
        assert_int_equal(rename(p->path, moved), 0);
        assert_int_equal(sink_write(s, &out, "two\n", 4, T0 + USEC_PER_SEC), 0);
        check_file(p->path, 0, "2026-01-02T03:04:06.000006Z out two\n");
        check_file(moved, 0, STAMP0 "out one\n");
        assert_int_equal(unlink(p->path), 0);
        assert_int_equal(sink_write(s, &out, "three\n", 6, T0 + 2 * USEC_PER_SEC), 0);
        check_file(p->path, 0, "2026-01-02T03:04:07.000006Z out three\n");
        assert_int_equal(truncate(p->path, 0), 0);
        assert_int_equal(sink_write(s, &out, "four\n", 5, T0 + 3 * USEC_PER_SEC), 0);
        check_file(p->path, 0, "2026-01-02T03:04:08.000006Z out four\n");
        assert_int_equal(rename(p->path, moved), 0);
        sink_close(s); /* and with one it is at once */
        assert_false(sink_is_open(s));
        assert_int_equal(sink_write(s, &out, "five\n", 5, T0 + 3 * USEC_PER_SEC), 0);
        check_file(p->path, 0, "2026-01-02T03:04:08.000006Z out five\n");
        sink_free(s);
}

/* What a killed logger or a power cut left without its newline is ended before the next line. */
static void test_torn_file(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, 0, 3);

        file_put(p->path, "half a li", 9, 0);
        put(s, &out, "whole\n");
        check_file(p->path, 0, "half a li\n" STAMP0 "out whole\n");
        sink_free(s);
}

static void test_permissions(void **state) {
        SinkOptions o = { .limits = { .keep = 1, .uid = -1, .gid = -1 } };
        Place *p = *state;
        SinkStream out = {};
        Sink *s = NULL;
        char path[256], target[256];
        struct stat st;

        snprintf(path, sizeof(path), "%s/deep/er/x.log", p->dir);
        s = sink_make(path, 0, 1);
        put(s, &out, "x\n");
        sink_free(s);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        snprintf(path, sizeof(path), "%s/deep/er", p->dir);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0750);

        if (geteuid() == 0) {
                o.path = p->path;
                o.limits.uid = 65534;
                o.limits.gid = 65533;
                assert_int_equal(sink_new(&o, &s), 0);
                put(s, &out, "x\n");
                sink_free(s);
                assert_int_equal(stat(p->path, &st), 0);
                assert_int_equal(st.st_uid, 65534);
                assert_int_equal(st.st_gid, 65533);
                unlink(p->path);
        }

        snprintf(target, sizeof(target), "%s/precious", p->dir);
        file_put(target, "", 0, 0);
        assert_int_equal(symlink(target, p->path), 0); /* a service that owns the directory cannot lead us elsewhere */
        s = sink_make(p->path, 0, 1);
        assert_int_equal(sink_write(s, &out, "x\n", 2, T0), -ELOOP);
        check_file(target, 0, "");
        assert_int_equal(unlink(p->path), 0);
        assert_int_equal(mkfifo(p->path, 0600), 0); /* nor make us wait */
        assert_int_equal(sink_write(s, &out, "x\n", 2, T0), -EOPNOTSUPP);
        assert_int_equal(unlink(p->path), 0);
        assert_int_equal(sink_write(s, &out, "x\n", 2, T0), 0);
        check_file(p->path, 0, STAMP0 "out x\n");
        sink_free(s);
}

static void test_rotation_fails(void **state) {
        Place *p = *state;
        SinkStream out = {};
        Sink *s = sink_make(p->path, LINE_COST + 1, 1);
        char name[256];

        snprintf(name, sizeof(name), "%s.1", p->path);
        assert_int_equal(mkdir(name, 0700), 0);
        put(s, &out, "1\n");
        assert_int_equal(sink_rotation_error(s), 0);
        put(s, &out, "2\n");
        assert_int_equal(sink_rotation_error(s), -EISDIR);
        assert_int_equal(sink_rotation_error(s), 0);
        check_file(p->path, 0, STAMP0 "out 1\n" STAMP0 "out 2\n"); /* too large, but nothing is lost */
        assert_int_equal(rmdir(name), 0);
        put(s, &out, "3\n4\n");
        check_file(p->path, 0, STAMP0 "out 4\n");
        check_file(p->path, 1, STAMP0 "out 3\n");
        sink_free(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lines, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_overlapping_runs, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_chunks, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_long_lines, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_rotation_bounds, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_keep, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_rotation_killed, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_full_disk, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_full_disk_whole_lines, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_raw, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_raw_rotation, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_raw_endless_line, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_outside, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_torn_file, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_permissions, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_rotation_fails, place_open, place_close),
        };

        (void) umask(0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
