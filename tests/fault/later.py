"""A second life for the walk: sockets, starts on demand, hooks, credentials, a sandbox, probes, reloads of both kinds and a schedule."""
import os, socket, time
from world import Broken, alive, wait_for

SERVER = """
import os, socket, sys
s = socket.socket(fileno=3)
s.setblocking(True)
while True:
    c, _ = s.accept()
    try:
        c.sendall(b"%d %s\\n" % (os.getpid(), open(os.environ["CREDENTIALS_DIRECTORY"] + "/word", "rb").read()))
    except BrokenPipeError:
        pass
    c.close()
"""
WORD = "planted-word"
HOOKS = ("pre_start", "post_start", "pre_stop", "post_stop")


class Later:
    """To be mixed into a world."""
    def path(self, name):
        return os.path.join(self.home, name)

    def notes(self):
        try:
            return open(self.path("hooks")).read().split()
        except FileNotFoundError:
            return []

    def ask(self, name):
        """What the server behind that socket says; None when nobody does in time, or with half a word: its connection may be what failed."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.path(name))
                pid, word = s.makefile().readline().split()
                return int(pid) if word == WORD else None
        except (OSError, ValueError):
            return None

    def await_answer(self, name):
        def answer():
            self.revive()
            return self.ask(name)
        return wait_for(f"an answer on {name}", answer)

    def later_services(self):
        with open(self.path("server.py"), "w") as f:
            f.write(SERVER)
        env = {"SCENARIO_HOME": self.home}
        plain = {"env": env, "restart": {"when": "always", "delay": "10ms", "factor": 1, "limit": 0}, "log": {"to": self.log_to}}
        hooks = {h: ["sh", "-c", f"echo {h} >> {self.path('hooks')}"] for h in HOOKS}
        server = plain | {"command": ["python3", self.path("server.py")], "credentials": {"word": {"text": WORD}}}
        return {"web": server | {"sockets": [self.path("web.sock")], "hooks": hooks, "sandbox": {"system": "read-only", "writable": [self.home], "private_devices": True}},
                "lazy": server | {"sockets": [self.path("lazy.sock")], "on_demand": True},
                "probed": self.witness(5, probes={"readiness": {"exec": ["true"], "period": "200ms"}}),
                "roll": plain | {"command": ["sleep", "1000"], "instances": 2, "reload": {"by": "rolling", "min_ready": "10ms"}},
                "told": plain | {"command": ["sleep", "1000"], "reload": {"by": "command", "command": ["true"]}},
                "timed": plain | {"type": "oneshot", "command": ["sh", "-c", f"echo run >> {self.path('timed')}"], "schedule": {"every": "1s"}, "restart": {"when": "never"}}}

    def rolled(self, before):
        now = {r["pid"] for r in self.json("list", "roll")}
        return len(now) == 2 and not now & before and all(map(alive, now))

    def live_later(self):
        self.begin()
        self.apply(self.later_services())
        self.expected |= {"probed.0": True}
        self.await_answer("web.sock")
        self.await_answer("lazy.sock")
        wait_for("readiness", lambda: self.json("list", "probed")[0]["ready"])
        before = {r["pid"] for r in self.json("list", "roll")}
        self.insist("reload", "roll")
        wait_for("all to be replaced", lambda: self.rolled(before))
        self.insist("reload", "told")
        wait_for("a run in time", lambda: (self.revive(), os.path.exists(self.path("timed")))[1])
        self.insist("describe", "web")
        self.insist("restart", "web")
        self.await_answer("web.sock")
        self.settle()
        self.expected = {"probed.0": False}
        self.insist("stop", "all", ends=["probed.0"])
        self.settle()
        wait_for("the last hook", lambda: (self.revive(), set(HOOKS) <= set(self.notes()))[1])
        self.judge()
        if os.path.exists(self.path("web.sock")):
            raise Broken("the socket of a stopped service is left")
        self.shut_down()
        left = [d for d, _, files in os.walk(self.home) if "word" in files]
        if left:
            raise Broken(f"credentials are left in {left}")
