/* What a datagram of sd_notify says, field by field, and who is heard. */
#include "unit.inc.h"

#include <errno.h>

#include "model/notify.h"

static char text[2 * NOTIFY_STATUS_MAX];

/* The structure points into `text`. */
static NotifyMessage parse(const char *s) {
        NotifyMessage m;

        snprintf(text, sizeof text, "%s", s);
        assert_int_equal(notify_parse(text, strlen(text), &m), 0);
        return m;
}

static void nothing_is_said(void **state) {
        static const char *const empty[] = { "", "\n", "\n\n", "READY", "=1", "X_MINE=1", "ready=1", " READY=1", "READY =1" };

        for (size_t k = 0; k < ARRAY_SIZE(empty); k++) {
                NotifyMessage m = parse(empty[k]);

                assert_int_equal(m.bad, 0);
                assert_false(m.ready || m.reloading || m.stopping || m.ping || m.trigger || m.barrier || m.restart_reset || m.fd_store.store);
                assert_int_equal(m.main_pid, 0);
                assert_int_equal(m.error, -1);
                assert_int_equal(m.access, -1);
                assert_int_equal(m.exit_status, -1);
                assert_null(m.status);
        }
}

static void flags(void **state) {
        NotifyMessage m = parse("READY=1\nRELOADING=1\nSTOPPING=1\nRESTART_RESET=1\nWATCHDOG=1\nMAINPIDFD=1");

        assert_true(m.ready && m.reloading && m.stopping && m.restart_reset && m.ping && m.main_pidfd);
        assert_int_equal(m.assignments, 6);
        m = parse("WATCHDOG=trigger");
        assert_true(m.trigger && !m.ping);
}

static void only_1_is_1(void **state) {
        NotifyMessage m = parse("READY=0\nRELOADING=yes\nSTOPPING=\nRESTART_RESET=11\nWATCHDOG=2\nMAINPIDFD= 1\nBARRIER=0");

        assert_false(m.ready || m.reloading || m.stopping || m.restart_reset || m.ping || m.trigger || m.main_pidfd || m.barrier);
        assert_int_equal(m.bad, 7);
        assert_string_equal(m.first_bad, "READY");
}

static void the_first_counts(void **state) {
        NotifyMessage m = parse("STATUS=a\nSTATUS=b\nMAINPID=5\nMAINPID=6\nREADY=0\nREADY=1");

        assert_string_equal(m.status, "a");
        assert_int_equal(m.main_pid, 5);
        assert_false(m.ready);
}

static void main_pid(void **state) {
        static const char *const bad[] = { "MAINPID=0", "MAINPID=-1", "MAINPID=", "MAINPID=1x", "MAINPID=2147483648", "MAINPIDFDID=0", "MAINPIDFDID=x" };

        assert_int_equal(parse("MAINPID=2147483647").main_pid, INT32_MAX);
        assert_true(parse("MAINPIDFDID=18446744073709551615").main_pidfd_id == UINT64_MAX);
        for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
                NotifyMessage m = parse(bad[k]);

                assert_int_equal(m.bad, 1);
                assert_int_equal(m.main_pid, 0);
                assert_true(m.main_pidfd_id == 0);
        }
}

static void status(void **state) {
        static char longest[NOTIFY_STATUS_MAX + sizeof "STATUS="];

        assert_string_equal(parse("STATUS=").status, "");
        assert_string_equal(parse("STATUS=a=b").status, "a=b");
        assert_string_equal(parse("STATUS=gr\xc3\xbc\xc3\x9f" "e\nREADY=1").status, "gr\xc3\xbc\xc3\x9f" "e");
        assert_null(parse("STATUS=\xff").status);
        assert_null(parse("STATUS=\xc3").status);
        memset(longest, 'x', sizeof longest);
        memcpy(longest, "STATUS=", 7);
        longest[7 + NOTIFY_STATUS_MAX] = '\0';
        assert_non_null(parse(longest).status);
        longest[7 + NOTIFY_STATUS_MAX] = 'x';
        snprintf(text, sizeof text, "%.*sx", 7 + NOTIFY_STATUS_MAX, longest);
        {
                NotifyMessage m;

                assert_int_equal(notify_parse(text, 8 + NOTIFY_STATUS_MAX, &m), 0);
                assert_null(m.status);
        }
}

static void times(void **state) {
        NotifyMessage m = parse("MONOTONIC_USEC=7\nEXTEND_TIMEOUT_USEC=8\nWATCHDOG_USEC=9");

        assert_int_equal(m.monotonic, 7);
        assert_int_equal(m.extend, 8);
        assert_true(m.has_watchdog && m.watchdog == 9);
        m = parse("WATCHDOG_USEC=0");
        assert_true(m.has_watchdog && m.watchdog == 0);
        m = parse("WATCHDOG_USEC=18446744073709551615");
        assert_true(m.has_watchdog && m.watchdog == 0);
        m = parse("WATCHDOG_USEC=10s\nEXTEND_TIMEOUT_USEC=-1\nMONOTONIC_USEC=99999999999999999999");
        assert_int_equal(m.bad, 3);
        assert_false(m.has_watchdog || m.extend || m.monotonic);
}

static void errors(void **state) {
        NotifyMessage m = parse("ERRNO=2\nBUSERROR=org.example.Error_1\nVARLINKERROR=org.ex-ample.1.NotFound\nEXIT_STATUS=255");

        assert_int_equal(m.error, 2);
        assert_string_equal(m.bus_error, "org.example.Error_1");
        assert_string_equal(m.varlink_error, "org.ex-ample.1.NotFound");
        assert_int_equal(m.exit_status, 255);
        assert_int_equal(parse("ERRNO=ENOENT").error, ENOENT);
        assert_int_equal(parse("ERRNO=0").error, 0);
        assert_int_equal(parse("ERRNO=4095").error, 4095);
}

static void errors_that_are_none(void **state) {
        static const char *const bad[] = {
                "ERRNO=-2", "ERRNO=4096", "ERRNO=ENOTHING", "ERRNO=", "BUSERROR=Failed", "BUSERROR=.a.b", "BUSERROR=a..b", "BUSERROR=a.b.", "BUSERROR=a.1b",
                "BUSERROR=a.b-c", "BUSERROR=", "VARLINKERROR=Failed", "VARLINKERROR=a.b.failed", "VARLINKERROR=a.b.Fail-ed", "VARLINKERROR=a.B C", "VARLINKERROR=",
                "EXIT_STATUS=256", "EXIT_STATUS=-1", "EXIT_STATUS=", "NOTIFYACCESS=some", "NOTIFYACCESS=",
        };

        for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
                NotifyMessage m = parse(bad[k]);

                assert_int_equal(m.bad, 1);
                assert_int_equal(m.error, -1);
                assert_int_equal(m.exit_status, -1);
                assert_int_equal(m.access, -1);
                assert_null(m.bus_error);
                assert_null(m.varlink_error);
        }
}

static void barrier(void **state) {
        NotifyMessage m = parse("BARRIER=1");

        assert_true(m.barrier && m.assignments == 1);
        m = parse("BARRIER=1\n");
        assert_true(m.barrier && m.assignments == 1);
        m = parse("X_A=1\nBARRIER=1");
        assert_true(m.barrier && m.assignments == 2);
}

static void descriptors(void **state) {
        NotifyMessage m = parse("FDSTORE=1\nFDNAME=state\nFDPOLL=0");

        assert_true(m.fd_store.store && !m.fd_store.poll && m.fd_store.named);
        assert_string_equal(m.fd_store.name, "state");
}

static void bytes(void **state) {
        NotifyMessage m;

        memcpy(text, "READY=1\0", 8);
        assert_int_equal(notify_parse(text, 8, &m), 0);
        assert_true(m.ready);
        memcpy(text, "READY=1\0\0", 9);
        assert_int_equal(notify_parse(text, 9, &m), -EBADMSG);
        memcpy(text, "A=\0B=1", 6);
        assert_int_equal(notify_parse(text, 6, &m), -EBADMSG);
        text[0] = '\0';
        assert_int_equal(notify_parse(text, 1, &m), 0);
        assert_int_equal(notify_parse(text, 0, &m), 0);
}

static void access_in_force(void **state) {
        ServiceSpec *s = make_spec("default", "a");

        assert_false(spec_notifies(s));
        assert_int_equal(notify_access(s), NOTIFY_ACCESS_NONE);
        set_key(s, "watchdog", "10s");
        assert_true(spec_notifies(s));
        assert_int_equal(notify_access(s), NOTIFY_ACCESS_MAIN);
        set_key(s, "notify_access", "all");
        assert_int_equal(notify_access(s), NOTIFY_ACCESS_ALL);
        set_key(s, "watchdog", "0");
        assert_true(spec_notifies(s));
        set_key(s, "notify_access", "none");
        set_key(s, "ready.by", "notify");
        assert_int_equal(notify_access(s), NOTIFY_ACCESS_MAIN);
        spec_free(s);
}

static void who_is_heard(void **state) {
        static const struct { NotifyAccess access; bool main, control, member; } table[] = {
                { NOTIFY_ACCESS_NONE, false, false, false }, { NOTIFY_ACCESS_MAIN, true, false, false },
                { NOTIFY_ACCESS_EXEC, true, true, false }, { NOTIFY_ACCESS_ALL, true, true, true },
        };

        for (size_t k = 0; k < ARRAY_SIZE(table); k++) {
                assert_int_equal(notify_admits(table[k].access, NOTIFY_FROM_MAIN), table[k].main);
                assert_int_equal(notify_admits(table[k].access, NOTIFY_FROM_CONTROL), table[k].control);
                assert_int_equal(notify_admits(table[k].access, NOTIFY_FROM_MEMBER), table[k].member);
                assert_int_equal(parse(k == 0 ? "NOTIFYACCESS=none" : k == 1 ? "NOTIFYACCESS=main" : k == 2 ? "NOTIFYACCESS=exec" : "NOTIFYACCESS=all").access, k);
                assert_non_null(notify_access_name(table[k].access));
        }
}

static void extended(void **state) {
        assert_int_equal(notify_extended(100, 50, 60), 110);
        assert_int_equal(notify_extended(100, 50, 10), 100);
        assert_int_equal(notify_extended(100, 50, USEC_INFINITY), 100);
        assert_true(notify_extended(USEC_INFINITY, 50, 10) == USEC_INFINITY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_said), cmocka_unit_test(flags), cmocka_unit_test(only_1_is_1), cmocka_unit_test(the_first_counts),
                cmocka_unit_test(main_pid), cmocka_unit_test(status), cmocka_unit_test(times), cmocka_unit_test(errors), cmocka_unit_test(errors_that_are_none),
                cmocka_unit_test(barrier), cmocka_unit_test(descriptors), cmocka_unit_test(bytes), cmocka_unit_test(access_in_force),
                cmocka_unit_test(who_is_heard), cmocka_unit_test(extended),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
