"""schedule: services that run at their times."""
import datetime, os, sqlite3, time, zoneinfo
from kingly import Scenario, wait_for

DAY = 86400 * 10**6


class Schedule(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.out = os.path.join(self.home, "out")

    def job(self, script="", **schedule):
        """A oneshot that writes a line at its beginning and one at its end."""
        return {"type": "oneshot", "command": ["sh", "-c", f"echo begin $$ >>{self.out}; {script or ':'}; echo end $$ >>{self.out}"], "schedule": schedule}

    def lines(self, word):
        return [l for l in open(self.out).read().splitlines() if l.startswith(word)] if os.path.exists(self.out) else []

    def kinds(self, *kinds):
        return [e for e in self.events("job") if e["kind"] in kinds]

    def until_kind(self, kind, n=1):
        return wait_for(f"{n} × {kind}", lambda: (lambda l: l if len(l) >= n else None)(self.kinds(kind)))

    def gate(self):
        """A job that lasts until the file is there."""
        self.go = os.path.join(self.home, "go")
        return f"while ! [ -e {self.go} ]; do sleep 0.02; done"

    def open_gate(self):
        open(self.go, "w").close()

    # ---- times ----

    def test_a_oneshot_runs_each_time_and_waits_in_between(self):
        self.apply({"job": self.job(every="1h")})
        row = self.row("job")
        self.assertEqual((row["state"], row["last_run_usec"]), ("waiting", None))
        self.apply({"job": self.job(every="1s")})
        wait_for("three runs", lambda: len(self.lines("end")) >= 3)
        row = self.until("job", state="waiting")
        self.assertGreater(row["next_run_usec"], row["last_run_usec"])
        self.assertEqual(row["exit"]["code"], 0)
        due = row["next_run_usec"]
        later = wait_for("a later time", lambda: (lambda n: n if n > due + 2 * 10**6 else None)(self.row("job")["next_run_usec"]))
        self.assertEqual((later - due) % 10**6, 0)       # it does not drift

    def test_a_time_of_a_calendar_in_its_zone(self):
        zone = zoneinfo.ZoneInfo("America/New_York")
        hour = 3 if 9 <= datetime.datetime.now(zone).hour < 21 else 15      # the one that does not come while the test runs
        self.apply({"job": self.job(cron=f"30 {hour} * * *", timezone="America/New_York")})
        row = self.row("job")
        there = datetime.datetime.fromtimestamp(row["next_run_usec"] / 10**6, zone)
        self.assertEqual((there.hour, there.minute, there.second), (hour, 30, 0))
        self.assertLess(row["next_run_usec"] / 10**6 - time.time(), 25 * 3600)
        self.assertEqual(self.lines("begin"), [])        # its file does not run it
        listing = self.ok("list").out
        self.assertRegex(listing, r"job +- +waiting +- +in \d+(h|m)")
        self.assertIn("next run", self.ok("describe", "job").out)
        status = self.ok("status").out
        self.assertNotIn("wrong", status)
        self.assertIn("job", status)
        # now, by hand
        self.ok("start", "job")
        wait_for("its run", lambda: len(self.lines("end")) == 1)
        self.until("job", state="waiting", next_run_usec=row["next_run_usec"])

    def test_at_start_as_well(self):
        self.apply({"job": self.job(cron="@yearly", at_start=True)})
        wait_for("a run", lambda: len(self.lines("end")) == 1)
        self.until("job", state="waiting")

    def test_a_simple_service_is_restarted(self):
        self.apply({"job": {"command": "sleep 1000", "schedule": {"cron": "* * * * * *"}}})
        before = self.until("job", state="running")
        wait_for("another process", lambda: self.row("job")["state"] == "running" and self.pid("job") != before["pid"])
        self.assertEqual(self.row("job")["restarts"], 0)
        self.until_kind("scheduled")

    def test_one_that_has_ended_is_begun_again(self):
        """PM2's way: a program that ends, is not restarted, and has a cron."""
        self.apply({"job": {"command": ["sh", "-c", f"echo begin >>{self.out}"], "restart": {"when": "never"}, "ready": {"by": "start"},
                            "schedule": {"every": "1s"}}})
        wait_for("three runs", lambda: len(self.lines("begin")) >= 3)
        self.until("job", state="waiting")

    def test_a_failed_run_does_not_end_the_schedule(self):
        self.apply({"job": self.job("exit 3", every="1s") | {"restart": {"when": "never"}}})
        wait_for("three runs", lambda: len(self.lines("begin")) >= 3)
        self.until("job", state="failed")
        self.assertIsNotNone(self.row("job")["next_run_usec"])

    # ---- overlap ----

    def test_overlap_skip(self):
        self.apply({"job": self.job(self.gate(), every="1s")})
        wait_for("the first run", lambda: self.lines("begin"))
        skipped = self.until_kind("skipped", 2)
        self.assertIn("not over", skipped[0]["message"])
        self.assertEqual(len(self.lines("begin")), 1)
        self.open_gate()
        wait_for("the next run", lambda: len(self.lines("end")) >= 2)

    def test_overlap_queue(self):
        self.apply({"job": self.job(self.gate(), every="1s", overlap="queue")})
        wait_for("the first run", lambda: self.lines("begin"))
        due = self.row("job")["next_run_usec"] + 3 * 10**6
        wait_for("four times", lambda: self.row("job")["next_run_usec"] >= due)
        self.assertEqual(len(self.lines("begin")), 1)
        self.ok("events", "job")
        self.open_gate()
        wait_for("all of them", lambda: len(self.lines("end")) >= 4)
        self.assertEqual(self.kinds("skipped"), [])
        pairs = open(self.out).read().split("\n")[:-1]
        self.assertTrue(all(l.startswith(("begin", "end")[i % 2]) for i, l in enumerate(pairs)), pairs)     # never two at once

    def test_overlap_replace(self):
        self.apply({"job": self.job("exec sleep 1000", every="1s", overlap="replace") | {"stop": {"timeout": "1s"}}})
        wait_for("three runs, none of which ends by itself", lambda: len(self.lines("begin")) >= 3)
        self.assertEqual(self.row("job")["restarts"], 0)

    # ---- on and off ----

    def test_stop_turns_it_off_and_start_on(self):
        self.apply({"job": self.job(every="1s"), "other": {"command": "sleep 1000", "schedule": {"every": "1s"}}})
        self.ok("stop", "job")
        row = self.row("job")
        self.assertEqual((row["state"], row["next_run_usec"]), ("stopped", None))
        begun, told = len(self.lines("begin")), len(self.kinds("scheduled"))
        pid = self.pid("other")
        wait_for("the other's time", lambda: self.pid("other") not in (pid, None))
        pid = self.pid("other")
        wait_for("the other's next time", lambda: self.pid("other") not in (pid, None))
        self.assertEqual((len(self.lines("begin")), len(self.kinds("scheduled"))), (begun, told))
        self.stop_daemon()
        self.start_daemon()
        self.assertEqual(self.row("job")["state"], "stopped")
        self.ok("start", "job")
        wait_for("two runs", lambda: len(self.lines("end")) >= begun + 2)

    def test_another_schedule_touches_no_process(self):
        self.apply({"job": {"command": "sleep 1000", "schedule": {"cron": "@yearly", "timezone": "UTC"}}})
        before = self.row("job")
        self.assertEqual(datetime.datetime.fromtimestamp(before["next_run_usec"] / 10**6, datetime.timezone.utc).strftime("%m-%d %H:%M"), "01-01 00:00")
        self.apply({"job": {"command": "sleep 1000", "schedule": {"cron": "0 0 2 1 *", "timezone": "UTC"}}})
        after = self.row("job")
        self.assertEqual(after["next_run_usec"], before["next_run_usec"] + DAY)
        self.assertEqual(after["pid"], before["pid"])
        self.apply({"job": {"command": "sleep 1000"}})
        after = self.row("job")
        self.assertEqual((after["next_run_usec"], after["pid"]), (None, before["pid"]))

    # ---- while nobody looked ----

    def sleep_through(self, days, **schedule):
        """The daemon was down, as far as its books say. The time of the day is one that does not come while the test runs."""
        self.apply({"job": self.job(cron=f"0 {(time.gmtime().tm_hour + 12) % 24} * * *", timezone="UTC", **schedule)})
        self.stop_daemon()
        with sqlite3.connect(os.path.join(self.home, "state", "kingly.db")) as db:
            changed = db.execute("UPDATE schedule SET handled = handled - ?", (days * DAY,)).rowcount
        db.close()
        self.assertEqual(changed, 1)
        self.start_daemon()

    def test_missed_runs_are_left_out(self):
        self.sleep_through(3)
        missed = self.until_kind("missed")
        self.assertIn("3 scheduled runs were missed", missed[0]["message"])
        self.assertIn("left out", missed[0]["message"])
        self.assertEqual(self.row("job")["state"], "waiting")
        self.stop_daemon()
        self.start_daemon()
        self.assertEqual(len(self.kinds("missed")), 1)        # once
        self.assertEqual(self.lines("begin"), [])

    def test_missed_runs_are_made_up_for_by_one(self):
        self.sleep_through(3, missed="once")
        wait_for("a run", lambda: len(self.lines("end")) == 1)
        self.until("job", state="waiting")
        self.assertEqual(len(self.kinds("scheduled")), 1)

    def test_missed_runs_are_all_made_up_for(self):
        self.sleep_through(3, missed="all")
        wait_for("three runs", lambda: len(self.lines("end")) == 3)
        self.until("job", state="waiting")
        self.assertEqual(len(self.kinds("scheduled")), 3)

    def test_too_many_missed_runs(self):
        self.sleep_through(4000, missed="all")
        self.assertIn("made up for by 100", self.until_kind("missed")[0]["message"])
        for n in range(10, 101, 10):
            wait_for(f"{n} runs", lambda: len(self.lines("end")) >= n)
        self.assertEqual(len(self.lines("end")), 100)
        self.until("job", state="waiting")
        self.assertEqual(len(self.kinds("scheduled")), 100)

    def test_the_managers_death_changes_nothing(self):
        self.apply({"job": self.job(every="1s", overlap="queue")})
        for _ in range(3):
            n = len(self.lines("end"))
            wait_for("a run", lambda: len(self.lines("end")) > n)
            self.replace_manager()
        n = len(self.lines("end"))
        wait_for("a run", lambda: len(self.lines("end")) > n)
        self.ok("stop", "job")
        scheduled = len(self.kinds("scheduled"))
        # One may be stopped before it wrote its line.
        self.assertIn(len(self.kinds("started")) - len(self.lines("begin")), (0, 1))
        self.assertLessEqual(abs(len(self.lines("begin")) - scheduled), 1)

    # ---- bad input ----

    def test_mistakes_are_told_with_their_place(self):
        def check(schedule, *words):
            path = self.file("bad.yaml", f"services:\n  job:\n    type: oneshot\n    command: x\n    schedule: {schedule}\n")
            r = self.refused(2, "check", path)
            for word in words:
                self.assertIn(word, r.out + r.err)
            self.assertIn("bad.yaml:5:", r.out + r.err)
        check('{cron: "0 25 * * *"}', "schedule.cron: hour: 25 is more than 23")
        check('{cron: */5 * * * *}', "needs quotes")
        check('{cron: "0 0 30 2 *"}', "no such day ever comes")
        check('{cron: "@reboot"}', "at_start")
        check('{cron: "0 3 * *"}', "expected five fields")
        check('{cron: "0 3 * * *", every: 1h}', "schedule.cron says already")
        check('{every: 10ms}', "at least 1s")
        check('{cron: "0 3 * * *", timezone: Europe/Berln}', "Europe/Berln", "did you mean Europe/Berlin")
        check('{cron: "0 3 * * *", timezone: ../etc/passwd}', "not the name of a time zone")
        check('{cron: "0 3 * * *", overlap: never}', "skip, queue or replace")
