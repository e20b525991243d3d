/* error.c, strv.c, text.c, span.c: pure functions on text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"
#include "../seed.inc.h"

static void error_is_replaced_and_wrapped(void **state) {
        _cleanup_error_ KlError e = {};

        kl_error_hint(&e, "too early");
        assert_null(e.hint);
        assert_int_equal(kl_error_set(&e, -ENOENT, KL_E_NOT_FOUND, "web: %s", "no such service"), -ENOENT);
        kl_error_hint(&e, "try %s", "kingctl list");
        assert_string_equal(e.hint, "try kingctl list");
        /* The old message is an argument of the new one. */
        assert_int_equal(kl_error_set(&e, -EIO, KL_E_FAILED, "apply: %s", e.message), -EIO);
        assert_string_equal(e.message, "apply: web: no such service");
        assert_string_equal(e.id, KL_E_FAILED);
        assert_null(e.hint);
        assert_int_equal(kl_error_set(NULL, -EIO, KL_E_FAILED, "nobody listens"), -EIO);
        kl_error_hint(NULL, "nobody listens");
        kl_error_done(NULL);
}

static void error_exit_statuses(void **state) {
        assert_int_equal(kl_error_exit_status(NULL), 0);
        assert_int_equal(kl_error_exit_status(KL_E_FAILED), 1);
        assert_int_equal(kl_error_exit_status(KL_E_INVALID), 2);
        assert_int_equal(kl_error_exit_status(KL_E_NOT_FOUND), 3);
        assert_int_equal(kl_error_exit_status(KL_E_NO_DAEMON), 4);
        assert_int_equal(kl_error_exit_status(KL_E_PERMISSION), 5);
        assert_int_equal(kl_error_exit_status(KL_E_TIMEOUT), 6);
        assert_int_equal(kl_error_exit_status(KL_E_BUSY), 1);
        assert_int_equal(kl_error_exit_status("SomethingNew"), 1);
}

static void strv_basics(void **state) {
        _cleanup_strv_ char **l = NULL, **copy = NULL, **empty = NULL;
        _cleanup_free_ char *joined = NULL, *nothing = NULL;

        assert_int_equal(strv_length(NULL), 0);
        assert_int_equal(strv_append(&l, "a"), 0);
        assert_int_equal(strv_append(&l, ""), 0);
        assert_int_equal(strv_consume(&l, strdup("c")), 0);
        assert_int_equal(strv_consume(&l, NULL), -ENOMEM);
        assert_int_equal(strv_length(l), 3);
        copy = strv_copy(l);
        assert_true(strv_equal(l, copy));
        free(copy[1]);
        copy[1] = strdup("b");
        assert_false(strv_equal(l, copy));
        assert_true(strv_contains(copy, "b"));
        assert_false(strv_contains(l, "b"));
        joined = strv_join(copy, ", ");
        assert_string_equal(joined, "a, b, c");
        nothing = strv_join(NULL, ", ");
        assert_string_equal(nothing, "");
        empty = strv_copy(NULL);
        assert_non_null(empty);
        assert_true(strv_equal(empty, NULL));
}

static void commands_are_split_like_a_shell(void **state) {
        static const struct {
                const char *line, *words; /* joined by '|' */
        } good[] = {
                { "", "" },
                { "  \t ", "" },
                { "node server.js", "node|server.js" },
                { "  a\tb\nc  ", "a|b|c" },
                { "a ''  \"\" b", "a|||b" },
                { "'single \"quoted\" $HOME \\'", "single \"quoted\" $HOME \\" },
                { "\"double 'quoted' \\\"x\\\" \\$HOME \\n\"", "double 'quoted' \"x\" $HOME \\n" },
                { "a\\ b 'c'd\"e\"", "a b|cde" },
                { "a\\\nb", "ab" },
                { "\\\n", "" },
                { "\"a\\\nb\"", "ab" },
                { "sh -c 'echo \"$1\" | wc' x", "sh|-c|echo \"$1\" | wc|x" },
        };
        static const char *const bad[] = { "'open", "\"open", "trailing\\", "a \"b\\\"", "'a' \"" };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _cleanup_strv_ char **l = NULL;
                _cleanup_free_ char *joined = NULL;

                assert_int_equal(strv_split_command(good[i].line, &l), 0);
                joined = strv_join(l, "|");
                assert_string_equal(joined, good[i].words);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char **l = NULL;

                assert_int_equal(strv_split_command(bad[i], &l), -EINVAL);
                assert_null(l);
        }
}

static void environment_is_set_and_removed(void **state) {
        _cleanup_strv_ char **env = NULL;

        assert_null(strv_env_get(NULL, "A"));
        assert_int_equal(strv_env_set(&env, "A", NULL), 0);
        assert_int_equal(strv_env_set(&env, "AB", "1"), 0);
        assert_int_equal(strv_env_set(&env, "A", "2"), 0);
        assert_int_equal(strv_env_set(&env, "C", ""), 0);
        assert_string_equal(strv_env_get(env, "A"), "2");
        assert_int_equal(strv_env_set(&env, "A", "x=y"), 0);
        assert_string_equal(strv_env_get(env, "A"), "x=y");
        assert_string_equal(strv_env_get(env, "C"), "");
        assert_int_equal(strv_length(env), 3);
        assert_int_equal(strv_append(&env, "A=twice"), 0);
        assert_int_equal(strv_env_set(&env, "A", NULL), 0);
        assert_null(strv_env_get(env, "A"));
        assert_int_equal(strv_length(env), 2);
        assert_string_equal(strv_env_get(env, "AB"), "1");

        assert_true(env_name_valid("_x9"));
        assert_false(env_name_valid("9x"));
        assert_false(env_name_valid(""));
        assert_false(env_name_valid("A-B"));
        assert_false(env_name_valid("A="));
}

static void utf8_is_strict(void **state) {
        static const char *const good[] = {
                "", "ascii", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"
        };
        static const char *const bad[] = {
                "\x80",         "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\xaf",     "\xe0\x9f\xbf", "\xed\xa0\x80",
                "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3",         "\xe2\x82",
                "a\xffz"
        };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(utf8_valid(good[i], strlen(good[i])));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(utf8_valid(bad[i], strlen(bad[i])));
        assert_false(utf8_valid("a\0b", 3));
        assert_int_equal(utf8_sequence("\xe2\x82\xac", 2), 0);
        assert_int_equal(utf8_sequence("\xe2\x82\xac", 3), 3);
        assert_int_equal(utf8_sequence("", 0), 0);
}

static void columns_of_a_terminal(void **state) {
        assert_int_equal(utf8_columns("abc"), 3);
        assert_int_equal(utf8_columns("\xc3\xa9"), 1);
        assert_int_equal(utf8_columns("e\xcc\x81"), 1);
        assert_int_equal(utf8_columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);
        assert_int_equal(utf8_columns("\xf0\x9f\x90\xa7"), 2);
}

static void escape_disarms_terminals(void **state) {
        static const struct {
                const char *raw, *shown;
        } table[] = {
                { "plain\ttext", "plain\ttext" },
                { "\x1b[2J", "\\x1b[2J" },
                { "a\nb\r\x7f", "a\\x0ab\\x0d\\x7f" },
                { "\xc2\x9b"
                  "31m",
                  "\\xc2\\x9b31m" },
                { "\xff\xc3\xa9", "\\xff\xc3\xa9" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *s = text_escape(table[i].raw, strlen(table[i].raw));

                assert_string_equal(s, table[i].shown);
        }
}

static void texts_are_found(void **state) {
        const char *s = "An Error, an ERROR";

        assert_ptr_equal(text_find(s, strlen(s), "Error", false), s + 3);
        assert_ptr_equal(text_find(s, strlen(s), "ERROR", false), s + 13);
        assert_null(text_find(s, strlen(s) - 1, "ERROR", false));
        assert_ptr_equal(text_find(s, strlen(s), "eRRoR", true), s + 3);
        assert_null(text_find(s, 7, "error", true));
        assert_null(text_find(s, 0, "e", true));
        assert_null(text_find("[", 1, "{", true)); /* they differ by the bit of the case, too */
}

static void nearest_finds_typos_only(void **state) {
        static const char *const keys[] = { "command", "restart", "instances", "env", "env_file", NULL };

        assert_string_equal(text_nearest("comand", keys), "command");
        assert_string_equal(text_nearest("cmomand", keys), "command");
        assert_string_equal(text_nearest("instanecs", keys), "instances");
        assert_string_equal(text_nearest("evn", keys), "env");
        assert_string_equal(text_nearest("restart", keys), "restart");
        assert_null(text_nearest("banana", keys));
        assert_null(text_nearest("", keys));
        assert_null(text_nearest("x", (const char *const[]) { NULL }));
        assert_null(text_nearest("a234567890b234567890c234567890d234567890e234567890f234567890g234567890", keys));
}

static void globs_and_names(void **state) {
        assert_true(text_glob_match("web*", "web"));
        assert_true(text_glob_match("w?b-[0-9]", "wab-7"));
        assert_true(text_glob_match("*", ".hidden/with/slash"));
        assert_false(text_glob_match("web", "web2"));

        assert_true(name_valid("web-1.a_B"));
        assert_true(name_valid("0"));
        assert_false(name_valid(NULL));
        assert_false(name_valid(""));
        assert_false(name_valid("-x"));
        assert_false(name_valid(".x"));
        assert_false(name_valid("a..b"));
        assert_false(name_valid("a/b"));
        assert_false(name_valid("a@b"));
        assert_false(name_valid("a:b"));
        assert_false(name_valid("\xc3\xa9"));
        for (unsigned n = 128; n <= 129; n++) {
                _cleanup_free_ char *s = text_printf("%0*d", (int) n, 0);

                assert_int_equal(name_valid(s), n == 128);
        }
}

static void buffer_grows_and_shrinks(void **state) {
        _cleanup_buffer_ Buffer b = {}, big = {};

        buffer_consume(&b, 5);
        assert_int_equal(buffer_append(&b, NULL, 0), 0);
        assert_int_equal(buffer_append(&b, "hello", 5), 0);
        assert_int_equal(buffer_printf(&b, " %s %i", "world", 7), 0);
        assert_string_equal(b.data, "hello world 7");
        buffer_consume(&b, 6);
        assert_string_equal(b.data, "world 7");
        assert_int_equal(b.size, 7);
        for (int i = 0; i < 10000; i++)
                assert_int_equal(buffer_printf(&b, "%04i", i), 0);
        assert_int_equal(b.size, 40007);
        assert_memory_equal(b.data + 7 + 4 * 1234, "1234", 4);
        buffer_consume(&b, 1 << 20);
        assert_int_equal(b.size, 0);
        assert_string_equal(b.data, "");
        assert_int_equal(buffer_printf(&big, "%5000d", 1), 0);
        assert_int_equal(big.size, 5000);
        assert_int_equal(strlen(big.data), 5000);
        assert_int_equal(buffer_append(&big, "", SIZE_MAX - 10), -ENOMEM);
}

static void spans_parse(void **state) {
        static const struct {
                const char *s;
                usec_t usec;
        } good[] = {
                { "0", 0 },
                { "5", 5 * USEC_PER_SEC },
                { "1.5", 1500 * USEC_PER_MSEC },
                { "500ms", 500 * USEC_PER_MSEC },
                { "1m30s", 90 * USEC_PER_SEC },
                { "1h 5m", 65 * USEC_PER_MINUTE },
                { "2d", 2 * USEC_PER_DAY },
                { "1w", 7 * USEC_PER_DAY },
                { "10us", 10 },
                { "0.5ms", 500 },
                { "1m1.5s", 61500 * USEC_PER_MSEC },
                { "10min", 10 * USEC_PER_MINUTE },
                { "infinity", USEC_INFINITY },
        };
        static const char *const bad[] = { "",    " ",   "s",     "5x",  "-5s", "+5s", "1.5m30s", "30s1m", "1s1s",   "1m30",
                                           "5s ", " 5s", "1..5s", "1.s", ".5s", "5 s", "1e3",     "0x10",  "infinit" };
        usec_t t;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(parse_span(good[i].s, &t), 0);
                assert_int_equal(t, good[i].usec);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse_span(bad[i], &t) != -EINVAL)
                        fail_msg("\"%s\" was taken for a span", bad[i]);
        assert_int_equal(parse_span("99999999999999999999s", &t), -ERANGE);
        assert_int_equal(parse_span("18446744073709551615s", &t), -ERANGE);
        assert_int_equal(parse_span("213503982d 23h", &t), -ERANGE);
}

static void spans_round_trip(void **state) {
        unsigned seed = test_seed();
        char buf[FORMAT_MAX];

        for (int i = 0; i < 20000; i++) {
                usec_t t = ((usec_t) rand_r(&seed) << 31 | (usec_t) rand_r(&seed)) >> (rand_r(&seed) % 62), again;

                assert_int_equal(parse_span(format_span(buf, t, true), &again), 0);
                assert_int_equal(again, t);
        }
        assert_string_equal(format_span(buf, 90 * USEC_PER_SEC, true), "1m30s");
        assert_string_equal(format_span(buf, 0, true), "0");
        assert_string_equal(format_span(buf, USEC_INFINITY, true), "infinity");
        assert_string_equal(format_span(buf, USEC_INFINITY - 1, true), "213503982d8h1m49s551ms614us");
        assert_string_equal(format_span(buf, 65 * USEC_PER_MINUTE + 7 * USEC_PER_SEC, false), "1h 5m");
        assert_string_equal(format_span(buf, 250 * USEC_PER_MSEC, false), "250ms");
        assert_string_equal(format_span(buf, USEC_PER_DAY + 5 * USEC_PER_SEC, false), "1d");
        assert_string_equal(format_span(buf, 8 * USEC_PER_DAY + USEC_PER_HOUR, false), "8d 1h");
}

static void sizes_parse_and_print(void **state) {
        static const struct {
                const char *s;
                uint64_t n;
        } good[] = {
                { "0", 0 },           { "123", 123 },         { "123B", 123 },          { "64K", 64 << 10 },    { "512M", 512 << 20 },
                { "2G", 2ULL << 30 }, { "1T", 1ULL << 40 },   { "1KiB", 1024 },         { "1KB", 1024 },        { "1.5G", 3ULL << 29 },
                { "512m", 512 << 20 }, { "infinity", SIZE_INFINITY }, { "15E", 15ULL << 60 },
        };
        static const char *const bad[] = { "", "K", "-1", "1.5", "1.5B", "1X", "1KK", "1iB", "1 K", "1Ki", "max", "22 " };
        char buf[FORMAT_MAX];
        uint64_t n;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(parse_size(good[i].s, &n), 0);
                assert_int_equal(n, good[i].n);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse_size(bad[i], &n) != -EINVAL)
                        fail_msg("\"%s\" was taken for a size", bad[i]);
        assert_int_equal(parse_size("16E", &n), -ERANGE);
        assert_int_equal(parse_size("99999999999999999999", &n), -ERANGE);

        assert_string_equal(format_size(buf, 512 << 20, true), "512M");
        assert_string_equal(format_size(buf, 1025, true), "1025");
        assert_string_equal(format_size(buf, 0, true), "0");
        assert_string_equal(format_size(buf, 0, false), "0B");
        assert_string_equal(format_size(buf, 1023, false), "1023B");
        assert_string_equal(format_size(buf, 1024, false), "1.0K");
        assert_string_equal(format_size(buf, 12900000, false), "12.3M");
        assert_string_equal(format_size(buf, (1 << 20) - 1, false), "1.0M");
        assert_string_equal(format_size(buf, UINT64_MAX - 1, false), "16.0E");
        assert_string_equal(format_size(buf, SIZE_INFINITY, false), "infinity");
}

static void hexadecimal(void **state) {
        const char *const bad[] = { "", "00ff1", "00ff1g80", "00ff1a8", "00ff1a800", " 0ff1a80", "0x001a80" };
        const uint8_t bytes[] = { 0x00, 0xff, 0x1a, 0x80 };
        uint8_t back[4];
        char text[9];

        hex_encode(text, bytes, sizeof bytes);
        assert_string_equal(text, "00ff1a80");
        assert_true(hex_decode(text, back, sizeof back));
        assert_memory_equal(back, bytes, sizeof bytes);
        assert_true(hex_decode("00FF1A80", back, sizeof back));
        assert_memory_equal(back, bytes, sizeof bytes);
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
                assert_false(hex_decode(bad[k], back, sizeof back));
}

static void numbers_parse(void **state) {
        uint64_t u;
        int64_t i;
        uint32_t p;

        assert_int_equal(parse_u64("18446744073709551615", &u), 0);
        assert_int_equal(u, UINT64_MAX);
        assert_int_equal(parse_u64("18446744073709551616", &u), -ERANGE);
        assert_int_equal(parse_u64("", &u), -EINVAL);
        assert_int_equal(parse_u64("+1", &u), -EINVAL);
        assert_int_equal(parse_u64("1 ", &u), -EINVAL);
        assert_int_equal(parse_i64("-9223372036854775808", &i), 0);
        assert_true(i == INT64_MIN);
        assert_int_equal(parse_i64("9223372036854775808", &i), -ERANGE);
        assert_int_equal(parse_i64("-9223372036854775809", &i), -ERANGE);
        assert_int_equal(parse_i64("--1", &i), -EINVAL);
        assert_int_equal(parse_percent("150%", &p), 0);
        assert_int_equal(p, 150);
        assert_int_equal(parse_percent("150", &p), -EINVAL);
        assert_int_equal(parse_percent("0.5%", &p), -EINVAL);
        assert_int_equal(parse_percent("4294967296%", &p), -ERANGE);
        assert_int_equal(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
        assert_int_equal(usec_add(USEC_INFINITY - 1, 5), USEC_INFINITY);
        assert_int_equal(usec_add(1, 2), 3);
}

#define EXAMPLE (1767323045 * USEC_PER_SEC + 6) /* 2026-01-02T03:04:05.000006Z */

static void times_print_and_parse(void **state) {
        unsigned seed = test_seed();
        char buf[FORMAT_MAX], wanted[FORMAT_MAX];
        usec_t t;

        assert_string_equal(format_time(buf, EXAMPLE), "2026-01-02T03:04:05.000006Z");
        assert_string_equal(format_time(buf, 0), "1970-01-01T00:00:00.000000Z");
        assert_int_equal(parse_time("2026-01-02T03:04:05.000006Z", 0, &t), 0);
        assert_int_equal(t, EXAMPLE);
        assert_int_equal(parse_time("2026-01-02T04:34:05.0000069+01:30", 0, &t), 0);
        assert_int_equal(t, EXAMPLE);
        assert_int_equal(parse_time("2026-01-02 03:04Z", 0, &t), 0);
        assert_int_equal(t, EXAMPLE - 5 * USEC_PER_SEC - 6);

        for (int i = 0; i < 5000; i++) {
                time_t second = (time_t) rand_r(&seed) * 60 + rand_r(&seed) % 60; /* up to the year 6053 */
                struct tm tm;

                strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000000Z", gmtime_r(&second, &tm));
                assert_string_equal(format_time(buf, (usec_t) second * USEC_PER_SEC), wanted);
                assert_int_equal(parse_time(wanted, 0, &t), 0);
                assert_int_equal(t, (usec_t) second * USEC_PER_SEC);
        }
}

static void times_local_and_relative(void **state) {
        static const char *const bad[] = { "2026-13-01",
                                           "2026-02-29",
                                           "2026-00-01",
                                           "2026-01-01T24:00",
                                           "2026-01-01 1:00",
                                           "2026-01-01x",
                                           "2026-1-1",
                                           "2026-01-01T00:00:00.Z",
                                           "2026-01-01T00:00:00+1:00",
                                           "yesterdays",
                                           "yesterday at noon",
                                           "today 9:00",
                                           "todays",
                                           "25:00",
                                           "12:00x",
                                           "@",
                                           "@-1",
                                           "@1.",
                                           "@1 ",
                                           "2hours later",
                                           "hours",
                                           "",
                                           "-",
                                           "5m later",
                                           " ago" };
        static const struct {
                const char *what, *when;
        } days[] = {
                { "today", "2026-01-02" },
                { "yesterday", "2026-01-01 00:00" },
                { "tomorrow", "2026-01-03" },
                { "yesterday 18:30", "2026-01-01 18:30" },
                { "today 01:02:03.5", "2026-01-02 01:02:03.5" },
                { "23:59", "2026-01-02 23:59" },
                { "@1767323045.000006", "2026-01-02T03:04:05.000006Z" },
                { "@0", "1970-01-01T00:00Z" },
                { "now", "2026-01-02T03:04:05.000006Z" },
                { "2 hours ago", "2026-01-02T01:04:05.000006Z" },
                { "1 day 2 hours", "2026-01-01T01:04:05.000006Z" },
                { "10 minutes 5 seconds ago", "2026-01-02T02:54:00.000006Z" },
        };
        usec_t now = EXAMPLE, t;

        assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
        tzset();
        assert_int_equal(parse_time("2026-01-02 04:04:05", now, &t), 0);
        assert_int_equal(t, EXAMPLE - 6);
        assert_int_equal(parse_time("2026-07-01", now, &t), 0);
        assert_int_equal(t, 1782856800 * USEC_PER_SEC); /* midnight in summer time is 22:00 UTC */
        for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
                usec_t expected;

                assert_int_equal(parse_time(days[i].what, now, &t), 0);
                assert_int_equal(parse_time(days[i].when, now, &expected), 0);
                assert_int_equal(t, expected);
        }
        unsetenv("TZ");
        tzset();

        assert_int_equal(parse_time("-5m", now, &t), 0);
        assert_int_equal(t, now - 5 * USEC_PER_MINUTE);
        assert_int_equal(parse_time("5m", now, &t), 0);
        assert_int_equal(t, now - 5 * USEC_PER_MINUTE);
        assert_int_equal(parse_time("1h 5m ago", now, &t), 0);
        assert_int_equal(t, now - 65 * USEC_PER_MINUTE);
        assert_int_equal(parse_time("infinity", now, &t), 0);
        assert_int_equal(t, 0);
        assert_int_equal(parse_time("2024-02-29", now, &t), 0);
        assert_int_equal(parse_time("1969-01-01T00:00Z", now, &t), -ERANGE);
        assert_int_equal(parse_time("@99999999999999999999", now, &t), -ERANGE);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse_time(bad[i], now, &t) != -EINVAL)
                        fail_msg("\"%s\" was taken for a time", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_is_replaced_and_wrapped),
                cmocka_unit_test(error_exit_statuses),
                cmocka_unit_test(strv_basics),
                cmocka_unit_test(commands_are_split_like_a_shell),
                cmocka_unit_test(environment_is_set_and_removed),
                cmocka_unit_test(utf8_is_strict),
                cmocka_unit_test(columns_of_a_terminal),
                cmocka_unit_test(escape_disarms_terminals),
                cmocka_unit_test(texts_are_found),
                cmocka_unit_test(nearest_finds_typos_only),
                cmocka_unit_test(globs_and_names),
                cmocka_unit_test(buffer_grows_and_shrinks),
                cmocka_unit_test(spans_parse),
                cmocka_unit_test(spans_round_trip),
                cmocka_unit_test(sizes_parse_and_print),
                cmocka_unit_test(numbers_parse),
                cmocka_unit_test(hexadecimal),
                cmocka_unit_test(times_print_and_parse),
                cmocka_unit_test(times_local_and_relative),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
