"""Clients that send what is no message, too much, too slowly, never read, or come in crowds: others are served as ever, and memory stays bounded."""
import json, os, select, signal, socket, subprocess, sys, time
from client import Client, Error
from kingly import PATIENCE, wait_for
from test_hostile import Guarded

STRANGER = 64881        # a user who may not even look
CROWD = '''
import os, socket, sys
os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
crowd = []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(sys.argv[1])
    s.setblocking(False)
    crowd.append(s)
print("here", flush=True)
sys.stdin.read()
'''
# The same, and each says one long message after the other and reads the answers.
LOUD = CROWD.replace("sys.stdin.read()", '''
import select
message = b'{"method":"io.kingly.Manager.Ping","parameters":{"x":[' + b"[1]," * 8000 + b"[1]]}}" + b"\\0"
poll = select.epoll()
left = {}
for s in crowd:
    left[s.fileno()] = [s, b""]
    poll.register(s.fileno(), select.EPOLLIN | select.EPOLLOUT)
while not select.select([sys.stdin], [], [], 0)[0]:
    for fd, events in poll.poll(1):
        s, rest = left[fd]
        try:
            if events & select.EPOLLIN and not s.recv(1 << 16):
                poll.unregister(fd)
            elif events & select.EPOLLOUT:
                rest = rest or message * 4
                left[fd][1] = rest[s.send(rest):]
        except BlockingIOError:
            pass
        except OSError:
            poll.unregister(fd)
''')


class HostileClients(Guarded):
    def memory(self):
        if "ASAN_OPTIONS" in os.environ:
            return 0                # its allocator keeps what was freed
        fields = dict(l.split(":", 1) for l in open(f"/proc/{self.manager}/status").read().splitlines() if ":" in l)
        return int(fields["VmRSS"].split()[0]) * 1024

    def raw(self, timeout=4 * PATIENCE):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(os.path.join(self.home, "kingd.sock"))
        self.addCleanup(s.close)
        return s

    def dropped(self, *pieces):
        """Sends until the daemon has had enough: no answer, the end of the stream."""
        s = self.raw()
        try:
            for p in pieces:
                s.sendall(p)
            self.assertEqual(s.recv(1), b"")
        except (BrokenPipeError, ConnectionResetError):
            pass

    # ---- frames ----

    def test_frames_that_are_none(self):
        call = b'{"method":"io.kingly.Manager.Ping"'
        before = self.memory()
        for frame in (b"\0", b"garbage\0", b"[]\0", b"{\0", call + b"\0", call + b"}}\0", call + b',"x":"\xff\xfe"}\0', call + b',"x":"\xed\xa0\x80"}\0',
                      call + b',"x":' + b"[" * 100000 + b"]" * 100000 + b"}\0", call + b',"x":' + b'{"a":' * 100000 + b"\0",
                      call + b',"x":1e' + b"9" * 100000 + b"x}\0", b"{" * 1000000 + b"\0"):
            self.dropped(frame)
        self.dropped(*[b"x" * (1 << 20)] * 40)              # endless
        self.assertLess(self.memory() - before, 64 << 20)
        for number in ("1" * 30, "-" + "9" * 19, "9" * 100000):
            s = self.raw()
            s.sendall(b'{"method":"io.kingly.Manager.Events","parameters":{"limit":' + number.encode() + b"}}\0")
            self.assertIn(b"InvalidInput", s.recv(1 << 16))
        for n in range(1, len(call)):                       # cut anywhere
            s = self.raw()
            s.sendall(call[:n])
            s.close()
        self.ok("ping")

    def test_a_frame_in_single_bytes_and_many_in_one_piece(self):
        call = b'{"method":"io.kingly.Manager.Ping"}\0'
        s = self.raw()
        for k in range(len(call)):
            s.sendall(call[k:k + 1])
        self.assertEqual(s.recv(100), b'{"parameters":{}}\0')
        s.sendall(call * 5000)
        answers = b""
        while answers.count(b"\0") < 5000:
            answers += s.recv(1 << 16)
        self.assertEqual(answers, b'{"parameters":{}}\0' * 5000)

    # ---- those who do not read ----

    def test_many_followers_that_never_read(self):
        go = os.path.join(self.home, "go")
        os.mkfifo(go)
        talk = self.script("talk", f"#!/bin/sh\nread x < {go}\nexec seq -f '%07.0f {'x' * 500}' 20000\n")
        self.apply({"talk": {"command": [talk], "restart": {"when": "never"}, "log": {"to": "file", "max_size": "100M"}}})
        before = self.memory()
        for n in range(20):
            c = self.client()
            c.send("Logs" if n % 2 else "Events", {"selectors": ["talk"], "follow": True}, more=True)
        self.ok("ping")
        with open(go, "w") as f:
            f.write("go\n")
        self.until("talk", state="exited")
        c = self.client()
        for _ in range(100):
            c.call("Ping")
        self.ok("stop", "talk")
        self.assertLess(self.memory() - before, 256 << 20)  # 10 MiB of lines, ten readers: a mark of 1 MiB each, what is on the way, and what sanitizers keep

    def test_who_stops_in_the_middle_is_dropped(self):
        """Half a message, and a whole answer that nobody fetches: both meet a deadline of thirty seconds."""
        self.client().call("Apply", {"services": self.services(**{f"s{n}": {"command": "sleep 1000", "env": {"LONG": "x" * 2000}} for n in range(300)}), "start": False})
        begun = time.monotonic()
        half = [self.raw() for _ in range(20)]
        for s in half:
            s.sendall(b'{"method":')
        deaf = self.raw()
        deaf.sendall(b'{"method":"io.kingly.Manager.Describe","parameters":{"selectors":["all"]}}\0' * 3)
        for s in half:
            self.assertEqual(s.recv(1), b"")
        self.assertGreater(time.monotonic() - begun, 20)
        poll = select.poll()
        poll.register(deaf, 0)
        self.assertTrue(poll.poll(4000 * PATIENCE), "the deaf one is still there")

    # ---- crowds ----

    def crowds(self, program, connections):
        """Three users who are neither root nor the owner, each with that many connections, until the test ends."""
        crowds = [subprocess.Popen([sys.executable, "-c", program, os.path.join(self.home, "kingd.sock"), str(connections), str(STRANGER + n)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for n in range(3)]
        for p in crowds:
            self.addCleanup(p.communicate)
            self.assertEqual(p.stdout.readline(), "here\n")

    def test_a_crowd_of_another_user_locks_nobody_out(self):
        if os.geteuid() != 0:
            self.not_applicable("needs root to become another user")
        before = self.memory()
        self.crowds(CROWD, 500)
        for _ in range(20):
            self.ok("ping")
        own = [self.client() for _ in range(200)]
        for c in own:
            c.call("Ping")
        self.assertLess(self.memory() - before, 64 << 20)

    def test_a_loud_crowd_keeps_nobody_waiting(self):
        """Whatever users say who may not even look, and on however many connections, it takes a part of the daemon's time and no more."""
        if os.geteuid() != 0:
            self.not_applicable("needs root to become another user")
        self.apply({"web": {"command": "sleep 1000", "restart": {"delay": "0s"}}})
        self.crowds(LOUD, 256)
        for _ in range(5):
            self.ok("list")
        old = self.pid("web")
        os.kill(old, signal.SIGKILL)
        wait_for("its next run", lambda: self.row("web")["pid"] not in (None, old))
        self.assertIn("exited", [e["kind"] for e in self.events("web")])       # the books are kept as well

    def test_a_crowd_that_connects_and_leaves(self):
        for _ in range(20):
            crowd = [self.raw() for _ in range(100)]
            for k, s in enumerate(crowd):
                if k % 3 == 0:
                    s.sendall(b'{"method":"io.kingly.Manager.List"}\0')
                s.close()
        self.ok("ping")
        wait_for("all to be gone", lambda: len(os.listdir(f"/proc/{self.manager}/fd")) < 100)

    def test_too_many_of_our_own_are_told_so(self):
        def follow():
            c = Client(self.home)
            self.addCleanup(c.close)
            try:
                c.send("Events", {"follow": True, "limit": 0}, more=True)
            except BrokenPipeError:     # refused before it could ask: the answer is there
                pass
            return c.answer()
        refused = None
        for _ in range(1100):
            try:
                follow()
            except (Error, OSError) as e:
                refused = e
                break
        if refused is not None:
            self.assertIn("too many connections", str(refused))
        wait_for("a turn", lambda: self.kingctl("ping").code == 0)
        self.assertIsInstance(json.loads(self.ok("list", "-o", "json").out), list)
