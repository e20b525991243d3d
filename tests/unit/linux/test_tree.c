/* A watched tree: what is told of files that come, go, move and are written, at any depth. Events are waited for, never slept for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/span.h"
#include "base/text.h"
#include "linux/tree.h"

typedef struct World {
        char root[64];
        Tree *tree;
        char told[4096];       /* "path|path|" */
} World;

static bool on_ignore(void *userdata, const char *path, bool directory) {
        return strstr(path, "ignored") != NULL;
}

static void on_changed(void *userdata, const char *path) {
        World *w = userdata;

        if (strlen(w->told) + strlen(path) + 2 < sizeof w->told)
                sprintf(w->told + strlen(w->told), "%s|", path);
}

static int setup(void **state) {
        World *w = calloc(1, sizeof(World));

        strcpy(w->root, "/tmp/kingly-test-XXXXXX");
        assert_non_null(mkdtemp(w->root));
        *state = w;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        World *w = *state;

        tree_free(w->tree);
        (void) nftw(w->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(w);
        return 0;
}

static char *at(World *w, const char *path) {
        static char buf[4][4096];
        static unsigned n;

        snprintf(buf[++n % 4], sizeof buf[0], "%s/%s", w->root, path);
        return buf[n % 4];
}

static void make(World *w, const char *directory) {
        assert_int_equal(mkdir(at(w, directory), 0755), 0);
}

static void put(World *w, const char *path) {
        int fd = open(at(w, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
}

static void scan(World *w) {
        int r;

        while ((r = tree_scan(w->tree, 2)) > 0)
                ;
        assert_int_equal(r, 0);
}

static void begin(World *w, const char *path) {
        TreeCallbacks callbacks = { on_ignore, on_changed, w };

        assert_int_equal(tree_new(*path ? at(w, path) : w->root, &callbacks, &w->tree), 0);
        scan(w);
        assert_string_equal(w->told, "");
}

/* Until something of that name is told. */
static void expect(World *w, const char *path) {
        usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;
        _cleanup_free_ char *word = text_printf("%s|", path);

        while (!strstr(w->told, word)) {
                struct pollfd p = { .fd = tree_fd(w->tree), .events = POLLIN };

                if (now_usec(CLOCK_MONOTONIC) > end)
                        fail_msg("%s is not told, but: %s", path, w->told);
                (void) poll(&p, 1, 100);
                if (tree_process(w->tree) > 0)
                        scan(w);
        }
        w->told[0] = '\0';
}

static void test_files_at_any_depth(void **state) {
        World *w = *state;

        make(w, "a");
        make(w, "a/b");
        put(w, "a/b/old");
        begin(w, "");
        assert_int_equal(tree_watches(w->tree), 3);
        put(w, "a/b/new");
        expect(w, "a/b/new");
        put(w, "a/b/old");
        expect(w, "a/b/old");
        assert_int_equal(unlink(at(w, "a/b/old")), 0);
        expect(w, "a/b/old");
        assert_int_equal(rename(at(w, "a/b/new"), at(w, "top")), 0);
        expect(w, "top");
}

static void test_directories_that_come_with_content(void **state) {
        World *w = *state;

        begin(w, "");
        make(w, "d");
        make(w, "d/e");
        put(w, "d/e/f");
        expect(w, "d/e/f");
        put(w, "d/e/g");
        expect(w, "d/e/g");
}

static void test_directories_that_move(void **state) {
        World *w = *state;

        make(w, "a");
        make(w, "a/sub");
        make(w, "b");
        begin(w, "");
        assert_int_equal(rename(at(w, "a"), at(w, "b/a")), 0);
        expect(w, "b/a");
        put(w, "b/a/sub/file");
        expect(w, "b/a/sub/file");
        assert_int_equal(tree_watches(w->tree), 4);
}

static void test_ignored(void **state) {
        World *w = *state;

        make(w, "ignored");
        make(w, "ignored/deep");
        begin(w, "");
        assert_int_equal(tree_watches(w->tree), 1);
        put(w, "ignored/deep/file");
        put(w, "ignored.txt");
        make(w, "more-ignored");
        put(w, "seen");
        expect(w, "seen");
        assert_int_equal(tree_watches(w->tree), 1);
}

static void test_one_file(void **state) {
        World *w = *state;

        put(w, "config");
        put(w, "other");
        begin(w, "config");
        put(w, "other");
        put(w, "config.new");
        assert_int_equal(rename(at(w, "config.new"), at(w, "config")), 0);
        expect(w, "config");
}

static void test_the_root_goes(void **state) {
        World *w = *state;
        usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;
        int r;

        make(w, "root");
        begin(w, "root");
        assert_int_equal(rmdir(at(w, "root")), 0);
        while ((r = tree_process(w->tree)) >= 0)
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
        assert_int_equal(r, -EIDRM);
}

static void test_no_such_root(void **state) {
        TreeCallbacks callbacks = { on_ignore, on_changed, *state };
        Tree *t = NULL;

        assert_int_equal(tree_new("/nonexistent/root", &callbacks, &t), -ENOENT);
        assert_null(t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_files_at_any_depth, setup, teardown),
                cmocka_unit_test_setup_teardown(test_directories_that_come_with_content, setup, teardown),
                cmocka_unit_test_setup_teardown(test_directories_that_move, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ignored, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_root_goes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_such_root, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
