"""Restart policy, readiness, dependencies, stopping: the decisions, seen on living processes."""
import json, os, signal, time
from after_clone import AfterClone
from kingly import PATIENCE, Scenario, alive, wait_for

NOTIFIER = '''#!/usr/bin/env python3
import os, socket, sys, time
def notify(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
exec(os.environ["SCRIPT"])
'''


class Lifecycle(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def notifier(self, script, **more):
        path = self.script("notifier", NOTIFIER)
        return {"command": [path], "env": {"SCRIPT": script}, "ready": {"by": "notify", "timeout": "10m"}} | more

    # ---- restarts ----

    def test_crash_is_restarted_and_counted(self):
        self.apply({"nap": {"command": "sleep 1000", "restart": {"delay": "0s"}}})
        for n in range(1, 4):
            pid = self.pid("nap")
            os.kill(pid, signal.SIGKILL)
            row = self.until("nap", state="running", restarts=n)
            self.assertNotEqual(row["pid"], pid)
        kinds = [e["kind"] for e in self.events("nap")]
        self.assertEqual(kinds.count("started"), 4)
        self.assertEqual(kinds.count("exited"), 3)

    def test_gives_up_at_the_limit(self):
        path = self.file("f.json", json.dumps({"services": {"bad": {"command": ["sh", "-c", "exit 7"], "restart": {"delay": "1ms", "factor": 1, "limit": 4}}}}))
        self.kingctl("apply", "-f", path)
        row = self.until("bad", state="failed")
        self.assertEqual(row["exit"]["code"], 7)
        self.assertEqual([e["kind"] for e in self.events("bad")].count("started"), 5)
        self.kingctl("start", "bad")     # an operator's start begins anew
        self.until("bad", state="failed")
        self.assertEqual([e["kind"] for e in self.events("bad")].count("started"), 10)

    def test_policies(self):
        never, on_failure = {"when": "never"}, {"when": "on-failure", "delay": "1ms", "factor": 1, "limit": 2}
        self.apply({
            "never": {"command": ["sh", "-c", "exit 3"], "restart": never},
            "good": {"command": ["sh", "-c", "exit 0"], "restart": on_failure},
            "bad": {"command": ["sh", "-c", "exit 1"], "restart": on_failure},
            "listed": {"command": ["sh", "-c", "exit 9"], "restart": on_failure | {"except_codes": [9]}},
        }, "--no-wait")
        self.assertEqual(self.until("never", state="failed")["restarts"], 0)
        self.assertEqual(self.until("good", state="exited")["restarts"], 0)
        self.until("bad", state="failed", restarts=2)
        self.assertEqual(self.until("listed", state="exited")["exit"]["code"], 9)

    def test_backoff_waits_and_says_until_when(self):
        self.apply({"bad": {"command": ["sh", "-c", "exit 1"], "restart": {"delay": "1h", "max_delay": "1h"}}}, "--no-wait")
        self.until("bad", state="waiting")
        detail = json.loads(self.ok("describe", "bad", "-o", "json").out)[0]["instances"][0]
        self.assertGreater(detail["next_usec"], time.time() * 1e6 + 3000e6)
        self.ok("stop", "bad")
        self.assertEqual(self.row("bad")["state"], "stopped")

    # ---- readiness ----

    def test_ready_by_notify(self):
        gate = os.path.join(self.home, "gate")
        os.mkfifo(gate)
        self.apply({"n": self.notifier(f"notify('STATUS=warming up'); open({gate!r}).read(); notify('READY=1\\nSTATUS=serving 3'); time.sleep(1000)")}, "--no-wait")
        self.until("n", state="starting", ready=False, status="warming up")
        with open(gate, "w"):
            pass
        self.until("n", state="running", ready=True, status="serving 3")

    def test_readiness_that_does_not_come_is_a_failed_start(self):
        path = self.file("f.json", json.dumps({"services": {"n": self.notifier("time.sleep(1000)", ready={"by": "notify", "timeout": "300ms"}, restart={"when": "never"})}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn("not ready within 300ms", r.err)
        row = self.until("n", state="failed")
        self.assertEqual(row["exit"]["reason"], "ready-timeout")
        self.assertIsNone(row["pid"])

    def test_exit_before_readiness_is_a_failure_even_with_status_zero(self):
        path = self.file("f.json", json.dumps({"services": {"n": self.notifier("pass", restart={"when": "never"})}}))
        self.assertIn("before it said it was ready", self.refused(1, "apply", "-f", path).err)
        self.assertEqual(self.row("n")["state"], "failed")

    def test_ready_by_descriptor(self):
        gate = os.path.join(self.home, "gate")
        os.mkfifo(gate)
        script = self.script("fd", f"#!/bin/sh\nread x < {gate}\neval \"echo up >&$READY_FD\"\nexec sleep 1000\n")
        self.apply({"fd": {"command": [script], "ready": {"by": "fd", "timeout": "10m"}}}, "--no-wait")
        self.until("fd", state="starting")
        with open(gate, "w") as f:
            f.write("go\n")
        self.until("fd", state="running", ready=True)

    def ready_before_the_keeper_speaks(self, k):
        """Its word has been read when the daemon answers: what services say comes before what clients want. Returns its pid."""
        script = self.script("fd", f"#!/bin/sh\neval \"echo up >&$READY_FD\"\necho $$ > {self.home}/said\nexec sleep 1000\n")
        said = os.path.join(self.home, "said")
        self.apply({"fd": {"command": [script], "ready": {"by": "fd", "timeout": "10m"}}}, "--no-wait")
        k.stop()
        pid = int(wait_for("its word", lambda: os.path.exists(said) and open(said).read()))
        self.assertTrue(self.answers())
        return pid

    def started_once(self, pid):
        row = self.until("fd", state="running", ready=True)
        self.assertEqual(row["pid"], pid)
        self.assertEqual([e["message"] for e in self.events("fd") if e["kind"] == "started"], [f"started, pid {pid}"])

    def test_ready_before_the_keeper_has_said_which_process_it_is(self):
        with AfterClone(self) as k:
            pid = self.ready_before_the_keeper_speaks(k)
            self.assertEqual(self.row("fd")["state"], "starting")
        self.started_once(pid)

    def test_ready_to_a_manager_that_dies_before_the_keeper_has_said_which_process_it_is(self):
        with AfterClone(self) as k:
            pid = self.ready_before_the_keeper_speaks(k)
            os.kill(self.manager(), signal.SIGKILL)
        self.started_once(pid)

    def test_watchdog(self):
        self.apply({"n": self.notifier("notify('READY=1')\nfor k in range(8):\n  time.sleep(0.05); notify('WATCHDOG=1')\ntime.sleep(1000)",
                                       watchdog="400ms", restart={"when": "never"})})
        row = self.until("n", state="failed")
        self.assertEqual((row["exit"]["reason"], row["exit"]["signal"]), ("watchdog", "SIGABRT"))

    def test_signs_of_life_that_came_in_time_and_are_read_late_count(self):
        seconds = PATIENCE / 6
        self.apply({"n": self.notifier("notify('READY=1')\nk = 0\nwhile True:\n  k += 1; notify(f'WATCHDOG=1\\nSTATUS={k}'); time.sleep(0.05)", watchdog=f"{seconds:.0f}s")})
        said = lambda: int(self.row("n")["status"] or 0)
        with self.manager_stands_still():
            end = time.monotonic() + seconds
            wait_for("its time to be over", lambda: time.monotonic() > end)
        so_far = said()
        wait_for("more of them", lambda: said() > so_far + 2)
        self.assertNotIn("watchdog", [e["kind"] for e in self.events("n")])

    def test_extended_timeout_and_own_stopping(self):
        t = PATIENCE / 6      # long enough for an interpreter to begin
        self.apply({"n": self.notifier(f"notify('EXTEND_TIMEOUT_USEC=600000000'); time.sleep({t}); notify('READY=1'); time.sleep(1000)",
                                       ready={"by": "notify", "timeout": f"{t * 1000:.0f}ms"})})
        self.assertEqual(self.row("n")["state"], "running")

    # ---- dependencies ----

    def test_dependencies_order_start_and_stop(self):
        note = f"{self.home}/order"
        say = self.script("say", f"#!/bin/sh\ntrap 'echo stop $1 >> {note}; exit 0' TERM\necho start $1 >> {note}\nwhile :; do sleep 0.05; done\n")
        self.apply({
            "c": {"command": [say, "c"], "depends_on": {"b": "ready"}},
            "b": {"command": [say, "b"], "depends_on": ["a"]},
            "a": {"command": [say, "a"]},
        })
        wait_for("three starts", lambda: os.path.exists(note) and len(open(note).read().splitlines()) == 3)
        self.ok("stop", "all")
        self.assertEqual([e["name"] for e in self.events() if e["kind"] == "started"], ["a", "b", "c"])
        self.assertEqual(open(note).read().splitlines()[3:], ["stop c", "stop b", "stop a"])
        self.ok("start", "c")
        wait_for("a, b and c again", lambda: len(open(note).read().splitlines()) == 9)
        self.assertEqual([e["name"] for e in self.events() if e["kind"] == "started"][3:], ["a", "b", "c"])

    def test_oneshot_completes_before_its_dependent(self):
        mark = f"{self.home}/mark"
        self.apply({
            "migrate": {"type": "oneshot", "command": ["sh", "-c", f"sleep 0.2; echo done > {mark}"]},
            "app": {"command": ["sh", "-c", f"cat {mark} && exec sleep 1000"], "depends_on": {"migrate": "completed"}, "restart": {"when": "never"}},
        })
        self.assertEqual(self.row("migrate")["state"], "exited")
        self.assertEqual(self.row("app")["state"], "running")

    def test_failed_dependency_is_named(self):
        path = self.file("f.json", json.dumps({"services": {
            "db": {"command": ["sh", "-c", "exit 1"], "type": "oneshot", "restart": {"when": "never"}},
            "app": {"command": "sleep 1000", "depends_on": {"db": "completed"}}}}))
        r = self.refused(1, "apply", "-f", path)
        self.assertIn("db", r.err)
        self.assertEqual(self.until("app", state="failed")["exit"]["reason"], "dependency")

    # ---- stopping ----

    def test_stop_ends_even_a_daemonised_grandchild(self):
        pids = f"{self.home}/pids"
        tree = self.script("tree", f'''#!/bin/sh
sleep 1001 & echo $! >> {pids}
setsid sh -c 'sleep 1002 & echo $! >> {pids}; exec sleep 1003' & echo $! >> {pids}
(setsid sh -c 'echo $$ >> {pids}; exec sleep 1004' &)
exec sleep 1000
''')
        self.apply({"tree": {"command": [tree]}})
        wait_for("five processes", lambda: os.path.exists(pids) and len(open(pids).read().split()) == 4)
        all_pids = [self.pid("tree"), *map(int, open(pids).read().split())]
        self.assertTrue(all(map(alive, all_pids)))
        self.ok("stop", "tree")
        self.assertEqual([p for p in all_pids if alive(p)], [])

    def test_children_of_a_crashed_main_do_not_survive_it(self):
        pids = f"{self.home}/pids"
        tree = self.script("tree", f"#!/bin/sh\nsetsid sleep 1001 & echo $! >> {pids}\nexec sleep 1000\n")
        self.apply({"tree": {"command": [tree], "restart": {"delay": "0s"}}})
        wait_for("the child", lambda: os.path.exists(pids) and open(pids).read().split())
        first = int(open(pids).read().split()[0])
        os.kill(self.pid("tree"), signal.SIGKILL)
        wait_for("the second child", lambda: len(open(pids).read().split()) == 2)
        self.assertFalse(alive(first))

    def test_stop_escalates_to_sigkill(self):
        deaf = self.script("deaf", "#!/bin/sh\ntrap '' TERM INT\necho deaf\nwhile :; do sleep 0.1; done\n")
        self.apply({"deaf": {"command": [deaf], "stop": {"timeout": "300ms"}, "log": {"to": "file"}}})
        wait_for("its trap", lambda: self.messages("deaf") == ["deaf"])
        self.ok("stop", "deaf")
        self.assertEqual(self.row("deaf")["state"], "stopped")
        self.assertIn("killing", [e["kind"] for e in self.events("deaf")])

    def test_stop_signal_and_scope(self):
        got = f"{self.home}/got"
        script = self.script("s", f"#!/bin/sh\ntrap 'echo INT > {got}; exit 0' INT\ntrap 'echo TERM > {got}; exit 0' TERM\necho up\nwhile :; do sleep 0.05; done\n")
        self.apply({"s": {"command": [script], "stop": {"signal": "SIGINT", "scope": "main"}, "log": {"to": "file"}}})
        wait_for("its trap", lambda: self.messages("s") == ["up"])
        self.ok("stop", "s")
        self.assertEqual(open(got).read(), "INT\n")

    def test_a_stopped_process_can_be_stopped(self):
        self.apply({"nap": {"command": "sleep 1000"}})
        os.kill(self.pid("nap"), signal.SIGSTOP)
        before = time.monotonic()
        self.ok("stop", "nap")
        self.assertEqual(self.row("nap")["exit"]["signal"], "SIGTERM")

    def test_stop_during_every_phase(self):
        self.apply({"n": self.notifier("time.sleep(1000)")}, "--no-wait")
        self.until("n", state="starting")
        self.ok("stop", "n")
        self.assertEqual(self.row("n")["state"], "stopped")
        for _ in range(5):
            self.ok("start", "--no-wait", "n")
            self.ok("stop", "n")
            self.assertEqual(self.row("n")["state"], "stopped")

    # ---- the file again ----

    def test_apply_touches_only_what_changed(self):
        services = {"a": {"command": "sleep 1000"}, "b": {"command": "sleep 1000"}, "c": {"command": "sleep 1000"}}
        self.apply(json.loads(json.dumps(services)))
        before = {r["name"]: r["pid"] for r in self.list()}
        services["b"]["command"] = "sleep 1001"
        services["c"]["restart"] = {"delay": "3s"}
        diff = self.apply(json.loads(json.dumps(services)), "--diff").out
        self.assertIn("command", diff)
        self.assertIn("sleep 1001", diff)
        self.assertIn("restart.delay", diff)
        self.assertEqual(before, {r["name"]: r["pid"] for r in self.list()})
        self.apply(json.loads(json.dumps(services)))
        after = {r["name"]: r["pid"] for r in self.list()}
        self.assertEqual((before["a"], before["c"]), (after["a"], after["c"]))
        self.assertNotEqual(before["b"], after["b"])
        del services["a"]
        self.apply(json.loads(json.dumps(services)), "--prune")
        self.assertEqual([r["name"] for r in self.list()], ["b", "c"])
        wait_for("a's end", lambda: not alive(before["a"]))

    def test_instances_grow_and_shrink_with_the_file(self):
        self.apply({"web": {"command": "sleep 1000", "instances": 2}})
        before = {r["instance"]: r["pid"] for r in self.list("web")}
        self.apply({"web": {"command": "sleep 1000", "instances": 4}})
        wait_for("four", lambda: len([r for r in self.list("web") if r["state"] == "running"]) == 4)
        rows = {r["instance"]: r["pid"] for r in self.list("web")}
        self.assertEqual((rows[0], rows[1]), (before[0], before[1]))
        self.apply({"web": {"command": "sleep 1000", "instances": 1}})
        wait_for("one", lambda: len(self.list("web")) == 1)
        self.assertEqual(self.pid("web"), before[0])
        wait_for("their end", lambda: not any(alive(rows[k]) for k in (1, 2, 3)))

    def test_cycle_and_unknown_dependency_are_refused(self):
        path = self.file("f.yaml", "services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [a]}\n")
        self.assertIn("cycle", self.refused(2, "apply", "-f", path).err)
        self.assertEqual(self.list(), [])
