"""sd_notify side by side: one table of senders, each run as a service of Kingly and, in the guest, as a unit of systemd at the same time. Both must come to
what the table says, field by field; where Kingly differs on purpose, the table says why. Outside of the guest Kingly is held to the table alone."""
import array, contextlib, json, os, signal, socket, subprocess
from dataclasses import dataclass, field
from kingly import ISOLATION, PATIENCE, Scenario, alive, wait_for

BUILT = os.path.join(os.environ.get("KINGLY_BIN") or os.path.join(os.path.dirname(__file__), "../../build/bin"), "../tests/scenario/notify_twin")
SYSTEMD = ISOLATION == "scope" and os.geteuid() == 0 and bool(os.environ.get("KINGLY_GUEST"))


@dataclass
class Case:
    script: str                                    # operations of notify_twin.c, between semicolons
    state: str = "running"                         # starting running reloading stopping failed ended
    result: str = "success"                        # success timeout protocol exit-code signal core-dump watchdog
    status: str = ""                               # of one that lives
    main: str = "main"                             # whose pid is the main one: the name of a mark; "" when nothing lives
    restarts: int = 0
    stored: int = 0
    unit: dict = field(default_factory=dict)       # of systemd
    service: dict = field(default_factory=dict)    # the same in Kingly's words
    stranger: str = ""                             # said by a process of no service, when the sender has done its part
    signal: str = ""                               # sent to the main process then
    done: bool = True                              # the sender comes to the end of its script
    since: int = 0                                 # the systemd from which on it knows that
    ours: dict = field(default_factory=dict)       # what Kingly comes to instead
    why: str = ""


def dead(state, result, **more):
    return {"state": state, "result": result, "main": ""} | more


def start_within(seconds):
    return {"unit": {"TimeoutStartSec": f"{seconds}s"}, "service": {"ready": {"by": "notify", "timeout": f"{seconds}s"}}}


def watchdog(seconds):
    return {"unit": {"WatchdogSec": f"{seconds}s"}, "service": {"watchdog": f"{seconds}s"}}


def store(n, **more):
    return {"unit": {"FileDescriptorStoreMax": n} | more.get("unit", {}), "service": {"fd_store": n} | more.get("service", {})}


CASES = {
    # ---- readiness ----
    "ready": Case("say:READY=1"),
    "silent": Case("barrier", state="starting"),
    "ready-zero": Case("say:READY=0", state="starting"),
    "ready-in-company": Case(r"say:X_OWN=1\nSTATUS=up\n\nnonsense\n=\nREADY=1", status="up"),
    "ready-twice": Case("say:READY=1;say:READY=1"),
    "never-ready": Case("sleep:1000000", **dead("failed", "timeout"), done=False, **start_within(2)),
    "ends-before": Case("exit:0", **dead("failed", "protocol")),
    "fails-before": Case("exit:3", **dead("failed", "exit-code")),
    "fails-behind": Case("say:READY=1;exit:3", **dead("failed", "exit-code")),
    "ends-behind": Case("say:READY=1;exit:0", **dead("ended", "success")),
    "killed": Case("say:READY=1;kill:9", **dead("failed", "signal")),
    "extended": Case("say:EXTEND_TIMEOUT_USEC=600000000;sleep:12000;say:READY=1", **start_within(10)),
    "not-extended-by-nonsense": Case("say:EXTEND_TIMEOUT_USEC=lots;sleep:1000000", **dead("failed", "timeout"), done=False, **start_within(3)),

    # ---- what cannot be read ----
    "nul-inside": Case(r"say:READY=1\0X", state="starting"),
    "nul-behind": Case(r"say:READY=1\0"),
    "too-long": Case(r"long:READY=1\nSTATUS=", state="starting"),
    "empty": Case("say:;say:READY=1"),
    "barrier-in-company": Case(r"say:BARRIER=1\nREADY=1", state="starting"),

    # ---- status ----
    "status": Case("say:READY=1;say:STATUS=one;say:STATUS=two", status="two"),
    "status-cleared": Case("say:READY=1;say:STATUS=one;say:STATUS="),
    "status-not-utf8": Case(r"say:READY=1;say:STATUS=good;say:STATUS=b\xffd", ours={"status": "good"},
                            why="a status that cannot be shown is as if it had not been sent; systemd forgets the one before as well"),
    "status-utf8": Case(r"say:READY=1\nSTATUS=gr\xc3\xbcn", status="grün"),

    # ---- who ----
    "child": Case("child:READY=1", state="starting"),
    "child-of-all": Case("child:READY=1\\nSTATUS=by a child", status="by a child", unit={"NotifyAccess": "all"}, service={"notify_access": "all"}),
    "stranger": Case("barrier", state="starting", stranger="READY=1\nSTATUS=not mine"),
    "stranger-stops": Case("say:READY=1;say:STATUS=well", status="well", stranger="STOPPING=1\nSTATUS=not mine\nMAINPID=1", unit={"NotifyAccess": "all"}, service={"notify_access": "all"}),

    # ---- stopping, reloading ----
    "stopping": Case("say:READY=1;say:STOPPING=1", state="stopping"),
    "stopping-wins": Case(r"say:READY=1;say:READY=1\nSTOPPING=1", state="stopping"),
    "stopping-then-gone": Case("say:READY=1;say:STOPPING=1;exit:0", **dead("ended", "success")),
    "reloading": Case("say:READY=1;say:RELOADING=1", state="reloading"),
    "reloaded": Case(r"say:READY=1;say:RELOADING=1\nSTATUS=reads;say:READY=1\nSTATUS=has read", status="has read"),
    "reloaded-by-signal": Case(r"hup:RELOADING=1\nREADY=1\nSTATUS=by HUP;say:READY=1", status="by HUP", signal="HUP"),

    # ---- watchdog ----
    "watchdog-missed": Case("say:READY=1", **dead("failed", "watchdog"), done=False, **watchdog(1)),
    "watchdog-fed": Case("say:READY=1;pings:200", **watchdog(15)),
    "watchdog-trigger": Case("say:READY=1;say:WATCHDOG=trigger", **dead("failed", "watchdog"), done=False, **watchdog(1000)),
    "watchdog-shortened": Case("say:READY=1;say:WATCHDOG_USEC=1000000", **dead("failed", "watchdog"), done=False, **watchdog(1000)),
    "watchdog-lengthened": Case("say:WATCHDOG_USEC=1000000000;say:READY=1;sleep:4000", **watchdog(3)),

    # ---- main process ----
    "main-handed-over": Case("hand-over:exit;say:READY=1\\nSTATUS=by the child", status="by the child", main="child"),
    "main-told-by-itself": Case("child:;say:READY=1\\nMAINPID=%c", main="child"),
    "main-is-the-first": Case("say:READY=1\\nMAINPID=1"),
    "main-is-nonsense": Case("say:READY=1\\nMAINPID=me;say:MAINPID=-1;say:MAINPID="),

    # ---- fd store ----
    "stored": Case("store:FDNAME=a;store:FDNAME=b;say:READY=1", stored=2, **store(4)),
    "stored-too-many": Case("store:FDNAME=a;store:FDNAME=b;store:FDNAME=c;say:READY=1", stored=2, **store(2)),
    "stored-twice": Case("store:FDNAME=a;again:FDNAME=b;say:READY=1", stored=1, **store(4)),
    "stored-nowhere": Case("store:FDNAME=a;say:READY=1"),
    "stored-with-a-bad-name": Case("store:FDNAME=a:b;say:FDSTOREREMOVE=1\\nFDNAME=stored;store:FDNAME=c;say:READY=1", stored=1, **store(4)),
    "removed": Case("store:FDNAME=a;store:FDNAME=b;store:FDNAME=a;say:FDSTOREREMOVE=1\\nFDNAME=a;say:FDSTOREREMOVE=1;say:READY=1", stored=1, **store(4)),
    "hung-up": Case("pipe:FDNAME=a;hang-up;say:READY=1", stored=0, **store(4)),
    "hung-up-unpolled": Case("pipe:FDNAME=a\\nFDPOLL=0;hang-up;say:READY=1", stored=1, **store(4)),
    "stored-over-a-restart": Case("given-or-store:a b;say:READY=1", status="given 2 names, 2 descriptors", restarts=1, stored=2,
                                  **store(4, unit={"Restart": "always", "RestartSec": "0"}, service={"restart": {"when": "always", "delay": "0s"}})),
    "stored-and-stopped": Case("store:FDNAME=a;say:READY=1;exit:0", **dead("ended", "success"), **store(4)),
}

UNIT = {"Type": "notify", "NotifyAccess": "main", "Restart": "no", "TimeoutStartSec": "10min", "TimeoutStopSec": "10min", "LimitCORE": "0"}
SERVICE = {"ready": {"by": "notify", "timeout": "10m"}, "restart": {"when": "never"}, "stop": {"timeout": "10m"}, "limits": {"core": "0"}, "log": {"to": "none"}}
FIELDS = ("state", "result", "status", "main", "restarts", "stored")
ALIVE = ("starting", "running", "reloading", "stopping")


class Twin(Scenario):
    def setUp(self):
        super().setUp()
        if not os.path.exists(BUILT):
            self.fail(f"{BUILT} is missing: make test-programs")
        self.start_daemon()

    # ---- both sides ----

    def prepare(self, side):
        """A directory for each case; what it runs."""
        commands = {}
        for name, case in CASES.items():
            place = f"{self.home}/{side}/{name}"
            self.file(f"{side}/{name}/script", case.script.replace(";", "\n") + "\n")
            commands[name] = [BUILT, place]
        return commands

    def marked(self, side, name, what):
        path = f"{self.home}/{side}/{name}/{what}"
        return open(path).read().splitlines() if os.path.exists(path) else None

    def role(self, side, name, pid):
        for what in ("main", "child"):
            mark = self.marked(side, name, what)
            if mark and int(mark[0]) == pid:
                return what
        return str(pid) if pid else ""

    def expected(self, case, ours):
        values = {f: getattr(case, f) for f in FIELDS} | (case.ours if ours else {})
        if values["state"] not in ALIVE:
            values["status"] = ""
        return values

    def from_outside(self, side, name, text):
        """Said by this process, and read: a barrier behind it has been passed."""
        path = self.marked(side, name, "main")[1]
        a, b = os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(path)
            s.send(text.encode())
            s.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [b]))])
        os.close(b)
        with os.fdopen(a, "rb") as end:
            end.read()

    def drive(self, side, send, known):
        """Waits for what the senders do by themselves, then does what is done to them."""
        for name in known:
            case = CASES[name]
            if case.done:
                wait_for(f"{name} to have said everything to {side}", lambda: self.marked(side, name, "done"))
            if case.stranger:
                self.from_outside(side, name, case.stranger)
            if case.signal:
                send(name, case.signal)
                wait_for(f"{name} to have heard {case.signal} under {side}", lambda: self.marked(side, name, "hup"))

    def compare(self, side, outcomes, known):
        """Waits until all is as the table says; else shows what is not."""
        wrong = {}

        def right():
            wrong.clear()
            found = outcomes()
            for name in known:
                want = self.expected(CASES[name], side == "kingly")
                if found[name] != want:
                    wrong[name] = {f: f"{found[name][f]!r}, not {want[f]!r}" for f in FIELDS if found[name][f] != want[f]}
            return not wrong
        try:
            wait_for("the outcomes", right, PATIENCE)
        except AssertionError:
            self.fail(f"{side} differs from the table in {len(wrong)} of {len(known)}:\n" + "\n".join(f"  {n}: {w}" for n, w in wrong.items()))

    # ---- Kingly ----

    REASONS = {"exited": "exit-code", "ready-timeout": "timeout", "none": "success"}
    STATES = {"exited": "ended", "stopped": "ended"}

    def kingly_outcomes(self):
        outcomes = {}
        for s in json.loads(self.ok("describe", "-o", "json", "all").out):
            row, stored = s["instances"][0]["instance"], s["instances"][0].get("fd_store")
            state = self.STATES.get(row["state"], row["state"])
            reason = (row["exit"] or {}).get("reason", "none") if state == "failed" else "none"
            outcomes[s["name"]] = {"state": state, "result": self.REASONS.get(reason, reason), "status": (row["status"] or "") if state in ALIVE else "",
                                   "main": self.role("kingly", s["name"], row["pid"] or 0), "restarts": row["restarts"], "stored": stored["count"] if stored else 0}
        return outcomes

    def begin_kingly(self):
        services = {name: SERVICE | {"command": command} | CASES[name].service for name, command in self.prepare("kingly").items()}
        self.addCleanup(self.end_kingly)
        self.apply(services, "--no-wait")

    def end_kingly(self):
        """Those that say STOPPING=1 end when they like, and here that is never."""
        for name in CASES:
            for what in ("main", "child"):
                mark = self.marked("kingly", name, what)
                if mark and alive(int(mark[0])):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(mark[0]), signal.SIGKILL)

    # ---- systemd ----

    def systemctl(self, *arguments):
        r = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=8 * PATIENCE)
        self.assertEqual(r.returncode, 0, r)
        return r.stdout

    SUB = {"start": "starting", "running": "running", "reload": "reloading", "reload-notify": "reloading", "stop-sigterm": "stopping", "dead": "ended", "failed": "failed"}

    def systemd_outcomes(self):
        shown = self.systemctl("show", "-pId,SubState,Result,StatusText,MainPID,NRestarts,NFileDescriptorStore", *[f"twin-{name}.service" for name in CASES])
        outcomes = {}
        for block in shown.strip().split("\n\n"):
            v = dict(l.split("=", 1) for l in block.splitlines())
            name, state = v["Id"][len("twin-"):-len(".service")], self.SUB.get(v["SubState"], v["SubState"])
            outcomes[name] = {"state": state, "result": v["Result"], "status": v.get("StatusText", "") if state in ALIVE else "",
                              "main": self.role("systemd", name, int(v["MainPID"])), "restarts": int(v["NRestarts"]), "stored": int(v["NFileDescriptorStore"])}
        return outcomes

    def begin_systemd(self):
        for name, command in self.prepare("systemd").items():
            lines = "".join(f"{k}={v}\n" for k, v in (UNIT | CASES[name].unit).items())
            path = f"/run/systemd/system/twin-{name}.service"
            with open(path, "w") as f:
                f.write(f"[Service]\nExecStart={' '.join(command)}\nStandardOutput=null\n{lines}")
            self.addCleanup(os.unlink, path)
        self.systemctl("daemon-reload")
        self.addCleanup(self.end_systemd)
        self.systemctl("start", "--no-block", *[f"twin-{name}.service" for name in CASES])

    def end_systemd(self):
        subprocess.run(["systemctl", "kill", "-s", "KILL", "twin-*.service"], capture_output=True)
        subprocess.run(["systemctl", "stop", "twin-*.service"], capture_output=True)
        subprocess.run(["systemctl", "reset-failed", "twin-*.service"], capture_output=True)

    def test_table(self):
        self.begin_kingly()
        if SYSTEMD:
            version = int(subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout.split()[1])
            known = [name for name, case in CASES.items() if case.since <= version]
            self.begin_systemd()
            self.drive("systemd", lambda name, sig: self.systemctl("kill", "--kill-whom=main", "-s", sig, f"twin-{name}.service"), known)
            self.compare("systemd", self.systemd_outcomes, known)
        self.drive("kingly", lambda name, sig: self.ok("signal", sig, name), list(CASES))
        self.compare("kingly", self.kingly_outcomes, list(CASES))

    def test_each_difference_is_explained(self):
        for name, case in CASES.items():
            self.assertEqual(bool(case.ours), bool(case.why), name)
