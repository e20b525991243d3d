"""A file that is applied again and has not changed: nothing is touched and nothing is written."""
import json, os, sqlite3, time
from kingly import Scenario

N, RUNNING = 1000, 20


class Unchanged(Scenario):
    def test_a_thousand_services(self):
        self.start_daemon()
        month = (time.gmtime().tm_mon + 5) % 12 + 1      # none of the times comes while this runs
        services = {f"s{n}": {"command": ["sleep", "1000"], "autostart": n < RUNNING, "env": {"SCENARIO_HOME": self.home, "N": str(n)},
                              "limits": {"files": 1024 + n}, "schedule": {"cron": f"{n % 60} {n % 24} * {month} *"}} for n in range(N)}
        path = self.file("many.json", json.dumps({"services": services}))
        self.ok("apply", "-f", path)
        pids = {r["name"]: r["pid"] for r in self.list()}
        self.assertEqual(len([p for p in pids.values() if p]), RUNNING)
        events = self.events()
        with sqlite3.connect(f"file:{os.path.join(self.home, 'state', 'kingly.db')}?mode=ro", uri=True) as db:
            def commits():
                """Changes with each commit of anybody else."""
                return db.execute("PRAGMA data_version").fetchone()[0]
            before = commits()
            self.assertIn(f"= {N} unchanged", self.ok("apply", "-f", path, "--diff").out)
            # The second one is asked when what the first may have left to be written has been.
            for _ in range(2):
                self.assertIn(f"= {N} unchanged", self.ok("apply", "-f", path).out)
            self.assertEqual(commits(), before)
            self.assertEqual({r["name"]: r["pid"] for r in self.list()}, pids)
            self.assertEqual(self.events(), events)
            # The counter counts: one change is one or two commits.
            services["s0"]["env"]["N"] = "other"
            services["s1"]["description"] = "another"
            self.file("many.json", json.dumps({"services": services}))
            diff = self.ok("apply", "-f", path, "--diff").out
            self.assertEqual(commits(), before)
            self.assertIn(f"= {N - 2} unchanged", diff)
            self.ok("apply", "-f", path)
            self.assertNotEqual(commits(), before)
        db.close()
        after = {r["name"]: r["pid"] for r in self.list()}
        self.assertEqual([name for name in pids if pids[name] != after[name]], ["s0"])
