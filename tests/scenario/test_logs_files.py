"""Log files as they lie there: formats, putting aside, compression, bounds, real and unpleasant writers."""
import concurrent.futures, gzip, http.client, json, os, re, shutil, socket, subprocess, sys
from kingly import PATIENCE, Scenario, wait_for
from ports import free_port

STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


class LogFiles(Scenario):
    def setUp(self):
        super().setUp()
        self.logs = os.path.join(self.home, "logs")

    def service(self, text, log, interpreter="/bin/sh", **more):
        path = self.script(f"s{len(os.listdir(self.home))}", f"#!{interpreter}\n" + text)
        return {"command": [path], "log": {"to": "file"} | log, "restart": {"when": "never"}} | more

    def python(self, text, log, **more):
        return self.service(text, log, sys.executable, **more)

    def chain(self, name):
        """The content of all files of a log, oldest first; again when one was put aside meanwhile."""
        while True:
            try:
                return self.chain_at_once(name)
            except FileNotFoundError:
                pass

    def chain_at_once(self, name):
        """A number that is compressed at this moment may have both forms."""
        found = {}
        for entry in os.listdir(self.logs) if os.path.exists(self.logs) else []:
            m = re.fullmatch(re.escape(name) + r"(?:\.(\d+))?(\.zst|\.gz)?", entry)
            if m and not entry.endswith(".tmp"):
                found.setdefault(int(m[1] or 0), []).append(entry)
        parts = []
        for number in sorted(found, reverse=True):
            path = os.path.join(self.logs, max(found[number], key=len))
            if path.endswith(".zst"):
                with open(path, "rb") as f:
                    parts.append(subprocess.run(["zstd", "-dcq"], stdin=f, capture_output=True, check=True).stdout)
            elif path.endswith(".gz"):
                parts.append(gzip.open(path).read())
            else:
                parts.append(open(path, "rb").read())
        return b"".join(parts)


    def objects(self, name):
        return [json.loads(line) for line in self.chain(name).split(b"\n")[:-1]]     # the last may be half written

    # ---- formats ----

    def test_json(self):
        self.start_daemon()
        code = r"""
import os, sys, traceback
os.write(1, b'hello "x"\n{"level": 30, "msg": "nested"}\n<3>urgent\nbin \xff\\n\n')
def f(): raise ValueError("boom")
try: f()
except ValueError: sys.stderr.write("failed:\n" + traceback.format_exc()); sys.stderr.flush()
os.write(1, b'last')
"""
        self.apply({"a": self.python(code, {"format": "json"}, instances=2)})
        wait_for("all lines", lambda: len(self.chain("a.1.log").splitlines()) == 6)
        lines = self.objects("a.1.log")
        for o in lines:
            self.assertEqual(list(o)[:6], ["time", "stream", "service", "namespace", "instance", "pid"])
            self.assertTrue(re.fullmatch(STAMP, o["time"].encode()))
            self.assertEqual((o["service"], o["namespace"], o["instance"]), ("a", "default", 1))
            self.assertGreater(o["pid"], 0)
        out = [o for o in lines if o["stream"] == "out"]
        self.assertEqual(out[0]["message"], 'hello "x"')
        self.assertEqual(out[1]["json"], {"level": 30, "msg": "nested"})
        self.assertEqual((out[2]["priority"], out[2]["message"]), (3, "urgent"))
        self.assertEqual((out[3]["escaped"], out[3]["message"]), (True, "bin \\xff\\\\n"))
        self.assertEqual(out[4]["message"], "last")
        err = [o["message"] for o in lines if o["stream"] == "err"]
        self.assertEqual(err[0], "failed:\n" + err[0].split("\n", 1)[1])
        self.assertTrue(err[0].startswith("failed:\nTraceback (most recent call last):\n  File "), err)
        self.assertTrue(err[0].endswith("\nValueError: boom"), err)

    def test_merged(self):
        self.start_daemon()
        self.apply({"m": self.service("echo I am $KINGLY_INSTANCE; exec sleep 1000\n", {"merge": True}, instances=3)})
        wait_for("three lines", lambda: len(self.chain("m.log").splitlines()) == 3)
        for line in self.chain("m.log").splitlines():
            self.assertRegex(line, STAMP + rb" out@(\d) I am \1$")
        self.assertFalse([f for f in os.listdir(self.logs) if re.match(r"m\.\d", f)])

    # ---- real and unpleasant writers ----

    def test_nginx_under_load(self):
        if not shutil.which("nginx"):
            self.skipTest("nginx is not installed: make deps")
        port, rounds, requests = free_port(), 4, 500
        self.file("nginx.conf", f"""daemon off; master_process off; pid {self.home}/nginx.pid; error_log stderr;
events {{}}
http {{ access_log /dev/stdout combined; client_body_temp_path {self.home}/t1; proxy_temp_path {self.home}/t2; fastcgi_temp_path {self.home}/t3;
  uwsgi_temp_path {self.home}/t4; scgi_temp_path {self.home}/t5; keepalive_requests 10000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello"; }} }} }}""")
        self.start_daemon()
        self.apply({"nginx": {"command": [shutil.which("nginx"), "-p", self.home, "-c", self.home + "/nginx.conf"],
                              "log": {"to": "file", "format": "raw", "max_size": "16K", "keep": 1000, "compress": "zstd"}}})

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wait_for("nginx to listen", answers)

        def load(worker):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=4 * PATIENCE)
            for n in range(requests):
                c.request("GET", f"/{worker}/{n}")
                assert c.getresponse().read() == b"hello"
            c.close()
        with concurrent.futures.ThreadPoolExecutor(rounds) as pool:
            list(pool.map(load, range(rounds)))
        total = rounds * requests
        wait_for("every request", lambda: self.chain("nginx.0.log").count(b'"GET /') == total)
        self.ok("stop", "nginx")
        text = self.chain("nginx.0.log")
        found = re.findall(rb'^127\.0\.0\.1 - - \[[^]]+\] "GET /(\d+)/(\d+) HTTP/1\.1" 200 5 "-" "-"$', text, re.M)
        self.assertEqual(sorted((int(a), int(b)) for a, b in found), [(a, b) for a in range(rounds) for b in range(requests)])

    def test_noise(self):
        """Binary noise comes through raw as it is, and as valid objects in json."""
        self.start_daemon()
        noise = os.urandom(300000)
        with open(os.path.join(self.home, "noise"), "wb") as f:
            f.write(noise)
        command = ["/bin/cat", os.path.join(self.home, "noise")]
        both = {"restart": {"when": "never"}}
        self.apply({"raw": {"command": command, "log": {"to": "file", "format": "raw", "max_size": "64K", "keep": 20}} | both,
                    "json": {"command": command, "log": {"to": "file", "format": "json", "multiline": False, "max_size": "256K", "keep": 50}} | both})
        wait_for("all of it", lambda: len(self.chain("raw.0.log")) == len(noise))
        self.assertEqual(self.chain("raw.0.log"), noise)

        def back(o):
            text = o.get("message", "").encode()
            if o.get("escaped"):
                text = re.sub(rb"\\(\\|x(..))", lambda m: bytes([int(m[2], 16)]) if m[2] else b"\\", text)
            return (b"<%d>" % o["priority"] if "priority" in o else b"") + text + (b"" if o.get("partial") else b"\n")
        wait_for("all of it", lambda: len(b"".join(map(back, self.objects("json.0.log")))) >= len(noise))
        self.assertEqual(b"".join(map(back, self.objects("json.0.log")))[:len(noise)], noise)

    def test_one_long_line(self):
        """100 MB without a newline: cut into marked pieces, in the memory of one of them."""
        self.start_daemon()
        code = "import sys\nfor i in range(100): sys.stdout.buffer.write(b'x' * 1000000)\nsys.stdout.buffer.write(b'\\nend\\n')\n"     # which goes on where write(2) was interrupted
        self.apply({"l": self.python(code, {"max_size": "infinity"})})
        wait_for("the end", lambda: self.chain("l.0.log").endswith(b"end\n"))
        pieces = self.chain("l.0.log").splitlines()
        self.assertTrue(all(re.match(STAMP + rb" out\+ x{65536}$", p) for p in pieces[:-2]))
        self.assertRegex(pieces[-2], STAMP + rb" out x+$")
        self.assertEqual(sum(len(re.sub(rb"^\S+ \S+ ", b"", p)) for p in pieces[:-1]), 100000000)
        pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_our_logger(p))
        peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
        if "asan" not in self.programs:
            self.assertLess(peak, 16 * 1024)

    def is_our_logger(self, pid):
        try:
            return open(f"/proc/{pid}/comm").read() == "kingd-logger\n" and f"KINGLY_HOME={self.home}\0" in open(f"/proc/{pid}/environ").read()
        except OSError:
            return False

    def test_byte_by_byte(self):
        self.start_daemon()
        code = "import os\nfor c in b'one two three\\nfour\\n' * 20: os.write(1, bytes([c]))\n"
        self.apply({"b": self.python(code, {}), "j": self.python(code, {"format": "json"})})
        wait_for("all", lambda: all(len(self.chain(n + ".0.log").splitlines()) == 40 for n in "bj"))
        self.assertEqual([l.split(b" ", 2)[2] for l in self.chain("b.0.log").splitlines()], [b"one two three", b"four"] * 20)
        self.assertEqual([o["message"] for o in self.objects("j.0.log")], ["one two three", "four"] * 20)

    # ---- putting aside ----

    def test_compressed_and_complete(self):
        """Numbered lines through many rotations."""
        self.start_daemon()
        self.apply({"n": self.service("i=0; while [ $$i -lt 20000 ]; do echo number $$i; i=$$((i+1)); done; exec sleep 1000\n".replace("$$", "$"),
                                      {"max_size": "32K", "keep": 1000, "compress": "gzip"})})
        wait_for("the last", lambda: b"number 19999\n" in self.chain("n.0.log"))
        numbers = [int(n) for n in re.findall(rb" out number (\d+)$", self.chain("n.0.log"), re.M)]
        self.assertEqual(numbers, list(range(20000)))
        wait_for("everything put aside to be compressed", lambda: not [f for f in os.listdir(self.logs) if re.fullmatch(r"n\.0\.log\.\d+|.*\.tmp", f)])
        self.assertEqual([int(n) for n in re.findall(rb" out number (\d+)$", self.chain("n.0.log"), re.M)], numbers)

    def test_compression_resumes(self):
        """What a daemon before this one left half-done is finished."""
        os.mkdir(self.logs, 0o755)
        for name, text in {"r.0.log.1": "one\n", "r.0.log.2": "two\n", "r.0.log.2.gz": None, "r.0.log.gz.tmp": "half"}.items():
            with (gzip.open if text is None else open)(os.path.join(self.logs, name), "wb") as f:
                f.write((text or "two\n").encode())
        self.start_daemon()
        self.apply({"r": self.service("echo three; exec sleep 1000\n", {"format": "raw", "compress": "gzip"})})
        wait_for("three files", lambda: sorted(f for f in os.listdir(self.logs) if f.startswith("r.")) == ["r.0.log", "r.0.log.1.gz", "r.0.log.2.gz"])
        self.assertEqual(self.chain("r.0.log"), b"two\none\nthree\n")

    def test_age(self):
        """By age, also when nobody writes any more."""
        self.start_daemon()
        self.apply({"a": self.service("echo once; exec sleep 1000\n", {"max_age": "1s"})})
        wait_for("it to be put aside", lambda: os.path.exists(self.logs + "/a.0.log.1"))
        current = self.logs + "/a.0.log"
        wait_for("a new file", lambda: os.path.exists(current) and os.path.getsize(current) == 0)
        self.assertIn(b"once", self.chain("a.0.log"))

    def test_total_and_quota(self):
        self.environment["KINGLY_LOG_QUOTA"] = "300K"
        self.start_daemon()
        text = "i=0; while [ $i -lt 40000 ]; do echo number $i; i=$((i+1)); done; exec sleep 1000\n"
        self.apply({"t": self.service(text, {"max_size": "16K", "max_total": "64K", "keep": 1000}), "q": self.service(text, {"max_size": "16K", "keep": 1000})})

        def size(prefix):
            total = 0
            for name in os.listdir(self.logs):
                try:
                    total += os.path.getsize(os.path.join(self.logs, name)) if name.startswith(prefix) else 0
                except FileNotFoundError:      # put aside or removed meanwhile
                    pass
            return total
        for name in "tq":
            wait_for("the last of " + name, lambda: b"number 39999\n" in self.chain(name + ".0.log"))
        wait_for("its total to hold", lambda: size("t.") <= 64 * 1024)
        wait_for("the quota to hold", lambda: size("") <= 300 * 1024)
        self.assertGreater(size("q."), 100 * 1024)

    # ---- bounds ----

    def test_yes_is_limited(self):
        self.start_daemon()
        self.apply({"y": {"command": ["/usr/bin/yes"], "log": {"to": "file", "rate_limit": 10, "rate_burst": 50}}})
        note = STAMP + rb" out kingly: (\d+) lines \(\S+\) were not kept, from \S+ to \S+: more than 10 lines a second$"
        wait_for("two notes", lambda: len(re.findall(note, self.chain("y.0.log"), re.M)) >= 2)
        self.ok("stop", "y")
        dropped, lines = re.findall(note, self.chain("y.0.log"), re.M), self.chain("y.0.log").count(b" out y\n")
        self.assertTrue(all(int(n) > 0 for n in dropped))
        self.assertGreaterEqual(lines, 50)
        self.assertLess(os.path.getsize(self.logs + "/y.0.log"), 1 << 20)

    def test_no_space(self):
        """A full file system: the service that may lose lines goes on, the other waits, both are whole again when there is room."""
        os.mkdir(self.logs)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "kingly-test", self.logs], capture_output=True).returncode != 0:
            self.not_applicable("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.logs])
        self.start_daemon()
        text = "i=0; while [ $i -lt 60000 ]; do echo number $i .........; i=$((i+1)); done; touch %s; exec sleep 1000\n"
        done = {n: os.path.join(self.home, "done-" + n) for n in ("drop", "wait")}
        self.apply({"drop": self.service(text % done["drop"], {"max_size": "infinity", "when_full": "drop-newest"}),
                    "wait": self.service(text % done["wait"], {"max_size": "infinity"})})
        wait_for("the one that may drop to go on to its end", lambda: os.path.exists(done["drop"]))
        self.assertFalse(os.path.exists(done["wait"]))
        self.until("wait", state="running")
        wait_for("it to be said", lambda: re.search("cannot write .*wait.*output waits", self.daemon_log()))
        self.assertEqual(len(re.findall("cannot write .*wait.*output waits", self.daemon_log())), 1)
        wait_for("the problem", lambda: "no space left for log files" in self.ok("status").out)
        self.assertIn("no space left for log files", self.kingctl("doctor").out)
        subprocess.run(["mount", "-o", "remount,size=64m", self.logs], check=True)
        wait_for("no problem", lambda: "no space left for log files" not in self.ok("status").out)
        self.ok("logs", "--reopen")
        wait_for("the other to end", lambda: os.path.exists(done["wait"]))
        wait_for("its last line", lambda: b"number 59999 " in self.chain("wait.0.log"))
        self.assertEqual([int(n) for n in re.findall(rb" out number (\d+) \.+$", self.chain("wait.0.log"), re.M)], list(range(60000)))
        note = rb" out kingly: (\d+) lines \(\S+\) were not kept, from \S+ to \S+: the file could not be written$"

        def told():
            text = self.chain("drop.0.log")
            return len(re.findall(rb" out number \d+ \.{9}\n", text)) + sum(map(int, re.findall(note, text, re.M)))
        wait_for("the note", lambda: told() >= 60000)
        self.assertEqual(told(), 60000)

    # ---- by hand ----

    def test_flush(self):
        self.start_daemon()
        self.apply({"f": self.service("i=0; while :; do echo number $i; i=$((i+1)); sleep 0.001; done\n", {"max_size": "4K", "keep": 100, "compress": "zstd"}),
                    "none": self.service("exec sleep 1000\n", {"to": "none"})})
        wait_for("some files", lambda: os.path.exists(self.logs + "/f.0.log.3.zst"))
        last = int(re.findall(rb"number (\d+)\n", self.chain("f.0.log"))[-1])
        self.assertIn("log emptied", self.ok("logs", "--flush", "f").out)
        first = int(wait_for("the next line", lambda: re.findall(rb"number (\d+)\n", self.chain("f.0.log")))[0])
        self.assertGreaterEqual(first, last)
        self.assertIn("in no file", self.refused(1, "logs", "--flush", "none").err)
        self.refused(2, "logs", "--flush")
        self.refused(3, "logs", "--flush", "nobody")

    def test_reopen(self):
        self.start_daemon()
        fifo = os.path.join(self.home, "fifo")
        os.mkfifo(fifo)
        self.apply({"o": self.service(f"exec cat {fifo}\n", {"format": "raw"})})
        with open(fifo, "w", buffering=1) as f:
            f.write("before\n")
            wait_for("it", lambda: self.chain("o.0.log") == b"before\n")
            os.rename(self.logs + "/o.0.log", self.logs + "/moved")
            self.ok("logs", "--reopen")
            f.write("after\n")
            wait_for("a new file", lambda: self.chain("o.0.log") == b"after\n")
        self.assertEqual(open(self.logs + "/moved").read(), "before\n")

    def test_refused(self):
        self.start_daemon()
        for log, why in [({"format": "raw", "merge": True}, "tells the instances apart"), ({"max_age": "0"}, "at least 1s"),
                         ({"max_total": "1M"}, "below log.max_size"), ({"format": "raw", "rate_limit": 5}, "cannot say what was dropped"),
                         ({"format": "raw", "when_full": "drop-oldest"}, "cannot say what was dropped"), ({"compress": "bzip2"}, "none, zstd or gzip"),
                         ({"rotate": "yearly"}, "none, hourly, daily, weekly or monthly")]:
            path = self.file("bad.json", json.dumps({"services": {"x": {"command": "true", "log": log}}}))
            self.assertIn(why, self.refused(2, "check", path).err + self.kingctl("check", path).out)
