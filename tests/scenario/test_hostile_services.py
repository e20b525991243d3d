"""What services say and do to their supervisor and to who looks at them."""
import json, os, pty, re, signal, socket, subprocess, sys, threading
from client import Client
from kingly import PATIENCE, alive, environment_of, wait_for
from test_hostile import Guarded


class HostileServices(Guarded):
    """Services that say what is not so, too much of it, or what a terminal would obey."""

    ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u009b2J\x7f\x08\r"

    def plain(self, *arguments, env=None):
        """What a verb puts out, which must hold nothing that a terminal acts upon. Bytes: Python would take a carriage return for a line's end."""
        r = subprocess.run([os.path.join(self.programs, "kingctl"), *arguments], env=env or self.environment, capture_output=True, timeout=4 * PATIENCE)
        text = (r.stdout + r.stderr).decode()
        self.assertEqual([c for c in text if c != "\n" and (ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0)], [], (arguments, text))
        return text

    def on_a_terminal(self, *arguments, env):
        """The same where colours are wanted: those are ours."""
        ours, theirs = pty.openpty()
        p = subprocess.Popen([os.path.join(self.programs, "kingctl"), *arguments], env=env | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 1 << 16):
                text += data
        except OSError:         # how Linux says that the other end is closed
            pass
        os.close(ours)
        p.wait(4 * PATIENCE)
        rest = re.sub(r"\x1b\[\d*m", "", text.decode().replace("\r\n", "\n"))
        self.assertNotIn("\x1b[31mred", text.decode())
        self.assertEqual([c for c in rest if c != "\n" and (ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0)], [], (arguments, text))

    def test_a_flood_of_notifications_is_bounded_and_told(self):
        flood = "notify('READY=1')\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(os.environ['NOTIFY_SOCKET'])\nwhile True: s.send(b'STATUS=' + os.urandom(4).hex().encode())"
        self.apply({"flood": self.notifier(flood), "quiet": {"command": "sleep 1000"}})
        told = wait_for("it to be told", lambda: [e for e in self.events("flood") if e["kind"] == "notify-flood"])
        self.assertIn("ignored", told[0]["message"])
        self.apply({"polite": self.notifier("notify('READY=1')\nnotify('STATUS=here')\ntime.sleep(1000)")})     # is heard beside it
        self.until("polite", status="here")
        self.ok("stop", "quiet")
        self.assertLess(len([e for e in self.events("flood") if e["kind"] == "notify-flood"]), 3)
        self.ok("stop", "flood")

    def test_a_main_process_cannot_be_forged(self):
        self.apply({"victim": {"command": "sleep 1000"}})
        victim = self.pid("victim")
        script = f"notify('READY=1')\nnotify('MAINPID={victim}')\nnotify('MAINPID=1\\nSTATUS=forged')\ntime.sleep(1000)"
        self.apply({"forger": self.notifier(script)})
        row = self.until("forger", status="forged")
        self.assertNotIn(row["pid"], (victim, 1))
        self.ok("stop", "forger")
        self.assertEqual(self.pid("victim"), victim)
        self.assertTrue(alive(victim))

    def test_nobody_speaks_for_another(self):
        """The socket's path is no secret; what counts is whose process sends."""
        self.apply({"slow": self.notifier("time.sleep(1000)", ready={"by": "notify", "timeout": "1h"}), "talk": self.notifier("notify('READY=1')\ntime.sleep(1000)")}, "--no-wait")
        self.until("talk", state="running")
        path = environment_of(self.pid("talk"))["NOTIFY_SOCKET"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            for text in (b"READY=1", b"STATUS=mine", b"STOPPING=1", b"x" * 100000, b"READY=1\0READY=1", b"\xff" * 50):
                try:
                    s.sendto(text, path)
                except OSError:
                    pass                # too long for a datagram
        self.apply({"after": self.notifier("notify('READY=1')\ntime.sleep(1000)")})
        self.assertEqual((self.row("slow")["state"], self.row("talk")["status"]), ("starting", None))

    def test_a_flood_of_strangers_drowns_nobody(self):
        """Who belongs to no service costs one look at who that is, however many services there are, so those who do come to their turn."""
        self.apply({f"s{n}": {"command": "sleep 1000", "notify_access": "all"} for n in range(150)})
        path = environment_of(self.pid("s0"))["NOTIFY_SOCKET"]
        flood = ("import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(sys.argv[1])\n"
                 "for n in range(1 << 60):\n    s.send(b'STATUS=x')\n    n == 20 and print('here', flush=True)")
        strangers = [subprocess.Popen([sys.executable, "-c", flood, path], stdout=subprocess.PIPE, text=True) for _ in range(8)]
        for stranger in strangers:
            self.addCleanup(stranger.communicate)
            self.addCleanup(stranger.kill)
        self.assertEqual({stranger.stdout.readline() for stranger in strangers}, {"here\n"})
        self.apply({"talk": self.notifier("notify('READY=1')\nfor n in range(150): notify(f'STATUS={n}')\ntime.sleep(1000)")})
        self.until("talk", status="149")
        self.assertEqual({r["status"] for r in self.list("s*")}, {None})

    def test_one_that_chatters_where_it_is_heard_holds_up_nobody(self):
        """On the descriptor for its readiness, on the channel of a Node process, in the files that are watched for it."""
        tree = os.path.join(self.home, "tree")
        os.mkdir(tree)
        talk = "import os\nwhile True: os.write(int(os.environ[{!r}]), b'x' * 4096)\n"
        touch = f"import os\nn = 0\nwhile True:\n    open('{tree}/%d' % (n % 100), 'w').close()\n    n += 1\n"
        self.apply({"fd": {"command": ["python3", "-c", talk.format("READY_FD")], "ready": {"by": "fd", "timeout": "3s"}, "restart": {"when": "never"}},
                    "ipc": {"command": ["python3", "-c", talk.format("NODE_CHANNEL_FD")], "ready": {"by": "ipc", "timeout": "1h"}},
                    "watched": {"command": ["python3", "-c", touch], "watch": {"paths": [tree], "debounce": "1h"}},
                    "web": {"command": "sleep 1000", "restart": {"delay": "0s"}}}, "--no-wait")
        self.until("fd", state="failed")        # its time is up all the same
        old = self.pid("web")
        os.kill(old, signal.SIGKILL)
        wait_for("its next run", lambda: self.row("web")["pid"] not in (None, old))
        wait_for("the books to be kept", lambda: "exited" in [e["kind"] for e in self.events("web")])
        self.ok("stop", "all")

    def size(self, directory):
        total = 0
        for name in os.listdir(directory):
            try:
                total += os.path.getsize(os.path.join(directory, name))
            except FileNotFoundError:       # put aside meanwhile
                pass
        return total

    def test_one_that_writes_without_end_holds_up_nobody(self):
        """Its files keep their measure, others are heard beside it, and it stops when it is told to."""
        self.apply({"loud": {"command": ["yes", "x" * 100], "instances": 3, "log": {"to": "file", "max_size": "1M", "keep": 1}}})
        logs = os.path.join(self.home, "logs")
        wait_for("a rotation of each", lambda: len([e for e in os.listdir(logs) if e.endswith(".1")]) == 3)
        for n in range(3):
            self.apply({f"quiet{n}": {"command": ["sh", "-c", f"echo here {n}; exec sleep 1000"], "log": {"to": "file"}}})
            wait_for("its line", lambda: self.messages(f"quiet{n}") == [f"here {n}"])
        self.ok("stop", "loud")
        wait_for("the measure", lambda: self.size(logs) < 10 << 20)
        self.assertEqual(self.runs_once("loud"), [])

    def test_descriptors_that_nobody_asked_for_are_closed(self):
        script = ("notify('READY=1')\nimport array\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(os.environ['NOTIFY_SOCKET'])\n"
                  "for n in range(50): s.sendmsg([b'FDSTORE=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 200))])\nnotify('STATUS=sent')\ntime.sleep(1000)")
        before = len(os.listdir(f"/proc/{self.manager}/fd"))
        self.apply({"giver": self.notifier(script)})
        self.until("giver", status="sent")
        wait_for("their end", lambda: len(os.listdir(f"/proc/{self.manager}/fd")) < before + 20)

    def test_control_characters_are_escaped_wherever_they_come_from(self):
        """What a service says of itself, its title, its lines, its settings."""
        talk = self.script("talk", "#!/usr/bin/env python3\nimport ctypes, os, socket, sys, time\nbad = eval(os.environ['BAD'])\n"
                           "ctypes.CDLL(None).prctl(15, bad.encode(), 0, 0, 0)\nprint(bad, flush=True)\nprint(bad, file=sys.stderr, flush=True)\n"
                           "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1\\nSTATUS=' + bad.replace('\\r', '').encode(), os.environ['NOTIFY_SOCKET'])\n"
                           "os.execv(sys.executable, [bad, '-c', 'import time; time.sleep(1000)'])\n")
        self.apply({"talk": {"command": [talk], "env": {"BAD": repr(self.ESCAPES), "RAW": self.ESCAPES}, "ready": {"by": "notify"}, "log": {"to": "file"}},
                    "fail": {"command": ["sh", "-c", "echo \"$RAW\"; exit 1"], "env": {"RAW": self.ESCAPES}, "restart": {"limit": 1, "delay": "1ms"}},
                    "none": {"command": ["/nonexistent" + self.ESCAPES], "restart": {"when": "never"}}}, "--no-wait")
        self.until("talk", state="running")
        self.until("none", state="failed")
        self.until("fail", state="failed")
        wait_for("its lines", lambda: len(self.messages("talk")) >= 2)
        for arguments in (("list",), ("status",), ("status", "all"), ("describe", "all"), ("tree",), ("events",), ("logs", "all"), ("env", "talk"), ("doctor",),
                          ("list", "-o", "json"), ("describe", "-o", "json", "all"), ("logs", "-o", "jsonl", "all"), ("events", "-o", "jsonl"),
                          ("start", "none"), ("restart", "fail"), ("list", "x" + self.ESCAPES), (self.ESCAPES,), ("--" + self.ESCAPES.replace("\r", ""),),
                          ("apply", "-f", "/nonexistent" + self.ESCAPES), ("start", "--name", self.ESCAPES, "--", "true")):
            self.plain(*arguments)
        services = {"talk": {"command": ["true", self.ESCAPES], "cwd": "/" + self.ESCAPES}, "x" + self.ESCAPES: {"command": "true"}, "y": {"bad" + self.ESCAPES: 1}}
        for keys in (("talk",), tuple(services)):
            path = self.file("bad.json", json.dumps({"services": {k: services[k] for k in keys}}))
            self.plain("apply", "--diff", "-f", path)
            self.plain("check", path)
        self.assertIn("\\x1b", self.ok("status", "talk").out)

    def test_every_string_that_the_daemon_could_say(self):
        """Between kingctl and kingd stands one who adds control characters to every string of every answer."""
        self.apply({"web": {"command": ["sh", "-c", "echo hello; exec sleep 1000"], "instances": 2, "log": {"to": "file"}}, "bad": {"command": ["false"], "restart": {"when": "never"}}}, "--no-wait")
        self.until("bad", state="failed")
        wait_for("lines to be shown", lambda: len(self.messages("web")) == 2)
        with Between(self.home, self.ESCAPES) as between:
            spoiled = self.environment | {"KINGLY_SOCKET": between.path}
            look = (("list",), ("status",), ("status", "all"), ("describe", "all"), ("tree",), ("events",), ("logs", "all"), ("env", "web:0"), ("doctor",), ("list", "nobody"))
            act = (("restart", "web"), ("stop", "web"), ("start", "web"), ("scale", "web", "3"))
            for arguments in [a + o for a in look for o in ((), ("-o", "json"), ("-o", "jsonl"))] + list(act):
                text = self.plain(*arguments, env=spoiled)
                self.assertTrue("\\x1b" in text or "\\u001b" in text, (arguments, text))
            for arguments in look:
                self.on_a_terminal(*arguments, env=spoiled)
            path = self.file("more.json", json.dumps({"services": {"web": {"command": "sleep 999"}}}))
            self.assertIn("\\x1b", self.plain("apply", "--diff", "-f", path, env=spoiled))


class Between:
    """A socket that hands calls on to the daemon and spoils its answers."""

    def __init__(self, home, poison):
        self.home, self.poison, self.path = home, poison, os.path.join(home, "between.sock")

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def spoil(self, value, key=None):
        """Error names, states, verbs and the protocol's own words stay, for kingctl would not get further; keys are the daemon's words in `states` alone."""
        if isinstance(value, str):
            return value if key in ("error", "state", "verb") else value + self.poison
        if isinstance(value, list):
            return [self.spoil(v) for v in value]
        if isinstance(value, dict):
            return {k + self.poison if key == "states" else k: self.spoil(v, k) for k, v in value.items()}
        return value

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client, Client(self.home) as daemon:
            calls = threading.Thread(target=self.hand_on, args=(client, daemon.socket), daemon=True)
            calls.start()
            try:
                while (message := daemon.receive()) is not None:
                    client.sendall(json.dumps(self.spoil(message)).encode() + b"\0")
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            calls.join(10)

    def hand_on(self, client, daemon):
        try:
            while data := client.recv(1 << 16):
                daemon.sendall(data)
            daemon.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
