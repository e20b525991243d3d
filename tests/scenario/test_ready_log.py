"""ready.by: log: the line that tells is looked for where the output goes."""
import os, time

from kingly import *


class ReadyLog(Scenario):
    PROGRAM = "echo beginning; while [ ! -e {home}/go ]; do sleep 0.02; done; echo 'listening on port 8080' {to}; exec sleep 1000"

    def service(self, to="", log=None, **ready):
        return {"command": self.PROGRAM.format(home=self.home, to=to), "shell": True, "ready": {"by": "log", "pattern": "listening on port [0-9]+$", "timeout": "10m"} | ready,
                "log": log or {"to": "file"}}

    def go(self):
        self.file("go", "")

    def test_the_line_makes_it_ready(self):
        self.start_daemon()
        self.apply({"out": self.service(), "err": self.service(to=">&2", log={"to": "file", "format": "json"}),
                    "merged": self.service(log={"to": "file", "merge": True}) | {"instances": 2},
                    "after": {"command": "sleep 1000", "depends_on": {"out": "ready", "err": "ready", "merged": "ready"}}}, "--no-wait")
        for name in ("out", "err"):
            self.until(name, state="starting")
        wait_for("the first line", lambda: "beginning" in self.messages("out"))
        self.assertEqual({r["state"] for r in self.list("out", "err", "merged")}, {"starting"})
        self.assertEqual(self.row("after")["state"], "waiting")
        self.go()
        for name in ("out", "err", "merged:0", "merged:1", "after"):
            self.until(name, state="running", ready=True)

    def test_a_line_of_an_earlier_run_does_not_count(self):
        self.start_daemon()
        self.go()
        self.apply({"web": self.service()})
        os.unlink(os.path.join(self.home, "go"))
        self.ok("restart", "web", "--no-wait")
        self.until("web", state="starting")
        wait_for("its first line", lambda: self.messages("web").count("beginning") == 2)
        self.assertEqual(self.row("web")["state"], "starting")
        self.go()
        self.until("web", state="running")

    def test_a_line_that_does_not_come_is_a_failed_start(self):
        self.start_daemon()
        self.apply({"web": self.service(timeout="300ms") | {"restart": {"when": "never"}}}, "--no-wait")
        self.assertEqual(self.until("web", state="failed")["exit"]["reason"], "ready-timeout")

    def test_a_line_that_came_in_time_and_is_read_late_counts(self):
        seconds, log = PATIENCE / 6, os.path.join(self.home, "logs/web.0.log")
        self.start_daemon()
        self.apply({"web": self.service(timeout=f"{seconds:.0f}s") | {"restart": {"when": "never"}}}, "--no-wait")
        wait_for("the first line", lambda: "beginning" in self.messages("web"))
        with self.manager_stands_still():
            end = time.monotonic() + seconds
            self.go()
            wait_for("the line", lambda: "listening on port" in open(log).read())
            wait_for("its time to be over", lambda: time.monotonic() > end)
        self.until("web", state="running", restarts=0)

    def test_a_new_manager_goes_on_looking(self):
        """The line comes before the next manager looks, or after."""
        self.start_daemon()
        self.apply({"web": self.service()}, "--no-wait")
        wait_for("the first line", lambda: "beginning" in self.messages("web"))
        os.kill(self.manager(), 9)
        self.go()
        row = self.until("web", state="running")
        self.assertEqual(row["restarts"], 0)

    def test_a_new_manager_looks_at_what_it_did_not_see_begin(self):
        self.start_daemon()
        for n in range(5):
            self.apply({f"web{n}": self.service()}, "--no-wait")
            self.until(f"web{n}", state="starting")
            os.kill(self.manager(), 9)      # before it knows that the service runs, or after
            self.go()
            self.until(f"web{n}", state="running")
            os.unlink(os.path.join(self.home, "go"))

    def test_what_cannot_work_is_refused(self):
        for more, why in (({"log": {"to": "none"}}, "needs a log that can be read back"), ({"log": {"format": "raw"}}, "choose log.format"),
                          ({"ready": {"by": "log"}}, "needs ready.pattern"), ({"ready": {"by": "log", "pattern": "a(b"}}, "no regular expression"),
                          ({"ready": {"pattern": "x"}}, "goes with ready.by: log")):
            service = {"command": "sleep 1", "ready": {"by": "log", "pattern": "x"}} | more
            r = self.refused(2, "check", self.file("f.json", json.dumps({"services": {"a": service}})))
            self.assertIn(why, r.out + r.err)
