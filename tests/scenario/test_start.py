"""start: a command line and its everyday options."""
import json, os
from kingly import Scenario, wait_for


class Start(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.mark = ["--env", f"SCENARIO_HOME={self.home}"]
        self.app = self.script("app.sh", "#!/bin/sh\necho args \"$@\"; exec sleep 1000\n")

    def changed(self, name):
        return json.loads(self.ok("describe", name, "-o", "json").out)[0]["changed"]

    def test_every_option_means_its_key(self):
        self.ok("start", self.app, "--name", "api", "-i", "2", "--namespace", "shop", "--cwd", self.home, "--watch", "--no-autorestart",
                "--cron", "0 3 * * *", "--timezone", "UTC", "--max-memory-restart", "300M", "--memory-max", "512M", "--restart-delay", "3000",
                *self.mark, "--", "--port", "80")
        spec = self.changed("shop/api")
        self.assertEqual(spec["command"], [self.app, "--port", "80"])
        self.assertEqual((spec["instances"], spec["cwd"], spec["watch"]), (2, self.home, {"paths": [self.home]}))
        self.assertEqual(spec["restart"], {"when": "never", "delay": "3s", "factor": 1, "max_delay": "3s"})
        self.assertEqual(spec["schedule"], {"cron": "0 3 * * *", "timezone": "UTC"})
        self.assertEqual(spec["limits"], {"memory_restart": "300M", "memory_max": "512M"})
        wait_for("what it was given", lambda: "args --port 80" in self.messages("shop/api:1"))
        self.ok("start", "--name", "bo", "--exp-backoff-restart-delay", "100ms", *self.mark, "--", "sleep", "1000")
        self.assertEqual(self.changed("bo")["restart"], {"factor": 1.5, "max_delay": "15s"})      # 100ms is the default

    def test_a_job_by_pm2s_idiom(self):
        out = os.path.join(self.home, "out")
        job = self.script("job.sh", f"#!/bin/sh\necho ran >>{out}\n")
        self.ok("start", "--name", "job", "--no-autorestart", "--cron", "* * * * * *", *self.mark, "--", job)
        wait_for("three runs", lambda: os.path.exists(out) and len(open(out).readlines()) >= 3)
        self.until("job", state="waiting")

    def test_options_where_they_mean_nothing(self):
        path = self.file("a.yaml", "services: {web: {command: sleep 1000, autostart: false}}\n")
        self.ok("apply", "-f", path)
        for option in (["--cron", "@daily"], ["--max-memory-restart", "1M"], ["--restart-delay", "1s"], ["--exp-backoff-restart-delay", "1s"], ["--timezone", "UTC"],
                       ["--name", "x"], ["-i", "2"], ["--cwd", "/"], ["--watch"], ["--no-autorestart"]):
            for operand in ("web", path):
                r = self.refused(2, "start", operand, *option)
                self.assertIn("goes with a command", r.err)
                self.assertIn("hint: kingctl start --", r.err)

    def test_bad_values(self):
        for arguments, words in ((["--cron", "0 33 * * *"], "hour: 33 is more than 23"), (["--cron", "@daily", "--timezone", "Mars/Base"], "no time zone"),
                                 (["--timezone", "UTC"], "--cron"), (["--restart-delay", "soon"], "500ms or 3s"), (["--max-memory-restart", "big"], "size"),
                                 (["--restart-delay", "1", "--exp-backoff-restart-delay", "1"], "either"), (["-i", "some"], "instances")):
            r = self.refused(2, "start", *arguments, "--", "sleep", "1000")
            self.assertIn(words, r.err)
        self.assertEqual(self.list(), [])
