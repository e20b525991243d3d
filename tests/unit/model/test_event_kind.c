/* The table of kinds: what journalctl and scripts rely on. */
#include "unit.inc.h"

#include <ctype.h>
#include <syslog.h>

#include "model/event_kind.h"

static void test_each_kind_is_whole(void **state) {
        for (EventKind k = 0; k < _EVENT_KIND_MAX; k++) {
                const EventInfo *e = event_info(k);

                assert_non_null(e->name);
                assert_int_equal(strlen(e->id), 32);
                for (const char *p = e->id; *p; p++)
                        assert_true(isdigit((unsigned char) *p) || (*p >= 'a' && *p <= 'f'));
                assert_true(e->priority >= LOG_ERR && e->priority <= LOG_INFO);
                assert_null(strchr(e->subject, '\n'));
                assert_true(strlen(e->text) > 20 && !strchr(e->text, '\n'));
        }
}

static void test_none_stands_for_another(void **state) {
        for (EventKind a = 0; a < _EVENT_KIND_MAX; a++)
                for (EventKind b = 0; b < a; b++) {
                        assert_string_not_equal(event_info(a)->name, event_info(b)->name);
                        assert_string_not_equal(event_info(a)->id, event_info(b)->id);
                }
}

/* They are out in the world: scripts and alerts match them. */
static void test_ids_do_not_change(void **state) {
        assert_string_equal(event_info(EVENT_STARTED)->id, "4d83fe5ec6e14f4fbaabcf9ba334826d");
        assert_string_equal(event_info(EVENT_EXITED)->id, "515d42be84314018958c2763c831ca75");
        assert_string_equal(event_info(EVENT_OOM)->id, "ecaaf91d789c448fb9cd46ef2d49ce6d");
        assert_string_equal(event_info(EVENT_EXITED)->name, "exited");
        assert_string_equal(event_info(EVENT_STOPPED_OUTSIDE)->name, "stopped-outside");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_kind_is_whole),
                cmocka_unit_test(test_none_stands_for_another),
                cmocka_unit_test(test_ids_do_not_change),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
