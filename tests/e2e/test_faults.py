#!/usr/bin/python3
"""Faults of the machine: a writer that is killed leaves the old file or the whole new one; a model that is cut short under a running server
costs the answers that need what is gone, and nothing else; a disk that is full.

Usage: test_faults.py KYLIN FAILING_IO [unittest arguments]
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import serving
from serving import FOLDER, MODEL, Server

KILLS = 100  # of each command
OLD = b"what was there before"


class KilledWriter(unittest.TestCase):
    def check(self, *command):
        folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))

        def start(name):
            return subprocess.Popen([serving.kylin, *(str(folder / name) if word == "OUTPUT" else str(word) for word in command)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        seconds = []
        for _ in range(3):
            began = time.monotonic()
            self.assertEqual(start("whole").wait(timeout=100), 0)
            seconds.append(time.monotonic() - began)
        new = (folder / "whole").read_bytes()

        def kill(i):
            path = folder / f"out{i}"
            path.write_bytes(OLD)
            process = start(path.name)
            time.sleep(sorted(seconds)[1] * 1.1 * i / KILLS)
            process.kill()
            process.wait()
            return path.read_bytes()

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = list(pool.map(kill, range(KILLS)))
        self.assertIn(OLD, found)  # some were killed in time
        self.assertEqual([i for i, content in enumerate(found) if content not in (OLD, new)], [])
        # Killed between giving the file a name and putting it in its place, it leaves a temporary file.
        strays = [name for name in os.listdir(folder) if not re.fullmatch(r"whole|out\d+", name)]
        for name in strays:
            self.assertRegex(name, r"^\.out\d+\.\d+\.\d+\.tmp$")
        for name in os.listdir(folder):
            os.unlink(folder / name)

    def test_quantize(self):
        self.check("quantize", MODEL, "OUTPUT", "--to", "q4_k_m", "--requantize")

    def test_trace(self):
        self.check("trace", "-m", MODEL, "--prompt", "Hello there", "-o", "OUTPUT")


class FullDisk(unittest.TestCase):
    def test_a_limit_on_the_size_of_files_is_an_error_and_nothing_is_written(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))
        for command in (["quantize", MODEL, folder / "out", "--to", "q4_k_m", "--requantize"],
                        ["trace", "-m", MODEL, "--prompt", "Hello", "-o", folder / "out"]):
            # SIGXFSZ is ignored, so that the write fails with EFBIG.
            done = subprocess.run(["bash", "-c", 'trap "" XFSZ; ulimit -f 64; exec "$@"', "-", serving.kylin, *map(str, command)],
                                  capture_output=True, timeout=100)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr.decode(), r"(^|\n|\r)[^\n]*error: .*out: cannot be written: File too large\n$")
            self.assertEqual(os.listdir(folder), [])


class FailingCalls(unittest.TestCase):
    """Reads and writes of files that misbehave: failing_io.cpp, preloaded."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))
        self.quantize = ["quantize", MODEL, self.folder / "out", "--to", "q4_k_m", "--requantize"]
        self.trace = ["trace", "-m", MODEL, "--prompt", "Hello", "-o", self.folder / "out"]

    def kylin(self, command, fault=None):
        environment = {**os.environ, "LD_PRELOAD": FAILING_IO, "IO_FAULT": fault} if fault else None
        return subprocess.run([serving.kylin, *map(str, command)], capture_output=True, timeout=100, env=environment)

    def written(self, command, fault=None):
        done = self.kylin(command, fault)
        self.assertEqual(done.returncode, 0, done.stderr)
        content = (self.folder / "out").read_bytes()
        os.unlink(self.folder / "out")
        return content

    def test_short_and_interrupted_calls_change_nothing(self):
        for command in (self.quantize, self.trace):
            whole = self.written(command)
            for fault in ("short", "eintr"):
                self.assertTrue(self.written(command, fault) == whole, fault)

    def test_an_embedding_that_cannot_be_read_is_looked_up_in_the_mapping(self):
        whole = self.written(self.trace)
        for n in range(1, 4):
            self.assertTrue(self.written(self.trace, f"READ {n}") == whole, n)

    def test_a_call_that_fails_is_an_error_and_nothing_is_written(self):
        for command in (self.quantize, self.trace):
            for fault, reason in (("EIO", "Input/output error"), ("ENOSPC", "No space left on device"), ("FSYNC", "Input/output error")):
                n = 1
                while (done := self.kylin(command, f"{fault} {n}")).returncode != 0 and n < 5:  # of hundreds, the first ones
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stderr.decode(), rf"error: .*out: cannot be (written|made durable): {reason}\n$")
                    self.assertEqual(os.listdir(self.folder), [])
                    n += 1
                self.assertGreater(n, 1, fault)
                (self.folder / "out").unlink(missing_ok=True)

    def test_a_trace_that_cannot_be_read(self):
        self.assertEqual(self.kylin(self.trace).returncode, 0)
        compare = ["compare", "-m", MODEL, "--against", self.folder / "out"]
        expected = self.kylin(compare)
        for fault in ("short", "eintr"):
            done = self.kylin(compare, fault)
            self.assertEqual((done.returncode, done.stdout), (expected.returncode, expected.stdout), fault)
        done = self.kylin(compare, "READ 1")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr.decode(), r"error: .*out: cannot be read: Input/output error at offset 0\n$")


class FailingSockets(unittest.TestCase):
    """Sockets that misbehave under a server: failing_io.cpp, preloaded."""

    REQUESTS = [{"prompt": f"Hello {i}", "max_tokens": 8, "temperature": 0} for i in range(4)]

    def server(self, fault=""):
        server = Server(environment={"LD_PRELOAD": FAILING_IO, "SOCKET_FAULT": fault})
        self.addCleanup(server.process.kill)
        return server

    def answers(self, server):
        whole = [server.post("/generate", request)["text"] for request in self.REQUESTS]
        streamed = [[json.loads(event) for event in server.events("/generate_stream", request)] for request in self.REQUESTS]
        return whole + ["".join(event.get("text", "") for event in events) for events in streamed]

    def leave(self, server):
        server.wait_idle()
        status, log = server.stop()
        self.assertEqual(status, 0, log)

    def test_short_and_interrupted_calls_change_nothing(self):
        server = self.server()
        expected = self.answers(server)
        self.leave(server)
        for fault in ("short", "eintr"):
            server = self.server(fault)
            self.assertEqual(self.answers(server), expected, fault)
            self.leave(server)

    def test_a_connection_that_breaks_costs_its_own_answer(self):
        server = self.server()
        expected = self.answers(server)[0]
        self.leave(server)
        for n in (4, 10, 20):  # of its calls of recv and send
            server = self.server(f"ECONNRESET {n}")
            answered = lost = 0
            for _ in range(60):
                try:
                    self.assertEqual(server.post("/generate", self.REQUESTS[0], timeout=10)["text"], expected)
                    answered += 1
                except (http.client.HTTPException, ConnectionError):
                    lost += 1
            self.assertGreater(lost, 0, n)
            self.assertGreater(answered, 0, n)
            end = time.monotonic() + 20
            while time.monotonic() < end:
                try:
                    slots = server.get("/slots")
                    if slots["running"] == slots["waiting"] == slots["kv_pages"]["used"] == 0:
                        break
                except (http.client.HTTPException, ConnectionError):
                    pass
            else:
                self.fail(f"not idle: {slots}")
            status, log = server.stop()
            self.assertEqual(status, 0, log)

    def test_without_descriptors_clients_wait_and_are_served(self):
        server = self.server("EMFILE 2")
        for _ in range(10):
            server.post("/generate", self.REQUESTS[0], timeout=10)
        self.leave(server)


class LogThatCannotBeWritten(unittest.TestCase):
    def check(self, stderr):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen([serving.kylin, "serve", "-m", str(MODEL), "-c", "256", "--port", str(port)], stderr=stderr)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request("POST", "/generate", json.dumps({"prompt": "Hello", "max_tokens": 2}))
                self.assertEqual(connection.getresponse().status, 200)
                break
            except ConnectionRefusedError:
                self.assertIsNone(process.poll())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            finally:
                connection.close()
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 0)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.check(full)

    def test_a_pipe_that_nobody_reads_any_more(self):
        ours, theirs = os.pipe()
        os.close(ours)
        with open(theirs, "wb") as pipe:
            self.check(pipe)


class ShrunkModel(unittest.TestCase):
    def test_the_server_lives_and_answers_that_need_what_is_lost_fail(self):
        path = pathlib.Path(FOLDER.name) / "shrinks.gguf"
        path.write_bytes(MODEL.read_bytes())
        server = Server(model=["-m", str(path), "-c", "256"])
        server.post("/generate", {"prompt": "Hello", "max_tokens": 4})
        os.truncate(path, 4096)
        response, data = server.ask("POST", "/generate", {"prompt": "Something else", "max_tokens": 4})
        self.assertEqual(response.status, 500, data)
        self.assertIn("non-finite", json.loads(data)["error"]["message"])
        self.assertEqual(server.get("/health"), {"status": "ok"})
        server.wait_idle()
        status, log = server.stop()
        self.assertEqual(status, 0, log)


if __name__ == "__main__":
    FAILING_IO = sys.argv.pop(2)
    serving.main()
