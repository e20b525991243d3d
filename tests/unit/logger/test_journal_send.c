/* Entries against a socket that plays journald, and the files of fields. */
#include "place.inc.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "logger/journal_fields.h"
#include "logger/journal_send.h"

static int listen_at(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        strcpy(a.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        return fd;
}

static void test_entry(void **state) {
        static const char expected[] = "MESSAGE\n\x07\0\0\0\0\0\0\0two\nown\nPRIORITY=6\nEMPTY=\n";
        _cleanup_buffer_ Buffer b = {};
        Place *p = *state;
        JournalSender s;
        char got[256];
        int journald;

        assert_int_equal(journal_field(&b, "MESSAGE", "two\nown", 7), 0);
        assert_int_equal(journal_field_printf(&b, "PRIORITY", "%d", 6), 0);
        assert_int_equal(journal_field(&b, "EMPTY", "", 0), 0);
        assert_int_equal(b.size, sizeof(expected) - 1);
        assert_memory_equal(b.data, expected, b.size);

        assert_int_equal(journal_sender_init(&s, p->path), 0);
        assert_int_equal(journal_send(&s, &b), -ENOENT);
        journald = listen_at(p->path);
        assert_int_equal(journal_send(&s, &b), 0);
        assert_int_equal(recv(journald, got, sizeof(got), MSG_DONTWAIT), sizeof(expected) - 1);
        assert_memory_equal(got, expected, sizeof(expected) - 1);
        close(journald);
        assert_int_equal(journal_send(&s, &b), -ECONNREFUSED);
        assert_int_equal(unlink(p->path), 0);
        journald = listen_at(p->path); /* it has been restarted: no need to say so */
        assert_int_equal(journal_send(&s, &b), 0);
        assert_int_equal(recv(journald, got, sizeof(got), MSG_DONTWAIT), sizeof(expected) - 1);
        assert_int_equal(s.dropped, 2);
        close(journald);
        journal_sender_done(&s);
}

/* Nobody reads: what does not fit is counted, and nothing waits. */
static void test_never_waits(void **state) {
        _cleanup_buffer_ Buffer b = {};
        Place *p = *state;
        int journald = listen_at(p->path), r = 0;
        JournalSender s;
        unsigned n = 0;

        assert_int_equal(journal_field(&b, "MESSAGE", "x", 1), 0);
        assert_int_equal(journal_sender_init(&s, p->path), 0);
        while (n < 1000000 && (r = journal_send(&s, &b)) == 0)
                n++;
        assert_true(n > 0);
        assert_int_equal(r, -EAGAIN);
        assert_int_equal(journal_send(&s, &b), -EAGAIN);
        assert_int_equal(s.dropped, 2);
        close(journald);
        journal_sender_done(&s);
}

static char *file_in(const Place *p, const char *name) {
        char *path = text_printf("%s/%s", p->dir, name);

        assert_non_null(path);
        return path;
}

static void touch(const Place *p, const char *name) {
        _cleanup_free_ char *path = file_in(p, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        close(fd);
}

static bool there(const Place *p, const char *name) {
        _cleanup_free_ char *path = file_in(p, name);

        return access(path, F_OK) >= 0;
}

static void test_fields(void **state) {
        static const char expected[] = "\x12\0\0\0\0\0\0\0KINGLY_SERVICE=web\x11\0\0\0\0\0\0\0KINGLY_INSTANCE=3";
        static const char *const fields[] = { "KINGLY_SERVICE=web", "KINGLY_INSTANCE=3", NULL };
        const Place *p = *state;
        _cleanup_free_ char *path = file_in(p, "log-extra-fields:kingly-web-3-1.scope");
        char got[128];
        ssize_t n;
        int fd;

        assert_int_equal(journal_fields_write(p->dir, "kingly-web-3-1.scope", fields), 0);
        assert_int_equal(journal_fields_write(p->dir, "kingly-web-3-1.scope", fields), 0);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        n = read(fd, got, sizeof(got));
        close(fd);
        assert_int_equal(n, sizeof(expected) - 1);
        assert_memory_equal(got, expected, sizeof(expected) - 1);
        assert_false(there(p, ".#log-extra-fields:kingly-web-3-1.scope"));
        assert_int_equal(journal_fields_write("/nonexistent", "kingly-web-3-1.scope", fields), -ENOENT);

        touch(p, "log-extra-fields:nginx.service");
        touch(p, "log-extra-fields:kingly-alive-0-1.scope");
        touch(p, "invocation:kingly-alive-0-1.scope");
        touch(p, "log-extra-fields:kingly-mine.service");
        journal_fields_sweep(p->dir);
        assert_false(there(p, "log-extra-fields:kingly-web-3-1.scope"));
        assert_true(there(p, "log-extra-fields:nginx.service"));
        assert_true(there(p, "log-extra-fields:kingly-mine.service"));
        assert_true(there(p, "log-extra-fields:kingly-alive-0-1.scope"));
        journal_fields_remove(p->dir, "kingly-alive-0-1.scope");
        assert_false(there(p, "log-extra-fields:kingly-alive-0-1.scope"));
        journal_fields_sweep("/nonexistent");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_entry, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_never_waits, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_fields, place_open, place_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
