"""Models to plant faults in, traces of engines, and what `kylin diagnose` says of them."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "golden"))
import safetensors_io
from gguf_variant import F32, STRING, U32, write_variant

N_PROMPT = 9
# Words and bytes; token 97 has the row whose size is near eps. The demo's vocabulary is smaller than the others'.
TOKENS = {"demo": [5, 17, 260, 97, 301, 44, 12, 97, 270, 33, 150, 222, 61]}
RANDOM_TOKENS = [104, 101, 97, 260, 270, 5, 271, 97, 44, 200, 13, 272, 7]
SYNTHETIC = {"random": "f32", "q4_k_m": "q4_k_m", "q4_0": "q4_0", "f16": "f16"}


def tokens_of(model):
    return TOKENS.get(model, RANDOM_TOKENS)


def make_scaled(source, target):
    """With YaRN and frequency factors, which the three other models have not."""
    scaling = {"type": (STRING, "yarn"), "factor": (F32, 4.0), "original_context_length": (U32, 1024)}
    head_dim = 64
    write_variant(source, target, {f"qwen3.rope.scaling.{key}": value for key, value in scaling.items()},
                  {"rope_freqs.weight": np.linspace(1, 8, head_dim // 2)})


def make_model(kylin, folder, name):
    if name == "demo":
        return ROOT / "demo" / "kylin-demo-f16.gguf"
    path = pathlib.Path(folder) / f"{name}.gguf"
    if path.exists():
        return path
    if name == "scaled":
        make_scaled(make_model(kylin, folder, "random"), path)
    else:
        subprocess.run([kylin, "synth", "--like", "tiny", "--type", SYNTHETIC[name], str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


def write_trace(path, stages, tokens, numerics="float64"):
    about = {"format": "kylin.trace/1", "engine": "numpy", "numerics": numerics, "tokens": json.dumps(tokens), "n_prompt": str(min(N_PROMPT, len(tokens)))}
    safetensors_io.write(path, {name: np.asarray(value, "<f4") for name, value in stages.items()}, about)


def diagnose_file(kylin, model, path, more=()):
    done = subprocess.run([kylin, "diagnose", "-m", str(model), "--against", str(path), "--json", "-t", "1", *more],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"kylin diagnose ended with {done.returncode}: {done.stderr}")
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["faults"] else 0), "the exit status says something else than the diagnosis"
    return found


def diagnose(kylin, model, stages, tokens, folder, more=()):
    handle, path = tempfile.mkstemp(suffix=".safetensors", dir=folder)
    os.close(handle)
    write_trace(path, stages, tokens)
    try:
        return diagnose_file(kylin, model, path, more)
    finally:
        os.remove(path)


def trace_llama_cpp(adapter, model, tokens, path, *options, decode=3):
    subprocess.run([adapter, "trace", "-m", str(model), "--tokens", ",".join(map(str, tokens)), "--decode", str(decode), "-o", str(path), *options],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
