"""log.to: exec: a program of the user's own reads what a service writes."""
import json, os, signal
from kingly import Scenario, wait_for

KEEP = """#!/usr/bin/env python3
import os, sys
out = open(os.path.join(sys.argv[1], os.environ["KINGLY_COLLECTS"] + "." + os.environ["KINGLY_INSTANCE"]), "ab", 0)
while chunk := os.read(0, 65536):
    out.write(chunk)
out.write(b"END\\n")
"""
# Takes one piece and ends: the next one goes on.
SIP = KEEP.replace("while chunk :=", "if chunk :=").replace('out.write(b"END\\n")', "")


class Collectors(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.keep, self.sip = self.script("keep", KEEP), self.script("sip", SIP)

    def kept(self, name):
        path = os.path.join(self.home, name)
        return open(path).read().splitlines() if os.path.exists(path) else []

    def web(self, text, **more):
        return {"command": [self.script("web", "#!/bin/sh\n" + text)], "log": {"to": {"exec": [self.keep, self.home]}}} | more

    def counter(self, **more):
        return self.web("n=0; while [ $n -lt 2000 ]; do echo $n; n=$((n+1)); done; echo oops >&2; exec sleep 1000\n", **more)

    def test_everything_arrives_and_the_end_is_the_end_of_the_input(self):
        self.apply({"web": self.counter()})
        wait_for("all lines", lambda: len(self.kept("web.0")) == 2001)
        self.assertEqual(self.kept("web.0"), [str(n) for n in range(2000)] + ["oops"])
        self.assertEqual({r["name"]: r["state"] for r in self.list()}, {"web": "running", "web-log": "running"})
        pid = self.pid("web-log")
        self.ok("restart", "web")
        wait_for("those of the second run", lambda: len(self.kept("web.0")) == 4002)
        self.assertEqual(self.pid("web-log"), pid, "it reads on over runs of the service")
        out = self.ok("stop", "web").out
        self.assertEqual(self.kept("web.0")[-1], "END")
        self.assertEqual({r["name"]: r["state"] for r in self.list()}, {"web": "stopped", "web-log": "stopped"}, out)
        self.assertEqual([e["message"] for e in self.events("web-log") if e["kind"] == "exited"][0].split(" after")[0], "exited with status 0")
        self.ok("start", "web")
        wait_for("the third run", lambda: len(self.kept("web.0")) == 4002 + 1 + 2001)
        said = self.kingctl("logs", "web")
        self.assertEqual((said.code, said.out), (0, ""))
        self.assertIn("web: its output goes to the collector web-log", said.err)
        self.assertNotIn("collector", self.kingctl("logs").err, "who asks for all is told of no one in particular")
        self.ok("delete", "web")
        self.assertEqual(self.list(), [])

    def test_each_instance_has_its_own(self):
        web = self.web("echo instance $KINGLY_INSTANCE; exec sleep 1000\n")
        self.apply({"web": web | {"instances": 2}})
        wait_for("both", lambda: self.kept("web.0") and self.kept("web.1"))
        self.ok("scale", "web", "3")
        wait_for("the third", lambda: self.kept("web.2") == ["instance 2"])
        self.ok("scale", "web", "1")
        wait_for("two of them", lambda: len(self.list()) == 2)
        self.assertEqual(self.kept("web.1"), ["instance 1", "END"])

    def test_what_is_written_meanwhile_waits(self):
        """Neither a collector that ends all the time nor a manager that is killed loses a byte."""
        gate = os.path.join(self.home, "gate")
        os.mkfifo(gate)
        web = self.web(f"exec 3<>{gate}; n=0; while read x <&3; do for i in 1 2 3; do echo $n; n=$((n+1)); done; done\n", log={"to": "exec"})
        self.apply({"web": web, "sip": {"command": [self.sip, self.home], "collects": "web", "restart": {"delay": "0s", "limit": 0}}})
        status = json.loads(self.ok("status", "-o", "json").out)
        for n in range(8):
            if n == 3:
                self.ok("stop", "sip")
            if n == 5:
                os.kill(status["manager_pid"], signal.SIGKILL)
                wait_for("the next manager", lambda: json.loads(self.ok("status", "-o", "json").out)["manager_pid"] != status["manager_pid"])
            if n == 6:
                self.ok("start", "sip")
            with open(gate, "w") as f:
                f.write("x\n")
            if n < 3 or n > 5:
                wait_for("three more lines", lambda: len(self.kept("web.0")) == 3 * n + 3)
        self.assertEqual(self.kept("web.0"), [str(n) for n in range(24)])
        self.ok("stop", "all")

    def test_over_the_death_of_kingd(self):
        """Both live on, with their pipe; the next kingd finds it at the collector, and later runs of the service write to it."""
        gate = os.path.join(self.home, "gate")
        os.mkfifo(gate)
        self.apply({"web": self.web(f"exec 3<>{gate}; while read x <&3; do echo $x; done\n")})

        def say(word):
            with open(gate, "w") as f:
                f.write(word + "\n")
            wait_for(word, lambda: self.kept("web.0")[-1:] == [word])
        say("first")
        pids = self.pid("web"), self.pid("web-log")
        self.daemon.kill()
        self.daemon.wait()
        say("alone")
        self.start_daemon()
        self.assertEqual((self.pid("web"), self.pid("web-log")), pids)
        say("found")
        self.ok("restart", "web")
        say("again")
        self.assertEqual((self.pid("web") == pids[0], self.pid("web-log")), (False, pids[1]))
        self.ok("stop", "web")
        self.assertEqual(self.kept("web.0"), ["first", "alone", "found", "again", "END"])

    def test_the_collector_goes_when_the_file_says_so(self):
        self.apply({"web": self.counter()})
        plan = self.apply({"web": self.counter() | {"log": {"to": "file"}}}).out
        self.assertIn("- web-log", plan)
        wait_for("it to be gone", lambda: [r["name"] for r in self.list()] == ["web"])
        wait_for("a file", lambda: "oops" in self.messages("web"))

    def test_what_is_wrong_is_said(self):
        path = self.file("f.json", json.dumps({"services": {"web": {"command": "true", "collects": "web"}}}))
        self.assertIn("collects: web cannot read what it writes itself", self.refused(2, "check", path).err)
        path = self.file("f.json", json.dumps({"services": {"web": self.web("exit\n"), "web-log": {"command": "sleep 1"}}}))
        r = self.refused(2, "apply", "-f", path)
        self.assertIn("the collector of web would be web-log", r.err)
        self.assertIn("hint: rename that one", r.err)
        path = self.file("f.json", json.dumps({"services": {"web": self.web("exit\n", log={"to": "exec"})}}))
        self.kingctl("apply", "-f", path)
        self.assertIn("nothing collects what web writes", self.until("web", state="failed")["status"])
        path = self.file("f.json", json.dumps({"services": {"web": self.web("exit\n", log={"to": {"exec": ["no-such-program"]}})}}))
        self.kingctl("apply", "-f", path)
        self.assertIn("command not found: no-such-program", self.until("web-log", state="failed")["status"])
        self.assertIn("web-log, which has failed", self.until("web", state="failed")["status"])


class Inherited(Scenario):
    """log.to: inherit: what a container's log is."""

    def test_output_is_the_daemon_s_own(self):
        self.start_daemon()
        self.apply({"web": {"command": ["sh", "-c", "echo to out; echo to err >&2; exec sleep 1000"], "log": {"to": "inherit"}}})
        wait_for("both lines", lambda: {"to out", "to err"} <= set(self.daemon_log().splitlines()))
        self.assertIn("is that of kingd itself", self.kingctl("logs", "web").err)
        self.assertIn("in no file", self.kingctl("logs", "--flush", "web").err)
        os.kill(self.manager(), 9)
        self.ok("restart", "web")
        wait_for("them again", lambda: self.daemon_log().splitlines().count("to err") == 2)

    def test_not_in_the_background(self):
        path = self.file("a.json", json.dumps({"services": {"web": {"command": "sleep 1000", "log": {"to": "inherit"}}}}))
        r = self.kingctl("start", path)
        self.assertEqual(r.code, 1)
        self.assertIn("has no output of its own", r.err)
        self.ok("shutdown")
