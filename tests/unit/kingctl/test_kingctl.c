/* kingctl as a whole against a daemon of prepared answers: what it asks, what it prints, how it ends. */
#include "daemon.inc.h"

#include "base/strv.h"
#include "linux/process.h"

#define INSTANCE(name, ns, n, state, ready, more)                                                                                          \
        "{\"name\":\"" name "\",\"namespace\":\"" ns "\",\"instance\":" #n ",\"state\":\"" state "\",\"ready\":" #ready more "}"
#define WEB0                                                                                                                               \
        INSTANCE("web", "default", 0, "running", true,                                                                                     \
                 ",\"pid\":123,\"since_usec\":1,\"restarts\":2,\"cpu_percent\":1.5,\"memory_bytes\":1048576,\"tasks\":3,\"isolation\":"    \
                 "\"scope\",\"unit\":\"kingly-web-0-1.scope\"")
#define WEB1                                                                                                                               \
        INSTANCE("web", "default", 1, "failed", false,                                                                                     \
                 ",\"pid\":null,\"since_usec\":1,\"restarts\":0,\"isolation\":\"scope\",\"unit\":null,\"exit\":{\"code\":3,\"signal\":"    \
                 "null,\"reason\":\"gave up\"}")
#define JOB INSTANCE("job", "shop", 0, "stopped", false, ",\"restarts\":0,\"isolation\":\"cgroup\"")

static const Answer list_answer[] = { { "List", { "{\"parameters\":{\"instances\":[" WEB1 "," JOB "," WEB0 "]}}" } }, {} };
static const Answer empty_list[] = { { "List", { "{\"parameters\":{\"instances\":[]}}" } }, {} };

static void lists(void **state) {
        _cleanup_run_ Run r = RUN(list_answer, "list"), q = RUN(list_answer, "ls", "-q"),
                          json = RUN(list_answer, "-ojsonl", "ps", "@shop", "-n", "x"), empty = RUN(empty_list, "list");

        assert_int_equal(r.status, 0);
        contains(r.out, "NAME   NAMESPACE  PID  STATE ");
        contains(r.out, "web:0  default    123  running ");
        contains(r.out, "1.5%  1.0M      3  kingly-web-0-1.scope\n");
        contains(r.out, "web:1  default      -  failed ");
        contains(r.out, " -         0     -     -      -  scope\n");
        assert_true(strstr(r.out, "web:0") < strstr(r.out, "web:1") && strstr(r.out, "web:1") < strstr(r.out, "job "));
        contains(r.calls, "{\"method\":\"io.kingly.Manager.List\",\"parameters\":{\"columns\":[\"name\",\"namespace\",\"instance\",");
        assert_string_equal(q.calls, "{\"method\":\"io.kingly.Manager.List\",\"parameters\":{}}\n");
        assert_string_equal(q.out, "default/web\nshop/job\n");
        contains(json.out, "{\"name\":\"web\",\"namespace\":\"default\",\"instance\":0,");
        contains(json.calls, "\"parameters\":{\"selectors\":[\"@shop\"],\"namespace\":\"x\"}");
        assert_string_equal(empty.out, "");
        contains(empty.err, "kingctl start -- COMMAND");
        assert_int_equal(empty.status, 0);
}

/* As the daemon answers when it knows columns: what nobody has is not there. */
static void lists_columns(void **state) {
        static const Answer answer[] = {
                { "List",
                  { "{\"parameters\":{\"instances\":[],\"rows\":2,\"columns\":{\"name\":[\"web\",\"db\"],\"namespace\":[\"default\",\"default\"],"
                    "\"instance\":[0,0],\"pid\":[null,77],\"state\":[\"stopped\",\"running\"],\"ready\":[false,true],\"since_usec\":[1,1],"
                    "\"restarts\":[0,3],\"cpu_percent\":[null,1.5],\"memory_bytes\":[null,1048576],\"isolation\":[\"session\",\"session\"]}}}" } },
                {} };
        _cleanup_run_ Run r = RUN(answer, "list");

        assert_int_equal(r.status, 0);
        contains(r.out, "NAME  PID  STATE ");
        contains(r.out, "db     77  running ");
        contains(r.out, " 3  1.5%  1.0M      -  session\n");
        contains(r.out, "web     -  stopped ");
        assert_true(strstr(r.out, "db ") < strstr(r.out, "web "));
}

static void completes_names(void **state) {
        _cleanup_run_ Run r = RUN(list_answer, "_names"), none = RUN(NULL, "_names");

        assert_string_equal(r.out, "default/web\nshop/job\ndefault/web:0\ndefault/web:1\nall\n");
        assert_int_equal(none.status, 1);
        assert_string_equal(none.err, "");
}

static void exit_statuses(void **state) {
        static const struct {
                const char *id;
                int status;
        } ids[] = {
                { "Failed", 1 }, { "InvalidInput", 2 }, { "NoSuchService", 3 }, { "PermissionDenied", 5 }, { "TimedOut", 6 }, { "Busy", 1 },
        };
        _cleanup_run_ Run none = RUN(NULL, "list"), late = RUN(ANSWERS({ "Ping", { "HANG" } }), "ping", "--timeout", "50ms"),
                          cut = RUN(ANSWERS({ "Ping", { "CLOSE" } }), "ping"), usage = RUN(NULL, "lits"),
                          bare = run_words(NULL, (char *[]){ "kingctl", NULL });

        for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
                _cleanup_free_ char *reply = text_printf(
                        "{\"error\":\"io.kingly.Manager.%s\",\"parameters\":{\"message\":\"web\\u001b: no\",\"hint\":\"do x\"}}",
                        ids[i].id);
                _cleanup_run_ Run r = RUN(ANSWERS({ "Stop", { reply } }), "stop", "web");

                assert_int_equal(r.status, ids[i].status);
                assert_string_equal(r.err, "kingctl: web\\x1b: no\nhint: do x\n");
        }
        assert_int_equal(none.status, 4);
        contains(none.err, ": no daemon runs\nhint: ");
        assert_int_equal(late.status, 6);
        assert_string_equal(late.err, "kingctl: Ping: no answer in time\n");
        assert_int_equal(cut.status, 1);
        assert_int_equal(usage.status, 2);
        assert_string_equal(usage.err, "kingctl: lits: no such verb\nhint: did you mean list?\n");
        assert_int_equal(bare.status, 2);
        contains(bare.err, "usage: kingctl");
}

#define LABELLED(label, n, state, more)                                                                                                    \
        "{\"name\":\"web\",\"namespace\":\"default\",\"instance\":" #n ",\"label\":\"" label "\",\"state\":\"" state "\"" more "}"
/* One of several instances, and the only one of its service. */
#define RESULT(n, state, more) LABELLED("web:" #n, n, state, more)
#define ALONE(state, more)     LABELLED("web", 0, state, more)
#define PROGRESS(results)      "{\"parameters\":{\"results\":[" results "]},\"continues\":true}"
#define END(results)           "{\"parameters\":{\"results\":[" results "]}}"

/* What follows is how long it took, whatever that was: "1.2s)". */
static void tells_time(const char *text, const char *before) {
        const char *p = strstr(text, before);
        unsigned seconds, tenths;
        int end = 0;

        if (!p || sscanf(p + strlen(before), "%u.%1us)%n", &seconds, &tenths, &end) != 2 || end == 0)
                fail_msg("\"%s\" and a time are not in:\n%s", before, text);
}

static void waits_and_tells_once(void **state) {
        const Answer *answers = ANSWERS({ "Start",
                                          { PROGRESS(RESULT(0, "running", ",\"pid\":123")), PROGRESS(RESULT(1, "running", ",\"pid\":124")),
                                            END(RESULT(0, "running", ",\"pid\":123") "," RESULT(1, "running", ",\"pid\":124")) } });
        _cleanup_run_ Run r = RUN(answers, "start", "web"), q = RUN(answers, "start", "-q", "web", "--no-wait");
        char *p;

        assert_int_equal(r.status, 0);
        tells_time(r.out, "web:0 running (pid 123, ");
        tells_time(r.out, "web:1 running (pid 124, ");
        p = strstr(r.out, "web:1");
        assert_null(strstr(p, "web:0"));
        assert_string_equal(
                r.calls, "{\"method\":\"io.kingly.Manager.Start\",\"parameters\":{\"selectors\":[\"web\"],\"wait\":true},\"more\":true}\n");
        assert_string_equal(q.out, "");
        contains(q.calls, "\"wait\":false");
}

static void failures_are_explained(void **state) {
        const Answer *answers = ANSWERS({ "Restart",
                                          { END(RESULT(0, "running", ",\"pid\":5") "," RESULT(
                                                  1, "failed", ",\"error\":\"exited with status 3\",\"hint\":\"fix it\"")) } },
                                        { "Logs",
                                          { "{\"parameters\":{\"entries\":[{\"time_usec\":1700000000123456,\"name\":\"web\",\"instance\":1,"
                                            "\"label\":\"web:1\",\"stream\":\"err\",\"message\":\"boom\\u001b[31m\"}]}}" } });
        _cleanup_run_ Run r = RUN(answers, "restart", "web");

        assert_int_equal(r.status, 1);
        contains(r.out, "web:0 running (pid 5, ");
        tells_time(r.out, "web:1 failed (");
        assert_string_equal(r.err, "kingctl: web:1: exited with status 3\nhint: fix it\n    2023-11-14 22:13:20.123 boom\n");
        contains(r.calls, "\"selectors\":[\"default/web:1\"],\"lines\":10}");
}

static void results_for_programs(void **state) {
        const Answer *answers = ANSWERS({ "Delete", { END(ALONE("stopped", "")) } });
        _cleanup_run_ Run r = RUN(answers, "delete", "web", "-o", "jsonl"), t = RUN(answers, "rm", "web");

        assert_string_equal(r.out, "{\"name\":\"web\",\"namespace\":\"default\",\"instance\":0,\"label\":\"web\",\"state\":\"stopped\"}\n");
        assert_int_equal(strncmp(t.out, "web deleted (", strlen("web deleted (")), 0);
        tells_time(t.out, "web deleted (");
}

#define PLAN                                                                                                                               \
        "\"plan\":[{\"verb\":\"add\",\"name\":\"a\",\"namespace\":\"default\",\"changes\":[]},{\"verb\":\"keep\",\"name\":\"b\","          \
        "\"namespace\":\"default\",\"changes\":[]},"                                                                                       \
        "{\"verb\":\"live\",\"name\":\"c\",\"namespace\":\"shop\",\"changes\":[{\"key\":\"limits.memory_max\",\"from\":\"1G\",\"to\":"     \
        "\"2G\"}]},"                                                                                                                       \
        "{\"verb\":\"remove\",\"name\":\"d\",\"namespace\":\"default\",\"changes\":[]}],\"warnings\":[\"a: careful\"]"

/* The plan comes once, in the first reply; what follows has none. */
#define PLANNED(end) "{\"parameters\":{" PLAN ",\"results\":[]}" end "}"

static void applies(void **state) {
        const Answer *answers =
                ANSWERS({ "Apply",
                          { PLANNED(",\"continues\":true"), PROGRESS(ALONE("running", ",\"pid\":9")),
                            "{\"parameters\":{\"plan\":[],\"warnings\":[],\"results\":[" ALONE("running", ",\"pid\":9") "]}}" } });
        const Answer *difference = ANSWERS({ "Apply", { PLANNED("") } });
        static const char plan[] = "+ a\n~ shop/c (without a restart)\n    limits.memory_max: 1G \u2192 2G\n- d\n= 1 unchanged\n";
        _cleanup_run_ Run r = {}, d = {}, j = {}, s = {}, bad = {};
        char *after;

        put_file("a.yaml", "services:\n  a: {command: [/bin/true, \"${KINGLY_TEST_WORD}\"]}\n", 0644);
        put_file("b.yaml", "services:\n  b: {comand: x}\n", 0644);
        setenv("KINGLY_TEST_WORD", "expanded", 1);
        r = RUN(answers, "apply", "-f", in_dir("a.yaml"), "--prune");
        assert_string_equal(r.err, "warning: a: careful\n");
        assert_int_equal(r.status, 0);
        assert_int_equal(strncmp(r.out, plan, strlen(plan)), 0);
        after = r.out + strlen(plan);
        assert_int_equal(strncmp(after, "web running (pid 9, ", strlen("web running (pid 9, ")), 0);
        assert_string_equal(strchr(after, '\n'), "\n");
        contains(r.calls, "\"name\":\"a\"");
        contains(r.calls, "\"namespace\":\"default\"");
        contains(r.calls, "\"expanded\"");
        contains(r.calls, "\"prune\":true");
        contains(r.calls, "a.yaml\"");
        assert_null(strstr(r.calls, "diff"));
        d = RUN(difference, "apply", "-f", in_dir("a.yaml"), "--diff");
        assert_int_equal(d.status, 0);
        assert_string_equal(d.out, plan);
        assert_string_equal(d.err, "warning: a: careful\n");
        contains(d.calls, "\"diff\":true");
        j = RUN(answers, "apply", "-f", in_dir("a.yaml"), "-o", "jsonl");
        assert_string_equal(j.out, "{" PLAN ",\"results\":[" ALONE("running", ",\"pid\":9") "]}\n");
        s = RUN(answers, "start", in_dir("a.yaml"));
        assert_int_equal(s.status, 0);
        assert_null(strstr(s.calls, "prune"));
        bad = RUN(answers, "apply", "-f", in_dir("a.yaml"), "-f", in_dir("b.yaml"));
        assert_int_equal(bad.status, 2);
        assert_string_equal(bad.calls, "");
        contains(bad.err, "b.yaml:2:");
}

static void checks_files(void **state) {
        _cleanup_run_ Run good = {}, bad = {}, none = RUN(NULL, "check", in_dir("missing.yaml"));

        put_file("a.yaml", "services:\n  a: {command: /bin/true}\n  c: {command: /bin/true}\n", 0644);
        put_file("b.yaml", "services:\n  b: {command: /bin/true, comand: x}\n", 0644);
        good = RUN(NULL, "check", in_dir("a.yaml"));
        assert_int_equal(good.status, 0);
        contains(good.out, "a.yaml: ok, 2 services\n");
        bad = RUN(NULL, "check", in_dir("a.yaml"), in_dir("b.yaml"));
        assert_int_equal(bad.status, 2);
        contains(bad.out, "a.yaml: ok, 2 services\n");
        contains(bad.err, "b.yaml:2:");
        contains(bad.err, ": error: ");
        assert_int_equal(none.status, 2);
}

/* The plan for one service, then what Apply answers. The prepared daemon gives the same answer to both calls. */
#define ONE(verb)                                                                                                                          \
        "{\"parameters\":{\"plan\":[{\"verb\":\"" verb                                                                                     \
        "\",\"name\":\"run.sh\",\"namespace\":\"default\",\"changes\":[]}],\"warnings\":[],\"results\":[]}}"

static void starts_commands(void **state) {
        _cleanup_run_ Run r = {}, there = {}, kept = {}, none = RUN(NULL, "start", "--", "no-such-program-anywhere"), plain = {}, line = {};
        _cleanup_free_ char *command = NULL;

        put_file("run.sh", "#!/bin/sh\n", 0755);
        put_file("plain.txt", "x", 0644);
        command = text_printf("\"command\":[\"%s/run.sh\",\"-x\",\"--\"]", dir);
        r = RUN(ANSWERS({ "Apply", { ONE("add") } }), "start", "-i", "2", "--env", "A=1", "--env", "TZ", "--cwd", "/", "--no-autorestart",
                "--memory-max=64M", "--", in_dir("run.sh"), "-x", "--");
        assert_int_equal(r.status, 0);
        contains(r.calls, "\"name\":\"run.sh\",\"namespace\":\"default\"");
        contains(r.calls, command);
        contains(r.calls, "\"cwd\":\"/\",\"instances\":2,\"env\":{\"PATH\":\"");
        contains(r.calls, "\"A\":\"1\",\"TZ\":\"UTC\"},\"restart\":{\"when\":\"never\"},\"limits\":{\"memory_max\":\"64M\"}}]");
        there = RUN(ANSWERS({ "Apply", { ONE("restart") } }), "start", "--", in_dir("run.sh"));
        assert_int_equal(there.status, 1);
        assert_string_equal(there.err, "kingctl: run.sh: there is a service of that name with other settings\n"
                                       "hint: choose another with --name, or remove it first: kingctl delete run.sh\n");
        kept = RUN(ANSWERS({ "Apply", { ONE("keep") } }, { "Start", { END(ALONE("running", "")) } }), "start", in_dir("run.sh"));
        assert_int_equal(kept.status, 0);
        contains(kept.calls, "Manager.Start\",\"parameters\":{\"selectors\":[\"run.sh\"]");
        assert_int_equal(none.status, 2);
        contains(none.err, "kingctl: no-such-program-anywhere: no such command\n");
        plain = RUN(NULL, "start", "--", in_dir("plain.txt"));
        assert_int_equal(plain.status, 2);
        contains(plain.err, "not executable\nhint: chmod +x");
        line = RUN(ANSWERS({ "Apply", { ONE("add") } }), "start", "--name=l", "--", "sh -c 'a b'");
        contains(line.calls, "/sh\",\"-c\",\"a b\"]");
}

static void start_refuses_confusion(void **state) {
        _cleanup_run_ Run mixed = {}, options = RUN(NULL, "start", "--name", "x", "web"), nothing = RUN(NULL, "start"),
                          before = RUN(NULL, "start", "web", "--", "ls"), name = RUN(NULL, "start", "--name", "a b", "--", "true");

        put_file("a.yaml", "services:\n  a: {command: /bin/true}\n", 0644);
        mixed = RUN(NULL, "start", in_dir("a.yaml"), "web");
        assert_int_equal(mixed.status, 2);
        assert_int_equal(options.status, 2);
        assert_int_equal(nothing.status, 2);
        assert_int_equal(before.status, 2);
        assert_int_equal(name.status, 2);
        contains(name.err, "\"a b\" cannot name a service");
}

#define ENTRY(label, name, n, stream, text)                                                                                                \
        "{\"time_usec\":1700000000000000,\"name\":\"" name "\",\"namespace\":\"default\",\"instance\":" #n ",\"label\":\"" label           \
        "\",\"stream\":\"" stream "\",\"message\":\"" text "\"}"

#define ORIGIN(name, ns) "{\"name\":\"" name "\",\"namespace\":\"" ns "\",\"instance\":0,\"label\":\"" name "\"}"

static void logs(void **state) {
        const Answer *one =
                ANSWERS({ "Logs", { "{\"parameters\":{\"entries\":[" ENTRY("web", "web", 0, "out", "hello\\t\\u0007\\u001b[1;31m!\\u001b[0m\\r") "]}}" } });
        const Answer *two = ANSWERS({ "Logs",
                                      { "{\"parameters\":{\"origins\":[" ORIGIN("web", "default") "," ORIGIN("db", "default") "],\"entries\":["
                                        ENTRY("web", "web", 0, "out", "a\\nb") "," ENTRY("db", "db", 0, "err", "c") "]}}" } });
        const Answer *spaces = ANSWERS({ "Logs",
                                         { "{\"parameters\":{\"origins\":[" ORIGIN("web", "default") "],\"entries\":[]},\"continues\":true}",
                                           "{\"parameters\":{\"origins\":[" ORIGIN("web", "x") "],\"notices\":[\"x.gz is damaged\"],\"entries\":["
                                           ENTRY("web", "web", 0, "out", "a") "]}}" } });
        _cleanup_run_ Run a = RUN(one, "logs", "web"), b = RUN(two, "logs"), n = RUN(two, "logs", "--no-prefix"), j = RUN(two, "logs", "-o", "json"),
                          l = RUN(two, "logs", "-o", "jsonl"), r = RUN(one, "logs", "--raw", "--no-prefix"), s = RUN(spaces, "logs"),
                          f = RUN(two, "logs", "-f", "web"), since = RUN(one, "logs", "web", "--since", "2023-11-14T00:00:00Z");

        assert_string_equal(a.out, "2023-11-14 22:13:20.000 hello\t\\x07!\n");
        contains(a.calls, "\"selectors\":[\"web\"],\"lines\":20},\"more\":true");
        assert_string_equal(b.out, "2023-11-14 22:13:20.000 web | a\n                              b\n2023-11-14 22:13:20.000 db  | c\n");
        contains(b.calls, "\"selectors\":[\"all\"],\"lines\":20}");
        assert_string_equal(n.out, "a\nb\nc\n");
        assert_string_equal(r.out, "hello\t\007\033[1;31m!\033[0m\r\n");
        assert_memory_equal(j.out, "[\n{", 3);
        contains(j.out, "},\n{");
        assert_string_equal(strrchr(j.out, '}'), "}\n]\n");
        contains(l.out, "}\n{");
        assert_string_equal(s.out, "2023-11-14 22:13:20.000 default/web | a\n");
        assert_string_equal(s.err, "kingctl: x.gz is damaged\n");
        contains(f.calls, "\"follow\":true},\"more\":true");
        contains(since.calls, "\"since_usec\":1699920000000000}");
}

/* With a filter as many lines are asked for as it takes; then those that it leaves are counted. */
static void logs_filtered(void **state) {
        const Answer *mixed = ANSWERS({ "Logs",
                                        { "{\"parameters\":{\"entries\":[" ENTRY("web", "web", 0, "out", "one") "," ENTRY("web", "web", 0, "err", "two")
                                          "," ENTRY("web", "web", 0, "out", "\\u001b[32mt\\u001b[0mhree") "," ENTRY("web", "web", 0, "err", "Four") "]}}" } });
        _cleanup_run_ Run last = RUN(mixed, "logs", "web", "-n1", "--grep", "o"), all = RUN(mixed, "logs", "web", "--no-prefix", "-g", "^t"),
                          inverted = RUN(mixed, "logs", "web", "--no-prefix", "-vi", "-g", "f"),
                          err = RUN(mixed, "logs", "web", "--no-prefix", "--stream=err"), urgent = RUN(mixed, "logs", "--no-prefix", "-p4"),
                          nothing = RUN(mixed, "logs", "-p", "err"), until = RUN(mixed, "logs", "-n1", "--until", "2023-11-14T00:00:00Z");

        assert_string_equal(last.out, "2023-11-14 22:13:20.000 Four\n");
        contains(last.calls, "\"lines\":256}");
        assert_string_equal(all.out, "two\nthree\n");
        contains(all.calls, "\"since_usec\":1,\"contains\":[\"t\"]}");
        assert_string_equal(inverted.out, "one\ntwo\nthree\n");
        assert_string_equal(err.out, "two\nFour\n");
        assert_string_equal(urgent.out, "two\nFour\n");
        assert_string_equal(nothing.out, "");
        contains(until.calls, "\"since_usec\":1699919940000000,\"until_usec\":1699920000000000}");
        contains(until.calls, "\"since_usec\":1,");
}

/* What a pattern surely needs is asked of the daemon; it must never be more than that. */
static void literals(void **state) {
        static const struct { const char *pattern, *literals; } cases[] = {
                { "plain words", "plain words" }, { "^0001 ", "0001 " },  { "ab*cde", "cde" },  { "abc?", "ab" },   { "a{0,3}bc", "bc" },
                { "a+bcd", "bcd" },               { "x.*longer", "longer" }, { "a*", NULL },    { "error|fatal", "error/fatal" }, { "a|b*", NULL },
                { "(abc)", NULL },                { "GET (/a|/b) HTTP", " HTTP" }, { "[ab]cd", "cd" }, { "[]x]y[^]z]", "y" }, { "[[:digit:]]+ms", "ms" },
                { "a\\.b", "a.b" },             { "x\\wab", "ab" },   { "\\<word\\>", "word" }, { "((a|b)c)?def|g", "def/g" }, { "([)]x)yz", "yz" },
                { "", NULL },                     { ".", NULL },          { "ab{", "a" },       { "caf\u00e9*", "caf" }, { "a|", NULL },   { "abc\\", "abc" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Options o = { .grep = cases[i].pattern };
                _cleanup_strv_ char **found = log_filter_literals(&o);
                _cleanup_free_ char *joined = found ? strv_join(found, "/") : NULL;

                if (!streq(joined, cases[i].literals))
                        fail_msg("%s: %s", cases[i].pattern, joined);
                o.invert = true;
                assert_null(log_filter_literals(&o));
        }
}

static void logs_refused(void **state) {
        static char *const words[][6] = {
                { "kingctl", "logs", "--since", "someday" },    { "kingctl", "logs", "--until", "never" },  { "kingctl", "logs", "-g", "(" },
                { "kingctl", "logs", "-p", "loud" },            { "kingctl", "logs", "-v" },                { "kingctl", "logs", "-i" },
                { "kingctl", "logs", "-f", "--until", "now" },  { "kingctl", "logs", "-o", "table" },       { "kingctl", "logs", "--stream", "in" },
                { "kingctl", "logs", "--since=now", "--until=1h" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                _cleanup_run_ Run r = run_words(NULL, (char **) words[i]);

                assert_int_equal(r.status, 2);
                contains(r.err, "kingctl: --");
        }
}

/* Waits until a file says something. */
static void await(const char *name, const char *part) {
        usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE;

        for (;;) {
                _cleanup_free_ char *text = slurp(name);

                if (strstr(text, part))
                        return;
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                poll(NULL, 0, 1);
        }
}

/* Until it sleeps: it has nothing left to do but to wait for the daemon. */
static void await_sleep(pid_t pid) {
        usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE;
        ProcessStat st = {};

        while (process_stat(pid, &st) == 0 && st.state != 'S') {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                poll(NULL, 0, 1);
        }
}

static void following_ends_on_signals(void **state) {
        static const int signals[] = { SIGINT, SIGTERM };
        const Answer *answers =
                ANSWERS({ "Events",
                          { "{\"parameters\":{\"events\":[{\"time_usec\":1700000000000000,\"name\":\"web\",\"instance\":0,"
                            "\"label\":\"web:0\",\"kind\":\"started\",\"message\":\"pid 7\"},{\"time_usec\":1700000000000000,"
                            "\"name\":\"db\",\"instance\":0,\"label\":\"db\",\"kind\":\"ready\",\"message\":\"\"}]},\"continues\":true}",
                            "HANG" } });

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                pid_t daemon = start_daemon(answers), pid;
                _cleanup_free_ char *out = NULL;

                unlink(in_dir("out"));
                pid = spawn_kingctl((char *[]){ "kingctl", "events", "-f", NULL });
                await("out", "db: ready\n");
                await_sleep(pid);
                kill(pid, signals[i]);
                assert_int_equal(status_of(pid), 0);
                stop_child(daemon);
                out = slurp("out");
                assert_string_equal(out, "2023-11-14 22:13:20.000 web:0: pid 7\n2023-11-14 22:13:20.000 db: ready\n");
        }
}

static void status_tells_what_is_wrong(void **state) {
        const Answer *answers =
                ANSWERS({ "Status",
                          { "{\"parameters\":{\"version\":\"9\",\"pid\":1,\"manager_pid\":2,\"isolation\":\"cgroup\","
                            "\"home\":\"\",\"since_usec\":1,\"services\":2,\"instances\":3,\"states\":{\"running\":1,"
                            "\"failed\":1,\"waiting\":0,\"stopped\":1},\"problems\":[\"disk is full\"]}}" } },
                        { "List", { "{\"parameters\":{\"instances\":[" WEB0 "," WEB1 "," JOB "]}}" } },
                        { "Logs", { "{\"parameters\":{\"entries\":[" ENTRY("web:1", "web", 1, "err", "last words") "]}}" } });
        _cleanup_run_ Run r = RUN(answers, "status");

        assert_int_equal(r.status, 0);
        contains(r.out, "fault: disk is full\nwhat is wrong:\n  web:1 failed for ");
        contains(r.out, ": exit status 3 (gave up)\n    2023-11-14 22:13:20.000 last words\n    more: kingctl logs web:1\n"
                        "2 services, 3 instances: 1 running, 1 failed, 1 stopped\nkingd 9, pid 1, up ");
        assert_null(strstr(r.out, "web:0"));
        assert_null(strstr(r.out, "job"));
}

#define SERVICE                                                                                                                            \
        "{\"name\":\"web\",\"namespace\":\"default\",\"origin\":\"/x/"                                                                     \
        "a.yaml\",\"wanted\":true,\"spec\":{},\"changed\":{\"command\":[\"node\",\"a b\"],\"limits\":{\"memory_max\":\"1G\"}},"            \
        "\"unenforced\":[\"limits.io\"],\"instances\":[{\"instance\":" WEB0                                                                \
        ",\"usage\":{\"cpu_usec\":{\"value\":1500000,\"source\":\"cgroup\"},\"memory_bytes\":{\"value\":null,\"source\":null}},"           \
        "\"invocation_id\":\"abc\",\"generation\":1,\"cgroup\":\"/"                                                                        \
        "x\",\"next_usec\":null,\"log\":\"journal\",\"processes\":[{\"pid\":123,\"command\":\"node\"}]}],"                                 \
        "\"events\":[{\"time_usec\":1700000000000000,\"name\":\"web\",\"instance\":0,\"label\":\"web\",\"kind\":\"started\",\"message\":"  \
        "\"\"}]}"

static void describes(void **state) {
        const Answer *answers = ANSWERS({ "Describe", { "{\"parameters\":{\"services\":[" SERVICE "]}}" } });
        _cleanup_run_ Run d = RUN(answers, "describe", "web"), s = RUN(answers, "status", "web"),
                          j = RUN(answers, "show", "web", "-o", "json");

        assert_int_equal(d.status, 0);
        contains(d.out, "  command: [node, a b]\n  limits:\n    memory_max: 1G\n");
        contains(d.out, "limits.io");
        contains(d.out, "cpu time       1s 500ms (cgroup)\n");
        contains(d.out, "processes      123 node\n");
        contains(d.out, "2023-11-14 22:13:20.000 started\n");
        contains(s.out, "\u25cf web running for ");
        contains(s.out, "pid 123, 2 restarts, cpu 1.5%, memory 1.0M, 3 tasks, kingly-web-0-1.scope\n    2023-11-14 22:13:20.000 started\n");
        contains(j.out, "\"origin\": \"/x/a.yaml\"");
}

static void daemon_verbs(void **state) {
        const Answer *answers =
                ANSWERS({ "Ping", { "{\"parameters\":{}}" } }, { "Status", { "{\"parameters\":{\"version\":\"8\",\"pid\":4}}" } },
                        { "Doctor",
                          { "{\"parameters\":{\"checks\":[{\"name\":\"isolation\",\"ok\":true,\"message\":\"scope\"},{\"name\":\"memory\","
                            "\"ok\":false,\"message\":\"no controller\",\"hint\":\"enable it\"},{\"name\":\"pids\",\"ok\":true,\"message\":"
                            "\"no controller\"},{\"name\":\"io\",\"ok\":false,\"message\":\"no controller\",\"hint\":\"enable it\"}]}}" } },
                        { "Shutdown", { "{\"parameters\":{}}" } });
        _cleanup_run_ Run p = RUN(answers, "ping"), v = RUN(answers, "version"), n = RUN(NULL, "version", "-o", "jsonl"),
                          d = RUN(answers, "doctor"), s = RUN(answers, "shutdown"), own = RUN(NULL, "--version");

        contains(p.out, "kingd answers (");
        assert_string_equal(v.out, "kingctl " KINGLY_VERSION "\nkingd 8 (pid 4)\n");
        assert_string_equal(n.out, "{\"kingctl\":\"" KINGLY_VERSION "\",\"kingd\":null}\n");
        assert_int_equal(n.status, 0);
        assert_string_equal(d.out, "ok  isolation: scope\nno  memory, io: no controller\n    enable it\nok  pids: no controller\n");
        assert_string_equal(s.out, "kingd ended; its services are stopped\n");
        assert_string_equal(own.out, "kingctl " KINGLY_VERSION "\n");
}

/* Every verb has help that names its options; what the tables generate is there and mentions every verb. */
static void generated_texts(void **state) {
        static const char *const verbs[] = { "start",    "stop", "restart", "delete", "apply", "check",   "list",     "status",
                                             "describe", "logs", "events",  "doctor", "ping",  "version", "shutdown", "help" };
        _cleanup_run_ Run help = RUN(NULL, "--help"), bash = RUN(NULL, "_complete", "bash"), zsh = RUN(NULL, "_complete", "zsh"),
                          fish = RUN(NULL, "_complete", "fish"), man = RUN(NULL, "_man"), other = RUN(NULL, "_complete", "csh"),
                          schema = RUN(NULL, "_schema"), keys = RUN(NULL, "_man-file");
        const char *texts[] = { help.out, bash.out, zsh.out, fish.out, man.out };

        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                _cleanup_run_ Run one = RUN(NULL, (char *) verbs[i], "--help");

                assert_int_equal(one.status, 0);
                contains(one.out, verbs[i]);
                for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
                        contains(texts[k], verbs[i]);
        }
        assert_int_equal(other.status, 2);
        contains(zsh.out, "'1:word:(systemd quadlet compose kubernetes)'");
        contains(fish.out, "export; and not __fish_seen_subcommand_from systemd quadlet compose kubernetes' -a 'systemd");
        contains(schema.out, "\"$schema\"");
        contains(keys.out, ".It");
}

static void output_that_cannot_be_written(void **state) {
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
                dup2(open(in_dir("err"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600), STDERR_FILENO);
                _exit(kingctl_run(2, (char *[]){ "kingctl", "--help", NULL }));
        }
        assert_int_equal(status_of(pid), 1);
        _cleanup_free_ char *err = slurp("err");
        assert_string_equal(err, "kingctl: output: No space left on device\n");
}

/* A kingd that makes the socket, found in PATH. */
static void starts_a_daemon(void **state) {
        _cleanup_free_ char *path = text_printf("%s:%s", dir, getenv("PATH")), *old = strdup(getenv("PATH"));
        _cleanup_run_ Run r = {}, no = {}, list = {}, fails = {};
        pid_t daemon;

        put_file("kingd", "#!/bin/sh\n[ \"$1\" = --daemonize ] && mv \"$KINGLY_SOCKET.off\" \"$KINGLY_SOCKET\"\n", 0755);
        setenv("PATH", path, 1);
        daemon = start_daemon(ANSWERS({ "Start", { END(ALONE("running", "")) } }));
        assert_int_equal(rename(in_dir("sock"), in_dir("sock.off")), 0);
        no.status = status_of(spawn_kingctl((char *[]){ "kingctl", "--no-autostart", "start", "web", NULL }));
        list.status = status_of(spawn_kingctl((char *[]){ "kingctl", "list", NULL }));
        r.status = status_of(spawn_kingctl((char *[]){ "kingctl", "start", "web", NULL }));
        r.out = slurp("out");
        r.err = slurp("err");
        stop_child(daemon);
        unlink(in_dir("sock"));
        fails.status = status_of(spawn_kingctl((char *[]){ "kingctl", "start", "web", NULL }));
        fails.err = slurp("err");
        setenv("PATH", old, 1);
        assert_int_equal(no.status, 4);
        assert_int_equal(list.status, 4);
        assert_int_equal(r.status, 0);
        assert_string_equal(r.err, "kingd started\n");
        assert_int_equal(strncmp(r.out, "web running (", strlen("web running (")), 0);
        assert_int_equal(fails.status, 4);
        contains(fails.err, "cannot start the daemon: exit status 1\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists),
                cmocka_unit_test(lists_columns),
                cmocka_unit_test(completes_names),
                cmocka_unit_test(exit_statuses),
                cmocka_unit_test(waits_and_tells_once),
                cmocka_unit_test(failures_are_explained),
                cmocka_unit_test(results_for_programs),
                cmocka_unit_test(applies),
                cmocka_unit_test(checks_files),
                cmocka_unit_test(starts_commands),
                cmocka_unit_test(start_refuses_confusion),
                cmocka_unit_test(logs),
                cmocka_unit_test(logs_filtered),
                cmocka_unit_test(logs_refused),
                cmocka_unit_test(literals),
                cmocka_unit_test(following_ends_on_signals),
                cmocka_unit_test(status_tells_what_is_wrong),
                cmocka_unit_test(describes),
                cmocka_unit_test(daemon_verbs),
                cmocka_unit_test(generated_texts),
                cmocka_unit_test(output_that_cannot_be_written),
                cmocka_unit_test(starts_a_daemon),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
