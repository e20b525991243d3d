"""Probes: what they ask, what their answers mean, and that they cost and leave nothing."""
import http.server, os, socket, ssl, subprocess, threading, time

from kingly import *
from ports import free_port

# A server that answers as a file in its directory says: the status, or no answer at all; it writes down who asks. It listens when the file `up` is there.
SERVER = r'''
import http.server, os, socket, sys, time
port, home = int(sys.argv[1]), sys.argv[2]
while not os.path.exists(os.path.join(home, "up")):
    time.sleep(0.01)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        word = open(os.path.join(home, "answer")).read().strip()
        if word == "hang":
            time.sleep(1000)
        self.send_response(int(word))
        self.end_headers()
        self.wfile.write(b"state: " + word.encode())
    do_HEAD = do_GET
    def log_message(self, *a):
        pass
class S(http.server.ThreadingHTTPServer):
    daemon_threads = True
S(("127.0.0.1", port), H).serve_forever()
'''


class Probes(Scenario):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.server = self.file("server.py", SERVER)
        self.answer("200")

    def answer(self, word):
        self.file("answer.new", word)
        os.rename(os.path.join(self.home, "answer.new"), os.path.join(self.home, "answer"))

    def web(self, **more):
        return {"command": [sys.executable, self.server, str(self.port), self.home]} | more

    def answer_here(self):
        """The answers come from this process, at once: where it is not the service's coming up that is looked at."""
        test = self
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                word = open(os.path.join(test.home, "answer")).read()
                self.send_response(int(word))
                self.end_headers()
                self.wfile.write(b"state: " + word.encode())
            def log_message(self, *a):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (server.shutdown(), thread.join(), server.server_close()))

    def http(self, **more):
        return {"http": {"port": self.port, "path": "/health"}, "period": "200ms", "timeout": "60s"} | more

    def probe(self, selector, kind):
        probes = self.described(selector)["instances"][0]["probes"]
        return next(p for p in probes if p["kind"] == kind)

    def kinds(self, *selectors):
        return [e["kind"] for e in self.events(*selectors)]

    def test_startup_decides_the_start(self):
        self.start_daemon()
        self.apply({"web": self.web(probes={"startup": self.http(failure=1000)}), "after": {"command": "sleep 1000", "depends_on": {"web": "ready"}}},
                   "--no-wait")
        self.until("web", state="starting", ready=False)
        wait_for("a refused connection", lambda: "refused" in ((self.probe("web", "startup")["last"] or {}).get("text") or ""))
        self.assertEqual(self.row("after")["state"], "waiting")
        self.file("up", "")
        self.until("web", state="running", ready=True)
        self.until("after", state="running")
        self.assertEqual(self.probe("web", "startup")["verdict"], "good")
        tries = self.probe("web", "startup")["tries"]
        time.sleep(0.5)
        self.assertEqual(self.probe("web", "startup")["tries"], tries, "it asks no more after its success")

    def test_startup_that_fails_is_a_failed_start(self):
        self.answer_here()
        self.answer("503")
        self.start_daemon()
        r = self.refused(1, "start", "--no-autostart", self.file("f.json", json.dumps({"services": {"web": {
            "command": "sleep 1000", "env": {"SCENARIO_HOME": self.home}, "restart": {"limit": 1, "delay": "10ms"}, "probes": {"startup": self.http(failure=2)}}}})))
        self.assertIn("startup probe failed: HTTP 503 Service Unavailable: state: 503", r.err)
        row = self.until("web", state="failed")
        self.assertEqual(row["exit"]["reason"], "probe")
        self.assertIn("probe-failed", self.kinds("web"))
        self.assertIn("HTTP 503", self.ok("status").out)

    def test_readiness_comes_and_goes(self):
        self.answer_here()
        self.answer("500")
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "probes": {"readiness": self.http(failure=2)}}, "after": {"command": "sleep 1000", "depends_on": {"web": "ready"}}}, "--no-wait")
        self.until("web", state="running", ready=False)
        wait_for("the reason", lambda: "HTTP 500" in (self.row("web")["status"] or ""))
        self.assertEqual(self.row("after")["state"], "waiting")
        self.assertIn("running but not ready", self.ok("status").out)
        pid = self.pid("web")
        self.answer("200")
        self.until("web", ready=True)
        self.until("after", state="running")
        self.answer("503")
        self.until("web", ready=False, state="running")
        self.assertEqual(self.row("web")["pid"], pid, "readiness restarts nothing")
        self.assertEqual(self.row("after")["state"], "running", "what runs is not stopped by it")
        self.answer("200")
        self.until("web", ready=True)
        self.assertIn("unready", self.kinds("web"))
        self.assertEqual(self.row("web")["restarts"], 0)

    def test_readiness_decides_where_it_is_asked_to(self):
        self.answer_here()
        self.answer("500")
        self.start_daemon()
        service = {"command": "sleep 1000", "ready": {"by": "probe", "timeout": "1s"}, "restart": {"limit": 1, "delay": "10ms"}, "probes": {"readiness": self.http()}}
        self.apply({"web": service}, "--no-wait")
        self.assertEqual(self.until("web", state="failed")["exit"]["reason"], "ready-timeout")
        self.answer("200")
        self.apply({"web": service | {"ready": {"by": "probe", "timeout": "10m"}}}, "--no-wait")
        self.ok("start", "web")
        self.assertTrue(self.row("web")["ready"])

    def test_liveness_restarts(self):
        self.start_daemon()
        self.file("up", "")
        self.apply({"web": self.web(restart={"delay": "10ms"}, probes={"startup": self.http(failure=1000, timeout="1s"), "liveness": self.http(failure=2, timeout="1s")})})
        first = self.pid("web")
        wait_for("a good answer", lambda: self.probe("web", "liveness")["verdict"] == "good")
        self.answer("hang")
        wait_for("another process", lambda: self.pid("web") not in (None, first))
        self.answer("200")
        row = self.until("web", state="running")
        self.assertEqual(row["exit"]["reason"], "probe")
        self.assertGreater(row["restarts"], 0)
        wait_for("a good answer", lambda: self.probe("web", "liveness")["verdict"] == "good")
        self.assertIn("no answer within 1s", self.probe("web", "liveness")["found_bad"]["text"])
        self.assertIn("no answer within 1s", self.ok("describe", "web").out)

    def test_a_policy_that_restarts_nothing_keeps_to_it(self):
        self.start_daemon()
        self.apply({"web": self.web(restart={"when": "never"}, probes={"liveness": self.http(failure=1)})})
        self.assertEqual(self.until("web", state="failed")["exit"]["reason"], "probe")

    def test_a_command_and_its_whole_tree(self):
        """What a probe leaves behind at its timeout is killed, and never two are at work."""
        probe = self.script("probe", "#!/bin/sh\necho $$ >>$HOME_DIR/pids\necho asking; sleep 300 & sleep 301\n")
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "env": {"HOME_DIR": self.home},
                            "probes": {"readiness": {"exec": [probe], "timeout": "1s", "period": "200ms", "failure": 1}}}})
        wait_for("a timeout", lambda: "timed out after 1s: asking" in ((self.probe("web", "readiness")["last"] or {}).get("text") or ""))
        wait_for("more tries", lambda: len(open(os.path.join(self.home, "pids")).readlines()) >= 3)
        self.assertFalse(self.row("web")["ready"])
        self.ok("stop", "web")
        wait_for("nothing of the probes", lambda: len(self.ours()) <= 3)

    def test_a_command_by_its_status(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "cwd": self.home, "probes": {"readiness": {"exec": ["test", "-e", "there"], "period": "100ms", "timeout": "60s", "failure": 1}}}})
        self.until("web", ready=False)
        self.file("there", "")
        self.until("web", ready=True)
        os.unlink(os.path.join(self.home, "there"))
        self.until("web", ready=False)
        self.assertIn("exit code 1", self.row("web")["status"])

    def test_tcp_and_unix(self):
        path = os.path.join(self.home, "s")
        self.start_daemon()
        self.apply({"tcp": {"command": "sleep 1000", "probes": {"readiness": {"tcp": {"port": self.port}, "period": "100ms", "failure": 1}}},
                    "unix": {"command": "sleep 1000", "probes": {"readiness": {"unix": path, "period": "100ms", "failure": 1}}}})
        wait_for("both refused", lambda: "connection refused" in (self.row("tcp")["status"] or "") and "no such socket" in (self.row("unix")["status"] or ""))
        with socket.create_server(("127.0.0.1", self.port), backlog=100), socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen(100)
            self.until("tcp", ready=True)
            self.until("unix", ready=True)
        self.until("tcp", ready=False)
        self.until("unix", ready=False)

    def test_headers_codes_and_body(self):
        self.answer_here()
        self.answer("401")
        self.start_daemon()
        probe = {"port": self.port, "codes": [401], "body": "state: 401", "headers": {"X-Probe": "1", "Host": "shop.example"}}
        self.apply({"web": {"command": "sleep 1000", "ready": {"by": "probe"}, "probes": {"readiness": {"http": probe, "period": "100ms", "timeout": "60s"}}}})
        self.assertTrue(self.row("web")["ready"])
        self.answer("402")
        self.until("web", ready=False)

    def answer_once(self, listener, answer):
        """Reads the whole call of a gRPC client and gives an answer; returns what was read."""
        c, _ = listener.accept()
        with c:
            data = b""
            while b"Health/Check" not in data or len(data) < 140:
                got = c.recv(4096)
                if not got:
                    break
                data += got
            c.sendall(answer)
            c.settimeout(5)
            try:
                while c.recv(4096):
                    pass
            except OSError:
                pass
        return data

    def test_grpc(self):
        settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        says = lambda status: settings + bytes([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88, 0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 8, status])
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            state = {"status": 2, "on": True, "seen": b""}
            listener.settimeout(0.2)
            def serve():
                while state["on"]:
                    try:
                        state["seen"] = self.answer_once(listener, says(state["status"]))
                    except OSError:             # nobody, or one who has gone by now
                        pass
            thread = threading.Thread(target=serve)
            thread.start()
            try:
                self.start_daemon()
                self.apply({"web": {"command": "sleep 1000",
                                    "probes": {"readiness": {"grpc": {"port": self.port, "service": "shop.v1.Cart"}, "period": "100ms", "timeout": "60s", "failure": 1}}}})
                wait_for("the answer", lambda: "NOT_SERVING" in (self.row("web")["status"] or ""))
                state["status"] = 1
                self.until("web", ready=True)
                self.assertIn(b"shop.v1.Cart", state["seen"])
            finally:
                state["on"] = False
                thread.join()

    def test_a_new_manager_goes_on(self):
        """What was ready stays ready, and is still asked."""
        self.answer_here()
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "probes": {"startup": self.http(), "readiness": self.http(failure=1, period="300ms"), "liveness": self.http(failure=1000)}}})
        pid = self.until("web", ready=True)["pid"]
        self.write_books()
        self.replace_manager()
        row = self.row("web")
        self.assertTrue(row["ready"], row)
        self.assertEqual(self.probe("web", "startup")["verdict"], "good", "a startup probe that has succeeded is not asked again")
        self.answer("500")
        self.until("web", ready=False)
        self.replace_manager()
        self.until("web", ready=False)      # at once, where it was written before the old one ended
        self.answer("200")
        self.until("web", ready=True, pid=pid, restarts=0)

    def test_changed_while_it_runs(self):
        self.answer_here()
        self.start_daemon()
        plain = {"command": "sleep 1000"}
        self.apply({"web": dict(plain)})
        pid = self.pid("web")
        self.apply({"web": plain | {"probes": {"readiness": self.http(failure=1)}}})
        wait_for("an answer", lambda: self.probe("web", "readiness")["verdict"] == "good")
        self.answer("500")
        self.until("web", ready=False, pid=pid)
        self.apply({"web": dict(plain)})
        self.until("web", ready=True, pid=pid)

    def test_a_rolling_reload_waits_for_readiness(self):
        """A new one that runs but is not ready takes nobody's place."""
        self.answer_here()
        self.start_daemon()
        web = {"command": "sleep 1000", "instances": 2, "reload": {"by": "rolling"}, "probes": {"readiness": self.http(failure=100000)}}
        self.apply({"web": web | {"ready": {"timeout": "10m"}}})
        for n in (0, 1):
            self.until(f"web:{n}", ready=True)
        old = {r["pid"] for r in self.list("web")}
        self.ok("reload", "web")
        new = {r["pid"] for r in self.list("web")}
        self.assertFalse(old & new)
        self.apply({"web": web | {"ready": {"timeout": "1s"}}})
        self.answer("500")
        self.refused(1, "reload", "web")
        wait_for("the new one to be gone", lambda: {r["pid"] for r in self.list("web")} == new)
        self.assertEqual({r["ready"] for r in self.list("web")}, {True})

    def test_what_does_not_speak_http(self):
        self.start_daemon()
        with socket.create_server(("127.0.0.1", self.port), backlog=100) as listener:
            def greet():
                try:
                    while True:
                        listener.accept()[0].sendall(b"220 mail ESMTP\r\n")
                except OSError:
                    pass
            threading.Thread(target=greet, daemon=True).start()
            self.apply({"web": {"command": "sleep 1000", "probes": {"readiness": {"http": {"port": self.port}, "timeout": "60s", "failure": 1}}}})
            wait_for("the reason", lambda: "does not speak HTTP" in (self.row("web")["status"] or ""))

    def test_deploy_faults_and_crash_loops(self):
        """What never got ready is told from what works and crashes."""
        self.start_daemon()
        self.file("up", "")
        crash = {"startup": self.http(failure=1000)}
        self.apply({"never": {"command": "sh -c 'exit 1'", "ready": {"by": "notify"}, "restart": {"delay": "10ms", "max_delay": "10ms", "limit": 3}},
                    "loop": {"command": "sh -c 'sleep 0.05; exit 1'", "restart": {"delay": "60s", "max_delay": "60s"}},
                    "web": self.web(probes=crash, restart={"delay": "60s", "max_delay": "60s"})}, "--no-wait")
        self.until("never", state="failed", trouble="never-ready")
        self.until("loop", state="waiting", trouble=None)
        self.ok("start", "loop", "--no-wait")
        os.kill(self.until("web", state="running")["pid"], 9)
        self.until("web", state="waiting", trouble=None)
        self.assertIn("not once ready in 4 attempts", self.ok("status").out)
        self.assertTrue(any("3 attempts in a row, not once ready" in e["message"] for e in self.events("never")))
        self.apply({"loop": {"command": "sh -c 'sleep 0.05; exit 1'", "restart": {"delay": "100ms", "max_delay": "60s", "factor": 100}}}, "--no-wait", "--prune")
        self.until("loop", state="waiting", trouble="crash-loop")
        self.assertIn("a crash loop", self.ok("status", "loop").out)


class Tls(Scenario):
    """The same server behind TLS, with a certificate that is its own authority."""
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.answer("200")
        self.certificate, key = os.path.join(self.home, "cert.pem"), os.path.join(self.home, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=shop.example",
                        "-addext", "subjectAltName=DNS:shop.example", "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.asked_for = []
        test = self
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                test.asked_for.append(self.headers["Authorization"])
                self.send_response(int(open(os.path.join(test.home, "answer")).read()))
                self.end_headers()
                self.wfile.write(b"well")
            def log_message(self, *a):
                pass
        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *a):
                pass               # who verifies hangs up
        server = Server(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (server.shutdown(), thread.join(), server.server_close()))
        self.start_daemon()

    answer, probe = Probes.answer, Probes.probe

    def https(self, **more):
        return {"http": {"port": self.port, "path": "/health", "scheme": "https"} | more, "period": "200ms", "timeout": "20s"}

    def last(self):
        return (self.probe("web", "readiness")["last"] or {}).get("text") or ""

    def web(self, probe):
        self.apply({"web": {"command": "sleep 1000", "probes": {"readiness": probe}}}, "--no-wait")

    def test_anyones_certificate_will_do(self):
        self.web(self.https(body="well", headers={"Authorization": "Bearer hush"}))
        self.until("web", ready=True)
        self.assertEqual(self.last(), "HTTP 200 OK")
        self.assertEqual(set(self.asked_for), {"Bearer hush"})
        self.answer("503")
        self.until("web", ready=False)
        wait_for("the answer", lambda: "HTTP 503" in self.last())

    def test_verified(self):
        self.web(self.https(verify=True, headers={"Host": "shop.example"}))
        wait_for("a refusal", lambda: "its certificate is not valid: self" in self.last())
        self.web(self.https(verify=True, ca=self.certificate, headers={"Host": "other.example"}))
        wait_for("a refusal", lambda: "hostname mismatch" in self.last().lower())
        self.web(self.https(verify=True, ca=self.certificate, headers={"Host": "shop.example:8443"}))
        self.until("web", ready=True)

    def test_what_cannot_be_asked(self):
        self.web(self.https(verify=True, ca="/nowhere.pem"))
        wait_for("a refusal", lambda: "http.ca: /nowhere.pem" in self.last())
        with socket.create_server(("127.0.0.1", 0)) as plain:
            self.web(self.https(port=plain.getsockname()[1]))
            def answered():
                plain.settimeout(0.1)
                try:
                    plain.accept()[0].sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                except OSError:             # nobody, or one who has gone by now
                    pass
                return "no TLS connection" in self.last()
            wait_for("a refusal", answered)
        for keys, message in (("verify: true", "only with http.scheme: https"), ("scheme: https, ca: /x", "only with http.verify: true"),
                              ("scheme: ftp", "expected http or https")):
            r = self.kingctl("check", self.file("bad.yaml", "services:\n  web: {command: x, probes: {readiness: {http: {port: 1, " + keys + "}}}}\n"))
            self.assertEqual(r.code, 2, r)
            self.assertIn(message, r.err + r.out)
