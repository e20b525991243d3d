"""Finding lines: forms of files, filters, times, followers; all through `kingctl logs`."""
import glob, json, os, pty, re, select, subprocess, time
from kingly import BIN, PATIENCE, Scenario, wait_for


class Read(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def says(self, text, **more):
        """A service that prints the text and stays."""
        path = self.script(f"s{len(os.listdir(self.home))}", f"#!/usr/bin/env python3\nimport os, sys, time\n{text}\nsys.stdout.flush()\ntime.sleep(10000)\n")
        return {"command": [path], "log": {"to": "file"}} | more

    def entries(self, *arguments):
        return [json.loads(l) for l in self.ok("logs", "-o", "jsonl", *arguments).out.splitlines()]

    def follow(self, *arguments):
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "logs", "-f", "-o", "jsonl", *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for end in (p.stdout.close, p.stderr.close, p.wait, p.kill):
            self.addCleanup(end)
        return p

    def test_json_files(self):
        self.apply({"s": self.says('print("one\\n  at two\\n<3>bad\\n{\\"a\\": 1}", flush=True); os.write(1, b"\\xff\\\\ \\x07 \\x1b[31mred\\n")', log={"to": "file", "format": "json"})})
        wait_for("all of it", lambda: len(self.messages("s")) == 4)
        e = self.entries("s")
        self.assertEqual([x["message"] for x in e], ["one\n  at two", "bad", '{"a": 1}', "\\xff\\ \\x07 \\x1b[31mred"])
        self.assertEqual([x["priority"] for x in e], [None, 3, None, None])
        self.assertEqual(bytes.fromhex(e[3]["bytes"]), b"\xff\\ \x07 \x1b[31mred")
        self.assertEqual({x["pid"] for x in e}, {self.pid("s")})
        text = self.ok("logs", "s").out.splitlines()
        self.assertEqual(text[1], " " * 24 + "  at two")
        self.assertEqual(self.messages("s", "-p", "err"), ["bad"])
        self.assertEqual(self.messages("s", "-g", "^  at two$"), ["one\n  at two"])
        raw = subprocess.run([f"{BIN}/kingctl", "logs", "s", "-o", "raw", "-n", "1"], env=self.environment, capture_output=True).stdout
        self.assertEqual(raw, b"\xff\\ \x07 \x1b[31mred\n")

    def test_a_merged_file(self):
        for form in ("text", "json"):
            name = "m" + form
            self.apply({name: self.says('for n in range(5): print(os.environ["KINGLY_INSTANCE"], n)', instances=3, log={"to": "file", "format": form, "merge": True})})
            wait_for("all of them", lambda: len(self.messages(name, "-n", "100")) == 15)
            for k in range(3):
                self.assertEqual(self.messages(f"{name}:{k}", "-n", "100"), [f"{k} {n}" for n in range(5)])
            self.assertEqual({(e["instance"], e["label"]) for e in self.entries(name)}, {(k, f"{name}:{k}") for k in range(3)})
            third = self.entries(name, "-n", "100")[2]["cursor"]
            self.assertEqual(self.messages(name, "--after-cursor", third), self.messages(name, "-n", "100")[3:])

    def test_compressed_rotations(self):
        for how, suffix in (("zstd", "zst"), ("gzip", "gz")):
            log = {"to": "file", "max_size": "64K", "keep": 50, "compress": how}
            self.apply({how: self.says('for n in range(20000): print("this is line number", n)', log=log)})
            wait_for("the last line", lambda: self.messages(how, "-n", "1") == ["this is line number 19999"])
            wait_for("compression", lambda: len(glob.glob(f"{self.home}/logs/{how}.0.log.*[0-9].{suffix}")) > 5 and not glob.glob(f"{self.home}/logs/{how}.0.log.*[0-9]"))
            e = self.entries(how, "-n", "30000")
            self.assertEqual([x["message"] for x in e], [f"this is line number {n}" for n in range(20000)])
            middle = e[7000]
            self.assertEqual(self.messages(how, "--after-cursor", middle["cursor"]), [x["message"] for x in e[7001:]])
            since = [x["message"] for x in e if x["time_usec"] >= middle["time_usec"]]
            self.assertEqual(self.messages(how, "--since", f"@{middle['time_usec'] / 1e6:.6f}"), since)
            before = [x["message"] for x in e if x["time_usec"] <= middle["time_usec"]]
            self.assertEqual(self.messages(how, "--until", f"@{middle['time_usec'] / 1e6:.6f}", "-n", "30"), before[-30:])
            self.assertEqual(self.messages(how, "-g", "number 1?234$"), ["this is line number 234", "this is line number 1234"])
            self.assertEqual(self.messages(how, "-g", "7$", "-n", "3"), [f"this is line number {n}" for n in (19977, 19987, 19997)])
            victim = sorted(glob.glob(f"{self.home}/logs/{how}.0.log.*.{suffix}"))[2]
            os.truncate(victim, os.path.getsize(victim) // 2)
            r = self.ok("logs", how, "-n", "30000")
            self.assertIn(f"kingctl: {victim} is damaged", r.err)
            self.assertIn("line number 19999\n", r.out)
            self.assertLess(len(r.out.splitlines()), 20000)

    def test_followers_get_who_comes_later(self):
        self.apply({"web": self.says('print("web", os.environ["KINGLY_INSTANCE"])')})
        wait_for("its line", lambda: self.messages("web") == ["web 0"])
        p = self.follow("web*", "-n", "1")
        self.assertEqual(json.loads(p.stdout.readline())["message"], "web 0")      # it follows
        q = self.follow("@later")
        self.ok("scale", "web", "2")
        self.assertEqual(json.loads(p.stdout.readline())["label"], "web:1")
        self.apply({"web2": self.says('print("web2")')})
        self.assertEqual(json.loads(p.stdout.readline())["message"], "web2")
        path = self.file("later.json", json.dumps({"namespace": "later", "services": {"x": self.says('print("x")', env={"SCENARIO_HOME": self.home})}}))
        self.ok("apply", "-f", path)
        self.assertEqual(json.loads(q.stdout.readline())["message"], "x")
        # With a filter, the last lines first, then what comes.
        r = self.follow("web", "-n", "1", "-g", "web")
        self.assertEqual(json.loads(r.stdout.readline())["message"], "web 0")
        self.assertEqual(json.loads(r.stdout.readline())["message"], "web 1")
        self.ok("restart", "web:1")
        self.assertEqual(json.loads(r.stdout.readline())["message"], "web 1")

    def test_what_cannot_be_read_is_said(self):
        """A directory stands where the next file is to be; and when it stands there no more, it goes on."""
        gate = self.home + "/gate"
        os.mkfifo(gate)
        self.apply({"s": self.says(f'print("one", flush=True); open({gate!r}).read(); print("two", flush=True)')})
        wait_for("the first line", lambda: self.messages("s") == ["one"])
        p = self.follow("s")
        self.assertEqual(json.loads(p.stdout.readline())["message"], "one")
        path = f"{self.home}/logs/s.0.log"
        os.rename(path, path + ".1")
        os.mkdir(path)
        complaint = p.stderr.readline()
        self.assertIn(f"s: its log {path} cannot be read now: Operation not supported", complaint)
        os.rmdir(path)
        os.rename(path + ".1", path)
        open(gate, "w").close()
        self.assertEqual(json.loads(p.stdout.readline())["message"], "two")

    def test_a_reader_that_goes_away(self):
        self.apply({"s": self.says('for n in range(5000): print("line", n)')})
        wait_for("all", lambda: self.messages("s", "-n", "1") == ["line 4999"])
        for more in ("", "-f ", "-g line "):
            script = f"set -o pipefail; {BIN}/kingctl logs s -n 5000 {more}| head -n 1"
            p = subprocess.run(["bash", "-c", script], env=self.environment, capture_output=True, text=True)
            self.assertEqual((p.returncode, p.stderr, len(p.stdout.splitlines())), (0, "", 1), more)

    def test_who_does_not_follow_is_done(self):
        """However fast a service writes, and however slowly the client reads: what was there when it asked, and no more."""
        line = "print('x' * 4000, flush=True)\ntime.sleep(0.001)\n"
        for form in ("text", "raw"):
            self.apply({form: self.says(f"while not os.path.exists({self.home + '/quiet'!r}):\n    " + line.replace("\n", "\n    "), log={"to": "file", "format": form})})
            wait_for("some of it", lambda: len(self.messages(form, "-n", "100")) == 100)
            p = subprocess.Popen([os.path.join(BIN, "kingctl"), "logs", form, "-n", "200"], env=self.environment, stdout=subprocess.PIPE)
            def ended():
                time.sleep(0.05)
                return not os.read(p.stdout.fileno(), 16384)
            try:
                wait_for("its end", ended, 4 * PATIENCE)
            finally:
                p.kill()
                p.wait()
                p.stdout.close()
            self.file("quiet", "")
            self.ok("stop", form)
            os.unlink(self.home + "/quiet")

    def test_a_terminal(self):
        """Aligned names in steady colours, and no control character but ours."""
        self.apply({"a": self.says('print("\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\x9b31m \\r\\nx")'), "longer": self.says('print("plain")')})
        wait_for("both", lambda: len(self.messages()) == 3)
        parent, child = pty.openpty()
        self.addCleanup(os.close, parent)
        p = subprocess.Popen([f"{BIN}/kingctl", "logs"], env=self.environment | {"TERM": "xterm"}, stdin=child, stdout=child, stderr=child)
        os.close(child)
        out = b""
        while select.select([parent], [], [], 4 * PATIENCE)[0]:
            try:
                piece = os.read(parent, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        self.assertEqual(p.wait(4 * PATIENCE), 0)
        text = out.decode().replace("\r\n", "\n")
        for sequence in re.findall("\x1b(.{0,4})", text):
            self.assertRegex(sequence, r"^\[(0|2|3[1-6])m")
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
        plain = re.sub("\x1b\\[[0-9]*m", "", text)
        self.assertRegex(plain, r"(?m)^[-0-9]+ [:.0-9]+ a      \| red \\x1b\]0;title\\x07 \\xc2\\x9b31m $")
        self.assertRegex(plain, r"(?m)^[-0-9]+ [:.0-9]+ longer \| plain$")

    def test_long_lines_and_bytes(self):
        """Pieces of one line are one line again; with -o raw every byte is as it was."""
        self.apply({"s": self.says('sys.stdout.buffer.write(b"x" * 200000 + b"\\n" + bytes(range(256)) + b"\\nend\\n")')})
        wait_for("the end", lambda: self.messages("s", "-n", "1") == ["end"])
        text = self.ok("logs", "s", "--no-prefix", "-n", "100").out.splitlines()
        self.assertEqual((text[0], text[-1]), ("x" * 200000, "end"))
        raw = subprocess.run([f"{BIN}/kingctl", "logs", "s", "-o", "raw", "-n", "100"], env=self.environment, capture_output=True).stdout
        self.assertEqual(raw, b"x" * 200000 + b"\n" + bytes(range(256)) + b"\nend\n")

    def test_times(self):
        self.apply({"s": self.says('print("now")')})
        wait_for("its line", lambda: self.messages("s") == ["now"])
        for since in ("today", "10m", "2 hours ago", "yesterday", "@0", "yesterday 00:00", time.strftime("%Y-%m-%d")):
            if time.localtime().tm_hour + time.localtime().tm_min > 0:        # a day that began while this ran
                self.assertEqual(self.messages("s", "--since", since), ["now"], since)
        self.assertEqual(self.messages("s", "--since", "tomorrow"), [])
        self.assertEqual(self.messages("s", "--until", "1h"), [])
        self.assertEqual(self.messages("s", "--until", "now", "-n", "5"), ["now"])
        self.assertIn("hint:", self.refused(2, "logs", "s", "--since", "some day").err)
