#!/usr/bin/python3
"""What operators see of kylin serve: metrics that Prometheus' own checker accepts and that count right, and a health check that answers
while the engine is busy.

Usage: test_observability.py KYLIN [unittest arguments]
"""
import json
import re
import socket
import statistics
import threading
import time
import unittest

import serving
from serving import WithServer, complaints


class Metrics(WithServer):
    def text(self):
        return self.server.ask("GET", "/metrics")[1].decode()

    def values(self):
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", self.text(), re.M)}

    def test_promtool_accepts_them(self):
        self.assertEqual(complaints(self.text().encode()), "")
        self.server.post("/generate", {"prompt": "Hello", "max_tokens": 3, "ignore_eos": True})
        self.server.ask("GET", '/odd"path\\')
        text = self.text()
        self.assertEqual(complaints(text.encode()), "")
        # The checker looks: a counter of another name, a metric without help, a line that is none.
        for broken in (text.replace("kylin_rejected_total", "kylin_rejected"), re.sub(r"# HELP kylin_connections.*\n", "", text), text + "odd line\n"):
            self.assertNotEqual(broken, text)
            self.assertNotEqual(complaints(broken.encode()), "")

    def test_they_count_what_happened(self):
        before = self.values()
        for n in (5, 7):
            self.server.post("/generate", {"prompt": "Hello", "max_tokens": n, "ignore_eos": True})
        self.server.ask("POST", "/generate", {"prompt": 5})
        self.server.ask("GET", "/nowhere")
        asked = self.server.post("/encode", {"text": "x"})
        self.assertEqual(asked["count"], 1)
        self.server.wait_idle()
        after = self.values()
        grown = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        n_prompt = grown.pop("kylin_prompt_tokens_total")
        self.assertGreater(n_prompt, 2)
        for name, expected in {'kylin_http_requests_total{route="/generate",status="200"}': 2,
                               'kylin_http_requests_total{route="/generate",status="400"}': 1,
                               'kylin_http_requests_total{route="other",status="404"}': 1,
                               'kylin_http_requests_total{route="/encode",status="200"}': 1,
                               'kylin_answers_total{reason="length"}': 2,
                               "kylin_answer_tokens_total": 12,
                               "kylin_time_to_first_token_seconds_count": 2,
                               "kylin_inter_token_seconds_count": 10,
                               'kylin_inter_token_seconds_bucket{le="+Inf"}': 10,
                               "kylin_answer_seconds_count": 2}.items():
            self.assertEqual(grown.get(name), expected, name)
        version = json.loads(self.server.ask("GET", "/")[1])["server"].removeprefix("kylin ")
        self.assertEqual(after[f'kylin_build_info{{version="{version}"}}'], 1)

    def test_they_count_guesses(self):
        before = self.values()
        # Strongly biased, a random model repeats itself.
        usage = self.server.post("/generate", {"prompt": "Hello", "max_tokens": 60, "ignore_eos": True, "temperature": 1, "seed": 1,
                                               "logit_bias": {"5": 9, "6": 6}})["usage"]
        self.assertGreater(usage["accepted_tokens"], 0)
        self.assertGreaterEqual(usage["drafted_tokens"], usage["accepted_tokens"])
        self.server.wait_idle()
        after = self.values()
        for name, field in {"kylin_draft_tokens_total": "drafted_tokens", "kylin_draft_tokens_accepted_total": "accepted_tokens"}.items():
            self.assertEqual(after[name] - before[name], usage[field])

    def test_gauges_follow_what_runs(self):
        busy = [self.server.start_long() for _ in range(6)]
        self.server.wait_for(lambda s: (s["running"], s["waiting"]) == (4, 2), "busy")
        values = self.values()
        self.assertGreaterEqual(values["kylin_connections"], 6)
        for s in busy:
            s.close()
        self.assertEqual(values["kylin_answers_running"] + values["kylin_answers_waiting"], 6)
        self.assertGreater(values["kylin_kv_pages_used"], 0)
        self.server.wait_idle()
        values = self.values()
        self.assertEqual([values[f"kylin_{name}"] for name in ("answers_running", "answers_waiting", "kv_pages_used")], [0, 0, 0])


class Echo:
    """One byte there and back: what the machine itself takes for a round trip to another busy process, at this moment."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        self.socket = socket.create_connection(self.listener.getsockname())

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            while byte := peer.recv(1):
                peer.sendall(byte)

    def ask(self):
        self.socket.sendall(b"x")
        assert self.socket.recv(1) == b"x"

    def close(self):
        self.socket.close()
        self.listener.close()


class Health(WithServer):
    def test_it_answers_within_10_ms_while_the_engine_is_saturated(self):
        stop = threading.Event()

        def keep_busy():
            while not stop.is_set():
                self.server.post("/generate", {"prompt": "Hello " * 60, "max_tokens": 600, "ignore_eos": True})

        threads = [threading.Thread(target=keep_busy) for _ in range(8)]
        for thread in threads:
            thread.start()
        echo = Echo()
        self.server.wait_for(lambda s: s["running"] == 4 and s["waiting"] > 0, "saturated")
        beyond = []
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as s:
            for _ in range(100):
                times = []
                for ask in (echo.ask, lambda: (s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), s.recv(4096))):
                    begun = time.monotonic()
                    ask()
                    times.append(time.monotonic() - begun)
                beyond.append(times[1] - times[0])
                time.sleep(0.005)
        self.assertGreater(self.server.get("/slots")["running"], 0)
        stop.set()
        for thread in threads:
            thread.join()
        echo.close()
        # Other work on the machine delays both round trips alike, and stops a few of them for long: so the median, and the difference.
        self.assertLess(statistics.median(beyond), 0.010)
        self.server.wait_idle()


if __name__ == "__main__":
    serving.main()
