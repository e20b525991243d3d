"""A private daemon for one test, and what tests ask of it. What a test does and reads goes through kingctl as a person would; what it only waits for is
asked over the daemon's socket: a process for each glance would take the machine from what is waited for.

KINGLY_BIN names the directory of the programs, KINGLY_ISOLATION the isolation under test. Waits poll a condition against a generous deadline
(KINGLY_PATIENCE seconds, 30 by default; the emulated guest sets more)."""
import contextlib, json, os, shutil, signal, subprocess, sys, tempfile, time, unittest
from client import Client, Error

BIN = os.environ.get("KINGLY_BIN") or os.path.join(os.path.dirname(__file__), "../../build/bin")
ISOLATION = os.environ.get("KINGLY_ISOLATION", "session")
PATIENCE = float(os.environ.get("KINGLY_PATIENCE", "30"))
MUST_RUN = os.environ.get("KINGLY_MUST_RUN") == "1"
SANITIZERS = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer")


class Result:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"status {self.code}\nstdout: {self.out}\nstderr: {self.err}"


def alive(pid):
    """Running, that is neither gone nor a zombie."""
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def start_time(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19]


def command_line(pid):
    """Its words, each with a NUL behind it; none of a zombie, nor of one that is gone by now."""
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def environment_of(pid):
    """Name: value. That it executes is seen a moment before this is there."""
    text = wait_for(f"the environment of {pid}", lambda: open(f"/proc/{pid}/environ", errors="replace").read())
    return dict(v.split("=", 1) for v in text.split("\0") if "=" in v)


def json_lines(path):
    """What a program notes, one value a line: nothing before the file is there, and no line that is not whole yet."""
    try:
        with open(path) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def children(pid):
    return list(map(int, open(f"/proc/{pid}/task/{pid}/children").read().split()))


def named(pid, name):
    def program(p):
        try:
            return os.path.basename(os.readlink(f"/proc/{p}/exe"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):      # a zombie, or gone by now; gone as it is asked for is not allowed to be looked at
            return None
    return [p for p in children(pid) if program(p) == name]


def wait_for(what, condition, patience=None):
    """The condition's first true value, or a failure that says what was awaited. Asking takes at most a third of the time, so that there is some left for
    what is asked; who has waited long already asks less often, but often enough to see what lasts a moment and comes again."""
    first = time.monotonic()
    end = first + (patience or PATIENCE)
    while True:
        begin = time.monotonic()
        value = condition()
        if value:
            return value
        if begin > end:
            raise AssertionError(f"waited {patience or PATIENCE:.0f} s in vain for: {what}")
        now = time.monotonic()
        time.sleep(max(0.01, min(2 * (now - begin), 1), min((now - first) / 10, PATIENCE / 300)))


def install(target, source="/dev/stdin", content=b"", mode=0o755):
    """A file to be executed, a copy of `source` or with that content, written by a process of its own. This one's children have what it writes open as well,
    those of other tests' threads too, until they execute: who executes the file meanwhile is told that it is busy (ETXTBSY)."""
    subprocess.run(["install", "-m", f"{mode:o}", source, target], input=content, check=True)
    return target


class Scenario(unittest.TestCase):
    maxDiff = 4000
    arguments = []          # further arguments of kingd
    isolation = ISOLATION
    programs = BIN
    heir = False            # nobody takes the place of a daemon that a test kills
    serial = False          # shares something with others of its kind: not to be run beside anything else
    daemon = None

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="kl", dir=os.environ.get("KINGLY_TMP", "/tmp"))
        os.chmod(self.home, 0o755)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("KINGLY_", "XDG_", "NOTIFY_", "LISTEN_"))}
        self.environment |= {"KINGLY_HOME": self.home, "LC_ALL": "C.UTF-8"}
        if "XDG_RUNTIME_DIR" in os.environ:
            self.environment["XDG_RUNTIME_DIR"] = os.environ["XDG_RUNTIME_DIR"]
        self.log = open(os.path.join(self.home, "kingd.out"), "w+")
        self.addCleanup(self.leave_nothing)

    # ---- the daemon ----

    def start_daemon(self, *arguments):
        self.daemon = subprocess.Popen([os.path.join(BIN, "kingd"), "--isolation", self.isolation, "--log-level", "info",
                                        *([] if self.heir else ["--no-heir"]), *self.arguments, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                       stderr=self.log, start_new_session=True)
        wait_for("kingd to answer", lambda: self.answers() or self.daemon.poll() is not None)
        self.assertIsNone(self.daemon.poll(), self.daemon_log())
        return self.daemon

    def start_daemon_as(self, uid, *wrapper):
        """As another user, who may not be allowed to enter the build's directory: by a copy of the programs in the home, which becomes that user's."""
        programs = os.path.join(self.home, "bin")
        os.mkdir(programs, 0o755)
        for name in ("kingd", "kingd-manager", "kingd-logger", "kingd-balancer", "kingd-probe"):
            install(os.path.join(programs, name), os.path.join(self.programs, name))
        os.chown(self.home, uid, uid)
        self.daemon = subprocess.Popen([*wrapper, os.path.join(programs, "kingd"), "--user", "--isolation", "session", *([] if self.heir else ["--no-heir"])], env=self.environment, user=uid, group=uid,
                                       extra_groups=[], cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("kingd to answer", self.answers)

    def daemon_log(self):
        self.log.flush()
        return open(self.log.name, errors="replace").read()

    def stop_daemon(self):
        if self.daemon is None:
            return
        if self.daemon.poll() is None:
            if self.asked("Shutdown") is None:
                self.kingctl("shutdown", "--no-autostart")
            try:
                self.daemon.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
                self.fail("kingd did not end after shutdown:\n" + self.daemon_log())
            self.assertEqual(self.daemon.returncode, 0, "kingd's exit status after shutdown:\n" + self.daemon_log())
        self.daemon = None

    def ours(self):
        """Every living process of this test: the daemon's by its home, services by the mark that apply() puts into their environment."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = open(f"/proc/{pid}/environ", "rb").read()
            except OSError:
                continue
            marks = {f"KINGLY_HOME={self.home}".encode(), f"SCENARIO_HOME={self.home}".encode()}
            if marks & set(environ.split(b"\0")) and alive(pid) and int(pid) != os.getpid():
                found.append(int(pid))
        return found

    def leave_nothing(self):
        failed = None
        try:
            self.stop_daemon()
            left = wait_for_or_not(lambda: not self.ours())
            self.assertTrue(left, f"processes left: {[(p, command_line(p)) for p in self.ours()]}")
            log = self.daemon_log()
            self.assertFalse(any(s in log for s in SANITIZERS), "a sanitizer has something to say: " + log)
        except AssertionError as e:
            failed = e
        for _ in range(100):        # an heir begins a daemon again
            for pid in (left := self.ours()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                break
            time.sleep(0.02)
        outcome = getattr(self._outcome, "result", None)
        if outcome and any(t is self for t, _ in outcome.failures + outcome.errors):
            sys.stderr.write(f"--- kingd's log of {self.id()}:\n{self.daemon_log()}\n")
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)
        if failed:
            raise failed

    # ---- over the socket ----

    def runtime(self):
        """Where the daemon's socket is."""
        return self.environment["KINGLY_HOME"]

    def asked(self, method, parameters=None):
        """What the daemon answers; None where it does not (nobody listens, it hung up, it refused): kingctl knows what to do or to say then."""
        try:
            with Client(self.runtime(), PATIENCE) as c:
                return c.call(method, parameters)
        except (OSError, Error):
            return None

    def answers(self):
        return self.asked("Ping") is not None

    # ---- kingctl ----

    def kingctl(self, *arguments, stdin=None, timeout=None, env=None):
        r = Result(subprocess.run([os.path.join(self.programs, "kingctl"), *arguments], env=env or self.environment, input=stdin,
                                  capture_output=True, text=True, errors="replace", timeout=timeout or 4 * PATIENCE))
        self.assertFalse(any(s in r.err for s in SANITIZERS), r)
        return r

    def ok(self, *arguments, **more):
        r = self.kingctl(*arguments, **more)
        if r.code != 0:         # the log, which may be the journal, is asked for only now
            self.fail(f"kingctl {' '.join(arguments)}: {r}\n{self.daemon_log()}")
        return r

    def refused(self, code, *arguments, **more):
        r = self.kingctl(*arguments, **more)
        self.assertEqual(r.code, code, f"kingctl {' '.join(arguments)}: {r}")
        self.assertTrue(r.err.startswith("kingctl: ") or code == 2, r)
        return r

    def list(self, *selectors):
        """The instances, as `kingctl list -o json` prints them."""
        answer = None if any(s.startswith("-") for s in selectors) else self.asked("List", {"selectors": selectors})
        if answer:
            return sorted(answer["instances"], key=lambda i: (i["namespace"], i["name"], i["instance"]))
        return json.loads(self.ok("list", "-o", "json", *selectors).out)

    def described(self, selector):
        """The first of the services, as `kingctl describe -o json` prints it."""
        answer = self.asked("Describe", {"selectors": [selector]})
        return answer["services"][0] if answer else json.loads(self.ok("describe", "-o", "json", selector).out)[0]

    def row(self, selector):
        rows = self.list(selector)
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def pid(self, selector):
        return self.row(selector)["pid"]

    def until(self, selector, **wanted):
        """Waits until the instance's row has these values; returns the row."""
        def matches():
            row = self.row(selector)
            return row if all(row[k] == v for k, v in wanted.items()) else None
        try:
            return wait_for(f"{selector} {wanted}", matches)
        except AssertionError as e:
            raise AssertionError(f"{e}\nnow: {self.row(selector)}\n{self.daemon_log()}") from None

    def manager(self):
        return (self.asked("Status") or json.loads(self.ok("status", "-o", "json").out))["manager_pid"]

    def replace_manager(self, sig=signal.SIGKILL):
        old = self.manager()
        os.kill(old, sig)
        return wait_for("a new manager", lambda: (lambda new: new if new != old else None)(self.manager()))

    @contextlib.contextmanager
    def manager_stands_still(self):
        """As on a machine that has no time for it; the same one goes on."""
        manager = self.manager()
        os.kill(manager, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(manager, signal.SIGCONT)
        self.assertEqual(self.manager(), manager)

    def write_books(self):
        """What was done up to now is known to the next manager as well. What is seen of this one may not be in the books yet: it does things first."""
        self.assertIsNotNone(self.asked("Describe"))

    def events(self, *arguments):
        return [json.loads(l) for l in self.ok("events", "-o", "jsonl", "-n", "1000", *arguments).out.splitlines()]

    def messages(self, *arguments):
        return [json.loads(l)["message"] for l in self.ok("logs", "-o", "jsonl", *arguments).out.splitlines()]

    # ---- files ----

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if mode & 0o111:
            return install(path, content=text.encode(), mode=mode)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def script(self, name, text):
        return self.file(name, text, 0o755)

    def apply(self, services, *arguments, **more):
        """services: the dict under `services:`; each gets the mark by which its processes are found afterwards."""
        for service in services.values():
            service["env"] = service.get("env", {}) | {"SCENARIO_HOME": self.home}
        path = self.file("apply.json", json.dumps({"services": services}))
        return self.ok("apply", "-f", path, *arguments, **more)

    def not_applicable(self, why):
        """The isolation under test has no such thing, by its nature: no skip, nothing was left out."""
        self.skipTest("n/a: " + why)


def wait_for_or_not(condition, patience=10):
    try:
        return wait_for("", condition, patience)
    except AssertionError:
        return None
