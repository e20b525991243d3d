"""The keeper dies under a real systemd, whose file descriptor store gives the next one what it held: no service ends, no line is lost.
KINGLY_KILLS says how often (3; tests/soak/keeper-deaths 50)."""
import os, signal, statistics, time
from kingly import alive, wait_for
from installed import SystemScenario

KILLS = int(os.environ.get("KINGLY_KILLS", "3"))
INSTANCES = 5
COUNT = "#!/bin/sh\nn=0\nwhile :; do echo line $n; n=$((n+1)); sleep 0.02; done\n"


class KeeperDeaths(SystemScenario):
    def keeper(self):
        return int(self.show("kingd.service", "MainPID"))

    def numbers(self, instance):
        path = f"/var/log/kingly/count.{instance}.log"
        text = open(path).read() if os.path.exists(path) else ""
        return [int(l.rsplit(" ", 1)[1]) for l in text.splitlines()]

    def kill_keeper(self):
        old, begin = self.keeper(), time.monotonic()
        os.kill(old, signal.SIGKILL)
        wait_for("the next keeper", lambda: self.keeper() not in (0, old))
        wait_for("it to answer", lambda: self.kingctl("list", "--no-autostart").code == 0)
        return time.monotonic() - begin

    def test_no_line_is_lost(self):
        counter = self.script("count", COUNT)
        self.apply({"count": {"command": [counter], "instances": INSTANCES, "log": {"to": "file", "max_size": "1G"}}})
        before, times = self.processes(), []
        wait_for("the store to have its pipes", lambda: int(self.show("kingd.service", "NFileDescriptorStore")) >= 2 * INSTANCES)
        for _ in range(KILLS):
            so_far = len(self.numbers(0))
            wait_for("output", lambda: len(self.numbers(0)) > so_far)
            times.append(self.kill_keeper())
        self.systemctl("restart", "kingd.service")
        so_far = len(self.numbers(0))
        wait_for("output", lambda: len(self.numbers(0)) > so_far)
        self.assertEqual(self.processes(), before)
        self.ok("stop", "count")
        lines = 0
        for i in range(INSTANCES):
            numbers = self.numbers(i)
            self.assertEqual(numbers, list(range(len(numbers))))
            lines += len(numbers)
        wait_for("the store to be rid of them", lambda: int(self.show("kingd.service", "NFileDescriptorStore")) < 2 * INSTANCES)
        print(f"keeper killed {KILLS} times, {INSTANCES} services, {lines} lines: lost 0, doubled 0, changed PIDs 0; until list answered: "
              f"median {statistics.median(times):.1f} s, longest {max(times):.1f} s")
