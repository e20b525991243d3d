"""The keeper or the manager dies while something is under way beside the services: a hook, a reload command, a probe, a start that waits to be told, a rolling
reload, a start on demand. What was begun is ended or goes on, is done once more where it must be, and no process is too many. Under systemd the
keeper's death is followed by the unit's restart, and `systemctl restart kingd.service` is one death more."""
import os, signal, socket, time
from kingly import PATIENCE, Scenario, alive, named, start_time, wait_for
from installed import SystemScenario
from ports import free_port
from test_keeper_death import Deaths
from test_rolling import Load
from test_sockets import SERVER, ask

# Speaks as process.send() of Node does: one JSON value a line on a socket that it was given.
TALKER = """
import os, socket, sys, time
s = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.02)
s.sendall(b'"ready"\\n')
s.setblocking(True)
open(sys.argv[1] + "/said", "w").write("")
s.recv(1)
open(sys.argv[1] + "/disconnected", "w").write("")
time.sleep(1000)
"""
NOTIFIER = """
import os, socket, sys, time
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.02)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\\0"))
time.sleep(1000)
"""
FD = 'while ! [ -e "$1/go" ]; do sleep 0.02; done; echo >&3; exec sleep 1000'
LOG = 'while ! [ -e "$1/go" ]; do sleep 0.02; done; echo I am listening; exec sleep 1000'


class Beside:
    """What becomes of it, whoever dies: die() kills, and returns when somebody answers again."""

    def lines(self, name="note"):
        try:
            return open(f"{self.home}/{name}").read().splitlines()
        except FileNotFoundError:
            return []

    def note(self, text, then=":", name="note"):
        return ["sh", "-c", f'echo "{text}" >> {self.home}/{name}; {then}'.replace("$", "$$")]

    def hold(self, text="$$"):
        """Ends at once when the file `go` was there before it noted itself, and else never, as the first one."""
        return ["sh", "-c", f'[ -e {self.home}/go ]; there=$?; echo "{text}" >> {self.home}/note; [ $there = 0 ] || sleep 5000'.replace("$", "$$")]

    def go(self):
        self.file("go", "")

    def gone(self, line, name="note"):
        wait_for("the end of the first", lambda: not alive(int(self.lines(name)[line].split()[-1])))

    def only(self, *pids):
        """No process of the test but these, once what ends has ended; the daemon's own have another mark."""
        def ours():
            found = set()
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    environ = open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
                except OSError:
                    continue
                if f"SCENARIO_HOME={self.home}".encode() in environ and alive(pid):
                    found.add(int(pid))
            return found
        wait_for(f"nobody but {pids}", lambda: ours() == set(pids))

    def test_pre_start(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": self.hold()}}}, "--no-wait")
        wait_for("the hook", self.lines)
        self.go()
        self.die()
        pid = self.until("web", state="running")["pid"]
        self.assertEqual(len(self.lines()), 2)
        self.gone(0)
        self.only(pid)

    def test_post_start(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"post_start": self.note("$$", "setsid sleep 5000 & sleep 5000")}}})
        pid = self.pid("web")
        wait_for("the hook", self.lines)
        self.die()
        wait_for("another", lambda: len(self.lines()) >= 2)
        self.gone(0)
        self.assertEqual((self.pid("web"), self.row("web")["state"], self.row("web")["restarts"]), (pid, "running", 0))
        self.ok("stop", "web")
        self.assertEqual(len(self.lines()), 2)
        self.only()

    def test_stop_with_hooks(self):
        main = self.script("main", f"#!/bin/sh\ntrap 'echo term >> {self.home}/note; exit 7' TERM\necho up >> {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"web": {"command": [main], "hooks": {"pre_stop": self.note("pre $$", f"while ! [ -e {self.home}/go ]; do sleep 0.02; done"),
                                                           "post_stop": self.note("post")}}})
        wait_for("its trap", lambda: self.lines("up"))
        self.ok("stop", "--no-wait", "web")
        wait_for("the hook", self.lines)
        self.die()
        wait_for("another", lambda: len(self.lines()) >= 2)
        self.go()
        self.until("web", state="stopped")
        wait_for("all of it", lambda: len(self.lines()) >= 4)
        self.assertEqual([l.split()[0] for l in self.lines()], ["pre", "pre", "term", "post"])
        self.gone(0)
        self.only()

    def test_post_stop(self):
        """It ran for a life that is over; a deletion waits for it, whoever orders it."""
        self.apply({"web": {"command": "sleep 1000", "hooks": {"post_stop": self.hold()}}})
        self.ok("stop", "--no-wait", "web")
        wait_for("the hook", self.lines)
        self.go()
        self.die()
        self.until("web", state="stopped")
        self.assertEqual(len(self.lines()), 2)
        self.gone(0)
        self.ok("delete", "web")
        self.only()

    def test_reload_command(self):
        """The reload is told to have failed or is done once more; it is not forgotten, and the service is the one it was."""
        self.apply({"web": {"command": "sleep 1000", "reload": {"by": "command", "command": self.hold()}}})
        pid = self.pid("web")
        self.ok("reload", "--no-wait", "web")
        wait_for("the command", self.lines)
        self.go()
        self.die()
        self.until("web", state="running", pid=pid)
        self.gone(0)
        self.only(pid)
        self.ok("reload", "web")
        self.assertIn("reloaded", [e["kind"] for e in self.events("web")])

    def test_probe(self):
        """A command that asks how it is, and does not come back: another asks, and what was ready stays ready."""
        asks = ["sh", "-c", f'if [ -e {self.home}/hang ]; then echo "hangs $$" >> {self.home}/note; sleep 5000; else echo $$ >> {self.home}/note; fi'.replace("$", "$$")]
        self.apply({"web": {"command": "sleep 1000", "probes": {"readiness": {"exec": asks, "period": "500ms", "timeout": "1000s", "failure": 1}}}})
        pid = self.until("web", ready=True)["pid"]
        self.file("hang", "")
        wait_for("one that hangs", lambda: self.lines()[-1].startswith("hangs "))
        hangs = len(self.lines()) - 1
        os.unlink(f"{self.home}/hang")
        self.die()
        self.assertTrue(self.row("web")["ready"])
        wait_for("more of them", lambda: len(self.lines()) > hangs + 2)
        self.gone(hangs)
        self.assertEqual((self.pid("web"), self.row("web")["restarts"], self.row("web")["ready"]), (pid, 0, True))

    def test_starts_that_wait_to_be_told(self):
        """By every way there is to say that one is ready: it was not said yet, and is not missed afterwards."""
        ways = {"ipc": ["python3", self.file("talker.py", TALKER), self.home], "notify": ["python3", self.file("notifier.py", NOTIFIER), self.home],
                "fd": ["sh", self.file("fd", FD), self.home], "log": ["sh", self.file("log", LOG), self.home]}
        ready = {way: {"by": way, "timeout": "1000s"} for way in ways} | {"log": {"by": "log", "pattern": "I am listening", "timeout": "1000s"}}
        self.apply({way: {"command": command, "ready": ready[way], "restart": {"when": "never"}, "log": {"to": "file"}} for way, command in ways.items()}, "--no-wait")
        pids = {way: self.until(way, state="starting") and wait_for("its process", lambda: self.pid(way)) for way in ways}
        wait_for("all to be executed", lambda: all(os.path.basename(os.readlink(f"/proc/{p}/exe")).startswith(("python", "dash", "sh", "bash")) for p in pids.values()))
        self.die()
        for way in ways:
            self.assertEqual(self.row(way)["state"], "starting")
        self.go()
        for way in ways:
            self.until(way, state="running", pid=pids[way], restarts=0)
        wait_for("its word", lambda: os.path.exists(f"{self.home}/said"))
        self.die()
        self.assertEqual({way: self.pid(way) for way in ways}, pids)
        self.assertFalse(os.path.exists(f"{self.home}/disconnected"))

    def test_rolling_reload(self):
        port = free_port()
        server = ["python3", "-IS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "rolling_server.py"), self.home]
        self.apply({"web": {"command": server, "instances": 2, "ready": {"by": "notify", "timeout": "1000s"}, "sockets": [f"127.0.0.1:{port}"],
                            "reload": {"by": "rolling", "min_ready": "10ms"}}})
        with Load(port) as load:
            wait_for("answers", lambda: load.answered > 20)
            for n in range(3):
                before = {r["pid"] for r in self.list("web")}
                self.ok("reload", "--no-wait", "web")
                time.sleep(0.1 * n)                                # sooner or later in its course
                self.die()
                wait_for("its end", lambda: not (self.described("web")["rolling"] or {}).get("active") and len(self.list("web")) == 2)
                self.assertFalse(before & {r["pid"] for r in self.list("web")})
        self.assertEqual(load.failed, [])
        self.only(*[r["pid"] for r in self.list("web")])

    def test_demand(self):
        """A client that connected first is answered by the one run that there is, although its start was interrupted."""
        address = ("127.0.0.1", free_port())
        self.apply({"web": {"command": ["python3", self.file("server.py", SERVER), f"{self.home}/served"], "sockets": [f"127.0.0.1:{address[1]}"], "on_demand": True,
                            "hooks": {"pre_start": self.hold()}}})
        self.assertEqual(self.row("web")["state"], "waiting")
        with socket.create_connection(address) as client:
            wait_for("the hook", self.lines)
            self.go()
            self.die()
            client.settimeout(8 * PATIENCE)
            pid = int(client.makefile().readline())
        self.assertEqual(self.until("web", state="running")["pid"], pid)
        self.assertEqual(len(self.lines("served")), 1)
        self.assertEqual(len(self.lines()), 2)
        self.die()
        self.assertEqual(ask(address), pid)
        self.only(pid)

    def test_input(self):
        """What is sent to a standard input that outlived them arrives once."""
        self.apply({"web": {"command": f"while read line; do echo $line >> {self.home}/note; done".replace("$", "$$"), "shell": True, "stdin": "pipe"}})
        pid = self.pid("web")
        self.ok("send", "web", "one")
        self.die()
        self.ok("send", "web", "two")
        wait_for("both", lambda: len(self.lines()) >= 2)
        self.assertEqual((self.lines(), self.pid("web")), (["one", "two"], pid))


class ManagerDies(Beside, Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def die(self):
        self.replace_manager()


class KeeperDies(Beside, Deaths):
    def die(self):
        self.kill_keeper()


class BothDie(Beside, Deaths):
    """And the logger: nobody but the heir is left."""
    def die(self):
        keeper = self.keeper()
        self.kill_keeper(self.manager(), *named(keeper, "kingd-logger"))


class KeeperDiesUnderSystemd(Beside, SystemScenario):
    def keeper(self):
        return int(self.show("kingd.service", "MainPID"))

    def die(self):
        old = self.keeper()
        os.kill(old, signal.SIGKILL)
        wait_for("the next keeper", lambda: self.keeper() not in (0, old))
        wait_for("it to answer", lambda: self.kingctl("list", "--no-autostart").code == 0)


class UnitRestarts(KeeperDiesUnderSystemd):
    def die(self):
        self.systemctl("restart", "kingd.service")
        wait_for("it to answer", lambda: self.kingctl("list", "--no-autostart").code == 0)
