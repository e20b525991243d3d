"""PM2's own command line: what people and scripts type, and what they get."""
import json, os, re, shutil, signal, subprocess
from kingly import ISOLATION, PATIENCE, Result, Scenario, wait_for

APP = """
const fs = require('fs');
fs.appendFileSync(__dirname + '/app.out', [process.env.NODE_APP_INSTANCE, process.env.COLOUR, ...process.argv.slice(2)].join(' ') + '\\n');
console.log('hello');
console.error('oops');
setInterval(() => {}, 1e6);
"""


class Numbers(Scenario):
    def numbers(self):
        return {f"{x['name']}:{x['instance']}": x["number"] for x in self.list()}

    def services(self, *names):
        return {n: {"command": "sleep 1000"} for n in names}

    def test_kept_over_restarts_and_deaths(self):
        self.start_daemon()
        self.apply(self.services("a", "b", "c"))
        self.ok("scale", "a", "2")
        wanted = {"a:0": 0, "b:0": 1, "c:0": 2, "a:1": 3}
        self.assertEqual(self.numbers(), wanted)
        self.ok("restart", "all")
        self.ok("stop", "b")
        self.replace_manager()
        self.assertEqual(self.numbers(), wanted)

    def test_not_given_again_until_all_are_gone(self):
        self.start_daemon()
        self.apply(self.services("a", "b"))
        self.ok("delete", "b")
        self.apply(self.services("c"))
        self.assertEqual(self.numbers(), {"a:0": 0, "c:0": 2})
        self.ok("delete", "all")
        self.apply(self.services("d"))
        self.assertEqual(self.numbers(), {"d:0": 0})


class Pm2Scenario(Scenario):
    def setUp(self):
        super().setUp()
        self.environment |= {"SCENARIO_HOME": self.home, "COLOUR": "red"}
        self.app = self.file("app.js", APP)
        self.idle = self.script("idle", "#!/bin/sh\nexec sleep 1000\n")

    def pm2(self, *arguments, code=0, env=None, stdin=None):
        r = self.kingctl("pm2", *arguments, env=self.environment | (env or {}), stdin=stdin)
        self.assertEqual(r.code, code, f"pm2 {' '.join(arguments)}: {r}\n{self.daemon_log()}")
        return r

    def processes(self):
        return json.loads(self.pm2("jlist").out)

    def statuses(self):
        return {x["pm_id"]: (x["name"], x["pm2_env"]["status"]) for x in self.processes()}

    def lines(self, name="app.out"):
        try:
            with open(os.path.join(self.home, name)) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def said(self, r):
        return [l for l in r.out.splitlines() if l.startswith("[PM2]")]


class Pm2(Pm2Scenario):
    def test_life_of_an_application(self):
        self.start_daemon()
        r = self.pm2("start", self.app, "--name", "web", "-i", "2", "--", "--port", "80")
        self.assertIn(f"[PM2] Starting {self.app} in cluster_mode (2 instances)", r.out)
        self.assertRegex(r.out, r"│ 0  │ web    │ default     │ N/A     │ cluster │ \d+ +│ \d+s +│ 0    │ online    │")
        wait_for("both", lambda: sorted(self.lines()) == ["0 red --port 80", "1 red --port 80"])
        one, two = self.processes()
        self.assertEqual((one["pm_id"], two["pm_id"], one["name"], one["pid"]), (0, 1, "web", self.pid("web:0")))
        e = one["pm2_env"]
        wanted = {"status": "online", "pm_exec_path": self.app, "args": ["--port", "80"], "exec_interpreter": "node", "exec_mode": "cluster_mode", "instances": 2,
                  "namespace": "default", "kill_timeout": 1600, "max_restarts": 16, "autorestart": True, "treekill": True, "pm_cwd": os.getcwd(),
                  "restart_time": 0, "unstable_restarts": 0, "watch": False, "NODE_APP_INSTANCE": 0, "COLOUR": "red"}
        self.assertEqual({k: e[k] for k in wanted}, wanted)
        self.assertRegex(e["node_version"], r"^\d+\.\d+\.\d+$")
        self.assertGreater(one["monit"]["memory"], 0)
        self.assertEqual(self.row("web:0")["since_usec"] // 1000, e["pm_uptime"])
        self.assertEqual(self.pm2("id", "web").out, "[ 0, 1 ]\n")
        self.assertEqual(self.pm2("pid", "web").out, f"{one['pid']}\n{two['pid']}\n")
        said = self.said(self.pm2("stop", "web"))
        self.assertEqual((said[0], sorted(said[1:])), ("[PM2] Applying action stopProcessId on app [web](ids: [ 0, 1 ])", ["[PM2] [web](0) ✓", "[PM2] [web](1) ✓"]))
        self.assertEqual(self.statuses(), {0: ("web", "stopped"), 1: ("web", "stopped")})
        self.assertEqual(self.pm2("pid", "web").out, "0\n0\n")
        self.assertIn("[PM2] Process successfully started", self.pm2("start", "web").out)
        self.assertEqual(self.statuses(), {0: ("web", "online"), 1: ("web", "online")})
        self.assertIn("already launched", self.pm2("start", self.app, "--name", "web", code=1).err)
        self.pm2("delete", "web")
        self.assertEqual(self.processes(), [])

    def test_a_crash_loop_is_errored(self):
        self.start_daemon()
        self.pm2("start", self.script("bad", "#!/bin/sh\nexit 3\n"), "--max-restarts", "2")
        wait_for("errored", lambda: self.statuses() == {0: ("bad", "errored")})
        self.assertEqual(self.processes()[0]["pm2_env"]["exit_code"], 3)

    def test_an_end_without_restart_is_stopped(self):
        self.start_daemon()
        self.pm2("start", "true", "--name", "once", "--no-autorestart")
        wait_for("stopped", lambda: self.statuses() == {0: ("once", "stopped")})

    def test_who_is_meant(self):
        self.start_daemon()
        for name, ns in (("one", "default"), ("two", "shop"), ("three", "shop")):
            self.pm2("start", self.idle, "--name", name, "--namespace", ns)
        for word, ids in (("one", [0]), ("1", [1]), ("shop", [1, 2]), ("/^t/", [1, 2]), ("all", [0, 1, 2]), (self.idle, [0, 1, 2])):
            self.pm2("stop", word)
            self.assertEqual([i for i, (_, s) in self.statuses().items() if s == "stopped"], ids, word)
            self.pm2("start", "all")
        for word in ("nosuch", "7", "shop2"):
            self.assertEqual(self.pm2("stop", word, code=1).err, f"[PM2][ERROR] Process or Namespace {word} not found\n")
        self.assertIn("No process found", self.pm2("stop", "/nosuch/", code=1).err)
        self.assertIn("not found", self.pm2("restart", "one", "nosuch", code=1).err)

    def test_a_file(self):
        self.start_daemon()
        file = self.file("eco.config.js", "module.exports = {apps: [{name: 'a', script: './app.js', args: process.env.WORD, env: {COLOUR: 'blue'},"
                                          " env_production: {COLOUR: 'green'}}, {name: 'b', script: './idle', namespace: 'other'}]};")
        r = self.pm2("start", file, "--only", "a", env={"WORD": "first"})
        self.assertIn("running it with node", r.err)
        self.assertEqual(self.said(r), ["[PM2][WARN] Applications a not running, starting...", "[PM2] App [a] launched (1 instances)"])
        wait_for("its line", lambda: self.lines() == ["0 blue first"])
        r = self.pm2("restart", file, "--env", "production", env={"WORD": "second"})
        self.assertEqual(self.said(r), ["[PM2] Applying action restartProcessId on app [a]", "[PM2][WARN] Applications b not running, starting...",
                                        "[PM2] [a](0) ✓", "[PM2] App [b] launched (1 instances)"])
        wait_for("its line", lambda: self.lines()[1:] == ["0 green second"])
        before = self.pid("other/b")
        self.pm2("startOrReload", file)
        self.assertNotEqual(self.pid("other/b"), before)
        wait_for("without a profile again", lambda: self.lines()[2:] == ["0 blue "[:-1]])
        self.pm2("stop", file)
        self.assertEqual(self.statuses(), {0: ("a", "stopped"), 1: ("b", "stopped")})
        self.pm2("delete", file)
        self.assertEqual(self.processes(), [])
        self.pm2("delete", file)
        self.assertIn("not found", self.pm2("start", "nosuch.json", code=1).err)
        self.assertIn("malformated", self.pm2("start", self.file("bad.json", "{\"apps\": [{"), code=1).err)
        self.assertIn("stands in the file", self.pm2("start", file, "--kill-timeout", "5", code=1).err)

    def test_a_file_from_standard_input(self):
        self.start_daemon()
        self.pm2("start", "-", stdin=json.dumps({"apps": [{"name": "in", "script": self.idle}]}))
        self.assertEqual(self.statuses(), {0: ("in", "online")})

    def test_options_become_settings(self):
        self.start_daemon()
        self.pm2("start", self.idle, "--name", "x", "--restart-delay", "300", "--stop-exit-codes", "3", "4", "--kill-timeout=900", "--no-treekill", "--min-uptime", "2s",
                 "--max-memory-restart", "300M", "--cron", "0 3 * * *", "--ignore-watch", "tmp", "--watch", "--max-restarts", "5", "-w", "--cwd", self.home)
        spec = json.loads(self.ok("describe", "x", "-o", "json").out)[0]["spec"]
        self.assertEqual((spec["restart"]["delay"], spec["restart"]["except_codes"], spec["restart"]["limit"], spec["restart"]["reset_after"]), ("300ms", [3, 4], 5, "2s"))
        self.assertEqual((spec["stop"]["timeout"], spec["stop"]["signal"], spec["stop"]["scope"]), ("900ms", "SIGINT", "main"))
        self.assertEqual((spec["watch"]["paths"], spec["watch"]["ignore"], spec["cwd"]), ([self.home], ["tmp"], self.home))
        self.assertEqual((spec["limits"]["memory_restart"], spec["schedule"]["cron"]), ("300M", "0 3 * * *"))
        e = self.processes()[0]["pm2_env"]
        self.assertEqual((e["watch"], e["restart_delay"], e["kill_timeout"], e["treekill"]), (True, 300, 900, False))
        self.addCleanup(os.unlink, "x-pm2.json")
        with open("x-pm2.json") as f:
            self.assertEqual(json.load(f)["kill_timeout"], "900")

    def test_scale(self):
        self.start_daemon()
        self.pm2("start", self.idle, "--name", "w")
        self.assertEqual(self.said(self.pm2("scale", "w", "3")), ["[PM2] Scaling up application"] * 2)
        self.assertEqual(list(self.statuses()), [0, 1, 2])
        self.pm2("scale", "w", "+1")
        self.pm2("scale", "w", "-2")
        wait_for("two", lambda: list(self.statuses()) == [0, 1])
        self.assertIn("Nothing to do", self.pm2("scale", "w", "2", code=1).err)
        self.assertIn("Application nosuch not found", self.pm2("scale", "nosuch", "2", code=1).err)
        self.assertIn("is not a number", self.pm2("scale", "w", "many", code=1).err)
        self.assertIn("only the last can go", self.pm2("delete", "0", code=1).err)
        self.pm2("delete", "1")
        wait_for("one", lambda: list(self.statuses()) == [0])

    def test_signal_and_reset(self):
        self.start_daemon()
        self.pm2("start", self.idle, "--name", "w")
        pid = self.pid("w")
        r = self.pm2("sendSignal", "SIGTERM", "w")
        self.assertIn("successfully sent signal SIGTERM to process name w\n", r.out)
        wait_for("its next run", lambda: (lambda row: row["pid"] not in (None, pid) and row["restarts"] == 1)(self.row("w")))
        self.assertEqual(self.processes()[0]["pm2_env"]["restart_time"], 1)
        self.assertIn("[PM2] Resetting meta for process id 0", self.pm2("reset", "0").out)
        self.assertEqual(self.processes()[0]["pm2_env"]["restart_time"], 0)
        self.assertEqual(self.pm2("sendSignal", "HUP", "nosuch", code=1).err, "Unknown process name\n")
        self.assertIn("NOSUCH", self.pm2("sendSignal", "NOSUCH", "w", code=1).err)

    def test_environment(self):
        self.start_daemon()
        self.pm2("start", self.idle, "--name", "w", env={"SHAPE": "round", "HIDE_ME": "1", "KINGLY_X": "1"})
        self.pm2("start", self.idle, "--name", "few", "--filter-env", "HIDE", env={"HIDE_ME": "1"})
        self.pm2("start", self.idle, "--name", "none", "--filter-env")
        env = self.pm2("env", "0").out.splitlines()
        self.assertIn("SHAPE: round", env)
        self.assertIn("HIDE_ME: 1", env)
        self.assertNotIn("KINGLY_X: 1", env)
        few, none = (x["pm2_env"]["env"] for x in self.processes()[1:])
        self.assertNotIn("HIDE_ME", few)
        self.assertEqual(few["COLOUR"], "red")
        self.assertEqual(list(none), ["PATH"])
        self.pm2("delete", "none")
        pid = self.pid("w")
        self.assertIn("Use --update-env", self.pm2("restart", "w", env={"SHAPE": "square"}).out)
        self.assertIn("SHAPE: round", self.pm2("env", "w").out)
        self.pm2("restart", "w", "--update-env", env={"SHAPE": "square"})
        self.assertIn("SHAPE: square", self.pm2("env", "w").out)
        wait_for("its own environment", lambda: b"SHAPE=square" in open(f"/proc/{self.pid('w')}/environ", "rb").read().split(b"\0"))
        self.assertNotEqual(self.pid("w"), pid)

    def test_logs(self):
        self.start_daemon()
        self.pm2("start", self.script("talk", "#!/bin/sh\nfor i in 1 2 3 4; do echo out $i; echo err $i >&2; done; exec sleep 1000\n"), "--name", "talk")
        wait_for("all lines", lambda: len(self.messages("talk")) == 8)
        r = self.pm2("logs", "talk", "--nostream", "--lines", "2")
        self.assertTrue(r.out.startswith("[TAILING] Tailing last 2 lines for [talk] process (change the value with --lines option)\n"))
        self.assertEqual([l for l in r.out.splitlines() if "|" in l], [f"0|talk     | {w}" for w in ("out 3", "out 4", "err 3", "err 4")])
        r = self.pm2("logs", "--nostream", "--raw", "--lines", "1")
        self.assertEqual((r.out.splitlines()[2], r.err), ("out 4", "err 4\n"))
        self.assertNotIn("out 4", self.pm2("logs", "0", "--nostream", "--err").out)
        self.assertRegex(self.pm2("logs", "0", "--nostream", "--out", "--timestamp", "YYYY/MM").out, r"20\d\d/\d\d 0\|talk     \| out 4\n")
        if ISOLATION == "scope":
            self.assertIn("journalctl --vacuum-time", self.pm2("flush", "talk", code=1).err)
        else:
            self.assertIn("Logs flushed", self.pm2("flush", "talk").out)
            self.assertNotIn("out 4", self.pm2("logs", "talk", "--nostream").out)
        self.assertEqual(self.pm2("reloadLogs").out, "Reloading all logs...\nAll logs reloaded\n")
        self.assertEqual(self.pm2("logs", "nosuch", code=1).err, "[PM2][ERROR] Process or Namespace nosuch not found\n")

    def test_logs_as_they_come(self):
        self.start_daemon()
        file = self.file("feed", "")
        self.pm2("start", self.script("tell", f"#!/bin/sh\nexec tail -f {file}\n"), "--name", "tell")
        wait_for("tail", lambda: self.row("tell")["state"] == "running")
        follower = subprocess.Popen([os.path.join(self.programs, "kingctl"), "pm2", "logs", "tell", "--json"], env=self.environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.kill)

        def feed():
            with open(file, "a") as f:
                f.write("news\n")
            return follower_read()

        def follower_read():
            import select
            return select.select([follower.stdout], [], [], 0.2)[0]
        wait_for("a line", feed)
        line = json.loads(follower.stdout.readline())
        self.assertEqual({k: line[k] for k in ("message", "type", "process_id", "app_name")}, {"message": "news", "type": "out", "process_id": 0, "app_name": "tell"})
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(PATIENCE), 0)

    def test_save_and_resurrect(self):
        self.start_daemon()
        self.assertIn("skipping save", self.pm2("save").out)
        self.assertIn("pm2 save makes it", self.pm2("resurrect", code=1).err)
        self.pm2("start", self.idle, "--name", "up")
        self.pm2("start", self.idle, "--name", "down")
        self.pm2("stop", "down")
        r = self.pm2("save")
        path = self.said(r)[-1].split()[-1]
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.pm2("delete", "all")
        self.assertIn("[PM2] Process up restored", self.pm2("resurrect").out)
        self.assertEqual(sorted(self.statuses().values()), [("down", "stopped"), ("up", "online")])
        pid = self.pid("up")
        self.pm2("resurrect")
        self.assertEqual(self.pid("up"), pid)
        self.file("pm2-dump.json", "{")
        self.assertIn("not what", self.pm2("resurrect", code=1).err)

    def test_looking(self):
        self.start_daemon()
        self.file("package.json", '{"version": "3.2.1"}')
        self.pm2("start", self.app, "--name", "w", "--", "two words", "it's")
        out = self.pm2("describe", "w").out
        for line in (r"│ status            │ online +│", r"│ version           │ 3\.2\.1 +│", r"│ script args       │ two words it's +│", r"│ interpreter       │ node +│"):
            self.assertRegex(out, line)
        self.assertEqual(len({len(l) for l in out.splitlines() if l[:1] in "┌│└"}), 1, out)
        self.assertEqual(self.pm2("describe", "nosuch", code=1).err, "[PM2][WARN] nosuch doesn't exist\n")
        self.assertEqual(self.pm2("id", "nosuch").out, "[]\n")
        self.assertEqual(self.pm2("pid", "nosuch").out, "\n")
        self.assertIn("not found", self.pm2("env", "nosuch", code=1).err)
        self.assertEqual(self.pm2("ping").out, "{ msg: 'pong' }\n")
        self.assertIn("pm2 id : 0\n", self.pm2("ls", "-m").out)
        self.assertIn("kingd ", self.pm2("report").out)
        pretty = self.pm2("prettylist").out
        r = subprocess.run(["node", "-p", "const l = " + pretty + "; JSON.stringify(l)"], capture_output=True, text=True)
        self.assertEqual(json.loads(r.stdout)[0]["pm2_env"]["args"], ["two words", "it's"], r.stderr)

    def test_order_of_the_list(self):
        self.start_daemon()
        for name in ("b", "c", "a"):
            self.pm2("start", self.idle, "--name", name)
        names = lambda *options: re.findall(r"│ (\w) +│ default", self.pm2("ls", *options).out)
        self.assertEqual((names(), names("--sort", "id"), names("--sort", "name:desc")), (["a", "b", "c"], ["b", "c", "a"], ["c", "b", "a"]))
        self.assertIn("is none of", self.pm2("ls", "--sort", "beauty", code=1).err)

    def test_what_is_not_here_is_named(self):
        self.start_daemon()
        for words, hint in ((["serve", "."], "npx serve"), (["deploy", "x"], "kingctl apply"), (["plus"], "kingctl monit"), (["install", "x"], "no modules"),
                            (["strat", "x"], "did you mean start?"), (["start", "x", "--nmae", "y"], "did you mean --name?"), (["start", "x", "--name"], "needs a value"),
                            (["start", "nosuch.js"], "Script not found"), (["start", "5"], "not found"),
                            (["stop"], "missing argument"), (["restart", "x", "--kill-timeout", "5"], "does not change kill_timeout"), ([], "usage"),
                            (["logs", "--lines", "many"], "is not a number"), (["start", self.idle, "--restart-delay", "soon"], "restart_delay")):
            self.assertIn(hint, self.pm2(*words, code=1).err, words)
        self.assertEqual(self.processes(), [])
        out = self.pm2("help").out
        for word in ("sendSignal", "--max-memory-restart SIZE", "-n --name NAME", "deploy pull"):
            self.assertIn(word, out)
        self.assertIn("usage: kingctl pm2 scale", self.pm2("scale", "--help").out)
        self.assertIn("nderstand PM2", self.ok("help", "pm2").out)

    def test_an_ecosystem_to_begin_with(self):
        kingctl = os.path.abspath(os.path.join(self.programs, "kingctl"))
        run = lambda: Result(subprocess.run([kingctl, "pm2", "init", "simple"], cwd=self.home, env=self.environment, capture_output=True, text=True))
        self.assertEqual(run().out, f"File {self.home}/ecosystem.config.js generated\n")
        self.assertIn("stays as it is", run().err)
        self.assertIn("1 service", self.ok("check", os.path.join(self.home, "ecosystem.config.js")).out)

    def test_by_the_name_of_pm2(self):
        link = os.path.join(self.home, "pm2")
        os.symlink(os.path.abspath(os.path.join(self.programs, "kingctl")), link)
        run = lambda *words: Result(subprocess.run([link, *words], env=self.environment, capture_output=True, text=True))
        r = run("start", self.idle, "-n", "w")
        self.assertEqual(r.code, 0, r)
        self.assertIn("kingd started", r.err)
        self.assertEqual([x["name"] for x in json.loads(run("jlist").out)], ["w"])
        r = run("kill")
        self.assertEqual((r.code, r.out.splitlines()[:2]), (0, ["[PM2] [v] All Applications Stopped", "[PM2] [v] PM2 Daemon Stopped"]))
        self.assertEqual(run("kill").code, 0)
        self.assertEqual(run("bogus").code, 1)


class Beside(Pm2Scenario):
    """The same session, by PM2 itself and by us: exit statuses, messages, and what is there after each step."""
    SESSION = [
        "ping", "jlist", "start idle.sh -n web", "start idle.sh -n web", "start idle.sh -n api --namespace shop", "start nosuch.js", "start web", "pid nosuch", "id web", "id nosuch",
        "stop web", "stop 0", "stop nosuch", "restart idle.sh", "start idle.sh -n web", "restart web", "restart all", "restart /ap/", "restart nosuch", "reload api", "stop shop", "start shop",
        "sendSignal SIGUSR9 web", "sendSignal SIGCONT nosuch", "reset web", "reset nosuch", "describe nosuch", "env nosuch", "scale nosuch 2", "reloadLogs", "bogus", "stop",
        "start eco.json --only a", "start eco.json", "restart eco.json", "stop eco.json", "delete eco.json", "start bad.sh --max-restarts 1", "save", "delete bad", "delete nosuch",
        "delete api", "delete all", "stop all", "delete all", "save", "start idle.sh -n last", "kill",
    ]

    # What PM2 says and we do not, what we say and PM2 does not, and numbers.
    LEAVE_OUT = re.compile(r"^[│┌├└]|^host metrics|daemonized$|^\[PM2\] Spawning|It gets the environment|come back with|^$|^usage|^pm2 |^Access|^  error|missing argument"
                           r"|Command not found|nknown signal|warning: read as|not a signal|\[ERROR\] hint|^kingctl |Applying action deleteProcessId on app \[all|\(\d+\) ✓")

    def known(self, text):
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        text = re.sub(r"\(ids: \[.*\]\)", "", text)
        text = re.sub(r"/\S*/(pm2-dump\.json|dump\.pm2)", "DUMP", text)
        return sorted(l.rstrip() for l in text.splitlines() if not self.LEAVE_OUT.search(l))

    def state(self, run):
        r = run("jlist")
        text = r.stdout[r.stdout.index("["):] if "daemonized" not in r.stdout else "[]"
        return [(x["pm_id"], x["name"], x["pm2_env"]["namespace"], x["pm2_env"]["status"], x["pid"] > 0) for x in sorted(json.loads(text), key=lambda x: x["pm_id"])]

    def test_session(self):
        theirs = shutil.which(os.environ.get("KINGLY_PM2", "pm2"))
        if not theirs:
            self.not_applicable("PM2 is not in PATH (npm install pm2; KINGLY_PM2 names it)")
        self.script("idle.sh", "#!/bin/bash\nsleep 1000\n")
        self.script("bad.sh", "#!/bin/sh\nexit 3\n")
        self.file("eco.json", json.dumps({"apps": [{"name": n, "script": "./idle.sh"} for n in "ab"]}))
        env = self.environment | {"PM2_HOME": os.path.join(self.home, "pm2home"), "FORCE_COLOR": "0", "SCENARIO_HOME": self.home}
        os.mkdir(env["PM2_HOME"])
        by = lambda program: lambda *words: subprocess.run([*program, *words], env=env, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE)
        pm2, ours = by([theirs]), by([os.path.abspath(os.path.join(self.programs, "kingctl")), "pm2"])
        self.addCleanup(pm2, "kill")
        pm2("ping"), ours("ping")
        differ = []
        for step in self.SESSION:
            a, b = pm2(*step.split()), ours(*step.split())
            if a.returncode != b.returncode:
                differ.append((step, a.returncode, b.returncode, a, b))
            if step not in ("ping", "jlist") and self.known(a.stdout + a.stderr) != self.known(b.stdout + b.stderr):
                differ.append((step, self.known(a.stdout + a.stderr), self.known(b.stdout + b.stderr)))
            if step.startswith("start bad"):
                wait_for("both errored", lambda: all("errored" in [x[3] for x in self.state(run)] for run in (pm2, ours)))
            if step != "kill" and self.state(pm2) != self.state(ours):
                differ.append((step, self.state(pm2), self.state(ours)))
        self.assertEqual(differ, [], "what PM2 says, and what we say")
