#!/usr/bin/env python3
"""`kylin diagnose --bundle DIR` writes a fault down in one layer's weights and values, and finds it there again.

Usage: test_bundle.py --kylin PATH
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

from broken_qwen3 import Broken, Plan
from faults import FAULTS
from planting import N_PROMPT, diagnose_file, make_model, tokens_of, write_trace

KYLIN = None


def run(*arguments):
    return subprocess.run([KYLIN, "diagnose", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        cls.addClassCleanup(cls.temporary.cleanup)

    def bundle(self, model, title, layer):
        """(diagnosis of the whole, of the bundle, folder)"""
        path, tokens = make_model(KYLIN, self.folder, model), tokens_of(model)
        trace, folder = os.path.join(self.folder, "whole.safetensors"), os.path.join(self.folder, f"{model} {title}")
        write_trace(trace, Broken(path).run(tokens, N_PROMPT, [Plan([FAULTS[title].fault], {layer})]), tokens)
        whole = diagnose_file(KYLIN, path, trace, ["--bundle", folder])
        found = run("--bundle", folder, "--json")
        self.assertEqual(found.returncode, 1, found.stderr)
        return whole, json.loads(found.stdout), folder

    def test_finds_the_same_again(self):
        for model, title, layer in (("random", "rope base 10000", 2), ("random", "no mask", 1), ("random", "GELU", 3), ("random", "V transposed", 2),
                                    ("random", "embedding scaled", 0), ("random", "final norm missing", 0), ("random", "logits capped", 0),
                                    ("q4_k_m", "Q4_K scales, plain", 2), ("demo", "residual after the norm", 4)):
            with self.subTest(model=model, title=title):
                whole, again, _ = self.bundle(model, title, layer)
                self.assertEqual(again["faults"][0]["name"], FAULTS[title].name, again["sentence"])
                self.assertEqual(again["faults"][0]["parameters"], whole["faults"][0]["parameters"])
                self.assertEqual(again["faults"][0]["stage"], whole["faults"][0]["stage"])

    def test_holds_one_layer_and_a_script_that_runs(self):
        _, _, folder = self.bundle("random", "eps 1e-5", 1)
        whole = os.path.getsize(make_model(KYLIN, self.folder, "random"))
        self.assertLess(os.path.getsize(os.path.join(folder, "model.gguf")), whole / 2)
        self.assertTrue(os.path.exists(os.path.join(folder, "right.safetensors")))
        path = os.path.dirname(os.path.abspath(KYLIN)) + ":" + os.environ["PATH"]
        done = subprocess.run([os.path.join(folder, "reproduce")], stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path})
        self.assertEqual(done.returncode, 1)
        self.assertIn("norm-eps", done.stdout)

    def test_what_is_no_bundle_is_refused(self):
        for arguments in (["--bundle", self.folder + "/none"], ["--bundle", self.folder, "-m", "x.gguf"], []):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr.startswith("error: "), done.stderr)


def main():
    global KYLIN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kylin", required=True)
    options, rest = parser.parse_known_args()
    KYLIN = options.kylin
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
