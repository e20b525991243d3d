"""Operations in any order, valid or not, from a seed: after each burst what the daemon says is what there is, and in the end nothing is left.
KINGLY_SEED repeats a run; KINGLY_BURSTS makes it longer."""
import json, os, random, signal, time
from client import Client, Error
from kingly import Scenario, alive, command_line, wait_for

COMMANDS = [["sleep", "1000"], ["sh", "-c", "sleep 0.03; exit 1"], ["sh", "-c", "sleep 0.02"], ["sh", "-c", "trap '' TERM; while :; do sleep 0.02; done"],
            ["sh", "-c", "(sleep 0.3; exit 0) & exit 3"], ["sh", "-c", "echo hello; exec sleep 1000"], ["/nonexistent"], ["sh", "-c", "kill -9 $$"]]
NAMES = [f"s{n}" for n in range(8)]
SETTLED = {"running", "stopped", "exited", "failed"}


class Random(Scenario):
    def test_operations_in_any_order(self):
        seed = int(os.environ.get("KINGLY_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"KINGLY_SEED={seed} KINGLY_ISOLATION={self.isolation}", flush=True)
        self.random = random.Random(seed)
        self.start_daemon()
        self.c = Client(self.home)
        self.others = []
        try:
            for _ in range(int(os.environ.get("KINGLY_BURSTS", "12"))):
                for _ in range(self.random.randrange(5, 40)):
                    self.operation()
                self.check()
            for c in self.others:
                c.close()
            self.c.call("Delete", {"selectors": ["all"]}) if self.c.call("List")["instances"] else None
            self.assertEqual(self.c.call("List")["instances"], [])
            self.assertEqual([p for p in self.ours() if p not in self.daemons()], [])
            self.assertEqual(self.c.call("Status")["problems"], [])
            self.c.close()
            self.stop_daemon()
            self.assertEqual(self.ours(), [])
        except Exception as e:
            raise AssertionError(f"with KINGLY_SEED={seed}: {type(e).__name__}: {e}") from e

    # ---- operations ----

    def spec(self, name):
        r = self.random
        s = {"name": name, "command": r.choice(COMMANDS), "env": {"SCENARIO_HOME": self.home}, "instances": r.choice([1, 1, 1, 2, 3]),
             "restart": {"delay": r.choice(["0s", "5ms", "50ms"]), "limit": r.choice([0, 1, 5]), "max_delay": "100ms", "when": r.choice(["always", "on-failure", "never"])},
             "stop": {"timeout": r.choice(["0s", "50ms", "200ms"]), "scope": r.choice(["all", "main", "group"])},
             "autostart": r.random() < 0.9, "log": {"to": r.choice(["file", "none"])}}
        if r.random() < 0.2:
            s["type"] = "oneshot"
        if r.random() < 0.15:
            s["ready"] = {"by": r.choice(["notify", "fd"]), "timeout": "100ms"}
        earlier = NAMES[:NAMES.index(name)] if name in NAMES else NAMES
        if earlier and r.random() < 0.4:
            s["depends_on"] = {r.choice(earlier): r.choice(["started", "ready", "completed"])}
        if r.random() < 0.05:
            s[r.choice(["colour", "command", "instances", "name", "depends_on"])] = r.choice([None, -5, [], {}, "x y", {NAMES[-1]: "ready"}])
        return s

    def selectors(self):
        r = self.random
        some = r.sample(NAMES, r.randrange(1, 4))
        return r.choice([some, some, some, [f"{some[0]}:{r.randrange(4)}"], ["all"], ["s*"], ["@default"], ["nobody"], [":"], [""]])

    def operation(self):
        r = self.random
        what = r.choices(["Apply", "Start", "Stop", "Restart", "Delete", "look", "kill", "manager", "vanish", "follow"], [8, 8, 6, 6, 3, 6, 6, 0.15, 3, 1])[0]
        if what == "Apply":
            names = r.sample(NAMES, r.randrange(1, 5))
            return self.ask("Apply", {"services": [self.spec(n) for n in names], "wait": False, "prune": r.random() < 0.1, "start": r.random() < 0.9, "diff": r.random() < 0.1})
        if what == "look":
            return self.ask(r.choice(["List", "Describe", "Status", "Doctor", "Events", "Logs"]), {"selectors": self.selectors()})
        if what == "kill":
            return self.kill_one()
        if what == "manager":
            return self.kill_manager()
        if what in ("vanish", "follow"):
            c = Client(self.home)
            c.send(r.choice(["Start", "Stop", "Restart", "Logs", "Events"]), {"selectors": self.selectors()} | ({"follow": True} if r.random() < 0.5 else {}), more=r.random() < 0.5)
            return c.close() if what == "vanish" else self.others.append(c)
        self.ask(what, {"selectors": self.selectors(), "wait": False})

    def ask(self, method, parameters):
        try:
            return self.c.call(method, parameters)
        except Error as e:
            if e.name not in ("InvalidInput", "NoSuchService", "Failed"):
                raise

    def kill_one(self):
        pids = [i["pid"] for i in self.c.call("List")["instances"] if i["pid"]]
        if pids:
            try:
                os.kill(self.random.choice(pids), self.random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGABRT]))
            except ProcessLookupError:
                pass

    def kill_manager(self):
        old = self.c.call("Status")["manager_pid"]
        self.c.close()
        os.kill(old, signal.SIGKILL)

        def another():
            try:
                self.c = Client(self.home)
                return self.c.call("Status")["manager_pid"] != old
            except (OSError, Error):
                return False
        wait_for("another manager", another)

    # ---- what must hold ----

    def daemons(self):
        status = self.c.call("Status")
        found = {status["pid"], status["manager_pid"]}
        for pid in self.ours():
            if b"kingd-logger" in command_line(pid):
                found.add(pid)
        return found

    def mains(self):
        """(service, instance) → {invocation: pids}, of all that lives."""
        found = {}
        for pid in self.ours():
            try:
                environ = dict(e.split(b"=", 1) for e in open(f"/proc/{pid}/environ", "rb").read().split(b"\0") if b"=" in e)
            except OSError:
                continue
            if b"KINGLY_SERVICE" in environ and alive(pid):
                key = environ[b"KINGLY_SERVICE"].decode(), int(environ[b"KINGLY_INSTANCE"])
                found.setdefault(key, {}).setdefault(environ[b"INVOCATION_ID"], set()).add(pid)
        return found

    def check(self):
        """At most one run of an instance lives at any time, and the list knows every one of them."""
        for _ in range(3):
            for key, runs in self.mains().items():
                # Seen one after the other, the end of one run and the beginning of the next may both be seen: then the first is gone by now.
                still = [i for i, pids in runs.items() if any(alive(p) for p in pids)]
                self.assertLessEqual(len(still), 1, (key, runs, self.daemon_log()[-4000:]))
        wait_for("list and /proc to agree", self.agree)

    def agree(self):
        before = {(i["name"], i["instance"]): (i["pid"], i["state"]) for i in self.c.call("List")["instances"]}
        mains = self.mains()
        after = {(i["name"], i["instance"]): (i["pid"], i["state"]) for i in self.c.call("List")["instances"]}
        # One that ends and is started again all the time changes while /proc is read: there is nothing to compare it with.
        moved = {key for key in before | after if before.get(key) != after.get(key)}
        mains = {key: runs for key, runs in mains.items() if key not in moved}
        after = {key: row for key, row in after.items() if key not in moved}
        for key, runs in mains.items():
            pid, state = after.get(key, (None, "gone"))
            if not any(pid in pids for pids in runs.values()) and state not in ("stopping", "starting"):
                return False
        return all(any(pid in pids for pids in mains.get(key, {}).values()) for key, (pid, state) in after.items() if pid and state == "running")
