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
        self.file("api.js", "require('fs').appendFileSync(__dirname + '/api.out', process.argv.slice(2).join('|') + ' ' + process.env.NODE_APP_INSTANCE"
                            " + ' ' + process.env.NODE_ENV + '\\n'); process.on('SIGINT', () => process.exit(0)); setInterval(() => {}, 1e6);\n")
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
