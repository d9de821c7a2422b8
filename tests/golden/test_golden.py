#!/usr/bin/env python3
"""Checks the golden numpy Qwen3 itself: against llama.cpp, and that the test models show the faults they are made for.

The part against llama.cpp needs --adapter PATH of kylin-reference-llamacpp and is skipped without.
"""
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gguf_reader
import make_model
import safetensors_io
from qwen3_numpy import Qwen3

ADAPTER = None
TOKENS = [104, 101, 97, 260, 270, 5, 271, 97, 44, 200, 13, 272]  # bytes, words, twice the tiny row, a special token
# A sum of 512 products in F32 is off by at most 512 * 2^-24 = 3e-5 of the sum of magnitudes, and four layers add up.
F32_LIMIT = 1e-4
# With narrow weights llama.cpp rounds activations too. One such rounding turned over by an F32 error turns over others behind it,
# until rows differ by a few roundings: 2^-11 of a value (F16), 1/254 of the largest in a block (Q8_0).
ROUNDINGS = 10
LIMITS = {"f32": F32_LIMIT, "f16": ROUNDINGS * 2.0**-11, "q8_0": ROUNDINGS / 254}

# matrix: the stage it reads, the stage it makes
PRODUCTS = {
    "attn_q": ("attn_norm", "q_proj"),
    "attn_k": ("attn_norm", "k_proj"),
    "attn_v": ("attn_norm", "v_proj"),
    "attn_output": ("attn_heads", "attn_out"),
    "ffn_gate": ("ffn_norm", "ffn_gate"),
    "ffn_up": ("ffn_norm", "ffn_up"),
    "ffn_down": ("ffn_act", "ffn_down"),
}


class GqaTile(Qwen3):
    def attention(self, q, k, v):
        group = self.n_head // self.n_head_kv
        self.n_head_kv, kept = self.n_head, self.n_head_kv
        result = super().attention(q, np.tile(k, (1, group, 1)), np.tile(v, (1, group, 1)))
        self.n_head_kv = kept
        return result


class RopeNorm(Qwen3):
    def rope(self, x):
        split = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
        turned = super().rope(split)
        half = self.head_dim // 2
        return np.stack([turned[..., :half], turned[..., half:]], axis=-1).reshape(x.shape)


class RopeBaseDefault(Qwen3):
    def rope(self, x):
        self.rope_base = 10000.0
        return super().rope(x)


class EpsTen(Qwen3):
    def norm(self, x, name):
        self.eps = 1e-5
        return super().norm(x, name)


class NormWeightIgnored(Qwen3):
    def norm(self, x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps)


class QueryNormMissing(Qwen3):
    def norm(self, x, name):
        return x if name.endswith("attn_q_norm.weight") else super().norm(x, name)


class GateUpSwapped(Qwen3):
    def weight(self, name):
        swapped = {"ffn_gate": "ffn_up", "ffn_up": "ffn_gate"}
        for one, other in swapped.items():
            if one in name:
                return super().weight(name.replace(one, other))
        return super().weight(name)


class HalfActivations(Qwen3):
    """llama.cpp's products with F16 weights: the activations are rounded to F16."""

    def project(self, x, name):
        return super().project(x.astype(np.float16).astype(np.float64), name)


class ByteActivations(Qwen3):
    """llama.cpp's products with Q8_0 weights: blocks of 32 activations as bytes times one F16 scale."""

    def project(self, x, name):
        blocks = np.frombuffer(make_model.encode(x, "q8_0"), np.uint8).reshape(-1, 34)
        return super().project(gguf_reader.decode_q8_0(blocks).reshape(x.shape).astype(np.float64), name)


# fault: the stage whose values must change by more than a tenth in some row
FAULTS = {
    GqaTile: "attn_heads.0",
    RopeNorm: "q_rope.0",
    RopeBaseDefault: "k_rope.0",
    EpsTen: "attn_norm.0",
    NormWeightIgnored: "attn_norm.0",
    QueryNormMissing: "q_norm.0",
    GateUpSwapped: "ffn_act.0",
}


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def compare(*arguments):
    script = os.path.join(HERE, "compare_traces.py")
    return subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True).returncode


class Golden(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def model(self, kind="f32", tied=True, seed=1):
        path = self.path(f"{kind}-{seed}.gguf")
        make_model.write_model(path, kind, 4, tied, seed)
        return path

    def trace(self, name, stages, tokens="[1]"):
        path = self.path(name)
        safetensors_io.write(path, stages, {"format": "kylin.trace/1", "tokens": tokens})
        return path

    def test_every_fault_shows(self):
        path = self.model()
        right = Qwen3(path).trace(TOKENS)
        for fault, stage in FAULTS.items():
            with self.subTest(fault=fault.__name__):
                wrong = fault(path).trace(TOKENS)
                rows = np.linalg.norm(wrong[stage] - right[stage], axis=1) / np.linalg.norm(right[stage], axis=1)
                self.assertGreater(rows.max(), 0.1)

    def test_model_has_a_massive_channel_and_a_tiny_row(self):
        stages = Qwen3(self.model()).trace(TOKENS)
        hidden = np.abs(stages["layer_out.1"])
        others = np.delete(hidden, make_model.MASSIVE_CHANNEL, axis=1)
        self.assertTrue((hidden[:, make_model.MASSIVE_CHANNEL] > 50 * np.median(others)).all())
        tiny = stages["embedding"][TOKENS.index(make_model.TINY_TOKEN)]
        self.assertLess(np.mean(tiny**2), 2 * make_model.EPS)

    def test_comparator_sees_differences(self):
        right = Qwen3(self.model()).trace(TOKENS)
        reference = self.trace("right", right)
        change = lambda **stages: {**right, **stages}
        nan = right["logits"].copy()
        nan[3, 5] = np.nan
        self.assertEqual(compare(reference, reference, "--rel", "0"), 0)
        perturbed = change(logits=right["logits"] * (1 + 1e-9))
        self.assertEqual(compare(self.trace("perturbed", perturbed), reference, "--rel", "1e-10"), 1)
        shuffled = change(**{"q_rope.2": np.roll(right["q_rope.2"], 1, axis=0)})
        self.assertEqual(compare(self.trace("shuffled", shuffled), reference, "--rel", "1e-3"), 1)
        self.assertEqual(compare(self.trace("nan", change(logits=nan)), reference), 2)
        self.assertEqual(compare(self.trace("short", change(logits=right["logits"][:-1])), reference), 2)
        self.assertEqual(compare(self.trace("tokens", right, "[2]"), reference), 2)
        missing = {name: value for name, value in right.items() if name != "ffn_up.3"}
        self.assertEqual(compare(self.trace("missing", missing), reference), 2)
        self.assertEqual(compare(self.trace("nothing", {}), reference, "--allow-missing"), 2)

    def test_decoders_equal_llama_cpp(self):
        if not ADAPTER:
            self.skipTest("no --adapter")
        rng = np.random.default_rng(7)
        values = (rng.standard_normal(256 * 200) * np.repeat(10.0 ** rng.uniform(-4, 4, 200), 256)).astype("<f4")
        values[256:512] = 0
        for name, (n_bytes, decode) in gguf_reader.DECODERS.items():
            with self.subTest(type=name):
                blocks = run(ADAPTER, "codec", "quantize", name, "256", stdin=values.tobytes())
                expected = np.frombuffer(run(ADAPTER, "codec", "dequantize", name, stdin=blocks), "<u4")
                ours = decode(np.frombuffer(blocks, np.uint8).reshape(-1, n_bytes).copy())
                np.testing.assert_array_equal(np.ascontiguousarray(ours).view("<u4").ravel(), expected)
                self.assertEqual(expected.size, values.size)

    def test_q8_0_encoder_equals_llama_cpp(self):
        if not ADAPTER:
            self.skipTest("no --adapter")
        values = np.random.default_rng(8).standard_normal((100, 256)).astype("<f4")
        self.assertEqual(make_model.encode(values, "q8_0"), run(ADAPTER, "codec", "quantize", "q8_0", "256", stdin=values.tobytes()))

    def llama_trace(self, model):
        if not ADAPTER:
            self.skipTest("no --adapter")
        path, ids = self.path("llama.safetensors"), ",".join(map(str, TOKENS))
        run(ADAPTER, "trace", "--model", model, "--tokens", ids, "--output", path)
        stages, about = safetensors_io.read(path)
        self.assertEqual(about["tokens"], "[" + ids + "]")
        return stages

    def check_rows(self, value, expected, limit, name):
        """Heads of scores and probabilities count as one row: a single score may be near zero."""
        value, expected = value.reshape(len(value), -1).astype(np.float64), expected.reshape(len(expected), -1)
        errors = np.linalg.norm(value - expected, axis=1) / np.linalg.norm(expected, axis=1)
        self.assertLess(errors.max(), limit, name)

    def test_llama_cpp_agrees(self):
        for golden, kind, tied in ((Qwen3, "f32", True), (Qwen3, "f32", False), (HalfActivations, "f16", True), (ByteActivations, "q8_0", True)):
            with self.subTest(type=kind, tied=tied):
                model = self.model(kind, tied)
                theirs, ours = self.llama_trace(model), golden(model).trace(TOKENS)
                self.assertEqual(set(theirs), set(ours))
                for name, expected in ours.items():
                    self.check_rows(theirs[name], expected, LIMITS[kind], name)

    def test_products_on_llama_cpps_own_inputs_agree(self):
        for golden, kind in ((Qwen3, "f32"), (HalfActivations, "f16"), (ByteActivations, "q8_0")):
            with self.subTest(type=kind):
                model = self.model(kind)
                theirs, ours = self.llama_trace(model), golden(model)
                made = [(f"blk.{i}.{matrix}.weight", f"{x}.{i}", f"{y}.{i}") for i in range(ours.n_layer) for matrix, (x, y) in PRODUCTS.items()]
                for weight, x, y in made + [("token_embd.weight", "final_norm", "logits")]:
                    self.check_rows(theirs[y], ours.project(theirs[x].astype(np.float64), weight), F32_LIMIT, y)


if __name__ == "__main__":
    if "--adapter" in sys.argv:
        at = sys.argv.index("--adapter")
        ADAPTER = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    unittest.main(verbosity=2)
