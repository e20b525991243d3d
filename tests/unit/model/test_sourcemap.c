/* Mappings by hand and at random, against a list of what went into them. */
#include <time.h>

#include "model/sourcemap.h"
#include "unit.inc.h"
#include "../seed.inc.h"

static void expect(const char *mappings, uint32_t line, uint32_t column, int r, uint32_t source, uint32_t l, uint32_t c) {
        SourcePosition p = {};

        assert_int_equal(sourcemap_find(mappings, strlen(mappings), line, column, &p), r);
        if (r > 0) {
                assert_int_equal(p.source, source);
                assert_int_equal(p.line, l);
                assert_int_equal(p.column, c);
        }
}

static void by_hand(void **state) {
        /* Line 0 is empty; line 1: 0 → 0:0:0, 4 → 0:0:8, 9 → nowhere, 12 → 1:16:1; line 2: 2 → 1:15:1. */
        static const char map[] = ";AAAA,IAAQ,K,GCgBPA;EADA";

        expect(map, 0, 0, 0, 0, 0, 0);
        expect(map, 1, 0, 1, 0, 0, 0);
        expect(map, 1, 3, 1, 0, 0, 0);
        expect(map, 1, 4, 1, 0, 0, 8);
        expect(map, 1, 10, 0, 0, 0, 0);
        expect(map, 1, 500, 1, 1, 16, 1);
        expect(map, 2, 1, 0, 0, 0, 0);
        expect(map, 2, 2, 1, 1, 15, 1);
        expect(map, 3, 2, 0, 0, 0, 0);
        expect("", 0, 0, 0, 0, 0, 0);
        expect(",,;,", 1, 0, 0, 0, 0, 0);
}

static void refused(void **state) {
        static const char *const bad[] = { "A*", "AA", "AAA", "AAAAAA", "g", "D", "AAAD", "gggggggggggg", "+++++++A", "AAAA AAAA" };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                expect(bad[i], 0, 0, -EBADMSG, 0, 0, 0);
}

static void put_vlq(Buffer *b, int64_t n) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        uint64_t v = n < 0 ? (uint64_t) -n << 1 | 1 : (uint64_t) n << 1;

        do {
                char c = digits[(v & 31) | (v > 31 ? 32 : 0)];

                assert_int_equal(buffer_append(b, &c, 1), 0);
        } while (v >>= 5);
}

static void at_random(void **state) {
        enum { LINES = 40, SEGMENTS = 8 };
        struct { uint32_t column, source, line, at; } all[LINES][SEGMENTS];
        _cleanup_buffer_ Buffer b = {};
        int64_t last[4] = {};

        srand(test_seed());
        for (unsigned l = 0; l < LINES; l++) {
                last[0] = 0;
                for (unsigned k = 0; k < SEGMENTS; k++) {
                        int64_t now[4] = { last[0] + 1 + rand() % 50, rand() % 9, rand() % 100000, rand() % 1000 };

                        for (unsigned i = 0; i < 4; i++) {
                                put_vlq(&b, now[i] - last[i]);
                                last[i] = now[i];
                        }
                        if (rand() % 2)
                                put_vlq(&b, l + k > 0 ? 0 : 3); /* a name */
                        assert_int_equal(buffer_append(&b, k + 1 < SEGMENTS ? "," : ";", 1), 0);
                        all[l][k] = (typeof(all[0][0])) { (uint32_t) now[0], (uint32_t) now[1], (uint32_t) now[2], (uint32_t) now[3] };
                }
        }
        for (unsigned l = 0; l < LINES; l++) {
                expect(b.data, l, all[l][0].column - 1, 0, 0, 0, 0);
                for (unsigned k = 0; k < SEGMENTS; k++)
                        expect(b.data, l, all[l][k].column, 1, all[l][k].source, all[l][k].line, all[l][k].at);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(by_hand), cmocka_unit_test(refused), cmocka_unit_test(at_random) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
