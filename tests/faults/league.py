#!/usr/bin/env python3
"""What llama.cpp's own checkers say of the planted faults, next to Kylin: a table for docs/diagnose.md.

compare-logits.py and check-nmse.py come out of the source bundle of the npm package (reference/install), and run as they are: they read
the logits of the last token of two engines from data/*.bin. Their common.py imports torch and transformers, which neither of the two
uses: empty modules stand in for them.

Usage: league.py --kylin PATH [--faults REGEX] [--markdown docs/diagnose.md]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

from broken_qwen3 import Broken, Plan
from faults import FAULTS, ONCE
from planting import N_PROMPT, ROOT, diagnose, make_model, tokens_of

BUNDLE = ROOT / "reference/node_modules/node-llama-cpp/llama/gitRelease.bundle"
SCRIPTS = "examples/model-conversion/scripts"
BEGIN, END = "<!-- league -->\n", "<!-- end of league -->"


def unpack(folder):
    """The scripts, and a folder for PYTHONPATH."""
    source = folder / "llama.cpp.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(BUNDLE), str(source)], check=True)
    archive = folder / "scripts.tar"
    subprocess.run(["git", "-C", str(source), "archive", f"--output={archive}", "HEAD", SCRIPTS], check=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    stand_in = folder / "stand_in"
    stand_in.mkdir()
    (stand_in / "torch.py").write_text("class Tensor:\n    pass\n")
    (stand_in / "transformers.py").write_text('__version__ = "0"\n')
    return folder / SCRIPTS, stand_in


class Checkers:
    """Both scripts, given the last token's logits as their documentation asks for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.scripts, stand_in = unpack(self.folder)
        (self.folder / "data").mkdir()
        for name in ("right", "other.gguf"):
            (self.folder / name).touch()
        self.env = {**os.environ, "PYTHONPATH": str(stand_in), "MODEL_PATH": "right", "CONVERTED_MODEL": "other.gguf"}

    def write(self, name, logits, tokens):
        np.asarray(logits, "<f4").tofile(self.folder / "data" / f"{name}.bin")
        np.asarray(tokens, "<i4").tofile(self.folder / "data" / f"{name}-tokens.bin")

    def passes(self, script, *arguments):
        done = subprocess.run([sys.executable, str(self.scripts / script), *arguments], cwd=self.folder, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if "RESULT" not in done.stdout and "Lightweight model check" not in done.stdout and "NOK" not in done.stdout:
            raise RuntimeError(f"{script} did not run: {done.stdout}")
        return done.returncode == 0

    def ask(self, right, wrong, tokens):
        """(compare-logits.py says OK, check-nmse.py says PASS)"""
        self.write("pytorch-right", right, tokens)
        self.write("llamacpp-other", wrong, tokens)
        return self.passes("causal/compare-logits.py"), self.passes("utils/check-nmse.py", "-m", "right")


def rows(kylin, pattern, folder):
    model, tokens = make_model(kylin, folder, "random"), tokens_of("random")
    engine, checkers = Broken(model), Checkers(folder)
    right = engine.run(tokens, N_PROMPT, [])["logits"][-1]
    if checkers.ask(right, right, tokens) != (True, True):
        raise RuntimeError("the checkers refuse a right engine")
    for title, entry in FAULTS.items():
        if entry.models or not re.search(pattern, title):
            continue
        stages = engine.run(tokens, N_PROMPT, [Plan([entry.fault], None if entry.stage in ONCE else {engine.n_layer // 2}, entry.phases[0])])
        wrong, found = stages["logits"][-1], diagnose(kylin, model, stages, tokens, folder)
        ok, passed = checkers.ask(right, wrong, tokens)
        with np.errstate(invalid="ignore"):
            nmse = np.mean((wrong - right) ** 2) / np.var(right)
        yield {"fault": title, "top": int(np.argmax(wrong)) == int(np.argmax(right)), "nmse": nmse, "compare_logits": not ok, "check_nmse": not passed,
               "kylin": bool(found["faults"]), "named": bool(found["faults"]) and found["faults"][0]["name"] in {entry.name, *entry.accepted}}


def table(results):
    line = lambda *cells: "| " + " | ".join(map(str, cells)) + " |\n"
    text = line("planted in the middle layer", "NMSE of the logits", "compare-logits.py", "check-nmse.py", "Kylin") + line(*["---"] * 5)
    said = lambda seen: "wrong" if seen else "OK"
    for r in results:
        kylin = "names it" if r["named"] else "wrong" if r["kylin"] else "OK"
        text += line(r["fault"], f"{r['nmse']:.1e}", said(r["compare_logits"]), said(r["check_nmse"]), kylin)
    total = lambda key: f"**{sum(r[key] for r in results)} of {len(results)}**"
    return text + line("**found**", "", total("compare_logits"), total("check_nmse"), f"{total('kylin')}, {total('named')} by name")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kylin", default=str(ROOT / "build/release/bin/kylin"))
    parser.add_argument("--faults", default=".", help="regular expression of titles")
    parser.add_argument("--markdown", type=pathlib.Path, help="rewrite the league of this page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = list(rows(args.kylin, args.faults, folder))
    text = table(results)
    print(text)
    if args.markdown:
        before, _, rest = args.markdown.read_text().partition(BEGIN)
        args.markdown.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.partition(END)[2])
    # What the table claims: Kylin finds each, and what the checkers find Kylin finds too.
    return 0 if results and all(r["kylin"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
