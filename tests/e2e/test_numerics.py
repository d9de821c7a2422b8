#!/usr/bin/python3
"""kylin serve and its numbers: what is not finite ends one request alone, GET /numerics shows the values of an answer.

Usage: test_numerics.py KYLIN [unittest arguments]
"""
import concurrent.futures
import json
import pathlib
import shutil
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from gguf_reader import Gguf

import serving
from serving import FOLDER, LONG, MODEL, Server, complaints

F16_MAX = 65504
POISON = {"~": 0x7C00, "^": 0x7E00, "|": 0x7BFF}  # token: every scale of its embedding row, as bits of an F16
INFINITE, NAN, HUGE = POISON                      # a huge one is no error: Kylin computes in F32
Q8_0_BYTES, Q8_0_VALUES = 34, 32
N_LAYER = 4
QUADRATIC = ("attn_scores", "attn_probs")


def poisoned(ids):
    """The model of the other tests, whose embedding of some tokens is not what it was. Its output is a matrix of its own."""
    path = pathlib.Path(FOLDER.name) / "poisoned.gguf"
    shutil.copy(MODEL, path)
    gguf = Gguf(path)
    (width, _), _, offset = gguf.tensors["token_embd.weight"]
    assert "output.weight" in gguf
    with open(path, "r+b") as file:
        for token, bits in POISON.items():
            for block in range(width // Q8_0_VALUES):
                file.seek(gguf.data + offset + (ids[token] * width // Q8_0_VALUES + block) * Q8_0_BYTES)
                file.write(bits.to_bytes(2, "little"))
    return path


class Guard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        plain = Server()
        cls.ids = {token: plain.post("/encode", {"text": token})["tokens"] for token in POISON}
        assert plain.stop()[0] == 0
        assert all(len(ids) == 1 for ids in cls.ids.values()), cls.ids
        cls.ids = {token: ids[0] for token, ids in cls.ids.items()}
        # Few pages: those that a failure has written to are soon another's.
        cls.server = Server("--parallel", 4, "--kv-tokens", 1024, model=["-m", str(poisoned(cls.ids)), "-c", "256"])

    @classmethod
    def tearDownClass(cls):
        status, log = cls.server.stop()
        assert status == 0, (status, log)

    def honest(self, i):
        never = {str(id): -100 for id in self.ids.values()}
        return {"prompt": f"Story {i} " * (1 + i), "max_tokens": 60, "ignore_eos": True, "temperature": 0.8 * (i % 2), "seed": i, "logit_bias": never}

    def failed(self, path, body):
        """The error object, whichever way it comes."""
        response, data = self.server.ask("POST", path, body)
        if not response.getheader("Content-Type").startswith("text/event-stream"):
            self.assertEqual(response.status, 500, data)
            return json.loads(data)["error"]
        events = data.decode().rstrip("\n").split("\n\n")
        self.assertNotIn("[DONE]", data.decode())
        return json.loads(events[-1].removeprefix("data: "))["error"]

    def bad_requests(self):
        for token in (INFINITE, NAN):
            # In the prompt, and as the first token of the answer.
            for asked in ({"prompt": f"a{token}b"}, {"prompt": "a", "logit_bias": {str(self.ids[token]): 100}}):
                yield "/generate", asked
                yield "/generate_stream", asked
                yield "/v1/completions", asked
                yield "/v1/completions", {**asked, "stream": True, "n": 2}
            yield "/v1/chat/completions", {"messages": [{"role": "user", "content": token}]}
            yield "/v1/chat/completions", {"messages": [{"role": "user", "content": token}], "stream": True}
            yield "/v1/embeddings", {"input": token}

    def test_what_is_not_finite_ends_one_request_alone(self):
        alone = [self.server.post("/generate", self.honest(i))["tokens"] for i in range(3)]
        before = self.server.metric('kylin_answers_total{reason="length"}')
        bad = list(self.bad_requests())
        done = threading.Event()

        def go_on(i):
            answers = []
            while not done.is_set():
                answers.append(self.server.post("/generate", self.honest(i))["tokens"])
            return answers

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            running = [pool.submit(go_on, i) for i in range(3)]
            try:
                self.server.wait_for(lambda v: v["running"] == 3, "together")
                for path, body in bad:
                    error = self.failed(path, {"max_tokens": 20, "temperature": 0, **body})
                    self.assertEqual(error["type"], "server_error")
                    self.assertIn("non-finite", error["message"])
            finally:
                done.set()
            answers = [future.result() for future in running]
        for i, given in enumerate(answers):
            self.assertEqual(given, [alone[i]] * len(given))
        self.assertEqual(self.server.metric('kylin_answers_total{reason="length"}') - before, sum(map(len, answers)))
        self.assertGreaterEqual(self.server.metric('kylin_answers_total{reason="not_finite"}'), len(bad))
        self.server.wait_idle()
        self.assertEqual([self.server.post("/generate", self.honest(i))["tokens"] for i in range(3)], alone)

    def test_its_place_is_shown(self):
        for token in (INFINITE, NAN):
            response, _ = self.server.ask("POST", "/generate", {"prompt": f"a{token}b", "raw": True, "max_tokens": 5, "numerics": True})
            self.assertEqual(response.status, 500)
            answer = self.server.get("/numerics")["answer"]
            self.assertEqual(answer["id"], response.getheader("X-Request-Id"))
            first = answer["not_finite"][0]
            self.assertEqual((first["stage"], first["layer"]), ("embedding", None))
            self.assertEqual(first["nan"] + first["inf"], 256)
            self.assertLess(answer["largest"]["embedding"][0], F16_MAX)  # the other tokens of the prompt
            self.assertIn("logits", [place["stage"] for place in answer["not_finite"]])
            self.assertEqual(answer["largest"]["logits"], [None])

    def test_beyond_f16_is_seen_and_no_error(self):
        answer = self.server.post("/generate", {"prompt": HUGE, "raw": True, "max_tokens": 3, "numerics": True})
        seen = self.server.get("/numerics")["answer"]
        self.assertEqual(seen["not_finite"], [])
        self.assertEqual(seen["answer_tokens"], len(answer["tokens"]))
        self.assertGreater(seen["largest"]["embedding"][0], F16_MAX)
        self.assertEqual(self.server.metric("kylin_f16_headroom_ratio"), F16_MAX / max(x for values in seen["largest"].values() for x in values))
        self.assertEqual(complaints(self.server.ask("GET", "/metrics")[1]), "")


class Numerics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop()[0] == 0

    def numerics(self, id=None):
        return self.server.get("/numerics" + (f"?id={id}" if id else ""))

    def test_only_who_asks_is_watched(self):
        server = Server()
        server.post("/generate", {"prompt": "Hello", "max_tokens": 3})
        idle = server.get("/numerics")
        self.assertEqual((idle["format"], idle["model"]["n_layer"], idle["answer"], idle["audit"]), ("kylin.numerics/1", N_LAYER, None, None))
        self.assertEqual(server.metric("kylin_watched_answers_total"), 0)
        self.assertEqual(server.metric("kylin_f16_headroom_ratio"), float("inf"))
        self.assertEqual(server.stop()[0], 0)

    def test_all_are_watched_on_request(self):
        server = Server("--watch")
        server.post("/generate", {"prompt": "Hello", "max_tokens": 3})
        watched = server.get("/numerics")["answer"]["id"]
        server.post("/generate", {"prompt": "Hello", "max_tokens": 3, "numerics": False})
        self.assertEqual(server.get("/numerics")["answer"]["id"], watched)
        self.assertEqual(server.stop()[0], 0)

    def test_every_stage_and_layer(self):
        body = {"messages": [{"role": "user", "content": "What is it?"}], "max_tokens": 12, "temperature": 0}
        plain = self.server.post("/v1/chat/completions", body)
        whole = self.server.post("/v1/chat/completions", {**body, "numerics": True})
        self.assertEqual(whole["choices"][0]["message"], plain["choices"][0]["message"])
        shown = self.numerics()
        answer = shown["answer"]
        self.assertEqual(answer["id"], whole["id"])
        self.assertEqual(answer["prompt_tokens"], whole["usage"]["prompt_tokens"])
        self.assertEqual(answer["cached_tokens"], whole["usage"]["prompt_tokens_details"]["cached_tokens"])
        self.assertEqual(answer["answer_tokens"], whole["usage"]["completion_tokens"])
        self.assertEqual(set(answer["largest"]), {s["name"] for s in shown["stages"]} - set(QUADRATIC))
        for stage in shown["stages"]:
            if stage["name"] not in QUADRATIC:
                largest = answer["largest"][stage["name"]]
                self.assertEqual(len(largest), N_LAYER if stage["per_layer"] else 1)
                self.assertTrue(all(0 < x < F16_MAX for x in largest), stage)
        self.assertEqual(answer["not_finite"], [])

    def test_an_answer_by_its_id(self):
        ids = [self.server.post("/v1/completions", {"prompt": "One", "max_tokens": 2, "numerics": True, "n": 1 + i % 2})["id"] for i in range(18)]
        self.assertEqual(self.numerics()["answer"]["id"], ids[-1])
        self.assertEqual(self.numerics(ids[-1])["answer"]["answer_tokens"], 4)  # of two choices
        self.assertEqual(self.numerics(ids[2])["answer"]["id"], ids[2])
        for gone in (ids[1], "cmpl-0", "%2e"):
            response, data = self.server.ask("GET", f"/numerics?id={gone}")
            self.assertEqual((response.status, json.loads(data)["error"]["param"]), (404, "id"))

    def test_an_answer_that_was_broken_off(self):
        before = self.server.metric("kylin_watched_answers_total")
        s = self.server.start_long(numerics=True)
        self.server.wait_for(lambda v: v["answers"] and v["answers"][0]["answer_tokens"] > 2, "begun")
        id = self.server.get("/slots")["answers"][0]["request"]
        s.close()
        self.server.wait_idle()
        answer = self.numerics(id)["answer"]
        self.assertTrue(2 < answer["answer_tokens"] < LONG["max_tokens"])
        self.assertEqual(self.server.metric("kylin_watched_answers_total"), before + 1)


def audited(server, bodies):
    """The audit's figures when it has caught up."""
    answers = [server.post("/generate", body) for body in bodies]
    end = time.monotonic() + 400  # the audit gets nothing while others keep the machine busy
    while (figures := server.get("/numerics")["audit"])["waiting"] > 0:
        assert time.monotonic() < end, figures
        time.sleep(0.02)
    return answers, figures


QUESTIONS = [
    {"prompt": "What is the capital of France?", "max_tokens": 40},
    {"prompt": "Hello, how are you?", "max_tokens": 40, "temperature": 1.2, "seed": 7, "top_k": 0, "top_p": 1, "repetition_penalty": 1.3},
    {"prompt": "Tell me a story", "max_tokens": 40, "ignore_eos": True, "temperature": 0},
    {"prompt": "Stop here", "max_tokens": 40, "stop": [" "], "logit_bias": {"300": 3}, "n": 1},
]
SHAPED = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"enum": ["Berlin", "Paris"]}}}


class Audit(unittest.TestCase):
    def test_served_answers_are_those_of_the_oracle_nearly(self):
        found = {}
        for kv in ("f32", "f16", "q8_0"):
            server = Server("--audit", 1, "--kv", kv, model=[])
            self.assertIn("audit: 1 of the answers, up to 1024 tokens each, in up to", server.announced)
            answers, figures = audited(server, QUESTIONS)
            self.assertEqual(figures["requests"], len(QUESTIONS))
            self.assertEqual([figures[name] for name in ("share", "dropped", "too_long", "not_reproduced")], [1, 0, 0, 0])
            self.assertEqual(figures["tokens"], sum(a["usage"]["answer_tokens"] for a in answers))
            self.assertEqual(server.metric("kylin_audit_tokens_total"), figures["tokens"])
            self.assertEqual(server.metric("kylin_audit_requests_total"), len(QUESTIONS))
            self.assertEqual(server.metric("kylin_audit_kl_nats_max"), figures["kl_max"])
            self.assertLessEqual(figures["kl_mean"], figures["kl_max"])
            worst = figures["worst"]
            self.assertEqual(server.metric(f'kylin_audit_worst_stage_relative_error{{stage="{worst["stage"]}",layer="{worst["layer"]}"}}'),
                             worst["relative_error"])
            self.assertEqual(complaints(server.ask("GET", "/metrics")[1]), "")
            found[kv] = figures
            self.assertEqual(server.stop()[0], 0)
        # A coarser cache is seen, and where: F16 rounds 2^13 times coarser than F32, Q8_0 2^3 times coarser than F16.
        self.assertGreater(found["f16"]["kl_mean"], 10 * found["f32"]["kl_mean"])
        self.assertGreater(found["q8_0"]["kl_mean"], 10 * found["f16"]["kl_mean"])
        self.assertEqual((found["q8_0"]["worst"]["stage"], found["f16"]["worst"]["stage"]), ("attn_heads", "attn_heads"))
        self.assertEqual(found["f16"]["top1_agreement"], 1)

    def test_the_oracle_agrees_with_itself(self):
        server = Server("--audit", 1, "--numerics", "oracle", model=[])
        _, figures = audited(server, QUESTIONS[:1])
        self.assertLess(figures["kl_max"], 1e-12)  # its logits are read as F32
        self.assertEqual((figures["top1_agreement"], figures["worst"], figures["not_reproduced"]), (1, None, 0))
        self.assertEqual(server.stop()[0], 0)

    def test_every_kind_of_answer_is_reproduced(self):
        server = Server("--audit", 1, model=[])
        chat = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 60}
        server.post("/v1/chat/completions", {**chat, "n": 2, "temperature": 1})
        server.post("/v1/chat/completions", {**chat, "response_format": SHAPED, "temperature": 1.5, "chat_template_kwargs": {"enable_thinking": False}})
        server.post("/v1/completions", {"prompt": ["One", "Two"], "max_tokens": 5, "logprobs": 2})
        server.post("/v1/embeddings", {"input": "not an answer"})
        server.events("/generate_stream", {"prompt": "Hello", "max_tokens": 30, "stop": ["fine"]})
        _, figures = audited(server, [])
        self.assertEqual((figures["requests"], figures["not_reproduced"], figures["dropped"]), (6, 0, 0))
        self.assertEqual(server.stop()[0], 0)

    def test_bits_do_not_depend_on_it(self):
        given = []
        for options in ([], ["--audit", 1]):
            server = Server(*options)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                given.append(list(pool.map(lambda i: server.post("/generate", {"prompt": f"Story {i} " * (1 + i), "max_tokens": 40, "seed": i,
                                                                               "temperature": 0.9, "ignore_eos": True})["tokens"], range(16))))
            if options:
                self.assertLess(self.health_seconds(server), 0.5)  # of ten: it neither waits for the audit nor for the engine
            self.assertEqual(server.stop()[0], 0)
        self.assertEqual(given[0], given[1])

    def health_seconds(self, server):
        begun = time.monotonic()
        for _ in range(10):
            server.get("/health")
        return time.monotonic() - begun

    def test_too_much_and_too_long_is_left_out(self):
        server = Server("--audit", 1, "--audit-tokens", 50)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: server.post("/generate", {"prompt": "Hi", "raw": True, "max_tokens": 45, "seed": i, "temperature": 1, "ignore_eos": True}), range(40)))
        server.post("/generate", {"prompt": "Hi", "raw": True, "max_tokens": 60, "ignore_eos": True})
        figures = server.get("/numerics")["audit"]
        self.assertEqual(figures["too_long"], 1)
        self.assertEqual(server.metric('kylin_audit_skipped_total{reason="long"}'), 1)
        self.assertLessEqual(figures["waiting"], 9)  # 8, and the one in hand
        self.assertEqual(figures["requests"] + figures["waiting"] + figures["dropped"], 40)
        self.assertEqual(server.stop()[0], 0)

    def test_a_share_is_chosen(self):
        server = Server("--audit", 0.25, "--audit-tokens", 20)
        for i in range(200):
            server.post("/generate", {"prompt": "Hi", "raw": True, "max_tokens": 1})
        figures = server.get("/numerics")["audit"]
        chosen = figures["requests"] + figures["waiting"] + figures["dropped"]
        self.assertTrue(20 <= chosen <= 80, chosen)  # 50 +- 5 standard deviations of 6.1
        self.assertEqual(server.stop()[0], 0)

    def test_it_ends_in_the_middle_of_an_audit(self):
        server = Server("--audit", 1)
        server.post("/generate", {**LONG, "max_tokens": 900})
        begun = time.monotonic()
        self.assertEqual(server.stop()[0], 0)
        self.assertLess(time.monotonic() - begun, 10)


if __name__ == "__main__":
    serving.main()
