"""The manager dies at every stage of a service's life; the next one goes on where it was."""
import json, os, random, signal, subprocess, time
from kingly import BIN, PATIENCE, Scenario, alive, command_line, wait_for

SEED = int(os.environ.get("KINGLY_SEED") or random.randrange(1 << 32))


class ManagerDeath(Scenario):
    def lines(self, name):
        try:
            return open(f"{self.home}/{name}").read().splitlines()
        except FileNotFoundError:
            return []

    def detail(self, selector):
        return self.described(selector)["instances"][0]

    def fifo(self, name):
        os.mkfifo(f"{self.home}/{name}")
        return f"{self.home}/{name}"

    def test_every_deadly_signal(self):
        self.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"      # it is ours
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000", "instances": 2}})
        before = [r["pid"] for r in self.list()]
        for sig in (signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGKILL):
            self.replace_manager(sig)
            self.assertEqual([r["pid"] for r in self.list()], before, sig)
        self.assertIn("kingd-manager", self.daemon_log())

    def test_backoff_goes_on(self):
        self.start_daemon()
        note = f"{self.home}/note"
        self.apply({"bad": {"command": ["sh", "-c", f"echo ran >> {note}; exit 3"], "restart": {"delay": "100ms", "factor": 30, "max_delay": "1h", "jitter": "0%"}}}, "--no-wait")
        wait_for("the long wait", lambda: len(self.lines("note")) == 3 and self.row("bad")["state"] == "waiting")
        before, due = self.row("bad"), self.detail("bad")["next_usec"]
        self.replace_manager()
        after = self.row("bad")
        self.assertEqual({k: after[k] for k in ("state", "restarts", "exit", "since_usec")}, {k: before[k] for k in ("state", "restarts", "exit", "since_usec")})
        self.assertLess(abs(self.detail("bad")["next_usec"] - due), 10_000_000)
        self.assertEqual(len(self.lines("note")), 3)

    def test_backoff_that_ended_meanwhile(self):
        self.start_daemon()
        note = f"{self.home}/note"
        self.apply({"bad": {"command": ["sh", "-c", f"echo ran >> {note}; exit 3"], "restart": {"delay": "300ms", "factor": 1, "limit": 4}}}, "--no-wait")
        while self.row("bad")["state"] != "failed":
            self.replace_manager()
        self.assertEqual(len(self.lines("note")), 5)      # the first and four more: none is forgotten, none is counted twice
        self.assertEqual(self.row("bad")["restarts"], 4)

    def test_starts_are_counted_on(self):
        """The number of a start is in the row of its run; a row that goes leaves it to the service."""
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000", "instances": 3}})
        highest = lambda: max(self.detail(f"a:{n}")["generation"] for n in range(len(self.list("a"))))
        self.assertEqual(highest(), 3)
        self.ok("restart", "a")
        self.replace_manager()
        self.assertEqual(highest(), 6)
        last = highest()
        self.ok("scale", "a", "1")      # the latest is among those that go
        self.replace_manager()
        self.ok("restart", "a")
        self.assertEqual(self.detail("a")["generation"], last + 1)
        self.ok("stop", "a")            # none has a row
        self.replace_manager()
        self.ok("start", "a")
        self.assertEqual(self.detail("a")["generation"], last + 2)

    def test_stop_goes_on_with_its_deadline(self):
        self.start_daemon()
        command = self.script("stubborn", f"#!/bin/sh\ntrap 'echo term >> {self.home}/note' TERM\necho up > {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"stubborn": {"command": [command], "stop": {"timeout": f"{PATIENCE / 5:.0f}s"}}})
        wait_for("its trap", lambda: self.lines("up"))
        pid = self.pid("stubborn")
        self.ok("stop", "--no-wait", "stubborn")
        wait_for("the signal", lambda: self.lines("note"))
        self.write_books()
        self.replace_manager()
        self.until("stubborn", state="stopped")
        self.assertFalse(alive(pid))
        self.assertEqual(self.lines("note"), ["term"])     # asked once, then killed

    def test_stop_that_ended_meanwhile(self):
        """One of two was told to stop, and did while nobody took notice: it rests, though its service is wanted."""
        self.start_daemon()
        gate = self.fifo("gate")
        slow = self.script("slow", f"#!/bin/sh\ntrap 'read x < {gate}; exit 0' TERM\necho up >> {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"two": {"command": [slow], "instances": 2, "stop": {"timeout": "60s"}}})
        wait_for("their traps", lambda: len(self.lines("up")) == 2)
        pid = self.pid("two:1")
        self.ok("stop", "--no-wait", "two:1")
        self.until("two:1", state="stopping")
        self.write_books()
        manager = json.loads(self.ok("status", "-o", "json").out)["manager_pid"]
        os.kill(manager, signal.SIGSTOP)
        with open(gate, "w") as f:
            f.write("go\n")
        wait_for("its end", lambda: not alive(pid))
        os.kill(manager, signal.SIGKILL)
        self.until("two:1", state="stopped")
        self.assertEqual(len(self.lines("up")), 2)
        self.ok("stop", "--no-wait", "two:0")
        self.until("two:0", state="stopping")
        with open(gate, "w") as f:
            f.write("go\n")

    def test_what_a_run_left_behind_ends_meanwhile(self):
        """Its main process had ended, and another run was ordered: that one begins, and no second one beside it."""
        self.start_daemon()
        script = self.script("web", f"#!/bin/sh\nif ! [ -e {self.home}/left ]; then\ntrap '' TERM\nread x < {self.fifo('gate')} &\necho $! > {self.home}/left; exit 3; fi\n"
                                    f"echo up >> {self.home}/up\nexec sleep 1000\n")
        self.apply({"web": {"command": [script], "restart": {"when": "never"}, "stop": {"timeout": "10m"}}}, "--no-wait")
        self.until("web", state="stopping")
        left = int(self.lines("left")[0])
        self.ok("start", "--no-wait", "web")
        self.write_books()
        manager = self.manager()
        os.kill(manager, signal.SIGSTOP)
        with open(f"{self.home}/gate", "w") as f:
            f.write("go\n")
        wait_for("its end", lambda: not os.path.exists(f"/proc/{left}"))
        os.kill(manager, signal.SIGKILL)
        pid = self.until("web", state="running")["pid"]
        wait_for("its program", lambda: command_line(pid).startswith(b"sleep"))
        self.assertEqual([p for p in self.ours() if command_line(p).startswith(b"sleep")], [pid])
        self.assertEqual(len(self.lines("up")), 1)
        self.assertEqual([e["kind"] for e in self.events("web") if e["kind"] in ("started", "exited")], ["started", "exited", "started"])

    def test_ordered_stop_goes_on(self):
        self.start_daemon()
        slow = self.script("slow", f"#!/bin/sh\ntrap 'read x < {self.fifo('gate')}; exit 0' TERM\necho up > {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"base": {"command": "sleep 1000"}, "top": {"command": [slow], "depends_on": ["base"], "stop": {"timeout": "60s"}}})
        wait_for("its trap", lambda: self.lines("up"))
        self.ok("stop", "--no-wait", "base", "top")
        self.until("top", state="stopping")
        self.write_books()      # or it is asked again, which ends what it does in its trap
        self.replace_manager()
        self.assertEqual(self.row("base")["state"], "running")     # waits for its dependent still
        with open(f"{self.home}/gate", "w") as f:
            f.write("go\n")
        self.until("base", state="stopped")
        self.assertEqual(self.row("top")["exit"]["code"], 0)

    def test_readiness_is_awaited_on(self):
        self.start_daemon()
        gate = self.fifo("gate")
        self.apply({"fd": {"command": ["sh", "-c", f"read x < {gate}; eval \"echo >&$READY_FD\"; exec sleep 1000"], "ready": {"by": "fd", "timeout": "10m"}},
                    "never": {"command": "sleep 1000", "ready": {"by": "notify", "timeout": f"{PATIENCE / 5:.0f}s"}, "restart": {"when": "never"}}}, "--no-wait")
        pid = self.until("never", state="starting")["pid"]
        self.until("fd", state="starting")
        self.replace_manager()
        self.assertEqual(self.until("never", state="failed")["exit"]["reason"], "ready-timeout")
        self.assertFalse(alive(pid))
        self.replace_manager()
        with open(gate, "w") as f:
            f.write("go\n")
        self.assertTrue(self.until("fd", state="running")["ready"])
        self.assertEqual(len([e for e in self.events("fd") if e["kind"] == "started"]), 1)

    def test_watchdog_watches_on(self):
        self.start_daemon()
        self.apply({"w": {"command": ["python3", "-c", """
import os, signal, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1\\nSTATUS=serving")
while not os.path.exists(os.environ["QUIET"]):
    s.send(b"WATCHDOG=1")
    time.sleep(0.05)
signal.pause()
"""], "env": {"QUIET": self.home + "/quiet"}, "ready": {"by": "notify"}, "watchdog": f"{PATIENCE / 5:.0f}s", "restart": {"when": "never"}}})
        pid = self.pid("w")
        self.replace_manager()
        row = self.row("w")
        self.assertEqual((row["pid"], row["state"], row["status"]), (pid, "running", "serving"))
        self.file("quiet", "")
        self.assertEqual(self.until("w", state="failed")["exit"]["reason"], "watchdog")

    def test_shutdown_goes_on(self):
        self.start_daemon()
        slow = self.script("slow", f"#!/bin/sh\ntrap '[ -p {self.fifo('gate')} ] && read x < {self.home}/gate; exit 0' TERM\necho up > {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"slow": {"command": [slow], "stop": {"timeout": "10m"}}, "other": {"command": "sleep 1000"}})
        wait_for("its trap", lambda: self.lines("up"))
        manager = self.manager()
        self.daemon.terminate()
        self.until("slow", state="stopping")
        self.write_books()
        os.kill(manager, signal.SIGKILL)
        wait_for("a new manager", lambda: self.manager() != manager)
        self.until("slow", state="stopping")
        with open(f"{self.home}/gate", "w") as f:
            f.write("go\n")
        os.unlink(f"{self.home}/gate")
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0, self.daemon_log())
        self.daemon = None
        self.start_daemon()      # the goal was not changed by it
        self.until("other", state="running")
        self.until("slow", state="running")

    def test_hang_is_found_when_somebody_waits(self):
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000"}, "crash": {"command": ["sh", "-c", f"read x < {self.fifo('gate')}; exit 42"], "restart": {"when": "never"}}}, "--no-wait")
        self.until("crash", state="running")
        pid, manager = self.pid("a"), self.manager()
        os.kill(manager, signal.SIGSTOP)
        with open(f"{self.home}/gate", "w") as f:
            f.write("go\n")
        rows = json.loads(self.ok("list", "-o", "json", "--timeout", "10m").out)      # its connection waits for the next manager
        self.assertEqual({r["name"]: (r["state"], r["pid"]) for r in rows}["a"], ("running", pid))
        self.assertEqual(self.until("crash", state="failed")["exit"]["code"], 42)
        self.assertFalse(alive(manager))
        self.assertIn("does not answer", self.daemon_log())
        self.assertIn("because it did not answer", " ".join(e["message"] for e in self.events() if e["kind"] == "replaced"))

    def test_apply_is_done_whole_or_not_at_all(self):
        """Whatever the moment: a command that was changed runs, or the client is told and asks again."""
        chance = random.Random(SEED)
        self.start_daemon()
        for n in range(6):
            services = {f"s{k}": {"command": ["sleep", str(1000 + n)], "env": {"SCENARIO_HOME": self.home}} for k in range(20)}
            path = self.file("apply.json", json.dumps({"services": services}))
            manager = self.manager()
            client = subprocess.Popen([os.path.join(BIN, "kingctl"), "apply", "-q", "-f", path], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(chance.random() * 0.08)
            os.kill(manager, signal.SIGKILL)
            out, _ = client.communicate(timeout=4 * PATIENCE)
            self.assertEqual(client.returncode, 0, f"round {n}, seed {SEED}: {out}\n{self.daemon_log()}")
            rows = self.list()
            self.assertEqual([r["state"] for r in rows], ["running"] * 20, f"round {n}, seed {SEED}")
            # That it executes is seen a moment before what it was given.
            wait_for(f"all to run what is new, round {n}, seed {SEED}", lambda: {command_line(r["pid"]) for r in rows} == {f"sleep\0{1000 + n}\0".encode()})

    def test_starts_are_neither_lost_nor_doubled(self):
        chance = random.Random(SEED)
        print(f"KINGLY_SEED={SEED}")
        self.start_daemon()
        names = [f"s{n}" for n in range(20)]
        for n in range(5):
            manager = self.manager()
            services = {name: {"command": ["sh", "-c", f"echo $$$$ >> {self.home}/{name}.{n}; setsid sleep 1001 & exec sleep 1000"], "env": {"SCENARIO_HOME": self.home}} for name in names}
            path = self.file("apply.json", json.dumps({"services": services}))
            client = subprocess.Popen([os.path.join(BIN, "kingctl"), "apply", "--no-wait", "-f", path], env=self.environment,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.1)
            os.kill(manager, signal.SIGKILL)
            client.wait()
            wait_for("a new manager", lambda: self.manager() != manager)
            self.ok("apply", "-f", path)
            pids = {r["name"]: r["pid"] for r in self.list()}
            wait_for("all to have noted themselves", lambda: all(self.lines(f"{name}.{n}") for name in names))
            for name in names:
                self.assertEqual(self.lines(f"{name}.{n}"), [str(pids[name])], f"{name}, round {n}, seed {SEED}\n{self.daemon_log()}")
            self.ok("delete", "all")
            left = [p for p in self.ours() if b"sleep" in command_line(p)]
            self.assertEqual(left, [], f"what a start left behind, round {n}, seed {SEED}\n{self.daemon_log()}")
