#!/usr/bin/python3
"""Once it has loaded its model, the server may open no file, start no program and connect to nobody, and does not try: seen from outside,
in /proc and by strace. The latter is skipped, aloud, where no process may be traced.

Usage: test_sandbox.py KYLIN [unittest arguments]
"""
import pathlib
import re
import subprocess
import tempfile
import unittest

import serving
from serving import FOLDER, Server

CALLS = "open,openat,openat2,creat,execve,execveat,connect,unlink,unlinkat,rename,renameat2,mkdir,fork,vfork"


def can_trace():
    try:
        return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def n_filters(status):
    return int(re.search(r"Seccomp_filters:\s+(\d+)", status.read_text())[1])


class Rights(unittest.TestCase):
    def test_every_thread_gives_them_up_unless_told_to_keep_them(self):
        ours = n_filters(pathlib.Path("/proc/self/status"))
        for options, more in (([], 1), (["--no-sandbox"], 0)):
            server = Server(*options)
            server.post("/generate", {"prompt": "Hello", "max_tokens": 2})
            threads = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/status")
            self.assertEqual({n_filters(status) for status in threads}, {ours + more})
            self.assertEqual(server.stop()[0], 0)


@unittest.skipUnless(can_trace(), "strace cannot trace here")
class Calls(unittest.TestCase):
    def test_after_loading_none_is_needed(self):
        log = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name)) / "calls"
        program = log.with_name("kylin")
        program.write_text(f'#!/bin/sh\nexec strace -D -f -o {log} -e trace={CALLS} -e signal=none {serving.kylin} "$@"\n')
        program.chmod(0o755)
        untraced, serving.kylin = serving.kylin, str(program)
        try:
            server = Server()
        finally:
            serving.kylin = untraced
        loading = log.read_text()
        self.assertRegex(loading, r"tiny\.gguf")  # strace sees what it should
        schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
        message = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 8}
        server.post("/generate", {"prompt": "Hello", "max_tokens": 8, "temperature": 1})
        server.events("/v1/chat/completions", {**message, "stream": True})
        server.post("/v1/chat/completions", {**message, "response_format": schema})
        server.post("/v1/embeddings", {"input": "x"})
        server.post("/encode", {"text": "x"})
        for path in ("/", "/health", "/metrics", "/slots", "/v1/models", "/model/info"):
            self.assertEqual(server.ask("GET", path)[0].status, 200)
        self.assertEqual(server.ask("POST", "/generate", b"{")[0].status, 400)
        self.assertEqual(server.ask("GET", "/../../etc/passwd")[0].status, 404)
        server.start_long("/generate_stream").close()
        server.wait_idle()
        serving_calls = log.read_text()[len(loading):]
        self.assertEqual(re.findall(r"\w+\(.*", serving_calls), [])
        self.assertEqual(server.stop()[0], 0)


if __name__ == "__main__":
    serving.main()
