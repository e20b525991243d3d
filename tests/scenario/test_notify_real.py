"""Programs that speak sd_notify by libraries of their own, as people run them: php-fpm, PostgreSQL, haproxy's master, redis, systemd-notify, and the libraries
of Python and of shells. What each says of itself is seen by kingctl."""
import glob, os, pwd, re, shutil, socket, subprocess
from kingly import MUST_RUN, PATIENCE, Scenario, wait_for
from ports import free_port

PYTHON = "/usr/bin/python3"      # Debian's, for which it packages the libraries


class NotifyReal(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def program(self, name, *directories):
        path = shutil.which(name) or shutil.which(name, path=":".join(["/usr/sbin", "/usr/local/sbin", *directories]))
        return path or self.missing(name)

    def missing(self, what):
        if MUST_RUN:
            self.fail(f"{what} is not installed: make deps")
        self.skipTest(f"{what} is not installed: make deps")

    def library(self, name):
        if subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True).returncode != 0:
            self.missing(f"Python's {name}")

    def kinds(self, selector):
        return [e["kind"] for e in self.events(selector)]

    def owned(self, user, name):
        """A directory of that user's in the home."""
        path = os.path.join(self.home, name)
        os.mkdir(path, 0o700)
        os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        return path

    def begin(self, **service):
        self.apply({"s": {"ready": {"by": "notify", "timeout": "10m"}} | service})
        return self.until("s", state="running", ready=True)

    def until_status(self, pattern):
        return wait_for(f"a status like {pattern}", lambda: re.search(pattern, self.row("s")["status"] or ""))

    def stopped_well(self, code=0):
        self.ok("stop", "s")
        self.assertEqual((self.row("s")["state"], self.row("s")["exit"]["code"]), ("stopped", code))

    # ---- php-fpm ----

    def fpm(self, children):
        return self.file("fpm.conf", f"[global]\ndaemonize = no\nerror_log = /dev/stderr\npid = {self.home}/fpm.pid\nsystemd_interval = 1s\n"
                         f"[www]\nuser = www-data\ngroup = www-data\nlisten = {self.home}/fpm.sock\npm = static\npm.max_children = {children}\n")

    def test_php_fpm(self):
        """It says how many of its processes are idle, each second; at SIGUSR2 it executes itself anew in the same process. Since it does not say RELOADING=1, a
        signal alone would wait for that: the command that its own unit has, too, says when it is sent."""
        fpm = sorted(glob.glob("/usr/sbin/php-fpm*")) or self.missing("php-fpm")
        row = self.begin(command=[fpm[0], "-F", "-y", self.fpm(2)], stop={"signal": "SIGQUIT", "scope": "main", "timeout": "60s"},
                         reload={"by": "command", "command": ["sh", "-c", "kill -USR2 $KINGLY_MAINPID"], "timeout": "10m"})
        self.until_status("idle: 2")
        self.fpm(3)
        self.ok("reload", "s")
        self.until_status("idle: 3")
        row2 = self.until("s", state="running", ready=True)
        self.assertEqual((row2["pid"], row2["restarts"]), (row["pid"], 0))
        self.assertIn("reloaded", self.kinds("s"))
        self.stopped_well()

    # ---- PostgreSQL ----

    def test_postgresql(self):
        """Ready when it takes connections, not before; it says STOPPING=1 while it shuts down."""
        bin = os.path.dirname(os.path.realpath(self.program("postgres", *sorted(glob.glob("/usr/lib/postgresql/*/bin")))))
        data, port = self.owned("postgres", "data"), free_port()
        subprocess.run([f"{bin}/initdb", "-D", data, "-A", "trust", "-N", "--no-locale"], check=True, capture_output=True, user="postgres", group="postgres", cwd="/")
        row = self.begin(command=[f"{bin}/postgres", "-D", data, "-k", data, "-c", "listen_addresses=127.0.0.1", "-p", str(port)], user="postgres",
                         reload={"by": "command", "command": [f"{bin}/pg_ctl", "reload", "-D", data], "timeout": "10m"},
                         stop={"signal": "SIGINT", "scope": "main", "timeout": "60s"}, log={"to": "file"})
        ask = lambda what: subprocess.run([f"{bin}/psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-Atc", what, "postgres"], capture_output=True, text=True).stdout.strip()
        self.assertEqual(ask("select 17"), "17")
        with open(f"{data}/postgresql.conf", "a") as f:
            f.write("work_mem = 17MB\n")
        self.ok("reload", "s")
        wait_for("the new setting", lambda: ask("show work_mem") == "17MB")
        self.assertEqual(self.pid("s"), row["pid"])
        self.replace_manager()
        self.assertTrue(self.row("s")["ready"])
        self.stopped_well()

    # ---- haproxy ----

    def haproxy(self, port, text):
        return self.file("haproxy.cfg", f"defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"
                         f"frontend f\n  bind 127.0.0.1:{port}\n  http-request return status 200 content-type text/plain string {text}\n")

    def get(self, port):
        with socket.create_connection(("127.0.0.1", port), 4 * PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.makefile().read().rsplit("\n", 1)[-1]

    def answered(self, port):
        """None while one worker takes the place of another, who resets what it has not accepted."""
        try:
            return self.get(port)
        except OSError:
            return None

    def test_haproxy_reload(self):
        """The master executes itself anew at SIGUSR2 and says RELOADING=1, then READY=1; with a file that is wrong it goes on as it was."""
        port = free_port()
        row = self.begin(command=[self.program("haproxy"), "-Ws", "-f", self.haproxy(port, "one")], reload={"by": "signal", "signal": "SIGUSR2", "timeout": "10m"},
                         stop={"signal": "SIGUSR1", "scope": "main", "timeout": "60s"})
        self.assertEqual(self.get(port), "one")
        self.haproxy(port, "two")
        self.ok("reload", "s")
        wait_for("the new answer", lambda: self.answered(port) == "two")
        self.assertEqual(self.pid("s"), row["pid"])
        self.file("haproxy.cfg", "nonsense\n")
        self.kingctl("reload", "s")
        wait_for("the answer of before", lambda: self.answered(port) == "two")
        self.assertEqual((self.pid("s"), self.row("s")["restarts"]), (row["pid"], 0))
        self.ok("stop", "s")

    # ---- redis ----

    def test_redis(self):
        port = free_port()
        self.begin(command=[self.program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.home, "--supervised", "systemd"])
        self.until_status("Ready to accept connections")
        self.stopped_well()

    # ---- systemd-notify ----

    def test_systemd_notify(self):
        """A program that a shell runs and that is gone when its message is read; it sends BARRIER=1 and waits until it has been."""
        notify = self.program("systemd-notify")
        self.begin(command=f"{notify} --ready --status='up to date' && echo told >{self.home}/told && exec sleep 1000", shell=True)
        self.until_status("up to date")
        wait_for("systemd-notify's own success", lambda: os.path.exists(f"{self.home}/told"))
        self.apply({"t": {"command": f"{notify} --pid --ready --status=with-a-pid; exec sleep 1000", "shell": True, "ready": {"by": "notify", "timeout": "10m"}}})
        self.until("t", status="with-a-pid")

    def test_systemd_notify_of_newer_systemds(self):
        notify = self.program("systemd-notify")
        version = int(subprocess.run([notify, "--version"], capture_output=True, text=True).stdout.split()[1])
        if version < 254:
            self.not_applicable(f"systemd {version} has neither --exec nor --fd nor --reloading")
        self.begin(command=f"exec {notify} --ready --status=executed --exec \\; sleep 1000", shell=True)
        self.until_status("executed")
        self.apply({"f": {"command": f"exec 9<{self.home}/apply.json; {notify} --fd=9 --fdname=apply; {notify} --ready; exec sleep 1000", "shell": True, "fd_store": 4,
                          "ready": {"by": "notify", "timeout": "10m"}}})
        self.assertIn("fd store       1 of 4: apply", self.ok("describe", "f").out)
        self.apply({"r": {"command": f"trap '{notify} --reloading; sleep 0.1; {notify} --ready' HUP; trap 'exit 0' TERM; {notify} --ready; while :; do sleep 0.1; done", "shell": True,
                          "ready": {"by": "notify", "timeout": "10m"}, "reload": {"by": "signal", "timeout": "10m"}, "stop": {"scope": "main"}}})
        self.ok("reload", "r")
        self.assertIn("reloaded", self.kinds("r"))

    # ---- libraries ----

    PROGRAMS = {
        "systemd": """
from systemd import daemon
import os, signal, sys, time
daemon.notify("READY=1\\nSTATUS=by python3-systemd")
""",
        "sdnotify": """
import sdnotify, os, signal, sys, time
n = sdnotify.SystemdNotifier()
n.notify("STATUS=by sdnotify")
n.notify("READY=1")
""",
    }

    def test_libraries_of_python(self):
        for name, text in self.PROGRAMS.items():
            self.library(name)
            program = self.file(f"by_{name}.py", text + "time.sleep(1000)\n")
            self.apply({name: {"command": [PYTHON, program], "ready": {"by": "notify", "timeout": "10m"}}})
            self.until(name, state="running", ready=True, status=f"by {'python3-' if name == 'systemd' else ''}{name}")

    def test_node_by_systemd_notify(self):
        """Node has no datagrams on unix sockets: without a module that is compiled, a program of its own says it."""
        program = self.file("ready.js", f"""
require('child_process').execFileSync('{self.program("systemd-notify")}', ['--ready', '--status=by Node ' + process.pid]);
setInterval(() => 0, 1000);
""")
        self.begin(command=[self.program("node"), program])
        self.until_status(f"by Node {self.pid('s')}")

    def test_watchdog_of_python_s(self):
        """It looks by itself whether there is a watchdog and whether that is its own; then it hangs."""
        self.library("systemd")
        program = self.file("hang.py", """
import os, time
from systemd import daemon
assert int(os.environ["WATCHDOG_PID"]) == os.getpid()
usec = int(os.environ["WATCHDOG_USEC"])
daemon.notify("READY=1")
for _ in range(8):
    daemon.notify("WATCHDOG=1")
    time.sleep(usec / 4e6)
time.sleep(1000)
""")
        self.apply({"s": {"command": [PYTHON, program], "ready": {"by": "notify", "timeout": "10m"}, "watchdog": "1s", "restart": {"when": "never"}, "limits": {"core": "0"}}}, "--no-wait")
        self.until("s", state="failed")
        self.assertEqual((self.row("s")["exit"]["signal"], self.row("s")["exit"]["reason"]), ("SIGABRT", "watchdog"))

    def test_store_of_python_s(self):
        """sd_listen_fds_with_names() finds what sd_pid_notify_with_fds() left."""
        self.library("systemd")
        program = self.file("store.py", f"""
import os, time
from systemd import daemon
given = daemon.listen_fds_with_names()
if given:
    fd, = given
    text = os.pread(fd, 100, 0).decode()
    daemon.notify("READY=1\\nSTATUS=" + given[fd] + " said " + text)
else:
    fd = os.memfd_create("state")
    os.write(fd, b"seventeen")
    daemon.notify("FDSTORE=1\\nFDNAME=state", fds=[fd])
    daemon.notify("READY=1\\nSTATUS=first")
time.sleep(1000)
""")
        self.begin(command=[PYTHON, program], fd_store=1)
        self.until_status("first")
        self.ok("restart", "s")
        self.until("s", status="state said seventeen")
