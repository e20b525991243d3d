"""The sandbox of services, by real programs that try what is forbidden: as root, as a user with user namespaces, and as one without."""
import itertools, json, os, shutil, socket, tempfile
from kingly import Scenario, install, wait_for

# What a program finds itself able to do, told as one object.
TRIES = r"""#!/usr/bin/env python3
import ctypes, json, os, socket, sys, tempfile
def tries(f, *a):
    try:
        got = f(*a)
        return got if isinstance(got, list) and got else "ok"
    except OSError as e:
        return e.strerror
def write(path):
    open(path, "w").close()
def connect(port):
    with socket.create_connection(("127.0.0.1", port), 5): pass
def loopback():
    with socket.create_server(("127.0.0.1", 0)) as s, socket.create_connection(s.getsockname(), 5): pass
libc = ctypes.CDLL(None, use_errno=True)
def mount():
    if libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def personality():
    if libc.personality(0xffffffff) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
todo = json.load(open(sys.argv[1]))
out = {name: tries(globals().get(what[0]) or getattr(os, what[0]), *what[1:]) for name, what in todo.items()}
sys.stdout.write(json.dumps(out) + "\n")
"""


class Base(Scenario):
    names = itertools.count()

    def place(self):
        """A directory that is not below /tmp, where a private one would hide it."""
        d = tempfile.mkdtemp(prefix="kl", dir="/srv")
        os.chmod(d, 0o777)
        self.addCleanup(shutil.rmtree, d, True)
        for name in ("data", "data/open", "secret", "etc"):
            os.mkdir(os.path.join(d, name))
            os.chmod(os.path.join(d, name), 0o777)
        for name in ("secret/key", "etc/file", "data/file"):
            with open(os.path.join(d, name), "w") as f:
                f.write("text\n")
            os.chmod(os.path.join(d, name), 0o666)
        install(os.path.join(d, "tries"), content=TRIES.encode())
        return d

    def tries(self, sandbox, todo, **keys):
        """Runs the program in that sandbox; what became of each thing it tried."""
        with open(os.path.join(self.dir, "todo"), "w") as f:
            json.dump(todo, f)
        os.chmod(os.path.join(self.dir, "todo"), 0o644)
        name = f"t{next(self.names)}"      # whose log has nothing in it yet
        self.apply({name: {"type": "oneshot", "command": ["python3", self.dir + "/tries", self.dir + "/todo"], "cwd": "/", "sandbox": sandbox,
                           "restart": {"when": "never"}, "log": {"to": "file", "format": "raw"}} | keys})
        self.assertEqual(self.row(name)["state"], "exited", self.daemon_log())
        (said,) = wait_for("its words", lambda: self.messages(name))
        self.ok("delete", name)
        return json.loads(said)

    def doctor(self):
        return {c["name"]: c for c in json.loads(self.kingctl("doctor", "-o", "json").out)}


class Sandbox(Base):
    """As whoever runs the tests, root mostly."""

    def setUp(self):
        super().setUp()
        self.dir = self.place()
        self.start_daemon()
        if not self.doctor()["sandbox.private_tmp"]["ok"]:
            self.not_applicable("no namespaces are to be had: " + self.doctor()["sandbox.private_tmp"]["message"])

    def test_a_system_that_is_read_only(self):
        d = self.dir
        got = self.tries({"system": "read-only", "writable": [d + "/data", "-/no/such/place"], "read_only": [d + "/data/file"]},
                         {"usr": ["write", "/usr/kingly-x"], "etc": ["write", d + "/etc/file"], "tmp": ["write", "/tmp/kingly-x"], "data": ["write", d + "/data/new"],
                          "below": ["write", d + "/data/open/new"], "again": ["write", d + "/data/file"], "null": ["write", "/dev/null"],
                          "chmod": ["chmod", d + "/etc/file", 0o600]})
        ro = "Read-only file system"
        self.assertEqual(got, {"usr": ro, "etc": ro, "tmp": ro, "data": "ok", "below": "ok", "again": ro, "null": "ok", "chmod": ro})
        self.assertTrue(os.path.exists(d + "/data/new"))

    def test_what_is_hidden_and_what_is_not(self):
        d = self.dir
        got = self.tries({"hidden": [d, d + "/data/file"], "writable": [d + "/data", d + "/tries", d + "/todo"]},
                         {"secret": ["open", d + "/secret/key", os.O_RDONLY], "list": ["listdir", d], "data": ["write", d + "/data/new"],
                          "file": ["stat", d + "/data/file"], "more": ["write", d + "/new"]}, user="nobody" if os.getuid() == 0 else None)
        self.assertEqual((got["secret"], got["data"]), ("No such file or directory", "ok"))
        self.assertIn(got["more"], ("Read-only file system", "Permission denied"))
        if os.getuid() == 0:
            self.assertEqual(got["list"], "Permission denied")
        self.assertEqual(open(d + "/data/file").read(), "text\n")

    def test_a_tmp_of_its_own(self):
        marker = tempfile.NamedTemporaryFile(prefix="kingly-", dir="/tmp")
        self.addCleanup(marker.close)
        got = self.tries({"private_tmp": True}, {"see": ["stat", marker.name], "list": ["listdir", "/tmp"], "write": ["write", "/tmp/kingly-own"], "var": ["listdir", "/var/tmp"]})
        self.assertEqual((got["see"], got["list"], got["write"], got["var"]), ("No such file or directory", "ok", "ok", "ok"))
        self.assertFalse(os.path.exists("/tmp/kingly-own"))

    def test_readiness_comes_through_whatever_is_hidden(self):
        # NOTIFY_SOCKET is below the home, which is below /tmp.
        script = install(os.path.join(self.dir, "notify"), content=b"#!/usr/bin/env python3\nimport os, socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                         b"s.connect(os.environ['NOTIFY_SOCKET'])\ns.send(b'READY=1')\ntime.sleep(1000)\n")
        self.apply({"n": {"command": [script], "cwd": "/", "ready": {"by": "notify"}, "sandbox": {"private_tmp": True, "network": "none", "system": "read-only"}}})
        self.assertTrue(self.row("n")["ready"])
        first = self.pid("n")
        self.replace_manager()
        self.ok("restart", "n")                 # a new manager finds out anew
        self.assertNotEqual(self.until("n", state="running")["pid"], first)

    def test_credentials_come_through_whatever_is_hidden(self):
        self.apply({"c": {"type": "oneshot", "command": "cat $CREDENTIALS_DIRECTORY/note; touch $CREDENTIALS_DIRECTORY/new || echo no", "shell": True, "cwd": "/", "restart": {"when": "never"},
                          "credentials": {"note": {"text": "from afar\n"}}, "log": {"to": "file", "format": "raw"},
                          "sandbox": {"private_tmp": True, "private_devices": True, "hidden": ["/run", "-/dev/shm"]}}})
        self.assertEqual(self.row("c")["state"], "exited", self.daemon_log())
        wait_for("both", lambda: {"from afar", "no"} <= set(self.messages("c")))

    def test_devices(self):
        got = self.tries({"private_devices": True}, {"null": ["write", "/dev/null"], "mem": ["stat", "/dev/mem"], "kmsg": ["stat", "/dev/kmsg"], "new": ["write", "/dev/kingly-x"],
                                                     "node": ["mknod", self.dir + "/node", 0o20666, os.makedev(1, 3)], "fd": ["listdir", "/dev/fd"]})
        gone = "No such file or directory"
        self.assertEqual({k: got[k] for k in ("null", "mem", "kmsg")}, {"null": "ok", "mem": gone, "kmsg": gone})
        self.assertIn("0", got["fd"])
        self.assertIn(got["new"], ("Read-only file system", "Permission denied"))
        self.assertEqual(got["node"], "Operation not permitted")

    def test_no_network(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            todo = {"out": ["connect", s.getsockname()[1]], "own": ["loopback"]}
            self.assertEqual(self.tries({}, todo), {"out": "ok", "own": "ok"})
            self.assertEqual(self.tries({"network": "none"}, todo), {"out": "Connection refused", "own": "ok"})

    def test_system_calls(self):
        todo = {"mount": ["mount"], "personality": ["personality"], "file": ["write", self.dir + "/data/x"]}
        no = "Operation not permitted"
        self.assertEqual(self.tries({"syscalls": "@system-service"}, todo), {"mount": no, "personality": "ok", "file": "ok"})
        self.assertEqual(self.tries({"syscalls": ["@system-service"], "syscalls_denied": ["personality", "@mount"]}, todo), {"mount": no, "personality": no, "file": "ok"})
        self.assertEqual(self.tries({"syscalls_denied": ["personality"]}, {"personality": ["personality"], "file": todo["file"]}), {"personality": no, "file": "ok"})
        path = self.file("kill.json", json.dumps({"services": {"k": {"command": [self.dir + "/tries", self.dir + "/todo"], "cwd": "/", "restart": {"when": "never"},
                                                  "sandbox": {"syscalls_denied": "personality", "syscall_action": "kill"}, "env": {"SCENARIO_HOME": self.home}}}}))
        self.kingctl("apply", "-f", path)
        self.assertIn(self.until("k", state="failed")["exit"]["signal"], ("SIGSYS",))

    def test_a_command_that_does_not_exist_is_told_from_within_a_filter(self):
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "/no/such/program", "sandbox": {"syscalls": ["@basic-io"]}}}}))
        self.assertIn("cannot execute /no/such/program: No such file or directory", self.refused(1, "apply", "-f", path).err)

    def test_what_cannot_be_done_is_named(self):
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "true", "sandbox": {"hidden": ["/no/such/place"]}}}}))
        self.assertIn("sandbox.hidden: /no/such/place: No such file or directory", self.refused(1, "apply", "-f", path).err)
        self.assertEqual(self.row("x")["state"], "failed")
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "true", "cwd": self.home, "sandbox": {"private_tmp": True}}}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn(f"cannot change directory {self.home}: No such file or directory", r.err)
        self.assertIn("sandbox.writable", r.err)

    def test_a_hook_is_in_a_sandbox_too(self):
        d = self.dir
        self.apply({"h": {"command": "sleep 1000", "cwd": "/", "sandbox": {"system": "read-only", "writable": [d + "/data"]},
                          "hooks": {"pre_start": ["sh", "-c", f"touch {d}/data/hook; touch {d}/hook; true"]}}})
        self.assertEqual((os.path.exists(d + "/data/hook"), os.path.exists(d + "/hook")), (True, False))

    def test_affinity_and_scheduler(self):
        out = os.path.join(self.dir, "data/out")
        text = "#!/usr/bin/env python3\nimport os, time\nopen(%r, 'w').write('%%s %%d' %% (sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0)))\ntime.sleep(1000)\n" % out
        script = install(os.path.join(self.dir, "where"), content=text.encode())
        cpus = sorted(os.sched_getaffinity(0))
        service = {"command": [script], "priority": {"cpu_affinity": [cpus[0]], "scheduler": "batch"}}
        self.apply({"a": service})
        wait_for("it", lambda: os.path.exists(out) and open(out).read() == f"[{cpus[0]}] {os.SCHED_BATCH}")
        pid = self.pid("a")
        service["priority"] = {"cpu_affinity": f"{cpus[-1]}", "scheduler": "idle"}
        self.apply({"a": service})              # on the living
        self.assertEqual((self.pid("a"), os.sched_getaffinity(pid), os.sched_getscheduler(pid)), (pid, {cpus[-1]}, os.SCHED_IDLE))
        del service["priority"]
        self.apply({"a": service})
        self.assertEqual((self.pid("a"), os.sched_getaffinity(pid), os.sched_getscheduler(pid)), (pid, set(cpus), os.SCHED_OTHER))


NO_UNSHARE = """import ctypes, os, sys
l = ctypes.CDLL("libseccomp.so.2")
l.seccomp_init.restype = ctypes.c_void_p
f = ctypes.c_void_p(l.seccomp_init(0x7fff0000))
assert l.seccomp_rule_add(f, 0x00050001, l.seccomp_syscall_resolve_name(b"unshare"), 0) == 0 and l.seccomp_load(f) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


class AnotherUser(Base):
    """A daemon without any privilege."""

    def setUp(self):
        super().setUp()
        if os.getuid() != 0:
            self.not_applicable("only root can become another user")
        self.dir = self.place()

    def start(self, *wrapper):
        self.start_daemon_as(65534, *wrapper)
        os.chmod(self.log.name, 0o644)

    def test_by_a_user_namespace(self):
        self.start()
        check = self.doctor()["sandbox.private_tmp"]
        if not check["ok"]:
            self.not_applicable(check["message"])
        self.assertEqual(check["message"], "enforced, by namespaces within a user namespace")
        d = self.dir
        with socket.create_server(("127.0.0.1", 0)) as s:
            got = self.tries({"system": "read-only", "writable": [d + "/data"], "hidden": [d + "/secret"], "private_tmp": True, "private_devices": True, "network": "none",
                              "syscalls": ["@system-service"]},
                             {"etc": ["write", d + "/etc/file"], "data": ["write", d + "/data/new"], "secret": ["stat", d + "/secret/key"], "tmp": ["write", "/tmp/kingly-own"],
                              "mem": ["stat", "/dev/mem"], "null": ["write", "/dev/null"], "out": ["connect", s.getsockname()[1]], "mount": ["mount"], "uid": ["setuid", 65534]})
        gone, no = "No such file or directory", "Operation not permitted"
        self.assertEqual(got, {"etc": "Read-only file system", "data": "ok", "secret": gone, "tmp": "ok", "mem": gone, "null": "ok", "out": "Connection refused", "mount": no, "uid": "ok"})
        self.assertEqual(os.stat(d + "/data/new").st_uid, 65534)
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "true", "capabilities": ["CAP_KILL"], "sandbox": {"private_tmp": True}}}}))
        self.assertIn("within the user namespace that sandbox.private_tmp needs here", self.refused(1, "apply", "-f", path).err)

    def test_by_landlock_where_namespaces_are_refused(self):
        script = self.file("no-unshare", NO_UNSHARE)
        self.start("/usr/bin/python3", script)
        checks = self.doctor()
        self.assertFalse(checks["sandbox.private_tmp"]["ok"])
        self.assertIn("not by our own right (cannot create namespaces for its sandbox: Operation not permitted)", checks["sandbox.private_tmp"]["message"])
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "true", "sandbox": {"system": "read-only", "private_tmp": True}}}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn("sandbox.private_tmp cannot be kept here: namespaces are refused", r.err)
        self.assertEqual(self.row("x")["state"], "failed")
        if not checks["sandbox.system"]["ok"]:
            self.not_applicable(checks["sandbox.system"]["message"])
        self.assertEqual(checks["sandbox.system"]["message"], "enforced, by Landlock")
        d = self.dir
        got = self.tries({"system": "read-only", "writable": [d + "/data", d + "/etc/file"]},
                         {"etc": ["write", d + "/etc/file"], "other": ["write", d + "/etc/new"], "data": ["write", d + "/data/new"], "tmp": ["write", "/tmp/kingly-x"],
                          "null": ["write", "/dev/null"], "read": ["stat", d + "/secret/key"], "mkdir": ["mkdir", d + "/x"]})
        self.assertEqual(got, {"etc": "ok", "other": "Permission denied", "data": "ok", "tmp": "Permission denied", "null": "ok", "read": "ok", "mkdir": "Permission denied"})
