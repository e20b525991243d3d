"""depends_on in its long form: who is restarted and stopped along with another."""
import os, signal
from kingly import Scenario, wait_for


class Propagation(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def noting(self, name):
        """A service that notes when it begins and when it is asked to end."""
        return {"command": [self.script(name, f"#!/bin/sh\ntrap 'echo -{name} >> {self.home}/note; exit 0' TERM\necho +{name} >> {self.home}/note\n"
                                              f"[ -z \"$READY_FD\" ] || eval \"echo >&$READY_FD\"\nwhile :; do sleep 0.02; done\n")], "ready": {"by": "fd"}}

    def notes(self):
        try:
            return open(f"{self.home}/note").read().split()
        except FileNotFoundError:
            return []

    def pids(self, *names):
        return {n: self.pid(n) for n in names}

    def shop(self, web={}, **on):
        """db ← api ← web, each following the one before in the ways that are given; alone depends on db without following it."""
        self.apply({"db": self.noting("db"),
                    "api": self.noting("api") | {"depends_on": {"db": {"condition": "ready"} | on}},
                    "web": self.noting("web") | {"depends_on": {"api": {"condition": "ready"} | on}} | web,
                    "alone": self.noting("alone") | {"depends_on": {"db": "ready"}}})
        self.assertEqual(self.notes()[0], "+db")
        before = self.pids("db", "api", "web", "alone")
        os.unlink(f"{self.home}/note")
        return before

    def test_a_restart_takes_along_those_that_follow_in_order(self):
        before = self.shop(restart=True)
        self.ok("restart", "db")
        after = self.pids("db", "api", "web", "alone")
        self.assertEqual([n for n in before if before[n] == after[n]], ["alone"])
        self.assertEqual(self.notes(), ["-web", "-api", "-db", "+db", "+api", "+web"])
        self.assertEqual([r["restarts"] for r in self.list()], [0] * 4)

    def test_a_restart_without_the_word_takes_nobody_along(self):
        before = self.shop(stop=True)
        self.ok("restart", "db")
        after = self.pids("db", "api", "web", "alone")
        self.assertEqual([n for n in before if before[n] != after[n]], ["db"])

    def test_a_failure_that_is_restarted_takes_along(self):
        before = self.shop(restart=True)
        os.kill(before["db"], signal.SIGKILL)
        wait_for("all of them again", lambda: [n for n in self.notes() if n[0] == "+"] == ["+db", "+api", "+web"])     # web may be told last of all
        for name in ("db", "api", "web", "alone"):
            self.until(name, state="running")
        after = self.pids("db", "api", "web", "alone")
        self.assertEqual([n for n in before if before[n] == after[n]], ["alone"])

    def test_a_stop_takes_along_those_that_follow_in_order(self):
        self.shop(stop=True)
        self.ok("stop", "db")
        self.assertEqual([self.row(n)["state"] for n in ("db", "api", "web", "alone")], ["stopped"] * 3 + ["running"])
        self.assertEqual(self.notes(), ["-web", "-api", "-db"])
        self.write_books()
        self.replace_manager()
        self.assertEqual(self.row("api")["state"], "stopped")
        self.ok("start", "web")                                  # with what it needs
        self.assertEqual([self.row(n)["state"] for n in ("db", "api", "web")], ["running"] * 3)

    def test_one_that_fails_for_good_takes_along(self):
        db = self.noting("db") | {"restart": {"when": "never"}}
        self.apply({"db": db, "api": self.noting("api") | {"depends_on": {"db": {"condition": "ready", "stop": True}}},
                    "lax": self.noting("lax") | {"depends_on": {"db": {"condition": "ready", "restart": True}}}})
        os.kill(self.pid("db"), signal.SIGKILL)
        self.until("db", state="failed")
        row = self.until("api", state="failed")
        self.assertEqual(row["exit"]["reason"], "dependency")
        self.assertIn("db", row["status"])
        self.assertIn("-api", self.notes())
        self.assertEqual(self.row("lax")["state"], "running")

    def test_the_manager_dies_between(self):
        self.shop(restart=True, web={"hooks": {"pre_stop": ["sh", "-c", f"[ -e {self.home}/go ] || sleep 5000"]}})
        self.ok("restart", "--no-wait", "db")
        self.until("web", state="stopping")
        self.file("go", "")
        self.replace_manager()
        wait_for("all of it", lambda: self.notes()[-1:] == ["+web"])
        self.assertEqual(self.notes(), ["-web", "-api", "-db", "+db", "+api", "+web"])

    def test_what_is_written_wrongly_is_said(self):
        bad = self.file("bad.yaml", "services:\n  a: {command: x}\n  b: {command: x, depends_on: {a: {condition: soon, restrat: true, stop: 3}}}\n")
        err = self.refused(2, "check", bad).err
        self.assertIn("depends_on.a.condition: expected one of started, ready, completed", err)
        self.assertIn("unknown key `restrat` (did you mean `restart`?)", err)
        self.assertIn("depends_on.a.stop: expected true or false", err)
        self.shop(restart=True, stop=True)
        self.assertIn("restart: true", self.ok("describe", "api").out.replace('"', "").replace(":true", ": true"))
