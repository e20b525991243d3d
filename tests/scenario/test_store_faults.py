"""The state file: damaged, gone, somebody else's, not to be written. What runs goes on, what is wrong is said, and it ends by itself."""
import glob, json, os, signal, sqlite3, subprocess
from client import Client, Error
from kingly import BIN, PATIENCE, Scenario, alive, command_line, start_time, wait_for

NOBODY = 65534


class StoreFaults(Scenario):
    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.home, "state")
        self.store = os.path.join(self.state, "kingly.db")

    def client(self):
        c = Client(self.home)
        self.addCleanup(c.close)
        return c

    def problems(self):
        with Client(self.home) as c:
            return c.call("Status")["problems"]

    def manager_pid(self):
        try:
            return Client(self.home).call("Status")["manager_pid"]
        except (OSError, Error):
            return None

    def kill_keeper(self):
        """And its manager with it, which ends by itself a moment later and writes until then."""
        manager = self.manager_pid()
        self.daemon.kill()
        self.daemon.wait()
        wait_for("its manager to be gone", lambda: not alive(manager))

    def kill_manager(self):
        old = self.manager_pid()
        os.kill(old, signal.SIGKILL)
        wait_for("another manager", lambda: (p := self.manager_pid()) and p != old)

    def set_aside(self):
        return [p for p in glob.glob(self.store + ".bad-*") if not p.endswith(("-wal", "-shm"))]

    def remove(self):
        for path in glob.glob(self.store + "*"):
            os.unlink(path)

    def damage(self):
        for path in filter(os.path.exists, (self.store, self.store + "-wal")):
            with open(path, "r+b") as f:
                f.write(b"garbage " * 1024)

    def mount(self, *arguments):
        if os.geteuid() != 0 or subprocess.run(["mount", *arguments, self.state], capture_output=True).returncode != 0:
            self.not_applicable("a file system of its own needs root")
        self.addCleanup(subprocess.run, ["umount", "-l", self.state], capture_output=True)

    def small_state(self, size):
        os.mkdir(self.state, 0o700)
        self.mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs")

    def fill(self):
        with open(os.path.join(self.state, "ballast"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def make_room(self):
        os.unlink(os.path.join(self.state, "ballast"))

    def identity(self, *selectors):
        return {(r["namespace"], r["name"], r["instance"]): (r["pid"], start_time(r["pid"])) for r in self.list(*selectors)}

    # ---- a file that is no state ----

    SERVICES = {"web": {"command": ["sh", "-c", "exec sleep 1000"], "instances": 2, "log": {"to": "none"}, "restart": {"delay": "0s"}},
                "db": {"command": "sleep 1001", "log": {"to": "none"}, "restart": {"delay": "0s"}}}

    def recovered(self, before):
        """They run on as they were, are said to be recovered, and their file makes them what they were without touching them."""
        self.assertEqual(self.identity(), before)
        self.assertIn("recovered from running processes", self.ok("status").out)
        self.assertIn("db", self.ok("status").out)
        self.apply(json.loads(json.dumps(self.SERVICES)))
        self.assertEqual(self.identity(), before)
        self.assertNotIn("recovered", self.ok("status").out)
        os.kill(self.pid("db"), signal.SIGKILL)
        wait_for("its next run", lambda: (r := self.row("db"))["state"] == "running" and r["pid"] != before["default", "db", 0][0])
        pids = [p for p, _ in before.values()]
        self.ok("stop", "all")
        self.assertFalse(any(map(alive, pids)))

    def lost(self, break_it, kept_aside=True):
        self.start_daemon()
        self.apply(json.loads(json.dumps(self.SERVICES)))
        before = self.identity()
        self.kill_keeper()
        break_it()
        self.start_daemon()
        self.assertEqual(len(self.set_aside()), kept_aside)
        if kept_aside:
            self.assertIn("set aside as", self.ok("status").out)
            self.assertIn("set aside as", self.kingctl("doctor").out)
            self.assertIn("set aside as", self.daemon_log())
        self.recovered(before)

    def test_garbage(self):
        self.lost(self.damage)

    def test_gone(self):
        self.lost(self.remove, False)

    def test_emptied(self):
        self.lost(lambda: (self.remove(), open(self.store, "w").close()), False)

    def test_a_directory_in_its_place(self):
        self.lost(lambda: (self.remove(), os.makedirs(self.store + "/x")))

    def test_a_link_to_nowhere(self):
        self.lost(lambda: (self.remove(), os.symlink("/nonexistent/kingly.db", self.store)))

    def test_a_fifo(self):
        self.lost(lambda: (self.remove(), os.mkfifo(self.store)))

    def test_damaged_under_the_feet(self):
        """The manager is killed on a damaged file; its keeper holds what runs."""
        self.start_daemon()
        self.apply(json.loads(json.dumps(self.SERVICES)))
        before = self.identity()
        self.damage()
        self.kill_manager()
        self.assertEqual(len(self.set_aside()), 1)
        self.recovered(before)

    def test_recovered_by_the_configuration_file(self):
        services = json.loads(json.dumps(self.SERVICES))
        for s in services.values():
            s["env"] = {"SCENARIO_HOME": self.home}
        self.file("kingly.yaml", json.dumps({"services": services}))
        self.start_daemon()
        wait_for("all to run", lambda: [r["state"] for r in self.list()] == ["running"] * 3)
        before = self.identity()
        self.kill_keeper()
        self.damage()
        self.start_daemon()
        self.assertEqual(self.identity(), before)
        self.assertNotIn("recovered", self.ok("status").out)

    def test_another_daemons_services_are_not_ours(self):
        self.start_daemon()
        self.apply({"theirs": {"command": "sleep 1000"}})
        pid = self.pid("theirs")
        environment = self.environment | {"KINGLY_HOME": os.path.join(self.home, "second")}
        run = lambda *a: subprocess.run([os.path.join(BIN, "kingctl"), *a], env=environment, capture_output=True, text=True, timeout=4 * PATIENCE)
        second = subprocess.Popen([os.path.join(BIN, "kingd"), "--isolation", self.isolation], env=environment, stdout=self.log, stderr=self.log)
        wait_for("the second", lambda: run("ping", "--no-autostart").returncode == 0)
        self.assertEqual(json.loads(run("list", "-o", "json").stdout), [])
        self.assertEqual(run("shutdown").returncode, 0)
        self.assertEqual(second.wait(PATIENCE), 0)
        self.assertTrue(alive(pid))

    def test_a_newer_one_is_refused(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "log": {"to": "none"}}})
        before = self.identity()
        self.kill_keeper()
        with sqlite3.connect(self.store) as db:
            version, = db.execute("PRAGMA user_version").fetchone()
            db.execute("PRAGMA user_version = 99")
        db.close()
        r = subprocess.run([os.path.join(BIN, "kingd"), "--isolation", self.isolation], env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("newer version", r.stderr)
        self.assertEqual(self.set_aside(), [])
        with sqlite3.connect(self.store) as db:
            db.execute(f"PRAGMA user_version = {version}")
        db.close()
        self.start_daemon()
        self.assertEqual(self.identity(), before)

    def test_one_that_may_not_be_read(self):
        if os.geteuid() != 0:
            self.not_applicable("needs root to become nobody")
        os.mkdir(self.state, 0o700)
        os.chown(self.state, NOBODY, NOBODY)
        self.file("state/kingly.db", "root's", 0o600)
        self.start_daemon_as(NOBODY)
        self.assertIn("permission denied: set aside as", self.ok("status").out)
        self.assertEqual([open(p).read() for p in self.set_aside()], ["root's"])
        self.apply({"web": {"command": "sleep 1000"}})
        self.assertEqual(self.row("web")["state"], "running")

    def test_damage_that_is_met_at_work_is_mended(self):
        self.start_daemon()
        self.apply(json.loads(json.dumps(self.SERVICES)))
        before = self.identity()
        manager, c = self.manager_pid(), self.client()
        # More than is kept in memory, so that it must be read again.
        many = [{"name": f"s{n}", "command": "sleep 1000", "env": {"SCENARIO_HOME": self.home, "LONG": "x" * 3000}} for n in range(300)]
        c.call("Apply", {"services": many, "start": False})
        os.kill(manager, signal.SIGSTOP)        # or it notices before all is done
        for path in (self.store, self.store + "-wal"):
            with open(path, "r+b") as f:
                f.write(b"garbage " * (os.path.getsize(path) // 8))
        os.kill(manager, signal.SIGCONT)
        names = iter(range(300))

        def set_aside():
            c.call("Restart", {"selectors": [f"s{next(names)}"]})
            return self.set_aside()
        wait_for("the file to be set aside", set_aside)
        wait_for("the fault to be over", lambda: not [p for p in self.problems() if "tried again" in p])
        self.assertEqual(self.manager_pid(), manager)
        self.kill_keeper()
        self.start_daemon()
        self.assertNotIn("recovered", self.ok("status").out)
        self.assertEqual(self.identity("web", "db"), before)
        self.assertEqual(len(self.list()), len(before) + len(many))

    # ---- a file that cannot be written ----

    def test_a_manager_that_dies_on_a_full_disk_forgets_nothing_that_runs(self):
        self.small_state("1M")
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "restart": {"delay": "0s", "limit": 0}}, "other": {"command": "sleep 1000"}})
        self.fill()
        old = self.pid("web")
        os.kill(old, signal.SIGKILL)        # the next run cannot be written
        wait_for("the fault to be told", lambda: [p for p in self.problems() if "no space left" in p])
        wait_for("the next run", lambda: (r := self.row("web"))["state"] == "running" and r["pid"] != old)
        before = self.identity()
        r = self.ok("stop", "other")
        self.assertIn("warning: ", r.err)
        self.assertIn("no space left", r.err)
        del before["default", "other", 0]
        self.kill_manager()
        self.assertEqual(self.identity("web"), before)
        self.assertIn("no space left", self.ok("status").out)
        self.refused(1, "delete", "web")
        self.ok("stop", "web")
        self.make_room()
        wait_for("the fault to be over", lambda: not self.problems())
        self.stop_daemon()
        self.start_daemon()
        self.assertEqual(self.row("web")["state"], "stopped")
        self.stop_daemon()

    def test_begun_on_a_read_only_disk(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}, "other": {"command": "sleep 1000"}})
        self.kill_keeper()
        before = self.identity_of_killed()
        self.mount("--bind", self.state)
        subprocess.run(["mount", "-o", "remount,bind,ro", self.state], check=True)
        self.start_daemon()
        self.assertEqual({r["pid"] for r in self.list()}, before)
        self.assertIn("read-only", self.ok("status").out)
        self.assertIn("read-only", self.kingctl("doctor").out)
        r = self.refused(1, "apply", "-f", self.file("new.json", json.dumps({"services": {"new": {"command": "true"}}})))
        self.assertIn("read-only", r.err)
        self.assertIn("read-only", self.ok("stop", "other").err)
        self.kill_manager()
        self.assertEqual(self.row("web")["state"], "running")
        self.ok("stop", "other")
        subprocess.run(["mount", "-o", "remount,bind,rw", self.state], check=True)
        wait_for("the fault to be over", lambda: not self.problems())
        self.apply({"new": {"command": "sleep 1000"}})
        self.stop_daemon()
        self.start_daemon()
        self.until("new", state="running")
        wait_for("all as it was", lambda: {r["name"]: r["state"] for r in self.list()} == {"web": "running", "other": "stopped", "new": "running"})
        self.stop_daemon()

    def test_locked_by_another_process(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "log": {"to": "none"}}})
        before = self.identity()
        self.kill_keeper()
        db = sqlite3.connect(self.store, isolation_level=None)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        self.start_daemon()
        self.assertEqual(self.identity(), before)
        self.assertIn("locked", self.ok("status").out)
        self.ok("stop", "web")
        db.close()
        wait_for("the fault to be over", lambda: not self.problems())
        self.stop_daemon()
        self.start_daemon()
        self.assertEqual(self.row("web")["state"], "stopped")

    def identity_of_killed(self):
        """Pids of the living services while no daemon answers."""
        found = set()
        for pid in self.ours():
            if command_line(pid).startswith(b"sleep\0"):
                found.add(pid)
        return found

    # ---- killed while it writes ----

    def test_killed_at_any_moment_the_file_is_whole(self):
        self.start_daemon()
        self.apply({"crash": {"command": ["sh", "-c", "exit 1"], "restart": {"delay": "1ms", "factor": 1, "max_delay": "5ms", "limit": 0}}}, "--no-wait")
        for n in range(4):
            c = self.client()
            for k in range(3):
                c.call("Apply", {"services": [{"name": f"s{k}", "command": f"sleep {1000 + n}", "env": {"SCENARIO_HOME": self.home}}], "wait": False})
            c.send("Stop", {"selectors": ["s0"], "wait": False})
            self.kill_manager()
            self.assertEqual(self.problems(), [])
            self.assertEqual(sorted(r["name"] for r in self.list()), ["crash", "s0", "s1", "s2"])
        self.stop_daemon()
        db = sqlite3.connect(self.store)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual([json.loads(s)["command"] for (s,) in db.execute("SELECT spec_json FROM service WHERE name LIKE 's_' ORDER BY name")], [["sleep", "1003"]] * 3)
        db.close()


