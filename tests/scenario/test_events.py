"""What kingctl events tells: each thing that happens has a kind of its own, and figures for programs."""
import os, shutil, signal
from kingly import Scenario, wait_for


class Events(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def kinds(self, *selectors):
        return [e["kind"] for e in self.events(*selectors)]

    def wait_kind(self, kind, *selectors):
        return wait_for(kind, lambda: next((e for e in self.events(*selectors) if e["kind"] == kind), None))

    def test_an_end_comes_with_its_figures(self):
        burn = self.script("burn", "#!/usr/bin/env python3\nimport time\nx = bytearray(32 << 20)\nwhile time.process_time() < 0.2: pass\nraise SystemExit(3)\n")
        self.apply({"s": {"command": [burn], "restart": {"when": "never"}}}, "--no-wait")
        data = self.wait_kind("exited", "s")["data"]
        self.assertEqual((data["code"], data["signal"], data["core"]), (3, None, False))
        self.assertGreater(data["cpu_usec"], 150000)
        self.assertGreater(data["memory_peak_bytes"], 32 << 20)
        self.assertEqual(self.wait_kind("failed", "s")["data"], {"reason": "exited"})

    def test_a_signal(self):
        self.apply({"s": {"command": "sleep 1000", "restart": {"when": "never"}}})
        os.kill(self.pid("s"), signal.SIGKILL)
        data = self.wait_kind("exited", "s")["data"]
        self.assertEqual((data["code"], data["signal"]), (None, "SIGKILL"))

    def test_giving_up(self):
        self.apply({"s": {"command": ["sh", "-c", "exit 7"], "restart": {"delay": "1ms", "factor": 1, "limit": 2}}}, "--no-wait")
        self.until("s", state="failed")
        self.assertEqual(self.kinds("s")[-3:], ["exited", "gave-up", "failed"])
        self.assertIn("2 attempts", self.wait_kind("gave-up", "s")["message"])

    def test_never_ready(self):
        self.apply({"s": {"command": "sleep 1000", "ready": {"by": "notify", "timeout": "100ms"}, "restart": {"when": "never"}}}, "--no-wait")
        self.until("s", state="failed")
        self.assertEqual(self.wait_kind("ready-timeout", "s")["message"], "not ready after 100ms: stopping it")

    def test_a_start_that_fails_and_is_tried_again(self):
        program = shutil.copy("/bin/sleep", self.home + "/busy")
        with open(program, "ab"):            # who writes to a program keeps it from being executed: ETXTBSY
            self.apply({"s": {"command": [program, "1000"], "restart": {"delay": "1ms", "max_delay": "100ms", "limit": 0}}}, "--no-wait")
            self.assertIn("Text file busy", self.wait_kind("start-failed", "s")["message"])
        self.until("s", state="running")

    def test_a_start_that_can_only_fail(self):
        self.apply({"s": {"command": "sleep 1000", "cwd": self.home + "/no"}}, "--no-wait")
        self.until("s", state="failed")
        self.assertIn("change directory", self.wait_kind("failed", "s")["message"])
        self.assertNotIn("start-failed", self.kinds("s"))

    def test_changes_of_the_set(self):
        self.apply({"a": {"command": "sleep 1000"}, "b": {"command": "sleep 1000"}})
        self.apply({"a": {"command": "sleep 1001"}, "b": {"command": "sleep 1000"}})
        self.apply({"a": {"command": "sleep 1001"}, "b": {"command": "sleep 1000"}})
        self.apply({"a": {"command": "sleep 1001"}}, "--prune")
        found = [(e["data"]["added"], e["data"]["changed"], e["data"]["removed"]) for e in self.events() if e["kind"] == "applied"]
        self.assertEqual(found, [(2, 0, 0), (0, 1, 0), (0, 0, 1)])

    def test_the_catalogue_names_every_kind(self):
        text = self.ok("_catalog").out
        entries = [e.split("\n", 1) for e in text.split("\n-- ")[1:]]
        self.assertGreater(len(entries), 20)
        self.assertEqual(len({i for i, _ in entries}), len(entries))
        for number, entry in entries:
            self.assertRegex(number, "^[0-9a-f]{32}$")
            head, body = entry.split("\n\n", 1)
            self.assertRegex(head, r"^Subject: .+\nDefined-By: Kingly\nDocumentation: man:kingctl\(1\)$")
            self.assertTrue(body.strip())
            self.assertLessEqual(max(map(len, body.splitlines())), 79)
