"""The daemon executes other programs in its place: the same process, the same children, nothing lost; and goes back where they do not come up.
The programs that are put there are made by the build (tests/tests.mk): another version, one of another table, one that falls."""
import json, os, re, signal, socket, sqlite3, subprocess, threading, time
from kingly import BIN, PATIENCE, Scenario, alive, install, named, start_time, wait_for
from test_keeper_death import heir_of

OTHERS = os.path.join(BIN, "../tests/upgrade")
PROGRAMS = ("kingd", "kingd-manager", "kingd-logger")
COUNT = "#!/bin/sh\nn=0\nwhile :; do echo line $n; n=$((n+1)); sleep 0.01; done\n"


class Upgrade(Scenario):
    """With programs of its own, to be replaced on the disk."""
    options = ()

    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.home, "bin")
        os.mkdir(self.bin)
        for name in PROGRAMS:
            install(os.path.join(self.bin, name), os.path.join(BIN, name))
        self.version = subprocess.run([os.path.join(BIN, "kingd"), "--version"], capture_output=True, text=True).stdout.split()[1]
        self.begin()

    def begin(self):
        self.daemon = subprocess.Popen([os.path.join(self.bin, "kingd"), "--isolation", self.isolation, "--log-level", "info"], env=self.environment,
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        wait_for("kingd to answer", self.answers)

    def install(self, *names, of="next"):
        """As a package does: another file, by rename."""
        for name in names or PROGRAMS:
            new = os.path.join(self.bin, name + ".new")
            install(new, os.path.join(OTHERS, of, name) if of else os.path.join(BIN, name))
            os.rename(new, os.path.join(self.bin, name))

    def install_text(self, name, content, mode=0o755):
        install(os.path.join(self.bin, name), content=content if isinstance(content, bytes) else content.encode(), mode=mode)

    def keeper(self):
        return int(open(self.home + "/kingd.pid").read())

    def status(self):
        return json.loads(self.ok("status", "-o", "json").out)

    def processes(self):
        return {(r["name"], r["instance"]): (r["pid"], start_time(r["pid"])) for r in self.list()}

    def count(self, instances=2):
        self.apply({"count": {"command": [self.script("count", COUNT)], "instances": instances, "log": {"to": "file", "max_size": "1G"}}})
        return self.processes()

    def numbers(self, instance=0):
        path = f"{self.home}/logs/count.{instance}.log"
        text = open(path).read() if os.path.exists(path) else ""
        # Only these: a shell whose child is ended a moment before itself says "Terminated".
        return [int(n) for n in re.findall(r"\bline (\d+)\n", text)]

    def more_lines(self):
        so_far = len(self.numbers())
        wait_for("more lines", lambda: len(self.numbers()) > so_far + 5)

    def nothing_lost(self, before):
        self.more_lines()
        self.assertEqual(self.processes(), before)
        self.assertTrue(all(r["restarts"] == 0 for r in self.list()))
        self.ok("stop", "count")
        for i in range(len(before)):
            numbers = self.numbers(i)
            self.assertEqual(numbers, list(range(len(numbers))))

    def stays(self, *words, before, of=None, within="10m"):
        """The old programs go on, and it is said why."""
        r = self.refused(1, "reexec", "--within", within, timeout=600 + 4 * PATIENCE)
        for w in words:
            self.assertIn(w, r.err)
        status = self.status()
        self.assertEqual(status["version"], of or self.version)
        self.assertEqual(self.processes(), before)
        self.more_lines()
        return status


class Replaced(Upgrade):
    def test_other_programs_take_the_place(self):
        before, keeper, manager = self.count(), self.keeper(), self.manager()
        self.install()
        r = self.ok("reexec")
        self.assertEqual(r.out, f"kingd {self.version} → 9.9.9\n")
        status = self.status()
        self.assertEqual((status["version"], status["pid"]), ("9.9.9", keeper))
        self.assertNotEqual(status["manager_pid"], manager)
        self.assertEqual(status["upgrade"]["outcome"], "upgraded")
        logger = wait_for("the logger, which nobody waits for", lambda: named(keeper, "kingd-logger"))[0]
        for pid, name in ((keeper, "kingd"), (status["manager_pid"], "kingd-manager"), (logger, "kingd-logger")):
            self.assertTrue(os.path.samefile(f"/proc/{pid}/exe", os.path.join(self.bin, name)))
            self.assertEqual(open(f"/proc/{pid}/comm").read().strip(), name)
        self.assertIn(f"kingd {self.version} → 9.9.9", [e["message"] for e in self.events() if e["kind"] == "upgraded"])
        self.install(of=None)
        self.assertEqual(self.ok("reexec").out, f"kingd 9.9.9 → {self.version}\n")
        self.assertEqual(self.ok("reexec").out, f"kingd {self.version} executed anew\n")
        self.assertEqual(json.loads(self.ok("reexec", "-o", "json").out)["serial"], 4)
        self.nothing_lost(before)

    def test_we_stay_the_parent(self):
        """Exits are known, whenever they come; those that nobody recorded too."""
        self.apply({"a": {"command": "sleep 1000", "restart": {"when": "never"}}, "b": {"command": "sleep 1000", "restart": {"when": "never"}}})
        self.assertEqual(self.ok("reexec").code, 0)
        os.kill(self.pid("a"), signal.SIGUSR1)
        self.assertEqual(self.until("a", state="failed")["exit"]["signal"], "SIGUSR1")
        manager, pid = self.manager(), self.pid("b")
        client = subprocess.Popen([os.path.join(BIN, "kingctl"), "reexec"], env=self.environment, stdout=subprocess.PIPE, text=True)
        os.kill(pid, signal.SIGUSR2)
        self.assertIn("executed anew", client.communicate(timeout=4 * PATIENCE)[0])
        self.assertEqual(self.until("b", state="failed")["exit"]["signal"], "SIGUSR2")
        self.assertNotEqual(self.manager(), manager)

    def test_nobody_is_refused_and_followers_go_on(self):
        before, refused, over = self.count(1), [], threading.Event()

        def knock():
            while not over.is_set():
                try:
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(os.path.join(self.home, "kingd.sock"))
                except OSError as e:
                    refused.append(e)
        followers = {"logs": "message", "events": "kind"}
        for what in followers:
            with open(os.path.join(self.home, what + ".jsonl"), "w") as out:
                p = subprocess.Popen([os.path.join(BIN, "kingctl"), what, "-f", "-n", "100000", "-o", "jsonl"], env=self.environment, stdout=out)
            self.addCleanup(p.wait)
            self.addCleanup(p.terminate)

        def seen(what):
            with open(os.path.join(self.home, what + ".jsonl")) as f:
                return [json.loads(l)[followers[what]] for l in f if l.endswith("\n")]
        knocker = threading.Thread(target=knock)
        knocker.start()
        for _ in range(5):
            self.more_lines()
            self.ok("reexec")
        over.set()
        knocker.join()
        self.assertEqual(refused, [])
        self.more_lines()
        last = self.numbers()[-1]
        wait_for("the follower of lines", lambda: f"line {last}" in seen("logs"))
        lines = seen("logs")
        self.assertEqual(lines, [f"line {n}" for n in range(len(lines))])
        wait_for("the follower of events", lambda: seen("events").count("upgraded") >= 5)
        self.assertEqual(seen("events").count("upgraded"), 5)
        self.nothing_lost(before)

    def test_the_signal_takes_up_what_has_changed(self):
        before, manager = self.count(), self.manager()
        os.kill(self.keeper(), signal.SIGHUP)
        wait_for("the configuration to be read", lambda: "reload" in [e["kind"] for e in self.events()])
        self.ok("ping")
        self.assertEqual((self.manager(), self.status()["upgrade"]), (manager, None))
        self.install("kingd-manager")
        os.kill(self.keeper(), signal.SIGHUP)
        wait_for("the new manager", lambda: self.status()["version"] == "9.9.9")
        self.nothing_lost(before)

    def test_a_shutdown_is_one_whoever_came_before(self):
        self.apply({"a": {"command": "sleep 1000"}})
        self.install()
        self.ok("reexec")
        self.ok("shutdown")
        self.assertEqual(self.daemon.wait(PATIENCE), 0)


class GoesBack(Upgrade):
    def test_nothing_is_touched_for_what_is_no_kingd(self):
        before, manager = self.count(), self.manager()
        good = open(os.path.join(self.bin, "kingd"), "rb").read()
        foreign = bytearray(good)
        foreign[18] ^= 0x55      # e_machine
        for content, mode, word in ((good, 0o644, "Permission denied"), (b"no program", 0o755, "Exec format error"), (bytes(foreign), 0o755, "Exec format error"),
                                    (good[:4096], 0o755, "kingd"), ("#!/bin/sh\nexit 0\n", 0o755, "ended with status 0"), ("#!/bin/sh\nkill -SEGV $$\n", 0o755, "SIGSEGV")):
            with self.subTest(word=word):
                self.install_text("kingd", content, mode)
                status = self.stays(word, before=before)
                self.assertEqual((status["manager_pid"], status["upgrade"]["outcome"]), (manager, "refused"))
        os.unlink(os.path.join(self.bin, "kingd"))
        self.stays("No such file", before=before)
        install(os.path.join(self.bin, "kingd"), os.path.join(OTHERS, "table/kingd"))
        self.stays("kingd 9.9.9 cannot go on with the table", "version 99", before=before)
        self.nothing_lost(before)

    def test_who_does_not_answer_is_not_waited_for(self):
        before = self.count()
        self.install_text("kingd", "#!/bin/sh\nexec sleep 1000\n")
        self.stays("does not answer", before=before)                       # however long they could have
        self.nothing_lost(before)

    def test_managers_that_do_not_come_up(self):
        before = self.count()
        self.install("kingd", "kingd-logger")
        for text, within, word in (("#!/bin/sh\nexit 3\n", "10m", "kingd-manager ended with status 3 before it served"),
                                   ("#!/bin/sh\nexec sleep 1000\n", "2s", "did not serve within 2 s"), ("no program", "10m", "kingd-manager ended with status 127")):
            with self.subTest(word=word):
                self.install_text("kingd-manager", text)
                status = self.stays(f"went back to {self.version}: ", word, before=before, within=within)
                self.assertEqual(status["upgrade"]["outcome"], "went-back")
        self.assertIn("not-upgraded", [e["kind"] for e in self.events()])
        # the files of those that run are gone, and nobody misses them
        for name in PROGRAMS:
            os.unlink(os.path.join(self.bin, name))
        self.replace_manager()
        logger = wait_for("the logger", lambda: named(self.keeper(), "kingd-logger (deleted)"))
        os.kill(logger[0], signal.SIGKILL)
        self.nothing_lost(before)

    def test_those_that_fall_again_and_again(self):
        before = self.count()
        self.install()
        real = os.path.join(OTHERS, "next/kingd-manager")
        self.install_text("kingd-manager", f'#!/bin/sh\n(while ! [ -e {self.home}/fall ]; do sleep 0.05; done; kill -KILL $$) &\nexec "{real}" "$@"\n')
        self.assertEqual(self.ok("reexec").out, f"kingd {self.version} → 9.9.9\n")
        self.file("fall", "")                         # from now on: the first one has served
        wait_for("the old ones", lambda: (lambda s: s["version"] == self.version and s["upgrade"]["outcome"] == "went-back")(self.status()))
        self.assertIn("again and again", self.status()["upgrade"]["message"])
        self.install()
        real = os.path.join(OTHERS, "next/kingd-logger")
        self.install_text("kingd-logger", f'#!/bin/sh\n[ -e {self.home}/bad ] && exit 4\nexec "{real}" "$@"\n')
        self.ok("reexec")
        logger = wait_for("its logger", lambda: named(self.keeper(), "kingd-logger"))[0]
        self.file("bad", "")                          # which the first one did not find
        os.kill(logger, signal.SIGKILL)
        wait_for("the old ones", lambda: (lambda s: s["version"] == self.version and s["upgrade"]["outcome"] == "went-back")(self.status()))
        self.assertIn("kingd-logger ended with status 4 again and again", self.status()["upgrade"]["message"])
        self.nothing_lost(before)

    def test_a_keeper_that_crashes_on_trial(self):
        before = self.count()
        self.install()
        self.install_text("kingd-manager", "#!/bin/sh\nexec sleep 1000\n")
        keeper = self.keeper()
        client = subprocess.Popen([os.path.join(BIN, "kingctl"), "reexec"], env=self.environment, stderr=subprocess.PIPE, text=True)
        wait_for("the new one", lambda: os.path.samefile(f"/proc/{keeper}/exe", os.path.join(self.bin, "kingd")) and named(keeper, "sleep"))
        os.kill(keeper, signal.SIGSEGV)
        self.assertIn("kingd 9.9.9 crashed", client.communicate(timeout=4 * PATIENCE)[1])
        self.assertEqual((self.status()["version"], self.keeper()), (self.version, keeper))
        self.nothing_lost(before)


class State(Upgrade):
    def form(self):
        with sqlite3.connect(f"file:{self.home}/state/kingly.db?mode=ro", uri=True) as db:
            return db.execute("PRAGMA user_version").fetchone()[0]

    def test_migrated_when_nobody_wants_to_go_back(self):
        before, form = self.count(), self.form()
        self.install()
        self.install("kingd-manager", of="fall")      # with the state in its new form, before it serves
        self.stays("killed by SIGABRT before it served", before=before)
        self.assertEqual(self.form(), form)
        self.install("kingd-manager", of="schema")
        self.assertEqual(self.ok("reexec").out, f"kingd {self.version} → 9.9.9\n")
        wait_for("the new form", lambda: self.form() == form + 1)
        self.assertEqual(self.status()["problems"], [])
        self.install(of=None)                         # programs that do not know it
        self.stays("went back to 9.9.9", "written by a newer version", before=before, of="9.9.9")
        self.assertEqual(self.form(), form + 1)
        self.nothing_lost(before)


class WithHeir(Upgrade):
    def begin(self):
        r = subprocess.run([os.path.join(self.bin, "kingd"), "--daemonize", "--isolation", self.isolation, "--log-level", "info"], env=self.environment,
                           stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=120)
        self.assertEqual(r.returncode, 0, self.daemon_log())
        self.addCleanup(lambda: self.ok("shutdown") if self.kingctl("ping", "--no-autostart").code == 0 else None)

    def heir(self):
        return wait_for("an heir that has everything", lambda: heir_of(self.keeper()))

    def test_the_heir_is_of_the_new_program_then(self):
        before, heir = self.count(), self.heir()
        self.install()
        self.ok("reexec")
        wait_for("its new program", lambda: os.path.samefile(f"/proc/{heir}/exe", os.path.join(self.bin, "kingd")))
        self.assertEqual(self.heir(), heir)
        self.more_lines()
        for name in PROGRAMS:                         # what it goes on with are the programs that it knows
            os.unlink(os.path.join(self.bin, name))
        os.kill(self.keeper(), signal.SIGKILL)
        wait_for("the heir in its place", lambda: self.keeper() == heir)     # the same process all along: there was no moment without one
        self.assertNotIn("the keeper is gone", self.daemon_log().split("→")[0])
        self.assertEqual(self.status()["version"], "9.9.9")
        self.nothing_lost(before)

    def test_it_takes_the_place_of_a_keeper_that_never_began(self):
        before, heir = self.count(), self.heir()
        self.install()
        self.install("kingd", of="fall")
        self.stays(f"went back to {self.version}", "kingd 9.9.9 ended before its manager served", before=before)
        self.assertEqual(self.keeper(), heir)
        self.nothing_lost(before)
