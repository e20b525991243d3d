/* Moving out: the files of one rich service in each format, and that no key is dropped in silence. */
#include "../model/unit.inc.h"

#include "export/export.h"

static const ExportOptions options = { .image = "r/x:1", .n_cpus = 4 };

/* All files and notes of a service as one text; malloc'ed. */
static char *everything(ExportFormat format, const ServiceSpec *s, const ExportOptions *o) {
        _cleanup_export_ Export e = {};
        _cleanup_error_ KlError error = {};
        Buffer b = {};

        assert_int_equal(export_service(format, s, o, &e, &error), 0);
        assert_int_equal(buffer_printf(&b, "%s", ""), 0);
        for (size_t i = 0; i < e.n; i++) {
                const char *text = e.files[i].text ?: json_object_to_json_string_ext(e.files[i].document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

                assert_int_equal(buffer_printf(&b, "# %s\n%s\n", e.files[i].name, text), 0);
        }
        STRV_FOREACH(note, e.notes)
                assert_int_equal(buffer_printf(&b, "! %s\n", *note), 0);
        return b.data;
}

static ServiceSpec *rich(void) {
        ServiceSpec *s = make_spec("shop", "api");

        assert_int_equal(strv_append(&s->command, "a b"), 0);
        assert_int_equal(strv_append(&s->command, "$HOME 50% \"q\" \\"), 0);
        assert_int_equal(strv_append(&s->env, "A=x y%"), 0);
        assert_int_equal(strv_append(&s->env, "B=$1"), 0);
        assert_int_equal(strv_append(&s->env_files, "-/x/.env"), 0);
        add_dependency(s, "db", DEPEND_READY);
        add_dependency(s, "other/job", DEPEND_COMPLETED);
        add_code(&s->restart.except_codes, 3);
        set_key(s, "instances", "2");
        set_key(s, "limits.memory_max", "256M");
        set_key(s, "limits.cpu", "150%");
        set_key(s, "stop.timeout", "1m");
        set_key(s, "stop.signal", "SIGINT");
        set_key(s, "user", "33");
        set_key(s, "no_new_privileges", "true");
        assert_int_equal(strv_append(&s->capabilities, "CAP_NET_BIND_SERVICE"), 0);
        s->capabilities_set = true;
        return s;
}

static void expect(ExportFormat format, const char *wanted) {
        _cleanup_(spec_freep) ServiceSpec *s = rich();
        _cleanup_free_ char *text = everything(format, s, &options);

        assert_string_equal(text, wanted);
}

static void test_systemd(void **state) {
        expect(EXPORT_SYSTEMD,
               "# shop-api@.service\n"
               "[Unit]\nDescription=api\nRequires=shop-db.service\nAfter=shop-db.service\nRequires=other-job.service\nAfter=other-job.service\n"
               "StartLimitBurst=16\nStartLimitIntervalSec=1m\n"
               "\n[Service]\nType=exec\nExecStart=/bin/true \"a b\" \"$$HOME 50%% \\\"q\\\" \\\\\"\nSyslogIdentifier=api\n"
               "Environment=KINGLY_SERVICE=api\nEnvironment=KINGLY_NAMESPACE=shop\nEnvironment=\"A=x y%%\"\nEnvironment=B=$1\nEnvironmentFile=-/x/.env\n"
               "Environment=KINGLY_INSTANCE=%i NODE_APP_INSTANCE=%i\n"
               "Restart=always\nRestartSec=100ms\nTimeoutStopSec=1m\nTimeoutStartSec=30s\nMemoryMax=256M\nCPUQuota=150%\nRestartPreventExitStatus=3\n"
               "KillSignal=SIGINT\nUser=33\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nNoNewPrivileges=true\n\n"
               "# shop-api.target\n"
               "[Unit]\nDescription=All instances of shop-api\nWants=shop-api@0.service shop-api@1.service\nAfter=shop-api@0.service shop-api@1.service\n"
               "\n[Install]\nWantedBy=multi-user.target\n\n");
}

static void test_quadlet(void **state) {
        expect(EXPORT_QUADLET,
               "# shop-api@.container\n"
               "[Unit]\nDescription=api\nRequires=shop-db.service\nAfter=shop-db.service\nRequires=other-job.service\nAfter=other-job.service\n"
               "StartLimitBurst=16\nStartLimitIntervalSec=1m\n"
               "\n[Container]\nImage=r/x:1\nExec=/bin/true \"a b\" \"$$HOME 50%% \\\"q\\\" \\\\\"\n"
               "Environment=KINGLY_SERVICE=api\nEnvironment=KINGLY_NAMESPACE=shop\nEnvironment=\"A=x y%%\"\nEnvironment=B=$1\nEnvironmentFile=-/x/.env\n"
               "Environment=KINGLY_INSTANCE=%i NODE_APP_INSTANCE=%i\nPodmanArgs=--stop-signal=SIGINT\nUser=33\nDropCapability=all\n"
               "AddCapability=CAP_NET_BIND_SERVICE\nNoNewPrivileges=true\n"
               "\n[Service]\nRestart=always\nRestartSec=100ms\nTimeoutStopSec=1m\nTimeoutStartSec=30s\nMemoryMax=256M\nCPUQuota=150%\n"
               "RestartPreventExitStatus=3\n\n"
               "# shop-api.target\n"
               "[Unit]\nDescription=All instances of shop-api\nWants=shop-api@0.service shop-api@1.service\nAfter=shop-api@0.service shop-api@1.service\n"
               "\n[Install]\nWantedBy=multi-user.target\n\n");
}

static void test_compose(void **state) {
        expect(EXPORT_COMPOSE,
               "# shop-api\n"
               "{\"image\":\"r/x:1\",\"command\":[\"/bin/true\",\"a b\",\"$$HOME 50% \\\"q\\\" \\\\\"],\"environment\":{\"A\":\"x y%\",\"B\":\"$$1\"},"
               "\"restart\":\"always\",\"stop_grace_period\":\"1m\",\"deploy\":{\"replicas\":2},\"env_file\":[{\"path\":\"/x/.env\",\"required\":false}],"
               "\"depends_on\":{\"shop-db\":{\"condition\":\"service_healthy\"},\"other-job\":{\"condition\":\"service_completed_successfully\"}},"
               "\"mem_limit\":268435456,\"cpus\":\"1.50\",\"stop_signal\":\"SIGINT\",\"user\":\"33\",\"cap_drop\":[\"ALL\"],"
               "\"cap_add\":[\"CAP_NET_BIND_SERVICE\"],\"security_opt\":[\"no-new-privileges:true\"]}\n"
               "! api: depends_on: db: ready needs a healthcheck of that service\n"
               "! api: restart.except_codes has no counterpart\n");
}

static void test_kubernetes(void **state) {
        expect(EXPORT_KUBERNETES,
               "# shop-api.yaml\n"
               "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"shop-api\",\"labels\":{\"app\":\"shop-api\"}},"
               "\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{\"app\":\"shop-api\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"shop-api\"}},"
               "\"spec\":{\"terminationGracePeriodSeconds\":60,\"containers\":[{\"name\":\"shop-api\",\"image\":\"r/x:1\","
               "\"command\":[\"/bin/true\",\"a b\",\"$HOME 50% \\\"q\\\" \\\\\"],\"env\":[{\"name\":\"A\",\"value\":\"x y%\"},{\"name\":\"B\",\"value\":\"$1\"}],"
               "\"resources\":{\"limits\":{\"memory\":\"268435456\",\"cpu\":\"1500m\"}},\"securityContext\":{\"runAsUser\":33,"
               "\"capabilities\":{\"drop\":[\"ALL\"],\"add\":[\"NET_BIND_SERVICE\"]},\"allowPrivilegeEscalation\":false}}]}}}}\n"
               "! api: env_file has no counterpart\n"
               "! api: depends_on has no counterpart: let it wait in an init container\n"
               "! api: restart.except_codes has no counterpart\n"
               "! api: stop.signal: the image's STOPSIGNAL is sent there\n");
}

/* A change of any key changes what is written or is named. `shell` has gone into the command by the time a spec exists. */
static void test_nothing_is_dropped_in_silence(void **state) {
        for (ExportFormat format = 0; format < _EXPORT_FORMAT_MAX; format++)
                for (const SpecKey *k = spec_keys; k->path; k++) {
                        _cleanup_(spec_freep) ServiceSpec *plain = make_spec("default", "web"), *changed = make_spec("default", "web");
                        _cleanup_free_ char *example = k->example ? strdup(k->example) : NULL, *before = NULL, *after = NULL;

                        if (!key_type_is_scalar(k->type) || streq(k->path, "shell") || !example)
                                continue;
                        if (example[0] == '"') {
                                memmove(example, example + 1, strlen(example));
                                example[strlen(example) - 1] = '\0';
                        }
                        set_key(changed, k->path, example);
                        before = everything(format, plain, &options);
                        after = everything(format, changed, &options);
                        if (streq(before, after))
                                fail_msg("%s: %s: %s makes no difference and is not named", export_format_name(format), k->path, example);
                }
}

/* In every format; systemd binds back what lies below a hidden directory. */
static void test_sandbox(void **state) {
        static const struct { ExportFormat format; const char *lines[14]; } table[] = {
                { EXPORT_SYSTEMD, { "CPUAffinity=0-3\nCPUAffinity=6\n", "CPUSchedulingPolicy=batch\n", "ProtectSystem=strict\n", "ReadWritePaths=/var/lib/api\n",
                                    "BindPaths=/home/me\n", "TemporaryFileSystem=/home:ro\n", "InaccessiblePaths=-/root\n", "PrivateTmp=true\n", "PrivateDevices=true\n",
                                    "PrivateNetwork=true\n", "SystemCallFilter=@system-service bpf\n", "SystemCallErrorNumber=EPERM\n", "SystemCallFilter=~@mount\n" } },
                { EXPORT_QUADLET, { "\nReadOnly=true\n", "\nTmpfs=/tmp\nTmpfs=/var/tmp\n", "\nNetwork=none\n", "! web: sandbox.hidden has no counterpart\n" } },
                { EXPORT_COMPOSE, { "\"read_only\":true", "\"tmpfs\":[\"/tmp\",\"/var/tmp\"]", "\"network_mode\":\"none\"", "\"cpuset\":\"0-3,6\"",
                                    "! web: sandbox.syscalls has no counterpart\n" } },
                { EXPORT_KUBERNETES, { "\"securityContext\":{\"readOnlyRootFilesystem\":true}", "! web: sandbox.private_tmp: mount an emptyDir at /tmp\n",
                                       "! web: sandbox.network has no counterpart\n" } },
        };
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
        const struct { char ***list; const char *item; } items[] = {
                { &s->sandbox.writable, "/var/lib/api" }, { &s->sandbox.writable, "/home/me" },    { &s->sandbox.hidden, "/home" },
                { &s->sandbox.hidden, "-/root" },         { &s->priority.cpu_affinity, "0-3" },    { &s->priority.cpu_affinity, "6" },
                { &s->sandbox.syscalls, "@system-service" }, { &s->sandbox.syscalls, "bpf" },      { &s->sandbox.syscalls_denied, "@mount" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(items); i++)
                assert_int_equal(strv_append(items[i].list, items[i].item), 0);
        set_key(s, "sandbox.system", "read-only");
        set_key(s, "sandbox.private_tmp", "true");
        set_key(s, "sandbox.private_devices", "true");
        set_key(s, "sandbox.network", "none");
        set_key(s, "priority.scheduler", "batch");
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *text = everything(table[i].format, s, &options);

                for (size_t k = 0; table[i].lines[k]; k++)
                        if (!strstr(text, table[i].lines[k]))
                                fail_msg("%s is not in\n%s", table[i].lines[k], text);
        }
}

static void test_oneshot(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "Job_1");
        _cleanup_free_ char *unit = NULL, *manifest = NULL;

        set_key(s, "type", "oneshot");
        unit = everything(EXPORT_SYSTEMD, s, &options);
        assert_non_null(strstr(unit, "Type=oneshot\n"));
        assert_non_null(strstr(unit, "Restart=on-failure\n"));
        assert_null(strstr(unit, "TimeoutStartSec"));
        manifest = everything(EXPORT_KUBERNETES, s, &options);
        assert_non_null(strstr(manifest, "\"kind\":\"Job\""));
        assert_non_null(strstr(manifest, "\"restartPolicy\":\"OnFailure\""));
        assert_non_null(strstr(manifest, "! Job_1: it is called job-1 there\n"));
}

/* A dependency with several instances is a target. */
static char *timed(ExportFormat format, const char *type, const char *cron, const char *every) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "job");

        set_key(s, "type", type);
        if (cron)
                set_key(s, "schedule.cron", cron);
        if (every)
                set_key(s, "schedule.every", every);
        return everything(format, s, &options);
}

static void expect_timer(const char *cron, const char *lines) {
        _cleanup_free_ char *text = timed(EXPORT_SYSTEMD, "oneshot", cron, NULL);
        _cleanup_free_ char *timer = text_printf("# job.timer\n[Unit]\nDescription=Schedule of job\n\n[Timer]\nAccuracySec=1s\n%s\n[Install]\n"
                                                 "WantedBy=timers.target\n\n", lines);

        if (!strstr(text, timer))
                fail_msg("%s: %s", cron, text);
        assert_null(strstr(text, "multi-user.target"));
}

static void test_timers(void **state) {
        _cleanup_free_ char *every = timed(EXPORT_SYSTEMD, "oneshot", NULL, "90m"), *restart = timed(EXPORT_SYSTEMD, "simple", "@daily", NULL),
                            *workday = timed(EXPORT_SYSTEMD, "oneshot", "0 0 15W * *", NULL);

        expect_timer("30 3 * * *", "OnCalendar=*-*-* 03:30:00\n");
        expect_timer("*/20 9-17 * jan,mar MON-FRI", "OnCalendar=Mon,Tue,Wed,Thu,Fri *-01,03-* 09..17:00,20,40:00\n");
        expect_timer("0 0 13 * 5", "OnCalendar=*-*-13 00:00:00\nOnCalendar=Fri *-*-* 00:00:00\n");
        expect_timer("5 0 0 L * *", "OnCalendar=*-*~01 00:00:05\n");
        expect_timer("0 0 * * 5L", "OnCalendar=Fri *-*~07/1 00:00:00\n");
        expect_timer("0 0 * * MON#2", "OnCalendar=Mon *-*-08..14 00:00:00\n");
        assert_non_null(strstr(every, "OnActiveSec=1h30m\nOnUnitActiveSec=1h30m\n"));
        assert_non_null(strstr(restart, "# job-restart.service\n[Unit]\nDescription=Restart of job.service\n\n[Service]\nType=oneshot\n"
                                        "ExecStart=systemctl try-restart job.service\n"));
        assert_non_null(strstr(restart, "# job-restart.timer\n"));
        assert_non_null(strstr(workday, "! job: schedule.cron: 0 0 15W * * cannot be said in OnCalendar=: the timer has no times\n"));
}

static void test_cron_jobs(void **state) {
        static const struct { const char *cron, *every, *fields; } rows[] = {
                { "30 3 * * 1-5", NULL, "30 3 * * 1-5" }, { "0 0 13 * 7", NULL, "0 0 13 * 0" }, { "@daily", NULL, "0 0 * * *" },
                { NULL, "15m", "*/15 * * * *" },          { NULL, "2h", "0 */2 * * *" },        { NULL, "1d", "0 0 * * *" },
                { "0 0 L * *", NULL, NULL },              { "0 0 */2 * 1", NULL, NULL },        { "30 0 0 * * *", NULL, NULL },
                { NULL, "7m", NULL },                     { NULL, "90s", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_free_ char *text = timed(EXPORT_KUBERNETES, "oneshot", rows[i].cron, rows[i].every);
                _cleanup_free_ char *wanted = rows[i].fields ? text_printf("\"kind\":\"CronJob\",\"metadata\":{\"name\":\"job\",\"labels\":{\"app\":\"job\"}},"
                                                                           "\"spec\":{\"schedule\":\"%s\",\"concurrencyPolicy\":\"Forbid\",\"startingDeadlineSeconds\":60,"
                                                                           "\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"OnFailure\"", rows[i].fields) :
                                                              strdup("a CronJob has no words for it: this is a Job");

                if (!strstr(text, wanted))
                        fail_msg("%s %s: %s", rows[i].cron ?: "", rows[i].every ?: "", text);
        }
}

static void test_sockets(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
        _cleanup_free_ char *units = NULL, *several = NULL, *input = NULL;
        SocketSpec *items = calloc(2, sizeof(SocketSpec));

        s->sockets = (SocketList) { .items = items, .n = 2 };
        socket_init(items);
        socket_init(items + 1);
        items[0].listen = strdup("[::1]:80");
        items[0].reuseport = true;
        items[1].listen = strdup("/run/x.sock");
        items[1].name = strdup("admin");
        s->on_demand = true;
        units = everything(EXPORT_SYSTEMD, s, &options);
        assert_non_null(strstr(units, "# web.socket\n[Unit]\nDescription=[::1]:80 of web\n\n[Socket]\nListenStream=[::1]:80\nBindIPv6Only=ipv6-only\n"
                                      "FileDescriptorName=web\nBacklog=4096\nReusePort=true\nService=web.service\n\n[Install]\nWantedBy=sockets.target\n"));
        assert_non_null(strstr(units, "# web-2.socket\n[Unit]\nDescription=/run/x.sock of web\n\n[Socket]\nListenStream=/run/x.sock\n"
                                      "FileDescriptorName=admin\nBacklog=4096\nSocketMode=0660\nRemoveOnStop=true\n"));
        assert_non_null(strstr(units, "Sockets=web.socket\nSockets=web-2.socket\n"));
        assert_null(strstr(units, "WantedBy=multi-user.target"));
        items[0].fd = 0;
        input = everything(EXPORT_SYSTEMD, s, &options);
        assert_non_null(strstr(input, "! web: sockets: systemd makes one standard input of all sockets or of none\n"));
        s->instances = 2;
        several = everything(EXPORT_SYSTEMD, s, &options);
        assert_non_null(strstr(several, "! web: sockets: systemd gives a socket to one service"));
}

static void test_dependency_with_instances(void **state) {
        _cleanup_spec_list_ SpecList all = {};
        ExportOptions o = options;
        _cleanup_free_ char *unit = NULL;

        assert_int_equal(spec_list_append(&all, make_spec("default", "db")), 0);
        assert_int_equal(spec_list_append(&all, make_spec("default", "web")), 0);
        set_key(all.items[0], "instances", "3");
        add_dependency(all.items[1], "db", DEPEND_STARTED);
        o.all = &all;
        unit = everything(EXPORT_SYSTEMD, all.items[1], &o);
        assert_non_null(strstr(unit, "Requires=db.target\nAfter=db.target\n"));
}

/* ---- probes ---- */

static void probe(ServiceSpec *s, ProbeKind kind, uint32_t port) {
        assert_int_equal(probe_spec_new(&s->probes[kind]), 0);
        s->probes[kind]->http.port = port;
}

/* All three, where there are three. */
static void test_probes_in_kubernetes(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
        _cleanup_free_ char *text = NULL;

        probe(s, PROBE_STARTUP, 80);
        probe(s, PROBE_READINESS, 81);
        probe(s, PROBE_LIVENESS, 0);
        s->probes[PROBE_STARTUP]->failure = 30;
        assert_int_equal(strv_append(&s->probes[PROBE_READINESS]->http.headers, "X: y"), 0);
        s->probes[PROBE_READINESS]->http.host = strdup("10.0.0.1");
        s->probes[PROBE_READINESS]->http.body = strdup("ok");
        assert_int_equal(strv_append(&s->probes[PROBE_LIVENESS]->exec, "/alive"), 0);
        s->probes[PROBE_LIVENESS]->grace = 1500 * USEC_PER_MSEC;
        s->ready_by = READY_PROBE;
        text = everything(EXPORT_KUBERNETES, s, &options);
        assert_non_null(strstr(text, "\"startupProbe\":{\"httpGet\":{\"path\":\"/\",\"port\":80},\"periodSeconds\":10,\"timeoutSeconds\":1,\"failureThreshold\":30}"));
        assert_non_null(strstr(text, "\"readinessProbe\":{\"httpGet\":{\"path\":\"/\",\"port\":81,\"host\":\"10.0.0.1\",\"httpHeaders\":[{\"name\":\"X\",\"value\":\"y\"}]},"));
        assert_non_null(strstr(text, "\"livenessProbe\":{\"exec\":{\"command\":[\"/alive\"]},\"periodSeconds\":10,\"timeoutSeconds\":1,\"failureThreshold\":3,"
                                     "\"terminationGracePeriodSeconds\":2}"));
        assert_non_null(strstr(text, "! web: probes.readiness.http.body has no counterpart\n"));
        assert_non_null(strstr(text, "! web: probes.startup: it is asked at the address of the pod"));
        assert_null(strstr(text, "ready.by"));
}

/* One, where there is one: the readiness probe; what a startup probe would have allowed is the time before failures count. */
static void test_probes_as_a_health_check(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
        _cleanup_free_ char *compose = NULL, *quadlet = NULL;

        probe(s, PROBE_STARTUP, 80);
        probe(s, PROBE_READINESS, 81);
        s->probes[PROBE_STARTUP]->failure = 6;
        s->probes[PROBE_READINESS]->http.path = strdup("/a$b%");
        compose = everything(EXPORT_COMPOSE, s, &options);
        assert_non_null(strstr(compose, "\"healthcheck\":{\"test\":[\"CMD\",\"curl\",\"-fsS\",\"-o\",\"/dev/null\",\"http://127.0.0.1:81/a$$b%\"],\"interval\":\"10s\","
                                        "\"timeout\":\"1s\",\"retries\":3,\"start_period\":\"1m\"}"));
        assert_non_null(strstr(compose, "! web: probes.startup: there is one health check there, and another probe is it\n"));
        assert_non_null(strstr(compose, "! web: probes.readiness: the image must have curl\n"));
        s->ready_by = READY_PROBE;
        quadlet = everything(EXPORT_QUADLET, s, &options);
        assert_non_null(strstr(quadlet, "Notify=healthy\n"));
        assert_non_null(strstr(quadlet, "HealthCmd=[\"curl\",\"-fsS\",\"-o\",\"/dev/null\",\"http://127.0.0.1:81/a$$b%%\"]\nHealthInterval=10s\nHealthTimeout=1s\n"
                                        "HealthRetries=3\nHealthStartPeriod=1m\n"));
}

/* No probe is dropped in silence, in any format, whatever it asks. */
static void test_no_probe_is_dropped_in_silence(void **state) {
        for (ExportFormat format = 0; format < _EXPORT_FORMAT_MAX; format++)
                for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++)
                        for (ProbeBy by = PROBE_EXEC; by <= PROBE_GRPC; by++) {
                                _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web"), *plain = make_spec("default", "web");
                                _cleanup_free_ char *after = NULL, *before = everything(format, plain, &options);
                                ProbeSpec *p;

                                probe(s, kind, by == PROBE_HTTP ? 80 : 0);
                                p = s->probes[kind];
                                p->tcp.port = by == PROBE_TCP ? 80 : 0;
                                p->grpc.port = by == PROBE_GRPC ? 80 : 0;
                                p->unix_path = by == PROBE_UNIX ? strdup("/x") : NULL;
                                p->exec = by == PROBE_EXEC ? strv_copy(s->command) : NULL;
                                after = everything(format, s, &options);
                                if (streq(before, after))
                                        fail_msg("%s: the %s probe by %s is not named", export_format_name(format), probe_kind_name(kind), probe_by_name(by));
                        }
}

static void test_image_is_needed(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");

        for (ExportFormat format = EXPORT_QUADLET; format < _EXPORT_FORMAT_MAX; format++) {
                _cleanup_export_ Export e = {};
                _cleanup_error_ KlError error = {};

                assert_int_equal(export_service(format, s, &(ExportOptions) { .n_cpus = 1 }, &e, &error), -EINVAL);
                assert_non_null(error.hint);
        }
        assert_int_equal(export_format_from_name("compose"), EXPORT_COMPOSE);
        assert_int_equal(export_format_from_name("swarm"), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_systemd), cmocka_unit_test(test_quadlet), cmocka_unit_test(test_compose), cmocka_unit_test(test_kubernetes),
                cmocka_unit_test(test_nothing_is_dropped_in_silence), cmocka_unit_test(test_oneshot), cmocka_unit_test(test_timers), cmocka_unit_test(test_cron_jobs), cmocka_unit_test(test_sockets), cmocka_unit_test(test_dependency_with_instances),
                cmocka_unit_test(test_sandbox),
                cmocka_unit_test(test_image_is_needed),
                cmocka_unit_test(test_probes_in_kubernetes), cmocka_unit_test(test_probes_as_a_health_check), cmocka_unit_test(test_no_probe_is_dropped_in_silence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
