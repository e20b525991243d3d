/* Files of other supervisors: what each key becomes, what is said of those that have no counterpart, and what is refused. */
#include "config_test.inc.h"

#include "config/foreign.h"

/* By the name or, as the loader does it, by what the text holds. */
static ForeignFormat recognise(const char *name, const char *text) {
        ForeignFormat format = foreign_recognise(name, text);
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_document_ Document doc = {};

        if (format != FOREIGN_NONE)
                return format;
        return document_read(&doc, name, text, strlen(text), &d) > 0 && d.errors == 0 ? foreign_recognise_document(doc.root) : FOREIGN_NONE;
}

/* Loads a text as the given format and compares its services (canonical JSON, a line each) and everything said. NULL: not compared. */
static void expect_in(const char *directory, const char *name, const char *text, const char *services, const char *said) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_buffer_ Buffer b = {};
        _cleanup_strv_ char **profiles = NULL;
        _cleanup_free_ char *all = NULL;
        ForeignFormat format = recognise(name, text);

        assert_int_not_equal(format, FOREIGN_NONE);
        assert_int_equal(foreign_load(format, name, directory, text, strlen(text), &test_options, &specs, &profiles, &d), 0);
        assert_int_equal(buffer_printf(&b, "%s", ""), 0);
        for (size_t i = 0; i < specs.n; i++) {
                json_object *o = config_spec_to_json(specs.items[i]);

                json_object_object_del(o, "name");
                json_object_object_del(o, "namespace");
                assert_int_equal(buffer_printf(&b, "%s/%s %s\n", specs.items[i]->ns, specs.items[i]->name,
                                               json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)), 0);
                json_object_put(o);
        }
        all = messages(&d);
        if (said)
                assert_string_equal(all, said);
        if (services)
                assert_string_equal(b.data, services);
}

static void expect(const char *name, const char *text, const char *services, const char *said) {
        expect_in("/srv/shop", name, text, services, said);
}

static void test_recognised(void **state) {
        static const struct {
                const char *name, *text;
                ForeignFormat format;
        } cases[] = {
                { "Procfile", "", FOREIGN_PROCFILE },
                { "/a/Procfile.dev", "", FOREIGN_PROCFILE },
                { "supervisord.conf", "", FOREIGN_SUPERVISORD },
                { "x.conf", "; c\n[program:a]\n", FOREIGN_SUPERVISORD },
                { "x.conf", "a [program:a]\n", FOREIGN_NONE },
                { "ecosystem.config.js", "", FOREIGN_PM2 },
                { "dump.pm2", "[]", FOREIGN_PM2 },
                { "a.json", "{\"apps\": [{}]}", FOREIGN_PM2 },
                { "package.json", "{\"name\": \"x\", \"pm2\": {\"script\": \"a.js\"}}", FOREIGN_PM2 },
                { "a.yaml", "apps:\n- script: a\n", FOREIGN_PM2 },
                { "a.yaml", "processes:\n  a: {command: x}\n", FOREIGN_PROCESS_COMPOSE },
                { "a.yaml", "services:\n  apps: {command: x}\nprocesses: {}\n", FOREIGN_NONE },
                { "a.yaml", "services:\n  a: {command: x}\n", FOREIGN_NONE },
                { "a.yaml", "apps: [", FOREIGN_NONE },
                { "a.yaml", "", FOREIGN_NONE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(recognise(cases[i].name, cases[i].text), cases[i].format);
        assert_true(foreign_is_program("/a/x.config.mjs"));
        assert_false(foreign_is_program("/a.js/x.json"));
}

#define FOREMAN "Procfile: warning: each process is restarted when it ends, and the others live on; foreman would end all of them\n"

static void test_procfile(void **state) {
        expect("Procfile", "# c\nweb: node s.js -p $PORT\n\nwork-er: ./w  \n",
               "default/web {\"command\":\"node s.js -p $PORT\",\"shell\":true,\"cwd\":\"/srv/shop\",\"env\":{\"PORT\":\"5000\"},"
               "\"env_file\":[\"-/srv/shop/.env\"]}\n"
               "default/work-er {\"command\":\"./w\",\"shell\":true,\"cwd\":\"/srv/shop\",\"env\":{\"PORT\":\"5100\"},"
               "\"env_file\":[\"-/srv/shop/.env\"]}\n", FOREMAN);
        expect("Procfile", "", "", "Procfile:1:1: error: the file has no processes\n");
        expect("Procfile", "web node\n: x\nweb:\n", "",
               "Procfile:1:1: error: expected `NAME: COMMAND`, with letters, digits, '_' and '-' in the name\n"
               "Procfile:2:1: error: expected `NAME: COMMAND`, with letters, digits, '_' and '-' in the name\n"
               "Procfile:3:1: error: web: no command\n" FOREMAN);
        expect("Procfile", "a: x\na: y\n", NULL, "Procfile:2:1: error: a: service `a` is defined already\n" FOREMAN);
}

static void write_file(const char *directory, const char *name, const char *text) {
        char path[4096];
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", directory, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *directory, const char *name) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", directory, name);
        assert_int_equal(unlink(path), 0);
}

static void test_formation(void **state) {
        char directory[] = "/tmp/kingly-test-XXXXXX", wanted[1024];

        assert_non_null(mkdtemp(directory));
        write_file(directory, ".foreman", "port: 7000\nformation: web=3, idle=0\n");
        snprintf(wanted, sizeof wanted,
                 "default/web {\"command\":\"export PORT=$((7000 + KINGLY_INSTANCE)); s\",\"shell\":true,\"cwd\":\"%s\",\"instances\":3,"
                 "\"env_file\":[\"-%s/.env\"]}\n"
                 "default/idle {\"command\":\"i\",\"shell\":true,\"cwd\":\"%s\",\"autostart\":false,\"env\":{\"PORT\":\"7100\"},"
                 "\"env_file\":[\"-%s/.env\"]}\n", directory, directory, directory, directory);
        expect_in(directory, "Procfile", "web: s\nidle: i\n", wanted, FOREMAN);
        remove_file(directory, ".foreman");
        assert_int_equal(rmdir(directory), 0);
}

/* What every program of supervisord has unless it says otherwise. */
#define SUPERVISED(restart) "\"restart\":{" restart "},\"stop\":{\"timeout\":\"10s\"},\"log\":{\"max_size\":\"50M\",\"keep\":10}"
#define UNEXPECTED "\"when\":\"on-failure\",\"delay\":\"1s\",\"reset_after\":\"1s\",\"limit\":3"

static void test_supervisord(void **state) {
        expect("supervisord.conf", "[program:cat]\ncommand=/bin/cat --x=\"%(program_name)s %(ENV_PORT)s\" 50%% ; why\n",
               "default/cat {\"command\":[\"/bin/cat\",\"--x=cat 8080\",\"50%\"]," SUPERVISED(UNEXPECTED) "}\n", "");
        expect("supervisord.conf", "[program:a]\ncommand=a\nexitcodes=0,2\n[program:b]\ncommand=b\nexitcodes=3\n[program:c]\ncommand=c\nautorestart=true\n"
                                   "[program:d]\ncommand=d\nautorestart=FALSE\nexitcodes=0,9\n",
               "default/a {\"command\":[\"a\"]," SUPERVISED(UNEXPECTED ",\"except_codes\":[2]") "}\n"
               "default/b {\"command\":[\"b\"]," SUPERVISED("\"delay\":\"1s\",\"reset_after\":\"1s\",\"limit\":3,\"except_codes\":[3]") "}\n"
               "default/c {\"command\":[\"c\"]," SUPERVISED("\"delay\":\"1s\",\"reset_after\":\"1s\",\"limit\":3") "}\n"
               "default/d {\"command\":[\"d\"]," SUPERVISED("\"when\":\"never\",\"delay\":\"1s\",\"reset_after\":\"1s\",\"limit\":3") "}\n", "");
        expect("supervisord.conf", "[supervisord]\nenvironment=G=1,B='x,y'\n[program:a]\ncommand=a\nenvironment=A=\"q=1, z\",\n  B=2\nstopsignal=HUP\n"
                                   "stopwaitsecs=3\nuser=nobody\numask=027\ndirectory=sub\nautostart=no\n",
               "default/a {\"command\":[\"a\"],\"cwd\":\"/srv/shop/sub\",\"autostart\":false,\"env\":{\"A\":\"q=1, z\",\"B\":\"2\",\"G\":\"1\"},"
               "\"restart\":{" UNEXPECTED "},\"stop\":{\"signal\":\"SIGHUP\",\"timeout\":\"3s\"},\"log\":{\"max_size\":\"50M\",\"keep\":10},"
               "\"user\":\"nobody\",\"umask\":\"0027\"}\n", "");
}

static void test_supervisord_sockets(void **state) {
        expect("supervisord.conf", "[fcgi-program:f]\ncommand=f\nsocket=unix:///run/%(program_name)s.sock\nsocket_owner=www:web\nsocket_backlog=9\nnumprocs=2\n",
               "default/f {\"command\":[\"f\"],\"instances\":2,\"sockets\":[{\"listen\":\"/run/f.sock\",\"mode\":\"0700\",\"owner\":\"www\",\"group\":\"web\","
               "\"backlog\":9,\"fd\":0}]," SUPERVISED(UNEXPECTED) "}\n", "");
        expect("supervisord.conf", "[fcgi-program:f]\ncommand=f\nsocket=tcp://localhost:9001\nsocket_mode=0770\n",
               "default/f {\"command\":[\"f\"],\"sockets\":[{\"listen\":\"localhost:9001\",\"mode\":\"0770\",\"fd\":0}]," SUPERVISED(UNEXPECTED) "}\n", "");
        expect("supervisord.conf", "[fcgi-program:f]\ncommand=f\nsocket=/run/x\n", "",
               "supervisord.conf:3:1: error: socket: expected tcp://HOST:PORT or unix:///PATH, not \"/run/x\"\n");
}

static void test_supervisord_numbers_and_groups(void **state) {
        expect("supervisord.conf", "[program:w]\ncommand=w\nnumprocs=3\n", "default/w {\"command\":[\"w\"],\"instances\":3," SUPERVISED(UNEXPECTED) "}\n", "");
        expect("supervisord.conf", "[program:w]\ncommand=w %(process_num)02d\nprocess_name=%(program_name)s-%(process_num)d\nnumprocs=2\nnumprocs_start=8\nwat=1\n"
                                   "[group:g]\nprograms=x, w\npriority=5\n",
               "g/w-8 {\"command\":[\"w\",\"08\"]," SUPERVISED(UNEXPECTED) "}\n"
               "g/w-9 {\"command\":[\"w\",\"09\"]," SUPERVISED(UNEXPECTED) "}\n",
               "supervisord.conf:6:1: warning: w: supervisord has no key `wat` either\n"
               "supervisord.conf:8:1: warning: [group:g] names x, and there is no [program:x]\n"
               "supervisord.conf:9:1: warning: [group:g] priority: say what waits for what with depends_on\n");
}

static void test_supervisord_refused(void **state) {
        static const struct {
                const char *text, *said;
        } cases[] = {
                { "", "supervisord.conf:1:1: error: the file has no [program:…]\n" },
                { "x=1\n", "supervisord.conf:1:1: error: a key before the first [section]\n" },
                { "[program:a\n", "supervisord.conf:1:1: error: expected a section such as [program:web]\n" },
                { "[program:a]\n", "supervisord.conf:1:1: error: [program:a] has no command\n" },
                { "[program:a]\ncommand\n", "supervisord.conf:2:1: error: expected `key = value`\n"
                                            "supervisord.conf:1:1: error: [program:a] has no command\n" },
                { "[program:a]\ncommand=\"x\n", "supervisord.conf:2:1: error: command: the quotes do not match, or there is none\n" },
                { "[program:a]\ncommand=x %(ENV_NOPE)s\n", "supervisord.conf:2:1: error: command: %(ENV_NOPE) is not known: the variable is not set here\n" },
                { "[program:a]\ncommand=x %(here\n", "supervisord.conf:2:1: error: command: \"%(\" without \")\"\n" },
                { "[program:a]\ncommand=x %(here)\n", "supervisord.conf:2:1: error: command: %(here) is not followed by s or d\n" },
                { "[program:a]\ncommand=x\nnumprocs=many\n", "supervisord.conf:3:1: error: numprocs: expected a number up to 1024, not \"many\"\n" },
                { "[program:a]\ncommand=x\nexitcodes=a\n", "supervisord.conf:3:1: error: exitcodes: expected numbers from 0 to 255, not \"a\"\n" },
                { "[program:a]\ncommand=x\nenvironment=A=\"1\n", "supervisord.conf:3:1: error: environment: A: the quote is not closed\n" },
                { "[program:a]\ncommand=x\nstopsignal=NOPE\n", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                expect("supervisord.conf", cases[i].text, NULL, cases[i].said);
}

static void test_supervisord_includes(void **state) {
        char directory[] = "/tmp/kingly-test-XXXXXX";

        assert_non_null(mkdtemp(directory));
        write_file(directory, "one.ini", "[program:one]\ncommand=one\n");
        write_file(directory, "two.ini", "[program:two]\ncommand=two %(here)s\n[include]\nfiles=*.ini\n");
        expect_in(directory, "supervisord.conf", "[include]\nfiles = *.ini none.*\n[group:g]\nprograms=one\n", NULL,
                  "supervisord.conf:2:1: warning: include: no file matches none.*\n");
        remove_file(directory, "one.ini");
        remove_file(directory, "two.ini");
        assert_int_equal(rmdir(directory), 0);
}

#define PM2 "\"restart\":{\"delay\":\"0\",\"reset_after\":\"1s\"},\"stop\":{\"signal\":\"SIGINT\",\"timeout\":\"1s600ms\"}"

static void test_pm2(void **state) {
        expect("ecosystem.json", "// comments, unquoted keys and single quotes are legal there\n{apps: [{name: 'api', script: '/x/api.js', interpreter: 'node', "
                                 "node_args: '--inspect', args: ['a b', 'c'], env: {A: 1, B: true}, namespace: 'shop'}]}",
               "shop/api {\"command\":[\"node\",\"--inspect\",\"/x/api.js\",\"a b\",\"c\"],\"cwd\":\"/srv/shop\",\"env\":{\"A\":\"1\",\"B\":\"true\"}," PM2 "}\n", "");
        expect("ecosystem.yml", "apps:\n- script: npm\n  args: run 'x y'\n- name: line\n  script: echo a && echo b\n  autorestart: false\n  kill_timeout: 3000\n"
                                "  stop_exit_codes: [0, 7]\n  treekill: false\n",
               "default/npm {\"command\":[\"npm\",\"run\",\"x y\"],\"cwd\":\"/srv/shop\"," PM2 "}\n"
               "default/line {\"command\":\"echo a && echo b\",\"shell\":true,\"cwd\":\"/srv/shop\",\"restart\":{\"when\":\"never\",\"delay\":\"0\","
               "\"reset_after\":\"1s\",\"except_codes\":[0,7]},\"stop\":{\"signal\":\"SIGINT\",\"timeout\":\"3s\",\"scope\":\"main\"}}\n", "");
        expect("ecosystem.json", "[{\"script\": \"/x/a\", \"exp_backoff_restart_delay\": 200, \"instances\": \"max\", \"exec_mode\": \"fork\", \"port\": 80}]",
               "default/a {\"command\":[\"/x/a\"],\"cwd\":\"/srv/shop\",\"instances\":\"max\",\"env\":{\"PORT\":\"80\"},\"restart\":{\"delay\":\"200ms\","
               "\"factor\":1.5,\"max_delay\":\"15s\",\"reset_after\":\"30s\"},\"stop\":{\"signal\":\"SIGINT\",\"timeout\":\"1s600ms\"}}\n", "");
        expect("ecosystem.json", "[{\"script\": \"/x/a.js\", \"interpreter\": \"node\", \"instances\": 2}]",
               "default/a {\"command\":[\"node\",\"/x/a.js\"],\"cwd\":\"/srv/shop\",\"instances\":2,\"cluster\":{\"by\":\"node\"},"
               "\"ready\":{\"by\":\"listen\",\"timeout\":\"3s\",\"late\":\"pass\"}," PM2 "}\n", "");
}

static void test_pm2_reports(void **state) {
        expect("e.json", "{\"apps\": [{\"name\": \"a b\", \"script\": \"/x/a.js\", \"interpreter\": \"node\", \"instances\": 2, \"watch\": true, \"cron_restart\": \"0 * * * *\", "
                         "\"max_memory_restart\": \"300M\", \"wat\": 1, \"vizion\": false, \"out_file\": \"/l\"}], \"deploy\": {}}",
               NULL,
               "e.json:1:218: warning: deploy has no counterpart\n"
               "e.json:1:168: warning: a b: wat has no counterpart\n"
               "e.json:1:200: warning: a b: out_file: Kingly names its own log, which holds both streams with their times: kingctl logs a b\n"
               "e.json:1:11: warning: service `a b` becomes `a_b`: names hold letters, digits, '_', '-' and '.'\n");
}

static void test_schedules(void **state) {
        expect("ecosystem.json", "[{\"name\": \"job\", \"script\": \"/x/a\", \"autorestart\": false, \"cron_restart\": \"0 3 * * *\"}]",
               "default/job {\"command\":[\"/x/a\"],\"cwd\":\"/srv/shop\",\"restart\":{\"when\":\"never\",\"delay\":\"0\",\"reset_after\":\"1s\"},"
               "\"stop\":{\"signal\":\"SIGINT\",\"timeout\":\"1s600ms\"},\"schedule\":{\"cron\":\"0 3 * * *\"}}\n", "");
        expect("ecosystem.json", "[{\"name\": \"job\", \"script\": \"/x/a\", \"cron_restart\": \"0 33 * * *\"}]", NULL,
               "ecosystem.json:1:52: error: job: cron_restart: hour: 33 is more than 23\n");
        expect("ecosystem.json", "[{\"name\": \"job\", \"script\": \"/x/a\", \"cron_restart\": \"0\"}]",
               "default/job {\"command\":[\"/x/a\"],\"cwd\":\"/srv/shop\"," PM2 "}\n", "");
        expect("process-compose.yaml",
               "processes:\n  a:\n    command: x\n    schedule: {cron: '0 2 * * *', timezone: UTC, run_on_start: true, max_concurrent: 1}\n"
               "  b:\n    command: x\n    schedule:\n      interval: 30m\n      max_concurrent: 2\n",
               "default/a {\"type\":\"oneshot\",\"command\":[\"bash\",\"-c\",\"x\"],\"cwd\":\"/srv/shop\",\"restart\":{\"when\":\"never\",\"delay\":\"1s\",\"limit\":0},"
               "\"stop\":{\"timeout\":\"10s\"},\"schedule\":{\"cron\":\"0 2 * * *\",\"timezone\":\"UTC\",\"at_start\":true}}\n"
               "default/b {\"type\":\"oneshot\",\"command\":[\"bash\",\"-c\",\"x\"],\"cwd\":\"/srv/shop\",\"restart\":{\"when\":\"never\",\"delay\":\"1s\",\"limit\":0},"
               "\"stop\":{\"timeout\":\"10s\"},\"schedule\":{\"every\":\"30m\"}}\n",
               "process-compose.yaml:9:23: warning: b: schedule.max_concurrent: one run at a time; see schedule.overlap\n");
        expect("process-compose.yaml", "processes: {a: {command: x, schedule: {cron: 'x y'}}}\n", NULL,
               "process-compose.yaml:1:46: error: a: schedule.cron: expected five fields, or six with seconds in front\n");
}

static void test_pm2_dump(void **state) {
        static const char entry[] = "{\"name\": \"api\", \"pm_exec_path\": \"/x/api\", \"pm_cwd\": \"/x\", \"exec_mode\": \"fork_mode\", \"status\": \"online\", "
                                    "\"pm_id\": 3, \"axm_monitor\": {}, \"env\": {\"A\": \"1\"}}";
        char text[1024];

        snprintf(text, sizeof text, "[%s,%s,%s]", entry, entry, entry);
        expect("dump.pm2", text, "default/api {\"command\":[\"/x/api\"],\"cwd\":\"/x\",\"instances\":3,\"env\":{\"A\":\"1\"}," PM2 "}\n", "");
}

static void test_pm2_refused(void **state) {
        static const struct {
                const char *text, *said;
        } cases[] = {
                { "", "ecosystem.json:1:1: error: the file is empty\n" },
                { "{\"apps\": 7}", "ecosystem.json:1:10: error: apps: expected a list of applications\n" },
                { "{\"apps\": []}", "ecosystem.json:1:10: error: apps: expected a list of applications\n" },
                { "[7]", "ecosystem.json:1:2: error: expected an application with `name` and `script`\n" },
                { "[{\"name\": \"a\"}]", "ecosystem.json:1:2: error: a: no `script`\n" },
                { "[{\"script\": \"/x\", \"kill_timeout\": \"soon\"}]", "ecosystem.json:1:35: error: x: kill_timeout: expected milliseconds, not \"soon\"\n" },
                { "[{\"script\": \"/x\", \"instances\": \"two\"}]", "ecosystem.json:1:32: error: x: instances: expected a number or max\n" },
                { "[{\"script\": \"/x\", \"env\": \"A=1\"}]", "ecosystem.json:1:26: error: x: env: expected names with values\n" },
                { "[{\"script\": \"/x\", \"args\": \"'a\"}]", "ecosystem.json:1:27: error: x: the quotes do not match\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                expect("ecosystem.json", cases[i].text, NULL, cases[i].said);
}

static void test_process_compose(void **state) {
        expect("process-compose.yaml",
               "version: '0.5'\nenvironment: ['G=1']\nshell: {shell_command: sh}\nprocesses:\n"
               "  db:\n    command: redis-server\n    availability: {restart: on_failure, backoff_seconds: 2, max_restarts: 3}\n    readiness_probe: {http_get: {host: 127.0.0.1, port: 6380, scheme: http, path: /, headers: {X: y}}, period_seconds: 2, success_threshold: 0, foo: 1}\n"
               "    liveness_probe: {exec: {command: 'test -e x', working_dir: /tmp}, failure_threshold: 5, timeout_seconds: 3}\n    ready_log_line: 'a.b (c)'\n"
               "  api:\n    entrypoint: [node, x]\n    depends_on: {db: {condition: process_healthy}}\n    shutdown: {signal: 15, timeout_seconds: 3, parent_only: yes, command: 'a | b'}\n"
               "    environment: ['A=b=c']\n    replicas: 2\n    disabled: true\n    namespace: shop\n    working_dir: sub\n",
               "default/db {\"command\":[\"sh\",\"-c\",\"redis-server\"],\"cwd\":\"/srv/shop\",\"env\":{\"G\":\"1\"},\"ready\":{\"by\":\"log\",\"pattern\":\"a\\\\.b \\\\(c\\\\)\"},"
               "\"probes\":{\"readiness\":{\"http\":{\"port\":6380,\"host\":\"127.0.0.1\",\"path\":\"/\",\"headers\":{\"X\":\"y\"},\"codes\":[200]},\"period\":\"2s\"},"
               "\"liveness\":{\"exec\":[\"sh\",\"-c\",\"test -e x\"],\"timeout\":\"3s\",\"failure\":5}},\"restart\":{\"when\":\"on-failure\",\"delay\":\"2s\","
               "\"factor\":1,\"max_delay\":\"2s\",\"limit\":3},\"stop\":{\"timeout\":\"10s\"}}\n"
               "shop/api {\"command\":[\"node\",\"x\"],\"cwd\":\"/srv/shop/sub\",\"instances\":2,\"autostart\":false,\"env\":{\"A\":\"b=c\",\"G\":\"1\"},"
               "\"depends_on\":{\"db\":\"ready\"},\"restart\":{\"when\":\"never\",\"delay\":\"1s\",\"limit\":0},\"stop\":{\"timeout\":\"3s\",\"scope\":\"main\"},"
               "\"hooks\":{\"pre_stop\":[\"/bin/sh\",\"-c\",\"a | b\"]}}\n",
               "process-compose.yaml:8:145: warning: db: readiness_probe: foo has no counterpart\n"
               "process-compose.yaml:9:28: warning: db: liveness_probe: working_dir: it runs in the directory of the service\n");
        expect("process-compose.yaml", "processes:\n  a: {command: x, readiness_probe: {http_get: {scheme: HTTPS, port: 1}}}\n  b: {command: x, liveness_probe: {}}\n"
               "  c: {command: x, liveness_probe: {http_get: {port: x}}}\n  d: {command: x, liveness_probe: {exec: {command: x}, period_seconds: soon}}\n", NULL,
               "process-compose.yaml:3:35: error: b: liveness_probe: expected exec or http_get\n"
               "process-compose.yaml:4:46: error: c: liveness_probe: http_get: expected a port\n"
               "process-compose.yaml:5:72: error: d: liveness_probe: period_seconds: expected a number\n");
        expect("process-compose.yaml", "processes: {}\n", "", "process-compose.yaml:1:1: error: the file has no processes\n");
        expect("process-compose.yaml", "processes:\n  a: 1\n  b: {}\n  c: {command: x, depends_on: {d: {condition: soon}}}\n", NULL,
               "process-compose.yaml:2:3: error: a: expected keys such as command\n"
               "process-compose.yaml:3:3: error: b: no command\n"
               "process-compose.yaml:4:32: error: c: depends_on: d: no such condition: soon\n");
}

/* YAML that is written is read as the same. */
static void test_yaml_reads_back(void **state) {
        static const char text[] = "{\"services\":{\"a\":{\"command\":[\"x\",\"80\",\"true\",\"~\",\"\",\"a: b\",\"#c\",\"- d\",\"1e3\",\"new\\nline\",\"\\u00e4\",\"'\",\"0x1f\",\"off\"],"
                                   "\"instances\":3,\"env\":{\"A\":\"1\",\"no\":\"yes\"},\"autostart\":false}}}";
        _cleanup_spec_list_ SpecList a = {}, b = {};
        json_object *o = json_tokener_parse(text);
        char *yaml = config_yaml(o);

        assert_non_null(yaml);
        load_good(text, &a);
        load_good(yaml, &b);
        assert_int_equal(b.n, 1);
        for (const SpecKey *k = spec_keys; k->path; k++)
                assert_true(spec_key_equal(k, a.items[0], b.items[0]));
        free(yaml);
        json_object_put(o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_recognised), cmocka_unit_test(test_procfile), cmocka_unit_test(test_formation), cmocka_unit_test(test_supervisord), cmocka_unit_test(test_supervisord_sockets),
                cmocka_unit_test(test_supervisord_numbers_and_groups), cmocka_unit_test(test_supervisord_refused),
                cmocka_unit_test(test_supervisord_includes), cmocka_unit_test(test_pm2), cmocka_unit_test(test_pm2_reports), cmocka_unit_test(test_pm2_dump),
                cmocka_unit_test(test_pm2_refused), cmocka_unit_test(test_process_compose), cmocka_unit_test(test_schedules), cmocka_unit_test(test_yaml_reads_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
