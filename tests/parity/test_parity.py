#!/usr/bin/env python3
"""Kylin's numbers against two that share nothing with it: an independent float64 Qwen3 in numpy, and llama.cpp.

Usage: test_parity.py --kylin PATH [--adapter PATH of kylin-reference-llamacpp]. Without the adapter its part is skipped.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
sys.path.insert(0, GOLDEN)
import safetensors_io

OPTIONS = None
TOKENS = "104,101,97,260,270,5,271,97,44,200,13,272"  # bytes, words, twice the tiny row, a special token

# The largest absolute difference that the first description of this engine allowed, stage by stage.
SEED_LIMITS = {"embedding": 1e-5, "q_norm": 1e-4, "k_norm": 1e-4, "attn_heads": 1e-3, "attn_out": 1e-3, "ffn_act": 1e-3, "ffn_down": 1e-3,
               "logits": 0.1}


def run(*command):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)


def make_model(folder, kind, tied, *options):
    path = os.path.join(folder, f"{kind}-{'tied' if tied else 'untied'}.gguf")
    run(sys.executable, os.path.join(GOLDEN, "make_model.py"), path, "--type", kind, *([] if tied else ["--untied"]), *options)
    return path


def trace(model, folder, *options):
    path = os.path.join(folder, "kylin.safetensors")
    run(OPTIONS.kylin, "trace", "-m", model, "--tokens", TOKENS, "-o", path, *options)
    return safetensors_io.read(path)[0]


def rows(values):
    return values.reshape(-1, values.shape[-1])


def relative(a, b):
    """The largest |a - b| / |b| of a row."""
    error, size = np.linalg.norm(rows(a - b), axis=1), np.linalg.norm(rows(b), axis=1)
    return np.max(error / np.maximum(size, np.finfo(float).tiny))


class Oracle(unittest.TestCase):
    def test_agrees_with_numpy_on_every_stage(self):
        every = "embedding,attn_norm,q_proj,k_proj,v_proj,q_norm,k_norm,q_rope,k_rope,attn_scores,attn_probs,attn_heads,attn_out," \
                "attn_residual,ffn_norm,ffn_gate,ffn_up,ffn_act,ffn_down,layer_out,final_norm,logits"
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("f32", "f16", "q8_0"):
                for tied in (True, False):
                    with self.subTest(kind=kind, tied=tied):
                        model, golden = make_model(folder, kind, tied), os.path.join(folder, "golden.safetensors")
                        run(sys.executable, os.path.join(GOLDEN, "qwen3_numpy.py"), model, "--tokens", TOKENS, "--output", golden)
                        want, got = safetensors_io.read(golden)[0], trace(model, folder, "--numerics", "oracle", "--stages", every)
                        self.assertEqual(sorted(want), sorted(got))
                        for name, b in want.items():
                            # float64 sums of 512 products: 512 * 2^-53 = 6e-14 of the sum of magnitudes, and four layers add up.
                            # A score may be near zero beside its terms; its error is judged against the probabilities it makes.
                            if not name.startswith("attn_scores"):
                                self.assertLess(relative(got[name].reshape(b.shape), b), 1e-12, name)

    def test_decodes_as_it_prefills(self):
        with tempfile.TemporaryDirectory() as folder:
            model = make_model(folder, "f32", True)
            for numerics in ("fast", "layercast", "oracle"):
                whole = trace(model, folder, "--numerics", numerics, "--decode", "20")
                path = os.path.join(folder, "again.safetensors")
                tokens = safetensors_io.read(os.path.join(folder, "kylin.safetensors"))[1]["tokens"].strip("[]").replace(" ", "")
                run(OPTIONS.kylin, "trace", "-m", model, "--tokens", tokens, "-o", path, "--numerics", numerics)
                again = safetensors_io.read(path)[0]
                for name, values in whole.items():
                    self.assertTrue(np.array_equal(values, again[name]), f"{numerics} {name}")


class LlamaCpp(unittest.TestCase):
    def setUp(self):
        if not OPTIONS.adapter:
            self.skipTest("no llama.cpp reference: reference/install, then build again")

    def largest_differences(self, *options):
        """By stage, over every layer and token of a model in F32."""
        with tempfile.TemporaryDirectory() as folder:
            model, path = make_model(folder, "f32", True, *options), os.path.join(folder, "llama.safetensors")
            run(OPTIONS.adapter, "trace", "--model", model, "--tokens", TOKENS, "--output", path)
            want, got = safetensors_io.read(path)[0], trace(model, folder, "--kv", "f32")
            largest = {}
            for name, a in got.items():
                stage = name.split(".")[0]
                b = want[name].reshape(a.shape)
                self.assertTrue(np.isfinite(a).all() and np.isfinite(b).all(), name)
                largest[stage] = max(largest.get(stage, 0), np.abs(a - b).max())
                # 512 products in F32: 512 * 2^-24 = 3e-5 of the sum of magnitudes, and four layers add up.
                self.assertLess(relative(a, b), 1e-4, name)
            return largest

    def test_every_layer_is_within_the_thresholds_on_an_f32_model(self):
        largest = self.largest_differences()
        for stage, limit in SEED_LIMITS.items():
            self.assertLess(largest[stage], limit, stage)
            print(f"{stage:<12} largest difference {largest[stage]:.1e}, threshold {limit:.0e}")

    def test_scaled_rope_agrees(self):
        plain = self.largest_differences()
        for kind in ("linear", "yarn"):
            with self.subTest(kind=kind):
                self.assertLess(self.largest_differences("--rope-scaling", kind)["q_rope"], 10 * plain["q_rope"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kylin", required=True)
    parser.add_argument("--adapter", default="")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
