"""send: lines to the standard input of a service."""
import json, os, socket
from kingly import Scenario, alive, wait_for


class Send(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def heard(self):
        try:
            return open(f"{self.home}/heard").read().splitlines()
        except FileNotFoundError:
            return []

    def reader(self, **more):
        command = self.script("reader", f"#!/bin/sh\nwhile read -r line; do echo \"$KINGLY_INSTANCE $line\" >> {self.home}/heard; done\necho end >> {self.home}/heard\nexec sleep 1000\n")
        self.apply({"console": {"command": [command], "stdin": "pipe"} | more})

    def test_lines_arrive_as_they_are(self):
        self.reader()
        self.assertIn("console sent", self.ok("send", "console", "say 'hello' \\ $HOME").out)
        self.ok("send", "console", "zwei Äpfel")
        wait_for("both", lambda: len(self.heard()) == 2)
        self.assertEqual(self.heard(), ["0 say 'hello' \\ $HOME", "0 zwei Äpfel"])

    def test_every_instance_that_is_named(self):
        self.reader(instances=3)
        self.ok("send", "console:1", "console:2", "x")
        wait_for("both", lambda: len(self.heard()) == 2)
        self.ok("send", "console", "y")
        wait_for("all", lambda: len(self.heard()) == 5)
        self.assertEqual(sorted(self.heard()), ["0 y", "1 x", "1 y", "2 x", "2 y"])

    def test_the_pipe_outlives_managers_and_not_the_run(self):
        self.reader()
        self.ok("send", "console", "before")
        self.replace_manager()
        self.replace_manager()
        self.ok("send", "console", "after")
        wait_for("both", lambda: len(self.heard()) == 2)
        self.assertEqual(self.heard(), ["0 before", "0 after"])     # and no end of its input
        self.ok("restart", "console")
        self.ok("send", "console", "again")
        wait_for("the new run", lambda: "0 again" in self.heard())
        self.assertNotIn("end", self.heard())

    def test_what_cannot_be_sent_is_said(self):
        self.apply({"deaf": {"command": "sleep 1000", "stdin": "pipe"}, "none": {"command": "sleep 1000"}, "closed": {"command": "sh -c 'exec sleep 1000 <&-'", "stdin": "pipe"},
                    "stopped": {"command": "sleep 1000", "stdin": "pipe", "autostart": False}})
        self.assertIn("has no standard input: set `stdin: pipe` in its file", self.refused(1, "send", "none", "x").err)
        self.assertIn("is not running", self.refused(1, "send", "stopped", "x").err)
        self.assertIn("at most 4095 bytes", self.refused(1, "send", "deaf", "x" * 4096).err)
        self.assertIn("expected one line", self.refused(2, "send", "deaf", "a\nb").err)
        wait_for("the end of its input", lambda: "has closed its standard input" in self.kingctl("send", "closed", "x").err)
        sent = 0
        while self.kingctl("send", "deaf", "x" * 4000).code == 0:
            sent += 1
            self.assertLess(sent, 100)
        self.assertIn("the pipe is full", self.refused(1, "send", "deaf", "x" * 4000).err)
        self.assertEqual(self.row("deaf")["state"], "running")

    def test_two_inputs_are_one_too_many(self):
        bad = self.file("bad.yaml", "services:\n  a: {command: x, stdin: pipe, sockets: [{listen: '127.0.0.1:1', fd: 0}]}\n")
        self.assertIn("stdin: pipe", self.refused(2, "check", bad).err)
