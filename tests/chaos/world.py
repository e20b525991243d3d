"""A daemon whose services write down themselves what became of them (witness.c), and the judgement of Kingly by what they wrote.

The rules, none of which knows an exception that is not written here:
  alone      no two processes of an instance ever live at once (a lock that the kernel holds)
  asked      a run ends by its own exit, by an order that was given, or by a signal that the test sent; what should run, runs. Only an order
             whose signal could not be sent may end in SIGKILL
  lines      each line that a run wrote is in its log once, in order; a line may be there that the run had no time to write down. For each
             kill of the logger one stretch may be missing that it had read and not written (docs/logs.md)
  exits      each run's end is one event with its process and its status. Of a run that a keeper had not reaped when it was killed nobody is the
             parent any more, so nobody can know its status: there one event may say that it is unknown; where nothing outlives a keeper (no heir), of any run,
             and not even which process it was
  agrees     `list` names the processes that live, and none else
"""
import collections, glob, json, os, shutil, signal, subprocess, sys, tempfile, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../scenario"))
from kingly import BIN, PATIENCE, Result, SANITIZERS, alive, wait_for

WITNESS = os.environ.get("KINGLY_WITNESS") or os.path.join(BIN, "../tests/chaos/witness")
EVENTS_KEPT = 10000      # by the daemon
EVENTS = ["events", "-n", str(EVENTS_KEPT), "-o", "jsonl"]
STATUS = 3      # of a witness that has written its lines
Run = collections.namedtuple("Run", "name pid id lines end began")     # end: None while it lives, "exit", "term", or "" when it says nothing; began: seconds from boot


class Broken(Exception):
    """A promise that was not kept."""


def runs_of(path):
    """What the processes of one instance wrote down, in order."""
    name, runs = os.path.basename(path), []
    for line in open(path).read().split("\n")[:-1]:     # the last may be half written
        word, *rest = line.split()
        if word == "double":
            raise Broken(f"{name}: two processes at once: {line}")
        if word == "start":
            runs.append([int(rest[0]), rest[1], 0, None, int(rest[2]) / os.sysconf("SC_CLK_TCK")])
            continue
        run = next(r for r in reversed(runs) if r[1] == rest[0])
        if word == "broken":
            raise Broken(f"{name}: standard output was lost: {line}")
        if word == "line":
            run[2] = int(rest[1])
        else:
            run[3] = word
    return [Run(name, *run) for run in runs]


class World:
    def __init__(self, isolation="session", environment={}, heir=False):
        self.home = tempfile.mkdtemp(prefix="kc", dir=os.environ.get("KINGLY_TMP", "/tmp"))
        os.chmod(self.home, 0o755)
        self.truth_dir = os.path.join(self.home, "truth")
        os.mkdir(self.truth_dir)
        self.programs = BIN
        self.isolation, self.daemon, self.heir = isolation, None, heir
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KINGLY_", "NOTIFY_", "LISTEN_")) and k != "LD_PRELOAD"}
        self.environment = kept | {"KINGLY_HOME": self.home, "LC_ALL": "C.UTF-8"} | environment
        self.log_path = os.path.join(self.home, "kingd.out")
        self.expected = {}           # "name.index": whether a process of it should live
        self.ordered = collections.Counter()         # "name.index": orders that end a run
        self.killed = set()          # pids of services that the test killed
        self.told, self.last_event = collections.defaultdict(list), 0     # instance → (pid, code, signal) of its ends, as events told them, in order
        self.first_end = 0           # what the keeper that we started ended with, if the test ended it
        self.deaths_of_keepers = []  # when, in seconds from boot, and the runs that it had reaped before
        self.orphaned = False        # likewise, at a moment that nobody knows: any run may be one
        self.stretches = 0           # how many may be missing, and in the end are
        self.log_to = "file"
        self.talkative = set()       # "name.index": no witnesses, whose logs hold what they like
        self.slow = 1                # lines come so many times slower: emulated machines

    # ---- the daemon ----

    def start(self):
        with open(self.log_path, "a") as log:
            self.daemon = subprocess.Popen([os.path.join(self.programs, "kingd"), "--isolation", self.isolation, "--log-level", "info",
                                            *([] if self.heir else ["--no-heir"])], env=self.environment,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def keeper(self):
        """Which may be the heir of the one that we started, or an heir's."""
        try:
            return int(open(os.path.join(self.home, "kingd.pid")).read()) if self.heir else self.daemon.pid
        except (FileNotFoundError, ValueError):
            return None

    def kill_keeper(self, sig=signal.SIGKILL):
        """The next one is its heir or, as systemd would do it, is started at once."""
        old, reaped = self.keeper(), {r.id for r in self.runs() if not os.path.exists(f"/proc/{r.pid}")}
        os.kill(old, sig)
        self.first_end = self.first_end or -sig
        wait_for("the end of the keeper", lambda: not alive(old))
        self.deaths_of_keepers.append((time.clock_gettime(time.CLOCK_BOOTTIME), reaped))
        if not self.heir:
            self.orphaned = True                     # what it had reaped and not told died with it, and which process the last one was
            self.daemon.wait()
            self.start()
            return
        wait_for("the heir in its place", lambda: self.keeper() not in (None, old), 4 * PATIENCE)

    def runs(self):
        return [r for runs in self.truth().values() for r in runs]

    def log(self):
        return open(self.log_path, errors="replace").read()

    def kingctl(self, *arguments, timeout=4 * PATIENCE):
        try:
            r = Result(subprocess.run([os.path.join(BIN, "kingctl"), *arguments, "--no-autostart"], env=self.environment, capture_output=True, text=True,
                                      errors="replace", timeout=timeout))
        except subprocess.TimeoutExpired as e:
            raise Broken(f"kingctl {' '.join(arguments)} hangs, after {e.stdout or b''!r} {e.stderr or b''!r}") from None
        if any(s in r.err for s in SANITIZERS):
            raise Broken(f"kingctl {' '.join(arguments)}: a sanitizer has something to say: {r}")
        if r.code < 0:
            raise Broken(f"kingctl {' '.join(arguments)} died: {r}")
        if r.code and not r.err.strip():
            raise Broken(f"kingctl {' '.join(arguments)} failed without a word: {r}")
        return r

    def insist(self, *arguments, patience=PATIENCE, unless=None, ends=()):
        """The command until it succeeds; what it says on the way must be an error of the documented form. Each try may end a run of `ends`."""
        last = [None]

        def done():
            self.ordered.update(ends)
            last[0] = self.kingctl(*arguments)
            return last[0].code == 0 or (unless and unless(last[0]))
        try:
            wait_for("", done, patience)
        except AssertionError:
            raise Broken(f"kingctl {' '.join(arguments)} does not succeed: {last[0]}") from None
        return last[0]

    def json(self, *arguments):
        return json.loads(self.insist(*arguments, "-o", "json").out)

    def jsonl(self, *arguments):
        return [json.loads(l) for l in self.insist(*arguments, "-o", "jsonl").out.splitlines()]

    # ---- services ----

    def witness(self, every=5, lines=0, pad=0, **more):
        return {"command": [WITNESS, self.truth_dir, str(every * self.slow), str(lines), str(STATUS), str(pad)], "log": {"to": self.log_to, "format": "text", "max_size": "1G"},
                "env": {"SCENARIO_HOME": self.home}} | more

    def apply(self, services, **more):
        path = os.path.join(self.home, "apply.json")
        with open(path, "w") as f:
            json.dump({"services": services}, f)
        self.insist("apply", "-f", path, "--prune", **more)

    def truth(self):
        """Every run, by instance."""
        return {n: runs_of(os.path.join(self.truth_dir, n)) for n in sorted(os.listdir(self.truth_dir)) if not n.endswith(".lock")}

    # ---- the judgement ----

    def judge_ends(self, truth):
        for name, runs in truth.items():
            stops = 0
            for r in runs:
                if r.end == "term":
                    stops += 1
                elif r.end is None and r.pid not in self.killed and not (r is runs[-1] and alive(r.pid)):
                    stops += 1
                    if stops > self.ordered[name]:
                        raise Broken(f"{name}: process {r.pid} ended without a cause after line {r.lines}")
            if stops > self.ordered[name]:
                raise Broken(f"{name}: stopped {stops} times, {self.ordered[name]} were ordered")

    def judge_now(self, truth):
        """What `list` says against what lives; None when all is as it should be, else why not yet."""
        rows = {f"{r['name']}.{r['instance']}": r for r in self.json("list")}
        for name, wanted in self.expected.items():
            last = truth[name][-1] if truth.get(name) else None
            lives = last is not None and alive(last.pid)
            if wanted and not lives:
                return f"{name} does not run"
            if not wanted and lives:
                return f"{name} runs, process {last.pid}"
            if name not in rows:
                return f"{name} is not in the list"
            if (rows[name]["pid"] if rows[name]["state"] == "running" else None) != (last.pid if lives else None):
                return f"list says {rows[name]['state']} {rows[name]['pid']}, {last.pid if lives else 'nothing'} lives: {name}"
        return None

    def judge_lines(self, truth, logged):
        gaps = 0
        for name, runs in truth.items() if self.log_to == "file" else []:
            for r in runs:
                numbers = logged.get(name, {}).get(r.id, [])
                missing = sorted(set(range(1, r.lines + 1)) - set(numbers))
                gaps += sum(n - 1 not in missing for n in missing)
                if gaps > self.stretches or numbers != sorted(set(numbers)) or any(n > r.lines + 1 for n in numbers):
                    return (f"{name}: run {r.id} (process {r.pid}) wrote {r.lines} lines, {len(numbers)} are logged; missing {missing[:10]}, twice "
                            f"{[n for n, k in collections.Counter(numbers).items() if k > 1][:10]}, out of order {numbers != sorted(numbers)}")
        self.stretches = gaps
        return None

    def logged(self):
        """name.index → run → numbers, as the files have them."""
        found, logs = collections.defaultdict(lambda: collections.defaultdict(list)), os.path.join(self.home, "logs")
        for path in sorted(glob.glob(f"{logs}/*.*.log*"), key=lambda p: -int((p.rsplit(".", 1)[1].isdigit() and p.rsplit(".", 1)[1]) or 0)):
            name = os.path.basename(path).split(".log")[0]
            if name in self.talkative:
                continue
            for line in open(path, errors="replace").read().split("\n")[:-1]:
                words = line.split()
                if len(words) < 4 or words[1] != "out" or not words[3].isdigit():
                    raise Broken(f"a line that nobody wrote in {path}: {line[:200]!r}")
                found[name][words[2]].append(int(words[3]))
        return found

    def is_orphan(self, run):
        return any(run.began <= when and run.id not in reaped for when, reaped in self.deaths_of_keepers)

    def gather_events(self):
        """The daemon keeps the newest ten thousand: whoever runs for long asks now and then."""
        self.take_events([json.loads(l) for l in self.insist(*EVENTS).out.splitlines()])

    def take_events(self, events):
        if len(events) == EVENTS_KEPT and self.last_event and events[0]["id"] > self.last_event + 1:
            raise Broken("looked too seldom: events are gone already")
        for e in events:
            if e["id"] <= self.last_event:
                continue
            self.last_event = e["id"]
            data, name = e["data"] or {}, f"{e['name']}.{e['instance']}"
            if e["kind"] in ("exited", "lost") and data:
                self.told[name].append((data["pid"], data["code"], data["signal"]))
            elif e["kind"] == "start-failed":        # for all that the next daemon can know
                self.told[name].append((None, None, None))

    def judge_exits(self, truth):
        self.gather_events()
        for name, runs in truth.items():
            told, nameless = collections.defaultdict(list), 0
            for pid, *end in self.told[name]:
                told[pid].append(tuple(end))
            nameless = len(told.pop(None, []))
            for r in runs:
                if r is runs[-1] and alive(r.pid):
                    continue
                wanted = {"exit": (STATUS, None), "term": (0, None)}.get(r.end, (None, "SIGKILL"))
                # Numbers come again: of the runs that had this one, each has its end, in their order.
                end = told[r.pid].pop(0) if told[r.pid] else None
                unknown = end == (None, None) and (self.orphaned or self.is_orphan(r))
                if end is None and (self.orphaned or self.is_orphan(r)) and nameless:
                    nameless -= 1
                    unknown = True
                if end != wanted and not unknown:
                    return f"{name}: process {r.pid} (run {r.id}) ended by {r.end or 'SIGKILL'}, events tell {end}"
            left = {pid: ends for pid, ends in told.items() if ends}
            if any(pid in {r.pid for r in runs} for pid in left):
                return f"{name}: ends of processes are told twice: {left}"
        return None

    def await_none(self, what, condition, patience=PATIENCE):
        """Until the condition finds nothing wrong."""
        last = [None]

        def fine():
            last[0] = condition()
            return last[0] is None
        try:
            wait_for(what, fine, patience)
        except AssertionError:
            raise Broken(f"{what}: {last[0]}") from None

    def settle(self, patience=PATIENCE):
        """All that should run runs, and `list` says so."""
        self.await_none("settled", lambda: self.judge_now(self.truth()), patience)

    def judge(self):
        """With everything stopped: ends, exits and lines, whole."""
        truth = self.truth()
        self.judge_ends(truth)
        self.await_none("exits", lambda: self.judge_exits(truth))
        self.await_none("lines", lambda: self.judge_lines(truth, self.logged()))

    # ---- the end ----

    def ours(self):
        """Processes of this world that live: the daemon's by its home, services by the mark in their environment."""
        marks = {f"{n}={self.home}".encode() for n in ("KINGLY_HOME", "SCENARIO_HOME")}
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = open(f"/proc/{pid}/environ", "rb").read()
            except OSError:
                continue
            if marks & set(environ.split(b"\0")) and alive(pid):
                found.append(int(pid))
        return found

    def shut_down(self):
        """An orderly end that leaves nothing."""
        if self.heir or self.daemon.poll() is None:
            self.insist("shutdown", unless=lambda r: r.code == 4)
        try:
            status = self.daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Broken("kingd does not end after shutdown") from None
        if status != (self.first_end if self.heir else 0):
            raise Broken(f"kingd ended with status {status} after shutdown")
        self.await_none("nothing left", lambda: (lambda left: f"processes {left} are left" if left else None)(self.ours()))
        if [l for l in self.log().splitlines() if any(s in l for s in SANITIZERS)]:
            raise Broken("a sanitizer has something to say")

    def clean(self):
        for again in range(100):
            left = self.ours()
            if self.daemon and self.daemon.poll() is None:
                self.daemon.kill()
                self.daemon.wait()
            elif not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        if os.environ.get("KINGLY_KEEP") != "1":
            shutil.rmtree(self.home, ignore_errors=True)
