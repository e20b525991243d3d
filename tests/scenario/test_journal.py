"""The journal as people ask it: what services wrote, what Kingly says of them, and that a flood is told. In the guest, where a journald listens."""
import json, os, re, signal, subprocess
from kingly import PATIENCE, wait_for
from installed import SHOP, SystemScenario, run


class Journal(SystemScenario):
    def ids(self):
        entries = self.ok("_catalog").out.split("\n-- ")[1:]
        return {re.search(r"(?m)^Subject: (.*)$", e).group(1): e[:32] for e in entries}

    def message_id(self, words):
        return next(i for s, i in self.ids().items() if s.endswith(words))

    def describe(self, name):
        return json.loads(self.ok("describe", name, "-o", "json").out)[0]

    def test_the_shop(self):
        self.ok("apply", "-f", os.path.join(SHOP, "kingly.yaml"))
        started = self.entries(2, f"MESSAGE_ID={self.message_id('has been started')}", "KINGLY_SERVICE=api")
        self.assertEqual({(e["KINGLY_NAMESPACE"], e["KINGLY_SERVICE"], e["KINGLY_EVENT"], e["SYSLOG_IDENTIFIER"], e["PRIORITY"]) for e in started},
                         {("shop", "api", "started", "kingd", "6")})
        rows = {str(r["instance"]): r for r in self.list("api")}
        self.assertEqual({e["KINGLY_INSTANCE"]: e["UNIT"] for e in started}, {k: r["unit"] for k, r in rows.items()})
        self.assertTrue(all(e["_SYSTEMD_UNIT"] == "kingd.service" for e in started))
        for e in started:
            self.assertEqual(e["INVOCATION_ID"], self.describe("api")["instances"][int(e["KINGLY_INSTANCE"])]["invocation_id"])
        # What the service writes is found by the same fields, and what both said by its unit.
        said = self.entries(2, "KINGLY_SERVICE=api", "_TRANSPORT=stdout", "--grep", "listens on")
        self.assertEqual({(e["KINGLY_INSTANCE"], e["SYSLOG_IDENTIFIER"], e["_SYSTEMD_UNIT"]) for e in said},
                         {(k, "api", r["unit"]) for k, r in rows.items()})
        both = self.journal("-u", "kingly-api-*")
        self.assertLessEqual({"api", "kingd"}, {e.get("SYSLOG_IDENTIFIER") for e in both})
        self.assertTrue(all(e.get("KINGLY_EVENT") is None for e in self.journal("-t", "api")))
        ready = f"MESSAGE_ID={self.message_id('is ready')}"
        self.entries(1, ready, "KINGLY_SERVICE=api")
        text = run("journalctl", "-x", "--no-pager", "-S", f"@{self.begin:.3f}", ready).out
        self.assertRegex(text, r"Subject: shop/api:\d is ready\n")
        self.assertIn("Defined-By: Kingly", text)

    def test_priorities(self):
        script = self.script("levels", "#!/bin/sh\necho plain\necho bad >&2\necho '<3>error'\necho '<7>debug' >&2\nexec sleep 1000\n")
        self.apply({"levels": {"command": [script]}})
        found = {e["MESSAGE"]: e["PRIORITY"] for e in self.entries(4, "-t", "levels")}
        self.assertEqual(found, {"plain": "6", "bad": "4", "error": "3", "debug": "7"})

    def test_an_end_with_its_figures(self):
        burn = self.script("burn", "#!/usr/bin/env python3\nimport time\nx = bytearray(24 << 20)\nwhile time.process_time() < 0.3: pass\nraise SystemExit(3)\n")
        self.apply({"burn": {"command": [burn], "restart": {"when": "never"}}, "nap": {"command": "sleep 1000", "restart": {"when": "never"}}}, "--no-wait")
        [e] = self.entries(1, f"MESSAGE_ID={self.message_id('has ended')}", "KINGLY_SERVICE=burn")
        self.assertEqual((e["EXIT_CODE"], e["EXIT_STATUS"], e["UNIT"]), ("exited", "3", "kingly-burn-0-1.scope"))
        self.assertGreater(int(e["CPU_USAGE_NSEC"]), 200000000)
        self.assertGreater(int(e["MEMORY_PEAK"]), 24 << 20)
        [e] = self.entries(1, f"MESSAGE_ID={self.message_id('has failed')}", "KINGLY_SERVICE=burn")
        self.assertEqual((e["KINGLY_REASON"], e["PRIORITY"]), ("exited", "3"))
        os.kill(self.pid("nap"), signal.SIGKILL)
        [e] = self.entries(1, f"MESSAGE_ID={self.message_id('has ended')}", "KINGLY_SERVICE=nap")
        self.assertEqual((e["EXIT_CODE"], e["EXIT_STATUS"], e["KINGLY_SIGNAL"]), ("killed", "9", "SIGKILL"))

    def test_out_of_memory(self):
        hog = self.script("hog", "#!/usr/bin/env python3\nb = []\nwhile True: b.append(bytearray(1 << 20))\n")
        self.apply({"hog": {"command": [hog], "limits": {"memory_max": "32M", "swap_max": "0"}, "restart": {"when": "never"}}}, "--no-wait")
        [e] = self.entries(1, f"MESSAGE_ID={self.message_id('was killed for want of memory')}")
        self.assertEqual((e["KINGLY_SERVICE"], e["MESSAGE"]), ("hog", "hog: out of memory: killed by the kernel at limits.memory_max, 32M"))

    def test_limits_that_are_met(self):
        """By services that go on. What one does several times a second is one event in ten seconds."""
        high = self.script("high", "#!/usr/bin/env python3\nimport time\nb = []\nfor _ in range(24): b.append(bytearray(1 << 20))\ntime.sleep(1000)\n")
        fork = self.script("fork", "#!/usr/bin/env python3\nimport subprocess, time\nl = []\nwhile True:\n"
                                   "    try: l.append(subprocess.Popen(['sleep', '1000']))\n    except OSError: time.sleep(0.2)\n")
        child = self.script("child", "#!/usr/bin/env python3\nimport os, time\nif os.fork() == 0:\n    open('/proc/self/oom_score_adj', 'w').write('1000')\n"
                                     "    b = []\n    while True: b.append(bytearray(1 << 20))\nos.wait()\ntime.sleep(1000)\n")
        self.apply({"high": {"command": [high], "limits": {"memory_high": "16M"}}, "fork": {"command": [fork], "limits": {"tasks": 8}},
                    "child": {"command": [child], "limits": {"memory_max": "48M", "swap_max": "0"}},
                    "idle": {"command": "sleep 1000", "limits": {"memory_max": "48M", "memory_high": "32M", "tasks": 8}}})
        kinds = {"high": "memory-high", "fork": "tasks-max", "child": "oom-kill-child"}
        told = {name: wait_for(kind, lambda: [e for e in self.events(name) if e["kind"] == kind]) for name, kind in kinds.items()}
        self.assertEqual(told["child"][0]["message"], "out of memory: a process killed by the kernel, not the main one")
        e = self.entries(1, f"MESSAGE_ID={self.message_id('may have no more processes')}")[0]      # the next one may be there
        self.assertEqual((e["KINGLY_SERVICE"], e["PRIORITY"], e["KINGLY_COUNT"]), ("fork", "4", str(told["fork"][0]["data"]["count"])))
        again = wait_for("the next", lambda: (lambda l: l if len(l) > 1 else None)([e for e in self.events("fork") if e["kind"] == "tasks-max"]))
        self.assertGreaterEqual(again[1]["time_usec"] - again[0]["time_usec"], 9000000)
        # A manager that comes later is told too, and of nothing twice.
        self.systemctl("restart", "kingd.service")
        wait_for("one that was adopted", lambda: len([e for e in self.events("fork") if e["kind"] == "tasks-max"]) > len(again))
        self.assertEqual(len([e for e in self.events("child") if e["kind"] == "oom-kill-child"]), 1)
        self.assertFalse([e for e in self.events("idle") if e["kind"] in ("memory-high", "memory-max", "tasks-max", "oom-kill-child")])
        self.assertEqual([r["restarts"] for r in self.list()], [0] * 4)

    def test_nothing_is_left_of_what_has_ended(self):
        self.apply({"a": {"command": "sleep 1000", "instances": 3}})
        files = lambda: sorted(f for f in os.listdir("/run/systemd/units") if f.startswith("log-extra-fields:kingly-"))
        self.assertEqual(files(), [f"log-extra-fields:kingly-a-{n}-{n + 1}.scope" for n in range(3)])
        self.ok("restart", "a:1")
        self.ok("stop", "a:0")
        wait_for("two", lambda: len(files()) == 2)
        with open("/run/systemd/units/log-extra-fields:kingly-gone-0-1.scope", "w"):
            pass
        self.systemctl("restart", "kingd.service")
        self.assertEqual(len(files()), 2)
        self.ok("stop", "all")
        wait_for("none", lambda: not files())

    def test_a_hung_journald_does_not_hang_us(self):
        pid = int(self.show("systemd-journald.service", "MainPID"))
        self.apply({"s": {"command": "sleep 1000", "log": {"to": "none"}, "restart": {"delay": "0s"}}})
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(3):
                before = self.pid("s")
                os.kill(before, signal.SIGKILL)
                wait_for("the next run", lambda: (lambda r: r["state"] == "running" and r["pid"] != before)(self.row("s")))
        finally:
            os.kill(pid, signal.SIGCONT)
        self.entries(3, f"MESSAGE_ID={self.message_id('has ended')}", "KINGLY_SERVICE=s")

    def journald(self, *lines):
        """Journald with these settings, until the end of the test."""
        drop_in = "/run/systemd/journald.conf.d/scenario.conf"
        os.makedirs(os.path.dirname(drop_in), exist_ok=True)
        with open(drop_in, "w") as f:
            f.write("\n".join(["[Journal]", *lines, ""]))
        self.addCleanup(lambda: (os.unlink(drop_in), run("systemctl", "restart", "systemd-journald.service")))
        self.systemctl("restart", "systemd-journald.service")

    def test_another_daemon_of_the_same_systemd(self):
        """One with a directory of its own (KINGLY_HOME), and a service of the same name: each reads what its own has written, `journalctl -t` both."""
        other = dict(self.environment, KINGLY_HOME=self.home)
        with open(os.path.join(self.home, "other.out"), "w") as out:
            daemon = subprocess.Popen([os.path.join(self.programs, "kingd"), "--no-heir"], env=other, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_for("the other daemon", lambda: self.kingctl("ping", "--no-autostart", env=other).code == 0)
            units = {}
            for whose, env in (("machine", self.environment), ("private", other)):
                said = self.script(whose, f"#!/bin/sh\necho {whose} $KINGLY_INSTANCE; exec sleep 1000\n")
                self.apply({"twin": {"command": [said], "instances": 2, "log": {"to": "journal"}}}, env=env)
                units[whose] = [r["unit"] for r in json.loads(self.ok("list", "twin", "-o", "json", env=env).out)]
            self.assertEqual(sorted(e["MESSAGE"] for e in self.entries(4, "-t", "twin")), ["machine 0", "machine 1", "private 0", "private 1"])
            for whose, env in (("machine", self.environment), ("private", other)):
                self.assertEqual(sorted(json.loads(l)["message"] for l in self.ok("logs", "twin", "-o", "jsonl", env=env).out.splitlines()),
                                 [f"{whose} 0", f"{whose} 1"])
                for n, unit in enumerate(units[whose]):
                    self.assertEqual([e["MESSAGE"] for e in self.journal("-u", unit, "-t", "twin")], [f"{whose} {n}"])
        finally:
            self.kingctl("shutdown", "--no-autostart", env=other)
            self.assertEqual(daemon.wait(PATIENCE), 0)

    def test_a_flood_is_told(self):
        self.journald("RateLimitIntervalSec=3s", "RateLimitBurst=100")
        flood = self.script("flood", "#!/bin/sh\nn=0\nwhile :; do echo line $n; n=$((n+1)); [ $((n % 500)) -ne 0 ] || sleep 0.5; done\n")
        quiet = self.script("quiet", "#!/bin/sh\nwhile :; do echo still here; sleep 1; done\n")
        self.apply({"flood": {"command": [flood]}, "quiet": {"command": [quiet]}})
        told = wait_for("the event", lambda: [e for e in self.events() if e["kind"] == "log-flood"])
        self.assertEqual([e["name"] for e in told], ["flood"])
        self.assertRegex(told[0]["message"], r"^journald dropped \d+ lines, \d+ a second: `log: \{to: file\}` keeps them all$")
        self.assertGreater(told[0]["data"]["lines_dropped"], 100)
        self.assertGreater(told[0]["data"]["lines_per_second"], 10)
        problem = r"default/flood\[0\]: journald dropped \d+ lines of it"
        self.assertRegex(self.ok("status").out, problem)
        [e] = self.entries(1, "KINGLY_EVENT=log-flood")
        self.assertEqual((e["KINGLY_SERVICE"], e["PRIORITY"], e["N_DROPPED"]), ("flood", "4", str(told[0]["data"]["lines_dropped"])))
        self.apply({"flood": {"command": [flood], "log": {"to": "file", "max_size": "1M", "keep": 1}}, "quiet": {"command": [quiet]}})
        self.assertNotRegex(self.ok("status").out, problem)
