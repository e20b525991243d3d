"""Output of services, as `kingctl logs` shows it."""
import json, os, subprocess, time
from kingly import BIN, Scenario, wait_for


class Logs(Scenario):
    target = "file"

    def setUp(self):
        super().setUp()
        self.start_daemon()

    def service(self, text, **more):
        path = self.script(f"s{len(os.listdir(self.home))}", "#!/bin/sh\n" + text)
        return {"command": [path], "log": {"to": self.target}} | more

    def follow(self, *arguments):
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "logs", "-f", "-o", "jsonl", *arguments], env=self.environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def test_streams_tail_grep(self):
        self.apply({"s": self.service("n=0; while [ $n -lt 50 ]; do echo out $n; n=$((n+1)); done; echo oops >&2; exec sleep 1000\n")})
        wait_for("all lines", lambda: len(self.messages("s", "-n", "100")) == 51)
        self.assertEqual(self.messages("s", "-n", "100", "--stream", "err"), ["oops"])
        self.assertEqual(self.messages("s", "-n", "100", "--stream", "out")[-3:], ["out 47", "out 48", "out 49"])
        self.assertEqual(self.messages("s", "-n", "100", "--grep", "^out 4[89]$"), ["out 48", "out 49"])
        self.assertEqual(len(self.messages("s", "-n", "5")), 5)
        self.assertEqual(len(self.messages("s")), 20)
        text = self.ok("logs", "s", "-n", "2", "--stream", "out").out
        self.assertIn("out 49", text)
        self.assertIn("grep", self.refused(2, "logs", "s", "--grep", "(").err)

    def test_follow_from_start_through_restart(self):
        go = os.path.join(self.home, "go")
        os.mkfifo(go)
        self.apply({"s": self.service(f"echo first; read x < {go}; echo second; exec sleep 1000\n", restart={"delay": "0s"})})
        wait_for("the first", lambda: self.messages("s") == ["first"])
        p = self.follow("s")
        self.assertEqual(json.loads(p.stdout.readline())["message"], "first")
        with open(go, "w") as f:
            f.write("x\n")
        self.assertEqual(json.loads(p.stdout.readline())["message"], "second")
        self.ok("restart", "s")
        self.assertEqual(json.loads(p.stdout.readline())["message"], "first")

    def test_since(self):
        self.apply({"s": self.service("echo old; exec sleep 1000\n")})
        wait_for("the old", lambda: self.messages("s") == ["old"])
        time.sleep(0.01)
        after = time.time()
        self.ok("restart", "s")
        wait_for("two", lambda: len(self.messages("s")) == 2)
        self.assertEqual(self.messages("s", "--since", "1h"), ["old", "old"])
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(after)) + f".{int(after * 1e6) % 1000000:06d}Z"
        self.assertEqual(self.messages("s", "--since", stamp), ["old"])

    def test_cursors(self):
        """Each line names the place behind it; reading goes on there, whoever reads and whatever became of the files."""
        text = "n=$(cat n 2>/dev/null || echo 0); e=$((n+100)); echo $e >n; while [ $n -lt $e ]; do echo line $n $PAD; n=$((n+1)); done; exec sleep 1000\n"
        log = {"to": self.target} | ({"max_size": "64K", "keep": 20} if self.target == "file" else {})
        line = lambda n: f"line {n} " + 1000 * "x"
        self.apply({"s": self.service(text, log=log, cwd=self.home, env={"PAD": 1000 * "x"})})
        wait_for("all", lambda: len(self.messages("s", "-n", "1000")) == 100)
        entries = [json.loads(l) for l in self.ok("logs", "s", "-o", "jsonl", "-n", "1000").out.splitlines()]
        for n in (0, 17, 50, 98, 99):
            self.assertEqual(self.messages("s", "--after-cursor", entries[n]["cursor"]), [line(m) for m in range(n + 1, 100)])
        self.ok("restart", "s")
        wait_for("more", lambda: self.messages("s", "-n", "1") == [line(199)])
        self.assertEqual(self.messages("s", "--after-cursor", entries[60]["cursor"]), [line(m) for m in range(61, 200)])
        p = self.follow("s", "--after-cursor", entries[99]["cursor"])
        self.assertEqual(json.loads(p.stdout.readline())["message"], line(100))
        r = self.refused(2, "logs", "s", "--after-cursor", entries[60]["cursor"].split(",")[0] + (",f:nonsense" if self.target == "file" else ",j:nonsense"))
        self.assertIn("not a cursor", r.err)

    def test_several_services_are_merged_by_time(self):
        a, b = os.path.join(self.home, "gate-a"), os.path.join(self.home, "gate-b")
        os.mkfifo(a)
        os.mkfifo(b)
        self.apply({"a": self.service(f"echo a1; read x < {a}; echo a2; exec sleep 1000\n"), "b": self.service(f"read x < {b}; echo b1; exec sleep 1000\n")})
        for known, gate in ((["a1"], b), (["a1", "b1"], a)):
            wait_for(known, lambda: self.messages("a", "b") == known)
            with open(gate, "w") as f:
                f.write("x\n")
        wait_for("three", lambda: len(self.messages("a", "b")) == 3)
        self.assertEqual(self.messages("a", "b"), ["a1", "b1", "a2"])
        self.assertRegex(self.ok("logs").out, r"(?m)^.*\ba\b.*a1$")

    def test_rotation_loses_nothing(self):
        self.apply({"s": self.service("n=0; while [ $n -lt 20000 ]; do echo this is line number $n; n=$((n+1)); done; exec sleep 1000\n",
                                      log={"to": "file", "max_size": "64K", "keep": 100})})
        wait_for("the last", lambda: self.messages("s", "-n", "1") == ["this is line number 19999"])
        self.assertGreater(len([n for n in os.listdir(self.home + "/logs") if n.startswith("s.0.log")]), 5)
        self.assertEqual(self.messages("s", "-n", "30000"), [f"this is line number {n}" for n in range(20000)])

    def test_last_words_without_newline(self):
        self.apply({"s": self.service("printf 'no newline at the end'; exit 1\n", restart={"when": "never"})}, "--no-wait")
        self.until("s", state="failed")
        wait_for("its words", lambda: self.messages("s") == ["no newline at the end"])

    def test_none(self):
        self.apply({"s": self.service("echo x; exec sleep 1000\n", log={"to": "none"}, instances=2)})
        self.assertEqual(self.messages("s"), [])
        self.assertEqual(self.ok("logs", "s", "s:1").err.count("s: log.to is none: its output is kept nowhere"), 1)
        self.assertEqual(os.path.exists(self.home + "/logs/s.0.log"), False)

    def test_a_broken_pipe_ends_quietly(self):
        self.apply({"s": self.service("n=0; while [ $n -lt 500 ]; do echo line $n; n=$((n+1)); done; exec sleep 1000\n")})
        wait_for("all", lambda: len(self.messages("s", "-n", "1000")) == 500)
        p = subprocess.run(f"{BIN}/kingctl logs s -n 1000 | head -n 1", shell=True, env=self.environment, capture_output=True, text=True)
        self.assertEqual(p.stderr, "")
        self.assertEqual(len(p.stdout.splitlines()), 1)
