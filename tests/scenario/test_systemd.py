"""What only a real systemd can show: scopes, slices, limits and the journal as its own tools see them, and what outlives what when the unit is
restarted, killed, stopped, hung, or its surroundings are."""
import json, os, re, signal, socket, subprocess, time
from kingly import ISOLATION, PATIENCE, Result, alive, start_time, wait_for
from installed import DROP_INS, GUEST, SHOP, SystemScenario, run
import test_logs


def nap(**more):
    return {"command": "sleep 1000", "restart": {"delay": "0s"}} | more


class Shop(SystemScenario):
    """The example that people try first, seen by the tools that they know."""

    def setUp(self):
        super().setUp()
        self.ok("apply", "-f", os.path.join(SHOP, "kingly.yaml"))

    def test_as_systemd_and_the_journal_see_it(self):
        db = self.row("db")
        self.assertEqual((db["unit"], db["state"], db["ready"]), ("kingly-db-0-1.scope", "running", True))
        status = run("systemctl", "status", "--no-pager", "kingly-db-0-*.scope").out
        self.assertIn("redis-server", status)
        self.assertRegex(status, r"max: 256(\.0)?M")
        self.assertIn("counters and orders", status)
        self.assertEqual(self.cgroup(db["pid"], "memory.max"), str(256 << 20))
        self.assertEqual(self.show(db["unit"], "Slice", "MemoryMax"), {"Slice": "kingly-shop.slice", "MemoryMax": str(256 << 20)})
        self.assertIn("kingly-shop.slice/kingly-db-0-1.scope", open(f"/proc/{db['pid']}/cgroup").read())
        self.assertRegex(run("systemd-cgls", "--no-pager", "/kingly.slice").out, r"kingly-shop\.slice[^$]*kingly-api-0-\d+\.scope[^$]*api\.py")

        lines = self.entries(2, "-t", "api", "--grep", "listens on")
        units = {r["unit"]: str(r["pid"]) for r in self.list("api")}
        self.assertEqual({e["_SYSTEMD_UNIT"]: e["_PID"] for e in lines}, units)
        self.assertEqual(len(self.journal("-u", "kingly-api-*", "-t", "api", "--grep", "listens on")), 2)
        # The journal remembers earlier days of a service, and so does kingctl.
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.begin))
        self.assertEqual(sorted(m for m in self.messages("api", "--since", since) if "listens on" in m),
                         [f"instance {n} listens on http://127.0.0.1:{8080 + n}/" for n in (0, 1)])

    def test_stop_and_start_of_the_unit(self):
        wait_for("the worker", lambda: self.row("worker")["state"] == "running")
        pids = [pid for pid, _ in self.processes().values()]
        self.assertEqual(len(pids), 4)
        self.systemctl("stop", "kingd.service")
        wait_for("the scopes to be gone", lambda: not self.scopes())
        self.assertFalse(any(map(alive, pids)))
        self.assertEqual(self.show("kingd.service", "ActiveState", "Result"), {"ActiveState": "inactive", "Result": "success"})
        self.systemctl("start", "kingd.service")
        wait_for("all of it again", lambda: all(r["state"] == "running" for r in self.list("db", "api")))
        stopped = [e["name"] for e in self.events("@shop") if e["kind"] == "stopped"]
        self.assertEqual(stopped[-1], "db", "those that depend on it go first")
        wait_for("the status line", lambda: "running" in self.show("kingd.service", "StatusText"))


class Journal(test_logs.Logs):
    """All that `kingctl logs` can do, read back from the journal. That remembers the services of other tests too, so names are made unique."""
    target = "journal"
    test_rotation_loses_nothing = test_none = test_a_broken_pipe_ends_quietly = None      # about files; not about where lines come from

    def setUp(self):
        if ISOLATION != "scope" or not os.path.exists("/run/systemd/journal/stdout"):
            self.not_applicable("no journal here")
        super().setUp()
        self.suffix = "-" + os.path.basename(self.home).replace("_", "-").lower()

    def unique(self, words):
        return [w + self.suffix if w in ("s", "a", "b") else w for w in words]

    def apply(self, services, *arguments, **more):
        return super().apply({name + self.suffix: service for name, service in services.items()}, *arguments, **more)

    def kingctl(self, *arguments, **more):
        return super().kingctl(*self.unique(arguments), **more)

    def follow(self, *arguments):
        return super().follow(*self.unique(arguments))


class Survival(SystemScenario):
    """Services live in scopes of their own: what happens to the unit is not their business, unless it is stopped."""

    def assert_supervised(self, before):
        """The same processes as before, and somebody who acts when one ends."""
        wait_for("kingd to answer", self.answers)
        wait_for("all to be running", lambda: all(r["state"] == "running" for r in self.list()))
        self.assertEqual(self.processes(), before)
        pid = before["crash", 0][0]
        os.kill(pid, signal.SIGKILL)
        row = wait_for("the next run", lambda: (lambda r: r if r["state"] == "running" and r["pid"] not in (pid, None) else None)(self.row("crash")))
        self.assertTrue(alive(row["pid"]))
        self.assertEqual(self.cgroup(row["pid"], "memory.max"), str(64 << 20))

    def services(self):
        self.apply({"a": nap(instances=2), "crash": nap(limits={"memory_max": "64M"})})
        return self.processes()

    def test_restart_of_the_unit(self):
        before = self.services()
        since = {r["name"] + str(r["instance"]): r["since_usec"] for r in self.list()}
        keeper = self.show("kingd.service", "MainPID")
        self.systemctl("restart", "kingd.service")
        self.assertNotEqual(self.show("kingd.service", "MainPID"), keeper)
        self.assertEqual(since, {r["name"] + str(r["instance"]): r["since_usec"] for r in self.list()})
        self.assertTrue(all(r["cpu_percent"] < 200 for r in self.list()), self.list())
        self.assert_supervised(before)
        self.ok("stop", "all")
        wait_for("the scopes to be gone", lambda: not self.scopes())

    def test_kill_of_the_whole_unit(self):
        before = self.services()
        keeper = self.show("kingd.service", "MainPID")
        self.systemctl("kill", "-s", "KILL", "kingd.service")
        wait_for("systemd to start it again", lambda: self.show("kingd.service", "MainPID") not in ("0", keeper))
        self.assert_supervised(before)
        self.assertEqual(self.show("kingd.service", "NRestarts"), "1")

    def test_hung_manager_is_ended_by_the_watchdog(self):
        os.makedirs(DROP_INS)
        with open(f"{DROP_INS}/watchdog.conf", "w") as f:
            f.write("[Service]\nWatchdogSec=10s\n")
        self.systemctl("daemon-reload")
        self.systemctl("restart", "kingd.service")
        before = self.services()
        status = json.loads(self.ok("status", "-o", "json").out)
        keeper = self.show("kingd.service", "MainPID")
        os.kill(status["manager_pid"], signal.SIGSTOP)
        wait_for("the watchdog", lambda: self.show("kingd.service", "MainPID") not in ("0", keeper))
        wait_for("the hung manager's end", lambda: not alive(status["manager_pid"]))
        wait_for("the journal", lambda: "Watchdog timeout" in self.daemon_log())
        self.assert_supervised(before)

    def test_what_ended_while_nobody_looked(self):
        self.apply({"a": nap(), "never": nap(restart={"when": "never"})})
        before = self.processes()
        self.systemctl("kill", "-s", "STOP", "kingd.service")
        for pid, _ in before.values():
            os.kill(pid, signal.SIGKILL)
        self.systemctl("kill", "-s", "KILL", "kingd.service")
        row = wait_for("a's next run", lambda: self.kingctl("ping", "--no-autostart").code == 0 and
                       (lambda r: r if r["state"] == "running" and r["pid"] != before["a", 0][0] else None)(self.row("a")))
        self.assertTrue(alive(row["pid"]))
        self.rested("never")
        self.assertIn("unknown", " ".join(e["message"] for e in self.events("never")))

    def test_daemon_reexec_and_bus_restart_while_services_start(self):
        names = [f"s{n}" for n in range(50)]
        self.apply({name: nap() for name in names[:20]}, "--no-wait")
        self.systemctl("daemon-reexec")
        wait_for("the first", lambda: [r["state"] for r in self.list()] == ["running"] * 20)
        before = self.processes()
        self.apply({name: nap() for name in names}, "--no-wait")
        self.systemctl("restart", "dbus.service")
        wait_for("all", lambda: [r["state"] for r in self.list()] == ["running"] * 50)
        after = self.processes()
        self.assertEqual({k: v for k, v in after.items() if k in before}, before)
        self.assertEqual(self.scopes(), sorted(r["unit"] for r in self.list()))
        for (pid, _) in after.values():
            self.assertIn("/kingly.slice/", open(f"/proc/{pid}/cgroup").read())
        self.ok("stop", "all")
        wait_for("the scopes to be gone", lambda: not self.scopes())


class Unit(SystemScenario):
    def test_status_line_and_reload(self):
        self.apply({"a": nap(instances=3)})
        wait_for("the status line", lambda: "3 running" in self.show("kingd.service", "StatusText"))
        pid = self.row("a:0")["pid"]
        with open("/etc/kingly/kingly.yaml", "w") as f:
            f.write("services: {z: {command: sleep 1001}}\n")
        self.systemctl("reload", "kingd.service")      # which is done when the signal is sent
        wait_for("z", lambda: any(r["name"] == "z" for r in self.list()))
        self.until("z", state="running")
        self.assertEqual(self.row("a:0")["pid"], pid)
        with open("/etc/kingly/kingly.yaml", "w") as f:
            f.write("services: {z: {comand: sleep 1001}}\n")
        self.systemctl("reload", "kingd.service")
        wait_for("the problem", lambda: "/etc/kingly/kingly.yaml:1" in self.ok("status").out)
        self.assertEqual(self.row("z")["state"], "running")
        os.unlink("/etc/kingly/kingly.yaml")
        self.ok("delete", "z")

    def test_kingctl_starts_the_unit(self):
        self.systemctl("stop", "kingd.service")
        r = self.ok("start", "--name", "a", "--env", f"SCENARIO_HOME={self.home}", "--", "sleep", "1000")
        self.assertIn("kingd", r.err)
        self.assertEqual(self.show("kingd.service", "ActiveState"), "active")
        self.assertEqual(self.row("a")["state"], "running")
        self.ok("shutdown")
        wait_for("the unit to be inactive", lambda: self.show("kingd.service", "ActiveState") == "inactive")
        wait_for("the scopes to be gone", lambda: not self.scopes())

    def assert_stopped_outside(self, name):
        said = [e["message"] for e in self.events(name) if e["kind"] in ("stopped-outside", "exited")]
        self.assertEqual(said[0], "scope was stopped from outside", said)
        self.assertIn("killed by SIGTERM", said[1])

    def test_scope_stopped_behind_our_back(self):
        self.apply({"always": nap(), "never": nap(restart={"when": "never"})})
        before = self.processes()
        for name in ("always", "never"):
            self.systemctl("stop", self.row(name)["unit"])
        self.assertFalse(any(alive(pid) for pid, _ in before.values()))
        row = wait_for("the next run", lambda: (lambda r: r if r["state"] == "running" and r["pid"] != before["always", 0][0] else None)(self.row("always")))
        wait_for("its scope alone", lambda: self.scopes() == [row["unit"]])
        self.rested("never")
        self.assertIn("scope was stopped from outside", self.ok("describe", "never").out)
        for name in ("always", "never"):
            self.assert_stopped_outside(name)

    def test_slice_stopped_behind_our_back(self):
        names = [f"s{n}" for n in range(8)]
        self.apply({name: nap(restart={"when": "never"}) for name in names})
        self.systemctl("stop", "kingly.slice")
        wait_for("their end", lambda: all(r["pid"] is None for r in self.list()))
        for name in names:
            self.assert_stopped_outside(name)
        self.ok("start", names[0])
        self.assertEqual(self.row(names[0])["state"], "running")

    def test_scope_killed_is_not_stopped(self):
        self.apply({"a": nap(restart={"when": "never"})})
        self.systemctl("kill", "-s", "TERM", self.row("a")["unit"])
        self.until("a", pid=None)
        said = " ".join(e["message"] for e in self.events("a"))
        self.assertIn("killed by SIGTERM", said)
        self.assertNotIn("from outside", said)

    def until_described(self, selector, pattern):
        wait_for(f"describe {selector} to say {pattern}", lambda: re.search(pattern, self.ok("describe", selector).out))

    def test_job_that_never_ends(self):
        """The slice waits for a unit whose start does not come to an end."""
        files = {"/run/systemd/system/kingly-stuck.slice.d/after.conf": "[Unit]\nAfter=scenario-endless.service\n",
                 "/run/systemd/system/scenario-endless.service": "[Service]\nType=oneshot\nExecStart=sleep infinity\n"}
        self.addCleanup(self.systemctl, "daemon-reload")
        for path, text in files.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
            self.addCleanup(os.unlink, path)
        self.addCleanup(self.systemctl, "stop", "scenario-endless.service")
        self.systemctl("daemon-reload")
        self.systemctl("start", "--no-block", "scenario-endless.service")
        path = self.file("stuck.json", json.dumps({"namespace": "stuck", "services": {"a": nap(restart={"delay": "1h", "max_delay": "1h"}, env={"SCENARIO_HOME": self.home})}}))
        self.ok("apply", "--no-wait", "-f", path)
        self.until_described("@stuck", r"status +scope kingly-a-0-1\.scope: systemd did not do it within 30 s")
        self.assertIn("could not start: scope kingly-a-0-1.scope: systemd did not do it", " ".join(e["message"] for e in self.events("@stuck")))
        wait_for("its job to be taken back", lambda: not run("systemctl", "list-jobs", "--no-legend", "kingly-*.scope").out)
        self.systemctl("stop", "scenario-endless.service")
        self.ok("restart", "@stuck")
        self.assertEqual(self.row("@stuck")["state"], "running")

    def test_namespaces_have_slices(self):
        for ns in ("default", "blue", "deep-sea"):
            path = self.file(f"{ns}.json", json.dumps({"namespace": ns, "services": {"a": nap(env={"SCENARIO_HOME": self.home})}}))
            self.ok("apply", "-f", path)
        found = {}
        for row in self.list("all"):
            self.assertEqual(self.show(row["unit"], "ActiveState"), "active")
            found[row["namespace"]] = self.show(row["unit"], "Slice")
        self.assertEqual(len(set(r["unit"] for r in self.list("all"))), 3)
        self.assertEqual((found["default"], found["blue"]), ("kingly.slice", "kingly-blue.slice"))
        self.assertRegex(found["deep-sea"], r"^kingly-deep.*sea\.slice$")

    def test_the_group_may_look_but_not_change(self):
        self.apply({"a": nap()})
        pid, uid = self.pid("a"), str(os.stat("/home/u").st_uid)

        def as_user(*words):
            return run("setpriv", "--reuid", uid, "--regid", uid, "--init-groups", "kingctl", "--no-autostart", "--system", *words, env=self.environment)
        self.assertEqual(as_user("list").code, 5, "a stranger")
        self.assertEqual(run("usermod", "-aG", "kingly", "u").code, 0)
        self.addCleanup(run, "gpasswd", "-d", "u", "kingly")
        for words in (("list", "-o", "json"), ("status",), ("describe", "a"), ("events",), ("logs", "a"), ("ping",)):
            r = as_user(*words)
            self.assertEqual(r.code, 0, (words, r))
        for words in (("stop", "a"), ("restart", "a"), ("delete", "a"), ("shutdown",), ("start", "--", "id"), ("apply", "-f", os.path.join(SHOP, "kingly.yaml")),
                      ("env", "a"), ("describe", "a", "--show-secrets")):
            r = as_user(*words)
            self.assertEqual(r.code, 5, (words, r))
            self.assertIn("kingctl: ", r.err)
        self.assertEqual((self.pid("a"), len(self.list("all"))), (pid, 1))


class Limits(SystemScenario):
    # key, value in the file, file of the cgroup, what it holds
    TABLE = [
        ("limits.memory_max", "96M", "memory.max", str(96 << 20)),
        ("limits.memory_high", "64M", "memory.high", str(64 << 20)),
        ("limits.swap_max", "8M", "memory.swap.max", str(8 << 20)),
        ("limits.cpu", "150%", "cpu.max", "150000 100000"),
        ("limits.tasks", 33, "pids.max", "33"),
        ("priority.cpu_weight", 50, "cpu.weight", "50"),
        ("priority.io_weight", 60, "io.weight", "default 60"),
    ]

    def spec(self, values):
        service = nap()
        for key, value in values.items():
            room, name = key.split(".")
            service.setdefault(room, {})[name] = value
        return {"x": service}

    def test_every_limit_is_in_the_cgroup_and_changes_on_the_living(self):
        r = self.apply(self.spec({key: value for key, value, _, _ in self.TABLE}))
        self.assertNotIn("limits.", r.err)
        pid = self.pid("x")
        self.assertEqual({f: self.cgroup(pid, f) for _, _, f, _ in self.TABLE}, {f: v for _, _, f, v in self.TABLE})
        unit = self.row("x")["unit"]
        self.assertEqual(self.show(unit, "MemoryMax", "TasksMax", "CPUWeight"), {"MemoryMax": str(96 << 20), "TasksMax": "33", "CPUWeight": "50"})
        self.apply(self.spec({"limits.memory_max": "128M", "limits.cpu": "75%"}))
        wait_for("the new limits", lambda: self.cgroup(pid, "memory.max") == str(128 << 20) and self.cgroup(pid, "cpu.max") == "75000 100000")
        wait_for("the others to be gone", lambda: self.cgroup(pid, "memory.high") == "max" and
                 (self.cgroup(pid, "pids.max"), self.cgroup(pid, "cpu.weight")) != ("33", "50"))
        self.assertEqual((self.pid("x"), self.row("x")["unit"]), (pid, unit))
        self.assertEqual(self.show(unit, "MemoryMax"), str(128 << 20))
        self.systemctl("daemon-reload")
        self.assertEqual(self.cgroup(pid, "memory.max"), str(128 << 20), "a reload of systemd keeps what we set")

    def test_io_limits(self):
        image = self.file("disk", "")
        os.truncate(image, 8 << 20)
        self.assertEqual(run("modprobe", "loop").code, 0)
        device = run("losetup", "--find", "--show", image).out.strip()
        self.assertTrue(device.startswith("/dev/loop"), device)
        try:
            self.apply(self.spec({"limits.io_read_bandwidth": {device: "4M"}, "limits.io_write_bandwidth": {device: "2M"},
                                  "limits.io_read_iops": {device: 400}, "limits.io_write_iops": {device: 200}}))
            number = os.stat(device).st_rdev
            pid = self.pid("x")
            wanted = f"{os.major(number)}:{os.minor(number)} rbps={4 << 20} wbps={2 << 20} riops=400 wiops=200"
            self.assertEqual(self.cgroup(pid, "io.max"), wanted)
            self.apply(self.spec({"limits.io_read_bandwidth": {device: "5M"}}))
            wait_for("the new limit", lambda: f"rbps={5 << 20} wbps=max riops=max wiops=max" in self.cgroup(pid, "io.max"))
            self.assertEqual(self.pid("x"), pid)
            self.ok("stop", "x")
        finally:
            run("losetup", "-d", device)

    def test_a_hog_dies_alone(self):
        hog = self.script("hog", "#!/usr/bin/env python3\nb = []\nwhile True: b.append(bytearray(1 << 20))\n")
        os.chmod(self.home, 0o755)
        self.apply({"bystander": nap(limits={"memory_max": "48M"}),
                    "hog": {"command": [hog], "limits": {"memory_max": "48M", "swap_max": "0"}, "restart": {"when": "never"}}}, "--no-wait")
        pid = self.until("bystander", state="running")["pid"]
        row = self.until("hog", state="failed")
        self.assertEqual((row["exit"]["signal"], row["exit"]["reason"]), ("SIGKILL", "oom-kill"))
        self.assertEqual((self.pid("bystander"), self.row("bystander")["restarts"]), (pid, 0))
        self.assertIn("oom", " ".join(e["message"] + e["kind"] for e in self.events("hog")).lower())
        self.assertEqual(self.show("kingd.service", "ActiveState"), "active")


class Varlink(SystemScenario):
    def test_varlinkctl(self):
        if GUEST == "bookworm":
            self.not_applicable("varlinkctl came with a later systemd than Debian 12's")
        self.apply({"a": nap()})
        address = "unix:/run/kingly/kingd.sock"
        info = run("varlinkctl", "info", address)
        self.assertEqual(info.code, 0, info)
        self.assertIn("io.kingly.Manager", info.out)
        text = run("varlinkctl", "introspect", address, "io.kingly.Manager")
        self.assertEqual(text.code, 0, text)
        for word in ("interface io.kingly.Manager", "method List", "method Apply", "type Instance"):
            self.assertIn(word, text.out)
        r = run("varlinkctl", "call", "-j", address, "io.kingly.Manager.List", '{"selectors":["a"]}')
        self.assertEqual(r.code, 0, r)
        self.assertEqual([i["state"] for i in json.loads(r.out)["instances"]], ["running"])
        r = run("varlinkctl", "call", "-j", address, "io.kingly.Manager.Stop", '{"selectors":["nobody"]}')
        self.assertNotEqual(r.code, 0, r)
        self.assertIn("io.kingly.Manager.", r.err)


# First of its file by name: a restart of dbus leaves the logind of Debian 13 out of reach, and with it every user manager.
class AsUser(SystemScenario):
    """kingd.service of a user who is nobody in particular, below her own systemd."""

    def as_user(self, *words, code=0):
        r = run(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../guest/as-user"), *words, cwd="/home/u")
        self.assertEqual(r.code, code, (words, r))
        return r

    def start_daemon(self):
        self.as_user("systemctl", "--user", "daemon-reload")
        self.as_user("systemctl", "--user", "start", "kingd.service")

    def stop_daemon(self):
        self.as_user("kingctl", "--no-autostart", "delete", "all", code=0)
        self.as_user("systemctl", "--user", "stop", "kingd.service")

    def row(self, selector):
        return json.loads(self.as_user("kingctl", "list", "-o", "json", selector).out)[0]

    def test_services_of_a_user(self):
        path = self.file("f.json", json.dumps({"services": {"x": nap(
            env={"SCENARIO_HOME": self.home}, limits={"memory_max": "64M", "tasks": 20, "io_read_bandwidth": {"/": "10M"}}, priority={"io_weight": 20})}}))
        r = self.as_user("kingctl", "apply", "-f", path)
        for key in ("limits.io_read_bandwidth", "priority.io_weight"):
            self.assertIn(key, r.err, "what cannot be enforced is named")
        self.assertNotIn("memory_max", r.err)
        row = self.row("x")
        self.assertEqual((row["state"], row["isolation"]), ("running", "scope"))
        uid = os.stat("/home/u").st_uid
        cgroup = open(f"/proc/{row['pid']}/cgroup").read()
        self.assertIn(f"user@{uid}.service/", cgroup)
        self.assertIn("kingly.slice", cgroup)
        self.assertEqual((self.cgroup(row["pid"], "memory.max"), self.cgroup(row["pid"], "pids.max")), (str(64 << 20), "20"))
        doctor = {c["name"]: c for c in json.loads(self.as_user("kingctl", "doctor", "-o", "json").out)}
        self.assertTrue(doctor["limits.memory_max"]["ok"])
        self.assertFalse(doctor["limits.io_read_bandwidth"]["ok"])
        status = self.as_user("systemctl", "--user", "status", "--no-pager", row["unit"]).out
        self.assertRegex(status, r"max: 64(\.0)?M")

        self.as_user("systemctl", "--user", "restart", "kingd.service")
        again = self.row("x")
        self.assertEqual((again["pid"], again["state"]), (row["pid"], "running"))
        os.kill(row["pid"], signal.SIGKILL)
        wait_for("the next run", lambda: self.row("x")["state"] == "running" and self.row("x")["pid"] != row["pid"])

    def test_a_hog_of_a_user_dies_alone(self):
        hog = self.script("hog", "#!/usr/bin/env python3\nb = []\nwhile True: b.append(bytearray(1 << 20))\n")
        path = self.file("f.json", json.dumps({"services": {"x": nap(env={"SCENARIO_HOME": self.home}), "hog": {
            "command": [hog], "env": {"SCENARIO_HOME": self.home}, "limits": {"memory_max": "48M", "swap_max": "0"}, "restart": {"when": "never"}}}}))
        self.as_user("kingctl", "apply", "--no-wait", "-f", path)
        pid = self.until("x", state="running")["pid"]
        row = self.until("hog", state="failed")
        self.assertEqual((row["exit"]["signal"], row["exit"]["reason"]), ("SIGKILL", "oom-kill"))
        self.assertEqual(self.row("x")["pid"], pid)
