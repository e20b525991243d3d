/* Parsing of messages, the getters, the byte queue and the cutting into frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <cmocka.h>

#include "base/text.h"
#include "varlink/frame.h"
#include "varlink/varlink.h"
#include "../seed.inc.h"

static int parse(const char *s) {
        _cleanup_json_ json_object *o = NULL;

        return varlink_parse(s, strlen(s), &o);
}

static void accepts_objects_only(void **state) {
        assert_int_equal(parse("{}"), 0);
        assert_int_equal(parse("{\"a\":[1,2,{\"b\":null}]} \n"), 0);
        assert_int_equal(parse("{\"\u00e9\":\"\u20ac\"}"), 0);
        static const char *const bad[] = {
                "",
                " ",
                "null",
                "[]",
                "1",
                "\"x\"",
                "{",
                "{}{}",
                "{} x",
                "{\"a\":}",
                "{\"a\" 1}",
                "{a:1}",
                "{\"a\":1,}",
                "{\"a\":\"\xff\"}",
                "{\"a\":\"\xc0\xaf\"}",
                "{\"a\":\"\xed\xa0\x80\"}",
                "{\"a\":tru}",
                "{\"a\":\"x",
                "/* c */ {}",
        };
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse(bad[i]) != -EBADMSG)
                        fail_msg("accepted: %s", bad[i]);
}

static void depth_is_limited(void **state) {
        char text[4 * VARLINK_DEPTH_MAX * 8];

        for (int depth = 1; depth <= VARLINK_DEPTH_MAX * 3; depth++) {
                int n = 0;

                for (int i = 0; i < depth; i++)
                        n += sprintf(text + n, i ? "[" : "{\"a\":");
                for (int i = depth - 1; i >= 0; i--)
                        n += sprintf(text + n, i ? "]" : "}");
                if (depth == 1)
                        strcpy(text, "{}");
                assert_int_equal(parse(text), depth <= VARLINK_DEPTH_MAX ? 0 : -EBADMSG);
        }
}

/* json-c 0.16 cuts what does not fit, 0.18 refuses the message: here it is a number that no field takes. Digits in strings are left alone. */
static void integers_beyond_64_bits(void **state) {
        static const struct {
                const char *number;
                json_type type;
        } cases[] = {
                { "9223372036854775807", json_type_int },   { "-9223372036854775808", json_type_int },
                { "18446744073709551615", json_type_int },  { "18446744073709551616", json_type_double },
                { "-9223372036854775809", json_type_double }, { "1180591620717411303424", json_type_double },
                { "99999999999999999999e1", json_type_double }, { "12345678901234567890123.5", json_type_double },
                { "0.12345678901234567890123", json_type_double }, { "\"18446744073709551616\"", json_type_string },
                { "\"\\\"18446744073709551616\"", json_type_string }, { "\"\u00e918446744073709551616\"", json_type_string },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = text_printf("{\"a\":[%s],\"b\":%s}", cases[i].number, cases[i].number);
                _cleanup_json_ json_object *o = NULL;
                json_object *b = NULL;

                assert_int_equal(varlink_parse(text, strlen(text), &o), 0);
                assert_true(json_object_object_get_ex(o, "b", &b));
                assert_int_equal(json_object_get_type(b), cases[i].type);
                if (cases[i].type == json_type_string)
                        assert_non_null(strstr(json_object_get_string(b), "18446744073709551616"));
        }
        assert_int_equal(parse("{\"a\":\\18446744073709551616}"), -EBADMSG);
        assert_int_equal(parse("{\"a\":18446744073709551616"), -EBADMSG);
}

static void getters_check_types(void **state) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_error_ KlError e = {};
        const char *text = "{\"s\":\"x\",\"b\":true,\"n\":7,\"neg\":-1,\"big\":18446744073709551615,\"f\":1.5,\"z\":null,\"l\":[1],\"o\":{}"
                           ",\"nul\":\"a\\u0000b\"}";
        const char *s = "kept";
        uint64_t n = 42;
        bool b = false;
        json_object *v = NULL;

        assert_int_equal(varlink_parse(text, strlen(text), &o), 0);
        assert_int_equal(json_get_string(o, "absent", &s, &e), 0);
        assert_int_equal(json_get_string(o, "z", &s, &e), 0);
        assert_string_equal(s, "kept");
        assert_int_equal(json_get_u64(o, "z", &n, &e), 0);
        assert_int_equal(n, 42);
        assert_int_equal(json_get_string(o, "s", &s, &e), 0);
        assert_string_equal(s, "x");
        assert_int_equal(json_get_bool(o, "b", &b, &e), 0);
        assert_true(b);
        assert_int_equal(json_get_u64(o, "n", &n, &e), 0);
        assert_int_equal(n, 7);
        assert_int_equal(json_get_u64(o, "big", &n, &e), 0);
        assert_true(n == UINT64_MAX);
        assert_int_equal(json_get_array(o, "l", &v, &e), 0);
        assert_int_equal(json_object_array_length(v), 1);
        assert_int_equal(json_get_object(o, "o", &v, &e), 0);
        assert_null(e.id);
        assert_int_equal(json_get_u64(o, "neg", &n, &e), -EINVAL);
        assert_string_equal(e.id, KL_E_INVALID);
        assert_non_null(strstr(e.message, "neg"));
        assert_int_equal(json_get_u64(o, "f", &n, NULL), -EINVAL);
        assert_int_equal(json_get_string(o, "nul", &s, NULL), -EINVAL);
        assert_int_equal(json_get_string(o, "n", &s, NULL), -EINVAL);
        assert_int_equal(json_get_bool(o, "n", &b, NULL), -EINVAL);
        assert_int_equal(json_get_array(o, "o", &v, NULL), -EINVAL);
        assert_int_equal(json_get_object(o, "l", &v, NULL), -EINVAL);
}

static void adding_consumes(void **state) {
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *v = json_object_new_int(1);

        assert_int_equal(json_add(o, "a", json_object_get(v)), 0);
        assert_int_equal(json_add(NULL, "a", json_object_get(v)), -ENOMEM);
        assert_int_equal(json_add(o, "b", NULL), -ENOMEM);
        assert_int_equal(json_add_string(o, "c", NULL), 0);
        assert_int_equal(json_object_object_length(o), 1);
        assert_int_equal(json_object_put(v), 0); /* one reference is left, that of the object */
}

static void queue_keeps_order_and_gives_memory_back(void **state) {
        unsigned seed = test_seed();
        uint8_t in = 0, out = 0;
        ByteQueue q = {};

        for (int i = 0; i < 20000; i++) {
                size_t n = (size_t) (rand_r(&seed) % 700);
                uint8_t bytes[700];

                if (rand_r(&seed) % 2) {
                        for (size_t k = 0; k < n; k++)
                                bytes[k] = in++;
                        assert_int_equal(byte_queue_append(&q, bytes, n), 0);
                } else {
                        n = MIN(n, byte_queue_size(&q));
                        for (size_t k = 0; k < n; k++)
                                assert_int_equal((uint8_t) q.data[q.head + k], out++);
                        byte_queue_drop(&q, n);
                }
                assert_true(q.allocated <= 2 * byte_queue_size(&q) + 256 * 1024);
        }
        byte_queue_drop(&q, SIZE_MAX);
        assert_true(q.allocated <= 4096);
        byte_queue_done(&q);
}

static void foreign_bytes_become_replacement_characters(void **state) {
        _cleanup_json_ json_object *o = json_object_new_object(), *back = NULL;
        const char *s = NULL;
        ByteQueue q = {};

        assert_int_equal(json_add_string(o, "m", "caf\xe9 \xc3\xa9 \xff"), 0);
        assert_int_equal(byte_queue_append_message(&q, o, 1000), 0);
        assert_int_equal(varlink_parse(q.data, byte_queue_size(&q) - 1, &back), 0);
        assert_int_equal(json_get_string(back, "m", &s, NULL), 0);
        assert_string_equal(s, "caf\xEF\xBF\xBD \xc3\xa9 \xEF\xBF\xBD");
        byte_queue_drop(&q, byte_queue_size(&q));
        assert_int_equal(byte_queue_append_message(&q, o, 5), -EMSGSIZE);
        assert_int_equal(byte_queue_size(&q), 0);
        byte_queue_done(&q);
}

/* Whatever the pieces in which bytes arrive, the same messages come out. */
static void frames_do_not_depend_on_pieces(void **state) {
        static const char stream[] = "one\0\0three is longer\0four";
        int fds[2];

        for (size_t piece = 1; piece <= sizeof(stream) - 1; piece++) {
                FrameReader f = { .max = 100 };
                char got[100] = "";
                const char *m;
                size_t n;

                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
                assert_int_equal(frame_reader_fill(&f, fds[0]), -EAGAIN);
                for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
                        size_t k = MIN(piece, sizeof(stream) - 1 - at);

                        assert_int_equal(write(fds[1], stream + at, k), k);
                        assert_int_equal(frame_reader_fill(&f, fds[0]), k);
                        while (frame_reader_peek(&f, &m, &n) > 0) {
                                snprintf(got + strlen(got), sizeof(got) - strlen(got), "<%.*s>", (int) n, m);
                                frame_reader_drop(&f, n);
                        }
                }
                assert_string_equal(got, "<one><><three is longer>");
                close(fds[1]);
                assert_int_equal(frame_reader_fill(&f, fds[0]), 0);
                close(fds[0]);
                frame_reader_done(&f);
        }
}

static void frames_have_a_limit(void **state) {
        FrameReader f = { .max = 4 };
        const char *m;
        size_t n;

        assert_int_equal(byte_queue_append(&f.bytes, "1234", 5), 0);
        assert_int_equal(frame_reader_peek(&f, &m, &n), 1);
        frame_reader_drop(&f, n);
        assert_int_equal(byte_queue_append(&f.bytes, "12345", 6), 0);
        assert_int_equal(frame_reader_peek(&f, &m, &n), -EMSGSIZE);
        frame_reader_done(&f);
        assert_int_equal(byte_queue_append(&f.bytes, "12345", 5), 0);
        assert_int_equal(frame_reader_peek(&f, &m, &n), -EMSGSIZE);
        frame_reader_done(&f);
}

/* As it is and as JSON escapes it; in names, values and beyond the basic plane. Outside of strings it is no JSON. */
static void text_beyond_ascii_is_kept(void **state) {
        static const char text[] = "{\"gr\u00f6\u00dfe \u2014 \U0001f40e\":\"\u65e5\u672c \\u00e9 \x7f \xc2\x80 \uffff \U0010ffff\"}";
        json_object *o, *v;

        assert_int_equal(varlink_parse(text, strlen(text), &o), 0);
        assert_true(json_object_object_get_ex(o, "gr\u00f6\u00dfe \u2014 \U0001f40e", &v));
        assert_string_equal(json_object_get_string(v), "\u65e5\u672c \u00e9 \x7f \xc2\x80 \uffff \U0010ffff");
        json_object_put(o);
        assert_int_equal(varlink_parse("{\"a\":\u00e9}", strlen("{\"a\":\u00e9}"), &o), -EBADMSG);
        assert_int_equal(varlink_parse("\u00e9", 2, &o), -EBADMSG);
        assert_int_equal(varlink_parse("{\"a\":\"\\\u00e9\"}", strlen("{\"a\":\"\\\u00e9\"}"), &o), -EBADMSG);
        assert_int_equal(varlink_parse("{\"a\":\"\\\\\u00e9\"}", strlen("{\"a\":\"\\\\\u00e9\"}"), &o), 0);
        assert_true(json_object_object_get_ex(o, "a", &v));
        assert_string_equal(json_object_get_string(v), "\\\u00e9");
        json_object_put(o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_beyond_ascii_is_kept),
                cmocka_unit_test(accepts_objects_only),
                cmocka_unit_test(depth_is_limited),
                cmocka_unit_test(integers_beyond_64_bits),
                cmocka_unit_test(getters_check_types),
                cmocka_unit_test(adding_consumes),
                cmocka_unit_test(queue_keeps_order_and_gives_memory_back),
                cmocka_unit_test(foreign_bytes_become_replacement_characters),
                cmocka_unit_test(frames_do_not_depend_on_pieces),
                cmocka_unit_test(frames_have_a_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
