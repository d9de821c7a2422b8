#!/usr/bin/env python3
"""Catches a collapse of speed: Kylin against llama.cpp in turn, in one run. The least ratios are far below what is measured on a quiet
machine (docs/performance.md: prefill 2 to 2.7, decode 1.3 to 1.7), because a test machine is not quiet.

Usage: test_speed.py --kylin PATH --model M.gguf
"""
import argparse
import json
import subprocess
import sys

LEAST = {"prefill 64": 1.2, "decode 8 at depth 0": 0.8}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kylin", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    report = json.loads(subprocess.run([options.kylin, "bench", "-m", options.model, "--against", "llama.cpp", "--flash-attn", "on", "-p", "64",
                                        "-n", "8", "-r", "5", "--json"], check=True, stdout=subprocess.PIPE).stdout)
    ratios = {r["work"]: r["ratio"] for r in report["results"]}
    for work, ratio in ratios.items():
        print(f"{work}: {ratio:.2f} times llama.cpp, at least {LEAST[work]}")
    sys.exit(any(ratios[work] < least for work, least in LEAST.items()))


if __name__ == "__main__":
    main()
