"""`cluster: {by: node}`: unmodified programs of Node share their ports; nothing is lost when they are reloaded, and the channels to them outlive managers, keepers
and balancers. KINGLY_NODES names further Nodes, each by the path of its program, with a blank between."""
import http.client, json, os, shutil, signal, socket, stat, threading, time
from kingly import Scenario, alive, wait_for
import test_keeper_death
from test_sockets import free_port

APP = os.path.join(os.path.dirname(__file__), "cluster_app.js")
NODES = [n for n in [shutil.which("node")] if n] + os.environ.get("KINGLY_NODES", "").split()


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def get(where, path="/"):
    """What a worker says of itself."""
    c = http.client.HTTPConnection("127.0.0.1", where, timeout=60) if isinstance(where, int) else UnixConnection(where, timeout=60)
    try:
        c.request("GET", path, headers={"Connection": "close"})
        return json.loads(c.getresponse().read())
    finally:
        c.close()


class Clients:
    """Ask all the time, half of them on connections that they keep as long as they are let."""
    def __init__(self, port, n=6):
        self.port, self.lock, self.done, self.answered, self.failed = port, threading.Lock(), threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.ask, args=[k % 2 == 0]) for k in range(n)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for t in self.threads:
            t.join()

    def ask(self, keep):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.done.is_set():
            try:
                c.request("GET", "/", headers={} if keep else {"Connection": "close"})
                error = None if c.getresponse().read() else "no answer"
            except (OSError, http.client.HTTPException) as e:
                error = repr(e)
                c.close()
            with self.lock:
                self.answered += not error
                if error:
                    self.failed.append(error)
            time.sleep(0.002)
        c.close()

    def some_more(self, n=20):
        goal = self.answered + n
        wait_for("answers", lambda: self.answered >= goal)


class Common:
    def setUp(self):
        if not NODES:
            self.skipTest("node is not installed")
        super().setUp()
        self.port = free_port()

    def app(self, *arguments, node=None, **more):
        return {"command": [node or NODES[0], APP, *(str(a) for a in arguments or [self.port])], "instances": 2, "cluster": {"by": "node"},
                "ready": {"by": "listen", "timeout": "2m"}, "reload": {"min_ready": "10ms"}} | more

    def workers(self, where=None, n=2):
        """Until each has answered."""
        seen = {}

        def look():
            a = get(where or self.port)
            seen[a["id"]] = a
            return len(seen) == n

        wait_for(f"{n} workers to answer", look)
        return seen


class Cluster(Common, Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def test_each_node_at_hand(self):
        for node in NODES:
            with self.subTest(node=node):
                self.apply({"app": self.app(node=node)})
                seen = self.workers()
                self.assertEqual(sorted(seen), [1, 2])
                self.assertNotEqual(seen[1]["pid"], seen[2]["pid"])
                self.assertTrue(seen[1]["from"].endswith("127.0.0.1"))
                self.assertEqual([get(self.port)["id"] for _ in range(6)] in ([1, 2] * 3, [2, 1] * 3), True)
                with Clients(self.port) as clients:
                    clients.some_more()
                    self.ok("reload", "app")
                    clients.some_more()
                self.assertEqual(clients.failed, [])
                self.assertTrue({a["pid"] for a in self.workers().values()}.isdisjoint({a["pid"] for a in seen.values()}))
                self.ok("delete", "app")
                with self.assertRaises(OSError):
                    get(self.port)

    def test_ports_paths_and_datagrams(self):
        path, second = self.home + "/app.sock", free_port()
        self.apply({"app": self.app(self.port, second, path, f"udp:{second}", 0)})
        self.workers()
        self.workers(second)
        self.workers(path)
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        sockets = json.loads(self.ok("describe", "-o", "json", "app").out)[0]["balance"]["sockets"]
        self.assertEqual(len(sockets), 5)
        any_port = [int(s["listen"].rsplit(":", 1)[1]) for s in sockets if s["listen"].startswith(":") and str(self.port) not in s["listen"] and str(second) not in s["listen"]]
        self.workers(any_port[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(60)
            s.sendto(b"x", ("127.0.0.1", second))
            self.assertIn(json.loads(s.recv(1000))["id"], (1, 2))
        self.ok("stop", "app")
        self.assertFalse(os.path.exists(path))

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", self.port)):
            self.apply({"app": self.app(self.port, free_port(), env={"HOST": "127.0.0.1"}, instances=1)})
            wait_for("the program to be told", lambda: "EADDRINUSE" in self.ok("logs", "app").out)
            self.assertIn("cannot listen on", self.ok("events").out)

    def test_process_send_ready(self):
        self.apply({"app": self.app(ready={"by": "ipc", "timeout": "2m"}, env={"SAY_READY": "1"})})
        self.workers()

    def test_a_server_that_is_closed_gets_nothing(self):
        self.apply({"app": self.app()})
        self.workers()
        closed = get(self.port, "/close")["id"]
        wait_for("the other one alone", lambda: {get(self.port)["id"] for _ in range(6)} == {3 - closed})

    def test_a_worker_that_is_killed(self):
        self.apply({"app": self.app(restart={"when": "always", "delay": "10ms"})})
        seen = self.workers()
        os.kill(seen[1]["pid"], signal.SIGKILL)
        self.assertEqual(get(self.port)["id"] in (1, 2), True)
        wait_for("another", lambda: get(self.port)["pid"] not in (seen[1]["pid"], seen[2]["pid"]))

    def test_the_balancer_is_killed(self):
        self.apply({"app": self.app()})
        seen = self.workers()
        with Clients(self.port) as clients:
            clients.some_more()
            pid = self.row("app-balancer")["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for("the next one", lambda: self.row("app-balancer")["pid"] not in (None, pid))
            clients.some_more()
        self.assertEqual(clients.failed, [])
        self.assertEqual({a["pid"] for a in self.workers().values()}, {a["pid"] for a in seen.values()})
        self.ok("reload", "app-balancer")
        self.workers()

    def test_the_manager_is_killed(self):
        self.apply({"app": self.app()})
        seen = self.workers()
        with Clients(self.port) as clients:
            clients.some_more()
            os.kill(self.manager(), signal.SIGKILL)
            clients.some_more()
            self.ok("ping")
            self.assertEqual({a["pid"] for a in self.workers().values()}, {a["pid"] for a in seen.values()})
            self.ok("reload", "app")
            clients.some_more()
        self.assertEqual(clients.failed, [])

    def test_the_kernel_shares(self):
        self.apply({"app": self.app(cluster={"by": "node", "balance": "kernel"})})
        self.assertIn(get(self.port)["id"], (1, 2))
        self.ok("reload", "app")
        self.assertIn(get(self.port)["id"], (1, 2))

    def test_pm2_files(self):
        path = self.file("ecosystem.config.json", json.dumps({"apps": [{"name": "app", "script": APP, "args": [str(self.port)], "instances": 2, "exec_mode": "cluster",
                                                                        "listen_timeout": 120000}]}))
        self.ok("start", path)
        self.workers()

    def test_what_does_not_go_together(self):
        wrong = [(self.app(type="oneshot", ready={}), "cluster.by"), (self.app(sandbox={"network": "none"}), "sandbox.network"),
                 ({"command": "sleep 100", "ready": {"by": "listen"}}, "cluster.by: node")]
        for k, (spec, words) in enumerate(wrong):
            path = self.file(f"wrong{k}.json", json.dumps({"services": {"app": spec}}))
            self.assertIn(words, self.refused(2, "apply", "-f", path).err)
