"""The keeper dies, and nobody notices: the heir takes its place with everything that it held."""
import collections, json, os, re, signal, subprocess
from kingly import BIN, Scenario, alive, command_line, start_time, wait_for
from ports import free_port
from test_sockets import SERVER, ask
from test_survival import named

COUNT = "#!/bin/sh\nn=0\nwhile :; do echo line $n; n=$((n+1)); sleep 0.005; done\n"


def shared(pid):
    """What it has open that another process is to hold as well: files, pipes, sockets with an address. What lies between two programs has none; programs
    that were replaced are the keeper's alone."""
    between = {f"socket:[{words[6]}]" for words in map(str.split, open("/proc/net/unix")) if len(words) < 8}
    targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    return {t for t in targets if t.startswith("/memfd:") or not (t.startswith("anon_inode:") or t.endswith(" (deleted)"))} - between


def heir_of(keeper):
    """The heir, when it has been given everything; None before."""
    heir = next((pid for pid in named(keeper, "kingd") if b"--heir" in command_line(pid)), None)
    try:
        return heir if heir and shared(keeper) - shared(heir) <= {os.readlink(f"/proc/{keeper}/exe")} else None
    except FileNotFoundError:       # one of them has gone, or has closed something, as it was looked at
        return None


class Deaths(Scenario):
    def setUp(self):
        super().setUp()
        self.begin()
        self.addCleanup(self.end)

    def begin(self):
        r = subprocess.run([os.path.join(BIN, "kingd"), "--daemonize", "--isolation", self.isolation, "--log-level", "info"],
                           env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=120)
        self.assertEqual(r.returncode, 0, self.daemon_log())

    def end(self):
        """Cleanups run last in, first out: before the one that looks for what is left."""
        if self.kingctl("ping", "--no-autostart").code == 0:
            self.ok("shutdown")

    def keeper(self):
        return int(open(self.home + "/kingd.pid").read())

    def kill_keeper(self, *also):
        """Kills it and waits until another one's manager answers. Returns the new keeper."""
        old, heir = self.keeper(), self.await_heir()
        for pid in (old, *also):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:      # of itself, when the keeper was gone
                pass
        wait_for("the heir in its place", lambda: self.keeper() == heir)
        self.ok("list", "--no-autostart")
        return heir

    def await_heir(self):
        return wait_for("an heir that has everything", lambda: heir_of(self.keeper()))

    def numbers(self, service, instance=0):
        path = f"{self.home}/logs/{service}.{instance}.log"
        text = open(path).read() if os.path.exists(path) else ""
        # Only these: a shell whose child is ended a moment before itself says "Terminated".
        return [int(n) for n in re.findall(r" line (\d+)\n", text)]

    def go_on(self):
        counter = self.script("count", COUNT)
        self.apply({"count": {"command": [counter], "instances": 3, "log": {"to": "file"}}})
        before = {r["instance"]: (r["pid"], start_time(r["pid"])) for r in self.list()}
        for _ in range(5):
            so_far = [len(self.numbers("count", i)) for i in range(3)]
            wait_for("output", lambda: all(len(self.numbers("count", i)) > so_far[i] + 1 for i in range(3)))
            self.kill_keeper()
        self.assertEqual({r["instance"]: (r["pid"], start_time(r["pid"])) for r in self.list()}, before)
        self.ok("stop", "count")
        for i in range(3):
            wait_for("the end of the pipe", lambda: named(self.keeper(), "kingd-logger"))
            numbers = self.numbers("count", i)
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreater(len(numbers), 5)


class KeeperDeath(Deaths):
    def test_services_and_their_output_go_on(self):
        self.go_on()

    def test_who_gives_way(self):
        """An heir does not hurry; a keeper and what it starts do, also one that was an heir."""
        self.apply({"a": {"command": "sleep 1000", "log": {"to": "file"}}})
        usual, policy = os.sched_getscheduler(0), os.sched_getscheduler
        patient = os.SCHED_BATCH if usual == os.SCHED_OTHER else usual
        for _ in range(2):
            heir = self.await_heir()
            wait_for("its patience", lambda: policy(heir) == patient)
            self.kill_keeper()
            self.ok("restart", "a")
            self.assertEqual([policy(pid) for pid in (self.keeper(), *named(self.keeper(), "kingd-manager"), self.pid("a"))], [usual] * 3)

    def test_runs_that_share_a_file(self):
        """Keeper and logger die, alone and together, while several runs write into one file: each line of each run is there once and whole."""
        counter = self.script("count", "#!/bin/sh\nn=0\nwhile :; do echo $KINGLY_INSTANCE $n; echo $KINGLY_INSTANCE $n >&2; n=$((n+1)); sleep 0.005; done\n")
        self.apply({"count": {"command": [counter], "instances": 4, "log": {"to": "file", "merge": True}}})
        before = {r["instance"]: r["pid"] for r in self.list()}
        path = f"{self.home}/logs/count.log"
        lines = lambda: re.findall(r"^\S+ (\S+@\d) (\d) (\d+)\n", open(path).read(), re.M) if os.path.exists(path) else []
        wait_for("output of all", lambda: len({origin for origin, _, _ in lines()}) == 8)
        for turn in range(6):
            so_far = len(lines())
            wait_for("output", lambda: len(lines()) > so_far + 20)
            logger = wait_for("the logger", lambda: named(self.keeper(), "kingd-logger"))
            if turn % 3:
                os.kill(logger[0], signal.SIGKILL)
            if turn % 3 != 2:
                self.kill_keeper()
        self.assertEqual({r["instance"]: r["pid"] for r in self.list()}, before)
        self.ok("stop", "count")
        seen = collections.defaultdict(list)
        for origin, instance, n in lines():
            self.assertEqual(origin.split("@")[1], instance)
            seen[origin].append(int(n))
        self.assertEqual(len(seen), 8)
        for numbers in seen.values():
            self.assertEqual(numbers, list(range(len(numbers))))

    def test_an_exit_that_nobody_recorded_is_not_lost(self):
        end = os.path.join(self.home, "end")
        os.mkfifo(end)
        self.apply({"a": {"command": f"read line < {end}; echo last words; exit 42", "shell": True, "restart": {"when": "never"}, "log": {"to": "file"}}})
        self.until("a", state="running")
        manager = json.loads(self.ok("status", "-o", "json").out)["manager_pid"]
        pid = self.pid("a")
        os.kill(manager, signal.SIGSTOP)
        with open(end, "w") as f:
            f.write("go\n")
        wait_for("the keeper to reap it", lambda: not os.path.exists(f"/proc/{pid}"))
        self.kill_keeper(manager)
        self.assertEqual(self.until("a", state="failed")["exit"]["code"], 42)
        wait_for("its last words", lambda: self.messages("a") == ["last words"])

    def test_an_end_that_nobody_saw_is_unknown(self):
        self.apply({"a": {"command": "sleep 1000", "restart": {"delay": "0s"}, "log": {"to": "file"}},
                    "once": {"command": "sleep 1000", "restart": {"when": "never"}, "log": {"to": "file"}}})
        pids = [self.pid("a"), self.pid("once")]
        self.kill_keeper(*pids)
        row = wait_for("another run", lambda: (lambda r: r if r["state"] == "running" and r["pid"] != pids[0] else None)(self.row("a")))
        self.assertTrue(alive(row["pid"]))
        once = self.until("once", pid=None)
        self.assertEqual(once["exit"]["reason"], "unknown", once)
        self.assertIsNone(once["exit"]["code"])
        self.assertIn("unknown", " ".join(e["message"] for e in self.events("once")))

    def test_clients_wait_and_are_answered(self):
        self.apply({"a": {"command": "sleep 1000"}})
        heir, old = self.await_heir(), self.keeper()
        os.kill(old, signal.SIGKILL)
        for _ in range(20):
            self.ok("ping", "--no-autostart")
        self.assertEqual(self.keeper(), heir)

    def test_a_dead_heir_has_a_successor(self):
        counter = self.script("count", COUNT)
        self.apply({"count": {"command": [counter], "log": {"to": "file"}}})
        pid, heir = self.pid("count"), self.await_heir()
        os.kill(heir, signal.SIGKILL)
        wait_for("another heir", lambda: self.await_heir() != heir)
        self.kill_keeper()
        so_far = len(self.numbers("count"))
        wait_for("more output", lambda: len(self.numbers("count")) > so_far)
        self.assertEqual(self.pid("count"), pid)

    def test_the_end_is_the_end(self):
        self.apply({"a": {"command": "sleep 1000"}})
        pids = [self.await_heir(), self.keeper(), self.pid("a")]
        self.ok("shutdown")
        wait_for("all of them to end", lambda: not any(map(alive, pids)))
        self.refused(4, "ping", "--no-autostart")

    def test_sockets_stay_open(self):
        server, path, port = self.file("server.py", SERVER), f"{self.home}/x.sock", free_port()
        self.apply({"web": {"command": ["python3", server, f"{self.home}/note"], "sockets": [path, f"127.0.0.1:{port}"]},
                    "lazy": {"command": ["python3", server, f"{self.home}/note"], "sockets": [f"{path}2"], "on_demand": True}})
        pid, inodes = self.pid("web"), [os.stat(p).st_ino for p in (path, f"{path}2")]
        self.assertEqual(ask(path), pid)
        for _ in range(3):
            self.kill_keeper()
            self.assertEqual(ask(path), pid)
        self.assertEqual(self.row("lazy")["state"], "waiting")
        self.assertEqual(ask(f"{path}2"), self.until("lazy", state="running")["pid"])
        self.ok("restart", "web")                                # its next run gets the same ones
        self.assertEqual(ask(path), self.pid("web"))
        self.ok("reload", "web")
        self.assertEqual(ask(path), self.pid("web"))
        self.assertEqual([os.stat(p).st_ino for p in (path, f"{path}2")], inodes)
        self.ok("stop", "web")
        self.assertFalse(os.path.exists(path))

class Foreground(Deaths):
    heir = True

    def begin(self):
        self.start_daemon()
        self.foreground, self.daemon = self.daemon, None      # it will not be the daemon for long
        self.addCleanup(self.foreground.wait)

    def test_the_heir_is_there_as_well(self):
        self.go_on()
        self.assertEqual(self.foreground.wait(), -signal.SIGKILL)


class NoHeir(Deaths):
    def begin(self):
        self.start_daemon()

    def end(self):
        pass

    def test_nobody_takes_the_place(self):
        self.apply({"a": {"command": "sleep 1000", "log": {"to": "none"}}})
        pid = self.pid("a")
        self.assertFalse([p for p in named(self.daemon.pid, "kingd") if b"--heir" in command_line(p)])
        self.daemon.kill()
        self.daemon.wait()
        self.refused(4, "ping", "--no-autostart")
        self.start_daemon()
        self.assertEqual(self.pid("a"), pid)
