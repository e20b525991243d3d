"""`ready.by: ipc`: process.send('ready') of an unmodified program of Node, and PM2's wait_ready, which comes to it."""
import json, os, shutil, signal, time
from kingly import PATIENCE, Scenario, wait_for

APP = """
const fs = require('fs');
process.on('disconnect', () => fs.writeFileSync(process.argv[2] + '/disconnected', ''));
process.on('message', () => {});
process.send({ chatter: 'x'.repeat(5000) });
process.send('"ready"\\n');
const go = () => fs.existsSync(process.argv[2] + '/go') ? process.send('ready', () => { fs.writeFileSync(process.argv[2] + '/said', ''); for (let i = 0; i < 2000; i++) process.send({ i, x: 'y'.repeat(1000) }); }) : setTimeout(go, 20);
go();
setInterval(() => {}, 1000);
"""


class ReadyIpc(Scenario):
    def setUp(self):
        if not shutil.which("node"):
            self.skipTest("node is not installed")
        super().setUp()
        self.program = self.file("app.js", APP)
        self.start_daemon()

    def app(self, **ready):
        return {"command": ["node", self.program, self.home], "ready": {"by": "ipc", "timeout": "10m"} | ready, "restart": {"when": "never"}}

    def let_go(self):
        self.file("go", "")

    def test_it_says_so(self):
        self.apply({"app": self.app()}, "--no-wait")
        self.until("app", state="starting")
        wait_for("Node to run", lambda: self.row("app")["pid"])
        self.let_go()
        self.until("app", state="running")
        self.assertFalse(os.path.exists(self.home + "/disconnected"))

    def test_the_channel_outlives_managers(self):
        self.apply({"app": self.app()}, "--no-wait")
        pid = wait_for("Node to run", lambda: self.row("app")["pid"])
        self.until("app", state="starting")
        os.kill(self.manager(), signal.SIGKILL)
        self.let_go()
        self.until("app", state="running")
        os.kill(self.manager(), signal.SIGKILL)
        self.ok("ping")
        self.assertEqual(self.row("app")["pid"], pid)
        self.assertFalse(os.path.exists(self.home + "/disconnected"))

    def test_late_is_failed_or_passed(self):
        self.apply({"app": self.app(timeout="300ms"), "pm2": self.app(timeout="300ms", late="pass")}, "--no-wait")
        self.assertEqual(self.until("app", state="failed")["exit"]["reason"], "ready-timeout")
        self.assertIn("counts as ready", self.until("pm2", state="running")["status"])

    def test_what_was_said_in_time_and_is_heard_late_counts(self):
        seconds = PATIENCE / 6
        self.apply({"app": self.app(timeout=f"{seconds:.0f}s")}, "--no-wait")
        self.until("app", state="starting")
        with self.manager_stands_still():
            end = time.monotonic() + seconds
            self.let_go()
            wait_for("its word", lambda: os.path.exists(self.home + "/said"))
            wait_for("its time to be over", lambda: time.monotonic() > end)
        self.until("app", state="running", restarts=0)

    def test_wait_ready_of_pm2(self):
        path = self.file("ecosystem.config.json", json.dumps({"apps": [{"name": "app", "script": self.program, "args": [self.home], "wait_ready": True, "listen_timeout": 600000}]}))
        self.ok("start", path, "--no-wait")
        self.until("app", state="starting")
        self.let_go()
        self.until("app", state="running")
        self.assertIn("by: ipc", self.ok("describe", "app").out)
        self.assertIn("timeout: 10m", self.ok("describe", "app").out)
