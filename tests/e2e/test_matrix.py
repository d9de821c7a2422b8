#!/usr/bin/python3
"""The promise of determinism, from outside: one hash for each prompt, over threads, steps, instruction sets, guesses, cached prefixes,
company and cancelled neighbours. A hash covers the text and every log probability, to the last bit.

Usage: test_matrix.py KYLIN [--table] [unittest arguments]     --table prints what docs/determinism.md shows
"""
import concurrent.futures
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import unittest

import serving

TYPES = ("q4_k_m", "q8_0", "f16")
N_ANSWER = 32
# Lengths around a KV page of 64 and a step; every other one is drawn. Two tokens are favoured, so that guesses come right and wrong.
LENGTHS = (1, 63, 64, 65, 130, 300)
BASE = {"threads": 1, "ubatch": 256, "draft": 0, "parallel": 1, "kv": "f16"}
VARIED = [{}, {"threads": 2}, {"threads": 3}, {"ubatch": 1}, {"ubatch": 33}, {"draft": 7}, {"draft": 64, "threads": 2}, {"parallel": 8, "threads": 2},
          {"parallel": 8, "ubatch": 17, "draft": 7}, {"parallel": 3, "ubatch": 300, "threads": 3, "draft": 7}, {"isa": "avx2"}, {"isa": "avx_vnni"}, {"isa": "avx512"},
          {"isa": "avx512_cascade_lake"}, {"isa": "avx512_intel"}, {"isa": "neon"}]
SLOW = [{"isa": "scalar"}]  # once is enough: the kernels' own tests compare every type
TABLE = []


def body(i):
    draw = random.Random(i)
    return {"prompt": [draw.randrange(10, 250) for _ in range(LENGTHS[i])], "max_tokens": N_ANSWER, "ignore_eos": True, "logprobs": 3, "seed": i,
            "temperature": 1.1 * (i % 2), "logit_bias": {"70": 7, "71": 6}, "repetition_penalty": 1 + 0.1 * (i % 3)}


def digest(answer):
    choice = answer["choices"][0]
    assert answer["usage"]["completion_tokens"] == len(choice["logprobs"]["tokens"]) == N_ANSWER
    return hashlib.sha256(json.dumps([choice["text"], choice["logprobs"]]).encode()).hexdigest()[:12]


def available(isa):
    done = subprocess.run([serving.kylin, "bench", "-m", serving.MODEL, "--isa", isa, "-p", "1", "-n", "0", "-r", "1"], capture_output=True)
    return done.returncode == 0


class Matrix(unittest.TestCase):
    def ask(self, server, i, **more):
        answer = server.post("/v1/completions", {**body(i), **more}, timeout=600)  # with sanitizers, company of eight takes minutes
        self.usage.append(answer["usage"])
        return digest(answer)

    def in_company(self, server, cancel):
        """All prompts at once, beside strangers that may be cancelled in the middle."""
        strangers = [server.start_long(prompt=f"Stranger {n} " * 20, seed=n, temperature=1, max_tokens=100) for n in range(4)]
        with concurrent.futures.ThreadPoolExecutor(len(LENGTHS)) as pool:
            running = [pool.submit(self.ask, server, i) for i in range(len(LENGTHS))]
            if cancel:
                for stranger in strangers:
                    stranger.close()
            hashes = [answer.result() for answer in running]
        for stranger in strangers:
            stranger.close()
        server.wait_idle()
        return hashes

    def hashes(self, model, setting):
        options = [word for name, value in setting.items() if name != "threads" for word in (f"--{name}", value)]
        server = serving.Server(*options, "--queue", 32, "--kv-tokens", 8192, model=["-m", str(model), "-c", str(serving.N_CTX)],
                                threads=setting["threads"])
        self.usage = []
        phases = {"alone": [self.ask(server, i) for i in range(len(LENGTHS))], "again": [self.ask(server, i) for i in range(len(LENGTHS))]}
        cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in self.usage[len(LENGTHS):]]
        self.assertGreaterEqual(min(cached[1:]), 62)  # the phase is what its name says: all but the last token of the prompt were there
        accepted = sum(usage["completion_tokens_details"]["accepted_prediction_tokens"] for usage in self.usage)
        self.assertEqual(accepted > 0, setting["draft"] > 0)
        phases["in company"] = self.in_company(server, cancel=False)
        phases["beside cancelled ones"] = self.in_company(server, cancel=True)
        self.assertEqual(server.stop()[0], 0)
        return phases

    def check(self, kind, settings):
        model = pathlib.Path(serving.FOLDER.name) / f"{kind}.gguf"
        if not model.exists():
            subprocess.run([serving.kylin, "synth", "--like", "tiny", "--type", kind, str(model)], check=True, capture_output=True)
        expected = None
        for varied in settings:
            if "isa" in varied and not available(varied["isa"]):
                TABLE.append((kind, varied, "not on this machine", None))
                continue
            for phase, hashes in self.hashes(model, {**BASE, **varied}).items():
                expected = expected or hashes
                TABLE.append((kind, varied, phase, hashes))
                with self.subTest(kind=kind, varied=varied, phase=phase):
                    self.assertEqual(hashes, expected)
        self.assertEqual(len(set(expected)), len(LENGTHS))
        return expected

    def test_one_hash_for_each_prompt(self):
        found = [self.check(kind, VARIED + (SLOW if kind == TYPES[0] else [])) for kind in TYPES]
        self.assertEqual(len({hashes[0] for hashes in found}), len(TYPES))  # the hash sees the model

    def test_each_cache_type_has_its_own_bits_and_keeps_them(self):
        for kv in ("q8_0", "f32"):
            some = [{"kv": kv, **varied} for varied in ({}, {"threads": 3, "draft": 7}, {"parallel": 8, "ubatch": 33, "draft": 7}, {"isa": "avx2"})]
            self.assertNotEqual(self.check("q4_k_m", some), self.check("q4_k_m", [{}]))


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def show():
    """The hashes of the first phase, then for every setting how many of its phases had the same."""
    expected, settings = {}, {}
    for kind, varied, phase, hashes in TABLE:
        column = f"{kind}, KV {varied.get('kv', BASE['kv'])}"
        expected.setdefault(column, hashes)
        name = ", ".join(f"{key} {value}" for key, value in varied.items() if key != "kv") or "threads 1, ubatch 256, draft 0, parallel 1"
        settings.setdefault(name, {}).setdefault(column, {})[phase] = hashes and hashes == expected[column]
    row("weights, cache", *(f"prompt of {n}" for n in LENGTHS))
    row(*["---"] * (1 + len(LENGTHS)))
    for column, hashes in expected.items():
        row(column, *(f"`{h}`" for h in hashes))
    print()
    row("setting", *expected)
    row(*["---"] * (1 + len(expected)))
    for name, columns in settings.items():
        row(name, *(" ".join(sorted({f"{sum(columns[c].values())} of {len(columns[c])}" if None not in columns[c].values() else "not on this machine"}))
                    if c in columns else "" for c in expected))


if __name__ == "__main__":
    wants_table = "--table" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--table"]
    try:
        serving.main()
    finally:
        if wants_table:
            show()
