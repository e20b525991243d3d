"""save: what the daemon knows, as a file that makes the same."""
import json, os, stat
from kingly import Scenario

SERVICES = {
    "web": {"command": "echo $HOME ${X:-a b} $$$$ '#x'", "shell": True, "autostart": False, "instances": 3,
            "env": {"A": "007", "B": "yes", "C": "a: b", "D": "x\ny # z", "E": "", "F": "*x", "G": "null", "H": "$${HOME}", "I": " blank "},
            "limits": {"memory_max": "256M", "cpu": "150%", "files": 4096}, "restart": {"factor": 1.5, "delay": "1500ms", "except_codes": [3, 4]},
            "log": {"to": {"exec": "cat"}}, "umask": "0027", "depends_on": {"other/db": "started"}, "stop": {"signal": "SIGINT", "timeout": "infinity"}},
    "job": {"type": "oneshot", "command": ["/bin/true", "a b", ""], "schedule": {"cron": "0 3 * * *", "timezone": "UTC", "missed": "once"}},
    "live": {"command": "sleep 1000", "watch": {"paths": ["src"], "ignore": ["*.log"]}},
}


class Save(Scenario):
    def setUp(self):
        super().setUp()
        self.environment["X"] = "${Y} $"
        self.start_daemon()
        other = self.file("other.json", json.dumps({"namespace": "other", "services": {"db": {"command": "sleep 1000", "env": {"SCENARIO_HOME": self.home}}}}))
        os.mkdir(os.path.join(self.home, "src"))
        self.ok("apply", "-f", other)
        self.apply(json.loads(json.dumps(SERVICES)))

    def known(self):
        return {(s["namespace"], s["name"]): s["changed"] for s in json.loads(self.ok("describe", "all", "-o", "json").out)}

    def test_an_empty_daemon_becomes_the_same(self):
        before = self.known()
        directory = os.path.join(self.home, "saved")
        os.mkdir(directory)
        said = self.ok("save", directory).out
        self.assertIn("default.yaml: 4 services", said)      # with the collector of web
        files = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        self.assertEqual([os.path.basename(f) for f in files], ["default.yaml", "other.yaml"])
        for path in files:
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        pid = self.pid("live")
        self.assertIn("nothing to do", self.ok("apply", "-f", files[1], "-f", files[0], "--diff").out)
        self.ok("apply", "-f", files[1], "-f", files[0])
        self.assertEqual(self.pid("live"), pid)
        self.ok("delete", "all")
        self.assertEqual(self.list(), [])
        self.ok("apply", "-f", files[1], "-f", files[0])
        self.assertEqual(self.known(), before)
        self.assertEqual(len(self.list("web")), 3)

    def test_one_file(self):
        self.assertIn("namespaces", self.refused(2, "save", os.path.join(self.home, "all.yaml")).err)
        printed = self.ok("save", "--namespace", "other").out
        self.assertTrue(printed.startswith("namespace: other\nservices:\n  db:\n"), printed)
        self.assertIn("nothing to do", self.ok("apply", "--diff", "-f", "-", stdin=printed).out)
        self.assertEqual(json.loads(self.ok("save", "-n", "other", "-o", "json").out)["services"]["db"]["command"], ["sleep", "1000"])
        self.refused(3, "save", "-n", "none")

    def test_what_is_hidden_elsewhere_is_in_the_file(self):
        self.apply({"secret": {"command": "sleep 1000", "env": {"DB_PASSWORD": "hunter2 $${x}"}}})
        self.assertNotIn("hunter2", self.ok("describe", "secret").out)
        path = os.path.join(self.home, "secret.yaml")
        self.ok("save", "-n", "default", path)
        self.assertIn("hunter2 $${x}", open(path).read())
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        pid = self.pid("secret")
        self.ok("apply", "-f", path)
        self.assertEqual(self.pid("secret"), pid)

    def test_nothing_of_others_is_replaced(self):
        path = self.file("mine.yaml", "# mine\n")
        r = self.refused(1, "save", "-n", "other", path)
        self.assertIn("--force", r.err)
        self.assertEqual(open(path).read(), "# mine\n")
        self.ok("save", "-n", "other", path, "--force")
        self.ok("save", "-n", "other", path)        # its own, once more
        self.assertEqual(self.ok("check", path).code, 0)
        self.refused(1, "save", "-n", "other", os.path.join(self.home, "none", "x.yaml"))

    def test_who_is_stopped_is_named(self):
        self.ok("stop", "@other")
        self.assertIn("db is stopped", self.ok("save", "-n", "other").err)
