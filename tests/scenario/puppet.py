#!/usr/bin/env python3
"""A service that does what a test tells it, one piece of Python at a time, over a socket of its own: PUPPET names it. Its children do the same on
sockets named after it. The test's end is class Puppet."""
import array, json, os, signal, socket, sys, time


def say(text, fds=(), to=None):
    """One datagram, as sd_notify(3) sends it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        data = text if isinstance(text, bytes) else text.encode()
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        s.sendmsg([data], control, 0, to or os.environ["NOTIFY_SOCKET"])


def barrier():
    """Everything said before is dealt with. Source: sd_notify_barrier(3)."""
    r, w = os.pipe()
    say("BARRIER=1", [w])
    os.close(w)
    os.read(r, 1)
    os.close(r)


def serve(path):
    door = socket.socket(socket.AF_UNIX)
    door.bind(path + ".new")
    door.listen()
    os.rename(path + ".new", path)
    while True:
        c, _ = door.accept()
        with c, c.makefile("rw") as f:
            for line in f:
                names = globals()
                names["r"] = None
                try:
                    exec(json.loads(line), names)
                    answer = {"ok": names["r"]}
                except Exception as e:
                    answer = {"error": repr(e)}
                f.write(json.dumps(answer) + "\n")
                f.flush()


def child(name):
    """Another puppet, our child, at PUPPET.name; its pid."""
    pid = os.fork()
    if pid == 0:
        serve(f"{os.environ['PUPPET']}.{name}")
    return pid


def orphan(name):
    """The same, whose parent has ended."""
    r, w = os.pipe()
    middle = os.fork()
    if middle == 0:
        pid = os.fork()
        if pid:
            os.write(w, str(pid).encode())
            os._exit(0)
        serve(f"{os.environ['PUPPET']}.{name}")
    os.waitpid(middle, 0)
    pid = int(os.read(r, 32))
    os.close(r), os.close(w)
    return pid


class Puppet:
    """The test's end. do() returns what the code put into r."""
    def __init__(self, path, patience):
        end = time.monotonic() + patience
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(patience)
            try:
                self.s.connect(path)
                break
            except OSError:
                self.s.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self.f = self.s.makefile("rw")

    def do(self, code):
        self.f.write(json.dumps(code) + "\n")
        self.f.flush()
        line = self.f.readline()
        if not line:
            raise EOFError("it has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["ok"]

    def get(self, expression):
        return self.do(f"r = {expression}")

    def say(self, text):
        """And it has been heard."""
        self.do(f"say({text!r}); barrier()")

    def tell(self, code):
        """What it may not live to answer."""
        self.f.write(json.dumps(code) + "\n")
        self.f.flush()

    def leave(self, code=0):
        self.tell(f"os._exit({code})")

    def close(self):
        self.f.close()
        self.s.close()


if __name__ == "__main__":
    for code in sys.argv[1:]:
        exec(code)
    serve(os.environ["PUPPET"])
