#!/usr/bin/env python3
"""Kylin against llama.cpp, stage by stage, with the thresholds and the test names of the first description of this engine.

On an F32 model every layer's largest absolute difference stays below the threshold. On F16, Q8_0 and Q4_K_M both engines round their
inputs, so the tolerance is the oracle's: the certified bound of each stage, given that stage's own inputs.

Usage: test_stages.py --kylin PATH --adapter PATH of kylin-reference-llamacpp
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

OPTIONS = None
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
TOKENS = "104,101,97,260,270,5,271,97,44,200,13,272"  # bytes, words, twice the row whose size is near eps, a special token
N_LAYER, N_DECODE = 4, 3


def compare(kind):
    """The report of one comparison, decoded tokens included; made once per type."""
    if kind not in REPORTS:
        with tempfile.TemporaryDirectory() as folder:
            model, report = os.path.join(folder, "f32.gguf"), os.path.join(folder, "report.json")
            subprocess.run([sys.executable, os.path.join(GOLDEN, "make_model.py"), model, "--layers", str(N_LAYER)], check=True)
            if kind != "f32":
                wide, model = model, os.path.join(folder, f"{kind}.gguf")
                subprocess.run([OPTIONS.kylin, "quantize", wide, model, "--to", kind], check=True, stdout=subprocess.DEVNULL)
            done = subprocess.run([OPTIONS.kylin, "compare", "-m", model, "--against", "llama.cpp", "--tokens", TOKENS, "--decode", str(N_DECODE),
                                   "--kv", "f32", "--output", report], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env={**os.environ, "KYLIN_REFERENCE": os.path.dirname(OPTIONS.adapter)})
            assert done.returncode == 0, done.stdout + done.stderr
            with open(report) as file:
                REPORTS[kind] = json.load(file)
    return REPORTS[kind]


REPORTS = {}


class Stages(unittest.TestCase):
    def check(self, *stages):
        for kind in ("f32", "f16", "q8_0", "q4_k_m"):
            report = compare(kind)
            self.assertEqual(len(report["tokens"]), len(TOKENS.split(",")) + N_DECODE)
            for stage in stages:
                cells = [c for c in report["cells"] if c["stage"] == stage]
                self.assertEqual([c["layer"] for c in cells], [None] if cells[0]["layer"] is None else list(range(N_LAYER)))
                for c in cells:
                    with self.subTest(kind=kind, stage=stage, layer=c["layer"]):
                        self.assertIn(c["verdict"], ("exact", "rounding", "noise"))
                        if c["bound"]["ours"] is not None:
                            self.assertLessEqual(c["bound"]["ours"], 1)
                            self.assertLessEqual(c["bound"]["reference"], 1)
                        if kind == "f32" and c["threshold"]:
                            self.assertLess(c["local"]["max_abs"], c["threshold"])
                            self.assertLess(c["accumulated"]["max_abs"], c["threshold"])
                            largest = max(largest, c["accumulated"]["max_abs"]) if c["layer"] else c["accumulated"]["max_abs"]
                            if c is cells[-1]:
                                print(f"{stage:<10} F32: largest difference {largest:.1e}, threshold {c['threshold']:.0e}")

    def test_embedding(self):
        self.check("embedding")

    def test_rope_type(self):
        self.check("q_rope", "k_rope")

    def test_qk_norm(self):
        self.check("q_norm", "k_norm")

    def test_attention(self):
        self.check("attn_norm", "q_proj", "k_proj", "v_proj", "attn_scores", "attn_probs", "attn_heads", "attn_out", "attn_residual")

    def test_ffn(self):
        self.check("ffn_norm", "ffn_gate", "ffn_up", "ffn_act", "ffn_down", "layer_out")

    def test_logits(self):
        self.check("final_norm", "logits")
        for kind in ("f32", "f16", "q8_0", "q4_k_m"):
            self.assertIsNone(compare(kind)["logits"]["first_difference"], kind)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kylin", required=True)
    parser.add_argument("--adapter", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
