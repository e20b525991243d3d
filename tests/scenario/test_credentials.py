"""Credentials: files in memory, for the service's user alone, from a start to its end; never anywhere else."""
import json, os, signal, stat

from kingly import Scenario, environment_of, wait_for

CONTENT, TEXT = "planted-content\n", "planted-text"
# Writes down what it finds, then stays.
LOOK = """import json, os, sys, time
d = os.environ["CREDENTIALS_DIRECTORY"]
names = sorted(os.listdir(d))
found = {"directory": d, "mode": os.stat(d).st_mode & 0o7777, "owner": os.stat(d).st_uid, "uid": os.getuid(),
         "files": {n: [open(os.path.join(d, n)).read(), os.stat(os.path.join(d, n)).st_mode & 0o7777, os.stat(os.path.join(d, n)).st_uid] for n in names}}
with open(sys.argv[1] + ".new", "w") as f: json.dump(found, f)
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
"""


class Credentials(Scenario):
    def setUp(self):
        super().setUp()
        self.secret = self.file("db_password", CONTENT, 0o600)
        self.look = self.script("look.py", LOOK)
        self.found_directory = os.path.join(self.home, "found")
        os.mkdir(self.found_directory)
        os.chmod(self.found_directory, 0o777)

    def service(self, name="a", **more):
        return {"command": ["python3", self.look, os.path.join(self.found_directory, name)],
                "credentials": {"db_password": self.secret, "note": {"text": TEXT}, "maybe": "-" + os.path.join(self.home, "missing")}} | more

    def tearDown(self):
        """Nothing is left where they were."""
        if self.daemon:
            where = next(c["message"] for c in json.loads(self.ok("doctor", "-o", "json").out) if c["name"] == "credentials").split(": ")[1].split(" (")[0]
            self.stop_daemon()
            self.assertFalse(os.path.exists(where), where)

    def found(self, name="a"):
        path = os.path.join(self.found_directory, name)
        found = json.loads(open(wait_for(f"what {name} found", lambda: os.path.exists(path) and path)).read())
        os.unlink(path)
        return found

    def test_as_root_for_another_user(self):
        if os.getuid() != 0:
            self.not_applicable("only root gives files to others")
        self.start_daemon()
        self.apply({"a": self.service(user="65534")})
        found = self.found()
        self.assertEqual((found["uid"], found["owner"], found["mode"]), (65534, 65534, 0o500))
        self.assertEqual(found["files"], {"db_password": [CONTENT, 0o400, 65534], "note": [TEXT, 0o400, 65534]})

    def test_a_user_s_own_daemon(self):
        if os.getuid() != 0:
            self.not_applicable("needs root to become another user")
        self.start_daemon_as(65534)
        os.chown(self.secret, 65534, 65534)
        self.apply({"a": self.service()})
        found = self.found()
        self.assertEqual((found["uid"], found["owner"], found["mode"]), (65534, 65534, 0o500))
        self.assertEqual(found["files"]["db_password"], [CONTENT, 0o400, 65534])
        self.ok("restart", "a")
        again = self.found()["directory"]
        self.assertFalse(os.path.exists(found["directory"]))
        self.ok("stop", "a")
        wait_for("the files to go", lambda: not os.path.exists(again))
        # What it may not read itself it cannot give.
        os.chown(self.secret, 0, 0)
        r = self.kingctl("start", "a")
        self.assertEqual(r.code, 1, r)
        self.assertIn("Permission denied", r.err)
        self.assertIn("kingd must be able to read it", self.row("a")["hint"])

    def test_life(self):
        self.start_daemon()
        self.apply({"a": self.service(instances=2, command=["sh", "-c", f"exec python3 {self.look} {self.found_directory}/$KINGLY_INSTANCE"])})
        found, other = self.found("0"), self.found("1")
        self.assertNotEqual(found["directory"], other["directory"])
        self.assertEqual({n: f[:2] for n, f in found["files"].items()}, {"db_password": [CONTENT, 0o400], "note": [TEXT, 0o400]})

        # Another manager: they stay, and are still removed with the run.
        self.replace_manager()
        self.assertEqual(sorted(os.listdir(found["directory"])), ["db_password", "note"])
        # Read anew at each start.
        self.file("db_password", "changed", 0o600)
        os.kill(self.pid("a:0"), signal.SIGKILL)
        self.assertEqual(self.found("0")["files"]["db_password"][0], "changed")
        self.ok("stop", "a:0")
        wait_for("the files to go", lambda: not os.path.exists(found["directory"]))
        self.assertTrue(os.path.exists(other["directory"]))

        # What a manager left that died before it could remove them is removed by the next.
        base = os.path.dirname(os.path.dirname(other["directory"]))
        left = os.path.join(os.path.dirname(other["directory"]), "0123456789abcdef0123456789abcdef")
        os.mkdir(left, 0o700)
        open(os.path.join(left, "x"), "w").close()
        self.replace_manager()
        wait_for("the remains to go", lambda: not os.path.exists(left))
        self.assertTrue(os.path.exists(other["directory"]))
        self.stop_daemon()
        self.assertFalse(os.path.exists(base), base)

    def test_hooks_have_them_from_the_first_to_the_last(self):
        self.start_daemon()
        note = lambda word: ["sh", "-c", f'echo {word} $(cat $CREDENTIALS_DIRECTORY/db_password) >> {self.found_directory}/hooks']
        self.apply({"a": self.service(hooks={"pre_start": note("before"), "post_stop": note("after")})})
        directory = self.found()["directory"]
        self.file("db_password", "second", 0o600)
        self.ok("restart", "a")
        self.assertEqual(self.found()["files"]["db_password"][0], "second")
        self.ok("stop", "a")
        lines = open(os.path.join(self.found_directory, "hooks")).read().splitlines()
        self.assertEqual(lines, [f"before {CONTENT.strip()}", f"after {CONTENT.strip()}", "before second", "after second"])
        wait_for("the files to go", lambda: not os.path.exists(directory))

    def test_two_generations_have_their_own(self):
        """In a rolling reload the old one drains beside the new one, with the same index."""
        self.start_daemon()
        # By itself: a program that it began now would be asked to end as well.
        last = f'read -r x < $CREDENTIALS_DIRECTORY/db_password; echo $x >> {self.found_directory}/last; exit 0'
        trapped = os.path.join(self.found_directory, "trapped")
        self.apply({"a": self.service(command=["sh", "-c", f"trap '{last}' TERM; : > {trapped}; while :; do sleep 0.1; done"], reload={"by": "rolling"})})
        directory = lambda: environment_of(self.pid("a"))["CREDENTIALS_DIRECTORY"]
        wait_for("its trap", lambda: os.path.exists(trapped))
        old = directory()
        self.file("db_password", "second\n", 0o600)
        self.ok("reload", "a")
        new = directory()
        self.assertNotEqual(old, new)
        self.assertEqual(open(os.path.join(new, "db_password")).read(), "second\n")
        wait_for("the old one to be gone with its files", lambda: not os.path.exists(old))
        self.assertEqual(open(os.path.join(self.found_directory, "last")).read(), CONTENT)
        # A kill without a delay passes through no rest; still only one directory is there.
        self.apply({"a": self.service(command=["sleep", "1000"], restart={"delay": "0"})})
        for _ in range(3):
            pid = self.pid("a")
            os.kill(pid, signal.SIGKILL)
            wait_for("another", lambda: (r := self.row("a"))["state"] == "running" and r["pid"] != pid)
        self.assertEqual(os.listdir(os.path.dirname(directory())), [os.path.basename(directory())])
        self.ok("stop", "a")
        wait_for("the files to go", lambda: not os.path.exists(os.path.dirname(new)))

    def test_a_change_is_a_restart_and_scaling_removes(self):
        self.start_daemon()
        self.apply({"a": self.service()})
        directory, pid = self.found()["directory"], self.pid("a")
        self.apply({"a": self.service(credentials={"other": self.secret})})
        self.assertEqual(list(self.found()["files"]), ["other"])
        self.assertNotEqual(self.pid("a"), pid)
        self.ok("delete", "a")
        wait_for("the files to go", lambda: not os.path.exists(directory))

    def test_what_is_wrong_is_said(self):
        self.start_daemon()
        gone, large, folder = os.path.join(self.home, "gone"), self.file("large", "x" * (1024 * 1024 + 1)), self.found_directory
        cases = {gone: ("No such file or directory", "create it, or write -PATH"), large: ("too large", "at most 1 MiB"), folder: ("Is a directory", "")}
        for path, (why, hint) in cases.items():
            services = {"bad": {"command": ["sleep", "1000"], "restart": {"when": "never"}, "env": {"SCENARIO_HOME": self.home}, "credentials": {"token": path}}}
            r = self.kingctl("apply", "-f", self.file("bad.json", json.dumps({"services": services})))
            self.assertEqual(r.code, 1, r)
            row = self.row("bad")
            self.assertEqual((row["state"], row["pid"]), ("failed", None))
            self.assertEqual(row["status"], f"credentials.token: {path}: {why}")
            self.assertIn(hint, row["hint"] or "")
            self.ok("delete", "bad")
        for faulty, message in (("credentials: [x]", "expected names with paths"), ("credentials: {a/b: /x}", "expected a name of letters"),
                                ("credentials: {a: {txt: x}}", "expected the path of a file, {file: PATH} or {text: TEXT}")):
            path = self.file("faulty.yaml", f"services:\n  a:\n    command: x\n    {faulty}\n")
            r = self.refused(2, "check", path)
            self.assertRegex(r.err, r":4:\d+: error: credentials")
            self.assertIn(message, r.err)

    def test_nowhere_else(self):
        self.start_daemon()
        self.apply({"a": self.service()})
        self.found()
        for words in (["describe", "a"], ["describe", "a", "-o", "json"], ["env", "a"], ["env", "a", "--show-secrets"], ["list", "-o", "json"], ["events"],
                      ["status", "a"], ["tree"], ["doctor"], ["export", "systemd", "a"]):
            r = self.kingctl(*words)
            for secret in (CONTENT.strip(), TEXT):
                self.assertNotIn(secret, r.out + r.err, words)
        described = json.loads(self.ok("describe", "a", "-o", "json").out)[0]["changed"]["credentials"]
        self.assertEqual(described, {"db_password": self.secret, "maybe": "-" + os.path.join(self.home, "missing"), "note": {"text": "<hidden>"}})
        self.assertIn(f"LoadCredential=db_password:{self.secret}", self.ok("export", "systemd", "a").out)
        # The content of a file is in no file of the daemon on a disk; a text is in the store, as its manual says.
        for directory, _, names in os.walk(self.home):
            for name in names:
                path = os.path.join(directory, name)
                if name != "db_password" and os.path.isfile(path):
                    self.assertNotIn(CONTENT.strip().encode(), open(path, "rb").read(), path)

    def test_doctor_says_where(self):
        self.start_daemon()
        line = next(l for l in self.ok("doctor").out.splitlines() if "credentials" in l)
        self.assertRegex(line, "in memory: |on a disk: ")
