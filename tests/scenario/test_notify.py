"""sd_notify from services: one test for each row of what is understood (docs/notify.md), with a sender of our own."""
import json, os, shutil, signal, subprocess, sys, time, unittest
from after_clone import AfterClone
from kingly import PATIENCE, Scenario, alive, wait_for
from puppet import Puppet
from test_keeper_death import heir_of

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "puppet.py")


class Puppets(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def service(self, name="s", before="", **more):
        """before: what it does before it serves its socket."""
        return {"command": [sys.executable, PROGRAM, *([before] if before else [])], "ready": {"by": "notify", "timeout": "10m"}, "restart": {"when": "never"},
                "env": {"PUPPET": f"{self.home}/puppet-{name}"}} | more

    def puppet(self, name="s", suffix=""):
        p = Puppet(f"{self.home}/puppet-{name}{suffix}", PATIENCE)
        self.addCleanup(p.close)
        return p

    def start(self, name="s", ready=True, **more):
        """A puppet that is ready, or one that is not yet."""
        self.apply({name: self.service(name, **more)}, "--no-wait")
        p = self.puppet(name)
        if ready:
            p.say("READY=1")
            self.until(name, state="running")
        return p

    def notify(self, name="s"):
        return json.loads(self.ok("describe", name, "-o", "json").out)[0]["instances"][0]["notify"]

    def kinds(self, name="s"):
        return [e["kind"] for e in self.events(name)]

    def refusal(self, name="s"):
        return self.notify(name)["refusal"] or ""


class MainProcess(Puppets):
    def test_mainpid_of_a_child(self):
        """It is the main process from then on; its parent, who waits for it, does not keep its end from being seen."""
        p = self.start()
        first = self.pid("s")
        child = p.get("child('c')")
        p.say(f"MAINPID={child}")
        self.assertEqual(self.pid("s"), child)
        self.assertTrue(self.notify()["main_told"])
        self.assertIn("main-process", self.kinds())
        self.puppet(suffix=".c").leave(3)
        row = self.until("s", state="failed")
        wait_for("the first one to be stopped", lambda: not alive(first))
        self.assertEqual((row["pid"], row["exit"]["code"]), (None, 3))

    def test_mainpid_of_an_orphan(self):
        """The keeper is its parent by then: its status is the service's."""
        p = self.start()
        first, main = self.pid("s"), p.get("orphan('o')")
        p.say(f"MAINPID={main}")
        self.assertEqual(self.pid("s"), main)
        self.puppet(suffix=".o").leave(7)
        row = self.until("s", state="failed")
        self.assertEqual(row["exit"]["code"], 7)
        wait_for("the first one to be stopped", lambda: not alive(first))

    def test_mainpid_and_the_first_one_ends(self):
        """As daemons do it that fork, say so and leave: no end of the service."""
        p = self.start(ready=False)
        first = self.pid("s")
        main = p.get("child('c')")
        p.do(f"say('READY=1\\nMAINPID={main}')")
        p.leave()
        self.until("s", state="running", pid=main)
        wait_for("the first one to end", lambda: not alive(first))
        self.puppet(suffix=".c").leave(9)
        self.assertEqual(self.until("s", state="failed")["exit"]["code"], 9)
        self.assertEqual(self.kinds().count("started"), 1)

    def test_mainpid_that_ends_at_once(self):
        """Its end may be seen before the keeper knows who it was."""
        for k in range(5):
            name = f"s{k}"
            p = self.start(name, ready=False)
            p.do("a, b = os.pipe(); c = os.fork()\nif c == 0:\n  os.setsid(); os.read(a, 1); os._exit(5)")
            p.do("say(f'READY=1\\nMAINPID={c}'); barrier()")
            p.tell("os.write(b, b'x'); os._exit(0)")
            row = self.until(name, state="failed")
            self.assertEqual(row["exit"]["code"], 5, row)

    def test_mainpid_is_restarted(self):
        p = self.start(restart={"when": "always", "delay": "0s"})
        main = p.get("orphan('o')")
        p.say(f"MAINPID={main}")
        os.unlink(f"{self.home}/puppet-s")
        self.puppet(suffix=".o").leave(1)
        p = self.puppet()
        p.say("READY=1")
        row = self.until("s", state="running", restarts=1)
        self.assertNotEqual(row["pid"], main)
        self.assertFalse(self.notify()["main_told"])

    def test_mainpid_is_signalled_and_stopped(self):
        p = self.start(stop={"scope": "main", "signal": "SIGUSR1"})
        main = p.get("orphan('o')")
        p.say(f"MAINPID={main}")
        self.puppet(suffix=".o").do("signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))")
        self.ok("stop", "s")
        self.assertEqual(self.row("s")["exit"]["code"], 0)
        self.assertFalse(alive(main))

    def test_mainpid_refused(self):
        """Not one that has ended, not 1, not Kingly's own, not another service's, and not what is no number."""
        other = self.start("other")
        p = self.start()
        first = self.pid("s")
        gone = p.get("child('c')")
        self.puppet(suffix=".c").leave()
        wait_for("its end", lambda: not alive(gone))
        for pid, why in ((gone, "it has ended"), (1, "no service's"), (self.daemon.pid, "no service's"), (self.manager(), "no service's"),
                         (self.pid("other"), "another service's"), (2 ** 22 + 5, "no such process")):
            p.say(f"MAINPID={pid}")
            self.assertIn(why, self.refusal())
        p.say("MAINPID=x\nMAINPID=0\nMAINPID=-1")
        self.assertEqual(self.notify()["bad_field"], "MAINPID")
        self.assertEqual((self.pid("s"), self.row("s")["state"]), (first, "running"))
        self.assertEqual(self.row("other")["state"], "running")
        self.assertEqual(self.kinds().count("notify-refused"), 1)

    def test_mainpid_outside_of_the_service(self):
        """Root may name any process; nobody else may."""
        stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(lambda: (stranger.kill(), stranger.wait()))
        os.mkdir(f"{self.home}/open")
        os.chmod(f"{self.home}/open", 0o777)
        program = shutil.copy(PROGRAM, self.home)
        unprivileged = {"user": "nobody", "command": ["/usr/bin/python3", program]} if os.getuid() == 0 else {}
        self.apply({"s": self.service(env={"PUPPET": f"{self.home}/open/s"}, **unprivileged)}, "--no-wait")
        p = Puppet(f"{self.home}/open/s", PATIENCE)
        self.addCleanup(p.close)
        p.say("READY=1")
        first = self.pid("s")
        p.say(f"MAINPID={stranger.pid}")
        self.assertIn("not in the service", self.refusal())
        self.assertEqual(self.pid("s"), first)
        if os.getuid() != 0:
            return
        q = self.start("r")
        q.say(f"MAINPID={stranger.pid}")
        self.assertEqual(self.pid("r"), stranger.pid)
        stranger.kill()
        stranger.wait()
        self.assertIn(self.until("r", state="failed")["exit"]["signal"], ("SIGKILL", None))     # None: its parent was faster

    def test_mainpidfd(self):
        """It wins over MAINPID, and comes with exactly one descriptor."""
        p = self.start(notify_access="all")
        main = p.get("orphan('o')")
        p.do(f"fd = os.pidfd_open({main}); say('MAINPID=1\\nMAINPIDFD=1', [fd]); barrier()")
        self.assertEqual(self.pid("s"), main)
        for fds in ("[]", "[fd, fd]", "[0]"):
            p.do(f"say('MAINPIDFD=1', {fds}); barrier()")
            self.assertIn("one descriptor", self.refusal())
        self.puppet(suffix=".o").leave(4)
        self.assertEqual(self.until("s", state="failed")["exit"]["code"], 4)

    def test_mainpidfdid(self):
        p = self.start(notify_access="all")
        first, main = self.pid("s"), p.get("orphan('o')")
        p.do(f"n = os.fstat(os.pidfd_open({main})).st_ino; import ctypes")
        pidfs = p.get("len({os.fstat(os.pidfd_open(x)).st_ino for x in (os.getpid(), os.getppid())}) == 2")
        if pidfs:
            p.do(f"say(f'MAINPID={main}\\nMAINPIDFDID={{n + 1}}'); barrier()")
            self.assertIn("MAINPIDFDID", self.refusal())
            self.assertEqual(self.pid("s"), first)
        p.do(f"say(f'MAINPID={main}\\nMAINPIDFDID={{n}}'); barrier()")
        self.assertEqual(self.pid("s"), main)

    def test_mainpid_over_managers(self):
        """Killed right after, or before; whoever comes next knows who it is, and who is heard."""
        p = self.start(watchdog="1h")
        main = p.get("orphan('o')")
        p.do(f"say('MAINPID={main}\\nERRNO=2\\nWATCHDOG_USEC=1800000000')")
        self.replace_manager()
        self.until("s", pid=main, state="running")
        n = self.notify()
        self.assertEqual((n["main_told"], n["errno"], n["watchdog_usec"]), (True, 2, 1800000000), "a message is written down whole")
        p.say("STATUS=the first one")
        self.assertIn("not its main process", self.refusal())
        o = self.puppet(suffix=".o")
        o.say("NOTIFYACCESS=all\nSTATUS=main")
        self.replace_manager()
        n = self.notify()
        self.assertEqual((n["main_told"], n["access"], n["errno"], n["watchdog_usec"]), (True, "all", 2, 1800000000))
        o.leave(6)
        self.assertEqual(self.until("s", state="failed")["exit"]["code"], 6)

    def test_mainpid_while_no_manager_lives(self):
        """What is said, and its end, wait for the next one."""
        p = self.start()
        main = p.get("orphan('o')")
        o = self.puppet(suffix=".o")
        manager = self.manager()
        os.kill(manager, signal.SIGSTOP)
        p.do(f"say('MAINPID={main}')")
        o.leave(8)
        wait_for("its end", lambda: not alive(main))
        os.kill(manager, signal.SIGKILL)
        # It had ended when it was looked at: it is refused, as systemd has it.
        wait_for("the next manager to have read it", lambda: "it has ended" in self.refusal() or "no such process" in self.refusal())
        self.assertEqual(self.row("s")["state"], "running")

    def test_mainpid_and_the_first_one_ends_while_no_manager_lives(self):
        """The next one hears what was said before it takes the end for that of the service."""
        p = self.start(ready=False)
        first, main, manager = self.pid("s"), p.get("child('c')"), self.manager()
        os.kill(manager, signal.SIGSTOP)
        p.do(f"say('READY=1\\nMAINPID={main}')")
        p.leave()
        wait_for("its end", lambda: not alive(first))
        os.kill(manager, signal.SIGKILL)
        self.until("s", state="running", pid=main)
        self.puppet(suffix=".c").leave(9)
        self.assertEqual(self.until("s", state="failed")["exit"]["code"], 9)


class MainProcessWithoutKeeper(Puppets):
    heir = True

    def test_mainpid_over_the_keeper(self):
        p = self.start()
        main = p.get("orphan('o')")
        p.say(f"MAINPID={main}")
        wait_for("an heir that has everything", lambda: heir_of(self.daemon.pid))
        self.daemon.kill()
        self.daemon.wait()
        wait_for("the heir", self.answers)
        row = self.until("s", state="running")
        self.assertEqual(row["pid"], main)
        self.puppet(suffix=".o").leave(6)
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "unknown")
        self.ok("shutdown")

    def test_mainpid_over_an_upgrade(self):
        p = self.start()
        first, main = self.pid("s"), p.get("orphan('o')")
        other = self.start("t")
        child = other.get("child('c')")
        p.say(f"MAINPID={main}")
        other.say(f"MAINPID={child}")
        self.ok("reexec")
        self.assertEqual((self.pid("s"), self.pid("t")), (main, child))
        self.puppet(suffix=".o").leave(6)
        self.assertEqual(self.until("s", state="failed")["exit"]["code"], 6)
        self.puppet("t", ".c").leave(6)
        self.until("t", state="failed")


class Access(Puppets):
    def test_none_is_main_where_it_is_needed(self):
        p = self.start()
        self.assertEqual(self.notify()["access"], "main")
        p.do("child('c')")
        self.puppet(suffix=".c").say("STATUS=child")
        self.assertIn("notify_access is main", self.refusal())
        self.assertIn("not heard", self.ok("describe", "s").out)
        p.say("STATUS=main")
        self.assertEqual(self.row("s")["status"], "main")

    def test_none_gives_no_socket(self):
        self.apply({"s": self.service(ready={"by": "start"})})
        self.assertFalse(self.puppet().get("'NOTIFY_SOCKET' in os.environ"))
        self.assertIsNone(self.notify())

    def test_all(self):
        p = self.start(ready={"by": "start"}, notify_access="all")
        p.do("child('c')")
        self.puppet(suffix=".c").say("STATUS=child")
        self.assertEqual(self.row("s")["status"], "child")

    def test_exec(self):
        """Hooks are heard, other processes are not."""
        hook = self.script("hook", f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {os.path.dirname(PROGRAM)!r})\nfrom puppet import *\nsay('STATUS=hook'); barrier()\n")
        p = self.start(notify_access="exec", hooks={"post_start": [hook]})
        self.until("s", status="hook")
        p.do("child('c')")
        self.puppet(suffix=".c").say("STATUS=child")
        self.assertIn("notify_access is exec", self.refusal())
        self.assertEqual(self.row("s")["status"], "hook")

    def test_exec_before_the_keeper_has_said_which_process_the_hook_is(self):
        said = os.path.join(self.home, "said")
        hook = self.script("hook", f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {os.path.dirname(PROGRAM)!r})\nfrom puppet import *\nsay('STATUS=hook')\nopen({said!r}, 'w')\n")
        p = self.start(ready=False, notify_access="exec", hooks={"post_start": [hook]})
        with AfterClone(self) as k:
            p.say("READY=1")
            k.stop()
            wait_for("its word", lambda: os.path.exists(said))
            self.assertTrue(self.answers())
        self.until("s", status="hook")

    def test_notifyaccess_until_it_stops(self):
        p = self.start()
        p.do("child('c')")
        c = self.puppet(suffix=".c")
        c.say("NOTIFYACCESS=all")
        self.assertEqual(self.notify()["access"], "main")
        p.say("NOTIFYACCESS=all")
        c.say("STATUS=child")
        self.assertEqual(self.row("s")["status"], "child")
        p.say("NOTIFYACCESS=none")
        p.say("STATUS=late")
        self.assertEqual(self.row("s")["status"], "child")
        self.ok("restart", "s", "--no-wait")
        wait_for("the next run", lambda: self.notify()["access"] == "main")

    def test_a_stranger_is_not_heard(self):
        s = self.start().get("os.environ['NOTIFY_SOCKET']")
        import puppet
        puppet.say("STATUS=stranger\nSTOPPING=1", to=s)
        p = self.start("t")
        p.say("STATUS=t")
        self.assertEqual((self.row("s")["status"], self.row("s")["state"]), (None, "running"))


class State(Puppets):
    def test_ready(self):
        p = self.start(ready=False)
        p.say("READY=0\nREADY=yes")
        self.assertEqual(self.row("s")["state"], "starting")
        self.assertEqual(self.notify()["bad_field"], "READY")
        p.say("READY=1")
        self.assertEqual(self.row("s")["state"], "running")

    def test_stopping_wins(self):
        """Over READY and RELOADING in the same message, and for good; no signal is sent."""
        p = self.start(ready=False, stop={"timeout": "1h"})
        p.do("signal.signal(signal.SIGTERM, lambda *_: os._exit(99))")
        p.say("READY=1\nRELOADING=1\nSTOPPING=1")
        self.assertEqual(self.row("s")["state"], "stopping")
        p.say("READY=1")
        p.say("RELOADING=1")
        self.assertEqual(self.row("s")["state"], "stopping")
        p.leave(0)
        self.assertEqual(self.until("s", state="exited")["exit"]["code"], 0)

    def test_stopping_is_bounded(self):
        p = self.start(stop={"timeout": "300ms"})
        p.tell("say('STOPPING=1')")
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "stop-timeout")

    def test_reloading_of_its_own(self):
        p = self.start()
        p.say("RELOADING=1\nMONOTONIC_USEC=1")
        self.assertEqual(self.row("s")["state"], "reloading")
        p.say("READY=1")
        self.assertEqual(self.row("s")["state"], "running")
        p.say("RELOADING=1\nREADY=1")
        self.assertEqual(self.row("s")["state"], "running")
        self.assertEqual(self.kinds().count("reloaded"), 2)

    def test_reloading_when_told(self):
        """What was said before the signal is about something else."""
        p = self.start(reload={"by": "signal"})
        p.do("early = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000; signal.signal(signal.SIGHUP, lambda *_: open(os.environ['PUPPET'] + '.hup', 'w'))")
        self.ok("reload", "s", "--no-wait")
        wait_for("the signal", lambda: os.path.exists(f"{self.home}/puppet-s.hup"))
        p.do("say(f'RELOADING=1\\nMONOTONIC_USEC={early}'); say('READY=1'); barrier()")
        self.assertEqual(self.row("s")["state"], "reloading")
        p.do("say(f'RELOADING=1\\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}\\nREADY=1'); barrier()")
        self.assertEqual(self.row("s")["state"], "running")

    def test_status(self):
        p = self.start()
        text = "é" * 1500
        p.say(f"STATUS={text}")
        self.assertEqual(self.row("s")["status"], text)
        p.do("say(b'STATUS=\\xff\\xfe'); barrier()")
        self.assertEqual((self.row("s")["status"], self.notify()["bad_field"]), (text, "STATUS"))
        p.say("STATUS=\x1b[2J")
        self.assertNotIn("\x1b[2J", self.ok("describe", "s").out)
        p.say("STATUS=")
        self.assertIsNone(self.row("s")["status"])

    def test_errors(self):
        p = self.start()
        p.say("ERRNO=ENOENT\nBUSERROR=org.example.Error.Failed\nVARLINKERROR=org.example.Gone\nEXIT_STATUS=3")
        n = self.notify()
        self.assertEqual((n["errno"], n["bus_error"], n["varlink_error"], n["exit_status"]), (2, "org.example.Error.Failed", "org.example.Gone", 3))
        p.say("ERRNO=-1\nBUSERROR=no\nVARLINKERROR=org.example.small\nEXIT_STATUS=256")
        self.assertEqual((self.notify()["errno"], self.notify()["bad"]), (2, 4))
        text = self.ok("describe", "s").out
        self.assertIn("No such file or directory (2)", text)
        p.leave(1)
        self.until("s", state="failed")
        self.assertIn("it said: No such file or directory (ERRNO=2), BUSERROR=org.example.Error.Failed", [e["message"] for e in self.events("s") if e["kind"] == "exited"][0])

    def test_restart_reset(self):
        self.start(restart={"when": "always", "delay": "0s"})
        os.unlink(f"{self.home}/puppet-s")
        os.kill(self.pid("s"), signal.SIGKILL)
        p = self.puppet()
        p.say("RESTART_RESET=1")
        self.assertEqual(self.row("s")["restarts"], 1)      # not before it runs
        p.say("READY=1")
        p.say("RESTART_RESET=1")
        self.assertEqual((self.row("s")["restarts"], self.row("s")["state"]), (0, "running"))


class Time(Puppets):
    def test_watchdog_missed(self):
        p = self.start(ready=False, watchdog="1s")
        # It hangs, and cannot even be ended by a signal that it would have to see.
        p.tell("say('READY=1'); os.kill(os.getpid(), signal.SIGSTOP)")
        row = self.until("s", state="failed")
        self.assertEqual((row["exit"]["reason"], row["exit"]["signal"]), ("watchdog", "SIGABRT"))

    def test_watchdog_leaves_a_core(self):
        """Where the machine keeps cores, and the service's limits allow one."""
        pattern = open("/proc/sys/kernel/core_pattern").read().strip()
        if pattern.startswith(("|", "/")):
            self.not_applicable(f"cores go elsewhere: {pattern}")
        places = {name: os.path.join(self.home, name) for name in ("kept", "none")}
        for name, core in (("kept", "infinity"), ("none", "0")):
            os.mkdir(places[name])
            p = self.start(name, cwd=places[name], limits={"core": core})
            p.tell("say('WATCHDOG=trigger')")
            row = self.until(name, state="failed")
            self.assertEqual(row["exit"], {"code": None, "signal": "SIGABRT", "reason": "watchdog", "core": name == "kept"})
        (core,) = os.listdir(places["kept"])
        with open(os.path.join(places["kept"], core), "rb") as f:
            head = f.read(18)
        self.assertEqual((head[:4], int.from_bytes(head[16:18], sys.byteorder)), (b"\x7fELF", 4))     # ET_CORE, elf(5)
        self.assertEqual(os.listdir(places["none"]), [])
        self.assertIn("SIGABRT (watchdog, core dumped)", self.ok("describe", "kept").out)
        self.assertIn("killed by SIGABRT", self.ok("events", "kept").out)
        self.assertIn("(core dumped)", self.ok("events", "kept").out)
        self.assertNotIn("core dumped", self.ok("describe", "none").out + self.ok("events", "none").out)

    def test_watchdog_trigger(self):
        """Also without the key, and in the start."""
        for name, ready in (("s", True), ("t", False)):
            p = self.start(name, ready=ready)
            p.tell("say('WATCHDOG=trigger')")
            row = self.until(name, state="failed")
            self.assertEqual((row["exit"]["reason"], row["exit"]["signal"]), ("watchdog", "SIGABRT"))

    def test_watchdog_usec(self):
        """Overrides until the next run: arms where there was none, disarms, and is kept over READY=1."""
        p = self.start(ready=False)
        p.say("WATCHDOG_USEC=300000")
        self.assertEqual(self.row("s")["state"], "starting")
        p.say("WATCHDOG_USEC=0\nREADY=1")
        time.sleep(0.5)
        self.assertEqual(self.row("s")["state"], "running")
        p.tell("say('WATCHDOG_USEC=300000')")
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "watchdog")

    def test_watchdog_in_a_reload(self):
        p = self.start()
        p.say("RELOADING=1")
        p.tell("say('WATCHDOG_USEC=1000000')")
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "watchdog")

    def test_watchdog_not_in_a_stop(self):
        p = self.start(stop={"timeout": "2s"})
        p.tell("say('WATCHDOG_USEC=300000\\nSTOPPING=1')")
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "stop-timeout")

    def test_watchdog_abort_is_bounded(self):
        p = self.start(stop={"timeout": "300ms"})
        p.do("signal.signal(signal.SIGABRT, signal.SIG_IGN)")
        p.tell("say('WATCHDOG=trigger')")
        row = self.until("s", state="failed")
        self.assertEqual((row["exit"]["reason"], row["exit"]["signal"]), ("watchdog", "SIGKILL"))

    def test_watchdog_is_told(self):
        p = self.start(watchdog="10m")
        self.assertEqual(p.get("(os.environ['WATCHDOG_USEC'], os.environ['WATCHDOG_PID'] == str(os.getpid()))"), ["600000000", True])
        self.assertIn("watchdog 10m", self.ok("describe", "s").out)

    def extended(self, code, **more):
        """The service is given a minute and more by the code, which must come before its time is up."""
        self.apply({"s": self.service(before=code, **more)}, "--no-wait")
        return self.puppet()

    def test_extend_the_start(self):
        p = self.extended("say('EXTEND_TIMEOUT_USEC=3600000000\\nSTATUS=wait'); barrier(); say('EXTEND_TIMEOUT_USEC=1'); barrier()", ready={"by": "notify", "timeout": "5m"})
        left = json.loads(self.ok("describe", "s", "-o", "json").out)[0]["instances"][0]["next_usec"] / 1e6 - time.time()
        self.assertGreater(left, 3000)

    def left(self):
        return json.loads(self.ok("describe", "s", "-o", "json").out)[0]["instances"][0]["next_usec"] / 1e6 - time.time()

    def test_extend_the_stop(self):
        p = self.start(stop={"timeout": "10s"})
        p.say("STOPPING=1\nEXTEND_TIMEOUT_USEC=3600000000")
        self.assertGreater(self.left(), 3000)
        p.say("EXTEND_TIMEOUT_USEC=1")           # never shortens
        self.assertGreater(self.left(), 3000)
        p.leave()

    def test_extend_a_reload(self):
        p = self.start()
        p.say("RELOADING=1\nEXTEND_TIMEOUT_USEC=3600000000")
        self.assertGreater(self.left(), 3000)

    def test_extend_the_watchdog(self):
        p = self.start()
        p.do("say('WATCHDOG_USEC=2000000'); say('EXTEND_TIMEOUT_USEC=3600000000'); barrier()")
        time.sleep(2.5)
        self.assertEqual(self.row("s")["state"], "running")
        p.tell("say('WATCHDOG=1')")              # from then on it is as before
        self.assertEqual(self.until("s", state="failed")["exit"]["reason"], "watchdog")


class Datagrams(Puppets):
    def test_barrier(self):
        """Alone, with one descriptor; another shape is dropped, and its descriptors are closed all the same."""
        p = self.start()
        for text, n in (("BARRIER=1\nSTATUS=x", 1), ("BARRIER=1", 2), ("BARRIER=1", 0), ("STATUS=x\nBARRIER=1", 1)):
            p.do(f"a, b = os.pipe(); say({text!r}, [b] * {n}); os.close(b); os.read(a, 1); os.close(a)")
        p.say("X_KEY=1")
        self.assertIsNone(self.row("s")["status"])

    def test_receive(self):
        """What is too long, has a NUL in it, or brings descriptors along does no harm; one NUL at the end is forgiven."""
        p = self.start()
        p.do("say(b'STATUS=' + b'x' * 4096); barrier()")
        p.do("say(b'STATUS=a\\0b'); barrier()")
        self.assertIsNone(self.row("s")["status"])
        p.do("a, b = os.pipe(); say(b'STATUS=z\\0', [b] * 250); os.close(b); r = os.read(a, 1).decode()")
        self.assertEqual(self.row("s")["status"], "z")
        p.do("say(b''); say(b'\\0'); say(b'='); say(b'\\n\\n'); say(b'NOVALUE'); barrier()")
        self.assertEqual(self.row("s")["state"], "running")
        self.assertLess(len(os.listdir(f"/proc/{self.manager()}/fd")), 100)

    def test_environment(self):
        """Nothing of what kingd itself was given reaches a service."""
        self.kingctl("shutdown")
        self.daemon.wait()
        given = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000000", "WATCHDOG_PID": "1", "LISTEN_FDNAMES": "a", "FDSTORE": "7", "INVOCATION_ID": "0" * 32,
                 "JOURNAL_STREAM": "1:1", "MEMORY_PRESSURE_WATCH": "/x", "MEMORY_PRESSURE_WRITE": "x", "MAINPID": "1", "CREDENTIALS_DIRECTORY": "/x", "SERVICE_RESULT": "x",
                 "EXIT_CODE": "x", "EXIT_STATUS": "x", "MANAGERPID": "1", "PIDFILE": "x", "REMOTE_ADDR": "x", "TRIGGER_UNIT": "x"}
        self.environment |= given
        self.start_daemon()
        p = self.start()
        seen = p.get("dict(os.environ)")
        mine = {k for k, v in seen.items() if k in given and v == given[k]}
        self.assertEqual(mine, set())
        self.assertEqual(seen["NOTIFY_SOCKET"], f"{self.home}/notify")
        self.assertNotIn("WATCHDOG_USEC", seen)


if __name__ == "__main__":
    unittest.main()
