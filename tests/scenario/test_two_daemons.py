"""Two daemons under one systemd run services of the same name, whose scopes would have the same name as well: each touches its own alone, whatever its books say."""
import json, os, signal, sqlite3, subprocess
from kingly import PATIENCE, Scenario, alive, wait_for


class TwoDaemons(Scenario):
    def setUp(self):
        if self.isolation != "scope":
            self.not_applicable("is about the names of scopes")
        super().setUp()
        self.start_daemon()
        self.other = dict(self.environment, KINGLY_HOME=os.path.join(self.home, "other"))
        os.mkdir(self.other["KINGLY_HOME"])
        self.log_of_other = open(os.path.join(self.home, "other.out"), "w")
        self.addCleanup(self.log_of_other.close)

    def start_other(self):
        self.daemon_of_other = subprocess.Popen([os.path.join(self.programs, "kingd"), "--isolation", "scope", "--no-heir"], env=self.other, stdin=subprocess.DEVNULL,
                                                stdout=self.log_of_other, stderr=self.log_of_other)
        self.await_other()
        self.addCleanup(self.stop_other)

    def await_other(self):
        wait_for("the other daemon", lambda: self.kingctl("ping", "--no-autostart", env=self.other).code == 0)

    def stop_other(self):
        self.kingctl("shutdown", "--no-autostart", env=self.other)
        self.assertEqual(self.daemon_of_other.wait(PATIENCE), 0)

    def row_of_other(self, name):
        [row] = json.loads(self.ok("list", name, "-o", "json", env=self.other).out)
        return row

    def twins(self, name):
        """The same service in both: of the other's, its row; of ours, which had to take another name, its row and what it has beside its main process."""
        self.start_other()
        said = self.script("said", f"#!/bin/sh\ntrap 'echo signalled >> {self.home}/note' HUP INT TERM CONT\nwhile :; do sleep 1; done\n")
        self.apply({name: {"command": [said]}}, env=self.other)
        parent = self.script("parent", f"#!/bin/sh\nsleep 4000 &\necho $! > {self.home}/child.new\nmv {self.home}/child.new {self.home}/child\nexec sleep 1000\n")
        self.apply({name: {"command": [parent], "restart": {"when": "never"}}})
        child = int(wait_for("its child", lambda: os.path.exists(f"{self.home}/child") and open(f"{self.home}/child").read()))
        other, own = self.row_of_other(name), self.row(name)
        self.assertNotEqual(other["unit"], own["unit"])
        self.await_books(name, own)
        return other, own, child

    def await_books(self, name, row):
        wait_for("the books", lambda: self.books("SELECT pid, location FROM run WHERE name = ?", name) == [(row["pid"], row["unit"])])

    def books(self, sentence, *values):
        with sqlite3.connect(os.path.join(self.home, "state", "kingly.db"), timeout=PATIENCE) as db:
            return db.execute(sentence, values).fetchall()

    def mislead(self, name, unit, kill):
        """The manager dies, and some process with it; the books that the next one reads have the name of the other's scope."""
        manager, keeper = self.manager(), self.daemon.pid
        os.kill(keeper, signal.SIGSTOP)
        os.kill(manager, signal.SIGKILL)
        for pid in kill:
            os.kill(pid, signal.SIGKILL)
        wait_for("their ends", lambda: not any(map(alive, [manager, *kill])))
        self.books("UPDATE run SET location = ? WHERE name = ?", unit, name)
        return keeper

    def untouched(self, name, before):
        self.assertEqual({k: self.row_of_other(name)[k] for k in ("pid", "unit", "state", "restarts")}, {k: before[k] for k in ("pid", "unit", "state", "restarts")})
        self.assertTrue(alive(before["pid"]))
        self.assertFalse(os.path.exists(f"{self.home}/note"))

    def test_a_living_service_is_found_where_it_is(self):
        other, own, child = self.twins("living")
        os.kill(self.mislead("living", other["unit"], []), signal.SIGCONT)
        row = self.until("living", state="running")
        self.assertEqual((row["pid"], row["unit"]), (own["pid"], own["unit"]))
        self.ok("stop", "living")
        wait_for("all of it to end", lambda: not alive(own["pid"]) and not alive(child))
        self.untouched("living", other)

    def test_what_a_dead_service_left_behind_is_found_where_it_is(self):
        other, own, child = self.twins("dead")
        os.kill(self.mislead("dead", other["unit"], [own["pid"]]), signal.SIGCONT)
        self.until("dead", state="failed", pid=None)
        wait_for("what it left behind to end", lambda: not alive(child))
        self.ok("stop", "dead")
        self.untouched("dead", other)

    def test_of_a_service_that_is_gone_nothing_is_left(self):
        """The keeper is gone as well: nobody knows of it but the books."""
        other, own, child = self.twins("gone")
        os.kill(self.mislead("gone", other["unit"], [own["pid"], child]), signal.SIGKILL)
        self.daemon.wait(PATIENCE)
        self.start_daemon()
        self.assertEqual(self.until("gone", state="failed", pid=None)["exit"]["reason"], "unknown")
        self.assertIn("its status is unknown", " ".join(e["message"] for e in self.events("gone")))
        self.ok("stop", "gone")
        self.untouched("gone", other)

    def test_a_daemon_in_a_scope_of_that_name(self):
        """What it starts begins where it lives itself, in the scope that has the name."""
        kingd = os.path.join(self.programs, "kingd")
        self.apply({"nested": {"command": [kingd, "--isolation", "scope", "--no-heir"], "env": {"KINGLY_HOME": self.other["KINGLY_HOME"]}}})
        self.await_other()
        self.apply({"nested": {"command": "sleep 1000"}}, env=self.other)
        outer, inner = self.row("nested"), self.row_of_other("nested")
        self.assertNotEqual(outer["unit"], inner["unit"])
        self.ok("stop", "nested", env=self.other)
        wait_for("its end", lambda: not alive(inner["pid"]))
        self.assertEqual({k: self.row("nested")[k] for k in ("pid", "unit", "state")}, {k: outer[k] for k in ("pid", "unit", "state")})
