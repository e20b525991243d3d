"""A third life for the walk: a service behind kingd-balancer and one that kingd-probe asks, whose calls are the ones to fail. What they do for is left alone: no
instance ends that nobody ordered to; what a client or a probe did not get is told of; and with nothing done about it all is well again."""
import atexit, http.server, os, socket, ssl, subprocess, tempfile, threading
from world import PATIENCE, Broken, wait_for

SERVER = """
import socket, threading
def serve(c):
    wanted = c.recv(64)
    c.sendall(b"x" * int(wanted or 0))
    c.close()
listener = socket.socket(fileno=3)
listener.setblocking(True)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"""
SIZES = [1, 100, 300000] * 5           # bytes of an answer: the last does not fit into what a socket holds
PROBES = [{"readiness": {"failure": 1}}, {"liveness": {"failure": 3}}]
LOUD = {("kingd-balancer", 0): "balancer-died", ("kingd-balancer", 1): "balancer-died", ("kingd-probe", 0): "unready"}     # what a death is told by


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Tls(http.server.ThreadingHTTPServer):
    """For the probes of all worlds, until this program ends; a certificate that any probe takes which does not verify."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Quiet)
        with tempfile.TemporaryDirectory() as place:
            key, certificate = os.path.join(place, "key"), os.path.join(place, "certificate")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-keyout", key,
                            "-out", certificate], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        atexit.register(self.shutdown)

    def handle_error(self, *_):
        pass                           # one that hung up


class Balanced:
    """To be mixed into a world."""
    tls, beginning = None, threading.Lock()

    def tls_port(self):
        with Balanced.beginning:
            Balanced.tls = Balanced.tls or Tls()
        return Balanced.tls.server_port

    def balanced_services(self):
        with open(self.path("balanced.py"), "w") as f:
            f.write(SERVER)
        faulty = {n: self.environment[n] for n in ("LD_PRELOAD", "KINGLY_FAULT_BOARD", "ASAN_OPTIONS")} | {"SCENARIO_HOME": self.home}
        probe = {"http": {"scheme": "https", "port": self.tls_port()}, "period": "100ms", "timeout": "20s"}
        return {"web": {"command": ["python3", self.path("balanced.py")], "instances": 2, "env": {"SCENARIO_HOME": self.home}, "log": {"to": "none"},
                        "sockets": [{"listen": self.path("balanced.sock"), "balance": "round-robin"}], "reload": {"drain_timeout": "2s"}},
                "web-balancer": {"command": "kingd-balancer", "balances": "web", "env": faulty, "restart": {"delay": "10ms"}},
                "probed": self.witness(5, env=faulty, probes={kind: probe | more for kind, more in PROBES[self.odd()].items()})}

    def odd(self):
        """Each world has one of the two probes."""
        return self.board.armed[2] % 2

    def request(self, size):
        """Whether the whole answer came. Who is told nothing, not even an end, hangs."""
        got = 0
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.path("balanced.sock"))
            try:
                s.sendall(b"%d" % size)
                while chunk := s.recv(65536):
                    got += len(chunk)
            except TimeoutError:
                raise Broken(f"a client of {size} bytes hangs with {got}") from None
            except OSError:
                return False
        return got == size

    def front(self):
        return ((self.json("describe", "web")[0]["balance"] or {}).get("sockets") or [{}])[0]

    def heard_of(self, *kinds):
        return [e for e in self.jsonl("events", "-n", "1000") if e["kind"] in kinds]

    def trouble_is_told(self):
        return self.front().get("failed") or self.heard_of("balancer-died", "balance-trouble") or self.insist("logs", "web-balancer").out.strip()

    def talk(self):
        """Some requests; if any failed, there is something to be found of it, when the manager has heard."""
        failed = [size for size in SIZES if not self.request(size)]
        if failed:
            wait_for(f"anything to be told of requests of {failed} bytes that failed", self.trouble_is_told)
        return failed

    def well(self):
        front, (probe,) = self.front(), self.json("describe", "probed")[0]["instances"][0]["probes"]
        backs = front.get("instances") or []
        self.request(1)                # trouble is over when one has got through
        return len(backs) == 2 and all(b["state"] == "active" and not b["trouble"] for b in backs) and not front["trouble"] and \
            (probe["verdict"], probe["failures"]) == ("good", 0)

    def mains(self):
        return {f"{r['name']}:{r['instance']}": r["pid"] for r in self.json("list", "web", "probed")}

    def live_balanced(self):
        self.begin()
        self.apply(self.balanced_services())
        self.expected |= {"probed.0": True}
        self.talkative.add("web-balancer.0")
        wait_for("all to be well", self.well)
        before, early = self.mains(), self.board.fired
        self.talk()
        self.insist("restart", "web:1")
        wait_for("all to be well again", self.well)
        self.talk()
        after = self.mains()
        if {k for k in before if before[k] != after.get(k)} != {"web:1"}:
            raise Broken(f"other processes than that of web:1, which was restarted: {before} before, {after} after")
        wait_for("all to be well in the end", lambda: self.well() and not self.talk())
        victim, _, _, what = self.board.armed
        loud = LOUD.get((victim, self.odd())) if what == "kill" and self.board.fired and not early else None
        if loud:
            wait_for(f"an event {loud} that tells of {victim}, which was killed", lambda: self.heard_of(loud))
        self.settle()
        self.expected = {"probed.0": False}
        self.insist("stop", "all", ends=["probed.0"])
        self.settle()
        self.judge()
        if os.path.exists(self.path("balanced.sock")):
            raise Broken("the socket of a stopped service is left")
        self.shut_down()
