"""Ports that stay free until they are used."""
import itertools, os, random, socket

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
held = []       # as long as this process lives


def candidates():
    """Below those that the kernel gives to clients, of whom the tests have many."""
    first = int(open(RANGE).read().split()[0]) if os.path.exists(RANGE) else 32768
    lowest = min(20000, first // 2)
    begin = random.randrange(lowest, first)
    return itertools.chain(range(begin, first), range(lowest, begin))


def claimed(port):
    """One name for each port and network namespace: two tests, of whatever process, never have the same."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        s.bind(f"\0kingly-test-port-{port}")
    except OSError:
        s.close()
        return False
    held.append(s)
    return True


def unused(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("", port))
            except OSError:
                return False
    return True


def free_port():
    return next(port for port in candidates() if claimed(port) and unused(port))
