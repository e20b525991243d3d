"""Moving in: the files of PM2, supervisord, foreman and process-compose, taken as they are, with real programs behind them."""
import json, os
from kingly import Scenario, wait_for

ECOSYSTEM = """
const base = { env: { SCENARIO_HOME: __dirname, NODE_ENV: 'development' }, max_memory_restart: '300M' };
console.log('a module may print');
module.exports = { apps: [
        { name: 'api', script: './api.js', instances: 2, exec_mode: 'fork', args: "--greeting 'good day'", ...base },
        { name: 'batch', script: 'batch.py', autorestart: false, kill_timeout: 3000, ...base },
] };
"""


class Import(Scenario):
    def text(self, name):
        try:
            with open(os.path.join(self.home, name)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def imported(self, path, *arguments):
        r = self.ok("import", path, "-o", "json", *arguments)
        return json.loads(r.out), r.err

    def test_pm2_app_of_node(self):
        self.start_daemon()
        self.file("api.js", "process.on('SIGINT', () => process.exit(0)); setInterval(() => {}, 1e6);\n"
                            "require('fs').appendFileSync(__dirname + '/api.out', process.argv.slice(2).join('|') + ' ' + process.env.NODE_APP_INSTANCE"
                            " + ' ' + process.env.NODE_ENV + '\\n');\n")
        self.file("batch.py", "print('done')\n")
        path = self.file("ecosystem.config.js", ECOSYSTEM)
        r = self.ok("start", path)
        self.assertIn("running it with node", r.err)
        self.assertNotIn("max_memory_restart", r.err)
        self.assertEqual(json.loads(self.ok("describe", "api", "-o", "json").out)[0]["changed"]["limits"]["memory_restart"], "300M")
        self.assertEqual([x["state"] for x in self.list("api")], ["running"] * 2)
        wait_for("both", lambda: sorted(self.text("api.out").splitlines()) == [f"--greeting|good day {n} development" for n in (0, 1)])
        self.until("batch", state="exited")
        self.ok("stop", "api")
        self.assertEqual(self.row("api:0")["exit"]["code"], 0)

    def test_js_that_fails_says_why(self):
        for text, word in (("module.exports = {", "SyntaxError"), ("throw new Error('no luck')", "no luck"), ("module.exports = 7", "expected")):
            path = self.file("x.config.js", text)
            r = self.refused(2, "check", path)
            self.assertIn(word, r.err)
        self.assertIn("exports: 1", self.refused(2, "check", self.file("y.config.mjs", "console.error('exports: 1'); process.exit(3)")).err)

    def test_the_daemon_runs_no_program_for_its_configuration(self):
        path = self.file("kingly.config.js", "module.exports = {apps: [{name: 'a', script: 'sleep', args: '1000'}]}")
        self.start_daemon("--config", path)
        self.assertEqual(self.list(), [])
        self.assertIn("no program is run here", self.ok("status").out)

    def test_supervisord_with_include_groups_and_numprocs(self):
        self.start_daemon()
        os.mkdir(os.path.join(self.home, "conf.d"))
        self.file("conf.d/web.conf", "[program:web]\ncommand=sh -c 'echo %(process_num)02d >>%(here)s/out; exec sleep 1000'\nnumprocs=2\n"
                                     "process_name=%(program_name)s_%(process_num)02d\nstopwaitsecs=7\n")
        path = self.file("supervisord.conf", "[supervisord]\nenvironment=SCENARIO_HOME=\"%(here)s\"\n[include]\nfiles = conf.d/*.conf\n"
                                             "[group:site]\nprograms=web\n[program:once]\ncommand=sh -c 'exit 0'\n[inet_http_server]\nport=9001\n")
        r = self.ok("apply", "-f", path)
        self.assertIn("[inet_http_server] has no counterpart", r.err)
        self.assertEqual([(x["name"], x["state"]) for x in self.list("@site")], [("web_00", "running"), ("web_01", "running")])
        wait_for("both", lambda: sorted(self.text("conf.d/out").split()) == ["00", "01"])
        self.until("once", state="exited")

    def test_procfile_with_formation_and_env(self):
        self.start_daemon()
        self.file(".env", f"SCENARIO_HOME={self.home}\nGREETING='good day'\n")
        self.file(".foreman", "formation: web=2,idle=0\n")
        path = self.file("Procfile", "web: echo $PORT $GREETING >>out; exec sleep 1000\nworker: exec sleep 1000\nidle: exec sleep 1000\n")
        self.ok("start", path)
        wait_for("both", lambda: sorted(self.text("out").splitlines()) == ["5000 good day", "5001 good day"])
        self.assertEqual({x["name"]: x["state"] for x in self.list()}, {"web": "running", "worker": "running", "idle": "stopped"})

    def test_process_compose(self):
        self.start_daemon()
        path = self.file("process-compose.yaml", f"""
version: "0.5"
environment: ["SCENARIO_HOME={self.home}"]
processes:
  first: {{command: "echo first >>out"}}
  second: {{command: "echo second >>out; sleep 1000", depends_on: {{first: {{condition: process_completed_successfully}}}}}}
""")
        self.ok("start", path)
        wait_for("in order", lambda: self.text("out").split() == ["first", "second"])

    def test_import_prints_a_file_that_means_the_same(self):
        path = self.file("ecosystem.json", json.dumps({"apps": [{"name": "a", "script": "sleep", "args": "1000", "kill_timeout": 500, "env": {"N": "1", "YES": "yes"}}]}))
        file, _ = self.imported(path)
        self.assertEqual(file["services"]["a"]["stop"], {"signal": "SIGINT", "timeout": "500ms"})
        yaml = self.file("kingly.yaml", self.ok("import", path).out)
        again = json.loads(self.ok("import", yaml, "-o", "json").out)
        self.assertEqual(again, file)

    def test_import_of_several_namespaces_asks_which(self):
        path = self.file("supervisord.conf", "[program:a]\ncommand=a\n[program:b]\ncommand=b\n[group:g]\nprograms=b\n")
        self.assertIn("choose with --namespace", self.refused(2, "import", path).err)
        self.assertEqual(list(self.imported(path, "-n", "g")[0]["services"]), ["b"])
        self.assertEqual(self.kingctl("import", path, "-n", "nope").code, 3)

    def test_a_script_by_its_name(self):
        self.start_daemon()
        self.file("tick.py", "import sys, time\nprint(sys.argv[1:], flush=True)\ntime.sleep(1000)\n")
        self.ok("start", "-e", f"SCENARIO_HOME={self.home}", os.path.join(self.home, "tick.py"), "--name", "tick", "--", "--fast", "1")
        wait_for("its line", lambda: self.messages("tick") == ["['--fast', '1']"])

    def test_a_key_of_package_json(self):
        self.start_daemon()
        path = self.file("package.json", json.dumps({"name": "shop", "version": "1.0.0", "pm2": [{"name": "one", "script": "sleep", "args": "1000"},
                                                                                                 {"name": "two", "script": "sleep", "args": ["1000"]}]}))
        self.ok("start", path)
        self.assertEqual({x["name"]: x["state"] for x in self.list()}, {"one": "running", "two": "running"})

    def test_a_dump_of_pm2(self):
        self.start_daemon()
        self.file("w.js", "require('fs').appendFileSync(__dirname + '/w.out', process.argv[2] + process.env.WORD + '\\n'); setInterval(() => {}, 1e6);\n")
        def process(n):
            return {"name": "w", "pm_exec_path": os.path.join(self.home, "w.js"), "pm_cwd": self.home, "exec_interpreter": "node", "node_args": [], "args": ["x"],
                    "exec_mode": "fork_mode", "instances": 2, "autorestart": True, "pm_id": n, "status": "online", "NODE_APP_INSTANCE": n, "kill_retry_time": 100,
                    "pm_uptime": 1, "restart_time": 3, "unique_id": "u", "env": {"WORD": "yz"}, "axm_monitor": {}, "vizion": True, "treekill": True,
                    "pm_out_log_path": "/x", "pm_err_log_path": "/y", "pm_pid_path": "/z", "km_link": False, "namespace": "old", "username": "root"}
        del_user = [{k: v for k, v in process(n).items() if k != "username"} for n in (0, 1)]
        self.ok("start", self.file("dump.pm2", json.dumps(del_user)))
        self.assertEqual([(x["namespace"], x["name"], x["state"]) for x in self.list()], [("old", "w", "running")] * 2)
        wait_for("both", lambda: self.text("w.out").splitlines() == ["xyz", "xyz"])

    def test_procfile_of_four_lines(self):
        self.start_daemon()
        self.file(".env", f"SCENARIO_HOME={self.home}\nNAME=shop\n")
        self.file(".foreman", "formation: web=2,worker=1,clock=1,release=0\nport: 7000\n")
        path = self.file("Procfile", "web: echo web $PORT $NAME >>out; exec sleep 1000\nworker: echo worker $PORT >>out; exec sleep 1000\n"
                                     "clock: while :; do echo tick; sleep 100; done\nrelease: exec false\n")
        self.ok("apply", "-f", path)
        wait_for("all", lambda: sorted(self.text("out").splitlines()) == ["web 7000 shop", "web 7001 shop", "worker 7100"])
        self.assertEqual(sorted((x["name"], x["state"]) for x in self.list()),
                         [("clock", "running"), ("release", "stopped"), ("web", "running"), ("web", "running"), ("worker", "running")])
        self.ok("restart", "clock")

    def test_supervisord_group_of_an_included_file(self):
        self.start_daemon()
        os.mkdir(os.path.join(self.home, "conf.d"))
        self.file("conf.d/a.conf", "[program:worker]\ncommand=sleep 1000\nenvironment=SCENARIO_HOME=\"%(here)s/..\"\n[group:shop]\nprograms=web,worker,nosuch\n")
        self.file("conf.d/b.conf", "[program:web]\ncommand=sleep 1000\nnumprocs=2\n")
        path = self.file("supervisord.conf", "[include]\nfiles = conf.d/*.conf\n")
        r = self.ok("start", path)
        self.assertIn("a.conf:5:1: warning: [group:shop] names nosuch, and there is no [program:nosuch]", r.err)
        self.assertEqual(sorted((x["namespace"], x["name"], x["instance"]) for x in self.list()), [("shop", "web", 0), ("shop", "web", 1), ("shop", "worker", 0)])

    BAD = [
        ("ecosystem.json", '{"apps": [{"name": "a"}]}', "no `script`"),
        ("ecosystem.json", '{"apps": "a"}', "expected a list of applications"),
        ("ecosystem.json", '{"apps": [{"name": "a", "script": "x"}, {"name": "a", "script": "y"}]}', "`a` is defined already"),
        ("ecosystem.json", '{"apps": [{"script": "x", "instances": "many", "kill_timeout": "soon", "stop_exit_codes": ["x"], "env": []}]}', "kill_timeout: expected milliseconds"),
        ("ecosystem.json", '{"apps": [{"script": "x", "max_memory_restart": "-1", "cron_restart": "61 * * * *"}]}', "61 is more than 59"),
        ("ecosystem.json", '{"apps": [{"script": "x", "args": "\\"open"}]}', "the quotes do not match"),
        ("ecosystem.json", '{"apps": ' + "[" * 500 + "]" * 500 + "}", "levels deep"),
        ("ecosystem.yaml", "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdef", "bcdefg")) + "apps: *g\n", "aliases"),
        ("dump.pm2", "[]", "expected a list of applications"),
        ("dump.pm2", "", "the file is empty"),
        ("package.json", '{"name": "x"}', "unknown key `name`"),
        ("circle.config.js", "const o = {}; o.o = o; module.exports = o", "node could not run it"),
        ("huge.config.js", "module.exports = {apps: [{name: 'a', script: 'x'.repeat(2e7)}]}", "larger than 16 MiB"),
        ("gone.config.js", "process.exit(0)", "node could not run it"),
        ("supervisord.conf", "[program:a", "expected a section"),
        ("supervisord.conf", "command=x\n[program:a]\ncommand=\"open\nstartsecs=-5\nnumprocs=many\nexitcodes=a\n", "numprocs: expected a number"),
        ("supervisord.conf", "[program:a]\ncommand=sleep %(nosuch)s\n[program:b]\n[include]\nfiles=supervisord.conf nosuch*\n", "[program:b] has no command"),
        ("supervisord.conf", "[program:../x]\ncommand=x\nnumprocs=100000\n", "expected a number up to 1024"),
        ("supervisord.conf", "[group:g]\nprograms=a\n", "the file has no [program:"),
        ("Procfile", "web sleep", "expected `NAME: COMMAND`"),
        ("Procfile", "web: x\nweb: y\na/b: z\n", "`web` is defined already"),
        ("Procfile", "", "no "),
        ("process-compose.yaml", "processes: {a: {command: x, depends_on: {b: {condition: process_started}}}, b: {command: y, depends_on: {a: {condition: process_started}}}}", "cycle: a -> b -> a"),
        ("process-compose.yaml", "processes: {a: {command: x, depends_on: {c: {condition: process_never}}, availability: {restart: sometimes}, replicas: -3}, b: {}}", "b: no command"),
        ("process-compose.yaml", "processes: 7", "no processes"),
        ("process-compose.yaml", 'processes: {a: {command: "x\0y"}}', "a NUL byte"),
    ]

    def test_bad_input_has_a_place_and_a_reason(self):
        for name, text, reason in self.BAD:
            r = self.refused(2, "check", self.file(name, text))
            self.assertIn(reason, r.err, (name, text[:200]))
            self.assertRegex(r.err, rf"(?m)^\S*{name}(:\d+:\d+)?: error: ", text[:200])
            os.unlink(os.path.join(self.home, name))

    WHOLE = [
        ("ecosystem.json", '{"apps": [{"name": "a", "script": "sleep", "args": "5", "instances": 2, "env": {"A": "1"}, "stop_exit_codes": [1, 2], "env_production": {"A": "2"}}]}'),
        ("ecosystem.yaml", "apps:\n- name: a\n  script: sleep\n  args: [5]\n  env: {A: 1}\n- name: b\n  script: sleep\n"),
        ("dump.pm2", '[{"name": "a", "pm_exec_path": "/bin/sleep", "pm_cwd": "/", "args": ["5"], "env": {"A": "1"}}, {"name": "b", "pm_exec_path": "/bin/sleep", "pm_cwd": "/"}]'),
        ("supervisord.conf", "[supervisord]\numask=022\n[program:a]\ncommand=sleep %(process_num)d\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\n"
                             "environment=A=\"1\",B=2\n[group:g]\nprograms=a\n"),
        ("Procfile", "web: sleep 5\nworker: sleep $PORT\n# end\nclock: x\n"),
        ("process-compose.yaml", 'version: "0.5"\nprocesses:\n  a:\n    command: sleep 5\n    depends_on: {b: {condition: process_started}}\n  b: {command: x, replicas: 2}\n'),
    ]

    def test_cut_anywhere_it_is_read_or_refused(self):
        for name, text in self.WHOLE:
            self.ok("check", self.file(name, text))
            for n in range(0, len(text), max(1, len(text) // 25)):
                r = self.kingctl("check", self.file(name, text[:n]))
                self.assertIn(r.code, (0, 2), (text[:n], r))
                self.assertEqual(r.code == 2, ": error: " in r.err, (text[:n], r))
            os.unlink(os.path.join(self.home, name))
