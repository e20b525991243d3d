"""source_maps: a real program of Node that throws, made from a source that it does not ship with its line numbers."""
import json, os, shutil
from kingly import Scenario, wait_for

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def vlq(n):
    """A number of a source map: base 64, the sign in the lowest bit (the Source Map format, revision 3)."""
    n, text = (-n << 1 | 1) if n < 0 else n << 1, ""
    while True:
        n, digit = n >> 5, n & 31
        text += DIGITS[digit | (32 if n else 0)]
        if not n:
            return text


class SourceMaps(Scenario):
    def setUp(self):
        if not shutil.which("node"):
            self.skipTest("node is not installed")
        super().setUp()
        self.start_daemon()
        # One line of code, whose two statements come from lines 7 and 42 of the source.
        code = 'function sell(){throw new Error("sold out")}sell();'
        throws, calls = code.index("throw"), code.index("sell();")
        segments = [[0, 0, 6, 0], [throws, 0, 0, 4], [calls - throws, 0, 35, -4]]
        self.program = self.file("app.js", code + "\n//# sourceMappingURL=app.js.map\n")
        self.file("app.js.map", json.dumps({"version": 3, "file": "app.js", "sources": ["src/shop.ts"], "names": [],
                                            "mappings": ",".join("".join(map(vlq, s)) for s in segments)}))
        self.source = os.path.join(self.home, "src/shop.ts")

    def trace(self, **service):
        self.apply({"app": {"command": ["node", self.program], "restart": {"when": "never"}, "log": {"to": "file"}} | service}, "--no-wait")
        return wait_for("the trace", lambda: (lambda t: t if "Node.js v" in t else None)("\n".join(self.messages("app", "-n", "100"))))

    def test_traces_name_the_sources(self):
        trace = self.trace(source_maps=True)
        self.assertIn(f"{self.source}:7:", trace)
        self.assertIn(f"{self.source}:42:", trace)

    def test_without(self):
        self.assertNotIn("shop.ts", self.trace())

    def test_what_was_written_without_is_mapped_by_logs(self):
        self.assertIn(f"{self.program}:1:", self.trace())
        trace = "\n".join(self.messages("app", "-n", "100", "--source-maps"))
        self.assertRegex(trace, rf"at sell \({self.source}:7:\d+\)")
        self.assertIn(f"{self.source}:42:", trace)
        self.assertIn(f"{self.source}:42:", self.ok("logs", "app", "-g", "shop.ts:42", "--source-maps").out)

    def test_options_of_its_own_stay(self):
        self.assertIn(f"{self.source}:7:", self.trace(source_maps=True, env={"NODE_OPTIONS": "--stack-trace-limit=1"}))
        self.assertNotIn(f"{self.source}:42:", "\n".join(l for l in self.messages("app", "-n", "100") if l.lstrip().startswith("at ")))
        self.assertIn("NODE_OPTIONS=--stack-trace-limit=1 --enable-source-maps", self.ok("env", "app").out)
