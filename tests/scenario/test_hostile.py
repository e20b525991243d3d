"""Clients that ask for what makes no sense, ask at the wrong moment, or go away in the middle."""
import json, os, signal, subprocess, time
from client import Client, Error
from kingly import BIN, PATIENCE, Scenario, alive, wait_for

METHODS = {
    "Ping": [], "Status": [], "Doctor": [],
    "Apply": ["services", "origin", "prune", "diff", "start", "wait"],
    "Start": ["selectors", "namespace", "wait"], "Stop": ["selectors", "namespace", "wait"],
    "Restart": ["selectors", "namespace", "wait"], "Delete": ["selectors", "namespace", "wait"],
    "List": ["selectors", "namespace"], "Describe": ["selectors", "namespace"],
    "Logs": ["selectors", "namespace", "lines", "since_usec", "until_usec", "after", "follow", "stream", "contains", "fold"],
    "Events": ["selectors", "namespace", "after", "since_usec", "limit", "follow"],
}
VALUES = [None, True, 0, -1, 1 << 62, 1 << 70, 1.5, 1e300, "", "x", "@", ":", "a:b", "a/b/c", "*", "[", "\u00e9" * 200, "n" * 70000, [], [None], [1], ["x", 2],
          [[]], [{}], [{"name": "x"}], [{"name": 1}], [{"command": "x"}], [{"name": "../x", "command": "true"}], {}, {"a": {"b": []}}]
NOTIFIER = '''#!/usr/bin/env python3
import os, signal, socket, sys, time
def notify(text):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
exec(os.environ["SCRIPT"])
'''


class Guarded(Scenario):
    """Whatever is done to it, the manager must be the same at the end."""

    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.manager = self.manager_pid()
        self.addCleanup(self.same_manager)

    def client(self):
        c = Client(self.home)
        self.addCleanup(c.close)
        return c

    def manager_pid(self):
        return Client(self.home).call("Status")["manager_pid"]

    def same_manager(self):
        if self.daemon and self.daemon.poll() is None:
            self.assertEqual(self.manager_pid(), self.manager, "the manager has crashed:\n" + self.daemon_log())

    def kill_manager(self):
        os.kill(self.manager, signal.SIGKILL)
        self.manager = wait_for("another manager", lambda: (p := self.answering()) and p != self.manager and p)

    def answering(self):
        try:
            return self.manager_pid()
        except (OSError, Error):
            return None

    def services(self, **services):
        return [{"name": n, "env": {"SCENARIO_HOME": self.home}} | s for n, s in services.items()]

    def notifier(self, script, **more):
        return {"command": [self.script("notifier", NOTIFIER)], "env": {"SCRIPT": script, "SCENARIO_HOME": self.home},
                "ready": {"by": "notify", "timeout": "10m"}} | more

    def runs_once(self, name):
        """Pids of the living main processes of this service, by their environment."""
        found = []
        for pid in self.ours():
            try:
                environ = open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
            except OSError:
                continue
            if f"KINGLY_SERVICE={name}".encode() in environ:
                found.append(pid)
        return found


class Hostile(Guarded):
    # ---- words ----

    def test_every_parameter_of_every_method_with_every_wrong_type(self):
        self.apply({"keep": {"command": "sleep 1000"}})
        pid = self.pid("keep")
        c = self.client()
        for method, fields in METHODS.items():
            for field in fields:
                for value in VALUES:
                    if method in ("Stop", "Restart", "Delete") and value == ["*"]:
                        continue
                    more = {"wait": False} if "wait" in fields and field != "wait" else {}
                    if method == "Apply" and field != "services":
                        more |= {"services": [], "diff": True}
                    elif field not in ("selectors", "services") and "selectors" in fields:
                        more |= {"selectors": ["nobody"]}
                    c.send(method, more | {field: value})
                    self.assertIsNotNone(c.receive(), (method, field, value))
            for value in (None, [], "x", 5, {"unknown": 1}):
                if method not in ("Apply",):
                    c.socket.sendall(json.dumps({"method": f"io.kingly.Manager.{method}", "parameters": value}).encode() + b"\0")
                    self.assertIsNotNone(c.receive(), (method, value))
        self.assertEqual(self.pid("keep"), pid)

    def test_many_selectors(self):
        self.apply({f"s{n}": {"command": "sleep 1000"} for n in range(20)})
        c = self.client()
        names = [f"s{n % 20}" for n in range(10000)]
        self.assertEqual(len(c.call("List", {"selectors": names})["instances"]), 20)
        self.assertEqual(len(c.call("List", {"selectors": ["all"] * 10000})["instances"]), 20)
        self.assertEqual(len(c.call("Describe", {"selectors": ["s*"] * 10000})["services"]), 20)
        self.assertEqual(len(c.call("Stop", {"selectors": names})["results"]), 20)

    def test_the_same_service_twice_in_one_apply(self):
        c = self.client()
        for twice in (self.services(a={"command": "sleep 1000"}) * 2,
                      self.services(a={"command": "sleep 1000"}) + self.services(b={"command": "true"}, a={"command": "sleep 999"})):
            with self.assertRaises(Error) as e:
                c.call("Apply", {"services": twice})
            self.assertEqual(e.exception.name, "InvalidInput")
            self.assertEqual(c.call("List")["instances"], [])

    def test_a_pattern_costs_only_who_wrote_it(self):
        """Back references take exponential time. They take it in kingctl; the daemon has done its part long before."""
        self.apply({"talk": {"command": ["sh", "-c", "echo " + 40 * "a" + "; exec sleep 1000"], "log": {"to": "file"}}})
        wait_for("its line", lambda: self.messages("talk") == [40 * "a"])
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "logs", "talk", "--grep", r"(a*)*(a*)*(a*)*\1\2\3b"], env=self.environment, stdout=subprocess.PIPE)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.addCleanup(p.stdout.close)
        wait_for("an answer", lambda: self.messages("talk", "--grep", "^a{40}$") == [40 * "a"])

    def test_names_at_their_limits(self):
        long = "n" * 128
        c = self.client()
        services = [{"name": name, "namespace": ns, "command": ["sh", "-c", "echo hello; exec sleep 1000"], "env": {"SCENARIO_HOME": self.home}, "log": {"to": "file"}}
                    for name, ns in ((long, long), ("0", "0"), ("a.b-c_d", "X.y-z_0"), ("_", "_"), ("A" * 127 + ".", "b."))]
        results = c.call("Apply", {"services": services})["results"]
        self.assertEqual([r["error"] for r in results], [None] * 5)
        for s in services:
            selector = f"{s['namespace']}/{s['name']}"
            self.assertEqual(self.row(selector)["state"], "running")
            wait_for("output", lambda: self.messages(selector) == ["hello"])
        os.kill(self.manager, signal.SIGKILL)
        self.manager = wait_for("another manager", lambda: (p := self.answering()) and p != self.manager and p)
        self.assertEqual({r["state"] for r in self.list()}, {"running"})
        for bad in ("n" * 129, "", ".a", "-a", "a..b", "a b", "a@b", "a:b", "a/b", "a\n", "\u00e9"):
            with self.assertRaises(Error):
                c = self.client()
                c.call("Apply", {"services": [{"name": bad, "command": "true"}]})

    # ---- clients that go away, or do not read ----

    def test_clients_that_vanish_while_they_wait(self):
        c = self.client()
        c.call("Apply", {"services": self.services(slow=self.notifier("time.sleep(1000)"), web={"command": "sleep 1000", "log": {"to": "file"}}), "wait": False})
        for n in range(5):
            for method, parameters in (("Start", {"selectors": ["slow"]}), ("Logs", {"selectors": ["web"], "follow": True}), ("Events", {"follow": True})):
                other = Client(self.home)
                other.send(method, parameters, more=True)
                other.close()
        # What they asked for may be done after what others ask later: a start after this stop makes it say so.
        wait_for("a stop that nobody crosses", lambda: self.kingctl("stop", "slow").code == 0)
        self.ok("delete", "all")

    def test_two_wait_for_the_same_and_one_vanishes(self):
        go = os.path.join(self.home, "go")
        first, second, third = self.client(), self.client(), self.client()
        first.call("Apply", {"services": self.services(slow=self.notifier(f"while not os.path.exists({go!r}): time.sleep(0.01)\nnotify('READY=1')\ntime.sleep(1000)")), "wait": False})
        for c in (first, second, third):
            c.send("Start", {"selectors": ["slow"]})
        second.close()
        open(go, "w").close()
        for c in (first, third):
            self.assertEqual([(r["state"], r["error"]) for r in c.answer()["results"]], [("running", None)])

    def test_followers_and_waiters_at_the_end(self):
        """Whoever is still connected when the daemon ends sees the end of the stream, and nothing is touched that is gone."""
        clients = [self.client() for _ in range(4)]
        clients[0].call("Apply", {"services": self.services(slow=self.notifier("time.sleep(1000)"), web={"command": "sleep 1000", "log": {"to": "file"}}), "wait": False})
        clients[0].send("Start", {"selectors": ["slow"]}, more=True)
        clients[1].send("Events", {"follow": True}, more=True)
        clients[2].send("Logs", {"follow": True, "lines": 0}, more=True)
        self.assertIsNotNone(clients[1].receive())
        clients[3].call("Ping")
        self.ok("shutdown")
        for c in clients[:3]:
            while c.receive() is not None:
                pass
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0)

    def test_two_shutdowns_are_both_answered(self):
        first, second, third = (self.client() for _ in range(3))
        trapped, go = os.path.join(self.home, "trapped"), os.path.join(self.home, "go")
        self.apply({"slow": {"command": ["sh", "-c", f"trap 'until [ -e {go} ]; do :; done; exit' TERM; : > {trapped}; while :; do :; done"]}})
        wait_for("the trap to be set", lambda: os.path.exists(trapped))
        for c in (first, second):
            c.send("Shutdown")
        for _ in range(2):    # what was sent before the first of them has been read before the second is answered
            third.call("Ping")
        open(go, "w").close()
        for c in (first, second):
            c.answer()
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0)

    def test_a_follower_that_does_not_read_misses_nothing(self):
        lines = 60000
        talk = self.script("talk", f"#!/bin/sh\nread go < {self.home}/fifo\nexec seq -f 'line %07.0f {'x' * 100}' {lines}\n")
        os.mkfifo(os.path.join(self.home, "fifo"))
        self.apply({"talk": {"command": [talk], "restart": {"when": "never"}, "log": {"to": "file", "max_size": "100M"}}})
        c = self.client()
        c.send("Logs", {"selectors": ["talk"], "follow": True, "lines": 0}, more=True)
        self.client().call("Ping")
        with open(os.path.join(self.home, "fifo"), "w") as f:
            f.write("go\n")
        self.until("talk", state="exited")
        expected = 1
        while expected <= lines:
            for entry in c.answer()["entries"]:
                self.assertEqual(entry["message"][:12], f"line {expected:07d}")
                expected += 1

    # ---- the wrong moment ----

    def test_apply_while_it_is_being_deleted(self):
        stubborn = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], "stop": {"timeout": "1s"}}
        for n in range(2):
            self.apply({"web": stubborn})
            old = self.pid("web")
            self.client().call("Delete", {"selectors": ["web"], "wait": False})
            self.assertLessEqual({r["name"] for r in self.list()}, {"web"})     # still there, on its way out, unless that is over
            self.apply({"web": stubborn | {"env": {"ROUND": str(n)}}})
            row = self.until("web", state="running")
            self.assertNotEqual(row["pid"], old)
            self.assertFalse(alive(old))
        self.ok("stop", "web")
        self.assertEqual(self.runs_once("web"), [])

    def test_deleted_and_applied_before_its_stop_began(self):
        """Its dependents go down first; a service that is asked for again meanwhile must not go down after all."""
        slow = {"command": ["sh", "-c", "trap 'sleep 0.3; exit' TERM; while :; do sleep 0.05; done"], "depends_on": {"db": "started"}}
        self.apply({"db": {"command": "sleep 1000"}, "web": slow})
        c = self.client()
        c.call("Delete", {"selectors": ["all"], "wait": False})
        c.call("Apply", {"services": self.services(db={"command": "sleep 1000"})})
        wait_for("web to be gone", lambda: [r["name"] for r in self.list()] == ["db"])
        self.until("db", state="running")
        c.call("Stop", {"selectors": ["db"]})
        self.apply({"db": {"command": "sleep 1000"}, "web": slow})
        self.ok("start", "db", "web")
        c.call("Stop", {"selectors": ["db", "web"], "wait": False})
        c.call("Start", {"selectors": ["db"]})
        self.until("web", state="stopped")
        self.assertEqual(self.row("db")["state"], "running")

    def test_delete_and_stop_while_starting(self):
        c = self.client()
        for n in range(5):
            c.call("Apply", {"services": self.services(slow=self.notifier("time.sleep(1000)", ready={"by": "notify", "timeout": "1s"}), fast={"command": "sleep 1000"}), "wait": False})
            waiter = self.client()
            waiter.send("Start", {"selectors": ["slow"]})
            c.call("Stop" if n % 2 else "Delete", {"selectors": ["all"]})
            try:
                self.assertTrue(waiter.answer()["results"][0]["error"])
            except Error as e:          # the other was heard first
                self.assertEqual(e.name, "NoSuchService")
        self.ok("delete", "all")

    def test_shutdown_while_starting(self):
        c = self.client()
        services = {f"s{n}": {"command": "sleep 1000"} for n in range(50)} | {f"n{n}": self.notifier("time.sleep(1000)") for n in range(5)}
        c.call("Apply", {"services": self.services(**services), "wait": False})
        c.send("Shutdown")
        os.kill(self.daemon.pid, signal.SIGHUP)
        c.answer()
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0)
        self.assertEqual(self.ours(), [])

    def test_scaled_up_and_down_while_restarting(self):
        crash = {"command": ["sh", "-c", "sleep 0.05; exit 1"], "restart": {"delay": "10ms", "limit": 0, "factor": 1}}
        c = self.client()
        for n in (4, 1, 6, 2, 5, 3):
            c.call("Apply", {"services": self.services(crash=crash | {"instances": n}), "wait": False})
            c.call("Restart", {"selectors": ["crash"], "wait": False})
        c.call("Apply", {"services": self.services(crash={"command": "sleep 1000", "instances": 3})})
        wait_for("three", lambda: [r["state"] for r in self.list("crash")] == ["running"] * 3)
        self.assertEqual(len(self.runs_once("crash")), 3)

    def test_restart_does_not_bring_back_what_is_being_removed(self):
        stubborn = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], "stop": {"timeout": "400ms"}}
        c = self.client()
        c.call("Apply", {"services": self.services(web=stubborn | {"instances": 3})})
        c.call("Apply", {"services": self.services(web=stubborn | {"instances": 1})})
        c.call("Restart", {"selectors": ["all"]})
        with self.assertRaises(Error):
            c.call("Start", {"selectors": ["web:2"]})
        wait_for("one", lambda: [(r["instance"], r["state"]) for r in self.list("web")] == [(0, "running")])
        c.call("Delete", {"selectors": ["web"]})

    def test_a_dependency_that_is_deleted_fails_who_waits_for_it(self):
        self.apply({"db": self.notifier("time.sleep(1000)"), "web": {"command": "sleep 1000", "depends_on": {"db": "ready"}}}, "--no-wait")
        self.until("web", state="waiting")
        self.ok("delete", "db")
        row = self.until("web", state="failed")
        self.assertIn("does not exist", row["status"])

    def test_a_corrected_file_does_not_wait_for_the_backoff(self):
        bad = {"command": ["sh", "-c", "exit 1"], "restart": {"delay": "1h", "max_delay": "1h"}}
        self.apply({"web": bad}, "--no-wait")
        self.until("web", state="waiting")
        self.apply({"web": {"command": "sleep 1000"}})
        self.assertEqual(self.row("web")["state"], "running")

    def test_a_failure_runs_down_a_long_chain(self):
        n = 1500
        services = self.services(**{f"s{k}": {"command": "sleep 1000", "depends_on": {f"s{k + 1}": "ready"}} for k in range(n)})
        results = self.client().call("Apply", {"services": services})["results"]
        self.assertEqual({r["state"] for r in results}, {"failed"})
        self.assertEqual(len(results), n)

    def test_many_ways_to_the_same_failure(self):
        """Two services a layer, each needing both of the next: as many ways as would take for ever to go one by one."""
        services = {f"{x}{k}": {"command": "sleep 1000", "depends_on": {f"{y}{k + 1}": "ready" for y in "ab"}} for k in range(40) for x in "ab"}
        c = self.client()
        c.call("Apply", {"services": self.services(**services), "start": False})
        results = c.call("Start", {"selectors": ["a0"]})["results"]
        self.assertEqual([r["state"] for r in results], ["failed"])

    # ---- the manager dies meanwhile ----

    def test_a_stop_is_carried_on_by_the_next_manager(self):
        stubborn = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], "stop": {"timeout": "3s"}}
        c = self.client()
        c.call("Apply", {"services": self.services(one=stubborn, two=stubborn | {"instances": 2}, gone=stubborn, kept=stubborn)})
        kept = self.pid("kept")
        c.call("Stop", {"selectors": ["one"], "wait": False})
        c.call("Apply", {"services": self.services(two=stubborn | {"instances": 1}), "wait": False})
        c.call("Delete", {"selectors": ["gone"], "wait": False})
        self.write_books()
        self.kill_manager()
        self.until("one", state="stopped")
        wait_for("gone and two:1 to be gone", lambda: [r["name"] for r in self.list()] == ["kept", "one", "two"])
        wait_for("no process of gone", lambda: not self.runs_once("gone"))
        self.assertEqual((self.runs_once("one"), len(self.runs_once("two")) > 0), ([], True))
        self.assertEqual(self.pid("kept"), kept)

    def test_a_restart_is_carried_on_by_the_next_manager(self):
        slow = {"command": ["sh", "-c", "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.05; done"], "restart": {"when": "on-failure"}}
        self.apply({"web": slow})
        old = self.pid("web")
        c = self.client()
        c.call("Restart", {"selectors": ["web"], "wait": False})
        self.write_books()
        self.kill_manager()
        row = wait_for("another run", lambda: (r := self.row("web"))["state"] == "running" and r["pid"] != old and r)
        self.assertFalse(alive(old))
        self.assertTrue(alive(row["pid"]))

    def test_what_a_start_brought_up_with_it_is_wanted_from_then_on(self):
        self.apply({"db": {"command": "sleep 1000"}, "web": {"command": "sleep 1000", "depends_on": {"db": "ready"}}})
        self.ok("stop", "all")
        self.ok("start", "web")
        self.assertEqual(self.row("db")["state"], "running")
        self.stop_daemon()
        self.start_daemon()
        self.manager = self.manager_pid()
        self.until("web", state="running")
        self.assertEqual(self.row("db")["state"], "running")

    # ---- words of the services ----

    def test_notify_in_each_state(self):
        words = ("STATUS=x\\nREADY=1\\nREADY=1", "RELOADING=1\\nMONOTONIC_USEC=1", "STOPPING=1\\nREADY=1", "WATCHDOG=1", "WATCHDOG_USEC=18446744073709551615",
                 "WATCHDOG_USEC=x", "EXTEND_TIMEOUT_USEC=18446744073709551615", "EXTEND_TIMEOUT_USEC=1", "WATCHDOG=trigger", "MAINPID=1", "=", "\\n\\n", "READY",
                 "ERRNO=5", "BARRIER=1", "FDSTORE=1", "STATUS=" + "s" * 3000, "x" * 5000)
        services = {}
        for k, w in enumerate(words):
            services[f"first{k}"] = self.notifier(f"notify('{w}')\ntime.sleep(0.2)\nnotify('READY=1')\ntime.sleep(1000)", stop={"timeout": "1s"})
            services[f"then{k}"] = self.notifier(f"notify('READY=1')\ntime.sleep(0.1)\nnotify('{w}')\nsignal.signal(signal.SIGTERM, lambda *_: (notify('{w}'), os._exit(0)))\ntime.sleep(1000)",
                                                 stop={"timeout": "1s"}, restart={"when": "never"})
        for s in services.values():
            s["ready"] = {"by": "notify", "timeout": "5s"}
        c = self.client()
        c.call("Apply", {"services": self.services(**services), "wait": False})
        wait_for("all to have spoken", lambda: all(r["state"] != "starting" for r in self.list()))
        c.call("Stop", {"selectors": ["all"]})
        self.assertEqual({r["pid"] for r in self.list()}, {None})

    def test_essential_ends_the_daemon_also_when_others_outlive_it(self):
        self.apply({"side": {"command": "sleep 1000"}, "main": {"command": ["sh", "-c", f"(trap '' TERM; sleep 0.4) & while ! [ -e {self.home}/go ]; do sleep 0.05; done; exit 7"], "essential": True, "restart": {"when": "never"}}})
        self.file("go", "")
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 7)
        self.assertEqual(self.ours(), [])

    def test_the_unfinished_last_line_of_a_raw_log(self):
        self.apply({"talk": {"command": ["sh", "-c", "printf 'whole\\nhalf'"], "type": "oneshot", "log": {"to": "file", "format": "raw"}}})
        wait_for("both", lambda: self.messages("talk") == ["whole", "half"])
