"""What outlives what: state over restarts of the daemon, services over the death of manager, logger and keeper."""
import contextlib, json, os, signal, subprocess
from kingly import BIN, PATIENCE, Scenario, alive, children, named, start_time, wait_for


class Survival(Scenario):
    def test_goals_survive_a_restart_of_the_daemon(self):
        self.start_daemon()
        self.apply({"up": {"command": "sleep 1000", "instances": 2}, "down": {"command": "sleep 1000"}, "gone": {"command": "sleep 1000"}})
        self.ok("stop", "down")
        self.ok("delete", "gone")
        old = [r["pid"] for r in self.list("up")]
        self.stop_daemon()
        self.assertFalse(any(map(alive, old)))
        self.start_daemon()
        wait_for("both instances", lambda: [r["state"] for r in self.list("up")] == ["running", "running"])
        self.assertEqual(self.row("down")["state"], "stopped")
        self.assertEqual(len(self.list()), 3)

    def test_configuration_of_the_daemon_and_reload(self):
        config = self.file("kingly.yaml", "services:\n  a: {command: sleep 1000, env: {SCENARIO_HOME: %s}}\n" % self.home)
        self.start_daemon()
        self.until("a", state="running")
        self.file("kingly.yaml", "services:\n  a: {command: sleep 1000, env: {SCENARIO_HOME: %s}}\n  b: {command: sleep 1001, env: {SCENARIO_HOME: %s}}\n" % (self.home, self.home))
        pid = self.pid("a")
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("b", lambda: len(self.list()) == 2 and self.row("b")["state"] == "running")
        self.assertEqual(self.pid("a"), pid)
        self.file("kingly.yaml", "services:\n  a: {comand: sleep 1000}\n")
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("the problem in status", lambda: "kingly.yaml:2" in self.ok("status").out)
        self.assertEqual(self.pid("a"), pid)

    def test_manager_killed(self):
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000", "instances": 3}, "crash": {"command": "sleep 1000", "restart": {"delay": "0s"}}})
        before = {(r["name"], r["instance"]): r["pid"] for r in self.list()}
        for _ in range(5):
            manager = self.manager()
            os.kill(manager, signal.SIGKILL)
            wait_for("a new manager", lambda: self.manager() != manager)
            self.assertEqual({(r["name"], r["instance"]): r["pid"] for r in self.list()}, before)
        os.kill(before["crash", 0], signal.SIGKILL)
        wait_for("a restart by the new manager", lambda: self.row("crash")["state"] == "running" and self.row("crash")["pid"] != before["crash", 0])
        self.ok("stop", "all")
        self.assertFalse(any(alive(p) for p in before.values()))

    def test_what_rests_goes_on_resting_under_a_new_manager(self):
        self.start_daemon()
        note = self.home + "/note"
        path = self.file("f.json", json.dumps({"services": {
            "once": {"type": "oneshot", "command": ["sh", "-c", f"echo ran >> {note}"], "restart": {"when": "never"}},
            "bad": {"command": ["sh", "-c", f"echo ran >> {note}; exit 3"], "restart": {"when": "never"}},
            "two": {"command": "sleep 1000", "instances": 2, "env": {"SCENARIO_HOME": self.home}}}}))
        self.kingctl("apply", "-f", path)
        self.until("bad", state="failed")
        self.until("once", state="exited")
        self.ok("stop", "two:1")
        manager = self.manager()
        self.write_books()
        os.kill(manager, signal.SIGKILL)
        wait_for("a new manager", lambda: self.manager() != manager)
        self.assertEqual({r["name"] + str(r["instance"]): r["state"] for r in self.list()}, {"once0": "exited", "bad0": "failed", "two0": "running", "two1": "stopped"})
        self.assertEqual(self.row("bad")["exit"]["code"], 3)
        self.assertEqual(open(note).read(), "ran\nran\n")
        self.stop_daemon()
        self.start_daemon()      # a beginning of the daemon is one for its services too
        wait_for("both again", lambda: open(note).read() == "ran\n" * 4)
        self.until("two:1", state="running")

    def test_exit_while_no_manager_lives_is_not_lost(self):
        self.start_daemon()
        self.apply({"a": {"command": ["sh", "-c", "read x < $GATE; exit 42"], "env": {"GATE": self.home + "/gate"}, "restart": {"when": "never"}}}, "--no-wait") \
            if os.mkfifo(self.home + "/gate") is None else None
        self.until("a", state="running")
        manager, pid = self.manager(), self.pid("a")
        os.kill(manager, signal.SIGSTOP)      # deaf, so that the exit surely falls into its time
        with open(self.home + "/gate", "w") as f:
            f.write("go\n")
        wait_for("the exit", lambda: not os.path.exists(f"/proc/{pid}"))
        os.kill(manager, signal.SIGKILL)
        row = self.until("a", state="failed")
        self.assertEqual(row["exit"]["code"], 42)

    def test_logger_killed(self):
        self.start_daemon()
        counter = self.script("count", "#!/bin/sh\nn=0\nwhile [ $n -lt 3000 ]; do echo line $n; n=$((n+1)); done\nexec sleep 1000\n")
        self.apply({"count": {"command": [counter], "log": {"to": "file"}}})
        logger = wait_for("the logger", lambda: named(self.daemon.pid, "kingd-logger"))[0]
        os.kill(logger, signal.SIGKILL)
        wait_for("a new logger", lambda: [p for p in named(self.daemon.pid, "kingd-logger") if p != logger])
        wait_for("the last line", lambda: self.messages("count", "-n", "1") == ["line 2999"])
        self.assertTrue(alive(self.pid("count")))

    def test_keeper_killed_services_live_and_are_adopted(self):
        self.start_daemon()
        # Their output must not depend on the keeper's pipes for this one.
        self.apply({"a": {"command": "sleep 1000", "instances": 2, "log": {"to": "none"}}, "b": {"command": "sleep 1001", "log": {"to": "none"}, "restart": {"delay": "0s"}}})
        before = {(r["name"], r["instance"]): (r["pid"], start_time(r["pid"])) for r in self.list()}
        self.daemon.kill()
        self.daemon.wait()
        self.assertTrue(all(alive(pid) for pid, _ in before.values()))
        self.start_daemon()
        self.assertEqual({(r["name"], r["instance"]): (r["pid"], start_time(r["pid"])) for r in self.list()}, before)
        os.kill(before["b", 0][0], signal.SIGKILL)
        row = wait_for("b's next run", lambda: (lambda r: r if r["state"] == "running" and r["pid"] != before["b", 0][0] else None)(self.row("b")))
        self.assertIn("unknown", " ".join(e["message"] for e in self.events("b")))
        self.ok("stop", "all")
        self.assertFalse(any(alive(pid) for pid, _ in before.values()))

    def test_one_daemon_per_home(self):
        self.start_daemon()
        second = subprocess.run([os.path.join(BIN, "kingd"), "--isolation", self.isolation], env=self.environment, capture_output=True, text=True, timeout=4 * PATIENCE)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another kingd", second.stderr)
        self.ok("ping")

    def test_damaged_state_is_set_aside(self):
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000"}})
        self.stop_daemon()
        for name in os.listdir(self.home + "/state"):
            with open(f"{self.home}/state/{name}", "r+b") as f:
                f.write(b"garbage " * 64)
        self.start_daemon()
        self.assertEqual(self.list(), [])
        self.assertIn("set aside", self.ok("status").out)
        self.assertTrue([n for n in os.listdir(self.home + "/state") if ".bad-" in n])

    def test_autostart_and_its_refusal(self):
        r = self.refused(4, "list", "--no-autostart")
        self.assertIn("hint:", r.err)
        self.refused(4, "start", "--no-autostart", "--", "sleep", "1")
        r = self.ok("start", "--name", "nap", "--env", f"SCENARIO_HOME={self.home}", "--", "sleep", "1000")
        self.assertIn("kingd", r.err)
        self.assertEqual(self.row("nap")["state"], "running")
        self.ok("shutdown")
        self.refused(4, "ping", "--no-autostart")

    def test_sigterm_stops_everything_in_order(self):
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000", "instances": 3}})
        pids = [r["pid"] for r in self.list()]
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0, self.daemon_log())
        self.daemon = None
        self.assertFalse(any(map(alive, pids)))

    def test_sigterm_to_all_of_us(self):
        """As whoever ends a group or a container sends it: the manager may have gone before it hears of it."""
        for _ in range(5):
            self.start_daemon()
            self.apply({"ended": {"command": "sleep 1000"}})
            pid, manager = self.pid("ended"), self.manager()
            self.daemon.terminate()
            with contextlib.suppress(ProcessLookupError):      # it has done all by now
                os.kill(manager, signal.SIGTERM)
            self.assertEqual(self.daemon.wait(4 * PATIENCE), 0, self.daemon_log())
            self.daemon = None
            self.assertFalse(alive(pid))


class Init(Scenario):
    """kingd as PID 1 of a container, as far as a PID namespace makes one."""

    def run_init(self, services, *outside):
        self.file("kingly.yaml", json.dumps({"services": services}))
        return subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", os.path.join(BIN, "kingd"), "--isolation", "session"],
                                env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def setUp(self):
        super().setUp()
        if self.isolation != "session":
            self.not_applicable("the isolation of a plain container is session")
        if os.getuid() != 0:
            self.skipTest("needs root for a PID namespace")

    def test_status_of_the_essential_service(self):
        for command, status in ((["sh", "-c", "exit 5"], 5), (["sh", "-c", "kill -USR1 $$$$"], 128 + signal.SIGUSR1)):
            p = self.run_init({"main": {"command": command, "essential": True, "restart": {"when": "never"}}, "side": {"command": "sleep 1000"}})
            out, _ = p.communicate(timeout=4 * PATIENCE)
            self.assertEqual(p.returncode, status, out)

    def test_orphans_are_reaped_and_signals_forwarded(self):
        note = f"{self.home}/note"
        main = self.script("main", f'''#!/bin/sh
trap 'echo got USR1 >> {note}' USR1
(sh -c 'echo $$ > {self.home}/orphan; exec sleep 0.01' &)
while ! [ -s {self.home}/orphan ] || kill -0 $(cat {self.home}/orphan) 2>/dev/null; do sleep 0.05; done     # a zombie is there as well
echo up >> {note}
while :; do sleep 0.05; done
''')
        p = self.run_init({"main": {"command": [main], "essential": True}})
        try:
            wait_for("main", lambda: os.path.exists(note) and "up" in open(note).read())
            init = children(p.pid)[0]
            os.kill(init, signal.SIGUSR1)
            wait_for("the signal", lambda: "got USR1" in open(note).read())
            os.kill(init, signal.SIGTERM)
            out, _ = p.communicate(timeout=4 * PATIENCE)
            self.assertEqual(p.returncode, 0, out)
        finally:
            p.kill()
