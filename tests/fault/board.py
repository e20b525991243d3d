"""The board that shim.c and a test share: which call is to fail, how many there were, and where it hit."""
import errno, mmap, os, struct, subprocess

PROGRAMS = ["kingd", "kingd-manager", "kingd-logger", "kingctl", "child", "kingd-balancer", "kingd-probe"]
# kind: what it is made to do, in the order of shim.c
KINDS = {
    "open": ["EMFILE", "ENOMEM", "ENOSPC", "EIO", "EACCES"], "read": ["EIO", "EINTR", "short"], "write": ["ENOSPC", "EIO", "EINTR", "short"],
    "send": ["ENOBUFS", "EAGAIN", "EINTR", "ENOMEM", "short"], "recv": ["EAGAIN", "EINTR", "ENOMEM"], "sync": ["EIO", "ENOSPC"],
    "rename": ["ENOSPC", "EIO"], "unlink": ["EIO", "EROFS"], "mkdir": ["ENOSPC", "EIO"], "truncate": ["EIO", "ENOSPC"], "stat": ["EIO", "ENOMEM"],
    "socket": ["EMFILE", "ENOBUFS"], "accept": ["EMFILE", "ENFILE", "ECONNABORTED", "EINTR", "ENOMEM"], "connect": ["EAGAIN", "ENOMEM"],
    "bind": ["ENOMEM", "ENOBUFS"], "pipe": ["EMFILE", "ENFILE"], "epoll": ["ENOMEM", "ENOSPC"], "wait_events": ["EINTR"],
    "timer": ["EMFILE", "ENOMEM"], "inotify": ["ENOSPC", "EMFILE"], "duplicate": ["EMFILE"], "lock": ["ENOLCK"], "memory": ["ENOMEM"], "map": ["ENOMEM"],
    "clone": ["EAGAIN", "ENOMEM"], "pidfd": ["EMFILE", "ENOMEM"], "pidfd_signal": ["EPERM"], "wait_child": ["EINTR"],
    "execute": ["ENOMEM", "EACCES"],
}
# Pipes and the keeper's sockets have no medium that could fail.
ONLY = {("kingd", "read"): ["EINTR", "short"], ("kingd-logger", "read"): ["EINTR", "short"], ("child", "send"): ["ENOBUFS", "EINTR"],
        ("child", "execute"): ["ENOMEM"],
        # Sockets that epoll(7) tells of once: none is said to be full or empty that is not.
        ("kingd-balancer", "recv"): ["EINTR", "ENOMEM"], ("kingd-balancer", "send"): ["ENOBUFS", "EINTR", "ENOMEM"],
        ("kingd-balancer", "stat"): ["ENOMEM"]}
NAMES = list(KINDS)
# Those may die at any call and no promise is broken.
MORTAL = ["kingd-manager", "kingd-balancer", "kingd-probe"]


def faults(program, kind):
    return ONLY.get((program, kind), KINDS[kind]) + ["kill"] * (program in MORTAL)


ACTIONS = {"short": -1, "kill": -2, "late": -3}
COUNTS = len(PROGRAMS) * len(NAMES) * 8
ARMED, FIRED = struct.Struct("=iiQQi"), struct.Struct("=IiI16Q")
FIRED_AT = COUNTS + ARMED.size
SIZE = COUNTS + 256


class Board:
    def __init__(self, path):
        with open(path, "wb") as f:
            f.truncate(SIZE)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)
        self.disarm()

    def arm(self, program, kind, nth, what, times=1):
        self.armed = program, kind, nth, what
        ARMED.pack_into(self.map, COUNTS, PROGRAMS.index(program), NAMES.index(kind), nth, times, ACTIONS.get(what) or getattr(errno, what))

    def disarm(self):
        self.armed = None, None, 0, None
        ARMED.pack_into(self.map, COUNTS, -1, -1, 0, 0, 0)

    def count(self, program, kind):
        return struct.unpack_from("=Q", self.map, (PROGRAMS.index(program) * len(NAMES) + NAMES.index(kind)) * 8)[0]

    @property
    def fired(self):
        return FIRED.unpack_from(self.map, FIRED_AT)[0]

    def where(self, binary):
        """The functions that led to the call, innermost first, as far as they are the program's own."""
        fired, pid, depth, *trace = FIRED.unpack_from(self.map, FIRED_AT)
        inside = [hex(a - 1) for a in trace[:depth] if a]
        if not inside:
            return []
        out = subprocess.run(["addr2line", "-i", "-f", "-s", "-e", binary, *inside], capture_output=True, text=True).stdout.splitlines()
        return [f"{f} ({at})" for f, at in zip(out[::2], out[1::2]) if f != "??"]
