"""Sockets that Kingly opens: passed to services, kept over every restart, closed when they stop."""
import contextlib, json, os, re, signal, socket, sqlite3, stat, time
from kingly import PATIENCE, Scenario, alive, wait_for
from ports import free_port

SERVER = """
import os, socket, sys
n = int(os.environ.get("LISTEN_FDS", "0"))
with open(sys.argv[1], "a") as f:
    print(os.getpid(), os.environ.get("LISTEN_PID"), n, os.environ.get("LISTEN_FDNAMES"), file=f)
fd = int(sys.argv[2]) if len(sys.argv) > 2 else 3
s = socket.socket(fileno=fd)
assert s.getblocking()
while True:
    c, _ = s.accept()
    c.sendall(b"%d\\n" % os.getpid())
    c.close()
"""


def ask(address, timeout=4 * PATIENCE):
    """The pid that answers."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(timeout)
        s.connect(address)
        return int(s.makefile().readline())


def refused(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        try:
            s.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
    return False


class Server(Scenario):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.server = self.file("server.py", SERVER)
        self.note = f"{self.home}/note"

    def service(self, sockets, *arguments, **more):
        return {"command": ["python3", self.server, self.note, *arguments], "sockets": sockets} | more

    def notes(self):
        return [line.split() for line in open(self.note).read().splitlines()]

    def open_sockets(self, name="web"):
        return [s["open"] for s in self.described(name)["sockets"]]

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not alive(pid))

    def apply_refused(self, services):
        for service in services.values():
            service["env"] = {"SCENARIO_HOME": self.home}
        return self.refused(1, "apply", "-f", self.file("refused.json", json.dumps({"services": services})))


class Sockets(Server):
    def test_passed_and_kept(self):
        self.start_daemon()
        self.apply({"web": self.service([{"listen": f"127.0.0.1:{self.port}", "name": "http"}, "@kingly-" + os.path.basename(self.home)])})
        first = self.pid("web")
        self.assertEqual(ask(self.address), first)
        self.assertEqual(self.notes(), [[str(first), str(first), "2", "http:web"]])
        self.ok("restart", "web")
        second = self.pid("web")
        self.assertNotEqual(second, first)
        self.assertEqual(ask(self.address), second)
        self.kill(second)
        self.assertNotIn(ask(self.address), (first, second))      # clients wait meanwhile
        self.ok("stop", "web")
        self.assertTrue(refused(self.address))
        self.assertEqual(self.open_sockets(), [False, False])
        self.ok("start", "web")
        self.assertEqual(ask(self.address), self.pid("web"))

    def test_open_in_backoff_and_closed_when_it_gives_up(self):
        self.start_daemon()
        self.apply({"bad": {"command": "false", "sockets": [f"127.0.0.1:{self.port}"], "restart": {"delay": "1h", "max_delay": "1h", "limit": 1}}}, "--no-wait")
        self.until("bad", state="waiting")
        self.assertFalse(refused(self.address))
        self.replace_manager()
        self.assertFalse(refused(self.address))
        self.apply({"bad": {"command": "false", "sockets": [f"127.0.0.1:{self.port}"], "restart": {"delay": "1ms", "limit": 1}}}, "--no-wait")
        self.until("bad", state="failed")
        wait_for("the socket to be closed", lambda: refused(self.address))

    def test_manager_dies(self):
        self.start_daemon()
        path = f"{self.home}/run/x.sock"
        self.apply({"web": self.service([path, f"127.0.0.1:{self.port}"])})
        pid, inode = self.pid("web"), os.stat(path).st_ino
        self.replace_manager()
        self.assertEqual(ask(path), pid)
        self.assertEqual(self.open_sockets(), [True, True])
        self.ok("restart", "web")
        self.assertEqual(os.stat(path).st_ino, inode)             # never opened anew
        self.assertEqual(ask(path), self.pid("web"))
        self.replace_manager()
        self.ok("stop", "web")
        self.assertFalse(os.path.exists(path))
        self.assertTrue(refused(self.address))

    def test_clients_wait_while_the_manager_is_dead(self):
        self.start_daemon()
        self.apply({"web": self.service([f"127.0.0.1:{self.port}"])})
        manager = self.manager()
        pid = self.pid("web")
        os.kill(manager, signal.SIGSTOP)
        self.kill(pid)
        with socket.create_connection(self.address) as c:
            os.kill(manager, signal.SIGKILL)
            c.settimeout(4 * PATIENCE)
            self.assertEqual(int(c.makefile().readline()), self.until("web", state="running")["pid"])

    def test_a_file_that_vanished(self):
        self.start_daemon()
        path = f"{self.home}/x.sock"
        self.apply({"web": self.service([path])})
        os.unlink(path)
        self.ok("restart", "web")
        self.assertEqual(ask(path), self.pid("web"))

    def test_only_the_changed_one_is_reopened(self):
        self.start_daemon()
        path, other = f"{self.home}/a.sock", free_port()
        self.apply({"web": self.service([path, {"listen": f"127.0.0.1:{self.port}", "reuseport": True}], instances=2)})
        inode = os.stat(path).st_ino
        diff = self.apply({"web": self.service([{"listen": f"127.0.0.1:{other}", "backlog": 7}, {"listen": path, "mode": "0600"}], "4", instances=2)}, "--diff").out
        self.assertIn("backlog: 7", diff)
        self.apply({"web": self.service([{"listen": f"127.0.0.1:{other}", "backlog": 7}, {"listen": path, "mode": "0600"}], "4", instances=2)})
        self.assertTrue(refused(self.address))
        self.assertEqual((os.stat(path).st_ino, stat.S_IMODE(os.stat(path).st_mode)), (inode, 0o600))
        self.assertIn(ask(path), [r["pid"] for r in self.list("web")])

    def test_same_port_another_address(self):
        self.start_daemon()
        self.apply({"web": self.service([f"127.0.0.1:{self.port}"], instances=3)})
        self.apply({"web": self.service([f":{self.port}"], instances=3)})
        self.assertIn(ask(self.address), [r["pid"] for r in self.list("web")])
        self.assertEqual({r["restarts"] for r in self.list("web")}, {0})

    def test_as_standard_input_and_by_number(self):
        self.start_daemon()
        path = f"{self.home}/fcgi.sock"
        self.apply({"web": self.service([{"listen": f"127.0.0.1:{self.port}", "fd": 4, "name": "b"}, {"listen": path, "fd": 0}, {"listen": f"{path}2", "name": "a"}], "0")})
        self.assertEqual(ask(path), self.pid("web"))
        self.assertEqual(self.notes()[0][2:], ["2", "a:b"])

    def test_an_instance_has_its_own(self):
        self.start_daemon()
        self.apply({"web": self.service([{"listen": f"127.0.0.1:{self.port}", "reuseport": True}], instances=2)})
        pids = {r["pid"] for r in self.list("web")}
        answered = set()
        wait_for("both to answer", lambda: (answered.add(ask(self.address)), answered == pids)[1])
        self.ok("stop", "web:0")
        left = self.row("web:1")["pid"]
        self.assertEqual({ask(self.address) for _ in range(30)}, {left})      # nothing waits behind the stopped one

    def test_datagrams(self):
        self.start_daemon()
        port = free_port()
        server = self.file("udp.py", "import socket\ns = socket.socket(fileno=3)\nwhile True:\n    d, a = s.recvfrom(100)\n    s.sendto(d, a)\n")
        self.apply({"udp": {"command": ["python3", server], "sockets": [{"listen": f"127.0.0.1:{port}", "type": "udp"}]}})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(4 * PATIENCE)
            s.sendto(b"hello", ("127.0.0.1", port))
            self.assertEqual(s.recv(100), b"hello")

    def test_files(self):
        self.start_daemon()
        dead, path = f"{self.home}/dead.sock", f"{self.home}/deep/er/x.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(dead)
        self.apply({"web": self.service([dead, path])})
        self.assertEqual(ask(dead), self.pid("web"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        if os.geteuid() == 0:
            self.apply({"web": self.service([dead, {"listen": path, "owner": "65534", "mode": "0666"}], user="12345", group="12345")})
            self.assertEqual((os.stat(dead).st_uid, os.stat(dead).st_gid), (12345, 12345))
            self.assertEqual((os.stat(path).st_uid, stat.S_IMODE(os.stat(path).st_mode)), (65534, 0o666))
        os.unlink(dead)
        with open(dead, "w") as f:                                             # somebody else's now
            f.write("mine")
        self.ok("stop", "web")
        self.assertEqual(open(dead).read(), "mine")
        self.assertFalse(os.path.exists(path))
        r = self.refused(1, "start", "web")
        self.assertIn("a file that is no socket stands there", r.err)

    def test_in_use(self):
        self.start_daemon()
        path = f"{self.home}/x.sock"
        with socket.socket() as s, socket.socket(socket.AF_UNIX) as u:
            s.bind(self.address)
            s.listen()
            u.bind(path)
            u.listen()
            for address in (f"127.0.0.1:{self.port}", path):
                r = self.apply_refused({"web": self.service([address])})
                # A child of ours that does not execute yet, for another test, has it open as well.
                self.assertRegex(r.err, rf"cannot listen on {re.escape(address)}: python3, pid \d+, does already")
        self.until("web", state="running")                                   # tried again; the file was dead by then
        self.assertEqual(ask(path), self.pid("web"))
        r = self.apply_refused({"two": self.service([path])})
        self.assertIn(f"cannot listen on {path}: the service default/web does already", r.err)

    def test_refused_by_the_file(self):
        for sockets, message in (("[{listn: 80}]", "did you mean `listen`?"), ("[nohost:80]", "names are not looked up"), ("[{type: tcp}]", "sockets.listen: missing"),
                                 ("[80, ':80']", "listened on twice"), ("[{listen: 80, fd: 9}]", "sockets.fd"), ("{listen: 80}", "sockets: expected a list"),
                                 ("[{listen: 80, balance: fair}]", "expected kernel, round-robin, random or least-connections"), ("[{listen: 80, mode: 999}]", "sockets.mode: expected an octal number")):
            r = self.kingctl("check", self.file("bad.yaml", f"services:\n  web:\n    command: x\n    sockets: {sockets}\n"))
            self.assertEqual(r.code, 2, r)
            self.assertIn(message, r.err + r.out)
            self.assertIn("bad.yaml:4:", r.err + r.out)


class OnDemand(Server):
    def demand(self, *arguments, **more):
        return self.service([f"127.0.0.1:{self.port}"], *arguments, on_demand=True, **more)

    def kinds(self):
        return [e["kind"] for e in self.events("web") if e["kind"] in ("demand", "idle", "started")]

    def test_starts_with_the_first_connection(self):
        self.start_daemon()
        self.apply({"web": self.demand(), "after": {"command": "sleep 1000", "depends_on": {"web": "ready"}}})
        row = self.row("web")
        self.assertEqual((row["state"], row["ready"], row["pid"]), ("waiting", True, None))
        self.assertIn("starts when somebody connects", row["status"])
        self.until("after", state="running")
        self.assertFalse(os.path.exists(self.note))
        self.assertEqual(ask(self.address), self.until("web", state="running")["pid"])
        self.ok("restart", "web")
        self.assertEqual(self.row("web")["state"], "waiting")
        self.assertEqual(ask(self.address), self.until("web", state="running")["pid"])
        self.ok("stop", "web")
        self.assertTrue(refused(self.address))
        self.ok("start", "web")
        self.assertEqual(self.row("web")["state"], "waiting")
        self.apply({"web": self.service([f"127.0.0.1:{self.port}"])})
        self.until("web", state="running")

    def test_manager_dies_while_it_waits(self):
        self.start_daemon()
        self.apply({"web": self.demand()})
        self.replace_manager()
        self.assertEqual(self.row("web")["state"], "waiting")
        manager = self.manager()
        os.kill(manager, signal.SIGSTOP)
        with socket.create_connection(self.address) as c:
            os.kill(manager, signal.SIGKILL)
            c.settimeout(4 * PATIENCE)
            self.assertEqual(int(c.makefile().readline()), self.until("web", state="running")["pid"])

    def test_manager_dies_before_it_wrote_down_that_it_waits(self):
        self.start_daemon()
        self.apply({"web": self.demand(), "two": self.service([f"{self.home}/two.sock"], on_demand=True, instances=2)})
        self.ok("stop", "two:0")
        manager = self.manager()
        self.asked("Describe")      # what is in the books by then is taken out of them
        os.kill(manager, signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(os.path.join(self.home, "state", "kingly.db"))) as db, db:
            self.assertEqual(db.execute("DELETE FROM run WHERE name = 'web' OR instance = 1").rowcount, 2)
        with socket.create_connection(self.address) as c, self.connect_unix("two.sock") as d:
            os.kill(manager, signal.SIGKILL)
            for client, name in ((c, "web"), (d, "two:1")):
                client.settimeout(4 * PATIENCE)
                self.assertEqual(int(client.makefile().readline()), self.until(name, state="running")["pid"])

    def test_ends_when_idle(self):
        self.start_daemon()
        self.apply({"web": self.demand(idle_timeout="2s")})
        pid = ask(self.address)
        wait_for("its end", lambda: self.row("web")["state"] == "waiting")
        self.assertEqual(self.kinds(), ["demand", "started", "idle"])
        self.assertNotEqual(ask(self.address), pid)

    def test_who_is_connected_keeps_it(self):
        self.start_daemon()
        server = self.file("holding.py", "import socket\ns = socket.socket(fileno=3)\nheld = []\nwhile True:\n    c, _ = s.accept()\n    held.append(c)\n    c.sendall(b'hello')\n"
                                         "    if c.recv(1) == b'': c.close()\n")
        for address, connect in ((f"127.0.0.1:{self.port}", lambda: socket.create_connection(self.address)), (f"{self.home}/x.sock", self.connect_unix)):
            self.apply({"web": {"command": ["python3", server], "sockets": [address], "on_demand": True, "idle_timeout": "1s"}})
            with connect() as c:
                self.assertEqual(c.recv(5), b"hello")
                pid = self.until("web", state="running")["pid"]
                time.sleep(3.5)                                      # three looks and more
                self.assertEqual(self.row("web")["pid"], pid)
            self.until("web", state="waiting")
            self.ok("delete", "web")

    def connect_unix(self, name="x.sock"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(f"{self.home}/{name}")
        return s

    def test_done_by_itself(self):
        self.start_daemon()
        once = self.file("once.py", SERVER.replace("while True:", "for _ in (1, 2):") + "\nimport time; time.sleep(2)\n")
        self.apply({"web": {"command": ["python3", once, self.note], "sockets": [f"127.0.0.1:{self.port}"], "on_demand": True}})
        self.assertEqual(ask(self.address), ask(self.address))
        self.until("web", state="waiting")
        self.assertEqual(self.row("web")["restarts"], 0)
        self.assertGreater(ask(self.address), 0)

    def test_port_in_use(self):
        self.start_daemon()
        with socket.socket() as s:
            s.bind(self.address)
            s.listen()
            r = self.apply_refused({"web": self.demand()})
            self.assertIn("does already", r.err)
        wait_for("it to listen", lambda: self.row("web")["ready"])
        self.assertGreater(ask(self.address), 0)

    def test_rules(self):
        for keys, message in (("on_demand: true", "needs sockets"), ("{on_demand: true, sockets: [80], type: oneshot}", "only a simple service"),
                              ("{idle_timeout: 5s}", "means nothing without on_demand"), ("{on_demand: true, sockets: [80], idle_timeout: 10ms}", "at least 1s"),
                              ("{on_demand: true, sockets: [{listen: 80, type: udp}], idle_timeout: 5s}", "no connections")):
            keys = keys.strip("{}")
            r = self.kingctl("check", self.file("bad.yaml", "services:\n  web: {command: x, " + keys + ("}" if keys.count("{") == keys.count("}") else "}}") + "\n"))
            self.assertEqual(r.code, 2, r)
            self.assertIn(message, r.err + r.out)
