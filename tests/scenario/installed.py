"""Kingly as the machine's own: kingd.service of `make install` under a systemd that is PID 1. There is one of these on a machine, and its state is wiped
before each test, so such scenarios run one after the other and only in the test guest."""
import itertools, json, os, re, shutil, subprocess, threading, time
from kingly import BIN, ISOLATION, PATIENCE, Result, Scenario, alive, start_time, wait_for

GUEST = os.environ.get("KINGLY_GUEST")
DROP_INS = "/run/systemd/system/kingd.service.d"
PLACES = ("/var/lib/kingly", "/var/log/kingly", "/etc/kingly", DROP_INS)
SHOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/examples/shop")


def run(*command, **more):
    p = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=8 * PATIENCE, **more)
    return Result(p)


class SystemScenario(Scenario):
    serial = True
    programs = "/usr/local/bin"

    def setUp(self):
        if ISOLATION != "scope" or os.getuid() != 0:
            self.not_applicable("is about the machine's own daemon, root's under systemd")
        if not GUEST:
            self.not_applicable("wipes the state of the machine's own daemon: only in the test guest")
        super().setUp()
        del self.environment["KINGLY_HOME"]
        self.clean()
        self.begin = time.time()
        self.start_daemon()

    def clean(self):
        self.systemctl("stop", "kingd.service")
        configured = os.path.isdir(DROP_INS)
        for place in PLACES:
            for name in os.listdir(place) if os.path.isdir(place) else []:
                path = os.path.join(place, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        if configured:
            os.rmdir(DROP_INS)
            self.systemctl("daemon-reload")

    # ---- the daemon ----

    def runtime(self):
        return "/run/kingly"

    def systemctl(self, *arguments, code=0):
        r = run("systemctl", *arguments)
        if r.code not in ((code,) if isinstance(code, int) else code):
            self.fail(f"systemctl {' '.join(arguments)}: {r}\n{self.daemon_log()}")
        return r.out

    def start_daemon(self):
        self.systemctl("start", "kingd.service")

    def stop_daemon(self):
        self.systemctl("stop", "kingd.service")

    def daemon_log(self):
        return run("journalctl", "-q", "--no-pager", "-o", "short-monotonic", "-u", "kingd.service", "-S", f"@{getattr(self, 'begin', 0):.3f}").out

    def show(self, unit, *names):
        lines = self.systemctl("show", unit, *[f"-p{n}" for n in names]).splitlines()
        values = dict(l.split("=", 1) for l in lines)
        return values[names[0]] if len(names) == 1 else values

    def scopes(self):
        lines = self.systemctl("list-units", "--all", "--plain", "--no-legend", "kingly-*.scope").splitlines()
        return sorted(l.split()[0] for l in lines)

    def cgroup(self, pid, name):
        path = open(f"/proc/{pid}/cgroup").read().split("0::", 1)[1].split()[0]
        return open(f"/sys/fs/cgroup{path}/{name}").read().strip()

    def rested(self, selector):
        wait_for(f"{selector} to rest", lambda: self.row(selector)["state"] in ("failed", "exited"))

    def processes(self):
        """(name, instance) → (pid, start time) of whoever lives."""
        return {(r["name"], r["instance"]): (r["pid"], start_time(r["pid"])) for r in self.list() if r["pid"]}

    def journalctl(self, *arguments):
        return ["journalctl", "-q", "--no-pager", "-o", "json", "-S", f"@{self.begin:.3f}", *arguments]

    def journal(self, *arguments):
        return [json.loads(l) for l in run(*self.journalctl(*arguments)).out.splitlines()]

    def entries(self, n, *arguments):
        """All that match, as soon as they are n; journald writes when it comes to it."""
        with subprocess.Popen(self.journalctl("-f", "-n", "all", *arguments), stdout=subprocess.PIPE) as follow:
            late = threading.Timer(PATIENCE, follow.kill)
            late.start()
            found = list(itertools.islice(follow.stdout, n))
            late.cancel()
            follow.kill()
        self.assertEqual(len(found), n, f"in vain for {n} entries of {' '.join(arguments)}: {found}")
        return self.journal(*arguments)
