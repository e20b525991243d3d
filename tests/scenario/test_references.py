"""Values of other services: one place to change them, and who has them is restarted for it."""
import json, os

from kingly import Scenario
from ports import free_port

FILE = """
namespace: shop
defaults: {env: {SCENARIO_HOME: "HERE"}}
services:
  db:
    command: [sleep, "1000"]
    sockets: ["127.0.0.1:PORT", SOCKET]
    env: {NAME: orders, ADMIN_PASSWORD: planted-secret}
  web:
    command: [sleep, "1000"]
    env:
      DATABASE: "pg://${service.db.address}/${service.db.env.NAME}"
      LOCAL: "${service.db.socket}"
      URL: "pg://root:${service.db.env.ADMIN_PASSWORD}@${service.db.host}:${service.db.port}/"
  other: {command: [sleep, "1000"]}
"""


class References(Scenario):
    def path(self, port):
        return self.file("shop.yaml", FILE.replace("HERE", self.home).replace("PORT", str(port)).replace("SOCKET", os.path.join(self.home, "db.sock")))

    def variables(self, selector):
        return dict(v.split("=", 1) for v in self.ok("env", selector, "--show-secrets").out.splitlines() if "=" in v)

    def test_a_change_there_is_a_change_here(self):
        first, second = free_port(), free_port()
        self.start_daemon()
        self.ok("apply", "-f", self.path(first))
        self.assertEqual({k: v for k, v in self.variables("web").items() if k in ("DATABASE", "LOCAL", "URL")},
                         {"DATABASE": f"pg://127.0.0.1:{first}/orders", "LOCAL": os.path.join(self.home, "db.sock"),
                          "URL": f"pg://root:planted-secret@127.0.0.1:{first}/"})
        pids = {row["name"]: row["pid"] for row in self.list()}
        self.assertIn("= 3 unchanged", self.ok("apply", "-f", self.path(first), "--diff").out)

        changed = self.path(second)
        diff = self.ok("apply", "-f", changed, "--diff").out
        self.assertIn("~ shop/web (restart)", diff)
        self.assertIn(f"pg://127.0.0.1:{second}/orders", diff)
        self.assertNotIn("planted-secret", diff)
        self.ok("apply", "-f", changed)
        self.assertEqual(self.variables("web")["DATABASE"], f"pg://127.0.0.1:{second}/orders")
        now = {row["name"]: row["pid"] for row in self.list()}
        self.assertNotEqual(now["web"], pids["web"])
        self.assertEqual(now["other"], pids["other"])

    def test_over_files_and_what_is_wrong(self):
        db = self.file("db.yaml", "services:\n  db: {command: [sleep, '1000'], env: {PORT: 81, SCENARIO_HOME: '" + self.home + "'}}\n")
        web = self.file("web.yaml", "services:\n  web: {command: [sleep, '1000'], env: {DB: '${service.db.env.PORT}'}}\n")
        self.start_daemon()
        r = self.refused(2, "apply", "-f", web)
        self.assertIn(f"{web}:2:45: error: there is no service `db` in the files that are read together", r.err)
        self.assertEqual(self.list(), [])
        self.ok("apply", "-f", web, "-f", db, "--diff")
        self.file("kingly.yaml", open(db).read())
        self.file("services.d/web.yaml", open(web).read().replace("'1000'", "'1000'").replace("env: {", f"env: {{SCENARIO_HOME: '{self.home}', "))
        self.stop_daemon()
        self.start_daemon()
        self.until("web", state="running")
        self.assertEqual(self.variables("web")["DB"], "81")
        bad = self.file("bad.yaml", "services:\n  a: {command: x, env: {A: '${service.b.env.B}'}}\n  b: {command: x, env: {B: '${service.a.env.A}'}}\n")
        self.assertIn(f"{bad}:3:28: error: this value leads back to itself", self.refused(2, "check", bad).err)
