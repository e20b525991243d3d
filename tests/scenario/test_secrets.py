"""Secrets are in no output: everything that kingctl can print, and every file of the daemon but those that must have them, is searched for planted
ones. The owner sees them who asks for them; who may only look never does."""
import inspect, json, os, subprocess

import client
from kingly import BIN, MUST_RUN, Scenario, wait_for

# Each is planted where another rule has to find it.
PASSWORD, URL, OPTION, NAMED, FILED, CHANGED, SAID = ("planted-" + word for word in ("password", "url", "option", "named", "filed", "changed", "said"))
SECRETS = (PASSWORD, URL, OPTION, NAMED, FILED, CHANGED, SAID)


class Secrets(Scenario):
    def service(self, **more):
        speak = self.script("speak.py", "import os, socket, sys, time\n"
                            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                            f"s.sendto(b'READY=1\\nSTATUS=connected with PASSWORD={SAID} to ' + os.environ['DATABASE_URL'].encode(), os.environ['NOTIFY_SOCKET'])\n"
                            "time.sleep(1000)\n")
        self.file("env", f"FROM_FILE_TOKEN={FILED}\nOPEN=shown-from-file\n", 0o600)
        return {"command": ["python3", speak, "--token", OPTION, "--url", f"redis://:{URL}@cache/0"], "ready": {"by": "notify"}, "secrets": ["DSN"],
                "env_file": [os.path.join(self.home, "env")],
                "env": {"DB_PASSWORD": PASSWORD, "DATABASE_URL": f"postgres://me:{URL}@db/shop", "DSN": NAMED, "OPEN": "shown", "KEY_FILE": "/a/path"}} | more

    def outputs(self):
        """Every verb that only looks, in every form."""
        words = [["list"], ["status"], ["status", "web"], ["describe", "web"], ["describe", "all"], ["env", "web"], ["tree"], ["events", "-n", "1000"], ["doctor"],
                 ["pid", "web"], ["logs", "web", "-n", "1000"], ["ping"], ["version"], ["apply", "-f", self.changed, "--diff"], ["check", self.bad],
                 ["apply", "-f", self.bad]]
        for format in ("table", "json", "jsonl"):
            for w in words:
                yield w, self.kingctl(*w, "-o", format)
        for w in ("list", "jlist", "prettylist", "describe web", "show web", "env 0", "env 1", "env 2", "id web", "logs --nostream --lines 100"):
            yield ["pm2", *w.split()], self.kingctl("pm2", *w.split())
        yield ["save"], self.kingctl("save")
        yield ["save", "-"], self.kingctl("save", "-", "-o", "json")
        for kind in ("systemd", "quadlet", "compose", "kubernetes"):
            yield ["export", kind], self.kingctl("export", kind, "all", "--image", "x")
        with client.Client(self.home) as c:
            for method in ("Describe", "Environment", "List", "Events", "Status"):
                parameters = {} if method in ("Events", "Status") else {"selectors": ["web"]}
                answer = c.call(method, parameters)
                yield [method], type("", (), {"out": json.dumps(answer), "err": ""})

    def search(self):
        for words, r in self.outputs():
            for secret in SECRETS:
                self.assertNotIn(secret, r.out + r.err, words)

    def test_no_output_has_them(self):
        self.start_daemon()
        self.apply({"web": self.service(), "dead": {"command": ["sh", "-c", "exit 3"], "restart": {"when": "never"}, "env": {"API_KEY": PASSWORD}},
                    "missing": {"command": ["/nonexistent/tool", f"--api-key={OPTION}"], "restart": {"when": "never"}}}, "--no-wait")
        self.until("web", state="running")
        wait_for("the failures", lambda: {self.row(s)["state"] for s in ("dead", "missing")} <= {"failed", "exited"})
        wait_for("its status", lambda: self.row("web")["status"])
        changed = self.service()
        changed["env"] |= {"DB_PASSWORD": CHANGED, "SCENARIO_HOME": self.home}
        self.changed = self.file("changed.json", json.dumps({"services": {"web": changed}}))
        self.environment["GIVEN_PASSWORD"] = PASSWORD
        self.bad = self.file("bad.yaml", f"services:\n  a:\n    command: x\n    instances: ${{GIVEN_PASSWORD}}\n    stop: {{signal: '${{GIVEN_PASSWORD}}'}}\n"
                             f"    env: [{PASSWORD}]\n")
        self.search()

        # They are hidden, not lost, and what is no secret is there.
        row = self.row("web")
        self.assertEqual(row["status"], "connected with PASSWORD=<hidden> to postgres://me:<hidden>@db/shop")
        env = self.ok("env", "web").out.splitlines()
        for line in ("DB_PASSWORD=<hidden>", "DATABASE_URL=postgres://me:<hidden>@db/shop", "DSN=<hidden>", "FROM_FILE_TOKEN=<hidden>", "OPEN=shown",
                     "KEY_FILE=/a/path"):
            self.assertIn(line, env)
        self.assertIn("what is hidden differs", self.ok("apply", "-f", self.changed, "--diff").out)
        self.assertIn("web: env.DB_PASSWORD is a secret and is left out", self.ok("export", "systemd", "web").err)
        processes = json.loads(self.ok("describe", "web", "-o", "json").out)[0]["instances"][0]["processes"]
        self.assertIn("--token <hidden> --url redis://:<hidden>@cache/0", processes[0]["command"])
        environ = open(f"/proc/{row['pid']}/environ").read()
        for secret in (PASSWORD, URL, NAMED, FILED):
            self.assertIn(secret, environ)

        # Who asks for them gets them.
        self.assertIn(f"DB_PASSWORD={PASSWORD}", self.ok("env", "web", "--show-secrets").out)
        self.assertIn(OPTION, self.ok("describe", "web", "--show-secrets").out)
        out = os.path.join(self.home, "units")
        os.mkdir(out)
        self.ok("export", "systemd", "web", "--show-secrets", "--directory", out)
        unit = os.path.join(out, "web.service")
        self.assertIn(PASSWORD, open(unit).read())
        self.assertEqual(os.stat(unit).st_mode & 0o777, 0o600)
        os.unlink(unit)

        # A file that is saved has them and is for its owner alone; what was printed cannot be taken for it.
        saved, printed = os.path.join(self.home, "saved.yaml"), self.file("printed.yaml", self.ok("save").out)
        self.ok("save", saved)
        self.assertIn(PASSWORD, open(saved).read())
        self.assertEqual(os.stat(saved).st_mode & 0o777, 0o600)
        self.assertIn("= 3 unchanged", self.ok("apply", "-f", saved, "--diff").out)
        r = self.refused(2, "apply", "-f", printed)
        self.assertRegex(r.err, "<hidden> stands there for a secret")
        os.unlink(saved)

        # The new manager has them of the store, and shows as little.
        self.replace_manager()
        self.search()
        self.ok("apply", "-f", self.changed)
        self.search()
        self.search_files()

    def search_files(self):
        """But for what people wrote, and the store, which has to start the services again: it is for its owner alone."""
        ours = {"apply.json", "changed.json", "bad.yaml", "env", "speak.py", "kingly.db", "kingly.db-wal", "kingly.db-shm"}
        for directory, _, names in os.walk(self.home):
            for name in names:
                path = os.path.join(directory, name)
                if name.startswith("kingly.db"):
                    self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
                if name in ours or not os.path.isfile(path):
                    continue
                data = open(path, "rb").read()
                for secret in SECRETS:
                    self.assertNotIn(secret.encode(), data, path)

    def test_who_may_look_never_sees_them(self):
        """The group kingly, in a mount namespace that has one."""
        groups = self.file("group", "root:x:0:\nkingly:x:65534:\n")
        wrapper = ["unshare", "-m", "sh", "-c", f'mount --bind {groups} /etc/group && exec "$@"', "sh"]
        if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0 and not MUST_RUN:
            self.skipTest("no mount namespace to be had, so no group to be made")
        self.daemon = subprocess.Popen([*wrapper, os.path.join(BIN, "kingd"), "--isolation", self.isolation], env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log, start_new_session=True)
        wait_for("kingd to answer", self.answers)
        self.apply({"web": self.service()})
        answers = self.as_looker("Describe", {"selectors": ["web"]})
        self.assertIn("<hidden>", answers)
        for secret in SECRETS:
            self.assertNotIn(secret, answers)
        for method in ("Describe", "Environment"):
            refused = self.as_looker(method, {"selectors": ["web"], "secrets": True})
            self.assertIn("not permitted", refused)
            for secret in SECRETS:
                self.assertNotIn(secret, refused)

    def as_looker(self, method, parameters):
        """By another user, who may not be able to read what is here."""
        code = (inspect.getsource(client) +
                f"\nimport sys\nc = Client({self.home!r})\nc.send({method!r}, json.loads(sys.argv[1]))\nprint(json.dumps(c.receive()))\n")
        r = subprocess.run(["python3", "-c", code, json.dumps(parameters)], cwd="/", user=65534, group=65534, extra_groups=[], capture_output=True, text=True,
                           env={"PATH": os.environ["PATH"]})
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout
