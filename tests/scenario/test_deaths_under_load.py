"""The manager and the logger are killed, or all of it executed anew, again and again while services log numbered lines and others crash; afterwards the services' own books
tell whether a line, an exit or a process was lost. KINGLY_KILLS kills (a few by default, hundreds in tests/soak/deaths), KINGLY_SEED."""
import json, os, random, signal, statistics, subprocess, time
from kingly import BIN, Scenario, alive, json_lines, named, wait_for

KILLS = int(os.environ.get("KINGLY_KILLS", "6"))
LOGGING = int(os.environ.get("KINGLY_LOGGING", "30"))
CRASHING = int(os.environ.get("KINGLY_CRASHING", "5"))
SEED = int(os.environ.get("KINGLY_SEED") or random.randrange(1 << 32))

# Twenty numbered lines a second, each with an end by which a torn one is told; told to end, it writes down which was the last.
COUNT = """
$| = 1; my $end = 0; my $n = 0; $SIG{TERM} = sub { $end = 1 };
until ($end) { $n++; print "$$ $n .\\n"; select(undef, undef, undef, 0.05) }
open(my $f, ">>", "$ENV{BOOK}/$ENV{KINGLY_SERVICE}"); print $f "$$ $n\\n";
"""
# Each run enters itself before it ends badly.
CRASH = "echo $$ >> $BOOK/$KINGLY_SERVICE; sleep 0.2; exit 3"


class DeathsUnderLoad(Scenario):
    serial = True      # what others load the machine with would be measured as well

    def start_load(self):
        self.book = f"{self.home}/book"
        os.mkdir(self.book)
        environment = {"BOOK": self.book}
        self.start_daemon()
        ready = {"command": ["perl", "-e", COUNT.replace("$", "$$")], "env": environment, "log": {"to": "file"}, "stop": {"timeout": "60s"}}
        self.apply({f"log{n}": dict(ready) for n in range(LOGGING)})
        with open(f"{self.home}/events", "w") as out:
            follower = subprocess.Popen([os.path.join(BIN, "kingctl"), "events", "-f", "-n", "10000", "-o", "jsonl"], env=self.environment, stdout=out, stderr=out)
        self.addCleanup(lambda: (follower.kill(), follower.wait()))
        self.apply({f"crash{n}": {"command": ["sh", "-c", CRASH.replace("$", "$$")], "env": environment,
                                  "restart": {"delay": "300ms", "factor": 1, "limit": 0}} for n in range(CRASHING)}, "--no-wait")
        self.pids = {r["name"]: r["pid"] for r in self.list("log*")}

    def kill_again_and_again(self, victim):
        """Kills what victim() names; how long the daemon then took to answer."""
        def kill(rest):
            pid = victim()
            rest()
            os.kill(pid, signal.SIGKILL)
            begun = time.monotonic()
            self.ok("list", "-q")
            answered = time.monotonic() - begun
            wait_for("its end", lambda: not alive(pid))
            return answered
        return self.again_and_again(kill)

    def again_and_again(self, act):
        chance, times = random.Random(SEED), []
        for n in range(KILLS):
            # Sooner or later in its life: of those that die soon each comes later than the last one.
            times.append(act(lambda: time.sleep(0.02 if n % 10 == 9 else 1.05 + chance.random() * 0.3)))
        return times

    def last_line_is_there(self, name):
        """What a service wrote last may wait in its pipe for the next logger, which comes after a pause when several died soon."""
        return open(f"{self.home}/logs/{name}.0.log").read().endswith(f" {open(f'{self.home}/book/{name}').read().strip()} .\n")

    def lost_lines(self):
        """Lines that a service's log lacks, and those it has twice."""
        lost = doubled = total = 0
        for name, pid in self.pids.items():
            [last] = open(f"{self.book}/{name}").read().splitlines()
            self.assertEqual(last.split()[0], str(pid), "another process")
            wanted = range(1, int(last.split()[1]) + 1)
            found = [int(m.split()[1]) for m in (l.split(" ", 2)[2] for l in open(f"{self.home}/logs/{name}.0.log") if "Z out " in l) if m.split()[0] == str(pid) and m.endswith(" .\n")]
            total += len(wanted)
            lost += len(set(wanted) - set(found))
            doubled += len(found) - len(set(found))
        return total, lost, doubled

    def check(self, what, times):
        self.assertEqual({r["name"]: r["pid"] for r in self.list("log*")}, self.pids, "changed PIDs")
        self.ok("stop", "all")
        newest = self.events()[-1]["id"]
        events = wait_for("the last event", lambda: (lambda all: all and all[-1]["id"] >= newest and all)(json_lines(f"{self.home}/events")))
        self.assertEqual([e["id"] for e in events], list(range(events[0]["id"], newest + 1)), "events that were missed or came twice")
        runs = exits = 0
        for n in range(CRASHING):
            entered = open(f"{self.book}/crash{n}").read().split()
            ended = [(str(e["data"]["pid"]), e["data"]["code"]) for e in events if e["name"] == f"crash{n}" and e["kind"] == "exited"]
            told = [p for p, code in ended]
            # The last run may have been stopped before it entered itself, or before its status was its own. Numbers come again, so their order counts.
            self.assertEqual(told[:len(entered)], entered, f"crash{n}: exits that were lost or came twice")
            self.assertLessEqual(len(told), len(entered) + 1)
            self.assertTrue(all(code == 3 for p, code in ended[:-1]), ended)
            runs, exits = runs + len(entered), exits + len(told)
        wait_for("the last lines", lambda: all(map(self.last_line_is_there, self.pids)))
        total, lost, doubled = self.lost_lines()
        print(f"KINGLY_SEED={SEED} {what} {KILLS} times: {len(self.pids)} services logged {total} lines, lost {lost}, doubled {doubled}; changed PIDs 0; "
              f"{runs} runs of {CRASHING} services crashed, lost exits 0; list answered after {statistics.median(times) * 1000:.0f} ms (median), "
              f"{max(times) * 1000:.0f} ms (worst)", flush=True)
        return lost, doubled

    def test_manager(self):
        self.start_load()
        self.assertEqual(self.check("manager killed", self.kill_again_and_again(self.manager)), (0, 0))

    def test_upgrade(self):
        def upgrade(rest):
            rest()
            begun = time.monotonic()
            self.ok("reexec")
            return time.monotonic() - begun
        self.start_load()
        self.assertEqual(self.check("executed anew", self.again_and_again(upgrade)), (0, 0))

    def logger(self):
        return wait_for("the logger", lambda: named(self.daemon.pid, "kingd-logger"))[0]

    def test_logger(self):
        self.start_load()
        self.assertEqual(self.check("logger killed", self.kill_again_and_again(self.logger)), (0, 0))
