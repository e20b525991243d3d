"""The keeper dies under a real systemd, whose file descriptor store gives the next one what it held: no service ends, no line is lost.
KINGLY_KILLS says how often (3; tests/soak/keeper-deaths 50)."""
import json, os, re, shutil, signal, statistics, time
from kingly import BIN, wait_for
from installed import SystemScenario

KILLS = int(os.environ.get("KINGLY_KILLS", "3"))
INSTANCES = 5
COUNT = "#!/bin/sh\nn=0\nwhile :; do echo line $n; n=$((n+1)); sleep 0.1; done\n"


class Counters(SystemScenario):
    def keeper(self):
        return int(self.show("kingd.service", "MainPID"))

    def count(self):
        counter = self.script("count", COUNT)
        self.apply({"count": {"command": [counter], "instances": INSTANCES, "log": {"to": "file", "max_size": "1G"}}})
        return self.processes()

    def more_lines(self):
        so_far = len(self.numbers(0))
        wait_for("output", lambda: len(self.numbers(0)) > so_far)

    def numbers(self, instance):
        path = f"/var/log/kingly/count.{instance}.log"
        text = open(path).read() if os.path.exists(path) else ""
        # Only these: a shell whose child is ended a moment before itself says "Terminated".
        return [int(n) for n in re.findall(r"\bline (\d+)\n", text)]

    def judge(self, before):
        """The same processes, and each line that they wrote once. Ends them; how many lines."""
        self.assertEqual(self.processes(), before)
        self.ok("stop", "count")
        lines = 0
        for i in range(INSTANCES):
            numbers = self.numbers(i)
            self.assertEqual(numbers, list(range(len(numbers))))
            lines += len(numbers)
        return lines


class KeeperDeaths(Counters):
    def kill_keeper(self):
        old, begin = self.keeper(), time.monotonic()
        os.kill(old, signal.SIGKILL)
        wait_for("the next keeper", lambda: self.keeper() not in (0, old))
        wait_for("it to answer", lambda: self.kingctl("list", "--no-autostart").code == 0)
        return time.monotonic() - begin

    def test_no_line_is_lost(self):
        before, times = self.count(), []
        wait_for("the store to have its pipes", lambda: int(self.show("kingd.service", "NFileDescriptorStore")) >= 2 * INSTANCES)
        for _ in range(KILLS):
            self.more_lines()
            times.append(self.kill_keeper())
        self.systemctl("restart", "kingd.service")
        self.more_lines()
        lines = self.judge(before)
        wait_for("the store to be rid of them", lambda: int(self.show("kingd.service", "NFileDescriptorStore")) < 2 * INSTANCES)
        print(f"keeper killed {KILLS} times, {INSTANCES} services, {lines} lines: lost 0, doubled 0, changed PIDs 0; until list answered: "
              f"median {statistics.median(times):.1f} s, longest {max(times):.1f} s")


class Upgrade(Counters):
    """Another version is installed over the one that runs."""
    def setUp(self):
        super().setUp()
        beside = os.path.dirname(os.readlink(f"/proc/{self.manager()}/exe"))
        self.places = {"kingd": "/usr/local/bin/kingd", "kingd-manager": f"{beside}/kingd-manager", "kingd-logger": f"{beside}/kingd-logger"}
        for path in self.places.values():
            shutil.copy(path, path + ".saved")
            self.addCleanup(os.rename, path + ".saved", path)

    def install(self, of):
        for name, path in self.places.items():
            shutil.copy(os.path.join(BIN, "../tests/upgrade", of, name) if of else path + ".saved", path + ".new")
            os.rename(path + ".new", path)

    def version(self):
        return json.loads(self.ok("status", "-o", "json").out)["version"]

    def test_a_reload_takes_it_up(self):
        before, keeper, old = self.count(), self.keeper(), self.version()
        self.install("next")
        self.systemctl("reload", "kingd.service")
        wait_for("the new version", lambda: self.version() == "9.9.9")
        self.more_lines()
        path = self.places["kingd-manager"]
        os.unlink(path)
        with open(path, "w") as f:
            f.write("#!/bin/sh\nexit 3\n")
        os.chmod(path, 0o755)
        r = self.refused(1, "reexec")
        self.assertIn("went back to 9.9.9: kingd-manager ended with status 3 before it served", r.err)
        self.install(None)
        self.assertEqual(self.ok("reexec").out, f"kingd 9.9.9 → {old}\n")
        self.more_lines()
        # READY=1 has been said, and systemd reads it when it does.
        wait_for("the reload to be over", lambda: self.show("kingd.service", "ActiveState") == "active")
        self.assertEqual(self.show("kingd.service", "MainPID", "NRestarts"), {"MainPID": str(keeper), "NRestarts": "0"})
        # What systemd keeps is what the new one needs.
        os.kill(keeper, signal.SIGKILL)
        wait_for("the next keeper", lambda: self.keeper() not in (0, keeper))
        self.more_lines()
        self.judge(before)
