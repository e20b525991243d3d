"""Profiles: chosen, said, remembered over applies and daemons, refused when nobody has them."""
import json, os

from kingly import Scenario, wait_for

SHOP = """
defaults: {env: {SCENARIO_HOME: "HERE"}}
profiles:
  production: {env: {MODE: production}}
services:
  web:
    command: [sleep, "1000"]
    env: {TIER: small}
    profiles:
      production: {instances: 2, env: {TIER: large}}
      staging: {env: {TIER: medium}}
  plain: {command: [sleep, "1000"]}
"""


class Profiles(Scenario):
    def setUp(self):
        super().setUp()
        self.shop = self.file("shop.yaml", SHOP.replace("HERE", self.home))

    def variables(self, selector):
        return dict(v.split("=", 1) for v in self.ok("env", selector).out.splitlines() if "=" in v)

    def test_chosen_said_and_remembered(self):
        self.start_daemon()
        self.ok("apply", "-f", self.shop)
        self.assertEqual(len(self.list("web")), 1)
        self.assertNotIn("profile", self.row("web"))
        self.assertNotIn("PROFILE", self.ok("list").out)
        plain = self.pid("plain")

        r = self.ok("apply", "-f", self.shop, "--profile", "production")
        self.assertIn("instances: 1 \u2192 2", r.out)
        self.assertEqual([row["profile"] for row in self.list("web")], [["production"]] * 2)
        self.assertEqual(self.variables("web:0")["TIER"], "large")
        self.assertEqual(self.variables("plain")["MODE"], "production")
        self.assertNotEqual(self.pid("plain"), plain)
        self.assertIn("PROFILE", self.ok("list").out)
        self.assertRegex(self.ok("describe", "web").out, r"(?m)^  profile +production$")

        # Applied again without a word: nothing changes, and it says why.
        before = [row["pid"] for row in self.list()]
        r = self.ok("apply", "-f", self.shop)
        self.assertIn("under profile production, as before", r.err)
        self.assertEqual([row["pid"] for row in self.list()], before)
        self.replace_manager()
        self.assertEqual(self.list("web")[0]["profile"], ["production"])
        self.assertEqual([row["pid"] for row in self.list()], before)

        r = self.ok("apply", "-f", self.shop, "--profile", "staging")
        self.assertEqual((len(self.list("web")), self.variables("web")["TIER"]), (1, "medium"))
        self.assertNotIn("MODE", self.variables("web"))
        self.ok("apply", "-f", self.shop, "--no-profile")
        self.assertEqual(self.variables("web")["TIER"], "small")
        self.assertNotIn("profile", self.row("web"))
        self.assertNotIn("as before", self.ok("apply", "-f", self.shop).err)

    def test_unknown_profile_changes_nothing(self):
        self.start_daemon()
        r = self.refused(2, "apply", "-f", self.shop, "--profile", "prodution")
        self.assertIn("there is no profile `prodution` \u2014 did you mean `production`?", r.err)
        self.assertEqual(self.list(), [])
        self.assertIn("did you mean `staging`?", self.refused(2, "check", self.shop, "--profile", "stagin").err)
        self.ok("check", self.shop, "--profile", "staging", "--profile", "production")
        # A fault in a profile that nobody chose.
        bad = self.file("bad.yaml", "services:\n  a:\n    command: sleep 1000\n    profiles:\n      production: {instancs: 2}\n")
        self.assertIn(f"{bad}:5:20: error: unknown key `instancs`", self.refused(2, "check", bad).err)

    def test_the_daemon_s_own_file(self):
        """Its services keep their profile when kingd begins anew; --profile of kingd is for those that have none yet."""
        self.file("kingly.yaml", open(self.shop).read())
        self.start_daemon("--profile", "staging")
        wait_for("web", lambda: [row.get("profile") for row in self.list("web")] == [["staging"]])
        self.stop_daemon()
        self.start_daemon()
        wait_for("web again", lambda: [row.get("profile") for row in self.list("web")] == [["staging"]])
        self.assertEqual(self.variables("web")["TIER"], "medium")
        self.ok("apply", "-f", os.path.join(self.home, "kingly.yaml"), "--profile", "production")
        self.stop_daemon()
        self.start_daemon()
        wait_for("both", lambda: [row.get("profile") for row in self.list("web")] == [["production"]] * 2)

    def test_pm2_s_env_production(self):
        path = self.file("ecosystem.json", json.dumps({"apps": [{"name": "api", "script": "sleep", "args": "1000",
            "env": {"MODE": "development", "SCENARIO_HOME": self.home}, "env_production": {"MODE": "production"}}]}))
        self.start_daemon()
        self.ok("start", path, "--profile", "production")
        self.assertEqual(self.variables("api")["MODE"], "production")
        self.ok("start", path)
        self.assertEqual(self.variables("api")["MODE"], "production")
        # What is made of it can be read, and means the same.
        made = self.file("made.yaml", self.ok("import", path).out)
        self.assertIn("profiles:", open(made).read())
        self.assertIn("= 1 unchanged", self.ok("apply", "-f", made, "--profile", "production", "--diff").out)
        frozen = self.ok("import", path, "--profile", "production").out
        self.assertIn("MODE: production", frozen)
        self.assertNotIn("profiles:", frozen)
