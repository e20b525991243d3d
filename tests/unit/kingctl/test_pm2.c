/* PM2's command line: the options, what is asked of the daemon, and the shapes of the answers. */
#include "daemon.inc.h"

#include "kingctl/pm2/pm2.h"

/* ---- options ---- */

static Pm2 parse(Ctl *ctl, char *const *words) {
        Pm2 p = { .ctl = ctl };

        assert_int_equal(pm2_options_parse(&p, words), 0);
        return p;
}

static void done(Pm2 *p) {
        free(p->words);
        json_object_put(p->app);
        json_object_put(p->set);
}

static void expect_options(char *const *words, const char *operands, const char *app, const char *set) {
        Ctl ctl = {};
        Pm2 p = parse(&ctl, words);
        _cleanup_buffer_ Buffer b = {};

        assert_int_equal(buffer_printf(&b, "%s", ""), 0);
        for (char **w = p.words; *w; w++)
                assert_int_equal(buffer_printf(&b, "%s ", *w), 0);
        assert_string_equal(b.data, operands);
        assert_string_equal(json_object_to_json_string_ext(p.app, JSON_C_TO_STRING_PLAIN), app);
        assert_string_equal(json_object_to_json_string_ext(p.set, JSON_C_TO_STRING_PLAIN), set);
        done(&p);
}

#define OPTIONS(operands, app, set, ...) expect_options((char *[]) { __VA_ARGS__, NULL }, operands, app, set)

static void options_are_keys(void **state) {
        OPTIONS("start app.js ", "{\"name\":\"web\",\"instances\":\"max\"}", "{\"force\":true}", "start", "app.js", "-n", "web", "-imax", "-f");
        OPTIONS("start app.js ", "{\"name\":\"web\",\"cron_restart\":\"* * * * *\"}", "{}", "start", "--name=web", "--cron", "* * * * *", "app.js");
        OPTIONS("start a ", "{\"autorestart\":false,\"treekill\":false}", "{}", "start", "--no-autorestart", "--no-treekill", "--no-vizion", "a");
        OPTIONS("start a ", "{\"stop_exit_codes\":[\"0\",\"3\"]}", "{}", "start", "--stop-exit-codes", "0", "3", "a");
        OPTIONS("scale web -1 ", "{}", "{}", "scale", "web", "-1");
}

/* What may have a value takes the next word only where that cannot be the operand. */
static void values_that_may_be_missing(void **state) {
        OPTIONS("start app.js ", "{\"watch\":true}", "{}", "start", "--watch", "app.js");
        OPTIONS("start app.js ", "{\"watch\":[\"src\",\"lib\"]}", "{}", "start", "app.js", "--watch", "src", "--watch", "lib");
        OPTIONS("start app.js ", "{}", "{\"filter-env\":[\"AWS\"]}", "start", "app.js", "--filter-env", "AWS");
        OPTIONS("start app.js ", "{}", "{\"filter-env\":true}", "start", "--filter-env", "app.js");
        OPTIONS("logs ", "{}", "{\"timestamp\":\"HH:mm\",\"highlight\":true}", "logs", "--timestamp", "HH:mm", "--highlight", "--");
}

static void options_refused(void **state) {
        static const struct {
                const char *words[4], *message, *hint;
        } cases[] = {
                { { "start", "--nmae", "x" }, "unknown option `--nmae'", "did you mean --name?" },
                { { "start", "-Z" }, "unknown option `-Z'", "kingctl pm2 help lists what is understood" },
                { { "start", "a", "--name" }, "option --name needs a value (NAME)", NULL },
                { { "start", "--stop-exit-codes", "a" }, "option --stop-exit-codes needs a value (CODE...)", NULL },
                { { "start", "--force=1" }, "--force takes no value", NULL },
                { { "start", "-fx" }, "unknown option `-fx'", "kingctl pm2 help lists what is understood" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Ctl ctl = {};
                Pm2 p = { .ctl = &ctl };

                assert_int_equal(pm2_options_parse(&p, (char *const *) cases[i].words), -EINVAL);
                assert_string_equal(ctl.error.message, cases[i].message);
                if (cases[i].hint)
                        assert_string_equal(ctl.error.hint, cases[i].hint);
                kl_error_done(&ctl.error);
                done(&p);
        }
}

/* ---- against a daemon ---- */

#define INSTANCE(name, ns, n, number, state, pid, more)                                                                                     \
        "{\"instance\":{\"name\":\"" name "\",\"namespace\":\"" ns "\",\"instance\":" #n ",\"number\":" #number ",\"pid\":" #pid ",\"state\":\"" state \
        "\",\"ready\":true,\"since_usec\":1700000000000000,\"restarts\":2,\"attempts\":1,\"cpu_percent\":1.5,\"memory_bytes\":21390950" more "},"        \
        "\"invocation_id\":\"0a\",\"log\":\"/log/" name "\"}"
#define SERVICE(name, ns, command, instances)                                                                                                    \
        "{\"name\":\"" name "\",\"namespace\":\"" ns "\",\"spec\":{\"command\":" command ",\"cwd\":\"/srv\",\"env\":{\"A\":\"it's\",\"name\":\"x\"},\"user\":\"www\"," \
        "\"restart\":{\"when\":\"always\",\"delay\":\"1s500ms\",\"limit\":16},\"stop\":{\"timeout\":\"1s600ms\",\"scope\":\"all\"}},"                      \
        "\"instances\":[" instances "]}"

static const Answer processes[] = {
        { "Describe", { "{\"parameters\":{\"services\":["
                        SERVICE("web", "shop", "[\"node\",\"--inspect\",\"/srv/a.js\",\"x\",\"y z\"]",
                                INSTANCE("web", "shop", 0, 2, "running", 11, "") "," INSTANCE("web", "shop", 1, 3, "waiting", null, "") ","
                                INSTANCE("web", "shop", 1, 9, "stopping", 12, ",\"role\":\"old\"")) ","
                        SERVICE("db", "default", "[\"/bin/db\"]", INSTANCE("db", "default", 0, 10, "failed", null, ""))
                        "]}}" } },
        { "Stop", { "{\"parameters\":{\"results\":[{\"name\":\"web\",\"namespace\":\"shop\",\"instance\":1,\"label\":\"web:1\",\"state\":\"stopped\"}]},\"continues\":true}",
                    "{\"parameters\":{\"results\":[{\"name\":\"web\",\"namespace\":\"shop\",\"instance\":0,\"label\":\"web:0\",\"state\":\"stopping\","
                    "\"error\":\"it does not end\",\"hint\":\"wait\"}]}}" } },
        {},
};


static void selections(void **state) {
        static const struct {
                const char *word, *selectors;
        } cases[] = {
                { "all", "[\"shop/web\",\"default/db\"]" }, { "web", "[\"shop/web\"]" }, { "shop", "[\"shop/web\"]" }, { "3", "[\"shop/web:1\"]" },
                { "/^w/", "[\"shop/web\"]" }, { "/srv/a.js", "[\"shop/web\"]" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_run_ Run r = RUN(processes, "pm2", "stop", (char *) cases[i].word);

                contains(r.calls, cases[i].selectors);
                assert_int_equal(r.status, 1);
                contains(r.out, "[PM2] [web](3) \u2713\n");
                assert_string_equal(r.err, "[PM2][ERROR] [web:0] it does not end (wait)\n");
        }
        for (size_t i = 0; i < 3; i++) {
                _cleanup_run_ Run r = RUN(processes, "pm2", "stop", (char *[]) { "nosuch", "/[/", "9" }[i]);

                assert_int_equal(r.status, 1);
                assert_null(strstr(r.calls, "Stop"));
        }
}

static void shapes(void **state) {
        _cleanup_run_ Run ls = RUN(processes, "pm2", "ls", "--sort", "id"), id = RUN(processes, "pm2", "id", "web"), pid = RUN(processes, "pm2", "pid", "web"),
                          json = RUN(processes, "pm2", "jlist"), pretty = RUN(processes, "pm2", "prettylist"), describe = RUN(processes, "pm2", "describe", "web"),
                          silent = RUN(processes, "pm2", "stop", "web", "-s");

        contains(ls.out, "\u2502 2  \u2502 web    \u2502 shop        \u2502 N/A     \u2502 fork    \u2502 11       \u2502");
        contains(ls.out, "\u2502 2    \u2502 online    \u2502 1.5%     \u2502 20.4mb   \u2502 www      \u2502 disabled \u2502\n");
        contains(ls.out, "\u2502 0        \u2502 0      \u2502 2    \u2502 waiting \u2026 \u2502");
        contains(ls.out, "\u2502 errored   \u2502");
        assert_null(strstr(ls.out, "stopping"));
        assert_string_equal(id.out, "[ 2, 3 ]\n");
        assert_string_equal(pid.out, "11\n0\n");
        contains(json.out, "[{\"pid\":11,\"name\":\"web\",\"pm2_env\":{\"name\":\"web\",\"namespace\":\"shop\",");
        contains(json.out, "\"restart_delay\":1500,\"kill_timeout\":1600,");
        contains(json.out, "\"pm_exec_path\":\"/srv/a.js\",\"pm_cwd\":\"/srv\",\"exec_interpreter\":\"node\",\"node_args\":[\"--inspect\"],\"args\":[\"x\",\"y z\"],");
        contains(json.out, "\"env\":{\"A\":\"it's\",\"name\":\"x\"},\"A\":\"it's\"},\"pm_id\":2,\"monit\":{\"memory\":21390950,\"cpu\":1.5}}");
        assert_int_equal(json.out[strlen(json.out) - 1], ']');
        contains(pretty.out, "      args: [ 'x', 'y z' ],\n");
        contains(pretty.out, "      env: { A: 'it\\'s', name: 'x' },\n");
        contains(describe.out, "\u2502 script args       \u2502 x y z ");
        contains(describe.out, "\u2502 interpreter args  \u2502 --inspect ");
        assert_string_equal(silent.out, "");
}

static void without_understanding(void **state) {
        _cleanup_run_ Run none = RUN(NULL, "pm2"), bogus = RUN(NULL, "pm2", "strat"), serve = RUN(NULL, "pm2", "serve"), help = RUN(NULL, "pm2", "help"),
                          version = RUN(NULL, "pm2", "--version"), one = RUN(NULL, "pm2", "start", "--help"), kill = RUN(NULL, "pm2", "kill");

        assert_int_equal(none.status, 1);
        assert_int_equal(bogus.status, 1);
        contains(bogus.err, "did you mean start?");
        contains(serve.err, "[PM2][ERROR] serve is not here: run a web server");
        contains(help.out, "\n  delete del ");
        contains(help.out, "  -n --name NAME ");
        assert_string_equal(version.out, KINGLY_VERSION "\n");
        contains(one.out, "usage: kingctl pm2 start ");
        assert_int_equal(kill.status, 0);
        assert_string_equal(kill.out, "[PM2] [v] All Applications Stopped\n[PM2] [v] PM2 Daemon Stopped\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_are_keys), cmocka_unit_test(values_that_may_be_missing), cmocka_unit_test(options_refused),
                cmocka_unit_test(selections),       cmocka_unit_test(shapes),                     cmocka_unit_test(without_understanding),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
