"""Programs that people run, as people run them: nginx, haproxy in master-worker mode, redis."""
import os, shutil, socket, urllib.request

from kingly import *
from ports import free_port


class Real(Scenario):
    def program(self, name):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            if MUST_RUN:
                self.fail(f"{name} is not installed: make deps")
            self.skipTest(f"{name} is not installed: make deps")
        return path

    def get(self, port, path="/"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2 * PATIENCE) as r:
                return r.read().decode()
        except OSError:
            return None

    def kinds(self, selector):
        return [e["kind"] for e in self.events(selector)]

    # ---- nginx ----

    def nginx(self, port, text):
        """A master with a worker, in the foreground, without a file outside of the home."""
        for d in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            os.makedirs(os.path.join(self.home, "nginx", d), exist_ok=True)
        os.chmod(os.path.join(self.home, "nginx"), 0o777)
        temp = " ".join(f"{k}_temp_path {self.home}/nginx/{d};" for k, d in (("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"), ("scgi", "scgi")))
        conf = self.file("nginx.conf", f"""daemon off; worker_processes 1; pid {self.home}/nginx/pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{ access_log off; {temp} server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{text}"; }} }} }}""")
        return {"command": [self.program("nginx"), "-p", os.path.join(self.home, "nginx"), "-e", "stderr", "-c", conf], "stop": {"signal": "SIGQUIT", "timeout": "2m"},
                "reload": {"by": "signal"}, "probes": {"startup": {"http": {"port": port}, "period": "500ms", "failure": 120},
                           "readiness": {"http": {"port": port, "path": "/", "body": text[0]}, "period": "200ms", "timeout": "5s"}}}

    def test_nginx_by_http_and_hup(self):
        port = free_port()
        self.start_daemon()
        self.apply({"nginx": self.nginx(port, "one")})
        row = self.until("nginx", state="running", ready=True)
        self.assertEqual(self.get(port), "one")
        self.nginx(port, "other")
        self.ok("reload", "nginx")
        wait_for("the other text", lambda: self.get(port) == "other")
        self.assertEqual(self.pid("nginx"), row["pid"], "the master lives on")
        self.until("nginx", ready=True)
        self.nginx(port, "bad")
        self.ok("reload", "nginx")
        self.until("nginx", ready=False, state="running", restarts=0)
        self.assertIn("does not hold", self.row("nginx")["status"])
        self.ok("stop", "nginx")
        self.assertEqual(self.row("nginx")["exit"]["code"], 0, "SIGQUIT is nginx's word for a good end")

    # ---- haproxy ----

    def haproxy(self, port, stats, backend):
        conf = self.file("haproxy.cfg", f"""
global
    stats socket {self.home}/haproxy.sock mode 600
    log stdout format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port}
    default_backend b
frontend s
    bind 127.0.0.1:{stats}
    stats enable
    stats uri /stats
backend b
    server one 127.0.0.1:{backend}
""")
        return {"command": [self.program("haproxy"), "-Ws", "-f", conf], "ready": {"by": "notify", "timeout": "10m"}, "stop": {"signal": "SIGUSR1", "scope": "main", "timeout": "10s"},
                "probes": {"liveness": {"http": {"port": stats, "path": "/stats", "body": "Statistics Report for HAProxy"}, "period": "300ms", "timeout": "60s", "failure": 20},
                           "readiness": {"unix": os.path.join(self.home, "haproxy.sock"), "period": "300ms", "timeout": "10s"}}}

    def test_haproxy_in_front_of_nginx(self):
        """-Ws says READY=1 when its workers are there, RELOADING=1 and READY=1 at SIGUSR2; it comes after what it stands in front of."""
        back, port, stats = free_port(), free_port(), free_port()
        self.start_daemon()
        self.apply({"nginx": self.nginx(back, "one"), "haproxy": self.haproxy(port, stats, back) | {"depends_on": {"nginx": "ready"}}})
        row = self.until("haproxy", state="running", ready=True)
        self.assertEqual(self.get(port), "one")
        self.assertIn("Statistics Report for HAProxy", self.get(stats, "/stats"))
        self.ok("signal", "USR2", "haproxy")
        wait_for("the reload to be told", lambda: "reloaded" in self.kinds("haproxy"))
        row2 = self.until("haproxy", state="running", ready=True)
        self.assertEqual((row2["pid"], row2["restarts"]), (row["pid"], 0))
        wait_for("an answer", lambda: self.get(port) == "one")       # the worker that goes resets what it has not accepted
        probes = json.loads(self.ok("describe", "-o", "json", "haproxy").out)[0]["instances"][0]["probes"]
        wait_for("its probes' answers", lambda: all(p["verdict"] == "good" for p in
                 json.loads(self.ok("describe", "-o", "json", "haproxy").out)[0]["instances"][0]["probes"]))
        self.assertEqual({p["kind"] for p in probes}, {"readiness", "liveness"})
        self.replace_manager()
        self.assertTrue(self.row("haproxy")["ready"])
        wait_for("an answer", lambda: self.get(port) == "one")
        self.ok("stop", "haproxy")

    # ---- redis ----

    def test_redis_by_its_own_client(self):
        """Readiness by notify, then by a command: paused, it is not ready; it says so itself by a status other than 0."""
        port = free_port()
        cli = [self.program("redis-cli"), "-p", str(port)]
        self.start_daemon()
        self.apply({"db": {"command": [self.program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.home, "--supervised", "systemd"],
                           "ready": {"by": "notify", "timeout": "10m"},
                           "probes": {"readiness": {"exec": [*cli, "-e", "--raw", "set", "probe", "1"], "period": "200ms", "timeout": "10s", "failure": 1},
                                      "liveness": {"tcp": {"port": port}, "period": "300ms"}}}})
        row = self.until("db", state="running", ready=True)
        subprocess.run([*cli, "config", "set", "min-replicas-to-write", "1"], check=True, capture_output=True)
        self.until("db", ready=False, state="running")
        self.assertIn("NOREPLICAS", self.row("db")["status"])
        subprocess.run([*cli, "config", "set", "min-replicas-to-write", "0"], check=True, capture_output=True)
        self.until("db", ready=True, pid=row["pid"], restarts=0)

    def test_redis_by_the_line_it_writes(self):
        port = free_port()
        self.start_daemon()
        self.apply({"db": {"command": [self.program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.home],
                           "ready": {"by": "log", "pattern": "Ready to accept connections", "timeout": "10m"}, "log": {"to": "file"}}})
        self.assertEqual(self.row("db")["state"], "running")
        with socket.create_connection(("127.0.0.1", port), 2 * PATIENCE):
            pass
