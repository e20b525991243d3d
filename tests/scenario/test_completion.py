"""Completion: what bash offers where."""
import os, subprocess
from kingly import Scenario

ASK = """
line=$1; source "$2"
COMP_LINE=$line COMP_POINT=${#line}; read -ra COMP_WORDS <<<"$line"; [[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kingctl 2>/dev/null; printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(Scenario):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.apply({"web": {"command": "sleep 1000", "autostart": False}, "db": {"command": "sleep 1000", "autostart": False}})
        self.completion = self.file("completion.bash", self.ok("_complete", "bash").out)

    def offers(self, line):
        env = self.environment | {"PATH": self.programs + ":" + os.environ["PATH"]}
        r = subprocess.run(["bash", "-c", ASK, "ask", line, self.completion], env=env, capture_output=True, text=True, cwd=self.home)
        return [word for word in r.stdout.split("\n") if word and not word.startswith("-")]

    def test_formats_and_signals_stand_first_services_behind(self):
        self.assertEqual(self.offers("kingctl export "), ["systemd", "quadlet", "compose", "kubernetes"])
        self.assertEqual(self.offers("kingctl -n default export --image x/y k"), ["kubernetes"])
        self.assertEqual(sorted(self.offers("kingctl export systemd ")), ["all", "db", "web"])
        self.assertEqual(self.offers("kingctl export systemd --image x w"), ["web"])
        self.assertEqual(self.offers("kingctl signal U"), ["USR1", "USR2"])
        self.assertEqual(sorted(self.offers("kingctl signal HUP ")), ["all", "db", "web"])

    def test_files_stand_where_files_stand(self):
        for verb in ("save", "check", "import"):
            self.assertIn("completion.bash", self.offers(f"kingctl {verb} "))
            self.assertNotIn("web", self.offers(f"kingctl {verb} "))
        self.assertIn("completion.bash", self.offers("kingctl start "))
        self.assertIn("web", self.offers("kingctl start "))
        self.assertNotIn("completion.bash", self.offers("kingctl stop "))
        self.assertIn("logs", self.offers("kingctl export systemd web --directory l"))
