"""The live view on a terminal of its own (a pty): what is seen, what keys do, how it leaves the terminal."""
import fcntl, os, pty, re, select, signal, struct, subprocess, termios, time
from kingly import PATIENCE, Scenario, wait_for


class Screen:
    """kingctl monit on a pty; what it draws is kept as text without its escapes."""
    def __init__(self, scenario, columns=100, lines=30, term="xterm-256color"):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.raw = b""
        environment = scenario.environment | {"TERM": term, "LC_ALL": "C.UTF-8"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen([os.path.join(os.environ["KINGLY_BIN"], "kingctl"), "monit"], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                                        env=environment, start_new_session=True)

    def text(self):
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]", " ", self.raw.decode(errors="replace"))

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.raw += os.read(self.master, 65536)

    def until(self, words, meanwhile=lambda: None):
        end = time.monotonic() + PATIENCE
        while words not in self.text():
            if time.monotonic() > end:
                raise AssertionError(f"{words!r} is not seen in:\n{self.text()}")
            meanwhile()
            self.read(0.5)

    def press(self, keys):
        self.raw = b""
        os.write(self.master, keys.encode())

    def end(self):
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        self.read(0)
        self.process.stderr.close()
        return self.process.wait(timeout=1)

    def restored(self):
        """What was written last may be read after its writer's end only, piece by piece."""
        wait_for("the screen of before", lambda: (self.read(0.1), b"\x1b[?1049l" in self.raw)[1])
        return termios.tcgetattr(self.slave) == self.before


class Monit(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.apply({"web": {"command": ["sh", "-c", "printf 'hello \\033[31mworld\\n'; exec sleep 1000"]}, "zoo": {"command": "sleep 1000"}})

    def screen(self, **more):
        s = Screen(self, **more)
        self.addCleanup(lambda: (s.process.poll() is None and s.process.kill(), s.process.wait(), os.close(s.master), os.close(s.slave)))
        return s

    def test_shows_services_and_the_log_of_the_selected(self):
        s = self.screen()
        s.until("zoo")
        s.until("hello \\x1b[31mworld")
        self.assertNotIn(b"\x1b[31mworld", s.raw)
        s.press("q")
        self.assertEqual(s.end(), 0)
        self.assertTrue(s.restored(), s.raw)

    def test_keys_act_on_the_selected(self):
        s = self.screen()
        s.until("hello")
        s.press("x")
        self.until("web", state="stopped")
        s.press("s")
        self.until("web", state="running")
        s.press("+")
        wait_for("a second one", lambda: [r["state"] for r in self.list("web")] == ["running"] * 2)
        s.press("/zo\n")
        s.until("filter: zo")
        s.press("r")
        s.until("zoo: restarting")
        s.press("?")
        s.until("page up, page down")
        s.press("q")
        self.assertEqual(s.end(), 0)

    def test_a_signal_leaves_the_terminal_as_it_was(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            s = self.screen()
            s.until("zoo")
            s.process.send_signal(sig)
            self.assertEqual(s.end(), 128 + sig)
            self.assertTrue(s.restored(), s.raw)

    def test_sizes_and_terminals(self):
        for columns, lines, term in ((80, 24, "xterm"), (200, 60, "xterm-256color"), (20, 5, "vt100"), (1, 1, "xterm")):
            s = self.screen(columns=columns, lines=lines, term=term)
            if columns >= 80:
                s.until("zoo")
            fcntl.ioctl(s.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 132, 0, 0))
            s.until("zoo", lambda: s.process.send_signal(signal.SIGWINCH))     # told again if it could not hear yet
            s.press("q")
            self.assertEqual(s.end(), 0, (columns, lines, term))

    def test_goes_on_when_the_daemon_is_gone(self):
        s = self.screen()
        s.until("zoo")
        self.stop_daemon()
        s.until("no daemon runs")
        self.start_daemon()
        s.press("j")
        s.until("running")
        s.press("q")
        self.assertEqual(s.end(), 0)

    def test_needs_a_terminal_that_is_known(self):
        self.assertIn("needs a terminal", self.refused(2, "monit").err)
        self.assertEqual(self.screen(term="no-such-terminal").end(), 1)
