"""watch: a service is restarted, or signalled, when its files change."""
import os, signal
from kingly import Scenario, wait_for


class Watch(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.tree = os.path.join(self.home, "tree")
        os.makedirs(os.path.join(self.tree, "src", "deep"))

    def write(self, path, text="x"):
        full = os.path.join(self.tree, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)

    def watched(self, **more):
        """Runs a watched service; returns when the whole tree is watched: a change in its deepest directory has been seen."""
        self.apply({"web": {"command": "sleep 1000", "watch": {"paths": [self.tree], "debounce": "10ms"} | more}})
        self.changes = 0
        if not more.get("signal"):
            def seen():
                self.write("src/deep/probe", os.urandom(4).hex())
                return self.count() > 0
            wait_for("watching", seen)
            self.settle()

    def count(self):
        return len([e for e in self.events("web") if e["kind"] == "changed"])

    def settle(self):
        """No change is pending: the number of events stays as it is over a marker that is told after all that came before."""
        self.write("marker", os.urandom(4).hex())
        wait_for("the marker", lambda: any("marker" in e["message"] for e in self.events("web") if e["kind"] == "changed"))
        self.until("web", state="running")

    def changed(self, act, word):
        before = self.pid("web")
        act()
        wait_for(word, lambda: any(word in e["message"] for e in self.events("web") if e["kind"] == "changed"))
        wait_for("another process", lambda: self.row("web")["pid"] not in (None, before) and self.row("web")["state"] == "running")

    def test_restarts_on_changes_at_any_depth(self):
        self.watched()
        self.changed(lambda: self.write("src/deep/a.js"), "src/deep/a.js")
        self.changed(lambda: self.write("new/dir/b.js"), "new")
        self.changed(lambda: os.rename(os.path.join(self.tree, "new"), os.path.join(self.tree, "src", "moved")), "moved")
        self.changed(lambda: self.write("src/moved/dir/c.js"), "src/moved/dir/c.js")
        self.assertEqual(self.row("web")["restarts"], 0)        # an order, not a failure

    def test_ignored_paths_change_nothing(self):
        self.watched(ignore=["*.log", "/build/"])
        pid = self.pid("web")
        before = self.count()
        for path in ("x.log", "src/deep/y.log", "build/out.js", "node_modules/left/pad.js", ".git/index"):
            self.write(path)
        self.changed(lambda: self.write("src/real.js"), "src/real.js")
        self.assertNotEqual(self.pid("web"), pid)
        messages = " ".join(e["message"] for e in self.events("web") if e["kind"] == "changed")
        for word in (".log", "build", "node_modules", ".git"):
            self.assertNotIn(word, messages)
        self.assertGreater(self.count(), before)

    def test_a_signal_instead_of_a_restart(self):
        out = os.path.join(self.home, "out")
        self.apply({"web": {"command": ["sh", "-c", f"trap 'echo hup >>{out}' HUP; echo ready >>{out}; while :; do sleep 1000 & wait; done"],
                            "watch": {"paths": [self.tree], "debounce": "10ms", "signal": "SIGHUP"}}})
        wait_for("handler", lambda: os.path.exists(out))
        pid = self.pid("web")

        def heard():
            self.write("src/config", os.urandom(4).hex())
            with open(out) as f:
                return "hup" in f.read()
        wait_for("the signal", heard)
        self.assertEqual(self.pid("web"), pid)

    def test_a_stopped_service_is_left_alone(self):
        self.watched()
        self.ok("stop", "web")
        before = self.count()
        self.write("src/other.js")
        self.ok("start", "web")
        self.changed(lambda: self.write("src/last.js"), "src/last.js")
        self.assertEqual([e for e in self.events("web") if e["kind"] == "changed" and "other.js" in e["message"]], [])
        self.assertGreater(self.count(), before)

    def test_a_path_that_is_missing_is_told_and_tried_again(self):
        missing = os.path.join(self.tree, "later")
        self.apply({"web": {"command": "sleep 1000", "watch": {"paths": [missing], "debounce": "10ms"}}})
        wait_for("told", lambda: any(e["kind"] == "unwatched" and "No such file" in e["message"] for e in self.events("web")))
        os.mkdir(missing)
        self.ok("stop", "web")
        self.ok("start", "web")

        def seen():
            self.write("later/file", os.urandom(4).hex())
            return self.count() > 0
        wait_for("watched", seen)

    def test_start_with_watch(self):
        script = self.file("tree/app.sh", "exec sleep 1000\n")
        self.ok("start", "--watch", "--name", "web", "--cwd", self.tree, "-e", f"SCENARIO_HOME={self.home}", "--", "sh", script)

        def seen():
            self.write("app.sh", "exec sleep 1000 # " + os.urandom(4).hex())
            return self.count() > 0
        wait_for("watched", seen)
