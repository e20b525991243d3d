"""Stops the keeper right after clone(2): its next child lives and executes, and the manager hears nothing of it until the keeper goes on."""
import ctypes, os
from kingly import wait_for

PTRACE_CONT, PTRACE_DETACH, PTRACE_GETEVENTMSG, PTRACE_SEIZE, PTRACE_INTERRUPT = 7, 17, 0x4201, 0x4206, 0x4207
FORK, VFORK, CLONE = 1, 2, 3      # PTRACE_EVENT_*; 1 << each is its PTRACE_O_TRACE*
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {pid}): {os.strerror(ctypes.get_errno())}")


class AfterClone:
    """with AfterClone(scenario) as k: something that has its keeper make a child; k.stop(); what is done meanwhile. The keeper goes on at the end. All of it
    in one thread, which is the tracer."""
    def __init__(self, scenario):
        if scenario.isolation == "scope":
            scenario.not_applicable("nothing executes before the keeper has said which process it is")
        self.keeper = scenario.daemon.pid

    def __enter__(self):
        ptrace(PTRACE_SEIZE, self.keeper, 1 << FORK | 1 << VFORK | 1 << CLONE)
        self.stopped = False
        return self

    def cloned(self):
        pid, status = os.waitpid(self.keeper, WALL | os.WNOHANG)
        if pid == 0:
            return False
        assert os.WIFSTOPPED(status), f"the keeper has ended: {status:#x}"
        if status >> 16 in (FORK, VFORK, CLONE):
            return True
        ptrace(PTRACE_CONT, self.keeper, 0 if status >> 16 else os.WSTOPSIG(status))
        return False

    def stop(self):
        """Waits until it has made a child, which goes on alone."""
        child = ctypes.c_ulong()
        wait_for("the keeper to make a child", self.cloned)
        self.stopped = True
        ptrace(PTRACE_GETEVENTMSG, self.keeper, ctypes.addressof(child))
        os.waitpid(child.value, WALL)
        ptrace(PTRACE_DETACH, child.value)

    def __exit__(self, *exception):
        if not self.stopped:
            ptrace(PTRACE_INTERRUPT, self.keeper)
            os.waitpid(self.keeper, WALL)
        ptrace(PTRACE_DETACH, self.keeper)
