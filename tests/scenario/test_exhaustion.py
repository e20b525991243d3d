"""No descriptors, no processes: what runs goes on, why nothing starts is said, an operator can stop things, and it ends by itself."""
import os, resource, signal, subprocess, sys, time
from client import Client, Error
from kingly import BIN, Scenario, alive, command_line, wait_for

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fault"))
from board import Board

LONER = 64871       # a user of these tests alone


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Exhaustion(Scenario):
    def client(self):
        c = Client(self.home)
        self.addCleanup(c.close)
        return c

    def manager_pid(self):
        with Client(self.home) as c:
            return c.call("Status")["manager_pid"]

    def limit(self, pid, which, soft):
        try:
            _, hard = resource.prlimit(pid, which)
            resource.prlimit(pid, which, (soft, hard))
        except PermissionError:
            self.not_applicable("limits of another process need root")

    def crowd(self, count, use=lambda c: None):
        """Clients that stay, as many as get in."""
        for _ in range(count):
            try:
                use(self.client())
            except (OSError, Error):
                pass

    def gets_in(self, *arguments):
        """As soon as somebody who is quiet can be told from somebody who only just came."""
        wait_for("a turn", lambda: self.kingctl(*arguments).code == 0)

    # ---- descriptors ----

    def test_idle_clients_make_room(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        manager = self.manager_pid()
        self.limit(manager, resource.RLIMIT_NOFILE, open_files(manager) + 30)
        self.crowd(100)
        self.gets_in("stop", "web")
        self.assertEqual(self.row("web")["state"], "stopped")
        self.assertEqual(self.manager_pid(), manager)

    def test_the_operator_gets_in_when_nobody_makes_room(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}, "db": {"command": "sleep 1000"}})
        manager, pid = self.manager_pid(), self.pid("web")

        def follow(c):
            c.send("Events", {"follow": True, "limit": 0}, more=True)
            c.answer()
        self.limit(manager, resource.RLIMIT_NOFILE, open_files(manager) + 40)
        self.crowd(41, follow)          # each waits for what comes: none is idle
        self.gets_in("stop", "web")
        self.assertFalse(alive(pid))
        self.gets_in("restart", "db")
        before = open(f"/proc/{manager}/stat").read().split()[13:15]
        time.sleep(1)
        used = sum(map(int, open(f"/proc/{manager}/stat").read().split()[13:15])) - sum(map(int, before))
        self.assertLess(used, os.sysconf("SC_CLK_TCK") // 2, "the manager spins")
        self.assertEqual(self.manager_pid(), manager)

    def test_a_keeper_without_descriptors(self):
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "log": {"to": "file"}}})
        pid = self.pid("web")
        self.limit(self.daemon.pid, resource.RLIMIT_NOFILE, open_files(self.daemon.pid))
        self.apply({"db": {"command": "sleep 1000", "log": {"to": "file"}, "restart": {"delay": "50ms", "max_delay": "200ms", "limit": 0}}}, "--no-wait")
        row = self.until("db", state="waiting")
        self.assertIn("Too many open files", row["status"])
        wait_for("the hint", lambda: "RLIMIT_NOFILE" in self.ok("describe", "db").out)     # it is gone while it is tried again
        self.ok("stop", "web")
        self.assertFalse(alive(pid))
        self.limit(self.daemon.pid, resource.RLIMIT_NOFILE, 1000)
        self.until("db", state="running")

    def late(self, **schedule):
        """A schedule that comes while there is not one descriptor for its timer or its time zone: the next look at it finds them."""
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        out, c = os.path.join(self.home, "out"), self.client()
        problems = lambda: " ".join(c.call("Status")["problems"])
        manager = [c.call("Status") for _ in range(3)][-1]["manager_pid"]       # by when it has closed the connections before this one
        used = {int(n) for n in os.listdir(f"/proc/{manager}/fd")}
        self.limit(manager, resource.RLIMIT_NOFILE, min(set(range(len(used) + 1)) - used))
        c.call("Apply", {"services": [{"name": "job", "type": "oneshot", "command": ["sh", "-c", f"echo run >>{out}"], "schedule": schedule}], "wait": False})
        self.assertIn("scheduled services are late", problems())
        self.limit(manager, resource.RLIMIT_NOFILE, 1000)
        wait_for("a run", lambda: os.path.exists(out))
        wait_for("nothing to be late", lambda: "late" not in problems())
        self.assertNotIn("open files", self.row("job")["status"] or "")
        self.assertEqual(self.manager_pid(), manager)

    def test_a_schedule_without_a_timer(self):
        self.late(every="1s")

    def test_a_schedule_without_its_time_zone(self):
        self.late(cron="* * * * * *", timezone="UTC")

    def faults(self):
        path = os.path.join(self.home, "board")
        self.environment |= {"LD_PRELOAD": os.path.join(BIN, "../tests/fault/shim.so"), "KINGLY_FAULT_BOARD": path,
                             "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return Board(path)

    def next_manager(self):
        old = self.manager_pid()
        os.kill(old, signal.SIGKILL)

        def another():
            try:
                return self.manager_pid() != old
            except (OSError, Error):
                return False
        wait_for("another manager", another)

    def test_no_memory_for_the_books(self):
        """A manager that has no memory to read what runs ends, and so on until one has: it is neither ended nor begun again."""
        board = self.faults()
        self.start_daemon()
        self.apply({f"s{k}": {"command": "sleep 1000", "env": {f"NAME{n}": "x" for n in range(20)}, "log": {"to": "none"}} for k in range(20)})
        before = {r["name"]: r["pid"] for r in self.list()}
        used = board.count("kingd-manager", "memory")
        self.next_manager()
        needs = board.count("kingd-manager", "memory") - used
        if needs == 0:
            self.not_applicable("under sanitizers malloc(3) is theirs")
        for part in (0.3, 0.5, 0.7):
            board.arm("kingd-manager", "memory", board.count("kingd-manager", "memory") + int(needs * part), "ENOMEM")
            self.next_manager()
            self.assertEqual({r["name"]: r["pid"] for r in self.list()}, before, board.where(os.path.join(BIN, "kingd-manager")))
        self.assertGreater(board.fired, 0)

    def begin_again(self):
        """Once more where it ended for want of descriptors, as whoever starts it would."""
        try:
            self.start_daemon()
        except AssertionError:
            self.assertIn("Too many open files", self.daemon_log())
            self.start_daemon()

    def test_no_descriptor_for_what_an_earlier_daemon_left(self):
        """A manager that cannot look whether a process lives says so and ends, instead of taking it for gone and running it twice; the next one goes on."""
        board = self.faults()
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        before = self.pid("web")
        for nth in range(1, 4):
            manager = self.manager_pid()
            self.daemon.kill()
            self.daemon.wait()
            wait_for("its manager to be gone", lambda: not alive(manager))
            board.arm("kingd-manager", "pidfd", board.count("kingd-manager", "pidfd") + nth, "EMFILE")
            self.begin_again()
            self.until("web", state="running")
            self.assertEqual(self.pid("web"), before, f"pidfd {nth}: {board.where(os.path.join(BIN, 'kingd-manager'))}")
        self.assertGreater(board.fired, 0)

    def test_no_memory_to_tell_the_keeper_something(self):
        """It is told a moment later: what was ordered is neither lost nor waited for without end."""
        board = self.faults()
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        for nth in range(1, 6):
            for order in (["stop", "web"], ["start", "web"], ["reexec"]):
                board.arm("kingd-manager", "send", board.count("kingd-manager", "send") + nth, "ENOMEM")
                self.ok(*order)
            self.until("web", state="running")
        self.assertGreater(board.fired, 0)

    # ---- processes ----

    def test_no_more_processes_for_its_user(self):
        if os.geteuid() != 0:
            self.not_applicable("needs root to become another user")
        others = [subprocess.Popen(["sleep", "1000"], user=LONER, group=LONER, extra_groups=[]) for _ in range(3)]
        for other in others:
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "user": str(LONER), "limits": {"processes": 1}, "restart": {"delay": "50ms", "max_delay": "200ms", "limit": 0}}}, "--no-wait")
        row = self.until("web", state="waiting")
        self.assertIn("Resource temporarily unavailable", row["status"])
        wait_for("the hint", lambda: "limits.processes" in self.ok("describe", "web").out)     # it is gone while it is tried again
        for other in others:
            other.kill()
            other.wait()
        self.until("web", state="running")

    def test_no_more_processes_for_us(self):
        if os.geteuid() != 0:
            self.not_applicable("needs root to become another user")
        self.start_daemon_as(LONER + 1, "bash", "-c", "ulimit -u 3; exec \"$@\"", "kingd")      # the keeper, the manager, and one service
        self.apply({"web": {"command": "sleep 1000", "log": {"to": "none"}}})
        pid = self.pid("web")
        self.apply({"db": {"command": "sleep 1000", "log": {"to": "none"}, "restart": {"delay": "50ms", "max_delay": "200ms", "limit": 0}}}, "--no-wait")
        row = self.until("db", state="waiting")
        self.assertIn("cannot create process: Resource temporarily unavailable", row["status"])
        wait_for("the hint", lambda: "RLIMIT_NPROC" in self.ok("describe", "db").out)     # it is gone while it is tried again
        wait_for("the hint", lambda: "limit of processes" in self.ok("status").out)
        self.ok("stop", "web")
        self.assertFalse(alive(pid))
        self.until("db", state="running")
        self.stop_daemon()

    def test_one_that_forks_without_end_is_ended(self):
        bomb = self.script("bomb", "#!/usr/bin/env python3\nimport os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:     # its limit\n        time.sleep(0.01)\n")
        self.start_daemon()
        keys = {"user": str(LONER + 2), "limits": {"processes": 100}} if os.geteuid() == 0 else {"limits": {"processes": 200}}
        self.apply({"bomb": {"command": [bomb], "stop": {"timeout": "200ms"}} | keys}, "--no-wait")
        wait_for("many", lambda: len(self.ours()) > 50)
        self.ok("stop", "bomb")
        self.assertEqual([p for p in self.ours() if b"bomb" in command_line(p) and alive(p)], [])

    def test_one_that_leaves_orphans_without_end_holds_up_nobody(self):
        orphans = "import os\nwhile True:\n    if os.fork() == 0:\n        os.fork()\n        os._exit(0)\n    os.wait()\n"
        self.start_daemon()
        self.apply({"breeder": {"command": ["python3", "-c", orphans], "instances": 3, "stop": {"timeout": "200ms"}},
                    "web": {"command": "sleep 1000", "restart": {"delay": "0s"}}})
        for _ in range(3):
            old = self.pid("web")
            os.kill(old, signal.SIGKILL)
            wait_for("its next run", lambda: self.row("web")["pid"] not in (None, old))
        self.ok("stop", "breeder")
        wait_for("nothing of it", lambda: [p for p in self.ours() if b"os.fork" in command_line(p)] == [])

    # ---- the daemon's own protection ----

    def test_the_daemon_is_the_last_to_be_killed_for_memory(self):
        may = subprocess.run(["sh", "-c", "echo -1000 > /proc/self/oom_score_adj"], capture_output=True)
        if may.returncode != 0:
            self.not_applicable("a lower OOM score needs CAP_SYS_RESOURCE")
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000"}})
        score = lambda pid: int(open(f"/proc/{pid}/oom_score_adj").read())
        own = score(os.getpid())
        self.assertLess(score(self.daemon.pid), min(own, 0) or -1)
        self.assertLess(score(self.manager_pid()), min(own, 0) or -1)
        self.assertEqual(score(self.pid("web")), max(own, 0))
