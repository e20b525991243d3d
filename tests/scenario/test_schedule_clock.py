"""schedule: when the machine's clock is set, and when its time zone changes. Only in the test guest, whose clock is nobody else's."""
import datetime, os, time
from kingly import Scenario, wait_for

HOUR, LOCALTIME = 3600, "/etc/localtime"


class Clock(Scenario):
    serial = True

    def setUp(self):
        if not os.environ.get("KINGLY_GUEST"):
            self.not_applicable("sets the machine's clock: only in the test guest")
        super().setUp()
        self.was, self.began = time.time(), time.monotonic()
        self.addCleanup(lambda: time.clock_settime(time.CLOCK_REALTIME, self.was + time.monotonic() - self.began))
        self.out = os.path.join(self.home, "out")
        self.start_daemon()

    def shift(self, seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    def job(self, **schedule):
        self.apply({"job": {"type": "oneshot", "command": ["sh", "-c", f"echo run >>{self.out}"], "schedule": schedule}})

    def runs(self):
        return len(open(self.out).readlines()) if os.path.exists(self.out) else 0

    def due(self):
        return self.row("job")["next_run_usec"] / 10**6 - time.time()

    def test_a_clock_that_is_set_ahead(self):
        self.job(every="1h", missed="once")
        self.assertEqual(self.runs(), 0)
        self.shift(5 * HOUR + 600)
        wait_for("one run for all", lambda: self.runs() == 1)
        self.assertIn("5 scheduled runs were missed", [e["message"] for e in self.events("job") if e["kind"] == "missed"][0])
        self.assertAlmostEqual(self.due(), HOUR - 600, delta=120)

    def test_a_time_that_comes_with_the_clock(self):
        self.job(every="1h")
        self.shift(self.due() - 3)
        wait_for("the run", lambda: self.runs() == 1)
        self.assertEqual([e for e in self.events("job") if e["kind"] == "missed"], [])

    def test_a_clock_that_is_set_back(self):
        self.job(every="1h")
        self.shift(-1000 * HOUR)
        wait_for("the next time", lambda: self.due() <= HOUR)
        self.shift(HOUR)
        wait_for("the run", lambda: self.runs() == 1)

    def test_another_time_zone(self):
        before = os.readlink(LOCALTIME) if os.path.islink(LOCALTIME) else None

        def zone(name):
            os.symlink(f"/usr/share/zoneinfo/{name}", LOCALTIME + ".new") if name else os.symlink(before, LOCALTIME + ".new")
            os.replace(LOCALTIME + ".new", LOCALTIME)
        if not before or not os.path.exists("/usr/share/zoneinfo/Asia/Tokyo"):
            self.not_applicable("this guest has no tz database")
        self.addCleanup(zone, None)
        zone("UTC")
        self.job(cron="0 3 * * *")
        at = lambda hour: datetime.datetime.fromtimestamp(self.row("job")["next_run_usec"] / 10**6, datetime.timezone.utc).hour == hour
        wait_for("03:00 UTC", lambda: at(3))
        zone("Asia/Tokyo")
        wait_for("03:00 in Tokyo", lambda: at(18))
        zone("UTC")
        wait_for("03:00 UTC again", lambda: at(3))
