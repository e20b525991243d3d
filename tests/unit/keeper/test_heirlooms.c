/* What is packed is what is unpacked, by the one who executes and by the one who stays; what makes no sense is left out. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/fd.h"
#include "keeper/candidate.h"
#include "keeper/heirlooms.h"

static Held held(const char *name, bool stored) {
        Held h = { .fd = memfd_create("test", MFD_CLOEXEC), .stored = stored };

        assert_true(h.fd > STDERR_FILENO);
        snprintf(h.name, sizeof(h.name), "%s", name);
        return h;
}

static bool inherited(int fd) {
        return !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_there(void **state) {
        Held items[] = { held("api", true), held(HEIRLOOM_LOG "0000000000000001-0", false), held("lock", true) }, *got;
        size_t n;

        assert_int_equal(heirlooms_pack(items, ARRAY_SIZE(items)), 0);
        for (size_t i = 0; i < ARRAY_SIZE(items); i++)
                assert_true(inherited(items[i].fd));
        assert_int_equal(heirlooms_from_environment(&got, &n), 1);
        assert_int_equal(n, ARRAY_SIZE(items));
        for (size_t i = 0; i < n; i++) {
                assert_string_equal(got[i].name, items[i].name);
                assert_int_equal(got[i].fd, items[i].fd);
                assert_int_equal(got[i].stored, items[i].stored);
                assert_false(inherited(items[i].fd));
                fd_close(items[i].fd);
        }
        assert_null(getenv("KINGLY_HEIRLOOMS"));
        free(got);
        assert_int_equal(heirlooms_from_environment(&got, &n), 0);
        assert_int_equal(n, 0);
        free(got);
}

static void test_and_back(void **state) {
        Held item = held("api", true), *got;
        size_t n;
        int list;

        assert_int_equal(heirlooms_pack(&item, 1), 0);
        list = atoi(getenv("KINGLY_HEIRLOOMS"));
        heirlooms_keep(&item, 1);
        assert_false(inherited(item.fd));
        assert_null(getenv("KINGLY_HEIRLOOMS"));
        assert_int_equal(fcntl(list, F_GETFD), -1);
        assert_int_equal(heirlooms_from_environment(&got, &n), 0);
        free(got);
        fd_close(item.fd);
}

/* Bytes as another program may have left them: how many items come of them. */
static size_t unpacked(const void *bytes, size_t size) {
        int fd = memfd_create("test", 0);
        char text[16];
        Held *got;
        size_t n;

        assert_int_equal(fd_write_all(fd, bytes, size), 0);
        snprintf(text, sizeof(text), "%i", fd);
        setenv("KINGLY_HEIRLOOMS", text, true);
        assert_int_equal(heirlooms_from_environment(&got, &n), 1);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        free(got);
        return n;
}

static void test_nonsense(void **state) {
        Held good = held("api", true), bad = good;

        assert_int_equal(unpacked(&good, sizeof(good)), 1);
        assert_int_equal(unpacked(&good, sizeof(good) - 1), 0);
        assert_int_equal(unpacked("", 0), 0);
        memset(bad.name, 'x', sizeof(bad.name));
        assert_int_equal(unpacked(&bad, sizeof(bad)), 0);
        bad = good;
        bad.fd = STDERR_FILENO;
        assert_int_equal(unpacked(&bad, sizeof(bad)), 0);
        bad.fd = 100000;
        assert_int_equal(unpacked(&bad, sizeof(bad)), 0);
        bad = good;
        memset(&bad.stored, 7, sizeof(bad.stored));
        assert_int_equal(unpacked(&bad, sizeof(bad)), 0);
        setenv("KINGLY_HEIRLOOMS", "no number", true);
        fd_close(good.fd);
}

static void test_a_candidate_is_asked_by_a_kingd(void **state) {
        assert_int_equal(candidate_run(), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_there),
                cmocka_unit_test(test_and_back),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_a_candidate_is_asked_by_a_kingd),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
