"""The fd store: descriptors that services leave with Kingly outlive their runs, Kingly's own processes, and nothing else."""
import array, os, signal, socket, struct, unittest
from kingly import Scenario, environment_of, json_lines, wait_for
from ports import free_port
from test_keeper_death import Deaths

SENDER = os.path.join(os.path.dirname(__file__), "notify_sender.py")


class Store:
    """What the tests below ask of a service that is notify_sender.py."""

    def service(self, **more):
        self.note = f"{self.home}/note"
        return {"command": ["python3", SENDER, self.note], "stdin": "pipe", "ready": {"by": "notify", "timeout": "120s"}, "fd_store": 8,
                "restart": {"delay": "10ms"}} | more

    def notes(self, kind):
        return [n for n in json_lines(self.note) if kind in n]

    def tell(self, line, name="s"):
        """Sends a line of Python to the service and waits until it has been run."""
        before = len(self.notes("done"))
        self.ok("send", name, line)
        wait_for(f"the service to have run {line}", lambda: len(self.notes("done")) > before)

    def found(self, n):
        """What the nth start found; n from 1 on."""
        return wait_for(f"start {n}", lambda: (self.notes("start") + [None] * n)[n - 1])["start"]

    def store(self, instance=0):
        return self.described("s")["instances"][instance]["fd_store"]

    def until_stored(self, *names, instance=0):
        wait_for(f"{names} in the store", lambda: self.store(instance)["names"] == list(names))

    def begin(self, **more):
        self.apply({"s": self.service(**more)})
        self.until("s", state="running", ready=True)


class FdStore(Store, Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def restart(self, n):
        self.ok("restart", "s")
        return self.found(n)

    # ---- kept ----

    def test_over_a_restart_and_a_crash_behind_sockets(self):
        self.begin(sockets=[{"listen": f"127.0.0.1:{free_port()}", "name": "web"}])
        self.assertEqual(self.found(1), [["web", "socket", None]])
        self.assertEqual(self.notes("start")[0]["fdstore"], "8")
        self.tell("store('state', memory('state', 'seventeen'))")
        self.tell("a, b = socket.socketpair(); kept['far'] = b.detach(); store('near', a.detach())")
        self.until_stored("state", "near")
        expected = [["web", "socket", None], ["state", "/memfd", "seventeen"], ["near", "socket", None]]
        self.tell("store('peer', kept['far'])")      # else the near one would have hung up with the process
        expected.append(["peer", "socket", None])
        self.until_stored("state", "near", "peer")
        self.assertEqual(self.restart(2), expected)
        self.until("s", state="running", ready=True)
        os.kill(self.pid("s"), signal.SIGKILL)
        self.assertEqual(self.found(3), expected)
        self.tell("os.pwrite(kept['state'], b'18', 0); note(state=content(kept['state']))")
        self.assertEqual(self.notes("state")[0]["state"], "18venteen")
        self.assertEqual(self.restart(4)[1], ["state", "/memfd", "18venteen"])

    def test_describe(self):
        self.begin(fd_store=2)
        self.assertEqual(self.store(), {"max": 2, "count": 0, "refused": 0, "names": []})
        self.tell("store('state', memory('state', ''))")
        self.until_stored("state")
        self.assertIn("fd store       1 of 2: state", self.ok("describe", "s").out)

    def test_a_rolling_reload_hands_it_on(self):
        self.begin(reload={"by": "rolling"}, fd_store_preserve="no")
        self.tell("store('state', memory('state', 'handed on'))")
        self.until_stored("state")
        self.ok("reload", "s")
        self.assertEqual(self.found(2), [["state", "/memfd", "handed on"]])
        wait_for("the old one's end", lambda: len(self.list("s")) == 1 and self.row("s")["state"] == "running")
        self.assertEqual(self.store()["names"], ["state"])

    def test_each_instance_has_its_own(self):
        self.apply({"s": self.service(instances=2)})
        self.until("s:0", ready=True)
        self.until("s:1", ready=True)
        self.tell("store('zero', memory('zero', '0'))", "s:0")
        self.tell("store('one', memory('one', '1'))", "s:1")
        self.until_stored("zero", instance=0)
        self.until_stored("one", instance=1)
        self.ok("restart", "s:1")
        self.assertEqual(self.found(3), [["one", "/memfd", "1"]])
        self.ok("scale", "s", "1")
        self.ok("scale", "s", "2")
        self.assertEqual(self.found(4), [])

    def test_over_a_manager_death(self):
        self.begin()
        self.tell("store('b', memory('b', 'second')); store('a', memory('a', 'first')); store('long ' + 'n' * 250, pipe('x'))")
        names = ["b", "a", "long " + "n" * 250]
        self.until_stored(*names)
        self.replace_manager()
        self.until_stored(*names)
        self.tell("os.close(kept[\"x'\"])")
        self.until_stored("b", "a")      # its end is seen by the new one
        self.assertEqual(self.restart(2), [["b", "/memfd", "second"], ["a", "/memfd", "first"]])
        self.replace_manager()
        self.ok("stop", "s")
        self.assertEqual(self.store()["names"], [])
        self.replace_manager()
        self.assertEqual(self.store()["names"], [])

    # ---- let go ----

    def test_stop_empties_it(self):
        self.begin()
        self.tell("store('state', memory('state', ''))")
        self.until_stored("state")
        self.ok("stop", "s")
        self.assertEqual(self.store()["names"], [])
        self.ok("start", "s")
        self.assertEqual(self.found(2), [])

    def test_preserve_yes(self):
        self.begin(fd_store_preserve="yes")
        self.tell("store('state', memory('state', 'kept'))")
        self.until_stored("state")
        self.ok("reset", "s")
        self.assertEqual(self.store()["names"], ["state"], "reset does not touch what lives")
        self.ok("stop", "s")
        self.replace_manager()
        self.assertEqual(self.store()["names"], ["state"])
        self.ok("start", "s")
        self.assertEqual(self.found(2), [["state", "/memfd", "kept"]])
        self.ok("stop", "s")
        self.ok("reset", "s")
        self.assertEqual(self.store()["names"], [])

    def test_preserve_no(self):
        self.begin(fd_store_preserve="no")
        self.tell("store('state', memory('state', ''))")
        self.until_stored("state")
        self.assertEqual(self.restart(2), [])

    def test_a_smaller_store(self):
        self.begin(fd_store_preserve="yes")
        self.tell("[store(n, memory(n, n)) for n in 'abc']")
        self.until_stored("a", "b", "c")
        self.ok("stop", "s")
        self.apply({"s": self.service(fd_store_preserve="yes", fd_store=2)})
        self.assertEqual(self.store()["names"], ["a", "b"])
        self.ok("start", "s")
        self.assertEqual(self.found(2), [["a", "/memfd", "a"], ["b", "/memfd", "b"]])
        self.ok("delete", "s")
        self.begin(fd_store_preserve="yes")
        self.assertEqual(self.found(3), [], "a new service has nothing of its namesake")

    def test_removed_by_name(self):
        self.begin()
        self.tell("store('a', memory('1', ''), memory('2', '')); store('b', memory('3', '')); notify('FDSTORE=1', memory('4', ''))")
        self.until_stored("a", "a", "b", "stored")
        self.tell("notify('FDSTOREREMOVE=1\\nFDNAME=a')")
        self.until_stored("b", "stored")
        self.tell("notify('FDSTOREREMOVE=1'); notify('FDSTOREREMOVE=1\\nFDNAME=x:y'); notify('FDSTOREREMOVE=1\\nFDNAME=stored')")
        self.until_stored("b")
        self.tell("notify('FDSTORE=1\\nFDSTOREREMOVE=1\\nFDNAME=b', memory('5', 'the new b'))")
        self.until_stored("b")
        self.assertEqual(self.restart(2), [["b", "/memfd", "the new b"]])

    def test_hung_up(self):
        self.begin()
        self.tell("store('watched', pipe('w')); store('unwatched', pipe('u'), more='\\nFDPOLL=0'); store('memory', memory('m', ''))")
        self.until_stored("watched", "unwatched", "memory")
        self.tell("forget(\"w'\"); forget(\"u'\")")
        self.until_stored("unwatched", "memory")

    # ---- refused ----

    def refusals(self):
        return [e["message"] for e in self.events("s") if e["kind"] == "fd-refused"]

    def test_limit_and_the_same_twice(self):
        self.begin(fd_store=2)
        self.tell("store('a', memory('a', '')); store('again', kept['a'], os.dup(kept['a'])); store('b', memory('b', ''))")
        self.until_stored("a", "b")
        self.assertEqual(self.store()["refused"], 0)
        self.tell("store('c', *[memory(str(n), '') for n in range(100)])")
        wait_for("the refusals", lambda: self.store()["refused"] == 100)
        self.assertEqual(self.store()["names"], ["a", "b"])
        self.assertEqual(len(self.refusals()), 1)
        self.assertIn("as many as fd_store allows", self.refusals()[0])

    def test_none_at_all(self):
        self.begin(fd_store=0)
        self.assertIsNone(self.notes("start")[0]["fdstore"])
        self.tell("store('a', memory('a', '')); notify('STATUS=past it')")
        self.until("s", status="past it")
        self.assertIn("it has no fd_store", self.refusals()[0])
        self.assertIsNone(self.store())

    @unittest.skipIf(os.geteuid() != 0, "n/a: only root can make such a mount")
    def test_what_could_hang_when_it_is_closed(self):
        self.begin()
        before = self.descriptors()
        self.tell("[store('f', file_of_a_stranger(str(n))) for n in range(40)]; notify('STATUS=past it')")
        self.until("s", status="past it")
        self.assertEqual(self.store()["names"], [])
        self.assertEqual(self.store()["refused"], 16, "then they are not looked at any more")
        self.assertIn("not on a disk of this machine", self.refusals()[0])
        wait_for("their end", lambda: self.descriptors() <= before)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.manager()}/fd"))

    def bombard(self, text, times, *files, path=None):
        """From outside of every service; what is sent is closed here."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(path or self.notify_path())
            for _ in range(times):
                s.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno() for f in files]))])
        for f in files:
            f.close()

    def notify_path(self):
        return environment_of(self.pid("s"))["NOTIFY_SOCKET"]

    def test_a_flood_of_a_stranger_s(self):
        """Who belongs to no service leaves nothing behind, however much he sends."""
        self.begin()
        before = self.descriptors()
        for text in ("FDSTORE=1\nFDNAME=x", "BARRIER=1", "MAINPIDFD=1", ""):
            self.bombard(text, 200, *[os.fdopen(os.memfd_create("x")) for _ in range(250)])
        self.tell("notify('STATUS=heard behind it')")
        self.until("s", status="heard behind it")
        self.assertEqual(self.store()["names"], [])
        wait_for("their end", lambda: self.descriptors() <= before + 2)

    def test_a_flood_of_its_own(self):
        self.begin(fd_store=4, limits={"files": 8192})
        self.tell("[store(f'x{n}', *[memory(f'{n}.{k}', '') for k in range(50)]) for n in range(100)]; [os.close(fd) for n, fd in kept.items() if '.' in n]")
        wait_for("four of them", lambda: self.store()["count"] == 4)
        self.ok("restart", "s")
        self.assertEqual(len(self.found(2)), 4)
        wait_for("their end", lambda: self.descriptors() < 200)

    def test_a_socket_that_lingers(self):
        """Its last close would wait for an hour until its peer reads: that is the manager's, which is stopped while it is sent."""
        self.begin()
        manager, path = self.manager(), self.notify_path()
        os.kill(manager, signal.SIGSTOP)
        for _ in range(3):
            self.bombard("FDSTORE=1", 1, self.lingering(), path=path)
        os.kill(manager, signal.SIGCONT)
        self.tell("notify('STATUS=heard behind it')")
        self.until("s", status="heard behind it")
        self.assertEqual(self.manager(), manager)

    def lingering(self):
        """A connected socket whose peer does not read what is in its queue."""
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            door.listen()
            s = socket.create_connection(door.getsockname())
            peer, _ = door.accept()
        self.addCleanup(peer.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        s.setblocking(False)
        try:
            while True:
                s.send(bytes(65536))
        except BlockingIOError:
            return s


class OverTheKeeper(Store, Deaths):
    def test_over_a_keeper_death(self):
        self.apply({"s": self.service()})
        self.until("s", state="running", ready=True)
        self.tell("store('state', memory('state', 'kept')); store('pipe', pipe('p'))")
        self.until_stored("state", "pipe")
        for _ in range(2):
            self.kill_keeper()
            self.until_stored("state", "pipe")
        self.ok("restart", "s")
        self.assertEqual(self.found(2)[0], ["state", "/memfd", "kept"])

    def test_over_an_upgrade(self):
        self.apply({"s": self.service()})
        self.until("s", state="running", ready=True)
        self.tell("store('state', memory('state', 'kept'))")
        self.until_stored("state")
        self.ok("reexec")
        self.until_stored("state")
        self.ok("restart", "s")
        self.assertEqual(self.found(2), [["state", "/memfd", "kept"]])
