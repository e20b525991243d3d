"""PM2's own command line: what people and scripts type, and what they get."""
from kingly import Scenario

FOREVER = "exec sleep 1000"


class Numbers(Scenario):
    def numbers(self):
        return {f"{x['name']}:{x['instance']}": x["number"] for x in self.list()}

    def services(self, *names):
        return {n: {"command": "sleep 1000"} for n in names}

    def test_kept_over_restarts_and_deaths(self):
        self.start_daemon()
        self.apply(self.services("a", "b", "c"))
        self.ok("scale", "a", "2")
        wanted = {"a:0": 0, "b:0": 1, "c:0": 2, "a:1": 3}
        self.assertEqual(self.numbers(), wanted)
        self.ok("restart", "all")
        self.ok("stop", "b")
        self.replace_manager()
        self.assertEqual(self.numbers(), wanted)

    def test_not_given_again_until_all_are_gone(self):
        self.start_daemon()
        self.apply(self.services("a", "b"))
        self.ok("delete", "b")
        self.apply(self.services("c"))
        self.assertEqual(self.numbers(), {"a:0": 0, "c:0": 2})
        self.ok("delete", "all")
        self.apply(self.services("d"))
        self.assertEqual(self.numbers(), {"d:0": 0})
