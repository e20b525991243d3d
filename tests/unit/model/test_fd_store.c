/* Orders to the fd store: what a message asks for, which names are good, and how long descriptors are kept. */
#include "unit.inc.h"

#include "model/fd_store.h"

static void test_names(void **state) {
        char longest[FD_STORE_NAME_MAX + 2];

        assert_true(fd_store_name_valid(""));
        assert_true(fd_store_name_valid("conn-17 of alice@host"));
        assert_false(fd_store_name_valid("a:b"));
        assert_false(fd_store_name_valid("a\tb"));
        assert_false(fd_store_name_valid("a\177"));
        assert_false(fd_store_name_valid("gr\xc3\xbc\xc3\x9f"));
        memset(longest, 'x', sizeof longest);
        longest[FD_STORE_NAME_MAX] = 0;
        assert_true(fd_store_name_valid(longest));
        longest[FD_STORE_NAME_MAX] = 'x';
        longest[FD_STORE_NAME_MAX + 1] = 0;
        assert_false(fd_store_name_valid(longest));
}

static void test_orders(void **state) {
        static const struct {
                const char *text;
                bool store, remove, poll, named;
                const char *name;
        } cases[] = {
                { "", false, false, true, false, "stored" },
                { "FDSTORE=1", true, false, true, false, "stored" },
                { "FDSTORE=1\nFDNAME=a", true, false, true, true, "a" },
                { "FDNAME=a\nFDPOLL=0\nFDSTORE=1\n", true, false, false, true, "a" },
                { "READY=1\nFDSTORE=1", true, false, true, false, "stored" },
                { "FDSTORE=1\nFDNAME=a\nFDNAME=b", true, false, true, true, "a" },
                { "FDSTORE=1\nFDNAME=a:b\nFDNAME=b", true, false, true, false, "stored" },
                { "FDSTORE=1\nFDNAME=", true, false, true, true, "" },
                { "FDSTORE=0", false, false, true, false, "stored" },
                { "FDSTORE=11", false, false, true, false, "stored" },
                { "XFDSTORE=1", false, false, true, false, "stored" },
                { "FDSTORE", false, false, true, false, "stored" },
                { "FDPOLL=1\nFDSTORE=1", true, false, true, false, "stored" },
                { "FDSTOREREMOVE=1", false, true, true, false, "stored" },
                { "FDSTOREREMOVE=1\nFDNAME=a", false, true, true, true, "a" },
                { "FDSTOREREMOVE=1\nFDSTORE=1\nFDNAME=a", true, true, true, true, "a" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                FdStoreOrder o;

                fd_store_read(cases[k].text, &o);
                assert_int_equal(o.store, cases[k].store);
                assert_int_equal(o.remove, cases[k].remove);
                assert_int_equal(o.poll, cases[k].poll);
                assert_int_equal(o.named, cases[k].named);
                assert_string_equal(o.name, cases[k].name);
        }
}

static void test_name_too_long(void **state) {
        char text[512] = "FDSTORE=1\nFDNAME=";
        FdStoreOrder o;

        memset(text + strlen(text), 'n', FD_STORE_NAME_MAX + 1);
        fd_store_read(text, &o);
        assert_true(o.store);
        assert_false(o.named);
        assert_string_equal(o.name, FD_STORE_NAME);
}

static void test_kept(void **state) {
        /* alive; between two runs; stopped */
        assert_true(fd_store_kept(FD_STORE_PRESERVE_NO, true, false));
        assert_false(fd_store_kept(FD_STORE_PRESERVE_NO, false, false));
        assert_false(fd_store_kept(FD_STORE_PRESERVE_NO, false, true));
        assert_true(fd_store_kept(FD_STORE_PRESERVE_RESTART, true, false));
        assert_true(fd_store_kept(FD_STORE_PRESERVE_RESTART, false, false));
        assert_false(fd_store_kept(FD_STORE_PRESERVE_RESTART, false, true));
        assert_true(fd_store_kept(FD_STORE_PRESERVE_YES, false, true));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_orders),
                cmocka_unit_test(test_name_too_long),
                cmocka_unit_test(test_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
