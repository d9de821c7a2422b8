#!/usr/bin/python3
"""A storm of clients (tests/load/load.py), what it leaves behind in kylin serve, and that its checks can fail.

Usage: test_load.py KYLIN [unittest arguments]
"""
import http.server
import itertools
import json
import pathlib
import subprocess
import sys
import threading
import time
import unittest

import serving
from serving import N_CTX, Server

DRIVER = pathlib.Path(__file__).parents[1] / "load" / "load.py"


def drive(port, *args):
    done = subprocess.run([sys.executable, DRIVER, "--url", f"127.0.0.1:{port}", "--json", *map(str, args)], capture_output=True, timeout=500)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr.decode()


class Storm(unittest.TestCase):
    def test_64_clients_among_misdeeds_lose_nothing(self):
        # The cache holds one whole context: a page that the storm loses is missed at the end.
        server = Server("--parallel", 8, "--queue", 20, "--kv-tokens", N_CTX)
        status, report, errors = drive(server.port, "--streams", "1,64", "--rounds", 3, "--answer", 40, "--slow", 0.1, "--pause", 0.02, "--hostile", 24,
                                       "--check", "--idle-seconds", 240, "--pid", server.process.pid)  # long: the machine may be busy with other work
        self.assertEqual((status, report.get("problems")), (0, []), errors)
        storm = report["rows"][1]
        self.assertEqual((storm["answers"], storm["failed"]), (192, 0))
        self.assertGreater(storm["refused_429"], 0)  # the queue was full at times, and they got in later
        self.assertEqual(storm["answer_tokens"], (192 - 18) * 40)
        for misdeed in ("in the head", "in the body", "waiting", "in the stream", "never reads", "malformed: 400"):
            self.assertGreater(storm["misdeeds"].get(misdeed, 0), 0, misdeed)
        self.assertGreater(server.metric("kylin_abandoned_total"), 0)
        whole = server.post("/generate", {"prompt": "x", "raw": True, "max_tokens": N_CTX - 1, "ignore_eos": True, "temperature": 0})
        self.assertEqual(whole["usage"]["answer_tokens"], N_CTX - whole["usage"]["prompt_tokens"])
        self.assertEqual(server.stop()[0], 0)


class Fickle(http.server.BaseHTTPRequestHandler):
    """Answers everything with 200 and never twice alike, and is never idle."""
    protocol_version = "HTTP/1.1"
    count = itertools.count()

    def reply(self):
        busy = {"running": 1, "waiting": 0, "kv_pages": {"used": 3}, "answers": []}
        text = {"choices": [{"text": f"{next(self.count)}", "finish_reason": "length"}], "usage": {"prompt_tokens": 1, "completion_tokens": 4}}
        body = (json.dumps(busy) if self.path == "/slots" else f"data: {json.dumps(text)}\n\ndata: [DONE]\n\n").encode()
        time.sleep(0.02)  # a storm lasts as long as its honest clients: some misdeeds have to fit in
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = reply

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # a hostile client has gone


class Checks(unittest.TestCase):
    def test_they_fail_where_they_should(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fickle) as fickle:
            threading.Thread(target=fickle.serve_forever, daemon=True).start()
            port = fickle.server_address[1]
            self.assertEqual(drive(port, "--streams", 2, "--answer", 4)[0], 0)
            status, report, _ = drive(port, "--streams", 2, "--answer", 4, "--rounds", 40, "--hostile", 16, "--check", "--idle-seconds", 0.2)
            fickle.shutdown()
        self.assertEqual(status, 1)
        problems = "\n".join(report["problems"])
        for words in ("not idle 0.2 s after", "but alone '", "times status 200 for what is no request"):
            self.assertIn(words, problems)

    def test_a_server_that_refuses_fails_its_clients(self):
        server = Server("--parallel", 1)
        status, report, errors = drive(server.port, "--streams", 3, "--prompt", N_CTX)
        self.assertEqual((status, report["rows"][0]["failed"]), (1, 3))
        self.assertIn("status 400", errors)
        server.stop()
        self.assertEqual(drive(server.port, "--streams", 1)[0], 1)


if __name__ == "__main__":
    serving.main()
