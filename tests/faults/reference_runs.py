"""llama.cpp as the engine that is diagnosed: clean runs with every noise it has, and runs that its metadata make wrong."""
import itertools
import os
import random

from planting import F32, STRING, U32, diagnose_file, make_model, tokens_of, trace_llama_cpp, write_variant

CLEAN_MODELS = ("demo", "random", "q4_k_m", "q4_0", "f16")
# Flash attention keeps an F32 cache only in F16 sums; a Q8_0 cache needs it.
CACHES = (("off", "f32"), ("off", "f16"), ("on", "f16"), ("on", "q8_0"), ("on", "f32"))


def clean_runs(n):
    """(model, options, tokens): every combination of cache, threads and repacking, with other tokens each time."""
    chosen = random.Random(20251123)
    settings = itertools.cycle(itertools.product(CLEAN_MODELS, CACHES, (1, 2), ("off", "on")))
    for model, (flash, kv), threads, repack in itertools.islice(settings, n):
        tokens = [chosen.choice(tokens_of(model)) for _ in range(chosen.randrange(3, 24))]
        yield model, ["--flash-attn", flash, "--kv", kv, "--threads", str(threads), "--repack", repack], tokens


def score_clean(kylin, adapter, folder, n):
    """One row per run: whether anything was named."""
    path = os.path.join(folder, "clean.safetensors")
    for model, options, tokens in clean_runs(n):
        file = make_model(kylin, folder, model)
        trace_llama_cpp(adapter, file, tokens, path, *options)
        found = diagnose_file(kylin, file, path)
        yield {"model": model, "options": " ".join(options), "names": [f["name"] for f in found["faults"]], "said": found["sentence"][:300]}


# What llama.cpp is told otherwise than the file says: (metadata, the name, the first stage, parameters)
OVERRIDES = {
    "rope base 10000": ({"rope.freq_base": (F32, 10000.0)}, "rope-base", "q_rope", {"base": 10000.0}),
    "rope base 5e5": ({"rope.freq_base": (F32, 5e5)}, "rope-base", "q_rope", {"base": 5e5}),
    "eps 1e-5": ({"attention.layer_norm_rms_epsilon": (F32, 1e-5)}, "norm-eps", "attn_norm", {"eps": 1e-5}),
    "eps 1e-3": ({"attention.layer_norm_rms_epsilon": (F32, 1e-3)}, "norm-eps", "attn_norm", {"eps": 1e-3}),
    "linear scaling 4": ({"rope.scaling.type": (STRING, "linear"), "rope.scaling.factor": (F32, 4.0)}, "rope-linear-scaling", "q_rope", {"factor": 4.0}),
    "linear scaling 2.5": ({"rope.scaling.type": (STRING, "linear"), "rope.scaling.factor": (F32, 2.5)}, "rope-linear-scaling", "q_rope", {"factor": 2.5}),
    "YaRN 4": ({"rope.scaling.type": (STRING, "yarn"), "rope.scaling.factor": (F32, 4.0), "rope.scaling.original_context_length": (U32, 4096)},
               "rope-yarn", "q_rope", {"factor": 4.0}),
}


def score_overrides(kylin, adapter, folder, models):
    for model in models:
        right, wrong, path = make_model(kylin, folder, model), os.path.join(folder, "wrong.gguf"), os.path.join(folder, "wrong.safetensors")
        for title, (metadata, name, stage, parameters) in OVERRIDES.items():
            write_variant(right, wrong, {f"qwen3.{key}": value for key, value in metadata.items()})
            trace_llama_cpp(adapter, wrong, tokens_of(model), path)
            found = diagnose_file(kylin, right, path)
            faults = found["faults"]
            first = faults[0] if faults else {"stage": None, "layer": None, "parameters": {}}
            yield {"model": model, "fault": title, "layers": "all", "phase": "all", "detected": bool(faults),
                   "located": (first["stage"], first["layer"]) == (stage, 0), "named": {f["name"] for f in faults} == {name},
                   "parameters": all(abs(first["parameters"].get(key, 0) - value) <= 1e-3 * abs(value) for key, value in parameters.items()),
                   "names": [f["name"] for f in faults], "said": found["sentence"][:300]}
