"""`cluster: {by: node}`: unmodified programs of Node share their ports; nothing is lost when they are reloaded, and the channels to them outlive managers, keepers
and balancers. KINGLY_NODES names further Nodes, each by the path of its program, with a blank between."""
import http.client, json, os, re, select, shutil, signal, socket, stat, subprocess, tempfile, threading, time
from kingly import PATIENCE, Scenario, alive, json_lines, wait_for
from ports import free_port
import test_keeper_death

HERE = os.path.dirname(__file__)
APP = os.path.join(HERE, "cluster_app.js")
NODES = [n for n in [shutil.which("node")] if n] + os.environ.get("KINGLY_NODES", "").split()


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def get(where, path="/"):
    """What a worker says of itself."""
    c = http.client.HTTPConnection("127.0.0.1", where, timeout=4 * PATIENCE) if isinstance(where, int) else UnixConnection(where, timeout=4 * PATIENCE)
    try:
        c.request("GET", path, headers={"Connection": "close"})
        return json.loads(c.getresponse().read())
    finally:
        c.close()


class Clients:
    """Ask all the time, half of them (or none) on connections that they keep as long as they are let."""
    def __init__(self, port, n=6, keep=True):
        self.port, self.lock, self.done, self.answered, self.failed = port, threading.Lock(), threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.ask, args=[keep and k % 2 == 0]) for k in range(n)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for t in self.threads:
            t.join()

    def ask(self, keep):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=4 * PATIENCE)
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
                "ready": {"by": "listen", "timeout": "10m"}, "reload": {"min_ready": "10ms"}} | more

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
        sockets = self.described("app")["balance"]["sockets"]
        self.assertEqual(len(sockets), 5)
        any_port = [int(s["listen"].rsplit(":", 1)[1]) for s in sockets if s["listen"].startswith(":") and str(self.port) not in s["listen"] and str(second) not in s["listen"]]
        self.workers(any_port[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(4 * PATIENCE)
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
        self.apply({"app": self.app(ready={"by": "ipc", "timeout": "10m"}, env={"SAY_READY": "1"})})
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
        self.assertLessEqual(len(clients.failed), len(clients.threads), clients.failed)       # what it had accepted and not given on: at most one of each
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
                                                                        "listen_timeout": 600000}]}))
        self.ok("start", path)
        self.workers()

    def test_what_does_not_go_together(self):
        wrong = [(self.app(type="oneshot", ready={}), "cluster.by"), (self.app(sandbox={"network": "none"}), "sandbox.network"),
                 ({"command": "sleep 100", "ready": {"by": "listen"}}, "cluster.by: node")]
        for k, (spec, words) in enumerate(wrong):
            path = self.file(f"wrong{k}.json", json.dumps({"services": {"app": spec}}))
            self.assertIn(words, self.refused(2, "apply", "-f", path).err)


class Sockets(Common, Scenario):
    """`cluster: {by: sockets}`, which stands in where the protocol is not known: by Node's documented interface alone."""
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.path = self.home + "/app.sock"
        # As of a Node that asks its primary by another name.
        changed = self.file("changed.cjs", """const { send } = process;
            if (send) process.send = (m, ...rest) => send.call(process, m && m.act === 'queryServer' ? { ...m, act: 'askPrimary' } : m, ...rest);""")
        self.env = {"NODE_OPTIONS": "--require " + changed}

    def changed(self, node, **more):
        return self.app(self.port, self.path, node=node, env=self.env, **more)

    def by_sockets(self, node, balance):
        sockets = [{"listen": where, "balance": balance} for where in (f"127.0.0.1:{self.port}", self.path)]
        return self.changed(node, cluster={"by": "sockets"}, sockets=sockets)

    def pids(self):
        return {get(self.port)["pid"] for _ in range(6)} | {get(self.path)["pid"] for _ in range(6)}

    def test_a_node_with_another_protocol(self):
        for node in NODES:
            with self.subTest(node=node):
                self.kingctl("apply", "--no-wait", "-f", self.file("node.json", json.dumps({"services": {"app": self.changed(node)}})))
                wait_for("word of it", lambda: re.search('"askPrimary".*cluster: {by: sockets}', self.ok("events").out))
                self.apply({"app": self.by_sockets(node, "round-robin")})
                before = self.pids()
                self.assertEqual(len(before), 2)
                with Clients(self.port, keep=False) as clients:
                    clients.some_more()
                    self.ok("reload", "app")
                    clients.some_more()
                self.assertEqual(clients.failed, [])
                self.assertTrue(before.isdisjoint(self.pids()))
                self.ok("delete", "app")

    def test_what_is_not_among_them_is_as_it_was(self):
        other = free_port()
        spec = self.by_sockets(NODES[0], "kernel") | {"instances": 1}
        self.apply({"app": spec | {"command": [*spec["command"], str(other)]}})
        self.assertEqual({get(where)["id"] for where in (self.port, self.path, other)}, {0})
        self.assertIn("cluster.by: sockets", self.refused(2, "apply", "-f", self.file("none.json", json.dumps({"services": {"app": spec | {"sockets": []}}}))).err)


class Edges:
    """What workers of cluster_edges.js met, whoever is their primary, and what a client sees of them."""
    N = 4
    ASKED = ("a long word", "a handle", "done")     # the last facts of a worker

    def __init__(self, test, node, ports):
        self.test, self.node, self.ports = test, node, ports
        self.facts, path = os.path.join(test.home, "facts"), os.path.join(test.home, "socket")
        for left in (self.facts, path):
            if os.path.exists(left):
                os.unlink(left)
        self.arguments = [os.path.join(HERE, "cluster_edges.js"), self.facts, *map(str, ports), path]

    def of(self, fact):
        """{worker: value}"""
        return dict(sorted((f["id"], f["value"]) for f in json_lines(self.facts) if f["fact"] == fact))

    def told(self):
        return all(len(self.of(fact)) == self.N for fact in self.ASKED)

    def plain(self, fact, values):
        """Ports that any one could have been say only whether the workers share them."""
        if all(isinstance(v, int) and v > 1024 and v not in self.ports for v in values):
            return ["one for all" if len(set(values)) == 1 else "one for each" if len(set(values)) == len(values) else values]
        return values[:1] if all(v == values[0] for v in values) else sorted(values, key=json.dumps)

    def outcome(self):
        return {fact: self.plain(fact, list(self.of(fact).values())) for fact in {f["fact"] for f in json_lines(self.facts)}}

    def ask(self, fact, worker, path="/"):
        where = self.of(fact)[worker]
        return get(where, path)

    def answering(self, fact, worker=2):
        return {self.ask(fact, worker) for _ in range(3 * self.N)}

    def is_open(self):
        try:
            socket.create_connection(("127.0.0.1", self.ports[0])).close()
            return True
        except ConnectionRefusedError:
            return False

    def datagram(self, fact):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(4 * PATIENCE)
            s.sendto(b"x", ("127.0.0.1", self.of(fact)[2]))
            return int(s.recv(100)) in range(1, self.N + 1)

    def observe(self):
        with socket.create_server(("127.0.0.1", self.ports[3])), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", self.ports[3]))
            self.begin()
            wait_for("all workers to have tried all", self.told)
        seen = self.outcome() | {f"answers {fact}": self.answering(fact) for fact in ("shared", "any", "any again", "to be closed", "path")}
        seen |= {f"answers {fact}": self.datagram(fact) for fact in ("datagrams", "any datagrams")}
        for worker, act in enumerate(("disconnect", "leave", "kill"), 1):
            self.ask("own", worker, "/" + act)
        wait_for("the others to leave", lambda: 1 in self.of("process disconnect") and set(self.of("exit")) == {2, 3})
        wait_for("the last one alone", lambda: self.answering("shared", 4) == {4})
        seen |= {f"in the end: {fact}": self.of(fact) for fact in ("worker disconnect", "process disconnect", "exit")}
        seen["goes on with what is its own"] = self.ask("own", 1)
        self.ask("own", 4, "/disconnect")
        wait_for("the port to be closed", lambda: not self.is_open())
        return seen


class NodesOwn(Edges):
    def begin(self):
        self.process = subprocess.Popen([self.node, os.path.join(HERE, "cluster_primary.js"), str(self.N), *self.arguments], start_new_session=True)

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Kinglys(Edges):
    def begin(self):
        self.test.apply({"app": {"command": [self.node, *self.arguments], "instances": self.N, "cluster": {"by": "node"}, "ready": {"by": "listen", "timeout": "10m"},
                                 "restart": {"when": "never"}}})

    def end(self):
        self.test.ok("delete", "app")


class Twins(Common, Scenario):
    """What an unmodified program sees is what it sees under Node's own primary."""
    def test_as_under_nodes_own_primary(self):
        self.start_daemon()
        for node in NODES:
            with self.subTest(node=node):
                ports, seen = [free_port() for _ in range(4)], []
                for kind in (NodesOwn, Kinglys):
                    edges = kind(self, node, ports)
                    try:
                        seen.append(edges.observe())
                    finally:
                        edges.end()
                self.assertEqual(*("".join(f"{fact}: {value}\n" for fact, value in sorted(s.items())) for s in seen), "first Node's own, then ours")

    def test_a_worker_that_dies_with_connections_that_it_has_not_accepted_yet(self):
        self.start_daemon()
        edges = Kinglys(self, NODES[0], [free_port() for _ in range(4)])
        edges.begin()
        wait_for("all workers", edges.told)
        edges.ask("own", 1, "/block")
        wait_for("it to hang", lambda: edges.of("blocks"))
        clients = [http.client.HTTPConnection("127.0.0.1", edges.ports[0], timeout=4 * PATIENCE) for _ in range(2 * edges.N)]
        for c in clients:
            c.request("GET", "/")
        waiting = {c.sock: c for c in clients}

        def answers():
            for s in select.select(list(waiting), [], [], 0)[0]:
                self.assertIn(waiting.pop(s).getresponse().read(), (b"2", b"3", b"4"))
            return len(waiting)

        wait_for("the others to answer", lambda: answers() <= 2)
        self.assertEqual(answers(), 2)
        os.kill(self.pid("app:0"), signal.SIGKILL)
        wait_for("all to be answered", lambda: answers() == 0)
