"""Rolling reload: instances are replaced one after the other while clients go on, and nothing is worse than before when a new one fails.

KINGLY_RELOADS sets how many reloads the load test makes."""
import os, re, shutil, signal, socket, subprocess, threading, time
from kingly import BIN, MUST_RUN, PATIENCE, Scenario, alive, wait_for
from ports import free_port

RELOADS = int(os.environ.get("KINGLY_RELOADS", "5"))


class Load:
    """Clients that ask all the time, half of them on a connection of their own each time. Counts what was answered, and keeps what was not. HTTP is spoken by
    hand: a library would take more of the machine for each request than all that is tested."""
    def __init__(self, port, clients=4):
        self.port, self.done, self.answered, self.failed = port, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.ask_all_the_time, args=(n % 2 == 0,)) for n in range(clients)]
        self.lock = threading.Lock()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *arguments):
        self.done.set()
        for t in self.threads:
            t.join()

    def ask_all_the_time(self, keep):
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + (b"" if keep else b"Connection: close\r\n") + b"\r\n"
        connection = None
        while not self.done.is_set():
            head = body = error = b""
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self.port), 4 * PATIENCE)
                connection.sendall(request)
                head, body = receive(connection)
            except OSError as e:
                error = e
            ok = head.startswith(b"http/1.1 200 ") and len(body.split()) == 2
            with self.lock:
                self.answered += ok
                if not ok:
                    self.failed.append(repr(error or head + body))
            if connection and (not ok or b"connection: close" in head):
                connection.close()
                connection = None
            time.sleep(0.002)      # leave the machine some room
        if connection:
            connection.close()


def receive(connection):
    """The head of an answer in small letters, and its body; less of them where the connection ended."""
    with connection.makefile("rb") as file:
        head = b""
        while (line := file.readline()) not in (b"\r\n", b""):
            head += line.lower()
        length = re.search(rb"content-length: (\d+)", head)
        return head, file.read(int(length[1])) if length else b""


class Rolling(Scenario):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.start_daemon()

    def service(self, reload={}, **more):
        return {"command": ["python3", "-IS", os.path.join(os.path.dirname(__file__), "rolling_server.py"), self.home], "ready": {"by": "notify", "timeout": f"{4 * PATIENCE:.0f}s"},
                "sockets": [f"127.0.0.1:{self.port}"], "reload": {"min_ready": "10ms"} | reload} | more

    def rows(self):
        return [r for r in self.list("web") if not r["role"]]

    def pids(self):
        return [r["pid"] for r in self.rows()]

    def touch(self, name):
        self.file(name, "")

    def rolling(self):
        return self.described("web")["rolling"]

    def ended(self):
        """The daemon's own view that the reload is over, and no process too many lives."""
        wait_for("the end of the reload", lambda: not (self.rolling() or {}).get("active"))
        wait_for("the extra ones to go", lambda: len(self.list("web")) == len(self.rows()))

    def test_everyone_is_replaced(self):
        self.apply({"web": self.service(instances=3)})
        before = self.rows()
        r = self.ok("reload", "web")
        after = self.rows()
        self.assertEqual(r.out.count(" reloaded (pid "), 3, r)
        self.assertFalse(set(self.pids()) & {r["pid"] for r in before})
        self.assertEqual([(r["instance"], r["number"], r["state"]) for r in after], [(r["instance"], r["number"], "running") for r in before])
        self.assertEqual([open(f"/proc/{r['pid']}/environ").read().count(f"KINGLY_INSTANCE={r['instance']}\0") for r in after], [1, 1, 1])
        self.assertEqual((self.rolling()["replaced"], self.rolling()["error"], self.rolling()["active"]), (3, None, False))
        self.assertFalse(any(alive(r["pid"]) for r in before))
        self.apply({"other": {"command": "sleep 1000"}})
        self.assertEqual(self.row("other")["number"], 3)          # none was used up
        # The next manager knows the new ones, and the operator's orders mean them.
        self.replace_manager()
        self.assertEqual([(r["pid"], r["number"]) for r in self.rows()], [(r["pid"], r["number"]) for r in after])
        self.ok("stop", "web:1")
        self.assertEqual([r["state"] for r in self.rows()], ["running", "stopped", "running"])
        self.ok("reload", "web")
        self.assertEqual([r["state"] for r in self.rows()], ["running", "stopped", "running"])

    def test_no_request_fails(self):
        self.under_load(self.service(instances=2))

    def test_no_request_fails_with_node(self):
        node = shutil.which("node")
        if not node and not MUST_RUN:
            self.skipTest("no node here")
        self.under_load(self.service(instances=2, command=[node, os.path.join(os.path.dirname(__file__), "rolling_server.js")], ready={"by": "fd", "timeout": f"{4 * PATIENCE:.0f}s"}))

    def under_load(self, service):
        self.apply({"web": service})
        with Load(self.port) as load:
            wait_for("answers", lambda: load.answered > 50)
            for _ in range(RELOADS):
                before = self.pids()
                self.ok("reload", "web")
                self.assertFalse(set(before) & set(self.pids()))
        print(f"{RELOADS} reloads: {load.answered} answered, {len(load.failed)} failed")
        self.assertEqual(load.failed, [])

    def test_no_request_fails_when_the_manager_dies(self):
        self.apply({"web": self.service(instances=2)})
        with Load(self.port) as load:
            wait_for("answers", lambda: load.answered > 50)
            for n in range(RELOADS):
                before = self.pids()
                self.ok("reload", "--no-wait", "web")
                time.sleep(0.05 * (n % 8))
                self.replace_manager()
                self.ended()
                self.assertFalse(set(before) & set(self.pids()))      # it went on
                self.assertEqual(len(self.pids()), 2)
        print(f"{RELOADS} reloads with a dead manager: {load.answered} answered, {len(load.failed)} failed")
        self.assertEqual(load.failed, [])

    def test_who_waits_is_told_by_the_next_manager(self):
        self.touch("slow")
        self.apply({"web": self.service(instances=2)}, "--no-wait")
        os.unlink(f"{self.home}/slow")
        wait_for("both", lambda: [r["state"] for r in self.rows()] == ["running"] * 2)
        before = self.pids()
        self.touch("slow")
        client = subprocess.Popen([f"{BIN}/kingctl", "reload", "web"], env=self.environment, stdout=subprocess.PIPE, text=True)
        wait_for("the new one", lambda: len(self.list("web")) == 3)
        self.replace_manager()
        os.unlink(f"{self.home}/slow")
        self.assertEqual(client.wait(4 * PATIENCE), 0, self.daemon_log())
        self.assertEqual(client.stdout.read().count("reloaded"), 2)
        self.assertFalse(set(before) & set(self.pids()))
        client.stdout.close()

    def test_a_new_one_that_fails_is_removed(self):
        self.apply({"web": self.service(instances=2)})
        before = self.pids()
        self.touch("broken")
        r = self.refused(1, "reload", "web")
        self.assertIn("the new web:0 did not come up: exited with status 1", r.err)
        wait_for("what it said", lambda: "this version is broken" in self.ok("logs", "web").out)
        self.ended()
        self.assertEqual(self.pids(), before)
        os.unlink(f"{self.home}/broken")
        self.ok("reload", "web")
        self.assertFalse(set(before) & set(self.pids()))

    def test_a_new_one_that_is_never_ready_is_removed(self):
        self.apply({"web": self.service(instances=2)})
        before = self.pids()
        self.apply({"web": self.service(instances=2, ready={"by": "notify", "timeout": "1s"})})
        self.assertEqual(self.pids(), before)
        self.touch("slow")
        r = self.refused(1, "reload", "web")
        self.assertIn("was not ready within 1s", r.err)
        self.ended()
        self.assertEqual(self.pids(), before)

    def test_probes_decide(self):
        self.touch("good")
        # An old one stays ready for long without the file, a new one does not become ready without it.
        probe = {"exec": ["test", "-e", f"{self.home}/good"], "period": "200ms", "failure": 100000}
        self.apply({"web": self.service(instances=2, probes={"readiness": probe}, ready={"by": "start", "timeout": "10m"}, notify_access="main")})
        wait_for("both to be ready", lambda: all(r["ready"] for r in self.rows()))
        before = self.pids()
        self.ok("reload", "web")
        after = self.pids()
        self.assertFalse(set(before) & set(after))
        # It runs from its start, whatever the time is that it has to be ready in.
        self.apply({"web": self.service(instances=2, probes={"readiness": probe}, ready={"by": "start", "timeout": "1s"}, notify_access="main")})
        self.assertEqual(self.pids(), after)
        os.unlink(f"{self.home}/good")
        r = self.refused(1, "reload", "web")
        self.assertIn("it runs, and is not ready", r.err)
        self.ended()
        self.assertEqual(self.pids(), after)

    def test_cancelled(self):
        self.apply({"web": self.service(instances=2)})
        before = self.pids()
        self.touch("slow")
        self.ok("reload", "--no-wait", "web")
        wait_for("the new one", lambda: [r["role"] for r in self.list("web")] == [None, "new", None] or "new" in [r["role"] for r in self.list("web")])
        self.ok("reload", "--cancel", "web")
        self.ended()
        self.assertEqual(self.pids(), before)
        r = self.refused(1, "reload", "--cancel", "web")
        self.assertIn("no rolling reload is under way", r.err)

    def test_orders_end_it(self):
        for order, expected in ((["stop", "web"], "stopped"), (["restart", "web"], "running"), (["scale", "web", "3"], "running")):
            self.apply({"web": self.service(instances=2)})
            before = self.pids()
            self.touch("slow")
            self.ok("reload", "--no-wait", "web")
            wait_for("the new one", lambda: len(self.list("web")) == 3)
            self.ok(*order, "--no-wait")
            os.unlink(f"{self.home}/slow")
            self.ended()
            wait_for(f"all to be {expected}", lambda: {r["state"] for r in self.rows()} == {expected})
            if order[0] == "scale":
                self.assertEqual(self.pids()[:2], before)
                self.assertEqual([r["instance"] for r in self.rows()], [0, 1, 2])
            self.ok("delete", "web")

    def test_in_their_place(self):
        self.apply({"web": self.service(instances=3, reload={"max_surge": 0, "max_unavailable": 1})})
        before = self.pids()
        most = []
        client = subprocess.Popen([f"{BIN}/kingctl", "reload", "web"], env=self.environment, stdout=subprocess.DEVNULL)
        while client.poll() is None:
            most.append(len([r for r in self.list("web") if r["pid"]]))
        self.assertEqual(client.returncode, 0)
        self.assertLessEqual(max(most), 3)
        self.assertGreaterEqual(min(most), 2)
        self.assertFalse(set(before) & set(self.pids()))
        self.touch("broken")
        self.refused(1, "reload", "web")

    def test_the_old_one_has_its_time(self):
        self.touch("deaf")
        self.apply({"web": self.service(reload={"drain_timeout": "6s"}, stop={"timeout": "500ms"})})
        old = self.pids()[0]
        os.unlink(f"{self.home}/deaf")
        begun = time.monotonic()
        self.ok("reload", "--no-wait", "web")
        wait_for("the new one to take over", lambda: [(r["pid"], r["state"]) for r in self.list("web") if r["role"] == "old"] == [(old, "stopping")])
        self.replace_manager()
        self.ended()
        self.assertNotEqual(self.pids(), [old])
        self.assertFalse(alive(old))
        self.assertGreater(time.monotonic() - begun, 5.9)

    def test_an_idle_one_waits_on(self):
        self.apply({"web": self.service(on_demand=True)})
        self.ok("reload", "web")
        self.assertEqual(self.row("web")["state"], "waiting")
        with Load(self.port, 1) as load:
            wait_for("an answer", lambda: load.answered > 0)
            before = self.pids()
            self.ok("reload", "web")
        self.assertEqual(load.failed, [])
        self.assertNotEqual(self.pids(), before)

    def test_sockets_of_their_own(self):
        self.apply({"web": self.service(instances=2, sockets=[{"listen": f"127.0.0.1:{self.port}", "reuseport": True}])})
        before = self.pids()
        with Load(self.port) as load:
            wait_for("answers", lambda: load.answered > 50)
            self.ok("reload", "web")
            answered = load.answered
            wait_for("more answers", lambda: load.answered > answered + 50)
        self.assertEqual(load.failed, [])
        self.assertFalse(set(before) & set(self.pids()))

    def test_without_a_way(self):
        self.apply({"one": {"command": "sleep 1000"}})
        r = self.refused(1, "reload", "one")
        self.assertIn("has no way to reload", r.err)
        for keys, message in (("reload: {max_surge: 0}", "nothing could be replaced"), ("{type: oneshot, reload: {by: rolling}}", "cannot be replaced while it works")):
            body = keys if keys.startswith("{") else "{" + keys + "}"
            r = self.kingctl("check", self.file("bad.yaml", "services:\n  web: {command: x, " + body[1:] + "\n"))
            self.assertEqual(r.code, 2, r)
            self.assertIn(message, r.err + r.out)
