/* The option parser: what getopt_long(3) would do, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/strv.h"
#include "kingctl/options.h"

#define FIELD(f) offsetof(Options, f)
static const char *const streams[] = { "out", "err", NULL };
static const Option own[] = {
        { 'n', "lines", OPTION_COUNT, FIELD(lines), "N", NULL, "" },   { 'f', "follow", OPTION_FLAG, FIELD(follow), NULL, NULL, "" },
        { 0, "since", OPTION_STRING, FIELD(since), "TIME", NULL, "" }, { 0, "stream", OPTION_WORD, FIELD(stream), "STREAM", streams, "" },
        { 'e', "env", OPTION_STRINGS, FIELD(env), "K=V", NULL, "" },   {},
};

typedef struct Parsed {
        Options o;
        char **operands;
        size_t used;
        KlError error;
        int r;
} Parsed;

static void parsed_done(Parsed *p) {
        options_done(&p->o);
        free(p->operands);
        kl_error_done(&p->error);
}
#define _cleanup_parsed_ _cleanup_(parsed_done)

static Parsed parse(const Option *options, bool first, char **words) {
        Parsed p = {};

        options_init(&p.o);
        p.r = options_parse(options, words, first, &p.o, &p.operands, &p.used, &p.error);
        return p;
}
#define PARSE(...)        parse(own, false, (char *[]){ __VA_ARGS__, NULL })
#define PARSE_GLOBAL(...) parse(NULL, true, (char *[]){ __VA_ARGS__, NULL })

static void clusters_and_values(void **state) {
        _cleanup_parsed_ Parsed a = PARSE("-fn20", "web"), b = PARSE("-f", "-n", "20", "web"), c = PARSE("--lines=20", "--follow", "web"),
                                d = PARSE("web", "--lines", "20", "-f");
        const Parsed *all[] = { &a, &b, &c, &d };

        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                assert_int_equal(all[i]->r, 0);
                assert_int_equal(all[i]->o.lines, 20);
                assert_true(all[i]->o.follow);
                assert_string_equal(all[i]->operands[0], "web");
                assert_null(all[i]->operands[1]);
        }
}

static void dashes_end_options(void **state) {
        _cleanup_parsed_ Parsed p = PARSE("-f", "--", "cmd", "-n", "--", "-x"), q = PARSE("a", "--"), none = PARSE("a", "-");

        assert_int_equal(p.r, 0);
        assert_int_equal(p.o.dashes, 0);
        assert_int_equal(strv_length(p.operands), 4);
        assert_string_equal(p.operands[2], "--");
        assert_int_equal(p.o.lines, UINT64_MAX);
        assert_int_equal(q.o.dashes, 1);
        assert_int_equal(none.o.dashes, SIZE_MAX);
        assert_string_equal(none.operands[1], "-");
}

static void own_options_come_first(void **state) {
        _cleanup_parsed_ Parsed p = PARSE("-n", "3", "--namespace", "shop", "-o", "jsonl"),
                                g = PARSE_GLOBAL("-n", "shop", "logs", "-n", "3");

        assert_int_equal(p.r, 0);
        assert_int_equal(p.o.lines, 3);
        assert_string_equal(p.o.namespace, "shop");
        assert_int_equal(p.o.output, OUTPUT_JSONL);
        assert_int_equal(g.r, 0);
        assert_string_equal(g.o.namespace, "shop");
        assert_int_equal(g.used, 3);
        assert_string_equal(g.operands[0], "logs");
}

static void abbreviations(void **state) {
        _cleanup_parsed_ Parsed p = PARSE("--foll", "--nam=x"), q = PARSE("--s=1"), exact = PARSE("--stream=err");

        assert_int_equal(p.r, 0);
        assert_true(p.o.follow);
        assert_string_equal(p.o.namespace, "x");
        assert_int_equal(q.r, -EINVAL); /* since, stream, socket, system */
        assert_int_equal(exact.r, 0);
        assert_string_equal(exact.o.stream, "err");
}

static void lists_keep_order(void **state) {
        _cleanup_parsed_ Parsed p = PARSE("-eA=1", "--env", "B=2", "--env=C");

        assert_int_equal(p.r, 0);
        assert_string_equal(p.o.env[0], "A=1");
        assert_string_equal(p.o.env[1], "B=2");
        assert_string_equal(p.o.env[2], "C");
        assert_null(p.o.env[3]);
}

static void refusals(void **state) {
        static const struct {
                const char *words[3];
                const char *message, *hint;
        } cases[] = {
                { { "--folow" }, "--folow: no such option", "did you mean --follow?" },
                { { "--"
                    "=x" },
                  "--: no such option",
                  NULL },
                { { "-x" }, "-x: no such option", NULL },
                { { "--follow=1" }, "--follow: takes no value", NULL },
                { { "--lines" }, "--lines: needs a value (N)", NULL },
                { { "-fn" }, "-n: needs a value (N)", NULL },
                { { "-n", "x" }, "--lines: \"x\" is not a whole number", NULL },
                { { "--timeout", "soon" }, "--timeout: \"soon\" is not a time such as 500ms, 10s or 2m", NULL },
                { { "--timeout", "0" }, "--timeout: \"0\" is not a time such as 500ms, 10s or 2m", NULL },
                { { "-oxml" }, "--output: \"xml\" is none of table, json, jsonl", NULL },
                { { "--stream", "in" }, "--stream: \"in\" is none of out, err", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_parsed_ Parsed p = parse(own, false, (char **) cases[i].words);

                assert_int_equal(p.r, -EINVAL);
                assert_string_equal(p.error.id, KL_E_INVALID);
                assert_string_equal(p.error.message, cases[i].message);
                if (cases[i].hint)
                        assert_string_equal(p.error.hint, cases[i].hint);
        }
}

static void spans(void **state) {
        _cleanup_parsed_ Parsed p = PARSE("--timeout=1m30s");

        assert_int_equal(p.r, 0);
        assert_int_equal(p.o.timeout, 90 * USEC_PER_SEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clusters_and_values),
                cmocka_unit_test(dashes_end_options),
                cmocka_unit_test(own_options_come_first),
                cmocka_unit_test(abbreviations),
                cmocka_unit_test(lists_keep_order),
                cmocka_unit_test(refusals),
                cmocka_unit_test(spans),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
