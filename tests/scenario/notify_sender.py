"""A service for scenarios of sd_notify: it writes down what it found at its start, says READY=1, and then does what is sent to its standard input: each line
is Python, run with the names below. After each line it writes that it has done so. First argument: where it writes, one JSON object a line."""
import array, ctypes, json, os, socket, sys, time

SYS_open_tree, OPEN_TREE_CLONE = 428, 1
kept = {}       # descriptors by name, so that nobody closes them meanwhile


def notify(text, *fds):
    data = text if isinstance(text, bytes) else text.encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        s.sendmsg([data], rights, 0, os.environ["NOTIFY_SOCKET"])


def note(**what):
    with open(sys.argv[1], "a") as f:
        f.write(json.dumps({"pid": os.getpid()} | what) + "\n")


def memory(name, text):
    fd = kept[name] = os.memfd_create(name)
    os.write(fd, text.encode())
    return fd


def pipe(name):
    kept[name], kept[name + "'"] = os.pipe()
    return kept[name]


def file_of_a_stranger(name):
    """On a mount that stands in nobody's list."""
    tree = ctypes.CDLL(None, use_errno=True).syscall(SYS_open_tree, -100, b"/proc", OPEN_TREE_CLONE)
    assert tree >= 0, os.strerror(ctypes.get_errno())
    kept[name] = os.open("self/stat", os.O_RDONLY, dir_fd=tree)
    return kept[name]


def store(name, *fds, more=""):
    notify(f"FDSTORE=1\nFDNAME={name}{more}", *fds)


def forget(name):
    os.close(kept.pop(name))


def passed():
    """What sd_listen_fds_with_names(3) would say: name and content, of those that have one."""
    assert os.environ.get("LISTEN_PID") in (None, str(os.getpid()))
    names = os.environ["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in os.environ else []
    assert len(names) == int(os.environ.get("LISTEN_FDS", "0"))
    kept.update({name: 3 + n for n, name in enumerate(names)})
    return [[name, os.readlink(f"/proc/self/fd/{3 + n}").split(":")[0], content(3 + n)] for n, name in enumerate(names)]


def content(fd):
    try:
        return os.pread(fd, 4096, 0).decode()
    except OSError:
        return None


if __name__ == "__main__":
    note(start=passed(), fdstore=os.environ.get("FDSTORE"))
    notify("READY=1")
    for line in sys.stdin:
        exec(line)
        note(done=line.strip())
    time.sleep(1000)
