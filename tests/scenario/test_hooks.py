"""hooks: commands around the life of a service; whatever they come to, and whoever dies meanwhile."""
import os, signal, subprocess, time
from after_clone import AfterClone
from kingly import BIN, PATIENCE, Scenario, alive, children, named, wait_for


class Hooks(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def lines(self, name="note"):
        try:
            return open(f"{self.home}/{name}").read().splitlines()
        except FileNotFoundError:
            return []

    def note(self, text, then="", name="note"):
        """A hook that writes a line, in which the shell's variables are those that it has been given."""
        return ["sh", "-c", f'echo "{text}" >> {self.home}/{name}; {then}'.replace("$", "$$")]

    def hold(self, text):
        """Ends at once when the file `go` was there before it wrote its line, and else never."""
        return ["sh", "-c", f'[ -e {self.home}/go ]; there=$?; echo "{text}" >> {self.home}/note; [ $there = 0 ] || sleep 5000'.replace("$", "$$")]

    def kinds(self, *names):
        return [e["kind"] for e in self.events(*names)]

    def test_the_order_of_a_life(self):
        hooks = {k: self.note(f"{k} $KINGLY_HOOK $KINGLY_INSTANCE ${{KINGLY_EXIT_CODE-none}} ${{KINGLY_REASON-none}} $OWN")
                 for k in ("pre_start", "post_start", "pre_stop", "post_stop", "on_exit", "on_failure")}
        main = self.script("main", f"#!/bin/sh\ntrap 'echo term >> {self.home}/note; exit 7' TERM\necho main >> {self.home}/note\nwhile :; do sleep 0.05; done\n")
        self.apply({"web": {"command": [main], "env": {"OWN": "own"}, "hooks": hooks}})
        wait_for("post_start", lambda: len(self.lines()) >= 3)
        self.assertEqual(self.lines()[0], "pre_start pre_start 0 none none own")
        self.assertEqual(sorted(self.lines()[1:]), ["main", "post_start post_start 0 none none own"])
        self.ok("stop", "web")
        wait_for("on_exit", lambda: len(self.lines()) >= 7)
        after = self.lines()[3:]
        self.assertEqual(after[:2], ["pre_stop pre_stop 0 none none own", "term"])
        self.assertEqual(sorted(after[2:]), ["on_exit on_exit 0 7 exited own", "post_stop post_stop 0 7 exited own"])
        self.assertIn("hook", self.kinds("web"))

    def test_pre_start_is_waited_for_and_its_failure_stops_the_start(self):
        self.apply({"web": {"command": "sleep 1000", "restart": {"limit": 2, "delay": "50ms", "max_delay": "50ms"},
                            "hooks": {"pre_start": self.note("pre", "test -e ok || exit 3"), "on_failure": self.note("failed $KINGLY_REASON", name="failure")},
                            "cwd": self.home}}, "--no-wait")
        self.until("web", state="failed")
        self.assertEqual(self.lines(), ["pre"] * 3)
        wait_for("on_failure", lambda: self.lines("failure") == ["failed pre-start"])
        row = self.row("web")
        self.assertEqual((row["exit"]["reason"], row["exit"]["code"], row["status"]), ("pre-start", None, "pre_start failed: exit code 3"))
        refused = self.refused(1, "start", "web")
        self.assertIn("pre_start failed: exit code 3", refused.err)
        self.assertIn("hook-failed", self.kinds("web"))
        self.assertNotIn("started", self.kinds("web"))
        self.until("web", state="failed")
        self.file("ok", "")
        self.ok("start", "web")
        self.until("web", state="running")
        self.assertIsNone(self.row("web")["status"])

    def test_a_command_that_is_not_there_fails_at_once(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": ["no-such-command"]}}}, "--no-wait")
        self.until("web", state="failed")
        self.assertIn("command not found: no-such-command", self.row("web")["status"])
        self.assertEqual(len([k for k in self.kinds("web") if k == "hook-failed"]), 1)

    def test_what_takes_too_long_is_killed_with_all_it_started(self):
        seconds = max(1, int(PATIENCE / 15))                       # enough for a shell to begin, on the slowest machine
        hook = self.script("slow", f"#!/bin/sh\nsetsid sleep 5000 & echo $! >> {self.home}/pids\necho $$ >> {self.home}/pids\nsleep 5000\n")
        self.apply({"web": {"command": "sleep 1000", "restart": {"limit": 1, "delay": "50ms"}, "hooks": {"pre_start": [hook], "timeout": f"{seconds}s"}}}, "--no-wait")
        self.until("web", state="failed")
        self.assertIn(f"timed out after {seconds}s", self.row("web")["status"])
        self.assertEqual(self.kinds("web").count("hook-failed"), 2)
        pids = [int(p) for p in self.lines("pids")]                # of those whose shell had the time to begin
        self.assertTrue(pids)
        wait_for("all dead", lambda: not any(alive(p) for p in pids))

    def test_what_is_left_in_the_background_does_not_outlive_it(self):
        hook = self.script("leaves", f"#!/bin/sh\nsleep 5000 & echo $! >> {self.home}/pids\nsetsid sleep 5000 & echo $! >> {self.home}/pids\nexit 0\n")
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": [hook], "post_start": [hook]}}})
        wait_for("both", lambda: len(self.lines("pids")) == 4)
        wait_for("all dead", lambda: not any(alive(int(p)) for p in self.lines("pids")))
        self.assertTrue(alive(self.pid("web")))

    def test_stop_during_pre_start_ends_it(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": self.note("$$", "sleep 5000")}}}, "--no-wait")
        wait_for("the hook", self.lines)
        self.assertEqual(self.row("web")["state"], "starting")
        self.ok("stop", "web")
        self.assertEqual(self.row("web")["state"], "stopped")
        wait_for("its end", lambda: not alive(int(self.lines()[0])))

    def unheard_of(self, k):
        """A hook with a process of its own, both noted, of which the keeper has said nothing yet."""
        hook = self.script("hook", f"#!/bin/sh\nsleep 5000 &\necho $$ $! >> {self.home}/note\nwait\n")
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": [hook]}}}, "--no-wait")
        k.stop()
        return list(map(int, wait_for("the hook", self.lines)[0].split()))

    def test_stop_before_the_keeper_has_said_which_process_the_hook_is(self):
        with AfterClone(self) as k:
            pids = self.unheard_of(k)
            self.ok("stop", "web")
            self.ok("delete", "web")
        wait_for("the end of both", lambda: not any(map(alive, pids)))

    def test_shutdown_before_the_keeper_has_said_which_process_the_hook_is(self):
        with AfterClone(self) as k:
            pids = self.unheard_of(k)
            self.ok("stop", "web")
            client = subprocess.Popen([os.path.join(BIN, "kingctl"), "shutdown"], env=self.environment, stdout=subprocess.DEVNULL)
            wait_for("its beginning", lambda: "shutdown" in self.kinds())
        self.assertEqual(client.wait(4 * PATIENCE), 0)
        self.assertEqual(self.daemon.wait(4 * PATIENCE), 0, self.daemon_log())
        self.daemon = None
        wait_for("the end of both", lambda: not any(map(alive, pids)))

    def test_a_manager_that_dies_before_the_keeper_has_said_which_process_the_hook_is(self):
        with AfterClone(self) as k:
            pids = self.unheard_of(k)
            self.ok("stop", "web")
            self.write_books()
            os.kill(self.manager(), signal.SIGKILL)
        wait_for("the end of both", lambda: not any(map(alive, pids)))
        self.assertEqual(self.row("web")["state"], "stopped")

    def test_a_failing_post_start_changes_nothing(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"post_start": ["false"]}}})
        wait_for("its failure", lambda: "hook-failed" in self.kinds("web"))
        row = self.row("web")
        self.assertEqual((row["state"], row["restarts"]), ("running", 0))
        described = self.ok("describe", "web").out
        self.assertIn("post_start failed: exit code 1", described)

    def test_each_end_is_told(self):
        self.apply({"bad": {"command": "sh -c 'kill -9 $$$$'", "restart": {"limit": 1, "delay": "300ms", "factor": 1},
                            "hooks": {"on_exit": self.note("$KINGLY_REASON $KINGLY_EXIT_SIGNAL ${KINGLY_EXIT_CODE-none}"), "post_stop": self.note("after", name="after")}}}, "--no-wait")
        self.until("bad", state="failed")
        wait_for("both ends", lambda: len(self.lines()) == 2)
        self.assertEqual(self.lines(), ["signal SIGKILL none"] * 2)
        wait_for("what comes after both", lambda: self.lines("after") == ["after"] * 2)

    def test_hooks_write_into_the_log_of_the_service(self):
        self.apply({"web": {"command": "sh -c 'echo from main; exec sleep 1000'", "log": {"to": "file"},
                            "hooks": {"pre_start": ["sh", "-c", "echo made ready; echo and a warning >&2"], "post_start": ["sh", "-c", "echo gone $$((40+2)) >&2; exit 4"]}}})
        for line in ("[pre_start] made ready", "[pre_start] and a warning", "[post_start] gone 42", "from main"):
            wait_for(line, lambda: line in self.ok("logs", "web").out)
        log = self.ok("logs", "web").out
        self.assertNotIn("[pre_start] from main", log)
        wait_for("its failure", lambda: "hook-failed" in self.kinds("web"))
        described = self.ok("describe", "web").out
        self.assertIn("post_start failed: exit code 4", described)
        self.assertIn("      gone 42\n", described)
        self.assertNotIn("      made ready\n", described)

    def test_a_new_manager_does_it_anew(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"pre_start": self.hold("$$")}}}, "--no-wait")
        wait_for("the hook", self.lines)
        self.file("go", "")
        self.replace_manager()
        self.until("web", state="running")
        self.assertEqual(len(self.lines()), 2)
        wait_for("the end of the first", lambda: not alive(int(self.lines()[0])))

    def test_a_new_manager_ends_what_its_predecessor_had_beside_a_run(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"post_start": self.note("$$", f"setsid sleep 5000 & sleep 5000")}}})
        pid = self.pid("web")
        wait_for("the hook", self.lines)
        self.replace_manager()
        wait_for("another", lambda: len(self.lines()) == 2)
        wait_for("the end of the first", lambda: not alive(int(self.lines()[0])))
        self.assertEqual(self.pid("web"), pid)
        self.ok("stop", "web")
        wait_for("the end of the second", lambda: not alive(int(self.lines()[1])))

    def test_a_stop_goes_on_under_a_new_manager(self):
        main = self.script("main", f"#!/bin/sh\ntrap 'echo term >> {self.home}/note; exit 0' TERM\necho up >> {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"web": {"command": [main], "hooks": {"pre_stop": self.hold("pre"), "post_stop": self.note("post")}}})
        wait_for("its trap", lambda: self.lines("up"))
        self.ok("stop", "--no-wait", "web")
        wait_for("the hook", self.lines)
        self.assertEqual(self.row("web")["state"], "stopping")
        self.file("go", "")
        self.replace_manager()
        self.until("web", state="stopped")
        wait_for("all of it", lambda: len(self.lines()) >= 4)
        self.assertEqual(self.lines(), ["pre", "pre", "term", "post"])

    def test_delete_waits_for_its_hooks(self):
        self.apply({"web": {"command": "sleep 1000", "hooks": {"post_stop": self.note("post", "sleep 0.3; echo done >> %s/note" % self.home), "on_exit": self.note("exit")}}})
        self.ok("delete", "web")
        self.assertIn("done", self.lines())
        wait_for("on_exit", lambda: "exit" in self.lines())
        self.assertEqual(self.list(), [])

    def test_each_instance_has_its_own(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 3, "hooks": {"pre_start": self.note("$KINGLY_INSTANCE")}}})
        self.assertEqual(sorted(self.lines()), ["0", "1", "2"])

    def test_what_is_written_wrongly_is_said(self):
        bad = self.file("bad.yaml", "services:\n  a: {command: x, hooks: {pre_start: {a: b}, before: y, timeout: infinity}}\n  b: {command: x, reload: {by: command}}\n")
        err = self.refused(2, "check", bad).err
        self.assertIn("hooks.pre_start: expected a command line or a list of words", err)
        self.assertIn("before", err)
        self.assertIn("hooks.timeout", err)
        self.assertIn("reload.by: command, but there is no reload.command", err)
        self.ok("check", self.file("good.yaml", "services:\n  a: {command: x, hooks: {pre_start: [], post_stop: rm -f /x}}\n"))
