#!/usr/bin/env python3
"""Greedy text of Kylin and llama.cpp, token by token. Where they part, the margin of the two candidates must be inside the noise
that the float64 oracle measures in Kylin's own logits at that step: then the choice was a tie, not a fault.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import safetensors_io

PROMPTS = ["Hello", "Hello, how are you?", "What is the capital of France?", "Once upon a time", "2 + 3 =", "你好", "The sky is", "Tell me a story.",
           "What colour is a banana?", "Who are you?", "The opposite of hot is", "How many days are in a week?", "一加一等于几?", "A cat is", "Name an animal.",
           "Good morning", "What is 7 - 4?", "The little dog", "Thank you", "What comes after Monday?"]


class Greedy:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder

    def logits(self, tokens, n_decode, numerics):
        """Kylin's tokens and logits [tokens, vocabulary]."""
        path = os.path.join(self.folder, "logits.safetensors")
        subprocess.run([self.options.kylin, "trace", "-m", self.options.model, "--tokens", ",".join(map(str, tokens)), "--decode", str(n_decode),
                        "--stages", "logits", "--numerics", numerics, "--kv", "f32", "-o", path], check=True)
        tensors, about = safetensors_io.read(path)
        return json.loads(about["tokens"]), tensors["logits"]

    def reference(self, prompts):
        lines = subprocess.run([self.options.adapter, "generate", "--model", self.options.model, "--prompts", "-", "-n", str(self.options.tokens),
                                "--threads", "1"],
                               input="\n".join(map(json.dumps, prompts)), capture_output=True, text=True, check=True).stdout.splitlines()
        return [json.loads(line)["tokens"] for line in lines]

    def tokenize(self, texts):
        lines = subprocess.run([self.options.adapter, "tokenize", "--model", self.options.model], input="\n".join(map(json.dumps, texts)),
                               capture_output=True, text=True, check=True).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def first_difference(self, prompt, theirs):
        """None when all tokens agree, else (step, whether it is a tie, a line to read)."""
        # N further tokens are fed one at a time; the logits of the last prompt token choose the first of them.
        tokens, logits = self.logits(prompt, self.options.tokens, "fast")
        ours = tokens[len(prompt):]
        for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a == b:
                continue
            row = len(prompt) + step - 1
            exact = self.logits(tokens[:row + 1], 0, "oracle")[1][row]
            noise = np.abs(logits[row] - exact).max()
            margin = logits[row][a] - logits[row][b]
            line = f"step {step}: token {a} has logit {logits[row][a]:.6f}, {b} has {logits[row][b]:.6f}; margin {margin:.2e}, noise {noise:.2e}"
            return step, margin <= 2 * noise, line
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kylin", required=True)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    same = ties = faults = 0
    with tempfile.TemporaryDirectory() as folder:
        greedy = Greedy(options, folder)
        prompts = greedy.tokenize(PROMPTS)
        for text, prompt, theirs in zip(PROMPTS, prompts, greedy.reference(prompts)):
            difference = greedy.first_difference(prompt, theirs)
            if difference is None:
                same += 1
                continue
            step, tie, line = difference
            ties, faults = ties + tie, faults + (not tie)
            print(f"{'tie' if tie else 'FAULT'}: {text!r} {line}")
    print(f"{same} of {len(prompts)} prompts give the same {options.tokens} tokens; {ties} part at a tie, {faults} without one")
    sys.exit(faults > 0 or not prompts)


if __name__ == "__main__":
    main()
