"""Clients over the death of the manager: nobody is refused, nothing is missed, nothing comes twice."""
import json, os, pty, random, signal, subprocess, threading, time
from kingly import BIN, PATIENCE, Scenario, wait_for

COUNT = "n=0; while :; do n=$((n+1)); echo line $n; [ $((n % 20)) -eq 0 ] && sleep 0.01; [ -e \"$STOP\" ] && { echo $n >\"$STOP.at\"; exec sleep 1000; }; done"


class Reconnect(Scenario):
    def follow(self, *arguments):
        out = open(f"{self.home}/out", "w+")
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), *arguments], env=self.environment, stdout=out, stderr=subprocess.STDOUT)
        self.addCleanup(lambda: (p.kill(), p.wait()))
        return p, lambda: [json.loads(l) for l in open(out.name) if l.endswith("\n")]

    def kill_now_and_then(self, n):
        for _ in range(n):
            time.sleep(random.random() * 0.5)      # any moment will do
            self.replace_manager()

    def test_followed_log_has_no_gap_and_no_repeat(self):
        self.start_daemon()
        os.mkfifo(f"{self.home}/gate")
        self.apply({"count": {"command": ["sh", "-c", COUNT.replace("$", "$$")], "env": {"STOP": self.home + "/stop"}, "log": {"to": "file", "max_size": "1M"}},
                    "quiet": {"command": ["sh", "-c", f"read x < {self.home}/gate; echo hush; exec sleep 1000"], "log": {"to": "file"}}})
        p, entries = self.follow("logs", "-f", "-n", "3", "-o", "jsonl")
        wait_for("the first lines", lambda: len(entries()) > 10)
        self.kill_now_and_then(4)
        with open(f"{self.home}/gate", "w") as f:
            f.write("go\n")
        self.file("stop", "")
        last = int(wait_for("the last number", lambda: os.path.exists(self.home + "/stop.at") and open(self.home + "/stop.at").read()))
        wait_for("the follower", lambda: {"hush", f"line {last}"} <= {e["message"] for e in entries()})
        numbers = [int(e["message"].split()[1]) for e in entries() if e["name"] == "count"]
        self.assertEqual([n for n, m in zip(numbers, range(numbers[0], last + 1)) if n != m][:5], [], "the first that are not where they belong")
        self.assertEqual(numbers[-1], last)
        self.assertEqual([e["message"] for e in entries() if e["name"] == "quiet"], ["hush"])
        self.assertIsNone(p.poll())

    def test_followed_events_keep_their_numbers(self):
        self.start_daemon()
        p, events = self.follow("events", "-f", "-n", "0", "-o", "jsonl")
        self.apply({f"crash{n}": {"command": ["sh", "-c", f"sleep 0.0{n}; exit 1"], "restart": {"delay": "10ms", "factor": 1, "limit": 0}} for n in range(1, 4)}, "--no-wait")
        wait_for("some events", lambda: len(events()) > 10)
        self.kill_now_and_then(4)
        self.ok("stop", "all")
        newest = self.events()[-1]["id"]
        wait_for("the follower", lambda: events()[-1]["id"] >= newest)
        ids = [e["id"] for e in events()]
        self.assertEqual(ids, list(range(ids[0], newest + 1)))
        self.assertEqual({e["id"]: e["message"] for e in self.events("-n", "100000") if e["id"] >= ids[0]}, {e["id"]: e["message"] for e in events()})
        self.assertIsNone(p.poll())

    def test_nobody_is_refused_while_there_is_no_manager(self):
        self.start_daemon()
        self.apply({"a": {"command": "sleep 1000"}})
        stop, codes = threading.Event(), []

        def ask():
            while not stop.is_set():
                codes.append(self.kingctl("list", "-q").code)
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for t in threads:
            t.start()
        self.kill_now_and_then(4)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(set(codes), {0})

    def test_orders_are_repeated_where_that_does_no_harm(self):
        self.start_daemon()
        slow = self.script("slow", f"#!/bin/sh\ntrap 'while ! [ -e {self.home}/go ]; do sleep 0.05; done; exit 0' TERM\n: > {self.home}/up\nwhile :; do sleep 0.05; done\n")
        self.apply({"slow": {"command": [slow], "stop": {"timeout": "10m", "scope": "main"}}})
        wait_for("its trap", lambda: os.path.exists(f"{self.home}/up"))
        pid, manager = self.pid("slow"), self.manager()
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "stop", "slow"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.until("slow", state="stopping")
        os.kill(manager, signal.SIGKILL)
        self.file("go", "")
        out, err = p.communicate(timeout=4 * PATIENCE)
        self.assertEqual((p.returncode, self.row("slow")["state"]), (0, "stopped"), out + err)
        os.unlink(f"{self.home}/go")
        os.unlink(f"{self.home}/up")
        self.ok("start", "slow")
        wait_for("its trap", lambda: os.path.exists(f"{self.home}/up"))
        manager = self.manager()
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "restart", "slow"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.until("slow", state="stopping")
        os.kill(manager, signal.SIGKILL)
        self.file("go", "")
        out, err = p.communicate(timeout=4 * PATIENCE)
        self.assertEqual(p.returncode, 1, out + err)
        self.assertIn("may have been done or not", err)
        self.assertIn("hint:", err)
        self.assertNotEqual(self.until("slow", state="running")["pid"], pid)

    def test_a_terminal_is_told(self):
        self.start_daemon()
        self.apply({"a": {"command": ["sh", "-c", "echo hello; exec sleep 1000"], "log": {"to": "file"}}})
        ours, theirs = pty.openpty()
        p = subprocess.Popen([os.path.join(BIN, "kingctl"), "logs", "-f", "a"], env=self.environment, stdout=theirs, stderr=theirs)
        self.addCleanup(lambda: (p.kill(), p.wait(), os.close(ours)))
        os.close(theirs)
        text = os.read(ours, 4096)
        self.replace_manager()
        while b"replaced" not in text:
            text += os.read(ours, 4096)
        self.assertEqual(text.count(b"hello"), 1)
        self.assertEqual(text.count(b"replaced"), 1)
