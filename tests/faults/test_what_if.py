#!/usr/bin/env python3
"""`kylin compare --with MISTAKE`: what a change does to every stage, to the logits and to the text.

Usage: test_what_if.py --kylin PATH
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

KYLIN = None
PROMPT = "What is the capital of France?"


def compare(*mistakes, options=()):
    """(status, report or None, what was printed)"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.json")
        arguments = [KYLIN, "compare", "--numerics", "oracle", "--prompt", PROMPT, "--output", path, *options]
        for mistake in mistakes:
            arguments += ["--with", mistake]
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        report = json.loads(pathlib.Path(path).read_text()) if os.path.exists(path) else None
        return done.returncode, report, done.stdout


class WhatIf(unittest.TestCase):
    def test_shows_the_stage_and_the_damage(self):
        for mistake, stage, layer in (("rope=norm", "q_rope", 0), ("rope-base=500000@2", "q_rope", 2), ("act=gelu@3", "ffn_act", 3),
                                      ("norm=scaled-by-depth", "attn_norm", 1), ("wrong-tensor=blk.1.attn_k.weight@k_proj.0", "k_proj", 0), ("norm-scaled=1.1@ffn_norm", "ffn_norm", 0)):
            with self.subTest(mistake=mistake):
                status, report, said = compare(mistake)
                self.assertEqual(status, 1, said)
                first = report["first_divergence"]
                self.assertEqual((first["stage"], first["layer"], first["wrong"]), (stage, layer, "reference"))
                self.assertGreater(report["logits"]["kl_mean"], 1e-8)
                before = [c for c in report["cells"] if c["layer"] is not None and c["layer"] < layer]
                self.assertTrue(all(c["accumulated"]["worst_row"] < 1e-6 for c in before), "a layer before the change is changed")
                self.assertIn("What if: ", said)
                self.assertIn("text, right:  Paris", said)

    def test_the_text_changes_with_the_damage(self):
        _, _, said = compare("rope=norm", "gqa=tile")
        right, so = (line.split(":", 1)[1].strip() for line in said.splitlines() if line.startswith("text, "))
        self.assertNotEqual(right, so)

    def test_the_right_value_changes_nothing(self):
        status, report, said = compare("rope-base=1000000", "norm-eps=1e-6")
        self.assertEqual(status, 0, said)
        self.assertLess(report["logits"]["kl_mean"], 1e-9)

    def test_what_cannot_be_tried_is_refused(self):
        for mistake, why in (("nonsense", "no mistake of the catalogue"), ("rope-base", "give rope-base=base"), ("rope-base=x", "is no number"),
                             ("rope=norm@99", "has layers 0 to"), ("rope=norm@ffn_up", "does not act at"), ("rope-missing=3", "takes no value"), ("wrong-tensor=none", "no tensor is called"),
                             ("rope-factors-ignored", "has not what the mistake changes")):
            with self.subTest(mistake=mistake):
                status, report, said = compare(mistake)
                self.assertEqual((status, report), (2, None), said)
                self.assertIn(why, said)
        status, _, said = compare("rope=norm", options=("--against", "oracle"))
        self.assertEqual(status, 2, said)


def main():
    global KYLIN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kylin", required=True)
    options, rest = parser.parse_known_args()
    KYLIN = options.kylin
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
