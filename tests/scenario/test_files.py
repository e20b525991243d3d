"""Files and words that a person gets wrong: every error at once, with its place."""
import json, os
from kingly import Scenario, wait_for


class Files(Scenario):
    def check(self, name, text, *expected, code=2):
        path = self.file(name, text)
        r = self.kingctl("check", path)
        self.assertEqual(r.code, code, r)
        for line in expected:
            self.assertIn(line.replace("FILE", path), r.out + r.err)
        return r

    def test_good_file(self):
        r = self.check("a.yaml", "services:\n  a: {command: sleep 1}\n  b: {command: [sleep, '2'], depends_on: {a: ready}}\n", code=0)
        self.assertIn("2 services", r.out)

    def test_json_and_jsonc(self):
        self.check("a.json", '{"services": {"a": {"command": "sleep 1"}}}', code=0)
        self.check("a.jsonc", '// shop\n{"services": {"a": {"command": "sleep 1", /* why */ "env": {"URL": "http://x//y"}, },},}', code=0)

    def test_every_error_at_once_with_place_and_suggestion(self):
        self.check("a.yaml", "services:\n  a:\n    comand: sleep 1\n    restart: {when: sometimes}\n  b:\n    command: sleep 1\n    limits: {memory_max: lots}\n    depends_on: [aa]\n",
                   "FILE:3:5: error: ", "did you mean `command`?", "FILE:4:", "FILE:7:", "FILE:8:")

    def test_broken_yaml_and_empty_and_binary(self):
        self.check("a.yaml", "services:\n  a: {command: [\n", "FILE:3:")
        self.check("a.yaml", "", "no services")
        self.check("a.yaml", "services: 7\n", "FILE:1:")
        path = os.path.join(self.home, "binary.yaml")
        with open(path, "wb") as f:
            f.write(b"services:\n  a: {command: \xff\xfe}\n")
        r = self.kingctl("check", path)
        self.assertEqual(r.code, 2, r)
        self.assertIn(f"{path}:2:", r.out + r.err)

    def test_bomb_is_defused(self):
        bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join(['*a%d' % (n - 1)] * 10)}]\n" for n in range(1, 12))
        self.check("bomb.yaml", bomb + "services: {}\n")

    def test_several_files_and_missing_one(self):
        good = self.file("good.yaml", "services: {a: {command: sleep 1}}\n")
        r = self.kingctl("check", good, "/no/such/file.yaml")
        self.assertEqual(r.code, 2)
        self.assertIn("/no/such/file.yaml", r.out + r.err)

    def test_variables(self):
        env = self.environment | {"WHO": "nap"}
        path = self.file("v.yaml", "services:\n  '${WHO}x':\n    command: sleep 1\n")
        path = self.file("w.yaml", "services:\n  a:\n    command: sleep ${SECONDS_TO_SLEEP}\n")
        r = self.kingctl("check", path)
        self.assertEqual(r.code, 2)
        self.assertIn("SECONDS_TO_SLEEP", r.out + r.err)
        self.assertEqual(self.kingctl("check", path, env=env | {"SECONDS_TO_SLEEP": "5"}).code, 0)

    def test_wrong_usage(self):
        for arguments in (["no-such-verb"], ["list", "--no-such-option"], ["stop"], ["apply"], ["apply", "-f"], ["list", "-o", "xml"], ["--timeout", "soon", "list"]):
            r = self.kingctl(*arguments)
            self.assertEqual(r.code, 2, (arguments, r))
            self.assertTrue(r.err.startswith("kingctl: "), (arguments, r))
            self.assertLess(len(r.err.splitlines()), 6, "the whole help is no error message")
        self.assertIn("did you mean list?", self.kingctl("lits").err)

    def test_help_of_every_verb(self):
        top = self.kingctl("--help")
        self.assertEqual(top.code, 0)
        for verb in "start stop restart delete list status describe logs events apply check doctor ping version shutdown".split():
            self.assertIn(verb, top.out)
            r = self.kingctl(verb, "--help")
            self.assertEqual(r.code, 0, r)
            self.assertIn(verb, r.out)


class Hostile(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def test_control_characters_reach_no_terminal(self):
        noisy = self.script("noisy", "#!/bin/sh\nprintf 'red \\033[31m bell \\007 bad \\377\\n'\nexec sleep 1000\n")
        self.apply({"noisy": {"command": [noisy], "log": {"to": "file"}}})
        out = wait_for("its line", lambda: self.ok("logs", "noisy").out)
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\x07", out)
        self.assertIn("red", out)

    def test_garbage_on_the_socket(self):
        import socket
        for garbage in (b"\0", b"{}\0", b"[" * 100000 + b"\0", b'{"method": 5}\0', b'{"method":"io.kingly.Manager.List","parameters":[]}\0', b"\xff\xfe\0", os.urandom(5000) + b"\0"):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(60)
            s.connect(self.home + "/kingd.sock")
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            s.close()
        self.ok("ping")

    def test_wrong_parameters_are_named(self):
        import socket
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(self.home + "/kingd.sock")
        s.sendall(b'{"method":"io.kingly.Manager.Start","parameters":{"selectors":"web"}}\0')
        answer = json.loads(s.recv(65536).rstrip(b"\0"))
        s.close()
        self.assertIn("error", answer)
        self.assertIn("selectors", json.dumps(answer))

    def test_other_users_may_not(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        import subprocess
        os.chmod(self.home, 0o755)
        from kingly import BIN, install
        kingctl = install(os.path.join(self.home, "kingctl"), os.path.join(BIN, "kingctl"))   # the tree may be in a home that others cannot look into
        r = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", f"KINGLY_SOCKET={self.home}/kingd.sock",
                            kingctl, "--no-autostart", "list"], capture_output=True, text=True, env=self.environment)
        self.assertEqual(r.returncode, 5, r)

    def test_notify_socket_takes_no_harm(self):
        import socket, struct
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for text in (b"", b"\0", b"READY=1", b"x" * 5000, b"READY=1\0READY=1", b"STATUS=\xff", os.urandom(1000)):
            s.sendto(text, self.home + "/notify")
        a, b = socket.socketpair()
        s.sendmsg([b"FDSTORE=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", a.fileno()))], 0, self.home + "/notify")
        self.ok("ping")
