#!/usr/bin/env python3
"""Plants every fault in a numpy Qwen3, asks `kylin diagnose` for its name, and prints the table.

Usage: score.py --kylin PATH [--models demo,random,q4_k_m] [--faults REGEX] [--fast] [--markdown FILE]
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "golden"))
import safetensors_io
from broken_qwen3 import Broken, Plan
from faults import FAULTS, ONCE

ROOT = HERE.parents[1]
N_PROMPT = 9
TOKENS = {"demo": [5, 17, 260, 97, 301, 44, 12, 97, 270, 33, 150, 222, 61], "random": [104, 101, 97, 260, 270, 5, 271, 97, 44, 200, 13, 272, 7]}
TOKENS["q4_k_m"] = TOKENS["random"]


def make_models(kylin, folder, names):
    paths = {"demo": ROOT / "demo" / "kylin-demo-f16.gguf"}
    for name, kind in (("random", "f32"), ("q4_k_m", "q4_k_m")):
        if name not in names:
            continue
        paths[name] = pathlib.Path(folder) / f"{name}.gguf"
        subprocess.run([kylin, "synth", "--like", "tiny", "--type", kind, str(paths[name])], check=True, stdout=subprocess.DEVNULL)
    return {name: paths[name] for name in names}


def about(tokens):
    return {"format": "kylin.trace/1", "engine": "numpy", "numerics": "float64", "tokens": json.dumps(tokens), "n_prompt": str(N_PROMPT)}


def diagnose(kylin, model, stages, tokens, folder):
    handle, path = tempfile.mkstemp(suffix=".safetensors", dir=folder)
    os.close(handle)
    safetensors_io.write(path, {name: np.asarray(value, "<f4") for name, value in stages.items()}, about(tokens))
    done = subprocess.run([kylin, "diagnose", "-m", str(model), "--against", path, "--json", "-t", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.remove(path)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"kylin diagnose ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout), done.returncode


def cases(entry, n_layer, fast):
    """(layers, phase)"""
    if entry.stage in ONCE:
        places = [None]
    elif fast:
        places = [None, {n_layer // 2}]
    else:
        places = [None, {0}, {n_layer // 2}, {n_layer - 1}]
    for layers in places:
        for phase in (entry.phases[:1] if fast else entry.phases):
            yield layers, phase


def judge(entry, changed, found):
    """What of the four was right."""
    faults = found["faults"]
    names = [f["name"] for f in faults]
    first = faults[0] if faults else None
    named = first is not None and set(names) <= {entry.name, *entry.accepted}
    right = {
        "detected": bool(faults),
        "located": first is not None and (first["stage"], first["layer"]) == changed[0],
        "named": named,
        "parameters": True,
    }
    for name, value in entry.parameters.items():
        seen = first["parameters"].get(name) if first and first["name"] == entry.name else None
        right["parameters"] &= seen is not None and abs(seen - value) <= 1e-4 * abs(value)
    return right, names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kylin", default=str(ROOT / "build/release/bin/kylin"))
    parser.add_argument("--models", default="demo,random,q4_k_m")
    parser.add_argument("--faults", default=".")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--json")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model, path in make_models(args.kylin, folder, args.models.split(",")).items():
            engine = Broken(path)
            tokens = TOKENS[model]
            pending = []
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for title, entry in FAULTS.items():
                    if not re.search(args.faults, title) or (entry.models and model not in entry.models):
                        continue
                    for layers, phase in cases(entry, engine.n_layer, args.fast):
                        stages = engine.run(tokens, N_PROMPT, [Plan([entry.fault], layers, phase)])
                        changed = engine.changed
                        if not changed:  # the fault is none here: LayerNorm Scaling of layer 0
                            continue
                        pending.append((title, entry, layers, phase, changed, pool.submit(diagnose, args.kylin, path, stages, tokens, folder)))
                for title, entry, layers, phase, changed, future in pending:
                    found, _ = future.result()
                    right, names = judge(entry, changed, found)
                    rows.append({"model": model, "fault": title, "layers": sorted(layers) if layers else "all", "phase": phase, **right, "names": names,
                                 "said": found["sentence"][:300]})
                    if not all(right.values()):
                        print(json.dumps(rows[-1]), flush=True)
    for key in ("detected", "located", "named", "parameters"):
        print(f"{key}: {sum(row[key] for row in rows)} of {len(rows)}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
