#!/usr/bin/env python3
"""kylin compare from outside: faults of another engine are found and blamed rightly, and what cannot be compared is refused with status 2.

The other engine is the numpy model of tests/golden, which shares no code with Kylin. Usage: test_compare.py --kylin PATH
"""
import argparse
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import make_model
import safetensors_io
from qwen3_numpy import Qwen3
from test_golden import FAULTS

OPTIONS = None
TOKENS = [104, 101, 97, 260, 270, 5, 271, 97, 44, 200, 13, 272]
ABOUT = {"format": "kylin.trace/1", "engine": "numpy", "numerics": "float64", "tokens": json.dumps(TOKENS), "n_prompt": str(len(TOKENS))}


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.model = cls.path("model.gguf")
        make_model.write_model(cls.model, "f32", 4, True, 1)
        cls.right = Qwen3(cls.model).trace(TOKENS)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    def compare(self, stages, about=ABOUT, options=(), dtype="<f4"):
        trace = self.path("trace.safetensors")
        safetensors_io.write(trace, {name: value.astype(dtype) for name, value in stages.items()}, about)
        return self.against(trace, *options)

    def against(self, trace, *options):
        report = self.path("report.json")
        if os.path.exists(report):
            os.remove(report)
        done = subprocess.run([OPTIONS.kylin, "compare", "-m", self.model, "--kv", "f32", "--against", trace, "--output", report, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        self.report = json.loads(pathlib.Path(report).read_text()) if os.path.exists(report) else None
        self.said = done.stdout + done.stderr
        return done.returncode

    def assertRefused(self, status, *words):
        self.assertEqual(status, 2, self.said)
        self.assertEqual(len([line for line in self.said.splitlines() if line.startswith("error: ")]), 1, self.said)
        for word in words:
            self.assertIn(word, self.said)

    def test_a_right_engine_is_at_parity(self):
        for dtype in ("<f4", "<f8"):
            self.assertEqual(self.compare(self.right, dtype=dtype), 0, self.said)
            self.assertEqual(self.report["verdict"], "parity")
            self.assertEqual(len(self.report["cells"]), 4 * 19 + 3)

    def test_the_documented_writer_works(self):
        text = (pathlib.Path(__file__).parents[2] / "docs" / "trace-format.md").read_text()
        scope = {}
        exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), scope)
        path = self.path("documented.safetensors")
        scope["write_trace"](path, TOKENS, self.right, "mine", "float64")
        self.assertEqual(self.against(path), 0, self.said)
        self.assertEqual(self.report["reference"], {"engine": "mine", "numerics": "float64"})

    def test_every_fault_is_located_and_the_reference_blamed(self):
        for fault, stage in FAULTS.items():
            with self.subTest(fault=fault.__name__):
                self.assertEqual(self.compare(fault(self.model).trace(TOKENS)), 1, self.said)
                found = self.report["first_divergence"]
                # The stage that the fault's test looks at is not always the first that shows it.
                first = {"k_rope.0": "q_rope.0", "attn_heads.0": "attn_scores.0", "ffn_act.0": "ffn_gate.0"}.get(stage, stage)
                self.assertEqual(trace_name(found), first)
                self.assertEqual(found["wrong"], "reference")

    def test_a_fault_shows_where_it_first_acts(self):
        for name in ("layer_out.2", "k_norm.3", "final_norm", "logits", "attn_probs.1", "attn_scores.3"):
            with self.subTest(stage=name):
                wrong = dict(self.right)
                wrong[name] = wrong[name] * (1 + 1e-3)
                self.assertEqual(self.compare(wrong), 1, self.said)
                found = self.report["first_divergence"]
                self.assertEqual(trace_name(found), name)

    def test_missing_stages_are_named_and_judge_nothing(self):
        some = {name: value for name, value in self.right.items() if not name.startswith(("attn_scores", "attn_probs", "ffn_gate"))}
        self.assertEqual(self.compare(some), 0, self.said)
        self.assertIn("ffn_gate.2", self.report["missing"])
        verdicts = {trace_name(c): c["verdict"] for c in self.report["cells"]}
        self.assertEqual(verdicts["ffn_act.1"], "not judged")
        self.assertIn(verdicts["attn_heads.1"], ("rounding", "exact"))
        self.assertRefused(self.compare(some, options=("--stages", "logits,ffn_gate")), "ffn_gate.0", "missing")

    def test_rows_of_some_tokens(self):
        last = dict(self.right, logits=self.right["logits"][-1:])
        about = dict(ABOUT, **{"rows.logits": json.dumps([len(TOKENS) - 1])})
        self.assertEqual(self.compare(last, about), 0, self.said)
        self.assertRefused(self.compare(last), "logits", "shape")

    def test_nan_is_refused_and_located(self):
        wrong = dict(self.right)
        wrong["k_proj.2"] = wrong["k_proj.2"].copy()
        wrong["k_proj.2"][3, 7] = np.nan
        self.assertRefused(self.compare(wrong), "k_proj.2", "token 3")
        self.assertEqual(self.report["outliers"]["first_not_finite"], {"engine": "reference", "stage": "k_proj", "layer": 2, "token": 3})

    def test_what_does_not_fit_is_refused(self):
        self.assertRefused(self.compare(dict(self.right, logits=self.right["logits"][:, :-1])), "logits", "shape")
        self.assertRefused(self.compare(self.right, dict(ABOUT, tokens="[1, 2]", n_prompt="2")), "shape")
        self.assertRefused(self.compare(self.right, dict(ABOUT, tokens=json.dumps([1 << 20] * 12))), "token")
        self.assertRefused(self.compare(self.right, dict(ABOUT, n_prompt="13")), "n_prompt")
        self.assertRefused(self.compare(self.right, dict(ABOUT, format="other")), "kylin.trace/1")
        self.assertRefused(self.compare({"something": np.ones((12, 2))}), "no stage in common")
        self.assertRefused(self.compare(self.right, options=("--prompt", "Hello")), "tokens come from the trace")

    def test_hostile_files_are_refused(self):
        trace = self.path("hostile.safetensors")
        safetensors_io.write(trace, {"embedding": self.right["embedding"].astype("<f4")}, ABOUT)
        whole = pathlib.Path(trace).read_bytes()
        n_header = struct.unpack("<Q", whole[:8])[0]

        def refuse(content, *words):
            with open(trace, "wb") as file:
                file.write(content)
            self.assertRefused(self.against(trace), *words)

        for cut in (0, 4, 8, 50, 8 + n_header, len(whole) - 1):
            refuse(whole[:cut])
        refuse(struct.pack("<Q", 2**63) + whole[8:], "header")
        refuse(whole[:8] + b"\xff" * n_header + whole[8 + n_header:], "header")
        refuse(whole[:8] + b"[" * n_header + whole[8 + n_header:], "header")
        header = whole[8:8 + n_header]
        for old, new in ((b'"F32"', b'"I64"'), (b"[12, 256]", b"[12,1e99]"), (b"[12, 256]", b"[-1, 256]"), (b"[12, 256]", b"[1,30720]"),
                         (b'"data_offsets": [0,', b'"data_offsets": [4,'), (b'"shape"', b'"shapf"')):
            self.assertIn(old, header)
            self.assertEqual(len(old), len(new))
            refuse(whole[:8] + header.replace(old, new) + whole[8 + n_header:])
        self.assertRefused(self.against("/dev/zero"), "regular file")
        self.assertRefused(self.against(self.folder))
        self.assertRefused(self.against(self.path("nowhere")), "nowhere")

    def test_a_reference_that_is_missing_or_dies_leaves_the_oracle(self):
        folder = self.path("references")
        os.makedirs(folder, exist_ok=True)
        program = os.path.join(folder, "kylin-reference-llamacpp")
        for script, word in ((None, "not found"), ("kill -SEGV $$", "Segmentation fault"), ("echo out of luck >&2; exit 3", "out of luck")):
            if script:
                with open(program, "w") as file:
                    file.write(f"#!/bin/sh\n{script}\n")
                os.chmod(program, 0o755)
            for chosen, status in (((), 0), (("--against", "llama.cpp"), 2)):
                done = subprocess.run([OPTIONS.kylin, "compare", "-m", self.model, "--tokens", "1,2,3", *chosen], capture_output=True, text=True,
                                      env={**os.environ, "KYLIN_REFERENCE": folder})
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(word, done.stderr)
                self.assertIn("Parity with the float64 oracle", done.stdout)


def trace_name(cell):
    return cell["stage"] if cell["layer"] is None else f"{cell['stage']}.{cell['layer']}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kylin", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
