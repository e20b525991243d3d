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
    """Asked without a socket that would have it for a moment: a child that another thread makes meanwhile has it open as well, until it executes."""
    tables = [f"/proc/self/net/{kind}{version}" for kind in ("tcp", "udp") for version in ("", "6")]
    lines = [line for path in tables if os.path.exists(path) for line in open(path).read().splitlines()[1:]]
    return all(int(line.split()[1].rsplit(":", 1)[1], 16) != port for line in lines)


def free_port():
    return next(port for port in candidates() if claimed(port) and unused(port))
