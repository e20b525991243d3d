"""reload: by signal, by command, and with the answer of those that speak sd_notify."""
import os
from kingly import Scenario, alive, wait_for

SPEAKER = """#!/usr/bin/env python3
import os, signal, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text): s.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
def reload(*_):
    open("HOME/note", "a").write("hup\\n")
    if os.path.exists("HOME/stale"): say("READY=1")
    if os.path.exists("HOME/mute"): return
    say(f"RELOADING=1\\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
    while os.path.exists("HOME/hold"): time.sleep(0.02)
    say("READY=1")
if len(sys.argv) < 2: signal.signal(signal.SIGHUP, reload)
say("READY=1")
while True: time.sleep(1000)
"""


class Reload(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def lines(self, name="note"):
        try:
            return open(f"{self.home}/{name}").read().splitlines()
        except FileNotFoundError:
            return []

    def kinds(self, name):
        return [e["kind"] for e in self.events(name)]

    def speaker(self, *arguments, **more):
        command = self.script("speaker", SPEAKER.replace("HOME", self.home))
        self.apply({"web": {"command": [command, *arguments], "ready": {"by": "notify"}} | more})
        return self.pid("web")

    def test_by_signal(self):
        command = self.script("web", f"#!/bin/sh\ntrap 'echo usr1 >> {self.home}/note' USR1\necho up >> {self.home}/note\nwhile :; do sleep 0.02; done\n")
        self.apply({"web": {"command": [command], "reload": {"by": "signal", "signal": "SIGUSR1"}}})
        wait_for("its trap", self.lines)
        pid = self.pid("web")
        self.ok("reload", "web")
        wait_for("the signal", lambda: self.lines() == ["up", "usr1"])
        self.assertEqual(self.pid("web"), pid)
        self.assertIn("SIGUSR1 sent to reload", [e["message"] for e in self.events("web")])

    def test_by_command(self):
        self.apply({"web": {"command": "sleep 1000", "log": {"to": "file"},
                            "reload": {"by": "command", "command": ["sh", "-c", f"echo $$KINGLY_MAINPID >> {self.home}/note; echo reading; exit $$(cat {self.home}/code)"]}}})
        pid = self.pid("web")
        self.file("code", "0")
        self.ok("reload", "web")
        self.assertEqual(self.lines(), [str(pid)])
        self.assertIn("reloaded", self.kinds("web"))
        wait_for("its output", lambda: "[reload] reading" in self.ok("logs", "web").out)
        self.file("code", "3")
        self.assertIn("reload.command failed: exit code 3", self.refused(1, "reload", "web").err)
        self.assertIn("reload-failed", self.kinds("web"))
        row = self.row("web")
        self.assertEqual((row["pid"], row["state"], row["restarts"]), (pid, "running", 0))

    def test_a_command_that_takes_too_long_is_killed(self):
        self.apply({"web": {"command": "sleep 1000", "reload": {"by": "command", "command": ["sh", "-c", f"echo $$$$ >> {self.home}/note; sleep 5000"], "timeout": "1s"}}})
        self.assertIn("timed out after 1s", self.refused(1, "reload", "web").err)
        wait_for("its end", lambda: not any(alive(int(pid)) for pid in self.lines()))
        self.assertEqual(self.row("web")["state"], "running")

    def test_the_answer_is_awaited(self):
        pid = self.speaker(reload={"by": "signal"})
        self.file("hold", "")
        self.file("stale", "")                                     # a READY=1 of before says nothing
        self.ok("reload", "--no-wait", "web")
        self.until("web", state="reloading")
        wait_for("the signal", self.lines)
        self.assertEqual(self.row("web")["state"], "reloading")
        self.write_books()
        self.replace_manager()                                     # who goes on waiting
        self.assertEqual(self.row("web")["state"], "reloading")
        os.unlink(f"{self.home}/hold")
        self.until("web", state="running")
        self.ok("reload", "web")
        self.assertEqual((self.pid("web"), self.lines()), (pid, ["hup"] * 2))

    def test_no_answer_is_told(self):
        self.speaker(reload={"by": "signal", "timeout": "500ms"})
        self.file("mute", "")
        self.assertIn("did not reload within 500ms", self.refused(1, "reload", "web").err)
        self.assertEqual(self.row("web")["state"], "running")
        self.assertIn("reload-failed", self.kinds("web"))

    def test_who_speaks_is_understood_without_a_word_in_the_file(self):
        pid = self.speaker()
        self.ok("reload", "web")
        self.assertEqual((self.pid("web"), self.lines()), (pid, ["hup"]))

    def test_a_signal_that_would_end_it_is_not_sent(self):
        pid = self.speaker("deaf")
        self.assertIn("has no way to reload", self.refused(1, "reload", "web").err)
        self.apply({"plain": {"command": "sleep 1000"}})
        err = self.refused(1, "reload", "plain").err
        self.assertIn("has no way to reload", err)
        self.assertIn("reload.by", err)
        self.assertEqual((self.pid("web"), self.row("web")["state"]), (pid, "running"))

    def test_a_stop_ends_the_command(self):
        self.apply({"web": {"command": "sleep 1000", "reload": {"by": "command", "command": ["sh", "-c", f"echo $$$$ >> {self.home}/note; sleep 5000"]}}})
        self.ok("reload", "--no-wait", "web")
        wait_for("the command", self.lines)
        self.ok("stop", "web")
        wait_for("its end", lambda: not alive(int(self.lines()[0])))
