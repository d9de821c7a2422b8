#!/usr/bin/python3
"""kylin serve --config: what counts when a setting is given twice, and that every mistake names its line.

Usage: test_config.py KYLIN [unittest arguments]
"""
import os
import pathlib
import subprocess
import tempfile
import unittest
from unittest import mock

import serving
from serving import MODEL, Server


class Config(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "kylin.toml"

    def tearDown(self):
        self.folder.cleanup()

    def write(self, text):
        self.path.write_text(text)
        return ["--config", self.path]

    def fails(self, text, *args):
        config = self.write(text)
        done = subprocess.run([serving.kylin, "serve", *config, *args], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.decode().replace(str(self.path), "kylin.toml")

    def test_every_kind_of_setting(self):
        settings = f"""# Comments are fine.
            model = '{MODEL}'
            ctx = 512
            name = "From a file"
            parallel = 3
            drain-seconds = 1.5
            cors-origin = ["https://a.example", "https://b.example"]
            quiet = true
            insecure = false
        """
        server = Server(model=self.write(settings))
        info = server.get("/model/info")
        self.assertEqual((info["name"], info["parallel"], info["context"]), ("From a file", 3, 512))
        for origin in ("https://a.example", "https://b.example"):
            response, _ = server.ask("GET", "/health", headers={"Origin": origin})
            self.assertEqual(response.getheader("Access-Control-Allow-Origin"), origin)
        status, log = server.stop()
        self.assertEqual((status, "request=" in log), (0, False))

    def test_the_command_line_wins_over_the_environment_and_that_over_the_file(self):
        config = self.write("name = 'file'\napi-key = 'file'\nport = 1\n")

        def accepted(server):
            statuses = {key: server.ask("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0].status for key in ("file", "env", "line")}
            server.stop()
            return [key for key, status in statuses.items() if status == 200]

        plain = ["-m", MODEL, "-c", "256", *config]
        self.assertEqual(accepted(Server(model=plain)), ["file"])  # and its port is the command line's
        with mock.patch.dict(os.environ, {"KYLIN_API_KEY": "env"}):
            self.assertEqual(accepted(Server(model=plain)), ["env"])
            self.assertEqual(accepted(Server("--api-key", "line", model=plain)), ["line"])

    def test_mistakes_name_their_line(self):
        for text, words in (("port = 1\nprot = 2\n", 'kylin.toml:2: "prot": there is no such setting'),
                            ("[server]\nport = 1\n", 'kylin.toml:1: "server": there is no such setting'),
                            ("port = 'http'\n", "kylin.toml:1: "),
                            ("port = 99999\n", "kylin.toml:1: "),
                            ("\n\nparallel = 0\n", "kylin.toml:3: "),
                            ("parallel = true\n", "kylin.toml:1: --parallel: does not take true or false"),
                            ("quiet = 'yes'\n", "kylin.toml:1: --quiet: takes true or false"),
                            ("parallel = [1, 2]\n", "kylin.toml:1: "),
                            ("parallel = 1979-05-27\n", "kylin.toml:1: --parallel: takes a string"),
                            ("name = {a = 1}\n", "kylin.toml:1: --name: takes a string"),
                            ("config = 'other.toml'\n", 'kylin.toml:1: "config": there is no such setting'),
                            ("print-api = true\n", 'kylin.toml:1: "print-api": there is no such setting'),
                            ("port = 1\nport = 2\n", "kylin.toml:2: "),
                            ("port = \n", "kylin.toml:1: "),
                            ("port 1\n", "kylin.toml:1: ")):
            with self.subTest(text):
                error = self.fails(text)
                self.assertTrue(error.startswith("error: " + words), error)
                self.assertEqual(error.count("\n"), 1, error)
        # Wrong even where another value wins.
        self.assertIn("kylin.toml:1: ", self.fails("parallel = true", "--parallel", "2"))
        self.path.unlink()
        done = subprocess.run([serving.kylin, "serve", "--config", self.path], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(self.path), done.stderr.decode())

    def test_help_has_every_setting_in_a_group(self):
        text = subprocess.run([serving.kylin, "serve", "--help"], capture_output=True, timeout=60).stdout.decode()
        groups = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
        self.assertEqual(groups, ["Options", "Address, and who may ask", "Capacity", "Server", "Model", "Instead of serving"])
        own = text[text.index("Options:"):text.index("Address, and")]
        self.assertEqual(own.count("--"), 1, own)  # --help alone is in no group


if __name__ == "__main__":
    serving.main()
