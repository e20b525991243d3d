"""Moving out: units that systemd accepts, files that say what the service said."""
import calendar, glob, json, os, re, subprocess, time
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

    def test_timers_say_what_the_schedule_says(self):
        """systemd's next time is ours, whatever the calendar."""
        crons = ["30 3 * * *", "*/20 9-17 * * MON-FRI", "0 0 13 * 5", "0 0 L * *", "0 12 * * 5L", "0 12 * * MON#2", "15 10 3 */2 1-6 *", "0 0 29 2 *", "0 0 */9 * 3"]
        self.apply({f"t{i}": {"type": "oneshot", "command": "/bin/true", "schedule": {"cron": c, "timezone": "UTC"}} for i, c in enumerate(crons)} |
                   {"every": {"type": "oneshot", "command": "/bin/true", "schedule": {"every": "20m", "random_delay": "1m"}},
                    "many": {"type": "oneshot", "instances": 2, "command": "/bin/true", "schedule": {"cron": "@daily"}},
                    "web": {"command": "/bin/sleep 1000", "autostart": False, "schedule": {"cron": "0 4 * * *"}}})
        directory = os.path.join(self.home, "units")
        os.mkdir(directory)
        self.ok("export", "systemd", "t*", "every", "many", "web", "--system", "--directory", directory)
        self.assertIn("web-restart.timer", os.listdir(directory))
        for timer in glob.glob(directory + "/*.timer"):
            r = subprocess.run(["systemd-analyze", "verify", "--man=no", timer], capture_output=True, text=True, env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"})
            self.assertEqual([line for line in r.stderr.splitlines() if directory in line], [], r.stderr)
        for i, cron in enumerate(crons):
            next_run = self.row(f"t{i}")["next_run_usec"] // 10**6
            lines = [line.split("=", 1)[1] for line in open(f"{directory}/t{i}.timer").read().splitlines() if line.startswith("OnCalendar=")]
            said = subprocess.run(["systemd-analyze", "calendar", f"--base-time=@{next_run - 1}", *lines], capture_output=True, text=True,
                                  env=os.environ | {"LC_ALL": "C", "TZ": "UTC"})
            times = re.findall(r"Next elapse: \w+ (\S+ \S+) UTC", said.stdout)
            self.assertIn(next_run, [calendar.timegm(time.strptime(t, "%Y-%m-%d %H:%M:%S")) for t in times], (cron, lines, said.stdout, said.stderr))

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
