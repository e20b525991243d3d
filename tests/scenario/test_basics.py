"""One service from start to end: starting, failing to start, stopping, selecting, describing."""
import json, os, signal
from kingly import Scenario, alive, wait_for


class Basics(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def test_start_command_line_list_stop(self):
        r = self.ok("start", "--name", "nap", "--env", f"SCENARIO_HOME={self.home}", "--", "sleep", "1000")
        self.assertIn("nap", r.out + r.err)
        row = self.row("nap")
        self.assertEqual((row["name"], row["namespace"], row["instance"], row["state"], row["ready"], row["restarts"]), ("nap", "default", 0, "running", True, 0))
        self.assertEqual(row["isolation"], self.isolation)
        self.assertIsNone(row["exit"])
        program, argument = open(f"/proc/{row['pid']}/cmdline").read().split("\0")[:2]
        self.assertEqual((os.path.basename(program), argument), ("sleep", "1000"))
        wait_for("its memory", lambda: self.row("nap")["memory_bytes"] > 0)
        self.assertEqual(row["tasks"], 1)
        self.ok("stop", "nap")
        self.assertFalse(alive(row["pid"]))
        row = self.row("nap")
        self.assertEqual((row["state"], row["pid"], row["memory_bytes"]), ("stopped", None, None))
        self.ok("delete", "nap")
        self.assertEqual(self.list(), [])

    def test_table_is_aligned_and_plain_in_a_pipe(self):
        self.apply({"one": {"command": "sleep 1000"}, "another-name": {"command": "sleep 1000", "instances": 2}})
        lines = self.ok("list").out.splitlines()
        self.assertEqual(len(lines), 4, lines)
        self.assertTrue(lines[0].startswith("NAME"), lines)
        column = lines[0].index("STATE")
        self.assertTrue(all(line[column:].startswith("running") for line in lines[1:]), lines)
        self.assertNotIn("\x1b", "".join(lines))

    def test_missing_program_names_itself_and_is_not_retried(self):
        path = self.file("f.json", json.dumps({"services": {"ghost": {"command": "/no/such/program --flag"}}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn("/no/such/program", r.err)
        self.assertIn("No such file", r.err)
        row = self.row("ghost")
        self.assertEqual((row["state"], row["restarts"]), ("failed", 0))

    def test_missing_command_in_path_says_where_it_looked(self):
        path = self.file("f.json", json.dumps({"services": {"ghost": {"command": "no-such-command-at-all"}}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn("command not found: no-such-command-at-all", r.err)
        self.assertIn("PATH", r.err)

    def test_file_that_is_no_program(self):
        text = self.file("text", "just text\n", 0o755)
        noexec = self.file("noexec", "#!/bin/sh\n")
        for command, word in ((text, "Exec format error"), (noexec, "Permission denied"), (self.home, "Permission denied")):
            path = self.file("f.json", json.dumps({"services": {"bad": {"command": [command]}}}))
            r = self.refused(1, "apply", "-f", path)
            self.assertIn(word, r.err)
            self.assertIn(command, r.err)
            self.ok("delete", "bad")

    def test_missing_working_directory(self):
        path = self.file("f.json", json.dumps({"services": {"bad": {"command": "sleep 1", "cwd": "/no/such/dir"}}}))
        self.assertIn("/no/such/dir", self.refused(1, "apply", "-f", path).err)

    def test_unknown_names(self):
        self.apply({"database": {"command": "sleep 1000"}})
        for verb in ("stop", "restart", "delete", "describe", "logs"):
            r = self.refused(3, verb, "databse")
            self.assertIn("did you mean database?", r.err)
        self.refused(3, "stop", "database:7")
        self.refused(3, "stop", "@nowhere")

    def test_selectors(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 3}, "worker": {"command": "sleep 1000"}})
        self.assertEqual([r["instance"] for r in self.list("web")], [0, 1, 2])
        self.assertEqual([r["instance"] for r in self.list("web:1")], [1])
        self.assertEqual(len(self.list("w*")), 4)
        self.assertEqual(len(self.list("@default")), 4)
        self.assertEqual(len(self.list("all")), 4)
        before = {r["instance"]: r["pid"] for r in self.list("web")}
        self.ok("restart", "web:1")
        after = {r["instance"]: r["pid"] for r in self.list("web")}
        self.assertEqual((before[0], before[2]), (after[0], after[2]))
        self.assertNotEqual(before[1], after[1])

    def test_restart_gives_a_new_process_and_keeps_the_counter(self):
        self.apply({"nap": {"command": "sleep 1000"}})
        old = self.pid("nap")
        self.ok("restart", "nap")
        row = self.row("nap")
        self.assertNotEqual(row["pid"], old)
        self.assertFalse(alive(old))
        self.assertEqual(row["restarts"], 0)

    def test_instances_know_themselves(self):
        script = self.script("say", "#!/bin/sh\necho i am $KINGLY_SERVICE $KINGLY_NAMESPACE $KINGLY_INSTANCE $NODE_APP_INSTANCE\nexec sleep 1000\n")
        self.apply({"web": {"command": [script], "instances": 2, "log": {"to": "file"}}})
        wait_for("both lines", lambda: sorted(self.messages("web")) == ["i am web default 0 0", "i am web default 1 1"])

    def test_describe(self):
        self.apply({"nap": {"command": "sleep 1000", "limits": {"files": 512}}})
        service = json.loads(self.ok("describe", "nap", "-o", "json").out)[0]
        self.assertEqual(service["spec"]["limits"]["files"], 512)
        self.assertEqual(service["instances"][0]["instance"]["state"], "running")
        self.assertEqual(len(service["instances"][0]["invocation_id"]), 32)
        text = self.ok("describe", "nap").out
        for word in ("nap", "running", "sleep 1000"):
            self.assertIn(word, text)

    def test_signal_sent_from_outside_is_reported(self):
        self.apply({"nap": {"command": "sleep 1000", "restart": {"when": "never"}}})
        os.kill(self.pid("nap"), signal.SIGKILL)
        row = self.until("nap", state="failed")
        self.assertEqual(row["exit"]["signal"], "SIGKILL")
        self.assertIsNone(row["exit"]["code"])

    def test_version_ping_doctor_status(self):
        self.assertRegex(self.ok("version").out, r"\d+\.\d+\.\d+")
        self.ok("ping")
        out = self.ok("doctor").out
        self.assertIn(self.isolation, out)
        self.assertIn("memory_max", out)
        self.assertIn(self.isolation, self.ok("status").out)
