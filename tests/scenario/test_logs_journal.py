"""`kingctl logs` beside others who write under the same identifier; only where systemd and a journal are."""
import json, os, subprocess
from kingly import ISOLATION, Scenario, wait_for


class Strangers(Scenario):
    def setUp(self):
        if ISOLATION != "scope" or not os.path.exists("/run/systemd/journal/stdout"):
            self.not_applicable("no journal here")
        super().setUp()
        self.start_daemon()
        self.name = "web-" + os.path.basename(self.home).replace("_", "-").lower()

    def journal(self):
        return subprocess.run(["journalctl", "-q", "-o", "cat", "-t", self.name], capture_output=True, text=True).stdout.splitlines()

    def test_only_its_own(self):
        """Neither another namespace's service of the name nor any program that calls itself so."""
        mark = {"SCENARIO_HOME": self.home}
        for ns in ("blue", "my-green"):
            path = self.file(ns + ".json", json.dumps({"namespace": ns, "services": {self.name: {
                "command": [self.script(ns, f"#!/bin/sh\necho {ns} $KINGLY_INSTANCE; exec sleep 1000\n")], "instances": 2, "env": mark, "log": {"to": "journal"}}}}))
            self.ok("apply", "-f", path)
        # It lives until its line is there: of whom journald does not find any more, nobody can say who it was.
        stranger = subprocess.Popen(["systemd-cat", "-t", self.name, "sh", "-c", "echo a stranger; read end"], stdin=subprocess.PIPE)
        wait_for("the stranger's line", lambda: "a stranger" in self.journal())
        stranger.communicate()
        for ns in ("blue", "my-green"):
            for n in (0, 1):
                wait_for("its line", lambda: f"{ns} {n}" in self.messages(f"{ns}/{self.name}:{n}"))
        self.assertEqual(sorted(self.journal()), ["a stranger", "blue 0", "blue 1", "my-green 0", "my-green 1"])
        for n in (0, 1):
            # A process that was gone before journald looked for its scope counts as the first instance's; these live.
            self.assertEqual(self.messages(f"blue/{self.name}:{n}", "-n", "1"), [f"blue {n}"])
            self.assertNotIn("a stranger", self.messages(f"blue/{self.name}:{n}"))
        self.assertEqual(sorted(self.messages("@my-green")), ["my-green 0", "my-green 1"])
