"""What a service finds itself to be: user, environment, descriptors, limits, priority, capabilities."""
import json, os, re
from kingly import Scenario, wait_for


class Process(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()

    def run_and_read(self, spec, script):
        """Runs a oneshot that writes to $OUT and returns what it wrote."""
        out = os.path.join(self.home, "out")
        open(out, "w").close()
        os.chmod(out, 0o666)
        path = self.script("probe", "#!/bin/sh\nexec > %s\n%s\n" % (out, script))
        self.apply({"probe": {"type": "oneshot", "command": [path], "restart": {"when": "never"}} | spec})
        self.assertEqual(self.row("probe")["state"], "exited", self.daemon_log())
        self.ok("delete", "probe")
        return open(out).read()

    def root(self):
        if os.getuid() != 0 and self.isolation == "scope":
            self.not_applicable("below a user's manager nobody becomes somebody else")
        if os.getuid() != 0:
            self.skipTest("needs root")

    def test_environment_is_a_function_of_the_file(self):
        self.file(".env", "# comment\nexport FROM_FILE='a b'\nSHARED=file\n")
        os.environ["LEAK"] = "1"
        first = self.run_and_read({"env": {"A": "1", "SHARED": "spec"}, "env_file": [self.home + "/.env"]}, "env")
        env = dict(l.split("=", 1) for l in first.splitlines())
        self.assertEqual((env["A"], env["SHARED"], env["FROM_FILE"]), ("1", "spec", "a b"))
        self.assertEqual(set(env) - {"PWD", "SHLVL", "_", "OLDPWD"},
                         {"A", "SHARED", "FROM_FILE", "SCENARIO_HOME", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "KINGLY_SERVICE", "KINGLY_NAMESPACE",
                          "KINGLY_INSTANCE", "NODE_APP_INSTANCE", "INVOCATION_ID"} | ({"XDG_RUNTIME_DIR"} if os.getuid() else set()))
        self.assertNotIn("A=", self.run_and_read({"env": {"B": "2"}}, "env | grep ^A= || true"))

    def test_descriptors_are_clean(self):
        # Of what is listed, the directory is that of the program that lists and the script is the shell's.
        fds = self.run_and_read({}, "exec python3 -c 'import os; [print(f, os.readlink(\"/proc/self/fd/\" + f)) for f in os.listdir(\"/proc/self/fd\") if os.path.exists(\"/proc/self/fd/\" + f)]'").splitlines()
        numbers = sorted({int(l.split()[0]) for l in fds if "/proc/" not in l and "probe" not in l})
        self.assertEqual(numbers, [0, 1, 2], fds)
        self.assertIn("0 /dev/null", fds)

    def test_signals_session_umask(self):
        out = self.run_and_read({"umask": "027"}, "umask; grep -E '^Sig(Blk|Ign)' /proc/self/status; ps -o sid= -p $$ | tr -d ' '; echo $$")
        lines = out.split()
        self.assertEqual(lines[0], "0027")
        self.assertEqual([int(lines[k], 16) for k in (2, 4)], [0, 0])
        self.assertEqual(lines[5], lines[6])

    def test_rlimits_nice_oom_ioprio(self):
        out = self.run_and_read({"limits": {"files": 333, "core": 0, "processes": 4000}, "priority": {"nice": 7, "oom_score_adj": 300, "io_class": "best-effort", "io_level": 6}},
                                "ulimit -n; ulimit -c; nice; cat /proc/self/oom_score_adj; ionice -p $$").splitlines()
        self.assertEqual(out, ["333", "0", "7", "300", "best-effort: prio 6"])

    def test_files_limit_is_the_machines_own_by_default(self):
        import resource
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.assertEqual(self.run_and_read({}, "ulimit -Sn").strip(), str(soft))

    def test_user_and_groups(self):
        self.root()
        out = self.run_and_read({"user": "nobody"}, "id -un; id -Gn; echo $HOME $USER $LOGNAME").splitlines()
        import grp, pwd
        nobody = pwd.getpwnam("nobody")
        self.assertEqual(out, ["nobody", grp.getgrgid(nobody.pw_gid).gr_name, f"{nobody.pw_dir} nobody nobody"])
        out = self.run_and_read({"user": "nobody", "group": "daemon"}, "id -un; id -gn").splitlines()
        self.assertEqual(out, ["nobody", "daemon"])

    def test_unknown_user_is_named(self):
        path = self.file("f.json", json.dumps({"services": {"x": {"command": "true", "user": "no-such-user"}}}))
        self.assertIn("no such user: no-such-user", self.refused(1, "apply", "-f", path).err)

    def test_capabilities(self):
        self.root()
        out = self.run_and_read({"user": "nobody", "capabilities": ["CAP_NET_BIND_SERVICE"], "no_new_privileges": True},
                                "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status")
        values = dict(l.split() for l in out.splitlines())
        self.assertEqual({k: int(v, 16) for k, v in values.items()},
                         {"CapInh:": 1 << 10, "CapPrm:": 1 << 10, "CapEff:": 1 << 10, "CapBnd:": 1 << 10, "CapAmb:": 1 << 10, "NoNewPrivs:": 1})

    def test_limits_that_cannot_be_enforced_are_said(self):
        r = self.apply({"x": {"command": "sleep 1000", "limits": {"memory_max": "64M", "tasks": 32}}})
        support = {c["name"]: c for c in json.loads(self.ok("doctor", "-o", "json").out)}
        for key in ("limits.memory_max", "limits.tasks"):
            if support[key]["ok"]:
                self.assertNotIn(key, r.err)
            else:
                self.assertIn(key, r.err)

    def test_limits_that_can_be_enforced_are_and_change_on_the_living(self):
        support = {c["name"]: c for c in json.loads(self.ok("doctor", "-o", "json").out)}
        if not support["limits.memory_max"]["ok"]:
            self.assertNotEqual(self.isolation, "scope")
            self.not_applicable("no memory controller for this isolation")
        service = {"command": "sleep 1000", "limits": {"memory_max": "64M", "memory_high": "48M", "tasks": 32, "cpu": "150%"}, "priority": {"cpu_weight": 50}}
        self.apply({"x": json.loads(json.dumps(service))})
        pid = self.pid("x")

        def read(name):
            cgroup = open(f"/proc/{pid}/cgroup").read().split("0::", 1)[1].split()[0]
            return open(f"/sys/fs/cgroup{cgroup}/{name}").read().strip()
        self.assertEqual((read("memory.max"), read("memory.high"), read("pids.max"), read("cpu.weight")), (str(64 << 20), str(48 << 20), "32", "50"))
        self.assertEqual([int(n) for n in read("cpu.max").split()], [150000, 100000])
        service["limits"]["memory_max"] = "80M"
        self.apply({"x": json.loads(json.dumps(service))})
        wait_for("the new limit", lambda: read("memory.max") == str(80 << 20))
        self.assertEqual(self.pid("x"), pid)

    def test_a_hog_is_killed_by_its_own_limit_and_nothing_else_is_touched(self):
        support = {c["name"]: c for c in json.loads(self.ok("doctor", "-o", "json").out)}
        if not support["limits.memory_max"]["ok"]:
            self.not_applicable("no memory controller for this isolation")
        hog = self.script("hog", "#!/usr/bin/env python3\nb = []\nwhile True: b.append(bytearray(1 << 20))\n")
        self.apply({"bystander": {"command": "sleep 1000"}, "hog": {"command": [hog], "limits": {"memory_max": "48M", "swap_max": "0"}, "restart": {"when": "never"}}}, "--no-wait")
        pid = self.until("bystander", state="running")["pid"]
        row = self.until("hog", state="failed")
        self.assertEqual((row["exit"]["signal"], row["exit"]["reason"]), ("SIGKILL", "oom-kill"))
        self.assertEqual(self.pid("bystander"), pid)

    def test_figures_have_their_source(self):
        busy = self.script("busy", "#!/bin/sh\nn=0\nwhile [ $n -lt 200000 ]; do n=$((n+1)); done\necho done\nexec sleep 1000\n")
        self.apply({"busy": {"command": [busy], "log": {"to": "file"}}})
        wait_for("its work", lambda: self.messages("busy") == ["done"])
        usage = json.loads(self.ok("describe", "busy", "-o", "json").out)[0]["instances"][0]["usage"]
        self.assertGreater(usage["cpu_usec"]["value"], 10000)
        self.assertEqual(usage["cpu_usec"]["source"], "proc" if self.isolation == "session" else "cgroup")
        self.assertGreater(usage["memory_bytes"]["value"], 100000)
        self.assertEqual(usage["tasks"]["value"], 1)
