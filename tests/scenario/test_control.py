"""scale, signal, reset, env, pid, tree: what an operator does to services that run, and asks of them."""
import json, os, signal
from client import Client, Error
from kingly import Scenario, wait_for

TRAPS = '''#!/bin/sh
trap 'echo caught >>"$OUT"' HUP
echo ready >>"$OUT"
while :; do sleep 1000 & wait; done
'''


class Control(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def lines(self, path):
        try:
            with open(path) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def trapping(self, name, instances=1):
        """A service that writes a line when it has its handler and one for each SIGHUP; one file for all instances."""
        out = os.path.join(self.home, name + ".out")
        self.apply({name: {"command": [self.script("traps", TRAPS)], "env": {"OUT": out}, "instances": instances}})
        wait_for("handlers", lambda: self.lines(out).count("ready") == instances)
        return out

    def test_columns_say_what_objects_say(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 2}, "down": {"command": "sleep 1000", "autostart": False}})
        with Client(self.home) as c:
            wanted = ["name", "namespace", "instance", "pid", "state", "ready", "restarts", "since_usec", "isolation", "hint", "no such field"]
            table, objects = c.call("List", {"columns": wanted}), c.call("List")
            self.assertEqual((table["instances"], table["rows"]), ([], 3))
            self.assertNotIn("no such field", table["columns"])
            self.assertNotIn("hint", table["columns"])        # null in every row
            rows = [dict(zip(table["columns"], row)) for row in zip(*table["columns"].values())]
            self.assertEqual(rows, [{k: i[k] for k in table["columns"]} for i in objects["instances"]])
            self.assertEqual(c.call("List", {"selectors": ["down"], "columns": ["name", "pid"]})["columns"], {"name": ["down"]})
            with self.assertRaises(Error):
                c.call("List", {"columns": "name"})
        shown = self.ok("list").out.splitlines()
        self.assertEqual([l.split()[:3:2] for l in shown[1:]], [["down", "stopped"], ["web:0", "running"], ["web:1", "running"]])

    def test_scale_touches_only_what_comes_and_goes(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 2}})
        before = [r["pid"] for r in self.list("web")]
        self.ok("scale", "web", "4")
        self.assertEqual([r["pid"] for r in self.list("web")][:2], before)
        self.assertEqual(len(self.list("web")), 4)
        self.ok("scale", "web", "-3")
        wait_for("three gone", lambda: [r["pid"] for r in self.list("web")] == before[:1])
        self.ok("scale", "web", "+1")
        self.assertEqual([r["state"] for r in self.list("web")], ["running", "running"])
        self.ok("scale", "web", "max")
        self.assertEqual(len(self.list("web")), os.cpu_count())

    def test_scale_outlives_the_daemon_and_the_file_has_the_last_word(self):
        path = self.file("web.json", json.dumps({"services": {"web": {"command": "sleep 1000", "instances": 1}}}))
        self.ok("apply", "-f", path)
        self.ok("scale", "web", "3")
        self.stop_daemon()
        self.start_daemon()
        wait_for("three", lambda: [r["state"] for r in self.list("web")] == ["running"] * 3)
        self.ok("apply", "-f", path)
        wait_for("one", lambda: len(self.list("web")) == 1)

    def test_a_stopped_service_is_scaled_and_stays_stopped(self):
        self.apply({"web": {"command": "sleep 1000"}})
        self.ok("stop", "web")
        self.ok("scale", "web", "2")
        self.assertEqual([r["state"] for r in self.list("web")], ["stopped", "stopped"])
        self.ok("start", "web")
        self.assertEqual([r["state"] for r in self.list("web")], ["running", "running"])

    def test_scale_refuses(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 2}})
        for text, code in (("0", 2), ("-2", 2), ("+2000", 2), ("1025", 2), ("two", 2), ("", 2), ("+-1", 2), ("99999999999999999999", 2)):
            self.refused(code, "scale", "web", text)
        self.refused(3, "scale", "nope", "2")
        self.refused(2, "scale", "web")
        self.assertEqual(len(self.list("web")), 2)

    def test_signal_reaches_the_main_process_or_all(self):
        out = self.trapping("web", 2)
        self.ok("signal", "HUP", "web:1")
        wait_for("one caught", lambda: self.lines(out).count("caught") == 1)
        self.ok("signal", "1", "web")
        wait_for("all caught", lambda: self.lines(out).count("caught") == 3)
        self.assertEqual([r["restarts"] for r in self.list("web")], [0, 0])
        self.assertIn("SIGHUP sent by an operator", [e["message"] for e in self.events("web")])
        self.ok("signal", "--scope", "all", "KILL", "web:0")
        wait_for("restarted", lambda: self.row("web:0")["restarts"] == 1)
        self.assertEqual(self.row("web:1")["restarts"], 0)

    def test_signal_refuses(self):
        self.apply({"web": {"command": "sleep 1000"}})
        self.refused(2, "signal", "FOO", "web")
        self.refused(2, "signal", "0", "web")
        self.refused(3, "signal", "HUP", "nope")
        self.refused(2, "signal", "HUP", "web", "--scope", "half")
        self.ok("stop", "web")
        self.assertIn("is not running", self.refused(1, "signal", "HUP", "web").err)

    def test_reset_forgets_a_failure(self):
        path = self.file("bad.json", json.dumps({"services": {"bad": {"command": ["sh", "-c", "exit 7"],
                         "restart": {"delay": "1ms", "factor": 1, "limit": 2}}, "web": {"command": "sleep 1000", "restart": {"delay": "0s"}}}}))
        self.kingctl("apply", "-f", path)
        self.until("bad", state="failed")
        os.kill(self.pid("web"), signal.SIGKILL)
        pid = self.until("web", state="running", restarts=1)["pid"]
        self.ok("reset", "all")
        self.assertEqual(self.row("bad")["state"], "stopped")
        self.assertEqual((self.row("web")["restarts"], self.row("web")["pid"]), (0, pid))

    def test_env_is_what_the_service_gets(self):
        file = self.file("more.env", "FROM_FILE='a b'\n")
        out = os.path.join(self.home, "environment")
        self.apply({"web": {"command": ["sh", "-c", f"env -0 >{out}.new; mv {out}.new {out}; exec sleep 1000"], "env": {"A": "1"}, "env_file": file}})
        wait_for("environment", lambda: os.path.exists(out))
        with open(out) as f:
            living = set(f.read().split("\0"))
        told = set(json.loads(self.ok("env", "web", "-o", "json").out)[0]["environment"])
        self.assertLessEqual({"A=1", "FROM_FILE=a b", "KINGLY_SERVICE=web"}, told)
        self.assertLessEqual(told, living)
        self.assertIn("FROM_FILE=a b\n", self.ok("env", "web").out)
        self.refused(3, "env", "nope")

    def test_pid_for_scripts(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 2}})
        pids = self.ok("pid", "web").out.split()
        self.assertEqual([int(p) for p in pids], [r["pid"] for r in self.list("web")])
        self.assertEqual(self.ok("pid", "web:1").out.strip(), pids[1])
        self.ok("stop", "web")
        self.assertEqual(self.refused(1, "pid", "web").out, "")
        self.assertEqual(self.kingctl("pid", "-q", "web").err, "")

    def test_tree_shows_who_started_whom(self):
        self.trapping("web")
        wait_for("the child", lambda: self.ok("tree", "web").out.endswith(" sleep 1000\n"))        # what the shell forked executes it a moment later
        top, main, child = self.ok("tree", "web").out.splitlines()
        self.assertTrue(top.startswith("web running"))
        self.assertTrue(main.startswith(f"└─ {self.pid('web')} "), main)
        self.assertRegex(child, r"^   └─ \d+ sleep 1000$")
