"""What happens at the edges: no space, no room in a socket, very many, very long."""
import contextlib, json, os, signal, subprocess, time
from client import Client, Error
from kingly import BIN, Scenario, alive, wait_for


class Limits(Scenario):
    def client(self):
        c = Client(self.home)
        self.addCleanup(c.close)
        return c

    def services(self, count, **keys):
        return [{"name": f"s{n}", "env": {"SCENARIO_HOME": self.home}} | keys for n in range(count)]

    def small_state(self, size):
        """A state directory with little space of its own, where we may make one."""
        state = os.path.join(self.home, "state")
        os.mkdir(state, 0o700)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", state], capture_output=True).returncode != 0:
            self.not_applicable("a file system of its own needs root")
        self.addCleanup(subprocess.run, ["umount", "-l", state])
        return state

    def fill(self, state):
        with open(os.path.join(state, "ballast"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    # ---- no space ----

    def test_a_full_disk_is_told_and_survived(self):
        state = self.small_state("2M")
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "restart": {"delay": "10ms", "limit": 0, "factor": 1}}, "other": {"command": "sleep 1000"}})
        self.fill(state)
        c = self.client()
        problem = lambda: [p for p in c.call("Status")["problems"] if "cannot write" in p]

        def crash():
            pid = self.row("web")["pid"]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL) if pid else None
            return problem()
        wait_for("the problem to be told", crash)
        self.until("web", state="running")
        for n in range(200):            # each asks for the books; none of them may be the start of another try
            c.call("Describe", {"selectors": ["web"]})
        self.ok("stop", "other")        # a stop is carried out
        with self.assertRaises(Error) as e:
            c.call("Apply", {"services": self.services(200, command="sleep 1000")})
        self.assertIn("no space left", e.exception.parameters["message"])
        os.unlink(os.path.join(state, "ballast"))
        wait_for("the problem to be over", lambda: not problem())
        self.assertEqual(self.daemon_log().count("the state is written again"), 1)
        self.assertLess(self.daemon_log().count("services run on, will try again"), 3)
        self.apply({"new": {"command": "sleep 1000"}})
        self.stop_daemon()
        self.start_daemon()             # the goal was written when there was room again
        self.until("web", state="running")
        self.assertEqual(self.row("other")["state"], "stopped")
        self.stop_daemon()

    # ---- very many ----

    def test_hundreds_at_once(self):
        """More than the socket to the keeper holds, and all of them down again."""
        count = 300
        self.start_daemon()
        c = self.client()
        results = c.call("Apply", {"services": self.services(count, command="sleep 1000")})["results"]
        self.assertEqual([r["error"] for r in results if r["error"]], [])
        self.assertEqual(len(results), count)
        pids = {r["pid"] for r in c.call("List")["instances"]}
        self.assertEqual(len(pids), count)
        self.assertTrue(all(alive(p) for p in pids))
        self.assertEqual({r["state"] for r in c.call("Stop", {"selectors": ["all"]})["results"]}, {"stopped"})

    def test_thousands_applied_and_deleted(self):
        count = 3000
        self.start_daemon()
        c = self.client()
        plan = c.call("Apply", {"services": self.services(count, command="sleep 1000"), "start": False})["plan"]
        self.assertEqual(len(plan), count)
        self.assertEqual(len(c.call("List")["instances"]), count)
        self.assertEqual(c.call("Apply", {"services": self.services(1, command="sleep 1000"), "prune": True, "diff": True})["plan"][-1]["verb"], "remove")
        self.assertEqual(len(c.call("Delete", {"selectors": ["all"]})["results"]), count)
        self.assertEqual(c.call("List")["instances"], [])

    def test_many_at_once_with_readers_and_restarts(self):
        self.start_daemon()
        c, reader = self.client(), self.client()
        reader.send("Events", {"follow": True, "limit": 0}, more=True)
        reader.answer()
        c.call("Apply", {"services": self.services(60, command=["sh", "-c", "exit 1"], restart={"delay": "1ms", "factor": 1, "limit": 5})})
        wait_for("all to have given up", lambda: {r["state"] for r in c.call("List")["instances"]} == {"failed"})
        seen, failed = [], 0
        while failed < 60:
            for e in reader.answer()["events"]:
                seen.append(e["id"])
                failed += e["kind"] == "failed"
        self.assertEqual(seen, list(range(seen[0], seen[0] + len(seen))))

    # ---- very long ----

    def test_a_home_that_no_socket_can_have(self):
        home = os.path.join(self.home, "h" * 150)
        r = subprocess.run([os.path.join(BIN, "kingd")], env=self.environment | {"KINGLY_HOME": home}, capture_output=True, text=True)
        self.assertEqual(r.returncode, 2, r)
        self.assertIn("a socket's path has at most 107 bytes", r.stderr)
        self.assertIn("KINGLY_HOME", r.stderr)

    def test_the_longest_home_there_is(self):
        home = self.home + "/" + "h" * (107 - len(self.home) - len("/" + "/kingd.sock"))
        os.mkdir(home)
        self.environment["KINGLY_HOME"] = home
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        self.assertEqual(self.row("web")["state"], "running")
        self.stop_daemon()

    def test_a_command_line_too_long_to_be_passed_on(self):
        self.start_daemon()
        c = self.client()
        env_file = self.file("long.env", "".join(f"V{n}={'y' * 1000}\n" for n in range(60)))
        results = c.call("Apply", {"services": self.services(1, command=["sleep", "1000"] + ["x" * 1000] * 120, env_file=[env_file])})["results"]
        self.assertIn("exceed", results[0]["error"])
        self.assertEqual(self.row("s0")["state"], "failed")

    # ---- configuration ----

    def test_a_reload_with_errors_changes_nothing(self):
        path = os.path.join(self.home, "kingly.yaml")
        good = "services:\n  web:\n    command: sleep 1000\n    env: {SCENARIO_HOME: %s}\n" % self.home
        self.file("kingly.yaml", good)
        self.start_daemon()
        pid = self.until("web", state="running")["pid"]
        for bad in ("services: [", good + "  web:\n    command: x\n", good + "  db: {command: 5, colour: red}\n", "\0", good + "    depends_on: {web: ready}\n"):
            self.file("kingly.yaml", bad)
            os.kill(self.daemon.pid, signal.SIGHUP)
            wait_for("the problem", lambda: self.client().call("Status")["problems"])
            self.assertEqual(self.pid("web"), pid)
            self.file("kingly.yaml", good)
            os.kill(self.daemon.pid, signal.SIGHUP)
            wait_for("no problem", lambda: not self.client().call("Status")["problems"])
        self.assertEqual([r["pid"] for r in self.list()], [pid])
        os.unlink(path)
