#!/usr/bin/env python3
"""Traces that lack stages: the layer is still found, what survives is listed, and so is the dump that would decide. And mistakes that
one input cannot tell apart: both are named, with the input that would.

Usage: test_partial.py --kylin PATH [Partial | WholeLayer]
"""
import argparse
import sys
import tempfile
import unittest

from broken_qwen3 import Broken, Plan
from faults import FAULTS
from planting import N_PROMPT, diagnose, make_model, tokens_of

KYLIN = None
LAYER = 2


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = make_model(KYLIN, cls.folder.name, "random")
        cls.engine = Broken(cls.model)
        cls.tokens = tokens_of("random")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ask(self, title, keep, layers=frozenset({LAYER}), tokens=None):
        tokens = tokens or self.tokens
        plans = [Plan([FAULTS[title].fault], layers)] if title else []
        stages = self.engine.run(tokens, N_PROMPT, plans)
        return diagnose(KYLIN, self.model, {name: value for name, value in stages.items() if keep(name)}, tokens, self.folder.name)

    def names(self, found):
        """Every name that survives, at every place."""
        return {name for f in found["faults"] for name in [f["name"], *(e["name"] for e in f["equivalent"])]}


class WholeLayer(Traces):
    """A minute of one core: every mistake is run through a layer. By hand."""

    def test_layer_outputs_alone_narrow_the_layer(self):
        found = self.ask("rope base 10000", lambda name: name.startswith(("embedding", "layer_out", "logits")))
        self.assertEqual(len(found["faults"]), 1, found["sentence"])
        fault = found["faults"][0]
        self.assertEqual(fault["layer"], LAYER)
        self.assertIn("rope-base", self.names(found))
        self.assertIn(f"q_rope.{LAYER}", fault["dumps_that_would_decide"])


class Partial(Traces):
    def test_layer_outputs_of_a_right_run_are_no_fault(self):
        self.assertEqual(self.ask(None, lambda name: name.startswith(("embedding", "layer_out", "logits")))["faults"], [])

    def test_a_missing_stage_is_named_and_asked_for(self):
        found = self.ask("rope base 10000", lambda name: not name.startswith(("q_rope", "k_rope", "attn_scores", "attn_probs")))
        self.assertIn(f"q_rope.{LAYER}", found["missing"])
        self.assertIn("rope-base", self.names(found))
        self.assertIn(f"q_rope.{LAYER}", found["faults"][0]["dumps_that_would_decide"])

    def test_one_token_cannot_tell_a_mask_from_another(self):
        """Two tokens: a window of one is each token alone."""
        found = self.ask("prefill lost", lambda name: True, tokens=self.tokens[:2])
        survivors = self.names(found)
        self.assertIn("prefill-lost", survivors)
        self.assertIn("sliding-window", survivors)
        told_apart = {e["name"]: e["told_apart_by"] for e in found["faults"][0]["equivalent"]}
        self.assertTrue(all(told_apart.values()), told_apart)

    def test_what_the_input_can_tell_apart_is_not_called_equivalent(self):
        self.assertEqual(self.ask("no mask", lambda name: True)["faults"][0]["equivalent"], [])


def main():
    global KYLIN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kylin", required=True)
    options, rest = parser.parse_known_args()
    KYLIN = options.kylin
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
