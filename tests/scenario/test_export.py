"""Moving out: units that systemd accepts, files that say what the service said."""
import glob, json, os, subprocess
from kingly import Scenario

SERVICES = {
    "db": {"command": ["/bin/sleep", "1000"], "ready": {"timeout": "10s"}, "limits": {"memory_max": "256M", "cpu": "150%", "tasks": 64, "files": 4096,
           "memory_high": "200M", "swap_max": "64M"}, "priority": {"nice": 5, "cpu_weight": 50, "io_weight": 20, "io_class": "idle", "oom_score_adj": 200},
           "autostart": False, "watchdog": "10s", "umask": "0027"},
    "api": {"command": ["/bin/sh", "-c", "echo \"$HOME 50%\" 'a\\b'; sleep 1000"], "instances": 3, "env": {"A": "x y%", "B": "q\"$"}, "depends_on": {"db": "ready"},
            "autostart": False, "restart": {"when": "on-failure", "except_codes": [3, 4]}, "stop": {"signal": "SIGINT", "timeout": "1m", "scope": "main"},
            "capabilities": ["CAP_NET_BIND_SERVICE"], "no_new_privileges": True, "user": "daemon"},
    "job": {"command": "/bin/true", "type": "oneshot", "autostart": False, "env_file": "-/x/.env", "log": {"to": "none"}},
}


class Export(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.apply(json.loads(json.dumps(SERVICES)))

    def test_units_are_accepted_by_systemd(self):
        directory = os.path.join(self.home, "units")
        os.mkdir(directory)
        said = self.ok("export", "systemd", "all", "--system", "--directory", directory).out.split()
        self.assertEqual(sorted(map(os.path.basename, said)), ["api.target", "api@.service", "db.service", "job.service"])
        for unit in glob.glob(directory + "/*"):
            r = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"})
            ours = [line for line in r.stderr.splitlines() if directory in line]
            self.assertEqual(ours, [], r.stderr)
        self.assertIn("File exists", self.refused(1, "export", "systemd", "db", "--directory", directory).err)

    def test_documents_and_notes(self):
        r = self.ok("export", "compose", "all", "--image", "r/x:1")
        self.assertIn('echo "$$HOME 50%"', r.out)
        self.assertIn("db: watchdog has no counterpart", r.err)
        again = self.file("compose.yaml", r.out.replace("image:", "x-image:"))
        self.assertEqual(self.kingctl("check", again).code, 2)      # another's keys, but YAML that is read
        r = self.ok("export", "kubernetes", "job", "--image", "r/x:1")
        self.assertIn("kind: Job\n", r.out)
        self.assertIn("[Container]\nImage=r/x:1\n", self.ok("export", "quadlet", "db", "--image", "r/x:1").out)

    def test_refused(self):
        self.assertIn("--image", self.refused(2, "export", "compose", "db").err)
        self.refused(2, "export", "swarm", "db")
        self.refused(2, "export", "systemd")
        self.refused(3, "export", "systemd", "nope")
        self.refused(1, "export", "systemd", "db", "--directory", "/no/such/directory")
