"""Balanced sockets: connections are spread over the instances, those that are not ready or go get none, and nothing is lost when programs that know nothing
of it are replaced; the balancer outlives its manager and its keeper, and its own death costs only what it had open."""
import collections, json, os, signal, socket, threading, time
from kingly import BIN, PATIENCE, Scenario, alive, install, wait_for
from ports import free_port
import test_keeper_death, test_reexec
from test_rolling import Load

SERVER = os.path.join(os.path.dirname(__file__), "balance_server.py")


class Answers(Load):
    """Clients on a connection of their own each time."""
    def ask_all_the_time(self, keep):
        while not self.done.is_set():
            try:
                error = None if len(get(self.port).split()) >= 2 else "a short answer"
            except (OSError, AssertionError) as e:
                error = repr(e)
            with self.lock:
                self.answered += not error
                if error:
                    self.failed.append(error)
            time.sleep(0.001)


def get(where, path="/", source=None):
    """What the server answers. where: a port, or the path of a socket."""
    s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    with s:
        s.settimeout(4 * PATIENCE)
        if source:
            s.bind((source, 0))
        s.connect(where if isinstance(where, str) else ("127.0.0.1", where))
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert " 200 " in head.splitlines()[0] if head else False, repr(answer)
    return body


class Talk:
    """A connection that stays open, to a server that echoes."""
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 4 * PATIENCE)
        self.file = self.s.makefile("rw")

    def say(self, text="x"):
        """(pid, instance) of who answers, or None when the connection is gone."""
        try:
            self.file.write(text + "\n")
            self.file.flush()
            words = self.file.readline().split()
        except OSError:
            return None
        return (int(words[0]), int(words[1])) if words else None

    def close(self):
        self.file.close()
        self.s.close()


class Common:
    def service(self, *arguments, balance="round-robin", socket={}, **more):
        return {"command": ["python3", "-IS", SERVER, self.home, *arguments], "instances": 3, "reload": {"min_ready": "10ms"},
                "sockets": [{"listen": f"127.0.0.1:{self.port}", "balance": balance} | socket]} | more

    def balance(self, service="web"):
        return self.described(service)["balance"]

    def backs(self, service="web"):
        return {b["instance"]: b for b in self.balance(service)["sockets"][0]["instances"]}

    def active(self):
        """Instances that get connections."""
        return {b["instance"] for b in self.balance()["sockets"][0]["instances"] if b["state"] == "active"}

    def up(self, n=3):
        wait_for("all instances behind the balancer", lambda: self.active() == set(range(n)))

    def spread(self, n, where=None, **more):
        return collections.Counter(int(get(where or self.port, **more).split()[1]) for _ in range(n))

    def balancer(self):
        return self.pid("web-balancer")

    def listens(self, pid):
        """Whether it has the socket open that clients connect to."""
        sockets = [l.split() for l in open("/proc/net/tcp").read().splitlines()[1:]]
        door = next(f"socket:[{s[9]}]" for s in sockets if int(s[1].split(":")[1], 16) == self.port and s[3] == "0A")

        def target(fd):
            try:
                return os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:       # closed as it was looked at
                return None
        return any(target(fd) == door for fd in os.listdir(f"/proc/{pid}/fd"))


class Balance(Common, Scenario):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.start_daemon()

    # ---- who gets what ----

    def test_round_robin(self):
        self.apply({"web": self.service()})
        self.up()
        self.assertEqual(self.spread(30), {0: 10, 1: 10, 2: 10})
        wait_for("the figures", lambda: (lambda front: (front["open"], front["total"]) == (0, 30))(self.balance()["sockets"][0]))     # old ones are shown while it is busy
        self.assertEqual([(b["open"], b["total"], b["failed"]) for b in self.backs().values()], [(0, 10, 0)] * 3)
        self.assertIn("30 in all", self.ok("describe", "web").out)
        self.assertIn("30 in all", self.ok("status", "web").out)
        self.assertEqual((self.balance()["service"], self.balance()["pid"]), ("web-balancer", self.balancer()))

    def test_weights(self):
        self.apply({"web": self.service(socket={"weights": [3, 1]}, instances=2)})
        self.up(2)
        self.assertEqual(self.spread(40), {0: 30, 1: 10})

    def test_random(self):
        self.apply({"web": self.service(balance="random")})
        self.up()
        counts = self.spread(120)
        self.assertEqual(set(counts), {0, 1, 2})
        self.assertGreater(min(counts.values()), 15, counts)

    def test_least_connections_spares_who_is_slow(self):
        slow = self.file("slow.0", "")
        self.apply({"web": self.service(balance="least-connections")})
        self.up()
        with Answers(self.port, clients=6) as load:
            wait_for("answers of both others", lambda: min(self.backs()[n]["total"] or 0 for n in (1, 2)) > 20)
            backs = self.backs()
            os.unlink(slow)
        self.assertEqual(load.failed, [])
        self.assertLessEqual(backs[0]["total"], 6, backs)      # one of each client at most, who waits for it

    def test_affinity(self):
        self.apply({"web": self.service(socket={"affinity": "source"})})
        self.up()
        sources = [f"127.0.0.{n}" for n in range(2, 22)]
        ask = lambda: {s: int(get(self.port, source=s).split()[1]) for s in sources}
        before = ask()
        self.assertEqual(ask(), before)
        self.assertGreater(len(set(before.values())), 1)
        gone = before[sources[0]]
        self.ok("stop", f"web:{gone}")
        self.assertEqual({s: i for s, i in ask().items() if before[s] != gone}, {s: i for s, i in before.items() if i != gone})
        self.ok("start", f"web:{gone}")
        self.up()
        self.assertEqual(ask(), before)
        self.ok("reload", "web")
        self.assertEqual(ask(), before)

    def test_proxy_protocol(self):
        self.file("proxied", "")
        for version in "v1", "v2":
            self.apply({"web": self.service(socket={"proxy_protocol": version}, instances=1)})
            self.up(1)
            words = get(self.port, source="127.0.0.9").split()
            self.assertEqual((words[2], words[3], words[4], words[6], words[7]), (version, "TCP4", "127.0.0.9", "127.0.0.1", str(self.port)), words)

    def test_unix_and_several(self):
        path = os.path.join(self.home, "web.sock")
        service = self.service(instances=2)
        service["sockets"].append({"listen": path, "balance": "least-connections"})
        service["sockets"].append(f"127.0.0.1:{(plain := free_port())}")
        self.apply({"web": service})
        self.up(2)
        self.assertEqual(self.spread(10), {0: 5, 1: 5})
        self.assertEqual(set(self.spread(10, where=path)), {0, 1})
        self.assertLessEqual(set(self.spread(10, where=plain)), {0, 1})
        private = os.path.join(self.home, "balance")
        self.assertEqual(len(os.listdir(private)), 2)
        self.assertEqual({os.stat(os.path.join(private, n)).st_mode & 0o777 for n in os.listdir(private)}, {0o600})
        self.ok("stop", "web")
        self.assertEqual(os.listdir(private), [])
        self.assertFalse(os.path.exists(path))

    # ---- health ----

    def test_who_is_not_ready_gets_none(self):
        probe = {"readiness": {"http": {"path": "/ready", "port": self.port}, "period": "100ms", "timeout": "1m", "failure": 1}}
        self.apply({"web": self.service(probes=probe)})
        self.up()
        self.file("unready.1", "")
        wait_for("it to be out", lambda: self.active() == {0, 2})
        self.assertEqual(set(self.spread(12)), {0, 2})
        os.unlink(os.path.join(self.home, "unready.1"))
        self.up()
        self.assertEqual(set(self.spread(12)), {0, 1, 2})

    def test_a_killed_instance_costs_what_it_had(self):
        self.apply({"web": self.service()})
        self.up()
        with Answers(self.port, clients=4) as load:
            wait_for("answers", lambda: load.answered > 50)
            for n in range(3):
                os.kill(self.pid(f"web:{n}"), signal.SIGKILL)
                self.until(f"web:{n}", restarts=1, state="running")
                so_far = load.answered
                wait_for("answers", lambda: load.answered > so_far + 50)
        print(f"3 killed: {load.answered} answered, {len(load.failed)} failed")
        self.assertLessEqual(len(load.failed), 3 * 4)          # each had at most what the four clients had open

    def test_clients_wait_for_the_only_one(self):
        self.apply({"web": self.service(instances=1)})
        self.up(1)
        with Answers(self.port) as load:
            wait_for("answers", lambda: load.answered > 20)
            for _ in range(3):
                self.ok("restart", "web")
        self.assertEqual(load.failed, [])

    # ---- replacing ----

    def test_no_request_fails_with_one_that_knows_nothing(self):
        self.apply({"web": self.service(instances=2)})
        self.up(2)
        with Answers(self.port) as load:
            wait_for("answers", lambda: load.answered > 50)
            for _ in range(int(os.environ.get("KINGLY_RELOADS", "5"))):
                before = {r["pid"] for r in self.list("web")}
                self.ok("reload", "web")
                self.assertFalse(before & {r["pid"] for r in self.list("web")})
        print(f"reloads: {load.answered} answered, {len(load.failed)} failed")
        self.assertEqual(load.failed, [])

    def test_one_that_ends_its_connections_itself(self):
        """A client that keeps its connections makes nobody wait, and loses nothing."""
        server = os.path.join(os.path.dirname(__file__), "rolling_server.py")
        self.apply({"web": self.service(instances=2, command=["python3", "-IS", server, self.home], ready={"by": "notify", "timeout": "10m"},
                                        reload={"drain": "signal", "drain_timeout": "10m", "min_ready": "10ms"})})
        with Load(self.port) as load:
            wait_for("answers", lambda: load.answered > 50)
            for _ in range(3):
                before = {r["pid"] for r in self.list("web")}
                self.ok("reload", "web")
                wait_for("the old ones to go", lambda: not before & {r["pid"] for r in self.list("web")})
        self.assertEqual(load.failed, [])

    def test_what_is_open_ends_before_the_instance_does(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talks = [Talk(self.port) for _ in range(2)]
        pid, at = talks[0].say()
        stop = threading.Thread(target=self.ok, args=("stop", f"web:{at}"))
        stop.start()
        wait_for("it to drain", lambda: self.backs()[at]["state"] == "draining")
        self.assertEqual([Talk(self.port).say()[1] for _ in range(4)], [1 - at] * 4)
        self.assertEqual(talks[0].say(), (pid, at))
        self.assertEqual(self.row(f"web:{at}")["state"], "stopping")
        talks[0].close()
        stop.join()
        self.assertFalse(alive(pid))
        self.assertEqual(talks[1].say()[1], 1 - at)
        # As long as drain_timeout, no longer.
        self.apply({"web": self.service("echo", instances=2, reload={"drain_timeout": "100ms"})})
        self.ok("stop", "web")
        self.assertIsNone(talks[1].say())

    def test_scale(self):
        self.apply({"web": self.service(instances=1)})
        self.up(1)
        with Answers(self.port) as load:
            self.ok("scale", "web", "4")
            self.up(4)
            seen = set()               # the other client has its share of each round
            wait_for("all four to answer", lambda: seen.update(self.spread(4)) or seen == {0, 1, 2, 3})
            self.ok("scale", "web", "2")
            wait_for("two to go", lambda: len(self.list("web")) == 2)
            self.assertEqual(self.active(), {0, 1})
        self.assertEqual(load.failed, [])

    def test_stop_closes_the_port(self):
        self.apply({"web": self.service()})
        self.up()
        balancer = self.balancer()
        self.ok("stop", "web")
        self.assertRaises(ConnectionRefusedError, get, self.port)
        self.assertFalse(alive(balancer))
        self.assertEqual({r["state"] for r in self.list()}, {"stopped"})
        self.ok("start", "web")
        self.up()
        self.assertEqual(len(self.spread(6)), 3)
        self.ok("delete", "web")
        self.assertEqual(self.list(), [])
        self.assertRaises(ConnectionRefusedError, get, self.port)

    def test_the_file_changes(self):
        self.apply({"web": self.service()})
        self.up()
        self.assertEqual(self.apply({"web": self.service()}).out.count("="), self.apply({"web": self.service()}).out.count("="))
        pids = {r["pid"] for r in self.list()}
        self.apply({"web": self.service()})
        self.assertEqual({r["pid"] for r in self.list()}, pids)
        self.apply({"web": self.service(balance="kernel")})
        wait_for("the balancer to go", lambda: {r["name"] for r in self.list()} == {"web"})
        self.assertEqual(len(get(self.port).split()), 2)
        self.apply({"web": self.service(balance="random")})
        self.up()
        self.assertEqual(len(get(self.port).split()), 2)

    def test_errors(self):
        for entry, words in ({"listen": 80, "balance": "random", "reuseport": True}, "one balancer listens"), \
                            ({"listen": 80, "balance": "random", "type": "udp"}, "only connections of tcp and unix-stream"), \
                            ({"listen": 80, "affinity": "source"}, "add balance"), ({"listen": 80, "balance": "random", "weights": [0]}, "weights"), \
                            ({"listen": 80, "balance": "fair"}, "round-robin"):
            path = self.file("bad.json", json.dumps({"services": {"a": {"command": "x", "sockets": [entry]}}}))
            self.assertIn(words, self.kingctl("apply", "-f", path).err)
        self.apply({"web-balancer": {"command": "sleep 1000"}})
        path = self.file("bad.json", json.dumps({"services": {"web": self.service()}}))
        self.assertIn("which is a service of its own", self.kingctl("apply", "-f", path).err)

    def test_export_leaves_it_out(self):
        self.apply({"web": self.service(instances=1)})
        r = self.ok("export", "systemd", "all")
        self.assertIn("web.socket", r.out)
        self.assertNotIn("balancer", r.out)
        self.assertIn("systemd has no balancer", r.err)

    # ---- deaths ----

    def test_the_manager_dies(self):
        self.apply({"web": self.service(instances=2)})
        self.up(2)
        balancer = self.balancer()
        with Answers(self.port) as load:
            for _ in range(3):
                so_far = load.answered
                wait_for("answers", lambda: load.answered > so_far + 20)
                self.replace_manager()
            self.ok("reload", "web")
            self.up(2)
        self.assertEqual(load.failed, [])
        self.assertEqual(self.balancer(), balancer)

    def test_the_manager_dies_while_one_drains(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk = Talk(self.port)
        pid, at = talk.say()
        self.ok("stop", "--no-wait", f"web:{at}")
        wait_for("it to drain", lambda: self.backs()[at]["state"] == "draining")
        self.replace_manager()
        self.assertEqual(self.backs()[at]["state"], "draining")
        self.assertEqual(talk.say(), (pid, at))
        talk.close()
        self.until(f"web:{at}", state="stopped")

    def test_the_balancer_dies(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk, balancer = Talk(self.port), self.balancer()
        self.assertTrue(talk.say())
        os.kill(balancer, signal.SIGKILL)
        self.assertIsNone(talk.say())
        talk = Talk(self.port)                     # waits in the queue of the socket
        self.assertTrue(talk.say())
        self.assertNotEqual(self.balancer(), balancer)
        self.assertEqual({r["restarts"] for r in self.list("web")}, {0})
        self.assertIn("balancer-died", {e["kind"] for e in self.events()})

    def test_the_balancer_dies_while_one_drains(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk = Talk(self.port)
        _, at = talk.say()
        self.ok("stop", "--no-wait", f"web:{at}")
        wait_for("it to drain", lambda: self.backs()[at]["state"] == "draining")
        os.kill(self.balancer(), signal.SIGKILL)
        self.until(f"web:{at}", state="stopped")   # nothing is left to wait for

    def test_another_balancer_takes_over(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk, old = Talk(self.port), self.balancer()
        before = talk.say()
        reload = threading.Thread(target=self.ok, args=("reload", "web-balancer"))
        reload.start()
        wait_for("the next one", lambda: any(r["pid"] not in (old, None) and not r["role"] for r in self.list("web-balancer")) and not self.listens(old))
        self.assertEqual(talk.say(), before)       # by the old one
        others = [Talk(self.port) for _ in range(4)]
        self.assertEqual({t.say()[1] for t in others}, {0, 1})
        self.assertTrue(alive(old))
        talk.close()
        reload.join()
        self.assertFalse(alive(old))
        self.assertTrue(all(t.say() for t in others))


class BalanceDeaths(Common, test_keeper_death.Deaths):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def test_the_keeper_dies(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk, balancer = Talk(self.port), self.balancer()
        before = talk.say()
        for _ in range(3):
            self.kill_keeper()
            self.assertEqual(talk.say(), before)
            self.assertEqual(self.balancer(), balancer)
            self.up(2)
        self.assertEqual({Talk(self.port).say()[1] for _ in range(4)}, {0, 1})
        self.ok("stop", "--no-wait", f"web:{before[1]}")
        wait_for("it to drain", lambda: self.backs()[before[1]]["state"] == "draining")
        talk.close()
        self.until(f"web:{before[1]}", state="stopped")
        self.ok("delete", "web")
        self.assertFalse(alive(balancer))


class BalanceUpgrade(Common, test_reexec.Upgrade):
    def begin(self):
        install(os.path.join(self.bin, "kingd-balancer"), os.path.join(BIN, "kingd-balancer"))
        self.port = free_port()
        super().begin()

    def test_the_daemon_is_executed_anew(self):
        self.apply({"web": self.service("echo", instances=2)})
        self.up(2)
        talk, old = Talk(self.port), self.balancer()
        before = talk.say()
        self.ok("reexec")
        self.assertEqual((talk.say(), self.balancer()), (before, old))
        self.install("kingd-balancer", of=None)
        self.ok("reexec")
        wait_for("another balancer", lambda: any(r["pid"] not in (old, None) and not r["role"] for r in self.list("web-balancer")) and not self.listens(old))
        self.assertEqual(talk.say(), before)       # by the old one, until its time is up
        self.assertEqual({Talk(self.port).say()[1] for _ in range(4)}, {0, 1})
        talk.close()
        wait_for("the old one to go", lambda: not alive(old) and len(self.list("web-balancer")) == 1)


for name in [n for n in dir(test_keeper_death.Deaths) if n.startswith("test_")]:
    setattr(BalanceDeaths, name, None)             # they are that file's

