"""A kylin serve to ask, for tests from outside. A test file ends with serving.main()."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

kylin = None  # the program, from main()
FOLDER = tempfile.TemporaryDirectory()
MODEL = pathlib.Path(FOLDER.name) / "tiny.gguf"
N_CTX = 1024
LONG = {"prompt": "Hello", "max_tokens": 1000, "ignore_eos": True, "temperature": 0}


class Server:
    """A running server on a port of its own."""

    def __init__(self, *args, model=None, threads=2, environment=None):
        model = ["-m", str(MODEL), "-c", str(N_CTX)] if model is None else model
        # A file: a pipe that nobody reads would fill up with the log, and stop the server.
        self.log = tempfile.NamedTemporaryFile(dir=FOLDER.name)
        self.process = subprocess.Popen([kylin, "serve", "--port", "0", "-t", str(threads), *model, *map(str, args)], stderr=self.log,
                                        stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        end = time.monotonic() + 60
        while self.read_log().count("\n") < 4:
            assert self.process.poll() is None and time.monotonic() < end, self.read_log()
            time.sleep(0.02)
        self.announced = self.read_log()
        self.port = int(re.search(r"listens on http://\S+:(\d+)\n", self.announced).group(1))

    def read_log(self):
        return pathlib.Path(self.log.name).read_text()

    def ask(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, text, headers or {})
            response = connection.getresponse()
            return response, response.read()

    def get(self, path, **kwargs):
        response, data = self.ask("GET", path, **kwargs)
        assert response.status == 200, (response.status, data)
        return json.loads(data)

    def post(self, path, body, **kwargs):
        response, data = self.ask("POST", path, body, **kwargs)
        assert response.status == 200, (response.status, data)
        return json.loads(data)

    def events(self, path, body):
        response, data = self.ask("POST", path, body)
        assert response.status == 200, (response.status, data)
        assert response.getheader("Content-Type").startswith("text/event-stream")
        events = data.decode().split("\n\n")
        assert events.pop() == ""
        return [e.removeprefix("data: ") for e in events]

    def raw(self, data, timeout=10):
        """What comes back until the server closes or falls silent for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            s.sendall(data)
            s.settimeout(1)
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
            except (TimeoutError, ConnectionResetError):
                pass
            return got

    def start_long(self, path="/generate", **more):
        """A client that has asked for a long answer and not yet read it."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        body = json.dumps({**LONG, **more}).encode()
        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
        return s

    def metric(self, name):
        _, data = self.ask("GET", "/metrics")
        return float(re.search(rf"^{re.escape(name)} (\S+)$", data.decode(), re.M).group(1))

    def wait_for(self, condition, what, timeout=20):
        end = time.monotonic() + timeout
        while not condition(self.get("/slots")):
            assert time.monotonic() < end, f"not {what}: {self.get('/slots')}"
            time.sleep(0.01)

    def wait_idle(self):
        self.wait_for(lambda s: s["running"] == s["waiting"] == s["kv_pages"]["used"] == 0 and not s["answers"], "idle")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        with self.log:
            return status, self.read_log()


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status, log = cls.server.stop()
        assert status == 0, (status, log)

    def refused(self, status, *words, path="/generate", body=None, method="POST", headers=None):
        response, data = self.server.ask(method, path, body, headers)
        self.assertEqual(response.status, status, data)
        error = json.loads(data)["error"]
        self.assertEqual(list(error), ["message", "type", "param", "code"])
        for word in words:
            self.assertIn(str(word), error["message"])
        return error


def complaints(metrics):
    """What promtool says about them; empty when it is content."""
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, timeout=60)
    said = (done.stdout + done.stderr).decode()
    return said or (f"status {done.returncode}" if done.returncode else "")


def main():
    """Runs the tests of the file that was started: FILE KYLIN [unittest arguments]"""
    global kylin
    kylin = str(pathlib.Path(sys.argv.pop(1)).resolve())
    made = subprocess.run([kylin, "synth", "--like", "tiny", "--type", "q8_0", str(MODEL)], capture_output=True)
    assert made.returncode == 0, made.stderr
    unittest.main(warnings="error")
