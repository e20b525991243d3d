"""limits.memory_restart: who grows too big is restarted in good order, and one that is too big from the start does not spin."""
import json, os
from kingly import Scenario, wait_for

LEAK = """#!/usr/bin/env python3
import os, signal, sys, time
def bye(*_):
    open(os.environ["SCENARIO_HOME"] + "/bye", "a").write("bye\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
keep = []
while os.path.exists(os.environ["SCENARIO_HOME"] + "/bye") and not os.path.exists(os.environ["SCENARIO_HOME"] + "/go"):
    time.sleep(0.02)                            # the second one, until it has been seen
if len(sys.argv) > 1 and os.fork() == 0:        # what its children use counts, too
    keep = [b"x" * (1 << 20) for _ in range(%d)]
    time.sleep(1000)
elif len(sys.argv) == 1:
    keep = [b"x" * (1 << 20) for _ in range(%d)]
while True:
    time.sleep(1000)
""" % (80, 80)


class Memory(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def test_too_big_is_restarted_in_good_order(self):
        leak = self.script("leak", LEAK)
        self.apply({"web": {"command": [leak], "limits": {"memory_restart": "60M"}, "restart": {"when": "never", "limit": 1, "delay": "1h", "max_delay": "1h"}},
                    "small": {"command": "sleep 1000", "limits": {"memory_restart": "60M"}}})
        row = self.until("web", state="running", restarts=1)
        self.assertEqual(row["exit"]["reason"], "memory")
        self.assertEqual(row["exit"]["code"], 0)
        self.assertEqual(open(self.home + "/bye").read(), "bye\n")
        told = [e for e in self.events("web") if e["kind"] == "memory-restart"]
        self.assertGreater(told[0]["data"]["bytes"], 60 << 20)
        self.assertIn("more than limits.memory_restart, 60M", told[0]["message"])
        self.file("go", "")
        # Again at once: it needs that much, so it waits now, and says so; that is no failure, so the limit does not count.
        row = self.until("web", state="waiting", restarts=1)
        status = self.ok("status").out
        self.assertIn("2 runs in a row used more than limits.memory_restart (60M) soon after their start", status)
        self.assertIn("raise the limit", status)
        # A new manager knows how often, and goes on waiting.
        self.write_books()
        self.replace_manager()
        self.assertEqual(self.row("web")["state"], "waiting")
        self.assertEqual(self.row("small")["restarts"], 0)
        # Raised, it lives; on the living, without a restart.
        self.apply({"web": {"command": [leak], "limits": {"memory_restart": "1G"}, "restart": {"when": "never", "limit": 1, "delay": "1h", "max_delay": "1h"}},
                    "small": {"command": "sleep 1000", "limits": {"memory_restart": "60M"}}})
        self.ok("start", "web")
        pid = self.until("web", state="running")["pid"]
        self.assertEqual(self.row("web")["pid"], pid)

    def test_the_whole_tree_counts_and_a_new_limit_is_heeded(self):
        leak = self.script("leak", LEAK)
        self.apply({"tree": {"command": [leak, "child"]}})
        self.replace_manager()
        self.apply({"tree": {"command": [leak, "child"], "limits": {"memory_restart": "60M"}}})
        self.replace_manager()
        wait_for("a restart", lambda: self.row("tree")["restarts"] >= 1)
        self.assertEqual(self.row("tree")["exit"]["reason"], "memory")
        # Only for that, not for the limit that was changed.
        self.assertEqual([e["kind"] for e in self.events("tree") if e["kind"] in ("started", "memory-restart")][:2], ["started", "memory-restart"])
